/* conv_weight_grad with few result channels (at most 8) and few kernel rows, over planes: the matrix product of
   weight_k.c the other way round. Rows are result channels, read where the incoming gradient lies; a panel of columns
   is as many rows of the kernel as fit into sixteen lanes. So that a panel is sixteen neighbours, the image is copied
   with that many of its rows interleaved, padding as zeros: from pixel to pixel it moves by one group, and nothing is
   gathered. Items are the law's segments of 1,024 pixels, each with the copy of what it reads, in the first cache;
   their sums meet afterwards, left to right. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/weight.h"
#include "cpu/gemm/tile.h"

typedef struct few_job {
    const born_conv_weight *v;
    born_conv_few f;
    float *sums;                    /* [groups][segments][mg][panels * 16] */
    int64_t line;                   /* floats of an interleaved line */
    int64_t pitch, segments;
} few_job;

/* ---- the image --------------------------------------------------------------------------------------------------- */

/* Where row h of the padded plane has its first cell behind the padding; NULL: all of it is padding. */
static const float *row_cells(const born_conv_weight *v, const float *plane, int64_t h)
{
    h -= v->win.pad[1];
    return h < 0 || h >= v->win.in[1] ? NULL : plane + h * v->xs[1];
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

/* Lines [first, end), numbered over images, of all channels of group g. */
static void copy_lines(const few_job *j, int64_t g, int64_t first, int64_t end, float *to)
{
    const born_conv_weight *v = j->v;
    const float *row[BORN_PANEL];

    for (int64_t c = g * v->cg; c < (g + 1) * v->cg; c++)
        for (int64_t i = first; i < end; i++, to += j->line) {
            const float *plane = v->x + i / j->f.lines * v->xn + c * v->xc;
            for (int64_t r = 0; r < j->f.together; r++)
                row[r] = row_cells(v, plane, i % j->f.lines + r * v->win.dilation[1]);
            interleave(v, row, j->f.together, to);
        }
    memset(to, 0, BORN_PANEL * sizeof *to);         /* the last panel reads that far */
}

/* ---- the product ------------------------------------------------------------------------------------------------- */

/* The line that the windows of pixel p start with. */
static int64_t line_of(const few_job *j, int64_t p)
{
    const born_window *w = &j->v->win;
    int64_t row = p / w->out[2];

    return row / w->out[1] * j->f.lines + row % w->out[1] * w->stride[1];
}

/* Pixels [p0, p1): where their gradients and their windows start, counted from line `first`. */
static int64_t list_runs(const few_job *j, int64_t p0, int64_t p1, int64_t first, born_run *run)
{
    const born_conv_weight *v = j->v;
    const born_window *w = &v->win;
    int64_t count = 0;

    while (p0 < p1) {
        int64_t o2 = p0 % w->out[2], o1 = p0 / w->out[2] % w->out[1], n = p0 / w->out[2] / w->out[1];
        run[count].n = w->out[2] - o2 < p1 - p0 ? w->out[2] - o2 : p1 - p0;
        run[count].a = n * v->gn + o1 * v->gs[1] + o2;
        run[count].b = (line_of(j, p0) - first) * j->line + o2 * j->f.together;
        p0 += run[count++].n;
    }
    return count;
}

/* One segment for result channels [m, m + t->m) of group g; x: its lines, `lines` of each channel. */
static void run_tiles(const few_job *j, int64_t g, int64_t m, const float *x, int64_t lines, float *sums, born_tile *t)
{
    const born_conv_weight *v = j->v;
    int wide = BORN_K(tilewidth_f32)(t->m);

    for (int r = 0; r < t->m; r++) t->a[r] = v->g + (g * v->mg + m + r) * v->gc;
    for (int64_t k = 0; k < v->cg; k++) {
        for (int64_t q = 0; q < j->f.panels; q += t->np) {
            t->np = (int)(j->f.panels - q < wide ? j->f.panels - q : wide);
            t->b = x + k * lines * j->line + q * t->b_panel;
            for (int r = 0; r < t->m; r++) t->c[r] = sums + (m + r) * j->pitch + (k * j->f.panels + q) * BORN_PANEL;
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
    _Alignas(64) float x[BORN_WEIGHT_FEW_FLOATS];

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / j->segments, p0 = i % j->segments * BORN_CHAIN;
        int64_t p1 = p0 + BORN_CHAIN < v->pixels ? p0 + BORN_CHAIN : v->pixels, more = j->f.reach * v->win.dilation[1];
        int64_t first = line_of(j, p0), lines = line_of(j, p1 - 1) + more + 1 - first;
        born_tile t = { .a_step = 1, .b_panel = j->f.together * v->win.dilation[1] * j->line, .b_step = j->f.together,
                        .run = run };
        copy_lines(j, g, first, first + lines, x);
        t.run_count = list_runs(j, p0, p1, first, run);
        for (int64_t m = 0; m < v->mg; m += t.m) {
            t.m = (int)(v->mg - m < BORN_TILE_M ? v->mg - m : BORN_TILE_M);
            run_tiles(j, g, m, x, lines, j->sums + i * v->mg * j->pitch, &t);
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
            int64_t k2 = r % kernel[2], k1 = r / kernel[2] % kernel[1], c = r / kernel[2] / kernel[1];
            v->w[i * v->wm + c * v->wc + k1 * v->ws[1] + k2 * v->ws[2]] =
                sum[(c * j->f.panels + k1 / j->f.together) * BORN_PANEL + k2 * j->f.together + k1 % j->f.together];
        }
    }
}

born_status BORN_K(conv_weight_few_f32)(born_call *c, const born_exec *x)
{
    born_conv_weight v;

    if (!born__conv_weight_of(c, &v)) return BORN_OK;
    few_job j = { .v = &v, .sums = x->scratch };
    born__conv_weight_few(&v, &j.f);
    j.pitch = v.cg * j.f.panels * BORN_PANEL;
    j.segments = (v.pixels + BORN_CHAIN - 1) / BORN_CHAIN;
    j.line = v.phase * j.f.together;
    born__exec_for(x, v.groups * j.segments, 1, run_segments, &j);
    born__exec_for(x, v.results, 1 + (1 << 12) / (j.segments * j.pitch), join, &j);
    return BORN_OK;
}
