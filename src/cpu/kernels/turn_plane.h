/* Planes of channels turned so that channels lie side by side (conv/turn_k.c). Included by _k.c files. */
#ifndef BORN_CPU_TURN_PLANE_H
#define BORN_CPU_TURN_PLANE_H
#include <stdint.h>

#include "cpu/levels.h"

/* `cells` neighbours of `channels` planes, from_step apart, to cells to_step apart; only `channels` of each are
   written. */
void BORN_K(turn_plane_f32)(const float *from, int64_t from_step, int64_t channels, int64_t cells, float *to,
                            int64_t to_step);
#endif
