/* Checks that the shape rules of quantised operators share, and the geometry of windows. See quant.h. */
#include "ops/quant.h"

static int64_t count_of(const born_view *v)
{
    int64_t n;
    return born__shape_count(v->dim, v->rank, &n) ? n : -1;
}

static born_status missing(born_infer *f, int i, bool optional)
{
    if (optional) return BORN_OK;
    return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
}

born_status born__need_scalar(born_infer *f, int i, bool optional)
{
    if (!born__infer_has(f, i)) return missing(f, i, optional);
    if (count_of(&f->in[i]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "operand %d must have one element, not %s", i, born__infer_shape(f, i));
    return BORN_OK;
}

born_status born__need_scalar_or_vector(born_infer *f, int i, int64_t n, bool optional)
{
    if (!born__infer_has(f, i)) return missing(f, i, optional);
    if (count_of(&f->in[i]) == 1 || (f->in[i].rank == 1 && f->in[i].dim[0] == n)) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "operand %d must have 1 or %lld elements, not %s", i, (long long)n,
                            born__infer_shape(f, i));
}

born_status born__need_dtype(born_infer *f, int i, uint32_t mask)
{
    if (!born__infer_has(f, i) || born__dtype_is(f->in[i].dtype, mask)) return BORN_OK;
    return born__infer_fail(f, BORN_DTYPE, "operand %d cannot be %s", i, born_dtype_name(f->in[i].dtype));
}

/* Sizes of a window are far below this, so that no product of two of them overflows. */
#define WINDOW_LIMIT ((int64_t)1 << 31)

static bool window_attr(born_ints v, int n, int i, int64_t lo, int64_t def, int64_t *out)
{
    *out = v.count ? v.v[i] : def;
    return (v.count == 0 || v.count == n) && *out >= lo && *out < WINDOW_LIMIT;
}

static born_status window_dim(const born_window_spec *a, int i, const char *op, born_window *w, born_error *err)
{
    int d = 3 - a->n + i;
    int64_t pad_end = 0, in = w->in[d];
    bool ok = window_attr(a->strides, a->n, i, 1, 1, &w->stride[d]) &&
              window_attr(a->dilations, a->n, i, 1, 1, &w->dilation[d]) && a->kernel[i] > 0 &&
              a->kernel[i] < WINDOW_LIMIT && in < (int64_t)1 << 48;
    if (ok && a->auto_pad == 0)
        ok = (a->pads.count == 0 || a->pads.count == 2 * a->n) &&
             window_attr((born_ints){ a->pads.v, a->pads.count ? a->n : 0 }, a->n, i, 0, 0, &w->pad[d]) &&
             window_attr((born_ints){ a->pads.v, a->pads.count ? a->n : 0 }, a->n, a->pads.count ? a->n + i : 0, 0, 0,
                         &pad_end);
    BORN_FAIL_IF(!ok, err, BORN_INVALID, "%s: kernel, strides, dilations or pads do not fit %d spatial dims", op, a->n);
    w->kernel[d] = a->kernel[i];
    int64_t extent = (a->kernel[i] - 1) * w->dilation[d] + 1, stride = w->stride[d];
    if (a->auto_pad == 1 || a->auto_pad == 2) {
        w->out[d] = in / stride + (in % stride != 0);
        int64_t total = w->out[d] > 0 ? (w->out[d] - 1) * stride + extent - in : 0;
        if (total < 0) total = 0;
        w->pad[d] = a->auto_pad == 1 ? total / 2 : total - total / 2;
        return BORN_OK;
    }
    int64_t room = in + w->pad[d] + pad_end - extent;
    BORN_FAIL_IF(room < 0, err, BORN_SHAPE, "%s: a window of %lld does not fit %lld elements with pads", op,
                 (long long)extent, (long long)in);
    w->out[d] = room / stride + 1;
    if (a->ceil_mode && room % stride != 0 && w->out[d] * stride < in + w->pad[d]) w->out[d]++;
    return BORN_OK;
}

born_status born__window_make(const born_window_spec *a, const int64_t *in, const char *op, born_window *w,
                              born_error *err)
{
    BORN_FAIL_IF(a->n < 1 || a->n > 3, err, BORN_UNSUPPORTED, "%s: %d spatial dims where 1 to 3 are taken", op, a->n);
    for (int d = 0; d < 3; d++) {
        w->in[d] = w->out[d] = w->kernel[d] = w->stride[d] = w->dilation[d] = 1;
        w->pad[d] = 0;
    }
    for (int i = 0; i < a->n; i++) w->in[3 - a->n + i] = in[i];
    for (int i = 0; i < a->n; i++) BORN_TRY(window_dim(a, i, op, w, err));
    return BORN_OK;
}
