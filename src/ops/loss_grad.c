/* Gradients of the losses over classes. Where log-probabilities are a result that still lives, they are used again.
   */
#include "ops/emit_help.h"

enum { REDUCE_MEAN, REDUCE_NONE };

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }

/* Targets with ignored ones made 0, and a condition true at those; 0 where none is ignored. */
static born_val safe_targets(born_emit *e, const born_grad *g, born_val *ignored)
{
    int64_t ignore = BORN_ATTRS_OF(loss, g)->ignore_index;
    born_val t = born__emit_cast(e, g->in[1], BORN_I64);
    *ignored = 0;
    if (ignore == INT64_MIN || e->err.status) return t;
    *ignored = two(e, BORN_OP_EQ, t, born__emit_reshape(e, e->ints(e, &ignore, 1), NULL, 0));
    return born__emit_three(e, BORN_OP_WHERE, *ignored, e->scalar(e, BORN_I64, 0), t);
}

/* The weight of each position [N, d...]: its class's, 1 without weights, 0 where it is ignored. */
static born_val position_weights(born_emit *e, const born_grad *g, born_val weights)
{
    born_view t;
    born_val ignored, safe = safe_targets(e, g, &ignored), w;
    born_dtype dtype = e->meta(e, g->in[0])->dtype;
    if (!born__emit_sizes(e, g->in[1], &t)) return 0;
    if (weights) {
        const born_val in[2] = { weights, safe };
        w = born__emit1(e, BORN_OP_GATHER, NULL, in, 2);
    } else {
        w = born__emit_filled(e, dtype, 1, t.dim, t.rank);
    }
    return ignored ? born__emit_three(e, BORN_OP_WHERE, ignored, e->scalar(e, dtype, 0), w) : w;
}

/* What arrived, per position: the mean's gradient is divided by the sum of the weights. */
static born_val position_scale(born_emit *e, const born_grad *g, born_val weights)
{
    born_view t;
    int reduction = BORN_ATTRS_OF(loss, g)->reduction;
    born_val v = g->gout[0];
    if (reduction == REDUCE_NONE || !born__emit_sizes(e, g->in[1], &t)) return v;
    if (reduction == REDUCE_MEAN) {
        const born_reduce_attrs drop = { .drop_dims = true };
        born_val w = position_weights(e, g, weights);
        v = two(e, BORN_OP_DIV, v, w ? born__emit1(e, BORN_OP_REDUCE_SUM, &drop, &w, 1) : 0);
    }
    return born__emit_expand(e, v, t.dim, t.rank);
}

/* v [N, d...] as [N, 1, d...]. */
static born_val with_classes(born_emit *e, born_val v)
{
    born_view m;
    int64_t dim[BORN_MAX_RANK + 1];
    if (!v || !born__emit_sizes(e, v, &m)) return 0;
    for (int d = 0; d <= m.rank; d++) dim[d] = d == 0 ? m.dim[0] : d == 1 ? 1 : m.dim[d - 1];
    return born__emit_reshape(e, v, dim, m.rank + 1);
}

void born__grad_nll_loss(born_emit *e, const born_grad *g)
{
    born_val weights = born__grad_in(g, 2), ignored;
    if (!born__grad_wants(g, 0) || !g->gout[0]) return;
    born_val v = two(e, BORN_OP_MUL, position_scale(e, g, weights), position_weights(e, g, weights));
    const born_scatter_elements_attrs a = { .axis = 1 };
    const born_val in[3] = { born__emit_zeros_like(e, g->in[0]), with_classes(e, safe_targets(e, g, &ignored)),
                             with_classes(e, born__emit_one(e, BORN_OP_NEG, v)) };
    if (!e->err.status) g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, &a, in, 3);
}

void born__grad_cross_entropy_loss(born_emit *e, const born_grad *g)
{
    born_val weights = born__grad_in(g, 2), log_p = g->out_count > 1 ? g->out[1] : 0, v = 0;
    if (!born__grad_wants(g, 0)) return;
    const born_softmax_attrs over_classes = { .axis = 1 };
    if (!log_p) log_p = born__emit1(e, BORN_OP_LOG_SOFTMAX, &over_classes, &g->in[0], 1);
    if (g->gout[0] && log_p) {
        const born_val in[4] = { log_p, g->in[1], position_scale(e, g, weights), weights };
        if (!e->err.status) v = born__emit1(e, BORN_OP_CROSS_ENTROPY_GRAD, g->attrs, in, weights ? 4 : 3);
    }
    born_val more = born__grad_out_g(g, 1);
    if (more) {         /* of log softmax: what arrived, less the probabilities times its sum */
        born_val sum = born__emit_over_axis(e, BORN_OP_REDUCE_SUM, more, 1);
        more = two(e, BORN_OP_SUB, more, two(e, BORN_OP_MUL, born__emit_one(e, BORN_OP_EXP, log_p), sum));
        v = v ? two(e, BORN_OP_ADD, v, more) : more;
    }
    g->gin[0] = v;
}

/* y = s (Q p - q) with p = exp(x): what arrived times s Q p for x, and its sum with (Q p - q) for s. */
void born__grad_cross_entropy_grad(born_emit *e, const born_grad *g)
{
    born_view t;
    double smoothing = BORN_ATTRS_OF(loss, g)->label_smoothing;
    born_val weights = born__grad_in(g, 3), G = g->gout[0], x = g->in[0];
    if (!born__emit_sizes(e, g->in[1], &t)) return;
    if (born__grad_wants(g, 2)) {
        born_val one = born__emit_filled(e, e->meta(e, x)->dtype, 1, t.dim, t.rank);
        const born_val in[4] = { x, g->in[1], one, weights };
        born_val unit = e->err.status ? 0 : born__emit1(e, BORN_OP_CROSS_ENTROPY_GRAD, g->attrs, in, weights ? 4 : 3);
        born_val sum = born__emit_over_axis(e, BORN_OP_REDUCE_SUM, two(e, BORN_OP_MUL, G, unit), 1);
        g->gin[2] = born__emit_reshape(e, sum, t.dim, t.rank);
    }
    if (!born__grad_wants(g, 0)) return;
    born_val Q = position_weights(e, g, weights);
    if (smoothing > 0 && weights) {         /* (1 - s) w_t + s / C * sum of w, where the position counts */
        born_val ignored, even = born__emit_one(e, BORN_OP_REDUCE_MEAN, weights);
        even = born__emit_times(e, born__emit_reshape(e, even, NULL, 0), smoothing);
        Q = two(e, BORN_OP_ADD, born__emit_times(e, Q, 1 - smoothing), even);
        (void)safe_targets(e, g, &ignored);
        if (ignored) Q = born__emit_three(e, BORN_OP_WHERE, ignored, born__emit_const(e, x, 0), Q);
    }
    born_val slope = with_classes(e, two(e, BORN_OP_MUL, Q, g->in[2]));
    g->gin[0] = two(e, BORN_OP_MUL, G, two(e, BORN_OP_MUL, slope, born__emit_one(e, BORN_OP_EXP, x)));
}
