/* Sets made from other sets: subsets, random parts, one after the other. They hold what they are made from. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "data/dataset.h"
#include "data/order.h"

typedef struct subset {
    born_dataset *of;
    int64_t *index;
} subset;

static born_status subset_get(void *self, const born_item_request *r, born_error *err)
{
    const subset *s = self;
    born_item_request inner = *r;
    inner.index = s->index[r->index];
    return born__dataset_fetch(s->of, &inner, err);
}

static void subset_close(void *self)
{
    subset *s = self;
    born_dataset_close(&s->of);
    born__free(s->index);
    born__free(s);
}

born_status born_dataset_subset(born_dataset *set, const int64_t *index, int64_t n, born_dataset **out,
                                born_error *err)
{
    size_t bytes;
    *out = NULL;
    BORN_FAIL_IF(set == NULL || n < 0 || (n > 0 && index == NULL), err, BORN_INVALID, "dataset: a subset of nothing");
    for (int64_t i = 0; i < n; i++)
        BORN_FAIL_IF(index[i] < 0 || index[i] >= set->d.count, err, BORN_RANGE,
                     "dataset: index %lld of a subset is %lld, the set has %lld items", (long long)i,
                     (long long)index[i], (long long)set->d.count);
    subset *s = born__calloc(1, sizeof *s);
    BORN_FAIL_IF(s == NULL, err, BORN_NOMEM, "dataset: no memory");
    s->of = born__dataset_keep(set);
    if (born__mul_size((size_t)n, sizeof *index, &bytes)) s->index = born__alloc(bytes);
    born_status st = s->index != NULL ? BORN_OK : born__fail(err, BORN_NOMEM, "dataset: no memory");
    if (st == BORN_OK) {
        if (n > 0) memcpy(s->index, index, bytes);
        born_dataset_desc d = born__dataset_like(set);
        d.get = subset_get;
        d.close = subset_close;
        d.self = s;
        d.count = n;
        st = born_dataset_create(&d, out, err);
    }
    if (st != BORN_OK) subset_close(s);
    return st;
}

static born_status check_shares(const double *share, int n, born_error *err)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        BORN_FAIL_IF(!(share[i] >= 0 && share[i] <= 1), err, BORN_INVALID, "dataset: share %d is %g", i, share[i]);
        sum += share[i];
    }
    BORN_FAIL_IF(sum > 1 + 1e-9, err, BORN_INVALID, "dataset: the shares sum to %g, above 1", sum);
    return BORN_OK;
}

born_status born_dataset_split(born_dataset *set, const double *share, int n, uint64_t seed, born_dataset **out,
                               born_error *err)
{
    for (int i = 0; i < n; i++) out[i] = NULL;
    BORN_FAIL_IF(set == NULL || n < 1 || share == NULL, err, BORN_INVALID, "dataset: a split of nothing");
    BORN_TRY(check_shares(share, n, err));
    int64_t count = set->d.count, *order = NULL;
    if ((uint64_t)count < PTRDIFF_MAX / sizeof *order) order = born__calloc((size_t)count + 1, sizeof *order);
    BORN_FAIL_IF(order == NULL, err, BORN_NOMEM, "dataset: no memory for the order of %lld items", (long long)count);
    born__shuffle(born__draw_key(BORN_DRAW_SPLIT, seed, 0, 0), order, count);
    born_status st = BORN_OK;
    double sum = 0;
    int64_t begin = 0;
    for (int i = 0; i < n && st == BORN_OK; i++) {          /* bounds from running sums: no item falls between */
        sum += share[i];
        int64_t end = (int64_t)floor(sum * (double)count + 0.5);
        end = end > count ? count : end < begin ? begin : end;
        st = born_dataset_subset(set, order + begin, end - begin, &out[i], err);
        begin = end;
    }
    for (int i = 0; i < n && st != BORN_OK; i++) born_dataset_close(&out[i]);
    born__free(order);
    return st;
}

/* --- concat --- */

typedef struct joined {
    born_dataset **part;
    int64_t *end;               /* running counts */
    int n;
} joined;

static born_status joined_get(void *self, const born_item_request *r, born_error *err)
{
    const joined *j = self;
    born_item_request inner = *r;
    int lo = 0, hi = j->n - 1;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (j->end[mid] > r->index)
            hi = mid;
        else
            lo = mid + 1;
    }
    if (lo > 0) inner.index -= j->end[lo - 1];
    return born__dataset_fetch(j->part[lo], &inner, err);
}

static void joined_close(void *self)
{
    joined *j = self;
    for (int i = 0; i < j->n; i++) born_dataset_close(&j->part[i]);
    born__free(j->part);
    born__free(j->end);
    born__free(j);
}

static born_status same_fields(const born_dataset *a, const born_dataset *b, int at, born_error *err)
{
    BORN_FAIL_IF(a->d.field_count != b->d.field_count, err, BORN_SHAPE, "dataset: set %d has %d fields, set 0 has %d",
                 at, b->d.field_count, a->d.field_count);
    for (int i = 0; i < a->d.field_count; i++) {
        const born_field *x = &a->d.fields[i], *y = &b->d.fields[i];
        bool same = x->dtype == y->dtype && x->shape.rank == y->shape.rank;
        for (int k = 0; k < x->shape.rank && same; k++) same = x->shape.dim[k] == y->shape.dim[k];
        BORN_FAIL_IF(!same, err, x->dtype != y->dtype ? BORN_DTYPE : BORN_SHAPE,
                     "dataset: field '%s' of set %d is not as in set 0", y->name, at);
    }
    return BORN_OK;
}

born_status born_dataset_concat(born_dataset *const *sets, int n, born_dataset **out, born_error *err)
{
    *out = NULL;
    BORN_FAIL_IF(n < 1 || sets == NULL, err, BORN_INVALID, "dataset: nothing to put together");
    for (int i = 0; i < n; i++) BORN_FAIL_IF(sets[i] == NULL, err, BORN_INVALID, "dataset: set %d is none", i);
    for (int i = 1; i < n; i++) BORN_TRY(same_fields(sets[0], sets[i], i, err));
    born_dataset_desc d = born__dataset_like(sets[0]);
    joined *j = born__calloc(1, sizeof *j);
    BORN_FAIL_IF(j == NULL, err, BORN_NOMEM, "dataset: no memory");
    j->part = born__calloc((size_t)n, sizeof(born_dataset *));
    j->end = born__calloc((size_t)n, sizeof *j->end);
    born_status st = j->part != NULL && j->end != NULL ? BORN_OK : born__fail(err, BORN_NOMEM, "dataset: no memory");
    d.count = 0;
    for (int i = 0; i < n && st == BORN_OK; i++) {
        j->part[j->n++] = born__dataset_keep(sets[i]);
        if (!born__add_i64(d.count, sets[i]->d.count, &d.count)) st = born__fail(err, BORN_RANGE, "dataset: too long");
        j->end[i] = d.count;
        if (sets[i]->d.scratch_bytes > d.scratch_bytes) d.scratch_bytes = sets[i]->d.scratch_bytes;
    }
    d.get = joined_get;
    d.close = joined_close;
    d.self = j;
    if (st == BORN_OK) st = born_dataset_create(&d, out, err);
    if (st != BORN_OK) joined_close(j);
    return st;
}
