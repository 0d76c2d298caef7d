/* The sum of two gradients of one value, for whoever accumulates them without knowing operators. */
#ifndef BORN_OPS_EMIT_SUM_H
#define BORN_OPS_EMIT_SUM_H
#include "waist/op.h"

static inline born_val born__emit_sum(born_emit *e, born_val a, born_val b)
{
    const born_val in[2] = { a, b };
    return born__emit1(e, BORN_OP_ADD, NULL, in, 2);
}
#endif
