/* The words of formulas on one f32 lane: math.inc read as scalar C. Functions are called name_f32. Kernels on more
   lanes include the same text, so the bits agree. */
#ifndef BORN_OPS_LANE1_H
#define BORN_OPS_LANE1_H
#include "base/fma.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline int32_t born__f32_bits(float a)
{
    int32_t i;
    memcpy(&i, &a, sizeof i);
    return i;
}
static inline float born__f32_from(int32_t i)
{
    float a;
    memcpy(&a, &i, sizeof a);
    return a;
}
static inline int32_t born__i32_wrap(uint32_t v)
{
    int32_t i;
    memcpy(&i, &v, sizeof i);
    return i;
}
static inline int32_t born__i32_sra(int32_t v, int k)   /* >> on negatives is not defined by C */
{
    uint32_t u = (uint32_t)v >> k, sign = v < 0 ? ~(UINT32_MAX >> k) : 0;
    return born__i32_wrap(u | sign);
}
static inline int32_t born__f32_toi(float a) { return a > -2147483648.0f && a < 2147483648.0f ? (int32_t)a : 0; }

#define V float
#define VI int32_t
#define VM bool
#define MATH(name) name##_f32
#define V_SET(k) ((float)(k))
#define V_ADD(a, b) ((a) + (b))
#define V_SUB(a, b) ((a) - (b))
#define V_MUL(a, b) ((a) * (b))
#define V_DIV(a, b) ((a) / (b))
#define V_FMA(a, b, c) born__fmaf((a), (b), (c))
#define V_SQRT(a) sqrtf(a)
#define V_FLOOR(a) floorf(a)
#define V_CEIL(a) ceilf(a)
#define V_RINT(a) rintf(a)
#define V_TRUNC(a) truncf(a)
#define V_NEG(a) (-(a))
#define V_ABS(a) fabsf(a)
#define V_MAXQ(a, b) ((a) > (b) ? (a) : (b))
#define V_MINQ(a, b) ((a) < (b) ? (a) : (b))
#define V_GT(a, b) ((a) > (b))
#define V_GE(a, b) ((a) >= (b))
#define V_LT(a, b) ((a) < (b))
#define V_LE(a, b) ((a) <= (b))
#define V_EQ(a, b) ((a) == (b))
#define V_NE(a, b) ((a) != (b))
#define VM_AND(a, b) ((a) && (b))
#define VM_OR(a, b) ((a) || (b))
#define VM_NOT(a) (!(a))
#define V_SEL(m, a, b) ((m) ? (a) : (b))
#define V_TOI(a) born__f32_toi(a)
#define VI_TOV(i) ((float)(i))
#define V_BITS(a) born__f32_bits(a)
#define V_FROM(i) born__f32_from(i)
#define VI_SET(k) ((int32_t)(k))
#define VI_ADD(a, b) born__i32_wrap((uint32_t)(a) + (uint32_t)(b))
#define VI_SUB(a, b) born__i32_wrap((uint32_t)(a) - (uint32_t)(b))
#define VI_AND(a, b) ((a) & (b))
#define VI_OR(a, b) ((a) | (b))
#define VI_XOR(a, b) ((a) ^ (b))
#define VI_SHL(i, k) born__i32_wrap((uint32_t)(i) << (k))
#define VI_SRA(i, k) born__i32_sra((i), (k))
#define VI_EQ(a, b) ((a) == (b))
#define V_ANY(m) (m)
#define V_EACH(m, x, r, fn) ((m) ? fn(x) : (r))
#define V_EACH2(m, x, y, r, fn) ((m) ? fn((x), (y)) : (r))
#include "ops/math.inc"
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
