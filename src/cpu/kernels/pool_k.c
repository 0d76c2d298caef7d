/* Pools over channels-last images: sixteen channels at a time, a result pixel's taps in row-major order, the chains of
   ops/pool_ref.c bit for bit. Rows of results are independent. */
#include "cpu/simd/simd.h"

#include <math.h>

#include "cpu/kernel.h"
#include "ops/pool_job.h"

typedef struct pool_place {
    int64_t lo[3], hi[3], o[3];
    const float *x;             /* of the batch entry */
    char *row;                  /* of results */
    float *y;                   /* of the pixel */
} pool_place;

/* Steps of the job are bytes: the query has made sure that channels lie side by side. */
BORN_INLINE const float *cell_at(const born_pool_job *j, const pool_place *p, int64_t kd, int64_t kh, int64_t kw)
{
    return (const float *)(const void *)((const char *)p->x + born__pool_cell(j, 0, p->o[0], kd) * j->xs[0] +
                                         born__pool_cell(j, 1, p->o[1], kh) * j->xs[1] +
                                         born__pool_cell(j, 2, p->o[2], kw) * j->xs[2]);
}

enum { TAPS = 64 };         /* listed at a time */

/* The largest of the taps, in order, in y; `more`: y holds that of the taps before. */
BORN_INLINE void max_channels(const float *const *tap, int taps, int64_t c, int64_t n, bool more, float *y)
{
    v16 best = more ? v_load_n(y + c, n) : v_load_n(tap[0] + c, n);

    for (int i = more ? 0 : 1; i < taps; i++) best = v_max(v_load_n(tap[i] + c, n), best);
    v_store_n(y + c, best, n);
}

static void max_taps(const float *const *tap, int taps, int64_t channels, bool more, float *y)
{
    int64_t c = 0;

    for (; c + 64 <= channels; c += 64) {
        v16 best[4];
        for (int k = 0; k < 4; k++) best[k] = v_load((more ? y : tap[0]) + c + 16 * k);
        for (int i = more ? 0 : 1; i < taps; i++)
            for (int k = 0; k < 4; k++) best[k] = v_max(v_load(tap[i] + c + 16 * k), best[k]);
        for (int k = 0; k < 4; k++) v_store(y + c + 16 * k, best[k]);
    }
    for (; c + 16 <= channels; c += 16) max_channels(tap, taps, c, 16, more, y);
    if (c < channels) max_channels(tap, taps, c, channels - c, more, y);
}

static void max_pixel(const born_pool_job *j, const pool_place *p)
{
    const float *tap[TAPS];
    int taps = 0;
    bool more = false;

    for (int64_t kd = p->lo[0]; kd < p->hi[0]; kd++)
        for (int64_t kh = p->lo[1]; kh < p->hi[1]; kh++)
            for (int64_t kw = p->lo[2]; kw < p->hi[2]; kw++) {
                if (taps == TAPS) {
                    max_taps(tap, taps, j->channels, more, p->y);
                    more = true;
                    taps = 0;
                }
                tap[taps++] = cell_at(j, p, kd, kh, kw);
            }
    if (taps) max_taps(tap, taps, j->channels, more, p->y);
    else
        for (int64_t c = 0; c < j->channels; c++) p->y[c] = -INFINITY;
}

static int64_t mean_cells(const born_pool_job *j, const pool_place *p)
{
    int64_t n = 1;

    for (int a = 0; a < 3; a++) {
        int64_t taps = p->hi[a] - p->lo[a];
        if (j->count_padding) {
            int64_t d = j->win.dilation[a], room = j->win.in[a] + j->win.pad_end[a] - born__pool_cell(j, a, p->o[a], 0);
            taps = (room + d - 1) / d;
            if (taps > j->win.kernel[a]) taps = j->win.kernel[a];
        }
        n *= taps;
    }
    return n > 0 ? n : 1;
}

/* Closes the segments before `segment`: each chain joins the total from the left. */
BORN_INLINE void close_segments(v16 *total, v16 *chain, int64_t *open, int64_t segment)
{
    for (; *open < segment; ++*open) {
        *total = *open == 0 ? *chain : v_add(*total, *chain);
        *chain = v_zero();
    }
}

static void average_pixel(const born_pool_job *j, const pool_place *p)
{
    const int64_t *kernel = j->win.kernel;
    int64_t last = (kernel[0] * kernel[1] * kernel[2] + BORN_WINDOW_CUT - 1) / BORN_WINDOW_CUT;
    v16 cells = v_set((float)mean_cells(j, p));

    for (int64_t c = 0; c < j->channels; c += 16) {
        int64_t n = j->channels - c < 16 ? j->channels - c : 16, open = 0;
        v16 total = v_zero(), chain = v_zero();
        for (int64_t kd = p->lo[0]; kd < p->hi[0]; kd++)
            for (int64_t kh = p->lo[1]; kh < p->hi[1]; kh++)
                for (int64_t kw = p->lo[2]; kw < p->hi[2]; kw++) {
                    int64_t segment = ((kd * kernel[1] + kh) * kernel[2] + kw) / BORN_WINDOW_CUT;
                    close_segments(&total, &chain, &open, segment);
                    const float *at = cell_at(j, p, kd, kh, kw) + c;
                    chain = v_add(chain, n == 16 ? v_load(at) : v_load_n(at, n));
                }
        close_segments(&total, &chain, &open, last);
        v_store_n(p->y + c, v_div(total, cells), n);
    }
}

/* The r-th row of results. */
static pool_place find_row(const born_pool_job *j, int64_t r)
{
    pool_place p = { .o = { r / j->win.out[1] % j->win.out[0], r % j->win.out[1], 0 } };
    int64_t batch = r / j->win.out[1] / j->win.out[0];

    p.x = (const float *)(const void *)(j->x + batch * j->xn);
    p.row = j->y + batch * j->yn + p.o[0] * j->ys[0] + p.o[1] * j->ys[1];
    for (int a = 0; a < 2; a++) born__window_taps(&j->win, a, p.o[a], &p.lo[a], &p.hi[a]);
    return p;
}

BORN_INLINE float *cell_of_row(const born_pool_job *j, const pool_place *p, int64_t o)
{
    return (float *)(void *)(p->row + o * j->ys[2]);
}

/* Results [begin, end) of a row. */
static __attribute__((noinline)) void pool_cells(const born_pool_job *j, pool_place *p, int64_t begin, int64_t end,
                                                 void (*pixel)(const born_pool_job *j, const pool_place *p))
{
    for (p->o[2] = begin; p->o[2] < end; p->o[2]++) {
        born__window_taps(&j->win, 2, p->o[2], &p->lo[2], &p->hi[2]);
        p->y = cell_of_row(j, p, p->o[2]);
        pixel(j, p);
    }
}

/* ---- maxima of whole windows of four cells, as most are ---------------------------------------------------------- */

enum { QUAD = 4 };

/* The windows of a row that have every tap of the last axis: [first, end). */
static void whole_windows(const born_window *w, int64_t *first, int64_t *end)
{
    int64_t s = w->stride[2], room = w->in[2] - 1 - (w->kernel[2] - 1) * w->dilation[2] + w->pad[2];

    *first = (w->pad[2] + s - 1) / s;
    *end = room < 0 ? 0 : room / s + 1;
    if (*end > w->out[2]) *end = w->out[2];
    if (*first > *end) *first = *end;
}

/* `count` pixels side by side. */
static void max_quads(const born_pool_job *j, const float *x, float *y, int64_t count, const ptrdiff_t tap[QUAD])
{
    const ptrdiff_t x_step = (ptrdiff_t)(j->win.stride[2] * j->xs[2]), y_step = (ptrdiff_t)j->ys[2];

    for (; count > 0; count--) {
        for (int64_t c = 0; c < j->channels; c += 16) {
            const float *at = x + c;
            v16 best = v_max(v_load(at + tap[1]), v_load(at + tap[0]));
            v_store(y + c, v_max(v_load(at + tap[3]), v_max(v_load(at + tap[2]), best)));
        }
        x = (const float *)(const void *)((const char *)x + x_step);
        y = (float *)(void *)((char *)y + y_step);
    }
}

/* Steps of a window's cells from its first, in floats; false: not four, or no whole vectors of channels. */
static bool quad_taps(const born_pool_job *j, ptrdiff_t tap[QUAD])
{
    const int64_t *k = j->win.kernel;
    int n = 0;

    if (j->channels % 16 != 0 || k[0] > QUAD || k[1] > QUAD || k[2] > QUAD || k[0] * k[1] * k[2] != QUAD) return false;
    for (int64_t k0 = 0; k0 < k[0]; k0++)
        for (int64_t k1 = 0; k1 < k[1]; k1++)
            for (int64_t k2 = 0; k2 < k[2]; k2++)
                tap[n++] = (ptrdiff_t)(k0 * j->win.dilation[0] * j->xs[0] + k1 * j->win.dilation[1] * j->xs[1] +
                                       k2 * j->win.dilation[2] * j->xs[2]) / (ptrdiff_t)sizeof(float);
    return true;
}

static void max_rows(void *ctx, int64_t begin, int64_t end)
{
    const born_pool_job *j = ctx;
    const born_window *w = &j->win;
    ptrdiff_t tap[QUAD];
    bool quads = quad_taps(j, tap);
    int64_t first = 0, last = 0;

    if (quads) whole_windows(w, &first, &last);
    for (int64_t r = begin; r < end; r++) {
        pool_place p = find_row(j, r);
        bool whole = quads && p.hi[0] - p.lo[0] == w->kernel[0] && p.hi[1] - p.lo[1] == w->kernel[1];
        if (!whole) {
            pool_cells(j, &p, 0, w->out[2], max_pixel);
            continue;
        }
        pool_cells(j, &p, 0, first, max_pixel);
        p.o[2] = first;
        max_quads(j, cell_at(j, &p, 0, 0, 0), cell_of_row(j, &p, first), last - first, tap);
        pool_cells(j, &p, last, w->out[2], max_pixel);
    }
}

static void average_rows(void *ctx, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++) {
        pool_place p = find_row(ctx, r);
        pool_cells(ctx, &p, 0, ((const born_pool_job *)ctx)->win.out[2], average_pixel);
    }
}

static born_status pool_run(const born_call *c, const born_exec *x, void (*rows)(void *, int64_t, int64_t))
{
    born_pool_job j;

    if (c->out[0].dim[0] == 0 || c->out[0].dim[1] == 0) return BORN_OK;
    born__pool_of(c, &j);
    const born_window *w = &j.win;
    int64_t row = w->out[2] * w->kernel[0] * w->kernel[1] * w->kernel[2] * j.channels;
    born__exec_for(x, j.batch * w->out[0] * w->out[1], 1 + (1 << 14) / (row > 0 ? row : 1), rows, &j);
    return BORN_OK;
}

born_status BORN_K(max_pool_f32)(born_call *c, const born_exec *x)
{
    return pool_run(c, x, max_rows);
}

born_status BORN_K(average_pool_f32)(born_call *c, const born_exec *x)
{
    return pool_run(c, x, average_rows);
}
