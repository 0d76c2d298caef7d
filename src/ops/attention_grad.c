/* The gradient of attention, as matrix products and a softmax that runs again: P = softmax(scores), then for what
   arrived at the result, dV = P' dY, dP = dY V', dS = P (dP - rowsum(dY Y)), dQ = dS K, dK = dS' Q (Dao et al., 2022,
   appendix B). Rows of all query heads that share a key head go through one product. Memory is that of the scores, a
   few times. */
#include <math.h>

#include "ops/attention.h"
#include "ops/emit_help.h"

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }
static born_val sel(born_emit *e, born_val c, born_val a, born_val b)
{
    return born__emit_three(e, BORN_OP_WHERE, c, a, b);
}

typedef struct attn_grad {
    born_emit *e;
    const born_grad *g;
    const born_attention_attrs *a;
    born_attn_dims s;
    int64_t T, G, rows;         /* keys in all; query heads per key head; G * Tq */
    born_dtype t;
    double scale;
    born_val q, k, v;           /* [B, Hk, G*Tq, D], [B, Hk, T, D], [B, Hk, T, Dv] */
    born_val capped;            /* scores by the softcap's tanh, where there is one */
    born_val p;                 /* [B, Hk, G*Tq, T] */
} attn_grad;

/* v as [B, H, T, D]. */
static born_val heads(born_emit *e, born_val v, int64_t H)
{
    born_view m;
    if (!v || !born__emit_sizes(e, v, &m) || m.rank == 4) return v;
    const int64_t dim[4] = { m.dim[0], m.dim[1], H, H ? m.dim[2] / H : 0 };
    return born__emit_permuted(e, born__emit_reshape(e, v, dim, 4), (int64_t[]){ 0, 2, 1, 3 }, 4);
}

/* The other way, to what operand i looks like. */
static born_val unheaded(born_emit *e, born_val v, born_val operand)
{
    if (v && e->meta(e, operand)->rank == 3) v = born__emit_permuted(e, v, (int64_t[]){ 0, 2, 1, 3 }, 4);
    return born__emit_shaped_like(e, v, operand);
}

static born_val grouped(const attn_grad *j, born_val v, int64_t last)
{
    return born__emit_reshape(j->e, v, (int64_t[]){ j->s.B, j->s.Hk, j->rows, last }, 4);
}

/* Scores or masks as [B, Hk, G, Tq, T], where masks broadcast against them. */
static born_val apart(const attn_grad *j, born_val v)
{
    return born__emit_reshape(j->e, v, (int64_t[]){ j->s.B, j->s.Hk, j->G, j->s.Tq, j->T }, 5);
}

/* ---- which keys a query sees ----------------------------------------------------------------------------------- */

static born_val both(born_emit *e, born_val a, born_val b) { return a ? two(e, BORN_OP_LOGICAL_AND, a, b) : b; }

static born_val counted(born_emit *e, int64_t n, const int64_t *dim, int rank)
{
    if (e->err.status) return 0;
    const born_val in[3] = { e->scalar(e, BORN_I64, 0), e->scalar(e, BORN_I64, (double)n), e->scalar(e, BORN_I64, 1) };
    return born__emit_reshape(e, born__emit1(e, BORN_OP_RANGE, NULL, in, 3), dim, rank);
}

static born_val shifted(born_emit *e, born_val v, int64_t by)
{
    return by == 0 || e->err.status ? v : two(e, BORN_OP_ADD, v, e->scalar(e, BORN_I64, (double)by));
}

/* By position: valid lengths, causality, windows. 0: every key. */
static born_val by_position(const attn_grad *j)
{
    born_emit *e = j->e;
    const born_attention_attrs *a = j->a;
    born_val valid = born__grad_in(j->g, 6), seen = 0;
    bool bound = a->is_causal || a->left_window >= 0 || a->right_window >= 0;
    if (!bound && !valid) return 0;
    born_val key = counted(e, j->T, (int64_t[]){ j->T }, 1);
    if (valid) {
        valid = born__emit_reshape(e, born__emit_cast(e, valid, BORN_I64), (int64_t[]){ j->s.B, 1, 1, 1, 1 }, 5);
        seen = two(e, BORN_OP_LT, key, valid);
    }
    if (!bound) return seen;
    born_val place = counted(e, j->s.Tq, (int64_t[]){ j->s.Tq, 1 }, 2);
    place = valid ? two(e, BORN_OP_ADD, place, shifted(e, valid, -j->s.Tq)) : shifted(e, place, j->s.past);
    if (a->is_causal) seen = both(e, seen, two(e, BORN_OP_LE, key, place));
    if (a->right_window >= 0) seen = both(e, seen, two(e, BORN_OP_LE, key, shifted(e, place, a->right_window)));
    if (a->left_window >= 0) seen = both(e, seen, two(e, BORN_OP_GE, key, shifted(e, place, -a->left_window)));
    return seen;
}

/* The mask operand against [B, Hk, G, Tq, T]; keys behind a shorter one get `fill`. */
static born_val mask_apart(const attn_grad *j, born_val mask, double fill)
{
    born_emit *e = j->e;
    born_view m;
    int64_t dim[5] = { 1, 1, 1, 1, 1 };
    if (!born__emit_sizes(e, mask, &m)) return 0;
    if (m.rank > 0 && m.dim[m.rank - 1] < j->T) {
        int last = m.rank - 1;
        m.dim[last] = j->T - m.dim[last];
        born_val parts[2] = { mask, born__emit_filled(e, m.dtype, fill, m.dim, m.rank) };
        mask = born__emit_joined(e, parts, 2, last);
        m.dim[last] = j->T;
    }
    for (int d = 0; d < m.rank; d++) {
        int at = 4 - m.rank + d;        /* of [B, Hq, Tq, T] */
        if (at == 1) {
            dim[1] = m.dim[d] == 1 ? 1 : j->s.Hk;
            dim[2] = m.dim[d] == 1 ? 1 : j->G;
        } else {
            dim[at == 0 ? 0 : at + 1] = m.dim[d];
        }
    }
    return born__emit_reshape(e, mask, dim, 5);
}

/* ---- forward, again -------------------------------------------------------------------------------------------- */

static void probabilities(attn_grad *j)
{
    born_emit *e = j->e;
    born_val mask = born__grad_in(j->g, 3), seen = by_position(j);
    born_val s = born__emit_times(e, two(e, BORN_OP_MATMUL, j->q, born__emit_swap_last(e, j->k)), j->scale);
    if (j->a->softcap > 0) {
        j->capped = born__emit_one(e, BORN_OP_TANH, born__emit_times(e, s, 1 / j->a->softcap));
        s = born__emit_times(e, j->capped, j->a->softcap);
    }
    if (seen || mask) s = apart(j, s);
    if (mask) {
        bool add = e->meta(e, mask)->dtype != BORN_BOOL;
        born_val m = mask_apart(j, mask, add ? -INFINITY : 0), zero = born__emit_const(e, s, 0);
        born_val on = add && m ? two(e, BORN_OP_GT, m, born__emit_const(e, s, -INFINITY)) : m;
        if (add) s = two(e, BORN_OP_ADD, s, sel(e, on, m, zero));
        seen = both(e, seen, on);
    }
    /* A row without a key is even over all of them and then made 0, so that nothing is NaN. */
    if (seen) s = sel(e, seen, s, born__emit_const(e, s, j->t == BORN_F16 ? -6e4 : -1e30));
    const born_softmax_attrs last = { .axis = -1 };
    if (!s || e->err.status) return;
    j->p = born__emit1(e, BORN_OP_SOFTMAX, &last, &s, 1);
    if (seen) j->p = grouped(j, sel(e, seen, j->p, born__emit_const(e, s, 0)), j->T);
}

/* Key or value with its past in front. */
static born_val with_past(born_emit *e, const born_grad *g, int i, int64_t H)
{
    born_val part[2] = { born__grad_in(g, i + 3), heads(e, g->in[i], H) };
    return part[0] ? born__emit_joined(e, part, 2, 2) : part[1];
}

/* ---- backward -------------------------------------------------------------------------------------------------- */

/* What arrived for a present key or value besides, then cut into past and new. */
static void hand_out(const attn_grad *j, born_val v, int i)
{
    born_emit *e = j->e;
    const born_grad *g = j->g;
    born_val more = born__grad_out_g(g, i);     /* results 1 and 2 are the present key and value */
    if (more) v = v ? two(e, BORN_OP_ADD, v, more) : more;
    if (!v) return;
    if (born__grad_wants(g, i + 3)) g->gin[i + 3] = born__emit_span(e, v, 2, 0, j->s.past);
    if (j->s.past > 0) v = born__emit_span(e, v, 2, j->s.past, j->T);
    if (born__grad_wants(g, i)) g->gin[i] = unheaded(e, v, g->in[i]);
}

static void mask_gradient(const attn_grad *j, born_val ds)
{
    born_emit *e = j->e;
    born_view m;
    if (!born__grad_wants(j->g, 3) || !born__emit_sizes(e, j->g->in[3], &m)) return;
    ds = born__emit_reshape(e, ds, (int64_t[]){ j->s.B, j->s.Hq, j->s.Tq, j->T }, 4);
    if (m.rank > 0 && m.dim[m.rank - 1] < j->T) ds = born__emit_span(e, ds, 3, 0, m.dim[m.rank - 1]);
    j->g->gin[3] = born__emit_sum_to(e, ds, j->g->in[3]);
}

static void products(attn_grad *j, born_val *dk, born_val *dv)
{
    born_emit *e = j->e;
    const born_grad *g = j->g;
    born_val gy = grouped(j, heads(e, g->gout[0], j->s.Hq), j->s.Dv);
    born_val y = grouped(j, heads(e, g->out[0], j->s.Hq), j->s.Dv);
    probabilities(j);
    *dv = two(e, BORN_OP_MATMUL, born__emit_swap_last(e, j->p), gy);
    born_val along = born__emit_over_axis(e, BORN_OP_REDUCE_SUM, two(e, BORN_OP_MUL, gy, y), 3);
    born_val dp = two(e, BORN_OP_MATMUL, gy, born__emit_swap_last(e, j->v));
    born_val ds = two(e, BORN_OP_MUL, j->p, two(e, BORN_OP_SUB, dp, along));
    mask_gradient(j, ds);
    if (j->capped) {
        born_val one = born__emit_const(e, j->capped, 1);
        ds = two(e, BORN_OP_MUL, ds, two(e, BORN_OP_SUB, one, born__emit_one(e, BORN_OP_SQUARE, j->capped)));
    }
    if (born__grad_wants(g, 0)) {
        born_val dq = born__emit_times(e, two(e, BORN_OP_MATMUL, ds, j->k), j->scale);
        dq = born__emit_reshape(e, dq, (int64_t[]){ j->s.B, j->s.Hq, j->s.Tq, j->s.D }, 4);
        g->gin[0] = unheaded(e, dq, g->in[0]);
    }
    *dk = born__emit_times(e, two(e, BORN_OP_MATMUL, born__emit_swap_last(e, ds), j->q), j->scale);
}

void born__grad_attention(born_emit *e, const born_grad *g)
{
    attn_grad j = { .e = e, .g = g, .a = BORN_ATTRS_OF(attention, g) };
    born_view in[3];
    born_val dk = 0, dv = 0;
    for (int i = 0; i < 3; i++)
        if (!born__emit_sizes(e, g->in[i], &in[i])) return;
    if (born__grad_out_g(g, 3)) {
        born__fail(&e->err, BORN_UNSUPPORTED, "attention: no gradient through the scores");
        return;
    }
    if (!born__attention_sizes(in, j.a, &j.s)) return;
    if (born__grad_in(g, 4)) j.s.past = e->meta(e, g->in[4])->dim[2];
    j.T = j.s.past + j.s.Tk;
    j.G = j.s.Hq / j.s.Hk;
    j.rows = j.G * j.s.Tq;
    j.t = in[0].dtype;
    j.scale = j.a->scale != 0 ? j.a->scale : 1 / sqrt((double)j.s.D);
    if (g->gout[0]) {
        j.q = grouped(&j, heads(e, g->in[0], j.s.Hq), j.s.D);
        j.k = with_past(e, g, 1, j.s.Hk);
        j.v = with_past(e, g, 2, j.s.Hk);
        products(&j, &dk, &dv);
    }
    hand_out(&j, dk, 1);
    hand_out(&j, dv, 2);
}
