/* The other transformer operators against plain f64 loops: rotary embedding, linear attention, swiglu, the fused
   normalisations and activations, fused_matmul; dense and strided; and what they refuse. */
#include <math.h>

#include "../harness.h"
#include "ops/lane_sum.h"
#include "ops/reduce.h"
#include "support_calls.h"
#include "tensor/view.h"

static bool near_by(double got, double want) { return fabs(got - want) <= 3e-6 * (1 + fabs(want)); }

/* Random numbers in [-0.8, 0.8]. */
static born_view small(int rank, const int64_t *dim)
{
    born_view v = tensor_random(BORN_F32, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++) *(float *)(void *)tensor_address(&v, i) *= 0x1p-6f;
    return v;
}

static born_view run(born_op_id op, const void *a, const born_view *in, int n, int outs, born_view *out)
{
    born_error err = { 0 };
    CHECK_OK(call_op(op, a, in, n, out, outs, &err), &err);
    return out[0];
}

static void refuse(const char *what, born_op_id op, const void *a, const born_view *in, int n, born_status want)
{
    born_view out[4];
    born_error err = { 0 };
    born_status got = call_op(op, a, in, n, out, 1, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

TEST(rotary_turns_pairs)
{
    enum { B = 2, H = 3, T = 4, D = 10, R = 6 };
    random_seed(1);
    born_view x = small(DIMS(B, H, T, D)), cos = small(DIMS(9, R / 2)), out[1];
    born_view sin = small(DIMS(9, R / 2)), ids = tensor_zeros(BORN_I64, DIMS(B, T));
    for (int64_t i = 0; i < B * T; i++) *(int64_t *)(void *)tensor_address(&ids, i) = (i * 5) % 9;
    for (int inter = 0; inter < 2; inter++)
        for (int strided = 0; strided < 2; strided++) {
            born_rotary_attrs a = { .rotary_dim = R, .interleaved = inter != 0 };
            born_view in[4] = { strided ? tensor_strided(&x) : x, cos, sin, ids };
            born_view y = run(BORN_OP_ROTARY_EMBEDDING, &a, in, 4, 1, out);
            for (int64_t i = 0; i < B * H * T * D; i++) {
                int64_t d = i % D, row = i - d, p = (i / D % T + i / D / T / H * T) * 5 % 9;
                double want = tensor_at(&x, i);
                if (d < R) {
                    int64_t pair = inter ? d / 2 : d % (R / 2), first = inter ? 2 * pair : pair;
                    int64_t second = inter ? first + 1 : first + R / 2;
                    double c = tensor_at(&cos, p * R / 2 + pair), s = tensor_at(&sin, p * R / 2 + pair);
                    double x1 = tensor_at(&x, row + first), x2 = tensor_at(&x, row + second);
                    want = d == first ? c * x1 - s * x2 : s * x1 + c * x2;
                }
                CHECK_MSG(near_by(tensor_at(&y, i), want), "element %lld is %g, not %g", (long long)i, tensor_at(&y, i),
                          want);
            }
        }
    *(int64_t *)(void *)tensor_address(&ids, 3) = 9;
    born_rotary_attrs a = { .rotary_dim = R };
    refuse("position 9", BORN_OP_ROTARY_EMBEDDING, &a, (born_view[]){ x, cos, sin, ids }, 4, BORN_RANGE);
    *(int64_t *)(void *)tensor_address(&ids, 3) = INT64_MIN;
    refuse("position -2^63", BORN_OP_ROTARY_EMBEDDING, &a, (born_view[]){ x, cos, sin, ids }, 4, BORN_RANGE);
    refuse("last position", BORN_OP_ROTARY_EMBEDDING_IDS, &a, (born_view[]){ x, LIST(6), cos, sin }, 4, BORN_RANGE);
    refuse("first position", BORN_OP_ROTARY_EMBEDDING_IDS, &a, (born_view[]){ x, LIST(INT64_MAX), cos, sin }, 4,
           BORN_RANGE);
    refuse("odd", BORN_OP_ROTARY_EMBEDDING, &(born_rotary_attrs){ .rotary_dim = 5 }, (born_view[]){ x, cos, sin, ids },
           4, BORN_SHAPE);
    refuse("too wide", BORN_OP_ROTARY_EMBEDDING, &(born_rotary_attrs){ .rotary_dim = 12 },
           (born_view[]){ x, cos, sin, ids }, 4, BORN_SHAPE);
    refuse("no positions", BORN_OP_ROTARY_EMBEDDING, &a, (born_view[]){ x, cos, sin }, 3, BORN_SHAPE);
    calls_free();
}

/* The recurrence in f64; rule as the attribute's choices. */
static void linear_f64(int rule, const born_view *in, int64_t T, int64_t Hq, int64_t Hk, int64_t Dk, int64_t Dv,
                       double *y, double *S)
{
    bool gated = rule == 0 || rule == 2, delta = rule == 0 || rule == 3;
    for (int64_t h = 0; h < Hk; h++)
        for (int64_t t = 0; t < T; t++) {
            double *s = S + h * Dk * Dv;
            for (int64_t i = 0; gated && i < Dk * Dv; i++) s[i] *= exp(tensor_at(&in[4], (t * Hk + h) * Dk + i / Dv));
            for (int64_t v = 0; v < Dv; v++) {
                double u = tensor_at(&in[2], (t * Hk + h) * Dv + v), seen = 0;
                for (int64_t k = 0; k < Dk; k++) seen += s[k * Dv + v] * tensor_at(&in[1], (t * Hk + h) * Dk + k);
                if (delta) u = tensor_at(&in[5], t * Hk + h) * (u - seen);
                for (int64_t k = 0; k < Dk; k++) s[k * Dv + v] += tensor_at(&in[1], (t * Hk + h) * Dk + k) * u;
            }
            for (int64_t g = h * (Hq / Hk); g < (h + 1) * (Hq / Hk); g++)
                for (int64_t v = 0; v < Dv; v++) {
                    double sum = 0;
                    for (int64_t k = 0; k < Dk; k++) sum += s[k * Dv + v] * tensor_at(&in[0], (t * Hq + g) * Dk + k);
                    y[(t * Hq + g) * Dv + v] = sum / sqrt((double)Dk);
                }
        }
}

TEST(linear_attention_against_f64)
{
    enum { T = 5, HQ = 4, HK = 2, DK = 3, DV = 70 };
    static double y[T * HQ * DV], S[HK * DK * DV];
    random_seed(2);
    born_view in[6] = { small(DIMS(1, T, HQ * DK)), small(DIMS(1, T, HK * DK)), small(DIMS(1, T, HK * DV)),
                        small(DIMS(1, HK, DK, DV)), small(DIMS(1, T, HK * DK)), small(DIMS(1, T, HK)) }, out[2];
    for (int rule = 0; rule < 4; rule++) {
        born_linear_attention_attrs a = { .q_num_heads = HQ, .kv_num_heads = HK, .update_rule = rule };
        for (int64_t i = 0; i < HK * DK * DV; i++) S[i] = tensor_at(&in[3], i);
        linear_f64(rule, in, T, HQ, HK, DK, DV, y, S);
        run(BORN_OP_LINEAR_ATTENTION, &a, in, 6, 2, out);
        for (int64_t i = 0; i < T * HQ * DV; i++)
            CHECK_MSG(near_by(tensor_at(&out[0], i), y[i]), "rule %d: y[%lld] is %g, not %g", rule, (long long)i,
                      tensor_at(&out[0], i), y[i]);
        for (int64_t i = 0; i < HK * DK * DV; i++) CHECK(near_by(tensor_at(&out[1], i), S[i]));
    }
    born_linear_attention_attrs a = { .q_num_heads = HQ, .kv_num_heads = HK };
    refuse("no decay", BORN_OP_LINEAR_ATTENTION, &a, in, 4, BORN_SHAPE);
    refuse("no heads", BORN_OP_LINEAR_ATTENTION, NULL, in, 6, BORN_SHAPE);
    a.kv_num_heads = 3;
    refuse("three heads", BORN_OP_LINEAR_ATTENTION, &a, in, 6, BORN_SHAPE);
    calls_free();
}

TEST(activations_against_f64)
{
    random_seed(4);
    born_view x = small(DIMS(3, 7)), b = small(DIMS(7)), out[1];
    born_view in[2] = { tensor_strided(&x), b };
    static const born_op_id op[] = { BORN_OP_FAST_GELU, BORN_OP_BIAS_GELU, BORN_OP_QUICK_GELU, BORN_OP_SWIGLU };
    for (int k = 0; k < 4; k++) {
        born_view two[2] = { in[0], x };
        run(op[k], NULL, k == 3 ? two : in, k == 2 ? 1 : 2, 1, out);
        for (int64_t i = 0; i < 21; i++) {
            double v = tensor_at(&x, i) + (k < 2 ? tensor_at(&b, i % 7) : 0), want;
            if (k == 0) want = 0.5 * v * (1 + tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
            else if (k == 1) want = 0.5 * v * erfc(-v / sqrt(2));
            else if (k == 2) want = v / (1 + exp(-1.702 * v));
            else want = v / (1 + exp(-v)) * v;
            CHECK_MSG(near_by(tensor_at(&out[0], i), want), "op %d of %g is %g, not %g", k, v, tensor_at(&out[0], i),
                      want);
        }
    }
    refuse("bias", BORN_OP_FAST_GELU, NULL, (born_view[]){ x, tensor_zeros(BORN_F32, DIMS(3)) }, 2, BORN_SHAPE);
    refuse("shapes", BORN_OP_SWIGLU, NULL, (born_view[]){ x, b }, 2, BORN_SHAPE);
    calls_free();
}

TEST(skip_norms_against_f64)
{
    enum { R = 6, C = 9 };
    random_seed(5);
    born_view x = small(DIMS(2, 3, C)), skip = small(DIMS(3, C)), out[4];
    born_view g = small(DIMS(C)), beta = small(DIMS(C)), bias = small(DIMS(C));
    born_skip_norm_attrs a = { .epsilon = 1e-3 };
    for (int rms = 0; rms < 2; rms++) {
        born_view layer[5] = { tensor_strided(&x), skip, g, beta, bias },
                  root[4] = { x, skip, tensor_strided(&g), bias };
        run(rms ? BORN_OP_SKIP_RMS_NORM : BORN_OP_SKIP_LAYER_NORM, &a, rms ? root : layer, rms ? 4 : 5, 4, out);
        for (int64_t r = 0; r < R; r++) {
            double v[C], mean = 0, var = 0;
            for (int64_t c = 0; c < C; c++) {
                v[c] = tensor_at(&x, r * C + c) + tensor_at(&skip, r % 3 * C + c) + tensor_at(&bias, c);
                mean += rms ? 0 : v[c] / C;
            }
            for (int64_t c = 0; c < C; c++) var += (v[c] - mean) * (v[c] - mean) / C;
            CHECK(near_by(tensor_at(&out[1], r), mean) && near_by(tensor_at(&out[2], r), 1 / sqrt(var + 1e-3)));
            for (int64_t c = 0; c < C; c++) {
                double want = (v[c] - mean) / sqrt(var + 1e-3) * tensor_at(&g, c) + (rms ? 0 : tensor_at(&beta, c));
                CHECK(near_by(tensor_at(&out[0], r * C + c), want));
                CHECK(near_by(tensor_at(&out[3], r * C + c), v[c]));
            }
        }
    }
    refuse("skip", BORN_OP_SKIP_LAYER_NORM, NULL, (born_view[]){ x, tensor_zeros(BORN_F32, DIMS(4, C)), g }, 3,
           BORN_SHAPE);
    refuse("gamma", BORN_OP_SKIP_RMS_NORM, NULL, (born_view[]){ x, skip, tensor_zeros(BORN_F32, DIMS(3)) }, 3,
           BORN_SHAPE);
    calls_free();
}

TEST(embed_layer_norm_looks_up)
{
    enum { B = 2, T = 3, C = 4, WORDS = 5 };
    random_seed(6);
    born_view ids = tensor_of(BORN_I32, DIMS(B, T), (double[]){ 0, 4, 2, 1, 1, 3 }), places = small(DIMS(T, C));
    born_view words = small(DIMS(WORDS, C)), one = tensor_zeros(BORN_F32, DIMS(C)),
              zero = tensor_zeros(BORN_F32, DIMS(C));
    born_view mask = tensor_of(BORN_I32, DIMS(B, T), (double[]){ 1, 1, 0, 1, 1, 1 }), out[3];
    for (int64_t c = 0; c < C; c++) *(float *)(void *)tensor_address(&one, c) = 1;
    born_view in[8] = { ids, no_tensor, words, places, no_tensor, one, zero, mask };
    run(BORN_OP_EMBED_LAYER_NORM, NULL, in, 8, 3, out);
    CHECK_INT(tensor_at(&out[1], 0), 2);
    CHECK_INT(tensor_at(&out[1], 1), 3);
    for (int64_t i = 0; i < B * T * C; i++) {
        int64_t row = (int64_t)tensor_at(&ids, i / C);
        double want = tensor_at(&words, row * C + i % C) + tensor_at(&places, i / C % T * C + i % C);
        CHECK(near_by(tensor_at(&out[2], i), want));
    }
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < C; c++) {
        sum += tensor_at(&out[0], c);
        squares += tensor_at(&out[0], c) * tensor_at(&out[0], c);
    }
    CHECK(fabs(sum) < 1e-5 && fabs(squares - C) < 1e-4);
    for (int k = 0; k < 2; k++) {
        in[0] = tensor_of(BORN_I32, DIMS(B, T), (double[]){ 0, 4, k ? -1 : 5, 1, 1, 3 });
        refuse("word", BORN_OP_EMBED_LAYER_NORM, NULL, in, 8, BORN_RANGE);
    }
    in[0] = tensor_zeros(BORN_I32, DIMS(B, T + 1));
    in[7] = no_tensor;
    refuse("positions", BORN_OP_EMBED_LAYER_NORM, NULL, in, 7, BORN_SHAPE);
    calls_free();
}

TEST(fused_matmul_transposes)
{
    random_seed(8);
    born_view a = small(DIMS(4, 2, 5)), b = small(DIMS(2, 3, 5)), out[1];
    /* a [M, batch, K] moved to [batch, M, K]; b [batch, N, K] transposed */
    born_fused_matmul_attrs t = { .trans_batch_a = true, .trans_b = true, .alpha = 0.5 };
    born_view in[2] = { a, b }, y = run(BORN_OP_FUSED_MATMUL, &t, in, 2, 1, out);
    CHECK_INT(y.dim[0], 2);
    CHECK_INT(y.dim[1], 4);
    CHECK_INT(y.dim[2], 3);
    for (int64_t i = 0; i < 24; i++) {
        int64_t batch = i / 12, m = i / 3 % 4, n = i % 3;
        double want = 0;
        for (int64_t k = 0; k < 5; k++)
            want += tensor_at(&a, (m * 2 + batch) * 5 + k) * tensor_at(&b, (batch * 3 + n) * 5 + k);
        CHECK(near_by(tensor_at(&y, i), want / 2));
    }
    refuse("inner sizes", BORN_OP_FUSED_MATMUL, NULL, in, 2, BORN_SHAPE);
    calls_free();
}

/* The running sum of lane_sum.h is the row sum of reduce.h. */
TEST(lane_sums_agree)
{
    static float v[70000];
    random_seed(10);
    for (int i = 0; i < 70000; i++) v[i] = (float)random_below(1 << 24) * 0x1p-20f - 7;
    static const int64_t n[] = { 0, 1, 15, 16, 63, 64, 65, 1000, 4095, 4096, 4097, 8192, 12288, 20480, 28672, 70000 };
    for (size_t k = 0; k < sizeof n / sizeof n[0]; k++) {
        born_lanes_f32 s = { 0 };
        for (int64_t i = 0; i < n[k]; i++) born__lanes_add_f32(&s, v[i]);
        float got = born__lanes_end_f32(&s), want = born__row_sum_f32(v, n[k]);
        CHECK_MSG(got == want, "%lld terms: %.9g, not %.9g", (long long)n[k], (double)got, (double)want);
    }
}
TEST_MAIN
