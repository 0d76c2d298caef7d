/* A reduction as its kernels see it: which of the two cases of the law it is, and where its terms lie. */
#ifndef BORN_CPU_REDUCE_PLAN_H
#define BORN_CPU_REDUCE_PLAN_H
#include "cpu/kernel.h"

typedef enum born_reduce_kind {
    BORN_REDUCE_SUM,
    BORN_REDUCE_MAX,
    BORN_REDUCE_MIN,
    BORN_REDUCE_ABS,
    BORN_REDUCE_SQUARE
} born_reduce_kind;

typedef struct born_reduce_plan {
    born_reduce_kind kind;
    float divisor; /* 0: none */
    bool root;
    int64_t n; /* terms of one result */
    int64_t columns; /* results side by side whose terms are x_term apart; 0: each is a dense row */
    int64_t x_term;
    int64_t count; /* rows, or blocks of columns */
    int rank;
    int64_t dim[BORN_MAX_RANK], x_step[BORN_MAX_RANK], y_step[BORN_MAX_RANK];
    const float *x;
    float *y;
} born_reduce_plan;

/* false: neither case, or the axes are not known. */
bool born__reduce_plan(const born_call *c, born_reduce_plan *p);
#endif
