/* The protobuf cursor, and tensors in every form that ONNX allows: raw, packed, one number per field, each field. */
#include "harness.h"

#include "base/alloc.h"
#include "formats/onnx/tensor_pb.h"

typedef struct buffer {
    unsigned char p[512];
    size_t n;
} buffer;

static void put_varint(buffer *b, uint64_t v)
{
    for (; v > 127; v >>= 7) b->p[b->n++] = (unsigned char)(v | 128);
    b->p[b->n++] = (unsigned char)v;
}

static void put_int(buffer *b, unsigned field, uint64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, v);
}

static void put_bytes(buffer *b, unsigned field, const void *p, size_t n)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void put_fixed(buffer *b, unsigned field, const void *p, size_t n)
{
    put_varint(b, field << 3 | (n == 8 ? 1u : 5u));
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static born_status read_tensor(const buffer *b, born_array *a, born_error *err)
{
    *err = (born_error){ .status = BORN_OK };
    return born__pb_array_read(b->p, b->n, 0, a, NULL, err);
}

static void free_tensor(born_array *a)
{
    born__free((void *)(uintptr_t)a->data);
}

TEST(varints)
{
    const unsigned char most[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 };
    const unsigned char more[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
    uint64_t v = 0;
    pb_cursor c = pb_open((pb_slice){ most, sizeof most });

    CHECK(born__pb_varint(&c, &v) && v == UINT64_MAX && !c.bad);
    CHECK(!born__pb_varint(&c, &v) && !c.bad);
    c = pb_open((pb_slice){ more, sizeof more });
    CHECK(!born__pb_varint(&c, &v) && c.bad);
    for (size_t n = 1; n < sizeof most; n++) {
        c = pb_open((pb_slice){ most, n });
        CHECK(!born__pb_varint(&c, &v) && c.bad);
    }
    c = pb_open((pb_slice){ NULL, 0 });
    CHECK(!born__pb_varint(&c, &v) && !c.bad);
}

TEST(fields)
{
    static const struct { const char *bytes; size_t n; bool good; } cases[] = {
        { "\x08\x01", 2, true }, { "\x09\1\2\3\4\5\6\7\x08", 9, true }, { "\x0d\1\2\3\4", 5, true },
        { "\x0a\x02hi", 4, true },
        { "\x0a\x03hi", 4, false }, { "\x09\1\2\3", 4, false }, { "\x0d\1\2\3", 4, false }, { "\x0b", 1, false },
        { "\x0c", 1, false }, { "\x0f\x01", 2, false }, { "\x00\x01", 2, false },
    };
    pb_field f;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pb_cursor c = pb_open((pb_slice){ (const uint8_t *)cases[i].bytes, cases[i].n });
        CHECK_MSG(born__pb_next(&c, &f) == cases[i].good && c.bad == !cases[i].good, "case %zu", i);
    }
}

TEST(floats_in_every_form)
{
    const float v[3] = { 1.5f, -2.0f, 3.25f };
    born_array a;
    born_error err;

    for (int form = 0; form < 3; form++) {
        buffer b = { .n = 0 };
        put_int(&b, 1, 3);
        put_int(&b, 2, 1);
        if (form == 0) put_bytes(&b, 9, v, sizeof v);
        if (form == 1) put_bytes(&b, 4, v, sizeof v);
        for (int i = 0; form == 2 && i < 3; i++) put_fixed(&b, 4, &v[i], sizeof v[i]);
        REQUIRE_OK(read_tensor(&b, &a, &err), &err);
        CHECK_INT(a.dtype, BORN_F32);
        CHECK_INT(a.shape.rank, 1);
        CHECK(!memcmp(a.data, v, sizeof v));
        free_tensor(&a);
    }
}

TEST(integers_in_every_form)
{
    const int64_t v[3] = { -1, 0, INT64_MIN };
    born_array a;
    born_error err;

    for (int form = 0; form < 3; form++) {
        buffer b = { .n = 0 }, run = { .n = 0 };
        put_int(&b, 1, 3);
        put_int(&b, 2, 7);
        for (int i = 0; i < 3; i++) put_varint(&run, (uint64_t)v[i]);
        if (form == 0) put_bytes(&b, 9, v, sizeof v);
        if (form == 1) put_bytes(&b, 7, run.p, run.n);
        for (int i = 0; form == 2 && i < 3; i++) put_int(&b, 7, (uint64_t)v[i]);
        REQUIRE_OK(read_tensor(&b, &a, &err), &err);
        CHECK_INT(a.dtype, BORN_I64);
        CHECK(!memcmp(a.data, v, sizeof v));
        free_tensor(&a);
    }
}

TEST(small_types_share_a_field)
{
    static const struct { int code; born_dtype t; uint64_t v; unsigned char want[4]; size_t n; } cases[] = {
        { 3, BORN_I8, UINT64_MAX, { 0xff }, 1 }, { 2, BORN_U8, 200, { 200 }, 1 },
        { 5, BORN_I16, 0x1234, { 0x34, 0x12 }, 2 }, { 10, BORN_F16, 0x3c00, { 0, 0x3c }, 2 },
        { 16, BORN_BF16, 0x3f80, { 0x80, 0x3f }, 2 }, { 9, BORN_BOOL, 5, { 1 }, 1 },
        { 6, BORN_I32, (uint64_t)-2, { 0xfe, 0xff, 0xff, 0xff }, 4 },
    };
    born_array a;
    born_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer b = { .n = 0 };
        put_int(&b, 2, (uint64_t)cases[i].code);
        put_int(&b, 5, cases[i].v);
        REQUIRE_OK(read_tensor(&b, &a, &err), &err);
        CHECK_INT(a.dtype, cases[i].t);
        CHECK_INT(a.shape.rank, 0);
        CHECK_MSG(!memcmp(a.data, cases[i].want, cases[i].n), "case %zu", i);
        free_tensor(&a);
    }
}

TEST(what_is_refused)
{
    static const struct { uint64_t dim; int code; unsigned field; size_t n; born_status st; } cases[] = {
        { 2, 1, 9, 4, BORN_FORMAT }, { 1, 1, 9, 8, BORN_FORMAT }, { 1, 8, 6, 1, BORN_UNSUPPORTED },
        { 1, 17, 9, 1, BORN_UNSUPPORTED }, { 1, 14, 9, 8, BORN_UNSUPPORTED }, { 1, 0, 9, 4, BORN_UNSUPPORTED },
        { 1, 7, 5, 1, BORN_FORMAT }, { (uint64_t)1 << 62, 1, 9, 4, BORN_FORMAT }, { UINT64_MAX, 1, 9, 4, BORN_FORMAT },
    };
    const unsigned char zeros[8] = { 0 };
    born_array a;
    born_error err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer b = { .n = 0 };
        put_int(&b, 1, cases[i].dim);
        put_int(&b, 2, (uint64_t)cases[i].code);
        put_bytes(&b, cases[i].field, zeros, cases[i].n);
        born_status st = read_tensor(&b, &a, &err);
        CHECK_MSG(st == cases[i].st && err.text[0], "case %zu gave %s: %s", i, born_status_name(st), err.text);
    }
}

TEST(no_elements)
{
    buffer b = { .n = 0 };
    born_array a;
    born_error err;

    put_int(&b, 1, 0);
    put_int(&b, 1, 7);
    put_int(&b, 2, 1);
    REQUIRE_OK(read_tensor(&b, &a, &err), &err);
    CHECK_INT(a.shape.rank, 2);
    CHECK_INT(a.bytes, 0);
    free_tensor(&a);
}

TEST_MAIN
