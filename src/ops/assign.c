/* assign(state, value): the update in place. Where the state has storage the result is that storage, and the leaf
   counts a new version of it; in a plan the result is a tensor of its own, which whoever ties states may let take the
   place. */
#include "ops/copy_view.h"
#include "ops/emit_help.h"

born_status born__shape_assign(born_infer *f)
{
    const born_view *s = &f->in[0], *v = &f->in[1];
    int64_t dim[BORN_MAX_RANK];
    int rank = s->rank;
    memcpy(dim, s->dim, sizeof dim);
    bool fits = born__broadcast(dim, &rank, v->dim, v->rank) && rank == s->rank;
    for (int d = 0; fits && d < rank; d++) fits = dim[d] == s->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "value %s does not broadcast to %s", born__infer_shape(f, 1),
                                born__infer_shape(f, 0));
    for (int d = 0; d < rank; d++)
        if (s->dim[d] > 1 && s->stride[d] == 0)
            return born__infer_fail(f, BORN_INVALID, "the state %s is broadcast: its elements share storage",
                                    born__infer_shape(f, 0));
    born__out_like(f, 0, s);
    f->shares = s->buffer != NULL;
    if (f->shares && f->out_count > 0) memcpy(f->out[0].stride, s->stride, sizeof s->stride);
    return BORN_OK;
}

/* The value as the state's shape; steps of 0 where it is broadcast. */
static born_view spread(const born_view *v, const born_view *to)
{
    born_view r = *to;
    r.buffer = v->buffer;
    r.data = v->data;
    for (int d = 0; d < to->rank; d++) {
        int from = d - (to->rank - v->rank);
        r.stride[d] = from < 0 || v->dim[from] == 1 ? 0 : v->stride[from];
    }
    return r;
}

static bool same_elements(const born_view *a, const born_view *b)
{
    bool same = a->data == b->data;
    for (int d = 0; same && d < a->rank; d++) same = a->dim[d] <= 1 || a->stride[d] == b->stride[d];
    return same;
}

/* Of a value that lies in the state's own storage, elsewhere: it is copied out first. */
size_t born__scratch_assign(const born_call *c)
{
    const born_view *v = &c->in[1];
    if (!v->buffer || v->buffer != c->in[0].buffer) return 0;
    int64_t bytes = born__view_bytes(v);
    return bytes < 0 ? SIZE_MAX : (size_t)bytes;
}

born_status born__ref_assign(born_call *c, const born_exec *x)
{
    born_view v = c->in[1], all;
    const born_view *y = &c->out[0];
    if (born__view_count(y) == 0) return BORN_OK;
    all = spread(&v, y);
    if (same_elements(&all, y)) return BORN_OK;
    if (born__scratch_assign(c) > 0) {
        born_view out_of_way = v;
        born__view_row_major(&out_of_way);
        out_of_way.data = x->scratch;
        out_of_way.buffer = NULL;
        born__copy_view(&out_of_way, &v, x->pool);
        all = spread(&out_of_way, y);
    }
    born__copy_view(y, &all, x->pool);
    return BORN_OK;
}

/* What was there is gone: the state gets no gradient. */
void born__grad_assign(born_emit *e, const born_grad *g)
{
    if (born__grad_wants(g, 1)) g->gin[1] = born__emit_sum_to(e, g->gout[0], g->in[1]);
}
