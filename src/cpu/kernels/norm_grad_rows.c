/* From calls of layer_norm_grad and rms_norm_grad to born_norm_grad, and their query. */
#include "cpu/kernels/norm_grad.h"

#include "cpu/queries.h"
#include "ops/ref.h"
#include "tensor/view.h"

static bool dense(const born_view *v) { return v->dtype == BORN_F32 && born__view_contiguous(v); }

static bool result(const born_call *c, int i, float **to)
{
    *to = NULL;
    if (i >= c->out_count || c->out[i].dtype == BORN_DTYPE_NONE) return true;
    *to = (float *)(void *)c->out[i].data;
    return dense(&c->out[i]);
}

bool born__norm_grad_of(const born_call *c, born_norm_grad *j)
{
    const born_view *g = &c->in[0], *x = &c->in[1];
    bool rms = c->op->id == BORN_OP_RMS_NORM_GRAD, scaled = born__has(c, 2);
    int64_t axis = rms ? BORN_ATTRS_OF(rms_norm, c)->axis : BORN_ATTRS_OF(layer_norm, c)->axis;

    if (axis < 0) axis += x->rank;
    if (axis < 0 || axis >= x->rank || !dense(g) || !dense(x) || (scaled && !dense(&c->in[2]))) return false;
    *j = (born_norm_grad){ .rms = rms, .count = 1, .n = 1, .g = (const float *)(const void *)g->data,
                           .x = (const float *)(const void *)x->data,
                           .epsilon = (float)(rms ? BORN_ATTRS_OF(rms_norm, c)->epsilon
                                                  : BORN_ATTRS_OF(layer_norm, c)->epsilon) };
    if (scaled) j->scale = (const float *)(const void *)c->in[2].data;
    for (int d = 0; d < x->rank; d++) *(d < axis ? &j->count : &j->n) *= x->dim[d];
    if (j->count < 1 || j->n < 1 || j->n > BORN_NORM_GRAD_MOST) return false;
    return result(c, 0, &j->dx) && result(c, 1, &j->dscale) && result(c, 2, &j->dbias);
}

bool born__query_norm_grad(const born_call *c, born_query *q)
{
    born_norm_grad j;

    q->scratch_bytes = c->op->scratch ? c->op->scratch(c) : 0;
    return born__norm_grad_of(c, &j);
}
