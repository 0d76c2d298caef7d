/* Reference kernels of conv and conv_transpose. Both are the same walk: for each result, the kernel positions that meet
   an input cell, and for each of those the group's channels, are one FMA chain (docs/decisions/0002-conv-order.md). The
   weight is first rearranged into panels [K][lanes] of up to 16 result channels, which advance together. Only the map
   from result cell and tap to input cell differs. */
#include <math.h>

#include "ops/conv_window.h"

enum { CONV_LANES = 16 };

typedef struct conv_job {
    born_window win;
    bool transposed;
    int64_t batch, groups;
    int64_t cg, mg;                 /* channels and result channels of a group */
    int64_t terms;                  /* kernel positions * cg */
    int64_t lanes, blocks;          /* of a panel; panels of a group */
    char *x, *w, *y, *bias, *residual, *scale;
    int64_t xn, xc, xs[3];          /* steps in bytes: batch, channel, space */
    int64_t yn, yc, ys[3];
    int64_t rn, rc, rs[3];          /* of the residual */
    int64_t wg, wm, wc, ws[3];      /* of the weight: group, result channel, channel, kernel */
    int64_t bias_step, scale_step;
    void *packed;                   /* [groups][blocks][terms][lanes] */
} conv_job;

/* The input cell that tap k of axis a meets for result cell o; false: none. */
static inline bool conv_cell(const conv_job *j, int a, int64_t o, int64_t k, int64_t *cell)
{
    const born_window *w = &j->win;
    if (!j->transposed) {
        *cell = o * w->stride[a] - w->pad[a] + k * w->dilation[a];
        return *cell >= 0 && *cell < w->in[a];
    }
    int64_t at = o + w->pad[a] - k * w->dilation[a];
    *cell = at / w->stride[a];
    return at >= 0 && at % w->stride[a] == 0 && *cell < w->in[a];
}

#define BORN_EACH "ops/conv_body.inc"
#include "ops/each_float.inc"

/* A window made again from what the rule accepted. */
static void conv_window(const born_call *c, born_window *w)
{
    if (c->op->id == BORN_OP_CONV) {
        born_window_attrs wa = BORN_WINDOW_ATTRS(BORN_ATTRS_OF(conv, c), false);
        (void)born__window_fill(w, &wa, &c->in[0], &c->in[1], c->op->name, NULL);
    } else {
        (void)born__conv_transpose_window(w, BORN_ATTRS_OF(conv_transpose, c), &c->in[0], &c->in[1], c->op->name, NULL);
    }
}

static void conv_describe(const born_call *c, conv_job *j)
{
    const born_view *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    int size = born__elem_size(x);
    *j = (conv_job){ .transposed = c->op->id == BORN_OP_CONV_TRANSPOSE };
    conv_window(c, &j->win);
    j->groups = j->transposed ? BORN_ATTRS_OF(conv_transpose, c)->group : BORN_ATTRS_OF(conv, c)->group;
    j->batch = x->dim[0];
    j->cg = x->dim[1] / j->groups;
    j->mg = y->dim[1] / j->groups;
    /* without channels there are no terms, and the kernel sizes alone may not even multiply */
    j->terms = j->cg == 0 || j->mg == 0 ? 0 : j->cg * j->win.kernel[0] * j->win.kernel[1] * j->win.kernel[2];
    j->lanes = j->mg < CONV_LANES ? j->mg : CONV_LANES;
    j->blocks = j->lanes ? (j->mg + j->lanes - 1) / j->lanes : 0;
    j->x = x->data;
    j->y = y->data;
    j->w = w->data;
    j->xn = x->stride[0] * size;
    j->xc = x->stride[1] * size;
    j->yn = y->stride[0] * size;
    j->yc = y->stride[1] * size;
    born__window_steps(&j->win, x, j->xs);
    born__window_steps(&j->win, y, j->ys);
    born__window_steps(&j->win, w, j->ws);
    j->wm = w->stride[j->transposed ? 1 : 0] * size;
    j->wc = w->stride[j->transposed ? 0 : 1] * size;
    j->wg = w->stride[0] * size * (j->transposed ? j->cg : j->mg);
    if (born__has(c, 2)) {
        j->bias = c->in[2].data;
        j->bias_step = c->in[2].stride[0] * size;
    }
    if (!j->transposed && born__has(c, 4)) {
        j->scale = c->in[4].data;
        j->scale_step = c->in[4].stride[0] * size;
    }
    if (born__has(c, 3)) {
        const born_view *r = &c->in[3];
        j->residual = r->data;
        j->rn = r->stride[0] * size;
        j->rc = r->stride[1] * size;
        born__window_steps(&j->win, r, j->rs);
    }
}

size_t born__scratch_conv(const born_call *c)
{
    conv_job j;
    size_t n = (size_t)born__elem_size(&c->in[0]);
    conv_describe(c, &j);
    bool fits = born__mul_size(n, (size_t)j.groups, &n) && born__mul_size(n, (size_t)j.blocks, &n) &&
                (uint64_t)j.terms <= SIZE_MAX && born__mul_size(n, (size_t)j.terms, &n) &&
                born__mul_size(n, (size_t)j.lanes, &n);
    return fits ? n : SIZE_MAX;
}

static born_status conv_run(born_call *c, const born_exec *x, int64_t activation, double alpha, double beta)
{
    conv_job j;
    const born_view *y = &c->out[0];
    if (born__view_count(y) == 0) return BORN_OK;
    conv_describe(c, &j);
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_conv(c), x->err, BORN_INTERNAL, "%s: scratch is too small",
                 c->op->name);
    j.packed = x->scratch;
    void (*pack)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(y->dtype, conv_pack);
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(y->dtype, conv_rows);
    if (!pack || !rows) return born__no_body(c, x);
    born__exec_for(x, j.groups * j.blocks, 1, pack, &j);
    int64_t row = j.win.out[2] * (j.terms + 1) * j.lanes, grain = 1 + (1 << 15) / (row > 0 ? row : 1);
    born__exec_for(x, j.batch * j.groups * j.blocks * j.win.out[0] * j.win.out[1], grain, rows, &j);
    return born__activation_run(y, activation, alpha, beta, x);
}

born_status born__ref_conv(born_call *c, const born_exec *x)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, c);
    return conv_run(c, x, a->activation, a->alpha, a->beta);
}

born_status born__ref_conv_transpose(born_call *c, const born_exec *x)
{
    const born_conv_transpose_attrs *a = BORN_ATTRS_OF(conv_transpose, c);
    return conv_run(c, x, a->activation, a->alpha, a->beta);
}
