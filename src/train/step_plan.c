/* Recording a step as a graph and making a session of it. A recording runs what it records, so weights are put back
   afterwards; before it a forward and backward pass that changes nothing finds out which parameters take part, so that
   what the optimiser remembers about them exists and can be an input. Inputs are the batch, the optimiser's numbers and
   every item; outputs the loss, the scores and those items that changed, tied to their inputs. */
#include <string.h>

#include "base/alloc.h"
#include "base/fpenv.h"
#include "graph/state.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "tensor/view.h"
#include "train/step.h"
#include "waist/chain.h"

/* What a recording gives. */
typedef struct recorded {
    born_graph *graph;
    born_tensor *in, *out;
    int in_count, out_count;
} recorded;

/* Forward and backward without a trace in weights or buffers; leaves gradients of this batch to the optimiser's
   bookkeeping only. */
static born_status find_out(born_step *s, const born_array *batch, int n, born_error *err)
{
    born_module_root *root = s->desc.net->root;
    born_tensor x[STEP_FIELDS], loss, scores;
    born_scope scope = born_scope_begin(s->b);

    root->again = true;
    born_status st = born__step_batch(s, batch, n, x, err);
    if (!st) st = born__step_loss(s, x, n, &loss, &scores, err);
    root->again = false;
    if (!st && ((born_backward)(loss) || born__optim_meet(s->desc.optim))) st = born__step_error(s, err);
    born_optim_zero_grad(s->desc.optim);
    root->step_serial++;    /* the recording draws the keys that this pass drew */
    born_scope_end(scope);
    return st;
}

/* ---- recording --------------------------------------------------------------------------------------------------- */

static uint32_t version_of(born_tensor x)
{
    const born_node *n = born__handle_node(x);
    return n->view.buffer ? n->view.buffer->version : 0;
}

static born_status remember(step_plan *p, born_error *err)
{
    for (size_t i = 0; i < p->item_count; i++) {
        step_item *t = &p->item[i];
        t->host = born__alloc(t->bytes ? t->bytes : 1);
        BORN_FAIL_IF(!t->host, err, BORN_NOMEM, "train: no memory for a copy of %zu bytes", t->bytes);
        born_status st = (born_read)(t->value, t->host, t->bytes);
        BORN_FAIL_IF(st, err, st, "train: a tensor could not be read");
        t->version = version_of(t->value);
    }
    return BORN_OK;
}

static born_status put_back(step_plan *p, born_error *err)
{
    born_status st = BORN_OK;

    for (size_t i = 0; i < p->item_count; i++) {
        step_item *t = &p->item[i];
        if (!st && t->host && version_of(t->value) != t->version) st = (born_write)(t->value, t->host, t->bytes);
        born__free(t->host);
        t->host = NULL;
    }
    BORN_FAIL_IF(st, err, st, "train: a tensor could not be written");
    return BORN_OK;
}

/* The step itself, as operators. */
static born_status compute(born_step *s, const born_tensor *batch, int n, born_tensor *loss, born_tensor *scores,
                           born_error *err)
{
    BORN_TRY(born__step_loss(s, batch, n, loss, scores, err));
    bool ok = (born_backward)(*loss) == BORN_OK && born_optim_apply(s->desc.optim) == BORN_OK;
    if (ok) born_module_next_step(s->desc.net);
    if (ok && s->desc.ema) ok = born__ema_apply(s->desc.ema) == BORN_OK;
    return ok ? BORN_OK : born__step_error(s, err);
}

static void choose_outputs(born_step *s, recorded *r, born_tensor loss, born_tensor scores)
{
    step_plan *p = &s->plan;

    r->out_count = 0;
    r->out[r->out_count++] = loss;
    p->has_scores = born__given(scores) && !s->desc.no_scores;
    if (p->has_scores) r->out[r->out_count++] = scores;
    p->first_item_out = r->out_count;
    for (size_t i = 0; i < p->item_count; i++) {
        step_item *t = &p->item[i];
        if (version_of(t->value) == t->version) continue;
        t->out = r->out_count;
        r->out[r->out_count++] = t->value;
    }
}

static born_status record_in_scope(born_step *s, const born_array *batch, int n, recorded *r, born_error *err)
{
    step_plan *p = &s->plan;
    born_tensor loss = { 0 }, scores = { 0 };
    born_error later = { 0 };

    BORN_TRY(born__step_batch(s, batch, n, r->in, err));
    r->in_count = n;
    r->in[r->in_count++] = born_optim_operand(s->desc.optim);
    for (size_t i = 0; i < p->item_count; i++) r->in[r->in_count++] = p->item[i].value;
    BORN_TRY(born_trace_begin(s->b, r->in, r->in_count, err));
    born_status st = compute(s, r->in, n, &loss, &scores, err);
    if (!st) choose_outputs(s, r, loss, scores);
    else r->out[0] = r->in[n], r->out_count = 1;
    born_status end = born_trace_end(s->b, r->out, r->out_count, &r->graph, st ? &later : err);
    born_optim_zero_grad(s->desc.optim);
    return st ? st : end;
}

static born_status record(born_step *s, const born_array *batch, int n, recorded *r, born_error *err)
{
    born_scope scope = born_scope_begin(s->b);
    born_error later = { 0 };
    born_status st = remember(&s->plan, err);

    if (!st) st = record_in_scope(s, batch, n, r, err);
    s->desc.net->root->step_serial++;
    born_status back = put_back(&s->plan, st ? &later : err);
    born_scope_end(scope);
    return st ? st : back;
}

/* ---- the session ------------------------------------------------------------------------------------------------- */

static born_array array_of(born_tensor x)
{
    const born_view *v = &born__handle_node(x)->view;
    born_array a = { .dtype = v->dtype, .shape = { .rank = v->rank } };

    memcpy(a.shape.dim, v->dim, sizeof v->dim);
    return a;
}

static born_status make_session(born_step *s, recorded *r, born_error *err)
{
    step_plan *p = &s->plan;
    born_session_desc d = { .backend = s->b, .max_bytes = s->desc.max_bytes, .profile = s->desc.profile };
    born_model_desc m = { .exact = true, .max_bytes = s->desc.max_bytes };

    for (int i = 0; i < r->in_count; i++) p->in[i] = array_of(r->in[i]);
    BORN_TRY(born_model_from_graph(&r->graph, &m, &p->model, err));
    BORN_TRY(born_session_open(p->model, &d, &p->session, err));
    for (size_t i = 0; i < p->item_count; i++)
        if (p->item[i].out >= 0)
            BORN_TRY(born__state_tie(p->session, p->item[i].out, p->batch_count + 1 + (int)i, err));
    return born_session_plan(p->session, p->in, p->in_count, err);
}

static born_status make(born_step *s, const born_array *batch, int n, born_error *err)
{
    step_plan *p = &s->plan;
    recorded r = { 0 };

    BORN_TRY(find_out(s, batch, n, err));
    BORN_TRY(born__step_items(s, p, err));
    size_t most = (size_t)n + p->item_count + 3;
    BORN_FAIL_IF(most > INT32_MAX, err, BORN_RANGE, "train: %zu tensors", most);
    p->in = born__calloc(most, sizeof *p->in);
    p->out = born__calloc(most, sizeof *p->out);
    r.in = born__calloc(most, sizeof *r.in);
    r.out = born__calloc(most, sizeof *r.out);
    born_status st = BORN_OK;
    if (!p->in || !p->out || !r.in || !r.out) st = born__fail(err, BORN_NOMEM, "train: no memory for a plan");
    if (!st) st = record(s, batch, n, &r, err);
    p->in_count = r.in_count;
    p->out_count = r.out_count;
    p->batch_count = n;
    for (int i = 0; i < n; i++) p->batch[i] = (born_array){ batch[i].dtype, batch[i].shape, NULL, 0 };
    if (!st) st = make_session(s, &r, err);
    born_graph_close(&r.graph);
    born__free(r.in);
    born__free(r.out);
    return st;
}

static void count_memory(born_step *s)
{
    born_session_stats stats;

    born_session_stats_get(s->plan.session, &stats);
    s->stats.peak_bytes = stats.arena_bytes + stats.scratch_bytes + stats.state_bytes + stats.packed_bytes;
    s->stats.weight_bytes = 0;
    for (size_t i = 0; i < s->plan.item_count; i++) s->stats.weight_bytes += s->plan.item[i].bytes;
    s->stats.planned = true;
}

born_status born_step_plan(born_step *s, const born_array *batch, int n, born_error *err)
{
    BORN_FAIL_IF(!s || !batch || n < 1 || n > STEP_FIELDS, err, BORN_INVALID, "train: a batch has 1 to %d fields",
                 STEP_FIELDS);
    if (!s->plans) return BORN_OK;
    BORN_TRY(born_step_sync(s, err));
    born__step_forget(&s->plan);
    s->stats.planned = false;
    born_status st = make(s, batch, n, err);
    if (st) born__step_forget(&s->plan);
    else count_memory(s);
    return st;
}
