/* What gradients share when they speak to a builder: single calls, and shapes. Everything gives 0 once anything failed,
   and 0 operands give 0. Attributes NULL: the defaults. */
#ifndef BORN_OPS_EMIT_HELP_H
#define BORN_OPS_EMIT_HELP_H
#include "ops/ref.h"

born_val born__emit_one(born_emit *e, born_op_id op, born_val a);
born_val born__emit_two(born_emit *e, born_op_id op, born_val a, born_val b);
born_val born__emit_three(born_emit *e, born_op_id op, born_val a, born_val b, born_val c);
/* A constant of v's dtype. */
born_val born__emit_const(born_emit *e, born_val like, double k);
/* v under other sizes of the same count. */
born_val born__emit_reshape(born_emit *e, born_val v, const int64_t *dim, int rank);
/* v broadcast to the sizes. */
born_val born__emit_expand(born_emit *e, born_val v, const int64_t *dim, int rank);
/* v summed over the axes it was broadcast along, so that it has the shape of `like`: the gradient of broadcasting. */
born_val born__emit_sum_to(born_emit *e, born_val v, born_val like);
/* v [..., M, N] to [..., N, M]. */
born_val born__emit_swap_last(born_emit *e, born_val v);
/* A bit per axis of `reduce` attributes applied to g->in[0], read from operand 1; false (with e->err set) where that is
   not known. */
bool born__emit_reduced(born_emit *e, const born_grad *g, uint32_t *mask);
static inline bool born__grad_wants(const born_grad *g, int i) { return i < g->in_count && g->wanted[i]; }
#endif
