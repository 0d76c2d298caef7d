/* Nodes: slabs, generations, reference counts, and what a handle may be used for. Slabs come from the process's pool
   of retired slabs before they come from the allocator and go back there when a chain ends, so that a handle kept too
   long always points at a node. Release is a loop over a list, never recursion. */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "waist/chain.h"

enum { SLAB_NODES = 64 };

typedef struct born_slab {
    born_node node[SLAB_NODES];
    struct born_slab *next;
} born_slab;

#define ROW(id, value, text) [value] = { .refs = 1, .poison = true },
static born_node poison[] = { BORN_STATUS_ROWS(ROW) };
#undef ROW
enum { STATUSES = sizeof poison / sizeof poison[0] };

born_tensor born__poison(born_status s)
{
    return born__node_handle(&poison[(unsigned)s < STATUSES && s != BORN_OK ? s : BORN_INTERNAL]);
}

born_status born__poison_status(const born_node *n) { return (born_status)(n - poison); }

static born_slab *retired;
static atomic_flag retired_lock = ATOMIC_FLAG_INIT;

static void lock_retired(void)
{
    while (atomic_flag_test_and_set_explicit(&retired_lock, memory_order_acquire)) { }
}
static void unlock_retired(void) { atomic_flag_clear_explicit(&retired_lock, memory_order_release); }

static born_slab *slab_take(void)
{
    lock_retired();
    born_slab *s = retired;
    if (s) retired = s->next;
    unlock_retired();
    if (s) return s;
    s = born__alloc(sizeof *s);
    if (s) memset(s, 0, sizeof *s);
    return s;
}

void born__slabs_free(void)
{
    lock_retired();
    born_slab *s = retired;
    retired = NULL;
    unlock_retired();
    while (s) {
        born_slab *next = s->next;
        born__free(s);
        s = next;
    }
}

born_node *born__node_new(born_chain *c, int level)
{
    if (!c->free) {
        born_slab *s = slab_take();
        if (!s) return NULL;
        s->next = c->slabs;
        c->slabs = s;
        for (int i = SLAB_NODES - 1; i >= 0; i--) {
            s->node[i].chain = c;
            s->node[i].next = c->free;
            c->free = &s->node[i];
        }
    }
    born_node *n = c->free;
    c->free = n->next;
    c->live++;
    n->refs = 1;
    n->level = (uint8_t)level;
    return n;
}

static void node_forget(born_chain *c, born_node *n)
{
    for (int level = 1; level < c->levels; level++) {
        void *note = n->note[level - 1];
        if (!note) continue;
        n->note[level - 1] = NULL;
        if (c->link[level]->forget) c->link[level]->forget(c->link[level], note);
    }
}

/* The dead node is left as node_new hands it out: no storage, no notes, a new generation. */
static void node_die(born_chain *c, born_node *n)
{
    node_forget(c, n);
    if (n->view.buffer) born__backend_release(born__node_link(n), n->view.buffer);
    n->view.buffer = NULL;
    n->view.data = NULL;
    n->kept = 0;
    n->gen++;
    n->next = c->free;
    c->free = n;
    c->live--;
}

void born__node_unref(born_node *n)
{
    if (!n || n->poison || --n->refs) return;
    born_chain *c = n->chain;
    n->next = c->dying;
    c->dying = n;
    if (c->draining) return;
    c->draining = true;
    while (c->dying) {
        born_node *d = c->dying;
        c->dying = d->next;
        node_die(c, d);
    }
    c->draining = false;
}

void born__node_own(born_node *n)
{
    born_chain *c = n->chain;
    n->held = true;
    n->depth = c->depth;
    n->held_below = c->held;
    c->held = n;
}

/* What is still alive here is held by kept handles or by cycles through gradients of gradients: everything is pinned
   while the notes go, and then dies whatever its count says. */
void born__nodes_close(born_chain *c)
{
    for (born_slab *s = c->slabs; s; s = s->next)
        for (int i = 0; i < SLAB_NODES; i++)
            if (s->node[i].refs) s->node[i].refs++;
    for (born_slab *s = c->slabs; s; s = s->next)
        for (int i = 0; i < SLAB_NODES; i++)
            if (s->node[i].refs) node_forget(c, &s->node[i]);
    while (c->slabs) {
        born_slab *s = c->slabs;
        c->slabs = s->next;
        for (int i = 0; i < SLAB_NODES; i++) {
            born_node *n = &s->node[i];
            if (n->refs) {
                n->refs = 0;
                node_die(c, n);
            }
            n->chain = NULL;
        }
        lock_retired();
        s->next = retired;
        retired = s;
        unlock_retired();
    }
    c->free = NULL;
}

born_status born__handle_get(born_tensor t, const char *who, born_node **out)
{
    born_error err;
    born_node *n = born__handle_node(t);
    *out = NULL;
    if (!n) return born__fail(&err, BORN_INVALID, "%s: no tensor", who);
    if (n->poison) return born__poison_status(n);
    if (!born__handle_fresh(n, t)) {
        born__fail(&err, BORN_STATE, "%s: a handle was used after its scope ended", who);
        if (n->chain) born__chain_fail(n->chain, &err, NULL);
        return BORN_STATE;
    }
    *out = n;
    return BORN_OK;
}
