/* From calls of cross_entropy_loss and cross_entropy_grad to born_loss_rows, and their query. */
#include "cpu/kernels/loss.h"

#include "cpu/queries.h"
#include "ops/ref.h"

static const float *floats(const born_view *v) { return (const float *)(const void *)v->data; }

/* f32 [positions, classes] whose rows are dense. */
static bool dense_rows(const born_view *v)
{
    return v->dtype == BORN_F32 && v->rank == 2 && (v->stride[1] == 1 || v->dim[1] == 1);
}

bool born__loss_rows(const born_call *c, born_loss_rows *r)
{
    const born_loss_attrs *a = BORN_ATTRS_OF(loss, c);
    bool grad = c->op->id == BORN_OP_CROSS_ENTROPY_GRAD;
    int weights = grad ? 3 : 2, result = grad ? 0 : 1;
    const born_view *x = &c->in[0], *y = result < c->out_count && c->out[result].dtype ? &c->out[result] : NULL;

    if (!dense_rows(x) || (y && !dense_rows(y)) || c->in[1].rank != 1 || a->label_smoothing > 0) return false;
    *r = (born_loss_rows){ .count = x->dim[0], .classes = x->dim[1], .x = floats(x), .x_row = x->stride[0],
                           .target = &c->in[1], .ignore = a->ignore_index, .reduction = a->reduction };
    if (r->count < 1 || r->classes < 1) return false;
    if (y) {
        r->y = (float *)(void *)y->data;
        r->y_row = y->stride[0];
    }
    if (born__has(c, weights)) {
        r->weights = floats(&c->in[weights]);
        r->weights_step = c->in[weights].stride[0];
    }
    if (grad) {
        r->scale = floats(&c->in[2]);
        r->scale_step = c->in[2].stride[0];
    }
    return true;
}

bool born__query_loss(const born_call *c, born_query *q)
{
    born_loss_rows r;

    q->scratch_bytes = c->op->scratch ? c->op->scratch(c) : 0;
    return born__loss_rows(c, &r);
}

born_status born__loss_check(const born_loss_rows *r, const born_call *c, born_error *err)
{
    for (int64_t i = 0; i < r->count; i++) {
        int64_t t = born__loss_target(r, i);
        bool ok = (t >= 0 && t < r->classes) || (t == r->ignore && t != INT64_MIN);
        BORN_FAIL_IF(!ok, err, BORN_RANGE, "%s: target %lld is none of %lld classes", c->op->name, (long long)t,
                     (long long)r->classes);
    }
    return BORN_OK;
}
