/* Quantising and back, element by element: calls of quantize_linear and dequantize_linear as elementwise work on x,
   scale and zero point, the latter two spread over x (qpoint.c), run by qpoint_k.c. */
#ifndef BORN_CPU_QPOINT_H
#define BORN_CPU_QPOINT_H
#include "cpu/kernel.h"

/* in[0..3): x, scale, zero point, all of x's rank. False: blocks along an axis, which the kernels do not take. */
bool born__qpoint_inputs(const born_call *c, born_view in[3]);
/* Rank 0: one value for all. */
void born__qpoint_spread(born_view *v, born_dtype t, const void *value, int rank);
#endif
