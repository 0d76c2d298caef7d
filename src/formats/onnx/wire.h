/* A cursor over protobuf wire format. It reads only inside the slice it was made of; what is malformed (a number of
   more than ten bytes, a length beyond the slice, groups, field 0) puts it into a failed state in which every read
   answers "no more", so that callers check once, at the end of their loop. It allocates nothing and never recurses:
   a message inside a message is a new cursor over the inner slice. */
#ifndef BORN_ONNX_WIRE_H
#define BORN_ONNX_WIRE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pb_slice {
    const uint8_t *p;
    size_t n;
} pb_slice;

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

typedef struct pb_cursor {
    const uint8_t *p, *end;
    bool bad;
} pb_cursor;

/* One field as it lies in the message. `number` holds varints and fixed values as bits; `bytes` is set for PB_BYTES. */
typedef struct pb_field {
    uint32_t id;
    int type;
    uint64_t number;
    pb_slice bytes;
} pb_field;

static inline pb_cursor pb_open(pb_slice s)
{
    return (pb_cursor){ s.p, s.n ? s.p + s.n : s.p, false };
}

/* The next field; false at the end or where the message is malformed (then c->bad is set). */
bool born__pb_next(pb_cursor *c, pb_field *f);

/* The next varint of a packed run; false at the end or where it is malformed (c->bad). */
bool born__pb_varint(pb_cursor *c, uint64_t *out);

/* Little-endian reads from any address. */
uint32_t born__pb_load32(const uint8_t *p);
uint64_t born__pb_load64(const uint8_t *p);

/* How often field `id` occurs in a message, up to where it is malformed. */
size_t born__pb_count(pb_slice s, uint32_t id);

/* Elements that one occurrence of a repeated number adds: 1 unpacked; packed as many as fit (varints are counted). A
   packed run whose length is no whole number of elements, or a wire type that cannot hold the kind, sets *bad. */
size_t born__pb_number_count(const pb_field *f, int element_type, bool *bad);
#endif
