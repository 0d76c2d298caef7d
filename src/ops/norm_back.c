/* Rows that give the gradients of layer_norm and rms_norm at once. Rows are independent for x; scale and bias are
   chains over the rows, columns independent. Both passes see the row's mean and deviation through scratch. Orders of
   sums: docs/decisions/0040-gradient-order.md. */
#include <math.h>

#include "ops/norm_job.h"

enum { BACK_G, BACK_X, BACK_DX, BACK_SCALE, BACK_OPERANDS };

typedef struct layer_job {
    born_nd rows, row;              /* row's bases are offsets 0: its addresses come from rows */
    bool rms, scaled;
    double epsilon;
    void *mean, *by;                /* [rows], in scratch; by: 1 / deviation, or the root for rms */
    const born_view *dscale, *dbias;    /* NULL: not wanted */
} layer_job;

#define BORN_EACH "ops/norm_rows.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/norm_back_body.inc"
#include "ops/each_float.inc"

/* g and scale against x; the further results have the dims from `axis` on. */
static born_status layer_rule(born_infer *f, int64_t axis_attr)
{
    const born_view *g = &f->in[0], *x = &f->in[1];
    int axis;
    BORN_TRY(born__axis(f, axis_attr, x->rank, &axis));
    bool same = g->rank == x->rank;
    for (int d = 0; same && d < x->rank; d++) same = g->dim[d] == x->dim[d];
    if (same && born__infer_has(f, 2)) {
        same = f->in[2].rank == x->rank - axis;
        for (int d = axis; same && d < x->rank; d++) same = f->in[2].dim[d - axis] == x->dim[d];
        if ((f->in[2].dtype == BORN_F64) != (x->dtype == BORN_F64))
            return born__infer_fail(f, BORN_DTYPE, "x is %s, scale %s", born_dtype_name(x->dtype),
                                    born_dtype_name(f->in[2].dtype));
    }
    if (!same)
        return born__infer_fail(f, BORN_SHAPE, "g %s or scale %s does not fit x %s", born__infer_shape(f, 0),
                                f->in_count > 2 ? born__infer_shape(f, 2) : "", born__infer_shape(f, 1));
    born__out_like(f, 0, x);
    for (int i = 1; i < f->out_count; i++) {
        born_dtype t = f->out[i].dtype != BORN_DTYPE_NONE ? f->out[i].dtype : x->dtype;
        born__out_set(f, i, t, x->rank - axis, x->dim + axis);
    }
    return BORN_OK;
}

born_status born__shape_layer_norm_grad(born_infer *f)
{
    return layer_rule(f, BORN_ATTRS_OF(layer_norm, f)->axis);
}

born_status born__shape_rms_norm_grad(born_infer *f)
{
    if (!born__dtype_is(f->in_count > 2 && f->in[2].dtype ? f->in[2].dtype : BORN_F32, BORN_DT_FLOAT))
        return born__infer_fail(f, BORN_DTYPE, "scale cannot be %s", born_dtype_name(f->in[2].dtype));
    return layer_rule(f, BORN_ATTRS_OF(rms_norm, f)->axis);
}

static int row_axis(const born_call *c)
{
    int64_t axis = c->op->id == BORN_OP_RMS_NORM_GRAD ? BORN_ATTRS_OF(rms_norm, c)->axis
                                                      : BORN_ATTRS_OF(layer_norm, c)->axis;
    return (int)(axis < 0 ? axis + c->in[1].rank : axis);
}

size_t born__scratch_layer_norm_grad(const born_call *c)
{
    const born_view *x = &c->in[1];
    size_t n = 2 * (size_t)born__elem_size(x);
    for (int d = 0; d < row_axis(c); d++)
        if ((uint64_t)x->dim[d] > SIZE_MAX || !born__mul_size(n, (size_t)x->dim[d], &n)) return SIZE_MAX;
    return n;
}

static const born_view *kept(const born_call *c, int i)
{
    bool wanted = i < c->out_count && c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].data;
    return wanted ? &c->out[i] : NULL;
}

static born_status layer_run(const born_call *c, const born_exec *x, bool rms, double epsilon)
{
    const born_view *in = &c->in[1], *all[BACK_OPERANDS] = { &c->in[0], in, &c->out[0], NULL };
    layer_job j = { .rms = rms, .epsilon = epsilon, .scaled = born__has(c, 2), .dscale = kept(c, 1),
                    .dbias = kept(c, 2) };
    born_view scale;
    int axis = row_axis(c), size = born__elem_size(in), operands = j.scaled ? BACK_OPERANDS : BACK_SCALE;
    if (j.scaled) {
        scale = born__view_expand(&c->in[2], in);
        all[BACK_SCALE] = &scale;
    }
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(in->dtype, layer_back_rows);
    void (*columns)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(in->dtype, layer_back_columns);
    if (!rows || !columns) return born__no_body(c, x);
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_layer_norm_grad(c), x->err, BORN_INTERNAL,
                 "%s: scratch is too small", c->op->name);
    born__nd_start(&j.rows, in->dim, axis);
    born__nd_start(&j.row, in->dim + axis, in->rank - axis);
    int64_t count = j.rows.total;
    if (j.row.total == 0) return BORN_OK;
    j.mean = x->scratch;
    j.by = (char *)x->scratch + count * size;
    for (int k = 0; k < operands; k++) {
        born__nd_add_raw(&j.rows, all[k]->data, all[k]->stride, size);
        born__nd_add_raw(&j.row, NULL, all[k]->stride + axis, size);
    }
    born__nd_merge(&j.rows);
    born__nd_merge(&j.row);
    if (count > 0) born__exec_for(x, count, 1 + 16384 / (j.row.total + 1), rows, &j);
    if (j.dscale || j.dbias) born__exec_for(x, j.row.total, 16 + 16384 / (count + 1), columns, &j);
    return BORN_OK;
}

born_status born__ref_layer_norm_grad(born_call *c, const born_exec *x)
{
    return layer_run(c, x, false, BORN_ATTRS_OF(layer_norm, c)->epsilon);
}

born_status born__ref_rms_norm_grad(born_call *c, const born_exec *x)
{
    return layer_run(c, x, true, BORN_ATTRS_OF(rms_norm, c)->epsilon);
}
