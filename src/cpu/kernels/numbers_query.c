/* What the kernels of numbers_k.c and half_k.c take: operands of one dtype, any strides; and a choice by a mask of
   elements of 1, 2, 4 or 8 bytes. */
#include <math.h>

#include "cpu/queries.h"
#include "ops/elementwise.h"
#include "ops/ref.h"

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
