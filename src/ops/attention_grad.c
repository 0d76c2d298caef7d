/* The gradient of attention. Without masks, past, lengths and softcap it is the row attention_grad, which needs no
   memory for scores. Otherwise, and for that row's own gradient, matrix products and a softmax that runs again:
   P = softmax(scores), then for what arrived at the result, dV = P' dY, dP = dY V', dS = P (dP - rowsum(dY Y)),
   dQ = dS K, dK = dS' Q (Dao et al., 2022, appendix B). Rows of all query heads that share a key head go through one
   product. Memory is that of the scores, a few times. */
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
    born_val mask, valid;       /* operands 3 and 6 of attention; 0: absent */
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
    return !v ? 0 : born__emit_reshape(j->e, v, (int64_t[]){ j->s.B, j->s.Hk, j->rows, last }, 4);
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
    born_val valid = j->valid, seen = 0;
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
    born_val mask = j->mask, seen = by_position(j);
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

/* Sizes and the operands that both gradients begin with; false: reported, or they do not fit. */
static bool start(attn_grad *j)
{
    born_emit *e = j->e;
    born_view in[3];
    for (int i = 0; i < 3; i++)
        if (!born__emit_sizes(e, j->g->in[i], &in[i])) return false;
    if (!born__attention_sizes(in, j->a, &j->s)) return false;
    j->t = in[0].dtype;
    j->G = j->s.Hq / j->s.Hk;
    j->rows = j->G * j->s.Tq;
    j->T = j->s.Tk;
    j->scale = j->a->scale != 0 ? j->a->scale : 1 / sqrt((double)j->s.D);
    return true;
}

/* Whether the row attention_grad has all that this call does; then it runs. */
static bool at_once(const attn_grad *j)
{
    const born_grad *g = j->g;
    for (int i = 3; i < 7; i++)
        if (born__grad_in(g, i)) return false;
    if (born__grad_out_g(g, 1) || born__grad_out_g(g, 2) || !g->gout[0] || j->a->softcap > 0) return false;
    const born_val in[5] = { g->in[0], g->in[1], g->in[2], g->out[0], g->gout[0] };
    born_val out[3] = { 0 };
    if (j->e->call(j->e, BORN_OP_ATTENTION_GRAD, j->a, in, 5, out, 3) != BORN_OK) return true;
    for (int i = 0; i < 3; i++)
        if (born__grad_wants(g, i)) g->gin[i] = out[i];
    return true;
}

void born__grad_attention(born_emit *e, const born_grad *g)
{
    attn_grad j = { .e = e, .g = g, .a = BORN_ATTRS_OF(attention, g), .mask = born__grad_in(g, 3),
                    .valid = born__grad_in(g, 6) };
    born_val dk = 0, dv = 0;
    if (born__grad_out_g(g, 3)) {
        born__emit_refuse(e, "attention", "no gradient through the scores");
        return;
    }
    if (!start(&j) || at_once(&j)) return;
    if (born__grad_in(g, 4)) j.s.past = e->meta(e, g->in[4])->dim[2];
    j.T = j.s.past + j.s.Tk;
    if (g->gout[0]) {
        j.q = grouped(&j, heads(e, g->in[0], j.s.Hq), j.s.D);
        j.k = with_past(e, g, 1, j.s.Hk);
        j.v = with_past(e, g, 2, j.s.Hk);
        products(&j, &dk, &dv);
    }
    hand_out(&j, dk, 1);
    hand_out(&j, dv, 2);
}

/* ---- the gradient of attention_grad ------------------------------------------------------------------------------ */

static born_val row_sum(born_emit *e, born_val a, born_val b)
{
    return born__emit_over_axis(e, BORN_OP_REDUCE_SUM, two(e, BORN_OP_MUL, a, b), 3);
}
static born_val turned(born_emit *e, born_val v) { return born__emit_swap_last(e, v); }
static born_val product(born_emit *e, born_val a, born_val b) { return two(e, BORN_OP_MATMUL, a, b); }

/* A sum into the gradient of operand i, of H heads, times k. */
static void give(const attn_grad *j, int i, int64_t H, int64_t T, int64_t D, born_val v, double k)
{
    if (!born__grad_wants(j->g, i) || !v) return;
    v = born__emit_reshape(j->e, born__emit_times(j->e, v, k), (int64_t[]){ j->s.B, H, T, D }, 4);
    j->g->gin[i] = unheaded(j->e, v, j->g->in[i]);
}

/* With A, B, C for what arrived at dq, dk and dv, and bars for gradients: dS' = scale (A K' + Q B'),
   P' = gY C' + dS' (dP - d), dP' = dS' P, d' = -rowsum(dP'), S' = P (P' - rowsum(P' P)). */
void born__grad_attention_grad(born_emit *e, const born_grad *g)
{
    attn_grad j = { .e = e, .g = g, .a = BORN_ATTRS_OF(attention, g) };
    if (!start(&j)) return;
    const born_attn_dims *s = &j.s;
    j.q = grouped(&j, heads(e, g->in[0], s->Hq), s->D);
    j.k = heads(e, g->in[1], s->Hk);
    j.v = heads(e, g->in[2], s->Hk);
    born_val y = grouped(&j, heads(e, g->in[3], s->Hq), s->Dv), gy = grouped(&j, heads(e, g->in[4], s->Hq), s->Dv);
    born_val A = grouped(&j, heads(e, born__grad_out_g(g, 0), s->Hq), s->D);
    born_val B = heads(e, born__grad_out_g(g, 1), s->Hk), C = heads(e, born__grad_out_g(g, 2), s->Hk);
    probabilities(&j);
    born_val p = j.p, inner = two(e, BORN_OP_SUB, product(e, gy, turned(e, j.v)), row_sum(e, gy, y));
    born_val ds = two(e, BORN_OP_MUL, p, inner);
    born_val ds_bar = born__emit_plus(e, product(e, A, turned(e, j.k)), product(e, j.q, turned(e, B)));
    ds_bar = ds_bar ? born__emit_times(e, ds_bar, j.scale) : 0;
    born_val dp_bar = two(e, BORN_OP_MUL, ds_bar, p), d_bar = 0;
    if (dp_bar) d_bar = born__emit_one(e, BORN_OP_NEG, born__emit_over_axis(e, BORN_OP_REDUCE_SUM, dp_bar, 3));
    born_val p_bar = born__emit_plus(e, product(e, gy, turned(e, C)), two(e, BORN_OP_MUL, ds_bar, inner));
    born_val s_bar = 0;
    if (p_bar) s_bar = two(e, BORN_OP_MUL, p, two(e, BORN_OP_SUB, p_bar, row_sum(e, p_bar, p)));
    give(&j, 0, s->Hq, s->Tq, s->D, born__emit_plus(e, product(e, ds, B), product(e, s_bar, j.k)), j.scale);
    give(&j, 1, s->Hk, s->Tk, s->D, born__emit_plus(e, product(e, turned(e, ds), A), product(e, turned(e, s_bar), j.q)),
         j.scale);
    give(&j, 2, s->Hk, s->Tk, s->Dv, product(e, turned(e, dp_bar), gy), 1);
    give(&j, 3, s->Hq, s->Tq, s->Dv, two(e, BORN_OP_MUL, d_bar, gy), 1);
    born_val more = born__emit_plus(e, product(e, dp_bar, j.v), two(e, BORN_OP_MUL, d_bar, y));
    give(&j, 4, s->Hq, s->Tq, s->Dv, born__emit_plus(e, product(e, p, C), more), 1);
}
