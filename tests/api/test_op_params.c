/* Operators whose public form has numbers and lists: each reaches its operator with the right operands and
   attributes. */
#include <born/born.h>

#include "harness.h"

static born_backend *b;
static const float six[6] = { 1, 2, 3, 4, 5, 6 };

static born_f32 x23(void) { return born_from_f32(b, BORN_ARRAY(six, 2, 3)); }

#define GIVES(x, ...)                                                                                                 \
    do {                                                                                                              \
        const float want[] = { __VA_ARGS__ };                                                                         \
        float got[64] = { 0 };                                                                                        \
        bool read = born_read((x), got, sizeof want) == BORN_OK;                                                      \
        CHECK_MSG(read && !memcmp(got, want, sizeof want), "%s: %s; %g %g %g %g", #x, born_backend_error(b)->text,    \
                  (double)got[0], (double)got[1], (double)got[2], (double)got[3]);                                    \
        born_error taken;                                                                                             \
        born_backend_take_error(b, &taken);                                                                           \
    } while (0)

static bool shape_is(born_shape s, int rank, int64_t d0, int64_t d1)
{
    return s.rank == rank && (rank < 1 || s.dim[0] == d0) && (rank < 2 || s.dim[1] == d1);
}

TEST(reductions)
{
    b = born_cpu(NULL);
    GIVES(born_reduce_sum(x23(), (born_ints){ 0 }, NULL), 21);
    GIVES(born_reduce_sum(x23(), BORN_INTS(0), NULL), 5, 7, 9);
    GIVES(born_reduce_mean(x23(), BORN_INTS(-1), NULL), 2, 5);
    GIVES(born_reduce_max(x23(), BORN_INTS(0), NULL), 4, 5, 6);
    GIVES(born_reduce_prod(x23(), BORN_INTS(1), NULL), 6, 120);
    CHECK(shape_is(born_shape_of(born_reduce_sum(x23(), BORN_INTS(1), NULL)), 2, 2, 1));
    born_reduce_attrs drop = { .drop_dims = true };
    CHECK(shape_is(born_shape_of(born_reduce_sum(x23(), BORN_INTS(1), &drop)), 1, 2, 0));
    GIVES(born_cumsum(x23(), 1, NULL), 1, 3, 6, 4, 9, 15);
    GIVES(born_cumsum(x23(), 0, &(born_scan_axis_attrs){ .reverse = true }), 5, 7, 9, 4, 5, 6);
    int64_t k[3];
    CHECK_STATUS(born_read(born_arg_max(x23(), NULL), k, sizeof k), BORN_OK);
    CHECK(k[0] == 1 && k[1] == 1 && k[2] == 1);
    born_backend_close(&b);
}

TEST(shapes)
{
    b = born_cpu(NULL);
    CHECK(shape_is(born_shape_of(born_reshape(x23(), BORN_SHAPE(-1, 2))), 2, 3, 2));
    CHECK(shape_is(born_shape_of(born_reshape(born_from_f32(b, BORN_ARRAY(six, 0, 3)), BORN_SHAPE(3, 0))), 2, 3, 0));
    CHECK(shape_is(born_shape_of(born_flatten(x23(), 0)), 2, 1, 6));
    CHECK(shape_is(born_shape_of(born_unsqueeze(x23(), BORN_INTS(0))), 3, 1, 2));
    CHECK(shape_is(born_shape_of(born_squeeze(born_unsqueeze(x23(), BORN_INTS(0)), (born_ints){ 0 })), 2, 2, 3));
    GIVES(born_transpose(x23(), BORN_INTS(1, 0)), 1, 4, 2, 5, 3, 6);
    GIVES(born_transpose(x23(), (born_ints){ 0 }), 1, 4, 2, 5, 3, 6);
    GIVES(born_expand(born_from_f32(b, BORN_ARRAY(six, 1, 3)), BORN_SHAPE(2, 3)), 1, 2, 3, 1, 2, 3);
    GIVES(born_slice(x23(), BORN_INTS(1), BORN_INTS(3), BORN_INTS(1), (born_ints){ 0 }), 2, 3, 5, 6);
    GIVES(born_slice(x23(), BORN_INTS(-1), BORN_INTS(INT64_MIN), BORN_INTS(1), BORN_INTS(-1)), 3, 2, 1, 6, 5, 4);
    GIVES(born_slice(x23(), BORN_INTS(1, 0), BORN_INTS(2, 2), (born_ints){ 0 }, (born_ints){ 0 }), 4, 5);
    born_f32 two[2] = { x23(), x23() }, part[3];
    GIVES(born_concat(two, 2, 1), 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6);
    GIVES(born_split(x23(), part, 3, (born_ints){ 0 }, 1), 1, 4);
    GIVES(part[2], 3, 6);
    GIVES(born_split(x23(), part, 2, BORN_INTS(1, 2), 1), 1, 4);
    GIVES(part[1], 2, 3, 5, 6);
    GIVES(born_pad(x23(), BORN_INTS(0, 1, 0, 0), 9, NULL), 9, 1, 2, 3, 9, 4, 5, 6);
    GIVES(born_tile(born_from_f32(b, BORN_ARRAY(six, 2)), BORN_INTS(2)), 1, 2, 1, 2);
    GIVES(born_trilu(x23(), 0, &(born_trilu_attrs){ .lower = true }), 1, 0, 0, 4, 5, 0);
    GIVES(born_trilu(x23(), 1, NULL), 0, 2, 3, 0, 0, 6);
    GIVES(born_as_f32(born_range(b, BORN_F32, 1, 2, 0.5)), 1, 1.5f);
    CHECK(!born_is_alive(born_split(x23(), part, 2, BORN_INTS(1, 1), 1)));
    CHECK(!born_is_alive(part[0]) && !born_is_alive(part[1]));
    CHECK(!born_is_alive(born_reshape(x23(), BORN_SHAPE(4, 2))));
    born_error err;
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_SHAPE);
    born_backend_close(&b);
}

TEST(indices)
{
    b = born_cpu(NULL);
    const int64_t rows[] = { 1, 0 }, out[] = { 2 };
    const int32_t cols[] = { 2, 0 };
    born_i64 r = born_from_i64(b, BORN_ARRAY(rows, 2));
    born_i32 c = born_from_i32(b, BORN_ARRAY(cols, 2));
    GIVES(born_gather(x23(), r, 0), 4, 5, 6, 1, 2, 3);
    GIVES(born_gather(x23(), c, 1), 3, 1, 6, 4);
    GIVES(born_gather_elements(x23(), born_from_i64(b, BORN_ARRAY(rows, 1, 2)), 0), 4, 2);
    GIVES(born_gather_nd(x23(), born_from_i64(b, BORN_ARRAY(rows, 2, 1)), 0), 4, 5, 6, 1, 2, 3);
    born_i64 at = born_from_i64(b, BORN_ARRAY(rows, 1, 2));
    GIVES(born_scatter_nd(x23(), at, born_from_f32(b, BORN_ARRAY(six, 1)), NULL), 1, 2, 3, 1, 5, 6);
    CHECK(!born_is_alive(born_gather(x23(), born_from_i64(b, BORN_ARRAY(out, 1)), 0)));
    CHECK_INT(born_backend_error(b)->status, BORN_RANGE);
    born_error err;
    born_backend_take_error(b, &err);
    born_i64 where;
    int64_t k[2];
    GIVES(born_topk(x23(), 1, NULL, &where), 3, 6);
    CHECK_STATUS(born_read(where, k, sizeof k), BORN_OK);
    CHECK(k[0] == 2 && k[1] == 2);
    GIVES(born_topk(x23(), 1, &(born_topk_attrs){ .smallest = true }, NULL), 1, 4);
    born_i64 nz = born_nonzero(born_sub(x23(), 1));
    CHECK(shape_is(born_shape_of(nz), 2, 2, 5));
    born_backend_close(&b);
}

TEST(networks)
{
    b = born_cpu(NULL);
    static const float plane[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    static const float ones[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    born_f32 x = born_from_f32(b, BORN_ARRAY(plane, 1, 1, 4, 4)), none = { { 0 } };
    GIVES(born_conv(x, born_from_f32(b, BORN_ARRAY(ones, 1, 1, 3, 3)), none, NULL), 54, 63, 90, 99);
    born_max_pool_attrs window = { .kernel_shape = BORN_INTS(2, 2), .strides = BORN_INTS(2, 2) };
    GIVES(born_max_pool(x, &window), 6, 8, 14, 16);
    GIVES(born_global_average_pool(x), 8.5f);
    GIVES(born_gemm(x23(), x23(), none, &(born_gemm_attrs){ .trans_b = true }), 14, 32, 32, 77);
    GIVES(born_softmax(born_mul(x23(), 0), 0), 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f);
    GIVES(born_hardmax(x23(), 1), 0, 0, 1, 0, 0, 1);
    born_floats twice = { (const float[]){ 1, 2 }, 2 };
    GIVES(born_resize(x23(), twice, (born_ints){ 0 }, NULL), 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6);
    GIVES(born_resize(x23(), (born_floats){ 0 }, BORN_INTS(1, 3), NULL), 1, 2, 3);
    born_f32 q = born_from_f32(b, BORN_ARRAY(six, 1, 1, 2, 3));
    born_f32 k = born_mul(q, 0);
    born_tensor no_mask = { 0 };
    GIVES(born_attention(q, k, q, no_mask, NULL), 2.5f, 3.5f, 4.5f, 2.5f, 3.5f, 4.5f);
    born_attention_attrs causal = { .is_causal = true };
    GIVES(born_attention(q, k, q, no_mask, &causal), 1, 2, 3, 2.5f, 3.5f, 4.5f);
    const float half = 0.5f;
    born_f32 scale = born_from_f32(b, (born_array){ BORN_F32, { 0, { 0 } }, &half, 0 });
    born_tensor u = born_quantize_linear(x23(), scale, (born_u8){ { 0 } }, NULL);
    CHECK_INT(born_dtype_of(u), BORN_U8);
    GIVES(born_dequantize_linear(u, scale, (born_u8){ { 0 } }, NULL), 1, 2, 3, 4, 5, 6);
    born_backend_close(&b);
}

TEST_MAIN
