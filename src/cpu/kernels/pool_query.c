/* Which calls the pools' kernels take: images stored with channels side by side or with dense rows, results alike;
   pools without indices. */
#include "cpu/kernels/pool_rows.h"
#include "cpu/queries.h"
#include "ops/pool_job.h"

static bool side_by_side(const born_view *v)
{
    return v->rank >= 3 && v->rank <= 5 && (v->stride[1] == 1 || v->dim[1] == 1);
}

bool born__query_pool(const born_call *c, born_query *q)
{
    (void)q;
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE) return false;
    return side_by_side(&c->in[0]) && side_by_side(&c->out[0]);
}

bool born__query_channels_last(const born_call *c, born_query *q)
{
    (void)q;
    return side_by_side(&c->in[0]) && side_by_side(&c->out[0]);
}

/* Steps of a view along batch, channel and the first two spatial axes; false: its last axis is not dense. */
static bool dense_rows(const born_window *w, const born_view *v, int64_t *n, int64_t *c, int64_t step[2])
{
    *n = v->stride[0];
    *c = v->stride[1];
    for (int i = 0; i < 2; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial];
    return v->dtype == BORN_F32 && (v->stride[v->rank - 1] == 1 || v->dim[v->rank - 1] == 1);
}

bool born__pool_rows_of(const born_call *c, born_pool_rows *p)
{
    int id = c->op->id;
    bool back = id == BORN_OP_MAX_POOL_GRAD || id == BORN_OP_AVERAGE_POOL_GRAD, fits;
    const born_view *y = back ? &c->in[0] : &c->out[0], *dx = &c->out[0];
    const born_view *x = id == BORN_OP_MAX_POOL_GRAD ? &c->in[1] : back ? dx : &c->in[0];
    born_window_attrs wa;

    *p = (born_pool_rows){ .average = id == BORN_OP_AVERAGE_POOL || id == BORN_OP_AVERAGE_POOL_GRAD };
    if (p->average) {
        const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, c);
        wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
        p->count_padding = a->count_include_pad;
    } else {
        const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, c);
        wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
    }
    if (x->rank < 3 || x->rank > 5 || born__view_count(x) == 0) return false;
    if (born__window_fill(&p->win, &wa, x, NULL, c->op->name, NULL) != BORN_OK) return false;
    const int64_t *k = p->win.kernel;
    if (k[0] > BORN_WINDOW_CUT || k[1] > BORN_WINDOW_CUT || k[2] > BORN_WINDOW_CUT ||
        k[0] * k[1] * k[2] > BORN_WINDOW_CUT)
        return false;
    p->batch = x->dim[0];
    p->channels = x->dim[1];
    p->y = (float *)(void *)y->data;
    fits = dense_rows(&p->win, y, &p->yn, &p->yc, p->ys);
    if (id != BORN_OP_AVERAGE_POOL_GRAD) {
        p->x = (const float *)(const void *)x->data;
        fits = dense_rows(&p->win, x, &p->xn, &p->xc, p->xs) && fits;
    }
    if (back) {
        p->dx = (float *)(void *)dx->data;
        fits = dense_rows(&p->win, dx, &p->dn, &p->dc, p->ds) && fits;
    }
    return fits;
}

bool born__query_pool_rows(const born_call *c, born_query *q)
{
    born_pool_rows p;
    (void)q;
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE) return false;
    return born__pool_rows_of(c, &p);
}
