/* Reading runs of elements of any number dtype into dense runs of one of four types, and back: what lets one loop per
   class serve every dtype and stride. Integers widen with their sign; on the way back they keep their low bits. Bytes
   of bool read as 0 or 1. f16 and bf16 go through f32. A float class may also read and write integers (saturating). */
#ifndef BORN_OPS_NUMBERS_H
#define BORN_OPS_NUMBERS_H
#include <born/tensor.h>

#include "ops/elementwise.h"

enum { BORN_RUN = 256 };    /* elements handled at a time: four buffers of them stay in the first cache */

typedef union born_run {
    float f32[BORN_RUN];
    double f64[BORN_RUN];
    int64_t i64[BORN_RUN];
    uint64_t u64[BORN_RUN];
    uint8_t u8[BORN_RUN];
} born_run;

/* n <= BORN_RUN elements of dtype t, `step` bytes apart at p, as the class of t (or of `as`). Returns p itself where
   they are such a dense run already, else buf filled. */
const void *born__run_read(born_class as, born_dtype t, const char *p, int64_t step, int64_t n, born_run *buf);
/* Where a kernel may write n results of t: p itself, or buf. */
void *born__run_target(born_class as, born_dtype t, char *p, int64_t step, born_run *buf);
/* Stores what a kernel wrote to `from` (a no-op where born__run_target gave p). */
void born__run_write(born_class as, born_dtype t, char *p, int64_t step, int64_t n, const void *from);
#endif
