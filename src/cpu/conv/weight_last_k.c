/* conv_weight_grad over images whose channels lie side by side (weight.h): a matrix product [taps * channels, pixels] x
   [pixels, results] whose left matrix is read in place. Rows of a tile are neighbouring channels under one tap, so one
   address serves them all; from pixel to pixel it steps by a cell, and where a tap lies in the padding it stays on a
   cell of zeros. Items are the law's segments of 1,024 pixels where those are many and the sums few, each with a table
   of its own, joined left to right; else blocks of rows, which walk all segments. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/weight.h"
#include "cpu/gemm/tile.h"

#if BORN_TILE_M == 8
enum { MOST = 8, WIDE = 3 };            /* rows and panels of a tile */
#elif BORN_TILE_M == 6
enum { MOST = 6, WIDE = 1 };
#else
enum { MOST = 4, WIDE = 1 };
#endif
enum { STEP = 64, PARTS = 2 };       /* pixels and parts of the panels whose share of both stays in the first cache */

typedef struct last_job {
    const born_conv_weight *v;
    const float *g;
    const float *zeros;                 /* [cg] */
    float *g_copy, *sums;               /* tables [groups][rows][panels * 16]: one per segment, or two */
    int64_t tiles, blocks;              /* tiles of a tap's channels; blocks of rows of a group */
    int64_t segments, table;            /* floats of a table */
} last_job;

typedef struct last_tile {
    const float *const *cell;           /* per pixel: what the tap meets */
    int64_t channel, pixels;            /* of the first row; how many pixels */
    const float *b;
    int64_t b_step;                     /* from pixel to pixel */
    float *c;
    int64_t c_step;                     /* from row to row */
    bool more;                          /* go on from c */
} last_tile;

BORN_INLINE void run_tile(const last_tile *t, const int M, const int NP)
{
    v16 acc[MOST * WIDE];
    const ptrdiff_t b_step = (ptrdiff_t)t->b_step, channel = (ptrdiff_t)t->channel, pixels = (ptrdiff_t)t->pixels;
    const float *b = t->b;

    BORN_UNROLL
    for (int i = 0; i < M; i++)
        BORN_UNROLL
        for (int p = 0; p < NP; p++)
            acc[i * NP + p] = t->more ? v_load(t->c + i * t->c_step + p * BORN_PANEL) : v_zero();
    for (ptrdiff_t n = 0; n < pixels; n++, b += b_step) {
        const float *a = t->cell[n] + channel;
        v16 right[WIDE];
        BORN_UNROLL
        for (int p = 0; p < NP; p++) right[p] = v_load(b + p * BORN_PANEL);
        BORN_UNROLL
        for (int i = 0; i < M; i++) {
            v16 left = v_set(a[i]);
            BORN_UNROLL
            for (int p = 0; p < NP; p++) acc[i * NP + p] = v_fma(left, right[p], acc[i * NP + p]);
        }
    }
    BORN_UNROLL
    for (int i = 0; i < M; i++)
        BORN_UNROLL
        for (int p = 0; p < NP; p++) v_store(t->c + i * t->c_step + p * BORN_PANEL, acc[i * NP + p]);
}

#define TILE(M, NP)                                                                                                   \
    static void tile_##M##_##NP(const last_tile *t) { run_tile(t, M, NP); }
#if BORN_TILE_M == 8
#define TILES(M) TILE(M, 1) TILE(M, 2) TILE(M, 3)
#define ROW(M) { tile_##M##_1, tile_##M##_2, tile_##M##_3 }
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6) TILES(7) TILES(8)
static void (*const tile_of[MOST][WIDE])(const last_tile *) = { ROW(1), ROW(2), ROW(3), ROW(4),
                                                                ROW(5), ROW(6), ROW(7), ROW(8) };
#elif BORN_TILE_M == 6
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
static void (*const tile_of[MOST][WIDE])(const last_tile *) = { { tile_1_1 }, { tile_2_1 }, { tile_3_1 },
                                                                { tile_4_1 }, { tile_5_1 }, { tile_6_1 } };
#else
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1)
static void (*const tile_of[MOST][WIDE])(const last_tile *) = { { tile_1_1 }, { tile_2_1 }, { tile_3_1 },
                                                                { tile_4_1 } };
#endif

/* The cells that n pixels of a row of the result, from o2 on, meet with tap k2; x: the image's row, NULL in the
   padding. */
static void list_row(const last_job *j, int64_t o2, int64_t k2, const float *x, int64_t n, const float **to)
{
    const born_window *w = &j->v->win;
    int64_t at = o2 * w->stride[2] - w->pad[2] + k2 * w->dilation[2], step = j->v->xs[2];

    for (int64_t i = 0; i < n; i++, at += w->stride[2]) to[i] = x && at >= 0 && at < w->in[2] ? x + at * step : j->zeros;
}

/* Pixels [p0, p1) as tap k of group g meets them. */
static void list_cells(const last_job *j, int64_t g, int64_t k, int64_t p0, int64_t p1, const float **to)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t k2 = k % w->kernel[2], k1 = k / w->kernel[2] % w->kernel[1], k0 = k / w->kernel[2] / w->kernel[1];

    for (int64_t n; p0 < p1; p0 += n, to += n) {
        int64_t o2 = p0 % w->out[2], o1 = p0 / w->out[2] % w->out[1], rest = p0 / w->out[2] / w->out[1];
        int64_t d = rest % w->out[0] * w->stride[0] - w->pad[0] + k0 * w->dilation[0];
        int64_t h = o1 * w->stride[1] - w->pad[1] + k1 * w->dilation[1];
        const float *x = NULL;
        if (d >= 0 && d < w->in[0] && h >= 0 && h < w->in[1])
            x = v->x + g * v->cg + rest / w->out[0] * v->xn + d * v->xs[0] + h * v->xs[1];
        n = w->out[2] - o2 < p1 - p0 ? w->out[2] - o2 : p1 - p0;
        list_row(j, o2, k2, x, n, to);
    }
}

/* Pixels [p0, p1) of tiles [t0, t1) of group g: tiles are numbered tap by tap. */
static void run_step(const last_job *j, int64_t g, int64_t t0, int64_t t1, int64_t p0, int64_t p1, bool more,
                     float *sums)
{
    const born_conv_weight *v = j->v;
    int64_t width = v->panels * BORN_PANEL, parts = (v->panels + WIDE - 1) / WIDE;
    const float *cell[STEP], *b = j->g + g * v->g_group + p0 * v->g_step;
    last_tile t = { .cell = cell, .pixels = p1 - p0, .b_step = v->g_step, .c_step = width, .more = more };

    for (int64_t q0 = 0; q0 < parts; q0 += PARTS)
        for (int64_t i = t0; i < t1; i++) {
            int64_t tap = i / j->tiles, end = (i % j->tiles + 1) * v->cg / j->tiles;
            if (i == t0 || i % j->tiles == 0) list_cells(j, g, tap, p0, p1, cell);
            t.channel = i % j->tiles * v->cg / j->tiles;
            for (int64_t q = q0; q < q0 + PARTS && q < parts; q++) {
                int64_t first = q * v->panels / parts, last = (q + 1) * v->panels / parts;
                t.b = b + first * BORN_PANEL;
                t.c = sums + (tap * v->cg + t.channel) * width + first * BORN_PANEL;
                tile_of[end - t.channel - 1][last - first - 1](&t);
            }
        }
}

static void run_segment(const last_job *j, int64_t g, int64_t t0, int64_t t1, int64_t segment, float *sums)
{
    int64_t first = segment * BORN_CHAIN, end = first + BORN_CHAIN < j->v->pixels ? first + BORN_CHAIN : j->v->pixels;

    for (int64_t p = first; p < end; p += STEP)
        run_step(j, g, t0, t1, p, p + STEP < end ? p + STEP : end, p > first, sums);
}

/* Adds n sums of a later segment. */
static void add_sums(float *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += BORN_PANEL) v_store(to + i, v_add(v_load(to + i), v_load(from + i)));
}

/* Items: panels of all groups. Each walks its sixteen results' weights from end to end. */
static void store_panels(void *ctx, int64_t begin, int64_t end)
{
    const last_job *j = ctx;
    const born_conv_weight *v = j->v;
    const int64_t *kernel = v->win.kernel;
    int64_t width = v->panels * BORN_PANEL, taps = v->rows / v->cg;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / v->panels, m = i % v->panels * BORN_PANEL, left = v->mg - m;
        int64_t live = left < BORN_PANEL ? left : BORN_PANEL;
        for (int64_t c = 0; c < v->cg; c++)
            for (int64_t k = 0; k < taps; k++) {
                int64_t k2 = k % kernel[2], k1 = k / kernel[2] % kernel[1], k0 = k / kernel[2] / kernel[1];
                const float *from = j->sums + (g * v->rows + k * v->cg + c) * width + m;
                float *to = v->w + (g * v->mg + m) * v->wm + c * v->wc + k0 * v->ws[0] + k1 * v->ws[1] + k2 * v->ws[2];
                for (int64_t l = 0; l < live; l++) to[l * v->wm] = from[l];
            }
    }
}

/* The first row of a tile. */
static int64_t row_of(const last_job *j, int64_t tile)
{
    return tile / j->tiles * j->v->cg + tile % j->tiles * j->v->cg / j->tiles;
}

static int64_t tiles_of(const last_job *j) { return j->v->rows / j->v->cg * j->tiles; }

/* Items: blocks of tiles of a group; all segments. */
static void run_blocks(void *ctx, int64_t begin, int64_t end)
{
    const last_job *j = ctx;
    int64_t all = tiles_of(j), width = j->v->panels * BORN_PANEL;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / j->blocks, t0 = i % j->blocks * all / j->blocks, t1 = (i % j->blocks + 1) * all / j->blocks;
        int64_t r0 = row_of(j, t0), r1 = row_of(j, t1);
        float *sum = j->sums + g * j->v->rows * width, *later = sum + j->table;
        run_segment(j, g, t0, t1, 0, sum);
        for (int64_t s = 1; s < j->segments; s++) {
            run_segment(j, g, t0, t1, s, later);
            add_sums(sum + r0 * width, later + r0 * width, (r1 - r0) * width);
        }
    }
}

/* Items: segments of a group. */
static void run_segments(void *ctx, int64_t begin, int64_t end)
{
    const last_job *j = ctx;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i % j->v->groups, s = i / j->v->groups;
        run_segment(j, g, 0, tiles_of(j), s, j->sums + s * j->table + g * j->v->rows * j->v->panels * BORN_PANEL);
    }
}

/* Items: rows of all groups. */
static void join_rows(void *ctx, int64_t begin, int64_t end)
{
    const last_job *j = ctx;
    int64_t width = j->v->panels * BORN_PANEL;

    for (int64_t s = 1; s < j->segments; s++)
        add_sums(j->sums + begin * width, j->sums + s * j->table + begin * width, (end - begin) * width);
}

static void copy_gradients(void *ctx, int64_t begin, int64_t end)
{
    const last_job *j = ctx;

    BORN_K(weight_gradient_f32)(j->v, j->g_copy, begin, end);
}

born_status BORN_K(conv_weight_last_f32)(born_call *c, const born_exec *x)
{
    born_conv_weight v;
    float *scratch = x->scratch;

    if (!born__conv_weight_of(c, &v)) return BORN_OK;
    last_job j = { .v = &v, .g = v.g, .zeros = scratch };
    int64_t zeros = (v.cg + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL;
    memset(scratch, 0, (size_t)zeros * sizeof *scratch);
    j.g_copy = scratch + zeros;
    j.sums = j.g_copy + v.g_floats;
    j.table = (int64_t)v.sums;
    j.tiles = (v.cg + MOST - 1) / MOST;
    j.segments = (v.pixels + BORN_CHAIN - 1) / BORN_CHAIN;
    if (v.copy_g) {
        j.g = j.g_copy;
        born__exec_for(x, v.batch, 1 + (1 << 14) / (v.pixels / v.batch * v.g_step), copy_gradients, &j);
    }
    if (born__conv_weight_apart(&v)) {
        born__exec_for(x, v.groups * j.segments, 1, run_segments, &j);
        born__exec_for(x, v.groups * v.rows, 1 + (1 << 14) / (v.panels * BORN_PANEL * j.segments), join_rows, &j);
    } else {
        j.blocks = tiles_of(&j) < 16 ? tiles_of(&j) : 16;
        int64_t work = v.pixels * v.panels * v.rows / j.blocks;
        born__exec_for(x, v.groups * j.blocks, work >= 1 << 13 ? 1 : (1 << 13) / (work + 1) + 1, run_blocks, &j);
    }
    born__exec_for(x, v.groups * v.panels, 1 + (1 << 13) / v.rows, store_panels, &j);
    return BORN_OK;
}
