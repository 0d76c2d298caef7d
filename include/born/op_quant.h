/* Born: quantising and back. Operands are any typed handles; what comes out is known at run time (born_as_<dtype> names
   it). The other quantised operators come with files and are reached by name (call.h).
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_QUANT_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_QUANT_H
#define BORN_OP_QUANT_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// x / scale rounded to nearest even, plus zero_point ({0}: 0 of u8 or of `output_dtype`), saturated; one scale, or
/// one per index along `axis`, or per `block_size` elements of it. The result's dtype is zero_point's. No gradient.
/// Equals torch.quantize_per_tensor, ONNX QuantizeLinear.
BORN_OPANY(quantize_linear, (, born_tensor scale, born_tensor zero_point, const born_quantize_attrs *attrs),
           (, scale, zero_point, attrs))
#define born_quantize_linear(x, scale, zero_point, attrs)                                                             \
    BORN_SEL_ANY(born_quantize_linear, x, BORN_ANY(scale), BORN_ANY(zero_point), attrs)

/// (x - zero_point) * scale, in scale's dtype. Operands and attributes as in born_quantize_linear. No gradient.
/// Equals torch.dequantize, ONNX DequantizeLinear.
BORN_OPANY(dequantize_linear, (, born_tensor scale, born_tensor zero_point, const born_quantize_attrs *attrs),
           (, scale, zero_point, attrs))
#define born_dequantize_linear(x, scale, zero_point, attrs)                                                           \
    BORN_SEL_ANY(born_dequantize_linear, x, BORN_ANY(scale), BORN_ANY(zero_point), attrs)

#endif
