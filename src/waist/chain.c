/* Making, killing and closing chains, the chain's error, and the twelve functions with pass-through. See chain.h for
   what a chain is. The static dead chains at the top exist so that reporting a lack of memory needs none. */
#include "waist/chain.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

static const born_backend_ops dead_ops = { .name = "dead" };
static born_backend dead_nomem, dead_invalid;
static born_chain chain_nomem = {
    .link = { &dead_nomem }, .levels = 1, .dead = true, .fixed = true,
    .error = { .status = BORN_NOMEM, .text = "out of memory" },
};
static born_chain chain_invalid = {
    .link = { &dead_invalid }, .levels = 1, .dead = true, .fixed = true,
    .error = { .status = BORN_INVALID, .text = "no tensor or backend was given" },
};
static born_backend dead_nomem = { .ops = &dead_ops, .chain = &chain_nomem };
static born_backend dead_invalid = { .ops = &dead_ops, .chain = &chain_invalid };

/* ---- links ----------------------------------------------------------------------------------------------------- */

static born_chain *chain_new(void)
{
    born_chain *c = born__alloc(sizeof *c);
    if (!c) return NULL;
    memset(c, 0, sizeof *c);
    c->holds = 1;
    return c;
}

static born_backend *link_alloc(const born_backend_ops *ops, int rank, size_t state_bytes)
{
    size_t head = (sizeof(born_backend) + 63) & ~(size_t)63;
    born_backend *b = born__calloc(1, head + state_bytes);
    if (!b) return NULL;
    b->ops = ops;
    b->rank = rank;
    b->state = (char *)b + head;
    return b;
}

static void link_attach(born_chain *c, born_backend *b)
{
    b->chain = c;
    b->level = c->levels;
    b->below = c->levels ? c->link[c->levels - 1] : NULL;
    c->link[c->levels++] = b;
    if (b->rank == BORN_RANK_FUSE) c->floor = b->level;
}

born_backend *born__link_dead(const born_error *err)
{
    born_chain *c = err->status == BORN_NOMEM ? NULL : chain_new();
    born_backend *b = c ? link_alloc(&dead_ops, BORN_RANK_LEAF, 0) : NULL;
    if (!b) {
        born__free(c);
        return err->status == BORN_INVALID ? &dead_invalid : &dead_nomem;
    }
    link_attach(c, b);
    return born__chain_kill(b, err);
}

born_backend *born__chain_kill(born_backend *b, const born_error *err)
{
    born_chain *c = b->chain;
    if (c->fixed || c->dead) return b;
    c->dead = true;
    c->error = *err;
    return b;
}

static born_backend *outermost(born_backend *b) { return b->chain->link[b->chain->levels - 1]; }

born_backend *born__link_new(const born_backend_ops *ops, int rank, born_backend *below, size_t state_bytes)
{
    born_error err = { 0 };
    if (rank != BORN_RANK_LEAF) {
        if (!below) {
            born__fail(&err, BORN_INVALID, "%s: no backend was given", ops->name);
            return born__link_dead(&err);
        }
        below = outermost(below);
        if (below->chain->dead) return below;
        if (below->rank > rank || (below->rank == rank && rank != BORN_RANK_AUTODIFF)) {
            born__fail(&err, BORN_STATE, "%s cannot stand over %s: the order from outside is check, autodiff..., "
                       "quant, trace, fuse, leaf", ops->name, below->ops->name);
            return born__chain_kill(below, &err);
        }
        if (below->chain->levels == BORN_LEVELS) {
            born__fail(&err, BORN_STATE, "%s: a chain has at most %d links", ops->name, BORN_LEVELS);
            return born__chain_kill(below, &err);
        }
    }
    born_backend *b = link_alloc(ops, rank, state_bytes);
    born_chain *c = below ? below->chain : b ? chain_new() : NULL;
    if (!b || !c) {
        born__free(b);
        born__fail(&err, BORN_NOMEM, "%s: out of memory", ops->name);
        return below ? born__chain_kill(below, &err) : &dead_nomem;
    }
    link_attach(c, b);
    return b;
}

void born__chain_hold(born_backend *b)
{
    if (!b->chain->fixed) b->chain->holds++;
}

void born__chain_unhold(born_backend *b)
{
    born_chain *c = b->chain;
    if (c->fixed || --c->holds) return;
    c->closed = true;
    born__scope_end_to(c, 0);
    born__nodes_close(c);
    born__backend_destroy(c->link[c->levels - 1]);
    born__free(c->host);
    born__free(c);
}

void born_backend_close(born_backend **b)
{
    if (!b || !*b) return;
    born_backend *x = *b;
    born_chain *c = x->chain;
    *b = NULL;
    if (c->fixed || c->closed) return;
    c->closed = true;
    if (c->error.status && !c->dead) born__log(c->error.status, "%s", c->error.text);
    born__scope_end_to(c, 0);
    born__chain_unhold(x);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

void born__chain_fail(born_chain *c, born_error *err, const born_site *at)
{
    err->file = at ? at->file : NULL;
    err->line = at ? at->line : 0;
    if (c->fixed) return;
    if (!c->error.status) c->error = *err;
}

born_status born__chain_alive(const born_chain *c, born_error *err)
{
    if (!c->dead) return BORN_OK;
    if (err) *err = c->error;
    return c->error.status;
}

const born_error *born_backend_error(const born_backend *b) { return &(b ? b : &dead_invalid)->chain->error; }

void born_backend_take_error(born_backend *b, born_error *err)
{
    born_chain *c = (b ? b : &dead_invalid)->chain;
    if (err) *err = c->error;
    if (!c->dead) memset(&c->error, 0, sizeof c->error);
}

const char *born_backend_name(const born_backend *b) { return b ? b->ops->name : "none"; }

born_status born_sync(born_backend *b)
{
    born_error err = { 0 };
    if (!b) return BORN_INVALID;
    BORN_TRY(born__chain_alive(b->chain, NULL));
    born_status s = born__backend_sync(outermost(b), &err);
    if (s) born__chain_fail(b->chain, &err, NULL);
    return s;
}

/* ---- pass-through ---------------------------------------------------------------------------------------------- */

/* The nearest link at or below b that has the function; a leaf without it is answered by `otherwise`. */
#define NEAREST(b, fn) while (!(b)->ops->fn && (b)->below) (b) = (b)->below

static born_status lacks(const born_backend *b, const char *what, born_error *err)
{
    if (b->chain->dead) return born__chain_alive(b->chain, err);
    return born__fail(err, BORN_UNSUPPORTED, "%s: this backend cannot %s", b->ops->name, what);
}

born_status born__backend_alloc(born_backend *b, size_t bytes, size_t align, void *host, void (*host_free)(void *),
                                born_buffer **out, born_error *err)
{
    born_error none;
    NEAREST(b, alloc);
    *out = NULL;
    return b->ops->alloc ? b->ops->alloc(b, bytes, align, host, host_free, out, err ? err : &none)
                         : lacks(b, "allocate", err);
}

void born__backend_release(born_backend *b, born_buffer *buf)
{
    if (!buf) return;
    NEAREST(b, release);
    if (b->ops->release) b->ops->release(b, buf);
}

born_status born__backend_write(born_backend *b, const born_view *dst, const void *src, size_t bytes, born_error *err)
{
    born_error none;
    NEAREST(b, write);
    return b->ops->write ? b->ops->write(b, dst, src, bytes, err ? err : &none) : lacks(b, "write", err);
}

born_status born__backend_read(born_backend *b, const born_view *src, void *dst, size_t bytes, born_error *err)
{
    born_error none;
    NEAREST(b, read);
    return b->ops->read ? b->ops->read(b, src, dst, bytes, err ? err : &none) : lacks(b, "read", err);
}

born_status born__backend_copy(born_backend *b, const born_view *src, const born_view *dst, born_error *err)
{
    born_error none;
    NEAREST(b, copy);
    return b->ops->copy ? b->ops->copy(b, src, dst, err ? err : &none) : lacks(b, "copy", err);
}

born_status born__backend_query(born_backend *b, const born_call *call, born_query *q, born_error *err)
{
    born_error none;
    NEAREST(b, query);
    memset(q, 0, sizeof *q);
    q->pack_operand = -1;
    return b->ops->query ? b->ops->query(b, call, q, err ? err : &none) : lacks(b, "answer queries", err);
}

born_status born__backend_run(born_backend *b, born_call *call, born_error *err)
{
    born_error none;
    NEAREST(b, run);
    return b->ops->run ? b->ops->run(b, call, err ? err : &none) : lacks(b, "run", err);
}

born_status born__backend_prepare(born_backend *b, born_plan *plan, born_error *err)
{
    born_error none;
    NEAREST(b, prepare);
    return b->ops->prepare ? b->ops->prepare(b, plan, err ? err : &none) : BORN_OK;
}

born_status born__backend_run_plan(born_backend *b, born_plan *plan, born_error *err)
{
    born_error none;
    while (!b->ops->run_plan && !b->ops->run && b->below) b = b->below;
    if (b->ops->run_plan) return b->ops->run_plan(b, plan, err ? err : &none);
    if (!b->ops->run) return lacks(b, "run", err);
    for (int64_t i = 0; i < plan->count; i++) BORN_TRY(b->ops->run(b, &plan->call[i].call, err ? err : &none));
    return BORN_OK;
}

void born__backend_discard(born_backend *b, born_plan *plan)
{
    NEAREST(b, discard);
    if (b->ops->discard) b->ops->discard(b, plan);
}

born_status born__backend_sync(born_backend *b, born_error *err)
{
    born_error none;
    NEAREST(b, sync);
    return b->ops->sync ? b->ops->sync(b, err ? err : &none) : BORN_OK;
}

void born__backend_destroy(born_backend *b)
{
    while (b) {
        born_backend *below = b->below;
        if (b->ops->destroy) b->ops->destroy(b);
        born__free(b);
        b = below;
    }
}
