/* What a step may change: the tensors of the module, what the optimiser remembers, the average, the count behind random
   keys. Called when a plan is made. */
#include "base/alloc.h"
#include "nn/module.h"
#include "tensor/view.h"
#include "train/step.h"
#include "waist/chain.h"

typedef struct listing {
    step_plan *plan;
    const born_ema *ema;
    bool ok;
} listing;

static bool add(listing *l, born_tensor x)
{
    step_plan *p = l->plan;
    const born_node *n = born__handle_node(x);
    int64_t bytes = n ? born__view_bytes(&n->view) : -1;

    if (bytes < 0 || !born__grow((void **)&p->item, &p->item_cap, p->item_count + 1, sizeof *p->item))
        return l->ok = false;
    p->item[p->item_count++] = (step_item){ .value = x, .bytes = (size_t)bytes, .out = -1 };
    return true;
}

static bool add_of_module(void *user, const born_module_item *item)
{
    return item->again || add(user, item->value);
}

static bool add_of_optim(void *user, const born_optim_item *item)
{
    return !item->value.w || add(user, item->value);
}

static bool add_of_average(void *user, const born_module_item *item)
{
    listing *l = user;
    born_tensor mean = born_ema_find(l->ema, item->path);
    return item->again || !mean.w || add(l, mean);
}

born_status born__step_items(const born_step *s, step_plan *p, born_error *err)
{
    listing l = { .plan = p, .ema = s->desc.ema, .ok = true };

    (void)add(&l, born__module_step(s->desc.net));
    BORN_TRY(born_module_each(s->desc.net, add_of_module, &l));
    BORN_TRY(born_optim_each(s->desc.optim, add_of_optim, &l));
    if (s->desc.ema) BORN_TRY(born_module_each(s->desc.net, add_of_average, &l));
    BORN_FAIL_IF(!l.ok, err, BORN_NOMEM, "train: no memory to list %zu tensors", p->item_count);
    return BORN_OK;
}

void born__step_forget(step_plan *p)
{
    born_session_close(&p->session);
    born_model_close(&p->model);
    for (size_t i = 0; i < p->item_count; i++) born__free(p->item[i].host);
    born__free(p->item);
    born__free(p->in);
    born__free(p->out);
    *p = (step_plan){ 0 };
}
