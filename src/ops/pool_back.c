/* Rows that spread a pool's gradient over what was pooled: max_pool_grad, average_pool_grad. Planes (a channel of a
   batch entry) are independent; within one, windows are walked in row-major order and add to the elements of x. */
#include <math.h>

#include "ops/pool_job.h"

/* Steps in bytes: of the result dx, of the incoming gradient g, of x. */
typedef struct back_job {
    born_window win;
    int64_t channels;
    bool count_padding;
    char *dx, *g, *x;
    int64_t dn, dc, ds[3], gn, gc, gs[3], xn, xc, xs[3];
} back_job;

#define BORN_EACH "ops/pool_back_body.inc"
#include "ops/each_float.inc"

/* Is g [N, C, what the window gives], and the window no larger than those of pools? */
static born_status check_result(born_infer *f, const born_window *w, const born_view *x)
{
    const born_view *g = &f->in[0];
    int64_t cells;
    if (!born__shape_count(w->kernel, 3, &cells) || cells > (int64_t)1 << POOL_MOST_CELLS)
        return born__infer_fail(f, BORN_RANGE, "the window has more than 2^%d cells", POOL_MOST_CELLS);
    bool fits = g->rank == x->rank && g->dim[0] == x->dim[0] && g->dim[1] == x->dim[1];
    for (int i = 0; fits && i < w->spatial; i++) fits = g->dim[2 + i] == w->out[3 - w->spatial + i];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "g %s is no result of this pool of x %s", born__infer_shape(f, 0),
                                born__shape_text(x->dim, x->rank, (char[96]){ 0 }, 96));
    return BORN_OK;
}

born_status born__shape_max_pool_grad(born_infer *f)
{
    const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, f);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
    born_window w;
    BORN_TRY(born__window_fill(&w, &wa, &f->in[1], NULL, f->op->name, f->err));
    born__out_like(f, 0, &f->in[1]);
    return check_result(f, &w, &f->in[1]);
}

born_status born__shape_average_pool_grad(born_infer *f)
{
    const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, f);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
    born_window w;
    born_view x = { .dtype = f->in[0].dtype };
    int64_t n;
    BORN_TRY(born__host_i64(f, 1, x.dim, BORN_MAX_RANK, &n));
    x.rank = (int)n;
    for (int i = 0; i < x.rank; i++)
        if (x.dim[i] < 0) return born__infer_fail(f, BORN_SHAPE, "size %lld of x", (long long)x.dim[i]);
    BORN_TRY(born__window_fill(&w, &wa, &x, NULL, f->op->name, f->err));
    born__out_like(f, 0, &x);
    return check_result(f, &w, &x);
}

/* Steps of dx and g; x is dx's sizes either way. */
static void describe(const born_call *c, back_job *j)
{
    const born_view *g = &c->in[0], *dx = &c->out[0];
    int64_t size = born__elem_size(g);
    j->channels = dx->dim[1];
    j->dx = dx->data;
    j->g = g->data;
    j->dn = dx->stride[0] * size;
    j->dc = dx->stride[1] * size;
    j->gn = g->stride[0] * size;
    j->gc = g->stride[1] * size;
    born__window_steps(&j->win, dx, j->ds);
    born__window_steps(&j->win, g, j->gs);
}

static born_status planes(const born_call *c, const born_exec *x, const back_job *j,
                          void (*body)(void *, int64_t, int64_t))
{
    if (!body) return born__no_body(c, x);
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    int64_t cells = j->win.in[0] * j->win.in[1] * j->win.in[2];
    born__exec_for(x, c->out[0].dim[0] * j->channels, 1 + (1 << 14) / cells, body, (void *)(uintptr_t)j);
    return BORN_OK;
}

born_status born__ref_max_pool_grad(born_call *c, const born_exec *x)
{
    const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, c);
    const born_view *v = &c->in[1];
    int64_t size = born__elem_size(v);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
    back_job j = { .x = v->data };
    BORN_TRY(born__window_fill(&j.win, &wa, v, NULL, c->op->name, x->err));
    describe(c, &j);
    j.xn = v->stride[0] * size;
    j.xc = v->stride[1] * size;
    born__window_steps(&j.win, v, j.xs);
    return planes(c, x, &j, BORN_PICK_FLOAT(v->dtype, back_max));
}

born_status born__ref_average_pool_grad(born_call *c, const born_exec *x)
{
    const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, c);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, a->ceil_mode);
    back_job j = { .count_padding = a->count_include_pad };
    BORN_TRY(born__window_fill(&j.win, &wa, &c->out[0], NULL, c->op->name, x->err));
    describe(c, &j);
    return planes(c, x, &j, BORN_PICK_FLOAT(c->in[0].dtype, back_average));
}
