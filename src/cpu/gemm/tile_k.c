/* The register tiles of one level, and the choice among them. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/gemm/tile.h"

/* prefetch distance of the tiles that stream B once: 24 lines */
#define STREAM (24 * BORN_PANEL)

/* Tiles with time to spare between loads. */
#define FETCHES(rows, panels) ((rows) == BORN_TILE_M && (rows) * (panels) >= 16)

/* n columns from p + at on, or the one number for all of them. */
BORN_INLINE v16 columns_at(const float *p, int64_t at, bool one, int n)
{
    if (one) return v_set(*p);
    return n == BORN_PANEL ? v_load(p + at) : v_load_n(p + at, n);
}

/* Results may lie in no cache yet: their lines come while the chains run, unless a tile before fetched them. */
BORN_INLINE void fetch_results(const born_finish *f, int rows, int panels)
{
    BORN_UNROLL
    for (int i = 0; i < rows; i++)
        BORN_UNROLL
        for (int j = 0; j < panels; j++) __builtin_prefetch(f->out[i] + j * BORN_PANEL, 1);
}

/* The epilogue of the sums of a tile, its panels one behind the other. */
static __attribute__((noinline)) void finish_rest(const born_tile *t, const float *sum)
{
    const born_finish *f = t->finish;

    for (int i = 0; i < t->m; i++)
        for (int j = 0; j < t->np; j++, sum += BORN_PANEL) {
            const int64_t at = (int64_t)j * BORN_PANEL;
            const int n = j == t->np - 1 ? f->last : BORN_PANEL;
            v16 v = v_load(sum);
            if (t->add) v = v_add(v_load(t->c[i] + at), v);
            if (f->scales) v = v_mul(v, columns_at(f->scales, at, f->scales_one, n));
            if (f->has_bias) v = v_add(v, columns_at(f->bias[f->bias_shared ? 0 : i], at, f->bias_one, n));
            if (f->has_residual) v = v_add(v, columns_at(f->residual[i], at, false, n));
            if (f->relu) v = v_max(v, v_zero());
            v_store_n(f->out[i] + at, v, n);
        }
}

#if BORN_TILE_M == 8
#define MR 1
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 4
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 5
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 6
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 7
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 8
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 4
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 5
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 6
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 7
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 8
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 4
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 5
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 6
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 7
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 8
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 4
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 4
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 4
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 5
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 5
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 5
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 6
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 6
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 6
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 7
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 7
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 7
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 8
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 8
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 8
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
static void (*const tiles[BORN_TILE_M][BORN_TILE_WIDE])(const born_tile *) = {
    { tile_1x1, tile_1x2, tile_1x3, tile_1x4, tile_1x5, tile_1x6, tile_1x7, tile_1x8 },
    { tile_2x1, tile_2x2, tile_2x3, tile_2x4, tile_2x5, tile_2x6, tile_2x7, tile_2x8 },
    { tile_3x1, tile_3x2, tile_3x3, tile_3x4, tile_3x5, tile_3x6, tile_3x7, tile_3x8 },
    { tile_4x1, tile_4x2, tile_4x3 },
    { tile_5x1, tile_5x2, tile_5x3 },
    { tile_6x1, tile_6x2, tile_6x3 },
    { tile_7x1, tile_7x2, tile_7x3 },
    { tile_8x1, tile_8x2, tile_8x3 },
};
static const signed char width[BORN_TILE_M] = { 8, 8, 8, 3, 3, 3, 3, 3 };
#elif BORN_TILE_M == 6
#define MR 1
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 3
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 1
#define NP 4
#define AHEAD STREAM
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 2
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 4
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 5
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 6
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
static void (*const tiles[BORN_TILE_M][BORN_TILE_WIDE])(const born_tile *) = {
    { tile_1x1, tile_1x2, tile_1x3, tile_1x4 },
    { tile_2x1, tile_2x2 },
    { tile_3x1 },
    { tile_4x1 },
    { tile_5x1 },
    { tile_6x1 },
};
static const signed char width[BORN_TILE_M] = { 4, 2, 1, 1, 1, 1 };
#else
#define MR 1
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 2
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 3
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
#define MR 4
#define NP 1
#define AHEAD 0
#include "cpu/gemm/tile.inc"
static void (*const tiles[BORN_TILE_M][BORN_TILE_WIDE])(const born_tile *) = {
    { tile_1x1 },
    { tile_2x1 },
    { tile_3x1 },
    { tile_4x1 },
};
static const signed char width[BORN_TILE_M] = { 1, 1, 1, 1 };
#endif

int BORN_K(tilewidth_f32)(int m)
{
    return width[m - 1];
}

void BORN_K(tile_f32)(const born_tile *t)
{
    tiles[t->m - 1][t->np - 1](t);
}
