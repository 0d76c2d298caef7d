/* lrn over channels-last images: sixteen channels at a time. A neighbour beyond the first or last channel is skipped by
   the reference; here it adds +0 to a sum of squares, which is the same. */
#include "cpu/simd/lanes.h"

#include "cpu/kernel.h"
#include "ops/ref.h"

typedef struct lrn_job {
    const born_view *x, *y;
    int64_t before, after, channels;
    double alpha, beta, bias;
} lrn_job;

BORN_INLINE v16 power(const lrn_job *j, v16 d)
{
    if (j->beta != 0.75) return pow_v16(d, v_set((float)j->beta));
    v16 root = v_sqrt(d);
    return v_mul(root, v_sqrt(root));
}

/* Channels at..at+15 of a pixel, zero outside it. */
BORN_INLINE v16 channels_at(const lrn_job *j, const float *x, int64_t at)
{
    int64_t first = at < 0 ? -at : 0, last = j->channels - at < 16 ? j->channels - at : 16;

    if (first == 0) return last == 16 ? v_load(x + at) : last > 0 ? v_load_n(x + at, last) : v_zero();
    float t[16] = { 0 }; /* the first block's left neighbours */
    for (int64_t l = first; l < last; l++) t[l] = x[at + l];
    return v_load(t);
}

static void lrn_pixel(const lrn_job *j, const float *x, float *y)
{
    v16 alpha = v_set((float)j->alpha), bias = v_set((float)j->bias);

    for (int64_t c = 0; c < j->channels; c += 16) {
        int64_t n = j->channels - c < 16 ? j->channels - c : 16;
        v16 sum = v_zero();
        for (int64_t d = -j->before; d <= j->after; d++) {
            v16 v = channels_at(j, x, c + d);
            sum = v_add(sum, v_mul(v, v));
        }
        v16 v = n == 16 ? v_load(x + c) : v_load_n(x + c, n);
        v_store_n(y + c, v_div(v, power(j, v_add(bias, v_mul(alpha, sum)))), n);
    }
}

static void lrn_pixels(void *ctx, int64_t begin, int64_t end)
{
    const lrn_job *j = ctx;

    for (int64_t i = begin; i < end; i++) {
        int64_t rest = i, xo = 0, yo = 0;
        for (int d = j->x->rank - 1; d >= 0; d--) {
            if (d == 1) continue;
            int64_t k = rest % j->x->dim[d];
            rest /= j->x->dim[d];
            xo += k * j->x->stride[d];
            yo += k * j->y->stride[d];
        }
        lrn_pixel(j, (const float *)(const void *)j->x->data + xo, (float *)(void *)j->y->data + yo);
    }
}

born_status BORN_K(lrn_f32)(born_call *c, const born_exec *x)
{
    const born_lrn_attrs *a = BORN_ATTRS_OF(lrn, c);
    int64_t most = c->in[0].dim[1], reach = a->size / 2 < most ? a->size : 2 * most + 1;   /* beyond lies nothing */
    lrn_job j = { .x = &c->in[0], .y = &c->out[0], .before = (reach - 1) / 2, .after = reach / 2,
                  .channels = c->in[0].dim[1], .alpha = a->alpha / (double)a->size, .beta = a->beta, .bias = a->bias };
    int64_t count = born__view_count(j.x);

    if (count == 0) return BORN_OK;
    born__exec_for(x, count / j.channels, 1 + 4096 / (j.channels * reach + 1), lrn_pixels, &j);
    return BORN_OK;
}
