/* Datasets: a checked copy of the table of functions that makes one, with a count of its holders. Every source in this
   folder is made through born_dataset_create_sized, as a user's own is. */
#include "data/dataset.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/model.h"

bool born__field_bytes(const born_field *f, size_t *out)
{
    int64_t n = 1;
    if (f->shape.rank < 0 || f->shape.rank >= BORN_MAX_RANK) return false;      /* the batch is a dimension too */
    for (int i = 0; i < f->shape.rank; i++)
        if (f->shape.dim[i] < 0 || !born__mul_i64(n, f->shape.dim[i], &n)) return false;
    int64_t bytes = born_dtype_bytes(f->dtype, n);
    if (bytes < 0 || (uint64_t)bytes > PTRDIFF_MAX) return false;
    *out = (size_t)bytes;
    return true;
}

static born_status check(const born_dataset_desc *d, born_error *err)
{
    BORN_FAIL_IF(d->get == NULL, err, BORN_INVALID, "dataset: no function that gets an item");
    BORN_FAIL_IF(d->count < 0, err, BORN_INVALID, "dataset: %lld items", (long long)d->count);
    BORN_FAIL_IF(d->field_count < 1 || d->field_count > BORN_MOST_FIELDS || d->fields == NULL, err, BORN_INVALID,
                 "dataset: %d fields, 1 to %d are possible", d->field_count, BORN_MOST_FIELDS);
    BORN_FAIL_IF(d->class_count < 0 || (d->class_count > 0 && d->classes == NULL), err, BORN_INVALID,
                 "dataset: %lld classes without names", (long long)d->class_count);
    BORN_FAIL_IF(d->scratch_bytes > PTRDIFF_MAX, err, BORN_INVALID, "dataset: its scratch is too large");
    return BORN_OK;
}

static bool copy_classes(born_dataset *s)
{
    size_t n = (size_t)s->d.class_count, bytes;
    if (n == 0) return true;
    if (!born__mul_size(n, sizeof(char *), &bytes)) return false;
    const char **name = born__arena_alloc(&s->arena, bytes);
    if (name == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        name[i] = born__arena_strdup(&s->arena, s->d.classes[i], strlen(s->d.classes[i]));
        if (name[i] == NULL) return false;
    }
    s->d.classes = name;
    return true;
}

static born_status copy_fields(born_dataset *s, born_error *err)
{
    size_t n = (size_t)s->d.field_count;
    born_field *own = born__arena_alloc(&s->arena, n * sizeof *own);
    s->item_bytes = born__arena_alloc(&s->arena, n * sizeof *s->item_bytes);
    BORN_FAIL_IF(own == NULL || s->item_bytes == NULL, err, BORN_NOMEM, "dataset: no memory");
    for (size_t i = 0; i < n; i++) {
        const char *name = s->d.fields[i].name != NULL ? s->d.fields[i].name : "";
        own[i] = s->d.fields[i];
        own[i].name = born__arena_strdup(&s->arena, name, strlen(name));
        BORN_FAIL_IF(own[i].name == NULL, err, BORN_NOMEM, "dataset: no memory");
        BORN_FAIL_IF(!born__field_bytes(&own[i], &s->item_bytes[i]), err, BORN_SHAPE,
                     "dataset: field '%s' has no dtype, or its shape is none or too large (rank at most %d)", name,
                     BORN_MAX_RANK - 1);
    }
    s->d.fields = own;
    BORN_FAIL_IF(!copy_classes(s), err, BORN_NOMEM, "dataset: no memory");
    return BORN_OK;
}

born_status born_dataset_create_sized(const born_dataset_desc *desc, size_t desc_bytes, born_dataset **out,
                                      born_error *err)
{
    born_dataset_desc d;
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "dataset", err));
    BORN_TRY(check(&d, err));
    born_dataset *s = born__calloc(1, sizeof *s);
    BORN_FAIL_IF(s == NULL, err, BORN_NOMEM, "dataset: no memory");
    s->d = d;
    atomic_init(&s->refs, 1);
    born_status st = copy_fields(s, err);
    if (st != BORN_OK) {
        born__arena_free(&s->arena);
        born__free(s);
        return st;
    }
    *out = s;
    return BORN_OK;
}

born_dataset *born__dataset_keep(born_dataset *set)
{
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void born_dataset_close(born_dataset **set)
{
    if (set == NULL || *set == NULL) return;
    born_dataset *s = *set;
    *set = NULL;
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    if (s->d.close != NULL) s->d.close(s->d.self);
    born__arena_free(&s->arena);
    born__free(s);
}

born_dataset_desc born__dataset_like(const born_dataset *like)
{
    born_dataset_desc d = like->d;
    d.get = NULL;
    d.close = NULL;
    d.self = NULL;
    return d;
}

int64_t born_dataset_count(const born_dataset *set)
{
    return set != NULL ? set->d.count : 0;
}

int born_dataset_field_count(const born_dataset *set)
{
    return set != NULL ? set->d.field_count : 0;
}

born_status born_dataset_field(const born_dataset *set, int i, born_field *out)
{
    if (set == NULL || i < 0 || i >= set->d.field_count) return BORN_RANGE;
    *out = set->d.fields[i];
    return BORN_OK;
}

int64_t born_dataset_class_count(const born_dataset *set)
{
    return set != NULL ? set->d.class_count : 0;
}

const char *born_dataset_class_name(const born_dataset *set, int64_t i)
{
    return set != NULL && i >= 0 && i < set->d.class_count ? set->d.classes[i] : NULL;
}

size_t born_dataset_scratch_bytes(const born_dataset *set)
{
    return set != NULL ? set->d.scratch_bytes : 0;
}

born_status born_dataset_get(const born_dataset *set, const born_item_request *r, born_error *err)
{
    BORN_FAIL_IF(set == NULL || r == NULL || r->dst == NULL, err, BORN_INVALID, "dataset: no set or no place to write");
    BORN_FAIL_IF(r->index < 0 || r->index >= set->d.count, err, BORN_RANGE, "dataset: item %lld of %lld",
                 (long long)r->index, (long long)set->d.count);
    BORN_FAIL_IF(set->d.scratch_bytes > 0 && r->scratch == NULL, err, BORN_INVALID,
                 "dataset: %zu bytes of scratch are needed", set->d.scratch_bytes);
    return born__dataset_fetch(set, r, err);
}
