/* The wire-format cursor: see wire.h. */
#include "formats/onnx/wire.h"

bool born__pb_varint(pb_cursor *c, uint64_t *out)
{
    uint64_t v = 0;

    if (c->bad || c->p == c->end) return false;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (c->p == c->end) break;
        uint8_t b = *c->p++;
        if (shift == 63 && b > 1) break;        /* bits beyond the 64th */
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    c->bad = true;
    return false;
}

uint32_t born__pb_load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t born__pb_load64(const uint8_t *p)
{
    return (uint64_t)born__pb_load32(p) | (uint64_t)born__pb_load32(p + 4) << 32;
}

bool born__pb_next(pb_cursor *c, pb_field *f)
{
    uint64_t key, n;

    if (!born__pb_varint(c, &key)) return false;
    f->id = (uint32_t)(key >> 3);
    f->type = (int)(key & 7);
    f->number = 0;
    f->bytes = (pb_slice){ c->p, 0 };
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff) goto bad;
    switch (f->type) {
    case PB_VARINT:
        if (!born__pb_varint(c, &f->number)) goto bad;
        return true;
    case PB_FIXED64:
        if (c->end - c->p < 8) goto bad;
        f->number = born__pb_load64(c->p);
        c->p += 8;
        return true;
    case PB_BYTES:
        if (!born__pb_varint(c, &n) || n > (uint64_t)(c->end - c->p)) goto bad;
        f->bytes = (pb_slice){ c->p, (size_t)n };
        c->p += n;
        return true;
    case PB_FIXED32:
        if (c->end - c->p < 4) goto bad;
        f->number = born__pb_load32(c->p);
        c->p += 4;
        return true;
    default:
        break;
    }
bad:
    c->bad = true;
    return false;
}

size_t born__pb_count(pb_slice s, uint32_t id)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t n = 0;

    while (born__pb_next(&c, &f)) n += f.id == id;
    return n;
}

size_t born__pb_number_count(const pb_field *f, int element_type, bool *bad)
{
    size_t size = element_type == PB_FIXED64 ? 8 : 4, n = 0;

    if (f->type == element_type) return 1;
    if (f->type != PB_BYTES) {
        *bad = true;
        return 0;
    }
    if (element_type == PB_VARINT) {
        for (size_t i = 0; i < f->bytes.n; i++) n += !(f->bytes.p[i] & 0x80);
        return n;
    }
    if (f->bytes.n % size) *bad = true;
    return f->bytes.n / size;
}
