/* Depthwise convolution: one channel per group, 16 channels per vector. Inside the image four pixels of a row times two
   vectors advance together, at its borders one pixel times four vectors, so that chains overlap. Chains are those of
   conv_k.c: taps in order, cut every 1,024. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"
#include "cpu/gemm/tile.h"

/* Pixels and vectors of channels at once; no more than one of each where the code shall be small. */
#if defined(__OPTIMIZE_SIZE__)
enum { PIXELS = 1, VECTORS = 1 };
#else
enum { PIXELS = 4, VECTORS = 4 };
#endif

/* A row of results, and the taps that its pixels have. */
typedef struct line {
    const born_conv *v;
    bool direct;
    int64_t lo[3], hi[3];
    const float *x; /* the row's first window, channel 0; may lie outside the image */
    float *y;
    const float *residual;
} line;

static const float *address(const float *base, int64_t offset)
{
    return (const float *)((uintptr_t)base + (uintptr_t)(offset * (int64_t)sizeof(float)));
}

/* What follows the sums of n channels from c on, of one pixel. */
BORN_INLINE void finish(const line *l, v16 v, int64_t o, int64_t c, int64_t n)
{
    const born_epilogue *e = &l->v->end;
    float *out = l->y + o * l->v->ys[2] + c * e->out_col;
    const float *bias = e->has_bias ? e->bias + c * e->bias_col : NULL;
    const float *residual = e->has_residual ? l->residual + o * l->v->rs[2] + c * e->residual_col : NULL;

    if (!l->direct) {
        _Alignas(64) float t[BORN_PANEL];
        v_store(t, v);
        BORN_K(epilogue_f32)(e, t, BORN_PANEL, 1, c, n, &out, &bias, &residual);
        return;
    }
    if (n < BORN_PANEL) {
        if (e->has_scales) v = v_mul(v, v_load_n(e->scales + c, n));
        if (bias) v = v_add(v, v_load_n(bias, n));
        if (residual) v = v_add(v, v_load_n(residual, n));
        v_store_n(out, e->activation ? v_max(v, v_zero()) : v, n);
        return;
    }
    if (e->has_scales) v = v_mul(v, v_load(e->scales + c));
    if (bias) v = v_add(v, v_load(bias));
    if (residual) v = v_add(v, v_load(residual));
    v_store(out, e->activation ? v_max(v, v_zero()) : v);
}

/* Pixels o .. o + P, channels c .. c + 16 * Q, of which the last vector has `last`. */
BORN_INLINE void sums(const line *l, int64_t o, const int P, int64_t c, const int Q, int64_t last)
{
    const born_conv *v = l->v;
    const born_window *w = &v->win;
    v16 acc[16], total[16];
    const int64_t pixel_step = w->stride[2] * v->xs[2], panel = v->terms * BORN_PANEL;
    const float *weight = v->packed + c / BORN_PANEL * panel;
    const float *x = address(l->x, o * pixel_step + c);
    int64_t segment = 0;

    BORN_UNROLL
    for (int i = 0; i < P * Q; i++) acc[i] = total[i] = v_zero();
    for (int64_t kd = l->lo[0]; kd < l->hi[0]; kd++)
        for (int64_t kh = l->lo[1]; kh < l->hi[1]; kh++)
            for (int64_t kw = l->lo[2]; kw < l->hi[2]; kw++) {
                int64_t at = (kd * w->kernel[1] + kh) * w->kernel[2] + kw;
                const float *from = address(x, kd * w->dilation[0] * v->xs[0] + kh * w->dilation[1] * v->xs[1] +
                                                   kw * w->dilation[2] * v->xs[2]);
                if (at >= (segment + 1) * BORN_CHAIN) {
                    BORN_UNROLL
                    for (int i = 0; i < P * Q; i++) {
                        total[i] = segment == 0 ? acc[i] : v_add(total[i], acc[i]);
                        if (at / BORN_CHAIN - segment > 1) total[i] = v_add(total[i], v_zero());
                        acc[i] = v_zero();
                    }
                    segment = at / BORN_CHAIN;
                }
                BORN_UNROLL
                for (int q = 0; q < Q; q++) {
                    v16 k = v_load(weight + q * panel + at * BORN_PANEL);
                    BORN_UNROLL
                    for (int p = 0; p < P; p++) {
                        const float *a = from + p * pixel_step + q * BORN_PANEL;
                        v16 b = q == Q - 1 && last < BORN_PANEL ? v_load_n(a, last) : v_load(a);
                        acc[p * Q + q] = v_fma(b, k, acc[p * Q + q]);
                    }
                }
            }
    bool late = (v->terms + BORN_CHAIN - 1) / BORN_CHAIN - segment > 1; /* segments behind the last tap count as +0 */
    BORN_UNROLL
    for (int p = 0; p < P; p++) BORN_UNROLL
    for (int q = 0; q < Q; q++) {
        v16 s = segment == 0 ? acc[p * Q + q] : v_add(total[p * Q + q], acc[p * Q + q]);
        finish(l, late ? v_add(s, v_zero()) : s, o + p, c + q * BORN_PANEL, q == Q - 1 ? last : BORN_PANEL);
    }
}

/* All channels of four pixels with every tap of the last axis, or of one pixel. */
static void inner(const line *l, int64_t o)
{
    int64_t c = 0, channels = l->v->channels;

    if (VECTORS > 1)
        for (; c + 2 * BORN_PANEL <= channels; c += 2 * BORN_PANEL) sums(l, o, PIXELS, c, 2, BORN_PANEL);
    for (; c + BORN_PANEL <= channels; c += BORN_PANEL) sums(l, o, PIXELS, c, 1, BORN_PANEL);
    if (c < channels) sums(l, o, PIXELS, c, 1, channels - c);
}

static void single(const line *l, int64_t o)
{
    int64_t c = 0, channels = l->v->channels;

    if (VECTORS > 1)
        for (; c + VECTORS * BORN_PANEL <= channels; c += VECTORS * BORN_PANEL) sums(l, o, 1, c, VECTORS, BORN_PANEL);
    for (; c + BORN_PANEL <= channels; c += BORN_PANEL) sums(l, o, 1, c, 1, BORN_PANEL);
    if (c < channels) sums(l, o, 1, c, 1, channels - c);
}

static bool has_all(const born_window *w, int64_t o)
{
    int64_t lo, hi;

    born__window_taps(w, 2, o, &lo, &hi);
    return lo == 0 && hi == w->kernel[2];
}

/* Items: rows of results. */
static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const born_conv *v = ctx;
    const born_window *w = &v->win;
    line l = { .v = v, .direct = born__epilogue_direct(&v->end) };

    for (int64_t i = begin; i < end; i++) {
        int64_t o1 = i % w->out[1], o0 = i / w->out[1] % w->out[0], n = i / w->out[1] / w->out[0];
        born__window_taps(w, 0, o0, &l.lo[0], &l.hi[0]);
        born__window_taps(w, 1, o1, &l.lo[1], &l.hi[1]);
        l.x = address(v->x + n * v->xn, (o0 * w->stride[0] - w->pad[0]) * v->xs[0] +
                                            (o1 * w->stride[1] - w->pad[1]) * v->xs[1] - w->pad[2] * v->xs[2]);
        l.y = v->y + n * v->yn + o0 * v->ys[0] + o1 * v->ys[1];
        if (v->end.has_residual) l.residual = v->end.residual + n * v->rn + o0 * v->rs[0] + o1 * v->rs[1];
        for (int64_t o = 0; o < w->out[2];) {
            born__window_taps(w, 2, o, &l.lo[2], &l.hi[2]);
            if (o + PIXELS <= w->out[2] && has_all(w, o) && has_all(w, o + PIXELS - 1)) {
                inner(&l, o);
                o += PIXELS;
            } else {
                single(&l, o++);
            }
        }
    }
}

void BORN_K(depthwise_f32)(const born_conv *v, const born_exec *x)
{
    int64_t rows = v->batch * v->win.out[0] * v->win.out[1];

    born__exec_for(x, rows, 1 + (1 << 14) / (v->terms * v->win.out[2] * v->channels), run_items, (void *)(uintptr_t)v);
}
