/* The public side of autodiff: asking for gradients, backward, reading and clearing them. */
#include <born/born.h>

#include "base/error.h"
#include "decor/autodiff.h"
#include "tensor/view.h"

static born_status ask(born_node *n, born_error *err)
{
    born_chain *c = n->chain;
    BORN_FAIL_IF(born__dtype_info(n->view.dtype)->cls != 'F', err, BORN_DTYPE, "requires_grad: %s has no gradient",
                 born_dtype_name(n->view.dtype));
    BORN_FAIL_IF(!born__autodiff_at(c, n->level), err, BORN_STATE,
                 "requires_grad: no autodiff knows this tensor");
    for (int level = 1; level <= n->level; level++)
        if (born__is_autodiff(c->link[level]))
            BORN_FAIL_IF(!born__ad_note_make(c->link[level], n), err, BORN_NOMEM, "requires_grad: out of memory");
    for (int level = 1; level <= n->level; level++)
        if (born__is_autodiff(c->link[level])) born__ad_note(c->link[level], n)->asked = true;
    return BORN_OK;
}

born_tensor(born_requires_grad)(born_tensor x)
{
    born_error err = { 0 };
    born_node *n;
    born_status s = born__handle_get(x, "requires_grad", &n);
    if (s) return born__poison(s);
    s = ask(n, &err);
    if (s == BORN_OK) return x;
    born__chain_fail(n->chain, &err, NULL);
    return born__poison(s);
}

void born__ad_unask(born_node *n)
{
    for (int level = 1; n && n->chain && level <= n->level; level++) {
        ad_note *note = born__is_autodiff(n->chain->link[level]) ? born__ad_note(n->chain->link[level], n) : NULL;
        if (note) note->asked = false;
    }
}

born_tensor(born_detach)(born_tensor x)
{
    born_error err = { 0 };
    born_node *n;
    born_status s = born__handle_get(x, "detach", &n);
    if (s) return born__poison(s);
    int level = n->level;
    for (int i = n->level; i > 0; i--)
        if (born__is_autodiff(n->chain->link[i])) level = i - 1;
    born_node *d = born__node_new(n->chain, level);
    if (!d) s = born__fail(&err, BORN_NOMEM, "detach: out of memory");
    if (d) {
        d->view = n->view;
        if (d->view.buffer) d->view.buffer->refs++;
        born__node_own(d);
    }
    for (int i = 1; i <= level && !s; i++) {
        born_backend *link = n->chain->link[i];
        if (link->share) s = link->share(link, n, d, &err);
    }
    if (s == BORN_OK) return born__node_handle(d);
    born__chain_fail(n->chain, &err, NULL);
    return born__poison(s);
}

static born_status seed_of(const born_node *n, born_node **out, born_error *err)
{
    const born_view *v = &n->view;
    char shape[96];
    uint64_t one = 0;
    BORN_FAIL_IF(born__dtype_info(v->dtype)->cls != 'F', err, BORN_DTYPE, "backward: %s has no gradient",
                 born_dtype_name(v->dtype));
    BORN_FAIL_IF(born__view_count(v) != 1, err, BORN_SHAPE, "backward: the loss has shape %s, not one element",
                 born__shape_text(v->dim, v->rank, shape, sizeof shape));
    born__store_f64(v->dtype, &one, 1);
    return born__node_from(n->chain, 0, v->dtype, v->dim, v->rank, &one, out, err);
}

static born_status backward(born_node *n, born_error *err)
{
    born_node *seed = NULL;
    born_backend *link = born__autodiff_at(n->chain, n->level);
    BORN_FAIL_IF(!link, err, BORN_STATE, "backward: no autodiff knows this tensor");
    BORN_TRY(born__chain_alive(n->chain, err));
    BORN_TRY(seed_of(n, &seed, err));
    born_status s = born__ad_backward(link, n, seed, err);
    born__node_unref(seed);
    return s;
}

born_status(born_backward)(born_tensor loss)
{
    born_error err = { 0 };
    born_node *n;
    BORN_TRY(born__handle_get(loss, "backward", &n));
    born_status s = backward(n, &err);
    if (s) born__chain_fail(n->chain, &err, NULL);
    return s;
}

born_tensor(born_grad_at)(born_backend *link, born_tensor x)
{
    born_node *n;
    born_tensor none = { 0 };
    born_status s = born__handle_get(x, "grad", &n);
    if (s) return born__poison(s);
    if (!link || link->chain != n->chain || !born__is_autodiff(link)) return none;
    ad_note *note = born__ad_note(link, n);
    return note && note->grad ? born__node_handle(note->grad) : none;
}

born_tensor(born_grad_of)(born_tensor x)
{
    born_node *n;
    born_tensor none = { 0 };
    born_status s = born__handle_get(x, "grad", &n);
    if (s) return born__poison(s);
    born_backend *link = born__autodiff_at(n->chain, n->level);
    return link ? (born_grad_at)(link, x) : none;
}

void(born_grad_clear)(born_tensor x)
{
    born_node *n;
    if (born__handle_get(x, "grad_clear", &n)) return;
    for (int level = 1; level <= n->level; level++) {
        born_backend *link = n->chain->link[level];
        ad_note *note = born__is_autodiff(link) ? born__ad_note(link, n) : NULL;
        if (!note) continue;
        born_node *old = note->grad;
        note->grad = NULL;
        born__node_unref(old);
    }
}

static born_status replace(born_node *n, born_tensor g, born_error *err)
{
    born_node *fresh = NULL;
    born_backend *link = born__autodiff_at(n->chain, n->level);
    BORN_FAIL_IF(!link, err, BORN_STATE, "grad_set: no autodiff knows this tensor");
    if (g.w) {
        BORN_TRY(born__handle_get(g, "grad_set", &fresh));
        const born_view *a = &n->view, *b = &fresh->view;
        bool same = a->rank == b->rank && fresh->chain == n->chain;
        for (int d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d];
        BORN_FAIL_IF(!same, err, BORN_SHAPE, "grad_set: a gradient has its tensor's shape and chain");
        BORN_FAIL_IF(a->dtype != b->dtype, err, BORN_DTYPE, "grad_set: the gradient of %s is not %s",
                     born_dtype_name(a->dtype), born_dtype_name(b->dtype));
    }
    ad_note *note = born__ad_note_make(link, n);
    BORN_FAIL_IF(!note, err, BORN_NOMEM, "grad_set: out of memory");
    born_node *old = note->grad;
    if (fresh) born__node_ref(fresh);
    note->grad = fresh;
    born__node_unref(old);
    return BORN_OK;
}

born_status born_grad_set(born_tensor x, born_tensor g)
{
    born_error err = { 0 };
    born_node *n;
    BORN_TRY(born__handle_get(x, "grad_set", &n));
    const born_backend *link = born__autodiff_at(n->chain, n->level);
    if (link && g.w && born_is_alive(g) && born__handle_node(g)->level >= link->level) g = (born_detach)(g);
    born_status s = replace(n, g, &err);
    if (s && err.status) born__chain_fail(n->chain, &err, NULL);
    return s;
}
