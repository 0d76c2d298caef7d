/* Planes of channels turned so that channels lie side by side, in blocks of 16 by 16. Included by _k.c files. */
#ifndef BORN_CPU_TURN_PLANE_H
#define BORN_CPU_TURN_PLANE_H
#include "cpu/simd/simd.h"

/* `cells` neighbours of `channels` planes, from_step apart, to cells to_step apart; only `channels` of each are
   written. */
BORN_INLINE void turn_plane(const float *from, int64_t from_step, int64_t channels, int64_t cells, float *to,
                            int64_t to_step)
{
    for (int64_t c = 0; c < channels; c += 16) {
        int64_t live = channels - c < 16 ? channels - c : 16;
        const float *x = from + c * from_step;
        for (int64_t i = 0; i < cells; i += 16) {
            int64_t n = cells - i < 16 ? cells - i : 16;
            v16 r[16];
            if (live == 16 && n == 16)
                for (int k = 0; k < 16; k++) r[k] = v_load(x + k * from_step + i);
            else
                for (int k = 0; k < 16; k++) r[k] = k < live ? v_load_n(x + k * from_step + i, n) : v_zero();
            v_transpose(r);
            float *y = to + i * to_step + c;
            if (live == 16)
                for (int64_t k = 0; k < n; k++) v_store(y + k * to_step, r[k]);
            else
                for (int64_t k = 0; k < n; k++) v_store_n(y + k * to_step, r[k], live);
        }
    }
}
#endif
