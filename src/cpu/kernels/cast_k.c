/* Conversion between dtypes: the steps of cast.h as loops over whole blocks, and the cast kernel that chains them
   through buffers in the first cache. */
#include "cpu/kernels/cast.h"

#include <math.h>

#include "cpu/simd/simd.h"

#if defined(__clang__)
/* builds without optimisation leave the loops as they are */
#pragma clang diagnostic ignored "-Wpass-failed"
#define LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define LOOP _Pragma("GCC ivdep")
#endif
#define COUNT(n) ((n) & -(int64_t)BORN_SPAN_BLOCK)

static void f16_f32(const void *x, void *z, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) v_store((float *)z + i, v_load_f16((const uint16_t *)x + i));
}
static void f32_f16(const void *x, void *z, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) v_store_f16((uint16_t *)z + i, v_load((const float *)x + i));
}

/* One number of each step. The float to integer conversions ask for the range first, so nothing is undefined. */
static inline float odd_of(double v)
{
    float f = (float)v;
    uint32_t bits;
    bool inexact = (double)f != v && v == v && fabs(v) <= 0x1.fffffffffffffp1023;
    memcpy(&bits, &f, sizeof bits);
    bits = inexact ? (bits - (fabs((double)f) > fabs(v))) | 1u : bits;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static inline float bf16_to(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static inline uint16_t to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t even = (u + 0x7fffu + (u >> 16 & 1u)) >> 16, nan = u >> 16 | 0x40u;
    return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : even);
}
static inline int32_t f32_to_i32(float v)
{
    int32_t r = v >= -0x1p31f && v < 0x1p31f ? (int32_t)v : INT32_MIN;
    return v >= 0x1p31f ? INT32_MAX : v == v ? r : 0;
}
static inline int64_t f32_to_i64(float v)
{
    int64_t r = v >= -0x1p63f && v < 0x1p63f ? (int64_t)v : INT64_MIN;
    return v >= 0x1p63f ? INT64_MAX : v == v ? r : 0;
}
static inline int32_t f64_to_i32(double v)
{
    int32_t r = v > -0x1p31 && v < 0x1p31 ? (int32_t)v : INT32_MIN;
    return v >= 0x1p31 ? INT32_MAX : v == v ? r : 0;
}
static inline int64_t f64_to_i64(double v)
{
    int64_t r = v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
    return v >= 0x1p63 ? INT64_MAX : v == v ? r : 0;
}
static inline int32_t within(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }

#define FROM uint16_t
#define TO float
#define STEP bf16_f32
#define VALUE(v) bf16_to(v)
#include "cpu/kernels/cast_step.inc"
#define FROM float
#define TO uint16_t
#define STEP f32_bf16
#define VALUE(v) to_bf16(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int8_t
#define TO int32_t
#define STEP i8_i32
#define VALUE(v) (v)
#include "cpu/kernels/cast_step.inc"
#define FROM uint8_t
#define TO int32_t
#define STEP u8_i32
#define VALUE(v) (v)
#include "cpu/kernels/cast_step.inc"
#define FROM uint8_t
#define TO int32_t
#define STEP bool_i32
#define VALUE(v) ((v) != 0)
#include "cpu/kernels/cast_step.inc"
#define FROM float
#define TO double
#define STEP f32_f64
#define VALUE(v) (double)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM float
#define TO int32_t
#define STEP f32_i32
#define VALUE(v) f32_to_i32(v)
#include "cpu/kernels/cast_step.inc"
#define FROM float
#define TO int64_t
#define STEP f32_i64
#define VALUE(v) f32_to_i64(v)
#include "cpu/kernels/cast_step.inc"
#define FROM float
#define TO uint8_t
#define STEP f32_bool
#define VALUE(v) ((v) != 0)
#include "cpu/kernels/cast_step.inc"
#define FROM double
#define TO float
#define STEP f64_f32
#define VALUE(v) (float)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM double
#define TO float
#define STEP f64_odd
#define VALUE(v) odd_of(v)
#include "cpu/kernels/cast_step.inc"
#define FROM double
#define TO int32_t
#define STEP f64_i32
#define VALUE(v) f64_to_i32(v)
#include "cpu/kernels/cast_step.inc"
#define FROM double
#define TO int64_t
#define STEP f64_i64
#define VALUE(v) f64_to_i64(v)
#include "cpu/kernels/cast_step.inc"
#define FROM double
#define TO uint8_t
#define STEP f64_bool
#define VALUE(v) ((v) != 0)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO float
#define STEP i32_f32
#define VALUE(v) (float)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO double
#define STEP i32_f64
#define VALUE(v) (double)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO int64_t
#define STEP i32_i64
#define VALUE(v) (v)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO uint8_t
#define STEP i32_low8
#define VALUE(v) (uint8_t)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO int8_t
#define STEP i32_sati8
#define VALUE(v) (int8_t)within((v), -128, 127)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO uint8_t
#define STEP i32_satu8
#define VALUE(v) (uint8_t)within((v), 0, 255)
#include "cpu/kernels/cast_step.inc"
#define FROM int32_t
#define TO uint8_t
#define STEP i32_bool
#define VALUE(v) ((v) != 0)
#include "cpu/kernels/cast_step.inc"
#define FROM int64_t
#define TO float
#define STEP i64_f32
#define VALUE(v) (float)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int64_t
#define TO double
#define STEP i64_f64
#define VALUE(v) (double)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int64_t
#define TO int32_t
#define STEP i64_i32
#define VALUE(v) (int32_t)(v)
#include "cpu/kernels/cast_step.inc"
#define FROM int64_t
#define TO uint8_t
#define STEP i64_bool
#define VALUE(v) ((v) != 0)
#include "cpu/kernels/cast_step.inc"

static const born_cast_fn steps[BORN_CAST_STEPS] = {
    [BORN_CAST_F16_F32] = f16_f32,     [BORN_CAST_BF16_F32] = bf16_f32,   [BORN_CAST_I8_I32] = i8_i32,
    [BORN_CAST_U8_I32] = u8_i32,       [BORN_CAST_BOOL_I32] = bool_i32,   [BORN_CAST_F32_F16] = f32_f16,
    [BORN_CAST_F32_BF16] = f32_bf16,   [BORN_CAST_F32_F64] = f32_f64,     [BORN_CAST_F32_I32] = f32_i32,
    [BORN_CAST_F32_I64] = f32_i64,     [BORN_CAST_F32_BOOL] = f32_bool,   [BORN_CAST_F64_F32] = f64_f32,
    [BORN_CAST_F64_ODD] = f64_odd,     [BORN_CAST_F64_I32] = f64_i32,     [BORN_CAST_F64_I64] = f64_i64,
    [BORN_CAST_F64_BOOL] = f64_bool,   [BORN_CAST_I32_F32] = i32_f32,     [BORN_CAST_I32_F64] = i32_f64,
    [BORN_CAST_I32_I64] = i32_i64,     [BORN_CAST_I32_LOW8] = i32_low8,   [BORN_CAST_I32_SATI8] = i32_sati8,
    [BORN_CAST_I32_SATU8] = i32_satu8, [BORN_CAST_I32_BOOL] = i32_bool,   [BORN_CAST_I64_F32] = i64_f32,
    [BORN_CAST_I64_F64] = i64_f64,     [BORN_CAST_I64_I32] = i64_i32,     [BORN_CAST_I64_BOOL] = i64_bool,
};

born_cast_fn BORN_K(cast_step)(born_cast_step s)
{
    return steps[s];
}

typedef struct chain { born_cast_step step[BORN_CAST_CHAIN]; int count; } chain;

static void run_chain(const born_span *s, const void *const *x, void *z, int64_t n)
{
    const chain *c = s->more;
    _Alignas(64) char room[2][BORN_SPAN_PIECE * sizeof(double)];

    for (int64_t i = 0; i < n; i += BORN_SPAN_PIECE) {
        int64_t m = n - i < BORN_SPAN_PIECE ? n - i : BORN_SPAN_PIECE;
        const void *from = (const char *)x[0] + i * s->in_size[0];
        for (int k = 0; k < c->count; k++) {
            void *to = k == c->count - 1 ? (char *)z + i * s->out_size : room[k % 2];
            steps[c->step[k]](from, to, m);
            from = to;
        }
    }
}

born_status BORN_K(cast_any)(born_call *c, const born_exec *x)
{
    chain w;
    born_span s = { .loop = run_chain, .more = &w };

    w.count = born__cast_chain(c->in[0].dtype, c->out[0].dtype, w.step);
    return born__span_run(c, x, &s);
}
