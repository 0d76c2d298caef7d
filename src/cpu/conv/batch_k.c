/* Convolutions (and transposed ones of stride 1) with few result channels over many small images: lanes are images.
   Images are turned so that those of a block lie side by side, [block][cell][channel][image]; then every lane is used
   whatever the image's width, all have the same taps, and those in the padding are skipped without a mask. A row of
   results is made in that form and turned back. Sums of one segment only (the query sees to it). Items are rows of
   results of a block. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"
#include "cpu/conv/pack_rows.h"
#include "cpu/gemm/tile.h"
#include "cpu/kernels/turn_plane.h"

enum { LANES = 16, VECTORS = BORN_BATCH_BLOCK / LANES };
#if BORN_TILE_M == 8
enum { MOST = 8 };                  /* result channels of a tile */
#elif BORN_TILE_M == 6
enum { MOST = 3 };
#else
enum { MOST = 2 };
#endif

typedef struct batch_job {
    const born_conv *v;
    float *x, *w;                   /* the turned images; the weight as [groups][tiles][terms][rows] */
    int64_t rows, tiles;            /* result channels of a tile, tiles of a group */
    int64_t xs[3], xn;              /* steps of the turned image */
    int64_t lines;                  /* rows of results of an image */
} batch_job;

/* Items: blocks of images times cells of the first two axes. */
static void turn_images(void *ctx, int64_t begin, int64_t end)
{
    const batch_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    int64_t lines = w->in[0] * w->in[1], step = v->channels * BORN_BATCH_BLOCK;

    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / lines * BORN_BATCH_BLOCK, live = least(v->batch - n, BORN_BATCH_BLOCK), line = i % lines;
        const float *from = v->x + n * v->xn + line / w->in[1] * v->xs[0] + line % w->in[1] * v->xs[1];
        float *to = j->x + i / lines * j->xn + line * j->xs[1];
        if (live < BORN_BATCH_BLOCK) memset(to, 0, (size_t)j->xs[1] * sizeof *to);
        if (v->xc == 1 && v->xs[2] == v->channels) {
            BORN_K(turn_plane_f32)(from, v->xn, live, w->in[2] * v->channels, to, BORN_BATCH_BLOCK);
            continue;
        }
        for (int64_t c = 0; c < v->channels; c++)
            BORN_K(turn_plane_f32)(from + c * v->xc, v->xn, live, w->in[2], to + c * BORN_BATCH_BLOCK, step);
    }
}

/* Items: tiles of result channels. */
static void pack_tiles(void *ctx, int64_t begin, int64_t end)
{
    const batch_job *j = ctx;
    pack_rows(j->v, j->tiles, j->rows, begin, end, j->w);
}

/* Neighbouring terms: their cells, counted from the one that tap 0 meets, and their weights. */
typedef struct stretch { int64_t x, w, n; } stretch;

/* The terms of a result cell, in order; cells with the same taps share them. */
typedef struct terms {
    int64_t lo[3], hi[3];
    int count;
    stretch at[BORN_CONV_TAPS];
} terms;

/* The taps of axis a at result cell o; most meet the image with all. */
BORN_INLINE void find_taps(const born_conv *v, int a, int64_t o, int64_t *lo, int64_t *hi)
{
    const born_window *w = &v->win;
    int64_t reach = (w->kernel[a] - 1) * w->dilation[a];
    int64_t first = v->transposed ? o + w->pad[a] - reach : o * w->stride[a] - w->pad[a];

    if (first >= 0 && first + reach < w->in[a]) *lo = 0, *hi = w->kernel[a];
    else born__conv_taps(v, a, o, lo, hi);
}

static void list_terms(const batch_job *j, const int64_t lo[3], const int64_t hi[3], terms *t)
{
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    int64_t sign = v->transposed ? -1 : 1;

    memcpy(t->lo, lo, sizeof t->lo);
    memcpy(t->hi, hi, sizeof t->hi);
    t->count = 0;
    for (int64_t k0 = lo[0]; k0 < hi[0]; k0++)
        for (int64_t k1 = lo[1]; k1 < hi[1]; k1++)
            for (int64_t k2 = lo[2]; k2 < hi[2]; k2++) {
                int64_t term = ((k0 * w->kernel[1] + k1) * w->kernel[2] + k2) * v->cg * j->rows;
                int64_t x = sign * (k0 * w->dilation[0] * j->xs[0] + k1 * w->dilation[1] * j->xs[1] +
                                    k2 * w->dilation[2] * j->xs[2]);
                stretch *last = &t->at[t->count - (t->count > 0)];
                bool here = t->count && last->x + last->n * BORN_BATCH_BLOCK == x;
                if (here && last->w + last->n * j->rows == term) last->n += v->cg;
                else t->at[t->count++] = (stretch){ x, term, v->cg };
            }
}

/* The terms of cell o; returns where tap 0 meets the image (or its padding). */
BORN_INLINE int64_t terms_of(const batch_job *j, const int64_t o[3], terms *t)
{
    const born_window *w = &j->v->win;
    int64_t lo[3], hi[3], x = 0;

    for (int a = 0; a < 3; a++) {
        find_taps(j->v, a, o[a], &lo[a], &hi[a]);
        x += (o[a] * w->stride[a] + (j->v->transposed ? w->pad[a] : -w->pad[a])) * j->xs[a];
    }
    if (memcmp(lo, t->lo, sizeof lo) != 0 || memcmp(hi, t->hi, sizeof hi) != 0) list_terms(j, lo, hi, t);
    return x;
}

/* One result cell of M channels: to[m * step + image]. */
BORN_INLINE void run_cell(const batch_job *j, const float *x, int64_t first, const float *w, const terms *t,
                          int64_t channel, float *to, int64_t step, const int M)
{
    const born_epilogue *e = &j->v->end;
    v16 acc[MOST * VECTORS];

    BORN_UNROLL
    for (int i = 0; i < M * VECTORS; i++) acc[i] = v_zero();
    for (int i = 0; i < t->count; i++) {
        const float *a = x + (first + t->at[i].x), *b = w + t->at[i].w;
        for (int64_t n = t->at[i].n; n > 0; n--, a += BORN_BATCH_BLOCK, b += M) {
            v16 cell[VECTORS];
            BORN_UNROLL
            for (int q = 0; q < VECTORS; q++) cell[q] = v_load(a + q * LANES);
            add_term(cell, b, true, NULL, acc, M, VECTORS);
        }
    }
    BORN_UNROLL
    for (int m = 0; m < M; m++) {
        v16 bias = v_zero();
        if (e->has_bias && channel + m < j->v->mg * j->v->groups) bias = v_set(e->bias[(channel + m) * e->bias_col]);
        BORN_UNROLL
        for (int q = 0; q < VECTORS; q++) {
            v16 sum = acc[m * VECTORS + q];
            if (e->has_bias) sum = v_add(sum, bias);
            if (e->activation) sum = v_max(sum, v_zero());
            v_store(to + m * step + q * LANES, sum);
        }
    }
}

#define TILE(M)                                                                                                       \
    static void cell_##M(const batch_job *j, const float *x, int64_t first, const float *w, const terms *t,           \
                         int64_t channel, float *to, int64_t step)                                                    \
    {                                                                                                                 \
        run_cell(j, x, first, w, t, channel, to, step, M);                                                            \
    }
typedef void cell_fn(const batch_job *j, const float *x, int64_t first, const float *w, const terms *t, int64_t channel,
                     float *to, int64_t step);
TILE(1)
TILE(2)
#if BORN_TILE_M == 8
TILE(3)
TILE(4)
TILE(5)
TILE(6)
TILE(7)
TILE(8)
static cell_fn *const cell_of[] = { cell_1, cell_2, cell_3, cell_4, cell_5, cell_6, cell_7, cell_8 };
#elif BORN_TILE_M == 6
TILE(3)
static cell_fn *const cell_of[] = { cell_1, cell_2, cell_3 };
#else
static cell_fn *const cell_of[] = { cell_1, cell_2 };
#endif

enum { CELLS = 16 };

/* Cells [o2, o2 + n) of a row of results of a tile, turned back. */
static void store_cells(const batch_job *j, const float *from, int64_t n, int64_t images, int64_t live, float *to)
{
    const born_conv *v = j->v;

    for (int64_t m = 0; m < live; m++)
        BORN_K(turn_plane_f32)
        (from + m * CELLS * BORN_BATCH_BLOCK, BORN_BATCH_BLOCK, n, images, to + m * v->end.out_col, v->yn);
}

static void run_rows(void *ctx, int64_t begin, int64_t end)
{
    const batch_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    terms list = { .lo = { -1, -1, -1 } };
    _Alignas(64) float part[MOST][CELLS][BORN_BATCH_BLOCK];

    for (int64_t i = begin; i < end; i++) {
        int64_t block = i / j->lines, n = block * BORN_BATCH_BLOCK, images = least(v->batch - n, BORN_BATCH_BLOCK);
        int64_t o[3] = { i % j->lines / w->out[1], i % w->out[1], 0 };
        for (int64_t t = 0; t < v->groups * j->tiles; t++) {
            int64_t g = t / j->tiles, first = t % j->tiles * j->rows, live = least(v->mg - first, j->rows);
            int64_t channel = g * v->mg + first;
            const float *x = j->x + block * j->xn + g * v->cg * BORN_BATCH_BLOCK, *k = j->w + t * v->terms * j->rows;
            float *y = v->y + n * v->yn + channel * v->end.out_col + o[0] * v->ys[0] + o[1] * v->ys[1];
            for (int64_t first_cell = 0; first_cell < w->out[2]; first_cell += CELLS) {
                int64_t cells = least(w->out[2] - first_cell, CELLS);
                for (int64_t p = 0; p < cells; p++) {
                    o[2] = first_cell + p;
                    int64_t at = terms_of(j, o, &list);
                    cell_of[j->rows - 1](j, x, at, k, &list, channel, part[0][p], CELLS * BORN_BATCH_BLOCK);
                }
                store_cells(j, part[0][0], cells, images, live, y + first_cell);
            }
        }
    }
}

born_status BORN_K(conv_batch_f32)(born_call *c, const born_exec *x)
{
    born_conv v;

    if (!born__conv_of(c, &v)) return BORN_OK;
    const born_window *w = &v.win;
    batch_job j = { .v = &v, .x = x->scratch };
    int64_t blocks = (v.batch + BORN_BATCH_BLOCK - 1) / BORN_BATCH_BLOCK;
    j.tiles = (v.mg + MOST - 1) / MOST;
    j.rows = (v.mg + j.tiles - 1) / j.tiles;
    j.tiles = (v.mg + j.rows - 1) / j.rows;
    j.xs[2] = v.channels * BORN_BATCH_BLOCK;
    j.xs[1] = j.xs[2] * w->in[2];
    j.xs[0] = j.xs[1] * w->in[1];
    j.xn = j.xs[0] * w->in[0];
    j.w = j.x + j.xn * blocks;
    j.lines = w->out[0] * w->out[1];
    born__exec_for(x, blocks * w->in[0] * w->in[1], 1 + (1 << 13) / j.xs[1], turn_images, &j);
    born__exec_for(x, v.groups * j.tiles, 1 + (1 << 12) / (v.terms * j.rows), pack_tiles, &j);
    int64_t work = w->out[2] * v.terms * v.mg * v.groups * BORN_BATCH_BLOCK;
    born__exec_for(x, blocks * j.lines, 1 + (1 << 18) / work, run_rows, &j);
    return BORN_OK;
}
