/* Reading checkpoints of training. One changes module, optimiser and trainer only when all of it fits: what they held
   is kept aside and put back otherwise. */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "train/trainer_file.h"

/* averages: they take the place of the parameters they are of, where there are any. */
static born_status load_module(born_checkpoint *c, bool averages, born_module *net, born_error *err)
{
    int64_t count = born_checkpoint_count(c), used = 0;
    char average[NAME_MOST];
    born_named_array *a = born__calloc((size_t)count + 1, sizeof *a);

    BORN_FAIL_IF(!a, err, BORN_NOMEM, "train: no memory for %lld names", (long long)count);
    born_status st = BORN_OK;
    for (int64_t i = 0; i < count && !st; i++) {
        const char *name;
        st = born_checkpoint_at(c, i, &name, &a[used].value, err);
        if (st || strncmp(name, "model.", 6) != 0) continue;
        snprintf(average, sizeof average, "ema.%s", name + 6);
        if (averages) (void)!born_checkpoint_get(c, average, &a[used].value, NULL);
        a[used++].name = name + 6;
    }
    const born_load_desc d = { .allow_missing = false };
    if (!st) st = born_module_load_arrays(net, a, used, &d, err);
    born__free(a);
    return st;
}

static born_status load_optim(const born_trainer *t, born_checkpoint *c, born_error *err)
{
    const char *kind;
    size_t n;

    BORN_TRY(born_checkpoint_text(c, "optim.kind", &kind, &n, err));
    BORN_FAIL_IF(strcmp(kind, t->desc.optim->row->name) != 0, err, BORN_MISMATCH,
                 "the checkpoint is of the optimiser %.40s, not %s", kind, t->desc.optim->row->name);
    for (int64_t i = 0; i < born_checkpoint_count(c); i++) {
        const char *name;
        born_array a;
        BORN_TRY(born_checkpoint_at(c, i, &name, &a, err));
        if (strncmp(name, "optim.", 6) != 0) continue;
        born_status st = born_optim_restore(t->desc.optim, name + 6, a);
        if (st) born_backend_take_error(born_optim_backend(t->desc.optim), err);
        if (st) return st;
    }
    return BORN_OK;
}

typedef struct reading {
    born_checkpoint *c;
    const born_ema *ema;
    born_status status;
    born_error *err;
} reading;

static bool load_average(void *user, const born_module_item *item)
{
    reading *r = user;
    char name[NAME_MOST];
    born_array a;
    born_tensor mean = born_ema_find(r->ema, item->path);

    if (item->again || !mean.w) return true;
    snprintf(name, sizeof name, "ema.%s", item->path);
    r->status = born_checkpoint_get(r->c, name, &a, r->err);
    if (r->status) return false;
    born_shape s = born_shape_of(mean);
    bool same = s.rank == a.shape.rank && a.dtype == born_dtype_of(mean);
    for (int d = 0; same && d < s.rank; d++) same = s.dim[d] == a.shape.dim[d];
    if (!same) r->status = born__fail(r->err, BORN_MISMATCH, "the checkpoint's %.100s has another shape", name);
    else if ((born_write)(mean, a.data, a.bytes))
        r->status = born__fail(r->err, BORN_STATE, "%.100s: not written", name);
    return !r->status;
}

static born_status numbers_in(const born_checkpoint *c, const char *name, double *out, int most, int *n,
                              born_error *err)
{
    born_array a;

    BORN_TRY(born_checkpoint_get(c, name, &a, err));
    BORN_FAIL_IF(a.dtype != BORN_F64 || a.shape.rank != 1 || a.shape.dim[0] > most, err, BORN_FORMAT,
                 "the checkpoint's %s are no list of numbers", name);
    *n = (int)a.shape.dim[0];
    if (*n) memcpy(out, a.data, (size_t)*n * sizeof *out);
    return BORN_OK;
}

/* The trainer's own part, checked before anything is changed. */
static born_status load_counts(born_trainer *t, born_checkpoint *c, born_error *err)
{
    count_row row[C_COUNTS];
    double number[N_NUMBERS], sched[SCHED_MOST];
    int n = 0;

    born__train_counts_of(t, row);
    for (int i = 0; i < C_COUNTS; i++) BORN_TRY(born_checkpoint_int(c, row[i].key, &row[i].value, err));
    BORN_TRY(numbers_in(c, "train.numbers", number, N_NUMBERS, &n, err));
    bool good = n == N_NUMBERS && row[C_WITHOUT].value < 1 << 30;
    for (int i = 0; i < C_COUNTS; i++) /* counting on from them must not overflow; seeds are any number */
        good = good && (i == C_SEED || i == C_L_SEED || (row[i].value >= 0 && row[i].value < (int64_t)1 << 52));
    BORN_FAIL_IF(!good, err, BORN_FORMAT, "the checkpoint's counts are not those of a training");
    const born_loader_position p = { .seed = (uint64_t)row[C_L_SEED].value, .epoch = row[C_L_EPOCH].value,
                                     .batch = row[C_L_BATCH].value, .batch_size = row[C_L_SIZE].value,
                                     .item_count = row[C_L_ITEMS].value };
    BORN_TRY(born_loader_position_set(t->desc.train, &p, err));
    if (t->desc.sched) {
        BORN_TRY(numbers_in(c, "sched.numbers", sched, SCHED_MOST, &n, err));
        born_status st = born_sched_restore(t->desc.sched, sched, n);
        if (st) born_backend_take_error(born_optim_backend(t->desc.optim), err);
        if (st) return st;
    }
    if (t->desc.ema) born__ema_set_updates(t->desc.ema, row[C_EMA].value);
    t->desc.net->root->desc.seed = (uint64_t)row[C_SEED].value;
    t->epochs_done = row[C_EPOCHS].value, t->steps_done = row[C_STEPS].value;
    t->epoch_over = row[C_EPOCH_OVER].value != 0;
    t->owes_check = row[C_CHECK].value != 0;
    t->best_epoch = row[C_BEST_EPOCH].value, t->without_better = (int)row[C_WITHOUT].value;
    t->sums = (train_sums){ number[N_LOSS], number[N_METRIC], row[C_ITEMS].value, row[C_METRIC_ITEMS].value };
    t->best = number[N_BEST], t->before = number[N_SECONDS];
    t->valid_loss = number[N_VALID_LOSS], t->valid_metric = number[N_VALID_METRIC];
    return BORN_OK;
}

/* Gradients that were gathering, in place of those there are. */
static bool load_gradient(void *user, const born_module_item *item)
{
    reading *r = user;
    char name[NAME_MOST];
    born_array a;

    if (item->role != BORN_PARAM || item->again) return true;
    snprintf(name, sizeof name, "grad.%s", item->path);
    if (born_checkpoint_get(r->c, name, &a, NULL)) {
        (born_grad_clear)(item->value);
        return true;
    }
    born_backend *b = born_backend_of(item->value);
    born_tensor g = (born_from)(b, a, BORN_DTYPE_NONE, NULL);
    if (!born_is_alive(g) || (born_grad_set)(item->value, g)) {
        born_error e = { 0 };
        born_backend_take_error(b, &e);
        if (r->err) *r->err = e;
        r->status = e.status ? e.status : BORN_STATE;
    }
    return !r->status;
}

static born_status load_gradients(const born_trainer *t, reading *r)
{
    born_scope s = born_scope_begin(born_module_backend(t->desc.net));
    born_status st = born_module_each(t->desc.net, load_gradient, r);

    born_scope_end(s);
    return st ? st : r->status;
}

static born_status load_all(born_trainer *t, born_checkpoint *c, bool counts, born_error *err)
{
    born_array step;
    born_tensor mine = born__module_step(t->desc.net);
    reading r = { .c = c, .ema = t->desc.ema, .err = err };

    BORN_TRY(load_module(c, false, t->desc.net, err));
    BORN_TRY(born_checkpoint_get(c, "random.step", &step, err));
    BORN_FAIL_IF(step.dtype != BORN_I64 || step.shape.rank != 0, err, BORN_FORMAT,
                 "the checkpoint's random.step is no integer");
    BORN_TRY(load_optim(t, c, err));
    if (r.ema) BORN_TRY(born_module_each(t->desc.net, load_average, &r));
    BORN_TRY(r.status);
    if (counts) BORN_TRY(load_gradients(t, &r));
    if (counts) BORN_TRY(load_counts(t, c, err));
    born_status st = (born_write)(mine, step.data, step.bytes);
    BORN_FAIL_IF(st, err, st, "random.step could not be written");
    born_step_changed(t->step);
    return BORN_OK;
}

/* Reads a checkpoint into everything, or leaves everything as it is. */
static born_status load_or_leave(born_trainer *t, const char *path, bool counts, born_error *err)
{
    born_checkpoint *c = NULL;
    born_error ignored;
    train_undo before;

    BORN_TRY(born_checkpoint_open(path, BORN_COPY, &c, err));
    born_status st = born__train_undo_begin(&before, t, err);
    bool begun = !st;
    if (begun) st = load_all(t, c, counts, err);
    if (begun && st) born__train_undo(&before, t);
    if (st) born_backend_take_error(born_optim_backend(t->desc.optim), &ignored);
    born__train_undo_end(&before);
    born_checkpoint_close(&c);
    return st;
}

born_status born__train_resume(born_trainer *t, born_error *err)
{
    char name[64], path[PATH_MOST];
    int count;
    int64_t oldest, step = INT64_MAX;
    born_error first = { 0 };

    while ((step = born__train_newest_below(t, step, &count, &oldest)) >= 0) {
        born_error e = { 0 };
        born__train_step_name(step, name, sizeof name);
        BORN_TRY(born__train_path_in(t, name, path, err));
        born_status st = load_or_leave(t, path, true, &e);
        if (!st) t->saved_step = t->steps_done;
        if (!st) return BORN_OK;
        born__error_prefix(&e, "%.80s", path);
        if (!first.status) first = e;
        if (st != BORN_IO && st != BORN_FORMAT) break; /* whole, but not of this training */
    }
    if (first.status && err) *err = first;
    return first.status;
}

born_status born_trainer_best(born_trainer *t, born_error *err)
{
    char path[PATH_MOST];

    BORN_FAIL_IF(!t || !t->desc.folder, err, BORN_INVALID, "train: there is no folder with a best checkpoint");
    BORN_TRY(born__train_path_in(t, "best.born", path, err));
    BORN_FAIL_IF(access(path, F_OK), err, BORN_INVALID, "train: there is no %.150s", path);
    BORN_TRY(born_step_sync(t->step, err));
    return load_or_leave(t, path, false, err);
}

born_status born__train_weights(born_checkpoint *c, born_module *net, born_error *err)
{
    int64_t updates = 0;
    bool averages = born_checkpoint_int(c, "ema.updates", &updates, NULL) == BORN_OK && updates > 0;
    return load_module(c, averages, net, err);
}

born_status born_trainer_load(const char *path, born_module *net, born_error *err)
{
    born_checkpoint *c = NULL;

    BORN_FAIL_IF(!path || !net || !net->root, err, BORN_INVALID, "train: no path, or no module that is alive");
    BORN_TRY(born_checkpoint_open(path, BORN_COPY, &c, err));
    born_status st = born__train_weights(c, net, err);
    born_checkpoint_close(&c);
    return st;
}
