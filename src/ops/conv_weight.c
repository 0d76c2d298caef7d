/* Rule and reference kernel of conv_weight_grad: each element of the weight's gradient is one chain of FMAs over all
   pixels of the result, batch first, cut every 1,024 pixels (docs/decisions/0040-gradient-order.md). Pixels whose tap
   lies in the padding count like others, with x = +0: so all elements have the same terms, and a kernel may compute
   them as one matrix product. The gradient of the result is first rearranged into panels [pixels][lanes] of up to 16
   channels, which advance together. */
#include <math.h>

#include "ops/conv_window.h"

enum { WEIGHT_LANES = 16 };

typedef struct weight_job {
    born_window win;
    int64_t batch, groups, cg, mg;      /* cg and mg: channels and result channels of a group */
    int64_t lanes, blocks, pixels;      /* of a panel; panels of a group; pixels in all */
    int64_t taps;
    char *x, *g, *w;
    int64_t xn, xc, xs[3], gn, gc, gs[3];       /* steps in bytes: batch, channel, space */
    int64_t wm, wc, ws[3];
    void *packed;                       /* [groups][blocks][pixels][lanes] */
} weight_job;

#define BORN_EACH "ops/conv_weight_body.inc"
#include "ops/each_float.inc"

born_status born__shape_conv_weight_grad(born_infer *f)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, f);
    const born_view *x = &f->in[0], *g = &f->in[1];
    born_window win;
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    int64_t dim[BORN_MAX_RANK];
    BORN_TRY(born__window_fill(&win, &wa, x, NULL, f->op->name, f->err));
    bool fits = g->rank == x->rank && g->dim[0] == x->dim[0];
    for (int i = 0; fits && i < win.spatial; i++) fits = g->dim[2 + i] == win.out[3 - win.spatial + i];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "g %s is no result of a convolution of x %s", born__infer_shape(f, 1),
                                born__infer_shape(f, 0));
    if (x->dim[1] % a->group != 0 || g->dim[1] % a->group != 0)
        return born__infer_fail(f, BORN_SHAPE, "%lld and %lld channels are not divisible by %lld groups",
                                (long long)x->dim[1], (long long)g->dim[1], (long long)a->group);
    if (a->activation != 0) return born__infer_fail(f, BORN_INVALID, "an activation does not apply");
    dim[0] = g->dim[1];
    dim[1] = x->dim[1] / a->group;
    for (int i = 0; i < win.spatial; i++) dim[2 + i] = win.kernel[3 - win.spatial + i];
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

static void weight_describe(const born_call *c, weight_job *j)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, c);
    const born_view *x = &c->in[0], *g = &c->in[1], *w = &c->out[0];
    const int64_t size = born__elem_size(x);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    *j = (weight_job){ .batch = x->dim[0], .groups = a->group, .x = x->data, .g = g->data, .w = w->data };
    (void)born__window_fill(&j->win, &wa, x, NULL, c->op->name, NULL);
    j->cg = x->dim[1] / a->group;
    j->mg = g->dim[1] / a->group;
    j->lanes = j->mg < WEIGHT_LANES ? j->mg : WEIGHT_LANES;
    j->blocks = j->lanes ? (j->mg + j->lanes - 1) / j->lanes : 0;
    j->pixels = g->dim[1] ? born__view_count(g) / g->dim[1] : 0;
    j->taps = j->win.kernel[0] * j->win.kernel[1] * j->win.kernel[2];
    j->xn = x->stride[0] * size;
    j->xc = x->stride[1] * size;
    j->gn = g->stride[0] * size;
    j->gc = g->stride[1] * size;
    j->wm = w->stride[0] * size;
    j->wc = w->stride[1] * size;
    born__window_steps(&j->win, x, j->xs);
    born__window_steps(&j->win, g, j->gs);
    born__window_steps(&j->win, w, j->ws);
}

size_t born__scratch_conv_weight_grad(const born_call *c)
{
    weight_job j;
    size_t n = (size_t)born__elem_size(&c->in[0]);
    if (born__view_count(&c->out[0]) == 0) return 0;
    weight_describe(c, &j);
    bool fits = born__mul_size(n, (size_t)j.groups, &n) && born__mul_size(n, (size_t)j.blocks, &n) &&
                (uint64_t)j.pixels <= SIZE_MAX && born__mul_size(n, (size_t)j.pixels, &n) &&
                born__mul_size(n, (size_t)j.lanes, &n);
    return fits ? n : SIZE_MAX;
}

born_status born__ref_conv_weight_grad(born_call *c, const born_exec *x)
{
    weight_job j;
    void (*pack)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(c->in[0].dtype, weight_pack);
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(c->in[0].dtype, weight_rows);
    if (!pack || !rows) return born__no_body(c, x);
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_conv_weight_grad(c), x->err, BORN_INTERNAL,
                 "%s: scratch is too small", c->op->name);
    weight_describe(c, &j);
    j.packed = x->scratch;
    if (j.pixels > 0) born__exec_for(x, j.groups * j.blocks * j.batch, 1, pack, &j);
    born__exec_for(x, j.groups * j.blocks * j.cg * j.taps, 1 + 4096 / (j.pixels + 1), rows, &j);
    return BORN_OK;
}
