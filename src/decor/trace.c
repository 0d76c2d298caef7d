/* The trace decorator: between born_trace_begin and born_trace_end it writes down what runs through it as a graph,
   while running it below as well, so values stay real. What depends on the inputs given at the beginning becomes
   nodes; what does not is a constant where a node uses it. Reading a dependent value meanwhile is STATE: a branch
   taken on it would be frozen into the graph. */
#include <stdio.h>
#include <string.h>

#include <born/trace.h>

#include "base/alloc.h"
#include "base/error.h"
#include "decor/blocks.h"
#include "graph/model.h"
#include "tensor/view.h"
#include "waist/chain.h"

/* What a recording knows of a tensor. Notes of an older recording have another serial and count for nothing. */
typedef struct trace_note {
    uint64_t serial;
    born_node *node;
    struct trace_note *next, **at;  /* list of dependent values, to be found by their storage */
    born_vid vid;
} trace_note;

typedef struct trace_state {
    born_graph *graph;              /* NULL: not recording */
    uint64_t serial;
    trace_note *dependent;
    born_blocks blocks;
} trace_state;

static const born_backend_ops trace_ops;

static trace_note *note_of(const born_backend *self, const born_node *n)
{
    const trace_state *st = self->state;
    trace_note *note = n ? n->note[self->level - 1] : NULL;
    return note && note->serial == st->serial && st->graph ? note : NULL;
}

static void note_unlink(trace_note *note)
{
    if (!note->at) return;
    *note->at = note->next;
    if (note->next) note->next->at = note->at;
    note->at = NULL;
}

static void trace_forget(born_backend *self, void *p)
{
    trace_state *st = self->state;
    note_unlink(p);
    born__block_give(&st->blocks, p, sizeof(trace_note));
}

static born_status set_note(born_backend *self, born_node *n, born_vid vid, bool dependent, born_error *err)
{
    trace_state *st = self->state;
    trace_note *note = n->note[self->level - 1];
    if (!note) note = born__block_take(&st->blocks, sizeof *note);
    BORN_FAIL_IF(!note, err, BORN_NOMEM, "trace: out of memory");
    note_unlink(note);
    n->note[self->level - 1] = note;
    note->serial = st->serial;
    note->node = n;
    note->vid = vid;
    if (!dependent) return BORN_OK;
    note->next = st->dependent;
    note->at = &st->dependent;
    if (note->next) note->next->at = &note->next;
    st->dependent = note;
    return BORN_OK;
}

/* ---- values of the graph --------------------------------------------------------------------------------------- */

static void describe(born_value *v, const born_view *x)
{
    v->dtype = x->dtype;
    v->rank = x->rank;
    memcpy(v->dim, x->dim, sizeof v->dim);
}

static born_status add_value(trace_state *st, const char *name, const born_view *x, born_vid *out, born_error *err)
{
    BORN_TRY(born__graph_value(st->graph, name, strlen(name), out, err));
    describe(&st->graph->value[*out], x);
    return BORN_OK;
}

/* A copy of n's present value as a constant. */
static born_status add_constant(born_backend *self, born_node *n, born_vid *out, born_error *err)
{
    trace_state *st = self->state;
    const born_view *v = &n->view;
    int64_t bytes = born__view_bytes(v);
    BORN_FAIL_IF(bytes < 0, err, BORN_RANGE, "trace: a constant is too large");
    char *data = born__alloc((size_t)bytes);
    BORN_FAIL_IF(!data, err, BORN_NOMEM, "trace: no memory for a constant of %lld bytes", (long long)bytes);
    born_status s = born__backend_read(self->below, v, data, (size_t)bytes, err);
    if (s == BORN_OK) s = born__graph_const(st->graph, "", 0, v->dtype, v->dim, v->rank, data, true, out, err);
    if (s) {
        born__free(data);
        return s;
    }
    return set_note(self, n, *out, false, err);
}

static born_status value_of(born_backend *self, born_node *n, born_vid *out, born_error *err)
{
    trace_note *note = note_of(self, n);
    *out = -1;
    if (!n) return BORN_OK;
    if (!note) return add_constant(self, n, out, err);
    *out = note->vid;
    return BORN_OK;
}

/* ---- recording ------------------------------------------------------------------------------------------------- */

static born_status record_in(born_backend *self, const born_frame *f, born_vid *vid, born_error *err)
{
    trace_state *st = self->state;
    const born_call *c = f->call;
    born_vid *in = vid, *out = vid + c->in_count;
    for (int i = 0; i < c->in_count; i++) BORN_TRY(value_of(self, f->in[i], &in[i], err));
    for (int i = 0; i < c->out_count; i++) BORN_TRY(add_value(st, "", &c->out[i], &out[i], err));
    BORN_TRY(born__graph_node(st->graph, c->op, "", 0, c->attrs, in, c->in_count, out, c->out_count, err));
    for (int i = 0; i < c->out_count; i++) BORN_TRY(set_note(self, f->out[i], out[i], true, err));
    bool in_place = c->op->props & BORN_P_EFFECT && c->in_count && c->out_count && c->out[0].buffer &&
                    c->out[0].buffer == c->in[0].buffer;
    if (in_place) return set_note(self, f->in[0], out[0], true, err);   /* what the operand holds from now on */
    return BORN_OK;
}

static born_status record(born_backend *self, const born_frame *f, born_error *err)
{
    born_vid few[BORN_FEW], *vid = few;
    size_t n = (size_t)(f->call->in_count + f->call->out_count);
    if (n > BORN_FEW) vid = born__calloc(n, sizeof *vid);
    BORN_FAIL_IF(!vid, err, BORN_NOMEM, "trace: no memory for %zu operands", n);
    born_status s = record_in(self, f, vid, err);
    if (vid != few) born__free(vid);
    return s;
}

static bool depends(const born_backend *self, const born_frame *f)
{
    for (int i = 0; i < f->call->in_count; i++) {
        trace_note *note = note_of(self, f->in[i]);
        if (note && note->at) return true;
    }
    return (f->call->op->props & BORN_P_EFFECT) != 0;
}

static born_status trace_run(born_backend *self, born_call *c, born_error *err)
{
    const trace_state *st = self->state;
    const born_frame *f = self->chain->frame;
    BORN_TRY(born__backend_run(self->below, c, err));
    if (!st->graph || !f || f->call != c || !depends(self, f)) return BORN_OK;
    return record(self, f, err);
}

static born_status trace_run_plan(born_backend *self, born_plan *plan, born_error *err)
{
    return born__backend_run_plan(self->below, plan, err);  /* plans hold no tensors: nothing to record */
}

static born_status trace_read(born_backend *self, const born_view *v, void *dst, size_t bytes, born_error *err)
{
    const trace_state *st = self->state;
    if (st->graph)
        for (const trace_note *n = st->dependent; n; n = n->next)
            BORN_FAIL_IF(n->node->view.buffer == v->buffer, err, BORN_STATE,
                         "read: the value is being traced; read it after born_trace_end");
    return born__backend_read(self->below, v, dst, bytes, err);
}

/* Ends a recording: notes stay where they are, of a serial that is over. */
static void stop(trace_state *st)
{
    while (st->dependent) note_unlink(st->dependent);
    born__graph_free(&st->graph);
    st->serial++;
}

static void trace_destroy(born_backend *self)
{
    trace_state *st = self->state;
    stop(st);
    born__blocks_free(&st->blocks);
}

static born_status trace_share(born_backend *self, born_node *from, born_node *to, born_error *err)
{
    trace_note *note = note_of(self, from);
    return note ? set_note(self, to, note->vid, note->at != NULL, err) : BORN_OK;
}

static const born_backend_ops trace_ops = {
    .name = "trace",
    .read = trace_read,
    .run = trace_run,
    .run_plan = trace_run_plan,
    .destroy = trace_destroy,
};

born_backend *born_trace(born_backend *below)
{
    born_backend *b = born__link_new(&trace_ops, BORN_RANK_TRACE, below, sizeof(trace_state));
    if (b->ops == &trace_ops && !b->chain->dead) {
        b->forget = trace_forget;
        b->share = trace_share;
        ((trace_state *)b->state)->serial = 1;
    }
    return b;
}

/* ---- the public side ------------------------------------------------------------------------------------------- */

static born_status find_trace(born_backend *b, const char *who, born_backend **out, born_error *err)
{
    BORN_FAIL_IF(!b, err, BORN_INVALID, "%s: no backend was given", who);
    BORN_TRY(born__chain_alive(b->chain, err));
    for (int level = 1; level < b->chain->levels; level++)
        if (b->chain->link[level]->ops == &trace_ops) {
            *out = b->chain->link[level];
            return BORN_OK;
        }
    return born__fail(err, BORN_STATE, "%s: the backend has no trace", who);
}

static born_status live_node(born_chain *c, born_tensor t, const char *who, int i, born_node **out, born_error *err)
{
    born_node *n = born__handle_node(t);
    bool good = n && n->chain == c && !n->poison && born__handle_fresh(n, t);
    BORN_FAIL_IF(!good, err, BORN_STATE, "%s: tensor %d is poison, of another backend or of an ended scope", who, i);
    *out = n;
    return BORN_OK;
}

static born_status add_input(born_backend *link, born_tensor t, int i, born_error *err)
{
    trace_state *st = link->state;
    born_node *n;
    born_vid vid;
    char name[32];
    BORN_TRY(live_node(link->chain, t, "trace_begin", i, &n, err));
    BORN_FAIL_IF(n->level < link->level, err, BORN_STATE, "trace_begin: tensor %d is of a level below the trace", i);
    BORN_FAIL_IF(note_of(link, n), err, BORN_INVALID, "trace_begin: tensor %d is given twice", i);
    snprintf(name, sizeof name, "input%d", i);
    BORN_TRY(add_value(st, name, &n->view, &vid, err));
    BORN_TRY(born__graph_input(st->graph, vid, err));
    return set_note(link, n, vid, true, err);
}

born_status born_trace_begin(born_backend *b, const born_tensor *in, int n_in, born_error *err)
{
    born_backend *link;
    BORN_TRY(find_trace(b, "trace_begin", &link, err));
    trace_state *st = link->state;
    BORN_FAIL_IF(st->graph, err, BORN_STATE, "trace_begin: a trace is running");
    BORN_FAIL_IF(n_in < 0 || (n_in && !in), err, BORN_INVALID, "trace_begin: %d inputs", n_in);
    BORN_TRY(born__graph_new(&st->graph, err));
    born_status s = BORN_OK;
    for (int i = 0; i < n_in && s == BORN_OK; i++) s = add_input(link, in[i], i, err);
    if (s) stop(st);
    return s;
}

static born_status add_outputs(born_backend *link, const born_tensor *out, int n_out, born_error *err)
{
    trace_state *st = link->state;
    for (int i = 0; i < n_out; i++) {
        born_node *n;
        born_vid vid;
        BORN_TRY(live_node(link->chain, out[i], "trace_end", i, &n, err));
        BORN_TRY(value_of(link, n, &vid, err));
        BORN_TRY(born__graph_output(st->graph, vid, err));
    }
    return born__graph_verify(st->graph, err);
}

born_status born_trace_end(born_backend *b, const born_tensor *out, int n_out, born_graph **graph, born_error *err)
{
    born_backend *link;
    if (graph) *graph = NULL;
    BORN_TRY(find_trace(b, "trace_end", &link, err));
    trace_state *st = link->state;
    BORN_FAIL_IF(!st->graph, err, BORN_STATE, "trace_end: no trace is running");
    BORN_FAIL_IF(n_out < 1 || !out || !graph, err, BORN_INVALID, "trace_end: %d outputs", n_out);
    born_status s = add_outputs(link, out, n_out, err);
    if (s == BORN_OK) {
        *graph = st->graph;
        st->graph = NULL;
    }
    stop(st);
    return s;
}

void born_graph_close(born_graph **g) { born__graph_free(g); }

born_status born_model_from_graph_sized(born_graph **g, const born_model_desc *desc, size_t desc_bytes,
                                        born_model **out, born_error *err)
{
    born_model_desc d = { 0 };
    born_loaded l = { 0 };
    BORN_FAIL_IF(!out, err, BORN_INVALID, "model_from_graph: no place for the model");
    *out = NULL;
    BORN_FAIL_IF(!g || !*g, err, BORN_INVALID, "model_from_graph: no graph");
    l.graph = *g;
    *g = NULL;
    born_status s = born__desc_check(desc, desc_bytes, &d, sizeof d, "model", err);
    if (s) {
        born__graph_free(&l.graph);
        return s;
    }
    return born__model_make(&l, "trace", &d, out, err);
}
