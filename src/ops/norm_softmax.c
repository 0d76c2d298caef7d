/* Reference kernels of softmax, log_softmax, hardmax and lp_norm: all work along one axis. Over the last axis the sum
   is that of a row (reduce.h); over another one it is a chain in index order, cut every 1,024 terms, many columns at
   once. Which of the two follows from the axis alone, never from strides or sizes. */
#include <math.h>

#include "ops/lane1.h"
#include "ops/math64.h"
#include "ops/norm_job.h"

typedef enum axis_kind { AXIS_SOFTMAX, AXIS_LOG_SOFTMAX, AXIS_HARDMAX, AXIS_L1, AXIS_L2 } axis_kind;
enum { AXIS_COLUMNS = 64 };

typedef struct axis_job {
    axis_kind kind;
    born_nd rest;               /* all axes but one: operand 0 x, operand 1 y */
    born_nd row;                /* the axis itself: the same operands, no addresses */
    int64_t count, xs, ys;      /* its size, and its steps in bytes */
} axis_job;

#define exp_f64 born__exp_f64
#define log_f64 born__log_f64

#define BORN_EACH "ops/norm_rows.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/norm_softmax_body.inc"
#include "ops/each_float.inc"

static born_status axis_run(const born_call *c, const born_exec *x, axis_kind kind, int64_t axis)
{
    const born_view *v = &c->in[0], *y = &c->out[0];
    axis_job j = { .kind = kind, .count = 1 };
    int64_t dim[BORN_MAX_RANK], xs[BORN_MAX_RANK], ys[BORN_MAX_RANK], size = born__elem_size(v);
    int at = (int)(axis < 0 ? axis + v->rank : axis), n = 0;
    if (born__view_count(v) == 0) return BORN_OK;
    for (int d = 0; d < v->rank; d++) {
        if (d == at) {
            j.count = v->dim[d];
            j.xs = v->stride[d] * size;
            j.ys = y->stride[d] * size;
            continue;
        }
        dim[n] = v->dim[d];
        xs[n] = v->stride[d];
        ys[n++] = y->stride[d];
    }
    born__nd_start(&j.rest, dim, n);
    born__nd_add_raw(&j.rest, v->data, xs, (int)size);
    born__nd_add_raw(&j.rest, y->data, ys, (int)size);
    born__nd_merge(&j.rest);
    j.row = (born_nd){ .rank = 1, .ops = 2, .total = j.count, .dim = { j.count }, .step = { { j.xs }, { j.ys } } };
    bool last = v->rank == 0 || at == v->rank - 1;
    born_nd_body rows = BORN_PICK_FLOAT(v->dtype, axis_rows), columns = BORN_PICK_FLOAT(v->dtype, axis_columns);
    if (!rows || !columns) return born__no_body(c, x);
    born__nd_for(&j.rest, x, 1 + 4096 / j.count, last ? rows : columns, &j);
    return BORN_OK;
}

born_status born__ref_softmax(born_call *c, const born_exec *x)
{
    return axis_run(c, x, AXIS_SOFTMAX, BORN_ATTRS_OF(softmax, c)->axis);
}
born_status born__ref_log_softmax(born_call *c, const born_exec *x)
{
    return axis_run(c, x, AXIS_LOG_SOFTMAX, BORN_ATTRS_OF(softmax, c)->axis);
}
born_status born__ref_hardmax(born_call *c, const born_exec *x)
{
    return axis_run(c, x, AXIS_HARDMAX, BORN_ATTRS_OF(softmax, c)->axis);
}
born_status born__ref_lp_norm(born_call *c, const born_exec *x)
{
    const born_lp_norm_attrs *a = BORN_ATTRS_OF(lp_norm, c);
    return axis_run(c, x, a->p == 1 ? AXIS_L1 : AXIS_L2, a->axis);
}
