/* array_feature_extractor, binarizer, scaler, normalizer, label_encoder. */
#include <math.h>

#include "ops/ref.h"

/* ---- array_feature_extractor ---- */

born_status born__shape_array_feature_extractor(born_infer *f)
{
    const born_view *x = &f->in[0], *i = &f->in[1];
    int64_t n, dim[BORN_MAX_RANK];
    if (x->rank < 1) return born__infer_fail(f, BORN_SHAPE, "x has rank 0");
    if (!born__shape_count(i->dim, i->rank, &n)) return born__infer_fail(f, BORN_RANGE, "too many indices");
    memcpy(dim, x->dim, sizeof dim);
    int rank = x->rank == 1 ? 2 : x->rank;
    if (x->rank == 1) dim[0] = 1;
    dim[rank - 1] = n;
    born__out_set(f, 0, x->dtype, rank, dim);
    return BORN_OK;
}

born_status born__ref_array_feature_extractor(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *at = &c->in[1], *out = &c->out[0];
    int64_t n = out->dim[out->rank - 1], last = in->dim[in->rank - 1], count = born__view_count(out);
    size_t size = (size_t)born__elem_size(in);
    for (int64_t k = 0; k < n; k++) {
        int64_t i = ((const int64_t *)(const void *)at->data)[born__offset_of(at->dim, at->stride, at->rank, k)];
        BORN_FAIL_IF(i < 0 || i >= last, x->err, BORN_RANGE, "array_feature_extractor: index %lld is outside [0,%lld)",
                     (long long)i, (long long)last);
        for (int64_t row = 0; row < (n > 0 ? count / n : 0); row++) {
            int64_t from = born__offset_of(in->dim, in->stride, in->rank - 1, row) + i * in->stride[in->rank - 1];
            int64_t to = born__offset_of(out->dim, out->stride, out->rank - 1, row) + k * out->stride[out->rank - 1];
            memcpy(out->data + to * (int64_t)size, in->data + from * (int64_t)size, size);
        }
    }
    return BORN_OK;
}

/* ---- binarizer, scaler: elementwise on any number, through f64 ---- */

born_status born__shape_binarizer(born_infer *f)
{
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

typedef struct cell_job {
    born_dtype x, y;
    double threshold;
    born_floats scale, offset;
    int64_t columns;
} cell_job;

static void binarizer_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const cell_job *j = ctx;
    for (int64_t i = 0; i < n; i++)
        born__store_f64(j->y, p[0] + i * step[0], born__load_f64(j->x, p[1] + i * step[1]) > j->threshold ? 1 : 0);
}

born_status born__ref_binarizer(born_call *c, const born_exec *x)
{
    cell_job j = { .x = c->in[0].dtype, .y = c->out[0].dtype, .threshold = BORN_ATTRS_OF(binarizer, c)->threshold };
    born_nd w;
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    born__nd_add(&w, &c->in[0]);
    born__nd_merge(&w);
    born__nd_for(&w, x, 4096, binarizer_run, &j);
    return BORN_OK;
}

born_status born__shape_scaler(born_infer *f)
{
    const born_scaler_attrs *a = BORN_ATTRS_OF(scaler, f);
    const born_view *x = &f->in[0];
    int64_t columns = x->rank > 0 ? x->dim[x->rank - 1] : 1;
    bool fits =
        (a->scale.count <= 1 || a->scale.count == columns) && (a->offset.count <= 1 || a->offset.count == columns);
    if (!fits)
        return born__infer_fail(f, BORN_INVALID, "%lld scales and %lld offsets for %lld columns",
                                (long long)a->scale.count, (long long)a->offset.count, (long long)columns);
    born__out_set(f, 0, BORN_F32, x->rank, x->dim);
    return BORN_OK;
}

static float nth(born_floats v, int64_t i, float none) { return v.count == 0 ? none : v.v[v.count == 1 ? 0 : i]; }

static void rows_run(const born_view *v, int64_t row, char **p, int64_t *step)
{
    int last = v->rank - 1;
    *step = last < 0 ? 0 : v->stride[last] * born__elem_size(v);
    *p = v->data + (last < 0 ? 0 : born__offset_of(v->dim, v->stride, last, row)) * born__elem_size(v);
}

born_status born__ref_scaler(born_call *c, const born_exec *x)
{
    (void)x;
    const born_scaler_attrs *a = BORN_ATTRS_OF(scaler, c);
    const born_view *in = &c->in[0];
    int64_t columns = in->rank > 0 ? in->dim[in->rank - 1] : 1, count = born__view_count(in);
    for (int64_t row = 0; count > 0 && row < count / columns; row++) {
        char *from, *to;
        int64_t from_step, to_step;
        rows_run(in, row, &from, &from_step);
        rows_run(&c->out[0], row, &to, &to_step);
        for (int64_t i = 0; i < columns; i++) {
            float v = (float)born__load_f64(in->dtype, from + i * from_step);
            *(float *)(void *)(to + i * to_step) = (v - nth(a->offset, i, 0)) * nth(a->scale, i, 1);
        }
    }
    return BORN_OK;
}

/* ---- normalizer ---- */

enum { NORM_MAX, NORM_L1, NORM_L2 };

born_status born__shape_normalizer(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (x->rank != 1 && x->rank != 2)
        return born__infer_fail(f, BORN_SHAPE, "x %s is neither [C] nor [N, C]", born__infer_shape(f, 0));
    born__out_set(f, 0, BORN_F32, x->rank, x->dim);
    return BORN_OK;
}

born_status born__ref_normalizer(born_call *c, const born_exec *x)
{
    (void)x;
    int norm = BORN_ATTRS_OF(normalizer, c)->norm;
    const born_view *in = &c->in[0];
    int64_t columns = in->dim[in->rank - 1], count = born__view_count(in);
    for (int64_t row = 0; count > 0 && row < count / columns; row++) {
        char *from, *to;
        int64_t from_step, to_step;
        rows_run(in, row, &from, &from_step);
        rows_run(&c->out[0], row, &to, &to_step);
        double by = norm == NORM_MAX ? -INFINITY : 0;
        for (int64_t i = 0; i < columns; i++) {
            double v = born__load_f64(in->dtype, from + i * from_step);
            by = norm == NORM_MAX ? (v > by ? v : by) : norm == NORM_L1 ? by + fabs(v) : by + v * v;
        }
        if (norm == NORM_L2) by = sqrt(by);
        for (int64_t i = 0; i < columns; i++) {
            double v = born__load_f64(in->dtype, from + i * from_step);
            *(float *)(void *)(to + i * to_step) = (float)(by != 0 ? v / by : v);
        }
    }
    return BORN_OK;
}

/* ---- label_encoder ---- */

/* One list of keys or values: integers, floats or a tensor. */
typedef struct label_list {
    born_dtype dtype;
    born_ints ints;
    born_floats floats;
    const born_array *tensor;
} label_list;

static label_list list_of(born_ints ints, born_floats floats, const born_array *tensor)
{
    label_list l = { BORN_DTYPE_NONE, ints, floats, tensor };
    if (tensor) l.dtype = tensor->dtype;
    else if (ints.count > 0) l.dtype = BORN_I64;
    else if (floats.count > 0) l.dtype = BORN_F32;
    return l;
}
static int64_t list_count(const label_list *l)
{
    int64_t n = 0;
    if (!l->tensor) return l->ints.count + l->floats.count;
    return born__shape_count(l->tensor->shape.dim, l->tensor->shape.rank, &n) ? n : -1;
}
static const void *list_at(const label_list *l, int64_t i)
{
    if (l->tensor) return (const char *)l->tensor->data + i * born__dtype_info(l->dtype)->size;
    return l->ints.count > 0 ? (const void *)&l->ints.v[i] : (const void *)&l->floats.v[i];
}

born_status born__shape_label_encoder(born_infer *f)
{
    const born_label_encoder_attrs *a = BORN_ATTRS_OF(label_encoder, f);
    if (a->keys_strings.count > 0 || a->values_strings.count > 0)
        return born__infer_fail(f, BORN_UNSUPPORTED, "strings are not supported as keys or values");
    label_list keys = list_of(a->keys_ints, a->keys_floats, a->keys_tensor);
    label_list values = list_of(a->values_ints, a->values_floats, a->values_tensor);
    if ((a->keys_ints.count > 0) + (a->keys_floats.count > 0) + (a->keys_tensor != NULL) != 1 ||
        (a->values_ints.count > 0) + (a->values_floats.count > 0) + (a->values_tensor != NULL) != 1 ||
        list_count(&keys) != list_count(&values) || list_count(&keys) < 0)
        return born__infer_fail(f, BORN_INVALID, "one list of keys and one of values, of one length, are needed");
    if (!born__dtype_is(keys.dtype, BORN_DT_NUM) || !born__dtype_is(values.dtype, BORN_DT_NUM))
        return born__infer_fail(f, BORN_DTYPE, "keys or values are no numbers");
    if (f->in[0].dtype != keys.dtype)
        return born__infer_fail(f, BORN_DTYPE, "x is %s where the keys are %s", born_dtype_name(f->in[0].dtype),
                                born_dtype_name(keys.dtype));
    const born_array *d = a->default_tensor;
    int64_t n = 1;
    if (d && (d->dtype != values.dtype || !born__shape_count(d->shape.dim, d->shape.rank, &n) || n != 1))
        return born__infer_fail(f, BORN_INVALID, "the default is not one value of the values' dtype");
    born__out_set(f, 0, values.dtype, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

typedef struct label_job {
    label_list keys, values;
    born_dtype y;
    const born_label_encoder_attrs *a;
    int size;
} label_job;

/* Bits decide for integers; numbers, and NaN for NaN, for floats. */
static bool same_label(born_dtype t, const void *a, const void *b, int size)
{
    if (!born__dtype_is(t, BORN_DT_FLOAT)) return memcmp(a, b, (size_t)size) == 0;
    double x = born__load_f64(t, a), y = born__load_f64(t, b);
    return x == y || (x != x && y != y);
}

static void label_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const label_job *j = ctx;
    int value_size = born__dtype_info(j->values.dtype)->size;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = list_count(&j->keys) - 1;       /* the last of equal keys counts */
        while (k >= 0 && !same_label(j->keys.dtype, list_at(&j->keys, k), p[1] + i * step[1], j->size)) k--;
        char *y = p[0] + i * step[0];
        if (k >= 0) memcpy(y, list_at(&j->values, k), (size_t)value_size);
        else if (j->a->default_tensor) memcpy(y, j->a->default_tensor->data, (size_t)value_size);
        else
            born__store_f64(j->y, y,
                            born__dtype_is(j->y, BORN_DT_FLOAT) ? j->a->default_float : (double)j->a->default_int);
    }
}

born_status born__ref_label_encoder(born_call *c, const born_exec *x)
{
    const born_label_encoder_attrs *a = BORN_ATTRS_OF(label_encoder, c);
    label_job j = { .keys = list_of(a->keys_ints, a->keys_floats, a->keys_tensor),
                    .values = list_of(a->values_ints, a->values_floats, a->values_tensor), .y = c->out[0].dtype, .a = a,
                    .size = born__elem_size(&c->in[0]) };
    born_nd w;
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    born__nd_add(&w, &c->in[0]);
    born__nd_merge(&w);
    born__nd_for(&w, x, 256, label_run, &j);
    return BORN_OK;
}
