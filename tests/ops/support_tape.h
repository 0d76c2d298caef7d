/* Running rows on host memory, for tests: a tape of values that remembers which call made each, so that gradients can
   be asked for, and gradients of gradients. Calls go through inference and the reference kernel, nothing else. Values
   live until tape_free; nothing is checked beyond what a test needs. */
#ifndef BORN_TESTS_SUPPORT_TAPE_H
#define BORN_TESTS_SUPPORT_TAPE_H
#include "ops/ref.h"

enum { TAPE_VALUES = 4096, TAPE_CALLS = 4096, TAPE_FEW = 12, TAPE_BLOCK = 32 };

typedef struct tape_value {
    born_view view;
    double *grad;
} tape_value;
typedef struct tape_call_record {
    const born_op *op;
    void *attrs;
    int in_count, out_count;
    born_val in[TAPE_FEW], out[TAPE_FEW];
} tape_call_record;

typedef struct tape {
    born_emit emit; /* first: gradients get this */
    tape_value *value[TAPE_VALUES / TAPE_BLOCK];        /* in blocks: few tapes are long, and there are thousands */
    tape_call_record *call[TAPE_CALLS / TAPE_BLOCK];
    int values, calls;
} tape;

tape *tape_new(void);
void tape_free(tape *t);
/* A value of `count` numbers given as doubles, stored as dtype. */
born_val tape_put(tape *t, born_dtype dtype, int rank, const int64_t *dim, const double *v);
/* The same numbers, stored with the first dim fastest where `turned`. */
born_val tape_put_turned(tape *t, born_dtype dtype, int rank, const int64_t *dim, const double *v, bool turned);
/* A value that shares memory: the test's own strides. */
born_val tape_put_view(tape *t, const born_view *v);
/* Runs one op with one result; 0 where it failed (text in t->emit.err). attrs NULL: defaults. */
born_val tape_run(tape *t, born_op_id op, const void *attrs, const born_val *in, int in_count);
const born_view *tape_view(tape *t, born_val v);
double tape_at(tape *t, born_val v, int64_t i); /* element by row-major index */
int64_t tape_count(tape *t, born_val v);
/* Gradients of sum(seed * out) with respect to x[0..n), as values of the tape; 0 where none arrives. */
void tape_backward(tape *t, born_val out, born_val seed, const born_val *x, born_val *gx, int n);
/* The same of sum over k of seed[k] * out[k]; a seed or out of 0 is left out. */
void tape_backward_all(tape *t, const born_val *out, const born_val *seed, int outs, const born_val *x, born_val *gx,
                       int n);

/* Pseudo-random numbers in [lo, hi). */
double tape_random(uint64_t *state, double lo, double hi);
#endif
