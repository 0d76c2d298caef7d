/* See table.h. Pixels stay bytes until they are asked for: a quarter of the memory, and a file may stay mapped. */
#include "data/table.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"

typedef struct table {
    int n;
    born_held held;
    struct { const unsigned char *data; size_t bytes; bool unit; } column[BORN_MOST_FIELDS];    /* bytes as stored */
} table;

void born__held_free(born_held *h)
{
    for (int i = 0; i < h->map_count; i++) born__filemap_close(&h->map[i]);
    for (int i = 0; i < h->heap_count; i++) born__free(h->heap[i]);
    h->map_count = 0;
    h->heap_count = 0;
}

/* b / 255 to the nearest float without the division: 1/255 is a part of 9 bits, whose product with a byte is exact, and
   a rest, so that in effect only the sum rounds (a test compares all). Compilers make vectors of the inner loop. */
static void unit_row(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    const float big = 0x1.01p-8f, rest = 0x1.010102p-24f;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t k = 0; k < 16; k++) dst[i + k] = (float)src[i + k] * big + (float)src[i + k] * rest;
    for (; i < n; i++) dst[i] = (float)src[i] * big + (float)src[i] * rest;
}

static born_status table_get(void *self, const born_item_request *r, born_error *err)
{
    const table *t = self;
    for (int k = 0; k < t->n; k++) {
        size_t n = t->column[k].bytes;
        const unsigned char *src = n > 0 ? t->column[k].data + (size_t)r->index * n : NULL;
        if (t->column[k].unit) {
            unit_row(src, n, r->dst[k]);
        } else if (n > 0) {
            memcpy(r->dst[k], src, n);
        }
    }
    for (int i = 0; i < t->held.map_count; i++)
        BORN_FAIL_IF(born__filemap_lost(t->held.map[i]), err, BORN_IO, "dataset: a file shrank while it was in use");
    return BORN_OK;
}

static void table_close(void *self)
{
    table *t = self;
    born__held_free(&t->held);
    born__free(t);
}

born_status born__table_open(const born_column *column, int n, int64_t count, born_held *held,
                             const born_dataset_desc *classes, born_dataset **out, born_error *err)
{
    born_field field[BORN_MOST_FIELDS];
    born_dataset_desc d = { .get = table_get, .close = table_close, .count = count, .fields = field, .field_count = n };
    table *t = born__calloc(1, sizeof *t);
    if (t == NULL || n > BORN_MOST_FIELDS) {
        born__held_free(held);
        born__free(t);
        return born__fail(err, t == NULL ? BORN_NOMEM : BORN_INVALID, "dataset: no memory, or above %d fields",
                          BORN_MOST_FIELDS);
    }
    t->n = n;
    t->held = *held;
    born_status st = BORN_OK;
    for (int i = 0; i < n && st == BORN_OK; i++) {
        field[i] = column[i].field;
        t->column[i].data = column[i].data;
        t->column[i].unit = column[i].unit;
        if (!born__field_bytes(&field[i], &t->column[i].bytes))
            st = born__fail(err, BORN_SHAPE, "dataset: field '%s' has no dtype or no shape", field[i].name);
        if (column[i].unit) {
            t->column[i].bytes = t->column[i].bytes / sizeof(float);
            field[i].dtype = BORN_F32;
        }
    }
    d.self = t;
    if (classes != NULL) {
        d.classes = classes->classes;
        d.class_count = classes->class_count;
    }
    if (st == BORN_OK) st = born_dataset_create(&d, out, err);
    if (st != BORN_OK) table_close(t);
    return st;
}

born_status born_dataset_from_arrays(const born_array *fields, const char *const *names, int n, born_dataset **out,
                                     born_error *err)
{
    born_column column[BORN_MOST_FIELDS];
    born_held held = { .map_count = 0 };
    char number[BORN_MOST_FIELDS][4];
    *out = NULL;
    BORN_FAIL_IF(n < 1 || n > BORN_MOST_FIELDS || fields == NULL, err, BORN_INVALID,
                 "dataset: %d arrays, 1 to %d are possible", n, BORN_MOST_FIELDS);
    for (int i = 0; i < n; i++) {
        const born_array *a = &fields[i];
        BORN_FAIL_IF(a->shape.rank < 1 || a->shape.rank > BORN_MAX_RANK || a->shape.dim[0] < 0, err, BORN_SHAPE,
                     "dataset: array %d has no dimension of items", i);
        BORN_FAIL_IF(a->shape.dim[0] != fields[0].shape.dim[0], err, BORN_SHAPE,
                     "dataset: array %d has %lld items, array 0 has %lld", i, (long long)a->shape.dim[0],
                     (long long)fields[0].shape.dim[0]);
        number[i][0] = (char)(i < 10 ? '0' + i : '0' + i / 10);
        number[i][1] = (char)(i < 10 ? 0 : '0' + i % 10);
        number[i][2] = 0;
        column[i] = (born_column){ .data = a->data };
        column[i].field = (born_field){ names != NULL ? names[i] : number[i], a->dtype, { a->shape.rank - 1, { 0 } } };
        for (int k = 1; k < a->shape.rank; k++) column[i].field.shape.dim[k - 1] = a->shape.dim[k];
        size_t bytes, all;
        BORN_FAIL_IF(!born__field_bytes(&column[i].field, &bytes) ||
                         !born__mul_size(bytes, (size_t)a->shape.dim[0], &all),
                     err, BORN_SHAPE, "dataset: array %d has no dtype or is too large", i);
        BORN_FAIL_IF((a->bytes != 0 && a->bytes != all) || (all > 0 && a->data == NULL), err, BORN_SHAPE,
                     "dataset: array %d has %zu bytes, its shape needs %zu", i, a->data == NULL ? 0 : a->bytes, all);
    }
    return born__table_open(column, n, fields[0].shape.dim[0], &held, NULL, out, err);
}
