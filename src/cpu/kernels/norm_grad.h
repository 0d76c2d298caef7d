/* layer_norm_grad and rms_norm_grad over dense rows, as their kernel sees them. */
#ifndef BORN_CPU_NORM_GRAD_H
#define BORN_CPU_NORM_GRAD_H
#include "cpu/kernel.h"
#include "ops/reduce.h"

enum { BORN_NORM_GRAD_MOST = BORN_ROW_CHUNK };     /* elements of a row: one chunk of its sums */

typedef struct born_norm_grad {
    bool rms;
    int64_t count, n;                   /* rows, elements of each */
    float epsilon;
    const float *g, *x, *scale;         /* [count, n], [n] (NULL: 1) */
    float *dx, *dscale, *dbias;         /* dscale, dbias: [n], NULL where not wanted */
    float *mean, *by;                   /* [count], in scratch; by: 1 / deviation, or the root for rms */
} born_norm_grad;

/* false: the call is not for this kernel. */
bool born__norm_grad_of(const born_call *c, born_norm_grad *j);
#endif
