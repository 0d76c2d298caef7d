/* Gradients of the rows that exported transformers fuse: gates, GELUs with a bias, skip norms, rotary embedding and
   the matrix product with transposed operands. Where a plainer row has the same derivative, its gradient is asked. */
#include "ops/emit_help.h"

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }
static born_val times(born_emit *e, born_val a, born_val b) { return two(e, BORN_OP_MUL, a, b); }

/* y = a s b with s = sigmoid(alpha a). */
void born__grad_swiglu(born_emit *e, const born_grad *g)
{
    double alpha = BORN_ATTRS_OF(swiglu, g)->alpha;
    born_val a = g->in[0], b = g->in[1], G = g->gout[0], one = born__emit_const(e, a, 1);
    born_val s = born__emit_one(e, BORN_OP_SIGMOID, born__emit_times(e, a, alpha));
    if (born__grad_wants(g, 1)) g->gin[1] = times(e, G, times(e, a, s));
    if (!born__grad_wants(g, 0)) return;
    born_val rest = two(e, BORN_OP_SUB, one, s);        /* s (1 + alpha a (1 - s)) */
    born_val slope = times(e, s, two(e, BORN_OP_ADD, one, times(e, born__emit_times(e, a, alpha), rest)));
    g->gin[0] = times(e, times(e, G, b), slope);
}

/* The gradient of the elementwise row `op` at u. */
static born_val slope_of(born_emit *e, born_op_id op, const void *attrs, born_val u, born_val y, born_val G)
{
    born_val gin = 0;
    const bool wanted = true;
    const born_grad inner = { .op = &born__ops[op], .attrs = attrs, .in_count = 1, .out_count = 1, .in = &u, .out = &y,
                              .gout = &G, .wanted = &wanted, .gin = &gin };
    if (u && G && !e->err.status) inner.op->grad(e, &inner);
    return gin;
}

static void grad_bias_gelu(born_emit *e, const born_grad *g, int approximate)
{
    const born_gelu_attrs a = { .approximate = approximate };
    born_val bias = born__grad_in(g, 1), u = bias ? two(e, BORN_OP_ADD, g->in[0], bias) : g->in[0];
    born_val d = slope_of(e, BORN_OP_GELU, &a, u, g->out[0], g->gout[0]);
    if (born__grad_wants(g, 0)) g->gin[0] = d;
    if (born__grad_wants(g, 1)) g->gin[1] = born__emit_sum_to(e, d, bias);
}
void born__grad_fast_gelu(born_emit *e, const born_grad *g) { grad_bias_gelu(e, g, 1); }
void born__grad_bias_gelu(born_emit *e, const born_grad *g) { grad_bias_gelu(e, g, 0); }

void born__grad_quick_gelu(born_emit *e, const born_grad *g)
{
    const born_silu_attrs a = { .alpha = BORN_ATTRS_OF(quick_gelu, g)->alpha };
    g->gin[0] = slope_of(e, BORN_OP_SILU, &a, g->in[0], g->out[0], g->gout[0]);
}

/* ---- skip norms ------------------------------------------------------------------------------------------------ */

static born_val mean(born_emit *e, born_val v) { return born__emit_over_axis(e, BORN_OP_REDUCE_MEAN, v, -1); }

/* The normalised sum h = (s - mean) * inv (rms: s * inv) of a skip norm, and inv. */
static born_val normalised(born_emit *e, born_val s, double epsilon, bool rms, born_val *inv)
{
    born_val off = rms ? s : two(e, BORN_OP_SUB, s, mean(e, s));
    born_val var = mean(e, born__emit_one(e, BORN_OP_SQUARE, off));
    *inv = born__emit_one(e, BORN_OP_RSQRT, two(e, BORN_OP_ADD, var, born__emit_const(e, s, epsilon)));
    return times(e, off, *inv);
}

/* Operands x, skip, gamma, then (beta,) bias; the sum is result 3. beta < 0: none. */
static void grad_skip_norm(born_emit *e, const born_grad *g, int beta, int bias, bool rms)
{
    born_val G = g->gout[0], s = g->out_count > 3 ? g->out[3] : 0, inv, d = 0;
    if (born__grad_out_g(g, 1) || born__grad_out_g(g, 2)) {
        born__fail(&e->err, BORN_UNSUPPORTED, "%s: no gradient through mean and deviation", g->op->name);
        return;
    }
    if (!s) {
        s = two(e, BORN_OP_ADD, g->in[0], g->in[1]);
        if (born__grad_in(g, bias)) s = two(e, BORN_OP_ADD, s, g->in[bias]);
    }
    if (G) {
        born_val h = normalised(e, s, BORN_ATTRS_OF(skip_norm, g)->epsilon, rms, &inv), gh = times(e, G, g->in[2]);
        if (born__grad_wants(g, 2)) g->gin[2] = born__emit_sum_to(e, times(e, G, h), g->in[2]);
        if (beta >= 0 && born__grad_wants(g, beta)) g->gin[beta] = born__emit_sum_to(e, G, g->in[beta]);
        d = two(e, BORN_OP_SUB, gh, times(e, h, mean(e, times(e, gh, h))));
        if (!rms) d = two(e, BORN_OP_SUB, d, mean(e, gh));
        d = times(e, d, inv);
    }
    born_val more = born__grad_out_g(g, 3);
    if (more) d = d ? two(e, BORN_OP_ADD, d, more) : more;
    for (int i = 0; i < 2; i++)
        if (born__grad_wants(g, i)) g->gin[i] = born__emit_sum_to(e, d, g->in[i]);
    if (born__grad_wants(g, bias)) g->gin[bias] = born__emit_sum_to(e, d, g->in[bias]);
}
void born__grad_skip_layer_norm(born_emit *e, const born_grad *g) { grad_skip_norm(e, g, 3, 4, false); }
void born__grad_skip_rms_norm(born_emit *e, const born_grad *g) { grad_skip_norm(e, g, -1, 3, true); }

/* ---- rotary embedding ------------------------------------------------------------------------------------------ */

/* A rotation's transpose turns the other way. */
static void grad_rotary(born_emit *e, const born_grad *g, int cos)
{
    born_val in[4] = { 0 };
    for (int i = cos; i < cos + 2; i++)
        if (born__grad_wants(g, i) && !e->err.status)
            born__fail(&e->err, BORN_UNSUPPORTED, "%s: no gradient of the angles", g->op->name);
    for (int i = 0; i < g->in_count; i++) in[i] = g->in[i];
    in[0] = g->gout[0];
    in[cos + 1] = born__emit_one(e, BORN_OP_NEG, g->in[cos + 1]);
    if (!e->err.status) g->gin[0] = born__emit1(e, (born_op_id)g->op->id, g->attrs, in, g->in_count);
}
void born__grad_rotary_embedding(born_emit *e, const born_grad *g) { grad_rotary(e, g, 1); }
void born__grad_rotary_embedding_ids(born_emit *e, const born_grad *g) { grad_rotary(e, g, 2); }

/* ---- fused_matmul ---------------------------------------------------------------------------------------------- */

/* Dim i of the operand as it enters the product is dim perm[i] of it. */
static int product_perm(int rank, bool batch, bool swap, int64_t *perm)
{
    for (int d = 0; d < rank; d++) perm[d] = d;
    for (int d = 0; batch && rank > 2 && d < rank - 1; d++) perm[d] = d == rank - 2 ? 0 : d + 1;
    if (swap && rank > 1) {
        int64_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return rank;
}

typedef struct side { born_val v; int rank; int64_t perm[BORN_MAX_RANK], back[BORN_MAX_RANK]; } side;

static side side_of(born_emit *e, born_val v, bool batch, bool swap, bool left)
{
    side s = { .v = v };
    born_view m;
    if (!born__emit_sizes(e, v, &m)) return s;
    s.rank = product_perm(m.rank, batch, swap, s.perm);
    for (int d = 0; d < s.rank; d++) s.back[s.perm[d]] = d;
    if (m.rank == 1) s.v = born__emit_reshape(e, v, left ? (int64_t[]){ 1, m.dim[0] } : (int64_t[]){ m.dim[0], 1 }, 2);
    else s.v = born__emit_permuted(e, v, s.perm, s.rank);
    return s;
}

static born_val side_back(born_emit *e, const side *s, born_val d, born_val operand)
{
    d = born__emit_sum_to(e, d, s->v);
    return s->rank == 1 ? born__emit_shaped_like(e, d, operand) : born__emit_permuted(e, d, s->back, s->rank);
}

void born__grad_fused_matmul(born_emit *e, const born_grad *g)
{
    const born_fused_matmul_attrs *t = BORN_ATTRS_OF(fused_matmul, g);
    side a = side_of(e, g->in[0], t->trans_batch_a, t->trans_a, true);
    side b = side_of(e, g->in[1], t->trans_batch_b, t->trans_b, false);
    born_view y, va, vb;
    if (!born__emit_sizes(e, g->gout[0], &y) || !a.v || !b.v) return;
    va = *e->meta(e, a.v);
    vb = *e->meta(e, b.v);
    int lead = y.rank - (a.rank > 1) - (b.rank > 1);    /* the result with a row and a column in any case */
    y.dim[lead] = va.dim[va.rank - 2];
    y.dim[lead + 1] = vb.dim[vb.rank - 1];
    born_val G = born__emit_times(e, born__emit_reshape(e, g->gout[0], y.dim, lead + 2), t->alpha);
    if (born__grad_wants(g, 0))
        g->gin[0] = side_back(e, &a, two(e, BORN_OP_MATMUL, G, born__emit_swap_last(e, b.v)), g->in[0]);
    if (born__grad_wants(g, 1))
        g->gin[1] = side_back(e, &b, two(e, BORN_OP_MATMUL, born__emit_swap_last(e, a.v), G), g->in[1]);
}
