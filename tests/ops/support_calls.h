/* Calls of single ops for tests: tensors from numbers, in several layouts; a call that infers, allocates and runs the
   reference kernel; and an emitter that runs at once, for gradients. All memory is freed by calls_free. */
#ifndef BORN_TESTS_OPS_CALLS_H
#define BORN_TESTS_OPS_CALLS_H
#include <born/attrs.h>

#include "waist/op.h"

#define DIMS(...) ((int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))), (int64_t[]){ __VA_ARGS__ }

/* Dense tensors: all zero; of `count` given numbers; rank 1 or 0 i64; small numbers by a fixed random sequence. */
born_view tensor_zeros(born_dtype t, int rank, const int64_t *dim);
born_view tensor_of(born_dtype t, int rank, const int64_t *dim, const double *v);
born_view tensor_list(int count, const int64_t *v);
#define LIST(...) tensor_list(DIMS(__VA_ARGS__))
born_view tensor_int(int64_t v);
born_view tensor_random(born_dtype t, int rank, const int64_t *dim);
extern const born_view no_tensor;
uint32_t random_below(uint32_t n);
void random_seed(uint32_t seed);

/* The same elements under other strides: permuted, with gaps, one dim reversed. */
born_view tensor_strided(const born_view *v);
/* Element i in row-major order, and its address. */
double tensor_at(const born_view *v, int64_t i);
char *tensor_address(const born_view *v, int64_t i);
bool tensor_same_bits(const born_view *a, const born_view *b);      /* dtype, dims, elements */

/* Runs the op: attributes as a user gives them. in may hold no_tensor. */
born_status call_op(born_op_id op, const void *attrs, const born_view *in, int in_count, born_view *out, int out_count,
                    born_error *err);
/* The rule alone; a host operand whose bit is set in `unknown` has no data. */
born_status infer_op(born_op_id op, const void *attrs, const born_view *in, int in_count, born_view *out,
                     int out_count, uint32_t unknown, born_error *err);
/* Threads of the pool that calls run on from now on (1: none). */
void calls_threads(int threads);
void calls_free(void);

/* Gradients of the inputs by the op's gradient function; gin[i] has dtype NONE where there is none. */
born_status grad_op(born_op_id op, const void *attrs, const born_view *in, int in_count, const born_view *out,
                    const born_view *gout, int out_count, born_view *gin, born_error *err);
#endif
