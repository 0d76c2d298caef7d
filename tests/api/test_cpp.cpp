// The public headers from C++17: overloads in place of selectors, typed results, default call sites.
#include <born/born.h>

#include "harness.h"

static const float six[6] = { 1, -2, 3, -4, 5, -6 };

static born_array array_of(const float *p, int64_t a, int64_t b)
{
    born_array x{};
    x.dtype = BORN_F32;
    x.shape.rank = 2;
    x.shape.dim[0] = a;
    x.shape.dim[1] = b;
    x.data = p;
    return x;
}

TEST(overloads)
{
    born_backend *b = born_autodiff(born_cpu(nullptr));
    born_f32 x = born_from_f32(b, array_of(six, 2, 3));
    born_f32 y = born_add(born_mul(x, 2), x);
    born_bool m = born_gt(y, 0);
    born_f32 z = born_where(m, y, born_relu(x));
    float got[6] = {};
    CHECK_STATUS(born_read(z, got, sizeof got), BORN_OK);
    CHECK(got[0] == 3 && got[1] == 0 && got[4] == 15);
    born_tensor t = born_cast(x, BORN_I32);
    CHECK_INT(born_dtype_of(t), BORN_I32);
    CHECK_INT(born_shape_of(x).dim[1], 3);
    born_f32 pair[2] = { x, y };
    CHECK_INT(born_shape_of(born_concat(pair, 2, 0)).dim[0], 4);
    born_i64 index = born_arg_max(x, nullptr);
    CHECK_INT(born_dtype_of(born_gather(x, index, 0)), BORN_F32);
    born_f32 kept = born_keep(z);
    born_drop(&kept);
    CHECK(kept.any.w == 0);
    born_backend_close(&b);
}

TEST(call_sites)
{
    born_backend *b = born_cpu(nullptr);
    born_f32 x = born_from_f32(b, array_of(six, 2, 3)), y = born_from_f32(b, array_of(six, 3, 2));
    int line = __LINE__ + 1;
    born_f32 bad = born_add(x, y);
    CHECK(!born_is_alive(bad));
    born_error err{};
    born_backend_take_error(b, &err);
    CHECK_INT(err.line, line);
    CHECK(err.file && strstr(err.file, "test_cpp"));
    born_backend_close(&b);
}

TEST_MAIN
