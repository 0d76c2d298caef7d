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
/* v's sizes; false (with e->err set) where one is not known: a gradient decides by them what to sum. */
bool born__emit_sizes(born_emit *e, born_val v, born_view *m);
born_val born__emit_filled(born_emit *e, born_dtype t, double value, const int64_t *dim, int rank);
born_val born__emit_zeros_like(born_emit *e, born_val v);
/* v under the sizes of `like`. */
born_val born__emit_shaped_like(born_emit *e, born_val v, born_val like);
born_val born__emit_permuted(born_emit *e, born_val v, const int64_t *perm, int rank);
/* Positions [from, to) of v along axis. */
born_val born__emit_span(born_emit *e, born_val v, int64_t axis, int64_t from, int64_t to);
/* n values one after another along axis; part[0..n) is used up. */
born_val born__emit_joined(born_emit *e, born_val *part, int n, int64_t axis);
/* A reduction of v over one axis, which stays as 1. */
born_val born__emit_over_axis(born_emit *e, born_op_id op, born_val v, int64_t axis);
born_val born__emit_cast(born_emit *e, born_val v, born_dtype t);
born_val born__emit_times(born_emit *e, born_val v, double k);
/* The transpose of a gather along `axis` of a tensor of x's dtype and sizes: what gather(x, index) read, added up where
   it came from, in order of the index. `index` has any rank; v is shaped like the gather's result. */
born_val born__emit_ungather(born_emit *e, born_val v, const born_view *x, born_val index, int axis);
static inline born_val born__grad_in(const born_grad *g, int i) { return i < g->in_count ? g->in[i] : 0; }
static inline born_val born__grad_out_g(const born_grad *g, int i) { return i < g->out_count ? g->gout[i] : 0; }
/* v reduced by `op` (a row of the reduce attributes) over the axes whose bits are set, which stay as dims of 1. */
born_val born__emit_reduce(born_emit *e, born_op_id op, born_val v, uint32_t axes);
/* v [C] as [1.., C, 1..] of this rank, C at `axis`. */
born_val born__emit_along(born_emit *e, born_val v, int axis, int rank);
/* A constant everywhere, with the sizes and dtype of `like`. */
born_val born__emit_filled_like(born_emit *e, born_val like, double k);
/* v in the dtype of `like`. */
born_val born__emit_as(born_emit *e, born_val v, born_val like);
/* The sum of two gradients of one operand, of which either may be absent. */
born_val born__emit_plus(born_emit *e, born_val a, born_val b);
/* Fails the builder, unless it has failed already. */
void born__emit_refuse(born_emit *e, const char *op, const char *why);
static inline bool born__grad_wants(const born_grad *g, int i) { return i < g->in_count && g->wanted[i]; }
#endif
