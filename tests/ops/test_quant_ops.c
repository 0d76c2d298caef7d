/* Quantised operators against plain loops with exact integers: rounding half to even, saturation, wrapping sums, every
   shape of scale and zero point, both signs of 8-bit numbers; and refusals. */
#include <math.h>

#include "../harness.h"
#include "ops/quant.h"
#include "support_calls.h"
#include "tensor/view.h"

static born_view scalar(born_dtype t, double v) { return tensor_of(t, 0, NULL, &v); }
/* Random bytes of either sign. */
static born_view bytes(born_dtype t, int rank, const int64_t *dim)
{
    born_view v = tensor_zeros(t, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++) *tensor_address(&v, i) = (char)(uint8_t)random_below(256);
    return v;
}
/* Random positive scales, multiples of 1 / 128. */
static born_view scales(int rank, const int64_t *dim)
{
    born_view v = tensor_zeros(BORN_F32, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++)
        *(float *)(void *)tensor_address(&v, i) = (float)(1 + random_below(255)) / 128;
    return v;
}
static double saturate(double v, born_dtype t)
{
    int32_t lo, hi;
    born__q_range(t, &lo, &hi);
    return v < lo ? lo : v > hi ? hi : v;
}
static born_view run(born_op_id op, const void *a, const born_view *in, int n)
{
    born_view out = { 0 };
    born_error err = { 0 };
    CHECK_OK(call_op(op, a, in, n, &out, 1, &err), &err);
    return out;
}
static void refuse(const char *what, born_op_id op, const void *a, const born_view *in, int n, born_status want)
{
    born_view out;
    born_error err = { 0 };
    born_status got = infer_op(op, a, in, n, &out, 1, 0, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

TEST(round_even_is_rint)
{
    for (int i = -300000; i <= 300000; i++) {
        float v = (float)i / 4;
        if (!CHECK_MSG(born__round_even(v) == (int32_t)rintf(v), "%g", (double)v)) return;
    }
    CHECK_INT(born__round_even(NAN), 0);
    CHECK(born__round_even(INFINITY) > 1000000 && born__round_even(-3e38f) < -1000000);
}

TEST(quantize_saturates_and_rounds_to_even)
{
    static const double v[] = { 0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, NAN, INFINITY, -INFINITY, 1e30, -0.0 };
    born_view x = tensor_of(BORN_F32, DIMS(12), v);
    static const double want[2][12] = { { 10, 12, 12, 10, 8, 255, 0, 10, 255, 0, 255, 10 },
                                        { -3, -1, -1, -3, -5, 127, -128, -3, 127, -128, 127, -3 } };
    for (int s = 0; s < 2; s++) {
        born_view in[3] = { x, scalar(BORN_F32, 1), scalar(s ? BORN_I8 : BORN_U8, s ? -3 : 10) };
        born_view y = run(BORN_OP_QUANTIZE_LINEAR, NULL, in, 3);
        for (int64_t i = 0; i < 12; i++)
            CHECK_MSG(tensor_at(&y, i) == want[s][i], "%g gives %g, not %g", v[i], tensor_at(&y, i), want[s][i]);
    }
    calls_free();
}

/* x [3, 5, 4] along axis 1 (or -2), with one scale, five, or blocks of two. */
TEST(quantize_and_back_by_axis_and_block)
{
    static const born_dtype type[] = { BORN_I8, BORN_U8, BORN_I16, BORN_U16 };
    random_seed(1);
    for (int k = 0; k < 24; k++) {
        born_dtype t = type[k % 4];
        int form = k / 4 % 3;
        born_view x = tensor_random(BORN_F32, DIMS(3, 5, 4)), s, z;
        s = form == 0 ? scales(0, NULL) : form == 1 ? scales(DIMS(5)) : scales(DIMS(3, 3, 4));
        z = tensor_zeros(t, s.rank, s.dim);
        for (int64_t i = 0; i < born__view_count(&z); i++)
            born__store_f64(t, tensor_address(&z, i), (double)random_below(90));
        born_quantize_attrs a = { .axis = k < 12 ? 1 : -2, .block_size = form == 2 ? 2 : 0 };
        born_view q = run(BORN_OP_QUANTIZE_LINEAR, &a, (born_view[]){ k % 2 ? tensor_strided(&x) : x, s, z }, 3);
        born_view d = run(BORN_OP_DEQUANTIZE_LINEAR, &a, (born_view[]){ k % 2 ? tensor_strided(&q) : q, s, z }, 3);
        CHECK(q.dtype == t && d.dtype == BORN_F32);
        for (int64_t i = 0; i < 60; i++) {
            int64_t axis = i / 4 % 5, at = form == 0 ? 0 : form == 1 ? axis : (i / 20 * 3 + axis / 2) * 4 + i % 4;
            float scale = (float)tensor_at(&s, at), zero = (float)tensor_at(&z, at);
            double want = saturate(rint((double)((float)tensor_at(&x, i) / scale)) + (double)zero, t);
            CHECK_MSG(tensor_at(&q, i) == want, "case %d: q[%lld] is %g, not %g", k, (long long)i, tensor_at(&q, i),
                      want);
            CHECK((float)tensor_at(&d, i) == ((float)want - zero) * scale);
        }
    }
    calls_free();
}

TEST(dynamic_quantize_holds_zero)
{
    born_view x = tensor_of(BORN_F32, DIMS(4), (double[]){ 1, 2, 3, 4 }), in[1] = { x }, out[3];
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_DYNAMIC_QUANTIZE_LINEAR, NULL, in, 1, out, 3, &err), &err);
    CHECK((float)tensor_at(&out[1], 0) == 4.0f / 255);
    CHECK_INT(tensor_at(&out[2], 0), 0);
    CHECK_INT(tensor_at(&out[0], 3), 255);
    in[0] = tensor_zeros(BORN_F32, DIMS(2, 0));
    REQUIRE_OK(call_op(BORN_OP_DYNAMIC_QUANTIZE_LINEAR, NULL, in, 1, out, 3, &err), &err);
    CHECK_INT(out[0].dim[0], 2);
    calls_free();
}

/* a [2, 3, 7] times b [7, 5] (or [2, 7, 5]) with zero points per row and column. */
TEST(matmul_integer_is_exact)
{
    random_seed(2);
    for (int k = 0; k < 16; k++) {
        born_dtype ta = k & 1 ? BORN_I8 : BORN_U8, tb = k & 2 ? BORN_I8 : BORN_U8;
        bool many = k & 4, vectors = k & 8;
        born_view a = bytes(ta, DIMS(2, 3, 7)), b = many ? bytes(tb, DIMS(2, 7, 5)) : bytes(tb, DIMS(7, 5));
        born_view za = vectors ? bytes(ta, DIMS(2, 3, 1)) : bytes(ta, 0, NULL);
        born_view zb = vectors ? bytes(tb, DIMS(5)) : bytes(tb, DIMS(1));
        born_view in[4] = { tensor_strided(&a), k % 3 ? b : tensor_strided(&b), za, zb };
        born_view y = run(BORN_OP_MATMUL_INTEGER, NULL, in, 4);
        for (int64_t i = 0; i < 30; i++) {
            int64_t n = i % 5, m = i / 5 % 3, l = i / 15;
            double want = 0, rz = tensor_at(&za, vectors ? l * 3 + m : 0), cz = tensor_at(&zb, vectors ? n : 0);
            for (int64_t p = 0; p < 7; p++)
                want +=
                    (tensor_at(&a, (l * 3 + m) * 7 + p) - rz) * (tensor_at(&b, ((many ? l : 0) * 7 + p) * 5 + n) - cz);
            CHECK_MSG(tensor_at(&y, i) == want, "case %d: y[%lld] is %g, not %g", k, (long long)i, tensor_at(&y, i),
                      want);
        }
    }
    calls_free();
}

/* The sum passes 2^31 and wraps, without tripping the sanitizer. */
TEST(matmul_integer_wraps)
{
    enum { K = 40000 };
    born_view a = tensor_zeros(BORN_U8, DIMS(1, K)), b = tensor_zeros(BORN_U8, DIMS(K, 1));
    memset(a.data, 255, K);
    memset(b.data, 255, K);
    born_view y = run(BORN_OP_MATMUL_INTEGER, NULL, (born_view[]){ a, b }, 2);
    CHECK_INT(tensor_at(&y, 0), 255LL * 255 * K - (1LL << 32));
    calls_free();
}

TEST(qlinear_matmul_and_gemm)
{
    random_seed(3);
    born_view a = bytes(BORN_U8, DIMS(4, 6)), b = bytes(BORN_I8, DIMS(6, 5)), bs = scales(DIMS(5)), out;
    born_view bz = bytes(BORN_I8, DIMS(5)), c = tensor_random(BORN_I32, DIMS(1, 5));
    float as = 0.25f, ys = 8;
    out = run(BORN_OP_QLINEAR_MATMUL, NULL,
              (born_view[]){ a, scalar(BORN_F32, as), scalar(BORN_U8, 7), b, bs, bz, scalar(BORN_F32, ys),
                             scalar(BORN_I8, 3) },
              8);
    born_quant_gemm_attrs t = { .alpha = 0.5 };
    born_view gemm[9] = { a, scalar(BORN_F32, as), scalar(BORN_U8, 7), b, bs, bz,
                          c, scalar(BORN_F32, ys), scalar(BORN_U8, 9) };
    born_view g = run(BORN_OP_QGEMM, &t, gemm, 9), real = run(BORN_OP_QGEMM, &t, gemm, 7);
    CHECK(out.dtype == BORN_I8 && g.dtype == BORN_U8 && real.dtype == BORN_F32);
    for (int64_t i = 0; i < 20; i++) {
        int64_t m = i / 5, n = i % 5;
        double sum = 0;
        for (int64_t k = 0; k < 6; k++)
            sum += (tensor_at(&a, m * 6 + k) - 7) * (tensor_at(&b, k * 5 + n) - tensor_at(&bz, n));
        float mult = as * (float)tensor_at(&bs, n);
        double want = saturate(rint((double)((float)sum * (mult / ys))) + 3, BORN_I8);
        CHECK_MSG(tensor_at(&out, i) == want, "y[%lld] is %g, not %g", (long long)i, tensor_at(&out, i), want);
        float acc = (float)(sum + tensor_at(&c, n));
        CHECK(tensor_at(&g, i) == saturate(rint((double)(acc * (mult * 0.5f / ys))) + 9, BORN_U8));
        CHECK((float)tensor_at(&real, i) == acc * (mult * 0.5f));
    }
    calls_free();
}

/* [N, C, H, W] convolution, 2 groups, all attributes; sums in doubles are exact. */
static double conv_sum(const born_view *x, const born_view *w, double xz, double wz, const int64_t *at)
{
    double sum = 0;
    int64_t M = w->dim[0], per = w->dim[1], c0 = at[1] / (M / 2) * per;
    for (int64_t c = 0; c < per; c++)
        for (int64_t kh = 0; kh < w->dim[2]; kh++)
            for (int64_t kw = 0; kw < w->dim[3]; kw++) {
                int64_t h = at[2] * 2 + kh - 1, v = at[3] + kw * 2 - 2;
                if (h < 0 || h >= x->dim[2] || v < 0 || v >= x->dim[3]) continue;
                double p = tensor_at(x, ((at[0] * x->dim[1] + c0 + c) * x->dim[2] + h) * x->dim[3] + v);
                sum += (p - xz) * (tensor_at(w, ((at[1] * per + c) * w->dim[2] + kh) * w->dim[3] + kw) - wz);
            }
    return sum;
}

TEST(convolutions_are_exact)
{
    random_seed(4);
    born_view x = bytes(BORN_U8, DIMS(2, 4, 6, 7)), w = bytes(BORN_I8, DIMS(6, 2, 3, 2)), wz = bytes(BORN_I8, DIMS(6));
    born_view ws = scales(DIMS(6)), bias = tensor_random(BORN_I32, DIMS(6));
    born_quant_conv_attrs a = {
        .group = 2, .strides = BORN_INTS(2, 1), .dilations = BORN_INTS(1, 2), .pads = BORN_INTS(1, 2, 1, 1)
    };
    born_view in[9] = { tensor_strided(&x), scalar(BORN_F32, 0.125), scalar(BORN_U8, 100), tensor_strided(&w), ws, wz,
                        scalar(BORN_F32, 32), scalar(BORN_U8, 99), bias };
    born_view y = run(BORN_OP_CONV_INTEGER, &a, (born_view[]){ in[0], in[3], in[2], wz }, 4);
    born_view q = run(BORN_OP_QLINEAR_CONV, &a, in, 9);
    CHECK_INT(y.dim[2], 3);
    CHECK_INT(y.dim[3], 8);
    for (int64_t i = 0; i < born__view_count(&y); i++) {
        int64_t at[4] = { i / 8 / 3 / 6, i / 8 / 3 % 6, i / 8 % 3, i % 8 };
        double sum = conv_sum(&x, &w, 100, tensor_at(&wz, at[1]), at);
        if (!CHECK_MSG(tensor_at(&y, i) == sum, "y[%lld] is %g, not %g", (long long)i, tensor_at(&y, i), sum)) return;
        float v = (float)(sum + tensor_at(&bias, at[1])) * (0.125f * (float)tensor_at(&ws, at[1]) / 32);
        CHECK(tensor_at(&q, i) == saturate(rint((double)v) + 99, BORN_U8));
    }
    calls_free();
}

TEST(qlinear_elementwise)
{
    random_seed(5);
    for (int s = 0; s < 2; s++) {
        born_dtype t = s ? BORN_I8 : BORN_U8;
        born_view a = bytes(t, DIMS(3, 1, 5)), b = bytes(t, DIMS(4, 1)), as = scalar(BORN_F32, 0.5),
                  bs = scalar(BORN_F32, 0.25);
        born_view az = scalar(t, 3), ys = scalar(BORN_F32, 2), yz = scalar(t, 20);
        born_view in[8] = { tensor_strided(&a), as, az, b, bs, no_tensor, ys, yz };
        born_view sum = run(BORN_OP_QLINEAR_ADD, NULL, in, 8), product = run(BORN_OP_QLINEAR_MUL, NULL, in, 8);
        for (int64_t i = 0; i < 60; i++) {
            double x = (tensor_at(&a, i / 20 * 5 + i % 5) - 3) * 0.5, y = tensor_at(&b, i / 5 % 4) * 0.25;
            CHECK(tensor_at(&sum, i) == saturate(rint((x + y) / 2) + 20, t));
            CHECK(tensor_at(&product, i) == saturate(rint(x * y / 2) + 20, t));
        }
        born_view one[5] = { a, as, az, scalar(BORN_F32, 1.0 / 128), yz };
        born_view sig = run(BORN_OP_QLINEAR_SIGMOID, NULL, one, 5), soft, cat;
        born_quant_leaky_attrs leaky = { .alpha = 0.125 };
        born_view relu = run(BORN_OP_QLINEAR_LEAKY_RELU, &leaky, (born_view[]){ a, as, az, ys, yz }, 5);
        for (int64_t i = 0; i < 15; i++) {
            double x = (tensor_at(&a, i) - 3) * 0.5;
            CHECK(fabs(tensor_at(&sig, i) - saturate(128 / (1 + exp(-x)) + 20, t)) <= 0.51);
            CHECK(tensor_at(&relu, i) == saturate(rint((x < 0 ? x * 0.125 : x) / 2) + 20, t));
        }
        soft = run(BORN_OP_QLINEAR_SOFTMAX, NULL,
                   (born_view[]){ a, scalar(BORN_F32, 0.03125), az, scalar(BORN_F32, 1.0 / 256), no_tensor }, 5);
        for (int64_t r = 0; r < 3; r++) {
            double total = 0;
            for (int64_t i = 0; i < 5; i++) total += exp(tensor_at(&a, r * 5 + i) / 32);
            for (int64_t i = 0; i < 5; i++)
                CHECK(fabs(tensor_at(&soft, r * 5 + i) -
                           saturate(256 * exp(tensor_at(&a, r * 5 + i) / 32) / total, t)) <= 0.51);
        }
        born_quant_concat_attrs axis = { .axis = 1 };
        born_view c = bytes(t, DIMS(3, 2, 5));
        cat = run(BORN_OP_QLINEAR_CONCAT, &axis, (born_view[]){ ys, yz, a, as, az, c, bs, no_tensor }, 8);
        for (int64_t i = 0; i < 45; i++) {
            int64_t row = i / 15, slot = i / 5 % 3;
            double x = slot == 0 ? (tensor_at(&a, row * 5 + i % 5) - 3) * 0.5
                                 : tensor_at(&c, (row * 2 + slot - 1) * 5 + i % 5) * 0.25;
            CHECK(tensor_at(&cat, i) == saturate(rint(x / 2) + 20, t));
        }
    }
    calls_free();
}

TEST(qlinear_pools)
{
    random_seed(6);
    born_view x = bytes(BORN_U8, DIMS(2, 3, 5, 5)), s = scalar(BORN_F32, 0.5), z = scalar(BORN_U8, 9),
              yz = scalar(BORN_U8, 4);
    born_quant_pool_attrs a = { .kernel_shape = BORN_INTS(2, 2),
                                .strides = BORN_INTS(2, 2),
                                .pads = BORN_INTS(1, 1, 0, 0) };
    born_view in[5] = { x, s, z, s, yz }, y = run(BORN_OP_QLINEAR_AVERAGE_POOL, &a, in, 5);
    born_view g = run(BORN_OP_QLINEAR_GLOBAL_AVERAGE_POOL, NULL, in, 5);
    CHECK_INT(y.dim[2], 3);
    for (int64_t i = 0; i < born__view_count(&y); i++) {
        int64_t ow = i % 3, oh = i / 3 % 3, plane = i / 9, n = 0;
        double sum = 0;
        for (int64_t h = oh * 2 - 1; h < oh * 2 + 1; h++)
            for (int64_t w = ow * 2 - 1; w < ow * 2 + 1; w++) {
                if (h < 0 || w < 0) continue;
                sum += tensor_at(&x, plane * 25 + h * 5 + w) - 9;
                n++;
            }
        CHECK(tensor_at(&y, i) == saturate(rint(sum / (double)n) + 4, BORN_U8));
    }
    for (int64_t i = 0; i < 6; i++) {
        double sum = 0;
        for (int64_t k = 0; k < 25; k++) sum += tensor_at(&x, i * 25 + k) - 9;
        CHECK(fabs(tensor_at(&g, i) - saturate(sum / 25 + 4, BORN_U8)) <= 0.51);
    }
    calls_free();
}

TEST(quant_refusals)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(3, 5)), q = tensor_zeros(BORN_U8, DIMS(3, 5)), s = scalar(BORN_F32, 1);
    born_view z = scalar(BORN_U8, 0), s5 = scales(DIMS(5)), s4 = scales(DIMS(4));
    refuse("scale of 4", BORN_OP_QUANTIZE_LINEAR, NULL, (born_view[]){ x, s4 }, 2, BORN_SHAPE);
    refuse("axis", BORN_OP_QUANTIZE_LINEAR, &(born_quantize_attrs){ .axis = 2 }, (born_view[]){ x, s5 }, 2, BORN_RANGE);
    refuse("zero point's shape", BORN_OP_QUANTIZE_LINEAR, NULL, (born_view[]){ x, s5, z }, 3, BORN_SHAPE);
    refuse("dtype", BORN_OP_QUANTIZE_LINEAR, &(born_quantize_attrs){ .output_dtype = BORN_F64 }, (born_view[]){ x, s },
           2, BORN_UNSUPPORTED);
    refuse("two dtypes", BORN_OP_QUANTIZE_LINEAR, &(born_quantize_attrs){ .output_dtype = BORN_I8 },
           (born_view[]){ x, s, z }, 3, BORN_DTYPE);
    refuse("blocks", BORN_OP_DEQUANTIZE_LINEAR, &(born_quantize_attrs){ .block_size = 3 }, (born_view[]){ q, s5 }, 2,
           BORN_SHAPE);
    refuse("inner sizes", BORN_OP_MATMUL_INTEGER, NULL, (born_view[]){ q, q }, 2, BORN_SHAPE);
    refuse("row zeros", BORN_OP_MATMUL_INTEGER, NULL,
           (born_view[]){ q, tensor_zeros(BORN_U8, DIMS(5, 2)), tensor_zeros(BORN_U8, DIMS(4)) }, 3, BORN_SHAPE);
    born_view img = tensor_zeros(BORN_U8, DIMS(1, 2, 4, 4)), w = tensor_zeros(BORN_U8, DIMS(2, 2, 3, 3));
    born_view deep = tensor_zeros(BORN_U8, DIMS(1, 1, 2, 2, 2, 2));
    refuse("groups", BORN_OP_CONV_INTEGER, &(born_quant_conv_attrs){ .group = 2 }, (born_view[]){ img, w }, 2,
           BORN_SHAPE);
    refuse("pads", BORN_OP_CONV_INTEGER, &(born_quant_conv_attrs){ .pads = BORN_INTS(1, 1, 1) },
           (born_view[]){ img, w }, 2, BORN_INVALID);
    refuse("huge stride", BORN_OP_CONV_INTEGER, &(born_quant_conv_attrs){ .strides = BORN_INTS(INT64_MAX, 1) },
           (born_view[]){ img, w }, 2, BORN_INVALID);
    refuse("4 spatial dims", BORN_OP_CONV_INTEGER, NULL, (born_view[]){ deep, deep }, 2, BORN_SHAPE);
    refuse("too large a kernel", BORN_OP_CONV_INTEGER, NULL,
           (born_view[]){ img, tensor_zeros(BORN_U8, DIMS(2, 2, 5, 5)) }, 2, BORN_SHAPE);
    refuse("no y_scale", BORN_OP_QLINEAR_SIGMOID, NULL, (born_view[]){ q, s, z }, 3, BORN_INVALID);
    refuse("no b_scale", BORN_OP_QLINEAR_ADD, NULL, (born_view[]){ q, s, z, q }, 4, BORN_INVALID);
    refuse("triples", BORN_OP_QLINEAR_CONCAT, NULL, (born_view[]){ s, z, q, s, z, q }, 6, BORN_INVALID);
    refuse("kernel", BORN_OP_QLINEAR_AVERAGE_POOL, NULL, (born_view[]){ img, s, z, s, z }, 5, BORN_SHAPE);
    calls_free();
}
TEST_MAIN
