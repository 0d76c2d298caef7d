/* Sums of exp(x - max) over a dense row, in the order of row_sum.h: what softmax and cross entropy share. Included by
   _k.c files. */
#ifndef BORN_CPU_ROW_EXP_H
#define BORN_CPU_ROW_EXP_H
#include "cpu/kernels/row_sum.h"
#include "cpu/simd/lanes.h"

/* e = exp(x - max), stored at y or nowhere; returns their sum. */
static inline float exp_sum(const float *x, int64_t n, v16 max, float *y)
{
    float part[ROW_PARTS];
    int64_t chunks[ROW_PARTS];
    float t[ROW_CHUNK];
    int parts = 0;

    for (int64_t i = 0; i < n; i += ROW_CHUNK) {
        int64_t k = n - i < ROW_CHUNK ? n - i : ROW_CHUNK, e = 0;
        float *to = y ? y + i : t;
        for (; e + 16 <= k; e += 16) v_store(to + e, exp_v16(v_sub(v_load(x + i + e), max)));
        if (e < k) v_store_n(to + e, exp_v16(v_sub(v_load_n(x + i + e, k - e), max)), k - e);
        part[parts] = row_chunk(to, k, v_zero(), map_none, v_add, v_zero());
        chunks[parts++] = k == ROW_CHUNK ? 1 : 0;
        while (parts >= 2 && chunks[parts - 2] == chunks[parts - 1]) {
            parts--;
            part[parts - 1] += part[parts];
            chunks[parts - 1] *= 2;
        }
    }
    while (parts > 1) {
        parts--;
        part[parts - 1] += part[parts];
    }
    return part[0];
}
#endif
