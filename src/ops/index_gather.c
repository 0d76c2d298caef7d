/* Reading at indices: gather, gather_elements, gather_nd. Indices are checked first, then slices are copied, cut over
   the result. */
#include "ops/copy_view.h"
#include "ops/index_ops.h"
#include "ops/ref.h"

born_status born__indices_check(const born_call *c, const born_exec *x, const born_indices *ix, const int64_t *bound,
                                int64_t bounds)
{
    for (int64_t i = 0, k = 0; i < ix->count; i++) {
        int64_t v = born__index_raw(ix, i);
        BORN_FAIL_IF(v < -bound[k] || v >= bound[k], x->err, BORN_RANGE,
                     "%s: index %lld at %lld is outside [-%lld, %lld)", c->op->name, (long long)v, (long long)i,
                     (long long)bound[k], (long long)bound[k]);
        if (++k == bounds) k = 0;
    }
    return BORN_OK;
}

bool born__step_over(const born_view *v, int from, int n, int64_t *step)
{
    born_view part = { .dtype = v->dtype, .rank = n };
    int64_t count = 1;
    for (int d = 0; d < n; d++) {
        part.dim[d] = v->dim[from + d];
        part.stride[d] = v->stride[from + d];
        count *= part.dim[d];
    }
    return born__view_reshape(&part, 1, &count, step);
}

/* ---- gather ---- */

born_status born__shape_gather(born_infer *f)
{
    const born_view *x = &f->in[0], *ix = &f->in[1];
    int axis = 0, rank = x->rank - 1 + ix->rank;
    int64_t dim[2 * BORN_MAX_RANK];
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(gather, f)->axis, x->rank, &axis));
    if (rank > BORN_MAX_RANK)
        return born__infer_fail(f, BORN_SHAPE, "x %s and indices %s make rank %d", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), rank);
    for (int i = 0; i < axis; i++) dim[i] = x->dim[i];
    for (int i = 0; i < ix->rank; i++) dim[axis + i] = ix->dim[i];
    for (int i = axis + 1; i < x->rank; i++) dim[ix->rank + i - 1] = x->dim[i];
    born__out_set(f, 0, x->dtype, rank, dim);
    return BORN_OK;
}

typedef struct gather_job {
    const born_view *in, *out;
    born_indices ix;
    born_copy_plan slice;
    int axis;
    bool stepped;           /* the result's index dims are crossed by one step */
    int64_t step;
} gather_job;

static void copy_slice(const born_copy_plan *p, char *dst, const char *src)
{
    if (p->kind != BORN_COPY_ROWS || p->rank != 0) born__copy_run(p, dst, src);
    else if (p->bytes == 4) memcpy(dst, src, 4);
    else if (p->bytes == 8) memcpy(dst, src, 8);
    else memcpy(dst, src, (size_t)p->bytes);
}

/* Slices [begin, end): number = (position in the dims before axis) * indices + index. */
static void gather_slices(void *ctx, int64_t begin, int64_t end)
{
    const gather_job *j = ctx;
    const born_view *in = j->in, *out = j->out, *ix = j->ix.v;
    int64_t size = born__elem_size(in), n = j->ix.count, at = -1, bound = in->dim[j->axis];
    const char *src = NULL;
    char *dst = NULL;
    for (int64_t u = begin; u < end; u++) {
        int64_t i = u % n;
        if (u / n != at) {
            at = u / n;
            src = in->data + born__offset_of(in->dim, in->stride, j->axis, at) * size;
            dst = out->data + born__offset_of(out->dim, out->stride, j->axis, at) * size;
        }
        int64_t to = j->stepped ? i * j->step : born__offset_of(ix->dim, out->stride + j->axis, ix->rank, i);
        copy_slice(&j->slice, dst + to * size,
                   src + born__index_at(&j->ix, i, bound) * in->stride[j->axis] * size);
    }
}

static int64_t grain_of(const born_copy_plan *p)
{
    int64_t bytes = p->kind == BORN_COPY_ROWS ? p->bytes : p->size * p->inner;
    if (p->kind == BORN_COPY_TILES) bytes *= p->tile;
    bytes = bytes > 65536 / p->outer ? 65536 : bytes * p->outer;
    return 1 + 65536 / (bytes + 16);
}

born_status born__ref_gather(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *out = &c->out[0];
    int64_t axis = BORN_ATTRS_OF(gather, c)->axis, before = 1;
    if (axis < 0) axis += in->rank;
    gather_job j = { .in = in, .out = out, .ix = born__indices(&c->in[1]), .axis = (int)axis };
    BORN_TRY(born__indices_check(c, x, &j.ix, &in->dim[axis], 1));
    if (born__view_count(out) == 0) return BORN_OK;
    int after = in->rank - j.axis - 1;
    born__copy_plan(&j.slice, after, in->dim + axis + 1, out->stride + out->rank - after, in->stride + axis + 1,
                    born__elem_size(in));
    j.stepped = born__step_over(out, j.axis, j.ix.v->rank, &j.step);
    for (int d = 0; d < j.axis; d++) before *= in->dim[d];
    born__exec_for(x, before * j.ix.count, grain_of(&j.slice), gather_slices, &j);
    return BORN_OK;
}

/* ---- gather_elements ---- */

born_status born__shape_gather_elements(born_infer *f)
{
    const born_view *x = &f->in[0], *ix = &f->in[1];
    int axis = 0;
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(gather, f)->axis, x->rank, &axis));
    bool fits = ix->rank == x->rank;
    for (int d = 0; fits && d < x->rank; d++) fits = d == axis || ix->dim[d] <= x->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "indices %s do not fit x %s", born__infer_shape(f, 1),
                                born__infer_shape(f, 0));
    born__out_set(f, 0, x->dtype, ix->rank, ix->dim);
    return BORN_OK;
}

typedef struct elements_job { const born_view *in, *out; born_indices ix; int axis; } elements_job;

/* Rows [begin, end) of the last dim. */
static void gather_rows(void *ctx, int64_t begin, int64_t end)
{
    const elements_job *j = ctx;
    const born_view *in = j->in, *out = j->out;
    int last = in->rank - 1, size = born__elem_size(in);
    int64_t n = out->dim[last], bound = in->dim[j->axis], still[BORN_MAX_RANK];
    memcpy(still, in->stride, sizeof still);
    still[j->axis] = 0;                         /* the index gives the place along the axis */
    for (int64_t r = begin; r < end; r++) {
        const char *src = in->data + born__offset_of(out->dim, still, last, r) * size;
        char *dst = out->data + born__offset_of(out->dim, out->stride, last, r) * size;
        for (int64_t i = 0; i < n; i++) {
            int64_t from = born__index_at(&j->ix, r * n + i, bound) * in->stride[j->axis] + i * still[last];
            memcpy(dst + i * out->stride[last] * size, src + from * size, (size_t)size);
        }
    }
}

born_status born__ref_gather_elements(born_call *c, const born_exec *x)
{
    int64_t axis = BORN_ATTRS_OF(gather, c)->axis;
    if (axis < 0) axis += c->in[0].rank;
    elements_job j = { &c->in[0], &c->out[0], born__indices(&c->in[1]), (int)axis };
    BORN_TRY(born__indices_check(c, x, &j.ix, &c->in[0].dim[axis], 1));
    if (j.ix.count == 0) return BORN_OK;
    int64_t n = c->out[0].dim[c->out[0].rank - 1];
    born__exec_for(x, j.ix.count / n, 1 + 4096 / n, gather_rows, &j);
    return BORN_OK;
}

/* ---- gather_nd ---- */

born_status born__shape_gather_nd(born_infer *f)
{
    const born_view *x = &f->in[0], *ix = &f->in[1];
    int64_t batch = BORN_ATTRS_OF(gather_nd, f)->batch_dims, dim[2 * BORN_MAX_RANK];
    bool fits = x->rank >= 1 && ix->rank >= 1 && batch < ix->rank && batch < x->rank;
    for (int i = 0; fits && i < (int)batch; i++) fits = x->dim[i] == ix->dim[i];
    int64_t depth = fits ? ix->dim[ix->rank - 1] : 0;
    if (!fits || depth > x->rank - batch)
        return born__infer_fail(f, BORN_SHAPE, "indices %s do not fit x %s with %lld batch dims",
                                born__infer_shape(f, 1), born__infer_shape(f, 0), (long long)batch);
    int rank = ix->rank - 1, from = (int)(batch + depth);
    if (rank + x->rank - from > BORN_MAX_RANK)
        return born__infer_fail(f, BORN_SHAPE, "x %s and indices %s make rank %d", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), rank + x->rank - from);
    for (int i = 0; i < rank; i++) dim[i] = ix->dim[i];
    for (int i = from; i < x->rank; i++) dim[rank++] = x->dim[i];
    born__out_set(f, 0, x->dtype, rank, dim);
    return BORN_OK;
}

typedef struct tuples_job {
    const born_view *in, *out;
    born_indices ix;
    born_copy_plan slice;
    int batch, depth, tuple_rank;
} tuples_job;

/* Tuples [begin, end). */
static void gather_tuples(void *ctx, int64_t begin, int64_t end)
{
    const tuples_job *j = ctx;
    const born_view *in = j->in, *out = j->out;
    int64_t size = born__elem_size(in), per_batch = 1;
    for (int d = j->batch; d < j->tuple_rank; d++) per_batch *= j->ix.v->dim[d];
    for (int64_t t = begin; t < end; t++) {
        int64_t from = born__offset_of(in->dim, in->stride, j->batch, t / per_batch);
        for (int d = 0; d < j->depth; d++) {
            int axis = j->batch + d;
            from += born__index_at(&j->ix, t * j->depth + d, in->dim[axis]) * in->stride[axis];
        }
        int64_t to = born__offset_of(out->dim, out->stride, j->tuple_rank, t);
        copy_slice(&j->slice, out->data + to * size, in->data + from * size);
    }
}

born_status born__ref_gather_nd(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *out = &c->out[0], *ix = &c->in[1];
    tuples_job j = { .in = in, .out = out, .ix = born__indices(ix), .tuple_rank = ix->rank - 1,
                     .batch = (int)BORN_ATTRS_OF(gather_nd, c)->batch_dims, .depth = (int)ix->dim[ix->rank - 1] };
    int from = j.batch + j.depth;
    BORN_TRY(born__indices_check(c, x, &j.ix, in->dim + j.batch, j.depth > 0 ? j.depth : 1));
    if (born__view_count(out) == 0) return BORN_OK;
    born__copy_plan(&j.slice, in->rank - from, in->dim + from, out->stride + j.tuple_rank, in->stride + from,
                    born__elem_size(in));
    int64_t tuples = 1;
    for (int d = 0; d < j.tuple_rank; d++) tuples *= ix->dim[d];
    born__exec_for(x, tuples, grain_of(&j.slice), gather_tuples, &j);
    return BORN_OK;
}
