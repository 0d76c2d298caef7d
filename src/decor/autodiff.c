/* The autodiff decorator: runs each call below and, where an operand needs a gradient, records it. It names no
   operator: what a gradient is stands in the operator's row. */
#include "decor/autodiff.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "tensor/view.h"

/* ---- notes ----------------------------------------------------------------------------------------------------- */

ad_note *born__ad_note_make(born_backend *link, born_node *n)
{
    ad_state *st = link->state;
    void **slot = &n->note[link->level - 1];
    if (!*slot) *slot = born__block_take(&st->blocks, sizeof(ad_note));
    return *slot;
}

static void record_unref(ad_state *st, ad_record *r)
{
    if (!r || --r->refs) return;
    for (int i = 0; i < r->in_count; i++) born__node_unref(r->in[i]);
    born__ad_function_unref(r->fn);
    born__block_give(&st->blocks, r, r->bytes);
}

static void autodiff_forget(born_backend *self, void *p)
{
    ad_state *st = self->state;
    ad_note *note = p;
    if (note->rec) note->rec->out[note->index] = NULL;
    record_unref(st, note->rec);
    born__node_unref(note->grad);
    born__node_unref(note->sum);
    born__block_give(&st->blocks, note, sizeof *note);
}

/* ---- recording ------------------------------------------------------------------------------------------------- */

static uint32_t version_of(const born_node *n) { return n && n->view.buffer ? n->view.buffer->version : 0; }

static ad_record *record_new(ad_state *st, const born_call *c, born_error *err)
{
    size_t attrs = c->attrs ? born__attrs_flat_bytes(c->op->attrs, c->attrs) : 0, bytes = attrs;
    size_t n = (size_t)(c->in_count + c->out_count), head = (sizeof(ad_record) + 7) & ~(size_t)7;
    size_t arrays = (n * sizeof(born_node *) + n * sizeof(uint32_t) + 7) & ~(size_t)7;
    ad_record *r = NULL;
    if (attrs != SIZE_MAX && born__add_size(attrs, head + arrays, &bytes)) r = born__block_take(&st->blocks, bytes);
    if (!r) {
        born__fail(err, BORN_NOMEM, "%s: no memory to record the call", c->op->name);
        return NULL;
    }
    r->bytes = bytes;
    r->op = c->op;
    r->in_count = c->in_count;
    r->out_count = c->out_count;
    r->in = (born_node **)(void *)((char *)r + head);
    r->out = r->in + c->in_count;
    r->version = (uint32_t *)(void *)(r->out + c->out_count);
    r->serial = ++st->serial;
    if (c->at) r->at = *c->at;
    if (c->attrs) {
        r->attrs = (char *)r + head + arrays;
        born__attrs_flat_copy(c->op->attrs, c->attrs, r->attrs);
    }
    return r;
}

static bool is_float(born_dtype t) { return born__dtype_info(t)->cls == 'F'; }

/* The call has run below; its results' storage is in c->out, their nodes take it when the whole call is done. */
born_status born__ad_record(born_backend *self, const born_frame *f, ad_record **out, born_error *err)
{
    ad_state *st = self->state;
    const born_call *c = f->call;
    ad_record *r = record_new(st, c, err);
    if (!r) return BORN_NOMEM;
    int made = 0;
    while (made < c->out_count && born__ad_note_make(self, f->out[made])) made++;
    if (made < c->out_count) {
        born__block_give(&st->blocks, r, r->bytes);     /* notes without a record die with their nodes */
        return born__fail(err, BORN_NOMEM, "%s: no memory to record the call", c->op->name);
    }
    for (int i = 0; i < c->in_count; i++) {
        r->in[i] = f->in[i];
        if (f->in[i]) born__node_ref(f->in[i]);
        r->version[i] = version_of(f->in[i]);
    }
    for (int i = 0; i < c->out_count; i++) {
        ad_note *note = born__ad_note(self, f->out[i]);
        note->rec = r;
        note->index = i;
        r->out[i] = f->out[i];
        r->refs++;
        r->version[c->in_count + i] = c->out[i].buffer ? c->out[i].buffer->version : 0;
    }
    if (out) *out = r;
    return BORN_OK;
}

static born_status autodiff_run(born_backend *self, born_call *c, born_error *err)
{
    const born_frame *f = self->chain->frame;
    bool needed = false, differentiable = false;
    BORN_TRY(born__backend_run(self->below, c, err));
    if (!f || f->call != c || ((const ad_state *)self->state)->paused) return BORN_OK;
    for (int i = 0; i < c->in_count && !needed; i++) needed = born__ad_wanted(born__ad_note(self, f->in[i]));
    for (int i = 0; i < c->out_count && !differentiable; i++) differentiable = is_float(c->out[i].dtype);
    return needed && differentiable ? born__ad_record(self, f, NULL, err) : BORN_OK;
}

/* Plans hold no tensors, so there is nothing to record: kernels chosen for the plan stay in use. */
static born_status autodiff_run_plan(born_backend *self, born_plan *plan, born_error *err)
{
    return born__backend_run_plan(self->below, plan, err);
}

static void autodiff_destroy(born_backend *self) { born__blocks_free(&((ad_state *)self->state)->blocks); }

static const born_backend_ops autodiff_ops = {
    .name = "autodiff",
    .run = autodiff_run,
    .run_plan = autodiff_run_plan,
    .destroy = autodiff_destroy,
};

bool born__is_autodiff(const born_backend *link) { return link->ops == &autodiff_ops; }

born_backend *born__autodiff_at(born_chain *c, int level)
{
    for (; level > 0; level--)
        if (born__is_autodiff(c->link[level])) return c->link[level];
    return NULL;
}

born_backend *born_autodiff(born_backend *below)
{
    born_backend *b = born__link_new(&autodiff_ops, BORN_RANK_AUTODIFF, below, sizeof(ad_state));
    if (born__is_autodiff(b) && !b->chain->dead) b->forget = autodiff_forget;
    return b;
}
