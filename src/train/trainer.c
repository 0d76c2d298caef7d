/* The loop of training: epochs of steps, validation after each, what follows from it. See trainer.h. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "graph/model.h"
#include "train/step.h"
#include "train/trainer.h"

bool born__train_stopping(const born_trainer *t) { return t->desc.stop && *t->desc.stop; }

double born__train_seconds(const born_trainer *t) { return t->before + born__clock_seconds() - t->began; }

/* Steps of the whole training, 0 where unknown. */
static int64_t all_steps(const born_trainer *t)
{
    int64_t per = born_loader_batches(t->desc.train);
    int64_t steps = per > INT64_MAX / t->desc.epochs ? 0 : per * t->desc.epochs;
    if (t->desc.max_steps > 0 && (!steps || t->desc.max_steps < steps)) steps = t->desc.max_steps;
    return steps;
}

born_status born__train_tell(born_trainer *t, born_train_event_kind kind, born_error *err)
{
    born_train_event *e = &t->event;

    e->kind = kind;
    e->step = t->steps_done;
    e->seconds = born__train_seconds(t);
    e->lr = born_optim_get(t->desc.optim, 0, "lr");
    e->items_per_second = t->rate;
    born_status st = BORN_OK;
    for (int i = 0; i < t->desc.callback_count && !st; i++)
        if (t->desc.callbacks[i].event) st = t->desc.callbacks[i].event(t->desc.callbacks[i].user, e, err);
    if (st == BORN_CANCELLED) (void)born__fail(err, st, "train: a callback ended it");
    return st;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static void measure_rate(born_trainer *t, int64_t items)
{
    double now = born__clock_seconds(), span = now - t->rate_from;

    t->rate_items += items;
    if (span < 0.5 && !isnan(t->rate)) return;
    if (span > 0) t->rate = (double)t->rate_items / span;
    if (span < 0.5) return;
    t->rate_from = now;
    t->rate_items = 0;
}

static born_status schedule(born_trainer *t, bool by_step, double target, born_error *err)
{
    if (!t->desc.sched || t->desc.sched_by_step != by_step) return BORN_OK;
    born_status st = by_step ? born_sched_step(t->desc.sched) : born_sched_step_metric(t->desc.sched, target);
    if (st) born_backend_take_error(born_optim_backend(t->desc.optim), err);
    return st;
}

static born_status log_step(born_trainer *t, born_error *err)
{
    int64_t steps = all_steps(t), every = steps > 500 ? steps / 500 : 1;
    const born_train_event *e = &t->event;
    const train_row row = { .step = t->steps_done, .epoch = t->epochs_done + 1, .loss = e->loss, .metric = e->metric,
                            .valid_loss = NAN, .valid_metric = NAN, .lr = e->lr, .seconds = e->seconds };

    return t->steps_done % every ? BORN_OK : born__train_log_add(t, &row, err);
}

/* A batch that no step was made of comes again. */
static born_status give_back(born_trainer *t, const born_loader_position *at, born_status st)
{
    if (st) (void)!born_loader_position_set(t->desc.train, at, NULL);
    t->refill = t->refill || st;
    return st;
}

/* What the loader's workers have read since a failure may be as bad: they read it again. */
static born_status refill(born_trainer *t, born_error *err)
{
    born_loader_position at;

    if (!t->refill) return BORN_OK;
    born_loader_position_get(t->desc.train, &at);
    BORN_TRY(born_loader_position_set(t->desc.train, &at, err));
    t->refill = false;
    return BORN_OK;
}

static born_status one_step(born_trainer *t, const born_loader_position *at, born_error *err)
{
    born_train_event *e = &t->event;
    born_array scores = { 0 };
    double loss;

    BORN_TRY(give_back(t, at, born_step_run(t->step, t->field, t->field_count, &loss,
                                            t->desc.metric ? &scores : NULL, err)));
    t->steps_done++;
    int64_t before = t->sums.items;
    born__train_add(t, &t->sums, loss, &scores, &e->loss, &e->metric);
    e->items = t->sums.items - before;
    e->batch++;
    measure_rate(t, e->items);
    BORN_TRY(schedule(t, true, loss, err));
    BORN_TRY(born__train_tell(t, BORN_TRAIN_STEP, err));
    return log_step(t, err);
}

/* ---- an epoch ---------------------------------------------------------------------------------------------------- */

static bool steps_are_over(const born_trainer *t)
{
    return t->desc.max_steps > 0 && t->steps_done >= t->desc.max_steps;
}

/* What could not be written, as on a full disk, is written when training goes on. */
static born_status save_owed(born_trainer *t, born_error *err)
{
    if (t->owes_best) BORN_TRY(born__train_save(t, true, err));
    t->owes_best = false;
    if (t->owes_step) BORN_TRY(born__train_save(t, false, err));
    t->owes_step = false;
    return BORN_OK;
}

/* Validation within an epoch, where one is due: told, logged, and kept where it is the best. */
static born_status check(born_trainer *t, born_error *err)
{
    born_train_event *e = &t->event;

    if (!t->owes_check || !t->desc.valid) return BORN_OK;
    BORN_TRY(born__train_validate(t, err));
    double target = born__train_target(t);
    e->best = born__train_better(t, target);
    e->valid_loss = t->valid_loss, e->valid_metric = t->valid_metric;
    const train_row row = { .step = t->steps_done, .epoch = t->epochs_done + 1, .loss = NAN, .metric = NAN,
                            .valid_loss = t->valid_loss, .valid_metric = t->valid_metric,
                            .lr = born_optim_get(t->desc.optim, 0, "lr"), .seconds = born__train_seconds(t) };
    BORN_TRY(born__train_log_add(t, &row, err));
    born_status told = born__train_tell(t, BORN_TRAIN_CHECKED, err);
    if (told && told != BORN_CANCELLED) return told;
    t->owes_check = false;
    if (e->best) t->best = target, t->best_epoch = t->epochs_done + 1;
    t->owes_best = t->owes_best || e->best;
    return told;
}

/* What is due after a step, or was when it failed. */
static born_status after_step(born_trainer *t, born_error *err)
{
    born_error late = { 0 };
    born_status st = check(t, err);

    if (st && st != BORN_CANCELLED) return st;
    born_status saved = save_owed(t, st ? &late : err);
    return st ? st : saved;
}

static born_status batches_of_epoch(born_trainer *t, born_error *err)
{
    born_loader_position at;

    BORN_TRY(after_step(t, err));
    born_loader_position_get(t->desc.train, &at);
    while (born_loader_next(t->desc.train, t->field, t->field_count)) {
        BORN_TRY(one_step(t, &at, err));
        born_loader_position_get(t->desc.train, &at);
        if (steps_are_over(t)) return BORN_OK;
        t->owes_check = t->desc.validate_every > 0 && t->steps_done % t->desc.validate_every == 0;
        t->owes_step = t->desc.save_every > 0 && t->steps_done % t->desc.save_every == 0;
        BORN_FAIL_IF(born__train_stopping(t), err, BORN_CANCELLED, "train: stopped");
        BORN_TRY(after_step(t, err));
    }
    BORN_TRY(give_back(t, &at, born_loader_status(t->desc.train, err)));
    t->epoch_over = true;
    return BORN_OK;
}

static born_status tell_epoch(born_trainer *t, bool best, born_error *err)
{
    born_train_event *e = &t->event;

    e->loss = born__train_mean(t->sums.loss, t->sums.items);
    e->metric = born__train_mean(t->sums.metric, t->sums.metric_items);
    e->valid_loss = t->valid_loss;
    e->valid_metric = t->valid_metric;
    e->best = best;
    const train_row row = { .step = t->steps_done, .epoch = t->epochs_done + 1, .whole = true, .loss = e->loss,
                            .metric = e->metric, .valid_loss = e->valid_loss, .valid_metric = e->valid_metric,
                            .lr = born_optim_get(t->desc.optim, 0, "lr"), .seconds = born__train_seconds(t) };
    BORN_TRY(born__train_log_add(t, &row, err));
    return born__train_tell(t, BORN_TRAIN_EPOCH, err);
}

/* Counts the epoch; the schedule follows. */
static born_status count_epoch(born_trainer *t, bool best, double target, born_error *err)
{
    t->without_better = best ? 0 : t->without_better + 1;
    t->epochs_done++;
    t->epoch_over = false;
    t->sums = (train_sums){ 0 };
    return schedule(t, false, target, err);
}

/* Validation, is it the best, what is written. An epoch that max_steps cut short is looked at but not counted, so that
   training may go on in it. */
static born_status end_of_epoch(born_trainer *t, born_error *err)
{
    BORN_TRY(born__train_validate(t, err));
    double target = born__train_target(t);
    bool best = born__train_better(t, target);
    born_status told = tell_epoch(t, best, err);
    if (told && told != BORN_CANCELLED) return told;
    if (best) t->best = target, t->best_epoch = t->epochs_done + 1;
    born_error late = { 0 };
    born_status st = t->epoch_over ? count_epoch(t, best, target, &late) : BORN_OK;
    t->owes_best = t->owes_best || best;
    t->owes_step = true;
    if (!st) st = save_owed(t, &late);
    if (st && err) *err = late;
    return st ? st : told;
}

static bool is_over(const born_trainer *t)
{
    return t->epochs_done >= t->desc.epochs || steps_are_over(t);
}

static bool is_hopeless(const born_trainer *t)
{
    return t->desc.patience > 0 && t->without_better >= t->desc.patience;
}

static born_status one_epoch(born_trainer *t, born_error *err)
{
    t->event.epoch = t->epochs_done + 1;
    t->event.batch = t->sums.items ? t->steps_done % born_loader_batches(t->desc.train) : 0;
    born_module_train(t->desc.net, true);
    if (!t->epoch_over) BORN_TRY(batches_of_epoch(t, err));
    return end_of_epoch(t, err);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Plans with the first batch and puts the loader back. */
static born_status plan(born_trainer *t, born_error *err)
{
    born_loader_position at;

    born_loader_position_get(t->desc.train, &at);
    if (t->epoch_over || at.batch >= born_loader_batches(t->desc.train)) return BORN_OK;
    born_status st = born_loader_next(t->desc.train, t->field, t->field_count)
                         ? born_step_plan(t->step, t->field, t->field_count, err)
                         : born_loader_status(t->desc.train, err);
    BORN_TRY(give_back(t, &at, st));
    return born_loader_position_set(t->desc.train, &at, err);
}

static born_status train(born_trainer *t, born_error *err)
{
    BORN_TRY(born__train_plain(t, err));
    BORN_TRY(save_owed(t, err));
    BORN_TRY(refill(t, err));
    BORN_TRY(born__train_log_open(t, err));
    if (is_over(t) || is_hopeless(t)) return BORN_OK;
    born_module_train(t->desc.net, true);
    BORN_TRY(plan(t, err));
    BORN_TRY(born__train_tell(t, BORN_TRAIN_BEGIN, err));
    while (!is_over(t) && !is_hopeless(t)) BORN_TRY(one_epoch(t, err));
    return BORN_OK;
}

/* Steps that no checkpoint holds yet, and that are worth one: not where writing one is what failed, nor where weights
   are no numbers any more. */
static bool is_worth_saving(const born_trainer *t, born_status st)
{
    if (!st || t->saved_step == t->steps_done) return false;
    if (st == BORN_CANCELLED) return true;
    return t->desc.folder && t->steps_done > 0 && !t->owes_best && !t->owes_step && born__step_sound(t->step);
}

/* What has been learnt since the last checkpoint is kept, whatever ended it. */
static born_status finish(born_trainer *t, born_status st, born_error *err)
{
    born_error late = { 0 };
    born_status end = born_step_sync(t->step, &late);
    if (!end) end = born__train_plain(t, &late);

    t->event.why = st == BORN_CANCELLED ? BORN_TRAIN_STOPPED : st ? BORN_TRAIN_FAILED
                   : is_hopeless(t) ? BORN_TRAIN_EARLY : BORN_TRAIN_DONE;
    if (!end && is_worth_saving(t, st)) end = born__train_save(t, false, &late);
    if (!end && t->log.count) end = born__train_curves(t, &late);
    (void)born__train_tell(t, BORN_TRAIN_END, st || end ? NULL : &late);
    if (st == BORN_CANCELLED) st = BORN_OK;
    if (!st && end && err) *err = late;
    return st ? st : end;
}

born_status born_trainer_run(born_trainer *t, born_train_result *result, born_error *err)
{
    BORN_FAIL_IF(!t, err, BORN_INVALID, "train: there is no trainer");
    t->began = t->rate_from = born__clock_seconds();
    born_status st = finish(t, train(t, err), err);
    const born_train_event *e = &t->event;
    if (result)
        *result = (born_train_result){ .why = e->why, .epoch = t->epochs_done, .step = t->steps_done, .loss = e->loss,
                                       .metric = e->metric, .valid_loss = t->valid_loss,
                                       .valid_metric = t->valid_metric, .best = t->best, .best_epoch = t->best_epoch,
                                       .seconds = born__train_seconds(t) };
    t->before = born__train_seconds(t);
    t->began = born__clock_seconds();
    return st;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static born_status check_desc(born_trainer_desc *d, born_error *err)
{
    BORN_FAIL_IF(!d->net || !d->optim || !d->train, err, BORN_INVALID,
                 "train: a trainer needs a module, an optimiser and a loader");
    BORN_FAIL_IF(d->epochs < 0 || d->max_steps < 0 || d->keep_last < 0 || d->patience < 0 || d->save_every < 0 ||
                     d->validate_every < 0 || d->validate_batches < 0 || d->callback_count < 0 || d->meta_count < 0 ||
                     !(d->min_delta >= 0),
                 err, BORN_INVALID, "train: an option is negative");
    BORN_FAIL_IF((d->callback_count && !d->callbacks) || (d->meta_count && !d->meta), err, BORN_INVALID,
                 "train: callbacks or texts are counted and not given");
    BORN_FAIL_IF(d->resume && !d->folder, err, BORN_INVALID, "train: there is no folder to resume from");
    int fields = born_loader_field_count(d->train);
    BORN_FAIL_IF(d->valid && born_loader_field_count(d->valid) != fields, err, BORN_INVALID,
                 "train: batches of training have %d fields, those of validation %d", fields,
                 born_loader_field_count(d->valid));
    if (!d->epochs) d->epochs = 1;
    if (!d->keep_last) d->keep_last = 1;
    return BORN_OK;
}

static born_status open(born_trainer *t, born_error *err)
{
    const born_trainer_desc *d = &t->desc;
    const born_step_desc s = { .net = d->net, .optim = d->optim, .loss = d->loss, .user = d->user, .ema = d->ema,
                               .eager = d->eager, .no_scores = !d->metric, .max_bytes = d->max_bytes };

    BORN_TRY(born_step_open(&s, &t->step, err));
    t->field_count = born_loader_field_count(d->train);
    t->field = born__calloc((size_t)t->field_count + 1, sizeof *t->field);
    BORN_FAIL_IF(!t->field, err, BORN_NOMEM, "train: out of memory");
    if (d->resume) BORN_TRY(born__train_resume(t, err)); /* nothing may fail after it */
    t->event.epochs = d->epochs;
    t->event.epoch = t->epochs_done + 1;
    t->event.batches = born_loader_batches(d->train);
    t->event.steps = all_steps(t);
    return BORN_OK;
}

born_status born_trainer_open_sized(const born_trainer_desc *desc, size_t desc_bytes, born_trainer **out,
                                    born_error *err)
{
    born_trainer_desc d = { 0 };

    BORN_FAIL_IF(!out, err, BORN_INVALID, "train: no place for the trainer");
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "train", err));
    BORN_TRY(check_desc(&d, err));
    born_trainer *t = born__calloc(1, sizeof *t);
    BORN_FAIL_IF(!t, err, BORN_NOMEM, "train: out of memory");
    t->desc = d;
    t->best = t->rate = t->valid_loss = t->valid_metric = NAN;
    t->saved_step = -1;
    t->event = (born_train_event){ .loss = NAN, .metric = NAN, .valid_loss = NAN, .valid_metric = NAN,
                                   .metric_name = d.metric ? d.metric_name ? d.metric_name : "metric" : NULL,
                                   .trainer = t };
    born_status st = open(t, err);
    if (st) born_trainer_close(&t);
    *out = t;
    return st;
}

void born_trainer_close(born_trainer **tp)
{
    born_trainer *t = tp ? *tp : NULL;

    if (!t) return;
    *tp = NULL;
    (void)!born__train_plain(t, NULL);
    born_step_close(&t->step);
    born__train_log_close(t);
    born__free(t->field);
    born__free(t);
}

born_step *born_trainer_step(born_trainer *t) { return t ? t->step : NULL; }
