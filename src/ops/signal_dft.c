/* dft and stft: transforms of signal_fft.h along one axis of a real [..., 1] or complex [..., 2] tensor. Lines are
   independent; up to BORN_FFT_SLOTS of them are worked on at a time, each slot with its own memory. */
#include "ops/ref.h"
#include "ops/signal_fft.h"

/* Lines of one call. in and out have the same leading walk: dims `lead` with element strides. */
typedef struct lines {
    born_fft fft;
    born_complex *work;
    size_t work_size;
    int rank;
    int64_t lead[BORN_MAX_RANK], in_step[BORN_MAX_RANK], out_step[BORN_MAX_RANK], count;
    const born_view *in, *out, *window;     /* window NULL: ones */
    int64_t in_axis, out_axis, in_part, out_part;   /* strides along the axis and of the imaginary part (0: real) */
    int64_t have, bins;                     /* inputs that are read, results that are written */
    bool inverse, mirror;                   /* mirror: inputs are half of a symmetric spectrum */
} lines;

static double element(const born_view *v, int64_t i)
{
    if (v->dtype == BORN_F32) return (double)((const float *)(const void *)v->data)[i];
    return ((const double *)(const void *)v->data)[i];
}

static void line_run(const lines *l, int64_t line, born_complex *w)
{
    int64_t at = born__offset_of(l->lead, l->in_step, l->rank, line), n = l->fft.n;
    for (int64_t k = 0; k < n; k++) {
        w[k] = (born_complex){ 0, 0 };
        if (k >= l->have) continue;
        w[k].re = element(l->in, at + k * l->in_axis);
        if (l->in_part) w[k].im = element(l->in, at + k * l->in_axis + l->in_part);
        if (!l->window) continue;
        double g = element(l->window, k * l->window->stride[0]);
        w[k].re *= g;
        w[k].im *= g;
    }
    for (int64_t k = n / 2 + 1; l->mirror && k < n; k++) w[k] = (born_complex){ w[n - k].re, -w[n - k].im };
    born__fft_run(&l->fft, w, l->inverse);
    double scale = l->inverse ? (double)n : 1.0;
    at = born__offset_of(l->lead, l->out_step, l->rank, line);
    int64_t z = born__elem_size(l->out);
    for (int64_t k = 0; k < l->bins; k++) {
        char *p = l->out->data + (at + k * l->out_axis) * z;
        born__store_f64(l->out->dtype, p, w[k].re / scale);
        if (l->out_part) born__store_f64(l->out->dtype, p + l->out_part * z, w[k].im / scale);
    }
}

static void slots_part(void *ctx, int64_t begin, int64_t end)
{
    const lines *l = ctx;
    for (int64_t s = begin; s < end; s++)
        for (int64_t i = s; i < l->count; i += BORN_FFT_SLOTS) line_run(l, i, l->work + (size_t)s * l->work_size);
}

static size_t lines_bytes(int64_t n)
{
    if (n < 1 || n > BORN_FFT_MAX) return n < 1 ? 0 : SIZE_MAX;
    size_t total, size = born__fft_work_size(n);
    bool ok = born__mul_size(size, BORN_FFT_SLOTS, &total) && born__add_size(total, born__fft_plan_size(n), &total) &&
              born__mul_size(total, sizeof(born_complex), &total);
    return ok ? total : SIZE_MAX;
}

static void lines_run(lines *l, int64_t n, const born_exec *x)
{
    born_complex *memory = x->scratch;
    born__fft_plan(&l->fft, n, memory);
    l->work = memory + born__fft_plan_size(n);
    l->work_size = born__fft_work_size(n);
    l->count = 1;
    for (int d = 0; d < l->rank; d++) l->count *= l->lead[d];
    born__exec_for(x, BORN_FFT_SLOTS, 1, slots_part, l);
}

/* ---- dft: x length axis ---- */

static int64_t dft_axis(const born_view *in, int in_count)
{
    bool given = in_count > 2 && in[2].dtype != BORN_DTYPE_NONE;
    int64_t axis = given ? born__at_i64(&in[2], 0) : -2;
    return axis < 0 ? axis + in[0].rank : axis;
}

static int64_t dft_length(const born_view *in, int in_count, int64_t axis, const born_dft_attrs *a)
{
    if (in_count > 1 && in[1].dtype != BORN_DTYPE_NONE) return born__at_i64(&in[1], 0);
    int64_t n = in[0].dim[axis];
    return a->onesided && a->inverse ? 2 * (n - 1) : n;
}

born_status born__shape_dft(born_infer *f)
{
    const born_dft_attrs *a = BORN_ATTRS_OF(dft, f);
    const born_view *x = &f->in[0];
    int64_t v, count;
    for (int i = 1; i <= 2; i++) {
        if (!born__infer_has(f, i)) continue;
        BORN_TRY(born__host_i64(f, i, &v, 1, &count));
        if (count != 1) return born__infer_fail(f, BORN_SHAPE, "operand %d is empty", i);
    }
    if (x->rank < 2 || x->dim[x->rank - 1] < 1 || x->dim[x->rank - 1] > 2)
        return born__infer_fail(f, BORN_SHAPE, "x %s does not end in 1 (real) or 2 (complex)", born__infer_shape(f, 0));
    bool complex = x->dim[x->rank - 1] == 2;
    int64_t axis = dft_axis(f->in, f->in_count);
    if (axis < 0 || axis >= x->rank - 1)
        return born__infer_fail(f, BORN_RANGE, "axis %lld is none of x %s", (long long)axis, born__infer_shape(f, 0));
    if (a->onesided && complex != a->inverse)
        return born__infer_fail(f, BORN_INVALID, "onesided takes real x forwards and complex x backwards, not %s",
                                born__infer_shape(f, 0));
    if (x->dim[axis] > BORN_FFT_MAX)
        return born__infer_fail(f, BORN_RANGE, "x %s is too long", born__infer_shape(f, 0));
    int64_t n = dft_length(f->in, f->in_count, axis, a);
    if (n < 1 || n > BORN_FFT_MAX) return born__infer_fail(f, BORN_RANGE, "a transform of length %lld", (long long)n);
    born__out_like(f, 0, x);
    if (f->out_count == 0) return BORN_OK;
    f->out[0].dim[axis] = a->onesided && !a->inverse ? n / 2 + 1 : n;
    f->out[0].dim[x->rank - 1] = a->onesided && a->inverse ? 1 : 2;
    return BORN_OK;
}

size_t born__scratch_dft(const born_call *c)
{
    return lines_bytes(dft_length(c->in, c->in_count, dft_axis(c->in, c->in_count), BORN_ATTRS_OF(dft, c)));
}

born_status born__ref_dft(born_call *c, const born_exec *x)
{
    const born_dft_attrs *a = BORN_ATTRS_OF(dft, c);
    const born_view *in = &c->in[0], *out = &c->out[0];
    int64_t axis = dft_axis(c->in, c->in_count), n = dft_length(c->in, c->in_count, axis, a);
    if (born__view_count(out) == 0) return BORN_OK;
    int last = in->rank - 1;
    lines l = { .in = in, .out = out, .in_axis = in->stride[axis], .out_axis = out->stride[axis],
                .in_part = in->dim[last] == 2 ? in->stride[last] : 0,
                .out_part = out->dim[last] == 2 ? out->stride[last] : 0, .bins = out->dim[axis], .inverse = a->inverse,
                .mirror = a->onesided && a->inverse };
    l.have = l.mirror && in->dim[axis] > n / 2 + 1 ? n / 2 + 1 : in->dim[axis];
    for (int d = 0; d < last; d++) {
        if (d == axis) continue;
        l.lead[l.rank] = in->dim[d];
        l.in_step[l.rank] = in->stride[d];
        l.out_step[l.rank++] = out->stride[d];
    }
    lines_run(&l, n, x);
    return BORN_OK;
}

/* ---- stft: signal step window length ---- */

static int64_t stft_length(const born_view *in, int in_count)
{
    if (in_count > 3 && in[3].dtype != BORN_DTYPE_NONE) return born__at_i64(&in[3], 0);
    if (in_count > 2 && in[2].dtype != BORN_DTYPE_NONE) return in[2].dim[0];
    return in[0].dim[1];
}

born_status born__shape_stft(born_infer *f)
{
    const born_stft_attrs *a = BORN_ATTRS_OF(stft, f);
    const born_view *x = &f->in[0];
    int64_t step = 0, length, count;
    if (x->rank != 3 || x->dim[2] < 1 || x->dim[2] > 2)
        return born__infer_fail(f, BORN_SHAPE, "signal %s is not [B, L, 1 or 2]", born__infer_shape(f, 0));
    BORN_TRY(born__host_i64(f, 1, &step, 1, &count));
    if (count != 1 || step < 1) return born__infer_fail(f, BORN_RANGE, "a step of %lld", (long long)step);
    if (born__infer_has(f, 3)) {
        BORN_TRY(born__host_i64(f, 3, &length, 1, &count));
        if (count != 1) return born__infer_fail(f, BORN_SHAPE, "operand 3 is empty");
    }
    if (born__infer_has(f, 2) && f->in[2].rank != 1)
        return born__infer_fail(f, BORN_SHAPE, "window %s has not rank 1", born__infer_shape(f, 2));
    length = stft_length(f->in, f->in_count);
    if (born__infer_has(f, 2) && f->in[2].dim[0] != length)
        return born__infer_fail(f, BORN_SHAPE, "window %s is not [%lld]", born__infer_shape(f, 2), (long long)length);
    if (length < 1 || length > x->dim[1] || length > BORN_FFT_MAX)
        return born__infer_fail(f, BORN_RANGE, "frames of %lld in a signal of %lld", (long long)length,
                                (long long)x->dim[1]);
    if (!a->two_sided && x->dim[2] == 2)
        return born__infer_fail(f, BORN_INVALID, "onesided takes a real signal, not %s", born__infer_shape(f, 0));
    int64_t bins = a->two_sided ? length : length / 2 + 1;
    born__out_set(f, 0, x->dtype, 4, (int64_t[]){ x->dim[0], (x->dim[1] - length) / step + 1, bins, 2 });
    return BORN_OK;
}

size_t born__scratch_stft(const born_call *c) { return lines_bytes(stft_length(c->in, c->in_count)); }

born_status born__ref_stft(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *out = &c->out[0];
    int64_t n = stft_length(c->in, c->in_count), step = born__at_i64(&c->in[1], 0);
    if (born__view_count(out) == 0) return BORN_OK;
    lines l = { .in = in, .out = out, .window = born__has(c, 2) ? &c->in[2] : NULL, .rank = 2,
                .lead = { out->dim[0], out->dim[1] }, .in_axis = in->stride[1], .out_axis = out->stride[2],
                .in_part = in->dim[2] == 2 ? in->stride[2] : 0, .out_part = out->stride[3], .have = n,
                .bins = out->dim[2] };
    l.in_step[0] = in->stride[0];
    l.in_step[1] = out->dim[1] > 1 ? step * in->stride[1] : 0;
    l.out_step[0] = out->stride[0];
    l.out_step[1] = out->stride[1];
    lines_run(&l, n, x);
    return BORN_OK;
}
