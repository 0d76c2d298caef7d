/* conv, conv_transpose, deform_conv and causal_conv against plain f64 sums, against the law of bits written out for one
   result, and against calls that must be refused. */
#include <math.h>

#include "../harness.h"
#include "support_nn.h"
#include "tensor/view.h"

typedef struct conv_case {
    int64_t group, stride[3], pad[6], dilation[3];
    int spatial;
    const born_view *x, *w, *bias, *residual;
} conv_case;

static void list(born_ints *to, const int64_t *v, int n) { *to = (born_ints){ v, n }; }

/* Walks the kernel positions of a window: false when done. */
static bool next_tap(const born_view *w, int spatial, int64_t *tap)
{
    for (int d = spatial - 1; d >= 0; d--) {
        if (++tap[d] < w->dim[2 + d]) return true;
        tap[d] = 0;
    }
    return false;
}

static double want_conv(const void *ctx, const int64_t *at)
{
    const conv_case *c = ctx;
    int64_t tap[3] = { 0 }, per = c->w->dim[1], g = at[1] / (c->w->dim[0] / c->group);
    double sum = 0;
    do {
        for (int64_t ch = 0; ch < per; ch++) {
            int64_t xi[5] = { at[0], g * per + ch }, wi[5] = { at[1], ch };
            for (int d = 0; d < c->spatial; d++) {
                xi[2 + d] = at[2 + d] * c->stride[d] - c->pad[d] + tap[d] * c->dilation[d];
                wi[2 + d] = tap[d];
            }
            sum += nn_at(c->x, xi) * nn_at(c->w, wi);
        }
    } while (next_tap(c->w, c->spatial, tap));
    if (c->bias) sum += tensor_at(c->bias, at[1]);
    if (c->residual) sum += nn_at(c->residual, at);
    return sum;
}

/* Each input cell adds its kernel to the result: here seen from the result. */
static double want_transpose(const void *ctx, const int64_t *at)
{
    const conv_case *c = ctx;
    int64_t tap[3] = { 0 }, per = c->w->dim[1], g = at[1] / per, cg = c->x->dim[1] / c->group;
    double sum = 0;
    do {
        int64_t xi[5] = { at[0] }, wi[5] = { 0, at[1] % per };
        bool meets = true;
        for (int d = 0; d < c->spatial; d++) {
            int64_t from = at[2 + d] + c->pad[d] - tap[d] * c->dilation[d];
            meets = meets && from >= 0 && from % c->stride[d] == 0;
            xi[2 + d] = from / c->stride[d];
            wi[2 + d] = tap[d];
        }
        for (int64_t ch = 0; meets && ch < cg; ch++) {
            xi[1] = wi[0] = g * cg + ch;
            sum += nn_at(c->x, xi) * nn_at(c->w, wi);
        }
    } while (next_tap(c->w, c->spatial, tap));
    return c->bias ? sum + tensor_at(c->bias, at[1]) : sum;
}

static const int64_t strides[4][3] = { { 1, 1, 1 }, { 2, 2, 2 }, { 1, 2, 1 }, { 3, 1, 2 } };
static const int64_t pads[4][6] = { { 0 }, { 1, 1, 1, 1, 1, 1 }, { 2, 0, 1, 0, 1, 2 }, { 1, 2, 0, 2, 1, 1 } };
static const int64_t dilations[2][3] = { { 1, 1, 1 }, { 2, 1, 2 } };
static const int64_t groups[4][3] = { { 1, 3, 5 }, { 2, 4, 38 }, { 4, 4, 8 }, { 1, 1, 17 } };    /* group, C, M */

static void conv_one(born_dtype t, int n, int64_t i, bool transposed)
{
    const int64_t *g = groups[i % 4], in[5] = { 2, g[1], 7, 6, 5 }, k[3] = { 3, 2, 2 };
    int64_t wd[5] = { transposed ? g[1] : g[2], (transposed ? g[2] : g[1]) / g[0], k[0], k[1], k[2] };
    conv_case c = { .group = g[0], .spatial = n };
    for (int d = 0; d < n; d++) {
        c.stride[d] = strides[i / 2 % 4][d];
        c.dilation[d] = dilations[i / 8 % 2][d];
        c.pad[d] = pads[i / 4 % 4][d];
        c.pad[n + d] = pads[i / 4 % 4][n + d];
    }
    born_view ops[4] = { tensor_random(t, n + 2, in), tensor_random(t, n + 2, wd), tensor_random(t, DIMS(g[2])) }, out;
    char what[80];
    snprintf(what, sizeof what, "%s %dd case %lld", transposed ? "conv_transpose" : "conv", n, (long long)i);
    c.x = &ops[0];
    c.w = &ops[1];
    c.bias = &ops[2];
    if (transposed) {
        born_conv_transpose_attrs a = { .group = g[0] };
        list(&a.strides, c.stride, n);
        list(&a.pads, c.pad, 2 * n);
        list(&a.dilations, c.dilation, n);
        CHECK(nn_run(what, BORN_OP_CONV_TRANSPOSE, &a, ops, 3, 0, &out, 1) &&
              nn_close(what, &out, want_transpose, &c, 0));
        return;
    }
    born_conv_attrs a = { .group = g[0] };
    list(&a.strides, c.stride, n);
    list(&a.pads, c.pad, 2 * n);
    list(&a.dilations, c.dilation, n);
    if (!CHECK(nn_run(what, BORN_OP_CONV, &a, ops, 3, 0, &out, 1) && nn_close(what, &out, want_conv, &c, 0))) return;
    ops[3] = tensor_random(t, out.rank, out.dim);
    c.residual = &ops[3];
    CHECK(nn_run(what, BORN_OP_CONV, &a, ops, 4, 0, &out, 1) && nn_close(what, &out, want_conv, &c, 0));
}

/* Operands are small whole numbers, so that every sum is exact. */
TEST(conv_equals_plain_sums)
{
    for (int n = 1; n <= 3; n++)
        for (int64_t i = 0; i < 16; i++) {
            conv_one(i % 3 ? BORN_F32 : BORN_F64, n, i, false);
            calls_free();
        }
}

TEST(conv_transpose_equals_plain_sums)
{
    for (int n = 1; n <= 3; n++)
        for (int64_t i = 0; i < 16; i++) {
            conv_one(i % 3 ? BORN_F32 : BORN_F64, n, i, true);
            calls_free();
        }
}

/* The law, for one result: chains of 1,024 terms over (kh, kw, channel), taps in the padding skipped but counted. */
TEST(conv_keeps_the_order_of_terms)
{
    enum { C = 300 };
    born_view in[3] = { nn_noise(BORN_F32, DIMS(1, C, 5, 5)), nn_noise(BORN_F32, DIMS(18, C, 3, 3)),
                        nn_noise(BORN_F32, DIMS(18)) };
    const int64_t pad[4] = { 1, 1, 1, 1 };
    born_conv_attrs a = { .pads = { pad, 4 } };
    born_view out;
    if (!CHECK(nn_run("conv order", BORN_OP_CONV, &a, in, 3, 0, &out, 1))) return;
    for (int64_t m = 0; m < 18; m++)
        for (int64_t p = 0; p < 25; p++) {
            float total = 0, chain = 0;
            for (int64_t t = 0; t < 9 * C; t++) {
                if (t > 0 && t % 1024 == 0) {
                    total = t == 1024 ? chain : total + chain;
                    chain = 0;
                }
                int64_t kh = t / C / 3, kw = t / C % 3, ch = t % C, h = p / 5 + kh - 1, w = p % 5 + kw - 1;
                if (h < 0 || h > 4 || w < 0 || w > 4) continue;
                chain = fmaf((float)NN_AT(&in[0], 0, ch, h, w), (float)NN_AT(&in[1], m, ch, kh, kw), chain);
            }
            float want = (total + chain) + (float)tensor_at(&in[2], m);
            if (!CHECK_MSG((float)NN_AT(&out, 0, m, p / 5, p % 5) == want, "result %lld %lld", (long long)m,
                           (long long)p))
                break;
        }
    calls_free();
}

TEST(conv_applies_its_activation_last)
{
    born_view in[3] = { tensor_random(BORN_F32, DIMS(1, 2, 4, 4)), tensor_random(BORN_F32, DIMS(3, 2, 2, 2)),
                        tensor_random(BORN_F32, DIMS(3)) };
    born_conv_attrs a = { .activation = BORN_OP_LEAKY_RELU, .alpha = 0.5 };
    born_view plain, out;
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_CONV, NULL, in, 3, &plain, 1, &err), &err);
    REQUIRE_OK(call_op(BORN_OP_CONV, &a, in, 3, &out, 1, &err), &err);
    for (int64_t i = 0; i < born__view_count(&out); i++) {
        double v = tensor_at(&plain, i);
        CHECK(tensor_at(&out, i) == (v < 0 ? 0.5 * v : v));
    }
    a.activation = BORN_OP_ADD;
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 3, 1, BORN_INVALID, "activation"));
    a.activation = 60000;
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 3, 1, BORN_INVALID, "activation"));
    calls_free();
}

static void check_size(int auto_pad, int64_t in, int64_t k, int64_t s, int64_t want)
{
    born_view ops[2] = { tensor_zeros(BORN_F32, DIMS(1, 1, in)), tensor_zeros(BORN_F32, DIMS(1, 1, k)) }, out;
    born_conv_attrs a = { .auto_pad = auto_pad, .strides = { &s, 1 } };
    born_error err = { 0 };
    REQUIRE_OK(infer_op(BORN_OP_CONV, &a, ops, 2, &out, 1, 0, &err), &err);
    CHECK_INT(out.dim[2], want);
}

TEST(conv_pads_by_itself)
{
    check_size(1, 7, 3, 2, 4);      /* SAME: ceil(7 / 2) */
    check_size(2, 7, 4, 3, 3);
    check_size(3, 7, 3, 2, 3);      /* VALID: no padding */
    check_size(0, 7, 3, 2, 3);
    check_size(1, 0, 3, 2, 0);
    calls_free();
}

TEST(conv_takes_empty_tensors)
{
    born_error err = { 0 };
    born_view out, none[2] = { tensor_zeros(BORN_F32, DIMS(0, 2, 4)), tensor_zeros(BORN_F32, DIMS(3, 2, 3)) };
    CHECK_OK(call_op(BORN_OP_CONV, NULL, none, 2, &out, 1, &err), &err);
    born_view no_channels[3] = { tensor_zeros(BORN_F32, DIMS(1, 0, 4)), tensor_zeros(BORN_F32, DIMS(3, 0, 3)),
                                 tensor_of(BORN_F32, DIMS(3), (double[]){ 1, 2, 3 }) };
    REQUIRE_OK(call_op(BORN_OP_CONV, NULL, no_channels, 3, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 1 && tensor_at(&out, 5) == 3);
    calls_free();
}

TEST(conv_refuses_what_does_not_fit)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(1, 4, 5, 5)), w = tensor_zeros(BORN_F32, DIMS(6, 4, 3, 3));
    born_view in[4] = { x, w, no_tensor, no_tensor };
    int64_t three[3] = { 3, 3, 3 }, two[2] = { 2, 2 }, huge[4] = { 1 << 30, 1 << 30, 1 << 30, 1 << 30 };
    int64_t zero[2] = { 0, 1 }, negative[4] = { -1, 0, 0, 0 };
    born_conv_attrs a = { .group = 3 };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_SHAPE, "channels"));
    a = (born_conv_attrs){ .strides = { three, 3 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_INVALID, "strides has 3 numbers where 2"));
    a = (born_conv_attrs){ .kernel_shape = { two, 2 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_SHAPE, "kernel_shape says 2"));
    a = (born_conv_attrs){ .strides = { zero, 2 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_INVALID, "strides"));
    a = (born_conv_attrs){ .pads = { negative, 4 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_INVALID, "pads"));
    a = (born_conv_attrs){ .dilations = { huge, 2 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_SHAPE, "the window spans"));
    a = (born_conv_attrs){ .pads = { huge, 4 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_RANGE, "too large"));
    a = (born_conv_attrs){ .group = 0, .pads = { huge, 3 } };
    CHECK(nn_refused(BORN_OP_CONV, &a, in, 2, 1, BORN_INVALID, "pads has 3"));
    in[2] = tensor_zeros(BORN_F32, DIMS(5));
    CHECK(nn_refused(BORN_OP_CONV, NULL, in, 3, 1, BORN_SHAPE, "bias is [5]"));
    in[2] = no_tensor;
    in[3] = tensor_zeros(BORN_F32, DIMS(1, 6, 3, 4));
    CHECK(nn_refused(BORN_OP_CONV, NULL, in, 4, 1, BORN_SHAPE, "residual is [1,6,3,4]"));
    in[0] = tensor_zeros(BORN_F32, DIMS(1, 4));
    CHECK(nn_refused(BORN_OP_CONV, NULL, in, 2, 1, BORN_SHAPE, "rank"));
    in[0] = tensor_zeros(BORN_I32, DIMS(1, 4, 5, 5));
    CHECK(nn_refused(BORN_OP_CONV, NULL, in, 2, 1, BORN_DTYPE, "i32"));
    calls_free();
}

TEST(conv_transpose_refuses_and_shapes)
{
    born_view in[2] = { tensor_zeros(BORN_F32, DIMS(1, 4, 5)), tensor_zeros(BORN_F32, DIMS(4, 2, 3)) }, out;
    int64_t s = 3, given = 17, big = 1 << 30, pad[2] = { 40, 0 }, two[2] = { 1, 1 };
    born_conv_transpose_attrs a = { .strides = { &s, 1 }, .output_padding = { two, 1 } };
    born_error err = { 0 };
    CHECK_OK(infer_op(BORN_OP_CONV_TRANSPOSE, &a, in, 2, &out, 1, 0, &err), &err);
    CHECK_INT(out.dim[2], 3 * 4 + 3 + 1);
    a = (born_conv_transpose_attrs){ .strides = { &s, 1 }, .output_shape = { &given, 1 } };
    CHECK_OK(call_op(BORN_OP_CONV_TRANSPOSE, &a, in, 2, &out, 1, &err), &err);
    CHECK_INT(out.dim[2], 17);
    a = (born_conv_transpose_attrs){ .pads = { pad, 2 } };
    CHECK(nn_refused(BORN_OP_CONV_TRANSPOSE, &a, in, 2, 1, BORN_SHAPE, "would have size"));
    a = (born_conv_transpose_attrs){ .output_padding = { two, 2 } };
    CHECK(nn_refused(BORN_OP_CONV_TRANSPOSE, &a, in, 2, 1, BORN_INVALID, "output_padding"));
    a = (born_conv_transpose_attrs){ .group = 3 };
    CHECK(nn_refused(BORN_OP_CONV_TRANSPOSE, &a, in, 2, 1, BORN_SHAPE, "groups"));
    a = (born_conv_transpose_attrs){ .strides = { &big, 1 }, .output_padding = { &big, 1 } };
    CHECK_STATUS(infer_op(BORN_OP_CONV_TRANSPOSE, &a, in, 2, &out, 1, 0, &err),
                 SIZE_MAX > UINT32_MAX ? BORN_OK : BORN_RANGE);
    in[1] = tensor_zeros(BORN_F32, DIMS(3, 2, 3));
    CHECK(nn_refused(BORN_OP_CONV_TRANSPOSE, NULL, in, 2, 1, BORN_SHAPE, "channels"));
    calls_free();
}

TEST(deform_conv_without_offsets_is_conv)
{
    born_view in[5] = { tensor_random(BORN_F32, DIMS(2, 4, 6, 5)), tensor_random(BORN_F32, DIMS(6, 2, 3, 3)),
                        tensor_zeros(BORN_F32, DIMS(2, 36, 6, 5)), tensor_random(BORN_F32, DIMS(6)), no_tensor };
    const int64_t pad[4] = { 1, 1, 1, 1 };
    born_deform_conv_attrs a = { .group = 2, .offset_group = 2, .pads = { pad, 4 } };
    conv_case c = { .group = 2, .spatial = 2, .stride = { 1, 1 }, .dilation = { 1, 1 }, .pad = { 1, 1 }, .x = &in[0],
                    .w = &in[1], .bias = &in[3] };
    born_view out;
    CHECK(nn_run("deform_conv", BORN_OP_DEFORM_CONV, &a, in, 4, 0, &out, 1) &&
          nn_close("deform_conv", &out, want_conv, &c, 0));
    for (int64_t i = 0; i < born__view_count(&in[2]); i++)      /* offsets that no integer holds read nothing */
        born__store_f64(BORN_F32, tensor_address(&in[2], i), i % 3 == 0 ? NAN : i % 3 == 1 ? 1e30 : -INFINITY);
    REQUIRE(nn_run("deform_conv far", BORN_OP_DEFORM_CONV, &a, in, 4, 0, &out, 1));
    CHECK(NN_AT(&out, 0, 5, 2, 2) == tensor_at(&in[3], 5));
    in[2] = tensor_zeros(BORN_F32, DIMS(2, 18, 6, 5));
    CHECK(nn_refused(BORN_OP_DEFORM_CONV, &a, in, 4, 1, BORN_SHAPE, "offset is"));
    calls_free();
}

TEST(causal_conv_is_one_stream)
{
    born_view in[4] = { nn_noise(BORN_F32, DIMS(2, 3, 9)), nn_noise(BORN_F32, DIMS(3, 1, 4)),
                        nn_noise(BORN_F32, DIMS(3)), no_tensor };
    born_causal_conv_attrs a = { .activation = 1 };
    born_view whole[2], part[2];
    born_error err = { 0 };
    REQUIRE(nn_run("causal_conv", BORN_OP_CAUSAL_CONV, &a, in, 3, 0, whole, 2));
    in[3] = tensor_zeros(BORN_F32, DIMS(2, 3, 3));
    born_view x = in[0];
    for (int64_t t = 0; t < 9; t++) {       /* one element at a time, by the carried state */
        in[0] = x;
        in[0].dim[2] = 1;
        in[0].data += t * x.stride[2] * 4;
        REQUIRE_OK(call_op(BORN_OP_CAUSAL_CONV, &a, in, 4, part, 2, &err), &err);
        for (int64_t r = 0; r < 6; r++) CHECK(tensor_at(&part[0], r) == NN_AT(&whole[0], r / 3, r % 3, t));
        in[3] = part[1];
    }
    CHECK(tensor_same_bits(&part[1], &whole[1]));
    in[3] = tensor_zeros(BORN_F32, DIMS(2, 3, 4));
    CHECK(nn_refused(BORN_OP_CAUSAL_CONV, &a, in, 4, 2, BORN_SHAPE, "past state"));
    calls_free();
}

TEST_MAIN
