/* Reads the operator rows once (no include guard). The includer defines OP and may define UNARY, BINARY, COMPARE and
   PREDICATE; those it leaves out are read as OP. Undefines all of them. Formulas are in the words of words.h.

   OP(ID, name, sig, dtypes, min_in, max_in, props, host, attrs, shape, grad, ref, scratch, onnx, doc)
   UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)        value and derivative in words, X the input, Z the
   BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)   result, G the gradient that arrived; NONE: none
   COMPARE(ID, name, dtypes, props, value, onnx, doc)          two inputs of one dtype, a condition as result (bool)
   PREDICATE(ID, name, attrs, dtypes, value, onnx, doc)             the same of one input
   attrs is a set of attrs.def or `none`; shape, grad, ref, scratch are functions or 0. */
#ifndef UNARY
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)                                                          \
    OP(ID, name, "T>T", dtypes, 1, 1, BORN_P_ELEMENTWISE | BORN_P_INPLACE | BORN_P_ANY_LAYOUT, 0, attrs,              \
       born__shape_elementwise, born__grad_##name, born__ref_##name, 0, onnx, doc)
#endif
#ifndef BINARY
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)                                              \
    OP(ID, name, "TT>T", dtypes, 2, 2, BORN_P_ELEMENTWISE | BORN_P_INPLACE | BORN_P_ANY_LAYOUT | (props), 0, attrs,   \
       born__shape_elementwise, born__grad_##name, born__ref_##name, 0, onnx, doc)
#endif
#ifndef COMPARE
#define COMPARE(ID, name, dtypes, props, value, onnx, doc)                                                            \
    OP(ID, name, "TT>B", dtypes, 2, 2, BORN_P_ELEMENTWISE | BORN_P_ANY_LAYOUT | (props), 0, none,                     \
       born__shape_elementwise, 0, born__ref_##name, 0, onnx, doc)
#endif
#ifndef PREDICATE
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc)                                                           \
    OP(ID, name, "T>B", dtypes, 1, 1, BORN_P_ELEMENTWISE | BORN_P_ANY_LAYOUT, 0, attrs, born__shape_elementwise, 0,    \
       born__ref_##name, 0, onnx, doc)
#endif
#include "ops/ops.def"
#undef OP
#undef UNARY
#undef BINARY
#undef COMPARE
#undef PREDICATE
