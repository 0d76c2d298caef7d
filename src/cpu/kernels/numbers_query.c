/* What the kernels of numbers_k.c and half_k.c take: operands of one dtype, any strides; a choice by a mask of elements
   of 1, 2, 4 or 8 bytes; and what those of arg_k.c and resize_k.c do. */
#include <math.h>

#include "cpu/queries.h"
#include "ops/elementwise.h"
#include "ops/ref.h"
#include "ops/resize_plan.h"

/* Whether the formula read in 32 bits has the low bits of the one read in 64. Without attributes all have: they add,
   multiply, compare and choose. */
static bool fits_32_bits(const born_call *c)
{
    double p[2];

    born__attrs_numbers(c->op->attrs, c->attrs, p);
    if (c->op->id == BORN_OP_CLAMP) return p[0] < 0x1p31 && p[1] >= -0x1p31; /* a bound beyond all values is none */
    return fabs(p[0]) < 1 && fabs(p[1]) < 1;
}

bool born__query_numbers(const born_call *c, born_query *q)
{
    (void)q;
    if (c->in_count != c->op->max_in || c->out_count < 1) return false;
    for (int i = 1; i < c->in_count; i++)
        if (c->in[i].dtype != c->in[0].dtype) return false;
    if (c->out[0].dtype != c->in[0].dtype && c->out[0].dtype != BORN_BOOL) return false;
    return c->in[0].dtype != BORN_I32 || fits_32_bits(c);
}

bool born__query_where(const born_call *c, born_query *q)
{
    int size = born__elem_size(&c->out[0]);

    (void)q;
    return c->in_count == 3 && (size == 1 || size == 2 || size == 4 || size == 8);
}

bool born__query_fused(const born_call *c, born_query *q)
{
    (void)q;
    return c->out_count >= 1; /* the shape rule has read the program */
}

/* Rows along the last axis, dense. */
bool born__query_arg(const born_call *c, born_query *q)
{
    const born_arg_reduce_attrs *a = BORN_ATTRS_OF(arg_reduce, c);
    const born_view *v = &c->in[0];

    (void)q;
    if (v->rank < 1 || (a->axis != -1 && a->axis != v->rank - 1) || born__view_count(v) == 0) return false;
    return v->dim[v->rank - 1] == 1 || v->stride[v->rank - 1] == 1;
}

bool born__query_resize(const born_call *c, born_query *q)
{
    if (BORN_ATTRS_OF(resize, c)->mode == BORN_RESIZE_NEAREST) return false;
    for (int i = 1; i < c->in_count; i++)
        if (c->in[i].dtype == BORN_F16 || c->in[i].dtype == BORN_BF16) return false;
    q->scratch_bytes = born__scratch_resize(c);
    return true;
}
