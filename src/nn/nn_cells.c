/* Single steps of recurrences: RNNCell, GRUCell, LSTMCell, and the projected LSTM made of them. */
#include <math.h>

#include "base/alloc.h"
#include "nn/nn_recurrent.h"

born_tensor born__nn_step(born_recurrent_kind kind, born_tensor gi, born_tensor gh, born_tensor h, born_tensor *c,
                          const born_site *at)
{
    born_tensor i[4], g[4];

    if (kind == BORN_RNN_TANH || kind == BORN_RNN_RELU)
        return kind == BORN_RNN_TANH ? TANH(ADD(gi, gh)) : RELU(ADD(gi, gh));
    if (kind == BORN_LSTM) {                    /* i, f, g, o */
        (void)(born_split)(ADD(gi, gh), g, 4, (born_ints){ 0 }, -1, at);
        *c = ADD(MUL(SIGMOID(g[1]), *c), MUL(SIGMOID(g[0]), TANH(g[2])));
        return MUL(SIGMOID(g[3]), TANH(*c));
    }
    (void)(born_split)(gi, i, 3, (born_ints){ 0 }, -1, at);     /* r, z, n */
    (void)(born_split)(gh, g, 3, (born_ints){ 0 }, -1, at);
    born_tensor z = SIGMOID(ADD(i[1], g[1]));
    born_tensor n = TANH(ADD(i[2], MUL(SIGMOID(ADD(i[0], g[0])), g[2])));
    return ADD(n, MUL(z, SUB(h, n)));
}

/* ---- the projected LSTM ---------------------------------------------------------------------------------------- */

born_tensor born__nn_projected(const born_module *m, born_tensor x, born_tensor w_ih, born_tensor w_hh,
                               born_tensor w_hr, born_tensor b_ih, born_tensor b_hh, born_tensor lengths,
                               bool reverse, born_tensor *h, born_tensor *c, const born_site *at)
{
    born_shape s = born_shape_of(x);
    int64_t T = s.dim[0];
    born_tensor gi = born__nn_linear(x, w_ih, b_ih, at), zero = born__like(x, 0, at);
    born_tensor *y = born__alloc((size_t)(T ? T : 1) * sizeof *y);

    if (!y) return born__module_fail(m, BORN_NOMEM, "no memory for %lld steps", (long long)T);
    for (int64_t k = 0; k < T; k++) {
        int64_t t = reverse ? T - 1 - k : k;
        born_tensor c_new = *c, gh = born__nn_linear(*h, w_hh, b_hh, at);
        born_tensor h_new = born__nn_step(BORN_LSTM, SQUEEZE(SLICE(gi, t, t + 1, 0), 0), gh, *h, &c_new, at);
        h_new = born__nn_linear(h_new, w_hr, (born_tensor){ 0 }, at);
        y[t] = h_new;
        if (born__given(lengths)) {             /* behind its end a row keeps its state and gives zeros */
            born_tensor live = UNSQUEEZE(GT_N(lengths, (double)t), -1);
            y[t] = WHERE(live, h_new, zero);
            h_new = WHERE(live, h_new, *h);
            c_new = WHERE(live, c_new, *c);
        }
        y[t] = UNSQUEEZE(y[t], 0);
        *h = h_new;
        *c = c_new;
    }
    born_tensor all = y[0];                     /* a call takes 255 operands at most */
    for (int64_t t = 1; t < T; t += 254) {
        born_tensor part[255] = { all };
        int n = 1;
        for (; n < 255 && t + n - 1 < T; n++) part[n] = y[t + n - 1];
        all = (born_concat)(part, n, 0, at);
    }
    born__free(y);
    return all;
}

/* ---- cells ----------------------------------------------------------------------------------------------------- */

typedef struct cell_config { born_recurrent_kind kind; int64_t hidden; } cell_config;

static void cell_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                         const born_site *at)
{
    const cell_config *c = born_module_config(self);
    bool lstm = c->kind == BORN_LSTM, single, ignored;

    if (!born__nn_arity(self, in, n_in, 1, lstm ? 3 : 2, n_out, lstm ? 2 : 1)) return;
    born_tensor x = born__nn_batch(self, in[0], 2, &single, at), state[2];
    if (!born_is_alive(x)) {
        out[0] = x;
        return;
    }
    int64_t B = born_shape_of(x).dim[0];
    for (int i = 0; i < 1 + lstm; i++) {
        born_tensor given = born__nn_in(in, n_in, 1 + i);
        state[i] = born__given(given) ? born__nn_batch(self, given, 2, &ignored, at)
                                      : RESHAPE(born__row(x, B * c->hidden, 0, at), BORN_SHAPE(B, c->hidden));
    }
    born_tensor b_ih = born_module_tensor(self, "bias_ih"), b_hh = born_module_tensor(self, "bias_hh");
    born_tensor gi = born__nn_linear(x, born_module_tensor(self, "weight_ih"), b_ih, at);
    born_tensor gh = born__nn_linear(state[0], born_module_tensor(self, "weight_hh"), b_hh, at);
    out[0] = born__nn_unbatch(born__nn_step(c->kind, gi, gh, state[0], &state[1], at), single, at);
    if (n_out > 1) out[1] = born__nn_unbatch(state[1], single, at);
}

static const born_module_ops cell_ops[] = {
    [BORN_RNN_TANH] = { .name = "RNNCell", .forward = cell_forward },
    [BORN_RNN_RELU] = { .name = "RNNCell", .forward = cell_forward },
    [BORN_GRU] = { .name = "GRUCell", .forward = cell_forward },
    [BORN_LSTM] = { .name = "LSTMCell", .forward = cell_forward },
};

static born_module *cell(born_module *parent, const char *name, born_recurrent_kind kind, int64_t input, int64_t hidden,
                         const born_cell_desc *options, size_t bytes)
{
    born_cell_desc d;
    const born_module_ops *ops = &cell_ops[kind];

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (input < 1 || hidden < 1 || input > BORN_NN_MOST || hidden > BORN_NN_MOST || (d.relu && kind != BORN_RNN_TANH))
        return born__nn_refuse(parent, name, ops, "sizes %lld and %lld, or relu where there is none", (long long)input,
                               (long long)hidden);
    cell_config c = { d.relu ? BORN_RNN_RELU : kind, hidden };
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    born_fill f = born__fill_within(1 / sqrt((double)hidden));
    int64_t rows = born__nn_gates(kind) * hidden;
    born__nn_add(m, "weight_ih", BORN_PARAM, BORN_SHAPE(rows, input), f);
    born__nn_add(m, "weight_hh", BORN_PARAM, BORN_SHAPE(rows, hidden), f);
    if (d.no_bias) return m;
    born__nn_add(m, "bias_ih", BORN_PARAM, BORN_SHAPE(rows), f);
    born__nn_add(m, "bias_hh", BORN_PARAM, BORN_SHAPE(rows), f);
    return m;
}
born_module *born_rnn_cell_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                 const born_cell_desc *options, size_t bytes)
{
    return cell(parent, name, BORN_RNN_TANH, input_size, hidden_size, options, bytes);
}
born_module *born_gru_cell_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                 const born_cell_desc *options, size_t bytes)
{
    return cell(parent, name, BORN_GRU, input_size, hidden_size, options, bytes);
}
born_module *born_lstm_cell_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                  const born_cell_desc *options, size_t bytes)
{
    return cell(parent, name, BORN_LSTM, input_size, hidden_size, options, bytes);
}
