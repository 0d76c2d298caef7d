/* rnn, gru and lstm against their equations in f64, over directions, layouts, lengths and options; streams fed a step
   at a time; and what must be refused. */
#include <math.h>

#include "../harness.h"
#include "support_nn.h"
#include "tensor/view.h"

enum { MOST = 64 };

typedef struct rnn_case {
    born_op_id op;
    int gates;
    int64_t steps, batch, inputs, hidden, directions;
    bool reverse, batch_first, linear_before_reset, input_forget;
    double clip;
    born_view in[8];
} rnn_case;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double clipped(const rnn_case *c, double x)
{
    return c->clip > 0 ? fmax(-c->clip, fmin(c->clip, x)) : x;
}

/* Sum of row `row` of a matrix [D, rows, n] times v, plus its bias. */
static double product(const rnn_case *c, int operand, int64_t d, int64_t row, const double *v, int64_t n, int64_t bias)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += NN_AT(&c->in[operand], d, row, k) * v[k];
    return c->in[3].dtype ? sum + NN_AT(&c->in[3], d, bias + row) : sum;
}

/* One step: h and c are replaced. */
static void cell(const rnn_case *c, int64_t d, const double *x, double *h, double *state)
{
    int64_t n = c->hidden, r = c->gates * n;
    double next[MOST], reset[MOST];
    for (int64_t k = 0; c->gates == 3 && k < n; k++)
        reset[k] = sigmoid(clipped(c, product(c, 1, d, n + k, x, c->inputs, 0) + product(c, 2, d, n + k, h, n, r)));
    for (int64_t k = 0; k < n; k++) {
        double g[4];
        for (int i = 0; i < c->gates; i++)
            g[i] = product(c, 1, d, i * n + k, x, c->inputs, 0) + product(c, 2, d, i * n + k, h, n, r);
        if (c->gates == 1) {
            next[k] = tanh(clipped(c, g[0]));
        } else if (c->gates == 3) {
            double rh[MOST], z = sigmoid(clipped(c, g[0]));
            for (int64_t e = 0; e < n; e++) rh[e] = reset[e] * h[e];
            double tail = c->linear_before_reset ? reset[k] * product(c, 2, d, 2 * n + k, h, n, r)
                                                 : product(c, 2, d, 2 * n + k, rh, n, r);
            double v = tanh(clipped(c, product(c, 1, d, 2 * n + k, x, c->inputs, 0) + tail));
            next[k] = (1 - z) * v + z * h[k];
        } else {
            bool peep = c->in[7].dtype != BORN_DTYPE_NONE;
            double pi = peep ? NN_AT(&c->in[7], d, k) : 0, po = peep ? NN_AT(&c->in[7], d, n + k) : 0;
            double pf = peep ? NN_AT(&c->in[7], d, 2 * n + k) : 0;
            double i = sigmoid(clipped(c, g[0] + pi * state[k]));
            double f = c->input_forget ? 1 - i : sigmoid(clipped(c, g[2] + pf * state[k]));
            state[k] = f * state[k] + i * tanh(clipped(c, g[3]));
            next[k] = sigmoid(clipped(c, g[1] + po * state[k])) * tanh(clipped(c, state[k]));
        }
    }
    for (int64_t k = 0; k < n; k++) h[k] = next[k];
}

static double state_at(const rnn_case *c, const born_view *v, int64_t d, int64_t b, int64_t k)
{
    if (!v->dtype) return 0;
    return c->batch_first ? NN_AT(v, b, d, k) : NN_AT(v, d, b, k);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-5 * (1 + fabs(b)); }

/* Compares results y, yh and (lstm) yc of one sequence and direction. */
static bool check_sequence(const rnn_case *c, const born_view *out, int64_t d, int64_t b)
{
    double h[MOST], state[MOST], x[MOST];
    int64_t length = c->in[4].dtype ? (int64_t)tensor_at(&c->in[4], b) : c->steps;
    bool back = d == 1 || c->reverse;
    for (int64_t k = 0; k < c->hidden; k++) {
        h[k] = state_at(c, &c->in[5], d, b, k);
        state[k] = state_at(c, &c->in[6], d, b, k);
    }
    for (int64_t s = 0; s < c->steps; s++) {
        int64_t t = s < length && back ? length - 1 - s : s;
        for (int64_t k = 0; k < c->inputs; k++)
            x[k] = c->batch_first ? NN_AT(&c->in[0], b, t, k) : NN_AT(&c->in[0], t, b, k);
        if (s < length) cell(c, d, x, h, state);
        for (int64_t k = 0; k < c->hidden; k++) {
            double got = c->batch_first ? NN_AT(&out[0], b, t, d, k) : NN_AT(&out[0], t, d, b, k);
            if (!near(got, s < length ? h[k] : 0)) return false;
        }
    }
    for (int64_t k = 0; k < c->hidden; k++) {
        if (!near(state_at(c, &out[1], d, b, k), h[k])) return false;
        if (c->gates == 4 && !near(state_at(c, &out[2], d, b, k), state[k])) return false;
    }
    return true;
}

typedef union all_attrs { born_rnn_attrs rnn; born_gru_attrs gru; born_lstm_attrs lstm; } all_attrs;

static all_attrs attributes(const rnn_case *c)
{
    all_attrs a;
    int direction = c->directions == 2 ? 2 : c->reverse ? 1 : 0;
    memset(&a, 0, sizeof a);
    if (c->gates == 1) a.rnn = (born_rnn_attrs){ .direction = direction, .layout = c->batch_first, .clip = c->clip };
    if (c->gates == 3)
        a.gru = (born_gru_attrs){ .direction = direction, .layout = c->batch_first, .clip = c->clip,
                                  .linear_before_reset = c->linear_before_reset };
    if (c->gates == 4)
        a.lstm = (born_lstm_attrs){ .direction = direction, .layout = c->batch_first, .clip = c->clip,
                                    .input_forget = c->input_forget };
    return a;
}

/* Operands for the sizes in c; `what` has a bit each for bias, lengths, states, peepholes. */
static void operands(rnn_case *c, born_dtype t, unsigned what)
{
    int64_t d = c->directions, rows = c->gates * c->hidden;
    int64_t first = c->batch_first ? c->batch : d, second = c->batch_first ? d : c->batch;
    c->in[0] = c->batch_first ? nn_noise(t, DIMS(c->batch, c->steps, c->inputs))
                              : nn_noise(t, DIMS(c->steps, c->batch, c->inputs));
    c->in[1] = nn_noise(t, DIMS(d, rows, c->inputs));
    c->in[2] = nn_noise(t, DIMS(d, rows, c->hidden));
    for (int i = 3; i < 8; i++) c->in[i] = no_tensor;
    if (what & 1) c->in[3] = nn_noise(t, DIMS(d, 2 * rows));
    if (what & 2) {
        c->in[4] = tensor_zeros(BORN_I32, DIMS(c->batch));
        for (int64_t b = 0; b < c->batch; b++)
            born__store_f64(BORN_I32, tensor_address(&c->in[4], b), (double)random_below((uint32_t)c->steps + 1));
    }
    if (what & 4) c->in[5] = nn_noise(t, DIMS(first, second, c->hidden));
    if (what & 4 && c->gates == 4) c->in[6] = nn_noise(t, DIMS(first, second, c->hidden));
    if (what & 8 && c->gates == 4) c->in[7] = nn_noise(t, DIMS(d, 3 * c->hidden));
}

static int given_count(const rnn_case *c) { return c->gates == 4 ? 8 : 6; }

static void rnn_one(rnn_case c, born_dtype t, unsigned what)
{
    born_view out[3];
    char text[96];
    operands(&c, t, what);
    all_attrs a = attributes(&c);
    snprintf(text, sizeof text, "%s T %lld B %lld D %lld, operands %u", born__ops[c.op].name, (long long)c.steps,
             (long long)c.batch, (long long)c.directions, what);
    if (!CHECK(nn_run(text, c.op, &a, c.in, given_count(&c), 0, out, c.gates == 4 ? 3 : 2))) return;
    for (int64_t d = 0; d < c.directions; d++)
        for (int64_t b = 0; b < c.batch; b++)
            if (!CHECK_MSG(check_sequence(&c, out, d, b), "%s: direction %lld, sequence %lld", text, (long long)d,
                           (long long)b))
                return;
    calls_free();
}

static const struct {
    born_op_id op;
    int gates;
} kinds[3] = { { BORN_OP_RNN, 1 }, { BORN_OP_GRU, 3 }, { BORN_OP_LSTM, 4 } };

TEST(recurrences_equal_their_equations)
{
    for (int k = 0; k < 3; k++)
        for (unsigned i = 0; i < 48; i++) {
            rnn_case c = { .op = kinds[k].op,
                           .gates = kinds[k].gates,
                           .steps = i % 3 == 0 ? 1 : 5,
                           .batch = i % 5 == 0 ? 1 : 3,
                           .inputs = 7,
                           .hidden = i % 2 ? 5 : 20,
                           .directions = i % 4 == 3 ? 2 : 1,
                           .reverse = i % 4 == 2,
                           .batch_first = i % 7 > 3,
                           .linear_before_reset = i % 2 == 0,
                           .input_forget = i % 11 == 5,
                           .clip = i % 13 == 7 ? 0.5 : 0 };
            rnn_one(c, i % 6 == 5 ? BORN_F64 : BORN_F32, i % 16);
        }
}

/* Fed one step at a time through its states, a layer gives the bits of the whole. */
TEST(recurrences_stream)
{
    for (int k = 0; k < 3; k++) {
        rnn_case c = { .op = kinds[k].op, .gates = kinds[k].gates, .steps = 9, .batch = 2, .inputs = 33, .hidden = 37,
                       .directions = 1, .linear_before_reset = true };
        born_view whole[3], part[3];
        born_error err = { 0 };
        int outs = c.gates == 4 ? 3 : 2, ins = given_count(&c);
        operands(&c, BORN_F32, 5);
        all_attrs a = attributes(&c);
        REQUIRE_OK(call_op(c.op, &a, c.in, ins, whole, outs, &err), &err);
        born_view x = c.in[0];
        for (int64_t t = 0; t < 9; t++) {
            c.in[0] = x;
            c.in[0].dim[0] = 1;
            c.in[0].data += t * x.stride[0] * 4;
            REQUIRE_OK(call_op(c.op, &a, c.in, ins, part, outs, &err), &err);
            for (int64_t i = 0; i < 74; i++) CHECK(tensor_at(&part[0], i) == tensor_at(&whole[0], t * 74 + i));
            c.in[5] = part[1];
            if (c.gates == 4) c.in[6] = part[2];
        }
        for (int o = 1; o < outs; o++) CHECK(tensor_same_bits(&part[o], &whole[o]));
        calls_free();
    }
}

TEST(recurrences_name_their_activations)
{
    static const char *const names[] = { "Tanh",      "sigmoid",         "RELU",       "Affine",
                                         "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid",
                                         "Elu",       "Softsign",        "Softplus" };
    born_view in[3] = { tensor_of(BORN_F64, DIMS(1, 1, 1), (double[]){ -0.7 }),
                        tensor_of(BORN_F64, DIMS(1, 1, 1), (double[]){ 1 }), tensor_zeros(BORN_F64, DIMS(1, 1, 1)) };
    const double x = -0.7;
    const double want[] = { tanh(x), sigmoid(x), 0, 0.3 * x + 0.9, 0.3 * x, 0, 0.3 * tanh(0.9 * x), 0.3 * x + 0.9,
                            0.3 * expm1(x), x / (1 + fabs(x)), log1p(exp(x)) };
    const float alpha = 0.3f, beta = 0.9f;
    born_view out[2];
    born_error err = { 0 };
    for (int i = 0; i < 11; i++) {
        born_str name = { names[i], strlen(names[i]) };
        born_rnn_attrs a = { .activations = { &name, 1 },
                             .activation_alpha = { &alpha, 1 },
                             .activation_beta = { &beta, 1 } };
        REQUIRE_OK(call_op(BORN_OP_RNN, &a, in, 3, out, 2, &err), &err);
        CHECK_MSG(fabs(tensor_at(&out[0], 0) - want[i]) < 1e-6, "%s gave %g", names[i], tensor_at(&out[0], 0));
    }
    born_str odd = { "Tan", 3 };
    born_rnn_attrs a = { .activations = { &odd, 1 } };
    CHECK(nn_refused(BORN_OP_RNN, &a, in, 3, 2, BORN_INVALID, "no activation \"Tan\""));
    a.direction = 2;
    CHECK(nn_refused(BORN_OP_RNN, &a, in, 3, 2, BORN_INVALID, "1 activations where 2"));
    calls_free();
}

TEST(recurrences_take_odd_lengths_and_empty_sizes)
{
    rnn_case c = { .op = BORN_OP_LSTM, .gates = 4, .steps = 3, .batch = 2, .inputs = 4, .hidden = 5, .directions = 1 };
    born_view out[3];
    born_error err = { 0 };
    operands(&c, BORN_F32, 4);
    c.in[4] = tensor_of(BORN_I32, DIMS(2), (double[]){ -7, 2e9 });
    REQUIRE_OK(call_op(c.op, NULL, c.in, 8, out, 3, &err), &err);
    CHECK(tensor_at(&out[0], 0) == 0 && tensor_at(&out[1], 0) == tensor_at(&c.in[5], 0));
    for (int k = 0; k < 3; k++)
        for (int zero = 0; zero < 4; zero++) {
            rnn_case z = { .op = kinds[k].op,
                           .gates = kinds[k].gates,
                           .steps = zero == 0 ? 0 : 2,
                           .batch = zero == 1 ? 0 : 2,
                           .inputs = zero == 2 ? 0 : 3,
                           .hidden = zero == 3 ? 0 : 4,
                           .directions = 2 };
            operands(&z, BORN_F32, 5);
            all_attrs a = attributes(&z);
            CHECK_OK(call_op(z.op, &a, z.in, given_count(&z), out, z.gates == 4 ? 3 : 2, &err), &err);
            if (zero == 0) CHECK(tensor_same_bits(&out[1], &z.in[5]));
        }
    calls_free();
}

TEST(recurrences_refuse_what_does_not_fit)
{
    rnn_case c = { .op = BORN_OP_LSTM, .gates = 4, .steps = 3, .batch = 2, .inputs = 4, .hidden = 5, .directions = 1 };
    operands(&c, BORN_F32, 15);
    static const char *const says[8] = { "", "w is", "r has", "bias is", "lengths is", "initial h is", "initial c is",
                                         "peepholes is" };
    for (int i = 1; i < 8; i++) {
        born_view good = c.in[i];
        if (i == 2) {
            born_lstm_attrs a = { .hidden_size = 6 };
            CHECK(nn_refused(c.op, &a, c.in, 8, 3, BORN_SHAPE, says[i]));
            continue;
        }
        c.in[i].dim[c.in[i].rank - 1]++;
        CHECK(nn_refused(c.op, NULL, c.in, 8, 3, BORN_SHAPE, says[i]));
        c.in[i] = good;
    }
    born_lstm_attrs a = { .direction = 2 };
    CHECK(nn_refused(c.op, &a, c.in, 8, 3, BORN_SHAPE, "w is"));
    c.in[0] = tensor_zeros(BORN_F32, DIMS(3, 4));
    CHECK(nn_refused(c.op, NULL, c.in, 8, 3, BORN_SHAPE, "rank 3"));
    calls_free();
}

TEST_MAIN
