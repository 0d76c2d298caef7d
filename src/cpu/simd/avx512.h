/* simd.h over one 512-bit register. */
#ifndef BORN_CPU_SIMD_AVX512_H
#define BORN_CPU_SIMD_AVX512_H
#include <immintrin.h>

typedef __m512 v16;
typedef __m512i w16;
typedef __mmask16 m16;

BORN_INLINE m16 m_first(int64_t n)
{
    return (m16)((1u << n) - 1u);
}
BORN_INLINE v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
BORN_INLINE void v_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}
BORN_INLINE v16 v_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(m_first(n), p);
}
BORN_INLINE void v_store_n(float *p, v16 a, int64_t n)
{
    _mm512_mask_storeu_ps(p, m_first(n), a);
}
BORN_INLINE v16 v_set(float x)
{
    return _mm512_set1_ps(x);
}
BORN_INLINE v16 v_zero(void)
{
    return _mm512_setzero_ps();
}
BORN_INLINE v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}
BORN_INLINE v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}
BORN_INLINE v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}
BORN_INLINE v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}
BORN_INLINE v16 v_sqrt(v16 a)
{
    return _mm512_sqrt_ps(a);
}
BORN_INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* a * 2^b for whole b, rounded once. */
#define BORN_HAS_LDEXP 1
BORN_INLINE v16 v_ldexp(v16 a, v16 b)
{
    return _mm512_scalef_ps(a, b);
}
BORN_INLINE v16 v_maxr(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}
BORN_INLINE v16 v_minr(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}
BORN_INLINE m16 v_isnan(v16 a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}
BORN_INLINE v16 v_max(v16 a, v16 b)
{
    return _mm512_mask_mov_ps(_mm512_max_ps(a, b), v_isnan(a), a);
}
BORN_INLINE v16 v_min(v16 a, v16 b)
{
    return _mm512_mask_mov_ps(_mm512_min_ps(a, b), v_isnan(a), a);
}
BORN_INLINE v16 v_abs(v16 a)
{
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff)));
}
BORN_INLINE v16 v_neg(v16 a)
{
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_set1_epi32(INT32_MIN)));
}
BORN_INLINE v16 v_floor(v16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
BORN_INLINE v16 v_ceil(v16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
BORN_INLINE v16 v_trunc(v16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}
BORN_INLINE v16 v_round(v16 a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
BORN_INLINE m16 v_lt(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
BORN_INLINE m16 v_le(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
BORN_INLINE m16 v_gt(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
BORN_INLINE m16 v_ge(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}
BORN_INLINE m16 v_eq(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
BORN_INLINE m16 v_ne(v16 a, v16 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ);
}
BORN_INLINE v16 v_sel(m16 m, v16 a, v16 b)
{
    return _mm512_mask_mov_ps(b, m, a);
}
BORN_INLINE m16 m_and(m16 a, m16 b)
{
    return (m16)(a & b);
}
BORN_INLINE m16 m_or(m16 a, m16 b)
{
    return (m16)(a | b);
}
BORN_INLINE m16 m_xor(m16 a, m16 b)
{
    return (m16)(a ^ b);
}
BORN_INLINE m16 m_not(m16 a)
{
    return (m16)~a;
}
BORN_INLINE bool m_any(m16 a)
{
    return a != 0;
}
BORN_INLINE uint32_t m_bits(m16 a)
{
    return a;
}
/* n bytes of 0 or 1 */
BORN_INLINE void m_store(uint8_t *p, m16 a, int64_t n)
{
    _mm_mask_storeu_epi8(p, m_first(n), _mm_maskz_set1_epi8(a, 1));
}
BORN_INLINE m16 m_load(const uint8_t *p, int64_t n)
{
    return _mm_mask_test_epi8_mask(m_first(n), _mm_maskz_loadu_epi8(m_first(n), p), _mm_set1_epi8(-1));
}
BORN_INLINE w16 v_bits(v16 a)
{
    return _mm512_castps_si512(a);
}
BORN_INLINE v16 v_of_bits(w16 a)
{
    return _mm512_castsi512_ps(a);
}
BORN_INLINE v16 v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
BORN_INLINE void v_store_f16(uint16_t *p, v16 a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
BORN_INLINE v16 v_from_w(w16 a)
{
    return _mm512_cvtepi32_ps(a);
}
BORN_INLINE w16 w_from_v(v16 a)
{
    return _mm512_cvttps_epi32(a);
}
BORN_INLINE w16 w_load(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}
BORN_INLINE void w_store(int32_t *p, w16 a)
{
    _mm512_storeu_si512(p, a);
}
BORN_INLINE w16 w_load_n(const int32_t *p, int64_t n)
{
    return _mm512_maskz_loadu_epi32(m_first(n), p);
}
BORN_INLINE void w_store_n(int32_t *p, w16 a, int64_t n)
{
    _mm512_mask_storeu_epi32(p, m_first(n), a);
}
BORN_INLINE w16 w_load_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
BORN_INLINE w16 w_load_i8(const int8_t *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
BORN_INLINE void w_store_low8(uint8_t *p, w16 a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(a));
}
BORN_INLINE w16 w_set(int32_t x)
{
    return _mm512_set1_epi32(x);
}
BORN_INLINE w16 w_add(w16 a, w16 b)
{
    return _mm512_add_epi32(a, b);
}
BORN_INLINE w16 w_sub(w16 a, w16 b)
{
    return _mm512_sub_epi32(a, b);
}
BORN_INLINE w16 w_mul(w16 a, w16 b)
{
    return _mm512_mullo_epi32(a, b);
}
BORN_INLINE w16 w_and(w16 a, w16 b)
{
    return _mm512_and_si512(a, b);
}
BORN_INLINE w16 w_or(w16 a, w16 b)
{
    return _mm512_or_si512(a, b);
}
BORN_INLINE w16 w_xor(w16 a, w16 b)
{
    return _mm512_xor_si512(a, b);
}
BORN_INLINE w16 w_andnot(w16 a, w16 b)
{
    return _mm512_andnot_si512(a, b);
}
#define w_shl(a, n) _mm512_slli_epi32((a), (n))
#define w_shr(a, n) _mm512_srli_epi32((a), (n))
#define w_sar(a, n) _mm512_srai_epi32((a), (n))
BORN_INLINE m16 w_eq(w16 a, w16 b)
{
    return _mm512_cmpeq_epi32_mask(a, b);
}
BORN_INLINE m16 w_gt(w16 a, w16 b)
{
    return _mm512_cmpgt_epi32_mask(a, b);
}
BORN_INLINE w16 w_sel(m16 m, w16 a, w16 b)
{
    return _mm512_mask_mov_epi32(b, m, a);
}
BORN_INLINE w16 w_min(w16 a, w16 b)
{
    return _mm512_min_epi32(a, b);
}
BORN_INLINE w16 w_max(w16 a, w16 b)
{
    return _mm512_max_epi32(a, b);
}

BORN_INLINE v16 v_even(v16 a, v16 b)
{
    const __m512i at = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(a, at, b);
}
BORN_INLINE v16 v_zip_lo(v16 a, v16 b)
{
    const __m512i at = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, at, b);
}
BORN_INLINE v16 v_zip_hi(v16 a, v16 b)
{
    const __m512i at = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, at, b);
}
BORN_INLINE void v_transpose(v16 r[16])
{
    v16 t[16];
    BORN_UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    BORN_UNROLL
    for (int i = 0; i < 16; i += 4) { /* r[i + j]: column j of each 4 x 4 block of rows i.. */
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    BORN_UNROLL
    for (int i = 0; i < 4; i++) { /* gather the 128-bit blocks */
        v16 a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        v16 c = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88), d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        t[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
    BORN_UNROLL
    for (int i = 0; i < 16; i++) r[i] = t[i];
}
#endif
