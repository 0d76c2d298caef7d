/* hann_window, hamming_window, blackman_window, mel_weight_matrix: computed in f64 and stored in the asked dtype. */
#include <math.h>

#include "ops/math64.h"
#include "ops/ref.h"
#include "ops/signal_fft.h"

born_status born__shape_window(born_infer *f)
{
    int64_t n = 0, count;
    born_dtype t = BORN_ATTRS_OF(signal_window, f)->output_dtype;
    BORN_TRY(born__host_i64(f, 0, &n, 1, &count));
    if (count != 1 || n < 0 || n > BORN_FFT_MAX / 2)
        return born__infer_fail(f, BORN_RANGE, "a window of %lld elements", (long long)n);
    if (!born__dtype_is(t, BORN_DT_NUM))
        return born__infer_fail(f, BORN_DTYPE, "a window cannot be %s", born_dtype_name(t));
    born__out_set(f, 0, t, 1, &n);
    return BORN_OK;
}

/* w[k] = a0 - a1 cos(2 pi k / N) + a2 cos(4 pi k / N). */
typedef struct cosines { const born_view *out; int64_t N; double a0, a1, a2; } cosines;
static void cosines_part(void *ctx, int64_t begin, int64_t end)
{
    const cosines *w = ctx;
    int64_t step = w->out->stride[0] * born__elem_size(w->out);
    for (int64_t k = begin; k < end; k++) {
        double v = 1;
        if (w->N > 0)
            v = w->a0 - w->a1 * born__unit_circle(k, w->N).re + w->a2 * born__unit_circle(2 * k, w->N).re;
        born__store_f64(w->out->dtype, w->out->data + k * step, v);
    }
}

static born_status cosines_run(born_call *c, const born_exec *x, double a0, double a1, double a2)
{
    cosines w = { &c->out[0], c->out[0].dim[0] - BORN_ATTRS_OF(signal_window, c)->symmetric, a0, a1, a2 };
    born__exec_for(x, c->out[0].dim[0], 1024, cosines_part, &w);
    return BORN_OK;
}

born_status born__ref_hann_window(born_call *c, const born_exec *x) { return cosines_run(c, x, 0.5, 0.5, 0); }
born_status born__ref_hamming_window(born_call *c, const born_exec *x)
{
    return cosines_run(c, x, 25.0 / 46.0, 21.0 / 46.0, 0);
}
born_status born__ref_blackman_window(born_call *c, const born_exec *x) { return cosines_run(c, x, 0.42, 0.5, 0.08); }

born_status born__shape_mel_weight_matrix(born_infer *f)
{
    int64_t v[3] = { 0 }, count;
    born_dtype t = BORN_ATTRS_OF(mel, f)->output_dtype;
    for (int i = 0; i < 3; i++) {
        BORN_TRY(born__host_i64(f, i, &v[i], 1, &count));
        if (count != 1 || v[i] < 0 || v[i] > BORN_FFT_MAX)
            return born__infer_fail(f, BORN_RANGE, "operand %d is %lld", i, (long long)v[i]);
    }
    if (v[2] == 0) return born__infer_fail(f, BORN_RANGE, "a sample rate of 0");
    for (int i = 3; i <= 4; i++) {
        if (f->in[i].rank > 1 || (f->in[i].rank == 1 && f->in[i].dim[0] != 1) ||
            !born__dtype_is(f->in[i].dtype, BORN_DT_FLOAT))
            return born__infer_fail(f, BORN_INVALID, "operand %d is no float scalar", i);
    }
    if (!born__dtype_is(t, BORN_DT_NUM))
        return born__infer_fail(f, BORN_DTYPE, "weights cannot be %s", born_dtype_name(t));
    born__out_set(f, 0, t, 2, (int64_t[]){ v[1] / 2 + 1, v[0] });
    return BORN_OK;
}

static int64_t mel_bin(double low, double step, int64_t i, int64_t length, int64_t rate, int64_t bins)
{
    double hz = 700.0 * born__expm1_f64((low + step * (double)i) / 2595.0 * 2.30258509299404568402);
    double bin = floor((double)(length + 1) * hz / (double)rate);
    return bin >= (double)(bins - 1) ? bins - 1 : bin >= 0 ? (int64_t)bin : 0;      /* NaN: 0 */
}

born_status born__ref_mel_weight_matrix(born_call *c, const born_exec *x)
{
    (void)x;
    const born_view *out = &c->out[0];
    int64_t mels = out->dim[1], bins = out->dim[0], length = born__at_i64(&c->in[1], 0),
            rate = born__at_i64(&c->in[2], 0);
    double low = 2595.0 * born__log1p_f64(born__at_f64(&c->in[3], 0) / 700.0) / 2.30258509299404568402;
    double high = 2595.0 * born__log1p_f64(born__at_f64(&c->in[4], 0) / 700.0) / 2.30258509299404568402;
    double step = (high - low) / (double)(mels + 2);
    int64_t z = born__elem_size(out);
    for (int64_t i = 0; i < mels; i++) {
        int64_t a = mel_bin(low, step, i, length, rate, bins), b = mel_bin(low, step, i + 1, length, rate, bins);
        int64_t d = mel_bin(low, step, i + 2, length, rate, bins);
        for (int64_t j = 0; j < bins; j++) {
            double v = 0;
            if (j >= a && j <= b) v = a == b ? 1 : (double)(j - a) / (double)(b - a);
            if (j >= b && j < d) v = (double)(d - j) / (double)(d - b);
            born__store_f64(out->dtype, out->data + (j * out->stride[0] + i * out->stride[1]) * z, v);
        }
    }
    return BORN_OK;
}
