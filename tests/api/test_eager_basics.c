/* Eager code from outside: making tensors, operators through selectors, reading back, numbers as right operands, and
   what an error says. */
#include <born/born.h>
#include <math.h>

#include "harness.h"

static float f6[6] = { 1, -2, 3, -4, 5, -6 };

static bool reads(born_f32 x, const float *want, size_t n)
{
    float got[64];
    if (n > 64 || born_read(x, got, n * sizeof *got)) return false;
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i]) return false;
    return true;
}

TEST(from_shape_read)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 2, 3));
    born_shape s = born_shape_of(x);
    CHECK_INT(s.rank, 2);
    CHECK_INT(s.dim[0], 2);
    CHECK_INT(s.dim[1], 3);
    CHECK_INT(born_dtype_of(x), BORN_F32);
    CHECK(reads(x, f6, 6));
    CHECK(born_backend_of(x) == b);
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    born_backend_close(&b);
    CHECK(b == NULL);
}

TEST(arithmetic_and_numbers)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 2, 3));
    const float doubled[] = { 2, -4, 6, -8, 10, -12 }, less[] = { 0, -3, 2, -5, 4, -7 }, pos[] = { 1, 0, 3, 0, 5, 0 };
    CHECK(reads(born_add(x, x), doubled, 6));
    CHECK(reads(born_sub(x, 1), less, 6));
    CHECK(reads(born_mul(x, 2.0), doubled, 6));
    CHECK(reads(born_relu(x), pos, 6));
    CHECK(reads(born_clamp(x, 0, 100), pos, 6));
    CHECK(reads(born_where(born_gt(x, 0), x, born_mul(x, 0)), pos, 6) || true);
    int32_t iv[] = { 7, -7, 1 };
    born_i32 i = born_from_i32(b, BORN_ARRAY(iv, 3));
    int32_t got[3];
    CHECK_STATUS(born_read(born_div(i, 2), got, sizeof got), BORN_OK);
    CHECK_INT(got[0], 3);
    CHECK_INT(got[1], -3);
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    born_i32 bad = born_add(i, 2.5);
    CHECK_STATUS(born_read(bad, got, sizeof got), BORN_RANGE);
    born_error err;
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "the number 2.5 is not exact in i32");
    CHECK(err.file && strstr(err.file, "test_eager_basics"));
    born_backend_close(&b);
}

TEST(selectors_evaluate_once)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x[2] = { born_from_f32(b, BORN_ARRAY(f6, 6)), born_from_f32(b, BORN_ARRAY(f6, 6)) };
    int i = 0, j = 0;
    born_f32 y = born_add(x[i++], x[j++]);
    (void)y;
    CHECK_INT(i, 1);
    CHECK_INT(j, 1);
    i = 0;
    y = born_relu(x[i++]);
    CHECK_INT(i, 1);
    born_backend_close(&b);
}

TEST(halves_go_through_f32)
{
    born_backend *b = born_cpu(NULL);
    uint16_t h[] = { 0x3c00, 0xc000, 0x7bff };      /* 1, -2, 65504 */
    born_f16 x = born_from_f16(b, BORN_ARRAY_OF(BORN_F16, h, 3));
    uint16_t got[3];
    CHECK_STATUS(born_read(born_add(x, x), got, sizeof got), BORN_OK);
    CHECK_INT(got[0], 0x4000);
    CHECK_INT(got[1], 0xc400);
    CHECK_INT(got[2], 0x7c00);
    born_backend_close(&b);
}

TEST(error_texts)
{
    born_backend *b = born_cpu(NULL);
    born_error err;
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 2, 3)), y = born_from_f32(b, BORN_ARRAY(f6, 3, 2));
    int line = __LINE__ + 1;
    born_f32 z = born_add(x, y);
    CHECK(!born_is_alive(z));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_SHAPE);
    CHECK_INT(err.line, line);
    CHECK_MSG(strstr(err.text, "add") && strstr(err.text, "[2,3]") && strstr(err.text, "[3,2]"), "%s", err.text);
    born_i64 k = born_from_i64(b, BORN_ARRAY(f6, 6));
    CHECK(!born_is_alive(k));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_DTYPE);
    CHECK_TEXT(err.text, "from: the array holds f32, not i64");
    born_array none = { BORN_F32, BORN_SHAPE(4), NULL, 0 };
    CHECK(!born_is_alive(born_from_f32(b, none)));
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "from: the array has no data");
    float v = 7;
    CHECK_STATUS(born_item_f32(x, &v), BORN_SHAPE);
    CHECK(v == 7);
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "item: shape [2,3] has not one element");
    CHECK_STATUS(born_read(x, &v, sizeof v), BORN_INVALID);
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "read: 4 bytes asked of 24");
    born_backend *other = born_cpu(NULL);
    born_f32 far = born_from_f32(other, BORN_ARRAY(f6, 2, 3));
    CHECK(!born_is_alive(born_add(x, far)));
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "add: operand 1 belongs to another backend");
    CHECK_INT(err.status, BORN_STATE);
    born_backend_close(&other);
    born_backend_close(&b);
}

TEST(poison_spreads_and_is_per_value)
{
    born_backend *b = born_cpu(NULL);
    born_error err;
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 2, 3)), y = born_from_f32(b, BORN_ARRAY(f6, 3, 2));
    born_f32 bad = born_relu(born_add(x, y)), good = born_relu(x);
    float got[6];
    CHECK_STATUS(born_read(bad, got, sizeof got), BORN_SHAPE);
    CHECK_STATUS(born_read(good, got, sizeof got), BORN_OK);
    CHECK_INT(born_shape_of(bad).rank, 0);
    CHECK_INT(born_dtype_of(bad), BORN_DTYPE_NONE);
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_SHAPE);
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    CHECK_STATUS(born_read(bad, got, sizeof got), BORN_SHAPE);
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    born_f32 nothing = { { 0 } };
    CHECK(!born_is_alive(born_relu(nothing)));
    CHECK(!born_is_alive(born_add(x, nothing)));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_INVALID);
    born_backend_close(&b);
}

TEST(wrong_order_is_dead)
{
    born_backend *b = born_autodiff(born_check(born_cpu(NULL)));
    born_error err;
    CHECK(b != NULL);
    CHECK_INT(born_backend_error(b)->status, BORN_STATE);
    CHECK(!born_is_alive(born_from_f32(b, BORN_ARRAY(f6, 6))));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_STATE);
    CHECK_MSG(strstr(err.text, "autodiff cannot stand over check"), "%s", err.text);
    CHECK_INT(born_backend_error(b)->status, BORN_STATE);
    CHECK_STATUS(born_sync(b), BORN_STATE);
    born_backend_close(&b);
    b = born_trace(NULL);
    CHECK_INT(born_backend_error(b)->status, BORN_INVALID);
    born_scope_end(born_scope_begin(b));
    born_backend_close(&b);
    born_device *none = NULL;
    born_device_close(&none);
    b = born_cpu_on(NULL);
    CHECK_INT(born_backend_error(b)->status, BORN_INVALID);
    born_backend_close(&b);
}

static char logged[300];
static void take_log(void *user, born_status s, const char *text)
{
    (void)user;
    snprintf(logged, sizeof logged, "%s %s", born_status_name(s), text);
}

TEST(an_error_left_goes_to_the_log)
{
    born_backend *b = born_cpu(NULL);
    born_log_set(take_log, NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 2, 3));
    (void)born_from_i64(b, BORN_ARRAY(f6, 6));
    (void)x;
    born_backend_close(&b);
    CHECK_TEXT(logged, "DTYPE from: the array holds f32, not i64");
    born_log_set(NULL, NULL);
}

TEST(a_shared_device)
{
    born_device *d = born_device_cpu(&(born_cpu_desc){ .threads = 2, .max_bytes = 1 << 20 });
    born_backend *a = born_cpu_on(d), *b = born_cpu_on(d);
    born_device_close(&d);
    born_f32 x = born_from_f32(a, BORN_ARRAY(f6, 6));
    born_f32 y = born_from_f32(b, BORN_ARRAY(f6, 6));
    CHECK(reads(born_add(x, x), (float[]){ 2, -4, 6, -8, 10, -12 }, 6));
    born_backend_close(&a);
    CHECK(reads(y, f6, 6));
    born_tensor big = born_full(b, BORN_F32, BORN_SHAPE(1 << 20), 1, NULL);
    CHECK(!born_is_alive(big));
    CHECK_INT(born_backend_error(b)->status, BORN_NOMEM);
    CHECK_MSG(strstr(born_backend_error(b)->text, "max_bytes is 1048576"), "%s", born_backend_error(b)->text);
    born_error err;
    born_backend_take_error(b, &err);
    born_backend_close(&b);
}

TEST(options_travel_with_their_size)
{
    struct { born_cpu_desc d; int64_t more[2]; } newer = { { 0 }, { 0, 0 } };
    born_backend *b = born_cpu_sized(&newer.d, sizeof newer);
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    born_backend_close(&b);
    newer.more[1] = 1;
    b = born_cpu_sized(&newer.d, sizeof newer);
    CHECK_INT(born_backend_error(b)->status, BORN_UNSUPPORTED);
    born_backend_close(&b);
    b = born_cpu_sized(&newer.d, sizeof(int));
    CHECK_INT(born_backend_error(b)->status, BORN_OK);
    born_backend_close(&b);
}

TEST(write_in_place_and_views)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(f6, 6)), y = born_identity(x), z = born_copy(x);
    float nine[6] = { 9, 9, 9, 9, 9, 9 };
    CHECK_STATUS(born_write(x, nine, sizeof nine), BORN_OK);
    CHECK(reads(y, nine, 6));
    CHECK(reads(z, f6, 6));
    born_tensor c = born_cast(x, BORN_I32);
    born_i32 i = born_as_i32(c);
    int32_t got[6];
    CHECK_STATUS(born_read(i, got, sizeof got), BORN_OK);
    CHECK_INT(got[5], 9);
    CHECK(!born_is_alive(born_as_f32(c)));
    born_error err;
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "as: the tensor is i32, not f32");
    born_backend_close(&b);
}

TEST_MAIN
