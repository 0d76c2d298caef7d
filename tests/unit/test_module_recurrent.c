/* Recurrent layers against their cells and against plain loops: gates, directions, lengths, projections. */
#include "nn_helpers.h"

enum { T = 4, B = 3, I = 2, H = 3, P = 2 };

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* Row r of w [rows, n] times v, plus b. */
static double row_of(const float *w, const float *b, int r, const double *v, int n)
{
    double s = b ? (double)b[r] : 0;
    for (int i = 0; i < n; i++) s += (double)w[r * n + i] * v[i];
    return s;
}

typedef struct lstm_weights { float ih[4 * H * I], hh[4 * H * H], bih[4 * H], bhh[4 * H], hr[P * H]; } lstm_weights;

/* One step of one row: h [n] and c [H]; n is P where it is projected. */
static void lstm_loops(const lstm_weights *w, const float *x, double *h, double *c, int n)
{
    double v[I], g[4 * H], full[H];
    for (int i = 0; i < I; i++) v[i] = (double)x[i];
    for (int r = 0; r < 4 * H; r++) g[r] = row_of(w->ih, w->bih, r, v, I) + row_of(w->hh, w->bhh, r, h, n);
    for (int i = 0; i < H; i++) {
        c[i] = sigmoid(g[H + i]) * c[i] + sigmoid(g[i]) * tanh(g[2 * H + i]);
        full[i] = sigmoid(g[3 * H + i]) * tanh(c[i]);
    }
    for (int i = 0; i < n; i++) h[i] = n == H ? full[i] : row_of(w->hr, NULL, i, full, H);
}

static bool weights_of(const born_module *m, lstm_weights *w, const char *end, int n)
{
    const struct { const char *name; float *to; int count; } t[] = {
        { "weight_ih_l0", w->ih, 4 * H * I }, { "weight_hh_l0", w->hh, 4 * H * n }, { "bias_ih_l0", w->bih, 4 * H },
        { "bias_hh_l0", w->bhh, 4 * H }, { "weight_hr_l0", w->hr, P * H },
    };
    for (int i = 0; i < (n == H ? 4 : 5); i++) {
        char name[40];
        snprintf(name, sizeof name, "%s%s", t[i].name, end);
        if (!get(born_module_tensor(m, name), t[i].to, t[i].count)) return false;
    }
    return true;
}

static const int64_t lengths[B] = { 4, 2, 3 };

/* Both directions with lengths, with and without a projection, by loops over rows. */
static void both_ways(int n)
{
    bench k = bench_open(BORN_F32, 21);
    born_module *m = born_lstm_layer(k.net, "lstm", I, H, &(born_recurrent_desc){ .bidirectional = true,
                                                                                   .proj_size = n == H ? 0 : n });
    float x[T * B * I], y[T * B * 2 * H], hn[2 * B * H], cn[2 * B * H];
    double want[T * B * 2 * H] = { 0 }, want_h[2 * B * H], want_c[2 * B * H];

    scatter(x, T * B * I, 8);
    for (int d = 0; d < 2; d++) {
        lstm_weights w;
        if (!weights_of(m, &w, d ? "_reverse" : "", n)) return;
        for (int b = 0; b < B; b++) {
            double h[H] = { 0 }, c[H] = { 0 };
            for (int s = 0; s < lengths[b]; s++) {
                int t = d ? (int)lengths[b] - 1 - s : s;
                lstm_loops(&w, x + (t * B + b) * I, h, c, n);
                for (int i = 0; i < n; i++) want[(t * B + b) * 2 * n + d * n + i] = h[i];
            }
            for (int i = 0; i < n; i++) want_h[(d * B + b) * n + i] = h[i];
            for (int i = 0; i < H; i++) want_c[(d * B + b) * H + i] = c[i];
        }
    }
    born_tensor in[4] = { f32_of(&k, x, BORN_SHAPE(T, B, I)) }, out[3];
    in[3] = i64_of(&k, lengths, BORN_SHAPE(B));
    born_forward_n(m, in, 4, out, 3);
    CHECK(shape_is(out[0], BORN_SHAPE(T, B, 2 * n)) && shape_is(out[1], BORN_SHAPE(2, B, n)));
    if (get(out[0], y, T * B * 2 * n)) NEAR_ALL(y, want, T * B * 2 * n);
    if (get(out[1], hn, 2 * B * n)) NEAR_ALL(hn, want_h, 2 * B * n);
    if (get(out[2], cn, 2 * B * H)) NEAR_ALL(cn, want_c, 2 * B * H);
    bench_close(&k);
}
TEST(lstm_of_two_directions_and_lengths) { both_ways(H); }
TEST(lstm_with_projections) { both_ways(P); }

/* A layer is its cell, step after step. */
typedef born_module *(*layer_fn)(born_module *, const char *, int64_t, int64_t, const born_recurrent_desc *);
typedef born_module *(*cell_fn)(born_module *, const char *, int64_t, int64_t, const born_cell_desc *);

static void layer_is_cells(layer_fn make_layer, cell_fn make_cell, bool relu, int states)
{
    static const char *const names[] = { "weight_ih", "weight_hh", "bias_ih", "bias_hh" };
    bench k = bench_open(BORN_F32, 4);
    born_module *layer = make_layer(k.net, "layer", I, H, &(born_recurrent_desc){ .relu = relu, .batch_first = true });
    born_module *cell = make_cell(k.net, "cell", I, H, &(born_cell_desc){ .relu = relu });
    float x[B * T * I], y[B * T * H], step[B * H], h0[B * H];
    double want[B * H];

    for (int i = 0; i < 4; i++) {
        char name[32];
        float w[256];
        snprintf(name, sizeof name, "%s_l0", names[i]);
        born_tensor t = born_module_tensor(layer, name);
        if (get(t, w, count_of(t))) set(cell, names[i], w, (born_shape_of)(t));
    }
    scatter(x, B * T * I, 8);
    scatter(h0, B * H, 9);
    born_tensor start = f32_of(&k, h0, BORN_SHAPE(1, B, H)), state[3] = { { 0 }, f32_of(&k, h0, BORN_SHAPE(B, H)) };
    born_tensor in[] = { f32_of(&k, x, BORN_SHAPE(B, T, I)), start, start }, out[3], next[2];
    state[2] = state[1];
    born_forward_n(layer, in, 1 + states, out, 1 + states);
    CHECK(shape_is(out[0], BORN_SHAPE(B, T, H)));
    if (!get(out[0], y, B * T * H)) return;
    for (int t = 0; t < T; t++) {
        float now[B * I];
        for (int b = 0; b < B; b++) memcpy(now + b * I, x + (b * T + t) * I, sizeof *now * I);
        state[0] = f32_of(&k, now, BORN_SHAPE(B, I));
        born_forward_n(cell, state, 1 + states, next, states);
        for (int i = 0; i < states; i++) state[1 + i] = next[i];
        if (!get(next[0], step, B * H)) return;
        for (int i = 0; i < B * H; i++) want[i] = (double)y[(i / H * T + t) * H + i % H];
        NEAR_ALL(step, want, B * H);
    }
    bench_close(&k);
}
TEST(rnn_layer_is_its_cells) { layer_is_cells(born_rnn_layer, born_rnn_cell, false, 1); }
TEST(relu_rnn_layer_is_its_cells) { layer_is_cells(born_rnn_layer, born_rnn_cell, true, 1); }
TEST(gru_layer_is_its_cells) { layer_is_cells(born_gru_layer, born_gru_cell, false, 1); }
TEST(lstm_layer_is_its_cells) { layer_is_cells(born_lstm_layer, born_lstm_cell, false, 2); }

TEST(names_layers_and_mistakes)
{
    bench k = bench_open(BORN_F32, 4);
    born_recurrent_desc d = { .num_layers = 2, .bidirectional = true, .no_bias = true, .dropout = 0.5 };
    born_module *m = born_gru_layer(k.net, "g", I, H, &d);
    float x[T * I];
    listing l;

    CHECK_TEXT(list_of(m, &l), "weight_ih_l0[9,2] weight_hh_l0[9,3] weight_ih_l0_reverse[9,2] "
               "weight_hh_l0_reverse[9,3] weight_ih_l1[9,6] weight_hh_l1[9,3] weight_ih_l1_reverse[9,6] "
               "weight_hh_l1_reverse[9,3] ");
    scatter(x, T * I, 1);
    born_tensor in[] = { f32_of(&k, x, BORN_SHAPE(T, I)) }, out[2];
    born_forward_n(m, in, 1, out, 2);           /* no batch */
    CHECK(shape_is(out[0], BORN_SHAPE(T, 2 * H)) && shape_is(out[1], BORN_SHAPE(4, H)));
    born_tensor wrong[] = { in[0], (born_full)(k.b, BORN_F32, BORN_SHAPE(3, H), 0, NULL) };
    born_forward_n(m, wrong, 2, out, 1);
    bench_expect(&k, BORN_SHAPE, "a state is not [4, 1, 3]");
    (void)born_gru_layer(k.net, "p", I, H, &(born_recurrent_desc){ .proj_size = 1 });
    bench_expect(&k, BORN_INVALID, "an option of another kind");
    bench_close(&k);
}
TEST_MAIN
