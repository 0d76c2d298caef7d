/* From a recipe's options to a trainer that is ready: data, network, optimiser, schedule, loaders, metric. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "graph/model.h"
#include "zoo/schedule.h"
#include "zoo/zoo.h"

enum { VALID_BATCH = 256 };

born_status born__zoo_cut(born_recipe *r, born_dataset *whole, born_dataset **train, born_dataset **valid,
                          born_error *err)
{
    double share = born__zoo_real(r, "valid"), shares[2] = { 1 - share, share };
    born_dataset *part[2] = { NULL, NULL };
    int64_t n = born_dataset_count(whole);

    BORN_TRY(born_dataset_split(whole, shares, 2, (uint64_t)born__zoo_int(r, "seed"), part, err));
    *train = part[0];
    *valid = part[1];
    BORN_FAIL_IF(born_dataset_count(part[0]) < 1 || born_dataset_count(part[1]) < 1, err, BORN_SHAPE,
                 "%lld items are too few to train and validate on", (long long)n);
    return BORN_OK;
}

/* ---- optimiser and schedule ------------------------------------------------------------------------------------ */

/* One group without decay for biases, one for each other tensor that is no matrix. */
typedef struct decay_walk {
    born_optim *o;
    bool biases;
} decay_walk;

static bool free_of_decay(void *user, const born_module_item *item)
{
    decay_walk *w = user;
    if (item->role != BORN_PARAM || item->again || born_shape_of(item->value).rank > 1) return true;
    if (!strstr(item->path, "bias")) {
        (void)born_optim_group(w->o, item->path, -1, 0, NULL);
    } else if (!w->biases) {
        (void)born_optim_group(w->o, "*bias*", -1, 0, NULL);
        w->biases = true;
    }
    return true;
}

/* Equal but for upper and lower case. */
static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a, y = *b >= 'A' && *b <= 'Z' ? *b - 'A' + 'a' : *b;
        if (x != y) return false;
    }
    return *a == *b;
}

static born_status kind_of(const char *name, born_optim_kind *out, born_error *err)
{
    char list[200];
    born_text names = born__text_in(list, sizeof list);

    for (int k = 0; k < BORN_OPTIM_KINDS; k++) {
        const char *have = born_optim_kind_name((born_optim_kind)k);
        born__text_add(&names, " %s", have);
        *out = (born_optim_kind)k;
        if (same_word(have, name)) return BORN_OK;
    }
    return born__fail(err, BORN_INVALID, "optim: '%.40s' is none of%s", name, list);
}

static born_status make_optim(born_recipe *r, born_error *err)
{
    born_optim_kind kind;
    double decay = born__zoo_real(r, "weight-decay");
    const born_optim_desc d = { .momentum = born__zoo_real(r, "momentum"), .beta2 = born__zoo_real(r, "beta2"),
                                .clip_norm = born__zoo_real(r, "clip-norm"),
                                .accumulate = (int)born__zoo_int(r, "accumulate") };

    BORN_TRY(kind_of(born__zoo_text_of(r, "optim"), &kind, err));
    r->optim = born_optim_create_sized(kind, r->net, born__zoo_real(r, "lr"), decay, &d, sizeof d);
    if (decay > 0 && born_optim_is_alive(r->optim)) {
        decay_walk w = { r->optim, false };
        BORN_TRY(born_module_each(r->net, free_of_decay, &w));
    }
    if (born_module_dtype(r->net) == BORN_F16) BORN_TRY(born_optim_scaling(r->optim, NULL));
    return born_backend_error(r->b)->status ? born__zoo_chain_error(r, err) : BORN_OK;
}

/* ---- loaders --------------------------------------------------------------------------------------------------- */

static born_status open_loaders(born_recipe *r, born_error *err)
{
    int64_t batch = born__zoo_int(r, "batch"), train = born_dataset_count(r->train_set);
    born_loader_desc d = { .batch = batch < train ? batch : train, .shuffle = true,
                           .seed = (uint64_t)born__zoo_int(r, "seed"), .workers = (int)born__zoo_int(r, "workers"),
                           .drop_last = true, .mixup = born__zoo_real(r, "mixup"), .classes = r->facts.classes };

    BORN_TRY(born_loader_open(r->train_set, &d, &r->train, err));
    d = (born_loader_desc){ .batch = r->row->data == BORN_RECIPE_TEXT || batch > VALID_BATCH ? batch : VALID_BATCH,
                            .workers = d.workers };
    return born_loader_open(r->valid_set, &d, &r->valid, err);
}

/* ---- the trainer ----------------------------------------------------------------------------------------------- */

const char *born_recipe_folder(const born_recipe *r)
{
    return born__zoo_text_of(r, "out");
}

/* The default folder becomes the option's text, so that it is known to all. */
static born_status settle_folder(born_recipe *r, born_error *err)
{
    char path[64];
    if (*born__zoo_text_of(r, "out")) return BORN_OK;
    (void)snprintf(path, sizeof path, "runs/%s", r->row->name);
    return born_recipe_set(r, "out", path, err);
}

static void choose_loss(born_recipe *r, born_trainer_desc *d)
{
    if (r->row->data == BORN_RECIPE_TEXT) {
        d->loss = born_loss_tokens;
        return;
    }
    bool number = r->facts.classes == 0;
    r->metric = born_metric_create(number ? BORN_METRIC_R2 : BORN_METRIC_ACCURACY, NULL);
    d->metric = r->metric;
    d->metric_name = number ? "r2" : "accuracy";
    d->loss = number ? born_loss_values : born_loss_classes;
    r->loss_attrs.label_smoothing = born__zoo_real(r, "label-smoothing");
    if (!number && r->loss_attrs.label_smoothing > 0) d->user = &r->loss_attrs;
}

static born_status open_trainer(born_recipe *r, const born_recipe_desc *own, born_error *err)
{
    int64_t batches = born_loader_batches(r->train), steps = born__zoo_int(r, "steps");
    int64_t epochs = steps > 0 ? (steps + batches - 1) / batches : born__zoo_int(r, "epochs");
    double decay = born__zoo_real(r, "ema");
    born_trainer_desc d = { .net = r->net, .optim = r->optim, .train = r->train, .valid = r->valid, .epochs = epochs,
                            .max_steps = steps, .validate_every = born__zoo_int(r, "validate-every"),
                            .folder = born_recipe_folder(r), .save_every = born__zoo_int(r, "save-every"),
                            .keep_last = (int)born__zoo_int(r, "keep"), .patience = (int)born__zoo_int(r, "patience"),
                            .resume = born__zoo_int(r, "resume") != 0, .eager = born__zoo_int(r, "eager") != 0,
                            .title = r->row->name, .max_bytes = own->max_bytes, .callbacks = own->callbacks,
                            .callback_count = own->callback_count, .stop = own->stop, .meta = r->meta,
                            .meta_count = r->meta_count };

    choose_loss(r, &d);
    BORN_TRY(born__zoo_schedule(r->optim, born__zoo_text_of(r, "schedule"), born__zoo_real(r, "lr"),
                                born__zoo_int(r, "warmup"), steps > 0 ? steps : epochs * batches, d.metric != NULL,
                                &r->sched, &d.sched_by_step, err));
    d.sched = r->sched;
    if (decay > 0) d.ema = r->ema = born_ema_create(r->net, decay);
    if (born_backend_error(r->b)->status) return born__zoo_chain_error(r, err);
    return born_trainer_open(&d, &r->trainer, err);
}

born_status born_recipe_prepare_sized(born_recipe *r, const born_recipe_desc *desc, size_t desc_bytes,
                                      born_error *err)
{
    born_recipe_desc own;

    BORN_TRY(born__desc_check(desc, desc_bytes, &own, sizeof own, "recipe", err));
    BORN_FAIL_IF(r->fixed, err, BORN_STATE, "recipe %s is prepared already", r->row->name);
    BORN_TRY(settle_folder(r, err));
    r->fixed = true;
    BORN_TRY(born__zoo_data(r->row->data)->open(r, err));
    BORN_TRY(born__zoo_meta_make(r, err));
    BORN_TRY(open_loaders(r, err));
    r->b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = (int)born__zoo_int(r, "threads") })));
    BORN_TRY(born__zoo_build(r, err));
    BORN_TRY(make_optim(r, err));
    return open_trainer(r, &own, err);
}
