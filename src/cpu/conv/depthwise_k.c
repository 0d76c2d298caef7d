/* Depthwise convolution: one channel per group, 16 channels per vector, 8 pixels of a row at a time so that chains
   overlap. Pixels whose window crosses the border of the last axis go one by one. Chains are those of conv_k.c: taps in
   order, cut every 1,024. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"
#include "cpu/gemm/tile.h"

enum { PIXELS = 8 };

typedef struct row { int64_t lo[3], hi[3]; const float *x, *w; int64_t channels; } row;

/* m pixels, pixel_step apart; x is where the first one's window starts. */
BORN_INLINE void sums(const born_conv *v, const row *r, const float *x, int64_t pixel_step, const int m, float *t)
{
    const born_window *w = &v->win;
    v16 acc[PIXELS], total[PIXELS];
    int64_t segment = 0;

    BORN_UNROLL
    for (int p = 0; p < m; p++) acc[p] = total[p] = v_zero();
    for (int64_t kd = r->lo[0]; kd < r->hi[0]; kd++)
        for (int64_t kh = r->lo[1]; kh < r->hi[1]; kh++)
            for (int64_t kw = r->lo[2]; kw < r->hi[2]; kw++) {
                int64_t at = (kd * w->kernel[1] + kh) * w->kernel[2] + kw;
                const float *from = (const float *)((uintptr_t)x + sizeof(float) * (uintptr_t)(kd * w->dilation[0] * v->xs[0] +
                                    kh * w->dilation[1] * v->xs[1] + kw * w->dilation[2] * v->xs[2]));
                if (at / BORN_CHAIN != segment) {
                    BORN_UNROLL
                    for (int p = 0; p < m; p++) {
                        total[p] = segment == 0 ? acc[p] : v_add(total[p], acc[p]);
                        if (at / BORN_CHAIN - segment > 1) total[p] = v_add(total[p], v_zero());
                        acc[p] = v_zero();
                    }
                    segment = at / BORN_CHAIN;
                }
                v16 k = v_load(r->w + at * BORN_PANEL);
                if (r->channels == BORN_PANEL) {
                    BORN_UNROLL
                    for (int p = 0; p < m; p++) acc[p] = v_fma(v_load(from + p * pixel_step), k, acc[p]);
                } else {
                    BORN_UNROLL
                    for (int p = 0; p < m; p++) acc[p] = v_fma(v_load_n(from + p * pixel_step, r->channels), k, acc[p]);
                }
            }
    bool late = (v->terms + BORN_CHAIN - 1) / BORN_CHAIN - segment > 1; /* segments behind the last tap count as +0 */
    BORN_UNROLL
    for (int p = 0; p < m; p++) {
        v16 s = segment == 0 ? acc[p] : v_add(total[p], acc[p]);
        v_store(t + p * BORN_PANEL, late ? v_add(s, v_zero()) : s);
    }
}

/* Pixels [o, o + m) of the row whose results start at y. */
static void pixels(const born_conv *v, const row *r, int64_t o, int m, int64_t channel, float *y, const float *residual)
{
    const born_window *w = &v->win;
    _Alignas(64) float t[PIXELS * BORN_PANEL];
    float *out[PIXELS];
    const float *bias[PIXELS], *res[PIXELS];
    int64_t step = w->stride[2] * v->xs[2];
    const float *x = (const float *)((uintptr_t)r->x + sizeof(float) * (uintptr_t)((o * w->stride[2] - w->pad[2]) * v->xs[2]));

    if (m == PIXELS) sums(v, r, x, step, PIXELS, t);
    else if (m == 4) sums(v, r, x, step, 4, t);
    else sums(v, r, x, step, 1, t);
    for (int p = 0; p < m; p++) {
        out[p] = y + (o + p) * v->ys[2] + channel * v->end.out_col;
        bias[p] = v->end.has_bias ? v->end.bias + channel * v->end.bias_col : NULL;
        res[p] = residual ? residual + (o + p) * v->rs[2] + channel * v->end.residual_col : NULL;
    }
    BORN_K(epilogue_f32)(&v->end, t, BORN_PANEL, m, channel, r->channels, out, bias, res);
}

/* Items: batch, the first two axes, then 16 channels. */
static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const born_conv *v = ctx;
    const born_window *w = &v->win;
    int64_t blocks = born__conv_panels(v);

    for (int64_t i = begin; i < end; i++) {
        int64_t block = i % blocks, line = i / blocks, o1 = line % w->out[1], o0 = line / w->out[1] % w->out[0];
        int64_t n = line / w->out[1] / w->out[0], c = block * BORN_PANEL, whole = w->kernel[2];
        row r = { .w = v->packed + block * v->terms * BORN_PANEL };
        r.channels = v->channels - c < BORN_PANEL ? v->channels - c : BORN_PANEL;
        born__window_taps(w, 0, o0, &r.lo[0], &r.hi[0]);
        born__window_taps(w, 1, o1, &r.lo[1], &r.hi[1]);
        int64_t at = (o0 * w->stride[0] - w->pad[0]) * v->xs[0] + (o1 * w->stride[1] - w->pad[1]) * v->xs[1];
        r.x = (const float *)((uintptr_t)(v->x + n * v->xn + c) + sizeof(float) * (uintptr_t)at);
        float *y = v->y + n * v->yn + o0 * v->ys[0] + o1 * v->ys[1];
        const float *res = v->end.has_residual ? v->end.residual + n * v->rn + o0 * v->rs[0] + o1 * v->rs[1] : NULL;
        for (int64_t o = 0; o < w->out[2];) {
            int64_t lo, hi, last_lo, last_hi;
            int m = 1;
            born__window_taps(w, 2, o, &lo, &hi);
            for (int try = PIXELS; lo == 0 && hi == whole && m == 1 && try >= 4; try /= 2) {
                if (o + try > w->out[2]) continue;
                born__window_taps(w, 2, o + try - 1, &last_lo, &last_hi);
                if (last_lo == 0 && last_hi == whole) m = try;
            }
            r.lo[2] = lo;
            r.hi[2] = hi;
            pixels(v, &r, o, m, c, y, res);
            o += m;
        }
    }
}

void BORN_K(depthwise_f32)(const born_conv *v, const born_exec *x)
{
    int64_t items = v->batch * v->win.out[0] * v->win.out[1] * born__conv_panels(v);

    born__exec_for(x, items, 1 + (1 << 14) / (v->terms * v->win.out[2] * BORN_PANEL), run_items, (void *)(uintptr_t)v);
}
