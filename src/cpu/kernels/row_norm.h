/* Mean and deviation of 16 short rows at once, with the bits of one row at a time. Included by _k.c files. */
#ifndef BORN_CPU_ROW_NORM_H
#define BORN_CPU_ROW_NORM_H
#include "cpu/kernels/row_sum.h"

enum { NORM_ROWS = 16, NORM_SHORT = 512 };      /* elements of a row: 16 of them lie in the first cache */

/* by: 1 / deviation; for rms the root of the mean square, and the mean is 0. */
BORN_INLINE void norm_stats(const float *const x[NORM_ROWS], int64_t n, float epsilon, bool rms, float *mean, float *by)
{
    v16 r[NORM_ROWS], lane[4], count = v_set((float)n), eps = v_set(epsilon), m = v_zero();

    if (!rms) {
        for (int i = 0; i < NORM_ROWS; i++) {
            row_lanes(x[i], n, v_zero(), map_none, v_add, v_zero(), lane);
            r[i] = row_four(lane);
        }
        m = v_div(rows_fold(r), count);
    }
    v_store(mean, m);
    for (int i = 0; i < NORM_ROWS; i++) {
        if (rms) row_lanes(x[i], n, v_zero(), map_square, v_add, v_zero(), lane);
        else row_lanes(x[i], n, v_set(mean[i]), map_square_from, v_add, v_zero(), lane);
        r[i] = row_four(lane);
    }
    v16 root = v_sqrt(v_add(v_div(rows_fold(r), count), eps));
    v_store(by, rms ? root : v_div(v_set(1), root));
}
#endif
