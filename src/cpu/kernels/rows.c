/* From calls of softmax and norms to born_rows, and their queries. */
#include "cpu/kernels/rows.h"

#include <string.h>

#include "cpu/queries.h"
#include "ops/ref.h"

static float *floats(const born_view *v)
{
    return (float *)(void *)v->data;
}

/* Dims from `axis` on lie dense in row-major order. */
static bool dense_from(const born_view *v, int axis)
{
    int64_t step = 1;

    for (int d = v->rank; d-- > axis;) {
        if (v->dim[d] != 1 && v->stride[d] != step) return false;
        step *= v->dim[d];
    }
    return true;
}

/* x and y as rows of the dims from `axis` on. */
static bool rows_of(const born_view *x, const born_view *y, int axis, born_rows *r)
{
    *r = (born_rows){ .n = 1, .count = 1 };
    if (x->dtype != BORN_F32 || y->dtype != BORN_F32 || x->rank != y->rank) return false;
    if (!dense_from(x, axis) || !dense_from(y, axis)) return false;
    for (int d = 0; d < x->rank; d++) {
        if (d >= axis) {
            r->n *= x->dim[d];
            continue;
        }
        r->count *= x->dim[d];
        if (x->dim[d] == 1) continue;
        int last = r->rank - 1;
        if (last >= 0 && r->x_step[last] == x->dim[d] * x->stride[d] && r->y_step[last] == x->dim[d] * y->stride[d]) {
            r->dim[last] *= x->dim[d];
        } else {
            last = r->rank++;
            r->dim[last] = x->dim[d];
        }
        r->x_step[last] = x->stride[d];
        r->y_step[last] = y->stride[d];
    }
    r->x = floats(x);
    r->y = floats(y);
    return r->n > 0 && r->count > 0;
}

bool born__rows_of_softmax(const born_call *c, born_rows *r)
{
    int64_t axis = BORN_ATTRS_OF(softmax, c)->axis;
    int rank = c->in[0].rank;

    return rank > 0 && (axis == -1 || axis == rank - 1) && rows_of(&c->in[0], &c->out[0], rank - 1, r);
}

bool born__query_softmax(const born_call *c, born_query *q)
{
    born_rows r;

    (void)q;
    return born__rows_of_softmax(c, &r);
}

/* The factor or addend of a norm: dense, one number per element of the row. */
static bool per_element(const born_view *v, int64_t n)
{
    return v->dtype == BORN_F32 && dense_from(v, 0) && born__view_count(v) == n;
}

/* One number per row, or not wanted. */
static bool per_row(const born_call *c, int i, const born_rows *r, float **to)
{
    *to = NULL;
    if (i >= c->out_count || c->out[i].dtype == BORN_DTYPE_NONE) return true;
    *to = floats(&c->out[i]);
    return c->out[i].dtype == BORN_F32 && dense_from(&c->out[i], 0) && born__view_count(&c->out[i]) == r->count;
}

bool born__rows_of_norm(const born_call *c, born_rows *r)
{
    bool rms = c->op->id == BORN_OP_RMS_NORM;
    int64_t axis = rms ? BORN_ATTRS_OF(rms_norm, c)->axis : BORN_ATTRS_OF(layer_norm, c)->axis;
    int rank = c->in[0].rank;

    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank || c->in_count < 2 || !rows_of(&c->in[0], &c->out[0], (int)axis, r)) return false;
    r->rms = rms;
    r->epsilon = rms ? BORN_ATTRS_OF(rms_norm, c)->epsilon : BORN_ATTRS_OF(layer_norm, c)->epsilon;
    r->scale = floats(&c->in[1]);
    bool biased = !rms && born__has(c, 2);
    r->bias = biased ? floats(&c->in[2]) : NULL;
    return per_element(&c->in[1], r->n) && (!biased || per_element(&c->in[2], r->n)) && per_row(c, 1, r, &r->mean) &&
           per_row(c, 2, r, &r->inverse);
}

bool born__query_row_norm(const born_call *c, born_query *q)
{
    born_rows r;

    (void)q;
    return born__rows_of_norm(c, &r);
}

bool born__query_batch_norm(const born_call *c, born_query *q)
{
    const born_view *v = &c->in[0];

    if (BORN_ATTRS_OF(batch_norm, c)->training_mode || c->in_count < 5 || v->rank < 2) return false;
    for (int i = 0; i < 5; i++)
        if (c->in[i].dtype != BORN_F32) return false;
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE) return false;
    size_t bytes;
    if (!born__mul_size((size_t)v->dim[1], 3 * sizeof(float), &bytes)) return false;
    q->scratch_bytes = bytes;
    return true;
}
