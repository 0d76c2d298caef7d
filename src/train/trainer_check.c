/* Validation, and what counts as better. */
#include <math.h>

#include "train/trainer.h"

/* Scores [..., C] and integer targets [...] as the rows a metric of classes takes; others as they are. */
static void as_rows(born_array *scores, born_array *targets)
{
    int64_t rows = 1;
    bool classes = targets->dtype == BORN_I64 || targets->dtype == BORN_I32;

    if (!classes || scores->shape.rank != targets->shape.rank + 1 || targets->shape.rank < 2) return;
    for (int d = 0; d < targets->shape.rank; d++) rows *= targets->shape.dim[d];
    scores->shape = BORN_SHAPE(rows, scores->shape.dim[scores->shape.rank - 1]);
    targets->shape = BORN_SHAPE(rows);
}

/* NaN where the metric cannot look at this batch, as at the mixed classes of mixup. */
static double metric_of(born_trainer *t, const born_array *scores, bool alone)
{
    born_metric *m = t->desc.metric;
    born_array y = scores ? *scores : (born_array){ 0 }, target;

    if (!m || !y.data || t->field_count < 2) return NAN;
    target = t->field[1];
    as_rows(&y, &target);
    if (alone) born_metric_reset(m);
    if (born_metric_add(m, y, target, NULL)) return NAN;
    return born_metric_value(m);
}

double born__train_mean(double sum, int64_t items) { return items > 0 ? sum / (double)items : NAN; }

void born__train_add(born_trainer *t, train_sums *s, double loss, const born_array *scores, double *loss_of,
                     double *metric)
{
    int64_t items = t->field[0].shape.rank > 0 ? t->field[0].shape.dim[0] : 1;
    double m = metric_of(t, scores, true);

    s->loss += loss * (double)items;
    s->items += items;
    if (!isnan(m)) s->metric += m * (double)items, s->metric_items += items;
    *loss_of = loss;
    *metric = m;
}

static born_status validate(born_trainer *t, train_sums *s, born_error *err)
{
    int64_t total = born_loader_batches(t->desc.valid), done = 0;
    born_loader_position start;
    born_array scores;
    double loss;

    born_loader_position_get(t->desc.valid, &start);
    start.epoch = start.batch = 0; /* every validation sees the same */
    BORN_TRY(born_loader_position_set(t->desc.valid, &start, err));
    if (t->desc.metric) born_metric_reset(t->desc.metric);
    if (t->desc.validate_batches > 0 && t->desc.validate_batches < total) total = t->desc.validate_batches;
    while (done < total && born_loader_next(t->desc.valid, t->field, t->field_count)) {
        BORN_TRY(born_step_evaluate(t->step, t->field, t->field_count, &loss, &scores, err));
        int64_t items = t->field[0].shape.rank > 0 ? t->field[0].shape.dim[0] : 1;
        s->loss += loss * (double)items;
        s->items += items;
        s->metric = metric_of(t, &scores, false);
        t->event.done = ++done;
        t->event.total = total;
        BORN_TRY(born__train_tell(t, BORN_TRAIN_VALIDATE, err));
        BORN_FAIL_IF(born__train_stopping(t), err, BORN_CANCELLED, "train: stopped");
    }
    return born_loader_status(t->desc.valid, err);
}

static born_status swap_average(born_trainer *t, born_error *err)
{
    born_status st = t->desc.ema && born_ema_updates(t->desc.ema) ? born_ema_swap(t->desc.ema) : BORN_OK;
    BORN_FAIL_IF(st, err, st, "train: the averaged weights could not be exchanged");
    return BORN_OK;
}

born_status born__train_validate(born_trainer *t, born_error *err)
{
    train_sums s = { .metric = NAN };
    born_error later = { 0 };

    t->valid_loss = t->valid_metric = NAN;
    if (!t->desc.valid) return BORN_OK;
    BORN_TRY(born_step_sync(t->step, err));
    BORN_TRY(swap_average(t, err));
    born_status st = validate(t, &s, err);
    born_status back = swap_average(t, st ? &later : err);
    if (st || back) return st ? st : back;
    t->valid_loss = born__train_mean(s.loss, s.items);
    t->valid_metric = s.metric;
    return BORN_OK;
}

double born__train_target(const born_trainer *t)
{
    double loss = born__train_mean(t->sums.loss, t->sums.items);

    if (t->desc.valid) return t->desc.metric ? t->valid_metric : t->valid_loss;
    return t->desc.metric && t->sums.metric_items ? born__train_mean(t->sums.metric, t->sums.metric_items) : loss;
}

bool born__train_better(const born_trainer *t, double value)
{
    bool down = !t->desc.metric || t->desc.metric_down;

    if (isnan(value)) return false;
    if (isnan(t->best)) return true;
    return down ? value < t->best - t->desc.min_delta : value > t->best + t->desc.min_delta;
}
