/* Marking and finding: one_hot, nonzero, compress. nonzero and compress write results as large as the data say, dense,
   into storage for the rule's bound. */
#include "ops/copy_view.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

/* ---- one_hot ---- */

born_status born__shape_one_hot(born_infer *f)
{
    const born_view *ix = &f->in[0];
    double depth = 0;
    int64_t n, dim[BORN_MAX_RANK + 1];
    int axis = 0;
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(one_hot, f)->axis, ix->rank + 1, &axis));
    if (born__view_count(&f->in[1]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "depth %s is not one element", born__infer_shape(f, 1));
    if (f->in[2].rank != 1 || f->in[2].dim[0] != 2)
        return born__infer_fail(f, BORN_SHAPE, "values %s are not two", born__infer_shape(f, 2));
    BORN_TRY(born__host_f64(f, 1, &depth, 1, &n));
    if (!(depth >= 1 && depth <= 9.0e15)) return born__infer_fail(f, BORN_INVALID, "depth is %g", depth);
    for (int i = 0; i < axis; i++) dim[i] = ix->dim[i];
    dim[axis] = (int64_t)depth;
    for (int i = axis; i < ix->rank; i++) dim[i + 1] = ix->dim[i];
    born__out_set(f, 0, f->in[2].dtype, ix->rank + 1, dim);
    return BORN_OK;
}

typedef struct one_hot_job { const born_view *ix, *out; const char *on; int axis; } one_hot_job;

static void one_hot_marks(void *ctx, int64_t begin, int64_t end)
{
    const one_hot_job *j = ctx;
    const born_view *ix = j->ix, *out = j->out;
    int64_t depth = out->dim[j->axis], stride[BORN_MAX_RANK];
    size_t size = (size_t)born__elem_size(out), ix_size = (size_t)born__elem_size(ix);
    for (int d = 0; d < ix->rank; d++) stride[d] = out->stride[d < j->axis ? d : d + 1];
    for (int64_t i = begin; i < end; i++) {
        const char *p = ix->data + born__offset_of(ix->dim, ix->stride, ix->rank, i) * (int64_t)ix_size;
        int64_t v = born__load_i64(ix->dtype, p);
        if (v < 0) v += depth;
        if (v < 0 || v >= depth) continue;
        int64_t at = born__offset_of(ix->dim, stride, ix->rank, i) + v * out->stride[j->axis];
        memcpy(out->data + at * (int64_t)size, j->on, size);
    }
}

born_status born__ref_one_hot(born_call *c, const born_exec *x)
{
    const born_view *out = &c->out[0], *values = &c->in[2];
    int64_t axis = BORN_ATTRS_OF(one_hot, c)->axis;
    one_hot_job j = { &c->in[0], out, values->data + values->stride[0] * born__elem_size(values),
                      (int)(axis < 0 ? axis + out->rank : axis) };
    born__fill_view(out, values->data, x->pool);
    born__exec_for(x, born__view_count(j.ix), 8192, one_hot_marks, &j);
    return BORN_OK;
}

/* ---- nonzero ---- */

born_status born__shape_nonzero(born_infer *f)
{
    born__out_set(f, 0, BORN_I64, 2, (int64_t[]){ f->in[0].rank, born__view_count(&f->in[0]) });
    return BORN_OK;
}

/* Whether the element at p is not 0: some bit is set, the sign of a float aside. */
static bool is_nonzero(const char *p, int size, bool is_float)
{
    uint8_t top = is_float ? 0x7f : 0xff, any = 0;
    uint8_t b[8];
    memcpy(b, p, (size_t)size);
    const uint16_t probe = 1;
    bool little = *(const uint8_t *)(const void *)&probe == 1;
    for (int i = 0; i < size; i++) any |= b[i] & (i == (little ? size - 1 : 0) ? top : 0xff);
    return any != 0;
}

born_status born__ref_nonzero(born_call *c, const born_exec *x)
{
    (void)x;
    const born_view *in = &c->in[0];
    born_view *out = &c->out[0];
    int64_t total = born__view_count(in), found = 0, at[BORN_MAX_RANK] = { 0 };
    int size = born__elem_size(in);
    bool is_float = born__dtype_is(in->dtype, BORN_DT_FLOAT);
    for (int64_t i = 0; i < total; i++)
        found += is_nonzero(in->data + born__offset_of(in->dim, in->stride, in->rank, i) * size, size, is_float);
    out->dim[1] = found;
    born__view_row_major(out);
    int64_t *to = (int64_t *)(void *)out->data, k = 0;
    for (int64_t i = 0; i < total && k < found; i++) {
        int64_t offset = 0;
        for (int d = 0; d < in->rank; d++) offset += at[d] * in->stride[d];
        if (is_nonzero(in->data + offset * size, size, is_float)) {
            for (int d = 0; d < in->rank; d++) to[d * found + k] = at[d];
            k++;
        }
        for (int d = in->rank - 1; d >= 0 && ++at[d] == in->dim[d]; d--) at[d] = 0;
    }
    return BORN_OK;
}

/* ---- compress ---- */

born_status born__shape_compress(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t axis = BORN_ATTRS_OF(compress, f)->axis, n = f->in[1].dim[0], dim[BORN_MAX_RANK];
    if (f->in[1].rank != 1)
        return born__infer_fail(f, BORN_SHAPE, "the condition has rank %d, not 1", f->in[1].rank);
    if (axis == INT64_MIN) {
        int64_t count = born__view_count(x);
        born__out_set(f, 0, x->dtype, 1, n < count ? &n : &count);
        return BORN_OK;
    }
    int a = 0;
    BORN_TRY(born__axis(f, axis, x->rank, &a));
    memcpy(dim, x->dim, sizeof dim);
    if (n < dim[a]) dim[a] = n;
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

static bool is_set(const born_view *cond, int64_t i) { return cond->data[i * cond->stride[0]] != 0; }

/* The number of true conditions; RANGE where one lies beyond `bound`. */
static born_status count_set(const born_call *c, const born_exec *x, int64_t bound, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < c->in[1].dim[0]; i++) {
        if (!is_set(&c->in[1], i)) continue;
        BORN_FAIL_IF(i >= bound, x->err, BORN_RANGE, "%s: condition %lld is true, and there are %lld elements",
                     c->op->name, (long long)i, (long long)bound);
        ++*count;
    }
    return BORN_OK;
}

born_status born__ref_compress(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *cond = &c->in[1];
    born_view *out = &c->out[0];
    int64_t axis = BORN_ATTRS_OF(compress, c)->axis, n = 0, k = 0, size = born__elem_size(in), dim[BORN_MAX_RANK];
    bool flat = axis == INT64_MIN;
    if (axis < 0 && !flat) axis += in->rank;
    BORN_TRY(count_set(c, x, flat ? born__view_count(in) : in->dim[axis], &n));
    out->dim[flat ? 0 : axis] = n;
    born__view_row_major(out);
    born_copy_plan slice;
    memcpy(dim, in->dim, sizeof dim);
    if (!flat) dim[axis] = 1;
    born__copy_plan(&slice, flat ? 0 : in->rank, dim, out->stride, in->stride, (int)size);
    for (int64_t i = 0; i < cond->dim[0] && k < n; i++) {
        if (!is_set(cond, i)) continue;
        int64_t from = flat ? born__offset_of(in->dim, in->stride, in->rank, i) : i * in->stride[axis];
        int64_t to = flat ? k : k * out->stride[axis];
        born__copy_run(&slice, out->data + to * size, in->data + from * size);
        k++;
    }
    return BORN_OK;
}
