/* Convolutions and pools against plain loops, their sizes, indices and unpooling. */
#include "nn_helpers.h"

/* Depth, height and width; 1 where there is none. */
typedef struct geometry { int in, out, groups, k[3], s[3], p[3], d[3], x[3], y[3]; } geometry;

static void conv_loops(const geometry *g, const float *x, const float *w, const float *b, double *y)
{
    int ci = g->in / g->groups, co = g->out / g->groups;
    for (int o = 0; o < g->out; o++)
        for (int i = 0; i < g->y[0] * g->y[1] * g->y[2]; i++) {
            int at[3] = { i / (g->y[1] * g->y[2]), i / g->y[2] % g->y[1], i % g->y[2] };
            double sum = b ? (double)b[o] : 0;
            for (int c = 0; c < ci; c++)
                for (int q = 0; q < g->k[0] * g->k[1] * g->k[2]; q++) {
                    int t[3] = { q / (g->k[1] * g->k[2]), q / g->k[2] % g->k[1], q % g->k[2] }, v[3];
                    bool inside = true;
                    for (int a = 0; a < 3; a++) {
                        v[a] = at[a] * g->s[a] + t[a] * g->d[a] - g->p[a];
                        inside = inside && v[a] >= 0 && v[a] < g->x[a];
                    }
                    if (!inside) continue;
                    int channel = o / co * ci + c;
                    sum += (double)x[((channel * g->x[0] + v[0]) * g->x[1] + v[1]) * g->x[2] + v[2]] *
                           (double)w[(o * ci + c) * g->k[0] * g->k[1] * g->k[2] + q];
                }
            y[o * g->y[0] * g->y[1] * g->y[2] + i] = sum;
        }
}

TEST(convolutions_of_one_and_three_axes)
{
    bench k = bench_open(BORN_F32, 7);
    float x[4 * 60], w[6 * 2 * 12], b[6], y[1000];
    double want[1000];

    born_module *one = born_conv1d(k.net, "one", 4, 6, BORN_INTS(3),
                                   &(born_conv_desc){ .stride = BORN_INTS(2), .padding = BORN_INTS(1),
                                                      .dilation = BORN_INTS(2), .groups = 2 });
    geometry g = { 4, 6, 2, { 1, 1, 3 }, { 1, 1, 2 }, { 0, 0, 1 }, { 1, 1, 2 }, { 1, 1, 9 }, { 1, 1, 4 } };
    scatter(x, 4 * 60, 1);
    if (!get(born_module_tensor(one, "weight"), w, 36) || !get(born_module_tensor(one, "bias"), b, 6)) return;
    conv_loops(&g, x, w, b, want);
    born_tensor r = (born_forward)(one, f32_of(&k, x, BORN_SHAPE(4, 9)), NULL);     /* no batch */
    CHECK(shape_is(r, BORN_SHAPE(6, 4)));
    if (get(r, y, 24)) NEAR_ALL(y, want, 24);

    born_module *three = born_conv3d(k.net, "three", 4, 2, BORN_INTS(2, 1, 3),
                                     &(born_conv_desc){ .padding = BORN_INTS(0, 0, 1), .no_bias = true });
    geometry h = { 4, 2, 1, { 2, 1, 3 }, { 1, 1, 1 }, { 0, 0, 1 }, { 1, 1, 1 }, { 3, 4, 5 }, { 2, 4, 5 } };
    if (!get(born_module_tensor(three, "weight"), w, 48)) return;
    conv_loops(&h, x, w, NULL, want);
    r = (born_forward)(three, f32_of(&k, x, BORN_SHAPE(1, 4, 3, 4, 5)), NULL);
    CHECK(shape_is(r, BORN_SHAPE(1, 2, 2, 4, 5)));
    if (get(r, y, 80)) NEAR_ALL(y, want, 80);

    /* 'same' keeps the size for even kernels and dilations too. */
    born_module *same = born_conv2d(k.net, "same", 4, 2, BORN_INTS(4, 2),
                                    &(born_conv_desc){ .same = true, .dilation = BORN_INTS(1, 2) });
    CHECK(shape_is((born_forward)(same, f32_of(&k, x, BORN_SHAPE(1, 4, 6, 10)), NULL), BORN_SHAPE(1, 2, 6, 10)));
    bench_close(&k);
}

/* conv_transpose is the gradient of conv with respect to its input: <conv(x), y> = <x, conv_transpose(y)>. */
TEST(transposes_are_adjoint_and_take_a_size)
{
    bench k = bench_open(BORN_F32, 7);
    float x[3 * 49], y[2 * 16], w[54], cx[2 * 16], ty[3 * 49];
    born_module *conv = born_conv2d(k.net, "c", 3, 2, BORN_INTS(3),
                                    &(born_conv_desc){ .stride = BORN_INTS(2), .padding = BORN_INTS(1),
                                                       .no_bias = true });
    born_module *turned = born_conv_transpose2d(k.net, "t", 2, 3, BORN_INTS(3),
                                                &(born_conv_transpose_desc){ .stride = BORN_INTS(2),
                                                                             .padding = BORN_INTS(1),
                                                                             .no_bias = true });
    double left = 0, right = 0;

    scatter(x, 147, 1);
    scatter(y, 32, 2);
    if (!get(born_module_tensor(conv, "weight"), w, 54)) return;
    set(turned, "weight", w, BORN_SHAPE(2, 3, 3, 3));
    born_tensor in[] = { f32_of(&k, y, BORN_SHAPE(1, 2, 4, 4)), f32_of(&k, x, BORN_SHAPE(1, 3, 7, 7)) }, out;
    if (!get((born_forward)(conv, in[1], NULL), cx, 32)) return;
    born_forward_n(turned, in, 2, &out, 1);
    if (!get(out, ty, 147)) return;
    for (int i = 0; i < 32; i++) left += (double)cx[i] * (double)y[i];
    for (int i = 0; i < 147; i++) right += (double)x[i] * (double)ty[i];
    CHECK_MSG(fabs(left - right) < 1e-5, "%.9g and %.9g", left, right);
    in[1] = (born_full)(k.b, BORN_F32, BORN_SHAPE(8, 7), 0, NULL);
    born_forward_n(turned, in, 2, &out, 1);
    CHECK(shape_is(out, BORN_SHAPE(1, 3, 8, 7)));
    in[1] = (born_full)(k.b, BORN_F32, BORN_SHAPE(9, 7), 0, NULL);
    born_forward_n(turned, in, 2, &out, 1);
    bench_expect(&k, BORN_SHAPE, "cannot come of this x");
    bench_close(&k);
}

TEST(max_pools_say_where_and_unpool)
{
    bench k = bench_open(BORN_F32, 7);
    float x[2 * 2 * 24], y[2 * 2 * 6], back[2 * 2 * 24];
    double want[24], spread[96] = { 0 };
    int64_t index[24];
    born_tensor out[2], in[2];

    scatter(x, 96, 9);
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < 6; i++) {
            int best = p * 24 + i / 3 * 12 + i % 3 * 2;
            for (int q = 0; q < 4; q++) {
                int at = p * 24 + (i / 3 * 2 + q / 2) * 6 + i % 3 * 2 + q % 2;
                if (x[at] > x[best]) best = at;
            }
            want[p * 6 + i] = (double)x[best];
            spread[best] = (double)x[best];
        }
    in[0] = f32_of(&k, x, BORN_SHAPE(2, 2, 4, 6));
    born_forward_n(born_max_pool2d(k.net, NULL, BORN_INTS(2), NULL), in, 1, out, 2);
    if (get(out[0], y, 24)) NEAR_ALL(y, want, 24);
    if (get_i64(out[1], index, 24))
        for (int i = 0; i < 24; i++) CHECK(index[i] >= 0 && index[i] < 24 && x[i / 6 * 24 + index[i]] == y[i]);
    born_forward_n(born_max_unpool2d(k.net, NULL, BORN_INTS(2), NULL), out, 2, &in[1], 1);
    CHECK(shape_is(in[1], BORN_SHAPE(2, 2, 4, 6)));
    if (get(in[1], back, 96)) NEAR_ALL(back, spread, 96);
    bench_close(&k);
}

TEST(means_with_divisors_and_norms)
{
    bench k = bench_open(BORN_F32, 7);
    const float x[7] = { 1, 2, -3, 4, 5, 6, 7 };
    born_tensor t = f32_of(&k, x, BORN_SHAPE(1, 1, 7));
    float y[4];
    /* Windows of 3 by 2 with a pad of 1 before and after: (0 1 2) (2 -3 4) (4 5 6) (6 7 0). */
    const double mean[4] = { 1, 1, 5, 13.0 / 3 }, bare[4] = { 1.5, 1, 5, 6.5 }, by4[4] = { 0.75, 0.75, 3.75, 3.25 };
    const double two[4] = { sqrt(14), sqrt(50), sqrt(110) };
    /* Rounded up, without a pad: (1 2 -3) (-3 4 5) (5 6 7), a window of 3 by 4: (1 2 -3) (5 6 7). */
    const double up[2] = { 0, 18.0 / 5 };

    born_avg_pool_desc d = { .stride = BORN_INTS(2), .padding = BORN_INTS(1) };
    if (get((born_forward)(born_avg_pool1d(k.net, NULL, BORN_INTS(3), &d), t, NULL), y, 4)) NEAR_ALL(y, mean, 4);
    d.exclude_pad = true;
    if (get((born_forward)(born_avg_pool1d(k.net, NULL, BORN_INTS(3), &d), t, NULL), y, 4)) NEAR_ALL(y, bare, 4);
    d = (born_avg_pool_desc){ .stride = BORN_INTS(2), .padding = BORN_INTS(1), .divisor = 4 };
    if (get((born_forward)(born_avg_pool1d(k.net, NULL, BORN_INTS(3), &d), t, NULL), y, 4)) NEAR_ALL(y, by4, 4);
    d = (born_avg_pool_desc){ .stride = BORN_INTS(4), .ceil_mode = true, .divisor = 5 };
    if (get((born_forward)(born_avg_pool1d(k.net, NULL, BORN_INTS(3), &d), t, NULL), y, 2)) NEAR_ALL(y, up, 2);
    born_lp_pool_desc l = { .stride = BORN_INTS(2) };
    if (get((born_forward)(born_lp_pool1d(k.net, NULL, 2, BORN_INTS(3), &l), t, NULL), y, 3)) NEAR_ALL(y, two, 3);
    bench_close(&k);
}

TEST(adaptive_pools_of_uneven_windows)
{
    enum { H = 5, W = 7, OH = 3, OW = 2 };
    bench k = bench_open(BORN_F32, 7);
    float x[2 * H * W], y[2 * OH * OW], m[2 * OH * OW];
    double mean[2 * OH * OW], most[2 * OH * OW];
    int64_t where[2 * OH * OW], want_at[2 * OH * OW];

    scatter(x, 2 * H * W, 4);
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < OH; i++)
            for (int j = 0; j < OW; j++) {
                double sum = 0;
                int n = 0, best = -1, o = (c * OH + i) * OW + j;
                for (int h = i * H / OH; h < ((i + 1) * H + OH - 1) / OH; h++)
                    for (int w = j * W / OW; w < ((j + 1) * W + OW - 1) / OW; w++, n++) {
                        int at = h * W + w;
                        sum += (double)x[c * H * W + at];
                        if (best < 0 || x[c * H * W + at] > x[c * H * W + best]) best = at;
                    }
                mean[o] = sum / n;
                most[o] = (double)x[c * H * W + best];
                want_at[o] = best;
            }
    born_tensor t = f32_of(&k, x, BORN_SHAPE(2, H, W)), out[2];
    if (get((born_forward)(born_adaptive_avg_pool2d(k.net, NULL, BORN_INTS(OH, OW), NULL), t, NULL), y, 12))
        NEAR_ALL(y, mean, 12);
    born_forward_n(born_adaptive_max_pool2d(k.net, NULL, BORN_INTS(OH, OW), NULL), &t, 1, out, 2);
    if (get(out[0], m, 12)) NEAR_ALL(m, most, 12);
    if (get_i64(out[1], where, 12))
        for (int i = 0; i < 12; i++) CHECK_INT(where[i], want_at[i]);
    /* An output of 0 keeps an axis, an even split is an ordinary pool. */
    CHECK(shape_is((born_forward)(born_adaptive_avg_pool2d(k.net, NULL, BORN_INTS(1, 0), NULL), t, NULL),
                   BORN_SHAPE(2, 1, W)));
    bench_close(&k);
}

TEST(windows_out_and_back)
{
    bench k = bench_open(BORN_F32, 7);
    float x[2 * 12], y[24];
    double want[24];
    born_window_desc d = { .stride = BORN_INTS(2) };

    scatter(x, 24, 4);
    for (int i = 0; i < 24; i++) want[i] = (double)x[i];
    born_tensor t = f32_of(&k, x, BORN_SHAPE(1, 2, 4, 3)), u, v;
    born_module *un = born_unfold(k.net, NULL, BORN_INTS(2, 1), &(born_window_desc){ .stride = BORN_INTS(2, 1) });
    u = (born_forward)(un, t, NULL);
    CHECK(shape_is(u, BORN_SHAPE(1, 4, 6)));
    born_module *fold = born_fold(k.net, NULL, BORN_INTS(4, 3), BORN_INTS(2, 1),
                                  &(born_window_desc){ .stride = BORN_INTS(2, 1) });
    v = (born_forward)(fold, u, NULL);          /* windows that do not overlap come back as they were */
    CHECK(shape_is(v, BORN_SHAPE(1, 2, 4, 3)));
    if (get(v, y, 24)) NEAR_ALL(y, want, 24);
    CHECK(shape_is((born_forward)(born_unfold(k.net, NULL, BORN_INTS(2), &d), t, NULL), BORN_SHAPE(1, 8, 2)));
    bench_close(&k);
}

TEST(upsampling)
{
    bench k = bench_open(BORN_F32, 7);
    const float x[2] = { 1, 3 };
    const double near[4] = { 1, 1, 3, 3 }, linear[4] = { 1, 1.5, 2.5, 3 }, corners[5] = { 1, 1.5, 2, 2.5, 3 };
    float y[5];
    born_tensor t = f32_of(&k, x, BORN_SHAPE(1, 1, 2));

    if (get((born_forward)(born_upsample(k.net, NULL, &(born_upsample_desc){ .scale = { 2 } }), t, NULL), y, 4))
        NEAR_ALL(y, near, 4);
    born_upsample_desc d = { .scale = { 2 }, .mode = BORN_UPSAMPLE_LINEAR };
    if (get((born_forward)(born_upsample(k.net, NULL, &d), t, NULL), y, 4)) NEAR_ALL(y, linear, 4);
    d = (born_upsample_desc){ .size = BORN_INTS(5), .mode = BORN_UPSAMPLE_LINEAR, .align_corners = true };
    if (get((born_forward)(born_upsample(k.net, NULL, &d), t, NULL), y, 5)) NEAR_ALL(y, corners, 5);
    (void)born_upsample(k.net, NULL, NULL);
    bench_expect(&k, BORN_INVALID, "needs up to 3 positive sizes or scales");
    bench_close(&k);
}
TEST_MAIN
