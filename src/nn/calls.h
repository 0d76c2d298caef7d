/* The words in which modules and losses are written: operators at the call site `at` of the enclosing function. Those
   in _N take a C number on the right. */
#ifndef BORN_NN_CALLS_H
#define BORN_NN_CALLS_H
#include <born/born.h>

#include "waist/chain.h"

#define ADD(a, b) (born_add)((a), (b), at)
#define SUB(a, b) (born_sub)((a), (b), at)
#define MUL(a, b) (born_mul)((a), (b), at)
#define DIV(a, b) (born_div)((a), (b), at)
#define MAX(a, b) (born_max)((a), (b), at)
#define MIN(a, b) (born_min)((a), (b), at)
#define POW(a, b) (born_pow)((a), (b), at)
#define ADD_N(a, k) born_add_number((a), (k), at)
#define SUB_N(a, k) born_sub_number((a), (k), at)
#define MUL_N(a, k) born_mul_number((a), (k), at)
#define DIV_N(a, k) born_div_number((a), (k), at)
#define MAX_N(a, k) born_max_number((a), (k), at)
#define POW_N(a, k) born_pow_number((a), (k), at)
#define N_SUB(k, a) ADD_N(NEG(a), (k))
#define NEG(a) (born_neg)((a), at)
#define ABS(a) (born_abs)((a), at)
#define EXP(a) (born_exp)((a), at)
#define LOG(a) (born_log)((a), at)
#define SQRT(a) (born_sqrt)((a), at)
#define SQUARE(a) (born_square)((a), at)
#define SIGMOID(a) (born_sigmoid)((a), at)
#define TANH(a) (born_tanh)((a), at)
#define RELU(a) (born_relu)((a), at)
#define SOFTPLUS(a) (born_softplus)((a), at)
#define AT_LEAST_0(a) (born_clamp)((a), 0, INFINITY, at)    /* unlike RELU, the gradient at 0 is 1 */
#define EQ(a, b) (born_eq)((a), (b), at)
#define LT(a, b) (born_lt)((a), (b), at)
#define GE(a, b) (born_ge)((a), (b), at)
#define EQ_N(a, k) born_eq_number((a), (k), at)
#define NE_N(a, k) born_ne_number((a), (k), at)
#define LT_N(a, k) born_lt_number((a), (k), at)
#define LE_N(a, k) born_le_number((a), (k), at)
#define GT_N(a, k) born_gt_number((a), (k), at)
#define GE_N(a, k) born_ge_number((a), (k), at)
#define AND(a, b) (born_logical_and)((a), (b), at)
#define OR(a, b) (born_logical_or)((a), (b), at)
#define NOT(a) (born_logical_not)((a), at)
#define WHERE(c, a, b) (born_where)((c), (a), (b), at)
#define CAST(a, t) (born_cast)((a), (t), at)
#define RESHAPE(a, s) (born_reshape)((a), (s), at)
#define TRANSPOSE(a, p) (born_transpose)((a), (p), at)
#define EXPAND(a, s) (born_expand)((a), (s), at)
#define MATMUL(a, b) (born_matmul)((a), (b), at)
#define GATHER(a, i, axis) (born_gather)((a), (i), (axis), at)
#define GATHER_ELEMENTS(a, i, axis) (born_gather_elements)((a), (i), (axis), at)
#define UNSQUEEZE(a, axis) (born_unsqueeze)((a), BORN_INTS(axis), at)
#define SQUEEZE(a, axis) (born_squeeze)((a), BORN_INTS(axis), at)
#define SLICE(a, from, to, axis)                                                                                      \
    (born_slice)((a), BORN_INTS(from), BORN_INTS(to), BORN_INTS(axis), (born_ints){ 0 }, at)
#define DETACH(a) (born_detach)(a)
/* Over one axis, which stays as 1, or is dropped. */
#define SUM_KEEP(a, axis) (born_reduce_sum)((a), BORN_INTS(axis), NULL, at)
#define SUM(a, axis) (born_reduce_sum)((a), BORN_INTS(axis), &(born_reduce_attrs){ .drop_dims = true }, at)
#define MEAN(a, axis) (born_reduce_mean)((a), BORN_INTS(axis), &(born_reduce_attrs){ .drop_dims = true }, at)
/* Over everything, to rank 0. */
#define SUM_ALL(a) (born_reduce_sum)((a), (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, at)
#define MEAN_ALL(a) (born_reduce_mean)((a), (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, at)

static inline bool born__given(born_tensor t) { return t.w != 0; }
/* A rank-0 constant of x's dtype. */
static inline born_tensor born__like(born_tensor x, double v, const born_site *at)
{
    return (born_full)(born_backend_of(x), born_dtype_of(x), (born_shape){ 0 }, v, at);
}
static inline bool born__is_float(born_tensor x)
{
    born_dtype t = born_dtype_of(x);
    return t == BORN_F32 || t == BORN_F64 || t == BORN_F16 || t == BORN_BF16;
}
static inline int64_t born__count_of(born_tensor x)
{
    born_shape s = born_shape_of(x);
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}
/* Dims [first, last) of x's shape. */
static inline int64_t born__span_of(const born_shape *s, int first, int last)
{
    int64_t n = 1;
    for (int d = first; d < last; d++) n *= s->dim[d];
    return n;
}
/* [n] of like's dtype, all v. */
static inline born_tensor born__row(born_tensor like, int64_t n, double v, const born_site *at)
{
    return (born_full)(born_backend_of(like), born_dtype_of(like), BORN_SHAPE(n), v, at);
}
/* 0, 1, ..., n - 1 as i64. */
static inline born_tensor born__iota(born_tensor like, int64_t n, const born_site *at)
{
    return (born_range)(born_backend_of(like), BORN_I64, 0, (double)n, 1, at);
}
#endif
