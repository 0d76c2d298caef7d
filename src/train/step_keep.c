/* What an eager step changes before it is known to be good: buffers, which forward writes, and the gradients that
   earlier steps gathered. Kept before each such step in memory that stays, so that putting them back needs none. */
#include <string.h>

#include "base/alloc.h"
#include "optim/optim.h"
#include "tensor/view.h"
#include "train/step.h"
#include "waist/chain.h"

typedef struct keeping {
    step_keep *k;
    bool grads;                 /* gradients are gathered over steps */
    size_t bytes;               /* of buffers so far */
    born_status status;
} keeping;

static bool list_one(void *user, const born_module_item *item)
{
    keeping *w = user;
    step_keep *k = w->k;
    const born_node *n = born__handle_node(item->value);
    int64_t bytes = n ? born__view_bytes(&n->view) : -1;
    bool param = item->role == BORN_PARAM;

    if (item->again || (param && !w->grads)) return true;
    if (bytes < 0 || !born__grow((void **)&k->item, &k->cap, k->count + 1, sizeof *k->item)) {
        w->status = BORN_NOMEM;
        return false;
    }
    k->item[k->count++] = (kept_item){ .of = item->value, .param = param, .at = w->bytes, .bytes = (size_t)bytes };
    if (!param) w->bytes += (size_t)bytes;
    return true;
}

/* Values and gradients of what is listed; the gradients are kept from here on. */
static born_status copy_all(step_keep *k)
{
    for (size_t i = 0; i < k->count; i++) {
        kept_item *t = &k->item[i];
        if (!t->param) BORN_TRY((born_read)(t->of, k->bytes + t->at, t->bytes));
    }
    for (size_t i = 0; i < k->count; i++) {
        kept_item *t = &k->item[i];
        born_tensor g = t->param ? (born_grad_of)(t->of) : (born_tensor){ 0 };
        if (g.w) t->grad = (born_keep)(g);
    }
    return BORN_OK;
}

born_status born__step_keep(born_step *s, born_error *err)
{
    step_keep *k = &s->keep;
    keeping w = { .k = k, .grads = s->desc.optim->desc.accumulate > 1 };

    k->count = 0;
    BORN_TRY(born_module_each(s->desc.net, list_one, &w));
    if (!w.status && !born__grow((void **)&k->bytes, &k->bytes_cap, w.bytes + 1, 1)) w.status = BORN_NOMEM;
    size_t wanted = k->count;
    bool copied = !w.status && !copy_all(k);
    if (!copied) k->count = 0;
    BORN_FAIL_IF(w.status, err, w.status, "train: no memory to keep %zu buffers", wanted);
    return copied ? BORN_OK : born__step_error(s, err);
}

void born__step_keep_end(born_step *s, bool put_back)
{
    step_keep *k = &s->keep;

    for (size_t i = 0; i < k->count; i++) {
        kept_item *t = &k->item[i];
        if (put_back && !t->param) (void)!(born_write)(t->of, k->bytes + t->at, t->bytes);
        if (put_back && t->param && t->grad.w) (void)!(born_grad_set)(t->of, t->grad);
        if (put_back && t->param && !t->grad.w) (born_grad_clear)(t->of);
        (born_drop)(&t->grad);
    }
    if (put_back && s->desc.optim->desc.accumulate <= 1) born_optim_zero_grad(s->desc.optim);
    k->count = 0;
}

void born__step_keep_free(step_keep *k)
{
    born__free(k->item);
    born__free(k->bytes);
    *k = (step_keep){ 0 };
}
