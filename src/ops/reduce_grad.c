/* Gradients of reductions and running sums, as calls of other rows. */
#include "ops/emit_help.h"

/* v of the result's shape, broadcast to the input's. */
static born_val spread(born_emit *e, const born_grad *g, born_val v)
{
    uint32_t mask;
    if (!born__emit_reduced(e, g, &mask)) return 0;
    born_view x = *e->meta(e, g->in[0]);
    int64_t dim[BORN_MAX_RANK];
    for (int d = 0; d < x.rank; d++) dim[d] = mask >> d & 1u ? 1 : x.dim[d];
    v = born__emit_reshape(e, v, dim, x.rank);
    return born__emit_expand(e, v, x.dim, x.rank);
}

/* The number of terms in each result. */
static double term_count(born_emit *e, const born_grad *g)
{
    uint32_t mask;
    double n = 1;
    if (!born__emit_reduced(e, g, &mask)) return 1;
    const born_view *x = e->meta(e, g->in[0]);
    for (int d = 0; d < x->rank; d++)
        if (mask >> d & 1u) n *= (double)x->dim[d];
    return n;
}

static born_val times(born_emit *e, born_val a, born_val b) { return born__emit_two(e, BORN_OP_MUL, a, b); }
static born_val over(born_emit *e, born_val a, born_val b) { return born__emit_two(e, BORN_OP_DIV, a, b); }

void born__grad_reduce_sum(born_emit *e, const born_grad *g)
{
    g->gin[0] = spread(e, g, g->gout[0]);
}

void born__grad_reduce_mean(born_emit *e, const born_grad *g)
{
    born_val n = born__emit_const(e, g->in[0], term_count(e, g));
    g->gin[0] = spread(e, g, over(e, g->gout[0], n));
}

static born_val running_product(born_emit *e, born_val v, bool reverse)
{
    const born_scan_axis_attrs a = { .exclusive = true, .reverse = reverse };
    if (!v || e->err.status) return 0;
    const int64_t axis = -1;
    const born_val in[2] = { v, e->ints(e, &axis, 1) };
    return born__emit1(e, BORN_OP_CUMPROD, &a, in, 2);
}

/* The product of all other terms: what comes before times what comes after, along one axis that holds the reduced ones.
   Right where terms are 0. */
void born__grad_reduce_prod(born_emit *e, const born_grad *g)
{
    uint32_t mask;
    if (!born__emit_reduced(e, g, &mask)) return;
    born_view x = *e->meta(e, g->in[0]);
    int64_t perm[BORN_MAX_RANK], back[BORN_MAX_RANK], dim[BORN_MAX_RANK], kept = 1, terms = 1;
    int n = 0;
    for (int side = 0; side < 2; side++)
        for (int d = 0; d < x.rank; d++) {
            if ((int)(mask >> d & 1u) != side) continue;
            dim[n] = x.dim[d];
            back[d] = n;
            perm[n++] = d;
            if (side) terms *= x.dim[d];
            else kept *= x.dim[d];
        }
    const born_transpose_attrs to = { .perm = { perm, n } }, from = { .perm = { back, n } };
    born_val v = g->in[0];
    if (n > 0) v = born__emit1(e, BORN_OP_TRANSPOSE, &to, &v, 1);
    v = born__emit_reshape(e, v, (int64_t[]){ kept, terms }, 2);
    v = times(e, running_product(e, v, false), running_product(e, v, true));
    v = born__emit_reshape(e, v, dim, n);
    if (n > 0 && v) v = born__emit1(e, BORN_OP_TRANSPOSE, &from, &v, 1);
    g->gin[0] = times(e, spread(e, g, g->gout[0]), v);
}

/* Max and min: shared evenly among the terms that are equal to the result. */
void born__grad_reduce_max(born_emit *e, const born_grad *g)
{
    born_val x = g->in[0], zero = born__emit_const(e, x, 0), one = born__emit_const(e, x, 1);
    born_val hit = born__emit_two(e, BORN_OP_EQ, x, spread(e, g, g->out[0]));
    born_val share = born__emit_three(e, BORN_OP_WHERE, hit, one, zero);
    if (!share) return;
    const born_val in[2] = { share, g->in_count > 1 ? g->in[1] : 0 };
    born_val count = born__emit1(e, BORN_OP_REDUCE_SUM, g->attrs, in, in[1] ? 2 : 1);
    g->gin[0] = times(e, share, spread(e, g, over(e, g->gout[0], count)));
}

void born__grad_reduce_l1(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, spread(e, g, g->gout[0]), born__emit_one(e, BORN_OP_SIGN, g->in[0]));
}

void born__grad_reduce_l2(born_emit *e, const born_grad *g)
{
    born_val z = g->out[0], zero = born__emit_const(e, z, 0), one = born__emit_const(e, z, 1);
    born_val none = born__emit_two(e, BORN_OP_EQ, z, zero);
    born_val safe = born__emit_three(e, BORN_OP_WHERE, none, one, z);
    born_val scale = born__emit_three(e, BORN_OP_WHERE, none, zero, over(e, g->gout[0], safe));
    g->gin[0] = times(e, spread(e, g, scale), g->in[0]);
}

void born__grad_reduce_log_sum(born_emit *e, const born_grad *g)
{
    g->gin[0] = spread(e, g, over(e, g->gout[0], born__emit_one(e, BORN_OP_EXP, g->out[0])));
}

void born__grad_reduce_log_sum_exp(born_emit *e, const born_grad *g)
{
    born_val share = born__emit_one(e, BORN_OP_EXP, born__emit_two(e, BORN_OP_SUB, g->in[0], spread(e, g, g->out[0])));
    g->gin[0] = times(e, spread(e, g, g->gout[0]), share);
}

void born__grad_reduce_sum_square(born_emit *e, const born_grad *g)
{
    born_val two = born__emit_const(e, g->in[0], 2);
    g->gin[0] = times(e, spread(e, g, g->gout[0]), times(e, two, g->in[0]));
}

void born__grad_reduce_variance(born_emit *e, const born_grad *g)
{
    const born_variance_attrs *a = BORN_ATTRS_OF(variance, g);
    const born_reduce_attrs keep = { .noop_with_empty_axes = a->noop_with_empty_axes };
    const born_val in[2] = { g->in[0], g->in_count > 1 ? g->in[1] : 0 };
    if (e->err.status) return;
    born_val mean = born__emit1(e, BORN_OP_REDUCE_MEAN, &keep, in, in[1] ? 2 : 1);
    born_val off = born__emit_two(e, BORN_OP_SUB, g->in[0], mean);
    born_val scale = born__emit_const(e, g->in[0], 2 / (term_count(e, g) - (double)a->correction));
    g->gin[0] = times(e, spread(e, g, times(e, g->gout[0], scale)), off);
}

static born_val scanned(born_emit *e, const born_grad *g, born_val v)
{
    born_scan_axis_attrs a = *BORN_ATTRS_OF(scan_axis, g);
    if (!v || e->err.status) return 0;
    a.reverse = !a.reverse;
    const born_val in[2] = { v, g->in[1] };
    return born__emit1(e, BORN_OP_CUMSUM, &a, in, 2);
}

void born__grad_cumsum(born_emit *e, const born_grad *g)
{
    if (born__grad_wants(g, 0)) g->gin[0] = scanned(e, g, g->gout[0]);
}

/* x_k is in every product from its place on: the running sum from the end of g * y, over x. A line's first 0 takes the
   sum with products in which it counts as 1; behind it every product is 0, and so is the quotient's dividend. */
void born__grad_cumprod(born_emit *e, const born_grad *g)
{
    if (!born__grad_wants(g, 0) || e->err.status) return;
    const born_scan_axis_attrs before = { .exclusive = true, .reverse = BORN_ATTRS_OF(scan_axis, g)->reverse };
    born_val x = g->in[0], zero = born__emit_const(e, x, 0), one = born__emit_const(e, x, 1);
    born_val is_0 = born__emit_two(e, BORN_OP_EQ, x, zero);
    const born_val count[2] = { born__emit_three(e, BORN_OP_WHERE, is_0, one, zero), g->in[1] };
    born_val first = born__emit_two(e, BORN_OP_EQ, born__emit1(e, BORN_OP_CUMSUM, &before, count, 2), zero);
    first = born__emit_two(e, BORN_OP_LOGICAL_AND, first, is_0);
    const born_val without[2] = { born__emit_three(e, BORN_OP_WHERE, first, one, x), g->in[1] };
    born_val products = born__emit1(e, BORN_OP_CUMPROD, g->attrs, without, 2);
    born_val at_first = scanned(e, g, times(e, g->gout[0], products));
    born_val quotient = over(e, scanned(e, g, times(e, g->gout[0], g->out[0])),
                             born__emit_three(e, BORN_OP_WHERE, is_0, one, x));
    born_val others = born__emit_three(e, BORN_OP_WHERE, is_0, zero, quotient);
    g->gin[0] = born__emit_three(e, BORN_OP_WHERE, first, at_first, others);
}
