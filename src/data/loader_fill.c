/* One batch: items fetched row by row into the slot, mixed if asked for, and given to the user's collate. Everything
   here is a function of (seed, epoch, batch) and the set, whichever thread runs it. */
#include <string.h>

#include "base/error.h"
#include "base/fpenv.h"
#include "data/loader.h"
#include "data/order.h"
#include "ops/math64.h"

void born__loader_order(born_loader *l, int64_t epoch)
{
    int64_t *order = l->order[epoch & 1];
    if (order == NULL || l->order_epoch[epoch & 1] == epoch) return;
    uint64_t key = born__draw_key(BORN_DRAW_ORDER, l->d.seed, (uint64_t)epoch, 0);
    if (l->running != NULL)
        born__draw_weighted(key, l->running, l->set->d.count, order, l->items);
    else
        born__shuffle(key, order, l->items);
    l->order_epoch[epoch & 1] = epoch;
}

/* Beta(a, a) by M. Jöhnk's method (1964), which needs no normal deviates; a <= 4 keeps the tries few. */
static double draw_beta(uint64_t key, double a)
{
    for (uint64_t i = 0; i < 10000; i++) {
        double x = born__pow_f64(born__draw_unit(key, 2 * i), 1 / a);
        double y = born__pow_f64(born__draw_unit(key, 2 * i + 1), 1 / a);
        if (x + y > 0 && x + y <= 1) return x / (x + y);
    }
    return 0.5;
}

/* H. Zhang et al., "mixup: beyond empirical risk minimization" (2018). Item i is mixed with item B - 1 - i: in a
   shuffled batch that is a random one, and pairs can be mixed in place. */
static void mix(const born_loader *l, born_slot *s, uint64_t key)
{
    float lambda = (float)draw_beta(key, l->d.mixup), rest = 1 - lambda, *y = s->field[1];
    size_t n = l->item_bytes[0] / sizeof(float);
    int64_t classes = l->d.classes;
    memset(y, 0, (size_t)s->rows * l->item_bytes[1]);
    for (int64_t i = 0, k = s->rows - 1; i <= k; i++, k--) {
        float *a = (float *)s->field[0] + (size_t)i * n, *b = (float *)s->field[0] + (size_t)k * n;
        for (size_t j = 0; j < n && i != k; j++) {
            float u = a[j], v = b[j];
            a[j] = lambda * u + rest * v;
            b[j] = lambda * v + rest * u;
        }
        y[i * classes + s->label[i]] += lambda;
        y[i * classes + s->label[k]] += rest;
        if (i == k) break;
        y[k * classes + s->label[k]] += lambda;
        y[k * classes + s->label[i]] += rest;
    }
}

static born_status fetch_rows(const born_loader *l, born_slot *s, int64_t epoch, int64_t first, void *scratch)
{
    void *dst[BORN_MOST_FIELDS];
    const int64_t *order = l->order[epoch & 1];
    for (int64_t i = 0; i < s->rows; i++) {
        born_item_request r = { .index = order != NULL ? order[first + i] : first + i, .dst = dst, .scratch = scratch };
        /* an item drawn twice in an epoch is not altered twice in the same way */
        int64_t id = l->running != NULL ? first + i : r.index;
        r.key = born__draw_key(BORN_DRAW_ITEM, l->d.seed, (uint64_t)epoch, (uint64_t)id);
        for (int k = 0; k < l->n; k++) dst[k] = (char *)s->field[k] + (size_t)i * l->item_bytes[k];
        if (s->label != NULL) dst[1] = &s->label[i];
        born_status st = born__dataset_fetch(l->set, &r, &s->err);
        if (st != BORN_OK) {
            if (s->err.status == BORN_OK) (void)born__fail(&s->err, st, "%s", born_status_text(st));
            born__error_prefix(&s->err, "item %lld", (long long)r.index);
            return st;
        }
        BORN_FAIL_IF(s->label != NULL && (s->label[i] < 0 || s->label[i] >= l->d.classes), &s->err, BORN_RANGE,
                     "item %lld: label %lld of %lld classes", (long long)r.index, (long long)s->label[i],
                     (long long)l->d.classes);
    }
    return BORN_OK;
}

static born_status collate(const born_loader *l, born_slot *s, uint64_t key)
{
    born_array a[BORN_MOST_FIELDS];
    if (l->d.collate == NULL) return BORN_OK;
    for (int k = 0; k < l->n; k++) {
        const born_shape *one = &l->field[k].shape;
        a[k] = (born_array){ l->field[k].dtype, { one->rank + 1, { s->rows } }, s->field[k],
                             (size_t)s->rows * l->item_bytes[k] };
        memcpy(a[k].shape.dim + 1, one->dim, (size_t)one->rank * sizeof one->dim[0]);
    }
    born_status st = l->d.collate(l->d.collate_user, a, l->n, key, &s->err);
    if (st != BORN_OK && s->err.status == BORN_OK) (void)born__fail(&s->err, st, "collate: %s", born_status_text(st));
    return st;
}

void born__loader_fill(const born_loader *l, born_slot *s, int64_t g, void *scratch)
{
    int64_t epoch = g / l->batches, batch = g % l->batches, first = batch * l->d.batch;
    uint64_t key = born__draw_key(BORN_DRAW_BATCH, l->d.seed, (uint64_t)epoch, (uint64_t)batch);
    born_fpenv old = born__fpenv_enter();
    s->err = (born_error){ .status = BORN_OK };
    s->rows = l->items - first < l->d.batch ? l->items - first : l->d.batch;
    born_status st = fetch_rows(l, s, epoch, first, scratch);
    if (st == BORN_OK && s->label != NULL) mix(l, s, key);
    if (st == BORN_OK) st = collate(l, s, key);
    s->err.status = st;
    born__fpenv_leave(old);
}
