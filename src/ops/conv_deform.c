/* Reference kernel of deform_conv (Dai et al. 2017; with masks Zhu et al. 2018): a convolution whose taps are moved by
   learned offsets and read bilinearly. The chain of a result runs over kernel positions, then the group's channels, as
   in conv; each term's left factor is the interpolated value times the mask, rounded. Offsets are data: any float. */
#include <math.h>

#include "ops/conv_window.h"

typedef struct deform_job {
    born_window win;
    int64_t groups, offset_groups, cg, mg;
    const born_view *x, *w, *offset, *bias, *mask, *y;
} deform_job;

static inline const char *deform_at(const born_view *v, int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t at = a * v->stride[0] + b * v->stride[1] + c * v->stride[2] + d * v->stride[3];
    return v->data + at * born__elem_size(v);
}

#define BORN_EACH "ops/conv_deform_body.inc"
#include "ops/each_float.inc"

born_status born__ref_deform_conv(born_call *c, const born_exec *x)
{
    const born_deform_conv_attrs *a = BORN_ATTRS_OF(deform_conv, c);
    deform_job j = { .x = &c->in[0], .w = &c->in[1], .offset = &c->in[2], .y = &c->out[0], .groups = a->group,
                     .offset_groups = a->offset_group };
    born_window_attrs wa = { BORN_PAD_NOTSET, false, a->kernel_shape, a->strides, a->pads, a->dilations };
    if (born__view_count(j.y) == 0) return BORN_OK;
    (void)born__window_fill(&j.win, &wa, j.x, j.w, c->op->name, NULL);
    j.bias = born__has(c, 3) ? &c->in[3] : NULL;
    j.mask = born__has(c, 4) ? &c->in[4] : NULL;
    j.cg = j.x->dim[1] / j.groups;
    j.mg = j.y->dim[1] / j.groups;
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(j.y->dtype, deform_rows);
    if (!rows) return born__no_body(c, x);
    born__exec_for(x, j.y->dim[0] * j.y->dim[2], 1, rows, &j);
    return BORN_OK;
}
