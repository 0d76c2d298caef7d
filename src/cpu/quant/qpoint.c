/* See qpoint.h; and the queries of the kernels there. */
#include "cpu/quant/qpoint.h"

#include "cpu/queries.h"
#include "ops/quant.h"

void born__qpoint_spread(born_view *v, born_dtype t, const void *value, int rank)
{
    *v = (born_view){ .dtype = t, .rank = rank, .data = (char *)(uintptr_t)value };
    for (int d = 0; d < rank; d++) v->dim[d] = 1;
}

bool born__qpoint_inputs(const born_call *c, born_view in[3])
{
    static const int32_t none = 0;
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, c);
    const born_view *x = &c->in[0];
    int64_t axis = a->axis < 0 ? a->axis + x->rank : a->axis;
    born_dtype small = x->dtype == BORN_F32 ? c->out[0].dtype : x->dtype;

    if (a->block_size != 0 || c->in[1].rank > 1) return false;
    in[0] = *x;
    for (int i = 1; i < 3; i++) {
        bool there = born__has(c, i);
        const born_view *v = there ? &c->in[i] : NULL;
        born__qpoint_spread(&in[i], there ? v->dtype : small, there ? (void *)v->data : (const void *)&none, x->rank);
        if (!there || born__view_count(v) == 1) continue;
        if (axis < 0 || axis >= x->rank) return false;
        in[i].dim[axis] = v->dim[0];
        in[i].stride[axis] = v->stride[0];
    }
    return true;
}

static bool is_q8(born_dtype t) { return t == BORN_I8 || t == BORN_U8; }

/* x and result at the ends of the conversion, 8 bits on one side and f32 on the other. */
bool born__query_qpoint(const born_call *c, born_query *q)
{
    bool to_ints = c->op->id == BORN_OP_QUANTIZE_LINEAR;
    born_view in[3];

    (void)q;
    if (c->in_count < 2 || c->in[1].dtype != BORN_F32 || !born__qpoint_inputs(c, in)) return false;
    born_dtype ints = to_ints ? c->out[0].dtype : c->in[0].dtype, reals = to_ints ? c->in[0].dtype : c->out[0].dtype;
    return is_q8(ints) && reals == BORN_F32 && in[2].dtype == ints;
}

bool born__query_qdynamic(const born_call *c, born_query *q)
{
    (void)q;
    return c->in[0].dtype == BORN_F32 && born__view_contiguous(&c->in[0]);
}
