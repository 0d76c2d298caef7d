/* Gradients of the convolutions, as calls of one another: conv, conv_transpose and conv_weight_grad are the three
   pairings of one trilinear form, so the gradient of each is the other two, and every further derivative with them.
   Windows are resolved first: what is emitted has explicit padding. */
#include "ops/conv_window.h"
#include "ops/emit_help.h"

/* A resolved window's lists, as attributes want them. */
typedef struct lists {
    int64_t kernel[3], stride[3], dilation[3], pads[6], extra[3];
    int n;
} lists;

static lists lists_of(const born_window *w)
{
    lists l = { .n = w->spatial };
    for (int i = 0, at = 3 - w->spatial; i < w->spatial; i++, at++) {
        l.kernel[i] = w->kernel[at];
        l.stride[i] = w->stride[at];
        l.dilation[i] = w->dilation[at];
        l.pads[i] = w->pad[at];
        l.pads[l.n + i] = w->pad_end[at];
    }
    return l;
}

/* conv or conv_weight_grad with that window. */
static born_val forward(born_emit *e, born_op_id op, const lists *l, int64_t group, born_val a, born_val b)
{
    const born_conv_attrs at = { .group = group,
                                 .kernel_shape = { l->kernel, l->n },
                                 .strides = { l->stride, l->n },
                                 .pads = { l->pads, 2 * l->n },
                                 .dilations = { l->dilation, l->n } };
    const born_val in[2] = { a, b };
    return a && b && !e->err.status ? born__emit1(e, op, &at, in, 2) : 0;
}

/* The gradient of conv with respect to x, whose window w is: the transposed convolution that gives x's size. */
static born_val to_input(born_emit *e, const born_window *w, int64_t group, born_val g, born_val weight)
{
    lists l = lists_of(w);
    for (int i = 0, at = 3 - l.n; i < l.n; i++, at++)
        l.extra[i] = w->in[at] + w->pad[at] + w->pad_end[at] - (w->kernel[at] - 1) * w->dilation[at] - 1 -
                     (w->out[at] - 1) * w->stride[at];
    const born_conv_transpose_attrs at = { .group = group,
                                           .kernel_shape = { l.kernel, l.n },
                                           .strides = { l.stride, l.n },
                                           .pads = { l.pads, 2 * l.n },
                                           .dilations = { l.dilation, l.n },
                                           .output_padding = { l.extra, l.n } };
    const born_val in[2] = { g, weight };
    return g && weight && !e->err.status ? born__emit1(e, BORN_OP_CONV_TRANSPOSE, &at, in, 2) : 0;
}

/* Sums over everything but the channels (axis 1): [C]. */
static born_val channel_sums(born_emit *e, born_val v)
{
    if (!v || e->err.status) return 0;
    int rank = e->meta(e, v)->rank;
    int64_t channels = e->meta(e, v)->dim[1];
    v = born__emit_reduce(e, BORN_OP_REDUCE_SUM, v, ((1u << rank) - 1) & ~2u);
    return born__emit_reshape(e, v, &channels, 1);
}

static born_val operand(const born_grad *g, int i) { return i < g->in_count ? g->in[i] : 0; }

/* The operands behind the product: bias and residual. */
static void add_ends(born_emit *e, const born_grad *g)
{
    if (born__grad_wants(g, 2) && g->in[2]) g->gin[2] = channel_sums(e, g->gout[0]);
    if (born__grad_wants(g, 3) && g->in[3]) g->gin[3] = g->gout[0];
}

static bool fused(born_emit *e, const born_grad *g, int64_t activation)
{
    if (activation != 0) born__emit_refuse(e, g->op->name, "no gradient through a fused activation");
    return activation != 0;
}

void born__grad_conv(born_emit *e, const born_grad *g)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, g);
    born_val x = g->in[0], w = g->in[1], scale = operand(g, 4), out = g->gout[0];
    born_view mx, mw;
    born_window win;
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    if (fused(e, g, a->activation) || !born__emit_sizes(e, x, &mx) || !born__emit_sizes(e, w, &mw)) return;
    if (born__window_fill(&win, &wa, &mx, &mw, g->op->name, &e->err) != BORN_OK) return;
    lists l = lists_of(&win);
    add_ends(e, g);
    if (scale) {
        if (born__grad_wants(g, 4))
            g->gin[4] = channel_sums(e, born__emit_two(e, BORN_OP_MUL, out, forward(e, BORN_OP_CONV, &l, a->group, x,
                                                                                     w)));
        out = born__emit_two(e, BORN_OP_MUL, out, born__emit_along(e, scale, 1, mx.rank));
    }
    if (born__grad_wants(g, 0)) g->gin[0] = to_input(e, &win, a->group, out, w);
    if (born__grad_wants(g, 1)) g->gin[1] = forward(e, BORN_OP_CONV_WEIGHT_GRAD, &l, a->group, x, out);
}

void born__grad_conv_weight_grad(born_emit *e, const born_grad *g)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, g);
    born_view mx;
    born_window win;
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    if (!born__emit_sizes(e, g->in[0], &mx)) return;
    if (born__window_fill(&win, &wa, &mx, NULL, g->op->name, &e->err) != BORN_OK) return;
    lists l = lists_of(&win);
    if (born__grad_wants(g, 0)) g->gin[0] = to_input(e, &win, a->group, g->in[1], g->gout[0]);
    if (born__grad_wants(g, 1)) g->gin[1] = forward(e, BORN_OP_CONV, &l, a->group, g->in[0], g->gout[0]);
}

/* The result of a transposed convolution cut or padded to what a convolution maps back to x exactly: with no padding
   before it, in * stride + reach cells along each axis. Cells that no x reaches are cut; cells cut off by the forward
   padding come back as padding, in l->pads. False: no x reaches the result at all. */
static bool match(const born_window *w, lists *l, int64_t *crop)
{
    for (int i = 0, at = 3 - l->n; i < l->n; i++, at++) {
        int64_t full = (w->in[at] - 1) * w->stride[at] + (w->kernel[at] - 1) * w->dilation[at] + 1;
        int64_t end = full - w->pad[at] - w->out[at];
        if (w->in[at] == 0 || full <= w->pad[at]) return false;
        crop[i] = end < 0 ? end : 0;
        l->pads[l->n + i] = end < 0 ? 0 : end;
    }
    return true;
}

void born__grad_conv_transpose(born_emit *e, const born_grad *g)
{
    const born_conv_transpose_attrs *a = BORN_ATTRS_OF(conv_transpose, g);
    born_val x = g->in[0], w = g->in[1], out = g->gout[0];
    born_view mx, mw;
    born_window win;
    int64_t crop[BORN_MAX_RANK * 2] = { 0 }, *ends, cut[3];
    if (fused(e, g, a->activation) || !born__emit_sizes(e, x, &mx) || !born__emit_sizes(e, w, &mw)) return;
    if (born__conv_transpose_window(&win, a, &mx, &mw, g->op->name, &e->err) != BORN_OK) return;
    lists l = lists_of(&win);
    add_ends(e, g);
    if (!match(&win, &l, cut) || born__view_count(&mx) == 0) {
        if (born__grad_wants(g, 0)) g->gin[0] = born__emit_filled_like(e, x, 0);
        if (born__grad_wants(g, 1)) g->gin[1] = born__emit_filled_like(e, w, 0);
        return;
    }
    ends = crop + mx.rank + 2;          /* pads: all befores, then all afters */
    bool any = false;
    for (int i = 0; i < l.n; i++) {
        ends[i] = cut[i];
        any = any || cut[i] != 0;
    }
    if (any) out = born__emit_two(e, BORN_OP_PAD, out, e->ints(e, crop, 2 * mx.rank));
    if (born__grad_wants(g, 0)) g->gin[0] = forward(e, BORN_OP_CONV, &l, a->group, out, w);
    if (born__grad_wants(g, 1)) g->gin[1] = forward(e, BORN_OP_CONV_WEIGHT_GRAD, &l, a->group, out, x);
}

static born_val slice(born_emit *e, born_val v, int64_t from, int64_t to)
{
    const int64_t axis = 2;
    if (!v || e->err.status) return 0;
    const born_val in[4] = { v, e->ints(e, &from, 1), e->ints(e, &to, 1), e->ints(e, &axis, 1) };
    return born__emit1(e, BORN_OP_SLICE, NULL, in, 4);
}

static born_val joined(born_emit *e, born_val a, born_val b)
{
    const born_concat_attrs at = { .axis = 2 };
    const born_val in[2] = { a, b };
    return a && b && !e->err.status ? born__emit1(e, BORN_OP_CONCAT, &at, in, 2) : 0;
}

/* A depthwise convolution of the past joined to x; the second result is the end of that sequence. */
void born__grad_causal_conv(born_emit *e, const born_grad *g)
{
    born_val x = g->in[0], w = g->in[1], bias = operand(g, 2), past = operand(g, 3), out = g->gout[0];
    born_view mx, mw;
    if (!born__emit_sizes(e, x, &mx) || !born__emit_sizes(e, w, &mw)) return;
    int64_t groups = mx.dim[1], head = mw.dim[2] - 1, length = mx.dim[2];
    const int64_t before[3] = { mx.dim[0], mx.dim[1], head };
    lists l = { .kernel = { mw.dim[2] }, .stride = { 1 }, .dilation = { 1 }, .n = 1 };
    if (groups == 0 || born__view_count(&mx) == 0) return;
    born_val all = past ? past : born__emit_expand(e, born__emit_const(e, x, 0), before, 3);
    all = joined(e, all, x);
    if (out && BORN_ATTRS_OF(causal_conv, g)->activation != 0) {       /* silu: s + z s (1 - s), s = sigmoid(z) */
        born_val z = forward(e, BORN_OP_CONV, &l, groups, all, w), one = born__emit_const(e, x, 1);
        if (bias) z = born__emit_two(e, BORN_OP_ADD, z, born__emit_along(e, bias, 1, 3));
        born_val s = born__emit_one(e, BORN_OP_SIGMOID, z);
        born_val d = born__emit_two(e, BORN_OP_MUL, z, born__emit_two(e, BORN_OP_SUB, one, s));
        d = born__emit_two(e, BORN_OP_MUL, s, born__emit_two(e, BORN_OP_ADD, one, d));
        out = born__emit_two(e, BORN_OP_MUL, out, d);
    }
    if (out && born__grad_wants(g, 1)) g->gin[1] = forward(e, BORN_OP_CONV_WEIGHT_GRAD, &l, groups, all, out);
    if (out && bias && born__grad_wants(g, 2)) g->gin[2] = channel_sums(e, out);
    if (!born__grad_wants(g, 0) && !(past && born__grad_wants(g, 3))) return;
    born_val d = 0;
    if (out) {
        born_window win = { .spatial = 1, .in = { 1, 1, head + length }, .out = { 1, 1, length },
                            .kernel = { 1, 1, mw.dim[2] }, .stride = { 1, 1, 1 }, .dilation = { 1, 1, 1 } };
        d = to_input(e, &win, groups, out, w);
    }
    if (g->out_count > 1 && g->gout[1]) {
        const int64_t front[3] = { mx.dim[0], mx.dim[1], length };
        born_val zeros = born__emit_expand(e, born__emit_const(e, x, 0), front, 3);
        d = born__emit_plus(e, d, joined(e, zeros, g->gout[1]));
    }
    if (born__grad_wants(g, 0)) g->gin[0] = slice(e, d, head, head + length);
    if (past && born__grad_wants(g, 3)) g->gin[3] = slice(e, d, 0, head);
}
