/* simd.h in plain C: sixteen floats. born__fmaf is exact on every machine. */
#ifndef BORN_CPU_SIMD_SCALAR_H
#define BORN_CPU_SIMD_SCALAR_H
#include "base/fma.h"

#include "tensor/view.h"

typedef struct v16 {
    float r[16];
} v16;
typedef struct w16 {
    int32_t r[16];
} w16;
typedef struct m16 {
    uint32_t r;
} m16;

#define LANES for (int i_ = 0; i_ < 16; i_++)

BORN_INLINE m16 m_first(int64_t n)
{
    return (m16){ (1u << n) - 1u };
}
BORN_INLINE v16 v_load(const float *p)
{
    v16 v;
    memcpy(v.r, p, sizeof v.r);
    return v;
}
BORN_INLINE void v_store(float *p, v16 a)
{
    memcpy(p, a.r, sizeof a.r);
}
BORN_INLINE v16 v_load_n(const float *p, int64_t n)
{
    v16 v = { { 0 } };
    for (int64_t i = 0; i < n; i++) v.r[i] = p[i];
    return v;
}
BORN_INLINE void v_store_n(float *p, v16 a, int64_t n)
{
    for (int64_t i = 0; i < n; i++) p[i] = a.r[i];
}
BORN_INLINE v16 v_set(float x)
{
    v16 v;
    LANES v.r[i_] = x;
    return v;
}
BORN_INLINE v16 v_zero(void)
{
    return v_set(0);
}
#define BORN__V2(name, expr)                                                                                           \
    BORN_INLINE v16 name(v16 a_, v16 b_)                                                                               \
    {                                                                                                                  \
        v16 z;                                                                                                         \
        LANES                                                                                                          \
        {                                                                                                              \
            float a = a_.r[i_], b = b_.r[i_];                                                                          \
            z.r[i_] = (expr);                                                                                          \
        }                                                                                                              \
        return z;                                                                                                      \
    }
#define BORN__V1(name, expr)                                                                                           \
    BORN_INLINE v16 name(v16 a_)                                                                                       \
    {                                                                                                                  \
        v16 z;                                                                                                         \
        LANES                                                                                                          \
        {                                                                                                              \
            float a = a_.r[i_];                                                                                        \
            z.r[i_] = (expr);                                                                                          \
        }                                                                                                              \
        return z;                                                                                                      \
    }
#define BORN__M2(name, expr)                                                                                           \
    BORN_INLINE m16 name(v16 a_, v16 b_)                                                                               \
    {                                                                                                                  \
        uint32_t m = 0;                                                                                                \
        LANES                                                                                                          \
        {                                                                                                              \
            float a = a_.r[i_], b = b_.r[i_];                                                                          \
            m |= (uint32_t)(expr) << i_;                                                                               \
        }                                                                                                              \
        return (m16){ m };                                                                                             \
    }
BORN__V2(v_add, a + b)
BORN__V2(v_sub, a - b)
BORN__V2(v_mul, a *b)
BORN__V2(v_div, a / b)
BORN__V1(v_sqrt, sqrtf(a))
BORN__V2(v_maxr, a > b ? a : b)
BORN__V2(v_minr, a < b ? a : b)
BORN__V2(v_max, a > b || a != a ? a : b)
BORN__V2(v_min, a < b || a != a ? a : b)
BORN__V1(v_abs, fabsf(a))
BORN__V1(v_neg, -a)
BORN__V1(v_floor, floorf(a))
BORN__V1(v_ceil, ceilf(a))
BORN__V1(v_trunc, truncf(a))
BORN__V1(v_round, rintf(a))
BORN__M2(v_lt, a < b)
BORN__M2(v_le, a <= b)
BORN__M2(v_gt, a > b)
BORN__M2(v_ge, a >= b)
BORN__M2(v_eq, a == b)
BORN__M2(v_ne, a != b)
BORN_INLINE m16 v_isnan(v16 a)
{
    return v_ne(a, a);
}
BORN_INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    LANES c.r[i_] = born__fmaf(a.r[i_], b.r[i_], c.r[i_]);
    return c;
}
BORN_INLINE v16 v_sel(m16 m, v16 a, v16 b)
{
    LANES b.r[i_] = (m.r >> i_ & 1u) ? a.r[i_] : b.r[i_];
    return b;
}
BORN_INLINE m16 m_and(m16 a, m16 b)
{
    return (m16){ a.r & b.r };
}
BORN_INLINE m16 m_or(m16 a, m16 b)
{
    return (m16){ a.r | b.r };
}
BORN_INLINE m16 m_xor(m16 a, m16 b)
{
    return (m16){ a.r ^ b.r };
}
BORN_INLINE m16 m_not(m16 a)
{
    return (m16){ ~a.r & 0xffffu };
}
BORN_INLINE uint32_t m_bits(m16 a)
{
    return a.r;
}
BORN_INLINE bool m_any(m16 a)
{
    return a.r != 0;
}
/* n bytes of 0 or 1 */
BORN_INLINE void m_store(uint8_t *p, m16 a, int64_t n)
{
    uint32_t bits = m_bits(a);
    for (int64_t i = 0; i < n; i++) p[i] = bits >> i & 1u;
}
BORN_INLINE m16 m_load(const uint8_t *p, int64_t n)
{
    uint32_t bits = 0;
    for (int64_t i = 0; i < n; i++) bits |= (uint32_t)(p[i] != 0) << i;
    return (m16){ bits };
}
BORN_INLINE w16 v_bits(v16 a)
{
    w16 w;
    memcpy(w.r, a.r, sizeof w.r);
    return w;
}
BORN_INLINE v16 v_of_bits(w16 a)
{
    v16 v;
    memcpy(v.r, a.r, sizeof v.r);
    return v;
}
BORN_INLINE v16 v_load_f16(const uint16_t *p)
{
    v16 v;
    LANES v.r[i_] = born__f16_to_f32(p[i_]);
    return v;
}
BORN_INLINE void v_store_f16(uint16_t *p, v16 a)
{
    LANES p[i_] = born__f32_to_f16(a.r[i_]);
}
BORN_INLINE v16 v_from_w(w16 a)
{
    v16 v;
    LANES v.r[i_] = (float)a.r[i_];
    return v;
}
BORN_INLINE w16 w_from_v(v16 a)
{
    w16 w;
    LANES w.r[i_] = a.r[i_] >= -2147483648.0f && a.r[i_] < 2147483648.0f ? (int32_t)a.r[i_] : INT32_MIN;
    return w;
}
BORN_INLINE w16 w_load(const int32_t *p)
{
    w16 w;
    memcpy(w.r, p, sizeof w.r);
    return w;
}
BORN_INLINE void w_store(int32_t *p, w16 a)
{
    memcpy(p, a.r, sizeof a.r);
}
BORN_INLINE w16 w_load_n(const int32_t *p, int64_t n)
{
    w16 w = { { 0 } };
    for (int64_t i = 0; i < n; i++) w.r[i] = p[i];
    return w;
}
BORN_INLINE void w_store_n(int32_t *p, w16 a, int64_t n)
{
    for (int64_t i = 0; i < n; i++) p[i] = a.r[i];
}
BORN_INLINE w16 w_load_u8(const uint8_t *p)
{
    w16 w;
    LANES w.r[i_] = p[i_];
    return w;
}
BORN_INLINE w16 w_load_i8(const int8_t *p)
{
    w16 w;
    LANES w.r[i_] = p[i_];
    return w;
}
BORN_INLINE void w_store_low8(uint8_t *p, w16 a)
{
    LANES p[i_] = (uint8_t)a.r[i_];
}
BORN_INLINE w16 w_set(int32_t x)
{
    w16 w;
    LANES w.r[i_] = x;
    return w;
}
#define BORN__W2(name, expr)                                                                                           \
    BORN_INLINE w16 name(w16 a_, w16 b_)                                                                               \
    {                                                                                                                  \
        w16 z;                                                                                                         \
        LANES                                                                                                          \
        {                                                                                                              \
            uint32_t a = (uint32_t)a_.r[i_], b = (uint32_t)b_.r[i_];                                                   \
            z.r[i_] = (int32_t)(expr);                                                                                 \
        }                                                                                                              \
        return z;                                                                                                      \
    }
BORN__W2(w_add, a + b)
BORN__W2(w_sub, a - b)
BORN__W2(w_mul, a *b)
BORN__W2(w_and, a &b)
BORN__W2(w_or, a | b)
BORN__W2(w_xor, a ^ b)
BORN__W2(w_andnot, ~a &b)
BORN__W2(w_min, (int32_t)a < (int32_t)b ? a : b)
BORN__W2(w_max, (int32_t)a > (int32_t)b ? a : b)
BORN_INLINE w16 w_shl(w16 a, int n)
{
    LANES a.r[i_] = (int32_t)((uint32_t)a.r[i_] << n);
    return a;
}
BORN_INLINE w16 w_shr(w16 a, int n)
{
    LANES a.r[i_] = (int32_t)((uint32_t)a.r[i_] >> n);
    return a;
}
BORN_INLINE w16 w_sar(w16 a, int n)
{
    LANES a.r[i_] = a.r[i_] >> n;
    return a;
}
BORN_INLINE m16 w_eq(w16 a, w16 b)
{
    uint32_t m = 0;
    LANES m |= (uint32_t)(a.r[i_] == b.r[i_]) << i_;
    return (m16){ m };
}
BORN_INLINE m16 w_gt(w16 a, w16 b)
{
    uint32_t m = 0;
    LANES m |= (uint32_t)(a.r[i_] > b.r[i_]) << i_;
    return (m16){ m };
}
BORN_INLINE w16 w_sel(m16 m, w16 a, w16 b)
{
    LANES b.r[i_] = (m.r >> i_ & 1u) ? a.r[i_] : b.r[i_];
    return b;
}
BORN_INLINE v16 v_even(v16 a, v16 b)
{
    v16 v;
    LANES v.r[i_] = i_ < 8 ? a.r[2 * i_] : b.r[2 * i_ - 16];
    return v;
}
BORN_INLINE v16 v_zip_lo(v16 a, v16 b)
{
    v16 v;
    LANES v.r[i_] = i_ % 2 ? b.r[i_ / 2] : a.r[i_ / 2];
    return v;
}
BORN_INLINE v16 v_zip_hi(v16 a, v16 b)
{
    v16 v;
    LANES v.r[i_] = i_ % 2 ? b.r[8 + i_ / 2] : a.r[8 + i_ / 2];
    return v;
}
BORN_INLINE void v_transpose(v16 r[16])
{
    for (int i = 0; i < 16; i++)
        for (int j = i + 1; j < 16; j++) {
            float t = r[i].r[j];
            r[i].r[j] = r[j].r[i];
            r[j].r[i] = t;
        }
}
#undef LANES
#undef BORN__V1
#undef BORN__V2
#undef BORN__M2
#undef BORN__W2
#endif
