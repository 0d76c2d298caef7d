/* What the quantised operators share: reading 8-bit numbers of either sign by one loop, rounding and saturating, and
   checks of scale and zero point operands. */
#ifndef BORN_OPS_QUANT_H
#define BORN_OPS_QUANT_H
#include "ops/ref.h"

/* An 8-bit number u of either sign is (u ^ flip) - flip, flip being 0x80 for i8 and 0 for u8. */
static inline int born__q8_flip(born_dtype t) { return t == BORN_I8 ? 0x80 : 0; }
static inline int32_t born__q8(const void *p, int flip) { return (int32_t)(*(const uint8_t *)p ^ flip) - flip; }

/* Half to even for |v| <= 2^21, as a plain addition that vectorises; larger v are clamped, NaN gives 0. */
static inline int32_t born__round_even(float v)
{
    v = v == v ? v : 0.0f;
    v = v < -2097152.0f ? -2097152.0f : v > 2097152.0f ? 2097152.0f : v;
    return (int32_t)((v + 12582912.0f) - 12582912.0f);
}
static inline int32_t born__saturate(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* The range of an 8 or 16 bit integer dtype. */
static inline void born__q_range(born_dtype t, int32_t *lo, int32_t *hi)
{
    *lo = t == BORN_I8 ? -128 : t == BORN_I16 ? -32768 : 0;
    *hi = t == BORN_I8 ? 127 : t == BORN_U8 ? 255 : t == BORN_I16 ? 32767 : 65535;
}

/* How results of one kernel are quantised: y = saturate(round(v) + zero). */
typedef struct born_requant { int32_t zero, lo, hi; int size; } born_requant;
static inline born_requant born__requant_for(born_dtype t, int64_t zero)
{
    born_requant q = { (int32_t)zero, 0, 0, born__dtype_info(t)->size };
    born__q_range(t, &q.lo, &q.hi);
    return q;
}
static inline uint8_t born__requant_u8(const born_requant *q, float v)
{
    return (uint8_t)born__saturate(born__round_even(v) + q->zero, q->lo, q->hi);
}

/* Operands of one element: kernels. An absent zero point is 0. */
static inline float born__scale_of(const born_call *c, int i) { return (float)born__at_f64(&c->in[i], 0); }
static inline int64_t born__zero_of(const born_call *c, int i)
{
    return born__has(c, i) ? born__at_i64(&c->in[i], 0) : 0;
}

/* Shape rules: operand i has one element; an absent one passes where `optional`. */
born_status born__need_scalar(born_infer *f, int i, bool optional);
/* ... has one element, or is [n]; absent passes where `optional`. */
born_status born__need_scalar_or_vector(born_infer *f, int i, int64_t n, bool optional);
/* Operand i has one of the dtypes of the mask; absent passes. */
born_status born__need_dtype(born_infer *f, int i, uint32_t mask);

/* dynamic_quantize_linear in two steps: scale and zero point for the range of x with 0, then y [u8] from x. */
void born__dynamic_range(const born_view *x, float *scale, int32_t *zero);
void born__dynamic_apply(const born_exec *x, const born_view *y, const born_view *in, float scale, int32_t zero);

#define BORN_DT_Q8 (BORN_DT(I8) | BORN_DT(U8))
#endif
