/* Unary elementwise rows applied to dense floats in place: the last step of fused epilogues. The lane reading of the
   same formulas that the unary kernels use. */
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
#endif
#endif
