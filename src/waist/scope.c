/* Scopes: values {chain, depth} over one stack of nodes, each of which knows the depth that owns it. Beginning a scope
   only counts, so it cannot fail; ending one pops everything at or above its depth, forgotten inner scopes included. */
#include "base/error.h"
#include "waist/chain.h"

born_scope born_scope_begin(born_backend *b)
{
    if (!b || b->chain->fixed) return (born_scope){ b, 0 };
    return (born_scope){ b, ++b->chain->depth };
}

void born__scope_end_to(born_chain *c, uint32_t depth)
{
    while (c->held && c->held->depth >= depth) {
        born_node *n = c->held;
        c->held = n->held_below;
        n->held = false;
        born__node_unref(n);
    }
}

void born_scope_end(born_scope s)
{
    if (!s.b || s.depth == 0) return;
    born_chain *c = s.b->chain;
    if (s.depth > c->depth) return;     /* an outer scope's end has ended it */
    born__scope_end_to(c, s.depth);
    c->depth = s.depth - 1;
}

born_tensor(born_scope_return)(born_scope s, born_tensor x)
{
    born_node *n = born__handle_node(x);
    if (!n || n->poison || !s.b) {
        born_scope_end(s);
        return x;
    }
    if (!born__handle_fresh(n, x) || n->chain != s.b->chain) {
        born_error err = { 0 };
        born__fail(&err, BORN_STATE, "scope_return: the handle belongs to an ended scope or another backend");
        born_scope_end(s);
        born__chain_fail(s.b->chain, &err, NULL);
        return born__poison(BORN_STATE);
    }
    born__node_ref(n);
    born_scope_end(s);
    if (n->held) born__node_unref(n);   /* it belongs to an outer scope already */
    else born__node_own(n);
    return x;
}

/* Each keep counts once on the node and once on the chain, which therefore outlives its backend's close. */
born_tensor(born_keep)(born_tensor x)
{
    born_node *n = born__handle_node(x);
    if (!n || n->poison) return x;
    if (!born__handle_fresh(n, x)) return born__poison(born__handle_get(x, "keep", &n));
    n->refs++;
    n->kept++;
    n->chain->holds++;
    return x;
}

void(born_drop)(born_tensor *x)
{
    if (!x) return;
    born_node *n = born__handle_node(*x);
    born_tensor t = *x;
    x->w = 0;
    if (!n || n->poison || !born__handle_fresh(n, t) || n->kept == 0) return;
    born_chain *c = n->chain;
    n->kept--;
    born__node_unref(n);
    born__chain_unhold(c->link[c->levels - 1]);
}
