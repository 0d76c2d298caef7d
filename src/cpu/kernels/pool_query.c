/* Which calls the pools' kernels take: images stored with channels side by side or with dense rows, results alike;
   pools without indices. */
#include "base/checked.h"
#include "cpu/kernels/pool_back.h"
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

static void steps_of(const born_window *w, const born_view *v, int64_t *n, int64_t step[3])
{
    *n = v->stride[0];
    for (int i = 0; i < 3; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial];
}

/* Do windows share no cell, and leave out none? */
static void see_overlap(born_pool_back *p)
{
    const born_window *w = &p->win;

    p->apart = p->covers = true;
    for (int a = 0; a < 3; a++) {
        int64_t reach = (w->kernel[a] - 1) * w->dilation[a] + 1;
        if (w->out[a] > 1 && w->stride[a] < reach) p->apart = false;
        if (w->dilation[a] > 1 && w->kernel[a] > 1) p->covers = false;
        if (w->out[a] > 1 && w->stride[a] > w->kernel[a]) p->covers = false;
        if (w->out[a] * w->stride[a] - w->stride[a] + reach - w->pad[a] < w->in[a]) p->covers = false;
    }
    p->covers = p->covers && p->apart;
}

bool born__pool_back_of(const born_call *c, born_pool_back *p)
{
    bool max = c->op->id == BORN_OP_MAX_POOL_GRAD;
    const born_view *g = &c->in[0], *dx = &c->out[0], *x = max ? &c->in[1] : dx;
    born_window_attrs wa;
    bool last;

    *p = (born_pool_back){ .dx = (float *)(void *)dx->data, .g = (const float *)(const void *)g->data };
    if (max) {
        const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, c);
        wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
        p->x = (const float *)(const void *)x->data;
    } else {
        const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, c);
        wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
        p->count_padding = a->count_include_pad;
    }
    if (!side_by_side(x) || !side_by_side(dx) || g->dtype != BORN_F32 || born__view_count(x) == 0) return false;
    if (born__window_fill(&p->win, &wa, x, NULL, c->op->name, NULL) != BORN_OK) return false;
    const int64_t *k = p->win.kernel;
    if (k[0] > BORN_POOL_TAPS || k[1] > BORN_POOL_TAPS || k[2] > BORN_POOL_TAPS ||
        k[0] * k[1] * k[2] > BORN_POOL_TAPS)
        return false;
    p->batch = x->dim[0];
    p->channels = x->dim[1];
    steps_of(&p->win, x, &p->xn, p->xs);
    steps_of(&p->win, dx, &p->dn, p->ds);
    steps_of(&p->win, g, &p->gn, p->gs);
    p->gc = g->stride[1];
    last = side_by_side(g);
    born_view dense = *g;
    born__view_row_major(&dense);
    p->turn = !last;
    for (int i = 2; i < g->rank && p->turn; i++)
        if (g->dim[i] != 1 && g->stride[i] != dense.stride[i]) return false;
    see_overlap(p);
    return true;
}

bool born__query_pool_back(const born_call *c, born_query *q)
{
    born_pool_back p;
    size_t bytes = sizeof(float);

    if (!born__pool_back_of(c, &p)) return false;
    if (!p.turn) return true;
    const int64_t size[5] = { p.batch, p.channels, p.win.out[0], p.win.out[1], p.win.out[2] };
    for (int i = 0; i < 5; i++)
        if (!born__mul_size(bytes, (size_t)size[i], &bytes)) return false;
    q->scratch_bytes = bytes;
    return true;
}
