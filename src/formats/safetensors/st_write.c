/* Writing safetensors, from arrays and from trees of modules: see born/hub.h. Tensors go by falling element size, so
   that each lies aligned behind a header padded to 8 bytes; only one of a module's is in memory at a time. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/filesave.h"
#include "base/json.h"
#include "base/nametable.h"
#include "formats/safetensors/safetensors.h"
#include "tensor/view.h"

static born_status check_entries(const born_named_array *entry, int64_t count, born_error *err)
{
    born_names names = { 0 };
    born_status st = BORN_OK;

    BORN_FAIL_IF(count < 0 || count > ST_MAX_TENSORS, err, BORN_RANGE, "safetensors: %lld tensors, at most %d",
                 (long long)count, ST_MAX_TENSORS);
    for (int64_t i = 0; i < count && st == BORN_OK; i++) {
        const char *name = entry[i].name;
        if (!name || !name[0] || !strcmp(name, "__metadata__")) {
            st = born__fail(err, BORN_INVALID, "safetensors: tensor %lld has no name", (long long)i);
        } else if (!born__st_name(entry[i].value.dtype)) {
            st = born__fail(err, BORN_DTYPE, "safetensors: tensor '%.80s': the format has no %s", name,
                            born_dtype_name(entry[i].value.dtype));
        } else if ((st = born__names_add(&names, name, strlen(name), (size_t)i)) != BORN_OK) {
            st = born__fail(err, st == BORN_NOMEM ? st : BORN_INVALID, "safetensors: tensor '%.80s' comes twice", name);
        }
    }
    born__names_free(&names);
    return st;
}

static void put_entry(born_json *j, const born_named_array *e, uint64_t *at)
{
    born__json_key(j, e->name);
    born__json_object(j);
    born__json_key(j, "dtype");
    born__json_text(j, born__st_name(e->value.dtype));
    born__json_key(j, "shape");
    born__json_array(j);
    for (int d = 0; d < e->value.shape.rank; d++) born__json_int(j, e->value.shape.dim[d]);
    born__json_close(j);
    born__json_key(j, "data_offsets");
    born__json_array(j);
    born__json_uint(j, *at);
    *at += e->value.bytes;
    born__json_uint(j, *at);
    born__json_close(j);
    born__json_close(j);
}

static born_status put_header(born_filesave *f, born_json *j, const born_named_array *entry, const int64_t *order,
                              int64_t count, const char *const *notes, int n_notes, born_error *err)
{
    static const char spaces[8] = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' };
    unsigned char size[8];
    uint64_t at = 0;

    born__json_begin(j, NULL, NULL, true);
    born__json_object(j);
    if (n_notes > 0) {
        born__json_key(j, "__metadata__");
        born__json_object(j);
        for (int i = 0; i < n_notes; i++) {
            born__json_key(j, notes[2 * i]);
            born__json_text(j, notes[2 * i + 1]);
        }
        born__json_close(j);
    }
    for (int64_t i = 0; i < count; i++) put_entry(j, &entry[order[i]], &at);
    born_status st = born__json_end(j);
    BORN_FAIL_IF(st != BORN_OK, err, st, "safetensors: no memory for the header");
    BORN_FAIL_IF(j->len > ST_MAX_HEADER - 8, err, BORN_RANGE, "safetensors: a header of %zu bytes, at most %d", j->len,
                 ST_MAX_HEADER);
    size_t pad = (8 - j->len % 8) % 8, n = j->len + pad;
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)n >> 8 * i);
    BORN_TRY(born__filesave_write(f, size, sizeof size, err));
    BORN_TRY(born__filesave_write(f, j->buf, j->len, err));
    return born__filesave_write(f, spaces, pad, err);
}

/* Indices by falling element size, else as given. */
static int64_t *make_order(const born_named_array *entry, int64_t count)
{
    int64_t *order = born__calloc((size_t)count + 1, sizeof *order), n = 0;

    for (int size = 8; order && size >= 1; size /= 2)
        for (int64_t i = 0; i < count; i++)
            if (born__dtype_info(entry[i].value.dtype)->size == size) order[n++] = i;
    return order;
}

static born_status write_file(const char *path, const born_named_array *entry, const int64_t *order, int64_t count,
                              const char *const *notes, int n_notes, born_st_get get, void *user, born_error *err)
{
    born_filesave *f = NULL;
    born_json j;

    BORN_TRY(born__filesave_open(path, &f, err));
    born_status st = put_header(f, &j, entry, order, count, notes, n_notes, err);
    born__json_free(&j);
    for (int64_t i = 0; i < count && st == BORN_OK; i++) {
        const void *data = NULL;
        st = get(user, order[i], &data, err);
        if (st == BORN_OK) st = born__filesave_write(f, data, entry[order[i]].value.bytes, err);
    }
    if (st == BORN_OK) return born__filesave_commit(&f, err);
    born__filesave_abandon(&f);
    return st;
}

born_status born__st_write(const char *path, const born_named_array *entry, int64_t count, const char *const *notes,
                           int n_notes, born_st_get get, void *user, born_error *err)
{
    BORN_TRY(check_entries(entry, count, err));
    int64_t *order = make_order(entry, count);
    BORN_FAIL_IF(!order, err, BORN_NOMEM, "safetensors: out of memory");
    born_status st = write_file(path, entry, order, count, notes, n_notes, get, user, err);
    born__free(order);
    return st;
}

/* ---- arrays ---------------------------------------------------------------------------------------------------- */

static born_status get_array(void *user, int64_t i, const void **data, born_error *err)
{
    const born_named_array *a = user;
    (void)err;
    *data = a[i].value.data;
    return BORN_OK;
}

born_status born_safetensors_write(const char *path, const born_named_array *arrays, int64_t count,
                                   const char *const *notes, int n_notes, born_error *err)
{
    BORN_FAIL_IF(count < 0 || count > ST_MAX_TENSORS, err, BORN_RANGE, "safetensors: %lld tensors, at most %d",
                 (long long)count, ST_MAX_TENSORS);
    born_named_array *own = born__calloc((size_t)count + 1, sizeof *own);
    born_status st = own ? BORN_OK : born__fail(err, BORN_NOMEM, "safetensors: out of memory");
    for (int64_t i = 0; i < count && st == BORN_OK; i++) {
        born_array *a = &own[i].value;
        int64_t n, bytes = -1;
        own[i] = arrays[i];
        if (a->shape.rank >= 0 && a->shape.rank <= BORN_MAX_RANK && born__shape_count(a->shape.dim, a->shape.rank, &n))
            bytes = born_dtype_bytes(a->dtype, n);
        if (bytes < 0 || (a->bytes && a->bytes != (uint64_t)bytes) || (bytes && !a->data))
            st = born__fail(err, BORN_SHAPE, "safetensors: tensor %lld: its shape and bytes do not fit", (long long)i);
        a->bytes = (size_t)bytes;
    }
    if (st == BORN_OK) st = born__st_write(path, own, count, notes, n_notes, get_array, own, err);
    born__free(own);
    return st;
}

/* ---- modules --------------------------------------------------------------------------------------------------- */

typedef struct saving {
    born_arena arena;
    born_named_array *entry;
    born_tensor *tensor;
    size_t count, cap, tensor_cap;
    size_t most;                /* bytes of the largest */
    void *room;
    bool failed;
} saving;

static bool note_item(void *user, const born_module_item *item)
{
    saving *s = user;
    born_array a = { .dtype = born_dtype_of(item->value), .shape = born_shape_of(item->value) };
    int64_t n, bytes;

    if (item->role == BORN_SCRATCH) return true;
    const char *name = born__arena_strdup(&s->arena, item->path, strlen(item->path));
    s->failed = !name || !born__grow((void **)&s->entry, &s->cap, s->count + 1, sizeof *s->entry) ||
                !born__grow((void **)&s->tensor, &s->tensor_cap, s->count + 1, sizeof *s->tensor);
    if (s->failed) return false;
    bytes = born__shape_count(a.shape.dim, a.shape.rank, &n) ? born_dtype_bytes(a.dtype, n) : 0;
    a.bytes = (size_t)(bytes < 0 ? 0 : bytes);
    if (a.bytes > s->most) s->most = a.bytes;
    s->tensor[s->count] = item->value;
    s->entry[s->count++] = (born_named_array){ name, a };
    return true;
}

static born_status get_tensor(void *user, int64_t i, const void **data, born_error *err)
{
    saving *s = user;

    born_status st = (born_read)(s->tensor[i], s->room, s->entry[i].value.bytes);
    BORN_FAIL_IF(st != BORN_OK, err, st, "safetensors: tensor '%.80s' cannot be read", s->entry[i].name);
    *data = s->room;
    return BORN_OK;
}

born_status born_module_save(const born_module *m, const char *path, born_error *err)
{
    static const char *const notes[] = { "format", "pt" };     /* what other readers expect of PyTorch's layout */
    saving s = { .count = 0 };

    born_status st = born_module_each(m, note_item, &s);
    if (st != BORN_OK) born__fail(err, st, "save: the module is dead");
    else if (s.failed || !(s.room = born__alloc(s.most))) st = born__fail(err, BORN_NOMEM, "save: out of memory");
    else st = born__st_write(path, s.entry, (int64_t)s.count, notes, 1, get_tensor, &s, err);
    born__free(s.room);
    born__free(s.entry);
    born__free(s.tensor);
    born__arena_free(&s.arena);
    return st;
}

born_status born_module_load_sized(born_module *m, const char *path, const born_load_desc *desc, size_t desc_bytes,
                                   born_error *err)
{
    born_safetensors *s = NULL;
    int64_t count;

    BORN_TRY(born_safetensors_open(path, BORN_MAP, &s, err));
    const born_named_array *a = born_safetensors_arrays(s, &count);
    born_status st = born_module_load_arrays_sized(m, a, count, desc, desc_bytes, err);
    if (st == BORN_OK && born__filemap_lost(s->map))
        st = born__fail(err, BORN_IO, "%.100s was cut while it was read", path);
    born_safetensors_close(&s);
    return st;
}
