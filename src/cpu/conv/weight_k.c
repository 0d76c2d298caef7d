/* conv_weight_grad as a matrix product on register tiles (weight.h). Items are blocks of rows (channels times taps)
   with all their result channels; every item walks all pixels in order, segment by segment of 1,024 as the law says, in
   steps whose share of the right matrix stays in the first cache. No sum is split over items. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/weight.h"
#include "cpu/gemm/tile.h"

enum { STEP = 128, MOST_TILES = 18 };   /* pixels of a step; tiles of rows of an item */

typedef struct weight_job {
    const born_conv_weight *v;
    const float *x, *g;                 /* as the product reads them */
    int64_t xn, xc, xs[2];              /* steps of x; along the last axis 1 */
    float *x_copy, *g_copy;
    float *sum, *chain;                 /* [groups][rows][panels * 16] each: whole segments, the present one */
    int64_t block, blocks;              /* rows of an item, items of a group */
} weight_job;

/* ---- copies ---- */

/* One row of cells along the last axis, padding as zeros, taken apart into phases. */
static void copy_row(const born_conv_weight *v, const float *from, float *to)
{
    const born_window *w = &v->win;

    for (int64_t p = 0; p < w->stride[2]; p++, to += v->phase) {
        int64_t s = w->stride[2], start = p - w->pad[2];        /* cell of place i: start + i * s */
        int64_t lo = start < 0 ? (-start + s - 1) / s : 0, hi = w->in[2] > start ? (w->in[2] - start + s - 1) / s : 0;
        if (lo > v->phase) lo = v->phase;
        if (hi > v->phase) hi = v->phase;
        if (hi < lo) hi = lo;
        memset(to, 0, (size_t)lo * sizeof *to);
        if (s == 1 && v->xs[2] == 1) memcpy(to + lo, from + start + lo, (size_t)(hi - lo) * sizeof *to);
        else
            for (int64_t i = lo; i < hi; i++) to[i] = from[(start + i * s) * v->xs[2]];
        memset(to + hi, 0, (size_t)(v->phase - hi) * sizeof *to);
    }
}

void BORN_K(weight_image_f32)(const born_conv_weight *v, float *dst, int64_t begin, int64_t end)
{
    const born_window *w = &v->win;
    int64_t row = v->size[2] * v->phase, plane = v->size[0] * v->size[1] * row;

    for (int64_t i = begin; i < end; i++) {
        const float *x = v->x + i / v->channels * v->xn + i % v->channels * v->xc;
        float *to = dst + i * plane;
        for (int64_t d = 0; d < v->size[0]; d++)
            for (int64_t h = 0; h < v->size[1]; h++, to += row) {
                int64_t ad = d - w->pad[0], ah = h - w->pad[1];
                if (ad < 0 || ad >= w->in[0] || ah < 0 || ah >= w->in[1]) memset(to, 0, (size_t)row * sizeof *to);
                else copy_row(v, x + ad * v->xs[0] + ah * v->xs[1], to);
            }
    }
}

static void copy_images(void *ctx, int64_t begin, int64_t end)
{
    const weight_job *j = ctx;

    BORN_K(weight_image_f32)(j->v, j->x_copy, begin, end);
}

/* n pixels side by side, `live` channels of a panel, to whole panels. */
static void turn_panel(const born_conv_weight *v, const float *from, int64_t n, int64_t live, float *to)
{
    int64_t step = v->gs[2], i = 0;

    for (; step == 1 && i < n; i += 16) {
        int64_t k = n - i < 16 ? n - i : 16;
        v16 r[16];
        for (int64_t c = 0; c < 16; c++) r[c] = c < live ? v_load_n(from + c * v->gc + i, k) : v_zero();
        v_transpose(r);
        for (int64_t p = 0; p < k; p++) v_store(to + (i + p) * v->g_step, r[p]);
    }
    for (; i < n; i++) {
        float t[BORN_PANEL] = { 0 };
        for (int64_t c = 0; c < live; c++) t[c] = from[c * v->gc + i * step];
        memcpy(to + i * v->g_step, t, sizeof t);
    }
}

/* Rows that follow each other without a gap are turned as one. */
void BORN_K(weight_gradient_f32)(const born_conv_weight *v, float *dst, int64_t begin, int64_t end)
{
    int64_t run = v->win.out[2], lines = v->win.out[1], plane = run * lines * v->win.out[0];

    if (v->gs[1] == v->gs[2] * run) {
        run *= lines;
        lines = 1;
    }
    for (int64_t n = begin; n < end; n++) {
        float *to = dst + n * plane * v->g_step;
        for (int64_t d = 0; d < v->win.out[0]; d++)
            for (int64_t h = 0; h < lines; h++, to += run * v->g_step)
                for (int64_t p = 0; p < v->groups * v->panels; p++) {
                    int64_t group = p / v->panels, first = p % v->panels * BORN_PANEL;
                    int64_t live = v->mg - first < BORN_PANEL ? v->mg - first : BORN_PANEL;
                    const float *from = v->g + n * v->gn + (group * v->mg + first) * v->gc + d * v->gs[0] +
                                        h * v->gs[1];
                    turn_panel(v, from, run, live, to + p * BORN_PANEL);
                }
    }
}

static void copy_gradients(void *ctx, int64_t begin, int64_t end)
{
    const weight_job *j = ctx;

    BORN_K(weight_gradient_f32)(j->v, j->g_copy, begin, end);
}

/* ---- the product ---- */

/* Pixels [p0, p1) as runs: neighbours in x as far as they go. */
static int64_t list_runs(const weight_job *j, int64_t p0, int64_t p1, born_run *run)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t count = 0;

    while (p0 < p1) {
        int64_t o2 = p0 % w->out[2], o1 = p0 / w->out[2] % w->out[1], rest = p0 / w->out[2] / w->out[1];
        int64_t n = w->out[2] - o2 < p1 - p0 ? w->out[2] - o2 : p1 - p0;
        int64_t x = rest / w->out[0] * j->xn + rest % w->out[0] * w->stride[0] * j->xs[0] +
                    o1 * w->stride[1] * j->xs[1] + o2;
        if (count && run[count - 1].a + run[count - 1].n == x) run[count - 1].n += n;
        else run[count++] = (born_run){ x, p0 * v->g_step, n };
        p0 += n;
    }
    return count;
}

/* Where row r of a group, (channel, tap), starts in the image. */
static int64_t row_start(const weight_job *j, int64_t r)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t k2 = r % w->kernel[2], k1 = r / w->kernel[2] % w->kernel[1];
    int64_t k0 = r / w->kernel[2] / w->kernel[1] % w->kernel[0], c = r / w->kernel[2] / w->kernel[1] / w->kernel[0];
    int64_t cell = k2 * w->dilation[2];

    if (v->copy_x) cell = cell % w->stride[2] * v->phase + cell / w->stride[2];
    return c * j->xc + k0 * w->dilation[0] * j->xs[0] + k1 * w->dilation[1] * j->xs[1] + cell;
}

/* The step's pixels for rows [r0, r1) of group g; goes on from `sums` where `more`. */
static void run_step(const weight_job *j, int64_t g, int64_t r0, int64_t r1, const born_run *run, int64_t count,
                     bool more, float *sums)
{
    const born_conv_weight *v = j->v;
    int64_t width = v->panels * BORN_PANEL;
    const float *x = j->x + g * v->cg * j->xc;
    born_tile t = { .a_step = 1, .b_panel = BORN_PANEL, .b_step = v->g_step, .run = run, .run_count = count };

    t.chain = more;

    for (int64_t p = 0; p < v->panels; p += t.np) {
        for (int64_t r = r0; r < r1; r += BORN_TILE_M) {
            t.m = (int)(r1 - r < BORN_TILE_M ? r1 - r : BORN_TILE_M);
            int64_t wide = BORN_K(tilewidth_f32)(BORN_TILE_M), left = v->panels - p;
            int64_t parts = (left + wide - 1) / wide;
            t.np = (int)((left + parts - 1) / parts);           /* 4 panels are 2 + 2, not 3 + 1 */
            t.b = j->g + g * v->g_group + p * BORN_PANEL;
            for (int i = 0; i < t.m; i++) {
                t.a[i] = x + row_start(j, r + i);
                t.c[i] = sums + (r + i) * width + p * BORN_PANEL;
            }
            BORN_K(tile_f32)(&t);
        }
    }
}

static void store_rows(const weight_job *j, int64_t g, int64_t r0, int64_t r1, const float *sum)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t width = v->panels * BORN_PANEL;

    for (int64_t r = r0; r < r1; r++) {
        int64_t k2 = r % w->kernel[2], k1 = r / w->kernel[2] % w->kernel[1];
        int64_t k0 = r / w->kernel[2] / w->kernel[1] % w->kernel[0], c = r / w->kernel[2] / w->kernel[1] / w->kernel[0];
        float *to = v->w + g * v->mg * v->wm + c * v->wc + k0 * v->ws[0] + k1 * v->ws[1] + k2 * v->ws[2];
        for (int64_t m = 0; m < v->mg; m++) to[m * v->wm] = sum[r * width + m];
    }
}

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const weight_job *j = ctx;
    const born_conv_weight *v = j->v;
    int64_t width = v->panels * BORN_PANEL;
    born_run run[STEP];

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / j->blocks, r0 = i % j->blocks * j->block, end_row = r0 + j->block;
        int64_t r1 = end_row < v->rows ? end_row : v->rows;
        float *sum = j->sum + g * v->rows * width, *chain = j->chain + g * v->rows * width;
        for (int64_t p = 0; p < v->pixels; p += STEP) {
            int64_t in_segment = p % BORN_CHAIN, to = p + STEP < v->pixels ? p + STEP : v->pixels;
            bool first = p < BORN_CHAIN;
            run_step(j, g, r0, r1, run, list_runs(j, p, to, run), in_segment > 0, first ? sum : chain);
            if (first || (to % BORN_CHAIN != 0 && to < v->pixels)) continue;
            for (int64_t k = r0 * width; k < r1 * width; k += BORN_PANEL)
                v_store(sum + k, v_add(v_load(sum + k), v_load(chain + k)));
        }
        store_rows(j, g, r0, r1, sum);
    }
}

born_status BORN_K(conv_weight_f32)(born_call *c, const born_exec *x)
{
    born_conv_weight v;
    float *scratch = x->scratch;

    if (!born__conv_weight_of(c, &v)) return BORN_OK;
    weight_job j = { .v = &v, .x = v.x, .g = v.g, .xn = v.xn, .xc = v.xc, .xs = { v.xs[0], v.xs[1] } };
    j.x_copy = scratch;
    j.g_copy = scratch + v.x_floats;
    j.sum = j.g_copy + v.g_floats;
    j.chain = j.sum + v.sums;
    if (v.copy_x) {
        j.x = j.x_copy;
        j.xs[1] = v.size[2] * v.phase;
        j.xs[0] = v.size[1] * j.xs[1];
        j.xc = v.size[0] * j.xs[0];
        j.xn = v.channels * j.xc;
        born__exec_for(x, v.batch * v.channels, 1 + (1 << 14) / j.xc, copy_images, &j);
    }
    if (v.copy_g) {
        j.g = j.g_copy;
        born__exec_for(x, v.batch, 1 + (1 << 14) / (v.pixels / v.batch * v.g_step), copy_gradients, &j);
    }
    int64_t tiles = (v.rows + BORN_TILE_M - 1) / BORN_TILE_M, per_item = (tiles + 3) / 4;
    if (per_item > MOST_TILES) per_item = MOST_TILES;
    j.block = per_item * BORN_TILE_M;
    j.blocks = (v.rows + j.block - 1) / j.block;
    if (per_item == 1) j.block = (v.rows + j.blocks - 1) / j.blocks;    /* 9 rows are 5 + 4, not 8 + 1 */
    int64_t work = v.pixels * v.panels * j.block;
    born__exec_for(x, v.groups * j.blocks, work >= 1 << 13 ? 1 : (1 << 13) / work + 1, run_items, &j);
    return BORN_OK;
}
