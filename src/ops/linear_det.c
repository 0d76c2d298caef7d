/* det and inverse: LU with partial pivoting (the first of equally large pivots), each element's updates one FMA chain
   in order. Scratch holds a copy of all matrices, so that they run apart from each other. */
#include <math.h>

#include "ops/ref.h"

typedef struct det_job { const born_view *in, *out; void *scratch; int64_t n; } det_job;

#define BORN_EACH "ops/linear_det.inc"
#include "ops/each_float.inc"

born_status born__shape_det(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
        return born__infer_fail(f, BORN_SHAPE, "x %s holds no square matrices", born__infer_shape(f, 0));
    born__out_set(f, 0, x->dtype, x->rank - 2, x->dim);
    return BORN_OK;
}

size_t born__scratch_det(const born_call *c)
{
    int64_t bytes = born__view_bytes(&c->in[0]);
    return bytes < 0 ? SIZE_MAX : (size_t)bytes;
}

born_status born__ref_det(born_call *c, const born_exec *x)
{
    det_job j = { &c->in[0], &c->out[0], x->scratch, c->in[0].dim[c->in[0].rank - 1] };
    void (*part)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(c->in[0].dtype, det_part);
    if (!part) return born__no_body(c, x);
    born__exec_for(x, born__view_count(&c->out[0]), 1 + 4096 / (j.n * j.n + 1), part, &j);
    return BORN_OK;
}

/* ---- inverse: the same elimination on [x | 1], then back from the last row ---- */

born_status born__shape_inverse(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (x->rank < 2 || x->dim[x->rank - 1] != x->dim[x->rank - 2])
        return born__infer_fail(f, BORN_SHAPE, "x %s holds no square matrices", born__infer_shape(f, 0));
    born__out_like(f, 0, x);
    return BORN_OK;
}

size_t born__scratch_inverse(const born_call *c)
{
    size_t bytes = born__scratch_det(c), all;
    return born__mul_size(bytes, 2, &all) ? all : SIZE_MAX;
}

born_status born__ref_inverse(born_call *c, const born_exec *x)
{
    det_job j = { &c->in[0], &c->out[0], x->scratch, c->in[0].dim[c->in[0].rank - 1] };
    void (*part)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(c->in[0].dtype, inverse_part);
    if (!part) return born__no_body(c, x);
    if (born__view_count(&c->in[0]) == 0) return BORN_OK;
    born__exec_for(x, born__view_count(&c->in[0]) / (j.n * j.n), 1 + 4096 / (j.n * j.n + 1), part, &j);
    return BORN_OK;
}
