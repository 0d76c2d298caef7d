/* Ops whose result shows the elements of x in other places: reshape and kin, transpose, expand, slice. The rules give
   strides over x where they can; the reference kernels copy through the same strides for callers that want storage of
   its own. */
#include "ops/copy_view.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

/* out[0] becomes x under dims: a view where x's strides allow it. */
static born_status show_reshaped(born_infer *f, int rank, const int64_t *dim)
{
    born__out_set(f, 0, f->in[0].dtype, rank, dim);
    if (f->out_count > 0) f->shares = born__view_reshape(&f->in[0], rank, dim, f->out[0].stride);
    return BORN_OK;
}

born_status born__ref_reshape(born_call *c, const born_exec *x)
{
    BORN_FAIL_IF(born__view_count(&c->in[0]) != born__view_count(&c->out[0]), x->err, BORN_STATE,
                 "%s: the result was made for another shape", c->op->name);
    born__copy_reshaped(&c->out[0], &c->in[0], x->pool);
    return BORN_OK;
}

/* Solves for the -1 at `hole`. Dims copied from x by 0 (bits of `copied`) cancel, so that they may be empty. */
static born_status fill_hole(born_infer *f, int64_t *dim, int n, int hole, uint32_t copied)
{
    const born_view *x = &f->in[0];
    int64_t have = 1, given = 1;
    bool fits = true;
    for (int i = 0; i < x->rank; i++)
        if (!(copied >> i & 1u)) fits = fits && born__mul_i64(have, x->dim[i], &have);
    for (int i = 0; i < n; i++)
        if (i != hole && !(copied >> i & 1u)) fits = fits && born__mul_i64(given, dim[i], &given);
    if (!fits || given == 0 || have % given != 0)
        return born__infer_fail(f, BORN_SHAPE, "x %s does not divide into the other dims", born__infer_shape(f, 0));
    dim[hole] = have / given;
    return BORN_OK;
}

born_status born__shape_reshape(born_infer *f)
{
    const born_view *x = &f->in[0];
    bool allowzero = BORN_ATTRS_OF(reshape, f)->allowzero, zero = false;
    int64_t dim[BORN_MAX_RANK], n, count;
    int hole = -1;
    uint32_t copied = 0;
    BORN_TRY(born__host_i64(f, 1, dim, BORN_MAX_RANK, &n));
    if (f->in[1].rank != 1) return born__infer_fail(f, BORN_SHAPE, "the shape has rank %d, not 1", f->in[1].rank);
    for (int i = 0; i < (int)n; i++) {
        if (dim[i] < -1) return born__infer_fail(f, BORN_INVALID, "dim %d is %lld", i, (long long)dim[i]);
        if (dim[i] == -1) {
            if (hole >= 0) return born__infer_fail(f, BORN_INVALID, "dims %d and %d are both -1", hole, i);
            hole = i;
        } else if (dim[i] == 0 && allowzero) {
            zero = true;
        } else if (dim[i] == 0) {
            if (i >= x->rank) return born__infer_fail(f, BORN_SHAPE, "dim %d is 0, and x %s has none there", i,
                                                      born__infer_shape(f, 0));
            dim[i] = x->dim[i];
            copied |= 1u << i;
        }
    }
    if (hole >= 0 && zero) return born__infer_fail(f, BORN_INVALID, "-1 beside a 0 that means 0");
    if (hole >= 0) BORN_TRY(fill_hole(f, dim, (int)n, hole, copied));
    if (!born__shape_count(dim, (int)n, &count) || count != born__view_count(x)) {
        char text[96];
        return born__infer_fail(f, BORN_SHAPE, "x %s has not as many elements as %s", born__infer_shape(f, 0),
                                born__shape_text(dim, (int)n, text, sizeof text));
    }
    return show_reshaped(f, (int)n, dim);
}

born_status born__shape_flatten(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t axis = BORN_ATTRS_OF(flatten, f)->axis, dim[2] = { 1, 1 };
    if (axis < -x->rank || axis > x->rank)
        return born__infer_fail(f, BORN_RANGE, "axis %lld is outside rank %d", (long long)axis, x->rank);
    if (axis < 0) axis += x->rank;
    for (int i = 0; i < x->rank; i++)
        if (!born__mul_i64(dim[i >= axis], x->dim[i], &dim[i >= axis]))
            return born__infer_fail(f, BORN_RANGE, "x %s is too large", born__infer_shape(f, 0));
    return show_reshaped(f, 2, dim);
}

/* Operand 1 as axes of a tensor of `rank` dims. */
static born_status host_axes(born_infer *f, int64_t *n, int rank, uint32_t *mask)
{
    int64_t axes[BORN_MAX_RANK];
    BORN_TRY(born__host_i64(f, 1, axes, BORN_MAX_RANK, n));
    return born__axes(f, axes, *n, rank, mask);
}

born_status born__shape_squeeze(born_infer *f)
{
    const born_view *x = &f->in[0];
    uint32_t drop = 0;
    int64_t dim[BORN_MAX_RANK], n;
    int rank = 0;
    bool all = !born__infer_has(f, 1);
    if (!all) BORN_TRY(host_axes(f, &n, x->rank, &drop));
    for (int i = 0; i < x->rank; i++) {
        if (all && x->dim[i] == 1) continue;
        if (!(drop >> i & 1u)) dim[rank++] = x->dim[i];
        else if (x->dim[i] != 1)
            return born__infer_fail(f, BORN_SHAPE, "dim %d of x %s is not 1", i, born__infer_shape(f, 0));
    }
    return show_reshaped(f, rank, dim);
}

born_status born__shape_unsqueeze(born_infer *f)
{
    const born_view *x = &f->in[0];
    uint32_t put = 0;
    int64_t dim[BORN_MAX_RANK], axes[BORN_MAX_RANK], n;
    BORN_TRY(born__host_i64(f, 1, axes, BORN_MAX_RANK, &n));
    int rank = x->rank + (int)n;
    if (rank > BORN_MAX_RANK)
        return born__infer_fail(f, BORN_SHAPE, "x %s and %d axes make rank %d", born__infer_shape(f, 0), (int)n, rank);
    BORN_TRY(born__axes(f, axes, n, rank, &put));
    for (int i = 0, from = 0; i < rank; i++) dim[i] = put >> i & 1u ? 1 : x->dim[from++];
    return show_reshaped(f, rank, dim);
}

/* x with its dims permuted. */
static born_status permuted(born_infer *f, born_view *v)
{
    const born_view *x = &f->in[0];
    const born_ints *perm = &BORN_ATTRS_OF(transpose, f)->perm;
    uint32_t seen = 0;
    if (perm->count != 0 && perm->count != x->rank)
        return born__infer_fail(f, BORN_SHAPE, "perm has %lld numbers for x %s", (long long)perm->count,
                                born__infer_shape(f, 0));
    if (perm->count) BORN_TRY(born__axes(f, perm->v, perm->count, x->rank, &seen));
    *v = *x;
    for (int i = 0; i < x->rank; i++) {
        int64_t from = perm->count ? perm->v[i] : x->rank - 1 - i;
        if (from < 0) from += x->rank;
        v->dim[i] = x->dim[from];
        v->stride[i] = x->stride[from];
    }
    return BORN_OK;
}

/* out[0] becomes the view v of x. */
static void show_view(born_infer *f, const born_view *v, int64_t offset_bytes)
{
    born__out_set(f, 0, v->dtype, v->rank, v->dim);
    if (f->out_count < 1) return;
    memcpy(f->out[0].stride, v->stride, sizeof v->stride);
    f->out[0].offset = offset_bytes;
    f->shares = true;
}

static bool same_dims(const born_view *a, const born_view *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

/* The rule of a view op, run again by its kernel: the operands could have changed since. */
static born_status copy_shown(born_call *c, const born_exec *x, born_status st, const born_view *v)
{
    if (st != BORN_OK) return st;
    BORN_FAIL_IF(!same_dims(v, &c->out[0]), x->err, BORN_STATE, "%s: the result was made for another shape",
                 c->op->name);
    born__copy_view(&c->out[0], v, x->pool);
    return BORN_OK;
}

born_status born__shape_transpose(born_infer *f)
{
    born_view v;
    BORN_TRY(permuted(f, &v));
    show_view(f, &v, 0);
    return BORN_OK;
}

born_status born__ref_transpose(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    born_view v;
    return copy_shown(c, x, permuted(&f, &v), &v);
}

born_status born__shape_expand(born_infer *f)
{
    born_view to = f->in[0];
    int64_t dim[BORN_MAX_RANK], n;
    BORN_TRY(born__host_i64(f, 1, dim, BORN_MAX_RANK, &n));
    for (int i = 0; i < (int)n; i++)
        if (dim[i] < 0) return born__infer_fail(f, BORN_INVALID, "dim %d is %lld", i, (long long)dim[i]);
    if (!born__broadcast(to.dim, &to.rank, dim, (int)n)) {
        char text[96];
        return born__infer_fail(f, BORN_SHAPE, "x %s and shape %s do not broadcast", born__infer_shape(f, 0),
                                born__shape_text(dim, (int)n, text, sizeof text));
    }
    born_view v = born__view_expand(&f->in[0], &to);
    show_view(f, &v, 0);
    return BORN_OK;
}

born_status born__ref_expand(born_call *c, const born_exec *x)
{
    int64_t dim[BORN_MAX_RANK];
    int rank = c->out[0].rank;
    memcpy(dim, c->out[0].dim, sizeof dim);
    born_view v = c->out[0];
    bool fits = born__broadcast(dim, &rank, c->in[0].dim, c->in[0].rank);
    if (fits) {
        memcpy(v.dim, dim, sizeof dim);
        v.rank = rank;
        fits = same_dims(&v, &c->out[0]);
    }
    BORN_FAIL_IF(!fits, x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    v = born__view_expand(&c->in[0], &c->out[0]);
    born__copy_view(&c->out[0], &v, x->pool);
    return BORN_OK;
}

/* start:end:step over n elements as python takes it: the first index and how many there are. */
static int64_t slice_count(int64_t n, int64_t start, int64_t end, int64_t step, int64_t *first)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    if (start < 0) start += n;
    if (end < 0) end += n;
    start = start < low ? low : start > high ? high : start;
    end = end < low ? low : end > high ? high : end;
    int64_t span = step > 0 ? end - start : start - end;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    *first = 0;
    if (span <= 0) return 0;
    *first = start;
    return (int64_t)((uint64_t)(span - 1) / stride) + 1;
}

enum { STARTS, ENDS, AXES, STEPS, SLICE_LISTS };

/* Host operands `at`.. are starts, ends, axes, steps; the last two may be absent. */
static born_status read_slice(born_infer *f, int at, int64_t list[SLICE_LISTS][BORN_MAX_RANK], int64_t *count)
{
    int rank = f->in[0].rank;
    *count = 0;
    for (int k = 0; k < SLICE_LISTS; k++) {
        int64_t n = *count;
        for (int i = 0; i < BORN_MAX_RANK; i++) list[k][i] = k == AXES ? i : 1;
        if (k <= ENDS || born__infer_has(f, at + k)) BORN_TRY(born__host_i64(f, at + k, list[k], rank, &n));
        if (k == STARTS) *count = n;
        if (n != *count)
            return born__infer_fail(f, BORN_SHAPE, "%lld starts, but %lld ends, axes or steps", (long long)*count,
                                    (long long)n);
    }
    uint32_t mask;
    return born__axes(f, list[AXES], *count, rank, &mask);
}

born_status born__sliced(born_infer *f, int at, born_view *v, int64_t *offset_bytes)
{
    const born_view *x = &f->in[0];
    int64_t list[SLICE_LISTS][BORN_MAX_RANK], n;
    BORN_TRY(read_slice(f, at, list, &n));
    *v = *x;
    *offset_bytes = 0;
    for (int i = 0; i < (int)n; i++) {
        int64_t a = list[AXES][i] < 0 ? list[AXES][i] + x->rank : list[AXES][i], step = list[STEPS][i], first;
        if (step == 0) return born__infer_fail(f, BORN_INVALID, "the step of axis %lld is 0", (long long)a);
        v->dim[a] = slice_count(x->dim[a], list[STARTS][i], list[ENDS][i], step, &first);
        if (v->dim[a] > 1) v->stride[a] = x->stride[a] * step;
        *offset_bytes += first * x->stride[a] * born__elem_size(x);
    }
    if (born__view_count(v) == 0) *offset_bytes = 0;
    return BORN_OK;
}

born_status born__shape_slice(born_infer *f)
{
    born_view v;
    int64_t offset;
    BORN_TRY(born__sliced(f, 1, &v, &offset));
    show_view(f, &v, offset);
    return BORN_OK;
}

born_status born__ref_slice(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    born_view v = c->in[0];
    int64_t offset = 0;
    born_status st = born__sliced(&f, 1, &v, &offset);
    v.data += offset;
    return copy_shown(c, x, st, &v);
}

born_status born__shape_slice_scatter(born_infer *f)
{
    born_view v;
    int64_t offset;
    BORN_TRY(born__sliced(f, 2, &v, &offset));
    if (!same_dims(&v, &f->in[1]))
        return born__infer_fail(f, BORN_SHAPE, "the slice is %s, the source %s",
                                born__shape_text(v.dim, v.rank, (char[96]){ 0 }, 96), born__infer_shape(f, 1));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

born_status born__ref_slice_scatter(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    born_view in[6] = { c->out[0] }, v;         /* the slice is one of the result */
    int64_t offset;
    for (int i = 2; i < c->in_count; i++) in[i] = c->in[i];
    f.in = in;
    BORN_TRY(born__sliced(&f, 2, &v, &offset));
    BORN_FAIL_IF(!same_dims(&v, &c->in[1]), x->err, BORN_STATE, "%s: the result was made for another shape",
                 c->op->name);
    born__copy_view(&c->out[0], &c->in[0], x->pool);
    v.data += offset;
    born__copy_view(&v, &c->in[1], x->pool);
    return BORN_OK;
}
