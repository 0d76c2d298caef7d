/* The dtype table, and conversions of single elements between any dtype and double or int64. f16 and bf16 are rounded
   to nearest even from the exact value, never through a second rounding. Called by printers, references and whoever
   reads one number; kernels have their own vectors of the same results. */
#include <math.h>
#include <string.h>

#include "tensor/view.h"

static const born_dtype_info no_dtype = { "none", 0, 'N', 1, 0, -1, -1, "" };

static const born_dtype_info dtype_rows[BORN_DTYPE_COUNT] = {
#define X(ID, name, ctype, bits, cls, be, bb, onnx, gguf, npy)                                                        \
    [BORN_##ID] = { #name, (bits) / 8, #cls[0], be, bb, onnx, gguf, npy },
#include <born/dtype.def>
#undef X
};

const born_dtype_info *born__dtype_info(born_dtype t)
{
    if (t <= BORN_DTYPE_NONE || t >= BORN_DTYPE_COUNT) return &no_dtype;
    return &dtype_rows[t];
}

const char *born_dtype_name(born_dtype t)
{
    return born__dtype_info(t)->name;
}

int64_t born_dtype_bytes(born_dtype t, int64_t count)
{
    const born_dtype_info *d = born__dtype_info(t);
    int64_t bytes;
    if (d->block_bytes == 0 || count < 0) return -1;
    if (d->block_elems == 1)    /* eager calls come here often: no division */
        return __builtin_mul_overflow(count, (int64_t)d->block_bytes, &bytes) ? -1 : bytes;
    if (count % d->block_elems != 0) return -1;
    if (__builtin_mul_overflow(count / d->block_elems, (int64_t)d->block_bytes, &bytes)) return -1;
    return bytes;
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

float born__f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1fu;
    uint32_t mantissa = h & 0x3ffu;
    if (exponent == 0x1f) return float_of(sign | 0x7f800000u | mantissa << 13);
    if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float small = (float)mantissa * 0x1p-24f;       /* subnormal or zero: exact */
    return float_of(sign | bits_of(small));
}

/* Rounds v >> shift to nearest even; 0 < shift < 32. */
static uint32_t shift_even(uint32_t v, uint32_t shift)
{
    uint32_t kept = v >> shift;
    uint32_t rest = v & (((uint32_t)1 << shift) - 1), half = (uint32_t)1 << (shift - 1);
    return kept + (rest > half || (rest == half && (kept & 1u) != 0));
}

uint16_t born__f32_to_f16(float f)
{
    uint32_t u = bits_of(f);
    uint32_t sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((u >> 13) & 0x1ffu));
    if (u >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);        /* 65536 and above */
    if (u >= 0x38800000u) {                                         /* normal; a carry walks into the exponent */
        return (uint16_t)(sign | shift_even(u - 0x38000000u, 13));
    }
    uint32_t exponent = u >> 23;
    if (exponent < 102) return (uint16_t)sign;                      /* below half of the smallest subnormal */
    uint32_t mantissa = (u & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | shift_even(mantissa, 126 - exponent));
}

uint16_t born__f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)shift_even(u, 16);
}

/* The float next to v on the side of zero, with the last bit set where that is inexact (round to odd): rounding it
   again to fewer bits gives what rounding v once would. */
static float round_to_odd(double v)
{
    float f = (float)v;
    if (!((double)f != v) || v != v) return f;
    uint32_t u = bits_of(f);
    if (fabs((double)f) > fabs(v)) u--;
    return float_of(u | 1u);
}

static int64_t saturate_i64(double v)
{
    if (v != v) return 0;
    if (v >= 0x1p63) return INT64_MAX;
    if (v <= -0x1p63) return INT64_MIN;
    return (int64_t)v;
}

static uint64_t saturate_u64(double v)
{
    if (!(v > 0)) return 0;
    if (v >= 0x1p64) return UINT64_MAX;
    return (uint64_t)v;
}

static int64_t clamp_i64(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* Reads an integer or bool; false for other classes. u64 comes in its own bits. */
static bool load_integer(born_dtype t, const void *p, int64_t *v)
{
    switch (t) {
#define READ(ID, type)                                                                                                \
    case BORN_##ID: {                                                                                                 \
        type x;                                                                                                       \
        memcpy(&x, p, sizeof x);                                                                                      \
        *v = (int64_t)x;                                                                                              \
        return true;                                                                                                  \
    }
        READ(I8, int8_t)
        READ(U8, uint8_t)
        READ(I16, int16_t)
        READ(U16, uint16_t)
        READ(I32, int32_t)
        READ(U32, uint32_t)
        READ(I64, int64_t)
#undef READ
    case BORN_BOOL:
        *v = *(const uint8_t *)p != 0;
        return true;
    default:
        return false;
    }
}

double born__load_f64(born_dtype t, const void *p)
{
    int64_t i;
    uint64_t u;
    uint16_t h;
    float f;
    double d;
    if (load_integer(t, p, &i)) return (double)i;
    switch (t) {
    case BORN_F32:
        memcpy(&f, p, sizeof f);
        return (double)f;
    case BORN_F64:
        memcpy(&d, p, sizeof d);
        return d;
    case BORN_F16:
        memcpy(&h, p, sizeof h);
        return (double)born__f16_to_f32(h);
    case BORN_BF16:
        memcpy(&h, p, sizeof h);
        return (double)born__bf16_to_f32(h);
    case BORN_U64:
        memcpy(&u, p, sizeof u);
        return (double)u;
    default:
        return 0.0;
    }
}

int64_t born__load_i64(born_dtype t, const void *p)
{
    int64_t i;
    uint64_t u;
    if (load_integer(t, p, &i)) return i;
    if (t == BORN_U64) {
        memcpy(&u, p, sizeof u);
        return u > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)u;
    }
    return saturate_i64(born__load_f64(t, p));
}

void born__store_f64(born_dtype t, void *p, double v)
{
    switch (t) {
#define WRITE(ID, type, expr)                                                                                         \
    case BORN_##ID: {                                                                                                 \
        type x = (type)(expr);                                                                                        \
        memcpy(p, &x, sizeof x);                                                                                      \
        return;                                                                                                       \
    }
        WRITE(F32, float, v)
        WRITE(F64, double, v)
        WRITE(F16, uint16_t, born__f32_to_f16(round_to_odd(v)))
        WRITE(BF16, uint16_t, born__f32_to_bf16(round_to_odd(v)))
        WRITE(I8, int8_t, clamp_i64(saturate_i64(v), INT8_MIN, INT8_MAX))
        WRITE(U8, uint8_t, clamp_i64(saturate_i64(v), 0, UINT8_MAX))
        WRITE(I16, int16_t, clamp_i64(saturate_i64(v), INT16_MIN, INT16_MAX))
        WRITE(U16, uint16_t, clamp_i64(saturate_i64(v), 0, UINT16_MAX))
        WRITE(I32, int32_t, clamp_i64(saturate_i64(v), INT32_MIN, INT32_MAX))
        WRITE(U32, uint32_t, clamp_i64(saturate_i64(v), 0, UINT32_MAX))
        WRITE(I64, int64_t, saturate_i64(v))
        WRITE(U64, uint64_t, saturate_u64(v))
        WRITE(BOOL, uint8_t, v != 0)
#undef WRITE
    default:
        return;
    }
}
