/* Writing at indices: scatter_elements, scatter_nd, tensor_scatter. Indices are checked before the result is touched.
   Elements that meet are combined in the order of their indices: work is cut only where targets cannot meet. */
#include "ops/copy_view.h"
#include "ops/index_ops.h"
#include "ops/index_reduce.h"
#include "ops/ref.h"

/* ---- scatter_elements ---- */

born_status born__shape_scatter_elements(born_infer *f)
{
    const born_view *x = &f->in[0], *ix = &f->in[1], *u = &f->in[2];
    int axis = 0;
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(scatter_elements, f)->axis, x->rank, &axis));
    bool fits = ix->rank == x->rank && u->rank == ix->rank;
    for (int d = 0; fits && d < x->rank; d++)
        fits = (d == axis || ix->dim[d] <= x->dim[d]) && u->dim[d] == ix->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "x %s, indices %s and updates %s do not fit", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), born__infer_shape(f, 2));
    born__out_like(f, 0, x);
    return BORN_OK;
}

typedef struct scatter_job {
    const born_view *out, *updates;
    born_indices ix;
    born_reduce_run run;
    int axis;
} scatter_job;

/* Element number `i` of the indices, at `dst` but for its place along the axis. */
static inline void scatter_one(const scatter_job *j, char *dst, const char *src, int64_t i)
{
    int64_t at = born__index_at(&j->ix, i, j->out->dim[j->axis]) * j->out->stride[j->axis];
    j->run(dst + at * born__elem_size(j->out), 0, src, 0, 1);
}

/* Lines [begin, end) along the axis; a line's targets are its own. */
static void scatter_lines(void *ctx, int64_t begin, int64_t end)
{
    const scatter_job *j = ctx;
    const born_view *out = j->out, *u = j->updates;
    int size = born__elem_size(out), rank = u->rank - 1;
    int64_t dim[BORN_MAX_RANK], to[BORN_MAX_RANK], from[BORN_MAX_RANK], number[BORN_MAX_RANK], step = 1;
    int64_t per[BORN_MAX_RANK];
    for (int d = rank; d >= 0; d--) {
        per[d] = step;
        step *= u->dim[d];
    }
    for (int d = 0, k = 0; d <= rank; d++) {    /* all dims but the axis */
        if (d == j->axis) continue;
        dim[k] = u->dim[d];
        to[k] = out->stride[d];
        from[k] = u->stride[d];
        number[k++] = per[d];
    }
    for (int64_t line = begin; line < end; line++) {
        char *dst = out->data + born__offset_of(dim, to, rank, line) * size;
        const char *src = u->data + born__offset_of(dim, from, rank, line) * size;
        int64_t first = born__offset_of(dim, number, rank, line);
        for (int64_t k = 0; k < u->dim[j->axis]; k++)
            scatter_one(j, dst, src + k * u->stride[j->axis] * size, first + k * per[j->axis]);
    }
}

born_status born__ref_scatter_elements(born_call *c, const born_exec *x)
{
    const born_scatter_elements_attrs *a = BORN_ATTRS_OF(scatter_elements, c);
    const born_view *out = &c->out[0];
    int64_t axis = a->axis < 0 ? a->axis + out->rank : a->axis;
    scatter_job j = { out, &c->in[2], born__indices(&c->in[1]),
                      born__reduce_run(out->dtype, (born_reduction)a->reduction), (int)axis };
    if (!j.run) return born__no_body(c, x);
    BORN_TRY(born__indices_check(c, x, &j.ix, &out->dim[axis], 1));
    born__copy_view(out, &c->in[0], x->pool);
    if (j.ix.count == 0) return BORN_OK;
    int64_t n = c->in[2].dim[axis];
    born__exec_for(x, j.ix.count / n, 1 + 4096 / n, scatter_lines, &j);
    return BORN_OK;
}

/* ---- scatter_nd ---- */

born_status born__shape_scatter_nd(born_infer *f)
{
    const born_view *x = &f->in[0], *ix = &f->in[1], *u = &f->in[2];
    bool fits = x->rank >= 1 && ix->rank >= 1;
    int64_t depth = fits ? ix->dim[ix->rank - 1] : 0;
    fits = fits && depth <= x->rank && u->rank == ix->rank - 1 + x->rank - (int)depth;
    for (int d = 0; fits && d < ix->rank - 1; d++) fits = u->dim[d] == ix->dim[d];
    for (int d = (int)depth, k = ix->rank - 1; fits && d < x->rank; d++, k++) fits = u->dim[k] == x->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "x %s, indices %s and updates %s do not fit", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), born__infer_shape(f, 2));
    born__out_like(f, 0, x);
    return BORN_OK;
}

typedef struct scatter_nd_job {
    const born_view *out, *updates;
    born_indices ix;
    born_reduce_run run;
    int depth, tuple_rank, slice_rank;
    int64_t tuples;
} scatter_nd_job;

/* Elements [begin, end) of every slice, tuple after tuple. */
static void scatter_nd_part(void *ctx, int64_t begin, int64_t end)
{
    const scatter_nd_job *j = ctx;
    const born_view *out = j->out, *u = j->updates;
    const int64_t *slice = out->dim + j->depth;
    int64_t size = born__elem_size(out), last = j->slice_rank - 1;
    int64_t row = j->slice_rank ? slice[last] : 1;
    int64_t to_step = j->slice_rank ? out->stride[out->rank - 1] : 0;
    int64_t from_step = j->slice_rank ? u->stride[u->rank - 1] : 0;
    for (int64_t t = 0; t < j->tuples; t++) {
        int64_t to = 0, from = born__offset_of(u->dim, u->stride, j->tuple_rank, t);
        for (int d = 0; d < j->depth; d++)
            to += born__index_at(&j->ix, t * j->depth + d, out->dim[d]) * out->stride[d];
        for (int64_t i = begin; i < end;) {
            int64_t n = row - i % row;
            if (n > end - i) n = end - i;
            int64_t d = to + born__offset_of(slice, out->stride + j->depth, j->slice_rank, i);
            int64_t s = from + born__offset_of(slice, u->stride + j->tuple_rank, j->slice_rank, i);
            j->run(out->data + d * size, to_step * size, u->data + s * size, from_step * size, n);
            i += n;
        }
    }
}

born_status born__ref_scatter_nd(born_call *c, const born_exec *x)
{
    const born_view *out = &c->out[0], *ix = &c->in[1];
    int depth = (int)ix->dim[ix->rank - 1];
    scatter_nd_job j = { .out = out, .updates = &c->in[2], .ix = born__indices(ix), .depth = depth, .tuples = 1,
                         .run = born__reduce_run(out->dtype, (born_reduction)BORN_ATTRS_OF(scatter_nd, c)->reduction),
                         .tuple_rank = ix->rank - 1, .slice_rank = out->rank - depth };
    if (!j.run) return born__no_body(c, x);
    BORN_TRY(born__indices_check(c, x, &j.ix, out->dim, depth > 0 ? depth : 1));
    born__copy_view(out, &c->in[0], x->pool);
    if (born__view_count(&c->in[2]) == 0) return BORN_OK;
    int64_t slice = 1;
    for (int d = 0; d < j.tuple_rank; d++) j.tuples *= ix->dim[d];
    for (int d = depth; d < out->rank; d++) slice *= out->dim[d];
    if (j.tuples * slice < 32768) scatter_nd_part(&j, 0, slice);
    else born__exec_for(x, slice, 64, scatter_nd_part, &j);
    return BORN_OK;
}

/* ---- tensor_scatter ---- */

static born_status cache_axis(born_infer *f, int *axis)
{
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(tensor_scatter, f)->axis, f->in[0].rank, axis));
    if (*axis == 0) return born__infer_fail(f, BORN_INVALID, "axis 0 is the batch");
    return BORN_OK;
}

born_status born__shape_tensor_scatter(born_infer *f)
{
    const born_view *x = &f->in[0], *u = &f->in[1];
    int axis = 0;
    BORN_TRY(cache_axis(f, &axis));
    bool fits = u->rank == x->rank;
    for (int d = 0; fits && d < x->rank; d++) fits = d == axis ? u->dim[d] <= x->dim[d] : u->dim[d] == x->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "updates %s do not fit x %s along axis %d", born__infer_shape(f, 1),
                                born__infer_shape(f, 0), axis);
    if (born__infer_has(f, 2) && (f->in[2].rank != 1 || f->in[2].dim[0] != x->dim[0]))
        return born__infer_fail(f, BORN_SHAPE, "indices %s are not one per batch of x %s", born__infer_shape(f, 2),
                                born__infer_shape(f, 0));
    born__out_like(f, 0, x);
    return BORN_OK;
}

/* Batch b of v (dim 0 becomes 1), positions [at, at + n) along axis. */
static born_view cache_part(const born_view *v, int64_t b, int axis, int64_t at, int64_t n)
{
    born_view p = *v;
    p.dim[0] = 1;
    p.dim[axis] = n;
    p.data += (b * v->stride[0] + at * v->stride[axis]) * born__elem_size(v);
    return p;
}

born_status born__ref_tensor_scatter(born_call *c, const born_exec *x)
{
    const born_view *out = &c->out[0], *u = &c->in[1];
    bool circular = BORN_ATTRS_OF(tensor_scatter, c)->mode == 1;
    int64_t axis = BORN_ATTRS_OF(tensor_scatter, c)->axis;
    if (axis < 0) axis += out->rank;
    int64_t room = out->dim[axis], n = u->dim[axis];
    for (int64_t b = 0; b < out->dim[0]; b++) {
        int64_t at = born__has(c, 2) ? born__at_i64(&c->in[2], b) : 0;
        BORN_FAIL_IF(at < 0 || (!circular && at > room - n), x->err, BORN_RANGE,
                     "%s: index %lld of batch %lld and %lld updates go beyond %lld", c->op->name, (long long)at,
                     (long long)b, (long long)n, (long long)room);
    }
    born__copy_view(out, &c->in[0], x->pool);
    if (n == 0 || born__view_count(out) == 0) return BORN_OK;
    for (int64_t b = 0; b < out->dim[0]; b++) {
        int64_t at = born__has(c, 2) ? born__at_i64(&c->in[2], b) % room : 0;
        int64_t first = n < room - at ? n : room - at;
        born_view dst = cache_part(out, b, (int)axis, at, first), src = cache_part(u, b, (int)axis, 0, first);
        born__copy_view(&dst, &src, x->pool);
        if (first == n) continue;
        dst = cache_part(out, b, (int)axis, 0, n - first);
        src = cache_part(u, b, (int)axis, first, n - first);
        born__copy_view(&dst, &src, x->pool);
    }
    return BORN_OK;
}
