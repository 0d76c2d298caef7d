/* The elementwise rows: f32 against f64, integers against their own arithmetic, edges, and the ways that operands lie
   in memory: broadcast, strided, reversed, in place, empty, rank 0. Generated from the rows. */
#include <math.h>

#include "../harness.h"
#include "ops/elementwise.h"
#include "support_tape.h"

static const double points[] = { 0.0,  -0.0,  0.25,  -0.25, 0.7, -0.7, 1,    -1,       1.5,       -1.5,
                                 2,    -2,    3,     -3,    3.7, -3.7, 10,   -10,      25,        -25,
                                 1e-6, -1e-6, 1e-40, 80,    -80, 1e6,  -1e6, INFINITY, -INFINITY, NAN };
enum { POINTS = sizeof points / sizeof points[0] };

static bool close_to(float got, double want, double reach)
{
    if (isnan(want)) return isnan(got);
    if (isinf((float)want) || isinf(got)) return got == (float)want || fabs(want) > 3e38;
    return fabs((double)got - want) <= reach * (2e-3 + fabs(want));
}

static void f32_against_f64(born_op_id op, bool binary)
{
    born_span_fn f = born__span_of(op, BORN_CLASS_F32), d = born__span_of(op, BORN_CLASS_F64);
    char attrs[256];
    double p[2] = { 0, 0 };
    if (!f || !d) return;
    if (born__ops[op].attrs) born__attrs_default(born__ops[op].attrs, attrs);
    born__attrs_numbers(born__ops[op].attrs, attrs, p);
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < (binary ? POINTS : 1); j++) {
            float x = (float)points[i], y = (float)points[j], z;
            double xd = (double)x, yd = (double)y, zd;
            f(p, &x, &y, &z, 1);
            d(p, &xd, &yd, &zd, 1);
            CHECK_MSG(close_to(z, zd, 2e-5), "%s(%g, %g) = %g, in f64 %g", born__ops[op].name, xd, yd, (double)z, zd);
        }
}

TEST(rows_f32_equal_f64)
{
#define UNARY(ID, name, set, dtypes, value, dx, onnx, doc) f32_against_f64(BORN_OP_##ID, false);
#define BINARY(ID, name, set, dtypes, props, value, dx, dy, onnx, doc) f32_against_f64(BORN_OP_##ID, true);
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
}

static double run_two(born_op_id op, born_dtype t, double a, double b, const void *attrs)
{
    tape *p = tape_new();
    born_val in[2] = { tape_put(p, t, 0, NULL, &a), tape_put(p, t, 0, NULL, &b) };
    born_val z = tape_run(p, op, attrs, in, born__ops[op].min_in);
    double r = z ? tape_at(p, z, 0) : -12345;
    tape_free(p);
    return r;
}

TEST(integers_wrap_and_never_trap)
{
    CHECK(run_two(BORN_OP_ADD, BORN_I8, 127, 1, NULL) == -128);
    CHECK(run_two(BORN_OP_MUL, BORN_U8, 200, 2, NULL) == 144);
    CHECK(run_two(BORN_OP_SUB, BORN_U16, 0, 1, NULL) == 65535);
    CHECK(run_two(BORN_OP_DIV, BORN_I32, -2147483648.0, -1, NULL) == -2147483648.0);
    CHECK(run_two(BORN_OP_DIV, BORN_I64, -0x1p63, -1, NULL) == -0x1p63);
    CHECK(run_two(BORN_OP_DIV, BORN_I32, 5, 0, NULL) == 0 && run_two(BORN_OP_MOD, BORN_I32, 5, 0, NULL) == 0);
    CHECK(run_two(BORN_OP_DIV, BORN_I32, -7, 2, NULL) == -3);
    CHECK(run_two(BORN_OP_MOD, BORN_I32, -7, 3, NULL) == 2 && run_two(BORN_OP_MOD, BORN_I32, 7, -3, NULL) == -2);
    born_mod_attrs fmod_attrs = { .fmod = true };
    CHECK(run_two(BORN_OP_MOD, BORN_I32, -7, 3, &fmod_attrs) == -1);
    CHECK(run_two(BORN_OP_ABS, BORN_I8, -128, 0, NULL) == -128 && run_two(BORN_OP_NEG, BORN_I8, -128, 0, NULL) == -128);
    born_bit_shift_attrs right = { .direction = 1 };
    CHECK(run_two(BORN_OP_BIT_SHIFT, BORN_U8, 0x81, 1, NULL) == 2 &&
          run_two(BORN_OP_BIT_SHIFT, BORN_U8, 1, 200, NULL) == 0);
    CHECK(run_two(BORN_OP_BIT_SHIFT, BORN_U32, 0x80000000, 31, &right) == 1);
    CHECK(run_two(BORN_OP_BIT_SHIFT, BORN_U64, 8, 64, &right) == 0);
    CHECK(run_two(BORN_OP_BITWISE_NOT, BORN_U8, 1, 0, NULL) == 254);
    CHECK(run_two(BORN_OP_POW, BORN_I32, 3, 4, NULL) == 81 && run_two(BORN_OP_POW, BORN_I32, 2, -1, NULL) == 0);
    CHECK(run_two(BORN_OP_POW, BORN_I64, -1, -3, NULL) == -1 && run_two(BORN_OP_POW, BORN_U8, 2, 9, NULL) == 0);
    CHECK(run_two(BORN_OP_LOGICAL_XOR, BORN_BOOL, 1, 1, NULL) == 0 &&
          run_two(BORN_OP_LOGICAL_NOT, BORN_BOOL, 0, 0, NULL) == 1);
    born_clamp_attrs clamp = { .lo = -5, .hi = 1e300 };
    CHECK(run_two(BORN_OP_CLAMP, BORN_U8, 200, 0, &clamp) == 200 &&
          run_two(BORN_OP_CLAMP, BORN_I64, -9, 0, &clamp) == -5);
    CHECK(run_two(BORN_OP_SIGN, BORN_I16, -300, 0, NULL) == -1 &&
          run_two(BORN_OP_MAX, BORN_U64, 3, 0x1p63, NULL) == 0x1p63);
}

TEST(comparison_edges)
{
    CHECK(run_two(BORN_OP_EQ, BORN_F32, NAN, NAN, NULL) == 0 && run_two(BORN_OP_NE, BORN_F32, NAN, 1, NULL) == 1);
    CHECK(run_two(BORN_OP_LT, BORN_F64, -0.0, 0.0, NULL) == 0 && run_two(BORN_OP_GE, BORN_F64, -0.0, 0.0, NULL) == 1);
    CHECK(run_two(BORN_OP_EQ, BORN_BOOL, 1, 1, NULL) == 1 && run_two(BORN_OP_LT, BORN_I64, -1, 0, NULL) == 1);
    CHECK(run_two(BORN_OP_GT, BORN_U64, 0x1p63, 1, NULL) == 1);
    CHECK(run_two(BORN_OP_IS_NAN, BORN_F32, NAN, 0, NULL) == 1 && run_two(BORN_OP_IS_INF, BORN_F32, NAN, 0, NULL) == 0);
    born_is_inf_attrs positive = { .no_negative = true };
    CHECK(run_two(BORN_OP_IS_INF, BORN_F32, -INFINITY, 0, &positive) == 0);
    CHECK(run_two(BORN_OP_IS_INF, BORN_F64, INFINITY, 0, &positive) == 1);
}

/* ---- layouts ---- */

static float at3(const born_view *v, int64_t i, int64_t j, int64_t k)
{
    float f;
    memcpy(&f, v->data + (i * v->stride[0] + j * v->stride[1] + k * v->stride[2]) * 4, sizeof f);
    return f;
}

/* One row over x [4,5,6] seen through odd strides and y broadcast, into a result with strides of its own, equals the
   same call on dense copies. */
static void check_layout(born_op_id op, const int64_t sx[3], const int64_t sy[3], const int64_t sz[3])
{
    static float mem[3][4096];
    const born_op *o = &born__ops[op];
    char attrs[256];
    uint64_t seed = 7;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4096; j++) mem[i][j] = (float)tape_random(&seed, -2, 2);
    memset(mem[2], 0, sizeof mem[2]);
    if (o->attrs) born__attrs_default(o->attrs, attrs);
    born_view in[2], z = { .data = (char *)&mem[2][2048], .dtype = BORN_F32, .rank = 3, .dim = { 4, 5, 6 } };
    for (int i = 0; i < 2; i++)
        in[i] = (born_view){ .data = (char *)&mem[i][2048], .dtype = BORN_F32, .rank = 3, .dim = { 4, 5, 6 } };
    for (int d = 0; d < 3; d++) {
        in[0].stride[d] = sx[d];
        in[1].stride[d] = sy[d];
        in[1].dim[d] = sy[d] ? in[1].dim[d] : 1;
        z.stride[d] = sz[d];
    }
    born_error err = { 0 };
    born_call c = {
        .op = o, .attrs = o->attrs ? attrs : NULL, .in_count = o->min_in, .out_count = 1, .in = in, .out = &z
    };
    if (!CHECK_OK(o->ref(&c, &(born_exec){ .err = &err }), &err)) return;
    double p[2];
    born__attrs_numbers(o->attrs, c.attrs, p);
    for (int64_t i = 0; i < 4; i++)
        for (int64_t j = 0; j < 5; j++)
            for (int64_t k = 0; k < 6; k++) {
                float x = at3(&in[0], i, j, k), y = at3(&in[1], i, j, k), want, got = at3(&z, i, j, k);
                born__span_of(op, BORN_CLASS_F32)(p, &x, &y, &want, 1);
                CHECK_MSG(memcmp(&want, &got, 4) == 0 || (isnan(want) && isnan(got)), "%s at %d,%d,%d: %g, not %g",
                          o->name, (int)i, (int)j, (int)k, (double)got, (double)want);
            }
}

static void check_layouts(born_op_id op, uint32_t dtypes)
{
    static const int64_t dense[3] = { 30, 6, 1 }, last[3] = { 30, 1, 5 }, gaps[3] = { 100, 17, 2 },
                         back[3] = { -30, 6, -1 }, row[3] = { 0, 0, 1 }, column[3] = { 0, 3, 0 }, one[3] = { 0, 0, 0 };
    if (!born__dtype_is(BORN_F32, dtypes)) return;
    check_layout(op, dense, dense, dense);
    check_layout(op, last, last, last);
    check_layout(op, gaps, row, dense);
    check_layout(op, back, column, last);
    check_layout(op, dense, one, gaps);
}

TEST(rows_take_any_strides)
{
#define UNARY(ID, name, set, dtypes, value, dx, onnx, doc) check_layouts(BORN_OP_##ID, dtypes);
#define BINARY(ID, name, set, dtypes, props, value, dx, dy, onnx, doc) check_layouts(BORN_OP_##ID, dtypes);
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
}

TEST(in_place_and_empty)
{
    float v[1000], w[1000];
    born_error err = { 0 };
    for (int i = 0; i < 1000; i++) v[i] = w[i] = (float)i / 100 - 5;
    born_view a = { .data = (char *)v, .dtype = BORN_F32, .rank = 1, .dim = { 1000 }, .stride = { 1 } };
    born_view in[2] = { a, a };
    born_call c = { .op = &born__ops[BORN_OP_MUL], .in_count = 2, .out_count = 1, .in = in, .out = &a };
    REQUIRE_OK(c.op->ref(&c, &(born_exec){ .err = &err }), &err);
    for (int i = 0; i < 1000; i++) CHECK(v[i] == w[i] * w[i]);
    born_view none = { .data = NULL, .dtype = BORN_F32, .rank = 2, .dim = { 0, 3 }, .stride = { 3, 1 } };
    born_view both[2] = { none, { .data = (char *)v, .dtype = BORN_F32, .rank = 1, .dim = { 1 }, .stride = { 1 } } };
    c = (born_call){ .op = &born__ops[BORN_OP_ADD], .in_count = 2, .out_count = 1, .in = both, .out = &none };
    CHECK_OK(c.op->ref(&c, &(born_exec){ .err = &err }), &err);
}

TEST(where_and_clip)
{
    tape *t = tape_new();
    static const double m[] = { 1, 0, 1 }, a[] = { 1, 2, 3, 4, 5, 6 }, b[] = { -1 };
    static const double want[] = { 1, -1, 3, 4, -1, 6 };
    for (int k = 0; k < 4; k++) {
        static const born_dtype types[] = { BORN_F64, BORN_F16, BORN_I8, BORN_I32 };
        born_val in[3] = { tape_put(t, BORN_BOOL, 1, (int64_t[]){ 3 }, m),
                           tape_put(t, types[k], 2, (int64_t[]){ 2, 3 }, a), tape_put(t, types[k], 0, NULL, b) };
        born_val z = tape_run(t, BORN_OP_WHERE, NULL, in, 3);
        for (int i = 0; i < 6 && CHECK(z != 0); i++) CHECK(tape_at(t, z, i) == want[i]);
    }
    static const double x[] = { -5, 0.5, 5, NAN }, lo = -1, hi = 1, low = -3;
    born_val v = tape_put(t, BORN_F32, 1, (int64_t[]){ 4 }, x), l = tape_put(t, BORN_F32, 0, NULL, &lo);
    born_val h = tape_put(t, BORN_F32, 1, (int64_t[]){ 1 }, &hi), under = tape_put(t, BORN_F32, 0, NULL, &low);
    born_val z = tape_run(t, BORN_OP_CLIP, NULL, (born_val[]){ v, l, h }, 3);
    REQUIRE(z != 0);
    CHECK(tape_at(t, z, 0) == -1 && tape_at(t, z, 1) == 0.5 && tape_at(t, z, 2) == 1 && isnan(tape_at(t, z, 3)));
    z = tape_run(t, BORN_OP_CLIP, NULL, (born_val[]){ v, 0, h }, 3);
    CHECK(tape_at(t, z, 0) == -5 && tape_at(t, z, 2) == 1);
    z = tape_run(t, BORN_OP_CLIP, NULL, (born_val[]){ v, l, under }, 3); /* lo above hi: hi */
    CHECK(tape_at(t, z, 0) == -3 && tape_at(t, z, 2) == -3);
    tape_free(t);
}

TEST(casts_round_once_and_saturate)
{
    static const struct {
        born_dtype from, to;
        double x, want;
    } k[] = {
        { BORN_F32, BORN_I8, 300, 127 },
        { BORN_F32, BORN_I8, -300, -128 },
        { BORN_F32, BORN_U8, -3.7, 0 },
        { BORN_F32, BORN_U8, 255.9, 255 },
        { BORN_F64, BORN_I32, 3e9, 2147483647.0 },
        { BORN_F32, BORN_I32, -1.9, -1 },
        { BORN_F32, BORN_I64, NAN, 0 },
        { BORN_F32, BORN_I64, -INFINITY, -0x1p63 },
        { BORN_F64, BORN_U64, 1e30, 0x1p64 },
        { BORN_I32, BORN_I8, 257, 1 },
        { BORN_I16, BORN_U16, -1, 65535 },
        { BORN_U8, BORN_I8, 200, -56 },
        { BORN_F32, BORN_BOOL, NAN, 1 },
        { BORN_F32, BORN_BOOL, -0.0, 0 },
        { BORN_I64, BORN_BOOL, 256, 1 },
        { BORN_BOOL, BORN_F32, 1, 1 },
        { BORN_F32, BORN_F16, 65520, INFINITY },
        { BORN_F32, BORN_F16, 65519, 65504 },
        { BORN_F32, BORN_F16, 6e-8, 0x1p-24 },
        { BORN_F32, BORN_BF16, 1.00390625, 1 },
        { BORN_F16, BORN_F64, 0.0999755859375, 0.0999755859375 },
        { BORN_F64, BORN_F16, 1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-10 }, /* twice rounded it would be 1 */
        { BORN_F64, BORN_BF16, 1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-7 },
        { BORN_F64, BORN_F16, 1 + 0x1p-11 - 0x1p-40, 1 },
        { BORN_F16, BORN_BF16, 1.00390625, 1 },
    };
    tape *t = tape_new();
    for (size_t i = 0; i < sizeof k / sizeof k[0]; i++) {
        born_cast_attrs a = { .to = k[i].to };
        born_val x = tape_put(t, k[i].from, 0, NULL, &k[i].x), z = tape_run(t, BORN_OP_CAST, &a, &x, 1);
        if (!CHECK_MSG(z != 0, "%s", t->emit.err.text)) break;
        CHECK_MSG(tape_at(t, z, 0) == k[i].want, "%s %g to %s is %.17g, not %.17g", born_dtype_name(k[i].from), k[i].x,
                  born_dtype_name(k[i].to), tape_at(t, z, 0), k[i].want);
    }
    tape_free(t);
}

TEST_MAIN
