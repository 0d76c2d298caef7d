/* Losses: values by loops in double, gradients by formula, extremes, mistakes, the forms by type. */
#include "nn_helpers.h"

enum { N = 4, C = 5 };

static double value(born_tensor t)
{
    float v = NAN;
    (void)get(t, &v, 1);
    return (double)v;
}
#define IS(expr, want) harness_is(__LINE__, #expr, value(expr), (want))
static void harness_is(int line, const char *what, double got, double want)
{
    CHECK_MSG(fabs(got - want) <= 3e-6 * (1 + fabs(want)), "line %d: %s is %.9g, not %.9g", line, what, got, want);
}

/* log softmax of row n. */
static void log_rows(const float *x, double *lp)
{
    for (int n = 0; n < N; n++) {
        double sum = 0;
        for (int c = 0; c < C; c++) sum += exp((double)x[n * C + c]);
        for (int c = 0; c < C; c++) lp[n * C + c] = (double)x[n * C + c] - log(sum);
    }
}

TEST(cross_entropy_of_indices)
{
    bench k = bench_open(BORN_F32, 1);
    float x[N * C], g[N * C];
    double lp[N * C], want = 0, weighed = 0, weights = 0, smooth = 0;
    const int64_t t[N] = { 2, 0, -100, 4 };
    const float w[C] = { 1, 2, 3, 0.5f, 0.25f };

    scatter(x, N * C, 3);
    log_rows(x, lp);
    for (int n = 0; n < N; n++) {
        if (t[n] < 0) continue;
        want -= lp[n * C + t[n]] / 3;
        weighed -= lp[n * C + t[n]] * (double)w[t[n]];
        weights += (double)w[t[n]];
        smooth -= 0.9 * lp[n * C + t[n]] / 3;
        for (int c = 0; c < C; c++) smooth -= 0.1 / C * lp[n * C + c] / 3;
    }
    born_f32 in = born_requires_grad(born_from_f32(k.b, BORN_ARRAY(x, N, C)));
    born_i64 target = born_from_i64(k.b, BORN_ARRAY(t, N));
    born_f32 loss = born_cross_entropy(in, target, NULL);
    IS(loss.any, want);
    CHECK_INT(born_shape_of(loss).rank, 0);
    born_cross_entropy_attrs a = { .weight = f32_of(&k, w, BORN_SHAPE(C)) };
    IS(born_cross_entropy(in, target, &a).any, weighed / weights);
    a.reduction = BORN_SUM;
    IS(born_cross_entropy(in, target, &a).any, weighed);
    IS(born_nll_loss(born_log_softmax(in, 1), target, &a).any, weighed);
    IS(born_cross_entropy(in, target, &(born_cross_entropy_attrs){ .label_smoothing = 0.1 }).any, smooth);
    /* d loss / d x = (softmax - one hot) / counted */
    if (CHECK_INT(born_backward(loss), BORN_OK) && get(born_grad_of(in).any, g, N * C))
        for (int i = 0; i < N * C; i++)
            CHECK(fabs((double)g[i] - (t[i / C] < 0 ? 0 : (exp(lp[i]) - (i % C == t[i / C])) / 3)) < 1e-6);
    /* Class 0 may be the one to ignore; i32 targets and a single row work too. */
    a = (born_cross_entropy_attrs){ .ignore_zero = true, .reduction = BORN_SUM };
    const int32_t t32[N] = { 2, 0, 0, 4 };
    IS(born_cross_entropy(in, born_from_i32(k.b, BORN_ARRAY(t32, N)), &a).any, -lp[2] - lp[3 * C + 4]);
    const int64_t two = 2;
    born_tensor row = f32_of(&k, x, BORN_SHAPE(C));
    IS((born_cross_entropy)(row, i64_of(&k, &two, (born_shape){ 0 }), NULL, NULL), -lp[2]);
    bench_close(&k);
}

TEST(cross_entropy_of_probabilities_and_images)
{
    bench k = bench_open(BORN_F32, 1);
    float x[N * C], p[N * C], y[N];
    double lp[N * C], want[N] = { 0 };

    scatter(x, N * C, 3);
    log_rows(x, lp);
    for (int i = 0; i < N * C; i++) {
        p[i] = (float)((i % 7) / 21.0);
        want[i / C] -= (0.8 * (double)p[i] + 0.2 / C) * lp[i];
    }
    born_f32 in = born_from_f32(k.b, BORN_ARRAY(x, N, C)), target = born_from_f32(k.b, BORN_ARRAY(p, N, C));
    born_cross_entropy_attrs a = { .reduction = BORN_NONE, .label_smoothing = 0.2 };
    if (get(born_cross_entropy(in, target, &a).any, y, N)) NEAR_ALL(y, want, N);
    /* [1, C, N] of classes along dim 1 is the same rows turned. */
    born_f32 turned = born_reshape(born_transpose(in, BORN_INTS(1, 0)), BORN_SHAPE(1, C, N));
    const int64_t t[N] = { 2, 0, 1, 4 };
    double sum = 0;
    for (int n = 0; n < N; n++) sum -= lp[n * C + t[n]] / N;
    IS(born_cross_entropy(turned, born_from_i64(k.b, BORN_ARRAY(t, 1, N)), NULL).any, sum);
    bench_close(&k);
}

TEST(binary_cross_entropies_and_their_ends)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[4] = { 0.3f, -200, 200, 0 }, t[4] = { 1, 0.25f, 0.5f, 1 }, pw[1] = { 3 };
    const double z = 0.30000001192092896;
    const double want[4] = { 3 * log1p(exp(-z)), (1 + 2 * 0.25) * 200 - 0.75 * 200, 100, 3 * log(2) };
    float y[4], g[4];
    born_f32 in = born_requires_grad(born_from_f32(k.b, BORN_ARRAY(x, 4)));
    born_f32 target = born_from_f32(k.b, BORN_ARRAY(t, 4));
    born_weighted_attrs a = { .reduction = BORN_NONE, .pos_weight = f32_of(&k, pw, BORN_SHAPE(1)) };

    if (get(born_binary_cross_entropy_with_logits(in, target, &a).any, y, 4)) NEAR_ALL(y, want, 4);
    /* Probabilities 0 and 1: the loss stops at 100, the slope at 1e12. */
    const float p[4] = { 0, 1, 0, 0.25f }, q[4] = { 1, 1, 0, 0.5f };
    const double loss[4] = { 100, 0, 0, -0.5 * log(0.25) - 0.5 * log(0.75) }, slope[4] = { -1e12, 0, 0, -4.0 / 3 };
    born_tensor prob = (born_requires_grad)(f32_of(&k, p, BORN_SHAPE(4)));
    born_tensor l = (born_binary_cross_entropy)(prob, f32_of(&k, q, BORN_SHAPE(4)),
                                                &(born_weighted_attrs){ .reduction = BORN_NONE }, NULL);
    if (get(l, y, 4)) NEAR_ALL(y, loss, 4);
    if (backward_of(l, (born_tensor){ 0 }) && get((born_grad_of)(prob), g, 4)) NEAR_ALL(g, slope, 4);
    bench_close(&k);
}

TEST(numbers_and_distributions)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[3] = { 1, 2, 5 }, t[3] = { 1.5f, 2, 1 }, p[3] = { 0.5f, 0, 0.5f }, v[3] = { 2, 0.5f, 4 };
    born_f32 a = born_from_f32(k.b, BORN_ARRAY(x, 3)), b = born_from_f32(k.b, BORN_ARRAY(t, 3));
    born_f32 prob = born_from_f32(k.b, BORN_ARRAY(p, 3)), var = born_from_f32(k.b, BORN_ARRAY(v, 3));
    born_reduction_attrs sum = { BORN_SUM };

    IS(born_mse_loss(a, b, NULL).any, 16.25 / 3);
    IS(born_l1_loss(a, b, &sum).any, 4.5);
    IS(born_smooth_l1_loss(a, b, 1, &sum).any, 0.125 + 3.5);
    IS(born_smooth_l1_loss(a, b, 0, &sum).any, 4.5);
    IS(born_huber_loss(a, b, 2, &sum).any, 0.125 + 2 * 3);
    IS(born_kl_div(a, prob, &(born_kl_div_attrs){ .reduction = BORN_SUM }).any, log(0.5) - 0.5 - 2.5);
    IS(born_kl_div(a, prob, &(born_kl_div_attrs){ .reduction = BORN_BATCH_MEAN }).any, (log(0.5) - 3) / 3);
    IS(born_gaussian_nll_loss(a, b, var, &(born_likelihood_attrs){ .reduction = BORN_SUM }).any,
       (log(2) + 0.125 + log(0.5) + log(4) + 4) / 2);
    IS(born_poisson_nll_loss(a, b, &(born_likelihood_attrs){ .reduction = BORN_SUM }).any,
       exp(1) - 1.5 + exp(2) - 4 + exp(5) - 5);
    double stirling = 0;
    for (int i = 0; i < 2; i++) {
        double n = (double)t[i];
        stirling += n * log(n) - n + log(6.283185307179586 * n) / 2;
    }
    IS(born_poisson_nll_loss(a, b, &(born_likelihood_attrs){ .reduction = BORN_SUM, .full = true, .no_log = true }).any,
       8 - (0 + 2 * log(2) + log(5)) + stirling);
    bench_close(&k);
}

/* Stirling's term counts for targets above 1 alone; where it does not, its logarithm of 0 must not show. */
TEST(poisson_of_small_targets)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[4] = { 0, 0.5f, 2, 1 }, t[4] = { 0, -0.0f, 0.5f, 1 };
    for (int rate = 0; rate < 2; rate++) {
        const born_likelihood_attrs a = { .reduction = BORN_SUM, .full = true, .no_log = rate };
        born_f32 in = born_requires_grad(born_from_f32(k.b, BORN_ARRAY(x, 4)));
        born_f32 target = born_requires_grad(born_from_f32(k.b, BORN_ARRAY(t, 4)));
        born_f32 loss = born_poisson_nll_loss(in, target, &a);
        double want = 0;
        float gx[4], gt[4];
        for (int i = 0; i < 4; i++) {
            double v = (double)x[i], n = (double)t[i];
            want += rate ? v - n * log(v + 1e-8) : exp(v) - n * v;
        }
        IS(loss.any, want);
        REQUIRE(born_backward(loss) == BORN_OK && get(born_grad_of(in).any, gx, 4));
        REQUIRE(get(born_grad_of(target).any, gt, 4));
        for (int i = 0; i < 4; i++) {
            double v = (double)x[i], n = (double)t[i], f = rate ? 1 - n / (v + 1e-8) : exp(v) - n;
            CHECK_MSG(fabs((double)gx[i] - f) < 1e-5, "gradient %d: %.9g, not %.9g", i, (double)gx[i], f);
            f = rate ? -log(v + 1e-8) : -v;
            CHECK_MSG(fabs((double)gt[i] - f) < 1e-5, "target's gradient %d: %.9g, not %.9g", i, (double)gt[i], f);
        }
    }
    bench_close(&k);
}

TEST(margins)
{
    bench k = bench_open(BORN_F32, 1);
    const float x[4] = { 0.1f, 0.2f, 0.4f, 0.8f }, y[4] = { 0.3f, 0.1f, 0.9f, 0.7f };
    const int64_t sign[4] = { 1, -1, -1, 1 }, labels[4] = { 3, 0, -1, 1 }, class = 3;
    born_f32 a = born_from_f32(k.b, BORN_ARRAY(x, 4)), b = born_from_f32(k.b, BORN_ARRAY(y, 4));
    born_i64 s = born_from_i64(k.b, BORN_ARRAY(sign, 4));
    born_reduction_attrs sum = { BORN_SUM };

    /* The two in PyTorch's documentation: 0.85 for labels 3 and 0. */
    IS(born_multilabel_margin_loss(a, born_from_i64(k.b, BORN_ARRAY(labels, 4)), NULL).any, 0.85);
    IS(born_multi_margin_loss(a, born_from_i64(k.b, BORN_ARRAY(&class, 1)), 1, NULL).any, (0.3 + 0.4 + 0.6) / 4);
    IS(born_hinge_embedding_loss(a, s, 0.3, &sum).any, 0.1 + 0.1 + 0 + 0.8);
    IS(born_margin_ranking_loss(a, b, s, 0.05, &sum).any, 0.25 + 0.15 + 0 + 0);
    double soft = 0;
    for (int i = 0; i < 4; i++) soft += log1p(exp(-(double)sign[i] * (double)x[i]));
    IS(born_soft_margin_loss(a, s, &sum).any, soft);
    const float u[4] = { 3, 4, 1, 0 }, v[4] = { 4, 3, 1, 1 }, w[4] = { 0, 0, 1, 0 };
    const int64_t two[2] = { 1, -1 };
    born_f32 p = born_from_f32(k.b, BORN_ARRAY(u, 2, 2)), q = born_from_f32(k.b, BORN_ARRAY(v, 2, 2));
    IS(born_cosine_embedding_loss(p, q, born_from_i64(k.b, BORN_ARRAY(two, 2)), 0.2, &sum).any,
       1 - 0.96 + sqrt(0.5) - 0.2);
    born_f32 n = born_from_f32(k.b, BORN_ARRAY(w, 2, 2));
    double near = value(born_triplet_margin_loss(p, q, n, 1, &(born_triplet_attrs){ .reduction = BORN_SUM }).any);
    CHECK(fabs(near - (0 + 2)) < 1e-5);         /* sqrt 2 - 5 + 1 below 0; 1 - 0 + 1 */
    double all = 0;
    for (int i = 0; i < 4; i++) {
        double z = (double)x[i], t = (double)y[i];
        all += (log1p(exp(-z)) * t + log1p(exp(z)) * (1 - t)) / 4;
    }
    born_f32 row = born_reshape(a, BORN_SHAPE(1, 4));
    IS(born_multilabel_soft_margin_loss(row, born_reshape(b, BORN_SHAPE(1, 4)), NULL).any, all);
    bench_close(&k);
}

/* Sum of the probabilities of all paths of `steps` classes (of 3, 0 the blank) that read as the target: without
   repeats, then without blanks. */
static double paths_that_read(const double *lp, int steps, const int64_t *target, int length)
{
    int paths = 1;
    double sum = 0;
    for (int t = 0; t < steps; t++) paths *= 3;
    for (int p = 0; p < paths; p++) {
        int read[8], n = 0, before = 0, rest = p;
        double log_p = 0;
        for (int t = 0; t < steps; t++, rest /= 3) {
            int c = rest % 3;
            log_p += lp[t * 3 + c];
            if (c && c != before) read[n++] = c;
            before = c;
        }
        bool same = n == length;
        for (int i = 0; same && i < n; i++) same = read[i] == target[i];
        if (same) sum += exp(log_p);
    }
    return sum;
}

TEST(alignments_by_all_paths)
{
    enum { T = 5 };
    static const int64_t targets[3][2] = { { 1, 2 }, { 2, 2 }, { 1, 0 } }, lengths[3] = { 2, 2, 1 },
                         steps[3] = { 5, 4, 5 };
    bench k = bench_open(BORN_F32, 1);
    float x[T * 3 * 3], y[3];
    double lp[3][T * 3], want[3], mean = 0;

    scatter(x, T * 9, 6);
    for (int n = 0; n < 3; n++) {
        for (int t = 0; t < T; t++) {
            double sum = 0;
            for (int c = 0; c < 3; c++) sum += exp((double)x[(t * 3 + n) * 3 + c]);
            for (int c = 0; c < 3; c++) lp[n][t * 3 + c] = (double)x[(t * 3 + n) * 3 + c] - log(sum);
        }
        want[n] = -log(paths_that_read(lp[n], (int)steps[n], targets[n], (int)lengths[n]));
        mean += want[n] / (double)lengths[n] / 3;
    }
    born_f32 in = born_log_softmax(born_from_f32(k.b, BORN_ARRAY(x, T, 3, 3)), -1);
    born_i64 t = born_from_i64(k.b, BORN_ARRAY(&targets[0][0], 3, 2)), s = born_from_i64(k.b, BORN_ARRAY(steps, 3));
    born_i64 l = born_from_i64(k.b, BORN_ARRAY(lengths, 3));
    IS(born_ctc_loss(in, t, s, l, NULL).any, mean);
    if (get(born_ctc_loss(in, t, s, l, &(born_ctc_loss_attrs){ .reduction = BORN_NONE }).any, y, 3))
        NEAR_ALL(y, want, 3);
    bench_close(&k);
}

TEST(mistakes)
{
    bench k = bench_open(BORN_F32, 1);
    float x[N * C];
    const int64_t far[N] = { 0, 1, 2, 5 };

    scatter(x, N * C, 3);
    born_f32 in = born_from_f32(k.b, BORN_ARRAY(x, N, C));
    CHECK(!born_is_alive(born_cross_entropy(in, born_from_i64(k.b, BORN_ARRAY(far, N)), NULL)));
    bench_expect(&k, BORN_RANGE, "5");
    (void)born_huber_loss(in, in, 0, NULL);
    bench_expect(&k, BORN_INVALID, "huber_loss: delta 0 is not above 0");
    (void)born_mse_loss(in, in, &(born_reduction_attrs){ (born_reduction)9 });
    bench_expect(&k, BORN_INVALID, "there is no reduction 9");
    (void)born_cross_entropy(in, in, &(born_cross_entropy_attrs){ .label_smoothing = 2 });
    bench_expect(&k, BORN_INVALID, "smoothing is not in [0, 1]");
    (void)born_multi_margin_loss(in, born_from_i64(k.b, BORN_ARRAY(far, N)), 1, &(born_multi_margin_attrs){ .p = 3 });
    bench_expect(&k, BORN_INVALID, "p is 3");
    bench_close(&k);
}
TEST_MAIN
