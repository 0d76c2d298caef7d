/* What a checkpoint overwrites when it is read, kept aside so that all of it can be put back without taking memory. */
#include "base/alloc.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "train/trainer_file.h"

static bool keep_number(void *user, const born_optim_item *item)
{
    train_undo *u = user;

    if (item->value.w) return true;
    u->short_of_memory = !born__grow((void **)&u->number, &u->number_cap, u->number_count + 1, sizeof *u->number);
    if (!u->short_of_memory) u->number[u->number_count++] = item->number;
    return !u->short_of_memory;
}

/* The i-th tensor that is remembered of a parameter: its states, then its f32 copy. */
static born_tensor *memory_of(born_param *p, int i) { return i < STATE_MOST ? &p->state[i] : &p->master; }

/* The optimiser's memory as a first step would make it, so that none comes to be while a checkpoint is read. */
static born_status make_memory(train_undo *u, born_optim *o, born_error *err)
{
    u->had = born__calloc(o->param_count + 1, 1);
    BORN_FAIL_IF(!u->had, err, BORN_NOMEM, "train: out of memory");
    for (size_t i = 0; i < o->param_count; i++)
        for (int k = 0; k <= STATE_MOST; k++)
            if (memory_of(&o->param[i], k)->w) u->had[i] |= (unsigned char)(1u << k);
    for (size_t i = 0; i < o->param_count; i++) {
        born_status st = born__optim_state(o, &o->param[i]);
        if (st) born_backend_take_error(o->b, err);
        if (st) return st;
    }
    return BORN_OK;
}

static void drop_memory(const train_undo *u, born_optim *o)
{
    for (size_t i = 0; u->had && i < o->param_count; i++)
        for (int k = 0; k <= STATE_MOST; k++)
            if (!(u->had[i] & (1u << k))) (born_drop)(memory_of(&o->param[i], k));
}

born_status born__train_undo_begin(train_undo *u, const born_trainer *t, born_error *err)
{
    *u = (train_undo){ .was = *t, .seed = t->desc.net->root->desc.seed };
    if (t->desc.optim->row->update) BORN_TRY(make_memory(u, t->desc.optim, err));
    BORN_TRY(born__step_items(t->step, &u->tensors, err));
    BORN_TRY(born__step_remember(&u->tensors, err));
    BORN_TRY(born_optim_each(t->desc.optim, keep_number, u));
    BORN_FAIL_IF(u->short_of_memory, err, BORN_NOMEM, "train: no memory for %zu numbers", u->number_count);
    born_loader_position_get(t->desc.train, &u->at);
    if (t->desc.sched) u->sched_count = born_sched_save(t->desc.sched, u->sched, SCHED_MOST);
    BORN_FAIL_IF(u->sched_count > SCHED_MOST, err, BORN_UNSUPPORTED, "train: the schedule has %d numbers",
                 u->sched_count);
    if (t->desc.ema) u->updates = born_ema_updates(t->desc.ema);
    return BORN_OK;
}

typedef struct numbers {
    const train_undo *u;
    born_optim *o;
    size_t next;
} numbers;

static bool restore_number(void *user, const born_optim_item *item)
{
    numbers *n = user;

    if (item->value.w || n->next >= n->u->number_count) return true;
    const double *v = &n->u->number[n->next++];
    if (*v != item->number)
        (void)!born_optim_restore(n->o, item->path, (born_array){ BORN_F64, { 0 }, v, sizeof *v });
    return true;
}

void born__train_undo(train_undo *u, born_trainer *t)
{
    numbers n = { .u = u, .o = t->desc.optim };

    (void)!born__step_put_back(&u->tensors, NULL);
    (void)!born_optim_each(n.o, restore_number, &n);
    drop_memory(u, n.o);
    (void)!born_loader_position_set(t->desc.train, &u->at, NULL);
    if (t->desc.sched) (void)!born_sched_restore(t->desc.sched, u->sched, u->sched_count);
    if (t->desc.ema) born__ema_set_updates(t->desc.ema, u->updates);
    t->desc.net->root->desc.seed = u->seed;
    *t = u->was;
}

void born__train_undo_end(train_undo *u)
{
    born__step_forget(&u->tensors);
    born__free(u->number);
    born__free(u->had);
}
