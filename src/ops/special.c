/* Special functions as operators: one walk that computes each element in f64, and gradients as calls of other rows. */
#include "ops/emit_help.h"
#include "ops/special_math.h"

enum { GRAIN = 256 };       /* elements worth another thread: each costs some hundred operations */

typedef struct walk {
    double (*fn)(double);
    int n;                  /* of polygamma, where fn is NULL */
    born_dtype t;
} walk;

static void special_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const walk *w = ctx;
    for (int64_t i = 0; i < n; i++) {
        double x = born__load_f64(w->t, p[1] + i * step[1]);
        born__store_f64(w->t, p[0] + i * step[0], w->fn ? w->fn(x) : born__sp_polygamma(w->n, x));
    }
}

born_status born__ref_special(born_call *c, const born_exec *x)
{
    static const struct { born_op_id id; double (*fn)(double); } functions[] = {
        { BORN_OP_ERFC, born__sp_erfc },       { BORN_OP_ERFCX, born__sp_erfcx },
        { BORN_OP_ERFINV, born__sp_erfinv },   { BORN_OP_NDTR, born__sp_ndtr },
        { BORN_OP_LOG_NDTR, born__sp_log_ndtr }, { BORN_OP_LGAMMA, born__sp_lgamma },
        { BORN_OP_DIGAMMA, born__sp_digamma }, { BORN_OP_BESSEL_I0, born__sp_i0 },
        { BORN_OP_BESSEL_I1, born__sp_i1 },
    };
    walk w = { .t = c->in[0].dtype };
    if (c->op->id == BORN_OP_POLYGAMMA) w.n = (int)BORN_ATTRS_OF(polygamma, c)->n;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (functions[i].id == c->op->id) w.fn = functions[i].fn;
    born_nd nd;
    born__nd_start(&nd, c->out[0].dim, c->out[0].rank);
    born__nd_add(&nd, &c->out[0]);
    born__nd_add(&nd, &c->in[0]);
    born__nd_merge(&nd);
    born__nd_for(&nd, x, GRAIN, special_run, &w);
    return BORN_OK;
}

/* ---- gradients ---- */

static born_val times(born_emit *e, born_val a, born_val b) { return born__emit_two(e, BORN_OP_MUL, a, b); }

/* k * exp(s x^2) */
static born_val bell(born_emit *e, born_val x, double k, double s)
{
    born_val v = born__emit_one(e, BORN_OP_EXP, born__emit_times(e, born__emit_one(e, BORN_OP_SQUARE, x), s));
    return born__emit_times(e, v, k);
}

static const double two_over_root_pi = 1.1283791670955125739, one_over_root_2pi = 0.39894228040143267794;

void born__grad_erfc(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, g->gout[0], bell(e, g->in[0], -two_over_root_pi, -1));
}
void born__grad_erfcx(born_emit *e, const born_grad *g)
{
    born_val slope = born__emit_times(e, times(e, g->in[0], g->out[0]), 2);
    slope = born__emit_two(e, BORN_OP_SUB, slope, born__emit_const(e, g->in[0], two_over_root_pi));
    g->gin[0] = times(e, g->gout[0], slope);
}
void born__grad_erfinv(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, g->gout[0], bell(e, g->out[0], 1 / two_over_root_pi, 1));
}
void born__grad_ndtr(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, g->gout[0], bell(e, g->in[0], one_over_root_2pi, -0.5));
}
/* The density over ndtr: in the lower tail, where both vanish, sqrt(2 / pi) / erfcx(-x / sqrt(2)). */
void born__grad_log_ndtr(born_emit *e, const born_grad *g)
{
    born_val v = born__emit_one(e, BORN_OP_ERFCX, born__emit_times(e, g->in[0], -0.70710678118654752440));
    g->gin[0] = times(e, g->gout[0], born__emit_two(e, BORN_OP_DIV, born__emit_const(e, v, 2 * one_over_root_2pi), v));
}
void born__grad_lgamma(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, g->gout[0], born__emit_one(e, BORN_OP_DIGAMMA, g->in[0]));
}

static void next_polygamma(born_emit *e, const born_grad *g, int64_t n)
{
    const born_polygamma_attrs a = { .n = n };
    if (e->err.status) return;
    g->gin[0] = times(e, g->gout[0], born__emit1(e, BORN_OP_POLYGAMMA, &a, &g->in[0], 1));
}
void born__grad_digamma(born_emit *e, const born_grad *g) { next_polygamma(e, g, 1); }
void born__grad_polygamma(born_emit *e, const born_grad *g)
{
    next_polygamma(e, g, BORN_ATTRS_OF(polygamma, g)->n + 1);
}

void born__grad_bessel_i0(born_emit *e, const born_grad *g)
{
    g->gin[0] = times(e, g->gout[0], born__emit_one(e, BORN_OP_BESSEL_I1, g->in[0]));
}
/* i0(x) - i1(x) / x, 1/2 at 0. */
void born__grad_bessel_i1(born_emit *e, const born_grad *g)
{
    born_val x = g->in[0], one = born__emit_const(e, x, 1), half = born__emit_const(e, x, 0.5);
    born_val none = born__emit_two(e, BORN_OP_EQ, x, born__emit_const(e, x, 0));
    born_val share = born__emit_two(e, BORN_OP_DIV, g->out[0], born__emit_three(e, BORN_OP_WHERE, none, one, x));
    share = born__emit_three(e, BORN_OP_WHERE, none, half, share);
    born_val slope = born__emit_two(e, BORN_OP_SUB, born__emit_one(e, BORN_OP_BESSEL_I0, x), share);
    g->gin[0] = times(e, g->gout[0], slope);
}
