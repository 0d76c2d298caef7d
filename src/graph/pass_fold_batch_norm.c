/* Batch norm at inference is a multiplication and an addition per channel: scale and bias of the convolution before it
   (Jacob et al. 2018, section 3.2, without touching the weights, so none are copied). x * s + t rounds otherwise than
   (x - mean) * s + bias, so the pass is approximate. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"

static bool channel_const(const born_edit *e, born_vid v, int64_t channels)
{
    const born_value *c = born__edit_const(e, v);

    return c && c->dtype == BORN_F32 && c->rank == 1 && c->dim[0] == channels;
}

static float at(const born_value *v, int64_t i)
{
    float f;

    memcpy(&f, (const char *)v->data + (v->splat ? 0 : (size_t)i * sizeof f), sizeof f); /* it may be loose */
    return f;
}

static double epsilon_of(const born_gnode *n)
{
    for (int i = 0; n->op->attrs && i < n->op->attrs->count; i++)
        if (!strcmp(n->op->attrs->field[i].name, "epsilon"))
            return *(const double *)(const void *)((const char *)n->attrs + n->op->attrs->field[i].offset);
    return 1e-5;
}

/* A new f32 constant [count]; its bytes are the caller's to fill. */
static born_status new_const(born_edit *e, int64_t count, float **data, born_vid *out)
{
    *data = born__arena_alloc(&e->g->arena, (size_t)count * sizeof **data + 1);
    BORN_FAIL_IF(!*data, e->err, BORN_NOMEM, "graph: out of memory");
    BORN_TRY(born__edit_new_value(e, NULL, out));
    born_value *v = &e->g->value[*out];
    v->dtype = BORN_F32;
    v->rank = 1;
    v->dim[0] = count;
    v->data = *data;
    v->bytes = (size_t)count * sizeof **data;
    v->constant = true;
    return BORN_OK;
}

/* bias_slot < scale_slot: the operands of the convolution that take shift and scale. */
static born_status fold(born_edit *e, int32_t conv, int32_t norm, int64_t channels, int bias_slot, int scale_slot)
{
    born_gnode *c = born__edit_node(e, conv), *b = born__edit_node(e, norm);
    double eps = epsilon_of(b);
    float *s, *t;
    born_vid vs, vt;

    BORN_TRY(new_const(e, channels, &s, &vs));
    BORN_TRY(new_const(e, channels, &t, &vt));
    const born_value *scale = born__edit_const(e, b->in[1]), *shift = born__edit_const(e, b->in[2]);
    const born_value *mean = born__edit_const(e, b->in[3]), *var = born__edit_const(e, b->in[4]);
    const born_value *old = bias_slot < c->in_count ? born__edit_const(e, c->in[bias_slot]) : NULL;
    for (int64_t i = 0; i < channels; i++) {
        double m = (double)at(scale, i) / sqrt((double)at(var, i) + eps);
        s[i] = (float)m;
        t[i] = (float)((double)at(shift, i) + ((old ? (double)at(old, i) : 0.0) - (double)at(mean, i)) * m);
    }
    born_vid *in = born__arena_alloc(&e->g->arena, (size_t)(scale_slot + 1) * sizeof *in);
    BORN_FAIL_IF(!in, e->err, BORN_NOMEM, "graph: out of memory");
    for (int i = 0; i <= scale_slot; i++) in[i] = i < c->in_count ? c->in[i] : -1;
    c->in = in;
    c->in_count = scale_slot + 1;
    born__edit_kill(e, norm);
    born__edit_set_input(e, conv, bias_slot, vt);
    born__edit_set_input(e, conv, scale_slot, vs);
    born__edit_replace(e, b->out[0], c->out[0]);
    return BORN_OK;
}

/* The convolution's channels as its weight says; -1 where it is not a constant f32 weight. */
static int64_t channels_of(const born_edit *e, const born_gnode *c)
{
    const born_value *w = c->in_count > 1 ? born__edit_const(e, c->in[1]) : NULL;

    return w && w->dtype == BORN_F32 && w->rank >= 1 ? w->dim[0] : -1;
}

static bool absent(const born_gnode *n, int i)
{
    return i >= n->in_count || n->in[i] < 0;
}

born_status pass_fold_batch_norm(born_edit *e)
{
    for (size_t k = 0; k < e->g->node_count; k++) {
        born_gnode *b = born__edit_node(e, (int32_t)k);
        const born_pattern *p = born__pattern(BORN_PATTERN_NORM, b->op->id);

        if (!p || e->dead[k] || b->in_count < 5 || b->in[0] < 0) continue;
        int32_t from = e->g->value[b->in[0]].producer;
        const born_pattern *ep = from < 0 ? NULL : born__pattern(BORN_PATTERN_EPILOGUE, p->other);
        if (!ep || e->dead[from] || e->g->node[from].op->id != p->other ||
            born__edit_only_reader(e, b->in[0]) != (int32_t)k)
            continue;
        const born_gnode *c = born__edit_node(e, from);
        int64_t channels = channels_of(e, c);
        if (channels < 1 || !absent(c, ep->b) || !absent(c, p->a)) continue;
        if (!absent(c, ep->a) && !channel_const(e, c->in[ep->a], channels)) continue;
        bool fits = true;
        for (int i = 1; i <= 4; i++) fits &= channel_const(e, b->in[i], channels);
        for (int i = 1; i < b->out_count; i++) fits &= b->out[i] < 0 || !e->uses[b->out[i]];
        if (fits) BORN_TRY(fold(e, from, (int32_t)k, channels, ep->a, p->a));
    }
    return BORN_OK;
}
