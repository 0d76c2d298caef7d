/* Gradients of matmul and gemm: products of the incoming gradient with the other operand, transposed. */
#include "ops/emit_help.h"

/* v with a dim of 1 put in at `at`. */
static born_val put_dim(born_emit *e, born_val v, int at)
{
    if (!v || e->err.status) return 0;
    born_view m = *e->meta(e, v);
    int64_t dim[BORN_MAX_RANK + 1];
    for (int d = 0; d <= m.rank; d++) dim[d] = d < at ? m.dim[d] : d == at ? 1 : m.dim[d - 1];
    return born__emit_reshape(e, v, dim, m.rank + 1);
}

/* v summed and shaped like the operand that `matrix` (which may have got a dim) stands for. */
static born_val back_to(born_emit *e, born_val v, born_val matrix, born_val operand)
{
    v = born__emit_sum_to(e, v, matrix);
    if (!v || matrix == operand) return v;
    born_view m = *e->meta(e, operand);
    return born__emit_reshape(e, v, m.dim, m.rank);
}

void born__grad_matmul(born_emit *e, const born_grad *g)
{
    if (BORN_ATTRS_OF(linear, g)->activation != 0) {    /* fused by graph passes only, which come after gradients */
        born__fail(&e->err, BORN_UNSUPPORTED, "%s: no gradient through a fused activation", g->op->name);
        return;
    }
    born_val a = g->in[0], b = g->in[1], out = g->gout[0];
    bool flat_a = e->meta(e, a)->rank == 1, flat_b = e->meta(e, b)->rank == 1;
    if (flat_a) a = put_dim(e, a, 0);
    if (flat_b) {
        b = put_dim(e, b, 1);
        out = put_dim(e, out, e->meta(e, out)->rank);
    }
    if (flat_a && out) out = put_dim(e, out, e->meta(e, out)->rank - 1);
    if (born__grad_wants(g, 0))
        g->gin[0] = back_to(e, born__emit_two(e, BORN_OP_MATMUL, out, born__emit_swap_last(e, b)), a, g->in[0]);
    if (born__grad_wants(g, 1))
        g->gin[1] = back_to(e, born__emit_two(e, BORN_OP_MATMUL, born__emit_swap_last(e, a), out), b, g->in[1]);
    for (int i = 2; i < 4; i++)
        if (born__grad_wants(g, i)) g->gin[i] = born__emit_sum_to(e, g->gout[0], g->in[i]);
}

static born_val product(born_emit *e, born_val a, bool trans_a, born_val b, bool trans_b, double alpha)
{
    const born_gemm_attrs at = { .alpha = alpha, .beta = 1, .trans_a = trans_a, .trans_b = trans_b };
    const born_val in[2] = { a, b };
    return e->err.status ? 0 : born__emit1(e, BORN_OP_GEMM, &at, in, 2);
}

void born__grad_gemm(born_emit *e, const born_grad *g)
{
    const born_gemm_attrs *at = BORN_ATTRS_OF(gemm, g);
    born_val a = g->in[0], b = g->in[1], out = g->gout[0];
    if (born__grad_wants(g, 0))
        g->gin[0] = at->trans_a ? product(e, b, at->trans_b, out, true, at->alpha)
                                : product(e, out, false, b, !at->trans_b, at->alpha);
    if (born__grad_wants(g, 1))
        g->gin[1] = at->trans_b ? product(e, out, true, a, at->trans_a, at->alpha)
                                : product(e, a, !at->trans_a, out, false, at->alpha);
    if (born__grad_wants(g, 2)) {
        born_val d = born__emit_sum_to(e, out, g->in[2]);
        g->gin[2] = at->beta == 1 ? d : born__emit_two(e, BORN_OP_MUL, d, born__emit_const(e, out, at->beta));
    }
}
