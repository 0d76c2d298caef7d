/* Gradients of what normalises along one axis: softmax, log_softmax, lp_norm, and of lrn. Built from plain ops. */
#include "ops/emit_help.h"

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }
static born_val times(born_emit *e, born_val a, born_val b) { return two(e, BORN_OP_MUL, a, b); }

/* The sum along the axis, of size 1 there; rank 0 is its own sum. */
static born_val axis_sum(born_emit *e, born_val v, int64_t axis)
{
    if (!v || e->err.status) return 0;
    int rank = e->meta(e, v)->rank;
    return born__emit_reduce(e, BORN_OP_REDUCE_SUM, v, rank ? 1u << (axis < 0 ? axis + rank : axis) : 0);
}

/* y (g - sum(g y)) */
void born__grad_softmax(born_emit *e, const born_grad *g)
{
    born_val y = g->out[0], out = g->gout[0], sum = axis_sum(e, times(e, out, y), BORN_ATTRS_OF(softmax, g)->axis);
    g->gin[0] = times(e, two(e, BORN_OP_SUB, out, sum), y);
}

/* g - softmax(x) sum(g) */
void born__grad_log_softmax(born_emit *e, const born_grad *g)
{
    born_val sum = axis_sum(e, g->gout[0], BORN_ATTRS_OF(softmax, g)->axis);
    g->gin[0] = two(e, BORN_OP_SUB, g->gout[0], times(e, born__emit_one(e, BORN_OP_EXP, g->out[0]), sum));
}

/* With y = x / n: (g - s sum(g y)) / n, s = sign(x) for L1 and y for L2; 0 where n is 0. */
void born__grad_lp_norm(born_emit *e, const born_grad *g)
{
    const born_lp_norm_attrs *a = BORN_ATTRS_OF(lp_norm, g);
    born_val x = g->in[0], y = g->out[0], out = g->gout[0], zero = born__emit_const(e, x, 0);
    born_val size = axis_sum(e, a->p == 1 ? born__emit_one(e, BORN_OP_ABS, x) : times(e, x, x), a->axis);
    born_val none = two(e, BORN_OP_EQ, size, zero);
    size = born__emit_three(e, BORN_OP_WHERE, none, born__emit_const(e, x, 1), size);
    if (a->p == 2) size = born__emit_one(e, BORN_OP_SQRT, size);
    born_val s = a->p == 1 ? born__emit_one(e, BORN_OP_SIGN, x) : y;
    born_val d = two(e, BORN_OP_SUB, out, times(e, s, axis_sum(e, times(e, out, y), a->axis)));
    g->gin[0] = born__emit_three(e, BORN_OP_WHERE, none, zero, two(e, BORN_OP_DIV, d, size));
}

/* Means over `before` and `after` neighbours along the middle axis of v [N, 1, C, L]; outside counts as 0. */
static born_val channel_means(born_emit *e, born_val v, int64_t before, int64_t after)
{
    const int64_t kernel[2] = { before + after + 1, 1 }, pads[4] = { before, 0, after, 0 };
    const born_average_pool_attrs a = { .kernel_shape = { kernel, 2 }, .pads = { pads, 4 }, .count_include_pad = true };
    return v && !e->err.status ? born__emit1(e, BORN_OP_AVERAGE_POOL, &a, &v, 1) : 0;
}

/* y = x d^-beta, d = bias + alpha m(x^2) with m the mean over the channels around (zeros outside). A channel is around
   another as far before as that one is after, so the sum goes back with the sides swapped. */
void born__grad_lrn(born_emit *e, const born_grad *g)
{
    const born_lrn_attrs *a = BORN_ATTRS_OF(lrn, g);
    born_view m;
    int64_t before = (a->size - 1) / 2, after = a->size / 2;
    if (!born__emit_sizes(e, g->in[0], &m)) return;
    int64_t count = born__view_count(&m);
    if (count == 0) {
        g->gin[0] = born__emit_filled_like(e, g->in[0], 0);
        return;
    }
    const int64_t dim[4] = { m.dim[0], 1, m.dim[1], count / m.dim[0] / m.dim[1] };
    born_val x = born__emit_reshape(e, g->in[0], dim, 4), out = born__emit_reshape(e, g->gout[0], dim, 4);
    born_val d = times(e, born__emit_const(e, x, a->alpha), channel_means(e, times(e, x, x), before, after));
    d = two(e, BORN_OP_ADD, d, born__emit_const(e, x, a->bias));
    born_val own = times(e, out, two(e, BORN_OP_POW, d, born__emit_const(e, x, -a->beta)));
    born_val through = times(e, times(e, out, x), two(e, BORN_OP_POW, d, born__emit_const(e, x, -a->beta - 1)));
    through = times(e, times(e, x, channel_means(e, through, after, before)),
                    born__emit_const(e, x, 2 * a->alpha * a->beta));
    g->gin[0] = born__emit_reshape(e, two(e, BORN_OP_SUB, own, through), m.dim, m.rank);
}
