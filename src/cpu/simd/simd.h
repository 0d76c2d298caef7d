/* Sixteen lanes on every ISA: v16 (f32), w16 (i32), m16 (a condition per lane), and the primitives over them. The
   level's header defines them; this file says what they mean. Included by _k.c files only.

   v_load v_store, v_load_n v_store_n (first n lanes, 0 <= n <= 16; others read as 0, are not written and not touched)
   v_set v_zero v_add v_sub v_mul v_div v_sqrt: IEEE, each rounded once      v_fma(a, b, c) = a * b + c rounded once
   v_max(a, b): a if a > b or a is NaN, else b; v_min likewise with <          v_abs v_neg: the sign bit only
   v_maxr(a, b): a if a > b, else b (the raw instruction); v_minr likewise with <
   v_floor v_ceil v_trunc v_round (to even): signed zeros, inf and NaN stay what they are
   v_lt v_le v_gt v_ge v_eq (ordered: false on NaN) v_ne (true on NaN) v_isnan    v_sel(m, a, b): a where m
   m_and m_or m_xor m_not m_any m_bits (bit i = lane i)                          m_first(n): the first n lanes
   m_store(p, m, n), m_load(p, n): n bytes of 0 or 1 (any other byte reads as true)
   v_bits v_of_bits: reinterpret   v_from_w: i32 to f32   w_from_v: f32 to i32 by truncation, any if out of range
   w_load_u8 w_load_i8: 16 bytes widened   w_store_low8: 16 low bytes
   v_ldexp(a, b), where BORN_HAS_LDEXP: a * 2^b for whole b, rounded once
   v_load_f16 v_store_f16: 16 halves, rounded to nearest even
   w_load w_store w_load_n w_store_n w_set w_add w_sub w_mul w_and w_or w_xor w_andnot(a, b) = ~a & b
   w_shl w_shr (logical)
   w_sar (arithmetic; counts 0..31, constants) w_eq w_gt w_sel w_min w_max
   v_transpose(r): 16 x 16 in place
   v_even(a, b): elements 0, 2, .. 30 of the 32 in a and b
   v_zip_lo(a, b): a0 b0 a1 b1 .. b7, v_zip_hi: a8 b8 .. b15 */
#ifndef BORN_CPU_SIMD_H
#define BORN_CPU_SIMD_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cpu/levels.h"

#define BORN_INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define BORN_UNROLL_ _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define BORN_UNROLL_ _Pragma("GCC unroll 32")
#else
#define BORN_UNROLL_
#endif
/* before a loop of constant trip count (at most 32) that must disappear */
#define BORN_UNROLL BORN_UNROLL_

#if BORN_LEVEL_IS == BORN__LEVEL_IS_avx512 || BORN_LEVEL_IS == BORN__LEVEL_IS_avx512vnni
#include "cpu/simd/avx512.h"
#elif BORN_LEVEL_IS == BORN__LEVEL_IS_avx2
#include "cpu/simd/avx2.h"
#elif BORN_LEVEL_IS == BORN__LEVEL_IS_neon
#include "cpu/simd/neon.h"
#else
#include "cpu/simd/scalar.h"
#endif

/* The largest of 16 lanes, none of which is NaN. */
BORN_INLINE float v_most(v16 a)
{
    float t[16];
    v_store(t, a);
    for (int h = 8; h > 0; h /= 2)
        for (int i = 0; i < h; i++) t[i] = t[i + h] > t[i] ? t[i + h] : t[i];
    return t[0];
}

/* Sums of 16 lanes by the fixed tree: halves 8, 4, 2, 1. */
BORN_INLINE float v_sum(v16 a)
{
    float t[16];
    v_store(t, a);
    for (int h = 8; h > 0; h /= 2)
        for (int i = 0; i < h; i++) t[i] += t[i + h];
    return t[0];
}
#endif
