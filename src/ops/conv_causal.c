/* Reference kernel of causal_conv: a depthwise 1-d convolution over the past state followed by the input, and the state
   for the next call: the last K-1 elements of that sequence. */
#include <math.h>

#include "ops/conv_window.h"

typedef struct causal_job {
    const born_view *x, *w, *bias, *past, *y, *state;
    int64_t taps;
} causal_job;

static inline char *causal_row(const born_view *v, int64_t b, int64_t ch)
{
    return v->data + (b * v->stride[0] + ch * v->stride[1]) * born__elem_size(v);
}

#define BORN_EACH "ops/conv_causal_body.inc"
#include "ops/each_float.inc"

born_status born__ref_causal_conv(born_call *c, const born_exec *x)
{
    const born_causal_conv_attrs *a = BORN_ATTRS_OF(causal_conv, c);
    causal_job j = { .x = &c->in[0], .w = &c->in[1], .y = &c->out[0], .taps = c->in[1].dim[2] };
    j.bias = born__has(c, 2) ? &c->in[2] : NULL;
    j.past = born__has(c, 3) ? &c->in[3] : NULL;
    j.state = c->out_count > 1 && c->out[1].dtype != BORN_DTYPE_NONE && c->out[1].data ? &c->out[1] : NULL;
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(j.x->dtype, causal_rows);
    if (!rows) return born__no_body(c, x);
    if (j.x->dim[0] > 0 && j.x->dim[1] > 0) born__exec_for(x, j.x->dim[0] * j.x->dim[1], 1, rows, &j);
    if (a->activation == 0 || born__view_count(j.y) == 0) return BORN_OK;
    return born__activation_run(j.y, BORN_OP_SILU, 1, 0, x);
}
