/* Reading safetensors: see born/hub.h. The header is copied out of the file once and parsed there, so that a file that
   changes gives other numbers, never other places. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memlimit.h"
#include "formats/safetensors/safetensors.h"
#include "tensor/view.h"

static const struct {
    const char *name;
    born_dtype dtype;
} types[] = {
    { "F64", BORN_F64 }, { "F32", BORN_F32 }, { "F16", BORN_F16 }, { "BF16", BORN_BF16 }, { "I64", BORN_I64 },
    { "I32", BORN_I32 }, { "I16", BORN_I16 }, { "I8", BORN_I8 },   { "U64", BORN_U64 },   { "U32", BORN_U32 },
    { "U16", BORN_U16 }, { "U8", BORN_U8 },   { "BOOL", BORN_BOOL },
};
enum { TYPES = sizeof types / sizeof *types };

const char *born__st_name(born_dtype t)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].dtype == t) return types[i].name;
    return NULL;
}

born_dtype born__st_dtype(const char *name)
{
    for (int i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, name)) return types[i].dtype;
    return BORN_DTYPE_NONE;
}

typedef struct place {
    uint64_t begin, end;
    int64_t index;
} place;

typedef struct reader {
    born_safetensors *s;
    const unsigned char *data;  /* behind the header */
    size_t data_bytes;
    place *place;
    size_t budget;              /* bytes that may still be copied */
    born_error *err;
} reader;

/* ---- one entry ------------------------------------------------------------------------------------------------- */

static born_status read_shape(reader *r, const char *name, const json_t *shape, born_array *a)
{
    size_t rank = json_array_size(shape);

    BORN_FAIL_IF(!json_is_array(shape), r->err, BORN_FORMAT, "safetensors: tensor '%.80s' has no shape", name);
    BORN_FAIL_IF(rank > BORN_MAX_RANK, r->err, BORN_UNSUPPORTED, "safetensors: tensor '%.80s': rank %zu, at most %d",
                 name, rank, BORN_MAX_RANK);
    a->shape.rank = (int)rank;
    for (size_t d = 0; d < rank; d++) {
        const json_t *v = json_array_get(shape, d);
        BORN_FAIL_IF(!json_is_integer(v) || json_integer_value(v) < 0, r->err, BORN_FORMAT,
                     "safetensors: tensor '%.80s': a size is no whole number", name);
        a->shape.dim[d] = json_integer_value(v);
    }
    return BORN_OK;
}

static born_status read_offsets(reader *r, const char *name, const json_t *offsets, place *p)
{
    const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);

    BORN_FAIL_IF(json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(e) ||
                     json_integer_value(b) < 0 || json_integer_value(e) < json_integer_value(b),
                 r->err, BORN_FORMAT, "safetensors: tensor '%.80s': its offsets are no two rising numbers", name);
    p->begin = (uint64_t)json_integer_value(b);
    p->end = (uint64_t)json_integer_value(e);
    BORN_FAIL_IF(p->end > r->data_bytes, r->err, BORN_FORMAT,
                 "safetensors: tensor '%.80s' ends at %llu of %zu bytes: the file is cut", name,
                 (unsigned long long)p->end, r->data_bytes);
    return BORN_OK;
}

/* Elements that do not lie aligned, and booleans (which become 0 or 1), get memory of their own. */
static born_status place_data(reader *r, born_array *a, const unsigned char *p)
{
    born_safetensors *s = r->s;
    size_t size = (size_t)born__dtype_info(a->dtype)->size;

    a->data = p;
    if (!a->bytes || (a->dtype != BORN_BOOL && (uintptr_t)p % size == 0)) return BORN_OK;
    BORN_FAIL_IF(a->bytes > r->budget, r->err, BORN_NOMEM, "safetensors: copies would need more memory than allowed");
    r->budget -= a->bytes;
    if (!born__grow((void **)&s->owned, &s->owned_cap, s->owned_count + 1, sizeof *s->owned))
        return born__fail(r->err, BORN_NOMEM, "safetensors: out of memory");
    unsigned char *copy = born__alloc(a->bytes);
    BORN_FAIL_IF(!copy, r->err, BORN_NOMEM, "safetensors: no memory for %zu bytes", a->bytes);
    s->owned[s->owned_count++] = copy;
    memcpy(copy, p, a->bytes);
    for (size_t i = 0; a->dtype == BORN_BOOL && i < a->bytes; i++) copy[i] = copy[i] != 0;
    a->data = copy;
    return BORN_OK;
}

static born_status read_entry(reader *r, const char *name, const json_t *entry, int64_t i)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    born_array a = { .dtype = BORN_DTYPE_NONE };
    place *p = &r->place[i];
    int64_t count, bytes;

    BORN_FAIL_IF(!json_is_object(entry) || !dtype || json_object_size(entry) != 3, r->err, BORN_FORMAT,
                 "safetensors: tensor '%.80s' is not described by dtype, shape and data_offsets", name);
    BORN_TRY(read_offsets(r, name, json_object_get(entry, "data_offsets"), p));
    BORN_TRY(read_shape(r, name, json_object_get(entry, "shape"), &a));
    a.dtype = born__st_dtype(dtype);
    BORN_FAIL_IF(!a.dtype, r->err, BORN_UNSUPPORTED, "safetensors: tensor '%.80s': dtype %.20s is not supported", name,
                 dtype);
    bytes = born__shape_count(a.shape.dim, a.shape.rank, &count) ? born_dtype_bytes(a.dtype, count) : -1;
    BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes != p->end - p->begin, r->err, BORN_FORMAT,
                 "safetensors: tensor '%.80s': %llu bytes do not fit its shape", name,
                 (unsigned long long)(p->end - p->begin));
    a.bytes = (size_t)bytes;
    p->index = i;
    const char *copy = born__arena_strdup(&r->s->arena, name, strlen(name));
    BORN_FAIL_IF(!copy, r->err, BORN_NOMEM, "safetensors: out of memory");
    r->s->array[i] = (born_named_array){ copy, a };
    return BORN_OK;
}

/* ---- the header ------------------------------------------------------------------------------------------------ */

static born_status read_notes(reader *r, json_t *notes)
{
    born_safetensors *s = r->s;
    const char *key;
    json_t *v;

    BORN_FAIL_IF(!json_is_object(notes), r->err, BORN_FORMAT, "safetensors: __metadata__ is no object");
    s->note = born__arena_alloc(&s->arena, json_object_size(notes) * 2 * sizeof *s->note);
    BORN_FAIL_IF(!s->note, r->err, BORN_NOMEM, "safetensors: out of memory");
    json_object_foreach(notes, key, v) {
        BORN_FAIL_IF(!json_is_string(v), r->err, BORN_FORMAT, "safetensors: __metadata__ '%.80s' is no text", key);
        const char *k = born__arena_strdup(&s->arena, key, strlen(key));
        const char *text = born__arena_strdup(&s->arena, json_string_value(v), json_string_length(v));
        BORN_FAIL_IF(!k || !text, r->err, BORN_NOMEM, "safetensors: out of memory");
        s->note[2 * s->note_count] = k;
        s->note[2 * s->note_count++ + 1] = text;
    }
    return BORN_OK;
}

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;

    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;      /* empty ones first */
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Sorts the tensors by place; they must follow each other without hole or overlap from the first byte to the last. */
static born_status cover(reader *r)
{
    born_safetensors *s = r->s;
    uint64_t at = 0;
    born_named_array *sorted = born__arena_alloc(&s->arena, ((size_t)s->count + 1) * sizeof *sorted);

    BORN_FAIL_IF(!sorted, r->err, BORN_NOMEM, "safetensors: out of memory");
    qsort(r->place, (size_t)s->count, sizeof *r->place, by_place);
    for (int64_t i = 0; i < s->count; i++) {
        const place *p = &r->place[i];
        sorted[i] = s->array[p->index];
        BORN_FAIL_IF(p->begin != at, r->err, BORN_FORMAT,
                     "safetensors: tensor '%.80s' begins at %llu, expected at %llu", sorted[i].name,
                     (unsigned long long)p->begin, (unsigned long long)at);
        at = p->end;
        BORN_TRY(place_data(r, &sorted[i].value, r->data + (size_t)p->begin));
    }
    BORN_FAIL_IF(at != r->data_bytes, r->err, BORN_FORMAT, "safetensors: %llu bytes behind the last tensor",
                 (unsigned long long)(r->data_bytes - at));
    s->array = sorted;
    return BORN_OK;
}

static born_status read_header(reader *r, json_t *root)
{
    born_safetensors *s = r->s;
    size_t n = json_object_size(root);
    const char *name;
    json_t *entry;

    BORN_FAIL_IF(!json_is_object(root), r->err, BORN_FORMAT, "safetensors: the header is no object");
    BORN_FAIL_IF(n > ST_MAX_TENSORS, r->err, BORN_FORMAT, "safetensors: %zu tensors, at most %d", n, ST_MAX_TENSORS);
    s->array = born__arena_alloc(&s->arena, (n + 1) * sizeof *s->array);
    r->place = born__arena_alloc(&s->arena, (n + 1) * sizeof *r->place);
    BORN_FAIL_IF(!s->array || !r->place, r->err, BORN_NOMEM, "safetensors: out of memory");
    json_object_foreach(root, name, entry) {
        if (!strcmp(name, "__metadata__")) {
            BORN_TRY(read_notes(r, entry));
            continue;
        }
        BORN_FAIL_IF(!name[0], r->err, BORN_FORMAT, "safetensors: a tensor has no name");
        BORN_TRY(read_entry(r, name, entry, s->count));
        s->count++;
    }
    return cover(r);
}

/* Parses the header's copy. */
static born_status parse_text(reader *r, const char *text, size_t n)
{
    size_t values = 0;
    json_error_t why;

    BORN_FAIL_IF(n == 0 || text[0] != '{', r->err, BORN_FORMAT, "safetensors: the header does not begin with {");
    for (size_t i = 0; i < n; i++) values += text[i] == ',' || text[i] == '[' || text[i] == '{';
    BORN_FAIL_IF(values > ST_MAX_VALUES, r->err, BORN_FORMAT, "safetensors: the header holds more than %d values",
                 ST_MAX_VALUES);
    json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    BORN_FAIL_IF(!root, r->err, BORN_FORMAT, "safetensors: the header at byte %d: %.120s", why.position, why.text);
    born_status st = read_header(r, root);
    json_decref(root);
    return st;
}

static uint64_t load_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

born_status born__st_parse(const void *bytes, size_t n, born_safetensors **out, born_error *err)
{
    const unsigned char *p = bytes;

    *out = NULL;
    BORN_FAIL_IF(n < 8, err, BORN_FORMAT, "safetensors: the file ends within its first 8 bytes");
    uint64_t header = load_u64(p);
    BORN_FAIL_IF(header > ST_MAX_HEADER, err, BORN_FORMAT, "safetensors: a header of %llu bytes, at most %d",
                 (unsigned long long)header, ST_MAX_HEADER);
    BORN_FAIL_IF(header > n - 8, err, BORN_FORMAT, "safetensors: a header of %llu bytes in a file of %zu",
                 (unsigned long long)header, n);
    born_safetensors *s = born__calloc(1, sizeof *s);
    char *text = born__alloc((size_t)header);
    reader r = { s, p + 8 + (size_t)header, n - 8 - (size_t)header, NULL, (size_t)born__memory_limit(), err };
    born_status st = BORN_NOMEM;
    if (s && text) {
        memcpy(text, p + 8, (size_t)header);
        st = parse_text(&r, text, (size_t)header);
    } else {
        born__fail(err, BORN_NOMEM, "safetensors: out of memory");
    }
    born__free(text);
    if (st != BORN_OK) {
        born_safetensors_close(&s);
        return st;
    }
    *out = s;
    return BORN_OK;
}

born_status born_safetensors_open(const char *path, born_load load, born_safetensors **out, born_error *err)
{
    born_filemap *map = NULL;
    bool copy = load == BORN_COPY;

    *out = NULL;
    BORN_TRY(born__filemap_open(path, BORN_FILE_FOLLOW | (copy ? BORN_FILE_COPY : 0u),
                                copy ? born__memory_limit() : 0, &map, err));
    born_status st = born__st_parse(map->data, map->bytes, out, err);
    if (st == BORN_OK && born__filemap_lost(map)) st = born__fail(err, BORN_IO, "the file was cut while it was read");
    if (st != BORN_OK) {
        born__error_prefix(err, "%.100s", path);
        born_safetensors_close(out);
        born__filemap_close(&map);
        return st;
    }
    (*out)->map = map;
    return BORN_OK;
}

void born_safetensors_close(born_safetensors **sp)
{
    born_safetensors *s = sp ? *sp : NULL;

    if (!s) return;
    for (size_t i = 0; i < s->owned_count; i++) born__free(s->owned[i]);
    born__free(s->owned);
    born__filemap_close(&s->map);
    born__arena_free(&s->arena);
    born__free(s);
    *sp = NULL;
}

const born_named_array *born_safetensors_arrays(const born_safetensors *s, int64_t *count)
{
    *count = s->count;
    return s->array;
}

const char *born_safetensors_note(const born_safetensors *s, const char *key)
{
    for (int64_t i = 0; i < s->note_count; i++)
        if (!strcmp(s->note[2 * i], key)) return s->note[2 * i + 1];
    return NULL;
}
