/* What the shape and index kernels share beside ref.h: rules that run again inside kernels, host operands included. */
#ifndef BORN_OPS_SHAPE_OPS_H
#define BORN_OPS_SHAPE_OPS_H
#include "ops/ref.h"

/* A rule's view of a running call, for kernels that read host operands by the code of their rule. No outputs. */
static inline born_infer born__infer_of(const born_call *c, const born_exec *x)
{
    return (born_infer){ .op = c->op, .attrs = c->attrs, .in_count = c->in_count, .in = c->in, .err = x->err };
}

/* The part of operand 0 that the host operands from `at` on (starts, ends, axes, steps) name, and where it begins. */
born_status born__sliced(born_infer *f, int at, born_view *v, int64_t *offset_bytes);

/* What pad adds before and after each dim; below 0: crops. */
typedef struct born_pads { int64_t before[BORN_MAX_RANK], after[BORN_MAX_RANK]; } born_pads;
born_status born__pads_read(born_infer *f, born_pads *p);
/* The element of a line of n that position i, outside it, shows. mode: of the attribute, not constant. */
int64_t born__pad_source(int mode, int64_t i, int64_t n);
/* The size of part i of n elements cut into `parts` by split without sizes. */
int64_t born__split_part(int64_t n, int64_t parts, int64_t i);
#endif
