/* Counts, strides, broadcasting, text of shapes. ctest-labels: cross */
#include "harness.h"
#include "tensor/view.h"

static born_view view_of(int rank, const int64_t *dim)
{
    born_view v = { .dtype = BORN_F32, .rank = rank };
    for (int i = 0; i < rank; i++) v.dim[i] = dim[i];
    born__view_row_major(&v);
    return v;
}

#define DIMS(...) ((int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))), (int64_t[]){ __VA_ARGS__ }

TEST(view_counts_and_bytes)
{
    born_view v = view_of(DIMS(2, 3, 4));
    CHECK_INT(born__view_count(&v), 24);
    CHECK_INT(born__view_bytes(&v), 96);
    CHECK(v.stride[0] == 12 && v.stride[1] == 4 && v.stride[2] == 1);
    v = view_of(0, NULL);
    CHECK_INT(born__view_count(&v), 1);
    CHECK_INT(born__view_bytes(&v), 4);
    v = view_of(DIMS(INT64_MAX, INT64_MAX));
    CHECK_INT(born__view_bytes(&v), -1);
    int64_t n = 5;
    CHECK(!born__shape_count((int64_t[]){ 2, -1 }, 2, &n) && n == 5);
    CHECK(!born__shape_count((int64_t[]){ 0, -1 }, 2, &n) && n == 5);
    CHECK(!born__shape_count((int64_t[]){ INT64_MAX, 2 }, 2, &n) && n == 5);
    CHECK(born__shape_count((int64_t[]){ INT64_MAX, 2, 0 }, 3, &n) && n == 0);
    CHECK(born__shape_count(NULL, 0, &n) && n == 1);
}

TEST(view_layouts)
{
    born_view v = view_of(DIMS(2, 3, 4, 5));
    CHECK(born__view_contiguous(&v) && !born__view_is_channels_last(&v));
    born__view_channels_last(&v);
    CHECK(v.stride[0] == 60 && v.stride[1] == 1 && v.stride[2] == 15 && v.stride[3] == 3);
    CHECK(!born__view_contiguous(&v) && born__view_is_channels_last(&v));
    v = view_of(DIMS(2, 1, 4, 5));
    CHECK(born__view_contiguous(&v) && born__view_is_channels_last(&v));
    v = view_of(DIMS(7, 1));
    v.stride[1] = 99;                       /* the stride of a dim of 1 says nothing */
    CHECK(born__view_contiguous(&v) && !born__view_is_channels_last(&v));
    v.stride[0] = 2;
    CHECK(!born__view_contiguous(&v));
    v = view_of(DIMS(INT64_MAX, 0, INT64_MAX));
    CHECK(born__view_contiguous(&v) && born__view_is_channels_last(&v));
    v.stride[0] = -7;
    CHECK(born__view_contiguous(&v));
}

TEST(view_broadcasting)
{
    int64_t d[BORN_MAX_RANK] = { 3, 1 };
    int rank = 2;
    CHECK(born__broadcast(d, &rank, (int64_t[]){ 2, 1, 4 }, 3));
    CHECK(rank == 3 && d[0] == 2 && d[1] == 3 && d[2] == 4);
    CHECK(!born__broadcast(d, &rank, (int64_t[]){ 5 }, 1));
    CHECK(rank == 3 && d[0] == 2 && d[1] == 3 && d[2] == 4);
    CHECK(born__broadcast(d, &rank, NULL, 0) && rank == 3);
    int64_t e[BORN_MAX_RANK] = { 1 };
    rank = 1;
    CHECK(born__broadcast(e, &rank, (int64_t[]){ 0 }, 1) && rank == 1 && e[0] == 0);
    int64_t f[BORN_MAX_RANK] = { 3 };
    rank = 1;
    CHECK(!born__broadcast(f, &rank, (int64_t[]){ 0 }, 1));
    rank = 1;
    CHECK(!born__broadcast(f, &rank, (int64_t[]){ 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 9));

    born_view small = view_of(DIMS(3, 1)), big = view_of(DIMS(2, 3, 4));
    born_view x = born__view_expand(&small, &big);
    CHECK(x.rank == 3 && x.dim[0] == 2 && x.dim[1] == 3 && x.dim[2] == 4);
    CHECK(x.stride[0] == 0 && x.stride[1] == 1 && x.stride[2] == 0);
    born_view scalar = view_of(0, NULL);
    x = born__view_expand(&scalar, &big);
    CHECK(x.rank == 3 && x.stride[0] == 0 && x.stride[1] == 0 && x.stride[2] == 0);
}

TEST(view_shape_text)
{
    char buf[32];
    CHECK_TEXT(born__shape_text((int64_t[]){ 2, 3, 64 }, 3, buf, sizeof buf), "[2,3,64]");
    CHECK_TEXT(born__shape_text(NULL, 0, buf, sizeof buf), "[]");
    CHECK_TEXT(born__shape_text((int64_t[]){ 123456789, 123456789 }, 2, buf, 12), "[1234567...");
}

TEST_MAIN
