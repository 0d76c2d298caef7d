/* What attention and its gradient share: register tiles that read A by two steps, so that a block of weights serves as
   it lies for its rows and for its columns; scores of 16 queries; and scores to weights. Included by _k.c files. */
#ifndef BORN_CPU_ATTENTION_TILE_H
#define BORN_CPU_ATTENTION_TILE_H
#include <math.h>
#include <stddef.h>

#include "cpu/gemm/tile.h"
#include "cpu/kernels/row_sum.h"
#include "cpu/simd/lanes.h"
#include "ops/attention.h"

/* Keeps the code of rare or long steps in one place: copies of them would not fit the first cache. */
#define APART __attribute__((noinline))

#if BORN_TILE_M == 8
enum { TILE_R = 8, TILE_P = 2 };    /* rows and panels; 16 is a multiple of the rows */
#else
enum { TILE_R = 4, TILE_P = 1 };
#endif

/* Term k of row r and panel j: a[r * a_row + k * a_step] times the 16 numbers at b + j * b_panel + k * b_step. */
typedef struct terms {
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t b_panel, b_step;
    int64_t n;
} terms;

BORN_INLINE void tile_zero(v16 acc[TILE_R][TILE_P])
{
    BORN_UNROLL
    for (int i = 0; i < TILE_R; i++)
        BORN_UNROLL
        for (int j = 0; j < TILE_P; j++) acc[i][j] = v_zero();
}

/* One term for the rows from `first` on. */
BORN_INLINE void tile_term(v16 acc[TILE_R][TILE_P], int np, int first, const float *a, int64_t a_row, const float *b,
                           int64_t b_panel)
{
    v16 v[TILE_P];
    BORN_UNROLL
    for (int j = 0; j < np; j++) v[j] = v_load(b + j * b_panel);
    BORN_UNROLL
    for (int i = first; i < TILE_R; i++) {
        v16 x = v_set(a[i * a_row]);
        BORN_UNROLL
        for (int j = 0; j < np; j++) acc[i][j] = v_fma(x, v[j], acc[i][j]);
    }
}

/* The chains go on. */
BORN_INLINE void tile_chains(v16 acc[TILE_R][TILE_P], int np, terms t)
{
    for (int64_t k = 0; k < t.n; k++, t.a += t.a_step, t.b += t.b_step)
        tile_term(acc, np, 0, t.a, t.a_row, t.b, t.b_panel);
}

/* Results of a tile, rows `row` floats apart. */
BORN_INLINE void tile_store(v16 acc[TILE_R][TILE_P], int np, float *to, int64_t row)
{
    BORN_UNROLL
    for (int i = 0; i < TILE_R; i++)
        BORN_UNROLL
        for (int j = 0; j < np; j++) v_store(to + i * row + j * 16, acc[i][j]);
}

/* Scores of 16 queries: rows of x, `wide` apart, times panels of d * 16 numbers. */
typedef struct score_job {
    const float *x;
    int64_t wide;
    const float *panels;
    int64_t d;
    v16 scale;
    float *to;                      /* panel p of row r at to + r * to_row + 16 * p */
    int64_t to_row;
} score_job;

BORN_INLINE void score_tile(const score_job *j, int64_t p, int r, int np)
{
    v16 acc[TILE_R][TILE_P];

    tile_zero(acc);
    tile_chains(acc, np, (terms){ j->x + r * j->wide, j->wide, 1, j->panels + p * j->d * 16, j->d * 16, 16, j->d });
    BORN_UNROLL
    for (int i = 0; i < TILE_R; i++)
        BORN_UNROLL
        for (int k = 0; k < np; k++) acc[i][k] = v_mul(acc[i][k], j->scale);
    tile_store(acc, np, j->to + r * j->to_row + p * 16, j->to_row);
}

static APART void score_panels_of(const score_job *j, int64_t from, int64_t to)
{
    int64_t p = from;

    for (; p + TILE_P <= to; p += TILE_P)
        for (int r = 0; r < 16; r += TILE_R) score_tile(j, p, r, TILE_P);
    for (; p < to; p++)
        for (int r = 0; r < 16; r += TILE_R) score_tile(j, p, r, 1);
}

/* Brings a row of a head nearer, which a prefetcher finds too far from the last one. Inline: gcc takes functions that
   do nothing else for such without effects. */
BORN_INLINE void fetch(const born_attn_side *s, int64_t b, int64_t h, int64_t i, int64_t d)
{
    if (!s->p) return;
    const char *row = born__attn_at(s, b, h, i);
    for (int64_t c = 0; c < d; c += 16) __builtin_prefetch(row + c * 4, 0, 2);
}

/* Lanes of 16 rows joined by the tree of law (b), lane i of the result from row i: their sums, or the largest where no
   lane is NaN. Changes r. */
static APART v16 rows_join(v16 r[16], bool most)
{
    v_transpose(r);
    for (int h = 8; h > 0; h /= 2)
        for (int i = 0; i < h; i++) r[i] = most ? v_maxr(r[i], r[i + h]) : v_add(r[i], r[i + h]);
    return r[0];
}

/* Scores of keys [from, to), whole vectors, to exp(score - top) in place, 0 where -inf; top is not -inf. The four
   accumulators of law (b) as (0 + 1) + (2 + 3). */
static APART v16 row_exponents(float *p, int64_t from, int64_t to, v16 top)
{
    v16 lane[4] = { v_zero(), v_zero(), v_zero(), v_zero() };

    for (int64_t base = from / 64 * 64; base < to; base += 64)
        BORN_UNROLL
        for (int a = 0; a < 4; a++) {
            int64_t j = base + 16 * a;
            if (j < from || j >= to) continue;
            v16 e = exp_v16(v_sub(v_load(p + j), top));
            v_store(p + j, e);
            lane[a] = v_add(lane[a], e);
        }
    return row_four(lane);
}
#endif
