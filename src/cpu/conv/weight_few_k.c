/* conv_weight_grad with few result channels (at most 8) and few kernel rows: the matrix product of weight_k.c the
   other way round. Rows are result channels, read where the incoming gradient lies; a panel of columns is as many rows
   of the kernel as fit into sixteen lanes. So that a panel is sixteen neighbours, the image is copied with that many of
   its rows interleaved, padding as zeros: from pixel to pixel it moves by one group, and nothing is gathered. Items are
   the law's segments of 1,024 pixels, whose sums meet afterwards, left to right. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/weight.h"
#include "cpu/gemm/tile.h"

typedef struct few_job {
    const born_conv_weight *v;
    const float *x;
    int64_t xn, xc, xs[2];          /* steps of the copied x; along the last axis `together` */
    float *x_copy, *sums;           /* sums: [groups][segments][mg][panels * 16] */
    int64_t together, panels;       /* kernel rows of a panel; panels of the second axis */
    int64_t lines;                  /* interleaved rows of a plane */
    int64_t pitch, segments;
} few_job;

/* ---- the image --------------------------------------------------------------------------------------------------- */

/* Where the row of cells behind the padding starts; NULL: all of it is padding. */
static const float *row_cells(const born_conv_weight *v, const float *plane, int64_t d, int64_t h)
{
    const born_window *w = &v->win;

    d -= w->pad[0];
    h -= w->pad[1];
    if (d < 0 || d >= w->in[0] || h < 0 || h >= w->in[1]) return NULL;
    return plane + d * v->xs[0] + h * v->xs[1];
}

/* One of n interleaved rows. */
static void put_row(const float *from, int64_t step, int64_t cells, int64_t n, float *to)
{
    if (from)
        for (int64_t i = 0; i < cells; i++) to[i * n] = from[i * step];
    else
        for (int64_t i = 0; i < cells; i++) to[i * n] = 0;
}

/* n rows interleaved, with the padding of the last axis. */
static void interleave(const born_conv_weight *v, const float *const *row, int64_t n, float *to)
{
    const born_window *w = &v->win;
    int64_t lo = w->pad[2] < v->phase ? w->pad[2] : v->phase;
    int64_t hi = w->in[2] + w->pad[2] < v->phase ? w->in[2] + w->pad[2] : v->phase, cells = hi - lo;

    memset(to, 0, (size_t)(lo * n) * sizeof *to);
    memset(to + hi * n, 0, (size_t)((v->phase - hi) * n) * sizeof *to);
    to += lo * n;
    if (n == 3 && v->xs[2] == 1 && row[0] && row[1] && row[2]) {    /* as most are: three rows of five, or of three */
        const float *a = row[0], *b = row[1], *c = row[2];
        for (int64_t i = 0; i < cells; i++, to += 3) {
            to[0] = a[i];
            to[1] = b[i];
            to[2] = c[i];
        }
        return;
    }
    for (int64_t r = 0; r < n; r++) put_row(row[r], v->xs[2], cells, n, to + r);
}

/* Items: planes. */
static void copy_images(void *ctx, int64_t begin, int64_t end)
{
    const few_job *j = ctx;
    const born_conv_weight *v = j->v;
    const float *row[BORN_PANEL];

    for (int64_t i = begin; i < end; i++) {
        const float *plane = v->x + i / v->channels * v->xn + i % v->channels * v->xc;
        for (int64_t k = 0; k < v->size[0] * j->lines; k++) {
            int64_t d = k / j->lines, h = k % j->lines;
            for (int64_t r = 0; r < j->together; r++) row[r] = row_cells(v, plane, d, h + r * v->win.dilation[1]);
            interleave(v, row, j->together, j->x_copy + i * j->xc + k * j->xs[1]);
        }
    }
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

/* Pixels [p0, p1): where their gradients and their windows start. */
static int64_t list_runs(const few_job *j, int64_t p0, int64_t p1, born_run *run)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t count = 0;

    while (p0 < p1) {
        int64_t o2 = p0 % w->out[2], o1 = p0 / w->out[2] % w->out[1], rest = p0 / w->out[2] / w->out[1];
        int64_t o0 = rest % w->out[0], n = rest / w->out[0];
        run[count].n = w->out[2] - o2 < p1 - p0 ? w->out[2] - o2 : p1 - p0;
        run[count].a = n * v->gn + o0 * v->gs[0] + o1 * v->gs[1] + o2;
        run[count].b = n * j->xn + o0 * w->stride[0] * j->xs[0] + o1 * w->stride[1] * j->xs[1] + o2 * j->together;
        p0 += run[count++].n;
    }
    return count;
}

/* One segment for result channels [m, m + t->m) of group g. */
static void run_tiles(const few_job *j, int64_t g, int64_t m, float *sums, born_tile *t)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int wide = BORN_K(tilewidth_f32)(t->m);

    for (int r = 0; r < t->m; r++) t->a[r] = v->g + (g * v->mg + m + r) * v->gc;
    for (int64_t k = 0; k < v->cg * w->kernel[0]; k++) {
        const float *x = j->x + (g * v->cg + k / w->kernel[0]) * j->xc + k % w->kernel[0] * w->dilation[0] * j->xs[0];
        for (int64_t q = 0; q < j->panels; q += t->np) {
            t->np = (int)(j->panels - q < wide ? j->panels - q : wide);
            t->b = x + q * t->b_panel;
            for (int r = 0; r < t->m; r++) t->c[r] = sums + (m + r) * j->pitch + (k * j->panels + q) * BORN_PANEL;
            BORN_K(tile_f32)(t);
        }
    }
}

/* Items: segments, numbered over groups. */
static void run_segments(void *ctx, int64_t begin, int64_t end)
{
    const few_job *j = ctx;
    const born_conv_weight *v = j->v;
    born_run run[BORN_CHAIN];

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / j->segments, p0 = i % j->segments * BORN_CHAIN;
        int64_t p1 = p0 + BORN_CHAIN < v->pixels ? p0 + BORN_CHAIN : v->pixels;
        born_tile t = { .a_step = 1, .b_panel = j->together * v->win.dilation[1] * j->xs[1], .b_step = j->together, .run = run };
        t.run_count = list_runs(j, p0, p1, run);
        for (int64_t m = 0; m < v->mg; m += t.m) {
            t.m = (int)(v->mg - m < BORN_TILE_M ? v->mg - m : BORN_TILE_M);
            run_tiles(j, g, m, j->sums + i * v->mg * j->pitch, &t);
        }
    }
}

/* Items: result channels. Segments are added left to right. */
static void join(void *ctx, int64_t begin, int64_t end)
{
    const few_job *j = ctx;
    const born_conv_weight *v = j->v;
    const int64_t *kernel = v->win.kernel;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / v->mg, m = i % v->mg;
        float *sum = j->sums + (g * j->segments * v->mg + m) * j->pitch;
        for (int64_t s = 1; s < j->segments; s++)
            for (int64_t k = 0; k < j->pitch; k += BORN_PANEL)
                v_store(sum + k, v_add(v_load(sum + k), v_load(sum + s * v->mg * j->pitch + k)));
        for (int64_t r = 0; r < v->rows; r++) {
            int64_t k2 = r % kernel[2], k1 = r / kernel[2] % kernel[1], rest = r / kernel[2] / kernel[1];
            v->w[i * v->wm + rest / kernel[0] * v->wc + rest % kernel[0] * v->ws[0] + k1 * v->ws[1] + k2 * v->ws[2]] =
                sum[(rest * j->panels + k1 / j->together) * BORN_PANEL + k2 * j->together + k1 % j->together];
        }
    }
}

born_status BORN_K(conv_weight_few_f32)(born_call *c, const born_exec *x)
{
    born_conv_weight v;

    if (!born__conv_weight_of(c, &v)) return BORN_OK;
    few_job j = { .v = &v, .x_copy = x->scratch };
    born__conv_weight_few(&v, &j.together, &j.panels, &j.lines);
    j.pitch = v.rows / v.win.kernel[2] / v.win.kernel[1] * j.panels * BORN_PANEL;
    j.segments = (v.pixels + BORN_CHAIN - 1) / BORN_CHAIN;
    j.x = j.x_copy;
    j.xs[1] = v.phase * j.together;
    j.xs[0] = j.lines * j.xs[1];
    j.xc = v.size[0] * j.xs[0];
    j.xn = v.channels * j.xc;
    int64_t floats = v.batch * j.xn;
    memset(j.x_copy + floats, 0, BORN_PANEL * sizeof(float));        /* the last panel reads that far */
    j.sums = j.x_copy + (floats + 2 * BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL;
    born__exec_for(x, v.batch * v.channels, 1 + (1 << 14) / j.xc, copy_images, &j);
    born__exec_for(x, v.groups * j.segments, 1, run_segments, &j);
    born__exec_for(x, v.results, 1 + (1 << 12) / (j.segments * j.pitch), join, &j);
    return BORN_OK;
}
