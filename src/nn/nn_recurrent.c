/* RNN, GRU and LSTM: layers of the operators of those names. PyTorch's gates are put in the operators' order (ONNX's),
   directions side by side; an LSTM with projections goes step by step (nn_cells.c). */
#include <math.h>
#include <stdio.h>

#include "nn/nn_recurrent.h"

typedef struct recurrent_config {
    born_recurrent_kind kind;
    int64_t input, hidden, layers, proj;
    int directions;
    bool batch_first;
    double dropout;
} recurrent_config;

static int64_t out_size(const recurrent_config *c) { return c->proj ? c->proj : c->hidden; }

static born_tensor weight(const born_module *m, const char *what, int64_t layer, int direction)
{
    char name[48];
    snprintf(name, sizeof name, "%s_l%lld%s", what, (long long)layer, direction ? "_reverse" : "");
    return born_module_tensor(m, name);
}

/* Rows [g H, ...] from PyTorch's order to the operator's: i f g o to i o f g, r z n to z r n. */
static born_tensor reorder(const recurrent_config *c, born_tensor w, const born_site *at)
{
    static const int lstm[] = { 0, 3, 1, 2 }, gru[] = { 1, 0, 2 };
    int g = (int)born__nn_gates(c->kind);
    born_tensor part[4], turned[4];

    if (g == 1) return w;
    (void)(born_split)(w, part, g, (born_ints){ 0 }, 0, at);
    for (int i = 0; i < g; i++) turned[i] = part[g == 4 ? lstm[i] : gru[i]];
    return (born_concat)(turned, g, 0, at);
}

/* The operator's operand [D, ...] from one tensor per direction. */
static born_tensor stack(const born_tensor *one, int directions, const born_site *at)
{
    born_tensor row[2];
    for (int d = 0; d < directions; d++) row[d] = UNSQUEEZE(one[d], 0);
    return directions == 1 ? row[0] : (born_concat)(row, 2, 0, at);
}

/* One layer: x [T, B, I], state[i] [D, B, H] before and after; returns [T, B, D * H]. */
static born_tensor run_layer(const born_module *m, const recurrent_config *c, int64_t layer, born_tensor x,
                             born_tensor lengths, born_tensor state[2], const born_site *at)
{
    static const born_op_id op[] = { BORN_OP_RNN, BORN_OP_RNN, BORN_OP_GRU, BORN_OP_LSTM };
    static const born_str relu[] = { { "Relu", 4 }, { "Relu", 4 } };
    born_tensor w[2], r[2], b[2], y[3];
    bool bias = born__given(weight(m, "bias_ih", 0, 0)), lstm = c->kind == BORN_LSTM;

    for (int d = 0; d < c->directions; d++) {
        w[d] = reorder(c, weight(m, "weight_ih", layer, d), at);
        r[d] = reorder(c, weight(m, "weight_hh", layer, d), at);
        born_tensor both[2] = { weight(m, "bias_ih", layer, d), weight(m, "bias_hh", layer, d) };
        for (int i = 0; bias && i < 2; i++) both[i] = reorder(c, both[i], at);
        b[d] = bias ? (born_concat)(both, 2, 0, at) : (born_tensor){ 0 };
    }
    born_tensor v[] = { x, stack(w, c->directions, at), stack(r, c->directions, at),
                        bias ? stack(b, c->directions, at) : (born_tensor){ 0 }, lengths, state[0], state[1] };
    int direction = c->directions == 2 ? 2 : 0;
    const born_rnn_attrs simple = { .direction = direction, .hidden_size = c->hidden,
                                    .activations = { relu, c->kind == BORN_RNN_RELU ? c->directions : 0 } };
    const born_gru_attrs gru = { .direction = direction, .hidden_size = c->hidden, .linear_before_reset = true };
    const born_lstm_attrs long_short = { .direction = direction, .hidden_size = c->hidden };
    const void *const attrs[] = { &simple, &simple, &gru, &long_short };
    (void)born__op_call(op[c->kind], v, lstm ? 7 : 6, attrs[c->kind], lstm ? 3 : 2, y, at);
    state[0] = y[1];
    if (lstm) state[1] = y[2];
    born_shape s = born_shape_of(x);
    return RESHAPE(TRANSPOSE(y[0], BORN_INTS(0, 2, 1, 3)), BORN_SHAPE(s.dim[0], s.dim[1], c->directions * c->hidden));
}

static born_tensor run_projected(const born_module *m, const recurrent_config *c, int64_t layer, born_tensor x,
                                 born_tensor lengths, born_tensor state[2], const born_site *at)
{
    born_tensor y[2], h[2], cell[2];

    for (int d = 0; d < c->directions; d++) {
        h[d] = SQUEEZE(SLICE(state[0], d, d + 1, 0), 0);
        cell[d] = SQUEEZE(SLICE(state[1], d, d + 1, 0), 0);
        y[d] = born__nn_projected(m, x, weight(m, "weight_ih", layer, d), weight(m, "weight_hh", layer, d),
                                  weight(m, "weight_hr", layer, d), weight(m, "bias_ih", layer, d),
                                  weight(m, "bias_hh", layer, d), lengths, d == 1, &h[d], &cell[d], at);
    }
    state[0] = stack(h, c->directions, at);
    state[1] = stack(cell, c->directions, at);
    return c->directions == 1 ? y[0] : (born_concat)(y, 2, -1, at);
}

/* The states before: the operand [layers * D, B, H] (or [layers * D, H] where x has no batch), or zeros. */
static born_tensor start_state(born_module *m, born_tensor given, born_tensor x, int64_t size, bool single,
                               const born_site *at)
{
    const recurrent_config *c = born_module_config(m);
    int64_t B = born_shape_of(x).dim[1], rows = c->layers * c->directions;

    if (!born__given(given))
        return (born_full)(born_module_backend(m), born_dtype_of(x), BORN_SHAPE(rows, B, size), 0, at);
    if (single) given = UNSQUEEZE(given, 1);
    born_shape s = born_shape_of(given);
    if (!born_is_alive(given) || (s.rank == 3 && s.dim[0] == rows && s.dim[1] == B && s.dim[2] == size)) return given;
    return born__module_fail(m, BORN_SHAPE, "a state is not [%lld, %lld, %lld]", (long long)rows, (long long)B,
                             (long long)size);
}

static void recurrent_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    const recurrent_config *c = born_module_config(self);
    int states = c->kind == BORN_LSTM ? 2 : 1, rank = born_shape_of(in[0]).rank;
    born_tensor last[2][64], state[2] = { { 0 }, { 0 } }, x = in[0];

    if (!born__nn_arity(self, in, n_in, 1, 2 + states, n_out, 1 + states)) return;
    bool single = rank == 2;
    if (born_is_alive(x) && (rank < 2 || rank > 3))
        x = born__module_fail(self, BORN_SHAPE, "x has %d dims, not 2 or 3", rank);
    if (single) x = UNSQUEEZE(x, 1);
    else if (c->batch_first) x = TRANSPOSE(x, BORN_INTS(1, 0, 2));
    if (born_is_alive(x) && born_shape_of(x).dim[0] < 1) x = born__module_fail(self, BORN_SHAPE, "x has no steps");
    if (!born_is_alive(x)) {
        out[0] = x;
        return;
    }
    born_tensor lengths = born__nn_in(in, n_in, 1 + states), start[2];
    start[0] = start_state(self, born__nn_in(in, n_in, 1), x, out_size(c), single, at);
    start[1] = states == 2 ? start_state(self, born__nn_in(in, n_in, 2), x, c->hidden, single, at) : (born_tensor){ 0 };
    for (int64_t l = 0; l < c->layers; l++) {
        for (int i = 0; i < states; i++)
            state[i] = SLICE(start[i], l * c->directions, (l + 1) * c->directions, 0);
        if (l > 0) x = born__nn_dropout(self, x, c->dropout, born_shape_of(x), at);
        x = c->proj ? run_projected(self, c, l, x, lengths, state, at) : run_layer(self, c, l, x, lengths, state, at);
        for (int i = 0; i < states; i++) last[i][l] = state[i];
    }
    if (single) x = SQUEEZE(x, 1);
    else if (c->batch_first) x = TRANSPOSE(x, BORN_INTS(1, 0, 2));
    out[0] = x;
    for (int i = 0; i < states && 1 + i < n_out; i++) {
        born_tensor all = c->layers == 1 ? last[i][0] : (born_concat)(last[i], (int)c->layers, 0, at);
        out[1 + i] = single ? SQUEEZE(all, 1) : all;
    }
}

static const born_module_ops recurrent_ops[] = {
    [BORN_RNN_TANH] = { .name = "RNN", .forward = recurrent_forward },
    [BORN_RNN_RELU] = { .name = "RNN", .forward = recurrent_forward },
    [BORN_GRU] = { .name = "GRU", .forward = recurrent_forward },
    [BORN_LSTM] = { .name = "LSTM", .forward = recurrent_forward },
};

static void add_weights(born_module *m, const recurrent_config *c, bool bias)
{
    static const char *const names[] = { "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr" };
    born_fill f = born__fill_within(1 / sqrt((double)c->hidden));
    int64_t rows = born__nn_gates(c->kind) * c->hidden;

    for (int64_t l = 0; l < c->layers; l++)
        for (int d = 0; d < c->directions; d++) {
            int64_t input = l == 0 ? c->input : c->directions * out_size(c);
            const born_shape shape[] = { BORN_SHAPE(rows, input), BORN_SHAPE(rows, out_size(c)), BORN_SHAPE(rows),
                                         BORN_SHAPE(rows), BORN_SHAPE(c->proj, c->hidden) };
            for (int i = 0; i < 5; i++) {
                char name[48];
                if (i == 4 ? !c->proj : i >= 2 && !bias) continue;
                snprintf(name, sizeof name, "%s_l%lld%s", names[i], (long long)l, d ? "_reverse" : "");
                born__nn_add(m, name, BORN_PARAM, shape[i], f);
            }
        }
}

static born_module *recurrent(born_module *parent, const char *name, born_recurrent_kind kind, int64_t input,
                              int64_t hidden, const born_recurrent_desc *options, size_t bytes)
{
    born_recurrent_desc d;
    const born_module_ops *ops = &recurrent_ops[kind];

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    recurrent_config c = { .kind = d.relu ? BORN_RNN_RELU : kind, .input = input, .hidden = hidden,
                           .layers = d.num_layers ? d.num_layers : 1, .proj = d.proj_size,
                           .directions = d.bidirectional ? 2 : 1, .batch_first = d.batch_first, .dropout = d.dropout };
    bool sound = input >= 1 && hidden >= 1 && input <= BORN_NN_MOST && hidden <= BORN_NN_MOST && c.layers >= 1 &&
                 c.layers <= 64 && c.proj >= 0 && c.proj < hidden && (!c.proj || kind == BORN_LSTM) &&
                 (!d.relu || kind == BORN_RNN_TANH) && c.dropout >= 0 && c.dropout <= 1;
    if (!sound)
        return born__nn_refuse(parent, name, ops, "sizes %lld and %lld, %lld layers (at most 64), projection %lld, "
                               "or an option of another kind", (long long)input, (long long)hidden, (long long)c.layers,
                               (long long)c.proj);
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    add_weights(m, &c, !d.no_bias);
    return m;
}
born_module *born_rnn_layer_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                  const born_recurrent_desc *options, size_t bytes)
{
    return recurrent(parent, name, BORN_RNN_TANH, input_size, hidden_size, options, bytes);
}
born_module *born_gru_layer_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                  const born_recurrent_desc *options, size_t bytes)
{
    return recurrent(parent, name, BORN_GRU, input_size, hidden_size, options, bytes);
}
born_module *born_lstm_layer_sized(born_module *parent, const char *name, int64_t input_size, int64_t hidden_size,
                                   const born_recurrent_desc *options, size_t bytes)
{
    return recurrent(parent, name, BORN_LSTM, input_size, hidden_size, options, bytes);
}
