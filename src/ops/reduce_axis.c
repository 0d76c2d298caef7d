/* Reference kernels along one axis: arg_max and arg_min, running sums and products. Lines along the axis are
   independent and run in parallel. */
#include "ops/ref.h"

#define BORN_EACH "ops/reduce_arg.inc"
#include "ops/each_num.inc"

/* A walk over all dims but `axis`: operand 0 the result, operand 1 the input. The result may lack the axis. */
static void lines(born_nd *nd, const born_view *out, const born_view *in, int axis)
{
    int64_t dim[BORN_MAX_RANK], si[BORN_MAX_RANK], so[BORN_MAX_RANK];
    int n = 0, drop = in->rank - out->rank;
    for (int d = 0; d < in->rank; d++) {
        if (d == axis) continue;
        dim[n] = in->dim[d];
        si[n] = in->stride[d];
        so[n++] = out->stride[d > axis ? d - drop : d];
    }
    born__nd_start(nd, dim, n);
    born__nd_add_raw(nd, out->data, so, born__elem_size(out));
    born__nd_add_raw(nd, in->data, si, born__elem_size(in));
    born__nd_merge(nd);
}

/* ---- arg_max, arg_min ---- */

born_status born__shape_arg_reduce(born_infer *f)
{
    const born_arg_reduce_attrs *a = BORN_ATTRS_OF(arg_reduce, f);
    const born_view *v = &f->in[0];
    int axis, rank = 0;
    int64_t dim[BORN_MAX_RANK];
    if (v->rank == 0 && (a->axis == 0 || a->axis == -1)) {
        born__out_set(f, 0, BORN_I64, 0, NULL);
        return BORN_OK;
    }
    BORN_TRY(born__axis(f, a->axis, v->rank, &axis));
    if (v->dim[axis] == 0) return born__infer_fail(f, BORN_SHAPE, "nothing to choose from along axis %d", axis);
    for (int d = 0; d < v->rank; d++) {
        if (d != axis) dim[rank++] = v->dim[d];
        else if (!a->drop_dims) dim[rank++] = 1;
    }
    born__out_set(f, 0, BORN_I64, rank, dim);
    return BORN_OK;
}

typedef struct arg_job {
    int64_t (*fn)(const char *p, int64_t step, int64_t n, bool smallest, bool last);
    int64_t step, n;
    bool smallest, last;
} arg_job;

static void arg_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const arg_job *w = ctx;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = w->fn(p[1] + i * step[1], w->step, w->n, w->smallest, w->last);
        memcpy(p[0] + i * step[0], &at, sizeof at);
    }
}

born_status born__ref_arg_reduce(born_call *c, const born_exec *x)
{
    const born_arg_reduce_attrs *a = BORN_ATTRS_OF(arg_reduce, c);
    const born_view *v = &c->in[0];
    int axis = (int)(a->axis < 0 ? a->axis + v->rank : a->axis);
    arg_job w = { .fn = BORN_PICK_NUM(v->dtype, arg_of), .step = 0, .n = 1,
                  .smallest = c->op->id == BORN_OP_ARG_MIN, .last = a->select_last_index };
    if (!w.fn) return born__no_body(c, x);
    if (v->rank > 0) {
        w.step = v->stride[axis] * born__elem_size(v);
        w.n = v->dim[axis];
    }
    born_nd nd;
    lines(&nd, &c->out[0], v, v->rank > 0 ? axis : -1);
    born__nd_for(&nd, x, 1 + 16384 / w.n, arg_run, &w);
    return BORN_OK;
}

/* ---- cumsum, cumprod ---- */

born_status born__shape_scan_axis(born_infer *f)
{
    int64_t axis, n;
    int a;
    BORN_TRY(born__host_i64(f, 1, &axis, 1, &n));
    if (n != 1) return born__infer_fail(f, BORN_SHAPE, "the axis must be one number, not %lld", (long long)n);
    if (f->in[0].rank > 0) BORN_TRY(born__axis(f, axis, f->in[0].rank, &a));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

typedef struct scan_job {
    void (*fn)(const char *p, int64_t step, char *z, int64_t zstep, int64_t n, bool product, bool exclusive);
    int64_t step, zstep, n;
    bool product, exclusive, reverse;
} scan_job;

static void scan_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const scan_job *w = ctx;
    int64_t end = w->reverse ? w->n - 1 : 0, way = w->reverse ? -1 : 1;
    for (int64_t i = 0; i < n; i++)
        w->fn(p[1] + i * step[1] + end * w->step, way * w->step, p[0] + i * step[0] + end * w->zstep, way * w->zstep,
              w->n, w->product, w->exclusive);
}

born_status born__ref_scan_axis(born_call *c, const born_exec *x)
{
    const born_scan_axis_attrs *a = BORN_ATTRS_OF(scan_axis, c);
    const born_view *v = &c->in[0], *o = &c->out[0];
    scan_job w = { .fn = BORN_PICK_NUM(v->dtype, scan), .n = 1, .product = c->op->id == BORN_OP_CUMPROD,
                   .exclusive = a->exclusive, .reverse = a->reverse };
    if (!w.fn) return born__no_body(c, x);
    int axis = -1;
    if (v->rank > 0) {
        int64_t given = born__at_i64(&c->in[1], 0);
        axis = (int)(given < 0 ? given + v->rank : given);
        BORN_FAIL_IF(given < -v->rank || given >= v->rank, x->err, BORN_RANGE, "%s: axis %lld is outside rank %d",
                     c->op->name, (long long)given, v->rank);
        w.step = v->stride[axis] * born__elem_size(v);
        w.zstep = o->stride[axis] * born__elem_size(o);
        w.n = v->dim[axis];
    }
    if (w.n == 0) return BORN_OK;
    born_nd nd;
    lines(&nd, o, v, axis);
    born__nd_for(&nd, x, 1 + 16384 / w.n, scan_run, &w);
    return BORN_OK;
}
