/* Index ops against plain loops over elements: gathers, scatters in index order, finding, sorting, suppression; einsum
   and det; indices out of range, which must leave no trace. */
#include <math.h>

#include "../harness.h"
#include "support_calls.h"
#include "tensor/view.h"

#define F(...) tensor_zeros(BORN_F32, DIMS(__VA_ARGS__))
#define R(t, ...) tensor_random(t, DIMS(__VA_ARGS__))

static void check_list(const char *what, const born_view *v, int64_t count, const double *want)
{
    if (!CHECK_MSG(born__view_count(v) == count, "%s has %lld elements", what, (long long)born__view_count(v))) return;
    for (int64_t i = 0; i < count; i++) {
        double got = tensor_at(v, i);
        bool same = got == want[i] || (isnan(got) && isnan(want[i]));
        CHECK_MSG(same, "%s: element %lld is %g, not %g", what, (long long)i, got, want[i]);
    }
}

static void check_refused(born_op_id op, const void *attrs, const born_view *in, int in_count, born_status want,
                          const char *part)
{
    born_view out[2];
    born_error err = { 0 };
    int results = op == BORN_OP_TOPK ? 2 : 1;
    born_status got = call_op(op, attrs, in, in_count, out, results, &err);
    CHECK_MSG(got == want, "%s: %s, not %s: %s", born__ops[op].name, born_status_name(got), born_status_name(want),
              err.text);
    CHECK_MSG(strstr(err.text, part) != NULL, "%s: \"%s\" lacks \"%s\"", born__ops[op].name, err.text, part);
}
#define REFUSED(op, attrs, status, part, ...)                                                                         \
    check_refused(BORN_OP_##op, attrs, (born_view[]){ __VA_ARGS__ },                                                  \
                  (int)(sizeof((born_view[]){ __VA_ARGS__ }) / sizeof(born_view)), status, part)

/* Random indices in [-bound, bound), i32 or i64, maybe strided. */
static born_view random_indices(int rank, const int64_t *dim, int64_t bound)
{
    born_view v = tensor_zeros(random_below(2) ? BORN_I32 : BORN_I64, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++)
        born__store_f64(v.dtype, tensor_address(&v, i), (double)random_below((uint32_t)(2 * bound)) - (double)bound);
    return random_below(2) ? tensor_strided(&v) : v;
}

static int64_t index_of(const born_view *ix, int64_t i, int64_t bound)
{
    int64_t v = (int64_t)tensor_at(ix, i);
    return v < 0 ? v + bound : v;
}

static const born_dtype widths[] = { BORN_I8, BORN_F16, BORN_F32, BORN_F64 };

TEST(gather_takes_slices)
{
    for (uint32_t seed = 0; seed < 60; seed++) {
        random_seed(seed);
        enum { A = 3, B = 5, C = 4 };
        born_view x = R(widths[seed % 4], A, B, C), ix = random_indices(DIMS(2, 3), B), out;
        born_view in[2] = { seed % 3 ? tensor_strided(&x) : x, ix };
        born_error err = { 0 };
        calls_threads(seed % 5 == 0 ? 3 : 1);
        REQUIRE_OK(call_op(BORN_OP_GATHER, &(born_gather_attrs){ .axis = -2 }, in, 2, &out, 1, &err), &err);
        for (int64_t i = 0; i < born__view_count(&out); i++) {
            int64_t c = i % C, k = i / C % 6, a = i / C / 6;
            CHECK(tensor_at(&out, i) == tensor_at(&x, (a * B + index_of(&ix, k, B)) * C + c));
        }
    }
    REFUSED(GATHER, NULL, BORN_RANGE, "index 3 at 1 is outside [-3, 3)", F(3, 2), LIST(0, 3));
    REFUSED(GATHER, NULL, BORN_RANGE, "index -4", F(3, 2), LIST(-4));
    REFUSED(GATHER, NULL, BORN_RANGE, "index 0", F(0, 2), LIST(0));
    REFUSED(GATHER, (&(born_gather_attrs){ .axis = 2 }), BORN_RANGE, "axis 2", F(3, 2), LIST(0));
    REFUSED(GATHER, NULL, BORN_DTYPE, "", F(3, 2), F(1));
    REFUSED(GATHER, NULL, BORN_SHAPE, "rank 9", F(1, 1, 1, 1, 1), tensor_zeros(BORN_I64, DIMS(1, 1, 1, 1, 1)));
    calls_free();
}

TEST(gather_elements_and_nd)
{
    for (uint32_t seed = 0; seed < 40; seed++) {
        random_seed(seed);
        born_view x = R(widths[seed % 4], 4, 5), out;
        born_error err = { 0 };
        born_view rows = random_indices(DIMS(7, 3), 4), in[2] = { tensor_strided(&x), rows };
        REQUIRE_OK(call_op(BORN_OP_GATHER_ELEMENTS, NULL, in, 2, &out, 1, &err), &err);
        for (int64_t i = 0; i < 21; i++) CHECK(tensor_at(&out, i) == tensor_at(&x, index_of(&rows, i, 4) * 5 + i % 3));
        born_view cols = random_indices(DIMS(4, 6), 5);
        in[1] = cols;
        REQUIRE_OK(call_op(BORN_OP_GATHER_ELEMENTS, &(born_gather_attrs){ .axis = 1 }, in, 2, &out, 1, &err), &err);
        for (int64_t i = 0; i < 24; i++) CHECK(tensor_at(&out, i) == tensor_at(&x, i / 6 * 5 + index_of(&cols, i, 5)));
        born_view tuples = random_indices(DIMS(4, 2, 1), 5);
        in[1] = tuples;
        REQUIRE_OK(call_op(BORN_OP_GATHER_ND, &(born_gather_nd_attrs){ .batch_dims = 1 }, in, 2, &out, 1, &err), &err);
        for (int64_t i = 0; i < 8; i++) CHECK(tensor_at(&out, i) == tensor_at(&x, i / 2 * 5 + index_of(&tuples, i, 5)));
        tuples = random_indices(DIMS(3, 1), 4);
        in[1] = tuples;
        REQUIRE_OK(call_op(BORN_OP_GATHER_ND, NULL, in, 2, &out, 1, &err), &err);
        for (int64_t i = 0; i < 15; i++)
            CHECK(tensor_at(&out, i) == tensor_at(&x, index_of(&tuples, i / 5, 4) * 5 + i % 5));
    }
    REFUSED(GATHER_ELEMENTS, NULL, BORN_SHAPE, "do not fit", F(3, 2), tensor_zeros(BORN_I64, DIMS(3, 3)));
    REFUSED(GATHER_ELEMENTS, NULL, BORN_RANGE, "outside [-3, 3)", F(3), LIST(0, 5));
    REFUSED(GATHER_ND, NULL, BORN_SHAPE, "do not fit", F(3, 2), LIST(0, 0, 0));
    REFUSED(GATHER_ND, NULL, BORN_RANGE, "outside [-2, 2)", F(3, 2), LIST(0, 2));
    REFUSED(GATHER_ND, (&(born_gather_nd_attrs){ .batch_dims = 1 }), BORN_SHAPE, "batch", F(3, 2),
            tensor_zeros(BORN_I64, DIMS(2, 1)));
    calls_free();
}

static double reduced(int reduction, double a, double b)
{
    switch (reduction) {
    case 1: return a + b;
    case 2: return a * b;
    case 3: return a > b ? a : b;
    case 4: return a < b ? a : b;
    default: return b;
    }
}

TEST(scatters_go_in_index_order)
{
    for (uint32_t seed = 0; seed < 100; seed++) {
        random_seed(seed);
        born_dtype t = (born_dtype[]){ BORN_F32, BORN_I32, BORN_F64, BORN_I64 }[seed % 4];
        int reduction = (int)(seed / 4 % 5);
        born_view x = R(t, 4, 3), out;
        born_error err = { 0 };
        double want[12];
        born_view ix = random_indices(DIMS(5, 2), 4), u = R(t, 5, 2);
        calls_threads(seed % 7 == 0 ? 3 : 1);
        for (int64_t i = 0; i < 12; i++) want[i] = tensor_at(&x, i);
        for (int64_t i = 0; i < 10; i++) {
            double *w = &want[index_of(&ix, i, 4) * 3 + i % 2];
            *w = reduced(reduction, *w, tensor_at(&u, i));
        }
        born_view in[3] = { tensor_strided(&x), ix, tensor_strided(&u) };
        born_scatter_elements_attrs a = { .reduction = reduction };
        REQUIRE_OK(call_op(BORN_OP_SCATTER_ELEMENTS, &a, in, 3, &out, 1, &err), &err);
        check_list("scatter_elements", &out, 12, want);
        ix = random_indices(DIMS(3, 2, 1), 4);
        u = R(t, 3, 2, 3);
        for (int64_t i = 0; i < 12; i++) want[i] = tensor_at(&x, i);
        for (int64_t i = 0; i < 18; i++) {
            double *w = &want[index_of(&ix, i / 3, 4) * 3 + i % 3];
            *w = reduced(reduction, *w, tensor_at(&u, i));
        }
        in[1] = ix;
        in[2] = tensor_strided(&u);
        born_scatter_nd_attrs n = { .reduction = reduction };
        REQUIRE_OK(call_op(BORN_OP_SCATTER_ND, &n, in, 3, &out, 1, &err), &err);
        check_list("scatter_nd", &out, 12, want);
    }
    calls_free();
}

TEST(scatters_of_small_dtypes)
{
    born_error err = { 0 };
    born_view out;
    born_scatter_nd_attrs add = { .reduction = 1 };
    born_view in[3] = { tensor_of(BORN_I8, DIMS(1), (double[]){ 100 }), tensor_zeros(BORN_I64, DIMS(2, 1)),
                        tensor_of(BORN_I8, DIMS(2), (double[]){ 100, 100 }) };
    REQUIRE_OK(call_op(BORN_OP_SCATTER_ND, &add, in, 3, &out, 1, &err), &err);
    check_list("i8 wraps", &out, 1, (double[]){ 44 });
    in[0] = tensor_of(BORN_F16, DIMS(1), (double[]){ 2048 });
    in[2] = tensor_of(BORN_F16, DIMS(2), (double[]){ 1, 1 });
    REQUIRE_OK(call_op(BORN_OP_SCATTER_ND, &add, in, 3, &out, 1, &err), &err);
    check_list("f16 rounds each time", &out, 1, (double[]){ 2048 });
    in[0] = tensor_of(BORN_BOOL, DIMS(1), (double[]){ 1 });
    in[2] = tensor_of(BORN_BOOL, DIMS(2), (double[]){ 1, 0 });
    REQUIRE_OK(call_op(BORN_OP_SCATTER_ND, &(born_scatter_nd_attrs){ .reduction = 2 }, in, 3, &out, 1, &err), &err);
    check_list("bool multiplies as and", &out, 1, (double[]){ 0 });
    in[0] = tensor_of(BORN_F32, DIMS(1), (double[]){ 1 });
    in[2] = tensor_of(BORN_F32, DIMS(2), (double[]){ NAN, 5 });
    REQUIRE_OK(call_op(BORN_OP_SCATTER_ND, &(born_scatter_nd_attrs){ .reduction = 3 }, in, 3, &out, 1, &err), &err);
    check_list("max hands NaN on", &out, 1, (double[]){ NAN });
    calls_free();
}

TEST(scatters_refuse_before_writing)
{
    REFUSED(SCATTER_ELEMENTS, NULL, BORN_RANGE, "index 9 at 1", F(3), LIST(0, 9), F(2));
    REFUSED(SCATTER_ELEMENTS, NULL, BORN_SHAPE, "do not fit", F(3), LIST(0, 1), F(3));
    REFUSED(SCATTER_ELEMENTS, NULL, BORN_DTYPE, "", F(3), LIST(0), LIST(0));
    REFUSED(SCATTER_ND, NULL, BORN_RANGE, "index -4", F(3), tensor_of(BORN_I64, DIMS(1, 1), (double[]){ -4 }), F(1));
    REFUSED(SCATTER_ND, NULL, BORN_SHAPE, "do not fit", F(3, 2), tensor_zeros(BORN_I64, DIMS(2, 1)), F(2, 3));
    born_view in[3] = { F(3), LIST(0, 9), F(2) }, out;
    born_error err = { 0 };
    CHECK_STATUS(call_op(BORN_OP_SCATTER_ELEMENTS, NULL, in, 3, &out, 1, &err), BORN_RANGE);
    for (int i = 0; i < 12; i++) CHECK((unsigned char)out.data[i] == 0xa5);
    calls_free();
}

TEST(tensor_scatter_writes_a_cache)
{
    born_error err = { 0 };
    born_view x = R(BORN_F32, 2, 5, 1), u = R(BORN_F32, 2, 3, 1), at = LIST(2, 1), out, in[3] = { x, u, at };
    double want[10];
    for (int circular = 0; circular < 2; circular++) {
        if (circular) in[2] = at = LIST(4, 13);
        for (int64_t i = 0; i < 10; i++) want[i] = tensor_at(&x, i);
        for (int64_t i = 0; i < 6; i++) {
            int64_t to = ((int64_t)tensor_at(&at, i / 3) + i % 3) % 5;
            want[i / 3 * 5 + to] = tensor_at(&u, i);
        }
        born_tensor_scatter_attrs a = { .mode = circular };
        REQUIRE_OK(call_op(BORN_OP_TENSOR_SCATTER, &a, in, 3, &out, 1, &err), &err);
        check_list("tensor_scatter", &out, 10, want);
    }
    REFUSED(TENSOR_SCATTER, NULL, BORN_RANGE, "go beyond 5", x, u, LIST(0, 3));
    REFUSED(TENSOR_SCATTER, NULL, BORN_RANGE, "index -1", x, u, LIST(0, -1));
    REFUSED(TENSOR_SCATTER, (&(born_tensor_scatter_attrs){ .axis = -3 }), BORN_INVALID, "batch", x, u);
    REFUSED(TENSOR_SCATTER, NULL, BORN_SHAPE, "do not fit", u, x);
    calls_free();
}

TEST(one_hot_marks)
{
    born_error err = { 0 };
    born_view in[3] = { LIST(1, -1, 5, -9), tensor_int(3), tensor_of(BORN_F32, DIMS(2), (double[]){ -1, 2 }) }, out;
    REQUIRE_OK(call_op(BORN_OP_ONE_HOT, NULL, in, 3, &out, 1, &err), &err);
    check_list("one_hot", &out, 12, (double[]){ -1, 2, -1, -1, -1, 2, -1, -1, -1, -1, -1, -1 });
    REQUIRE_OK(call_op(BORN_OP_ONE_HOT, &(born_one_hot_attrs){ .axis = -2 }, in, 3, &out, 1, &err), &err);
    check_list("one_hot axis 0", &out, 12, (double[]){ -1, -1, -1, -1, 2, -1, -1, -1, -1, 2, -1, -1 });
    in[1] = tensor_of(BORN_F32, 0, NULL, (double[]){ NAN });
    check_refused(BORN_OP_ONE_HOT, NULL, in, 3, BORN_INVALID, "depth");
    in[1] = tensor_int(0);
    check_refused(BORN_OP_ONE_HOT, NULL, in, 3, BORN_INVALID, "depth is 0");
    in[1] = tensor_int(3);
    in[2] = LIST(1);
    check_refused(BORN_OP_ONE_HOT, NULL, in, 3, BORN_SHAPE, "not two");
    calls_free();
}

TEST(nonzero_and_compress)
{
    born_error err = { 0 };
    born_view x = tensor_of(BORN_F32, DIMS(2, 3), (double[]){ 0, 1, -0.0, NAN, 0, 2 }), s = tensor_strided(&x), out;
    REQUIRE_OK(call_op(BORN_OP_NONZERO, NULL, &s, 1, &out, 1, &err), &err);
    CHECK(out.dim[0] == 2 && out.dim[1] == 3);
    check_list("nonzero", &out, 6, (double[]){ 0, 1, 1, 1, 0, 2 });
    born_view scalar = tensor_int(4);
    REQUIRE_OK(call_op(BORN_OP_NONZERO, NULL, &scalar, 1, &out, 1, &err), &err);
    CHECK(out.rank == 2 && out.dim[0] == 0 && out.dim[1] == 1);
    born_view in[2] = { tensor_random(BORN_I16, DIMS(3, 4)), tensor_of(BORN_BOOL, DIMS(4), (double[]){ 0, 1, 0, 1 }) };
    born_view y = in[0];
    in[0] = tensor_strided(&y);
    REQUIRE_OK(call_op(BORN_OP_COMPRESS, &(born_compress_attrs){ .axis = 1 }, in, 2, &out, 1, &err), &err);
    for (int64_t i = 0; i < 6; i++) CHECK(tensor_at(&out, i) == tensor_at(&y, i / 2 * 4 + 1 + i % 2 * 2));
    CHECK(out.dim[0] == 3 && out.dim[1] == 2);
    REQUIRE_OK(call_op(BORN_OP_COMPRESS, NULL, in, 2, &out, 1, &err), &err);
    check_list("compress", &out, 2, (double[]){ tensor_at(&y, 1), tensor_at(&y, 3) });
    REFUSED(COMPRESS, (&(born_compress_attrs){ .axis = -2 }), BORN_RANGE, "condition 3", in[0], in[1]);
    REFUSED(COMPRESS, NULL, BORN_SHAPE, "rank 2", in[0], tensor_zeros(BORN_BOOL, DIMS(1, 1)));
    calls_free();
}

TEST(unique_finds_first_ones)
{
    born_error err = { 0 };
    born_view x = tensor_of(BORN_F32, DIMS(8), (double[]){ 2, NAN, 1, 2, -0.0, 0, NAN, 1 }), out[4];
    REQUIRE_OK(call_op(BORN_OP_UNIQUE, NULL, &x, 1, out, 4, &err), &err);
    check_list("values", &out[0], 4, (double[]){ 0, 1, 2, NAN });
    check_list("first", &out[1], 4, (double[]){ 4, 2, 0, 1 });
    check_list("number", &out[2], 8, (double[]){ 2, 3, 1, 2, 0, 0, 3, 1 });
    check_list("count", &out[3], 4, (double[]){ 2, 2, 2, 2 });
    REQUIRE_OK(call_op(BORN_OP_UNIQUE, &(born_unique_attrs){ .unsorted = true }, &x, 1, out, 4, &err), &err);
    check_list("values unsorted", &out[0], 4, (double[]){ 2, NAN, 1, 0 });
    check_list("number unsorted", &out[2], 8, (double[]){ 0, 1, 2, 0, 3, 3, 1, 2 });
    born_view m = tensor_of(BORN_I64, DIMS(2, 4), (double[]){ 3, 1, 3, 1, 0, 5, 0, 4 }), s = tensor_strided(&m);
    REQUIRE_OK(call_op(BORN_OP_UNIQUE, &(born_unique_attrs){ .axis = 1 }, &s, 1, out, 4, &err), &err);
    check_list("columns", &out[0], 6, (double[]){ 1, 1, 3, 4, 5, 0 });
    check_list("columns' first", &out[1], 3, (double[]){ 3, 1, 0 });
    check_list("columns' number", &out[2], 4, (double[]){ 2, 1, 2, 0 });
    REFUSED(UNIQUE, (&(born_unique_attrs){ .axis = 2 }), BORN_RANGE, "axis 2", m);
    calls_free();
}

/* The rank of element i of n numbers: how many stand before it. */
static int64_t place_of(const double *v, int64_t n, int64_t i, bool smallest)
{
    int64_t before = 0;
    for (int64_t j = 0; j < n; j++) {
        bool higher = isnan(v[j]) ? !isnan(v[i]) : v[j] > v[i], lower = isnan(v[i]) ? !isnan(v[j]) : v[j] < v[i];
        before += smallest ? lower : higher;
        before += !higher && !lower && j < i;
    }
    return before;
}

TEST(topk_is_stable_and_total)
{
    static const born_dtype types[] = { BORN_F32, BORN_I8, BORN_U64, BORN_F64 };
    for (uint32_t seed = 0; seed < 120; seed++) {
        random_seed(seed);
        int64_t n = 1 + random_below(40), k = random_below((uint32_t)n + 1);
        bool smallest = seed % 2;
        born_view x = R(types[seed / 2 % 4], 2, n, 3), out[2], in[2] = { x, tensor_int(k) };
        if (x.dtype == BORN_F32) born__store_f64(x.dtype, tensor_address(&x, 0), NAN);
        born_error err = { 0 };
        in[0] = tensor_strided(&x);
        calls_threads(seed % 9 ? 1 : 3);
        born_topk_attrs a = { .axis = 1, .smallest = smallest };
        REQUIRE_OK(call_op(BORN_OP_TOPK, &a, in, 2, out, 2, &err), &err);
        for (int64_t line = 0; line < 6; line++) {
            double v[64];
            for (int64_t i = 0; i < n; i++) v[i] = tensor_at(&x, (line / 3 * n + i) * 3 + line % 3);
            for (int64_t i = 0; i < n; i++) {
                int64_t p = place_of(v, n, i, smallest);
                if (p >= k) continue;
                int64_t at = (line / 3 * k + p) * 3 + line % 3;
                CHECK(tensor_at(&out[1], at) == (double)i);
                CHECK(tensor_at(&out[0], at) == v[i] || isnan(v[i]));
            }
        }
    }
    REFUSED(TOPK, NULL, BORN_RANGE, "k = 4", F(3), tensor_int(4));
    REFUSED(TOPK, NULL, BORN_RANGE, "k = -1", F(3), tensor_int(-1));
    REFUSED(TOPK, NULL, BORN_RANGE, "axis", tensor_of(BORN_F32, 0, NULL, (double[]){ 1 }), tensor_int(1));
    calls_free();
}

TEST(non_max_suppression_keeps_the_best)
{
    born_error err = { 0 };
    born_view boxes = tensor_of(BORN_F32, DIMS(1, 4, 4),
                                (double[]){ 0, 0, 2, 2, /**/ 2, 2.5, 0, 0.5, /**/ 5, 5, 6, 6, /**/ 0, 0, 2, 1 });
    born_view scores = tensor_of(BORN_F32, DIMS(1, 2, 4), (double[]){ .5, .9, .9, .1, /**/ .5, NAN, .5, .2 }), out;
    born_view in[5] = { boxes, scores, tensor_int(3), tensor_of(BORN_F32, DIMS(1), (double[]){ .5 }),
                        tensor_of(BORN_F32, DIMS(1), (double[]){ .15 }) };
    REQUIRE_OK(call_op(BORN_OP_NON_MAX_SUPPRESSION, NULL, in, 5, &out, 1, &err), &err);
    check_list("kept", &out, 15, (double[]){ 0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 2, 0, 1, 3 });
    in[2] = tensor_int(1);
    REQUIRE_OK(call_op(BORN_OP_NON_MAX_SUPPRESSION, NULL, in, 5, &out, 1, &err), &err);
    check_list("one each", &out, 6, (double[]){ 0, 0, 1, 0, 1, 0 });
    REQUIRE_OK(call_op(BORN_OP_NON_MAX_SUPPRESSION, NULL, in, 2, &out, 1, &err), &err);
    CHECK(out.dim[0] == 0 && out.dim[1] == 3);
    REFUSED(NON_MAX_SUPPRESSION, NULL, BORN_SHAPE, "[N,B,4]", boxes, F(1, 2, 5));
    REFUSED(NON_MAX_SUPPRESSION, NULL, BORN_SHAPE, "operand 2", boxes, scores, LIST(1, 2));
    calls_free();
}

/* ---- einsum, det ---- */

static void check_einsum(const char *equation, const born_view *in, int in_count, int64_t count, const double *want)
{
    born_view out;
    born_error err = { 0 };
    born_einsum_attrs a = { .equation = { equation, strlen(equation) } };
    if (!CHECK_OK(call_op(BORN_OP_EINSUM, &a, in, in_count, &out, 1, &err), &err)) return;
    check_list(equation, &out, count, want);
}

TEST(einsum_sums_products)
{
    enum { I = 3, J = 4, K = 2 };
    for (int w = 0; w < 3; w++) {
        born_dtype t = (born_dtype[]){ BORN_F32, BORN_F64, BORN_I32 }[w];
        born_view a = R(t, I, J), b = R(t, J, K), c = R(t, I, I), in[3] = { tensor_strided(&a), tensor_strided(&b), c };
        double want[64] = { 0 };
        for (int i = 0; i < I * K * J; i++)
            want[i / J] += tensor_at(&a, i / J / K * J + i % J) * tensor_at(&b, i % J * K + i / J % K);
        check_einsum("ij,jk->ik", in, 2, I * K, want);
        check_einsum(" ij , jk ", in, 2, I * K, want);
        double total = 0, trace = 0;
        for (int i = 0; i < I * J; i++) total += tensor_at(&a, i);
        for (int i = 0; i < I; i++) trace += tensor_at(&c, i * I + i);
        check_einsum("ij->", in, 1, 1, &total);
        check_einsum("ii", &c, 1, 1, &trace);
        for (int i = 0; i < I * J; i++) want[i] = tensor_at(&a, i % I * J + i / I);
        check_einsum("...j->j...", in, 1, I * J, want);
        for (int i = 0; i < I; i++) want[i] = tensor_at(&c, i * I + i);
        check_einsum("ii->i", &c, 1, I, want);
        total = 0;
        for (int n = 0; n < I * J * K; n++) {
            int i = n / J / K, j = n / K % J, k = n % K;
            total += tensor_at(&a, i * J + j) * tensor_at(&b, j * K + k) * tensor_at(&c, i * I);
        }
        born_view column = c;
        column.dim[1] = 1;
        in[2] = column;
        check_einsum("ij,jk,iz->z", in, 3, 1, &total);
    }
    calls_free();
}

TEST(einsum_chain_is_cut)
{
    enum { N = 2500 };
    born_view a = tensor_zeros(BORN_F32, DIMS(N)), b = tensor_zeros(BORN_F32, DIMS(N));
    float total = 0;
    for (int s = 0; s < N; s += 1024) {
        float acc = 0;
        for (int i = s; i < N && i < s + 1024; i++) {
            float x = (float)random_below(1000) / 7, y = (float)random_below(1000) / 13;
            ((float *)(void *)a.data)[i] = x;
            ((float *)(void *)b.data)[i] = y;
            acc = fmaf(x, y, acc);
        }
        total += acc;
    }
    check_einsum("i,i", (born_view[]){ a, b }, 2, 1, &(double){ (double)total });
    calls_free();
}

TEST(einsum_refuses)
{
    static const char *const bad[] = { "ij", "ij,jk->iz", "ij,jk->ii", "ij,jk-ik", "ij,j", "ij,jk,", "i.j,jk",
                                       "ij,jk->i,", "...ij..., jk", "i1,jk", "", "ij,jk->ik->" };
    born_view in[2] = { F(2, 3), F(3, 4) }, out;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        born_error err = { 0 };
        born_einsum_attrs a = { .equation = { bad[i], strlen(bad[i]) } };
        born_status st = call_op(BORN_OP_EINSUM, &a, in, 2, &out, 1, &err);
        CHECK_MSG(st == BORN_INVALID || st == BORN_SHAPE, "%s: %s", bad[i], born_status_name(st));
    }
    REFUSED(EINSUM, (&(born_einsum_attrs){ .equation = { "ij,jk", 5 } }), BORN_SHAPE, "dim 0 does not fit 3", in[0],
            F(2, 4));
    calls_free();
}

TEST(det_by_cofactors)
{
    born_error err = { 0 };
    born_view x = R(BORN_F64, 5, 3, 3), s = tensor_strided(&x), out;
    for (int i = 0; i < 3; i++) born__store_f64(BORN_F64, tensor_address(&s, i), 0);
    for (int i = 0; i < 3; i++) born__store_f64(BORN_F64, tensor_address(&x, i), 0);    /* a singular one */
    REQUIRE_OK(call_op(BORN_OP_DET, NULL, &s, 1, &out, 1, &err), &err);
    for (int64_t b = 0; b < 5; b++) {
        double m[9];
        for (int i = 0; i < 9; i++) m[i] = tensor_at(&x, b * 9 + i);
        double want = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
                      m[2] * (m[3] * m[7] - m[4] * m[6]);
        CHECK(fabs(tensor_at(&out, b) - want) <= 1e-9 * (1 + fabs(want)));
    }
    REFUSED(DET, NULL, BORN_SHAPE, "square", F(2, 3));
    calls_free();
}

TEST_MAIN
