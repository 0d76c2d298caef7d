/* Elementwise work as loops over dense blocks: the driver (spans.c) walks strided, broadcast operands of any size,
   gathers what is not dense, and hands a level's loop whole blocks only, so that the loops have no tails and no other
   cases. Used by numbers_k.c, half_k.c and cast_k.c. */
#ifndef BORN_CPU_SPANS_H
#define BORN_CPU_SPANS_H
#include "waist/op.h"

/* Loops work on multiples of BLOCK elements; the driver gathers up to PIECE at a time. */
enum { BORN_SPAN_BLOCK = 64, BORN_SPAN_PIECE = 512, BORN_SPAN_INPUTS = 3 };

/* The inputs at x, dense, to z, dense; z may be an input of the same size. n is a multiple of BORN_SPAN_BLOCK. */
typedef struct born_span born_span;
typedef void (*born_span_loop)(const born_span *s, const void *const *x, void *z, int64_t n);

struct born_span {
    born_span_loop loop;
    int inputs, in_size[BORN_SPAN_INPUTS], out_size;
    double p[2];                /* attributes of the formula */
    const void *more;           /* what else the loop needs */
};

/* Fills inputs and sizes from the call and runs the loop over all of result 0. */
born_status born__span_run(born_call *c, const born_exec *x, born_span *s);
#endif
