/* See pb_out.h. */
#include "formats/onnx/pb_out.h"

#include <stdio.h>
#include <string.h>

#include "formats/onnx/tensor_pb.h"

void born__pb_put_varint(born_bytes *b, uint64_t v)
{
    unsigned char c[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7) c[n++] = (unsigned char)(v | 0x80);
    c[n++] = (unsigned char)v;
    born__bytes_put(b, c, n);
}

static void put_tag(born_bytes *b, uint32_t field, unsigned type)
{
    born__pb_put_varint(b, (uint64_t)field << 3 | type);
}

void born__pb_put_int(born_bytes *b, uint32_t field, int64_t v)
{
    put_tag(b, field, PB_VARINT);
    born__pb_put_varint(b, (uint64_t)v);
}

void born__pb_put_f32(born_bytes *b, uint32_t field, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    put_tag(b, field, PB_FIXED32);
    born__bytes_put_u32(b, bits);
}

void born__pb_put_bytes(born_bytes *b, uint32_t field, const void *p, size_t n)
{
    put_tag(b, field, PB_BYTES);
    born__pb_put_varint(b, n);
    if (n) born__bytes_put(b, p, n);
}

void born__pb_put_text(born_bytes *b, uint32_t field, const char *s)
{
    born__pb_put_bytes(b, field, s, strlen(s));
}

void born__pb_put_message(born_bytes *b, uint32_t field, born_bytes *inner)
{
    if (inner->failed) b->failed = true;
    born__pb_put_bytes(b, field, inner->p, inner->n);
    born__bytes_free(inner);
}

static void put_entry(born_bytes *b, const char *key, const char *value)
{
    born_bytes e = { .p = NULL };

    born__pb_put_text(&e, 1, key);
    born__pb_put_text(&e, 2, value);
    born__pb_put_message(b, 13, &e);
}

void born__pb_put_tensor(born_bytes *b, uint32_t field, const char *name, const born_array *a, const char *place)
{
    born_bytes t = { .p = NULL };
    char number[24];

    for (int i = 0; i < a->shape.rank; i++) born__pb_put_int(&t, 1, a->shape.dim[i]);
    born__pb_put_int(&t, 2, born__onnx_dtype_code(a->dtype));
    if (name[0]) born__pb_put_text(&t, 8, name);
    if (place) {
        snprintf(number, sizeof number, "%zu", a->bytes);
        put_entry(&t, "location", place);
        put_entry(&t, "offset", "0");
        put_entry(&t, "length", number);
        born__pb_put_int(&t, 14, 1);
    } else {
        born__pb_put_bytes(&t, 9, a->data, a->bytes);
    }
    born__pb_put_message(b, field, &t);
}
