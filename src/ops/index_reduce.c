/* Reductions of elements that meet: see index_reduce.h. */
#include "ops/index_reduce.h"

#include "ops/ref.h"

#define BORN_EACH "ops/index_reduce.inc"
#include "ops/each_num.inc"

/* f16 and bf16: load, compute, store. */
static float half_value(born_reduction r, float a, float b)
{
    switch (r) {
    case BORN_REDUCE_ADD: return a + b;
    case BORN_REDUCE_MUL: return a * b;
    case BORN_REDUCE_MAX: return a > b || a != a ? a : b;
    case BORN_REDUCE_MIN: return a < b || a != a ? a : b;
    default: return b;
    }
}

#define HALF_RUN(name, dtype, r)                                                                                      \
    static void name(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n)                       \
    {                                                                                                                 \
        half_run(dtype, r, dst, dst_step, src, src_step, n);                                                          \
    }

static void half_run(born_dtype t, born_reduction r, char *dst, int64_t dst_step, const char *src, int64_t src_step,
                     int64_t n)
{
    bool bf = t == BORN_BF16;
    for (int64_t i = 0; i < n; i++) {
        uint16_t *d = (uint16_t *)(void *)(dst + i * dst_step);
        uint16_t s = *(const uint16_t *)(const void *)(src + i * src_step);
        float a = bf ? born__bf16_to_f32(*d) : born__f16_to_f32(*d);
        float v = half_value(r, a, bf ? born__bf16_to_f32(s) : born__f16_to_f32(s));
        *d = bf ? born__f32_to_bf16(v) : born__f32_to_f16(v);
    }
}

HALF_RUN(f16_add, BORN_F16, BORN_REDUCE_ADD)
HALF_RUN(f16_mul, BORN_F16, BORN_REDUCE_MUL)
HALF_RUN(f16_max, BORN_F16, BORN_REDUCE_MAX)
HALF_RUN(f16_min, BORN_F16, BORN_REDUCE_MIN)
HALF_RUN(bf16_add, BORN_BF16, BORN_REDUCE_ADD)
HALF_RUN(bf16_mul, BORN_BF16, BORN_REDUCE_MUL)
HALF_RUN(bf16_max, BORN_BF16, BORN_REDUCE_MAX)
HALF_RUN(bf16_min, BORN_BF16, BORN_REDUCE_MIN)

born_reduce_run born__reduce_run(born_dtype t, born_reduction r)
{
    static const born_reduce_run f16[] = { reduce_none_u16, f16_add, f16_mul, f16_max, f16_min };
    static const born_reduce_run bf16[] = { reduce_none_u16, bf16_add, bf16_mul, bf16_max, bf16_min };
    static const born_reduce_run boolean[] = { reduce_none_u8, reduce_max_u8, reduce_min_u8, reduce_max_u8,
                                               reduce_min_u8 };
    if (t == BORN_F16) return f16[r];
    if (t == BORN_BF16) return bf16[r];
    if (t == BORN_BOOL) return boolean[r];
    born_reduce_run (*pick)(born_reduction) = BORN_PICK_NUM(t, reduce_pick);
    return pick ? pick(r) : NULL;
}
