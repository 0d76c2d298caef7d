/* Control nodes belong to the session: it runs straight plans between them. This file opens and closes their state,
   keeps the heap that results live in, and runs If. Loop and Scan are in control_loop.c. */
#include "graph/control.h"

#include <string.h>

#include <born/attrs.h>

#include "base/error.h"
#include "ops/copy_view.h"
#include "tensor/view.h"

typedef struct graph_list {
    born_graph *g[64];
    int count;
} graph_list;

static void collect(void *user, born_graph **g)
{
    graph_list *l = user;

    if (l->count < 64) l->g[l->count++] = *g;
}

born_status born__control_open(born_gframe *f, int32_t node, born_control **out, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    born_control *c = born__calloc(1, sizeof *c);
    graph_list l = { .count = 0 };

    *out = c;
    BORN_FAIL_IF(!c, err, BORN_NOMEM, "session: out of memory");
    c->frame = f;
    c->node = node;
    born__node_subgraphs(n, collect, &l);
    BORN_FAIL_IF(l.count < 1 || l.count > 2, err, BORN_FORMAT, "%s: %d subgraphs", n->op->name, l.count);
    for (int i = 0; i < l.count; i++)
        if ((int)l.g[i]->input_count > c->in_cap) c->in_cap = (int)l.g[i]->input_count;
    c->in = born__calloc((size_t)c->in_cap + 1, sizeof *c->in);
    c->now = born__calloc((size_t)n->out_count + 1, sizeof *c->now);
    for (int i = 0; i < 2; i++) c->heap[i] = born__calloc((size_t)n->out_count + 1, sizeof *c->heap[i]);
    BORN_FAIL_IF(!c->in || !c->now || !c->heap[0] || !c->heap[1], err, BORN_NOMEM, "session: out of memory");
    for (int i = 0; i < l.count; i++) BORN_TRY(born__frame_open(f->session, l.g[i], &c->body[i], err));
    return BORN_OK;
}

void born__control_close(born_control **cp)
{
    born_control *c = *cp;

    *cp = NULL;
    if (!c) return;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; c->heap[i] && k < c->frame->graph->node[c->node].out_count; k++) born__free(c->heap[i][k].p);
        born__free(c->heap[i]);
        born__frame_close(&c->body[i]);
    }
    born__free(c->in);
    born__free(c->now);
    born__free(c);
}

void born__control_sizes(const born_control *c, size_t *block, size_t *state)
{
    for (int i = 0; i < 2; i++) {
        if (c->body[i]) born__frame_sizes(c->body[i], block, state);
        for (int k = 0; k < c->frame->graph->node[c->node].out_count; k++) *state += c->heap[i][k].cap;
    }
}

born_status born__heap_fit(born_control *c, born_heap *h, size_t bytes, size_t keep, born_error *err)
{
    born_session *s = c->frame->session;

    if (bytes <= h->cap && h->p) return BORN_OK;
    size_t cap = bytes < 64 ? 64 : bytes;
    if (keep && born__session_reserve(s, cap + cap / 2 - h->cap, NULL) == BORN_OK) cap += cap / 2;
    BORN_TRY(born__session_reserve(s, cap - h->cap, err));
    char *p = born__alloc(cap);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "session: out of memory");
    if (keep && h->p) memcpy(p, h->p, keep < h->cap ? keep : h->cap);
    born__free(h->p);
    s->state_bytes += cap - h->cap;
    h->p = p;
    h->cap = cap;
    return BORN_OK;
}

born_status born__heap_copy(born_control *c, born_heap *h, const born_view *w, born_view *out, born_error *err)
{
    int64_t bytes = born__view_bytes(w);

    BORN_FAIL_IF(bytes < 0, err, BORN_NOMEM, "session: a result is too large");
    BORN_TRY(born__heap_fit(c, h, (size_t)bytes, 0, err));
    *out = *w;
    out->buffer = NULL;
    out->offset = 0;
    born__view_row_major(out);
    out->data = h->p;
    born__copy_view(out, w, NULL);
    return BORN_OK;
}

born_view born__control_input(const born_control *c, int i)
{
    const born_gnode *n = &c->frame->graph->node[c->node];

    return i >= n->in_count || n->in[i] < 0 ? (born_view){ 0 } : born__frame_view(c->frame, n->in[i]);
}

void born__control_output(born_control *c, int i, const born_view *w)
{
    born_vid v = c->frame->graph->node[c->node].out[i];
    born_slot *s = &c->frame->now->slot[v];

    s->root = v;
    s->where = BORN_AT_EXTERN;
    s->offset = 0;
    s->view = *w;
    s->view.data = NULL;
    c->frame->external[v] = w->data;
}

born_status born__run_if(born_control *c, born_error *err)
{
    const born_gnode *n = &c->frame->graph->node[c->node];
    const born_if_attrs *a = n->attrs;
    born_view cond = born__control_input(c, 0);

    BORN_FAIL_IF(cond.dtype != BORN_BOOL || born__view_count(&cond) != 1 || !cond.data, err, BORN_DTYPE,
                 "if '%s': its condition is not one bool", n->name);
    int branch = *(const uint8_t *)cond.data ? 0 : 1;
    born_gframe *body = c->body[branch];
    int first = 1 + (branch ? (int)a->then_inputs : 0);
    BORN_FAIL_IF(!body || (int)body->graph->output_count < n->out_count || a->then_inputs < 0 ||
                     first + (int)body->graph->input_count > n->in_count,
                 err, BORN_FORMAT, "if '%s': its branch does not fit the node", n->name);
    for (size_t i = 0; i < body->graph->input_count; i++) c->in[i] = born__control_input(c, first + (int)i);
    BORN_TRY(born__frame_run(body, c->in, false, err));
    for (int i = 0; i < n->out_count; i++) {
        born_view w = born__frame_view(body, body->graph->output[i]);
        born__control_output(c, i, &w);
    }
    return BORN_OK;
}

typedef struct control_row {
    uint16_t op;
    born_status (*run)(born_control *c, born_error *err);
} control_row;

static const control_row rows[] = {
#define CONTROL(op, name) { BORN_OP_##op, born__run_##name },
#include "graph/control.def"
};

born_status born__control_run(born_gframe *f, born_control *c, born_error *err)
{
    const born_gnode *n = &f->graph->node[c->node];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == n->op->id) {
            born_status st = rows[i].run(c, err);
            if (st != BORN_OK) born__error_prefix(err, "%s '%s'", n->op->name, n->name);
            return st;
        }
    return born__fail(err, BORN_UNSUPPORTED, "%s: no such control flow", n->op->name);
}
