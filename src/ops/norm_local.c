/* Reference kernel of lrn (Krizhevsky et al. 2012): each element is divided by a power of the sum of squares over the
   channels around it. The sum is a chain over channels in order; with the usual beta of 0.75 the power is
   sqrt(d) * sqrt(sqrt(d)). */
#include <math.h>

#include "ops/lane1.h"
#include "ops/math64.h"
#include "ops/ref.h"

#define pow_f64 born__pow_f64

typedef struct local_job {
    born_nd plane;              /* the spatial axes: operand 0 x, operand 1 y */
    const born_view *x, *y;
    int64_t before, after;      /* neighbours on each side */
    double alpha, beta, bias;
} local_job;

typedef struct local_place {
    const local_job *job;
    int64_t lo, hi, step;       /* neighbours in [-lo, hi], a channel's step in bytes */
} local_place;

#define BORN_EACH "ops/norm_local_body.inc"
#include "ops/each_float.inc"

born_status born__ref_lrn(born_call *c, const born_exec *x)
{
    const born_lrn_attrs *a = BORN_ATTRS_OF(lrn, c);
    const born_view *v = &c->in[0], *y = &c->out[0];
    int size = born__elem_size(v);
    local_job j = { .x = v,
                    .y = y,
                    .before = (a->size - 1) / 2,
                    .after = a->size / 2,
                    .alpha = a->alpha / (double)a->size,
                    .beta = a->beta,
                    .bias = a->bias };
    if (born__view_count(v) == 0) return BORN_OK;
    void (*planes)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(v->dtype, local_planes);
    if (!planes) return born__no_body(c, x);
    born__nd_start(&j.plane, v->dim + 2, v->rank - 2);
    born__nd_add_raw(&j.plane, NULL, v->stride + 2, size);
    born__nd_add_raw(&j.plane, NULL, y->stride + 2, size);
    born__nd_merge(&j.plane);
    born__exec_for(x, v->dim[0] * v->dim[1], 1, planes, &j);
    return BORN_OK;
}
