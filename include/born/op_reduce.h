/* Born: reductions and running sums. The order of every sum is fixed (the law of bits), so a result has the same bits
   for any number of threads.
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_REDUCE_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_REDUCE_H
#define BORN_OP_REDUCE_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// Sum over axes; 0 of nothing; integers wrap. x: any number. axes: which, {0} for all; negative ones count from
/// the end. Reduced axes stay as 1 unless the attribute `drop_dims`. Equals torch.sum, ONNX ReduceSum.
BORN_OP1X(reduce_sum, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_sum(x, ...) BORN_SEL_N(NUM, born_reduce_sum, x, __VA_ARGS__)

/// Mean over axes; integers truncate. x: any number. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. Equals torch.mean, ONNX ReduceMean.
BORN_OP1X(reduce_mean, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_mean(x, ...) BORN_SEL_N(NUM, born_reduce_mean, x, __VA_ARGS__)

/// Product over axes; 1 of nothing. x: any number. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. Equals torch.prod, ONNX ReduceProd.
BORN_OP1X(reduce_prod, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_prod(x, ...) BORN_SEL_N(NUM, born_reduce_prod, x, __VA_ARGS__)

/// Largest over axes; NaN if any is. x: any dtype. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. The gradient is shared at ties. Equals torch.amax, ONNX
/// ReduceMax.
BORN_OP1X(reduce_max, ALL, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_max(x, ...) BORN_SEL_N(ALL, born_reduce_max, x, __VA_ARGS__)

/// Smallest over axes; NaN if any is. x: any dtype. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. The gradient is shared at ties. Equals torch.amin, ONNX
/// ReduceMin.
BORN_OP1X(reduce_min, ALL, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_min(x, ...) BORN_SEL_N(ALL, born_reduce_min, x, __VA_ARGS__)

/// Sum of absolute values over axes. x: any number. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. Equals ONNX ReduceL1.
BORN_OP1X(reduce_l1, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_l1(x, ...) BORN_SEL_N(NUM, born_reduce_l1, x, __VA_ARGS__)

/// Square root of the sum of squares over axes; its gradient at 0 is 0. x: any number. axes: which, {0} for all;
/// negative ones count from the end. Reduced axes stay as 1 unless the attribute `drop_dims`. Equals
/// torch.linalg.vector_norm, ONNX ReduceL2.
BORN_OP1X(reduce_l2, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_l2(x, ...) BORN_SEL_N(NUM, born_reduce_l2, x, __VA_ARGS__)

/// Logarithm of the sum over axes. x: any number. axes: which, {0} for all; negative ones count from the end.
/// Reduced axes stay as 1 unless the attribute `drop_dims`. Equals ONNX ReduceLogSum.
BORN_OP1X(reduce_log_sum, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_log_sum(x, ...) BORN_SEL_N(NUM, born_reduce_log_sum, x, __VA_ARGS__)

/// Logarithm of the sum of exponentials over axes, without overflow. x: any number. axes: which, {0} for all;
/// negative ones count from the end. Reduced axes stay as 1 unless the attribute `drop_dims`. Equals
/// torch.logsumexp, ONNX ReduceLogSumExp.
BORN_OP1X(reduce_log_sum_exp, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_log_sum_exp(x, ...) BORN_SEL_N(NUM, born_reduce_log_sum_exp, x, __VA_ARGS__)

/// Sum of squares over axes. x: any number. axes: which, {0} for all; negative ones count from the end. Reduced
/// axes stay as 1 unless the attribute `drop_dims`. Equals ONNX ReduceSumSquare.
BORN_OP1X(reduce_sum_square, NUM, (, born_ints axes, const born_reduce_attrs *attrs), (, axes, attrs))
#define born_reduce_sum_square(x, ...) BORN_SEL_N(NUM, born_reduce_sum_square, x, __VA_ARGS__)

/// Mean of squared distances from the mean over axes, in two passes. x: any float. axes: which, {0} for all;
/// negative ones count from the end. Reduced axes stay as 1 unless the attribute `drop_dims`. The attribute
/// `correction` is taken off the count. Equals torch.var with that correction.
BORN_OP1X(reduce_variance, FLT, (, born_ints axes, const born_variance_attrs *attrs), (, axes, attrs))
#define born_reduce_variance(x, ...) BORN_SEL_N(FLT, born_reduce_variance, x, __VA_ARGS__)

/// Index (i64) of the largest element along the attribute `axis` (default 0), the first of equals; NaN counts as
/// largest. x: any number. No gradient. Equals torch.argmax, ONNX ArgMax.
BORN_OP1RA(arg_max, NUM, _i64, arg_reduce)
#define born_arg_max(x, ...) BORN_SEL_N(NUM, born_arg_max, x, __VA_ARGS__)

/// Index (i64) of the smallest element along the attribute `axis` (default 0), the first of equals; NaN counts as
/// smallest. x: any number. No gradient. Equals torch.argmin, ONNX ArgMin.
BORN_OP1RA(arg_min, NUM, _i64, arg_reduce)
#define born_arg_min(x, ...) BORN_SEL_N(NUM, born_arg_min, x, __VA_ARGS__)

/// Running sum along axis. x: any number. Attributes: `exclusive`, `reverse`. Equals torch.cumsum, ONNX CumSum.
BORN_OP1X(cumsum, NUM, (, int64_t axis, const born_scan_axis_attrs *attrs), (, axis, attrs))
#define born_cumsum(x, ...) BORN_SEL_N(NUM, born_cumsum, x, __VA_ARGS__)

/// Running product along axis. x: any number. Attributes: `exclusive`, `reverse`. Equals torch.cumprod. Its
/// gradient divides by x.
BORN_OP1X(cumprod, NUM, (, int64_t axis, const born_scan_axis_attrs *attrs), (, axis, attrs))
#define born_cumprod(x, ...) BORN_SEL_N(NUM, born_cumprod, x, __VA_ARGS__)

#endif
