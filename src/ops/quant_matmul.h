/* How calls of the integer matrix products are read: shared by their references and their fast kernels. */
#ifndef BORN_OPS_QUANT_MATMUL_H
#define BORN_OPS_QUANT_MATMUL_H
#include "ops/quant.h"

/* A matrix operand, or what belongs to its rows or columns: byte steps per leading dim of the result, row and column.
   */
typedef struct born_mm_view { char *p; born_dtype dtype; int64_t lead[BORN_MAX_RANK], row, col; } born_mm_view;

typedef struct born_mm_shape {
    int rank;                               /* leading dims of the result */
    int64_t lead[BORN_MAX_RANK], M, N, K;
} born_mm_shape;

/* Shapes of a and b as numpy.matmul reads them; the dims of the result to out. */
born_status born__mm_dims(const born_view *a, const born_view *b, born_mm_shape *s, born_shape *out, const char *op,
                          born_error *err);
/* v as a matrix against the leading dims of s: the last two dims are row and column (missing ones have step 0). */
born_mm_view born__mm_matrix(const born_mm_shape *s, const born_view *v, bool left);
/* A scale or zero point of the rows of a (or columns of b): one element, [n], or [..., n, 1] ([..., 1, n]). */
born_mm_view born__mm_param(const born_mm_shape *s, const born_view *v, bool left);
static inline int64_t born__mm_lead(const born_mm_shape *s, const born_mm_view *v, int64_t batch)
{
    return born__offset_of(s->lead, v->lead, s->rank, batch);
}
#endif
