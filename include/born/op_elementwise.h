/* Born: elementwise operators. All of them broadcast as numpy does, give a new tensor of the innermost scope, and
   poison where shapes do not fit (SHAPE) or memory is short (NOMEM). Floats are computed in their own precision, f16
   and bf16 in f32 and rounded; integers wrap. NaN and infinities propagate. Each has a gradient unless its text says
   "no gradient". How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_ELEMENTWISE_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_ELEMENTWISE_H
#define BORN_OP_ELEMENTWISE_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/* ---- sign and rounding ---- */

/// Absolute value. x: any number. Equals torch.abs, ONNX Abs.
BORN_OP1(abs, NUM)
#define born_abs(x) BORN_SEL(NUM, born_abs, x)

/// Negation; integers wrap. x: any number. Equals torch.neg, ONNX Neg.
BORN_OP1(neg, NUM)
#define born_neg(x) BORN_SEL(NUM, born_neg, x)

/// -1, 0 or 1 by sign; NaN stays. x: any number. No gradient. Equals torch.sign, ONNX Sign.
BORN_OP1(sign, NUM)
#define born_sign(x) BORN_SEL(NUM, born_sign, x)

/// Largest whole number not above x. x: any float. No gradient. Equals torch.floor, ONNX Floor.
BORN_OP1(floor, FLT)
#define born_floor(x) BORN_SEL(FLT, born_floor, x)

/// Smallest whole number not below x. x: any float. No gradient. Equals torch.ceil, ONNX Ceil.
BORN_OP1(ceil, FLT)
#define born_ceil(x) BORN_SEL(FLT, born_ceil, x)

/// x without its fraction. x: any float. No gradient. Equals torch.trunc.
BORN_OP1(trunc, FLT)
#define born_trunc(x) BORN_SEL(FLT, born_trunc, x)

/// Nearest whole number, ties to even. x: any float. No gradient. Equals torch.round, ONNX Round.
BORN_OP1(round, FLT)
#define born_round(x) BORN_SEL(FLT, born_round, x)

/* ---- powers ---- */

/// x * x. x: any number. Equals torch.square.
BORN_OP1(square, NUM)
#define born_square(x) BORN_SEL(NUM, born_square, x)

/// Square root; NaN below 0. x: any float. Equals torch.sqrt, ONNX Sqrt.
BORN_OP1(sqrt, FLT)
#define born_sqrt(x) BORN_SEL(FLT, born_sqrt, x)

/// 1 / sqrt(x). x: any float. Equals torch.rsqrt.
BORN_OP1(rsqrt, FLT)
#define born_rsqrt(x) BORN_SEL(FLT, born_rsqrt, x)

/// 1 / x. x: any float. Equals torch.reciprocal, ONNX Reciprocal.
BORN_OP1(reciprocal, FLT)
#define born_reciprocal(x) BORN_SEL(FLT, born_reciprocal, x)

/* ---- elementary functions ---- */

/// e to the x. x: any float. Equals torch.exp, ONNX Exp.
BORN_OP1(exp, FLT)
#define born_exp(x) BORN_SEL(FLT, born_exp, x)

/// e to the x, less 1, exact near 0. x: any float. Equals torch.expm1.
BORN_OP1(expm1, FLT)
#define born_expm1(x) BORN_SEL(FLT, born_expm1, x)

/// Natural logarithm; -inf at 0, NaN below. x: any float. Equals torch.log, ONNX Log.
BORN_OP1(log, FLT)
#define born_log(x) BORN_SEL(FLT, born_log, x)

/// log(1 + x), exact near 0. x: any float. Equals torch.log1p.
BORN_OP1(log1p, FLT)
#define born_log1p(x) BORN_SEL(FLT, born_log1p, x)

/// Sine of x radians. x: any float. Equals torch.sin, ONNX Sin.
BORN_OP1(sin, FLT)
#define born_sin(x) BORN_SEL(FLT, born_sin, x)

/// Cosine of x radians. x: any float. Equals torch.cos, ONNX Cos.
BORN_OP1(cos, FLT)
#define born_cos(x) BORN_SEL(FLT, born_cos, x)

/// Tangent of x radians. x: any float. Equals torch.tan, ONNX Tan.
BORN_OP1(tan, FLT)
#define born_tan(x) BORN_SEL(FLT, born_tan, x)

/// Arc sine; NaN outside [-1, 1]. x: any float. Equals torch.asin, ONNX Asin.
BORN_OP1(asin, FLT)
#define born_asin(x) BORN_SEL(FLT, born_asin, x)

/// Arc cosine; NaN outside [-1, 1]. x: any float. Equals torch.acos, ONNX Acos.
BORN_OP1(acos, FLT)
#define born_acos(x) BORN_SEL(FLT, born_acos, x)

/// Arc tangent. x: any float. Equals torch.atan, ONNX Atan.
BORN_OP1(atan, FLT)
#define born_atan(x) BORN_SEL(FLT, born_atan, x)

/// Hyperbolic sine. x: any float. Equals torch.sinh, ONNX Sinh.
BORN_OP1(sinh, FLT)
#define born_sinh(x) BORN_SEL(FLT, born_sinh, x)

/// Hyperbolic cosine. x: any float. Equals torch.cosh, ONNX Cosh.
BORN_OP1(cosh, FLT)
#define born_cosh(x) BORN_SEL(FLT, born_cosh, x)

/// Hyperbolic tangent. x: any float. Equals torch.tanh, ONNX Tanh.
BORN_OP1(tanh, FLT)
#define born_tanh(x) BORN_SEL(FLT, born_tanh, x)

/// Inverse hyperbolic sine. x: any float. Equals torch.asinh, ONNX Asinh.
BORN_OP1(asinh, FLT)
#define born_asinh(x) BORN_SEL(FLT, born_asinh, x)

/// Inverse hyperbolic cosine; NaN below 1. x: any float. Equals torch.acosh, ONNX Acosh.
BORN_OP1(acosh, FLT)
#define born_acosh(x) BORN_SEL(FLT, born_acosh, x)

/// Inverse hyperbolic tangent; NaN outside [-1, 1]. x: any float. Equals torch.atanh, ONNX Atanh.
BORN_OP1(atanh, FLT)
#define born_atanh(x) BORN_SEL(FLT, born_atanh, x)

/// Gauss error function. x: any float. Equals torch.erf, ONNX Erf.
BORN_OP1(erf, FLT)
#define born_erf(x) BORN_SEL(FLT, born_erf, x)

/* ---- special functions: computed in f64 and rounded once ---- */

/// 1 - erf(x), accurate where that is small. x: any float. Equals torch.erfc.
BORN_OP1(erfc, FLT)
#define born_erfc(x) BORN_SEL(FLT, born_erfc, x)

/// exp(x^2) * erfc(x), without overflow above 0. x: any float. Equals torch.special.erfcx.
BORN_OP1(erfcx, FLT)
#define born_erfcx(x) BORN_SEL(FLT, born_erfcx, x)

/// The number whose erf is x; infinite at -1 and 1, NaN beyond. x: any float. Equals torch.erfinv.
BORN_OP1(erfinv, FLT)
#define born_erfinv(x) BORN_SEL(FLT, born_erfinv, x)

/// The normal distribution's cumulative function. x: any float. Equals torch.special.ndtr.
BORN_OP1(ndtr, FLT)
#define born_ndtr(x) BORN_SEL(FLT, born_ndtr, x)

/// log(ndtr(x)), accurate in both tails. x: any float. Equals torch.special.log_ndtr.
BORN_OP1(log_ndtr, FLT)
#define born_log_ndtr(x) BORN_SEL(FLT, born_log_ndtr, x)

/// Logarithm of the gamma function's size; infinite at 0, -1, -2, ... x: any float. Equals torch.lgamma.
BORN_OP1(lgamma, FLT)
#define born_lgamma(x) BORN_SEL(FLT, born_lgamma, x)

/// Derivative of born_lgamma; NaN at -1, -2, ... x: any float. Equals torch.digamma.
BORN_OP1(digamma, FLT)
#define born_digamma(x) BORN_SEL(FLT, born_digamma, x)

/// The n-th derivative of born_digamma. x: any float. Attributes: `n`, 0 to 100, default 0. Equals torch.polygamma.
BORN_OP1A(polygamma, FLT, polygamma)
#define born_polygamma(x, ...) BORN_SEL_N(FLT, born_polygamma, x, __VA_ARGS__)

/// Modified Bessel function of the first kind, order 0. x: any float. Equals torch.special.i0.
BORN_OP1(bessel_i0, FLT)
#define born_bessel_i0(x) BORN_SEL(FLT, born_bessel_i0, x)

/// The same of order 1. x: any float. Equals torch.special.i1.
BORN_OP1(bessel_i1, FLT)
#define born_bessel_i1(x) BORN_SEL(FLT, born_bessel_i1, x)

/* ---- activations ---- */

/// 1 / (1 + exp(-x)). x: any float. Equals torch.sigmoid, ONNX Sigmoid.
BORN_OP1(sigmoid, FLT)
#define born_sigmoid(x) BORN_SEL(FLT, born_sigmoid, x)

/// max(x, 0); NaN stays. Nair and Hinton, 2010. x: any number. Equals torch.relu, ONNX Relu.
BORN_OP1(relu, NUM)
#define born_relu(x) BORN_SEL(NUM, born_relu, x)

/// max(x, 0) squared; NaN stays. So et al., 2021 (Primer). x: any float. Equals torch.relu(x) ** 2.
BORN_OP1(squared_relu, FLT)
#define born_squared_relu(x) BORN_SEL(FLT, born_squared_relu, x)

/// x, or alpha * x below 0. x: any float. Attributes: `alpha`, default 0.01. Equals torch.leaky_relu, ONNX
/// LeakyRelu.
BORN_OP1A(leaky_relu, FLT, leaky_relu)
#define born_leaky_relu(x, ...) BORN_SEL_N(FLT, born_leaky_relu, x, __VA_ARGS__)

/// x, or alpha * (exp(x) - 1) below 0. Clevert et al., 2015. x: any float. Attributes: `alpha`, default 1. Equals
/// torch.elu, ONNX Elu.
BORN_OP1A(elu, FLT, elu)
#define born_elu(x, ...) BORN_SEL_N(FLT, born_elu, x, __VA_ARGS__)

/// gamma * x, or gamma * alpha * (exp(x) - 1) below 0. Klambauer et al., 2017. x: any float. Attributes: `alpha`
/// and `gamma`, default those of the paper. Equals torch.selu, ONNX Selu.
BORN_OP1A(selu, FLT, selu)
#define born_selu(x, ...) BORN_SEL_N(FLT, born_selu, x, __VA_ARGS__)

/// x, or alpha * (exp(x / alpha) - 1) below 0. Barron, 2017. x: any float. Attributes: `alpha`, default 1. Equals
/// torch.celu, ONNX Celu.
BORN_OP1A(celu, FLT, elu)
#define born_celu(x, ...) BORN_SEL_N(FLT, born_celu, x, __VA_ARGS__)

/// x times the normal distribution's cumulative function, exact or by tanh. Hendrycks and Gimpel, 2016. x: any
/// float. Attributes: `approximate` 1: by tanh. Equals torch.gelu, ONNX Gelu.
BORN_OP1A(gelu, FLT, gelu)
#define born_gelu(x, ...) BORN_SEL_N(FLT, born_gelu, x, __VA_ARGS__)

/// x * sigmoid(alpha * x), also called swish. x: any float. Attributes: `alpha`, default 1. Equals torch.silu, ONNX
/// Swish.
BORN_OP1A(silu, FLT, silu)
#define born_silu(x, ...) BORN_SEL_N(FLT, born_silu, x, __VA_ARGS__)

/// x * tanh(softplus(x)). Misra, 2019. x: any float. Equals torch.mish, ONNX Mish.
BORN_OP1(mish, FLT)
#define born_mish(x) BORN_SEL(FLT, born_mish, x)

/// alpha * x + beta within [0, 1]. x: any float. Attributes: `alpha` 0.2 and `beta` 0.5. Equals ONNX HardSigmoid.
BORN_OP1A(hard_sigmoid, FLT, hard_sigmoid)
#define born_hard_sigmoid(x, ...) BORN_SEL_N(FLT, born_hard_sigmoid, x, __VA_ARGS__)

/// x * hard_sigmoid(x) with alpha 1/6. Howard et al., 2019. x: any float. Equals torch.nn.functional.hardswish,
/// ONNX HardSwish.
BORN_OP1(hard_swish, FLT)
#define born_hard_swish(x) BORN_SEL(FLT, born_hard_swish, x)

/// log(1 + exp(x)). x: any float. Equals torch.softplus, ONNX Softplus.
BORN_OP1(softplus, FLT)
#define born_softplus(x) BORN_SEL(FLT, born_softplus, x)

/// x / (1 + |x|). x: any float. Equals torch.softsign, ONNX Softsign.
BORN_OP1(softsign, FLT)
#define born_softsign(x) BORN_SEL(FLT, born_softsign, x)

/// x above alpha, else 0. x: any float. Attributes: `alpha`, default 1. Equals ONNX ThresholdedRelu.
BORN_OP1A(thresholded_relu, FLT, thresholded_relu)
#define born_thresholded_relu(x, ...) BORN_SEL_N(FLT, born_thresholded_relu, x, __VA_ARGS__)

/// x moved towards 0 by bias beyond +-lambd, else 0. x: any number. Attributes: `bias` 0 and `lambd` 0.5. Equals
/// ONNX Shrink.
BORN_OP1A(shrink, NUM, shrink)
#define born_shrink(x, ...) BORN_SEL_N(NUM, born_shrink, x, __VA_ARGS__)

/// x within [lo, hi], two C numbers; NaN stays. x: any number. Equals torch.clamp.
BORN_OP1X(clamp, NUM, (, double lo, double hi), (, lo, hi))
#define born_clamp(x, ...) BORN_SEL_N(NUM, born_clamp, x, __VA_ARGS__)

/* ---- arithmetic ---- */

/// x + y, broadcast. x, y: any number, y also a C number. Equals torch.add, ONNX Add.
BORN_OP2N(add, NUM)
#define born_add(x, y) BORN_SEL_2(NUM, born_add, x, y)

/// x - y, broadcast. x, y: any number, y also a C number. Equals torch.sub, ONNX Sub.
BORN_OP2N(sub, NUM)
#define born_sub(x, y) BORN_SEL_2(NUM, born_sub, x, y)

/// x * y, broadcast. x, y: any number, y also a C number. Equals torch.mul, ONNX Mul.
BORN_OP2N(mul, NUM)
#define born_mul(x, y) BORN_SEL_2(NUM, born_mul, x, y)

/// x / y, broadcast; integers truncate, and give 0 where y is 0. x, y: any number, y also a C number. Equals
/// torch.div, ONNX Div.
BORN_OP2N(div, NUM)
#define born_div(x, y) BORN_SEL_2(NUM, born_div, x, y)

/// Remainder with the sign of y, or with fmod that of x. x, y: any number, y also a C number. Attributes: `fmod`:
/// as C's fmod. Equals torch.remainder, ONNX Mod.
BORN_OP2NA(mod, NUM, mod)
#define born_mod(x, y, ...) BORN_SEL_2N(NUM, born_mod, x, y, __VA_ARGS__)

/// The larger; NaN if either is; the gradient is shared at ties. x, y: any number, y also a C number. Equals
/// torch.maximum, ONNX Max.
BORN_OP2N(max, NUM)
#define born_max(x, y) BORN_SEL_2(NUM, born_max, x, y)

/// The smaller; NaN if either is; the gradient is shared at ties. x, y: any number, y also a C number. Equals
/// torch.minimum, ONNX Min.
BORN_OP2N(min, NUM)
#define born_min(x, y) BORN_SEL_2(NUM, born_min, x, y)

/// x, or slope * x below 0; slope is broadcast. He et al., 2015. x, y: any number. Equals torch.prelu, ONNX PRelu.
BORN_OP2(prelu, NUM)
#define born_prelu(x, y) BORN_SEL_N(NUM, born_prelu, x, y)

/// x to the y, broadcast, in x's dtype; y may have another one. Integers wrap; a negative exponent truncates. x, y:
/// any number, y also a C number. Equals torch.pow, ONNX Pow.
BORN_OP2N(pow, NUM)
#define born_pow(x, y) BORN_SEL_2(NUM, born_pow, x, y)

/// x * y + z, rounded once. All floats of one dtype, broadcast.
BORN_OP3(fma, FLT)
#define born_fma(x, ...) BORN_SEL_N(FLT, born_fma, x, __VA_ARGS__)

/* ---- bits and logic ---- */

/// Bits set in both. x, y: any integer, y also a C number. No gradient. Equals torch.bitwise_and, ONNX BitwiseAnd.
BORN_OP2N(bitwise_and, INT)
#define born_bitwise_and(x, y) BORN_SEL_2(INT, born_bitwise_and, x, y)

/// Bits set in either. x, y: any integer, y also a C number. No gradient. Equals torch.bitwise_or, ONNX BitwiseOr.
BORN_OP2N(bitwise_or, INT)
#define born_bitwise_or(x, y) BORN_SEL_2(INT, born_bitwise_or, x, y)

/// Bits set in one. x, y: any integer, y also a C number. No gradient. Equals torch.bitwise_xor, ONNX BitwiseXor.
BORN_OP2N(bitwise_xor, INT)
#define born_bitwise_xor(x, y) BORN_SEL_2(INT, born_bitwise_xor, x, y)

/// All bits flipped. x: any integer. No gradient. Equals torch.bitwise_not, ONNX BitwiseNot.
BORN_OP1(bitwise_not, INT)
#define born_bitwise_not(x) BORN_SEL(INT, born_bitwise_not, x)

/// x shifted by y bits; 0 from the width on. x, y: unsigned, y also a C number. Attributes: `direction` 1: to the
/// right. No gradient. Equals ONNX BitShift.
BORN_OP2NA(bit_shift, UINT, bit_shift)
#define born_bit_shift(x, y, ...) BORN_SEL_2N(UINT, born_bit_shift, x, y, __VA_ARGS__)

/// Both. x, y: bool. No gradient. Equals torch.logical_and, ONNX And.
BORN_OP2(logical_and, BOOL)
#define born_logical_and(x, y) BORN_SEL_N(BOOL, born_logical_and, x, y)

/// Either. x, y: bool. No gradient. Equals torch.logical_or, ONNX Or.
BORN_OP2(logical_or, BOOL)
#define born_logical_or(x, y) BORN_SEL_N(BOOL, born_logical_or, x, y)

/// One. x, y: bool. No gradient. Equals torch.logical_xor, ONNX Xor.
BORN_OP2(logical_xor, BOOL)
#define born_logical_xor(x, y) BORN_SEL_N(BOOL, born_logical_xor, x, y)

/// Not x. x: bool. No gradient. Equals torch.logical_not, ONNX Not.
BORN_OP1(logical_not, BOOL)
#define born_logical_not(x) BORN_SEL(BOOL, born_logical_not, x)

/* ---- comparison ---- */

/// x == y, broadcast; false for NaN. x, y: any dtype, y also a C number; the result is bool. No gradient. Equals
/// torch.eq, ONNX Equal.
BORN_OP2NR(eq, ALL, _bool)
#define born_eq(x, y) BORN_SEL_2(ALL, born_eq, x, y)

/// x != y, broadcast; true for NaN. x, y: any dtype, y also a C number; the result is bool. No gradient. Equals
/// torch.ne.
BORN_OP2NR(ne, ALL, _bool)
#define born_ne(x, y) BORN_SEL_2(ALL, born_ne, x, y)

/// x < y, broadcast. x, y: any number, y also a C number; the result is bool. No gradient. Equals torch.lt, ONNX
/// Less.
BORN_OP2NR(lt, NUM, _bool)
#define born_lt(x, y) BORN_SEL_2(NUM, born_lt, x, y)

/// x <= y, broadcast. x, y: any number, y also a C number; the result is bool. No gradient. Equals torch.le, ONNX
/// LessOrEqual.
BORN_OP2NR(le, NUM, _bool)
#define born_le(x, y) BORN_SEL_2(NUM, born_le, x, y)

/// x > y, broadcast. x, y: any number, y also a C number; the result is bool. No gradient. Equals torch.gt, ONNX
/// Greater.
BORN_OP2NR(gt, NUM, _bool)
#define born_gt(x, y) BORN_SEL_2(NUM, born_gt, x, y)

/// x >= y, broadcast. x, y: any number, y also a C number; the result is bool. No gradient. Equals torch.ge, ONNX
/// GreaterOrEqual.
BORN_OP2NR(ge, NUM, _bool)
#define born_ge(x, y) BORN_SEL_2(NUM, born_ge, x, y)

/// x is NaN. x: any number; the result is bool. No gradient. Equals torch.isnan, ONNX IsNaN.
BORN_OP1R(is_nan, NUM, _bool)
#define born_is_nan(x) BORN_SEL(NUM, born_is_nan, x)

/// x is infinite. x: any float; the result is bool. Attributes: `no_negative`, `no_positive`: do not count those.
/// No gradient. Equals torch.isinf, ONNX IsInf.
BORN_OP1RA(is_inf, FLT, _bool, is_inf)
#define born_is_inf(x, ...) BORN_SEL_N(FLT, born_is_inf, x, __VA_ARGS__)

/* ---- choice, conversion, copies ---- */

/// x where the condition (bool) holds, else y; all broadcast. No gradient for the condition. Equals torch.where,
/// ONNX Where.
BORN_OPWHERE(where, ALL)
#define born_where(c, x, y) BORN_SEL_W(ALL, born_where, c, x, y)

/// x within [lo, hi], two optional scalars; hi where lo is above it. NaN stays. lo, hi: {0} where there is none.
/// For C numbers see born_clamp. Equals torch.clamp, ONNX Clip.
BORN_OP3(clip, NUM)
#define born_clip(x, ...) BORN_SEL_N(NUM, born_clip, x, __VA_ARGS__)

/// x itself. x: any dtype. Equals an alias, ONNX Identity.
BORN_OP1(identity, ALL)
#define born_identity(x) BORN_SEL(ALL, born_identity, x)

/// x in storage of its own; strides may differ on both sides. x: any dtype. Equals torch.clone.
BORN_OP1(copy, ALL)
#define born_copy(x) BORN_SEL(ALL, born_copy, x)

/// x in dtype `to`; the result's type is known at run time (born_as_<dtype> names it). x: any typed handle. Floats
/// round to nearest even; float to integer truncates and saturates, NaN gives 0; integer to integer keeps the low
/// bits; to bool is x != 0. Gradient: cast back, between floats. Equals torch.Tensor.to, ONNX Cast.
BORN_OPCAST(cast)
#define born_cast(x, to) BORN_SEL_ANY(born_cast, x, to)

/// The same bits read as dtype `to` of the same width. No gradient. Equals torch.Tensor.view(dtype), ONNX BitCast.
BORN_OPCAST(bit_cast)
#define born_bit_cast(x, to) BORN_SEL_ANY(born_bit_cast, x, to)
/// Writes y, broadcast, to x's own storage and returns it: every tensor that shares the storage shows it, and a
/// backward that needs what was there is STATE, naming both. x and y: any dtype, the same. Gradient: y's; x keeps none.
/// Equals torch.Tensor.copy_.
BORN_OP2(assign, ALL)
#define born_assign(x, ...) BORN_SEL_N(ALL, born_assign, x, __VA_ARGS__)

#endif
