/* Datasets over .npy and .npz files. Float elements of a .npy stay in the map; integers, which become indices, are
   copied out, as is what Fortran order asks to turn. */
#include <string.h>

#include "base/error.h"
#include "data/file.h"
#include "data/npy.h"

typedef struct picker {
    const char *wanted;         /* "x,y"; NULL: all */
    born_column column[BORN_MOST_FIELDS];
    char name[BORN_MOST_FIELDS][128];
    int64_t items[BORN_MOST_FIELDS];
    int n;
    size_t left;                /* of the memory limit */
    born_held held;
} picker;

/* The place of `name` in "x,y"; -1 where it is not there. *count: how many names there are. */
static int place_in(const char *list, const char *name, int *count)
{
    int place = -1, i = 0;
    for (const char *p = list;; i++) {
        size_t n = strcspn(p, ",");
        if (n == strlen(name) && memcmp(p, name, n) == 0) place = i;
        p += n;
        if (*p == '\0') break;
        p++;
    }
    *count = i + 1;
    return place;
}

static born_status fill_column(picker *k, int i, const char *name, const born_shape *s, born_dtype t, const void *data,
                               born_error *err)
{
    BORN_FAIL_IF(s->rank < 1, err, BORN_SHAPE, "'%s' is a scalar: it has no items", name);
    size_t n = strlen(name);
    memcpy(k->name[i], name, n + 1);
    k->column[i] = (born_column){ .data = data };
    k->column[i].field = (born_field){ k->name[i], t, { s->rank - 1, { 0 } } };
    memcpy(k->column[i].field.shape.dim, s->dim + 1, (size_t)(s->rank - 1) * sizeof s->dim[0]);
    k->items[i] = s->dim[0];
    return BORN_OK;
}

static born_status pick(void *user, const char *name, born_array *a, born_error *err)
{
    picker *k = user;
    int count = 0, i = k->wanted != NULL ? place_in(k->wanted, name, &count) : k->n;
    if (i < 0) {
        born__free((void *)(uintptr_t)a->data);
        return BORN_OK;
    }
    born_status st = BORN_OK;
    if (i >= BORN_MOST_FIELDS || a->bytes > k->left || k->column[i].data != NULL)
        st = born__fail(err, i < BORN_MOST_FIELDS && k->column[i].data != NULL ? BORN_FORMAT : BORN_NOMEM,
                        "member '%s' comes twice, or is above the limit of %d members or of memory", name,
                        BORN_MOST_FIELDS);
    if (st == BORN_OK) st = fill_column(k, i, name, &a->shape, a->dtype, a->data, err);
    if (st != BORN_OK) {
        born__free((void *)(uintptr_t)a->data);
        return st;
    }
    k->left -= a->bytes;
    k->held.heap[k->held.heap_count++] = (void *)(uintptr_t)a->data;
    k->n++;
    return BORN_OK;
}

static born_status read_npz(picker *k, const born_bytes *b, born_error *err)
{
    int count = 0;
    BORN_TRY(born_npz_read(b->data, b->bytes, k->left, pick, k, err));
    if (k->wanted != NULL) (void)place_in(k->wanted, "", &count);
    BORN_FAIL_IF(k->n == 0 || (k->wanted != NULL && k->n != count), err, BORN_INVALID,
                 "%d of the members asked for are there: '%s'", k->n, k->wanted != NULL ? k->wanted : "any");
    return BORN_OK;
}

static born_status read_npy(picker *k, born_bytes *b, born_error *err)
{
    born_npy h;
    BORN_TRY(born__npy_parse(b->data, b->bytes, &h, err));
    bool floats = h.dtype == BORN_F32 || h.dtype == BORN_F64 || h.dtype == BORN_F16;
    k->n = 1;
    if (floats && !(h.fortran && h.shape.rank > 1)) {
        BORN_TRY(fill_column(k, 0, "x", &h.shape, h.dtype, b->data + h.at, err));
        born__bytes_hold(b, &k->held);
        return BORN_OK;
    }
    BORN_FAIL_IF(h.bytes > k->left, err, BORN_NOMEM, "%zu bytes are above the limit of %zu", h.bytes, k->left);
    void *copy = born__alloc(h.bytes);
    BORN_FAIL_IF(copy == NULL, err, BORN_NOMEM, "no memory for its %zu bytes", h.bytes);
    born__npy_copy(&h, b->data, copy);
    k->held.heap[k->held.heap_count++] = copy;
    return fill_column(k, 0, "x", &h.shape, h.dtype, copy, err);
}

born_status born_dataset_open_npy(const char *path, const char *fields, size_t max_bytes, born_dataset **out,
                                  born_error *err)
{
    born_bytes b;
    *out = NULL;
    BORN_TRY(born__bytes_open(path, max_bytes, &b, err));
    picker *k = born__calloc(1, sizeof *k);
    born_status st = BORN_OK;
    if (k == NULL) {
        st = born__fail(err, BORN_NOMEM, "no memory");
    } else {
        k->wanted = fields;
        k->left = born__data_limit(max_bytes);
        bool zip = b.bytes >= 4 && memcmp(b.data, "PK\3\4", 4) == 0;
        st = zip ? read_npz(k, &b, err) : read_npy(k, &b, err);
        for (int i = 1; i < k->n && st == BORN_OK; i++)
            if (k->items[i] != k->items[0])
                st = born__fail(err, BORN_SHAPE, "'%s' has %lld items, '%s' has %lld", k->name[i],
                                (long long)k->items[i], k->name[0], (long long)k->items[0]);
        if (st == BORN_OK)
            st = born__table_open(k->column, k->n, k->items[0], &k->held, NULL, out, err);
        else
            born__held_free(&k->held);
    }
    if (st != BORN_OK) born__error_prefix(err, "%s", path);
    born__free(k);
    born__bytes_close(&b);
    return st;
}
