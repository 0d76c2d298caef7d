/* Pools, and the gradients of pools, over row-major images: sixteen windows along the last axis advance together, tap
   by tap. Windows, taps and sums in the order of ops/pool_ref.c and ops/pool_back.c, bit for bit; windows have at most
   1,024 taps, so a mean is one chain. Planes are independent. */
#include "cpu/simd/simd.h"

#include <math.h>

#include "cpu/kernels/pool_rows.h"

enum { LANES = 16 };

/* Sixteen neighbouring windows of a row, or fewer: taps of the first two axes, and the cells that the last axis has. */
typedef struct line {
    const born_pool_rows *p;
    int64_t o[3], n;            /* the first window; how many */
    int64_t lo[2], hi[2];
    bool whole;                 /* each window has every tap of the last axis */
    bool full;                  /* and of the others */
} line;

/* The cell of the first window under a tap; may lie outside the row. */
BORN_INLINE int64_t cell_at(const line *l, int64_t kd, int64_t kh, int64_t kw, const int64_t step[2])
{
    const born_window *w = &l->p->win;
    int64_t d = l->o[0] * w->stride[0] - w->pad[0] + kd * w->dilation[0];
    int64_t h = l->o[1] * w->stride[1] - w->pad[1] + kh * w->dilation[1];

    return d * step[0] + h * step[1] + l->o[2] * w->stride[2] - w->pad[2] + kw * w->dilation[2];
}

/* The windows that have tap kw: lanes [lo, hi). */
BORN_INLINE void lanes_with(const line *l, int64_t kw, int64_t *lo, int64_t *hi)
{
    const born_window *w = &l->p->win;
    int64_t s = w->stride[2], at = l->o[2] * s - w->pad[2] + kw * w->dilation[2];

    *lo = at < 0 ? (-at + s - 1) / s : 0;
    *hi = w->in[2] > at ? (w->in[2] - at + s - 1) / s : 0;
    if (*hi > l->n) *hi = l->n;
    if (*lo > *hi) *lo = *hi;
}

/* Lanes [lo, hi) from cells s apart. */
BORN_INLINE v16 load_cells(const float *x, int64_t s, int64_t lo, int64_t hi)
{
    if (lo == 0 && s == 1) return v_load_n(x, hi);
    if (lo == 0 && s == 2)
        return v_even(v_load_n(x, hi >= 9 ? 16 : 2 * hi - 1), hi >= 9 ? v_load_n(x + 16, 2 * hi - 17) : v_zero());
    float t[16] = { 0 };
    for (int64_t i = lo; i < hi; i++) t[i] = x[i * s];
    return v_load(t);
}

/* Adds v's lanes [lo, hi) to cells s apart. */
BORN_INLINE void add_cells(float *x, int64_t s, int64_t lo, int64_t hi, v16 v)
{
    if (lo == 0 && s == 1) {
        v_store_n(x, v_add(v_load_n(x, hi), v), hi);
        return;
    }
    float t[16];
    v_store(t, v);
    for (int64_t i = lo; i < hi; i++) x[i * s] += t[i];
}

/* Lanes of the windows that tap kw takes part in. */
BORN_INLINE m16 mask_of(int64_t lo, int64_t hi) { return m_and(m_first(hi), m_not(m_first(lo))); }

/* Lanes [lo, hi) of the windows with tap kw; false: none. */
BORN_INLINE bool some_lanes(const line *l, int64_t kw, int64_t *lo, int64_t *hi)
{
    *lo = 0;
    *hi = l->n;
    if (!l->whole) lanes_with(l, kw, lo, hi);
    return *lo < *hi;
}

/* What a maximum has so far: the value and, where asked for, the number of the tap that it was (-1: none). */
typedef struct largest { v16 best; w16 taken; } largest;

/* One row of a kernel, whose first tap has this number. */
BORN_INLINE void take_row(const line *l, const float *cells, int64_t tap, const bool number, largest *m)
{
    const born_window *w = &l->p->win;

    for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
        int64_t lo, hi;
        if (!some_lanes(l, kw, &lo, &hi)) continue;
        v16 v = load_cells(cells + kw * w->dilation[2], w->stride[2], lo, hi);
        m16 here = mask_of(lo, hi);
        if (!number) {
            m->best = v_sel(here, v_max(v, m->best), m->best);
            continue;
        }
        m16 beats = m_or(m_or(v_gt(v, m->best), v_isnan(v)), w_eq(m->taken, w_set(-1)));
        beats = m_and(beats, here);
        m->best = v_sel(beats, v, m->best);
        m->taken = w_sel(beats, w_set((int32_t)(tap + kw)), m->taken);
    }
}

BORN_INLINE largest find_largest(const line *l, const float *x, const bool number)
{
    const born_window *w = &l->p->win;
    largest m = { v_set(-INFINITY), w_set(-1) };

    for (int64_t kd = l->lo[0]; kd < l->hi[0]; kd++)
        for (int64_t kh = l->lo[1]; kh < l->hi[1]; kh++)
            take_row(l, x + cell_at(l, kd, kh, 0, l->p->xs), (kd * w->kernel[1] + kh) * w->kernel[2], number, &m);
    return m;
}

BORN_INLINE v16 sums(const line *l, const float *x)
{
    const born_window *w = &l->p->win;
    v16 sum = v_zero();

    for (int64_t kd = l->lo[0]; kd < l->hi[0]; kd++)
        for (int64_t kh = l->lo[1]; kh < l->hi[1]; kh++) {
            const float *cells = x + cell_at(l, kd, kh, 0, l->p->xs);
            for (int64_t kw = 0; kw < w->kernel[2]; kw++) {
                int64_t lo, hi;
                if (!some_lanes(l, kw, &lo, &hi)) continue;
                v16 v = v_add(sum, load_cells(cells + kw * w->dilation[2], w->stride[2], lo, hi));
                sum = l->whole ? v : v_sel(mask_of(lo, hi), v, sum);
            }
        }
    return sum;
}

/* What the means divide by. */
static v16 counts(const line *l)
{
    const born_window *w = &l->p->win;
    float t[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

    if (l->full) return v_set((float)(w->kernel[0] * w->kernel[1] * w->kernel[2]));
    for (int64_t i = 0; i < l->n; i++) {
        const int64_t o[3] = { l->o[0], l->o[1], l->o[2] + i };
        int64_t n = 1;
        for (int a = 0; a < 3; a++) {
            int64_t lo, hi, d = w->dilation[a];
            born__window_taps(w, a, o[a], &lo, &hi);
            int64_t taps = hi - lo;
            if (l->p->count_padding) {
                taps = (w->in[a] + w->pad_end[a] - (o[a] * w->stride[a] - w->pad[a]) + d - 1) / d;
                if (taps > w->kernel[a]) taps = w->kernel[a];
            }
            n *= taps;
        }
        t[i] = (float)(n > 0 ? n : 1);
    }
    return v_load(t);
}

/* What goes back through a tap: everything, or the windows' that took it. */
BORN_INLINE v16 share_of(v16 v, const bool chosen, w16 taken, int64_t tap)
{
    return chosen ? v_sel(w_eq(taken, w_set((int32_t)tap)), v, v_zero()) : v;
}

/* Both taps of a kernel row of two, stride 2: no cell twice. */
BORN_INLINE void spread_pair(const line *l, float *cells, v16 a, v16 b)
{
    int64_t n = 2 * l->n, first = n < 16 ? n : 16;

    v_store_n(cells, v_add(v_load_n(cells, first), v_zip_lo(a, b)), first);
    if (n > 16) v_store_n(cells + 16, v_add(v_load_n(cells + 16, n - 16), v_zip_hi(a, b)), n - 16);
}

/* One row of a kernel, whose first tap has this number. Windows overlap a cell in falling order of taps, so taps are
   walked backwards. */
BORN_INLINE void spread_row(const line *l, float *cells, v16 v, const bool chosen, w16 taken, int64_t tap)
{
    const born_window *w = &l->p->win;

    for (int64_t kw = w->kernel[2] - 1; kw >= 0; kw--) {
        int64_t lo, hi;
        if (!some_lanes(l, kw, &lo, &hi)) continue;
        add_cells(cells + kw * w->dilation[2], w->stride[2], lo, hi, share_of(v, chosen, taken, tap + kw));
    }
}

/* The windows' gradients v go back: to every cell, or to the taken ones. */
BORN_INLINE void spread(const line *l, float *dx, v16 v, const bool chosen, w16 taken)
{
    const born_window *w = &l->p->win;
    bool pairs = l->whole && w->stride[2] == 2 && w->kernel[2] == 2 && w->dilation[2] == 1;

    for (int64_t kd = l->lo[0]; kd < l->hi[0]; kd++)
        for (int64_t kh = l->lo[1]; kh < l->hi[1]; kh++) {
            float *cells = dx + cell_at(l, kd, kh, 0, l->p->ds);
            int64_t tap = (kd * w->kernel[1] + kh) * w->kernel[2];
            if (!pairs) spread_row(l, cells, v, chosen, taken, tap);
            else spread_pair(l, cells, share_of(v, chosen, taken, tap), share_of(v, chosen, taken, tap + 1));
        }
}

/* One line: y is the result, or what arrived for it. */
static void run_line(const line *l, const float *x, float *y, float *dx)
{
    if (!dx && !l->p->average) v_store_n(y, find_largest(l, x, false).best, l->n);
    else if (!dx) v_store_n(y, v_div(sums(l, x), counts(l)), l->n);
    else if (l->p->average) spread(l, dx, v_div(v_load_n(y, l->n), counts(l)), false, w_set(0));
    else spread(l, dx, v_load_n(y, l->n), true, find_largest(l, x, true).taken);
}

/* ---- the commonest pool: maxima of 2 x 2 cells, side by side --------------------------------------------------- */

/* Windows share no cell, leave none out, and none reaches into padding. */
static bool are_pairs(const born_pool_rows *p)
{
    const born_window *w = &p->win;
    bool pairs = !p->average && w->in[0] == 1 && w->kernel[0] == 1;

    for (int a = 1; a < 3; a++)
        pairs = pairs && w->kernel[a] == 2 && w->stride[a] == 2 && w->dilation[a] == 1 && w->pad[a] == 0 &&
                w->in[a] == 2 * w->out[a];
    return pairs;
}

/* Cells 0, 2, ... and 1, 3, ... of n pairs. */
BORN_INLINE void load_pairs(const float *x, int64_t n, v16 *even, v16 *odd)
{
    if (n == LANES) {
        *even = v_even(v_load(x), v_load(x + 16));
        *odd = v_even(v_load(x + 1), v_load_n(x + 17, 15));
        return;
    }
    int64_t cells = 2 * n, more = cells > 16 ? cells - 16 : 0;
    *even = v_even(v_load_n(x, cells - more), v_load_n(x + 16, more));
    *odd = v_even(v_load_n(x + 1, cells > 16 ? 16 : cells - 1), v_load_n(x + 17, more > 0 ? more - 1 : 0));
}

BORN_INLINE void store_pairs(float *x, int64_t n, v16 even, v16 odd)
{
    int64_t cells = 2 * n, more = cells > 16 ? cells - 16 : 0;

    v_store_n(x, v_zip_lo(even, odd), cells - more);
    v_store_n(x + 16, v_zip_hi(even, odd), more);
}

BORN_INLINE m16 beats(v16 v, v16 best) { return m_or(v_gt(v, best), v_isnan(v)); }

/* One row of windows: its two rows of cells, the result (or what arrived) and, of a gradient, two rows of that. */
static void run_pairs(const float *x0, const float *x1, float *y, float *d0, float *d1, int64_t windows)
{
    for (int64_t i = 0; i < windows; i += LANES) {
        int64_t n = windows - i < LANES ? windows - i : LANES;
        v16 a, b, c, d;
        load_pairs(x0 + 2 * i, n, &a, &b);
        load_pairs(x1 + 2 * i, n, &c, &d);
        if (!d0) {
            v_store_n(y + i, v_max(d, v_max(c, v_max(b, a))), n);
            continue;
        }
        v16 g = v_add(v_zero(), v_load_n(y + i, n)), zero = v_zero();
        m16 second = beats(b, a);
        v16 best = v_sel(second, b, a);
        m16 third = beats(c, best);
        m16 fourth = beats(d, v_sel(third, c, best)), none = m_not(m_or(third, fourth));
        store_pairs(d0 + 2 * i, n, v_sel(m_and(none, m_not(second)), g, zero), v_sel(m_and(none, second), g, zero));
        store_pairs(d1 + 2 * i, n, v_sel(m_and(third, m_not(fourth)), g, zero), v_sel(fourth, g, zero));
    }
}

static void run_pair_plane(const born_pool_rows *p, const float *x, float *y, float *dx)
{
    for (int64_t o = 0; o < p->win.out[1]; o++) {
        float *d = dx ? dx + 2 * o * p->ds[1] : NULL;
        run_pairs(x + 2 * o * p->xs[1], x + (2 * o + 1) * p->xs[1], y + o * p->ys[1], d, d ? d + p->ds[1] : NULL,
                  p->win.out[2]);
    }
}

/* ---- planes ----------------------------------------------------------------------------------------------------- */

static void clear(const born_pool_rows *p, float *dx)
{
    for (int64_t d = 0; d < p->win.in[0]; d++)
        for (int64_t h = 0; h < p->win.in[1]; h++)
            memset(dx + d * p->ds[0] + h * p->ds[1], 0, (size_t)p->win.in[2] * sizeof *dx);
}

/* One row of windows. */
static void run_row(const born_pool_rows *p, line *l, const float *x, float *y, float *dx)
{
    const born_window *w = &p->win;

    for (int a = 0; a < 2; a++) born__window_taps(w, a, l->o[a], &l->lo[a], &l->hi[a]);
    bool all = l->hi[0] - l->lo[0] == w->kernel[0] && l->hi[1] - l->lo[1] == w->kernel[1];
    for (l->o[2] = 0; l->o[2] < w->out[2]; l->o[2] += l->n) {
        int64_t at = l->o[2] * w->stride[2] - w->pad[2], reach = (w->kernel[2] - 1) * w->dilation[2];
        l->n = w->out[2] - l->o[2] < LANES ? w->out[2] - l->o[2] : LANES;
        l->whole = at >= 0 && at + (l->n - 1) * w->stride[2] + reach < w->in[2];
        l->full = l->whole && all;
        run_line(l, x, y + l->o[2], dx);
    }
}

/* Items: planes. */
static void run_planes(void *ctx, int64_t begin, int64_t end)
{
    const born_pool_rows *p = ctx;
    line l = { .p = p };
    bool pairs = are_pairs(p);

    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / p->channels, c = i % p->channels;
        const float *x = p->x ? p->x + n * p->xn + c * p->xc : NULL;
        float *dx = p->dx ? p->dx + n * p->dn + c * p->dc : NULL, *y = p->y + n * p->yn + c * p->yc;
        if (pairs) {
            run_pair_plane(p, x, y, dx);
            continue;
        }
        if (dx) clear(p, dx);
        for (l.o[0] = 0; l.o[0] < p->win.out[0]; l.o[0]++)
            for (l.o[1] = 0; l.o[1] < p->win.out[1]; l.o[1]++)
                run_row(p, &l, x, y + l.o[0] * p->ys[0] + l.o[1] * p->ys[1], dx);
    }
}

born_status BORN_K(pool_rows_f32)(born_call *c, const born_exec *x)
{
    born_pool_rows p;

    if (!born__pool_rows_of(c, &p)) return BORN_OK;
    int64_t cells = p.win.out[0] * p.win.out[1] * p.win.out[2] * p.win.kernel[0] * p.win.kernel[1] * p.win.kernel[2];
    born__exec_for(x, p.batch * p.channels, 1 + (1 << 14) / (cells + 1), run_planes, &p);
    return BORN_OK;
}
