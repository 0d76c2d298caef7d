/* Gradients of the pools, of max_unpool and of roi_align. Maxima hand the gradient to the element they took (PyTorch's
   convention at ties: the first, or a NaN); Lp pools have gradient 0 where the norm is 0. */
#include "ops/conv_window.h"
#include "ops/emit_help.h"

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }

static born_val with_attrs(born_emit *e, born_op_id op, const void *attrs, born_val a, born_val b)
{
    const born_val in[2] = { a, b };
    return a && b && !e->err.status ? born__emit1(e, op, attrs, in, 2) : 0;
}

/* The sizes of v as an operand. */
static born_val sizes_operand(born_emit *e, born_val v)
{
    born_view m;
    return born__emit_sizes(e, v, &m) ? e->ints(e, m.dim, m.rank) : 0;
}

/* ---- maxima ---- */

void born__grad_max_pool(born_emit *e, const born_grad *g)
{
    if (!g->gout[0]) return;
    born_max_pool_attrs a = *BORN_ATTRS_OF(max_pool, g);
    a.storage_order = 0;
    g->gin[0] = with_attrs(e, BORN_OP_MAX_POOL_GRAD, &a, g->gout[0], g->in[0]);
}

/* Elements of v at flat indices; those with index -1 are 0. */
static born_val picked(born_emit *e, born_val v, born_val index, bool may_miss)
{
    born_view m, ix;
    if (!v || !index || !born__emit_sizes(e, v, &m) || !born__emit_sizes(e, index, &ix)) return 0;
    const int64_t count = born__view_count(&m);
    born_val zero = born__emit_const(e, v, 0);
    if (count == 0) return born__emit_expand(e, zero, ix.dim, ix.rank);
    born_val got = two(e, BORN_OP_GATHER, born__emit_reshape(e, v, &count, 1), index);
    if (!may_miss) return got;
    born_val missed = two(e, BORN_OP_LT, index, e->scalar(e, BORN_I64, 0));
    return born__emit_three(e, BORN_OP_WHERE, missed, zero, got);
}

/* It moves elements: its own gradient takes them from where they were put. */
void born__grad_max_pool_grad(born_emit *e, const born_grad *g)
{
    const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, g);
    born_val out[2] = { 0, 0 };
    bool padded = a->auto_pad != BORN_PAD_NOTSET || a->ceil_mode;
    for (int64_t i = 0; i < a->pads.count; i++) padded = padded || a->pads.v[i] > 0;
    if (!born__grad_wants(g, 0) || e->err.status) return;
    if (e->call(e, BORN_OP_MAX_POOL, a, &g->in[1], 1, out, 2) != BORN_OK) return;
    g->gin[0] = picked(e, g->gout[0], out[1], padded);
}

void born__grad_global_max_pool(born_emit *e, const born_grad *g)
{
    born_view x;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    if (x.rank == 2) g->gin[0] = g->gout[0];
    else if (born__view_count(&x) == 0) g->gin[0] = born__emit_filled_like(e, g->in[0], 0);
    else {
        const born_max_pool_attrs a = { .kernel_shape = { x.dim + 2, x.rank - 2 } };
        g->gin[0] = with_attrs(e, BORN_OP_MAX_POOL_GRAD, &a, g->gout[0], g->in[0]);
    }
}

/* The result's gradient under the sizes that the indices count in, picked there. Of equal indices each gets the whole
   gradient, as in PyTorch. */
void born__grad_max_unpool(born_emit *e, const born_grad *g)
{
    born_view x, y;
    int64_t dim[BORN_MAX_RANK], pads[2 * BORN_MAX_RANK] = { 0 };
    bool same = true;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->out[0], &y)) return;
    born_window w;
    const born_max_unpool_attrs *a = BORN_ATTRS_OF(max_unpool, g);
    born_window_attrs wa = { BORN_PAD_NOTSET, false, a->kernel_shape, a->strides, a->pads, { 0 } };
    if (born__window_lists(&w, &wa, &x, NULL, g->op->name, &e->err) != BORN_OK) return;
    for (int d = 2; d < x.rank; d++) {
        int at = d - 2 + 3 - w.spatial;
        dim[d] = (w.in[at] - 1) * w.stride[at] + w.kernel[at] - w.pad[at] - w.pad_end[at];
        pads[x.rank + d] = dim[d] - y.dim[d];
        same = same && dim[d] == y.dim[d];
    }
    born_val v = g->gout[0];
    if (!same) v = two(e, BORN_OP_PAD, v, e->ints(e, pads, 2 * x.rank));
    g->gin[0] = picked(e, v, g->in[1], false);
}

/* ---- means ---- */

void born__grad_average_pool(born_emit *e, const born_grad *g)
{
    g->gin[0] = with_attrs(e, BORN_OP_AVERAGE_POOL_GRAD, g->attrs, g->gout[0], sizes_operand(e, g->in[0]));
}

void born__grad_average_pool_grad(born_emit *e, const born_grad *g)
{
    if (born__grad_wants(g, 0)) g->gin[0] = born__emit1(e, BORN_OP_AVERAGE_POOL, g->attrs, &g->gout[0], 1);
}

void born__grad_global_average_pool(born_emit *e, const born_grad *g)
{
    born_view x;
    double cells = 1;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    for (int d = 2; d < x.rank; d++) cells *= (double)x.dim[d];
    born_val v = cells > 0 ? two(e, BORN_OP_DIV, g->gout[0], born__emit_const(e, g->in[0], cells)) : g->gout[0];
    g->gin[0] = born__emit_expand(e, v, x.dim, x.rank);
}

/* ---- Lp norms ---- */

/* sign(x) |x|^(p-1), the derivative of |x|^p / p. */
static born_val slope(born_emit *e, born_val x, int64_t p)
{
    if (p == 2) return x;
    born_val sign = born__emit_one(e, BORN_OP_SIGN, x);
    if (p == 1) return sign;
    born_val size = born__emit_one(e, BORN_OP_ABS, x), power = born__emit_const(e, x, (double)(p - 1));
    return two(e, BORN_OP_MUL, sign, two(e, BORN_OP_POW, size, power));
}

/* gy * y^(1-p), 0 where y is 0. */
static born_val share(born_emit *e, born_val y, born_val gy, int64_t p)
{
    if (p == 1) return gy;
    born_val zero = born__emit_const(e, y, 0), one = born__emit_const(e, y, 1), none = two(e, BORN_OP_EQ, y, zero);
    born_val safe = born__emit_three(e, BORN_OP_WHERE, none, one, y);
    if (p != 2) safe = two(e, BORN_OP_POW, safe, born__emit_const(e, y, (double)(p - 1)));
    return born__emit_three(e, BORN_OP_WHERE, none, zero, two(e, BORN_OP_DIV, gy, safe));
}

/* Sums over windows go back as means times counts; the counts are what the pool with p = 1 gives of ones. */
void born__grad_lp_pool(born_emit *e, const born_grad *g)
{
    const born_lp_pool_attrs *a = BORN_ATTRS_OF(lp_pool, g);
    born_lp_pool_attrs count = *a;
    const born_average_pool_attrs mean = { .auto_pad = a->auto_pad, .kernel_shape = a->kernel_shape,
                                           .strides = a->strides, .pads = a->pads, .dilations = a->dilations,
                                           .ceil_mode = a->ceil_mode };
    born_val x = g->in[0], v = share(e, g->out[0], g->gout[0], a->p), ones = 0;
    born_view m;
    if (!v || !born__emit_sizes(e, x, &m)) return;
    m.dim[0] = m.dim[1] = 1;
    count.p = 1;
    ones = born__emit_expand(e, born__emit_const(e, x, 1), m.dim, m.rank);
    if (!ones) return;
    v = two(e, BORN_OP_MUL, v, born__emit1(e, BORN_OP_LP_POOL, &count, &ones, 1));
    v = with_attrs(e, BORN_OP_AVERAGE_POOL_GRAD, &mean, v, sizes_operand(e, x));
    g->gin[0] = two(e, BORN_OP_MUL, v, slope(e, x, a->p));
}

void born__grad_global_lp_pool(born_emit *e, const born_grad *g)
{
    int64_t p = BORN_ATTRS_OF(global_lp_pool, g)->p;
    g->gin[0] = two(e, BORN_OP_MUL, slope(e, g->in[0], p), share(e, g->out[0], g->gout[0], p));
}

/* ---- regions ---- */

static bool averages(born_emit *e, const born_grad *g)
{
    if (BORN_ATTRS_OF(roi_align, g)->mode != 0)
        born__emit_refuse(e, g->op->name, "the gradient exists for mode avg alone");
    return !e->err.status;
}

/* With respect to x; regions have none, as in torchvision. */
void born__grad_roi_align(born_emit *e, const born_grad *g)
{
    if (!born__grad_wants(g, 0) || !averages(e, g)) return;
    const born_val in[4] = { g->gout[0], g->in[1], g->in[2], sizes_operand(e, g->in[0]) };
    if (in[3]) g->gin[0] = born__emit1(e, BORN_OP_ROI_ALIGN_GRAD, g->attrs, in, 4);
}

void born__grad_roi_align_grad(born_emit *e, const born_grad *g)
{
    if (!born__grad_wants(g, 0)) return;
    const born_val in[3] = { g->gout[0], g->in[1], g->in[2] };
    g->gin[0] = born__emit1(e, BORN_OP_ROI_ALIGN, g->attrs, in, 3);
}
