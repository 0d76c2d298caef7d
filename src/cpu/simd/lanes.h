/* The words of formulas on 16 lanes: ops/math.inc read over simd.h, functions called name_v16. The scalar
   reading of the same text is ops/lane1.h, hence equal bits. */
#ifndef BORN_CPU_SIMD_LANES_H
#define BORN_CPU_SIMD_LANES_H
#include <math.h>

#include "cpu/simd/simd.h"

/* r with fn(x) in the lanes of m: the rare arguments, one at a time. */
BORN_INLINE v16 v_each(m16 m, v16 x, v16 r, float (*fn)(float))
{
    float xs[16], rs[16];
    v_store(xs, x);
    v_store(rs, r);
    for (uint32_t bits = m_bits(m); bits; bits &= bits - 1) {
        int i = __builtin_ctz(bits);
        rs[i] = fn(xs[i]);
    }
    return v_load(rs);
}
BORN_INLINE v16 v_each2(m16 m, v16 x, v16 y, v16 r, float (*fn)(float, float))
{
    float xs[16], ys[16], rs[16];
    v_store(xs, x);
    v_store(ys, y);
    v_store(rs, r);
    for (uint32_t bits = m_bits(m); bits; bits &= bits - 1) {
        int i = __builtin_ctz(bits);
        rs[i] = fn(xs[i], ys[i]);
    }
    return v_load(rs);
}

#define V v16
#define VI w16
#define VM m16
#define MATH(name) name##_v16
#define V_SET(k) v_set((float)(k))
#define V_ADD(a, b) v_add((a), (b))
#define V_SUB(a, b) v_sub((a), (b))
#define V_MUL(a, b) v_mul((a), (b))
#define V_DIV(a, b) v_div((a), (b))
#define V_FMA(a, b, c) v_fma((a), (b), (c))
#define V_SQRT(a) v_sqrt(a)
#define V_FLOOR(a) v_floor(a)
#define V_CEIL(a) v_ceil(a)
#define V_RINT(a) v_round(a)
#define V_TRUNC(a) v_trunc(a)
#if defined(BORN_HAS_LDEXP)
#define V_LDEXP(a, b) v_ldexp((a), (b))
#endif
#define V_NEG(a) v_neg(a)
#define V_ABS(a) v_abs(a)
#define V_MAXQ(a, b) v_maxr((a), (b))
#define V_MINQ(a, b) v_minr((a), (b))
#define V_GT(a, b) v_gt((a), (b))
#define V_GE(a, b) v_ge((a), (b))
#define V_LT(a, b) v_lt((a), (b))
#define V_LE(a, b) v_le((a), (b))
#define V_EQ(a, b) v_eq((a), (b))
#define V_NE(a, b) v_ne((a), (b))
#define VM_AND(a, b) m_and((a), (b))
#define VM_OR(a, b) m_or((a), (b))
#define VM_NOT(a) m_not(a)
#define V_SEL(m, a, b) v_sel((m), (a), (b))
#define V_TOI(a) w_from_v(a)
#define VI_TOV(i) v_from_w(i)
#define V_BITS(a) v_bits(a)
#define V_FROM(i) v_of_bits(i)
#define VI_SET(k) w_set((int32_t)(k))
#define VI_ADD(a, b) w_add((a), (b))
#define VI_SUB(a, b) w_sub((a), (b))
#define VI_AND(a, b) w_and((a), (b))
#define VI_OR(a, b) w_or((a), (b))
#define VI_XOR(a, b) w_xor((a), (b))
#define VI_SHL(i, k) w_shl((i), (k))
#define VI_SRA(i, k) w_sar((i), (k))
#define VI_EQ(a, b) w_eq((a), (b))
#define V_ANY(m) m_any(m)
#define V_EACH(m, x, r, fn) v_each((m), (x), (r), fn)
#define V_EACH2(m, x, y, r, fn) v_each2((m), (x), (y), (r), fn)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include "ops/math.inc"
#pragma GCC diagnostic pop
#undef V
#undef VI
#undef VM
#undef MATH
#undef V_SET
#undef V_ADD
#undef V_SUB
#undef V_MUL
#undef V_DIV
#undef V_FMA
#undef V_SQRT
#undef V_FLOOR
#undef V_CEIL
#undef V_RINT
#undef V_TRUNC
#undef V_LDEXP
#undef V_NEG
#undef V_ABS
#undef V_MAXQ
#undef V_MINQ
#undef V_GT
#undef V_GE
#undef V_LT
#undef V_LE
#undef V_EQ
#undef V_NE
#undef VM_AND
#undef VM_OR
#undef VM_NOT
#undef V_SEL
#undef V_TOI
#undef VI_TOV
#undef V_BITS
#undef V_FROM
#undef VI_SET
#undef VI_ADD
#undef VI_SUB
#undef VI_AND
#undef VI_OR
#undef VI_XOR
#undef VI_SHL
#undef VI_SRA
#undef VI_EQ
#undef V_ANY
#undef V_EACH
#undef V_EACH2
#endif
