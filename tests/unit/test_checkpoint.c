/* Checkpoints: what is put comes back bit for bit, and what cannot be put or read is said. */
#include <born/born.h>
#include <math.h>
#include <unistd.h>

#include "../harness.h"

static char path[64];
static const char *file(void)
{
    snprintf(path, sizeof path, "born_test_%ld.born", (long)getpid());
    return path;
}

TEST(all_dtypes_and_ranks)
{
    born_checkpoint *c = NULL;
    born_error err = { .status = BORN_OK };
    float f[6] = { 1, -0.0f, INFINITY, NAN, 1e-42f, 3 };
    unsigned char raw[8 * 6] = { 0x7f, 0x80, 1, 0, 255 }, yes[6] = { 1, 0, 1, 1, 0, 0 };
    char name[32], text[] = "a \0 b";
    born_array got;
    const char *s;
    size_t n;
    int64_t v;

    for (int load = 0; load < 2; load++) {
        REQUIRE_OK(born_checkpoint_new(&c, &err), &err);
        for (int t = BORN_F32; t <= BORN_BOOL; t++) {
            born_array a = { (born_dtype)t, BORN_SHAPE(3, 2), t == BORN_BOOL ? (void *)yes : (void *)raw, 0 };
            snprintf(name, sizeof name, "t.%s", born_dtype_name((born_dtype)t));
            CHECK_OK(born_checkpoint_put(c, name, &a, &err), &err);
        }
        CHECK_OK(born_checkpoint_put(c, "scalar", &(born_array){ BORN_F32, { 0 }, f + 3, 4 }, &err), &err);
        CHECK_OK(born_checkpoint_put(c, "empty", &(born_array){ BORN_F32, BORN_SHAPE(4, 0, 2), NULL, 0 }, &err), &err);
        CHECK_OK(born_checkpoint_put(c, "deep", &BORN_ARRAY(f, 1, 2, 1, 1, 3, 1, 1), &err), &err);
        CHECK_OK(born_checkpoint_put_int(c, "train.step", 1, &err), &err);
        CHECK_OK(born_checkpoint_put_int(c, "train.step", INT64_MIN, &err), &err);
        CHECK_OK(born_checkpoint_put_text(c, "train.note", text, 5, &err), &err);
        REQUIRE_OK(born_checkpoint_write(c, file(), &err), &err);
        born_checkpoint_close(&c);

        REQUIRE_OK(born_checkpoint_open(file(), load ? BORN_COPY : BORN_MAP, &c, &err), &err);
        CHECK_INT(born_checkpoint_count(c), BORN_BOOL + 3);
        for (int t = BORN_F32; t <= BORN_BOOL; t++) {
            snprintf(name, sizeof name, "t.%s", born_dtype_name((born_dtype)t));
            REQUIRE_OK(born_checkpoint_get(c, name, &got, &err), &err);
            CHECK_INT(got.dtype, t);
            CHECK(got.shape.rank == 2 && got.shape.dim[0] == 3 && got.shape.dim[1] == 2);
            CHECK(!memcmp(got.data, t == BORN_BOOL ? yes : raw, got.bytes));
            CHECK_INT((uintptr_t)got.data % (t == BORN_BOOL ? 1 : 64), 0);
        }
        REQUIRE_OK(born_checkpoint_get(c, "scalar", &got, &err), &err);
        CHECK(got.shape.rank == 0 && !memcmp(got.data, f + 3, 4));
        REQUIRE_OK(born_checkpoint_get(c, "empty", &got, &err), &err);
        CHECK(got.shape.rank == 3 && got.bytes == 0 && got.shape.dim[0] == 4);
        REQUIRE_OK(born_checkpoint_at(c, BORN_BOOL + 2, &s, &got, &err), &err);
        CHECK_TEXT(s, "deep");
        CHECK(got.shape.rank == 7 && got.shape.dim[4] == 3 && !memcmp(got.data, f, sizeof f));
        CHECK_OK(born_checkpoint_int(c, "train.step", &v, &err), &err);
        CHECK(v == INT64_MIN);
        CHECK_OK(born_checkpoint_text(c, "train.note", &s, &n, &err), &err);
        CHECK(n == 5 && !memcmp(s, text, 6));
        CHECK_STATUS(born_checkpoint_text(c, "train.step", &s, &n, &err), BORN_INVALID);
        CHECK_STATUS(born_checkpoint_get(c, "none", &got, &err), BORN_INVALID);
        CHECK(!born_checkpoint_lost(c));
        born_checkpoint_close(&c);
    }
    remove(file());
}

TEST(read_change_write_again)
{
    born_checkpoint *c = NULL;
    born_error err = { .status = BORN_OK };
    int64_t x[2] = { 1, -2 };
    born_array got;

    REQUIRE_OK(born_checkpoint_new(&c, &err), &err);
    REQUIRE_OK(born_checkpoint_put(c, "x", &BORN_ARRAY(x, 2), &err), &err);
    REQUIRE_OK(born_checkpoint_write(c, file(), &err), &err);
    born_checkpoint_close(&c);
    REQUIRE_OK(born_checkpoint_open(file(), BORN_MAP, &c, &err), &err);
    REQUIRE_OK(born_checkpoint_put(c, "y", &BORN_ARRAY(x, 1), &err), &err);
    REQUIRE_OK(born_checkpoint_write(c, file(), &err), &err);   /* over the file that is mapped */
    REQUIRE_OK(born_checkpoint_get(c, "x", &got, &err), &err);
    CHECK(!memcmp(got.data, x, sizeof x));
    born_checkpoint_close(&c);
    REQUIRE_OK(born_checkpoint_open(file(), BORN_MAP, &c, &err), &err);
    CHECK_INT(born_checkpoint_count(c), 2);
    born_checkpoint_close(&c);
    remove(file());
}

TEST(refusals)
{
    born_checkpoint *c = NULL;
    born_error err = { .status = BORN_OK };
    born_model *m = NULL;
    float x[4] = { 0 };

    REQUIRE_OK(born_checkpoint_new(&c, &err), &err);
    REQUIRE_OK(born_checkpoint_put(c, "x", &BORN_ARRAY(x, 4), &err), &err);
    CHECK_STATUS(born_checkpoint_put(c, "x", &BORN_ARRAY(x, 4), &err), BORN_INVALID);
    CHECK_STATUS(born_checkpoint_put(c, "", &BORN_ARRAY(x, 4), &err), BORN_INVALID);
    CHECK_STATUS(born_checkpoint_put(c, "y", &(born_array){ BORN_F32, BORN_SHAPE(5), x, 16 }, &err), BORN_SHAPE);
    CHECK_STATUS(born_checkpoint_put(c, "y", &(born_array){ BORN_F32, BORN_SHAPE(INT64_MAX, 9), x, 0 }, &err),
                 BORN_SHAPE);
    CHECK_STATUS(born_checkpoint_put(c, "y", &(born_array){ BORN_Q4_0, BORN_SHAPE(32), x, 0 }, &err), BORN_DTYPE);
    CHECK_STATUS(born_checkpoint_put_int(c, "general.name", 1, &err), BORN_INVALID);
    CHECK_STATUS(born_checkpoint_put_int(c, "born.kind", 1, &err), BORN_INVALID);
    CHECK_STATUS(born_checkpoint_write(c, "no/such/folder/x.born", &err), BORN_IO);
    CHECK_STATUS(born_checkpoint_write(c, ".", &err), BORN_IO);
    CHECK_STATUS(born_checkpoint_write(c, "", &err), BORN_INVALID);
    REQUIRE_OK(born_checkpoint_write(c, file(), &err), &err);
    born_checkpoint_close(&c);
    CHECK_STATUS(born_model_open(file(), NULL, &m, &err), BORN_UNSUPPORTED);
    CHECK_TEXT(err.text, "the file holds a checkpoint, not a model");
    CHECK_STATUS(born_checkpoint_open("CMakeLists.txt", BORN_MAP, &c, &err), BORN_FORMAT);
    CHECK_STATUS(born_checkpoint_open("no_such_file", BORN_MAP, &c, &err), BORN_IO);
    CHECK(c == NULL);
    remove(file());
}

TEST_MAIN
