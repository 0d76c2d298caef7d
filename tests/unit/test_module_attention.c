/* Attention and transformers: plain loops, shared heads, masks that say the same, generation, positions. */
#include "nn_helpers.h"

enum { B = 2, T = 5, E = 8, H = 4 };

static bool linear_of(const born_module *m, const char *w_name, const char *b_name, const float *x, int64_t rows,
                      int64_t first, int64_t n, int64_t in, double *y)
{
    float w[3 * E * E], b[3 * E];
    born_tensor wt = born_module_find(m, w_name), bt = born_module_find(m, b_name);
    if (!get(wt, w, count_of(wt)) || !get(bt, b, count_of(bt))) return false;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < n; o++) {
            y[r * n + o] = (double)b[first + o];
            for (int64_t i = 0; i < in; i++) y[r * n + o] += (double)x[r * in + i] * (double)w[(first + o) * in + i];
        }
    return true;
}

/* Causal self-attention of x [B, T, E] by loops; kv heads shared by H / kv queries. The projections' rows lie in one
   weight, or in three. */
static bool attention_loops(const born_module *m, const float *x, int kv, double *y)
{
    int D = E / H, KD = kv * D;
    bool one = born_module_find(m, "in_proj_weight").w != 0;
    double q[B * T * E], k[B * T * E], v[B * T * E], z[B * T * E];
    float bias[3 * E], w[E * E], zf[B * T * E];
    born_tensor bt = born_module_find(m, "in_proj_bias");

    if (!get(bt, bias, count_of(bt))) return false;
    if (one) {
        if (!linear_of(m, "in_proj_weight", "in_proj_bias", x, B * T, 0, E, E, q) ||
            !linear_of(m, "in_proj_weight", "in_proj_bias", x, B * T, E, E, E, k) ||
            !linear_of(m, "in_proj_weight", "in_proj_bias", x, B * T, 2 * E, E, E, v))
            return false;
    } else {
        static const char *const names[] = { "q_proj_weight", "k_proj_weight", "v_proj_weight" };
        double *const to[] = { q, k, v };
        for (int p = 0; p < 3; p++) {
            int n = p ? KD : E, from = p ? E + (p - 1) * KD : 0;
            if (!get(born_module_find(m, names[p]), w, n * E)) return false;
            for (int r = 0; r < B * T; r++)
                for (int o = 0; o < n; o++) {
                    to[p][r * n + o] = (double)bias[from + o];
                    for (int i = 0; i < E; i++) to[p][r * n + o] += (double)x[r * E + i] * (double)w[o * E + i];
                }
        }
    }
    for (int b = 0; b < B; b++)
        for (int h = 0; h < H; h++)
            for (int t = 0; t < T; t++) {
                double s[T], sum = 0;
                int g = h / (H / kv);
                for (int j = 0; j <= t; j++) {
                    s[j] = 0;
                    for (int d = 0; d < D; d++)
                        s[j] += q[(b * T + t) * E + h * D + d] * k[(b * T + j) * KD + g * D + d] / sqrt(D);
                    sum += s[j] = exp(s[j]);
                }
                for (int d = 0; d < D; d++) {
                    double a = 0;
                    for (int j = 0; j <= t; j++) a += s[j] / sum * v[(b * T + j) * KD + g * D + d];
                    z[(b * T + t) * E + h * D + d] = a;
                }
            }
    for (int i = 0; i < B * T * E; i++) zf[i] = (float)z[i];
    return linear_of(m, "out_proj.weight", "out_proj.bias", zf, B * T, 0, E, E, y);
}

static void against_loops(int kv)
{
    bench k = bench_open(BORN_F32, 31);
    born_multihead_attention_desc d = { .batch_first = true, .causal = true, .kv_heads = kv };
    born_module *m = born_multihead_attention(k.net, "mha", E, H, &d);
    float x[B * T * E], y[B * T * E], bias[3 * E];
    double want[B * T * E];

    scatter(x, B * T * E, 2);
    scatter(bias, 3 * E, 3);
    set(m, "in_proj_bias", bias, BORN_SHAPE(E + 2 * kv * (E / H)));
    if (!attention_loops(m, x, kv, want)) return;
    born_tensor in = f32_of(&k, x, BORN_SHAPE(B, T, E)), out[2];
    if (get((born_forward)(m, in, NULL), y, B * T * E)) near_all(__FILE__, __LINE__, "fused", y, want, B * T * E, 1e-5);
    born_forward_n(m, &in, 1, out, 2);          /* with weights: another road */
    CHECK(shape_is(out[1], BORN_SHAPE(B, T, T)));
    if (get(out[0], y, B * T * E)) near_all(__FILE__, __LINE__, "weights", y, want, B * T * E, 1e-5);
    float w[B * T * T];
    if (get(out[1], w, B * T * T))
        for (int r = 0; r < B * T; r++) {
            double sum = 0;
            for (int j = 0; j < T; j++) sum += (double)w[r * T + j];
            CHECK(fabs(sum - 1) < 1e-5 && (r % T == T - 1 || w[r * T + T - 1] == 0));
        }
    bench_close(&k);
}
TEST(attention_by_loops) { against_loops(H); }
TEST(attention_of_shared_heads) { against_loops(2); }
TEST(attention_of_one_head_of_keys) { against_loops(1); }

/* causal, a bool mask and a mask of -inf are one thing; so are padding and a mask of those columns. */
TEST(masks_that_say_the_same)
{
    bench k = bench_open(BORN_F32, 31);
    born_multihead_attention_desc d = { .batch_first = true };
    born_module *plain = born_multihead_attention(k.net, "a", E, H, &d);
    float x[B * T * E], a[B * T * E], b[B * T * E], add[T * T];
    bool hide[T * T], pad[B * T] = { 0 };
    born_tensor in[5] = { { 0 } }, out;

    scatter(x, B * T * E, 2);
    in[0] = f32_of(&k, x, BORN_SHAPE(B, T, E));
    for (int i = 0; i < T * T; i++) {
        hide[i] = i % T > i / T;
        add[i] = hide[i] ? -INFINITY : 0;
    }
    in[4] = (born_from)(k.b, BORN_ARRAY(hide, T, T), BORN_BOOL, NULL);
    born_forward_n(plain, in, 5, &out, 1);
    if (!get(out, a, B * T * E)) return;
    in[4] = f32_of(&k, add, BORN_SHAPE(T, T));
    born_forward_n(plain, in, 5, &out, 1);
    double want[B * T * E];
    for (int i = 0; i < B * T * E; i++) want[i] = (double)a[i];
    if (get(out, b, B * T * E)) NEAR_ALL(b, want, B * T * E);
    /* Hiding the last two keys of every batch equals leaving them away. */
    for (int i = 0; i < B * T; i++) pad[i] = i % T >= 3;
    in[4] = (born_tensor){ 0 };
    in[3] = (born_from)(k.b, BORN_ARRAY(pad, B, T), BORN_BOOL, NULL);
    born_forward_n(plain, in, 4, &out, 1);
    if (!get(out, a, B * T * E)) return;
    in[1] = (born_slice)(in[0], BORN_INTS(0), BORN_INTS(3), BORN_INTS(1), (born_ints){ 0 }, NULL);
    born_forward_n(plain, in, 2, &out, 1);
    for (int i = 0; i < B * T * E; i++) want[i] = (double)a[i];
    if (get(out, b, B * T * E)) NEAR_ALL(b, want, B * T * E);
    bench_close(&k);
}

/* A prompt, then one token after another, gives what the whole sequence gives; with rotary positions too. */
static void generation(double base, int64_t kv)
{
    bench k = bench_open(BORN_F32, 31);
    born_multihead_attention_desc d = { .batch_first = true, .causal = true, .kv_heads = kv, .rotary_base = base };
    born_module *m = born_multihead_attention(k.net, "mha", E, H, &d);
    float x[B * T * E], whole[B * T * E], part[B * T * E];

    scatter(x, B * T * E, 2);
    born_module_train(k.net, false);
    born_tensor in = f32_of(&k, x, BORN_SHAPE(B, T, E));
    if (!get((born_forward)(m, in, NULL), whole, B * T * E)) return;
    born_kv_cache_start(k.net);
    for (int from = 0, n = 2; from < T; from += n, n = from == 2 ? 2 : 1) {
        born_ints one = BORN_INTS(1);
        born_tensor piece = (born_slice)(in, BORN_INTS(from), BORN_INTS(from + n), one, one, NULL);
        if (!get((born_forward)(m, piece, NULL), part, B * n * E)) return;
        CHECK_INT(born_kv_cache_length(k.net), from + n);
        for (int b = 0; b < B; b++)
            for (int i = 0; i < n * E; i++)
                CHECK(fabs((double)part[b * n * E + i] - (double)whole[(b * T + from) * E + i]) < 2e-6);
    }
    born_kv_cache_stop(k.net);
    CHECK_INT(born_kv_cache_length(k.net), 0);
    if (get((born_forward)(m, in, NULL), part, B * T * E)) CHECK(!memcmp(part, whole, sizeof whole));
    bench_close(&k);
}
TEST(generation_with_kept_keys) { generation(0, H); }
TEST(generation_with_rotary_positions_and_shared_heads) { generation(10000, 2); }

/* Products of turned vectors depend on the distance of their positions alone. */
TEST(rotary_positions_are_relative)
{
    bench k = bench_open(BORN_F32, 1);
    float v[2 * 8], y[2 * 8];
    double dot[3] = { 0 };
    const int64_t positions[3][2] = { { 0, 3 }, { 10, 13 }, { 1000, 1003 } };

    scatter(v, 16, 4);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        born_module *m = born_rotary_positions(k.net, NULL, 8, &(born_positions_desc){ .interleaved = interleaved });
        for (int p = 0; p < 3; p++) {
            born_tensor in[] = { f32_of(&k, v, BORN_SHAPE(2, 8)), i64_of(&k, positions[p], BORN_SHAPE(2)) }, out;
            born_forward_n(m, in, 2, &out, 1);
            if (!get(out, y, 16)) return;
            dot[p] = 0;
            for (int i = 0; i < 8; i++) dot[p] += (double)y[i] * (double)y[8 + i];
            CHECK_MSG(fabs(dot[p] - dot[0]) < 1e-5, "%.9g, not %.9g", dot[p], dot[0]);
        }
        /* At position 1 the first pair turns by 1 radian. */
        born_tensor row = (born_forward)(m, f32_of(&k, v, BORN_SHAPE(2, 8)), NULL);
        int second = interleaved ? 1 : 4;
        if (get(row, y, 16))
            CHECK(y[0] == v[0] && fabs((double)y[8] - ((double)v[8] * cos(1) - (double)v[8 + second] * sin(1))) < 1e-6);
    }
    born_module *s = born_sinusoidal_positions(k.net, NULL, 4, NULL);
    born_tensor zero = (born_full)(k.b, BORN_F32, BORN_SHAPE(3, 4), 0, NULL);
    const double want[12] = { 0, 1, 0, 1, sin(1), cos(1), sin(0.01), cos(0.01), sin(2), cos(2), sin(0.02), cos(0.02) };
    if (get((born_forward)(s, zero, NULL), y, 12)) NEAR_ALL(y, want, 12);
    bench_close(&k);
}

TEST(transformer_stacks_have_their_names)
{
    bench k = bench_open(BORN_F32, 1);
    born_transformer_desc d = { .batch_first = true, .final_norm = true };
    born_module *e = born_transformer_encoder(k.net, "enc", 1, 4, 2, 6, 0.1, &d);
    born_module *c = born_transformer_decoder(k.net, "dec", 2, 4, 2, 6, 0.1, &d);
    float x[2 * 3 * 4];
    listing l;

    CHECK_TEXT(list_of(e, &l),
               "layers.0.self_attn.in_proj_weight[12,4] layers.0.self_attn.in_proj_bias[12] "
               "layers.0.self_attn.out_proj.weight[4,4] layers.0.self_attn.out_proj.bias[4] "
               "layers.0.linear1.weight[6,4] layers.0.linear1.bias[6] layers.0.linear2.weight[4,6] "
               "layers.0.linear2.bias[4] layers.0.norm1.weight[4] layers.0.norm1.bias[4] layers.0.norm2.weight[4] "
               "layers.0.norm2.bias[4] norm.weight[4] norm.bias[4] ");
    CHECK(born_module_find(c, "layers.1.multihead_attn.out_proj.bias").w != 0);
    CHECK(born_module_find(c, "layers.0.norm3.bias").w != 0);
    scatter(x, 24, 5);
    born_tensor in[] = { f32_of(&k, x, BORN_SHAPE(2, 3, 4)), { 0 } }, out;
    in[1] = (born_forward)(e, in[0], NULL);
    born_forward_n(c, in, 2, &out, 1);
    CHECK(shape_is(out, BORN_SHAPE(2, 3, 4)));
    CHECK(backward_of(out, (born_tensor){ 0 }));
    CHECK((born_grad_of)(born_module_find(e, "layers.0.self_attn.in_proj_weight")).w != 0);
    (void)born_multihead_attention(k.net, "bad", 6, 4, NULL);
    bench_expect(&k, BORN_INVALID, "6 features in 4 heads");
    bench_close(&k);
}
TEST_MAIN
