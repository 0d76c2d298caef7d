/* The row resize_grad: what resize read, it adds to. Planes over the axes that are not resampled are independent; in
   one, results are walked in row-major order and each adds itself times its tap's weight (the product of the axes'
   weights, from the first axis on) to the cell. Results that hold the extrapolation value add nothing. */
#include <math.h>

#include "ops/resize_plan.h"

typedef struct back_table {
    int axis;
    int64_t taps, out;
    int64_t *offset;            /* [out][taps], bytes of dx */
    double *weight;             /* [out][taps] */
    uint8_t *outside;           /* [out] */
} back_table;

typedef struct resize_back {
    int rank, tables;           /* tables of the resampled axes, in order */
    back_table table[BORN_MAX_RANK];
    bool active[BORN_MAX_RANK];
    int64_t in[BORN_MAX_RANK], ds[BORN_MAX_RANK], gs[BORN_MAX_RANK];
    char *dx, *g;
} resize_back;

#define BORN_EACH "ops/resize_back_body.inc"
#include "ops/each_float.inc"

/* Operands (g, sizes of x, roi, scales, sizes) as resize has them: x, of which only the sizes are real. */
static born_status plan_back(born_infer *f, born_view in[4], born_resize_plan *p)
{
    int64_t n;
    in[0] = (born_view){ .dtype = f->in[0].dtype };
    BORN_TRY(born__host_i64(f, 1, in[0].dim, BORN_MAX_RANK, &n));
    in[0].rank = (int)n;
    for (int i = 0; i < in[0].rank; i++)
        if (in[0].dim[i] < 0) return born__infer_fail(f, BORN_SHAPE, "size %lld of x", (long long)in[0].dim[i]);
    born_infer forward = { .op = f->op, .attrs = f->attrs, .in_count = f->in_count - 1, .in = in, .err = f->err };
    for (int i = 1; i < forward.in_count; i++) in[i] = f->in[i + 1];
    return born__resize_plan(&forward, p);
}

born_status born__shape_resize_grad(born_infer *f)
{
    born_resize_plan p;
    born_view in[4];
    const born_view *g = &f->in[0];
    BORN_TRY(plan_back(f, in, &p));
    bool fits = g->rank == p.rank;
    for (int i = 0; fits && i < p.rank; i++) fits = g->dim[i] == p.axis[i].out;
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "g %s is no result of this resize of %s", born__infer_shape(f, 0),
                                born__shape_text(in[0].dim, in[0].rank, (char[96]){ 0 }, 96));
    born__out_like(f, 0, &in[0]);
    return BORN_OK;
}

static born_status plan_of_call(const born_call *c, born_resize_plan *p, born_error *err)
{
    born_view in[4];
    born_infer f = { .op = c->op, .attrs = c->attrs, .in_count = c->in_count, .in = c->in, .err = err };
    return plan_back(&f, in, p);
}

size_t born__scratch_resize_grad(const born_call *c)
{
    born_resize_plan p;
    size_t total = 0, n, flags;
    if (plan_of_call(c, &p, NULL) != BORN_OK) return 0;         /* the run reports it */
    for (int i = 0; i < p.rank; i++) {
        const born_resize_axis *x = &p.axis[i];
        if (!x->active) continue;
        bool fits = (uint64_t)x->out <= SIZE_MAX && (uint64_t)x->taps <= SIZE_MAX &&
                    born__mul_size((size_t)x->out, (size_t)x->taps, &n) && born__mul_size(n, 16, &n) &&
                    born__add_size((size_t)x->out, 7, &flags) && born__add_size(n, flags & ~(size_t)7, &n) &&
                    born__add_size(total, n, &total);
        if (!fits) return SIZE_MAX;
    }
    return total;
}

born_status born__ref_resize_grad(born_call *c, const born_exec *x)
{
    const born_view *g = &c->in[0], *dx = &c->out[0];
    int64_t size = born__elem_size(g), rows = 1;
    char *scratch = x->scratch;
    born_resize_plan p;
    resize_back j = { .dx = dx->data, .g = g->data };
    BORN_TRY(plan_of_call(c, &p, x->err));
    if (born__view_count(dx) == 0) return BORN_OK;
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_resize_grad(c), x->err, BORN_INTERNAL, "%s: scratch is too small",
                 c->op->name);
    void (*planes)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(g->dtype, resize_back_planes);
    if (!planes) return born__no_body(c, x);
    j.rank = p.rank;
    for (int d = 0; d < p.rank; d++) {
        const born_resize_axis *a = &p.axis[d];
        j.in[d] = dx->dim[d];
        j.ds[d] = dx->stride[d] * size;
        j.gs[d] = g->stride[d] * size;
        j.active[d] = a->active;
        if (!a->active) {
            rows *= dx->dim[d];
            continue;
        }
        back_table *t = &j.table[j.tables++];
        int64_t n = a->out * a->taps;
        *t = (back_table){ .axis = d, .taps = a->taps, .out = a->out, .offset = (int64_t *)(void *)scratch };
        t->weight = (double *)(void *)(scratch + n * 8);
        t->outside = (uint8_t *)scratch + n * 16;
        scratch += n * 16 + ((a->out + 7) & ~(int64_t)7);
        born__resize_taps(BORN_ATTRS_OF(resize, c), a, t->offset, t->weight, t->outside);
        for (int64_t k = 0; k < n; k++) t->offset[k] *= j.ds[d];
    }
    born__exec_for(x, rows, 1, planes, &j);
    return BORN_OK;
}
