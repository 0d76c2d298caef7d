/* Gradients of reading and writing at indices: what was read at an index gets its gradient added there, in order of
   the indices; what was written over gets none. Both are rows again, so gradients of gradients follow. */
#include "ops/emit_help.h"

enum { NONE, ADD, MULTIPLY, LARGEST, SMALLEST };    /* of the attributes named `reduction` */

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }
static born_val sel(born_emit *e, born_val c, born_val a, born_val b)
{
    return born__emit_three(e, BORN_OP_WHERE, c, a, b);
}

void born__grad_gather(born_emit *e, const born_grad *g)
{
    born_view x;
    int64_t axis = BORN_ATTRS_OF(gather, g)->axis;
    if (born__emit_sizes(e, g->in[0], &x))
        g->gin[0] = born__emit_ungather(e, g->gout[0], &x, g->in[1], (int)(axis < 0 ? axis + x.rank : axis));
}

void born__grad_gather_elements(born_emit *e, const born_grad *g)
{
    const born_scatter_elements_attrs a = { .axis = BORN_ATTRS_OF(gather, g)->axis, .reduction = ADD };
    const born_val in[3] = { born__emit_zeros_like(e, g->in[0]), g->in[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, &a, in, 3);
}

/* The product of dims [from, to). */
static int64_t dims(const born_view *v, int from, int to)
{
    int64_t n = 1;
    for (int d = from; d < to; d++) n *= v->dim[d];
    return n;
}

/* With batch_dims, the batch's number goes in front of each tuple, and x's batch dims are joined to one. */
static void gather_nd_batched(born_emit *e, const born_grad *g, int batch)
{
    born_view x, ix;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->in[1], &ix)) return;
    int depth = (int)ix.dim[ix.rank - 1], rest = x.rank - batch;
    int64_t n = dims(&x, 0, batch), per = dims(&ix, batch, ix.rank - 1), to[BORN_MAX_RANK], from[BORN_MAX_RANK];
    if (rest >= BORN_MAX_RANK || e->err.status) return;
    const born_val count[3] = { e->scalar(e, BORN_I64, 0), e->scalar(e, BORN_I64, (double)n),
                                e->scalar(e, BORN_I64, 1) };
    born_val row = born__emit1(e, BORN_OP_RANGE, NULL, count, 3);
    row = born__emit_expand(e, born__emit_reshape(e, row, (int64_t[]){ n, 1, 1 }, 3), (int64_t[]){ n, per, 1 }, 3);
    born_val tuple = born__emit_cast(e, born__emit_reshape(e, g->in[1], (int64_t[]){ n, per, depth }, 3), BORN_I64);
    born_val index = born__emit_joined(e, (born_val[]){ row, tuple }, 2, 2);
    to[0] = n;
    for (int d = 0; d < rest; d++) to[d + 1] = x.dim[batch + d];
    from[0] = n;
    from[1] = per;
    for (int d = depth; d < rest; d++) from[2 + d - depth] = x.dim[batch + d];
    const born_val in[3] = { born__emit_filled(e, x.dtype, 0, to, rest + 1), index,
                             born__emit_reshape(e, g->gout[0], from, 2 + rest - depth) };
    const born_scatter_nd_attrs a = { .reduction = ADD };
    g->gin[0] = born__emit_shaped_like(e, born__emit1(e, BORN_OP_SCATTER_ND, &a, in, 3), g->in[0]);
}

void born__grad_gather_nd(born_emit *e, const born_grad *g)
{
    int batch = (int)BORN_ATTRS_OF(gather_nd, g)->batch_dims;
    if (batch > 0) {
        gather_nd_batched(e, g, batch);
        return;
    }
    const born_scatter_nd_attrs a = { .reduction = ADD };
    const born_val in[3] = { born__emit_zeros_like(e, g->in[0]), g->in[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ND, &a, in, 3);
}

/* ---- scatters -------------------------------------------------------------------------------------------------- */

/* A scatter and the gather that reads where it wrote. */
typedef struct scattered {
    born_emit *e;
    born_val index;
    bool nd;
    int64_t axis;
} scattered;

static born_val scatter(const scattered *s, born_val into, born_val updates, int reduction)
{
    const born_scatter_nd_attrs nd = { .reduction = reduction };
    const born_scatter_elements_attrs el = { .axis = s->axis, .reduction = reduction };
    const born_val in[3] = { into, s->index, updates };
    if (!into || !updates) return 0;
    return s->nd ? born__emit1(s->e, BORN_OP_SCATTER_ND, &nd, in, 3)
                 : born__emit1(s->e, BORN_OP_SCATTER_ELEMENTS, &el, in, 3);
}

static born_val gather(const scattered *s, born_val from)
{
    const born_gather_attrs el = { .axis = s->axis };
    const born_val in[2] = { from, s->index };
    if (!from) return 0;
    return s->nd ? born__emit1(s->e, BORN_OP_GATHER_ND, NULL, in, 2)
                 : born__emit1(s->e, BORN_OP_GATHER_ELEMENTS, &el, in, 2);
}

/* Products. A factor's gradient is the result over the factor; a single 0 among an element's factors is taken as 1
   instead, and two leave nothing. */
static void grad_product(const scattered *s, const born_grad *g)
{
    born_emit *e = s->e;
    born_val x = g->in[0], u = g->in[2], zero = born__emit_const(e, x, 0), one = born__emit_const(e, x, 1);
    born_val x0 = two(e, BORN_OP_EQ, x, zero), u0 = two(e, BORN_OP_EQ, u, zero);
    if (born__grad_wants(g, 0)) {
        born_val safe = sel(e, x0, one, x);
        born_val others = two(e, BORN_OP_DIV, scatter(s, safe, u, MULTIPLY), safe);
        g->gin[0] = two(e, BORN_OP_MUL, g->gout[0], others);
    }
    if (!born__grad_wants(g, 2)) return;
    born_val zeros = scatter(s, sel(e, x0, one, zero), sel(e, u0, one, zero), ADD);
    born_val alone = two(e, BORN_OP_LOGICAL_AND, u0, two(e, BORN_OP_EQ, gather(s, zeros), one));
    born_val without = gather(s, two(e, BORN_OP_MUL, g->gout[0], scatter(s, x, sel(e, alone, one, u), MULTIPLY)));
    born_val with = gather(s, two(e, BORN_OP_MUL, g->gout[0], g->out[0]));
    g->gin[2] = sel(e, alone, without, two(e, BORN_OP_DIV, with, sel(e, u0, one, u)));
}

/* Largest and smallest: shared evenly among all that equal the result. */
static void grad_extreme(const scattered *s, const born_grad *g)
{
    born_emit *e = s->e;
    born_val zero = born__emit_const(e, g->in[0], 0), one = born__emit_const(e, g->in[0], 1);
    born_val x_is = sel(e, two(e, BORN_OP_EQ, g->in[0], g->out[0]), one, zero);
    born_val u_is = sel(e, two(e, BORN_OP_EQ, g->in[2], gather(s, g->out[0])), one, zero);
    born_val winners = scatter(s, x_is, u_is, ADD);
    born_val share = two(e, BORN_OP_DIV, g->gout[0], sel(e, two(e, BORN_OP_EQ, winners, zero), one, winners));
    if (born__grad_wants(g, 0)) g->gin[0] = two(e, BORN_OP_MUL, x_is, share);
    if (born__grad_wants(g, 2)) g->gin[2] = two(e, BORN_OP_MUL, u_is, gather(s, share));
}

/* Where an index comes twice with reduction none, the last one wins and every one gets the gradient, as in PyTorch. */
static void grad_scatter(const scattered *s, const born_grad *g, int reduction)
{
    if (reduction == MULTIPLY) grad_product(s, g);
    else if (reduction > MULTIPLY) grad_extreme(s, g);
    else {
        if (born__grad_wants(g, 2)) g->gin[2] = gather(s, g->gout[0]);
        if (!born__grad_wants(g, 0)) return;
        g->gin[0] = reduction == ADD ? g->gout[0]
                                     : scatter(s, g->gout[0], born__emit_zeros_like(s->e, g->in[2]), NONE);
    }
}

void born__grad_scatter_elements(born_emit *e, const born_grad *g)
{
    const born_scatter_elements_attrs *a = BORN_ATTRS_OF(scatter_elements, g);
    grad_scatter(&(scattered){ e, g->in[1], false, a->axis }, g, a->reduction);
}

void born__grad_scatter_nd(born_emit *e, const born_grad *g)
{
    grad_scatter(&(scattered){ e, g->in[1], true, 0 }, g, BORN_ATTRS_OF(scatter_nd, g)->reduction);
}

/* The positions along `axis` that tensor_scatter wrote for each batch, broadcast to the updates: [B, ..n.., ...]. */
static born_val written(born_emit *e, const born_grad *g, int axis, const born_view *u, const born_view *x)
{
    int64_t along[BORN_MAX_RANK], batch[BORN_MAX_RANK];
    for (int d = 0; d < u->rank; d++) {
        along[d] = d == axis ? u->dim[d] : 1;
        batch[d] = d == 0 ? u->dim[0] : 1;
    }
    if (e->err.status) return 0;
    const born_val range[3] = { e->scalar(e, BORN_I64, 0), e->scalar(e, BORN_I64, (double)u->dim[axis]),
                                e->scalar(e, BORN_I64, 1) };
    born_val at = born__emit_reshape(e, born__emit1(e, BORN_OP_RANGE, NULL, range, 3), along, u->rank);
    if (born__grad_in(g, 2)) at = two(e, BORN_OP_ADD, at, born__emit_reshape(e, g->in[2], batch, u->rank));
    at = two(e, BORN_OP_MOD, at, e->scalar(e, BORN_I64, (double)x->dim[axis]));
    return born__emit_expand(e, at, u->dim, u->rank);
}

void born__grad_tensor_scatter(born_emit *e, const born_grad *g)
{
    born_view x, u;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->in[1], &u)) return;
    int64_t axis = BORN_ATTRS_OF(tensor_scatter, g)->axis;
    if (axis < 0) axis += x.rank;
    const scattered s = { e, written(e, g, (int)axis, &u, &x), false, axis };
    if (born__grad_wants(g, 0)) g->gin[0] = scatter(&s, g->gout[0], born__emit_zeros_like(e, g->in[1]), NONE);
    if (born__grad_wants(g, 1)) g->gin[1] = gather(&s, g->gout[0]);
}

/* ---- choices --------------------------------------------------------------------------------------------------- */

void born__grad_compress(born_emit *e, const born_grad *g)
{
    born_view x;
    int64_t axis = BORN_ATTRS_OF(compress, g)->axis, n;
    born_val found = born__emit_one(e, BORN_OP_NONZERO, g->in[1]);
    if (!found || !born__emit_sizes(e, g->in[0], &x)) return;
    n = e->meta(e, found)->dim[1];
    found = born__emit_reshape(e, found, &n, 1);
    if (axis == INT64_MIN) {                    /* over the elements in row-major order */
        x.dim[0] = born__view_count(&x);
        x.rank = 1;
        axis = 0;
    } else if (axis < 0) axis += x.rank;
    born_val v = born__emit_ungather(e, g->gout[0], &x, found, (int)axis);
    g->gin[0] = born__emit_shaped_like(e, v, g->in[0]);
}

/* The indices are asked for again where they have died. */
void born__grad_topk(born_emit *e, const born_grad *g)
{
    if (!g->gout[0] || e->err.status) return;
    born_val again[2] = { 0, g->out[1] };
    if (!again[1] && e->call(e, BORN_OP_TOPK, g->attrs, g->in, 2, again, 2)) return;
    const born_scatter_elements_attrs a = { .axis = BORN_ATTRS_OF(topk, g)->axis };
    const born_val in[3] = { born__emit_zeros_like(e, g->in[0]), again[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, &a, in, 3);
}
