/* Calls that work on dense rows (softmax, norms), as their kernels see them. */
#ifndef BORN_CPU_ROWS_H
#define BORN_CPU_ROWS_H
#include "cpu/kernel.h"

typedef struct born_rows {
    int64_t n, count; /* elements of a row, rows */
    int rank;
    int64_t dim[BORN_MAX_RANK], x_step[BORN_MAX_RANK], y_step[BORN_MAX_RANK]; /* of the axes before the rows, floats */
    const float *x;
    float *y;
    /* norms */
    bool rms;
    double epsilon;
    const float *scale, *bias;
    float *mean, *inverse; /* further results, one per row; NULL: not wanted */
} born_rows;

/* false: the call's rows are not dense; then the kernels do not take it. */
bool born__rows_of_softmax(const born_call *c, born_rows *r);
bool born__rows_of_norm(const born_call *c, born_rows *r);

static inline const float *born__row_in(const born_rows *r, int64_t i)
{
    const float *p = r->x;
    for (int d = r->rank; d-- > 0; i /= r->dim[d]) p += i % r->dim[d] * r->x_step[d];
    return p;
}

static inline float *born__row_out(const born_rows *r, int64_t i)
{
    float *p = r->y;
    for (int d = r->rank; d-- > 0; i /= r->dim[d]) p += i % r->dim[d] * r->y_step[d];
    return p;
}
#endif
