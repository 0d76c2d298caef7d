/* Reference kernels of rnn, gru and lstm (docs/decisions/0004-recurrent-order.md). For each direction: the products of
   all steps with w at once, then step by step the products with r and the cell. Products are chains as in matmul; 16
   results advance together, from panels [k][16] of the weights where there are steps enough to pay for packing. */
#include <math.h>

#include "ops/lane1.h"
#include "ops/math64.h"
#include "ops/rnn_job.h"

enum { RNN_PACK_ROWS = 4 };     /* rows of gates from which panels pay */

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
#define BORN_EACH "ops/rnn_cell.inc"
#include "ops/each_float.inc"

static born_rnn_operand operand(const born_view *v, int t, int d, int b, int h)
{
    born_rnn_operand o = { .data = v->data };
    if (t >= 0) o.t = v->stride[t];
    if (d >= 0) o.d = v->stride[d];
    if (b >= 0) o.b = v->stride[b];
    if (h >= 0) o.h = v->stride[h];
    return o;
}

static born_rnn_operand input(const born_call *c, int i, int d, int b, int h)
{
    return born__has(c, i) ? operand(&c->in[i], -1, d, b, h) : (born_rnn_operand){ 0 };
}

static born_rnn_operand result(const born_call *c, int i, int t, int d, int b, int h)
{
    bool wanted = i < c->out_count && c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].data;
    return wanted ? operand(&c->out[i], t, d, b, h) : (born_rnn_operand){ 0 };
}

void born__rnn_describe(const born_call *c, born_rnn_job *j)
{
    born_rnn_attrs_all a = born__rnn_attrs(c->op, c->attrs);
    int first = a.layout ? 1 : 0, second = a.layout ? 0 : 1;    /* time and batch of x; direction and batch of states */
    static const int kind_by_gates[] = { 0, BORN_OP_RNN, 0, BORN_OP_GRU, BORN_OP_LSTM };
    *j = (born_rnn_job){ .call = c, .kind = kind_by_gates[a.gates], .gates = a.gates, .clip = a.clip,
                         .linear_before_reset = a.linear_before_reset, .input_forget = a.input_forget };
    (void)born__rnn_activations(&a, j->act, c->op->name, NULL);
    j->reverse[0] = a.direction == BORN_RNN_REVERSE;
    j->reverse[1] = true;
    j->steps = c->in[0].dim[first];
    j->batch = c->in[0].dim[second];
    j->inputs = c->in[0].dim[2];
    j->hidden = c->in[2].dim[2];
    j->directions = c->in[2].dim[0];
    j->x = operand(&c->in[0], first, -1, second, 2);
    j->w = operand(&c->in[1], -1, 0, 1, 2);
    j->r = operand(&c->in[2], -1, 0, 1, 2);
    j->bias = input(c, 3, 0, -1, 1);
    j->h0 = input(c, 5, first, second, 2);
    if (a.gates == 4) {
        j->c0 = input(c, 6, first, second, 2);
        j->peep = input(c, 7, 0, -1, 1);
    }
    j->y = a.layout ? result(c, 0, 1, 2, 0, 3) : result(c, 0, 0, 1, 2, 3);
    j->yh = result(c, 1, -1, first, second, 2);
    if (a.gates == 4) j->yc = result(c, 2, -1, first, second, 2);
    j->pack = j->batch > 0 && (j->batch >= RNN_PACK_ROWS || j->steps >= (RNN_PACK_ROWS + j->batch - 1) / j->batch);
}

static bool take(size_t *total, int64_t rows, int64_t cols, size_t size, size_t *at)
{
    size_t n;
    *at = *total;
    bool fits = (uint64_t)rows <= SIZE_MAX && (uint64_t)cols <= SIZE_MAX &&
                born__mul_size((size_t)rows, (size_t)cols, &n) && born__mul_size(n, size, &n) &&
                born__add_size(n, 63, &n) && born__add_size(*total, n & ~(size_t)63, total);
    return fits;
}

static int64_t padded(int64_t rows) { return (rows + BORN_RNN_LANES - 1) / BORN_RNN_LANES * BORN_RNN_LANES; }

size_t born__rnn_lay_out(born_rnn_job *j, char *base)
{
    size_t total = 0, at[8] = { 0 }, size = (size_t)born__elem_size(&j->call->in[0]);
    int64_t rows = j->gates * j->hidden, cells;
    bool split = j->kind == BORN_OP_GRU && !j->linear_before_reset;
    bool fits = born__mul_i64(j->steps, j->batch, &cells) && take(&total, cells, rows, size, &at[0]) &&
                take(&total, j->batch, rows, size, &at[1]) && take(&total, j->batch, j->hidden, size, &at[2]) &&
                take(&total, j->batch, j->hidden, size, &at[3]) && take(&total, j->batch, j->hidden, size, &at[4]);
    if (fits && j->pack)
        fits = take(&total, padded(rows), j->inputs, size, &at[5]) &&
               take(&total, padded(split ? rows - j->hidden : rows), j->hidden, size, &at[6]) &&
               take(&total, split ? padded(j->hidden) : 0, j->hidden, size, &at[7]);
    if (!fits) return SIZE_MAX;
    if (!base) return total;
    j->xg = base + at[0];
    j->hg = base + at[1];
    j->h = base + at[2];
    j->c = base + at[3];
    j->rh = base + at[4];
    if (!j->pack) return total;
    j->packed_w = base + at[5];
    j->packed_r = base + at[6];
    j->packed_n = base + at[7];
    return total;
}

born_rnn_product born__rnn_inputs(const born_rnn_job *j, int64_t d, const void *panels)
{
    int64_t all = j->gates * j->hidden, size = born__elem_size(&j->call->in[0]);
    born_rnn_product p = { .a = j->x.data, .split = j->batch, .outer = j->x.t, .inner = j->x.b, .step = j->x.h,
                           .terms = j->inputs, .count = j->steps * j->batch, .m = j->w.data + d * j->w.d * size,
                           .row = j->w.b, .col = j->w.h, .rows = all, .panels = panels, .out = j->xg, .out_row = all,
                           .bias_step = j->bias.h };
    if (j->bias.data) p.bias = j->bias.data + d * j->bias.d * size;
    return p;
}

born_rnn_product born__rnn_recur(const born_rnn_job *j, int64_t d, const void *state, int64_t first, int64_t rows,
                                 const void *panels)
{
    int64_t all = j->gates * j->hidden, size = born__elem_size(&j->call->in[0]);
    born_rnn_product p = { .a = state, .split = 1, .outer = j->hidden, .step = 1, .terms = j->hidden,
                           .count = j->batch, .m = j->r.data + (d * j->r.d + first * j->r.b) * size, .row = j->r.b,
                           .col = j->r.h, .rows = rows, .panels = panels, .out = (char *)j->hg + first * size,
                           .out_row = all, .bias_step = j->bias.h };
    if (j->bias.data) p.bias = j->bias.data + (d * j->bias.d + (all + first) * j->bias.h) * size;
    return p;
}

static size_t scratch(const born_call *c)
{
    born_rnn_job j;
    born__rnn_describe(c, &j);
    return born__rnn_lay_out(&j, NULL);
}

size_t born__scratch_rnn(const born_call *c) { return scratch(c); }
size_t born__scratch_gru(const born_call *c) { return scratch(c); }
size_t born__scratch_lstm(const born_call *c) { return scratch(c); }

static born_status run(const born_call *c, const born_exec *x)
{
    born_rnn_job j;
    born__rnn_describe(c, &j);
    BORN_FAIL_IF(x->scratch_bytes < born__rnn_lay_out(&j, NULL), x->err, BORN_INTERNAL, "%s: scratch is too small",
                 c->op->name);
    (void)born__rnn_lay_out(&j, x->scratch);
    void (*direction)(const born_rnn_job *, const born_exec *, int64_t) =
        BORN_PICK_FLOAT(c->in[0].dtype, rnn_direction);
    if (!direction) return born__no_body(c, x);
    if (j.batch == 0 || j.hidden == 0) return BORN_OK;
    for (int64_t d = 0; d < j.directions; d++) direction(&j, x, d);
    return BORN_OK;
}

born_status born__ref_rnn(born_call *c, const born_exec *x) { return run(c, x); }
born_status born__ref_gru(born_call *c, const born_exec *x) { return run(c, x); }
born_status born__ref_lstm(born_call *c, const born_exec *x) { return run(c, x); }
