/* The fuse decorator: elementwise calls wait in a queue (fuse_queue.h) until somebody needs a result, and run as
   programs that cross memory once. It names no operator: what can wait stands in the operators' rows.

   Everything else runs at once, after the queue where it reads a queued result or writes to storage at all: an update
   in place must not overtake the calls that read the old value, and must not find out late that there is no memory.
   Sessions' plans hold no tensors and pass straight through. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "decor/fuse_queue.h"

/* ---- calls that run at once ------------------------------------------------------------------------------------ */

static bool waits(const born_view *v)
{
    const fuse_storage *g = born__fuse_storage(v);
    return g && !g->real;
}

/* A view of its operand's storage: nothing is to be done. */
static bool is_shared_view(const born_call *c)
{
    return (c->op->props & BORN_P_VIEW) && !(c->op->props & BORN_P_EFFECT) && c->in_count && c->out_count == 1 &&
           c->out[0].buffer && c->out[0].buffer == c->in[0].buffer;
}

/* Whether the queue must run before c; *ours: some operand lies in storage that is only ours. */
static bool must_flush(const born_call *c, bool *ours)
{
    bool must = false;

    *ours = false;
    for (int i = 0; i < c->in_count; i++) {
        must = must || waits(&c->in[i]);
        *ours = *ours || born__fuse_storage(&c->in[i]);
    }
    for (int i = 0; i < c->out_count; i++) {
        must = must || c->out[i].buffer || c->out[i].data;
        *ours = *ours || born__fuse_storage(&c->out[i]);
    }
    return must;
}

/* v lies in the leaf's storage while a function of the leaf runs; its own comes back with what changed. */
static born_buffer *lend(born_view *v)
{
    born_buffer *own = v->buffer;
    born__fuse_lend(v);
    return own;
}

static void take_back(born_view *v, born_buffer *own)
{
    if (v->buffer == own || !own) return;
    own->version = v->buffer->version;
    own->writer = v->buffer->writer;
    v->buffer = own;
    v->data = NULL;
}

static born_status run_lent(born_backend *self, born_call *c, born_error *err)
{
    born_buffer *few[BORN_FEW], **own = few;
    int n = c->in_count, all = n + c->out_count;

    if (all > BORN_FEW) own = born__calloc((size_t)all, sizeof *own);
    BORN_FAIL_IF(!own, err, BORN_NOMEM, "%s: no memory for %d operands", c->op->name, all);
    for (int i = 0; i < all; i++) own[i] = lend(i < n ? &c->in[i] : &c->out[i - n]);
    born_status s = born__backend_run(self->below, c, err);
    for (int i = 0; i < all; i++) take_back(i < n ? &c->in[i] : &c->out[i - n], own[i]);
    if (own != few) born__free(own);
    return s;
}

/* ---- the twelve functions -------------------------------------------------------------------------------------- */

static born_status fuse_run(born_backend *self, born_call *c, born_error *err)
{
    const born_frame *f = self->chain->frame;
    bool ours;

    if (f && f->call == c && born__fuse_takes(c)) return born__fuse_add(self, c, err);
    if (is_shared_view(c)) return BORN_OK;
    if (must_flush(c, &ours)) BORN_TRY(born__fuse_flush(self, err));
    return ours ? run_lent(self, c, err) : born__backend_run(self->below, c, err);
}

static born_status fuse_run_plan(born_backend *self, born_plan *plan, born_error *err)
{
    return born__backend_run_plan(self->below, plan, err);
}

static born_status fuse_write(born_backend *self, const born_view *dst, const void *src, size_t bytes, born_error *err)
{
    born_view v = *dst;
    BORN_TRY(born__fuse_flush(self, err));
    born_buffer *own = lend(&v);
    born_status s = born__backend_write(self->below, &v, src, bytes, err);
    take_back(&v, own);
    return s;
}

static born_status fuse_read(born_backend *self, const born_view *src, void *dst, size_t bytes, born_error *err)
{
    if (waits(src)) BORN_TRY(born__fuse_flush(self, err));
    born_view v = *src;
    born__fuse_lend(&v);
    return born__backend_read(self->below, &v, dst, bytes, err);
}

static born_status fuse_copy(born_backend *self, const born_view *src, const born_view *dst, born_error *err)
{
    born_view to = *dst, from = *src;
    BORN_TRY(born__fuse_flush(self, err));
    born_buffer *own = lend(&to);
    born__fuse_lend(&from);
    born_status s = born__backend_copy(self->below, &from, &to, err);
    take_back(&to, own);
    return s;
}

static born_status fuse_sync(born_backend *self, born_error *err)
{
    BORN_TRY(born__fuse_flush(self, err));
    return born__backend_sync(self->below, err);
}

/* Every tensor is gone, so nobody wants a result. */
static void fuse_destroy(born_backend *self)
{
    fuse_queue *q = self->state;
    born__fuse_drop_dead(self, q->calls - 1);
    born__fusion_free(&q->fusion);
    born__blocks_free(&q->blocks);
}

static const born_backend_ops fuse_ops = {
    .name = "fuse",
    .release = born__fuse_release,
    .write = fuse_write,
    .read = fuse_read,
    .copy = fuse_copy,
    .run = fuse_run,
    .run_plan = fuse_run_plan,
    .sync = fuse_sync,
    .destroy = fuse_destroy,
};

born_backend *born_fuse(born_backend *below)
{
    born_error err = { 0 };
    born_backend *b = born__link_new(&fuse_ops, BORN_RANK_FUSE, below, sizeof(fuse_queue));
    if (b->ops != &fuse_ops || b->chain->dead) return b;
    if (born__fusion_reserve(&((fuse_queue *)b->state)->fusion, BORN_FUSE_CALLS)) return b;
    born__fail(&err, BORN_NOMEM, "fuse: out of memory");
    return born__chain_kill(b, &err);
}
