/* Linear, Bilinear, residual groups, shape modules, activations, distances: values by plain loops, names, mistakes. */
#include "nn_helpers.h"

TEST(linear_is_x_times_w_transposed_plus_b)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *m = born_linear(k.net, "fc", 3, 2, NULL);
    const float w[6] = { 1, 2, 3, -1, 0.5f, 4 }, b[2] = { 10, 20 }, x[12] = { 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1 };
    const double want[8] = { 11, 19, 12, 20.5, 13, 24, 16, 23.5 };
    float y[8];
    listing l;

    CHECK_TEXT(list_of(k.net, &l), "fc.weight[2,3] fc.bias[2] ");
    set(m, "weight", w, BORN_SHAPE(2, 3));
    set(m, "bias", b, BORN_SHAPE(2));
    born_f32 out = born_forward(m, born_from_f32(k.b, BORN_ARRAY(x, 4, 3)));
    if (get(out.any, y, 8)) NEAR_ALL(y, want, 8);
    born_tensor deep = (born_forward)(m, f32_of(&k, x, BORN_SHAPE(2, 2, 1, 3)), NULL);
    CHECK(shape_is(deep, BORN_SHAPE(2, 2, 1, 2)));
    if (get(deep, y, 8)) NEAR_ALL(y, want, 8);
    born_tensor row = (born_forward)(m, f32_of(&k, x, BORN_SHAPE(3)), NULL);
    CHECK(shape_is(row, BORN_SHAPE(2)));
    if (get(row, y, 2)) NEAR_ALL(y, want, 2);
    CHECK(born_module_tensor(born_linear(k.net, NULL, 3, 2, &(born_linear_desc){ .no_bias = true }), "bias").w == 0);
    bench_close(&k);
}

TEST(bilinear_and_its_initial_values)
{
    enum { I = 3, J = 4, O = 2, N = 5 };
    bench k = bench_open(BORN_F32, 1);
    born_module *m = born_bilinear(k.net, "b", I, J, O, NULL);
    float w[O * I * J], b[O], x1[N * I], x2[N * J], y[N * O];
    double want[N * O];

    if (!get(born_module_tensor(m, "weight"), w, O * I * J) || !get(born_module_tensor(m, "bias"), b, O)) return;
    for (int i = 0; i < O * I * J; i++) CHECK(fabs((double)w[i]) <= 1 / sqrt(3));
    scatter(x1, N * I, 3);
    scatter(x2, N * J, 4);
    for (int n = 0; n < N; n++)
        for (int o = 0; o < O; o++) {
            double s = (double)b[o];
            for (int i = 0; i < I; i++)
                for (int j = 0; j < J; j++)
                    s += (double)x1[n * I + i] * (double)w[(o * I + i) * J + j] * (double)x2[n * J + j];
            want[n * O + o] = s;
        }
    born_tensor in[] = { f32_of(&k, x1, BORN_SHAPE(N, I)), f32_of(&k, x2, BORN_SHAPE(N, J)) }, out;
    born_forward_n(m, in, 2, &out, 1);
    CHECK(shape_is(out, BORN_SHAPE(N, O)));
    if (get(out, y, N * O)) NEAR_ALL(y, want, N * O);
    bench_close(&k);
}

TEST(containers_and_shapes)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *res = born_residual(k.net, "res", NULL);
    float x[72], y[72];
    double want[72];

    (void)born_relu_layer(res, NULL);
    (void)born_identity_layer(res, NULL, NULL);
    scatter(x, 72, 5);
    for (int i = 0; i < 72; i++) want[i] = (double)x[i] + (x[i] > 0 ? (double)x[i] : 0);
    if (get((born_forward)(res, f32_of(&k, x, BORN_SHAPE(72)), NULL), y, 72)) NEAR_ALL(y, want, 72);

    born_tensor t = f32_of(&k, x, BORN_SHAPE(2, 9, 2, 2));
    CHECK(shape_is((born_forward)(born_flatten_layer(k.net, NULL, 1, -1, NULL), t, NULL), BORN_SHAPE(2, 36)));
    CHECK(shape_is((born_forward)(born_flatten_layer(k.net, NULL, 2, 3, NULL), t, NULL), BORN_SHAPE(2, 9, 4)));
    CHECK(shape_is((born_forward)(born_unflatten(k.net, NULL, 1, BORN_INTS(3, -1), NULL), t, NULL),
                   BORN_SHAPE(2, 3, 3, 2, 2)));
    born_tensor big = (born_forward)(born_pixel_shuffle(k.net, NULL, 3, NULL), t, NULL);
    CHECK(shape_is(big, BORN_SHAPE(2, 1, 6, 6)));
    /* Pixel (h, w) of the result is channel (h % 3) * 3 + w % 3 at (h / 3, w / 3). */
    for (int n = 0; n < 2; n++)
        for (int h = 0; h < 6; h++)
            for (int w = 0; w < 6; w++)
                want[(n * 6 + h) * 6 + w] = (double)x[((n * 9 + h % 3 * 3 + w % 3) * 2 + h / 3) * 2 + w / 3];
    if (get(big, y, 72)) NEAR_ALL(y, want, 72);
    for (int i = 0; i < 72; i++) want[i] = (double)x[i];
    if (get((born_forward)(born_pixel_unshuffle(k.net, NULL, 3, NULL), big, NULL), y, 72)) NEAR_ALL(y, want, 72);
    born_tensor dealt = (born_forward)(born_channel_shuffle(k.net, NULL, 3, NULL), t, NULL);
    for (int n = 0; n < 2; n++)
        for (int c = 0; c < 9; c++)
            for (int i = 0; i < 4; i++)
                want[(n * 9 + c) * 4 + i] = (double)x[(n * 9 + c % 3 * 3 + c / 3) * 4 + i];
    if (get(dealt, y, 72)) NEAR_ALL(y, want, 72);
    bench_close(&k);
}

TEST(pads_of_each_mode)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[4] = { 1, 2, 3, 4 };
    float y[9];
    born_tensor t = f32_of(&k, x, BORN_SHAPE(1, 1, 4));
    const double zero[7] = { 0, 1, 2, 3, 4, 0, 0 }, mirror[7] = { 2, 1, 2, 3, 4, 3, 2 },
                 edge[7] = { 1, 1, 2, 3, 4, 4, 4 }, round[7] = { 4, 1, 2, 3, 4, 1, 2 },
                 seven[7] = { 7, 1, 2, 3, 4, 7, 7 };

    if (get((born_forward)(born_zero_pad1d(k.net, NULL, BORN_INTS(1, 2)), t, NULL), y, 7)) NEAR_ALL(y, zero, 7);
    if (get((born_forward)(born_reflection_pad1d(k.net, NULL, BORN_INTS(1, 2)), t, NULL), y, 7)) NEAR_ALL(y, mirror, 7);
    if (get((born_forward)(born_replication_pad1d(k.net, NULL, BORN_INTS(1, 2)), t, NULL), y, 7)) NEAR_ALL(y, edge, 7);
    if (get((born_forward)(born_circular_pad1d(k.net, NULL, BORN_INTS(1, 2)), t, NULL), y, 7)) NEAR_ALL(y, round, 7);
    if (get((born_forward)(born_constant_pad1d(k.net, NULL, BORN_INTS(1, 2), 7), t, NULL), y, 7)) NEAR_ALL(y, seven, 7);
    /* Two axes: the last one's numbers come first. */
    born_tensor square = f32_of(&k, x, BORN_SHAPE(1, 1, 2, 2));
    CHECK(shape_is((born_forward)(born_zero_pad2d(k.net, NULL, BORN_INTS(1, 2, 0, 3)), square, NULL),
                   BORN_SHAPE(1, 1, 5, 5)));
    bench_close(&k);
}

/* y and dy by formula, in double, at a few points away from kinks. */
typedef struct curve { born_module *m; double y[4], dy[4]; } curve;

TEST(activations_and_their_slopes)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[4] = { -2.5f, -0.3f, 0.4f, 7 };
    const double s04 = 1 / (1 + exp(-0.4000000059604645)), sp = log1p(exp(0.4000000059604645 * 2)) / 2;
    curve c[] = {
        { born_relu6_layer(k.net, NULL), { 0, 0, x[2], 6 }, { 0, 0, 1, 0 } },
        { born_hardtanh_layer(k.net, NULL, -1, 2), { -1, x[1], x[2], 2 }, { 0, 1, 1, 0 } },
        { born_leaky_relu_layer(k.net, NULL, 0.2), { -0.5, -0.06, x[2], 7 }, { 0.2, 0.2, 1, 1 } },
        { born_hardshrink_layer(k.net, NULL, 0.35), { -2.5, 0, x[2], 7 }, { 1, 0, 1, 1 } },
        { born_softshrink_layer(k.net, NULL, 0.35), { -2.15, 0, 0.05, 6.65 }, { 1, 0, 1, 1 } },
        { born_threshold_layer(k.net, NULL, 0.5, -9), { -9, -9, -9, 7 }, { 0, 0, 0, 1 } },
        { born_log_sigmoid_layer(k.net, NULL),
          { -log1p(exp(2.5)), -log1p(exp(0.30000001192092896)), log(s04), -log1p(exp(-7)) },
          { 1 / (1 + exp(-2.5)), 1 / (1 + exp(-0.30000001192092896)), 1 - s04, 1 / (1 + exp(7)) } },
        { born_softplus_layer(k.net, NULL, 2, 5),
          { log1p(exp(-5)) / 2, log1p(exp(-0.6)) / 2, sp, 7 }, { 1 / (1 + exp(5)), 1 / (1 + exp(0.6)),
                                                              1 / (1 + exp(-0.8)), 1 } },
        { born_prelu_layer(k.net, NULL, 1, 0.25), { -0.625, -0.075, x[2], 7 }, { 0.25, 0.25, 1, 1 } },
        { born_tanhshrink_layer(k.net, NULL),
          { -2.5 + tanh(2.5), -0.3 + tanh(0.3), 0.4 - tanh(0.4), 7 - tanh(7) },
          { pow(tanh(2.5), 2), pow(tanh(0.3), 2), pow(tanh(0.4), 2), pow(tanh(7), 2) } },
        { born_rrelu_layer(k.net, NULL, 0.1, 0.3), { -0.5, -0.06, x[2], 7 }, { 0.2, 0.2, 1, 1 } },
    };

    born_module_train(k.net, false);
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        float y[4], dy[4];
        born_tensor in = (born_requires_grad)(f32_of(&k, x, BORN_SHAPE(4))), out = (born_forward)(c[i].m, in, NULL);
        if (get(out, y, 4)) NEAR_ALL(y, c[i].y, 4);
        if (backward_of(out, (born_tensor){ 0 }) && get((born_grad_of)(in), dy, 4)) NEAR_ALL(dy, c[i].dy, 4);
    }
    born_module_train(k.net, true);             /* RReLU draws a slope for each element */
    float y[4];
    if (get((born_forward)(c[10].m, f32_of(&k, x, BORN_SHAPE(4)), NULL), y, 4))
        CHECK(y[0] <= -0.25f && y[0] >= -0.75f && y[1] <= -0.03f && y[1] >= -0.09f && y[3] == 7);
    bench_close(&k);
}

TEST(distances)
{
    bench k = bench_open(BORN_F32, 1);
    const float a[4] = { 3, 0, 1, 2 }, b[4] = { 0, 4, 1, 1 };
    born_tensor in[] = { f32_of(&k, a, BORN_SHAPE(2, 2)), f32_of(&k, b, BORN_SHAPE(2, 2)) }, out;
    const double two[2] = { 5, 1 }, most[2] = { 4, 1 }, cosine[2] = { 0, 3 / sqrt(10) };
    float y[2];

    born_forward_n(born_pairwise_distance(k.net, NULL, NULL), in, 2, &out, 1);
    if (get(out, y, 2)) near_all(__FILE__, __LINE__, "p 2", y, two, 2, 1e-5);
    born_forward_n(born_pairwise_distance(k.net, NULL, &(born_distance_desc){ .p = INFINITY }), in, 2, &out, 1);
    if (get(out, y, 2)) near_all(__FILE__, __LINE__, "p inf", y, most, 2, 1e-5);
    born_forward_n(born_cosine_similarity(k.net, NULL, 1, NULL), in, 2, &out, 1);
    if (get(out, y, 2)) NEAR_ALL(y, cosine, 2);
    bench_close(&k);
}

TEST(mistakes_are_one_line_each)
{
    bench k = bench_open(BORN_F32, 1);
    float x[4] = { 0 };
    born_tensor t = f32_of(&k, x, BORN_SHAPE(2, 2)), out;

    born_module *bad = born_linear(k.net, "fc", 0, 2, NULL);
    bench_expect(&k, BORN_INVALID, "Linear 'fc': 0 and 2 features");
    CHECK_TEXT(born_module_kind(bad), "dead");
    CHECK(!born_is_alive((born_forward)(bad, t, NULL)));
    (void)born_conv2d(k.net, "c", 4, 6, BORN_INTS(3), &(born_conv_desc){ .groups = 4 });
    bench_expect(&k, BORN_INVALID, "4 and 6 channels in 4 groups");
    (void)born_conv2d(k.net, "c", 4, 4, BORN_INTS(3, 3, 3), NULL);
    bench_expect(&k, BORN_INVALID, "does not hold 1 or 2 sound numbers");
    born_forward_n(born_bilinear(k.net, "b", 2, 2, 1, NULL), &t, 1, &out, 1);
    bench_expect(&k, BORN_INVALID, "Bilinear b: takes 2 to 2 operands");
    (void)(born_forward)(born_conv2d(k.net, "c2", 1, 1, BORN_INTS(1), NULL), t, NULL);
    bench_expect(&k, BORN_SHAPE, "Conv2d c2: x has 2 dims, not 4 or 3");
    (void)born_dropout_layer(k.net, "d", 1.5, NULL);
    bench_expect(&k, BORN_INVALID, "a probability of 1.5");
    (void)born_linear(k.net, "x.y", 1, 1, NULL);
    bench_expect(&k, BORN_INVALID, "cannot be named");
    struct { born_linear_desc d; int later; } newer = { { false }, 1 };
    (void)born_linear_sized(k.net, "n", 1, 1, &newer.d, sizeof newer);
    bench_expect(&k, BORN_UNSUPPORTED, "n");
    bench_close(&k);
}
TEST_MAIN
