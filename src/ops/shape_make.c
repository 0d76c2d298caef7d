/* Ops that make tensors from sizes and numbers: shape, size, range, constant_of_shape, eye_like. Most run at binding,
   on small host tensors, and decide the shapes of others. */
#include <math.h>

#include "ops/copy_view.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

/* A tensor's dims [start, end) as the attributes clamp them. */
static void shape_bounds(const born_shape_attrs *a, int rank, int *start, int *end)
{
    int64_t s = a->start, e = a->end == INT64_MIN ? rank : a->end;
    if (s < 0) s += rank;
    if (e < 0) e += rank;
    *start = (int)(s < 0 ? 0 : s > rank ? rank : s);
    *end = (int)(e < *start ? *start : e > rank ? rank : e);
}

born_status born__shape_shape(born_infer *f)
{
    int start, end;
    shape_bounds(f->attrs, f->in[0].rank, &start, &end);
    born__out_set(f, 0, BORN_I64, 1, (int64_t[]){ end - start });
    return BORN_OK;
}

born_status born__ref_shape(born_call *c, const born_exec *x)
{
    (void)x;
    int start, end;
    shape_bounds(c->attrs, c->in[0].rank, &start, &end);
    int64_t *out = (int64_t *)(void *)c->out[0].data;
    for (int i = start; i < end; i++) out[(i - start) * c->out[0].stride[0]] = c->in[0].dim[i];
    return BORN_OK;
}

born_status born__shape_size(born_infer *f)
{
    born__out_set(f, 0, BORN_I64, 0, NULL);
    return BORN_OK;
}

born_status born__ref_size(born_call *c, const born_exec *x)
{
    (void)x;
    *(int64_t *)(void *)c->out[0].data = born__view_count(&c->in[0]);
    return BORN_OK;
}

/* ---- range ---- */

/* How many i >= 0 have start + i * delta before limit; -1: delta is 0 or not a number, or there are too many. */
static int64_t range_count_int(int64_t start, int64_t limit, int64_t delta)
{
    if (delta == 0) return -1;
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t n = (span - 1) / step + 1;
    return n > INT64_MAX ? -1 : (int64_t)n;
}

static int64_t range_count_float(double start, double limit, double delta)
{
    double n = ceil((limit - start) / delta);
    if (delta == 0 || isnan(n) || n >= 9.0e18) return -1;
    return n > 0 ? (int64_t)n : 0;
}

static born_status range_count(born_infer *f, int64_t *n)
{
    if (born__dtype_is(f->in[0].dtype, BORN_DT_FLOAT)) {
        double v[3];
        for (int i = 0; i < 3; i++) BORN_TRY(born__host_f64(f, i, &v[i], 1, n));
        *n = range_count_float(v[0], v[1], v[2]);
        if (*n < 0) return born__infer_fail(f, BORN_INVALID, "no end from %g to %g by %g", v[0], v[1], v[2]);
    } else {
        int64_t v[3];
        for (int i = 0; i < 3; i++) BORN_TRY(born__host_i64(f, i, &v[i], 1, n));
        *n = range_count_int(v[0], v[1], v[2]);
        if (*n < 0) return born__infer_fail(f, BORN_INVALID, "no end from %lld to %lld by %lld", (long long)v[0],
                                            (long long)v[1], (long long)v[2]);
    }
    return BORN_OK;
}

born_status born__shape_range(born_infer *f)
{
    for (int i = 0; i < 3; i++)
        if (born__view_count(&f->in[i]) != 1)
            return born__infer_fail(f, BORN_SHAPE, "operand %d %s is not one element", i, born__infer_shape(f, i));
    int64_t n = 0;
    BORN_TRY(range_count(f, &n));
    born__out_set(f, 0, f->in[0].dtype, 1, &n);
    return BORN_OK;
}

born_status born__ref_range(born_call *c, const born_exec *x)
{
    (void)x;
    const born_view *o = &c->out[0];
    int size = born__elem_size(o);
    int64_t n = o->dim[0], step = o->stride[0] * size;
    if (o->dtype == BORN_F32) {
        float start = (float)born__at_f64(&c->in[0], 0), delta = (float)born__at_f64(&c->in[2], 0);
        for (int64_t i = 0; i < n; i++) *(float *)(void *)(o->data + i * step) = start + (float)i * delta;
    } else if (o->dtype == BORN_F64) {
        double start = born__at_f64(&c->in[0], 0), delta = born__at_f64(&c->in[2], 0);
        for (int64_t i = 0; i < n; i++) *(double *)(void *)(o->data + i * step) = start + (double)i * delta;
    } else {
        uint64_t v = (uint64_t)born__at_i64(&c->in[0], 0), delta = (uint64_t)born__at_i64(&c->in[2], 0);
        for (int64_t i = 0; i < n; i++, v += delta) {
            char *p = o->data + i * step;
            if (o->dtype == BORN_I64) memcpy(p, &v, 8);
            else if (o->dtype == BORN_I32) memcpy(p, &(uint32_t){ (uint32_t)v }, 4);
            else memcpy(p, &(uint16_t){ (uint16_t)v }, 2);
        }
    }
    return BORN_OK;
}

/* ---- constant_of_shape ---- */

born_status born__shape_constant_of_shape(born_infer *f)
{
    const born_array *value = BORN_ATTRS_OF(constant_of_shape, f)->value;
    int64_t dim[BORN_MAX_RANK], n, count = 1;
    BORN_TRY(born__host_i64(f, 0, dim, BORN_MAX_RANK, &n));
    for (int i = 0; i < (int)n; i++)
        if (dim[i] < 0) return born__infer_fail(f, BORN_INVALID, "dim %d is %lld", i, (long long)dim[i]);
    if (value && (!born__shape_count(value->shape.dim, value->shape.rank, &count) || count != 1))
        return born__infer_fail(f, BORN_SHAPE, "the value is not one element");
    if (value && !born__dtype_is(value->dtype, BORN_DT_ALL))
        return born__infer_fail(f, BORN_DTYPE, "the value cannot be %s", born_dtype_name(value->dtype));
    born__out_set(f, 0, value ? value->dtype : BORN_F32, (int)n, dim);
    return BORN_OK;
}

born_status born__ref_constant_of_shape(born_call *c, const born_exec *x)
{
    static const char no_bits[8];
    const born_array *value = BORN_ATTRS_OF(constant_of_shape, c)->value;
    born__fill_view(&c->out[0], value ? value->data : no_bits, x->pool);
    return BORN_OK;
}

/* ---- eye_like ---- */

born_status born__shape_eye_like(born_infer *f)
{
    born_dtype t = BORN_ATTRS_OF(eye_like, f)->dtype;
    if (f->in[0].rank != 2) return born__infer_fail(f, BORN_SHAPE, "x %s is no matrix", born__infer_shape(f, 0));
    if (t == BORN_DTYPE_NONE) t = f->in[0].dtype;
    if (!born__dtype_is(t, BORN_DT_ALL)) return born__infer_fail(f, BORN_DTYPE, "cannot make %s", born_dtype_name(t));
    born__out_set(f, 0, t, 2, f->in[0].dim);
    return BORN_OK;
}

born_status born__ref_eye_like(born_call *c, const born_exec *x)
{
    static const char no_bits[8];
    const born_view *o = &c->out[0];
    int64_t k = BORN_ATTRS_OF(eye_like, c)->k, rows = o->dim[0], cols = o->dim[1];
    int size = born__elem_size(o);
    born__fill_view(o, no_bits, x->pool);
    if (k >= cols || k <= -rows) return BORN_OK;
    for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < cols; i++)
        born__store_f64(o->dtype, o->data + (i * o->stride[0] + (i + k) * o->stride[1]) * size, 1);
    return BORN_OK;
}
