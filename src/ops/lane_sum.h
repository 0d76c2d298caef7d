/* Sums over the last axis by law (b) of the design, one element at a time: element i goes to lane i % 16 of accumulator
   i / 16 % 4; a chunk of 4,096 ends as (0 + 1) + (2 + 3), then halves 8, 4, 2, 1; chunks are joined by a binary tree
   over their index. For references that make their terms as they go. */
#ifndef BORN_OPS_LANE_SUM_H
#define BORN_OPS_LANE_SUM_H
#include <stdbool.h>
#include <stdint.h>

enum { BORN_LANE_CHUNK = 4096 };
typedef struct born_lanes {
    uint64_t count;
    uint64_t full;          /* bit k: level[k] holds the sum of 2^k chunks */
    float acc[64], level[52];
} born_lanes;               /* {0} starts one */

static inline void born__lanes_close(born_lanes *s)
{
    float *a = s->acc;
    for (int l = 0; l < 16; l++) a[l] = (a[l] + a[16 + l]) + (a[32 + l] + a[48 + l]);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++) a[l] += a[l + half];
    float v = a[0];
    int k = 0;
    for (; s->full >> k & 1u; k++) v = s->level[k] + v;
    s->level[k] = v;
    s->full++;
    for (int l = 0; l < 64; l++) a[l] = 0;
}
static inline void born__lanes_add(born_lanes *s, float v)
{
    s->acc[s->count % 64] += v;
    if (++s->count % BORN_LANE_CHUNK == 0) born__lanes_close(s);
}
static inline float born__lanes_end(born_lanes *s)
{
    if (s->count % BORN_LANE_CHUNK != 0) born__lanes_close(s);
    float v = 0;
    bool any = false;
    for (int k = 0; k < 52; k++) {
        if (!(s->full >> k & 1u)) continue;
        v = any ? s->level[k] + v : s->level[k];
        any = true;
    }
    return v;
}
#endif
