/* Born: matrix products.
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_LINEAR_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_LINEAR_H
#define BORN_OP_LINEAR_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// Matrix product of x [..., M, K] and y [..., K, N], leading dims broadcast; 1-D operands as in numpy.matmul. x,
/// y: any number, of one dtype. Each element is one FMA chain over K, cut every 1,024 terms, so its bits depend on
/// nothing else. Equals torch.matmul, ONNX MatMul.
BORN_OP2(matmul, NUM)
#define born_matmul(x, y) BORN_SEL_N(NUM, born_matmul, x, y)

/// alpha * op(a) [M, K] * op(b) [K, N] + beta * c, with c ({0}: none) broadcast to [M, N]; `trans_a` and `trans_b`
/// transpose; alpha and beta default to 1. Any number. Equals torch.addmm, ONNX Gemm.
BORN_OP3A(gemm, NUM, gemm)
#define born_gemm(x, ...) BORN_SEL_N(NUM, born_gemm, x, __VA_ARGS__)

#endif
