/* See numbers.h. */
#include "ops/numbers.h"

#include <string.h>

#include "tensor/view.h"

static const int class_bytes[BORN_CLASS_COUNT] = { 4, 8, 8, 8 };

/* The dtype whose elements are the class's own type. */
static born_dtype class_dtype(born_class c)
{
    static const born_dtype own[BORN_CLASS_COUNT] = { BORN_F32, BORN_F64, BORN_I64, BORN_U64 };
    return own[c];
}

static void read_f32(born_dtype t, const char *p, int64_t step, int64_t n, float *to)
{
    uint16_t h;
    for (int64_t i = 0; i < n; i++, p += step) {
        if (t == BORN_F32) {
            memcpy(&to[i], p, sizeof to[i]);
            continue;
        }
        if (t != BORN_F16 && t != BORN_BF16) {
            to[i] = (float)born__load_f64(t, p);
            continue;
        }
        memcpy(&h, p, sizeof h);
        to[i] = t == BORN_F16 ? born__f16_to_f32(h) : born__bf16_to_f32(h);
    }
}

static void read_f64(born_dtype t, const char *p, int64_t step, int64_t n, double *to)
{
    for (int64_t i = 0; i < n; i++, p += step) {
        if (t == BORN_F64) memcpy(&to[i], p, sizeof to[i]);
        else to[i] = born__load_f64(t, p);
    }
}

#define READ_AS(type, to_type)                                                                                        \
    do {                                                                                                              \
        type v;                                                                                                       \
        memcpy(&v, p, sizeof v);                                                                                      \
        to[i] = (to_type)v;                                                                                           \
    } while (0)
static void read_i64(born_dtype t, const char *p, int64_t step, int64_t n, int64_t *to)
{
    for (int64_t i = 0; i < n; i++, p += step) {
        switch (t) {
        case BORN_I8: READ_AS(int8_t, int64_t); break;
        case BORN_I16: READ_AS(int16_t, int64_t); break;
        case BORN_I32: READ_AS(int32_t, int64_t); break;
        case BORN_I64: READ_AS(int64_t, int64_t); break;
        default: to[i] = born__load_i64(t, p); break;
        }
    }
}
static void read_u64(born_dtype t, const char *p, int64_t step, int64_t n, uint64_t *to)
{
    for (int64_t i = 0; i < n; i++, p += step) {
        switch (t) {
        case BORN_BOOL: to[i] = *p != 0; break;
        case BORN_U8: READ_AS(uint8_t, uint64_t); break;
        case BORN_U16: READ_AS(uint16_t, uint64_t); break;
        case BORN_U32: READ_AS(uint32_t, uint64_t); break;
        case BORN_U64: READ_AS(uint64_t, uint64_t); break;
        default: to[i] = (uint64_t)born__load_i64(t, p); break;
        }
    }
}

const void *born__run_read(born_class as, born_dtype t, const char *p, int64_t step, int64_t n, born_run *buf)
{
    if (t == class_dtype(as) && step == class_bytes[as]) return p;
    switch (as) {
    case BORN_CLASS_F32: read_f32(t, p, step, n, buf->f32); break;
    case BORN_CLASS_F64: read_f64(t, p, step, n, buf->f64); break;
    case BORN_CLASS_I64: read_i64(t, p, step, n, buf->i64); break;
    default: read_u64(t, p, step, n, buf->u64); break;
    }
    return buf;
}

void *born__run_target(born_class as, born_dtype t, char *p, int64_t step, born_run *buf)
{
    return t == class_dtype(as) && step == class_bytes[as] ? (void *)p : (void *)buf;
}

/* The low bytes of each element: what wrapping means. */
static void write_low(char *p, int64_t step, int64_t n, const uint64_t *from, int size)
{
    for (int64_t i = 0; i < n; i++, p += step) {
        uint8_t b1 = (uint8_t)from[i];
        uint16_t b2 = (uint16_t)from[i];
        uint32_t b4 = (uint32_t)from[i];
        memcpy(p, size == 1 ? (void *)&b1 : size == 2 ? (void *)&b2 : size == 4 ? (void *)&b4 : (void *)&from[i],
               (size_t)size);
    }
}

void born__run_write(born_class as, born_dtype t, char *p, int64_t step, int64_t n, const void *from)
{
    if (from == p) return;
    if (as == BORN_CLASS_I64 || as == BORN_CLASS_U64) {
        write_low(p, step, n, from, born__dtype_info(t)->size);
        return;
    }
    for (int64_t i = 0; i < n; i++, p += step) {
        double wide = as == BORN_CLASS_F32 ? (double)((const float *)from)[i] : ((const double *)from)[i];
        float f = (float)wide;
        uint16_t h;
        switch (t) {
        case BORN_F32: memcpy(p, &f, sizeof f); break;
        case BORN_F64: memcpy(p, &wide, sizeof wide); break;
        case BORN_F16: h = born__f32_to_f16(f); memcpy(p, &h, sizeof h); break;
        case BORN_BF16: h = born__f32_to_bf16(f); memcpy(p, &h, sizeof h); break;
        default: born__store_f64(t, p, wide); break;
        }
    }
}
