/* A pool, or the gradient of one, over images whose last axis is dense, as pool_rows_k.c runs it. Steps are in floats.
   */
#ifndef BORN_CPU_POOL_ROWS_H
#define BORN_CPU_POOL_ROWS_H
#include "cpu/kernel.h"
#include "ops/conv_window.h"

typedef struct born_pool_rows {
    born_window win;
    int64_t batch, channels;
    bool average, count_padding;
    const float *x;             /* NULL: not read (the gradient of a mean) */
    float *y;                   /* the result; of a gradient what arrived, only read */
    float *dx;                  /* a gradient's result; NULL: a pool */
    int64_t xn, xc, xs[2], yn, yc, ys[2], dn, dc, ds[2];
} born_pool_rows;

/* false: not for these kernels. */
bool born__pool_rows_of(const born_call *c, born_pool_rows *p);
#endif
