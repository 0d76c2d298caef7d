/* Norms: values by plain loops, running statistics, weight normalisation, what evaluation does. */
#include "nn_helpers.h"

enum { N = 4, C = 3, L = 5 };

/* Mean and biased variance of each channel of x [N, C, L]. */
static void channel_stats(const float *x, double *mean, double *var)
{
    for (int c = 0; c < C; c++) {
        mean[c] = var[c] = 0;
        for (int i = 0; i < N * L; i++) mean[c] += (double)x[(i / L * C + c) * L + i % L] / (N * L);
        for (int i = 0; i < N * L; i++) var[c] += pow((double)x[(i / L * C + c) * L + i % L] - mean[c], 2) / (N * L);
    }
}

TEST(batch_norm_trains_follows_and_evaluates)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *m = born_batch_norm1d(k.net, "bn", C, &(born_batch_norm_desc){ .momentum = 0.3 });
    const float w[C] = { 1, 2, -1 }, b[C] = { 0, 1, 5 };
    float x[N * C * L], y[N * C * L], r[C];
    double mean[C], var[C], want[N * C * L], rm[C], rv[C];
    int64_t seen = 0;
    listing l;

    CHECK_TEXT(list_of(m, &l), "weight[3] bias[3] running_mean[3]b running_var[3]b num_batches_tracked[]b ");
    set(m, "weight", w, BORN_SHAPE(C));
    set(m, "bias", b, BORN_SHAPE(C));
    scatter(x, N * C * L, 2);
    channel_stats(x, mean, var);
    for (int i = 0; i < N * C * L; i++) {
        int c = i / L % C;
        want[i] = ((double)x[i] - mean[c]) / sqrt(var[c] + 1e-5) * (double)w[c] + (double)b[c];
    }
    born_tensor t = f32_of(&k, x, BORN_SHAPE(N, C, L));
    if (get((born_forward)(m, t, NULL), y, N * C * L)) near_all(__FILE__, __LINE__, "train", y, want, N * C * L, 1e-5);
    for (int c = 0; c < C; c++) {
        rm[c] = 0.3 * mean[c];
        rv[c] = 0.7 + 0.3 * var[c] * (N * L) / (N * L - 1);
    }
    if (get(born_module_tensor(m, "running_mean"), r, C)) NEAR_ALL(r, rm, C);
    if (get(born_module_tensor(m, "running_var"), r, C)) NEAR_ALL(r, rv, C);
    if (get_i64(born_module_tensor(m, "num_batches_tracked"), &seen, 1)) CHECK_INT(seen, 1);
    born_module_train(m, false);
    for (int i = 0; i < N * C * L; i++) {
        int c = i / L % C;
        want[i] = ((double)x[i] - rm[c]) / sqrt(rv[c] + 1e-5) * (double)w[c] + (double)b[c];
    }
    if (get((born_forward)(m, t, NULL), y, N * C * L)) near_all(__FILE__, __LINE__, "eval", y, want, N * C * L, 1e-5);
    if (get_i64(born_module_tensor(m, "num_batches_tracked"), &seen, 1)) CHECK_INT(seen, 1);
    born_module_train(m, true);
    (void)(born_forward)(m, f32_of(&k, x, BORN_SHAPE(1, C)), NULL);
    bench_expect(&k, BORN_SHAPE, "needs more than 1 value");
    (void)(born_forward)(m, f32_of(&k, x, BORN_SHAPE(C, N, L)), NULL);
    bench_expect(&k, BORN_SHAPE, "4 channels");
    bench_close(&k);
}

TEST(batch_norm_that_counts_and_that_stays)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *all = born_batch_norm1d(k.net, "all", C, &(born_batch_norm_desc){ .cumulative = true });
    born_module *still = born_batch_norm1d(k.net, "still", C, &(born_batch_norm_desc){ .momentum = -1 });
    born_module *bare = born_batch_norm1d(k.net, "bare", C,
                                          &(born_batch_norm_desc){ .no_affine = true, .no_running_stats = true });
    float x[N * C * L], r[C], y[N * C * L], z[N * C * L];
    double mean[C], var[C], sum[C] = { 0 };
    listing l;

    for (uint32_t step = 0; step < 3; step++) {
        scatter(x, N * C * L, step);
        channel_stats(x, mean, var);
        for (int c = 0; c < C; c++) sum[c] += mean[c] / 3;
        (void)(born_forward)(all, f32_of(&k, x, BORN_SHAPE(N, C, L)), NULL);
        (void)(born_forward)(still, f32_of(&k, x, BORN_SHAPE(N, C, L)), NULL);
    }
    if (get(born_module_tensor(all, "running_mean"), r, C)) NEAR_ALL(r, sum, C);
    const double zeros[C] = { 0 };
    if (get(born_module_tensor(still, "running_mean"), r, C)) NEAR_ALL(r, zeros, C);
    CHECK_TEXT(list_of(bare, &l), "");
    born_tensor t = f32_of(&k, x, BORN_SHAPE(N, C, L));
    if (!get((born_forward)(bare, t, NULL), y, N * C * L)) return;
    born_module_train(bare, false);             /* without running values evaluation takes the batch's too */
    if (get((born_forward)(bare, t, NULL), z, N * C * L)) CHECK(!memcmp(y, z, sizeof y));
    bench_close(&k);
}

TEST(instance_norm_follows_the_mean_of_planes)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *m = born_instance_norm1d(k.net, "in", C, &(born_instance_norm_desc){ .running_stats = true });
    float x[N * C * L], y[N * C * L], r[C];
    double want[N * C * L], rm[C] = { 0 }, rv[C] = { 0.9, 0.9, 0.9 };

    scatter(x, N * C * L, 2);
    for (int p = 0; p < N * C; p++) {
        double mean = 0, var = 0;
        for (int i = 0; i < L; i++) mean += (double)x[p * L + i] / L;
        for (int i = 0; i < L; i++) var += pow((double)x[p * L + i] - mean, 2) / L;
        for (int i = 0; i < L; i++) want[p * L + i] = ((double)x[p * L + i] - mean) / sqrt(var + 1e-5);
        rm[p % C] += 0.1 * mean / N;
        rv[p % C] += 0.1 * var * L / (L - 1) / N;
    }
    if (get((born_forward)(m, f32_of(&k, x, BORN_SHAPE(N, C, L)), NULL), y, N * C * L))
        near_all(__FILE__, __LINE__, "planes", y, want, N * C * L, 1e-5);
    if (get(born_module_tensor(m, "running_mean"), r, C)) NEAR_ALL(r, rm, C);
    if (get(born_module_tensor(m, "running_var"), r, C)) NEAR_ALL(r, rv, C);
    CHECK(shape_is((born_forward)(m, f32_of(&k, x, BORN_SHAPE(C, L)), NULL), BORN_SHAPE(C, L)));
    bench_close(&k);
}

TEST(rows_groups_and_neighbours)
{
    bench k = bench_open(BORN_F32, 1);
    float x[2 * 4 * 3], y[24];
    double want[24];
    listing l;

    scatter(x, 24, 6);
    born_tensor t = f32_of(&k, x, BORN_SHAPE(2, 4, 3));
    /* LayerNorm over the last two dims and GroupNorm of one group are the same without weights. */
    for (int n = 0; n < 2; n++) {
        double mean = 0, var = 0;
        for (int i = 0; i < 12; i++) mean += (double)x[n * 12 + i] / 12;
        for (int i = 0; i < 12; i++) var += pow((double)x[n * 12 + i] - mean, 2) / 12;
        for (int i = 0; i < 12; i++) want[n * 12 + i] = ((double)x[n * 12 + i] - mean) / sqrt(var + 1e-5);
    }
    born_module *layer = born_layer_norm_layer(k.net, "ln", BORN_INTS(4, 3), NULL);
    CHECK_TEXT(list_of(layer, &l), "weight[4,3] bias[4,3] ");
    if (get((born_forward)(layer, t, NULL), y, 24)) near_all(__FILE__, __LINE__, "layer", y, want, 24, 1e-5);
    born_module *group = born_group_norm_layer(k.net, "gn", 1, 4, NULL);
    if (get((born_forward)(group, t, NULL), y, 24)) near_all(__FILE__, __LINE__, "group", y, want, 24, 1e-5);
    (void)(born_forward)(layer, f32_of(&k, x, BORN_SHAPE(8, 3)), NULL);
    bench_expect(&k, BORN_SHAPE, "LayerNorm ln: the last 2 dims");

    born_module *rms = born_rms_norm_layer(k.net, "rms", BORN_INTS(3), NULL);
    CHECK_TEXT(list_of(rms, &l), "weight[3] ");
    for (int r = 0; r < 8; r++) {
        double square = 0;
        for (int i = 0; i < 3; i++) square += pow((double)x[r * 3 + i], 2) / 3;
        for (int i = 0; i < 3; i++) want[r * 3 + i] = (double)x[r * 3 + i] / sqrt(square + 0x1p-23);
    }
    if (get((born_forward)(rms, t, NULL), y, 24)) near_all(__FILE__, __LINE__, "rms", y, want, 24, 1e-5);
    /* Two neighbours: the channel before and the channel itself, as in PyTorch. */
    born_local_response_norm_desc d = { .alpha = 0.5, .beta = 0.75, .k = 2 };
    for (int i = 0; i < 24; i++) {
        double s = pow((double)x[i], 2) + (i / 3 % 4 ? pow((double)x[i - 3], 2) : 0);
        want[i] = (double)x[i] / pow(2 + 0.5 * s / 2, 0.75);
    }
    if (get((born_forward)(born_local_response_norm(k.net, NULL, 2, &d), t, NULL), y, 24)) NEAR_ALL(y, want, 24);
    bench_close(&k);
}

TEST(weight_norm_splits_a_parameter)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *m = born_linear(k.net, "fc", 3, 2, NULL);
    const float x[3] = { 1, -2, 0.5f }, g2[2] = { 2, 3 };
    float before[2], after[2], w[6], dg[2];
    listing l;

    born_tensor t = f32_of(&k, x, BORN_SHAPE(1, 3));
    if (!get((born_forward)(m, t, NULL), before, 2) || !get(born_module_tensor(m, "weight"), w, 6)) return;
    born_weight_norm(m, "weight", 0);
    CHECK_TEXT(list_of(m, &l), "bias[2] weight_g[2,1] weight_v[2,3] ");
    const double same[2] = { (double)before[0], (double)before[1] };
    if (get((born_forward)(m, t, NULL), after, 2)) NEAR_ALL(after, same, 2);
    set(m, "weight_g", g2, BORN_SHAPE(2, 1));
    born_module *bias = m;
    const float none[2] = { 0, 0 };
    set(bias, "bias", none, BORN_SHAPE(2));
    double want[2], slope[2];
    for (int o = 0; o < 2; o++) {
        double norm = 0, dot = 0;
        for (int i = 0; i < 3; i++) norm += pow((double)w[o * 3 + i], 2);
        for (int i = 0; i < 3; i++) dot += (double)w[o * 3 + i] * (double)x[i];
        slope[o] = dot / sqrt(norm);
        want[o] = (double)g2[o] * slope[o];
    }
    born_tensor y = (born_forward)(m, t, NULL);
    if (get(y, after, 2)) NEAR_ALL(after, want, 2);
    if (backward_of(y, (born_tensor){ 0 }) && get((born_grad_of)(born_module_tensor(m, "weight_g")), dg, 2))
        NEAR_ALL(dg, slope, 2);
    born_weight_norm(m, "nothing", 0);
    bench_expect(&k, BORN_INVALID, "no parameter 'nothing'");
    bench_close(&k);
}
TEST_MAIN
