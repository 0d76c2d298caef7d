/* Pools against plain f64 formulas over all geometries, their indices, and hostile attributes, regions and indices. */
#include <math.h>

#include "../harness.h"
#include "support_nn.h"
#include "tensor/view.h"

typedef enum pool_kind { KIND_MAX, KIND_AVERAGE, KIND_AVERAGE_PADDED, KIND_LP } pool_kind;

typedef struct pool_case {
    pool_kind kind;
    int spatial;
    double p;
    int64_t kernel[3], stride[3], pad[6], dilation[3];
    const born_view *x;
} pool_case;

static double want_pool(const void *ctx, const int64_t *at)
{
    const pool_case *c = ctx;
    int64_t tap[3] = { 0 }, n = c->spatial;
    double sum = 0, best = -INFINITY, cells = 0;
    for (bool more = true; more;) {
        int64_t xi[5] = { at[0], at[1] };
        bool inside = true, counted = true;
        for (int d = 0; d < n; d++) {
            int64_t i = xi[2 + d] = at[2 + d] * c->stride[d] - c->pad[d] + tap[d] * c->dilation[d];
            inside = inside && i >= 0 && i < c->x->dim[2 + d];
            counted = counted && i < c->x->dim[2 + d] + c->pad[n + d];
        }
        double v = nn_at(c->x, xi);
        if (inside) {
            sum += c->kind == KIND_LP ? pow(fabs(v), c->p) : v;
            if (v > best) best = v;
        }
        cells += c->kind == KIND_AVERAGE_PADDED ? counted : inside;
        more = false;
        for (int d = (int)n - 1; d >= 0 && !more; d--) {
            more = ++tap[d] < c->kernel[d];
            if (!more) tap[d] = 0;
        }
    }
    if (c->kind == KIND_MAX) return best;
    return c->kind == KIND_LP ? pow(sum, 1 / c->p) : cells > 0 ? sum / cells : 0;
}

static const int64_t strides[3][3] = { { 1, 1, 1 }, { 2, 2, 2 }, { 3, 1, 2 } };
static const int64_t pads[3][6] = { { 0 }, { 1, 1, 1, 1, 1, 1 }, { 2, 0, 1, 1, 1, 0 } };
static const int64_t dilations[2][3] = { { 1, 1, 1 }, { 2, 1, 2 } };

static void set_case(pool_case *c, int n, int64_t i, const born_view *x)
{
    c->spatial = n;
    c->x = x;
    for (int d = 0; d < n; d++) {
        c->kernel[d] = 3 - d % 2;
        c->stride[d] = strides[i % 3][d];
        c->dilation[d] = dilations[i / 9 % 2][d];
        c->pad[d] = pads[i / 3 % 3][d];
        c->pad[n + d] = pads[i / 3 % 3][n + d];
    }
}

/* The set of each pool starts alike; this fills what a case says. */
#define SET_ATTRS(a, c, ceil)                                                                                         \
    do {                                                                                                              \
        (a).kernel_shape = (born_ints){ (c).kernel, (c).spatial };                                                    \
        (a).strides = (born_ints){ (c).stride, (c).spatial };                                                         \
        (a).pads = (born_ints){ (c).pad, 2 * (c).spatial };                                                           \
        (a).dilations = (born_ints){ (c).dilation, (c).spatial };                                                     \
        (a).ceil_mode = (ceil);                                                                                       \
    } while (0)

static void pool_one(int n, int64_t i, bool ceil)
{
    born_view x = nn_noise(i % 2 ? BORN_F32 : BORN_F64, n + 2, (int64_t[]){ 2, 19, 9, 8, 7 }), out[2];
    pool_case c = { .kind = KIND_MAX };
    born_max_pool_attrs m = { 0 };
    born_average_pool_attrs a = { 0 };
    born_lp_pool_attrs l = { 0 };
    set_case(&c, n, i, &x);
    SET_ATTRS(m, c, ceil);
    SET_ATTRS(a, c, ceil);
    SET_ATTRS(l, c, ceil);
    if (!CHECK(nn_run("max_pool", BORN_OP_MAX_POOL, &m, &x, 1, 0, out, 2) &&
               nn_close("max_pool", out, want_pool, &c, 0)))
        return;
    for (int64_t e = 0; e < born__view_count(&out[0]); e++) {
        int64_t at = (int64_t)tensor_at(&out[1], e);
        CHECK(at < 0 ? tensor_at(&out[0], e) == -INFINITY : tensor_at(&x, at) == tensor_at(&out[0], e));
    }
    for (int padded = 0; padded < 2; padded++) {
        c.kind = padded ? KIND_AVERAGE_PADDED : KIND_AVERAGE;
        a.count_include_pad = padded;
        CHECK(nn_run("average_pool", BORN_OP_AVERAGE_POOL, &a, &x, 1, 0, out, 1) &&
              nn_close("average_pool", out, want_pool, &c, 1e-6));
    }
    c.kind = KIND_LP;
    for (l.p = 1; l.p <= 3; l.p++) {
        c.p = (double)l.p;
        CHECK(nn_run("lp_pool", BORN_OP_LP_POOL, &l, &x, 1, 0, out, 1) &&
              nn_close("lp_pool", out, want_pool, &c, 1e-5));
    }
}

TEST(pools_equal_plain_formulas)
{
    for (int n = 1; n <= 3; n++)
        for (int64_t i = 0; i < 18; i++) {
            if (i / 9 == 1 && i / 3 % 3 == 0) continue;     /* dilated windows need the padding */
            pool_one(n, i, i % 4 == 3);
            calls_free();
        }
}

TEST(global_pools_take_the_plane)
{
    for (int rank = 2; rank <= 5; rank++) {
        born_view x = nn_noise(BORN_F32, rank, (int64_t[]){ 2, 19, 11, 13, 12 }), out;
        pool_case c = { .kind = KIND_AVERAGE, .spatial = rank - 2, .p = 2, .x = &x };
        for (int d = 0; d < 3; d++) {
            c.kernel[d] = d < rank - 2 ? x.dim[2 + d] : 1;
            c.stride[d] = c.dilation[d] = 1;
        }
        CHECK(nn_run("global_average_pool", BORN_OP_GLOBAL_AVERAGE_POOL, NULL, &x, 1, 0, &out, 1) &&
              nn_close("global_average_pool", &out, want_pool, &c, 1e-6));
        c.kind = KIND_MAX;
        CHECK(nn_run("global_max_pool", BORN_OP_GLOBAL_MAX_POOL, NULL, &x, 1, 0, &out, 1) &&
              nn_close("global_max_pool", &out, want_pool, &c, 0));
        c.kind = KIND_LP;
        CHECK(nn_run("global_lp_pool", BORN_OP_GLOBAL_LP_POOL, NULL, &x, 1, 0, &out, 1) &&
              nn_close("global_lp_pool", &out, want_pool, &c, 1e-5));
    }
    calls_free();
}

/* Chains of 1,024 additions over the plane, as 0002-conv-order.md says. */
TEST(global_average_pool_keeps_the_order_of_terms)
{
    born_view x = nn_noise(BORN_F32, DIMS(1, 3, 50, 53)), out;
    if (!CHECK(nn_run("order", BORN_OP_GLOBAL_AVERAGE_POOL, NULL, &x, 1, 0, &out, 1))) return;
    for (int64_t ch = 0; ch < 3; ch++) {
        float total = 0, chain = 0;
        for (int64_t t = 0; t < 2650; t++) {
            if (t > 0 && t % 1024 == 0) {
                total = t == 1024 ? chain : total + chain;
                chain = 0;
            }
            chain += (float)tensor_at(&x, ch * 2650 + t);
        }
        CHECK((float)tensor_at(&out, ch) == (total + chain) / 2650);
    }
    calls_free();
}

TEST(max_pool_keeps_nan_and_first_of_equals)
{
    born_view x = tensor_of(BORN_F32, DIMS(1, 1, 6), (double[]){ 1, 3, 3, NAN, 2, -INFINITY }), out[2];
    born_error err = { 0 };
    int64_t k = 2;
    born_max_pool_attrs a = { .kernel_shape = { &k, 1 } };
    REQUIRE_OK(call_op(BORN_OP_MAX_POOL, &a, &x, 1, out, 2, &err), &err);
    CHECK(tensor_at(&out[0], 0) == 3 && tensor_at(&out[1], 0) == 1);
    CHECK(tensor_at(&out[0], 1) == 3 && tensor_at(&out[1], 1) == 1);
    CHECK(isnan(tensor_at(&out[0], 2)) && isnan(tensor_at(&out[0], 3)) && tensor_at(&out[1], 3) == 3);
    CHECK(tensor_at(&out[0], 4) == 2);
    calls_free();
}

TEST(max_pool_takes_integers_and_column_major)
{
    const born_dtype types[] = { BORN_I8, BORN_U8, BORN_I16, BORN_U16, BORN_I32, BORN_U32, BORN_I64, BORN_U64 };
    int64_t k[2] = { 2, 2 }, far[4] = { 2, 2, 2, 2 };
    for (int t = 0; t < 8; t++) {
        born_view x = tensor_random(types[t], DIMS(1, 2, 4, 5)), out[2];
        pool_case c = { .kind = KIND_MAX, .spatial = 2, .kernel = { 2, 2 }, .stride = { 1, 1 }, .dilation = { 1, 1 },
                        .x = &x };
        born_max_pool_attrs a = { .kernel_shape = { k, 2 }, .storage_order = 1 };
        CHECK(nn_run("ints", BORN_OP_MAX_POOL, &a, &x, 1, 0, out, 2) && nn_close("ints", out, want_pool, &c, 0));
        for (int64_t e = 0; e < born__view_count(&out[0]); e++) {
            int64_t at = (int64_t)tensor_at(&out[1], e), in = at % 20;
            CHECK(NN_AT(&x, 0, at / 20, in % 4, in / 4) == tensor_at(&out[0], e));
        }
        a = (born_max_pool_attrs){ .kernel_shape = { k, 2 }, .pads = { far, 4 } };
        CHECK(nn_run("padding alone", BORN_OP_MAX_POOL, &a, &x, 1, 0, out, 2));
        CHECK(tensor_at(&out[1], 0) == -1);
    }
    calls_free();
}

TEST(pools_refuse_what_does_not_fit)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(1, 2, 4, 5)), out;
    born_error err = { 0 };
    int64_t five[2] = { 5, 5 }, big[4] = { 1 << 30, 1 << 30, 1 << 30, 1 << 30 };
    born_max_pool_attrs a = { 0 };
    CHECK(nn_refused(BORN_OP_MAX_POOL, &a, &x, 1, 1, BORN_INVALID, "no kernel_shape"));
    a.kernel_shape = (born_ints){ five, 1 };
    CHECK(nn_refused(BORN_OP_MAX_POOL, &a, &x, 1, 1, BORN_INVALID, "kernel_shape has 1"));
    a.kernel_shape = (born_ints){ five, 2 };
    CHECK(nn_refused(BORN_OP_MAX_POOL, &a, &x, 1, 1, BORN_SHAPE, "the window spans 5"));
    a.kernel_shape = (born_ints){ big, 2 };
    a.pads = (born_ints){ big, 4 };
    CHECK(nn_refused(BORN_OP_MAX_POOL, &a, &x, 1, 1, BORN_RANGE, "cells"));
    a.auto_pad = 1;
    CHECK(nn_refused(BORN_OP_MAX_POOL, &a, &x, 1, 1, BORN_RANGE, "cells"));
    x = tensor_zeros(BORN_F32, DIMS(2, 3, 0, 4));
    REQUIRE_OK(call_op(BORN_OP_GLOBAL_AVERAGE_POOL, NULL, &x, 1, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 0);
    x = tensor_zeros(BORN_F32, DIMS(2));
    CHECK(nn_refused(BORN_OP_GLOBAL_MAX_POOL, NULL, &x, 1, 1, BORN_SHAPE, "rank"));
    calls_free();
}

TEST(max_unpool_puts_back_and_checks_indices)
{
    born_view x = tensor_random(BORN_F32, DIMS(2, 3, 4, 6)), pooled[2], in[3], out;
    born_error err = { 0 };
    int64_t k[2] = { 2, 2 };
    born_max_pool_attrs m = { .kernel_shape = { k, 2 }, .strides = { k, 2 } };
    born_max_unpool_attrs a = { .kernel_shape = { k, 2 }, .strides = { k, 2 } };
    REQUIRE_OK(call_op(BORN_OP_MAX_POOL, &m, &x, 1, pooled, 2, &err), &err);
    in[0] = pooled[0];
    in[1] = pooled[1];
    REQUIRE(nn_run("max_unpool", BORN_OP_MAX_UNPOOL, &a, in, 2, 0, &out, 1));
    CHECK(born__view_count(&out) == 144);
    for (int64_t i = 0; i < 36; i++) CHECK(tensor_at(&out, (int64_t)tensor_at(&in[1], i)) == tensor_at(&in[0], i));
    in[2] = LIST(2, 3, 5, 7);
    REQUIRE(nn_run("max_unpool larger", BORN_OP_MAX_UNPOOL, &a, in, 3, 4, &out, 1));
    int64_t at = (int64_t)tensor_at(&in[1], 35);
    CHECK(NN_AT(&out, at / 72, at / 24 % 3, at / 6 % 4, at % 6) == tensor_at(&in[0], 35));
    const double bad[3] = { -1, 144, 9e18 };
    for (int i = 0; i < 3; i++) {
        born__store_f64(BORN_I64, tensor_address(&in[1], 7), bad[i]);
        CHECK_STATUS(call_op(BORN_OP_MAX_UNPOOL, &a, in, 2, &out, 1, &err), BORN_RANGE);
    }
    calls_free();
}

TEST(regions_are_checked)
{
    int64_t shape[2] = { 3, 2 };
    born_view x = nn_noise(BORN_F32, DIMS(2, 3, 8, 9)), out, in[3] = { x };
    born_error err = { 0 };
    born_max_roi_pool_attrs p = { .pooled_shape = { shape, 2 } };
    born_roi_align_attrs r = { .output_height = 3, .output_width = 2 };
    in[1] = tensor_of(BORN_F32, DIMS(2, 5), (double[]){ 0, 0, 0, 8, 7, 1, -1e30, NAN, 1e30, 3 });
    CHECK(nn_run("max_roi_pool", BORN_OP_MAX_ROI_POOL, &p, in, 2, 0, &out, 1));
    in[1] = tensor_of(BORN_F32, DIMS(1, 5), (double[]){ 2, 0, 0, 8, 7 });
    CHECK_STATUS(call_op(BORN_OP_MAX_ROI_POOL, &p, in, 2, &out, 1, &err), BORN_RANGE);
    in[1] = tensor_of(BORN_F32, DIMS(1, 5), (double[]){ NAN, 0, 0, 8, 7 });
    CHECK_STATUS(call_op(BORN_OP_MAX_ROI_POOL, &p, in, 2, &out, 1, &err), BORN_RANGE);
    in[1] = tensor_of(BORN_F32, DIMS(2, 4), (double[]){ 0, 0, 8, 7, NAN, 1, 3, NAN });
    in[2] = LIST(1, 0);
    CHECK(nn_run("roi_align", BORN_OP_ROI_ALIGN, &r, in, 3, 0, &out, 1));
    in[2] = LIST(1, -1);
    CHECK_STATUS(call_op(BORN_OP_ROI_ALIGN, &r, in, 3, &out, 1, &err), BORN_RANGE);
    in[1] = tensor_of(BORN_F32, DIMS(2, 4), (double[]){ 0, 0, 8, 7, -1e20, 0, 1e20, 2 });
    in[2] = LIST(1, 0);
    CHECK_STATUS(call_op(BORN_OP_ROI_ALIGN, &r, in, 3, &out, 1, &err), BORN_RANGE);
    calls_free();
}

/* A region that is the image, sampled once per cell, reads the image. */
TEST(roi_align_reads_cells)
{
    born_view in[3] = { nn_noise(BORN_F32, DIMS(1, 2, 4, 5)), tensor_of(BORN_F32, DIMS(1, 4), (double[]){ 0, 0, 5, 4 }),
                        LIST(0) };
    born_roi_align_attrs r = { .output_height = 4, .output_width = 5, .sampling_ratio = 1 };
    born_view out;
    REQUIRE(nn_run("roi_align", BORN_OP_ROI_ALIGN, &r, in, 3, 0, &out, 1));
    for (int64_t i = 0; i < 40; i++) CHECK(fabs(tensor_at(&out, i) - tensor_at(&in[0], i)) < 1e-6);
    calls_free();
}

TEST_MAIN
