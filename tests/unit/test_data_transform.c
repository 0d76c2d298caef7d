/* Transforms: what each does to a picture, that steps which do not fit are refused, and that numbers follow the key. */
#include "harness.h"
#include "unit/data_helpers.h"

static uint8_t pixels[2 * 3 * 4 * 4];

static born_dataset *pictures(void)
{
    born_error err = { 0 };
    born_dataset *set = NULL;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i + 1);
    born_array a[1] = { BORN_ARRAY(pixels, 2, 3, 4, 4) };
    CHECK_OK(born_dataset_from_arrays(a, NULL, 1, &set, &err), &err);
    return set;
}

/* Item 0 after the steps; false where they are refused or fail. */
static bool apply(const born_transform *t, int n, uint64_t key, void *out, born_error *err)
{
    static _Alignas(64) char scratch[1 << 16];
    born_dataset *set = pictures(), *changed = NULL;
    void *dst[1] = { out };
    born_item_request r = { .index = 0, .key = key, .dst = dst, .scratch = scratch };
    bool ok = born_dataset_transform(set, 0, t, n, &changed, err) == BORN_OK;
    born_dataset_close(&set);
    ok = ok && CHECK(born_dataset_scratch_bytes(changed) <= sizeof scratch) &&
         born_dataset_get(changed, &r, err) == BORN_OK;
    born_dataset_close(&changed);
    return ok;
}

static bool near(float a, double b)
{
    return (double)a > b - 1e-6 && (double)a < b + 1e-6;
}

TEST(data_transform_floats_and_normalises)
{
    born_error err = { 0 };
    float x[48];
    const float mean[3] = { 0.5f, 0.25f, 0 }, std[3] = { 0.5f, 1, 2 };
    born_transform t[2] = { born_to_float(), born_normalise(mean, std, 3) };
    REQUIRE(apply(t, 2, 1, x, &err));
    CHECK(near(x[0], (1 / 255.0 - 0.5) / 0.5) && near(x[17], 18 / 255.0 - 0.25) && near(x[47], 48 / 255.0 / 2));
}

TEST(data_transform_crops_and_flips_bytes)
{
    born_error err = { 0 };
    uint8_t x[3 * 6 * 6];
    born_transform centre = born_centre_crop(2, 2), flip[2] = { born_random_flip(1), born_random_flip_vertical(1) };
    REQUIRE(apply(&centre, 1, 1, x, &err));
    CHECK(x[0] == 6 && x[1] == 7 && x[2] == 10 && x[3] == 11 && x[4] == 22);
    REQUIRE(apply(flip, 2, 1, x, &err));
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 16; i++) CHECK_INT(x[c * 16 + i], c * 16 + 16 - i);
    flip[0] = born_random_flip(0);
    REQUIRE(apply(flip, 1, 1, x, &err));
    CHECK(memcmp(x, pixels, 48) == 0);
    /* a crop of the padded size is the picture with zeros around it */
    born_transform pad = born_random_crop(6, 6, 1);
    REQUIRE(apply(&pad, 1, 1, x, &err));
    CHECK(x[0] == 0 && x[5] == 0 && x[7] == 1 && x[10] == 4 && x[35] == 0 && x[36 + 7] == 17);
}

TEST(data_transform_crops_reach_every_place)
{
    born_error err = { 0 };
    uint8_t x[3];
    int seen[16] = { 0 };
    born_transform one = born_random_crop(1, 1, 0);
    for (uint64_t key = 0; key < 400; key++) {
        REQUIRE(apply(&one, 1, key, x, &err));
        REQUIRE(x[0] >= 1 && x[0] <= 16 && x[1] == x[0] + 16);
        seen[x[0] - 1]++;
    }
    for (int i = 0; i < 16; i++) CHECK(seen[i] > 5 && seen[i] < 60);
}

TEST(data_transform_rotates_erases_and_jitters)
{
    born_error err = { 0 };
    float x[48], y[48];
    born_transform still[2] = { born_to_float(), born_random_rotate(0) };
    REQUIRE(apply(still, 2, 1, x, &err));
    for (int i = 0; i < 48; i++) CHECK(near(x[i], (i + 1) / 255.0));
    born_transform turn[2] = { born_to_float(), born_random_rotate(90) };
    REQUIRE(apply(turn, 2, 3, x, &err) && apply(turn, 2, 3, y, &err));
    CHECK(memcmp(x, y, sizeof x) == 0);                 /* the key decides */
    REQUIRE(apply(turn, 2, 4, y, &err));
    CHECK(memcmp(x, y, sizeof x) != 0);
    born_transform hole[2] = { born_to_float(), born_random_erase(1, 0.25, 0.25) };
    int zeros = 0;
    REQUIRE(apply(hole, 2, 3, x, &err));
    for (int i = 0; i < 48; i++) zeros += near(x[i], 0);
    CHECK_MSG(zeros >= 6 && zeros <= 18 && zeros % 3 == 0, "%d zeros", zeros);
    born_transform plain[2] = { born_to_float(), born_colour_jitter(0, 0, 0) };
    REQUIRE(apply(plain, 2, 3, x, &err));
    for (int i = 0; i < 48; i++) CHECK(near(x[i], (i + 1) / 255.0));
    born_transform strong[2] = { born_to_float(), born_colour_jitter(1, 1, 1) };
    REQUIRE(apply(strong, 2, 3, x, &err));
    for (int i = 0; i < 48; i++) CHECK(x[i] >= 0 && x[i] <= 1);
}

TEST(data_transform_refuses_what_does_not_fit)
{
    born_error err = { 0 };
    float x[48];
    const float zero[1] = { 0 };
    born_transform bad[] = { born_normalise(zero, zero, 1), born_random_rotate(10), born_random_crop(9, 2, 2),
                             born_random_crop(0, 2, 2), born_random_flip(1.5), { .kind = (born_transform_kind)99 } };
    const born_status want[] = { BORN_INVALID, BORN_DTYPE, BORN_SHAPE, BORN_SHAPE, BORN_INVALID, BORN_INVALID };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!apply(&bad[i], 1, 1, x, &err));
        CHECK_INT(err.status, want[i]);
    }
    born_dataset *set = pictures(), *out;
    born_transform t = born_to_float();
    CHECK_STATUS(born_dataset_transform(set, 1, &t, 1, &out, &err), BORN_RANGE);
    CHECK_STATUS(born_dataset_transform(set, 0, &t, 0, &out, &err), BORN_INVALID);
    born_dataset_close(&set);
}

TEST_MAIN
