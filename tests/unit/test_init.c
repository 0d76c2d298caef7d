/* Initial values: distributions by their moments, patterns exactly, the same for the same seed and path. */
#include "nn_helpers.h"

/* A tensor of a given shape at "sub.w". */
static born_module *holder(const bench *k, born_shape s)
{
    float *zeros = calloc((size_t)4 << 20, 1);
    born_module *m = born_module_group(k->net, "sub");
    (void)born_module_add(m, "w", BORN_PARAM, (born_array){ BORN_F32, s, zeros, 0 });
    free(zeros);
    return k->net;
}

typedef struct moments { double mean, std, low, high; } moments;
static moments moments_of(const bench *k, float *v, int64_t n)
{
    moments m = { 0, 0, INFINITY, -INFINITY };
    if (!get(born_module_find(k->net, "sub.w"), v, n)) return m;
    for (int64_t i = 0; i < n; i++) {
        m.mean += (double)v[i] / (double)n;
        m.low = fmin(m.low, (double)v[i]);
        m.high = fmax(m.high, (double)v[i]);
    }
    for (int64_t i = 0; i < n; i++) m.std += pow((double)v[i] - m.mean, 2) / (double)n;
    m.std = sqrt(m.std);
    return m;
}
static void close_to(const moments *m, double mean, double std, int64_t n, int line)
{
    double slack = 5 * std / sqrt((double)n);
    CHECK_MSG(fabs(m->mean - mean) <= slack && fabs(m->std - std) <= slack, "line %d: mean %g, deviation %g", line,
              m->mean, m->std);
}

enum { ROWS = 60, COLUMNS = 40, FIELD = 5, ALL = ROWS * COLUMNS * FIELD };
static float values[ALL];

TEST(distributions)
{
    bench k = bench_open(BORN_F32, 77);
    born_module *n = holder(&k, BORN_SHAPE(ROWS, COLUMNS, FIELD));
    double in = COLUMNS * FIELD, out = ROWS * FIELD;
    moments m;

    CHECK_INT(born_init_uniform(n, "sub.w", -1, 3, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 1, 4 / sqrt(12), ALL, __LINE__);
    CHECK(m.low >= -1 && m.high <= 3);
    CHECK_INT(born_init_normal(n, "sub.w", 2, 0.5, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 2, 0.5, ALL, __LINE__);
    CHECK(m.low < 2 - 1.5 && m.high > 2 + 1.5);
    CHECK_INT(born_init_xavier_uniform(n, "sub.w", 2, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 0, 2 * sqrt(2 / (in + out)), ALL, __LINE__);
    CHECK_INT(born_init_xavier_normal(n, "sub.w", 1, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 0, sqrt(2 / (in + out)), ALL, __LINE__);
    CHECK_INT(born_init_kaiming_uniform(n, "sub.w", 0.5, BORN_FAN_IN, BORN_GAIN_LEAKY_RELU, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 0, sqrt(2 / 1.25 / in), ALL, __LINE__);
    CHECK_INT(born_init_kaiming_normal(n, "sub.w", 0, BORN_FAN_OUT, BORN_GAIN_TANH, NULL), BORN_OK);
    m = moments_of(&k, values, ALL);
    close_to(&m, 0, 5.0 / 3 / sqrt(out), ALL, __LINE__);
    bench_close(&k);
}

/* Mean and deviation of the normal distribution within [a, b], by summing it. */
static moments truncated_moments(double mean, double std, double a, double b)
{
    double w = 0, s = 0, q = 0;
    for (int i = 0; i < 200000; i++) {
        double x = a + (b - a) * (i + 0.5) / 200000, p = exp(-0.5 * pow((x - mean) / std, 2));
        w += p, s += p * x, q += p * x * x;
    }
    return (moments){ s / w, sqrt(q / w - s / w * (s / w)), a, b };
}

TEST(truncated_normals_of_every_kind)
{
    static const double row[][4] = { { 0, 1, -2, 2 }, { 0, 0.02, -2, 2 }, { 0, 1, -0.5, 0.3 }, { 0, 1, 1.5, 9 },
                                     { 0, 1, 3, 3.1 }, { 1, 2, -9, -4 }, { 0, 1, 0, 1 } };
    bench k = bench_open(BORN_F32, 77);
    born_module *n = holder(&k, BORN_SHAPE(ROWS, COLUMNS, FIELD));

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        CHECK_INT(born_init_trunc_normal(n, "sub.w", row[i][0], row[i][1], row[i][2], row[i][3], NULL), BORN_OK);
        double reach = 9 * row[i][1];
        moments want = truncated_moments(row[i][0], row[i][1], fmax(row[i][2], row[i][0] - reach),
                                         fmin(row[i][3], row[i][0] + reach));
        moments m = moments_of(&k, values, ALL);
        close_to(&m, want.mean, want.std, ALL, (int)i);
        CHECK(m.low >= (double)(float)row[i][2] && m.high <= (double)(float)row[i][3]);
    }
    bench_close(&k);
}

TEST(patterns)
{
    bench k = bench_open(BORN_F32, 77);
    born_module *n = holder(&k, BORN_SHAPE(4, 2, 3));
    float v[24];

    CHECK_INT(born_init_dirac(n, "sub.w", 2, NULL), BORN_OK);
    if (get(born_module_find(n, "sub.w"), v, 24))
        for (int i = 0; i < 24; i++) CHECK(v[i] == (i % 3 == 1 && i / 3 % 2 == i / 6 % 2));
    CHECK_INT(born_init_constant(n, "sub.w", 0.5, NULL), BORN_OK);
    if (get(born_module_find(n, "sub.w"), v, 24)) CHECK(v[0] == 0.5f && v[23] == 0.5f);
    born_error err;
    CHECK_INT(born_init_eye(n, "sub.w", &err), BORN_SHAPE);
    CHECK_INT(born_init_dirac(n, "sub.w", 3, &err), BORN_SHAPE);
    bench_close(&k);
    k = bench_open(BORN_F32, 77);
    n = holder(&k, BORN_SHAPE(4, 6));
    CHECK_INT(born_init_eye(n, "sub.w", NULL), BORN_OK);
    if (get(born_module_find(n, "sub.w"), v, 24))
        for (int i = 0; i < 24; i++) CHECK(v[i] == (i / 6 == i % 6));
    CHECK_INT(born_init_sparse(n, "sub.w", 0.3, 0.1, NULL), BORN_OK);
    if (get(born_module_find(n, "sub.w"), v, 24))
        for (int c = 0; c < 6; c++) {
            int zeros = 0;
            for (int r = 0; r < 4; r++) zeros += v[r * 6 + c] == 0;
            CHECK_INT(zeros, 2);                /* ceil(0.3 * 4) */
        }
    bench_close(&k);
}

TEST(orthogonal_rows_or_columns)
{
    static const int64_t size[][2] = { { 12, 12 }, { 8, 20 }, { 20, 8 } };
    for (size_t s = 0; s < 3; s++) {
        bench k = bench_open(BORN_F32, 5);
        int64_t r = size[s][0], c = size[s][1];
        born_module *n = holder(&k, BORN_SHAPE(r, c));
        CHECK_INT(born_init_orthogonal(n, "sub.w", 1.5, NULL), BORN_OK);
        if (!get(born_module_find(n, "sub.w"), values, r * c)) return;
        bool tall = r > c;
        for (int64_t i = 0; i < (tall ? c : r); i++)
            for (int64_t j = 0; j <= i; j++) {
                double dot = 0;
                for (int64_t q = 0; q < (tall ? r : c); q++)
                    dot += (double)values[tall ? q * c + i : i * c + q] * (double)values[tall ? q * c + j : j * c + q];
                CHECK(fabs(dot - (i == j ? 2.25 : 0)) < 1e-5);
            }
        bench_close(&k);
    }
}

TEST(values_depend_on_seed_and_path_alone)
{
    float v[4][12];
    for (int i = 0; i < 4; i++) {
        bench k = bench_open(BORN_F32, i == 3 ? 2 : 1);
        if (i == 1) (void)born_linear(k.net, "before", 7, 7, NULL);
        (void)born_linear(k.net, i == 2 ? "other" : "fc", 4, 3, NULL);
        (void)get(born_module_find(k.net, i == 2 ? "other.weight" : "fc.weight"), v[i], 12);
        bench_close(&k);
    }
    CHECK(!memcmp(v[0], v[1], sizeof v[0]) && memcmp(v[0], v[2], sizeof v[0]) && memcmp(v[0], v[3], sizeof v[0]));
    /* Known bits: the same on every machine. */
    CHECK_MSG(v[0][0] == -0x1.a741ap-3f && v[0][11] == 0x1.c3a8aep-2f, "%a and %a", (double)v[0][0], (double)v[0][11]);
}

TEST(starts_of_modules_and_mistakes)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *e = born_embedding(k.net, "e", 120, 100, NULL);
    double sum = 0;
    born_error err;

    if (get(born_module_tensor(e, "weight"), values, ALL))
        for (int i = 0; i < ALL; i++) sum += pow((double)values[i], 2);
    CHECK(fabs(sum / ALL - 1) < 5 * sqrt(2.0 / ALL));
    CHECK_INT(born_init_normal(k.net, "e.nothing", 0, 1, &err), BORN_INVALID);
    CHECK_TEXT(err.text, "init: there is no tensor 'e.nothing'");
    CHECK_INT(born_init_trunc_normal(k.net, "e.weight", 0, 1, 2, 2, &err), BORN_INVALID);
    CHECK_INT(born_init_normal(k.net, "e.weight", NAN, 1, &err), BORN_INVALID);
    (void)born_batch_norm1d(k.net, "bn", 4, NULL);
    CHECK_INT(born_init_constant(k.net, "bn.num_batches_tracked", 0, &err), BORN_DTYPE);
    CHECK_INT(born_init_kaiming_normal(k.net, "bn.weight", 0, BORN_FAN_IN, BORN_GAIN_RELU, &err), BORN_SHAPE);
    CHECK(fabs(born_init_gain(BORN_GAIN_LEAKY_RELU, 0.2) - sqrt(2 / 1.04)) < 1e-15);
    CHECK(born_init_gain(BORN_GAIN_SELU, 0) == 0.75);
    bench_close(&k);
}
TEST_MAIN
