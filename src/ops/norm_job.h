/* What the norm files share: which number of an element a row sum adds, and a row-wise norm as two walks, one over the
   rows, one within a row, both over the operands x, y, scale, bias. */
#ifndef BORN_OPS_NORM_JOB_H
#define BORN_OPS_NORM_JOB_H
#include "ops/ref.h"
#include "ops/reduce.h"

typedef enum norm_map { NORM_ITSELF, NORM_ABS, NORM_SQUARE, NORM_SQUARE_FROM } norm_map;

enum { NORM_X, NORM_Y, NORM_SCALE, NORM_BIAS };
typedef struct norm_job {
    born_nd rows, row;              /* row's bases are offsets 0: its addresses come from rows */
    bool rms, bias;
    double epsilon;
    const born_view *mean, *inverse;    /* per row; NULL: not wanted */
} norm_job;
#endif
