/* Small parts that the transformer operators share. */
#ifndef BORN_OPS_LLM_H
#define BORN_OPS_LLM_H
#include "ops/ref.h"

/* out[0..N) (dense) = row a [K] times b [K, N], by byte steps: law (a), FMA chains cut every 1,024 terms. */
void born__row_times(const char *a, int64_t a_step, const char *b, int64_t b_row, int64_t b_col, int64_t K, int64_t N,
                     float *out);
#endif
