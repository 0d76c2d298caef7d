/* Elementwise rows applied to dense floats: the last step of fused epilogues, and the middle of kernels on halves. The
   lane reading of the same formulas that the f32 kernels use. */
#ifndef BORN_CPU_ACTIVATION_H
#define BORN_CPU_ACTIVATION_H
#include <stdbool.h>
#include <stdint.h>

#include "cpu/levels.h"

/* Whether op (an id) is a unary f32 row. */
bool born__activation_known(uint16_t op);

#ifdef BORN_LEVEL_NAME
/* p[0..n) = op(p[0..n)); n a multiple of 16. */
void BORN_K(activation_f32)(uint16_t op, const double *param, float *p, int64_t n);
/* z[i] = op(x[i], y[i]) of any row that takes floats; y NULL for rows of one input; bytes at z where op is a test. */
void BORN_K(formula_f32)(uint16_t op, const double *param, const float *x, const float *y, void *z, int64_t n);
#endif
#endif
