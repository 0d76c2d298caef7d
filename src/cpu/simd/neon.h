/* simd.h over four 128-bit registers (aarch64). */
#ifndef BORN_CPU_SIMD_NEON_H
#define BORN_CPU_SIMD_NEON_H
#include <arm_neon.h>

typedef struct v16 {
    float32x4_t r[4];
} v16;
typedef struct w16 {
    int32x4_t r[4];
} w16;
typedef struct m16 {
    uint32x4_t r[4];
} m16;

#define BORN__OP1(T, name, A, fn)                                                                                      \
    BORN_INLINE T name(A a)                                                                                            \
    {                                                                                                                  \
        return (T){ { fn(a.r[0]), fn(a.r[1]), fn(a.r[2]), fn(a.r[3]) } };                                              \
    }
#define BORN__OP2(T, name, A, fn)                                                                                      \
    BORN_INLINE T name(A a, A b)                                                                                       \
    {                                                                                                                  \
        return (T){ { fn(a.r[0], b.r[0]), fn(a.r[1], b.r[1]), fn(a.r[2], b.r[2]), fn(a.r[3], b.r[3]) } };              \
    }

BORN_INLINE v16 v_load(const float *p)
{
    return (v16){ { vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12) } };
}
BORN_INLINE void v_store(float *p, v16 a)
{
    vst1q_f32(p, a.r[0]);
    vst1q_f32(p + 4, a.r[1]);
    vst1q_f32(p + 8, a.r[2]);
    vst1q_f32(p + 12, a.r[3]);
}
BORN_INLINE v16 v_load_n(const float *p, int64_t n)
{
    float t[16] = { 0 };
    for (int64_t i = 0; i < n; i++) t[i] = p[i];
    return v_load(t);
}
BORN_INLINE void v_store_n(float *p, v16 a, int64_t n)
{
    float t[16];
    v_store(t, a);
    for (int64_t i = 0; i < n; i++) p[i] = t[i];
}
BORN_INLINE v16 v_set(float x)
{
    float32x4_t t = vdupq_n_f32(x);
    return (v16){ { t, t, t, t } };
}
BORN_INLINE v16 v_zero(void)
{
    return v_set(0);
}
BORN__OP2(v16, v_add, v16, vaddq_f32)
BORN__OP2(v16, v_sub, v16, vsubq_f32)
BORN__OP2(v16, v_mul, v16, vmulq_f32)
BORN__OP2(v16, v_div, v16, vdivq_f32)
BORN__OP1(v16, v_sqrt, v16, vsqrtq_f32)
BORN__OP1(v16, v_abs, v16, vabsq_f32)
BORN__OP1(v16, v_neg, v16, vnegq_f32)
BORN__OP1(v16, v_floor, v16, vrndmq_f32)
BORN__OP1(v16, v_ceil, v16, vrndpq_f32)
BORN__OP1(v16, v_trunc, v16, vrndq_f32)
BORN__OP1(v16, v_round, v16, vrndnq_f32)
BORN__OP2(m16, v_lt, v16, vcltq_f32)
BORN__OP2(m16, v_le, v16, vcleq_f32)
BORN__OP2(m16, v_gt, v16, vcgtq_f32)
BORN__OP2(m16, v_ge, v16, vcgeq_f32)
BORN__OP2(m16, v_eq, v16, vceqq_f32)
BORN__OP2(m16, m_and, m16, vandq_u32)
BORN__OP2(m16, m_or, m16, vorrq_u32)
BORN__OP2(m16, m_xor, m16, veorq_u32)
BORN__OP1(m16, m_not, m16, vmvnq_u32)
BORN_INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return (v16){ { vfmaq_f32(c.r[0], a.r[0], b.r[0]), vfmaq_f32(c.r[1], a.r[1], b.r[1]),
                    vfmaq_f32(c.r[2], a.r[2], b.r[2]), vfmaq_f32(c.r[3], a.r[3], b.r[3]) } };
}
BORN_INLINE v16 v_sel(m16 m, v16 a, v16 b)
{
    return (v16){ { vbslq_f32(m.r[0], a.r[0], b.r[0]), vbslq_f32(m.r[1], a.r[1], b.r[1]),
                    vbslq_f32(m.r[2], a.r[2], b.r[2]), vbslq_f32(m.r[3], a.r[3], b.r[3]) } };
}
BORN_INLINE m16 v_ne(v16 a, v16 b)
{
    return m_not(v_eq(a, b));
}
BORN_INLINE m16 v_isnan(v16 a)
{
    return v_ne(a, a);
}
BORN_INLINE v16 v_maxr(v16 a, v16 b)
{
    return v_sel(v_gt(a, b), a, b);
}
BORN_INLINE v16 v_minr(v16 a, v16 b)
{
    return v_sel(v_lt(a, b), a, b);
}
BORN_INLINE v16 v_max(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_maxr(a, b));
}
BORN_INLINE v16 v_min(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_minr(a, b));
}
BORN_INLINE uint32_t m_bits(m16 a)
{
    static const uint32_t weight[4] = { 1, 2, 4, 8 };
    uint32x4_t w = vld1q_u32(weight);
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) bits |= vaddvq_u32(vandq_u32(a.r[i], w)) << (4 * i);
    return bits;
}
BORN_INLINE bool m_any(m16 a)
{
    return vmaxvq_u32(vorrq_u32(vorrq_u32(a.r[0], a.r[1]), vorrq_u32(a.r[2], a.r[3]))) != 0;
}
BORN_INLINE m16 m_first(int64_t n)
{
    static const int32_t at[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    int32x4_t c = vdupq_n_s32((int32_t)n);
    return (m16){ { vcltq_s32(vld1q_s32(at), c), vcltq_s32(vld1q_s32(at + 4), c), vcltq_s32(vld1q_s32(at + 8), c),
                    vcltq_s32(vld1q_s32(at + 12), c) } };
}
/* n bytes of 0 or 1 */
BORN_INLINE void m_store(uint8_t *p, m16 a, int64_t n)
{
    uint32_t bits = m_bits(a);
    for (int64_t i = 0; i < n; i++) p[i] = bits >> i & 1u;
}
BORN_INLINE m16 m_load(const uint8_t *p, int64_t n)
{
    uint32_t t[16] = { 0 };
    for (int64_t i = 0; i < n; i++) t[i] = p[i] ? UINT32_MAX : 0;
    return (m16){ { vld1q_u32(t), vld1q_u32(t + 4), vld1q_u32(t + 8), vld1q_u32(t + 12) } };
}
BORN__OP1(w16, v_bits, v16, vreinterpretq_s32_f32)
BORN__OP1(v16, v_of_bits, w16, vreinterpretq_f32_s32)
BORN__OP1(v16, v_from_w, w16, vcvtq_f32_s32)
BORN__OP1(w16, w_from_v, v16, vcvtq_s32_f32)
BORN_INLINE v16 v_load_f16(const uint16_t *p)
{
    v16 v;
    for (int i = 0; i < 4; i++) v.r[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return v;
}
BORN_INLINE void v_store_f16(uint16_t *p, v16 a)
{
    for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.r[i])));
}
BORN_INLINE w16 w_load(const int32_t *p)
{
    return (w16){ { vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12) } };
}
BORN_INLINE void w_store(int32_t *p, w16 a)
{
    vst1q_s32(p, a.r[0]);
    vst1q_s32(p + 4, a.r[1]);
    vst1q_s32(p + 8, a.r[2]);
    vst1q_s32(p + 12, a.r[3]);
}
BORN_INLINE w16 w_load_n(const int32_t *p, int64_t n)
{
    int32_t t[16] = { 0 };
    for (int64_t i = 0; i < n; i++) t[i] = p[i];
    return w_load(t);
}
BORN_INLINE void w_store_n(int32_t *p, w16 a, int64_t n)
{
    int32_t t[16];
    w_store(t, a);
    for (int64_t i = 0; i < n; i++) p[i] = t[i];
}
BORN_INLINE w16 w_load_i8(const int8_t *p)
{
    int8x16_t b = vld1q_s8(p);
    int16x8_t l = vmovl_s8(vget_low_s8(b)), h = vmovl_s8(vget_high_s8(b));
    return (w16){ { vmovl_s16(vget_low_s16(l)), vmovl_high_s16(l), vmovl_s16(vget_low_s16(h)), vmovl_high_s16(h) } };
}
BORN_INLINE w16 w_load_u8(const uint8_t *p)
{
    uint8x16_t b = vld1q_u8(p);
    int16x8_t l = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(b))), h = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(b)));
    return (w16){ { vmovl_s16(vget_low_s16(l)), vmovl_high_s16(l), vmovl_s16(vget_low_s16(h)), vmovl_high_s16(h) } };
}
BORN_INLINE void w_store_low8(uint8_t *p, w16 a)
{
    int16x8_t l = vcombine_s16(vmovn_s32(a.r[0]), vmovn_s32(a.r[1]));
    int16x8_t h = vcombine_s16(vmovn_s32(a.r[2]), vmovn_s32(a.r[3]));
    vst1q_u8(p, vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(l), vmovn_s16(h))));
}
BORN_INLINE w16 w_set(int32_t x)
{
    int32x4_t t = vdupq_n_s32(x);
    return (w16){ { t, t, t, t } };
}
BORN__OP2(w16, w_add, w16, vaddq_s32)
BORN__OP2(w16, w_sub, w16, vsubq_s32)
BORN__OP2(w16, w_mul, w16, vmulq_s32)
BORN__OP2(w16, w_and, w16, vandq_s32)
BORN__OP2(w16, w_or, w16, vorrq_s32)
BORN__OP2(w16, w_xor, w16, veorq_s32)
BORN__OP2(w16, w_min, w16, vminq_s32)
BORN__OP2(w16, w_max, w16, vmaxq_s32)
BORN__OP2(m16, w_eq, w16, vceqq_s32)
BORN__OP2(m16, w_gt, w16, vcgtq_s32)
BORN_INLINE w16 w_andnot(w16 a, w16 b)
{
    return (w16){ { vbicq_s32(b.r[0], a.r[0]), vbicq_s32(b.r[1], a.r[1]), vbicq_s32(b.r[2], a.r[2]),
                    vbicq_s32(b.r[3], a.r[3]) } };
}
BORN_INLINE w16 shift_words(w16 a, int n)
{
    int32x4_t c = vdupq_n_s32(n);
    return (w16){ { vshlq_s32(a.r[0], c), vshlq_s32(a.r[1], c), vshlq_s32(a.r[2], c), vshlq_s32(a.r[3], c) } };
}
BORN_INLINE w16 w_shl(w16 a, int n)
{
    return shift_words(a, n);
}
BORN_INLINE w16 w_sar(w16 a, int n)
{
    return shift_words(a, -n);
}
BORN_INLINE w16 w_shr(w16 a, int n)
{
    int32x4_t c = vdupq_n_s32(-n);
    for (int i = 0; i < 4; i++) a.r[i] = vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a.r[i]), c));
    return a;
}
BORN_INLINE w16 w_sel(m16 m, w16 a, w16 b)
{
    return v_bits(v_sel(m, v_of_bits(a), v_of_bits(b)));
}

BORN_INLINE v16 v_even(v16 a, v16 b)
{
    return (v16){ { vuzp1q_f32(a.r[0], a.r[1]), vuzp1q_f32(a.r[2], a.r[3]), vuzp1q_f32(b.r[0], b.r[1]),
                    vuzp1q_f32(b.r[2], b.r[3]) } };
}
BORN_INLINE v16 v_zip_lo(v16 a, v16 b)
{
    return (v16){ { vzip1q_f32(a.r[0], b.r[0]), vzip2q_f32(a.r[0], b.r[0]), vzip1q_f32(a.r[1], b.r[1]),
                    vzip2q_f32(a.r[1], b.r[1]) } };
}
BORN_INLINE v16 v_zip_hi(v16 a, v16 b)
{
    return (v16){ { vzip1q_f32(a.r[2], b.r[2]), vzip2q_f32(a.r[2], b.r[2]), vzip1q_f32(a.r[3], b.r[3]),
                    vzip2q_f32(a.r[3], b.r[3]) } };
}
BORN_INLINE void v_transpose(v16 r[16])
{
    v16 t[16];
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 4; j++) { /* 4 x 4: rows i..i+3, columns 4j.. */
            float32x4_t a = vtrn1q_f32(r[i].r[j], r[i + 1].r[j]), b = vtrn2q_f32(r[i].r[j], r[i + 1].r[j]);
            float32x4_t c = vtrn1q_f32(r[i + 2].r[j], r[i + 3].r[j]), d = vtrn2q_f32(r[i + 2].r[j], r[i + 3].r[j]);
            t[4 * j].r[i / 4] = vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(c)));
            t[4 * j + 1].r[i / 4] =
                vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(b), vreinterpretq_f64_f32(d)));
            t[4 * j + 2].r[i / 4] =
                vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(c)));
            t[4 * j + 3].r[i / 4] =
                vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(b), vreinterpretq_f64_f32(d)));
        }
    for (int i = 0; i < 16; i++) r[i] = t[i];
}
#undef BORN__OP1
#undef BORN__OP2
#endif
