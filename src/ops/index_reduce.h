/* dst[i] = reduction(dst[i], src[i]) over n elements a byte step apart, in order: what scatters and col2im do with the
   elements that meet. Integers wrap; f16 and bf16 are computed in f32 and rounded each time; max and min hand a NaN on;
   bool adds as OR and multiplies as AND. */
#ifndef BORN_OPS_INDEX_REDUCE_H
#define BORN_OPS_INDEX_REDUCE_H
#include <born/tensor.h>

typedef enum born_reduction {   /* order of the attributes named `reduction` */
    BORN_REDUCE_NONE,
    BORN_REDUCE_ADD,
    BORN_REDUCE_MUL,
    BORN_REDUCE_MAX,
    BORN_REDUCE_MIN
} born_reduction;

typedef void (*born_reduce_run)(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n);
/* NULL: no such dtype. */
born_reduce_run born__reduce_run(born_dtype t, born_reduction r);
#endif
