/* Convolutions whose tiles have result channels as rows: weights packed as [groups][tiles][terms][rows], zeros where a
   tile is not full, and what a term adds to a tile. Included by the kernels that walk them so. */
#ifndef BORN_CPU_CONV_PACK_ROWS_H
#define BORN_CPU_CONV_PACK_ROWS_H
#include "cpu/conv/conv.h"

BORN_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tiles begin to end of all groups, `tiles` a group. */
BORN_INLINE void pack_rows(const born_conv *v, int64_t tiles, int64_t rows, int64_t begin, int64_t end, float *w)
{
    const int64_t *kernel = v->win.kernel;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / tiles, first = i % tiles * rows, live = least(v->mg - first, rows);
        float *to = w + i * v->terms * rows;
        for (int64_t t = 0; t < v->terms; t++, to += rows) {
            int64_t c = t % v->cg, tap = t / v->cg, k2 = tap % kernel[2], k1 = tap / kernel[2] % kernel[1];
            const float *from = v->w + g * v->wg + first * v->wm + c * v->wc + tap / kernel[2] / kernel[1] * v->ws[0] +
                                k1 * v->ws[1] + k2 * v->ws[2];
            for (int64_t m = 0; m < rows; m++) to[m] = m < live ? from[m * v->wm] : 0;
        }
    }
}

/* M weights at w times V vectors of cells onto the sums [M][V]; unless `whole`, in the lanes of each vector's mask. */
BORN_INLINE void add_term(const v16 *cell, const float *w, const bool whole, const m16 *by, v16 *acc, const int M,
                          const int V)
{
    BORN_UNROLL
    for (int m = 0; m < M; m++) {
        v16 k = v_set(w[m]);
        BORN_UNROLL
        for (int q = 0; q < V; q++) {
            v16 sum = v_fma(cell[q], k, acc[m * V + q]);
            acc[m * V + q] = whole ? sum : v_sel(by[q], sum, acc[m * V + q]);
        }
    }
}
#endif
