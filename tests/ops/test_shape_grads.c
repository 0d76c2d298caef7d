/* Gradients of ops that move elements are their transposes: for y = A x and any g, sum(y * g) = sum(x * A'g), exactly
   in small integers. */
#include <math.h>

#include "../harness.h"
#include "support_calls.h"
#include "tensor/view.h"

static double dot(const born_view *a, const born_view *b)
{
    double sum = 0;
    for (int64_t i = 0; i < born__view_count(a); i++) sum += tensor_at(a, i) * tensor_at(b, i);
    return sum;
}

static bool same_dims(const born_view *a, const born_view *b)
{
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

/* The call is linear in all its float inputs together. */
static void check_adjoint(const char *what, born_op_id op, const void *attrs, const born_view *in, int in_count,
                          int out_count)
{
    born_view out[8], gout[8], gin[8];
    born_error err = { 0 };
    if (!CHECK_OK(call_op(op, attrs, in, in_count, out, out_count, &err), &err)) return;
    double left = 0, right = 0;
    for (int i = 0; i < out_count; i++) {
        gout[i] = no_tensor;
        if (out[i].dtype != BORN_F64) continue;
        gout[i] = tensor_random(BORN_F64, out[i].rank, out[i].dim);
        left += dot(&out[i], &gout[i]);
    }
    if (!CHECK_OK(grad_op(op, attrs, in, in_count, out, gout, out_count, gin, &err), &err)) return;
    for (int i = 0; i < in_count; i++) {
        if (in[i].dtype != BORN_F64) continue;
        bool fits = gin[i].dtype == BORN_F64 && same_dims(&gin[i], &in[i]);
        if (!CHECK_MSG(fits, "%s: no gradient of operand %d", what, i)) return;
        right += dot(&in[i], &gin[i]);
    }
    CHECK_MSG(left == right, "%s: %.17g is not %.17g", what, left, right);
}

#define ADJOINT(op, attrs, outs, ...)                                                                                 \
    check_adjoint(#op, BORN_OP_##op, attrs, (born_view[]){ __VA_ARGS__ },                                             \
                  (int)(sizeof((born_view[]){ __VA_ARGS__ }) / sizeof(born_view)), outs)
#define RANDOM(...) tensor_random(BORN_F64, DIMS(__VA_ARGS__))

TEST(grads_of_views)
{
    ADJOINT(RESHAPE, NULL, 1, RANDOM(2, 3, 4), LIST(6, -1));
    ADJOINT(FLATTEN, NULL, 1, RANDOM(2, 3, 4));
    ADJOINT(SQUEEZE, NULL, 1, RANDOM(1, 3, 1), LIST(0));
    ADJOINT(UNSQUEEZE, NULL, 1, RANDOM(3, 2), LIST(1, -1));
    ADJOINT(TRANSPOSE, NULL, 1, RANDOM(2, 3, 4));
    ADJOINT(TRANSPOSE, (&(born_transpose_attrs){ .perm = BORN_INTS(2, 0, 3, 1) }), 1, RANDOM(2, 3, 4, 5));
    ADJOINT(EXPAND, NULL, 1, RANDOM(3, 1), LIST(2, 3, 4));
    ADJOINT(SLICE, NULL, 1, RANDOM(9, 5), LIST(7, 0), LIST(0, 5), LIST(0, 1), LIST(-2, 1));
    ADJOINT(SLICE, NULL, 1, RANDOM(9, 5), LIST(1), LIST(INT64_MAX));
    ADJOINT(SLICE_SCATTER, NULL, 1, RANDOM(5, 3), RANDOM(2, 3), LIST(0), LIST(4), LIST(0), LIST(2));
    calls_free();
}

TEST(grads_of_joins)
{
    ADJOINT(CONCAT, (&(born_concat_attrs){ .axis = 1 }), 1, RANDOM(2, 3), RANDOM(2, 0), RANDOM(2, 4));
    ADJOINT(SPLIT, (&(born_split_attrs){ .axis = -1 }), 3, RANDOM(2, 7), LIST(2, 1, 4));
    ADJOINT(SPLIT, NULL, 2, RANDOM(5, 2));
    ADJOINT(PAD, NULL, 1, RANDOM(3, 4), LIST(1, -1, 2, 3), RANDOM(1));
    ADJOINT(PAD, NULL, 1, RANDOM(3, 4), LIST(2, 1), no_tensor, LIST(-1));
    ADJOINT(TILE, NULL, 1, RANDOM(2, 3, 2), LIST(3, 1, 2));
    ADJOINT(TILE, NULL, 1, RANDOM(2, 3), LIST(0, 2));
    ADJOINT(CENTER_CROP_PAD, NULL, 1, RANDOM(5, 4, 3), LIST(2, 7, 3));
    born_view many[8], out;
    born_error err = { 0 };
    for (int i = 0; i < 8; i++) many[i] = RANDOM(1, 2);
    CHECK_OK(call_op(BORN_OP_CONCAT, NULL, many, 8, &out, 1, &err), &err);
    check_adjoint("concat of 8", BORN_OP_CONCAT, NULL, many, 8, 1);
    check_adjoint("split into 8", BORN_OP_SPLIT, NULL, &out, 1, 8);
    calls_free();
}

TEST(grads_of_rearrangements)
{
    ADJOINT(TRILU, (&(born_trilu_attrs){ .lower = true }), 1, RANDOM(2, 4, 5), tensor_int(-1));
    ADJOINT(TRILU, NULL, 1, RANDOM(4, 5));
    ADJOINT(DEPTH_TO_SPACE, (&(born_depth_to_space_attrs){ .blocksize = 2 }), 1, RANDOM(1, 8, 2, 3));
    ADJOINT(DEPTH_TO_SPACE, (&(born_depth_to_space_attrs){ .blocksize = 2, .mode = 1 }), 1, RANDOM(1, 8, 2, 3));
    ADJOINT(SPACE_TO_DEPTH, (&(born_depth_to_space_attrs){ .blocksize = 3 }), 1, RANDOM(1, 2, 6, 3));
    ADJOINT(REVERSE_SEQUENCE, NULL, 1, RANDOM(5, 3), LIST(2, 5, 0));
    calls_free();
}

TEST(grads_of_indices)
{
    ADJOINT(GATHER, NULL, 1, RANDOM(4, 3), LIST(1, 1, -1, 0, 1));
    ADJOINT(GATHER, (&(born_gather_attrs){ .axis = 1 }), 1, RANDOM(2, 4, 3),
            tensor_of(BORN_I32, DIMS(2, 2), (double[]){ 3, 0, 0, -2 }));
    ADJOINT(GATHER, NULL, 1, RANDOM(4), tensor_int(2));
    ADJOINT(GATHER_ELEMENTS, NULL, 1, RANDOM(3, 2),
            tensor_of(BORN_I64, DIMS(4, 2), (double[]){ 0, 1, 0, 2, -1, 1, 0, 1 }));
    ADJOINT(GATHER_ND, NULL, 1, RANDOM(3, 2, 2), tensor_of(BORN_I64, DIMS(3, 2), (double[]){ 0, 1, 2, 0, 0, 1 }));
    ADJOINT(SCATTER_ELEMENTS, NULL, 1, RANDOM(3, 2), tensor_of(BORN_I64, DIMS(1, 2), (double[]){ 2, 0 }), RANDOM(1, 2));
    ADJOINT(SCATTER_ELEMENTS, (&(born_scatter_elements_attrs){ .reduction = 1 }), 1, RANDOM(3, 2),
            tensor_of(BORN_I64, DIMS(2, 2), (double[]){ 2, 0, 2, 1 }), RANDOM(2, 2));
    ADJOINT(SCATTER_ND, NULL, 1, RANDOM(3, 2), tensor_of(BORN_I64, DIMS(2, 1), (double[]){ 2, 0 }), RANDOM(2, 2));
    ADJOINT(SCATTER_ND, (&(born_scatter_nd_attrs){ .reduction = 1 }), 1, RANDOM(3, 2),
            tensor_of(BORN_I64, DIMS(2, 1), (double[]){ 2, 2 }), RANDOM(2, 2));
    ADJOINT(TOPK, NULL, 2, RANDOM(3, 6), tensor_int(2));
    calls_free();
}

TEST(grads_of_pads_that_show_x)
{
    for (int mode = 1; mode < 4; mode++) {
        born_pad_attrs a = { .mode = mode };
        ADJOINT(PAD, &a, 1, RANDOM(4, 3), LIST(1, 0, 2, 1));
        ADJOINT(PAD, &a, 1, RANDOM(2, 5, 3), LIST(4, -1), no_tensor, LIST(1));
        ADJOINT(PAD, &a, 1, RANDOM(2, 3), LIST(-1, 7), no_tensor, LIST(-1));
    }
    calls_free();
}

TEST(grads_of_columns)
{
    born_col2im_attrs a = { .strides = BORN_INTS(2, 1), .pads = BORN_INTS(1, 0, 1, 2), .dilations = BORN_INTS(1, 2) };
    ADJOINT(IM2COL, NULL, 1, RANDOM(2, 2, 4, 5), LIST(2, 3));
    ADJOINT(IM2COL, &a, 1, RANDOM(1, 2, 5, 4), LIST(3, 2));
    ADJOINT(IM2COL, NULL, 1, RANDOM(2, 3, 7), LIST(3));
    ADJOINT(COL2IM, &a, 1, RANDOM(1, 12, 12), LIST(5, 4), LIST(3, 2));
    calls_free();
}

TEST(grads_of_more_indices)
{
    ADJOINT(GATHER_ND, (&(born_gather_nd_attrs){ .batch_dims = 1 }), 1, RANDOM(2, 3, 2),
            tensor_of(BORN_I64, DIMS(2, 2, 1), (double[]){ 1, 1, 0, -1 }));
    ADJOINT(GATHER_ND, (&(born_gather_nd_attrs){ .batch_dims = 2 }), 1, RANDOM(2, 2, 3),
            tensor_of(BORN_I32, DIMS(2, 2, 1), (double[]){ 1, 1, 0, 2 }));
    ADJOINT(TENSOR_SCATTER, NULL, 1, RANDOM(2, 5, 3), RANDOM(2, 2, 3), LIST(3, 0));
    ADJOINT(TENSOR_SCATTER, (&(born_tensor_scatter_attrs){ .mode = 1, .axis = 1 }), 1, RANDOM(2, 5, 3),
            RANDOM(2, 3, 3), LIST(4, 1));
    ADJOINT(TENSOR_SCATTER, NULL, 1, RANDOM(2, 2, 5, 3), RANDOM(2, 2, 4, 3));
    born_view some = tensor_of(BORN_BOOL, DIMS(4), (double[]){ 1, 0, 0, 1 });
    ADJOINT(COMPRESS, (&(born_compress_attrs){ .axis = 1 }), 1, RANDOM(2, 4, 2), some);
    ADJOINT(COMPRESS, NULL, 1, RANDOM(3, 4), some);
    calls_free();
}

TEST_MAIN
