/* Gradients of the elementwise rows: the derivative columns read as op calls, each word a call of its own row, so that
   what is built can be differentiated again. Gradients of broadcast operands are summed back to their shape. */
#include <math.h>

#include "ops/elementwise.h"
#include "ops/emit_help.h"

/* What the words of one gradient need: the builder, a value whose dtype constants take, the row's attributes. */
typedef struct writer { born_emit *e; born_val like; double p[2]; } writer;

#define WORD_OPS1(W)                                                                                                  \
    W(neg, NEG) W(abs, ABS) W(sign, SIGN) W(sqrt, SQRT) W(square, SQUARE) W(floor, FLOOR) W(trunc, TRUNC)             \
    W(exp, EXP) W(sin, SIN) W(cos, COS) W(sinh, SINH) W(cosh, COSH) W(tanh, TANH) W(log, LOG)                         \
    W(log1p, LOG1P) W(sigmoid, SIGMOID)
#define WORD_OPS2(W)                                                                                                  \
    W(add, ADD) W(sub, SUB) W(mul, MUL) W(div, DIV) W(max, MAX) W(pow, POW) W(gt, GT) W(ge, GE) W(lt, LT) W(le, LE)   \
    W(eq, EQ) W(and, LOGICAL_AND)
#define W(name, ID)                                                                                                   \
    static born_val emit_##name(writer *w, born_val a) { return born__emit_one(w->e, BORN_OP_##ID, a); }
WORD_OPS1(W)
#undef W
#define W(name, ID)                                                                                                   \
    static born_val emit_##name(writer *w, born_val a, born_val b)                                                    \
    {                                                                                                                 \
        return born__emit_two(w->e, BORN_OP_##ID, a, b);                                                              \
    }
WORD_OPS2(W)
#undef W
static born_val emit_sel(writer *w, born_val c, born_val a, born_val b)
{
    return born__emit_three(w->e, BORN_OP_WHERE, c, a, b);
}
static born_val emit_gelu_grad(writer *w, born_val x, born_val G)
{
    const born_gelu_attrs a = { .approximate = w->p[0] != 0 };
    return born__emit1(w->e, BORN_OP_GELU_GRAD, &a, (born_val[]){ x, G }, 2);
}
static born_val emit_konst(writer *w, double k) { return born__emit_const(w->e, w->like, k); }

#define WORD(name, ...) emit_##name(w, __VA_ARGS__)
#define WORD_CONST(k) emit_konst(w, k)
#define P0 emit_konst(w, w->p[0])
#define P1 emit_konst(w, w->p[1])
#define P0_ATTR w->p[0]
#define NONE 0
#include "ops/words.h"

static void grad_one(born_emit *e, const born_grad *g,
                     born_val (*dx)(writer *w, born_val X, born_val Y, born_val Z, born_val G), int i)
{
    if (!born__grad_wants(g, i) || !g->gout[0]) return;
    writer w = { .e = e, .like = g->in[0] };
    born__attrs_numbers(g->op->attrs, g->attrs, w.p);
    born_val d = dx(&w, g->in[0], g->in_count > 1 ? g->in[1] : 0, g->out[0], g->gout[0]);
    if (d) g->gin[i] = born__emit_sum_to(e, d, g->in[i]);
}

#define DERIVATIVE(name, text)                                                                                        \
    static born_val name(writer *w, born_val X, born_val Y, born_val Z, born_val G)                                   \
    {                                                                                                                 \
        (void)w, (void)X, (void)Y, (void)Z, (void)G;                                                                  \
        return text;                                                                                                  \
    }
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)                                                          \
    DERIVATIVE(dx_##name, dx)                                                                                         \
    void born__grad_##name(born_emit *e, const born_grad *g) { grad_one(e, g, dx_##name, 0); }
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)                                              \
    DERIVATIVE(dx_##name, dx)                                                                                         \
    DERIVATIVE(dy_##name, dy)                                                                                         \
    void born__grad_##name(born_emit *e, const born_grad *g)                                                          \
    {                                                                                                                 \
        grad_one(e, g, dx_##name, 0);                                                                                 \
        grad_one(e, g, dy_##name, 1);                                                                                 \
    }
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"

/* ---- rows without a formula ---- */

/* d/dx x^y = y x^(y-1), 0 where y is 0; d/dy = x^y log x, 0 where x is not above 0. */
DERIVATIVE(dx_pow, SEL(EQ(Y, C(0)), C(0), MUL(G, MUL(Y, POW(X, SUB(Y, C(1)))))))
DERIVATIVE(dy_pow, SEL(GT(X, C(0)), MUL(G, MUL(Z, LOG(SEL(GT(X, C(0)), X, C(1))))), C(0)))

void born__grad_pow(born_emit *e, const born_grad *g)
{
    born_dtype x = e->meta(e, g->in[0])->dtype, y = e->meta(e, g->in[1])->dtype;
    born_val both[2] = { g->in[0], g->in[1] };
    born_grad same = *g;
    if (x != y) {
        const born_cast_attrs to = { .to = x };
        both[1] = born__emit1(e, BORN_OP_CAST, &to, &g->in[1], 1);
        same.in = both;
    }
    if (e->err.status) return;
    grad_one(e, &same, dx_pow, 0);
    if (x == y) grad_one(e, &same, dy_pow, 1);
}

void born__grad_fma(born_emit *e, const born_grad *g)
{
    for (int i = 0; i < 3; i++) {
        if (!born__grad_wants(g, i)) continue;
        born_val d = i < 2 ? born__emit_two(e, BORN_OP_MUL, g->gout[0], g->in[1 - i]) : g->gout[0];
        g->gin[i] = born__emit_sum_to(e, d, g->in[i]);
    }
}

void born__grad_where(born_emit *e, const born_grad *g)
{
    for (int i = 1; i < 3; i++) {
        if (!born__grad_wants(g, i)) continue;
        born_val zero = born__emit_const(e, g->gout[0], 0);
        born_val a = i == 1 ? g->gout[0] : zero, b = i == 1 ? zero : g->gout[0];
        born_val d = born__emit_three(e, BORN_OP_WHERE, g->in[0], a, b);
        g->gin[i] = born__emit_sum_to(e, d, g->in[i]);
    }
}

/* A value within the bounds keeps its gradient; one outside gives it to the bound that it met. */
void born__grad_clip(born_emit *e, const born_grad *g)
{
    born_val lo = g->in_count > 1 ? g->in[1] : 0, hi = g->in_count > 2 ? g->in[2] : 0, x = g->in[0], G = g->gout[0];
    born_val zero = born__emit_const(e, x, 0), low = lo ? born__emit_two(e, BORN_OP_LT, x, lo) : 0;
    /* above counts values that lo raised beyond hi too: the result is hi there */
    born_val raised = lo ? born__emit_two(e, BORN_OP_MAX, x, lo) : x;
    born_val above = hi ? born__emit_two(e, BORN_OP_GT, raised, hi) : 0;
    born_val inner = above ? born__emit_three(e, BORN_OP_WHERE, above, zero, G) : G;
    if (born__grad_wants(g, 0)) g->gin[0] = low ? born__emit_three(e, BORN_OP_WHERE, low, zero, inner) : inner;
    if (born__grad_wants(g, 1) && low)
        g->gin[1] = born__emit_sum_to(e, born__emit_three(e, BORN_OP_WHERE, low, inner, zero), lo);
    if (born__grad_wants(g, 2) && above)
        g->gin[2] = born__emit_sum_to(e, born__emit_three(e, BORN_OP_WHERE, above, G, zero), hi);
}

static void grad_cast_back(born_emit *e, const born_grad *g)
{
    const born_cast_attrs to = { .to = e->meta(e, g->in[0])->dtype };
    if (!born__grad_wants(g, 0) || !born__dtype_is(to.to, BORN_DT_FLOAT)) return;
    if (!born__dtype_is(e->meta(e, g->gout[0])->dtype, BORN_DT_FLOAT)) return;
    g->gin[0] = born__emit1(e, BORN_OP_CAST, &to, &g->gout[0], 1);
}
void born__grad_cast(born_emit *e, const born_grad *g) { grad_cast_back(e, g); }
void born__grad_cast_like(born_emit *e, const born_grad *g) { grad_cast_back(e, g); }

void born__grad_identity(born_emit *e, const born_grad *g)
{
    (void)e;
    g->gin[0] = g->gout[0];
}
void born__grad_dropout(born_emit *e, const born_grad *g)
{
    (void)e;
    g->gin[0] = g->gout[0];
}
#include "ops/words_off.h"
