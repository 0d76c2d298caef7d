/* Writing checkpoints of training: `.born` files of the module's tensors ("model."), what the optimiser remembers
   ("optim."), gradients that gather ("grad."), the average ("ema."), the schedule's numbers, and the trainer's own
   counts; files step-<n>.born and best.born in the trainer's folder. trainer_load.c reads them. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "tensor/view.h"
#include "train/trainer_file.h"

/* ---- what a checkpoint holds ------------------------------------------------------------------------------------- */

static void *keep(train_filling *f, const void *p, size_t bytes)
{
    void *own = born__alloc(bytes ? bytes : 1);

    if (own && !born__grow((void **)&f->heap, &f->heap_cap, f->heap_count + 1, sizeof *f->heap)) {
        born__free(own);
        own = NULL;
    }
    if (!own) {
        f->status = born__fail(f->err, BORN_NOMEM, "train: no memory for a checkpoint");
        return NULL;
    }
    if (p && bytes) memcpy(own, p, bytes);
    f->heap[f->heap_count++] = own;
    return own;
}

static bool put(train_filling *f, const char *group, const char *path, const born_array *a)
{
    char name[NAME_MOST];

    int n = snprintf(name, sizeof name, "%s%s", group, path);
    if (!f->status && (n < 0 || n >= NAME_MOST))
        f->status = born__fail(f->err, BORN_RANGE, "train: the name of %.100s is too long for a checkpoint", path);
    if (!f->status) f->status = born_checkpoint_put(f->c, name, a, f->err);
    return !f->status;
}

static bool put_tensor(train_filling *f, const char *group, const char *path, born_tensor x)
{
    const born_view *v = &born__handle_node(x)->view;
    born_array a = { .dtype = v->dtype, .shape = born_shape_of(x), .data = v->data };

    a.bytes = (size_t)born__view_bytes(v);
    if (!v->data || !born__view_contiguous(v)) {
        void *own = keep(f, NULL, a.bytes);
        if (!own) return false;
        a.data = own;
        if ((born_read)(x, own, a.bytes)) {
            f->status = born__fail(f->err, BORN_STATE, "train: %.100s could not be read", path);
            return false;
        }
    }
    return put(f, group, path, &a);
}

static bool put_module(void *user, const born_module_item *item)
{
    return item->role == BORN_SCRATCH || item->again || put_tensor(user, "model.", item->path, item->value);
}

static bool put_optim(void *user, const born_optim_item *item)
{
    if (item->value.w) return put_tensor(user, "optim.", item->path, item->value);
    const double *own = keep(user, &item->number, sizeof item->number);
    return own && put(user, "optim.", item->path, &(born_array){ BORN_F64, { 0 }, own, sizeof *own });
}

/* What gathers until the optimiser steps. */
static bool put_gradient(void *user, const born_module_item *item)
{
    born_tensor g = item->role == BORN_PARAM && !item->again ? (born_grad_of)(item->value) : (born_tensor){ 0 };
    return !g.w || put_tensor(user, "grad.", item->path, g);
}

static bool put_average(void *user, const born_module_item *item)
{
    const train_filling *f = user;
    born_tensor mean = born_ema_find(f->t->desc.ema, item->path);
    return item->again || !mean.w || put_tensor(user, "ema.", item->path, mean);
}

void born__train_counts_of(const born_trainer *t, count_row *row)
{
    born_loader_position p;

    born_loader_position_get(t->desc.train, &p);
    const count_row now[C_COUNTS] = {
        { "train.epochs_done", t->epochs_done },    { "train.steps_done", t->steps_done },
        { "train.epoch_over", t->epoch_over },      { "train.best_epoch", t->best_epoch },
        { "train.epochs_without_better", t->without_better }, { "train.epoch_items", t->sums.items },
        { "train.epoch_metric_items", t->sums.metric_items },
        { "train.seed", (int64_t)t->desc.net->root->desc.seed }, { "loader.seed", (int64_t)p.seed },
        { "loader.epoch", p.epoch },                { "loader.batch", p.batch },
        { "loader.batch_size", p.batch_size },      { "loader.items", p.item_count },
        { "ema.updates", t->desc.ema ? born_ema_updates(t->desc.ema) : 0 },
        { "train.owes_check", t->owes_check },
    };
    memcpy(row, now, sizeof now);
}

static born_status fill_counts(train_filling *f)
{
    const born_trainer *t = f->t;
    count_row row[C_COUNTS];
    const double numbers[N_NUMBERS] = { t->best, t->sums.loss, t->sums.metric, born__train_seconds(t), t->valid_loss,
                                        t->valid_metric };
    double sched[SCHED_MOST];

    born__train_counts_of(t, row);
    for (int i = 0; i < C_COUNTS; i++) BORN_TRY(born_checkpoint_put_int(f->c, row[i].key, row[i].value, f->err));
    const double *own = keep(f, numbers, sizeof numbers);
    if (!own || !put(f, "train.", "numbers", &(born_array){ BORN_F64, BORN_SHAPE(N_NUMBERS), own, 0 }))
        return f->status;
    if (t->desc.sched) {
        int n = born_sched_save(t->desc.sched, sched, SCHED_MOST);
        BORN_FAIL_IF(n > SCHED_MOST, f->err, BORN_UNSUPPORTED, "train: the schedule has %d numbers", n);
        own = keep(f, sched, (size_t)n * sizeof *sched);
        if (!own || !put(f, "sched.", "numbers", &(born_array){ BORN_F64, BORN_SHAPE(n), own, 0 })) return f->status;
    }
    for (int i = 0; i < t->desc.meta_count; i++) {
        char key[NAME_MOST];
        const char *text = t->desc.meta[2 * i + 1];
        snprintf(key, sizeof key, "meta.%s", t->desc.meta[2 * i]);
        BORN_TRY(born_checkpoint_put_text(f->c, key, text, strlen(text), f->err));
    }
    return BORN_OK;
}

born_status born__train_fill(train_filling *f)
{
    const born_trainer *t = f->t;
    const char *kind = t->desc.optim->row->name;

    BORN_TRY(born_checkpoint_new(&f->c, f->err));
    BORN_TRY(born_checkpoint_put_text(f->c, "optim.kind", kind, strlen(kind), f->err));
    BORN_TRY(born_module_each(t->desc.net, put_module, f));
    BORN_TRY(f->status);
    if (!put_tensor(f, "random.", "step", born__module_step(t->desc.net))) return f->status;
    BORN_TRY(born_optim_each(t->desc.optim, put_optim, f));
    BORN_TRY(f->status);
    if (t->desc.optim->micro > 0) BORN_TRY(born_module_each(t->desc.net, put_gradient, f));
    BORN_TRY(f->status);
    if (t->desc.ema) BORN_TRY(born_module_each(t->desc.net, put_average, f));
    BORN_TRY(f->status);
    return fill_counts(f);
}

void born__train_empty(train_filling *f)
{
    born_checkpoint_close(&f->c);
    for (size_t i = 0; i < f->heap_count; i++) born__free(f->heap[i]);
    born__free(f->heap);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

born_status born__train_path_in(const born_trainer *t, const char *name, char *path, born_error *err)
{
    int n = snprintf(path, PATH_MOST, "%s/%s", t->desc.folder, name);
    BORN_FAIL_IF(n < 0 || n >= PATH_MOST, err, BORN_INVALID, "train: the folder's path is too long");
    return BORN_OK;
}

/* The step of a checkpoint's name, -1 for other names. */
static int64_t step_of(const char *name)
{
    int64_t step = 0;
    int digits = 0;

    if (strncmp(name, "step-", 5) != 0) return -1;
    for (name += 5; *name >= '0' && *name <= '9' && digits < 18; name++, digits++) step = 10 * step + (*name - '0');
    return digits > 0 && !strcmp(name, ".born") ? step : -1;
}

/* The checkpoint with the largest step below `below`, -1: none. The count of all in *count. */
int64_t born__train_newest_below(const born_trainer *t, int64_t below, int *count, int64_t *oldest)
{
    DIR *d = opendir(t->desc.folder);
    int64_t best = -1;

    *count = 0;
    *oldest = -1;
    for (const struct dirent *e; d && (e = readdir(d));) {
        int64_t step = step_of(e->d_name);
        if (step < 0) continue;
        (*count)++;
        if (*oldest < 0 || step < *oldest) *oldest = step;
        if (step < below && step > best) best = step;
    }
    if (d) closedir(d);
    return best;
}

void born__train_step_name(int64_t step, char *name, size_t n)
{
    snprintf(name, n, "step-%08lld.born", (long long)step);
}

static void drop_old(const born_trainer *t)
{
    char name[64], path[PATH_MOST];
    int count;
    int64_t oldest;

    while (born__train_newest_below(t, INT64_MAX, &count, &oldest) >= 0 && count > t->desc.keep_last) {
        born__train_step_name(oldest, name, sizeof name);
        if (born__train_path_in(t, name, path, NULL) || unlink(path)) return;
    }
}

born_status born__train_folder(const born_trainer *t, born_error *err)
{
    char part[PATH_MOST];
    const char *path = t->desc.folder;
    size_t n = strlen(path);

    BORN_FAIL_IF(n == 0 || n >= sizeof part, err, BORN_INVALID, "train: the folder's path is empty or too long");
    for (size_t i = 1; i <= n; i++) {
        if (path[i] && path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        BORN_FAIL_IF(mkdir(part, 0777) && errno != EEXIST, err, BORN_IO, "train: folder %.120s: %s", part,
                     strerror(errno));
    }
    return BORN_OK;
}

born_status born__train_save(born_trainer *t, bool best, born_error *err)
{
    train_filling f = { .t = t, .err = err };
    char name[64] = "best.born", path[PATH_MOST];

    if (!t->desc.folder) return BORN_OK;
    BORN_TRY(born_step_sync(t->step, err));
    if (!best) born__train_step_name(t->steps_done, name, sizeof name);
    BORN_TRY(born__train_path_in(t, name, path, err));
    BORN_TRY(born__train_folder(t, err));
    born_status st = born__train_fill(&f);
    if (!st) st = born_checkpoint_write(f.c, path, err);
    born__train_empty(&f);
    if (st) return st;
    if (!best) t->saved_step = t->steps_done;
    if (!best) drop_old(t);
    t->event.path = path;
    bool was = t->event.best;
    t->event.best = best;
    st = born__train_tell(t, BORN_TRAIN_SAVED, err);
    t->event.best = was;
    t->event.path = NULL;
    return st;
}
