/* The integer tiles of one level, and the last step of quantised results. */
#include "cpu/quant/dot.h"

#include <stddef.h>

#include "cpu/quant/qtile.h"

#if BORN_QTILE_N == 3
#define MR 1
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 1
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 1
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 4
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 4
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 4
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 5
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 5
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 5
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 6
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 6
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 6
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 7
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 7
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 7
#define NP 3
#include "cpu/quant/qtile.inc"
#define MR 8
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 8
#define NP 2
#include "cpu/quant/qtile.inc"
#define MR 8
#define NP 3
#include "cpu/quant/qtile.inc"
static void (*const tiles[BORN_QTILE_M][BORN_QTILE_N])(const born_qtile *) = {
    { qtile_1x1, qtile_1x2, qtile_1x3 }, { qtile_2x1, qtile_2x2, qtile_2x3 }, { qtile_3x1, qtile_3x2, qtile_3x3 },
    { qtile_4x1, qtile_4x2, qtile_4x3 }, { qtile_5x1, qtile_5x2, qtile_5x3 }, { qtile_6x1, qtile_6x2, qtile_6x3 },
    { qtile_7x1, qtile_7x2, qtile_7x3 }, { qtile_8x1, qtile_8x2, qtile_8x3 },
};
#elif BORN_QTILE_M == 8
#define MR 1
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 4
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 5
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 6
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 7
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 8
#define NP 1
#include "cpu/quant/qtile.inc"
static void (*const tiles[BORN_QTILE_M][BORN_QTILE_N])(const born_qtile *) = {
    { qtile_1x1 }, { qtile_2x1 }, { qtile_3x1 }, { qtile_4x1 },
    { qtile_5x1 }, { qtile_6x1 }, { qtile_7x1 }, { qtile_8x1 },
};
#elif BORN_QTILE_M == 4
#define MR 1
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 4
#define NP 1
#include "cpu/quant/qtile.inc"
static void (*const tiles[BORN_QTILE_M][BORN_QTILE_N])(const born_qtile *) = {
    { qtile_1x1 },
    { qtile_2x1 },
    { qtile_3x1 },
    { qtile_4x1 },
};
#else
#define MR 1
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 2
#define NP 1
#include "cpu/quant/qtile.inc"
#define MR 3
#define NP 1
#include "cpu/quant/qtile.inc"
static void (*const tiles[BORN_QTILE_M][BORN_QTILE_N])(const born_qtile *) = {
    { qtile_1x1 },
    { qtile_2x1 },
    { qtile_3x1 },
};
#endif

void BORN_K(qtile_q8)(const born_qtile *t)
{
    tiles[t->m - 1][t->np - 1](t);
}

void BORN_K(qstore_q8)(const born_qfinish *f, const int32_t *sum, const float *scale, int64_t n, uint8_t *to,
                       int64_t step)
{
    v16 v = v_mul(v_from_w(w_load_n(sum, n)), v_load_n(scale, n));
    int32_t t[16];

    v = v_sel(v_isnan(v), v_zero(), v); /* then as born__round_even */
    v = v_minr(v_maxr(v, v_set(-2097152.0f)), v_set(2097152.0f));
    v = v_sub(v_add(v, v_set(12582912.0f)), v_set(12582912.0f));
    w16 y = w_max(w_min(w_add(w_from_v(v), w_set(f->zero)), w_set(f->hi)), w_set(f->lo));
    if (n == 16 && step == 1) {
        w_store_low8(to, y);
        return;
    }
    w_store(t, y);
    for (int64_t i = 0; i < n; i++) to[i * step] = (uint8_t)t[i];
}
