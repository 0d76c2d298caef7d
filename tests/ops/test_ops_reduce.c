/* Reductions: the order of the law of bits against an independent statement of it, any axes against plain sums,
   strides, empty and NaN inputs, argmax, running sums. */
#include <math.h>

#include "../harness.h"
#include "ops/reduce.h"
#include "support_tape.h"

/* The law, said plainly: the sum of chunk c of a row, then the tree over chunks. */
static float chunk_sum(const float *v, int64_t n)
{
    float lane[4][16] = { { 0 } };
    for (int64_t i = 0; i < n; i++) lane[i / 16 % 4][i % 16] += v[i];
    float t[16];
    for (int l = 0; l < 16; l++) t[l] = (lane[0][l] + lane[1][l]) + (lane[2][l] + lane[3][l]);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++) t[l] += t[l + half];
    return t[0];
}
static float tree_sum(const float *v, int64_t n)
{
    float part[64];
    int64_t count = 0;
    for (int64_t at = 0; at < n || count == 0; at += 4096)
        part[count++] = chunk_sum(v + at, n - at < 4096 ? n - at : 4096);
    for (; count > 1; count = (count + 1) / 2)
        for (int64_t i = 0; i < (count + 1) / 2; i++)
            part[i] = 2 * i + 1 < count ? part[2 * i] + part[2 * i + 1] : part[2 * i];
    return part[0];
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

static float *noise(int64_t n, uint64_t seed)
{
    float *v = malloc((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)tape_random(&seed, -1, 1) * (i % 7 == 0 ? 1e4f : 1.0f);
    return v;
}

TEST(rows_follow_the_law)
{
    float *v = noise(40000, 3);
    static const int64_t n[] = { 0,    1,    15,   16,   17,    63,    64,    65,    255,   256,  1000,
                                 4095, 4096, 4097, 8192, 12288, 12289, 16384, 20480, 28672, 40000 };
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        CHECK_MSG(same(born__row_sum_f32(v, n[i]), tree_sum(v, n[i])), "a row of %d", (int)n[i]);
    CHECK(born__row_max_f32(v, 0) == -INFINITY);
    float best = -INFINITY;
    for (int i = 0; i < 5000; i++) best = v[i] > best ? v[i] : best;
    CHECK(born__row_max_f32(v, 5000) == best);
    v[3000] = NAN;
    CHECK(isnan(born__row_max_f32(v, 5000)));
    free(v);
}

/* Runs a reduction of x, seen through the strides, into dense out; returns the number of results. */
static int64_t reduce(born_op_id op, const born_view *x, const int64_t *axes, int64_t n, bool drop, float *out)
{
    born_reduce_attrs a = { .drop_dims = drop };
    born_view in[2] = {
        *x, { .data = (char *)(uintptr_t)axes, .dtype = BORN_I64, .rank = 1, .dim = { n }, .stride = { 1 } }
    };
    born_view z;
    born_error err = { 0 };
    bool shares;
    const born_op *o = &born__ops[op];
    if (!CHECK_OK(born__op_infer(o, &a, in, 2, &z, 1, &shares, &err), &err)) return 0;
    z.data = (char *)out;
    born_call c = { .op = o, .attrs = &a, .in_count = 2, .out_count = 1, .in = in, .out = &z };
    CHECK_OK(o->ref(&c, &(born_exec){ .err = &err }), &err);
    return born__view_count(&z);
}

static born_view view3(float *v, int64_t a, int64_t b, int64_t c)
{
    born_view x = { .data = (char *)v, .dtype = BORN_F32, .rank = 3, .dim = { a, b, c } };
    born__view_row_major(&x);
    return x;
}

/* The last axis is a row; another axis is a chain cut every 1,024 terms, by declaration and not by size. */
TEST(axes_choose_the_order)
{
    enum { A = 3, B = 2500, C = 5 };
    float *v = noise(A * B * C, 5), out[A * C];
    born_view x = view3(v, A, B, C);
    static const int64_t middle = 1, last = 2, both[] = { 1, 2 }, ends[] = { 0, 2 };
    CHECK_INT(reduce(BORN_OP_REDUCE_SUM, &x, &middle, 1, true, out), A * C);
    for (int a = 0; a < A; a++)
        for (int c = 0; c < C; c++) {
            float total = 0, seg = 0;
            for (int b = 0; b < B; b++) {
                seg += v[(a * B + b) * C + c];
                if (b % 1024 == 1023) {
                    total = b == 1023 ? seg : total + seg;
                    seg = 0;
                }
            }
            CHECK(same(out[a * C + c], total + seg));
        }
    CHECK_INT(reduce(BORN_OP_REDUCE_SUM, &x, both, 2, true, out), A);
    for (int a = 0; a < A; a++) CHECK(same(out[a], tree_sum(v + a * B * C, B * C)));
    float *rows = malloc(sizeof(float) * A * B);
    CHECK_INT(reduce(BORN_OP_REDUCE_SUM, &x, &last, 1, false, rows), A * B);
    for (int i = 0; i < A * B; i++) CHECK(same(rows[i], tree_sum(v + i * C, C)));
    float *columns = malloc(sizeof(float) * B);
    CHECK_INT(reduce(BORN_OP_REDUCE_SUM, &x, ends, 2, true, columns), B);
    for (int b = 0; b < B; b++) {
        float chain = 0;
        for (int a = 0; a < A; a++) chain += rows[a * B + b];
        CHECK(same(columns[b], chain));
    }
    free(rows);
    free(columns);
    free(v);
}

TEST(strides_do_not_change_bits)
{
    enum { A = 6, B = 70, C = 9 };
    float *v = noise(A * B * C, 7), *turned = malloc(sizeof(float) * A * B * C);
    float one[A * B * C], two[A * B * C];
    for (int a = 0; a < A; a++)
        for (int b = 0; b < B; b++)
            for (int c = 0; c < C; c++) turned[(c * A + a) * B + b] = v[(a * B + b) * C + c];
    born_view x = view3(v, A, B, C), y = view3(turned, A, B, C);
    y.stride[0] = B;
    y.stride[1] = 1;
    y.stride[2] = A * B;
    static const int64_t axes[][2] = { { 0 }, { 1 }, { 2 }, { 0, 1 }, { 1, 2 }, { 0, 2 } };
    static const uint16_t op[] = { BORN_OP_REDUCE_SUM,         BORN_OP_REDUCE_MEAN, BORN_OP_REDUCE_L2,
                                   BORN_OP_REDUCE_LOG_SUM_EXP, BORN_OP_REDUCE_MAX,  BORN_OP_REDUCE_PROD };
    for (size_t o = 0; o < sizeof op / sizeof op[0]; o++)
        for (int i = 0; i < 6; i++) {
            int64_t n = reduce(op[o], &x, axes[i], i < 3 ? 1 : 2, false, one);
            CHECK_INT(reduce(op[o], &y, axes[i], i < 3 ? 1 : 2, false, two), n);
            for (int64_t j = 0; j < n; j++) CHECK_MSG(same(one[j], two[j]), "%s", born__ops[op[o]].name);
        }
    free(v);
    free(turned);
}

TEST(empty_reductions_give_identities)
{
    float out[4], dummy = 0;
    static const int64_t axis = 1;
    static const struct {
        uint16_t op;
        float want;
    } k[] = { { BORN_OP_REDUCE_SUM, 0 },
              { BORN_OP_REDUCE_PROD, 1 },
              { BORN_OP_REDUCE_MAX, -INFINITY },
              { BORN_OP_REDUCE_MIN, INFINITY },
              { BORN_OP_REDUCE_MEAN, NAN },
              { BORN_OP_REDUCE_L1, 0 },
              { BORN_OP_REDUCE_L2, 0 },
              { BORN_OP_REDUCE_LOG_SUM, -INFINITY },
              { BORN_OP_REDUCE_LOG_SUM_EXP, -INFINITY },
              { BORN_OP_REDUCE_SUM_SQUARE, 0 } };
    for (size_t i = 0; i < sizeof k / sizeof k[0]; i++) {
        born_view x = view3(&dummy, 2, 0, 2);
        CHECK_INT(reduce(k[i].op, &x, &axis, 1, true, out), 4);
        for (int j = 0; j < 4; j++)
            CHECK_MSG(same(out[j], k[i].want), "%s: %g", born__ops[k[i].op].name, (double)out[j]);
        x = view3(&dummy, 0, 2, 2);
        CHECK_INT(reduce(k[i].op, &x, &axis, 1, true, out), 0);
    }
    tape *t = tape_new();
    static const double none[1];
    born_val x = tape_put(t, BORN_I8, 1, (int64_t[]){ 0 }, none), b = tape_put(t, BORN_BOOL, 1, (int64_t[]){ 0 }, none);
    CHECK(tape_at(t, tape_run(t, BORN_OP_REDUCE_MAX, NULL, &x, 1), 0) == -128);
    CHECK(tape_at(t, tape_run(t, BORN_OP_REDUCE_MIN, NULL, &x, 1), 0) == 127);
    CHECK(tape_at(t, tape_run(t, BORN_OP_REDUCE_MAX, NULL, &b, 1), 0) == 0);
    CHECK(tape_at(t, tape_run(t, BORN_OP_REDUCE_MIN, NULL, &b, 1), 0) == 1);
    tape_free(t);
}

static double reduce_one(born_op_id op, born_dtype t, int64_t n, const double *v)
{
    tape *p = tape_new();
    born_val x = tape_put(p, t, 1, &n, v), z = tape_run(p, op, NULL, &x, 1);
    double r = z ? tape_at(p, z, 0) : -12345;
    tape_free(p);
    return r;
}

TEST(values_and_edges)
{
    static const double v[] = { 1, -2, 3, -4 }, big[] = { 1000, 1000 }, inf[] = { -INFINITY, -INFINITY },
                        mix[] = { INFINITY, 1 }, nan[] = { 1, NAN, 3 };
    CHECK(reduce_one(BORN_OP_REDUCE_L1, BORN_F32, 4, v) == 10 &&
          reduce_one(BORN_OP_REDUCE_SUM_SQUARE, BORN_I32, 4, v) == 30);
    CHECK(reduce_one(BORN_OP_REDUCE_MEAN, BORN_F64, 4, v) == -0.5 &&
          reduce_one(BORN_OP_REDUCE_PROD, BORN_I8, 4, v) == 24);
    CHECK(reduce_one(BORN_OP_REDUCE_MAX, BORN_I64, 4, v) == 3 && reduce_one(BORN_OP_REDUCE_MIN, BORN_F32, 4, v) == -4);
    CHECK(fabs(reduce_one(BORN_OP_REDUCE_LOG_SUM_EXP, BORN_F32, 2, big) - 1000.6931471805599) < 1e-4);
    CHECK(reduce_one(BORN_OP_REDUCE_LOG_SUM_EXP, BORN_F64, 2, inf) == -INFINITY);
    CHECK(reduce_one(BORN_OP_REDUCE_LOG_SUM_EXP, BORN_F32, 2, mix) == INFINITY);
    CHECK(isnan(reduce_one(BORN_OP_REDUCE_MAX, BORN_F32, 3, nan)) &&
          isnan(reduce_one(BORN_OP_REDUCE_MIN, BORN_F64, 3, nan)));
    CHECK(reduce_one(BORN_OP_REDUCE_VARIANCE, BORN_F32, 4, v) == 7.25);
    CHECK(reduce_one(BORN_OP_REDUCE_SUM, BORN_U8, 2, (double[]){ 200, 100 }) == 44);
}

static double arg_of(born_op_id op, int64_t n, const double *v, bool last)
{
    tape *p = tape_new();
    born_arg_reduce_attrs a = { .select_last_index = last };
    born_val x = tape_put(p, BORN_F32, 1, &n, v), z = tape_run(p, op, &a, &x, 1);
    double r = z ? tape_at(p, z, 0) : -1;
    tape_free(p);
    return r;
}

TEST(arg_max_and_min)
{
    static const double v[] = { 1, 5, 2, 5, -1, -1 }, nan[] = { 1, NAN, 9, NAN };
    CHECK(arg_of(BORN_OP_ARG_MAX, 6, v, false) == 1 && arg_of(BORN_OP_ARG_MAX, 6, v, true) == 3);
    CHECK(arg_of(BORN_OP_ARG_MIN, 6, v, false) == 4 && arg_of(BORN_OP_ARG_MIN, 6, v, true) == 5);
    CHECK(arg_of(BORN_OP_ARG_MAX, 4, nan, false) == 1 && arg_of(BORN_OP_ARG_MIN, 4, nan, true) == 3);
    CHECK(arg_of(BORN_OP_ARG_MAX, 0, nan, false) == -1);
}

TEST(running_sums)
{
    static const double v[] = { 1, 2, 3, 4, 5, 6 }, axis = 1;
    static const double want[4][6] = {
        { 1, 3, 6, 4, 9, 15 }, { 0, 1, 3, 0, 4, 9 }, { 6, 5, 3, 15, 11, 6 }, { 5, 3, 0, 11, 6, 0 }
    };
    tape *t = tape_new();
    born_val in[2] = { tape_put(t, BORN_I32, 2, (int64_t[]){ 2, 3 }, v), tape_put(t, BORN_I32, 0, NULL, &axis) };
    for (int way = 0; way < 4; way++) {
        born_scan_axis_attrs a = { .exclusive = way & 1, .reverse = way >> 1 };
        born_val z = tape_run(t, BORN_OP_CUMSUM, &a, in, 2);
        for (int i = 0; i < 6 && CHECK(z != 0); i++) CHECK(tape_at(t, z, i) == want[way][i]);
    }
    born_val z = tape_run(t, BORN_OP_CUMPROD, NULL, in, 2);
    REQUIRE(z != 0);
    CHECK(tape_at(t, z, 2) == 6 && tape_at(t, z, 5) == 120);
    tape_free(t);
}

TEST_MAIN
