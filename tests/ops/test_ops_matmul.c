/* Matrix products: each result is one FMA chain cut every 1,024 terms; shapes, broadcasting, 1-D operands, strides,
   integers, what is added after, and refusals. */
#include <math.h>

#include "../harness.h"
#include "ops/elementwise.h"
#include "support_tape.h"

static float chain(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t K)
{
    float total = 0, seg = 0;
    for (int64_t k = 0; k < K; k++) {
        seg = fmaf(a[k * a_step], b[k * b_step], seg);
        if (k % 1024 == 1023 && k + 1 < K) {
            total = k == 1023 ? seg : total + seg;
            seg = 0;
        }
    }
    return K > 1024 ? total + seg : seg;
}

static born_status run(born_op_id op, const void *attrs, const born_view *in, int n, born_view *z, float *out,
                       born_error *err)
{
    bool shares;
    const born_op *o = &born__ops[op];
    char defaults[256];
    born__attrs_default(o->attrs, defaults);
    if (!attrs) attrs = defaults;
    BORN_TRY(born__op_infer(o, attrs, in, n, z, 1, &shares, err));
    z->data = (char *)out;
    born_call c = {
        .op = o, .attrs = attrs, .in_count = n, .out_count = 1, .in = (born_view *)(uintptr_t)in, .out = z
    };
    return o->ref(&c, &(born_exec){ .err = err });
}

static born_view dense(const float *v, int rank, const int64_t *dim)
{
    born_view x = { .data = (char *)(uintptr_t)v, .dtype = BORN_F32, .rank = rank };
    memcpy(x.dim, dim, sizeof *dim * (size_t)rank);
    born__view_row_major(&x);
    return x;
}
#define DENSE(v, ...)                                                                                                  \
    dense((v), (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ })

static float *noise(int64_t n, uint64_t seed)
{
    float *v = malloc((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)tape_random(&seed, -1, 1);
    return v;
}

TEST(chains_follow_the_law)
{
    static const int64_t K[] = { 1, 2, 1023, 1024, 1025, 2048, 2049, 3000 };
    float *a = noise(3 * 3000, 1), *b = noise(3000 * 300, 2), *out = malloc(sizeof(float) * 3 * 300);
    born_view z;
    born_error err = { 0 };
    for (size_t i = 0; i < sizeof K / sizeof K[0]; i++) {
        born_view in[2] = { DENSE(a, 3, K[i]), DENSE(b, K[i], 300) };
        REQUIRE_OK(run(BORN_OP_MATMUL, NULL, in, 2, &z, out, &err), &err);
        for (int m = 0; m < 3; m++)
            for (int n = 0; n < 300; n++) {
                float want = chain(a + m * K[i], 1, b + n, 300, K[i]);
                CHECK_MSG(memcmp(&out[m * 300 + n], &want, 4) == 0, "K = %d, [%d,%d]", (int)K[i], m, n);
            }
    }
    free(a);
    free(b);
    free(out);
}

TEST(empty_inner_size_gives_zero)
{
    float out[6], none = 0;
    born_view in[2] = { DENSE(&none, 2, 0), DENSE(&none, 0, 3) }, z;
    born_error err = { 0 };
    memset(out, 0xff, sizeof out);
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, in, 2, &z, out, &err), &err);
    for (int i = 0; i < 6; i++) CHECK(out[i] == 0);
}

/* Batches broadcast, operands in any strides, results in strides of their own. */
TEST(batches_and_strides)
{
    float *a = noise(2 * 1 * 3 * 4, 3), *b = noise(5 * 4 * 6, 4), out[2 * 5 * 3 * 6];
    born_view in[2] = { DENSE(a, 2, 1, 3, 4), DENSE(b, 5, 4, 6) }, z;
    born_error err = { 0 };
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, in, 2, &z, out, &err), &err);
    CHECK(z.rank == 4 && z.dim[0] == 2 && z.dim[1] == 5 && z.dim[2] == 3 && z.dim[3] == 6);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 5; j++)
            for (int m = 0; m < 3; m++)
                for (int n = 0; n < 6; n++)
                    CHECK(out[((i * 5 + j) * 3 + m) * 6 + n] == chain(a + (i * 3 + m) * 4, 1, b + j * 24 + n, 6, 4));
    in[0] = (born_view){ .data = (char *)a, .dtype = BORN_F32, .rank = 2, .dim = { 4, 3 }, .stride = { 1, 4 } };
    in[1] = (born_view){ .data = (char *)(b + 2), .dtype = BORN_F32, .rank = 2, .dim = { 3, 5 }, .stride = { -1, 6 } };
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, in, 2, &z, out, &err), &err);
    for (int m = 0; m < 4; m++)
        for (int n = 0; n < 5; n++) CHECK(out[m * 5 + n] == chain(a + m, 4, b + 2 + n * 6, -1, 3));
    free(a);
    free(b);
}

TEST(vectors)
{
    static const float a[] = { 1, 2, 3 }, b[] = { 1, 0, 2, 1, 0, 3 };
    float out[4];
    born_view z, v = DENSE(a, 3), m = DENSE(b, 3, 2), w = DENSE(b, 2, 3);
    born_error err = { 0 };
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, (born_view[]){ v, v }, 2, &z, out, &err), &err);
    CHECK(z.rank == 0 && out[0] == 14);
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, (born_view[]){ v, m }, 2, &z, out, &err), &err);
    CHECK(z.rank == 1 && z.dim[0] == 2 && out[0] == 5 && out[1] == 11);
    REQUIRE_OK(run(BORN_OP_MATMUL, NULL, (born_view[]){ w, v }, 2, &z, out, &err), &err);
    CHECK(z.rank == 1 && z.dim[0] == 2 && out[0] == 7 && out[1] == 10);
}

TEST(epilogue_is_added_in_order)
{
    float *a = noise(2 * 3, 5), *b = noise(3 * 4, 6), *c = noise(4, 7), *r = noise(8, 8), out[8];
    born_linear_attrs relu = { .activation = BORN_OP_LEAKY_RELU, .alpha = 0.25 };
    born_view z, in[4] = { DENSE(a, 2, 3), DENSE(b, 3, 4), DENSE(c, 4), DENSE(r, 2, 4) };
    born_error err = { 0 };
    REQUIRE_OK(run(BORN_OP_MATMUL, &relu, in, 4, &z, out, &err), &err);
    for (int m = 0; m < 2; m++)
        for (int n = 0; n < 4; n++) {
            float v = chain(a + m * 3, 1, b + n, 4, 3) + c[n];
            v += r[m * 4 + n];
            CHECK(out[m * 4 + n] == (v < 0 ? 0.25f * v : v));
        }
    in[2] = (born_view){ 0 };
    relu.activation = 0;
    REQUIRE_OK(run(BORN_OP_MATMUL, &relu, in, 4, &z, out, &err), &err);
    CHECK(out[5] == chain(a + 3, 1, b + 1, 4, 3) + r[5]);
    born_gemm_attrs g = { .alpha = 0.5, .beta = 2, .trans_a = true };
    born_view gin[3] = { DENSE(a, 3, 2), DENSE(b, 3, 4), DENSE(c, 1, 4) };
    REQUIRE_OK(run(BORN_OP_GEMM, &g, gin, 3, &z, out, &err), &err);
    for (int m = 0; m < 2; m++)
        for (int n = 0; n < 4; n++) CHECK(out[m * 4 + n] == chain(a + m, 2, b + n, 4, 3) * 0.5f + c[n] * 2.0f);
    free(a);
    free(b);
    free(c);
    free(r);
}

TEST(integers_wrap)
{
    tape *t = tape_new();
    static const double a[] = { 100, 100 }, b[] = { 100, -3 };
    born_val x = tape_put(t, BORN_I8, 2, (int64_t[]){ 1, 2 }, a), y = tape_put(t, BORN_I8, 2, (int64_t[]){ 2, 1 }, b);
    born_val z = tape_run(t, BORN_OP_MATMUL, NULL, (born_val[]){ x, y }, 2);
    REQUIRE(z != 0);
    CHECK(tape_at(t, z, 0) == (double)(int8_t)(9700 & 0xff));
    tape_free(t);
}

TEST(shapes_are_refused)
{
    float v[64] = { 0 }, out[64];
    born_view z;
    born_error err = { 0 };
    CHECK_STATUS(run(BORN_OP_MATMUL, NULL, (born_view[]){ DENSE(v, 2, 3), DENSE(v, 4, 2) }, 2, &z, out, &err),
                 BORN_SHAPE);
    CHECK_TEXT(err.text, "matmul: inner sizes differ: a [2,3] (K=3), b [4,2] (K=4)");
    CHECK_STATUS(run(BORN_OP_MATMUL, NULL, (born_view[]){ DENSE(v, 2, 2, 3), DENSE(v, 3, 3, 2) }, 2, &z, out, &err),
                 BORN_SHAPE);
    CHECK_STATUS(
        run(BORN_OP_MATMUL, NULL, (born_view[]){ DENSE(v, 2, 3), DENSE(v, 3, 2), DENSE(v, 3) }, 3, &z, out, &err),
        BORN_SHAPE);
    CHECK_STATUS(run(BORN_OP_GEMM, NULL, (born_view[]){ DENSE(v, 2), DENSE(v, 3, 2) }, 2, &z, out, &err), BORN_SHAPE);
    born_view scalar = { .data = (char *)v, .dtype = BORN_F32 };
    CHECK_STATUS(run(BORN_OP_MATMUL, NULL, (born_view[]){ scalar, DENSE(v, 3, 2) }, 2, &z, out, &err), BORN_SHAPE);
}

TEST_MAIN
