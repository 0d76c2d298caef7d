/* Dot products of four 8-bit numbers for 16 columns at once, exact modulo 2^32 on every ISA: d16 holds the sums of 16
   columns in the form that suits the instructions, d_dot adds u8 times i8 products (the four bytes of `a` for all
   columns, four bytes of w per column), d_sum gives 16 plain sums. AVX2 and plain AVX-512 multiply 16-bit pairs, since
   their 8-bit products saturate. Included by _k.c files. */
#ifndef BORN_CPU_DOT_H
#define BORN_CPU_DOT_H
#include "cpu/simd/simd.h"

#if BORN_LEVEL_IS == BORN__LEVEL_IS_avx512vnni
typedef __m512i d16;
BORN_INLINE d16 d_zero(void)
{
    return _mm512_setzero_si512();
}
BORN_INLINE d16 d_dot(d16 d, int32_t a, const int8_t *w)
{
    return _mm512_dpbusd_epi32(d, _mm512_set1_epi32(a), _mm512_loadu_si512(w));
}
BORN_INLINE w16 d_sum(d16 d)
{
    return d;
}

#elif BORN_LEVEL_IS == BORN__LEVEL_IS_avx512
typedef struct d16 {
    __m512i l, h;
} d16; /* two lanes per column: the pairs of its four products */
BORN_INLINE d16 d_zero(void)
{
    return (d16){ _mm512_setzero_si512(), _mm512_setzero_si512() };
}
BORN_INLINE d16 d_dot(d16 d, int32_t a, const int8_t *w)
{
    __m512i four = _mm512_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(a)));
    __m512i l = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)w));
    __m512i h = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(w + 32)));
    return (d16){ _mm512_add_epi32(d.l, _mm512_madd_epi16(l, four)),
                  _mm512_add_epi32(d.h, _mm512_madd_epi16(h, four)) };
}
BORN_INLINE w16 d_sum(d16 d)
{
    __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(d.l, even, d.h), _mm512_permutex2var_epi32(d.l, odd, d.h));
}

#elif BORN_LEVEL_IS == BORN__LEVEL_IS_avx2
typedef struct d16 {
    __m256i r[4];
} d16; /* four columns each, two lanes per column */
BORN_INLINE d16 d_zero(void)
{
    __m256i z = _mm256_setzero_si256();
    return (d16){ { z, z, z, z } };
}
BORN_INLINE d16 d_dot(d16 d, int32_t a, const int8_t *w)
{
    __m256i four = _mm256_broadcastq_epi64(_mm_cvtepu8_epi16(_mm_cvtsi32_si128(a)));
    BORN_UNROLL
    for (int i = 0; i < 4; i++) {
        __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + 16 * i)));
        d.r[i] = _mm256_add_epi32(d.r[i], _mm256_madd_epi16(v, four));
    }
    return d;
}
BORN_INLINE w16 d_sum(d16 d)
{
    return (w16){ _mm256_permute4x64_epi64(_mm256_hadd_epi32(d.r[0], d.r[1]), 0xd8),
                  _mm256_permute4x64_epi64(_mm256_hadd_epi32(d.r[2], d.r[3]), 0xd8) };
}

#elif BORN_LEVEL_IS == BORN__LEVEL_IS_neon
typedef struct d16 {
    int32x4_t r[4];
} d16;
BORN_INLINE d16 d_zero(void)
{
    int32x4_t z = vdupq_n_s32(0);
    return (d16){ { z, z, z, z } };
}
BORN_INLINE d16 d_dot(d16 d, int32_t a, const int8_t *w)
{
    int16x8_t four = vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_s32(vdup_n_s32(a))));
    BORN_UNROLL
    for (int i = 0; i < 4; i++) {
        int8x16_t v = vld1q_s8(w + 16 * i);
        int16x8_t l = vmovl_s8(vget_low_s8(v)), h = vmovl_s8(vget_high_s8(v));
        int32x4_t c01 = vpaddq_s32(vmull_s16(vget_low_s16(l), vget_low_s16(four)), vmull_high_s16(l, four));
        int32x4_t c23 = vpaddq_s32(vmull_s16(vget_low_s16(h), vget_low_s16(four)), vmull_high_s16(h, four));
        d.r[i] = vaddq_s32(d.r[i], vpaddq_s32(c01, c23));
    }
    return d;
}
BORN_INLINE w16 d_sum(d16 d)
{
    return (w16){ { d.r[0], d.r[1], d.r[2], d.r[3] } };
}

#else
typedef w16 d16;
BORN_INLINE d16 d_zero(void)
{
    return w_set(0);
}
BORN_INLINE d16 d_dot(d16 d, int32_t a, const int8_t *w)
{
    uint8_t four[4];
    memcpy(four, &a, sizeof four);
    for (int c = 0; c < 16; c++) {
        int32_t s = four[0] * w[4 * c] + four[1] * w[4 * c + 1] + four[2] * w[4 * c + 2] + four[3] * w[4 * c + 3];
        d.r[c] = (int32_t)((uint32_t)d.r[c] + (uint32_t)s);
    }
    return d;
}
BORN_INLINE w16 d_sum(d16 d)
{
    return d;
}
#endif
#endif
