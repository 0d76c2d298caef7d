/* Dropout and embeddings: what is drawn and when it repeats, which rows learn and how much. */
#include "nn_helpers.h"

enum { MANY = 4000 };

static void ones(float *x, int n)
{
    for (int i = 0; i < n; i++) x[i] = 1;
}

TEST(dropout_draws_by_seed_step_and_place)
{
    float x[MANY], a[MANY], b[MANY], c[MANY], again[MANY];
    ones(x, MANY);
    for (int round = 0; round < 2; round++) {
        bench k = bench_open(BORN_F32, 11);
        born_module *d = born_dropout_layer(k.net, "d", 0.25, NULL), *e = born_dropout_layer(k.net, "e", 0.25, NULL);
        born_tensor t = f32_of(&k, x, BORN_SHAPE(MANY));
        int zeros = 0;
        if (!get((born_forward)(d, t, NULL), round ? again : a, MANY)) return;
        if (!get((born_forward)(e, t, NULL), b, MANY)) return;
        born_module_next_step(k.net);
        if (!get((born_forward)(d, t, NULL), c, MANY)) return;
        for (int i = 0; i < MANY; i++) {
            CHECK(c[i] == 0 || fabs((double)c[i] - 4.0 / 3) < 1e-6);
            zeros += c[i] == 0;
        }
        CHECK_MSG(abs(zeros - 1000) < 5 * 28, "%d zeros", zeros);       /* five deviations */
        CHECK(memcmp(round ? again : a, b, sizeof a) && memcmp(round ? again : a, c, sizeof a));
        born_module_train(k.net, false);
        if (get((born_forward)(d, t, NULL), c, MANY)) CHECK(!memcmp(x, c, sizeof x));
        bench_close(&k);
    }
    CHECK(!memcmp(a, again, sizeof a));
}

TEST(dropout_of_channels_and_of_selu_networks)
{
    bench k = bench_open(BORN_F32, 3);
    float x[MANY], y[MANY];
    int off = 0;

    ones(x, MANY);
    born_tensor t = f32_of(&k, x, BORN_SHAPE(10, 100, 2, 2));
    if (get((born_forward)(born_dropout2d(k.net, NULL, 0.5, NULL), t, NULL), y, MANY))
        for (int c = 0; c < 1000; c++) {
            off += y[4 * c] == 0;
            for (int i = 1; i < 4; i++) CHECK(y[4 * c + i] == y[4 * c]);
        }
    CHECK_MSG(abs(off - 500) < 80, "%d channels off", off);
    /* Of numbers with mean 0 and variance 1 alpha dropout keeps both. */
    double sum = 0, square = 0;
    for (int i = 0; i < MANY; i++) x[i] = i % 2 ? 1 : -1;
    if (get((born_forward)(born_alpha_dropout(k.net, NULL, 0.3, NULL), f32_of(&k, x, BORN_SHAPE(MANY)), NULL), y, MANY))
        for (int i = 0; i < MANY; i++) sum += (double)y[i], square += pow((double)y[i], 2);
    sum /= MANY, square /= MANY;
    CHECK_MSG(fabs(sum) < 0.08 && fabs(square - 1) < 0.08, "mean %g, square %g", sum, square);
    if (get((born_forward)(born_feature_alpha_dropout(k.net, NULL, 0.5, NULL), t, NULL), y, MANY))
        for (int c = 0; c < 1000; c++) CHECK(y[4 * c] == y[4 * c + 3]);
    if (get((born_forward)(born_dropout_layer(k.net, NULL, 1, NULL), t, NULL), y, MANY)) CHECK(y[0] == 0 && y[99] == 0);
    bench_close(&k);
}

TEST(dropped_elements_have_no_gradient)
{
    bench k = bench_open(BORN_F32, 3);
    float x[100], y[100], g[100];

    scatter(x, 100, 1);
    born_tensor t = (born_requires_grad)(f32_of(&k, x, BORN_SHAPE(100)));
    born_tensor out = (born_forward)(born_dropout_layer(k.net, NULL, 0.5, NULL), t, NULL);
    if (get(out, y, 100) && backward_of(out, (born_tensor){ 0 }) && get((born_grad_of)(t), g, 100))
        for (int i = 0; i < 100; i++) CHECK(g[i] == (y[i] == 0 ? 0.0f : 2.0f));
    bench_close(&k);
}

TEST(embedding_rows_and_what_they_learn)
{
    bench k = bench_open(BORN_F32, 5);
    const int64_t index[6] = { 0, 3, 3, 1, 3, 1 };
    float w[10], y[12], g[10];
    born_module *m = born_embedding(k.net, "e", 5, 2, &(born_embedding_desc){ .padding = true, .padding_idx = -2,
                                                                               .scale_grad_by_freq = true });
    if (!get(born_module_tensor(m, "weight"), w, 10)) return;
    CHECK(w[6] == 0 && w[7] == 0 && w[0] != 0);
    born_i64 at = born_from_i64(k.b, BORN_ARRAY(index, 2, 3));
    born_tensor out = born_forward(m, at);
    CHECK(shape_is(out, BORN_SHAPE(2, 3, 2)));
    if (get(out, y, 12))
        for (int i = 0; i < 12; i++) CHECK(y[i] == w[index[i / 2] * 2 + i % 2]);
    /* Row 3 pads; each row's gradient is divided by how often it occurs, so one that occurs has 1 and 1. */
    const float want[10] = { 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 };
    if (backward_of(out, (born_tensor){ 0 }) && get((born_grad_of)(born_module_tensor(m, "weight")), g, 10))
        for (int i = 0; i < 10; i++) CHECK_MSG(g[i] == want[i], "row %d: %g", i / 2, (double)g[i]);
    const int64_t far = 5;
    (void)(born_forward)(m, i64_of(&k, &far, BORN_SHAPE(1)), NULL);
    bench_expect(&k, BORN_RANGE, "5");
    bench_close(&k);
}

TEST(embedding_rows_are_scaled_down_in_place)
{
    bench k = bench_open(BORN_F32, 5);
    const float w[6] = { 3, 4, 0.3f, 0.4f, 6, 8 };
    const double want[6] = { 0.6, 0.8, 0.3, 0.4, 6, 8 };
    const int64_t index[3] = { 1, 0, 0 };
    float after[6];
    born_module *m = born_embedding(k.net, "e", 3, 2, &(born_embedding_desc){ .max_norm = 1 });

    set(m, "weight", w, BORN_SHAPE(3, 2));
    CHECK(born_is_alive((born_forward)(m, i64_of(&k, index, BORN_SHAPE(3)), NULL)));
    if (get(born_module_tensor(m, "weight"), after, 6)) NEAR_ALL(after, want, 6);
    bench_close(&k);
}

TEST(bags_by_offsets_and_side_by_side)
{
    bench k = bench_open(BORN_F32, 5);
    const float w[8] = { 1, -2, 3, 4, -5, 6, 7, 8 }, ps[5] = { 1, 2, 3, 4, 5 };
    const int64_t index[5] = { 0, 2, 2, 3, 1 }, offsets[4] = { 0, 2, 2, 5 };
    /* Bags (0 2), (), (2 3 1); row 1 pads in the last three. */
    const double sum[6] = { -4, 4, 0, 0, 5, 18 }, mean[6] = { -2, 2, 0, 0, 5.0 / 3, 6 }, most[6] = { 1, 6, 0, 0, 7, 8 };
    const double weighed[6] = { -9, 10, 0, 0, 28, 70 }, padded[6] = { -2, 2, 0, 0, 1, 7 };
    float y[8];
    born_tensor in[3] = { i64_of(&k, index, BORN_SHAPE(5)), i64_of(&k, offsets, BORN_SHAPE(3)),
                          f32_of(&k, ps, BORN_SHAPE(5)) }, out;
    const struct { born_embedding_bag_desc d; const double *want; int operands; } row[] = {
        { { .mode = BORN_BAG_SUM }, sum, 2 }, { { .mode = BORN_BAG_MEAN }, mean, 2 },
        { { .mode = BORN_BAG_MAX }, most, 2 }, { { .mode = BORN_BAG_SUM }, weighed, 3 },
        { { .mode = BORN_BAG_MEAN, .padding = true, .padding_idx = 1 }, padded, 2 },
    };

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        born_module *m = born_embedding_bag(k.net, NULL, 4, 2, &row[i].d);
        set(m, "weight", w, BORN_SHAPE(4, 2));
        born_forward_n(m, in, row[i].operands, &out, 1);
        CHECK(shape_is(out, BORN_SHAPE(3, 2)));
        if (get(out, y, 6)) near_all(__FILE__, __LINE__, "bag", y, row[i].want, 6, 1e-6);
    }
    born_module *m = born_embedding_bag(k.net, NULL, 4, 2, &(born_embedding_bag_desc){ .include_last_offset = true });
    set(m, "weight", w, BORN_SHAPE(4, 2));
    in[1] = i64_of(&k, offsets, BORN_SHAPE(4));
    born_forward_n(m, in, 2, &out, 1);
    if (get(out, y, 6)) NEAR_ALL(y, mean, 6);
    const int64_t even[4] = { 0, 1, 2, 3 };
    const double pairs[4] = { 2, 1, 1, 7 };
    in[0] = i64_of(&k, even, BORN_SHAPE(2, 2));
    born_forward_n(m, in, 1, &out, 1);
    if (get(out, y, 4)) NEAR_ALL(y, pairs, 4);
    born_forward_n(m, in, 3, &out, 1);
    bench_expect(&k, BORN_SHAPE, "weights only for sums");
    bench_close(&k);
}
TEST_MAIN
