/* Integer convolution on integer tiles (see qconv.h). Items are rows of results times groups of panels. */
#include "cpu/quant/dot.h"

#include <stddef.h>

#include "cpu/quant/qconv.h"
#include "cpu/quant/qtile.h"
#include "ops/quant.h"

enum { RUNS = 64 };

typedef struct qconv_job {
    const born_qconv *v;
    uint8_t *image;
    const uint8_t *packed;
    /* per column, in the order of the packed form: what is added to every sum, the zero point, the scale */
    int32_t *add, *zero;
    float *scale;
    bool zeros; /* some column has a zero point */
    int64_t parts; /* groups of panels */
    born_qrun run[RUNS]; /* of a window; run_count 0: more than a list holds */
    int64_t run_count;
    born_qfinish f;
} qconv_job;

/* Rows of the padded image: [batch][room 0][room 1]. */
static void fill_rows(void *ctx, int64_t begin, int64_t end)
{
    const qconv_job *j = ctx;
    const born_qconv *v = j->v;
    const born_window *w = &v->win;
    int64_t bytes = v->room[2] * v->pitch;

    for (int64_t i = begin; i < end; i++) {
        int64_t h = i % v->room[1] - w->pad[1], d = i / v->room[1] % v->room[0] - w->pad[0];
        const uint8_t *from = v->x + i / v->room[1] / v->room[0] * v->xn + d * v->xs[0] + h * v->xs[1];
        uint8_t *to = j->image + i * bytes;
        bool inside = h >= 0 && h < w->in[1] && d >= 0 && d < w->in[0];
        int64_t first = w->pad[2] < v->room[2] ? w->pad[2] : v->room[2];
        int64_t last = w->pad[2] + w->in[2] < v->room[2] ? w->pad[2] + w->in[2] : v->room[2];
        if (!inside) first = last = 0;
        memset(to, v->zx, (size_t)(first * v->pitch));
        memset(to + last * v->pitch, v->zx, (size_t)((v->room[2] - last) * v->pitch));
        for (int64_t x = first; x < last; x++) {
            const uint8_t *cell = from + (x - w->pad[2]) * v->xs[2];
            uint8_t *out = to + x * v->pitch;
            for (int64_t g = 0; g < v->groups; g++)
                for (int64_t c = 0; c < v->cg; c++) out[g * v->cg4 + c] = cell[(g * v->cg + c) * v->xc] ^ v->x_flip;
        }
    }
}

static void list_runs(qconv_job *j)
{
    const born_qconv *v = j->v;
    const born_window *w = &v->win;
    int64_t group = 0, n = v->cg4 / 4;

    j->run_count = 0;
    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++)
            for (int64_t kw = 0; kw < w->kernel[2]; kw++, group += n) {
                int64_t at =
                    ((kd * w->dilation[0] * v->room[1] + kh * w->dilation[1]) * v->room[2] + kw * w->dilation[2]) *
                    v->pitch;
                born_qrun *last = &j->run[j->run_count - (j->run_count > 0)];
                if (j->run_count && last->a + last->n * 4 == at) {
                    last->n += n;
                    continue;
                }
                if (j->run_count == RUNS) {
                    j->run_count = 0;
                    return;
                }
                j->run[j->run_count++] = (born_qrun){ at, group * BORN_QGROUP, n };
            }
}

/* Sums of tiles whose windows have more runs than a list: one kernel row at a time. */
static void tile_long(const qconv_job *j, const born_qtile *all, int64_t width)
{
    const born_qconv *v = j->v;
    const born_window *w = &v->win;
    int32_t part[BORN_QTILE_ROWS][BORN_QTILE_N * BORN_QPANEL];
    born_qtile t = *all;
    int64_t n = v->cg4 / 4, taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    born_qrun run;

    for (int r = 0; r < t.m; r++) {
        memset(all->c[r], 0, (size_t)width * sizeof(int32_t));
        t.c[r] = part[r];
    }
    t.run = &run;
    t.run_count = 1;
    for (int64_t i = 0; i < taps; i++) {
        int64_t kw = i % w->kernel[2], kh = i / w->kernel[2] % w->kernel[1], kd = i / w->kernel[2] / w->kernel[1];
        run =
            (born_qrun){ ((kd * w->dilation[0] * v->room[1] + kh * w->dilation[1]) * v->room[2] + kw * w->dilation[2]) *
                             v->pitch,
                         i * n * BORN_QGROUP, n };
        BORN_K(qtile_q8)(&t);
        for (int r = 0; r < t.m; r++)
            for (int64_t k = 0; k < width; k++) all->c[r][k] = (int32_t)((uint32_t)all->c[r][k] + (uint32_t)part[r][k]);
    }
}

/* The sum of a window's u8 numbers, of one group. */
static int32_t window_sum(const born_qconv *v, const uint8_t *cell)
{
    const born_window *w = &v->win;
    uint32_t sum = 0;

    for (int64_t kd = 0; kd < w->kernel[0]; kd++)
        for (int64_t kh = 0; kh < w->kernel[1]; kh++)
            for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
                const uint8_t *at = cell + ((kd * w->dilation[0] * v->room[1] + kh * w->dilation[1]) * v->room[2] +
                                            kw * w->dilation[2]) *
                                               v->pitch;
                for (int64_t c = 0; c < v->cg; c++) sum += at[c];
            }
    return (int32_t)sum;
}

/* n <= 16 sums of columns from `column` on (as numbered in the packed form), channels from `channel` on, of one pixel
   whose result is at element `at`. */
static void finish(const qconv_job *j, int32_t *sum, int64_t column, int64_t channel, int64_t n, int64_t at,
                   int32_t window)
{
    const born_qconv *v = j->v;

    for (int64_t i = 0; i < n; i++) {
        uint32_t s = (uint32_t)sum[i] + (uint32_t)j->add[column + i];
        if (j->zeros) s -= (uint32_t)j->zero[column + i] * (uint32_t)window;
        sum[i] = (int32_t)s;
    }
    at += channel * v->yc;
    if (v->requant) {
        BORN_K(qstore_q8)(&j->f, sum, j->scale + column, n, (uint8_t *)v->call->out[0].data + at, v->yc);
        return;
    }
    int32_t *to = (int32_t *)(void *)v->call->out[0].data + at;
    for (int64_t i = 0; i < n; i++) to[i * v->yc] = sum[i];
}

/* Where row i of results starts: in the image, and in the result. */
static const uint8_t *row_start(const qconv_job *j, int64_t i, int64_t *at)
{
    const born_qconv *v = j->v;
    const born_window *w = &v->win;
    int64_t o1 = i % w->out[1], o0 = i / w->out[1] % w->out[0], n = i / w->out[1] / w->out[0];

    *at = n * v->yn + o0 * v->ys[0] + o1 * v->ys[1];
    return j->image + ((n * v->room[0] + o0 * w->stride[0]) * v->room[1] + o1 * w->stride[1]) * v->room[2] * v->pitch;
}

/* The sums of a tile's m rows, panels p0 to p1 of group g, to the result from `at` on. */
static void finish_tile(const qconv_job *j, const born_qtile *t, int64_t g, int64_t p0, int64_t at)
{
    const born_qconv *v = j->v;

    for (int r = 0; r < t->m; r++) {
        int32_t window = j->zeros ? window_sum(v, t->a[r]) : 0;
        for (int64_t p = p0; p < p0 + t->np; p++) {
            int64_t left = v->mg - p * BORN_QPANEL, n = left < BORN_QPANEL ? left : BORN_QPANEL;
            finish(j, t->c[r] + (p - p0) * BORN_QPANEL, (g * v->panels + p) * BORN_QPANEL, g * v->mg + p * BORN_QPANEL,
                   n, at + r * v->ys[2], window);
        }
    }
}

static void run_rows(void *ctx, int64_t begin, int64_t end)
{
    const qconv_job *j = ctx;
    const born_qconv *v = j->v;
    int64_t step = v->win.stride[2] * v->pitch;
    int32_t sums[BORN_QTILE_ROWS][BORN_QTILE_N * BORN_QPANEL];

    for (int64_t i = begin; i < end; i++) {
        int64_t part = i % j->parts, g = i / j->parts % v->groups, at;
        int64_t p0 = part * v->panels / j->parts, p1 = (part + 1) * v->panels / j->parts;
        const uint8_t *cell = row_start(j, i / j->parts / v->groups, &at) + g * v->cg4;
        for (int64_t o = 0; o < v->win.out[2]; o += BORN_QTILE_M) {
            born_qtile t = { .b = (const int8_t *)j->packed + (g * v->panels + p0) * v->panel_bytes,
                             .b_panel = v->panel_bytes,
                             .run = j->run,
                             .run_count = j->run_count,
                             .np = (int)(p1 - p0) };
            t.m = (int)(v->win.out[2] - o < BORN_QTILE_M ? v->win.out[2] - o : BORN_QTILE_M);
            for (int r = 0; r < t.m; r++) {
                t.a[r] = cell + (o + r) * step;
                t.c[r] = sums[r];
            }
            if (j->run_count)
                BORN_K(qtile_q8)(&t);
            else
                tile_long(j, &t, (p1 - p0) * BORN_QPANEL);
            finish_tile(j, &t, g, p0, at + o * v->ys[2]);
        }
    }
}

/* Depthwise: lanes are channels; products of one byte each. */
static void run_depthwise(void *ctx, int64_t begin, int64_t end)
{
    const qconv_job *j = ctx;
    const born_qconv *v = j->v;
    const born_window *w = &v->win;

    for (int64_t i = begin; i < end; i++) {
        int64_t at;
        const uint8_t *row = row_start(j, i, &at);
        for (int64_t o = 0; o < w->out[2]; o++)
            for (int64_t c = 0; c < v->channels; c += BORN_QPANEL) {
                const int8_t *weight = (const int8_t *)j->packed + c / BORN_QPANEL * v->panel_bytes;
                int64_t n = v->channels - c < BORN_QPANEL ? v->channels - c : BORN_QPANEL;
                w16 sum = w_set(0), zero = w_load_n(j->zero + c, n);
                for (int64_t kd = 0; kd < w->kernel[0]; kd++)
                    for (int64_t kh = 0; kh < w->kernel[1]; kh++)
                        for (int64_t kw = 0; kw < w->kernel[2]; kw++, weight += BORN_QPANEL) {
                            const uint8_t *x = row + o * w->stride[2] * v->pitch + c +
                                               ((kd * w->dilation[0] * v->room[1] + kh * w->dilation[1]) * v->room[2] +
                                                kw * w->dilation[2]) *
                                                   v->pitch;
                            w16 term = w_sub(w_load_i8(weight), zero);
                            sum = w_add(sum, w_mul(w_sub(w_load_u8(x), w_set(v->zx)), term));
                        }
                int32_t s[BORN_QPANEL];
                w_store(s, sum);
                finish(j, s, c, c, n, at + o * v->ys[2], 0);
            }
    }
}

/* The numbers that belong to columns. */
static void fill_columns(qconv_job *j)
{
    const born_qconv *v = j->v;
    const born_call *c = v->call;
    const int32_t *sums = born__qconv_sums(v, j->packed);
    int64_t padded = v->panels * BORN_QPANEL, shift = v->w_flip ? 128 : 0;
    int zero_at = v->requant ? 5 : 3;
    float xs = v->requant ? born__scale_of(c, 1) : 1, ys = v->requant ? born__scale_of(c, 6) : 1;
    bool one_zero = born__has(c, zero_at) && born__view_count(&c->in[zero_at]) == 1;
    bool one_scale = v->requant && born__view_count(&c->in[4]) == 1;

    j->zeros = false;
    for (int64_t m = 0; m < v->groups * v->mg; m++) {
        int64_t at = v->depthwise ? m : m / v->mg * padded + m % v->mg;
        int64_t zero = born__has(c, zero_at) ? born__at_i64(&c->in[zero_at], one_zero ? 0 : m) : 0;
        uint32_t zw = (uint32_t)(int32_t)(zero - shift), zx = (uint32_t)v->zx;
        uint32_t add = v->depthwise ? 0 : (uint32_t)v->terms * zx * zw - zx * (uint32_t)sums[at];
        if (v->requant && born__has(c, 8)) add += (uint32_t)(int32_t)born__at_i64(&c->in[8], m);
        j->zero[at] = (int32_t)zw;
        j->add[at] = (int32_t)add;
        j->zeros = j->zeros || zw != 0;
        if (v->requant) j->scale[at] = xs * (float)born__at_f64(&c->in[4], one_scale ? 0 : m) / ys;
    }
    if (v->depthwise) j->zeros = false; /* taken out of every product */
    if (v->requant) {
        born_requant q = born__requant_for(c->out[0].dtype, born__zero_of(c, 7));
        j->f = (born_qfinish){ q.zero, q.lo, q.hi };
    }
}

born_status BORN_K(qconv_q8)(born_call *c, const born_exec *x)
{
    born_qconv v;
    qconv_job j = { .v = &v };
    uint8_t *scratch = x->scratch;

    if (!born__qconv_of(c, &v)) return BORN_OK;
    int64_t columns = (int64_t)(v.column_bytes / (3 * sizeof(int32_t)));
    j.image = scratch;
    j.add = (int32_t *)(void *)(scratch + v.image_bytes);
    j.zero = j.add + columns;
    j.scale = (float *)(void *)(j.zero + columns);
    j.packed = v.packed;
    if (!v.packed) {
        uint8_t *to = scratch + v.image_bytes + v.column_bytes;
        born__qconv_pack(&v, to);
        j.packed = to;
    }
    fill_columns(&j);
    int64_t rows = v.batch * v.win.out[0] * v.win.out[1], filled = v.batch * v.room[0] * v.room[1];
    memset(j.image, 0, v.image_bytes); /* the bytes between groups and behind the last cell */
    born__exec_for(x, filled, 1 + (1 << 14) / (v.room[2] * v.pitch), fill_rows, &j);
    if (v.depthwise) {
        born__exec_for(x, rows, 1 + (1 << 14) / (v.win.out[2] * v.channels * v.terms), run_depthwise, &j);
        return BORN_OK;
    }
    list_runs(&j);
    j.parts = (v.panels + BORN_QTILE_N - 1) / BORN_QTILE_N;
    born__exec_for(x, rows * v.groups * j.parts, 1 + (1 << 16) / (v.win.out[2] * v.groups_of_4 * BORN_QGROUP), run_rows,
                   &j);
    return BORN_OK;
}
