/* Gradients of pools over images whose channels lie side by side: sixteen channels at a time, windows in row-major
   order, sums as in ops/pool_back.c. Where windows do not overlap each cell is written once; else cells are cleared and
   added to. What arrived may lie row-major: then it is turned first. Images (64 channels of them) are independent. */
#include "cpu/simd/simd.h"

#include "cpu/kernels/pool_back.h"
#include "cpu/kernels/turn_plane.h"

enum { BLOCK = 64 };

typedef struct back_job {
    const born_pool_back *p;
    const float *g;
    int64_t gn, gs[3], blocks;
    float *turned;
} back_job;

/* A window: its taps inside the image, as steps from its first cell. */
typedef struct window {
    int64_t x[BORN_POOL_TAPS], dx[BORN_POOL_TAPS];
    int taps;
    float cells;                /* what its mean divides by */
} window;

/* One axis of a window: its taps inside the image and how many count in a mean. */
typedef struct span { int64_t lo, hi, count; } span;

static span span_of(const born_pool_back *p, int a, int64_t o)
{
    const born_window *w = &p->win;
    int64_t d = w->dilation[a], at = o * w->stride[a] - w->pad[a], n = w->kernel[a];
    span s = { 0, n, n };

    if (at >= 0 && at + (n - 1) * d < w->in[a]) return s;
    int64_t room = (w->in[a] + w->pad_end[a] - at + d - 1) / d;
    born__window_taps(w, a, o, &s.lo, &s.hi);
    s.count = !p->count_padding ? s.hi - s.lo : room < n ? room : n;
    return s;
}

static bool same_span(const span *a, const span *b) { return a->lo == b->lo && a->hi == b->hi && a->count == b->count; }

static void list_taps(const born_pool_back *p, const span s[3], window *to)
{
    const int64_t *dil = p->win.dilation;
    int64_t cells = s[0].count * s[1].count * s[2].count;

    to->cells = (float)(cells > 0 ? cells : 1);
    to->taps = 0;
    for (int64_t d = s[0].lo; d < s[0].hi; d++)
        for (int64_t h = s[1].lo; h < s[1].hi; h++)
            for (int64_t k = s[2].lo; k < s[2].hi; k++) {
                to->x[to->taps] = d * dil[0] * p->xs[0] + h * dil[1] * p->xs[1] + k * dil[2] * p->xs[2];
                to->dx[to->taps++] = d * dil[0] * p->ds[0] + h * dil[1] * p->ds[1] + k * dil[2] * p->ds[2];
            }
}

/* Where a window's first cell lies, perhaps outside the image. */
BORN_INLINE int64_t start_of(const born_pool_back *p, const int64_t o[3], const int64_t step[3])
{
    const born_window *w = &p->win;
    int64_t at = 0;

    for (int a = 0; a < 3; a++) at += (o[a] * w->stride[a] - w->pad[a]) * step[a];
    return at;
}

BORN_INLINE v16 load_some(const float *p, int64_t n) { return n == 16 ? v_load(p) : v_load_n(p, n); }

BORN_INLINE void store_some(float *p, v16 v, int64_t n)
{
    if (n == 16) v_store(p, v);
    else v_store_n(p, v, n);
}

/* Some channels of a batch entry, and steps from there to a window's first cell, which may lie in the padding. */
typedef struct place { const float *x; float *dx; int64_t from, to; } place;

/* The largest tap gets g. `once`: no other window has these cells. */
BORN_INLINE void spread_largest(const window *w, const int taps, const place *at, int64_t c, v16 g, int64_t n,
                                const bool once)
{
    v16 best = load_some(at->x + (at->from + w->x[0] + c), n);
    w16 taken = w_set(0);

    if (once) g = v_add(v_zero(), g);
    for (int t = 1; t < taps; t++) {
        v16 v = load_some(at->x + (at->from + w->x[t] + c), n);
        m16 beats = m_or(v_gt(v, best), v_isnan(v));
        best = v_sel(beats, v, best);
        taken = w_sel(beats, w_set(t), taken);
    }
    for (int t = 0; t < taps; t++) {
        m16 here = w_eq(taken, w_set(t));
        float *to = at->dx + (at->to + w->dx[t] + c);
        if (once) store_some(to, v_sel(here, g, v_zero()), n);
        else {
            v16 old = load_some(to, n);
            store_some(to, v_sel(here, v_add(old, g), old), n);
        }
    }
}

BORN_INLINE void spread_mean(const window *w, const place *at, int64_t c, v16 g, int64_t n, const bool once)
{
    v16 share = v_div(g, v_set(w->cells));

    for (int t = 0; t < w->taps; t++) {
        float *to = at->dx + (at->to + w->dx[t] + c);
        store_some(to, v_add(once ? v_zero() : load_some(to, n), share), n);
    }
}

/* One window for `channels` of them. */
static void run_window(const window *w, const place *at, const float *g, int64_t channels, bool once)
{
    for (int64_t c = 0; c < channels; c += 16) {
        int64_t n = channels - c < 16 ? channels - c : 16;
        if (!at->x) spread_mean(w, at, c, load_some(g + c, n), n, once);
        else if (w->taps == 4 && n == 16 && once) spread_largest(w, 4, at, c, v_load(g + c), 16, true);
        else if (w->taps) spread_largest(w, w->taps, at, c, load_some(g + c, n), n, once);
    }
}

/* The windows from o on along the last axis that have the same span as that one. */
static int64_t same_windows(const born_pool_back *p, int64_t o, const span *s)
{
    const born_window *w = &p->win;
    int64_t reach = (w->kernel[2] - 1) * w->dilation[2], at = o * w->stride[2] - w->pad[2];

    if (at < 0 || s->hi - s->lo < w->kernel[2]) return 1;
    int64_t more = (w->in[2] - 1 - reach - at) / w->stride[2], left = w->out[2] - o;
    return more + 1 < left ? more + 1 : left;
}

/* All windows of some channels of a batch entry. */
static void run_image(const born_pool_back *p, const float *x, float *dx, const float *g, const int64_t gs[3],
                      int64_t channels)
{
    span now[3], listed[3] = { { -1, -1, -1 } };
    window w = { .taps = 0 };
    place here = { .x = x, .dx = dx };
    int64_t o[3], from = p->win.stride[2] * p->xs[2], to = p->win.stride[2] * p->ds[2];

    for (o[0] = 0; o[0] < p->win.out[0]; o[0]++) {
        now[0] = span_of(p, 0, o[0]);
        for (o[1] = 0; o[1] < p->win.out[1]; o[1]++) {
            now[1] = span_of(p, 1, o[1]);
            for (o[2] = 0; o[2] < p->win.out[2];) {
                const float *at = g + o[0] * gs[0] + o[1] * gs[1] + o[2] * gs[2];
                here.from = start_of(p, o, p->xs);
                here.to = start_of(p, o, p->ds);
                now[2] = span_of(p, 2, o[2]);
                if (!same_span(&now[0], &listed[0]) || !same_span(&now[1], &listed[1]) ||
                    !same_span(&now[2], &listed[2])) {
                    memcpy(listed, now, sizeof now);
                    list_taps(p, now, &w);
                }
                int64_t count = same_windows(p, o[2], &now[2]);
                o[2] += count;
                for (; count > 0; count--, here.from += from, here.to += to, at += gs[2])
                    run_window(&w, &here, at, channels, p->apart);
            }
        }
    }
}

static void clear(const born_pool_back *p, float *dx, int64_t channels)
{
    for (int64_t d = 0; d < p->win.in[0]; d++)
        for (int64_t h = 0; h < p->win.in[1]; h++)
            for (int64_t w = 0; w < p->win.in[2]; w++)
                memset(dx + d * p->ds[0] + h * p->ds[1] + w * p->ds[2], 0, (size_t)channels * sizeof *dx);
}

/* Items: blocks of channels of batch entries. */
static void run_images(void *ctx, int64_t begin, int64_t end)
{
    const back_job *j = ctx;
    const born_pool_back *p = j->p;

    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / j->blocks, c = i % j->blocks * BLOCK;
        int64_t channels = p->channels - c < BLOCK ? p->channels - c : BLOCK;
        float *dx = p->dx + n * p->dn + c;
        if (!p->covers) clear(p, dx, channels);
        run_image(p, p->x ? p->x + n * p->xn + c : NULL, dx, j->g + n * j->gn + c, j->gs, channels);
    }
}

/* Items: batch entries of what arrived. */
static void turn_images(void *ctx, int64_t begin, int64_t end)
{
    const back_job *j = ctx;
    const born_pool_back *p = j->p;
    int64_t cells = p->win.out[0] * p->win.out[1] * p->win.out[2];

    for (int64_t n = begin; n < end; n++)
        BORN_K(turn_plane_f32)
        (p->g + n * p->gn, p->gc, p->channels, cells, j->turned + n * cells * p->channels, p->channels);
}

born_status BORN_K(pool_back_f32)(born_call *c, const born_exec *x)
{
    born_pool_back p;

    if (!born__pool_back_of(c, &p)) return BORN_OK;
    const int64_t *out = p.win.out;
    int64_t cells = out[0] * out[1] * out[2];
    back_job j = { .p = &p, .g = p.g, .gn = p.gn, .gs = { p.gs[0], p.gs[1], p.gs[2] }, .turned = x->scratch };
    if (p.turn) {
        born__exec_for(x, p.batch, 1 + (1 << 13) / (cells * p.channels), turn_images, &j);
        j.g = j.turned;
        j.gs[2] = p.channels;
        j.gs[1] = j.gs[2] * out[2];
        j.gs[0] = j.gs[1] * out[1];
        j.gn = j.gs[0] * out[0];
    }
    j.blocks = (p.channels + BLOCK - 1) / BLOCK;
    int64_t work = cells * p.win.kernel[0] * p.win.kernel[1] * p.win.kernel[2] * BLOCK;
    born__exec_for(x, p.batch * j.blocks, 1 + (1 << 15) / work, run_images, &j);
    return BORN_OK;
}
