/* The loader: its memory, taken at once when it opens; the caller's side of taking batches; its position. See loader.h
   for the ring and order.h for where orders come from. */
#include "data/loader.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "data/file.h"
#include "graph/model.h"

#define MOST_WORKERS 1024
#define MOST_EPOCH ((int64_t)1 << 62)
#define MOST_MIXUP 4.0

static born_status check_mixup(born_loader *l, born_error *err)
{
    const born_dataset *set = l->set;
    if (!(l->d.mixup != 0)) return BORN_OK;
    bool fits = l->n >= 2 && l->field[0].dtype == BORN_F32 && l->field[1].dtype == BORN_I64 &&
                l->item_bytes[1] == sizeof(int64_t);
    BORN_FAIL_IF(!fits, err, BORN_DTYPE, "loader: mixup needs field 0 to be f32 and field 1 an i64 label");
    if (l->d.classes == 0) l->d.classes = set->d.class_count;
    BORN_FAIL_IF(!(l->d.mixup > 0 && l->d.mixup <= MOST_MIXUP) || l->d.classes < 1 || l->d.classes > INT32_MAX, err,
                 BORN_INVALID, "loader: mixup with alpha %g (up to %g) and %lld classes", l->d.mixup, MOST_MIXUP,
                 (long long)l->d.classes);
    l->field[1].dtype = BORN_F32;
    l->field[1].shape = (born_shape){ 1, { l->d.classes } };
    l->item_bytes[1] = (size_t)l->d.classes * sizeof(float);
    return BORN_OK;
}

static born_status check(born_loader *l, born_error *err)
{
    born_loader_desc *d = &l->d;
    const born_dataset *set = l->set;
    BORN_FAIL_IF(d->batch < 0 || d->workers < 0 || d->workers > MOST_WORKERS || d->prefetch < 0 || d->samples < 0, err,
                 BORN_INVALID, "loader: batch, workers, prefetch or samples is negative, or above %d workers",
                 MOST_WORKERS);
    if (d->batch == 0) d->batch = 1;
    l->items = d->weights != NULL && d->samples > 0 ? d->samples : set->d.count;
    BORN_FAIL_IF(set->d.count == 0, err, BORN_INVALID, "loader: the set is empty");
    l->batches = l->items / d->batch + (!d->drop_last && l->items % d->batch != 0);
    BORN_FAIL_IF(l->batches == 0, err, BORN_INVALID, "loader: %lld items do not fill a batch of %lld, and drop_last "
                 "leaves nothing else", (long long)l->items, (long long)d->batch);
    l->n = set->d.field_count;
    memcpy(l->field, set->d.fields, (size_t)l->n * sizeof *l->field);
    memcpy(l->item_bytes, set->item_bytes, (size_t)l->n * sizeof *l->item_bytes);
    return check_mixup(l, err);
}

/* A running size: false once it overflowed. */
static bool add_product(size_t *sum, size_t count, size_t size)
{
    size_t bytes;
    return born__mul_size(count, size, &bytes) && bytes <= PTRDIFF_MAX &&
           born__add_size(*sum, born__scratch_round(bytes), sum);
}

/* What all of it takes, compared with the limit before any is taken. */
static born_status measure(born_loader *l, size_t *slot_bytes, born_error *err)
{
    size_t rows = (size_t)(l->items < l->d.batch ? l->items : l->d.batch), workers = (size_t)l->d.workers;
    int64_t ahead = l->d.prefetch > 0 ? l->d.prefetch : 2 * (int64_t)l->d.workers;
    bool ok = true;
    *slot_bytes = 0;
    for (int k = 0; k < l->n && ok; k++) ok = add_product(slot_bytes, rows, l->item_bytes[k]);
    if (l->d.mixup > 0) ok = ok && add_product(slot_bytes, rows, sizeof(int64_t));
    l->slot_count = workers > 0 ? ahead + 1 : 1;
    l->scratch_each = born__scratch_round(l->set->d.scratch_bytes);
    size_t orders = l->d.shuffle || l->d.weights != NULL ? (size_t)l->items : 0;
    ok = ok && *slot_bytes <= PTRDIFF_MAX && (orders == 0 || (uint64_t)l->items <= PTRDIFF_MAX / sizeof(int64_t));
    ok = ok && add_product(&l->bytes, (size_t)l->slot_count, *slot_bytes + sizeof(born_slot)) &&
         add_product(&l->bytes, workers > 0 ? workers : 1, l->scratch_each) &&
         add_product(&l->bytes, orders, 2 * sizeof(int64_t)) &&
         add_product(&l->bytes, l->d.weights != NULL ? (size_t)l->set->d.count : 0, sizeof(double));
    BORN_FAIL_IF(!ok || l->bytes > born__data_limit(l->d.max_bytes), err, BORN_NOMEM,
                 "loader: %lld batches of %lld items, with their order, are above the limit of %zu bytes",
                 (long long)l->slot_count, (long long)l->d.batch, born__data_limit(l->d.max_bytes));
    return BORN_OK;
}

static born_status take_weights(born_loader *l, born_error *err)
{
    double sum = 0;
    if (l->d.weights == NULL) return BORN_OK;
    l->running = born__calloc((size_t)l->set->d.count, sizeof *l->running);
    BORN_FAIL_IF(l->running == NULL, err, BORN_NOMEM, "loader: no memory for its weights");
    for (int64_t i = 0; i < l->set->d.count; i++) {
        double w = l->d.weights[i];
        BORN_FAIL_IF(!(w >= 0) || !isfinite(w), err, BORN_INVALID, "loader: weight %lld is %g", (long long)i, w);
        sum += w;
        l->running[i] = sum;
    }
    BORN_FAIL_IF(!(sum > 0) || !isfinite(sum), err, BORN_INVALID, "loader: the weights sum to %g", sum);
    return BORN_OK;
}

static born_status take_memory(born_loader *l, size_t slot_bytes, born_error *err)
{
    size_t rows = (size_t)(l->items < l->d.batch ? l->items : l->d.batch);
    size_t workers = l->d.workers > 0 ? (size_t)l->d.workers : 1;
    bool ordered = l->d.shuffle || l->d.weights != NULL;
    BORN_TRY(take_weights(l, err));
    for (int i = 0; i < 2; i++) {
        l->order_epoch[i] = -1;
        if (ordered) l->order[i] = born__calloc((size_t)l->items, sizeof *l->order[i]);
    }
    l->slot = born__calloc((size_t)l->slot_count, sizeof *l->slot);
    l->memory = born__alloc((size_t)l->slot_count * slot_bytes);
    l->scratch = born__alloc(workers * l->scratch_each);
    BORN_FAIL_IF(l->slot == NULL || l->memory == NULL || l->scratch == NULL ||
                     (ordered && (l->order[0] == NULL || l->order[1] == NULL)),
                 err, BORN_NOMEM, "loader: no memory for its %zu bytes", l->bytes);
    for (int64_t i = 0; i < l->slot_count; i++) {
        char *p = l->memory + (size_t)i * slot_bytes;
        for (int k = 0; k < l->n; k++) {
            l->slot[i].field[k] = p;
            p += born__scratch_round(rows * l->item_bytes[k]);
        }
        if (l->d.mixup > 0) l->slot[i].label = (int64_t *)(void *)p;
    }
    return BORN_OK;
}

born_status born_loader_open_sized(born_dataset *set, const born_loader_desc *desc, size_t desc_bytes,
                                   born_loader **out, born_error *err)
{
    size_t slot_bytes = 0;
    *out = NULL;
    BORN_FAIL_IF(set == NULL, err, BORN_INVALID, "loader: no set");
    born_loader *l = born__calloc(1, sizeof *l);
    BORN_FAIL_IF(l == NULL, err, BORN_NOMEM, "loader: no memory");
    l->set = born__dataset_keep(set);
    born_status st = born__desc_check(desc, desc_bytes, &l->d, sizeof l->d, "loader", err);
    if (st == BORN_OK) st = check(l, err);
    if (st == BORN_OK) st = measure(l, &slot_bytes, err);
    if (st == BORN_OK) st = take_memory(l, slot_bytes, err);
    l->d.weights = NULL;
    if (st != BORN_OK) {
        born_loader_close(&l);
        return st;
    }
    born__crew_open(l, l->d.workers);
    *out = l;
    return BORN_OK;
}

void born_loader_close(born_loader **loader)
{
    if (loader == NULL || *loader == NULL) return;
    born_loader *l = *loader;
    *loader = NULL;
    born__crew_close(l);
    for (int i = 0; i < 2; i++) born__free(l->order[i]);
    born__free(l->running);
    born__free(l->slot);
    born__free(l->memory);
    born__free(l->scratch);
    born_dataset_close(&l->set);
    born__free(l);
}

static void give(const born_loader *l, const born_slot *s, born_array *fields, int n)
{
    for (int k = 0; k < n; k++) {
        const born_shape *one = &l->field[k].shape;
        fields[k] = (born_array){ l->field[k].dtype, { one->rank + 1, { s->rows } }, s->field[k],
                                  (size_t)s->rows * l->item_bytes[k] };
        for (int i = 0; i < one->rank; i++) fields[k].shape.dim[i + 1] = one->dim[i];
    }
}

static const born_slot *take(born_loader *l)
{
    const born_slot *s = &l->slot[l->next % l->slot_count];
    if (l->crew != NULL) {
        born__crew_wait(l);
        return s;
    }
    born__loader_order(l, l->next / l->batches);
    born__loader_fill(l, &l->slot[l->next % l->slot_count], l->next, l->scratch);
    l->next++;
    return s;
}

bool born_loader_next(born_loader *l, born_array *fields, int n)
{
    if (l == NULL || l->err.status != BORN_OK) return false;
    if (n < 0 || n > l->n || (n > 0 && fields == NULL)) {
        (void)born__fail(&l->err, BORN_INVALID, "loader: %d fields asked for, a batch has %d", n, l->n);
        return false;
    }
    if (l->crew != NULL) born__crew_release(l);
    if (l->end_due) {
        l->end_due = false;
        return false;
    }
    const born_slot *s = take(l);
    if (s->err.status != BORN_OK) {
        l->err = s->err;
        l->failed = true;
        return false;
    }
    l->end_due = l->next % l->batches == 0;
    give(l, s, fields, n);
    return true;
}

born_status born_loader_status(const born_loader *l, born_error *err)
{
    BORN_FAIL_IF(l == NULL, err, BORN_INVALID, "loader: none");
    if (err != NULL && l->err.status != BORN_OK) *err = l->err;
    return l->err.status;
}

int64_t born_loader_batches(const born_loader *l)
{
    return l != NULL ? l->batches : 0;
}

int born_loader_field_count(const born_loader *l)
{
    return l != NULL ? l->n : 0;
}

born_status born_loader_field(const born_loader *l, int i, born_field *out)
{
    if (l == NULL || i < 0 || i >= l->n) return BORN_RANGE;
    *out = l->field[i];
    return BORN_OK;
}

size_t born_loader_memory(const born_loader *l)
{
    return l != NULL ? l->bytes : 0;
}

void born_loader_position_get(const born_loader *l, born_loader_position *out)
{
    int64_t at = l->next - (l->failed ? 1 : 0);         /* a batch that failed may be tried again */
    *out = (born_loader_position){ .seed = l->d.seed, .epoch = at / l->batches, .batch = at % l->batches,
                                   .batch_size = l->d.batch, .item_count = l->items };
    if (l->end_due) {           /* the end of the epoch is still to be told */
        out->epoch--;
        out->batch = l->batches;
    }
}

static void move(born_loader *l, const void *arg)
{
    const born_loader_position *p = arg;
    if (l->d.seed != p->seed) l->order_epoch[0] = l->order_epoch[1] = -1;
    l->d.seed = p->seed;
    l->next = p->epoch * l->batches + p->batch;
    l->holding = false;
    l->end_due = p->batch == l->batches;
    l->failed = false;
    l->err = (born_error){ .status = BORN_OK };
}

born_status born_loader_position_set(born_loader *l, const born_loader_position *p, born_error *err)
{
    BORN_FAIL_IF(l == NULL || p == NULL, err, BORN_INVALID, "loader: no loader or no position");
    BORN_FAIL_IF(p->batch_size != l->d.batch || p->item_count != l->items, err, BORN_MISMATCH,
                 "loader: the position is of batches of %lld from %lld items, this loader has %lld from %lld",
                 (long long)p->batch_size, (long long)p->item_count, (long long)l->d.batch, (long long)l->items);
    BORN_FAIL_IF(p->epoch < 0 || p->epoch >= MOST_EPOCH / l->batches || p->batch < 0 || p->batch > l->batches, err,
                 BORN_RANGE, "loader: batch %lld of epoch %lld, an epoch has %lld", (long long)p->batch,
                 (long long)p->epoch, (long long)l->batches);
    if (l->crew != NULL)
        born__crew_restart(l, move, p);
    else
        move(l, p);
    return BORN_OK;
}
