/* The IDX format of MNIST and its descendants (Y. LeCun, "The MNIST database of handwritten digits"): two zeros, an
   element type, a rank, big-endian sizes, elements. Pixels stay where the file has them; labels are copied out and
   checked, because they become indices. */
#include "data/idx.h"

#include <stdio.h>

#include "base/checked.h"
#include "base/error.h"
#include "data/file.h"
#include "graph/model.h"

#define TYPE_U8 8

born_status born__idx_parse(const unsigned char *bytes, size_t n, born_shape *shape, size_t *at, born_error *err)
{
    size_t need = 1;
    BORN_FAIL_IF(n < 4 || bytes[0] != 0 || bytes[1] != 0, err, BORN_FORMAT, "not an IDX file");
    BORN_FAIL_IF(bytes[2] != TYPE_U8, err, BORN_UNSUPPORTED, "IDX elements of type 0x%02x, only bytes (0x08) are read",
                 bytes[2]);
    int rank = bytes[3];
    BORN_FAIL_IF(rank < 1 || rank >= BORN_MAX_RANK, err, BORN_FORMAT, "IDX rank %d, 1 to %d are read", rank,
                 BORN_MAX_RANK - 1);
    *at = 4 + 4 * (size_t)rank;
    BORN_FAIL_IF(n < *at, err, BORN_FORMAT, "ends inside its header, after %zu bytes", n);
    shape->rank = rank;
    for (int i = 0; i < rank; i++) {
        const unsigned char *p = bytes + 4 + 4 * i;
        uint32_t d = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        shape->dim[i] = (int64_t)d;
        BORN_FAIL_IF(!born__mul_size(need, d, &need), err, BORN_FORMAT, "its sizes overflow");
    }
    BORN_FAIL_IF(need != n - *at, err, BORN_FORMAT, "%s: its sizes need %zu bytes of elements, it has %zu",
                 need > n - *at ? "truncated" : "too long", need, n - *at);
    return BORN_OK;
}

static born_status open_part(const char *path, size_t max_bytes, born_bytes *b, born_shape *shape, size_t *at,
                             born_error *err)
{
    BORN_TRY(born__bytes_open(path, max_bytes, b, err));
    born_status st = born__idx_parse(b->data, b->bytes, shape, at, err);
    if (st != BORN_OK) {
        born__error_prefix(err, "%s", path);
        born__bytes_close(b);
    }
    return st;
}

/* Labels as i64, each below `classes`, which 0 asks to find out. */
static born_status read_labels(const char *path, const born_idx_desc *d, int64_t count, int64_t **out,
                               int64_t *classes, born_error *err)
{
    born_bytes b;
    born_shape shape;
    size_t at, bytes;
    BORN_TRY(open_part(path, d->max_bytes, &b, &shape, &at, err));
    born_status st = BORN_OK;
    int64_t *label = NULL;
    if (shape.rank != 1 || shape.dim[0] != count)
        st = born__fail(err, BORN_SHAPE, "%s: rank %d with %lld items does not label %lld images", path, shape.rank,
                        (long long)shape.dim[0], (long long)count);
    else if (!born__mul_size((size_t)count, sizeof *label, &bytes) || bytes > born__data_limit(d->max_bytes))
        st = born__fail(err, BORN_NOMEM, "%s: its labels are above the limit", path);
    else if ((label = born__alloc(bytes)) == NULL)
        st = born__fail(err, BORN_NOMEM, "%s: no memory for its labels", path);
    *classes = d->classes;
    for (int64_t i = 0; i < count && st == BORN_OK; i++) {
        label[i] = b.data[at + (size_t)i];
        if (d->classes == 0 && label[i] >= *classes) *classes = label[i] + 1;
        if (label[i] >= *classes)
            st = born__fail(err, BORN_RANGE, "%s: item %lld: label %lld of %lld classes", path, (long long)i,
                            (long long)label[i], (long long)*classes);
    }
    born__bytes_close(&b);
    if (st != BORN_OK) {
        born__free(label);
        return st;
    }
    *out = label;
    return BORN_OK;
}

/* One image: as stored with a channel before it, or flat. */
static born_shape image_shape(const born_shape *all, bool image)
{
    born_shape s = { 0, { 0 } };
    int64_t n = 1;
    for (int i = 1; i < all->rank; i++) n *= all->dim[i];
    if (!image) {
        s.rank = 1;
        s.dim[0] = n;
        return s;
    }
    if (all->rank == 3) s.dim[s.rank++] = 1;
    for (int i = 1; i < all->rank; i++) s.dim[s.rank++] = all->dim[i];
    return s;
}

born_status born_dataset_open_idx_sized(const char *images, const char *labels, const born_idx_desc *desc,
                                        size_t desc_bytes, born_dataset **out, born_error *err)
{
    char number[256][4];
    const char *name[256];
    born_idx_desc d;
    born_bytes b;
    born_shape shape;
    born_held held = { .map_count = 0 };
    born_dataset_desc classes = { .classes = name };
    born_column column[2] = { { .unit = false } };
    int64_t *label = NULL;
    size_t at;
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "dataset", err));
    BORN_FAIL_IF(d.classes < 0 || d.classes > 256, err, BORN_INVALID, "dataset: %lld classes, at most 256 in IDX",
                 (long long)d.classes);
    BORN_TRY(open_part(images, d.max_bytes, &b, &shape, &at, err));
    const unsigned char *pixels = b.data + at;
    born__bytes_hold(&b, &held);
    if (labels != NULL) {
        born_status st = read_labels(labels, &d, shape.dim[0], &label, &classes.class_count, err);
        if (st != BORN_OK) {
            born__held_free(&held);
            return st;
        }
        held.heap[held.heap_count++] = label;
    }
    for (int i = 0; i < 256; i++) {
        (void)snprintf(number[i], sizeof number[i], "%d", i);
        name[i] = number[i];
    }
    born_dtype stored = d.raw ? BORN_U8 : BORN_F32;
    column[0] = (born_column){ { "image", stored, image_shape(&shape, d.image) }, pixels, !d.raw };
    column[1] = (born_column){ { "label", BORN_I64, { 0, { 0 } } }, (const unsigned char *)label, false };
    return born__table_open(column, labels != NULL ? 2 : 1, shape.dim[0], &held, &classes, out, err);
}
