/* What the queue of born_fuse holds: adding calls, letting go of them. fuse_run.c runs it. See fuse_queue.h. */
#include "decor/fuse_queue.h"

#include <string.h>

#include "base/error.h"
#include "tensor/view.h"

/* ---- letting go ------------------------------------------------------------------------------------------------ */

/* Frees a storage that nobody reads; the call that would have made it has no result any more. */
static void end_if_unread(born_backend *self, fuse_storage *g)
{
    fuse_queue *q = self->state;

    if (g->base.refs || g->readers) return;
    if (g->real) born__backend_release(self->below, g->real);
    else q->call[g->call].out = NULL;
    g->next = q->free;
    q->free = g;
}

static void drop_operand(born_backend *self, const fuse_operand *o)
{
    fuse_queue *q = self->state;
    fuse_storage *g = o->made;

    if (!g) {
        fuse_value *v = &q->value[o->value];
        if (--v->users) return;
        g = born__fuse_storage(&v->view);
        if (!g) born__backend_release(self->below, v->view.buffer);
    }
    if (!g) return;
    g->readers--;
    end_if_unread(self, g);
}

void born__fuse_drop_dead(born_backend *self, int last)
{
    fuse_queue *q = self->state;

    for (int k = last; k >= 0; k--) {
        fuse_call *c = &q->call[k];
        if (c->out || !c->holds) continue;
        c->holds = false;
        for (int i = 0; i < c->op->max_in; i++) drop_operand(self, &c->in[i]);
    }
    while (q->calls && !q->call[q->calls - 1].out) q->calls--;
    while (q->values && !q->value[q->values - 1].users) q->values--;
    if (!q->values) q->bytes = 0;
}

void born__fuse_release(born_backend *self, born_buffer *b)
{
    fuse_storage *g = (fuse_storage *)b;
    int32_t call;

    if (!b->keeper) {
        born__backend_release(self->below, b);
        return;
    }
    if (--b->refs || g->readers) return;
    call = g->real ? -1 : g->call;
    end_if_unread(self, g);
    if (call >= 0) born__fuse_drop_dead(self, call);
}

/* ---- adding ---------------------------------------------------------------------------------------------------- */

bool born__fuse_takes(const born_call *c)
{
    const born_op *op = c->op;

    if (!(op->props & BORN_P_ELEMENTWISE) || c->out_count != 1 || c->in_count != op->max_in ||
        c->in_count > BORN_FUSE_OPERANDS || !born__fused_takes(op))
        return false;
    if (c->out[0].buffer || c->out[0].data || c->out[0].dtype != born__fused_out(op)) return false;
    if (op->attrs && op->attrs->bytes > BORN_FUSE_ATTR_BYTES) return false;
    for (int i = 0; i < c->in_count; i++)
        if (!c->in[i].buffer || c->in[i].dtype != born__fused_in(op, i)) return false;
    return true;
}

static bool same_view(const born_view *a, const born_view *b)
{
    if (a->buffer != b->buffer || a->offset != b->offset || a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d] || a->stride[d] != b->stride[d]) return false;
    return true;
}

/* Whether v is the whole result of a queued call, as it will lie in its storage. */
static bool is_whole(const fuse_queue *q, const fuse_storage *g, const born_view *v)
{
    const born_view *all = &q->call[g->call].view;

    if (v->offset || v->rank != all->rank || v->dtype != all->dtype) return false;
    for (int d = 0; d < v->rank; d++)
        if (v->dim[d] != all->dim[d] || v->stride[d] != all->stride[d]) return false;
    return true;
}

void born__fuse_hold_value(fuse_queue *q, int32_t at, const born_view *v)
{
    fuse_value *to = &q->value[at];
    fuse_storage *g = born__fuse_storage(v);

    to->view = *v;
    to->users = 1;
    if (g) g->readers++;
    else v->buffer->refs++;
    q->bytes += v->buffer->bytes;
    if (at >= q->values) q->values = at + 1;
}

static fuse_operand hold_operand(fuse_queue *q, const born_view *v)
{
    fuse_storage *g = born__fuse_storage(v);
    int32_t at = q->values - 1, least = at < BORN_FUSED_INPUTS ? 0 : at - BORN_FUSED_INPUTS + 1;

    if (g && !g->real && is_whole(q, g, v)) {
        g->readers++;
        return (fuse_operand){ g, 0 };
    }
    while (at >= least && !(q->value[at].users && same_view(&q->value[at].view, v))) at--;
    if (at >= least) q->value[at].users++;
    else born__fuse_hold_value(q, at = q->values, v);
    return (fuse_operand){ NULL, at };
}

/* Counts what the values alone keep from being freed. */
static size_t count_held(fuse_queue *q)
{
    q->bytes = 0;
    for (int i = 0; i < q->values; i++) {
        const fuse_value *v = &q->value[i];
        if (!v->users) continue;
        const fuse_storage *g = born__fuse_storage(&v->view);
        if (g ? g->real && g->base.refs == 0 : v->view.buffer->refs == 1) q->bytes += v->view.buffer->bytes;
    }
    return q->bytes;
}

static bool is_full(fuse_queue *q)
{
    if (q->calls == BORN_FUSE_CALLS || q->values > BORN_FUSE_VALUES - BORN_FUSE_OPERANDS) return true;
    return q->bytes > BORN_FUSE_HELD_BYTES && count_held(q) > BORN_FUSE_HELD_BYTES;
}

static fuse_storage *new_storage(fuse_queue *q)
{
    fuse_storage *g = q->free;

    if (!g) return born__block_take(&q->blocks, sizeof *g);
    q->free = g->next;
    memset(g, 0, sizeof *g);
    return g;
}

born_status born__fuse_add(born_backend *self, born_call *c, born_error *err)
{
    fuse_queue *q = self->state;

    if (is_full(q)) BORN_TRY(born__fuse_flush(self, err));
    fuse_storage *g = new_storage(q);
    BORN_FAIL_IF(!g, err, BORN_NOMEM, "%s: no memory to queue the call", c->op->name);
    fuse_call *to = &q->call[q->calls];
    for (int i = 0; i < c->in_count; i++) to->in[i] = hold_operand(q, &c->in[i]);
    to->op = c->op;
    to->out = g;
    to->holds = true;
    to->view = c->out[0];
    to->view.offset = 0;
    if (c->attrs) memcpy(to->attrs, c->attrs, c->op->attrs->bytes);
    to->at = c->at ? *c->at : (born_site){ 0 };
    g->call = q->calls++;
    g->base.keeper = self;
    g->base.bytes = (size_t)born__view_bytes(&c->out[0]);
    g->base.refs = 1;
    c->out[0].buffer = &g->base;
    c->out[0].data = NULL;
    c->out[0].offset = 0;
    return BORN_OK;
}
