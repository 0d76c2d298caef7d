/* topk: per line a heap of the k best, in the result's own storage, then a heap sort. The order is total (value, then
   index), so the result does not depend on how the work is cut. No scratch. */
#include "ops/ref.h"

typedef struct topk_line {
    const char *in;
    char *value, *index;
    int64_t in_step, value_step, index_step;    /* bytes */
    int64_t n, k;
    bool smallest;
} topk_line;

#define BORN_EACH "ops/index_topk.inc"
#include "ops/each_num.inc"

born_status born__shape_topk(born_infer *f)
{
    const born_view *x = &f->in[0];
    int axis = 0;
    int64_t k = 0, n, dim[BORN_MAX_RANK];
    if (f->out_count != 2) return born__infer_fail(f, BORN_INVALID, "has two results, not %d", f->out_count);
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(topk, f)->axis, x->rank, &axis));
    if (born__view_count(&f->in[1]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "k %s is not one element", born__infer_shape(f, 1));
    BORN_TRY(born__host_i64(f, 1, &k, 1, &n));
    if (k < 0 || k > x->dim[axis])
        return born__infer_fail(f, BORN_RANGE, "k = %lld, and axis %d of x %s is smaller", (long long)k, axis,
                                born__infer_shape(f, 0));
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = k;
    born__out_set(f, 0, x->dtype, x->rank, dim);
    born__out_set(f, 1, BORN_I64, x->rank, dim);
    return BORN_OK;
}

typedef struct topk_job {
    const born_view *in, *value, *index;
    void (*line)(const topk_line *l);
    int axis;
    bool smallest;
} topk_job;

/* Where line number `i` along the axis begins. */
static char *line_at(const born_view *v, int axis, int64_t i)
{
    int64_t at = 0;
    for (int d = v->rank - 1; d >= 0; d--) {
        if (d == axis) continue;
        at += i % v->dim[d] * v->stride[d];
        i /= v->dim[d];
    }
    return v->data + at * born__elem_size(v);
}

static void topk_lines(void *ctx, int64_t begin, int64_t end)
{
    const topk_job *j = ctx;
    int64_t size = born__elem_size(j->in);
    topk_line l = { .n = j->in->dim[j->axis], .k = j->value->dim[j->axis], .smallest = j->smallest,
                    .in_step = j->in->stride[j->axis] * size, .value_step = j->value->stride[j->axis] * size,
                    .index_step = j->index->stride[j->axis] * (int64_t)sizeof(int64_t) };
    for (int64_t i = begin; i < end; i++) {
        l.in = line_at(j->in, j->axis, i);
        l.value = line_at(j->value, j->axis, i);
        l.index = line_at(j->index, j->axis, i);
        j->line(&l);
    }
}

born_status born__ref_topk(born_call *c, const born_exec *x)
{
    const born_topk_attrs *a = BORN_ATTRS_OF(topk, c);
    const born_view *in = &c->in[0];
    topk_job j = { in, &c->out[0], &c->out[1], BORN_PICK_NUM(in->dtype, topk),
                   (int)(a->axis < 0 ? a->axis + in->rank : a->axis), a->smallest };
    if (!j.line) return born__no_body(c, x);
    int64_t total = born__view_count(in), n = in->dim[j.axis];
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    born__exec_for(x, total / n, 1 + 8192 / n, topk_lines, &j);
    return BORN_OK;
}
