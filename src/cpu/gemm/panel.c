/* Packing into panels, in plain C: it moves floats and is bound by memory. Rows of b are walked in blocks so that both
   sides stay in cache; a transposed b is turned in blocks of 16 x 16. */
#include "cpu/gemm/panel.h"

#include "base/checked.h"
#include "cpu/gemm/tile.h"

size_t born__panel_bytes(int64_t k, int64_t n)
{
    size_t bytes;

    if (k < 0 || n < 0 || n > INT64_MAX - BORN_PANEL) return SIZE_MAX;
    uint64_t columns = (uint64_t)(n + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL;
    if ((uint64_t)k > SIZE_MAX || columns > SIZE_MAX) return SIZE_MAX;
    if (!born__mul_size((size_t)k, (size_t)columns, &bytes) || !born__mul_size(bytes, sizeof(float), &bytes))
        return SIZE_MAX;
    return bytes;
}

/* k rows of one panel, columns at distance 1. */
static void pack_rows(const float *b, int64_t k, int64_t k_stride, int columns, float *dst)
{
    if (columns == BORN_PANEL) {
        for (int64_t i = 0; i < k; i++)
            memcpy(dst + i * BORN_PANEL, (const char *)(b + i * k_stride), BORN_PANEL * sizeof *dst);
        return;
    }
    for (int64_t i = 0; i < k; i++)
        for (int j = 0; j < BORN_PANEL; j++)
            dst[i * BORN_PANEL + j] = j < columns ? born__loose_float(b + i * k_stride + j) : 0;
}

static void pack_columns(const float *b, int64_t k, int64_t k_stride, int64_t n_stride, int columns, float *dst)
{
    for (int64_t i0 = 0; i0 < k; i0 += BORN_PANEL) {
        int64_t i1 = i0 + BORN_PANEL < k ? i0 + BORN_PANEL : k;
        for (int j = 0; j < BORN_PANEL; j++) {
            const float *from = b + j * n_stride;
            if (j < columns)
                for (int64_t i = i0; i < i1; i++) dst[i * BORN_PANEL + j] = born__loose_float(from + i * k_stride);
            else
                for (int64_t i = i0; i < i1; i++) dst[i * BORN_PANEL + j] = 0;
        }
    }
}

void born__panel_pack(const float *b, int64_t k, int64_t n, int64_t k_stride, int64_t n_stride, int64_t first,
                      int64_t last, float *dst)
{
    enum { BLOCK = 8 };
    bool rows = n_stride == 1;
    int64_t step = rows ? BLOCK : k > 0 ? k : 1;

    for (int64_t k0 = 0; k0 < k; k0 += step) {
        int64_t kc = k0 + step < k ? step : k - k0;
        for (int64_t p = first; p < last; p++) {
            int columns = (int)(n - p * BORN_PANEL < BORN_PANEL ? n - p * BORN_PANEL : BORN_PANEL);
            const float *from = b + p * BORN_PANEL * n_stride + k0 * k_stride;
            float *to = dst + (p * k + k0) * BORN_PANEL;
            if (rows) pack_rows(from, kc, k_stride, columns, to);
            else pack_columns(from, kc, k_stride, n_stride, columns, to);
        }
    }
}
