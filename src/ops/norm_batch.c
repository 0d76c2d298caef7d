/* Reference kernel of batch_norm (Ioffe and Szegedy 2015). One multiplier scale / sqrt(var + epsilon) is made per
   channel in scratch; then y = (x - mean) * multiplier + bias, each rounded. In training mode mean and variance come
   from the batch: of each batch entry's plane the row sum of reduce.h, the entries joined as a chain. */
#include <math.h>

#include "ops/norm_job.h"

typedef struct batch_job {
    const born_call *call;
    born_nd plane;              /* one channel of one batch entry: operand 0 is x */
    int64_t channels, batch, xn, xc, per;
    bool training;
    double epsilon, momentum;
    void *multiplier, *mean;    /* [channels], in scratch */
} batch_job;

#define BORN_EACH "ops/norm_rows.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/norm_batch_body.inc"
#include "ops/each_float.inc"

size_t born__scratch_batch_norm(const born_call *c)
{
    size_t n;
    const born_view *scale = &c->in[1];
    return born__mul_size((size_t)scale->dim[0], 2 * (size_t)born__elem_size(scale), &n) ? n : SIZE_MAX;
}

born_status born__ref_batch_norm(born_call *c, const born_exec *x)
{
    const born_batch_norm_attrs *a = BORN_ATTRS_OF(batch_norm, c);
    const born_view *v = &c->in[0], *y = &c->out[0];
    int size = born__elem_size(v), axis = v->rank > 1 ? 1 : 0;
    batch_job j = { .call = c, .training = a->training_mode, .epsilon = a->epsilon, .momentum = a->momentum,
                    .channels = c->in[1].dim[0], .batch = v->dim[0], .xn = v->stride[0] * size,
                    .xc = v->rank > 1 ? v->stride[1] * size : 0 };
    void (*channels)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(v->dtype, batch_channels);
    born_nd_body apply = BORN_PICK_FLOAT(v->dtype, batch_apply);
    if (!channels || !apply) return born__no_body(c, x);
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_batch_norm(c), x->err, BORN_INTERNAL, "%s: scratch is too small",
                 c->op->name);
    j.multiplier = x->scratch;
    j.mean = (char *)x->scratch + j.channels * size;
    born__nd_start(&j.plane, v->dim + axis + 1, v->rank - axis - 1);
    born__nd_add_raw(&j.plane, NULL, v->stride + axis + 1, size);
    born__nd_merge(&j.plane);
    if (j.channels > 0) born__exec_for(x, j.channels, j.training ? 1 : 1024, channels, &j);
    born_nd walk;
    int64_t along[BORN_MAX_RANK] = { 0 };
    born__nd_start(&walk, v->dim, v->rank);
    born__nd_add_raw(&walk, y->data, y->stride, size);
    born__nd_add_raw(&walk, v->data, v->stride, size);
    if (v->rank > 1) along[1] = 1;
    born__nd_add_raw(&walk, j.mean, along, size);
    born__nd_add_raw(&walk, j.multiplier, along, size);
    if (v->rank > 1) along[1] = c->in[2].stride[0];
    born__nd_add_raw(&walk, c->in[2].data, along, size);
    born__nd_free_order(&walk);
    born__nd_merge(&walk);
    born__nd_for(&walk, x, 4096, apply, NULL);
    return BORN_OK;
}
