/* Gradients of rnn, gru and lstm. The rows rnn_grad, gru_grad and lstm_grad do what must go step by step: they run
   the layer again, keeping every gate, then walk the steps backwards; the products over all steps, for x, w, r and
   the biases, are matrix products that follow. What is kept is known before it runs: 2 G + 4 numbers per cell for G
   gates. Products are chains as in the layer (docs/decisions/0004-recurrent-order.md). */
#include <math.h>

#include "ops/emit_help.h"
#include "ops/lane1.h"
#include "ops/math64.h"
#include "ops/rnn_job.h"

enum { GY = 8, GYH, GYC };      /* operands behind the layer's own */

typedef struct grad_job {
    born_rnn_job j;
    born_rnn_operand gy, gyh, gyc, dh0, dc0;
    void *by_input, *by_state, *before, *reset, *peepholes;     /* results, dense; NULL: not there */
    void *slope, *cell, *cell_before, *out_value, *out_slope;   /* scratch, a row per cell */
    void *back, *packed_back;                                   /* [B, H]; r turned, in panels */
} grad_job;

#define exp_f64 born__exp_f64
#define expm1_f64 born__expm1_f64
#define log1p_f64 born__log1p_f64
#define tanh_f64 born__tanh_f64
static inline double sigmoid_f64(double x)
{
    double e = exp_f64(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

#define BORN_EACH "ops/rnn_product.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/rnn_state.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/rnn_grad.inc"
#include "ops/each_float.inc"

/* ---- the kernel ------------------------------------------------------------------------------------------------ */

static bool take(size_t *total, int64_t rows, int64_t cols, size_t size, size_t *at)
{
    size_t n;
    *at = *total;
    return born__mul_size((size_t)rows, (size_t)cols, &n) && born__mul_size(n, size, &n) && born__add_size(n, 63, &n) &&
           born__add_size(*total, n & ~(size_t)63, total);
}

/* Scratch behind the layer's own; SIZE_MAX where it overflows. */
static size_t lay_out(grad_job *g, char *base)
{
    born_rnn_job *j = &g->j;
    size_t total = born__rnn_lay_out(j, base), size = (size_t)born__elem_size(&j->call->in[0]), at[7];
    int64_t cells, n = j->hidden, panels = (n + BORN_RNN_LANES - 1) / BORN_RNN_LANES * BORN_RNN_LANES;
    bool lstm = j->gates == 4;
    bool fits = total != SIZE_MAX && born__mul_i64(j->steps, j->batch, &cells) &&
                take(&total, cells, j->gates * n, size, &at[0]) && take(&total, cells, n, size, &at[1]) &&
                take(&total, lstm ? cells : 0, n, size, &at[2]) && take(&total, lstm ? cells : 0, n, size, &at[3]) &&
                take(&total, lstm ? cells : 0, n, size, &at[4]) && take(&total, j->batch, n, size, &at[5]) &&
                take(&total, panels, j->gates * n, size, &at[6]);
    if (!fits) return SIZE_MAX;
    if (!base) return total;
    void **part[7] = { &g->slope, &g->cell, &g->cell_before, &g->out_value, &g->out_slope, &g->back, &g->packed_back };
    for (int i = 0; i < 7; i++) *part[i] = base + at[i];
    return total;
}

static born_rnn_operand operand(const born_view *v, int t, int d, int b, int h)
{
    born_rnn_operand o = { .data = v->data };
    if (t >= 0) o.t = v->stride[t];
    o.d = v->stride[d];
    o.b = v->stride[b];
    o.h = v->stride[h];
    return o;
}

static void describe(const born_call *c, grad_job *g)
{
    memset(g, 0, sizeof *g);
    born__rnn_describe(c, &g->j);
    bool batch_first = born__rnn_attrs(c->op, c->attrs).layout != 0;
    int d = batch_first ? 1 : 0, b = batch_first ? 0 : 1;
    g->j.y.data = g->j.yh.data = g->j.yc.data = NULL;
    if (born__has(c, GY))
        g->gy = batch_first ? operand(&c->in[GY], 1, 2, 0, 3) : operand(&c->in[GY], 0, 1, 2, 3);
    if (born__has(c, GYH)) g->gyh = operand(&c->in[GYH], -1, d, b, 2);
    if (born__has(c, GYC)) g->gyc = operand(&c->in[GYC], -1, d, b, 2);
    g->by_input = c->out[0].data;
    g->before = c->out[1].data;
    g->dh0 = operand(&c->out[2], -1, d, b, 2);
    if (g->j.gates == 4) {
        g->dc0 = operand(&c->out[3], -1, d, b, 2);
        g->peepholes = c->out[4].data;
    } else if (g->j.gates == 3) {
        g->by_state = c->out[3].data;
        g->reset = c->out[4].data;
    }
}

static size_t scratch(const born_call *c)
{
    grad_job g = { .by_input = NULL };
    born__rnn_describe(c, &g.j);
    return lay_out(&g, NULL);
}
size_t born__scratch_rnn_grad(const born_call *c) { return scratch(c); }
size_t born__scratch_gru_grad(const born_call *c) { return scratch(c); }
size_t born__scratch_lstm_grad(const born_call *c) { return scratch(c); }

static born_status run(const born_call *c, const born_exec *x)
{
    grad_job g;
    bool wide = c->in[0].dtype == BORN_F64;
    int results = born__rnn_attrs(c->op, c->attrs).gates == 1 ? 3 : 5;
    BORN_FAIL_IF(c->out_count != results, x->err, BORN_INVALID, "%s: %d results where %d are given", c->op->name,
                 c->out_count, results);
    if (!wide && c->in[0].dtype != BORN_F32) return born__no_body(c, x);
    describe(c, &g);
    BORN_FAIL_IF(x->scratch_bytes < lay_out(&g, NULL), x->err, BORN_INTERNAL, "%s: scratch is too small", c->op->name);
    (void)lay_out(&g, x->scratch);
    for (int i = 0; i < c->out_count; i++) memset(c->out[i].data, 0, (size_t)born__view_bytes(&c->out[i]));
    if (g.j.batch == 0 || g.j.hidden == 0) return BORN_OK;
    for (int64_t d = 0; d < g.j.directions; d++) {
        if (wide) keep_direction_f64(&g, x, d), back_direction_f64(&g, x, d);
        else keep_direction_f32(&g, x, d), back_direction_f32(&g, x, d);
        if (g.peepholes && g.j.peep.data) (wide ? back_peepholes_f64 : back_peepholes_f32)(&g, d);
    }
    return BORN_OK;
}
born_status born__ref_rnn_grad(born_call *c, const born_exec *x) { return run(c, x); }
born_status born__ref_gru_grad(born_call *c, const born_exec *x) { return run(c, x); }
born_status born__ref_lstm_grad(born_call *c, const born_exec *x) { return run(c, x); }

/* ---- the gradient, with the products over all steps ------------------------------------------------------------ */

static born_val product(born_emit *e, born_val a, born_val b) { return born__emit_two(e, BORN_OP_MATMUL, a, b); }

/* Sums over one axis, which goes. */
static born_val summed(born_emit *e, born_val v, int64_t axis)
{
    const born_reduce_attrs drop = { .drop_dims = true };
    if (!v || e->err.status) return 0;
    const born_val in[2] = { v, e->ints(e, &axis, 1) };
    return born__emit1(e, BORN_OP_REDUCE_SUM, &drop, in, 2);
}

typedef struct sizes { int64_t D, T, B, I, H, rows; bool batch_first, split; } sizes;

/* Gate gradients [D, T, B, rows] as [D, T*B, rows]. */
static born_val flat(born_emit *e, const sizes *s, born_val v, int64_t last)
{
    return born__emit_reshape(e, v, (int64_t[]){ s->D, s->T * s->B, last }, 3);
}

static void by_x_and_w(born_emit *e, const born_grad *g, const sizes *s, born_val by_input)
{
    if (born__grad_wants(g, 0)) {
        born_val dx = summed(e, product(e, by_input, g->in[1]), 0);
        dx = born__emit_reshape(e, dx, (int64_t[]){ s->T, s->B, s->I }, 3);
        g->gin[0] = s->batch_first ? born__emit_permuted(e, dx, (int64_t[]){ 1, 0, 2 }, 3) : dx;
    }
    if (!born__grad_wants(g, 1)) return;
    born_val x = s->batch_first ? born__emit_permuted(e, g->in[0], (int64_t[]){ 1, 0, 2 }, 3) : g->in[0];
    x = born__emit_reshape(e, x, (int64_t[]){ s->T * s->B, s->I }, 2);
    g->gin[1] = product(e, born__emit_swap_last(e, by_input), x);
}

static void by_r_and_bias(born_emit *e, const born_grad *g, const sizes *s, born_val by_input, born_val by_state,
                          born_val before, born_val reset)
{
    if (born__grad_wants(g, 2)) {
        born_val turned = born__emit_swap_last(e, by_state), dr = 0;
        if (s->split) {         /* the last gate of a GRU multiplies the reset state */
            born_val part[2] = { product(e, born__emit_span(e, turned, 1, 0, 2 * s->H), before),
                                 product(e, born__emit_span(e, turned, 1, 2 * s->H, 3 * s->H), reset) };
            dr = born__emit_joined(e, part, 2, 1);
        } else {
            dr = product(e, turned, before);
        }
        g->gin[2] = dr;
    }
    if (!born__grad_wants(g, 3)) return;
    born_val part[2] = { summed(e, by_input, 1), summed(e, by_state, 1) };
    g->gin[3] = born__emit_joined(e, part, 2, 1);
}

static void grad_rnn(born_emit *e, const born_grad *g, born_op_id row)
{
    born_rnn_attrs_all a = born__rnn_attrs(g->op, g->attrs);
    born_val in[11] = { 0 }, out[5] = { 0 };
    born_view x, r;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->in[2], &r)) return;
    for (int i = 0; i < g->in_count && i < GY; i++) in[i] = g->in[i];
    for (int i = 0; i < g->out_count; i++) in[GY + i] = g->gout[i];
    if (e->err.status || e->call(e, row, g->attrs, in, a.gates == 4 ? 11 : 10, out, a.gates == 1 ? 3 : 5)) return;
    sizes s = { .D = r.dim[0], .T = x.dim[a.layout ? 1 : 0], .B = x.dim[a.layout ? 0 : 1], .I = x.dim[2],
                .H = r.dim[2], .rows = r.dim[1], .batch_first = a.layout != 0 };
    s.split = a.gates == 3 && !a.linear_before_reset;
    born_val by_input = flat(e, &s, out[0], s.rows), before = flat(e, &s, out[1], s.H);
    born_val by_state = a.gates == 3 ? flat(e, &s, out[3], s.rows) : by_input;
    by_x_and_w(e, g, &s, by_input);
    by_r_and_bias(e, g, &s, by_input, by_state, before, s.split ? flat(e, &s, out[4], s.H) : 0);
    if (born__grad_wants(g, 5)) g->gin[5] = out[2];
    if (a.gates != 4) return;
    if (born__grad_wants(g, 6)) g->gin[6] = out[3];
    if (born__grad_wants(g, 7)) g->gin[7] = out[4];
}
void born__grad_rnn(born_emit *e, const born_grad *g) { grad_rnn(e, g, BORN_OP_RNN_GRAD); }
void born__grad_gru(born_emit *e, const born_grad *g) { grad_rnn(e, g, BORN_OP_GRU_GRAD); }
void born__grad_lstm(born_emit *e, const born_grad *g) { grad_rnn(e, g, BORN_OP_LSTM_GRAD); }
