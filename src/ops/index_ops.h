/* Index operands (i32 or i64, any strides) read by their row-major number, checked once before anything is written. */
#ifndef BORN_OPS_INDEX_OPS_H
#define BORN_OPS_INDEX_OPS_H
#include "ops/ref.h"

typedef struct born_indices {
    const born_view *v;
    int64_t count;
    bool dense, wide;
} born_indices;

static inline born_indices born__indices(const born_view *v)
{
    return (born_indices){ v, born__view_count(v), born__view_contiguous(v), v->dtype == BORN_I64 };
}

/* Index i as given, maybe below 0. */
static inline int64_t born__index_raw(const born_indices *x, int64_t i)
{
    if (!x->dense) i = born__offset_of(x->v->dim, x->v->stride, x->v->rank, i);
    return x->wide ? ((const int64_t *)(const void *)x->v->data)[i] : ((const int32_t *)(const void *)x->v->data)[i];
}

/* Index i into [0, bound), once it has passed the check. */
static inline int64_t born__index_at(const born_indices *x, int64_t i, int64_t bound)
{
    int64_t v = born__index_raw(x, i);
    return v < 0 ? v + bound : v;
}

/* RANGE where an index is outside [-bound, bound). Index i belongs to bound[i % bounds]. */
born_status born__indices_check(const born_call *c, const born_exec *x, const born_indices *ix, const int64_t *bound,
                                int64_t bounds);

/* The single element step (in elements) by which v's dims [from, from + n) are crossed in row-major order; false: there
   is none. */
bool born__step_over(const born_view *v, int from, int n, int64_t *step);
#endif
