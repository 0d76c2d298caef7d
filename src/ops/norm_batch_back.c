/* The row that gives the gradients of batch_norm in training at once. Per channel, sums over the batch are made as in
   the forward pass (row sums of planes, batch entries joined as a chain), four of them: of x, (x - mean)^2, g and
   g * (x - mean); then one walk makes dx. */
#include <math.h>

#include "ops/norm_job.h"

enum { FACTORS = 4 };       /* per channel, in scratch: mean, sum(g) / n, slope, multiplier */

typedef struct batch_back_job {
    const born_call *call;
    born_nd plane;              /* one channel of one batch entry: operand 0 g, operand 1 x */
    int64_t channels, entries, gn, gc, xn, xc;
    double epsilon;
    void *factor[FACTORS];      /* each [channels] */
} batch_back_job;

#define BORN_EACH "ops/norm_rows.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/norm_batch_back_body.inc"
#include "ops/each_float.inc"

born_status born__shape_batch_norm_grad(born_infer *f)
{
    const born_view *g = &f->in[0], *x = &f->in[1], *s = &f->in[2];
    bool same = g->rank == x->rank && x->rank >= 1;
    for (int d = 0; same && d < x->rank; d++) same = g->dim[d] == x->dim[d];
    if (!same || s->rank != 1 || s->dim[0] != (x->rank > 1 ? x->dim[1] : 1))
        return born__infer_fail(f, BORN_SHAPE, "g %s or scale %s does not fit x %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 2), born__infer_shape(f, 1));
    if (!born__dtype_is(s->dtype, BORN_DT_FLOAT) || (s->dtype == BORN_F64) != (x->dtype == BORN_F64))
        return born__infer_fail(f, BORN_DTYPE, "x is %s, scale %s", born_dtype_name(x->dtype),
                                born_dtype_name(s->dtype));
    born__out_like(f, 0, x);
    for (int i = 1; i < 3; i++) born__out_like(f, i, s);
    return BORN_OK;
}

size_t born__scratch_batch_norm_grad(const born_call *c)
{
    size_t n;
    const born_view *scale = &c->in[2];
    return born__mul_size((size_t)scale->dim[0], FACTORS * (size_t)born__elem_size(scale), &n) ? n : SIZE_MAX;
}

born_status born__ref_batch_norm_grad(born_call *c, const born_exec *x)
{
    const born_view *g = &c->in[0], *v = &c->in[1], *dx = &c->out[0];
    int size = born__elem_size(v);
    bool image = v->rank > 1;
    batch_back_job j = { .call = c, .epsilon = BORN_ATTRS_OF(batch_norm, c)->epsilon, .channels = c->in[2].dim[0],
                         .entries = image ? v->dim[0] : 1 };
    void (*channels)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(v->dtype, batch_back_channels);
    born_nd_body apply = BORN_PICK_FLOAT(v->dtype, batch_back_apply);
    if (!channels || !apply) return born__no_body(c, x);
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_batch_norm_grad(c), x->err, BORN_INTERNAL,
                 "%s: scratch is too small", c->op->name);
    for (int k = 0; k < FACTORS; k++) j.factor[k] = (char *)x->scratch + k * j.channels * size;
    if (image) {
        j.gn = g->stride[0] * size;
        j.gc = g->stride[1] * size;
        j.xn = v->stride[0] * size;
        j.xc = v->stride[1] * size;
    }
    int first = image ? 2 : 0;          /* one channel of rank 1: the batch is the row */
    born__nd_start(&j.plane, v->dim + first, v->rank - first);
    born__nd_add_raw(&j.plane, NULL, g->stride + first, size);
    born__nd_add_raw(&j.plane, NULL, v->stride + first, size);
    born__nd_merge(&j.plane);
    if (j.channels > 0) born__exec_for(x, j.channels, 1, channels, &j);
    born_nd walk;
    int64_t along[BORN_MAX_RANK] = { 0 };
    born__nd_start(&walk, v->dim, v->rank);
    born__nd_add_raw(&walk, dx->data, dx->stride, size);
    born__nd_add_raw(&walk, g->data, g->stride, size);
    born__nd_add_raw(&walk, v->data, v->stride, size);
    if (image) along[1] = 1;
    for (int k = 0; k < FACTORS; k++) born__nd_add_raw(&walk, j.factor[k], along, size);
    born__nd_free_order(&walk);
    born__nd_merge(&walk);
    born__nd_for(&walk, x, 4096, apply, NULL);
    return BORN_OK;
}
