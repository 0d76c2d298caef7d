/* Sums over the last axis by law (b) of the design, one element at a time: element i goes to lane i % 16 of accumulator
   i / 16 % 4; a chunk of 4,096 ends as (0 + 1) + (2 + 3), then halves 8, 4, 2, 1; chunks are joined by a binary tree
   over their index. For references that make their terms as they go. */
#ifndef BORN_OPS_LANE_SUM_H
#define BORN_OPS_LANE_SUM_H
#include <stdbool.h>
#include <stdint.h>

enum { BORN_LANE_CHUNK = 4096 };
/* born_lanes_f32, born__lanes_add_f32, born__lanes_end_f32, and the same for f64. */
#define BORN_EACH "ops/lane_sum.inc"
#include "ops/each_float.inc"
#endif
