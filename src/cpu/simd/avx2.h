/* simd.h over two 256-bit registers. */
#ifndef BORN_CPU_SIMD_AVX2_H
#define BORN_CPU_SIMD_AVX2_H
#include <immintrin.h>

typedef struct v16 {
    __m256 l, h;
} v16;
typedef struct w16 {
    __m256i l, h;
} w16;
typedef struct m16 {
    __m256 l, h;
} m16;

BORN_INLINE __m256i mask_half(int64_t n)
{
    static const int32_t ones[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + (n >= 8 ? 0 : n <= 0 ? 8 : 8 - n)));
}
BORN_INLINE m16 m_first(int64_t n)
{
    return (m16){ _mm256_castsi256_ps(mask_half(n)), _mm256_castsi256_ps(mask_half(n - 8)) };
}
BORN_INLINE v16 v_load(const float *p)
{
    return (v16){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}
BORN_INLINE void v_store(float *p, v16 a)
{
    _mm256_storeu_ps(p, a.l);
    _mm256_storeu_ps(p + 8, a.h);
}
BORN_INLINE v16 v_load_n(const float *p, int64_t n)
{
    return (v16){ _mm256_maskload_ps(p, mask_half(n)),
                  n > 8 ? _mm256_maskload_ps(p + 8, mask_half(n - 8)) : _mm256_setzero_ps() };
}
BORN_INLINE void v_store_n(float *p, v16 a, int64_t n)
{
    _mm256_maskstore_ps(p, mask_half(n), a.l);
    if (n > 8) _mm256_maskstore_ps(p + 8, mask_half(n - 8), a.h);
}
BORN_INLINE v16 v_set(float x)
{
    return (v16){ _mm256_set1_ps(x), _mm256_set1_ps(x) };
}
BORN_INLINE v16 v_zero(void)
{
    return (v16){ _mm256_setzero_ps(), _mm256_setzero_ps() };
}
BORN_INLINE v16 v_add(v16 a, v16 b)
{
    return (v16){ _mm256_add_ps(a.l, b.l), _mm256_add_ps(a.h, b.h) };
}
BORN_INLINE v16 v_sub(v16 a, v16 b)
{
    return (v16){ _mm256_sub_ps(a.l, b.l), _mm256_sub_ps(a.h, b.h) };
}
BORN_INLINE v16 v_mul(v16 a, v16 b)
{
    return (v16){ _mm256_mul_ps(a.l, b.l), _mm256_mul_ps(a.h, b.h) };
}
BORN_INLINE v16 v_div(v16 a, v16 b)
{
    return (v16){ _mm256_div_ps(a.l, b.l), _mm256_div_ps(a.h, b.h) };
}
BORN_INLINE v16 v_sqrt(v16 a)
{
    return (v16){ _mm256_sqrt_ps(a.l), _mm256_sqrt_ps(a.h) };
}
BORN_INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return (v16){ _mm256_fmadd_ps(a.l, b.l, c.l), _mm256_fmadd_ps(a.h, b.h, c.h) };
}
BORN_INLINE v16 v_maxr(v16 a, v16 b)
{
    return (v16){ _mm256_max_ps(a.l, b.l), _mm256_max_ps(a.h, b.h) };
}
BORN_INLINE v16 v_minr(v16 a, v16 b)
{
    return (v16){ _mm256_min_ps(a.l, b.l), _mm256_min_ps(a.h, b.h) };
}
#define BORN__CMP(name, code)                                                                                          \
    BORN_INLINE m16 name(v16 a, v16 b)                                                                                 \
    {                                                                                                                  \
        return (m16){ _mm256_cmp_ps(a.l, b.l, code), _mm256_cmp_ps(a.h, b.h, code) };                                  \
    }
BORN__CMP(v_lt, _CMP_LT_OQ)
BORN__CMP(v_le, _CMP_LE_OQ)
BORN__CMP(v_gt, _CMP_GT_OQ)
BORN__CMP(v_ge, _CMP_GE_OQ)
BORN__CMP(v_eq, _CMP_EQ_OQ)
BORN__CMP(v_ne, _CMP_NEQ_UQ)
BORN__CMP(v_unordered, _CMP_UNORD_Q)
BORN_INLINE m16 v_isnan(v16 a)
{
    return v_unordered(a, a);
}
BORN_INLINE v16 v_sel(m16 m, v16 a, v16 b)
{
    return (v16){ _mm256_blendv_ps(b.l, a.l, m.l), _mm256_blendv_ps(b.h, a.h, m.h) };
}
BORN_INLINE v16 v_max(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_maxr(a, b));
}
BORN_INLINE v16 v_min(v16 a, v16 b)
{
    return v_sel(v_isnan(a), a, v_minr(a, b));
}
BORN_INLINE v16 v_abs(v16 a)
{
    __m256 m = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return (v16){ _mm256_and_ps(a.l, m), _mm256_and_ps(a.h, m) };
}
BORN_INLINE v16 v_neg(v16 a)
{
    __m256 m = _mm256_set1_ps(-0.0f);
    return (v16){ _mm256_xor_ps(a.l, m), _mm256_xor_ps(a.h, m) };
}
#define BORN__ROUND(name, code)                                                                                        \
    BORN_INLINE v16 name(v16 a)                                                                                        \
    {                                                                                                                  \
        return (v16){ _mm256_round_ps(a.l, (code) | _MM_FROUND_NO_EXC),                                                \
                      _mm256_round_ps(a.h, (code) | _MM_FROUND_NO_EXC) };                                              \
    }
BORN__ROUND(v_floor, _MM_FROUND_TO_NEG_INF)
BORN__ROUND(v_ceil, _MM_FROUND_TO_POS_INF)
BORN__ROUND(v_trunc, _MM_FROUND_TO_ZERO)
BORN__ROUND(v_round, _MM_FROUND_TO_NEAREST_INT)
BORN_INLINE m16 m_and(m16 a, m16 b)
{
    return (m16){ _mm256_and_ps(a.l, b.l), _mm256_and_ps(a.h, b.h) };
}
BORN_INLINE m16 m_or(m16 a, m16 b)
{
    return (m16){ _mm256_or_ps(a.l, b.l), _mm256_or_ps(a.h, b.h) };
}
BORN_INLINE m16 m_xor(m16 a, m16 b)
{
    return (m16){ _mm256_xor_ps(a.l, b.l), _mm256_xor_ps(a.h, b.h) };
}
BORN_INLINE m16 m_not(m16 a)
{
    __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return (m16){ _mm256_xor_ps(a.l, ones), _mm256_xor_ps(a.h, ones) };
}
BORN_INLINE uint32_t m_bits(m16 a)
{
    return (uint32_t)_mm256_movemask_ps(a.l) | (uint32_t)_mm256_movemask_ps(a.h) << 8;
}
BORN_INLINE bool m_any(m16 a)
{
    return m_bits(a) != 0;
}
/* n bytes of 0 or 1 */
BORN_INLINE void m_store(uint8_t *p, m16 a, int64_t n)
{
    __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(_mm256_castps_si256(a.l), _mm256_castps_si256(a.h)), 0xd8);
    __m128i b = _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
    b = _mm_and_si128(b, _mm_set1_epi8(1));
    if (n == 16) {
        _mm_storeu_si128((__m128i *)(void *)p, b);
        return;
    }
    uint8_t t[16];
    _mm_storeu_si128((__m128i *)(void *)t, b);
    for (int64_t i = 0; i < n; i++) p[i] = t[i];
}
BORN_INLINE m16 m_load(const uint8_t *p, int64_t n)
{
    uint8_t t[16] = { 0 };
    memcpy(t, p, (size_t)n);
    __m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)t), _mm_setzero_si128());
    __m256i l = _mm256_cvtepi8_epi32(b), h = _mm256_cvtepi8_epi32(_mm_srli_si128(b, 8)), ones = _mm256_set1_epi32(-1);
    return (m16){ _mm256_castsi256_ps(_mm256_xor_si256(l, ones)), _mm256_castsi256_ps(_mm256_xor_si256(h, ones)) };
}
BORN_INLINE w16 v_bits(v16 a)
{
    return (w16){ _mm256_castps_si256(a.l), _mm256_castps_si256(a.h) };
}
BORN_INLINE v16 v_of_bits(w16 a)
{
    return (v16){ _mm256_castsi256_ps(a.l), _mm256_castsi256_ps(a.h) };
}
BORN_INLINE v16 v_load_f16(const uint16_t *p)
{
    return (v16){ _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
                  _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8))) };
}
BORN_INLINE void v_store_f16(uint16_t *p, v16 a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(a.l, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(void *)(p + 8), _mm256_cvtps_ph(a.h, _MM_FROUND_TO_NEAREST_INT));
}
BORN_INLINE v16 v_from_w(w16 a)
{
    return (v16){ _mm256_cvtepi32_ps(a.l), _mm256_cvtepi32_ps(a.h) };
}
BORN_INLINE w16 w_from_v(v16 a)
{
    return (w16){ _mm256_cvttps_epi32(a.l), _mm256_cvttps_epi32(a.h) };
}
BORN_INLINE w16 w_load(const int32_t *p)
{
    return (w16){ _mm256_loadu_si256((const __m256i *)(const void *)p),
                  _mm256_loadu_si256((const __m256i *)(const void *)(p + 8)) };
}
BORN_INLINE void w_store(int32_t *p, w16 a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, a.l);
    _mm256_storeu_si256((__m256i *)(void *)(p + 8), a.h);
}
BORN_INLINE w16 w_load_n(const int32_t *p, int64_t n)
{
    return (w16){ _mm256_maskload_epi32(p, mask_half(n)),
                  n > 8 ? _mm256_maskload_epi32(p + 8, mask_half(n - 8)) : _mm256_setzero_si256() };
}
BORN_INLINE void w_store_n(int32_t *p, w16 a, int64_t n)
{
    _mm256_maskstore_epi32(p, mask_half(n), a.l);
    if (n > 8) _mm256_maskstore_epi32(p + 8, mask_half(n - 8), a.h);
}
BORN_INLINE w16 w_load_u8(const uint8_t *p)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (w16){ _mm256_cvtepu8_epi32(b), _mm256_cvtepu8_epi32(_mm_srli_si128(b, 8)) };
}
BORN_INLINE w16 w_load_i8(const int8_t *p)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (w16){ _mm256_cvtepi8_epi32(b), _mm256_cvtepi8_epi32(_mm_srli_si128(b, 8)) };
}
BORN_INLINE void w_store_low8(uint8_t *p, w16 a)
{
    __m256i low = _mm256_set1_epi32(0xff);
    __m256i w = _mm256_packus_epi32(_mm256_and_si256(a.l, low), _mm256_and_si256(a.h, low));
    w = _mm256_permute4x64_epi64(w, 0xd8);
    _mm_storeu_si128((__m128i *)(void *)p,
                     _mm_packus_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
}
BORN_INLINE w16 w_set(int32_t x)
{
    return (w16){ _mm256_set1_epi32(x), _mm256_set1_epi32(x) };
}
BORN_INLINE w16 w_add(w16 a, w16 b)
{
    return (w16){ _mm256_add_epi32(a.l, b.l), _mm256_add_epi32(a.h, b.h) };
}
BORN_INLINE w16 w_sub(w16 a, w16 b)
{
    return (w16){ _mm256_sub_epi32(a.l, b.l), _mm256_sub_epi32(a.h, b.h) };
}
BORN_INLINE w16 w_mul(w16 a, w16 b)
{
    return (w16){ _mm256_mullo_epi32(a.l, b.l), _mm256_mullo_epi32(a.h, b.h) };
}
BORN_INLINE w16 w_and(w16 a, w16 b)
{
    return (w16){ _mm256_and_si256(a.l, b.l), _mm256_and_si256(a.h, b.h) };
}
BORN_INLINE w16 w_or(w16 a, w16 b)
{
    return (w16){ _mm256_or_si256(a.l, b.l), _mm256_or_si256(a.h, b.h) };
}
BORN_INLINE w16 w_xor(w16 a, w16 b)
{
    return (w16){ _mm256_xor_si256(a.l, b.l), _mm256_xor_si256(a.h, b.h) };
}
BORN_INLINE w16 w_andnot(w16 a, w16 b)
{
    return (w16){ _mm256_andnot_si256(a.l, b.l), _mm256_andnot_si256(a.h, b.h) };
}
BORN_INLINE w16 w_shl(w16 a, int n)
{
    return (w16){ _mm256_slli_epi32(a.l, n), _mm256_slli_epi32(a.h, n) };
}
BORN_INLINE w16 w_shr(w16 a, int n)
{
    return (w16){ _mm256_srli_epi32(a.l, n), _mm256_srli_epi32(a.h, n) };
}
BORN_INLINE w16 w_sar(w16 a, int n)
{
    return (w16){ _mm256_srai_epi32(a.l, n), _mm256_srai_epi32(a.h, n) };
}
BORN_INLINE m16 w_eq(w16 a, w16 b)
{
    return (m16){ _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.l, b.l)),
                  _mm256_castsi256_ps(_mm256_cmpeq_epi32(a.h, b.h)) };
}
BORN_INLINE m16 w_gt(w16 a, w16 b)
{
    return (m16){ _mm256_castsi256_ps(_mm256_cmpgt_epi32(a.l, b.l)),
                  _mm256_castsi256_ps(_mm256_cmpgt_epi32(a.h, b.h)) };
}
BORN_INLINE w16 w_sel(m16 m, w16 a, w16 b)
{
    return v_bits(v_sel(m, v_of_bits(a), v_of_bits(b)));
}
BORN_INLINE w16 w_min(w16 a, w16 b)
{
    return (w16){ _mm256_min_epi32(a.l, b.l), _mm256_min_epi32(a.h, b.h) };
}
BORN_INLINE w16 w_max(w16 a, w16 b)
{
    return (w16){ _mm256_max_epi32(a.l, b.l), _mm256_max_epi32(a.h, b.h) };
}

/* 8 x 8 */
BORN_INLINE void transpose_8(__m256 r[8])
{
    __m256 t[8];
    BORN_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    BORN_UNROLL
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    BORN_UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    BORN_UNROLL
    for (int i = 0; i < 8; i++) r[i] = t[i];
}
BORN_INLINE __m256 even_half(__m256 a, __m256 b)
{
    __m256 t = _mm256_shuffle_ps(a, b, 0x88); /* a0 a2 b0 b2 | a4 a6 b4 b6 */
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(t), 0xd8));
}
BORN_INLINE v16 v_even(v16 a, v16 b)
{
    return (v16){ even_half(a.l, a.h), even_half(b.l, b.h) };
}
BORN_INLINE v16 zip_half(__m256 a, __m256 b)
{
    __m256 lo = _mm256_unpacklo_ps(a, b), hi = _mm256_unpackhi_ps(a, b);
    return (v16){ _mm256_permute2f128_ps(lo, hi, 0x20), _mm256_permute2f128_ps(lo, hi, 0x31) };
}
BORN_INLINE v16 v_zip_lo(v16 a, v16 b)
{
    return zip_half(a.l, b.l);
}
BORN_INLINE v16 v_zip_hi(v16 a, v16 b)
{
    return zip_half(a.h, b.h);
}
BORN_INLINE void v_transpose(v16 r[16])
{
    __m256 a[8], b[8], c[8], d[8];
    BORN_UNROLL
    for (int i = 0; i < 8; i++) {
        a[i] = r[i].l;
        b[i] = r[i].h;
        c[i] = r[i + 8].l;
        d[i] = r[i + 8].h;
    }
    transpose_8(a);
    transpose_8(b);
    transpose_8(c);
    transpose_8(d);
    BORN_UNROLL
    for (int i = 0; i < 8; i++) {
        r[i] = (v16){ a[i], c[i] };
        r[i + 8] = (v16){ b[i], d[i] };
    }
}
#undef BORN__CMP
#undef BORN__ROUND
#endif
