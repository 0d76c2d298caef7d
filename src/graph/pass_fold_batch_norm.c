/* Batch norm at inference is a multiplication and an addition per channel; both go into the weight and bias of the
   convolution before it (Jacob et al. 2018, section 3.2). The weights round once more, so the pass is approximate. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"
#include "tensor/view.h"

static bool channel_const(const born_edit *e, born_vid v, int64_t channels)
{
    const born_value *c = born__edit_const(e, v);

    return c && c->dtype == BORN_F32 && c->rank == 1 && c->dim[0] == channels;
}

static float at(const born_value *v, int64_t i)
{
    return ((const float *)v->data)[v->splat ? 0 : i];
}

static double epsilon_of(const born_gnode *n)
{
    for (int i = 0; n->op->attrs && i < n->op->attrs->count; i++)
        if (!strcmp(n->op->attrs->field[i].name, "epsilon"))
            return *(const double *)(const void *)((const char *)n->attrs + n->op->attrs->field[i].offset);
    return 1e-5;
}

/* A new f32 constant of these dims; its bytes are the caller's to fill. */
static born_status new_const(born_edit *e, const int64_t *dim, int rank, float **data, born_vid *out)
{
    born_graph *g = e->g;
    int64_t count;

    BORN_FAIL_IF(!born__shape_count(dim, rank, &count), e->err, BORN_FORMAT, "graph: sizes overflow");
    float *p = born__alloc((size_t)count * sizeof *p + 1);
    if (!p || !born__grow((void **)&g->owned, &g->owned_cap, g->owned_count + 1, sizeof *g->owned)) {
        born__free(p);
        return born__fail(e->err, BORN_NOMEM, "graph: out of memory");
    }
    g->owned[g->owned_count++] = p;
    BORN_TRY(born__edit_new_value(e, NULL, out));
    born_value *v = &g->value[*out];
    v->dtype = BORN_F32;
    v->rank = rank;
    for (int i = 0; i < rank; i++) v->dim[i] = dim[i];
    v->data = p;
    v->bytes = (size_t)count * sizeof *p;
    v->constant = true;
    *data = p;
    return BORN_OK;
}

static born_status fold(born_edit *e, int32_t conv, int32_t norm, const born_pattern *p, int bias_slot)
{
    born_gnode *c = born__edit_node(e, conv), *b = born__edit_node(e, norm);
    const born_value w = *born__edit_const(e, c->in[p->a]);
    int64_t channels = w.dim[0], inner = 1;
    double eps = epsilon_of(b);
    float *nw, *nb;
    born_vid vw, vb;

    for (int i = 1; i < w.rank; i++) inner *= w.dim[i];
    BORN_TRY(new_const(e, w.dim, w.rank, &nw, &vw));
    BORN_TRY(new_const(e, w.dim, 1, &nb, &vb));
    const born_value *scale = born__edit_const(e, b->in[1]), *shift = born__edit_const(e, b->in[2]);
    const born_value *mean = born__edit_const(e, b->in[3]), *var = born__edit_const(e, b->in[4]);
    const born_value *old = bias_slot < c->in_count ? born__edit_const(e, c->in[bias_slot]) : NULL;
    for (int64_t i = 0; i < channels; i++) {
        float s = (float)((double)at(scale, i) / sqrt((double)at(var, i) + eps));
        const float *from = (const float *)w.data + (w.splat ? 0 : i * inner);
        for (int64_t k = 0; k < inner; k++) nw[i * inner + k] = from[w.splat ? 0 : k] * s;
        nb[i] = (float)((double)at(shift, i) + ((old ? (double)at(old, i) : 0.0) - (double)at(mean, i)) * (double)s);
    }
    if (c->in_count <= bias_slot) {
        born_vid *in = born__arena_alloc(&e->g->arena, (size_t)(bias_slot + 1) * sizeof *in);
        BORN_FAIL_IF(!in, e->err, BORN_NOMEM, "graph: out of memory");
        for (int i = 0; i <= bias_slot; i++) in[i] = i < c->in_count ? c->in[i] : -1;
        c->in = in;
        c->in_count = bias_slot + 1;
    }
    born__edit_kill(e, norm);
    born__edit_set_input(e, conv, p->a, vw);
    born__edit_set_input(e, conv, bias_slot, vb);
    born__edit_replace(e, b->out[0], c->out[0]);
    return BORN_OK;
}

born_status pass_fold_batch_norm(born_edit *e)
{
    size_t made = 0;

    for (size_t k = 0; k < e->g->node_count; k++) {
        born_gnode *b = born__edit_node(e, (int32_t)k);
        const born_pattern *p = born__pattern(BORN_PATTERN_NORM, b->op->id);

        if (!p || e->dead[k] || b->in_count < 5 || b->in[0] < 0) continue;
        int32_t from = e->g->value[b->in[0]].producer;
        const born_pattern *ep = from < 0 ? NULL : born__pattern(BORN_PATTERN_EPILOGUE, p->other);
        if (!ep || e->dead[from] || e->g->node[from].op->id != p->other || born__edit_only_reader(e, b->in[0]) != (int32_t)k)
            continue;
        const born_gnode *c = born__edit_node(e, from);
        const born_value *w = born__edit_const(e, c->in[p->a]);
        if (!w || w->dtype != BORN_F32 || w->rank < 1 || (ep->b < c->in_count && c->in[ep->b] >= 0)) continue;
        if (ep->a < c->in_count && c->in[ep->a] >= 0 && !channel_const(e, c->in[ep->a], w->dim[0])) continue;
        bool fits = true;
        for (int i = 1; i <= 4; i++) fits &= channel_const(e, b->in[i], w->dim[0]);
        for (int i = 1; i < b->out_count; i++) fits &= b->out[i] < 0 || !e->uses[b->out[i]];
        int64_t count;
        if (!fits || !born__shape_count(w->dim, w->rank, &count)) continue;
        made += (size_t)count * sizeof(float);
        if (made > e->ctx->max_bytes) continue;
        BORN_TRY(fold(e, from, (int32_t)k, p, ep->a));
    }
    return BORN_OK;
}
