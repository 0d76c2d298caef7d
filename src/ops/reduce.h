/* Reductions by the law of bits. The trailing run of reduced axes is one row, fed to a born_row: element i
   goes to lane i % 16 of accumulator (i / 16) % 4, accumulators join as (0+1)+(2+3), lanes by halves 8, 4, 2, 1;
   chunks of 4,096 join by a binary tree over the chunk index. What the other reduced axes leave is a chain in
   row-major order, cut every 1,024 terms, the segments joined left to right. `max`, `min` and `prod` follow the same
   order. */
#ifndef BORN_OPS_REDUCE_H
#define BORN_OPS_REDUCE_H
#include "ops/numbers.h"

enum { BORN_ROW_CHUNK = 4096, BORN_CHAIN_CUT = 1024 };

/* One pass of a reduction: terms map(x - m) are joined by `combine` from `init`. */
typedef struct born_reducer {
    born_class cls;
    int size;                   /* bytes of a number of the class */
    born_span_fn combine;       /* the span of add, mul, max or min */
    born_span_fn map;           /* of a unary row; NULL: the term itself */
    born_span_fn shift;         /* of sub, used where m is given */
    uint64_t init;              /* the class's bits */
} born_reducer;

/* A running row: feed it runs whose lengths are multiples of 64 except for the last, then finish. */
typedef struct born_row {
    const born_reducer *r;
    int64_t count;              /* elements fed */
    int parts;                  /* of the tree */
    union { float f32[64]; double f64[64]; uint64_t u64[64]; } lane;
    union { float f32; double f64; uint64_t u64; } part[48];    /* of whole subtrees of chunks, the larger first */
    int64_t part_chunks[48];
} born_row;
void born__row_begin(born_row *w, const born_reducer *r);
void born__row_feed(born_row *w, const void *v, int64_t n);
void born__row_end(born_row *w, void *result);

/* Sums of a dense f32 or f64 row by the law: for norms, softmax and whoever adds over the last axis. */
float born__row_sum_f32(const float *v, int64_t n);
double born__row_sum_f64(const double *v, int64_t n);
float born__row_max_f32(const float *v, int64_t n);     /* -inf of nothing; NaN if any is */
double born__row_max_f64(const double *v, int64_t n);
#endif
