/* Reading GGUF: see gguf.h. One cursor walks the header; each read takes its bytes once. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "formats/gguf/gguf.h"
#include "tensor/view.h"

enum { MIN_PAIR = 8 + 4 + 1, MIN_TENSOR = 8 + 4 + 4 + 8, DEFAULT_ALIGN = 32 };
#define MAX_STRING ((uint64_t)1 << 30)

typedef struct cursor {
    const unsigned char *p, *end;
    born_gguf *g;
    born_error *err;
} cursor;

static size_t left(const cursor *c)
{
    return (size_t)(c->end - c->p);
}

static const struct {
    int code, elems, bytes;
    const char *name;
} types[] = {
#define X(code, name, elems, bytes) { code, elems, bytes, name },
#include "formats/gguf/gguf_types.def"
#undef X
};
enum { TYPES = sizeof types / sizeof *types };

static int type_row(uint32_t code)
{
    for (int i = 0; i < TYPES; i++)
        if ((uint32_t)types[i].code == code) return i;
    return -1;
}

const char *born__gguf_type_name(int code)
{
    int row = code < 0 ? -1 : type_row((uint32_t)code);
    return row < 0 ? "unknown" : types[row].name;
}

static born_dtype dtype_of(int code)
{
    for (int t = 1; t < BORN_DTYPE_COUNT; t++)
        if (born__dtype_info((born_dtype)t)->gguf == code) return (born_dtype)t;
    return BORN_DTYPE_NONE;
}

/* Bytes of a scalar value; 0: strings, arrays and codes that mean nothing. */
static size_t value_bytes(uint32_t type)
{
    static const unsigned char bytes[GGUF_TYPE_COUNT] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return type < GGUF_TYPE_COUNT ? bytes[type] : 0;
}

static uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static born_status take(cursor *c, size_t n, uint64_t *out)
{
    BORN_FAIL_IF(left(c) < n, c->err, BORN_FORMAT, "gguf: the file ends within its header");
    *out = load(c->p, n);
    c->p += n;
    return BORN_OK;
}

static born_status take_u32(cursor *c, uint32_t *out)
{
    uint64_t v;
    BORN_TRY(take(c, 4, &v));
    *out = (uint32_t)v;
    return BORN_OK;
}

static born_status take_string(cursor *c, uint64_t most, born_str *out)
{
    uint64_t n;
    BORN_TRY(take(c, 8, &n));
    BORN_FAIL_IF(n > most, c->err, BORN_FORMAT, "gguf: a string of %llu bytes, at most %llu", (unsigned long long)n,
                 (unsigned long long)most);
    BORN_FAIL_IF(n > left(c), c->err, BORN_FORMAT, "gguf: a string of %llu bytes, %zu remain", (unsigned long long)n,
                 left(c));
    *out = (born_str){ (const char *)c->p, (size_t)n };
    c->p += n;
    return BORN_OK;
}

/* A key or name: not empty, copied before it is looked at. */
static born_status take_name(cursor *c, born_str *out)
{
    born_str s;
    BORN_TRY(take_string(c, GGUF_MAX_KEY, &s));
    BORN_FAIL_IF(s.n == 0, c->err, BORN_FORMAT, "gguf: a key or tensor has no name");
    char *copy = born__arena_strdup(&c->g->arena, s.p, s.n);
    BORN_FAIL_IF(!copy, c->err, BORN_NOMEM, "gguf: out of memory");
    BORN_FAIL_IF(memchr(copy, 0, s.n) != NULL, c->err, BORN_FORMAT, "gguf: a name holds a NUL");
    *out = (born_str){ copy, s.n };
    return BORN_OK;
}

/* ---- finding by name ------------------------------------------------------------------------------------------- */

static born_status enter(const cursor *c, born_names *t, const char *what, born_str name, size_t i)
{
    born_status st = born__names_add(t, name.p, name.n, i);

    BORN_FAIL_IF(st == BORN_STATE, c->err, BORN_FORMAT, "gguf: %s '%.80s' comes twice", what, name.p);
    BORN_FAIL_IF(st == BORN_RANGE, c->err, BORN_FORMAT, "gguf: too many names collide");
    BORN_FAIL_IF(st != BORN_OK, c->err, BORN_NOMEM, "gguf: out of memory");
    return BORN_OK;
}

const born_gguf_tensor *born__gguf_tensor_find(const born_gguf *g, const char *name, size_t n)
{
    size_t i;
    return born__names_find(&g->tensor_names, name, n, &i) ? &g->tensor[i] : NULL;
}

const born_gguf_pair *born__gguf_pair_find(const born_gguf *g, const char *key, size_t n)
{
    size_t i;
    return born__names_find(&g->keys, key, n, &i) ? &g->pair[i] : NULL;
}

bool born__gguf_text(const born_gguf *g, const char *key, born_str *out)
{
    const born_gguf_pair *p = born__gguf_pair_find(g, key, strlen(key));
    if (!p || p->type != GGUF_STRING) return false;
    *out = p->text;
    return true;
}

bool born__gguf_int(const born_gguf_pair *p, int64_t *out)
{
    switch (p->type) {
    case GGUF_I8: *out = (int8_t)(uint8_t)p->bits; return true;
    case GGUF_I16: *out = (int16_t)(uint16_t)p->bits; return true;
    case GGUF_I32: *out = (int32_t)(uint32_t)p->bits; return true;
    case GGUF_I64: *out = (int64_t)p->bits; return true;
    case GGUF_U8: case GGUF_U16: case GGUF_U32: case GGUF_U64:
        if (p->bits > INT64_MAX) return false;
        *out = (int64_t)p->bits;
        return true;
    default: return false;
    }
}

/* ---- keys and values ------------------------------------------------------------------------------------------- */

static born_status take_array(cursor *c, born_gguf_pair *p)
{
    uint32_t elem;
    size_t bytes;

    BORN_TRY(take_u32(c, &elem));
    BORN_TRY(take(c, 8, &p->count));
    BORN_FAIL_IF(elem == GGUF_ARRAY, c->err, BORN_FORMAT, "gguf: key '%.80s': arrays of arrays are refused", p->key.p);
    BORN_FAIL_IF(elem >= GGUF_TYPE_COUNT, c->err, BORN_FORMAT, "gguf: key '%.80s': unknown value type %u", p->key.p,
                 (unsigned)elem);
    p->elem = (born_gguf_type)elem;
    p->data = c->p;
    if (elem == GGUF_STRING) {
        born_str s;
        BORN_FAIL_IF(p->count > left(c) / 8, c->err, BORN_FORMAT, "gguf: key '%.80s': more strings than bytes",
                     p->key.p);
        for (uint64_t i = 0; i < p->count; i++) BORN_TRY(take_string(c, MAX_STRING, &s));
        p->bytes = (size_t)(c->p - p->data);
        return BORN_OK;
    }
    BORN_FAIL_IF(p->count > SIZE_MAX || !born__mul_size((size_t)p->count, value_bytes(elem), &bytes) || bytes > left(c),
                 c->err, BORN_FORMAT, "gguf: key '%.80s': %llu elements, %zu bytes remain", p->key.p,
                 (unsigned long long)p->count, left(c));
    p->bytes = bytes;
    c->p += bytes;
    return BORN_OK;
}

static born_status take_pair(cursor *c, born_gguf_pair *p)
{
    uint32_t type;

    BORN_TRY(take_name(c, &p->key));
    BORN_TRY(take_u32(c, &type));
    BORN_FAIL_IF(type >= GGUF_TYPE_COUNT, c->err, BORN_FORMAT, "gguf: key '%.80s': unknown value type %u", p->key.p,
                 (unsigned)type);
    p->type = (born_gguf_type)type;
    if (type == GGUF_STRING) return take_string(c, MAX_STRING, &p->text);
    if (type == GGUF_ARRAY) return take_array(c, p);
    BORN_TRY(take(c, value_bytes(type), &p->bits));
    BORN_FAIL_IF(type == GGUF_BOOL && p->bits > 1, c->err, BORN_FORMAT, "gguf: key '%.80s': a boolean is %u", p->key.p,
                 (unsigned)p->bits);
    return BORN_OK;
}

static born_status find_align(cursor *c)
{
    static const char key[] = "general.alignment";
    const born_gguf_pair *p = born__gguf_pair_find(c->g, key, sizeof key - 1);

    c->g->align = DEFAULT_ALIGN;
    if (!p) return BORN_OK;
    uint64_t a = p->bits;
    BORN_FAIL_IF(p->type != GGUF_U32 || a == 0 || (a & (a - 1)) != 0 || a > GGUF_MAX_ALIGN, c->err, BORN_FORMAT,
                 "gguf: the alignment is no power of two up to %d", GGUF_MAX_ALIGN);
    c->g->align = (uint32_t)a;
    return BORN_OK;
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

static born_status tensor_bytes(cursor *c, born_gguf_tensor *t, int row)
{
    int64_t count = 1, blocks;

    for (int i = 0; i < t->rank; i++)
        BORN_FAIL_IF(!born__mul_i64(count, t->dim[i], &count), c->err, BORN_FORMAT,
                     "gguf: tensor '%.80s': its size overflows", t->name.p);
    int64_t inner = t->rank ? t->dim[0] : 1;
    BORN_FAIL_IF(inner % types[row].elems != 0, c->err, BORN_FORMAT,
                 "gguf: tensor '%.80s': rows of %lld elements are no whole blocks of %d", t->name.p, (long long)inner,
                 types[row].elems);
    blocks = count / types[row].elems;
    BORN_FAIL_IF((uint64_t)blocks > SIZE_MAX || !born__mul_size((size_t)blocks, (size_t)types[row].bytes, &t->bytes),
                 c->err, BORN_FORMAT, "gguf: tensor '%.80s': its size overflows", t->name.p);
    return BORN_OK;
}

static born_status take_tensor(cursor *c, born_gguf_tensor *t, uint64_t *offset)
{
    uint32_t rank, code;
    uint64_t d;

    BORN_TRY(take_name(c, &t->name));
    BORN_TRY(take_u32(c, &rank));
    BORN_FAIL_IF(rank > GGUF_MAX_RANK, c->err, BORN_FORMAT, "gguf: tensor '%.80s': %u dimensions, at most %d",
                 t->name.p, (unsigned)rank, GGUF_MAX_RANK);
    t->rank = (int)rank;
    for (int i = 0; i < t->rank; i++) {
        BORN_TRY(take(c, 8, &d));
        BORN_FAIL_IF(d > INT64_MAX, c->err, BORN_FORMAT, "gguf: tensor '%.80s': a negative size", t->name.p);
        t->dim[i] = (int64_t)d;
    }
    BORN_TRY(take_u32(c, &code));
    int row = type_row(code);
    BORN_FAIL_IF(row < 0, c->err, BORN_FORMAT, "gguf: tensor '%.80s': unknown type %u", t->name.p, (unsigned)code);
    t->code = types[row].code;
    t->dtype = dtype_of(t->code);
    BORN_TRY(take(c, 8, offset));
    return tensor_bytes(c, t, row);
}

static bool pad(uint64_t *v, uint32_t align)
{
    uint64_t over = *v % align;
    return over == 0 || !__builtin_add_overflow(*v, align - over, v);
}

/* Data lies in order, without holes other than padding: each tensor begins where the one before ends. */
static born_status place_tensors(cursor *c, const uint64_t *offset, size_t file_bytes)
{
    born_gguf *g = c->g;
    uint64_t at = (uint64_t)(c->p - g->base), running = 0;

    BORN_FAIL_IF(!pad(&at, g->align), c->err, BORN_FORMAT, "gguf: its header is too long");
    if (at > file_bytes) at = file_bytes;       /* fine where no tensor needs bytes */
    g->data_at = (size_t)at;
    for (size_t i = 0; i < g->tensor_count; i++) {
        born_gguf_tensor *t = &g->tensor[i];
        BORN_FAIL_IF(offset[i] != running, c->err, BORN_FORMAT, "gguf: tensor '%.80s' begins at %llu, expected at %llu",
                     t->name.p, (unsigned long long)offset[i], (unsigned long long)running);
        size_t room = file_bytes - g->data_at;
        BORN_FAIL_IF((running > room && t->bytes > 0) || (running <= room && t->bytes > room - (size_t)running), c->err,
                     BORN_FORMAT, "gguf: tensor '%.80s' needs %zu bytes at %llu of %zu: the file is cut", t->name.p,
                     t->bytes, (unsigned long long)running, room);
        t->data = g->base + g->data_at + (running <= room ? (size_t)running : room);
        BORN_FAIL_IF(__builtin_add_overflow(running, (uint64_t)t->bytes, &running) || !pad(&running, g->align), c->err,
                     BORN_FORMAT, "gguf: tensor '%.80s': its size overflows", t->name.p);
    }
    return BORN_OK;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static born_status take_head(cursor *c)
{
    uint64_t magic, version, tensors, pairs;

    BORN_TRY(take(c, 4, &magic));
    BORN_FAIL_IF(magic != 0x46554747u, c->err, BORN_FORMAT, "gguf: not a GGUF file");
    BORN_TRY(take(c, 4, &version));
    BORN_FAIL_IF(version == 0 || (version & 0xFFFFu) == 0, c->err, BORN_UNSUPPORTED,
                 "gguf: version 0, or a file for big-endian machines");
    BORN_FAIL_IF(version < 2 || version > 3, c->err, BORN_UNSUPPORTED, "gguf: version %llu; 2 and 3 are supported",
                 (unsigned long long)version);
    BORN_TRY(take(c, 8, &tensors));
    BORN_TRY(take(c, 8, &pairs));
    BORN_FAIL_IF(pairs > left(c) / MIN_PAIR || pairs > GGUF_MAX_ENTRIES, c->err, BORN_FORMAT,
                 "gguf: %llu keys do not fit the file", (unsigned long long)pairs);
    BORN_FAIL_IF(tensors > left(c) / MIN_TENSOR || tensors > GGUF_MAX_ENTRIES, c->err, BORN_FORMAT,
                 "gguf: %llu tensors do not fit the file", (unsigned long long)tensors);
    c->g->version = (uint32_t)version;
    c->g->pair_count = (size_t)pairs;
    c->g->tensor_count = (size_t)tensors;
    return BORN_OK;
}

static born_status read_all(cursor *c, size_t file_bytes)
{
    born_gguf *g = c->g;

    BORN_TRY(take_head(c));
    uint64_t *offset = born__arena_alloc(&g->arena, (g->tensor_count + 1) * sizeof *offset);
    g->pair = born__arena_alloc(&g->arena, (g->pair_count + 1) * sizeof *g->pair);
    g->tensor = born__arena_alloc(&g->arena, (g->tensor_count + 1) * sizeof *g->tensor);
    BORN_FAIL_IF(!offset || !g->pair || !g->tensor, c->err, BORN_NOMEM, "gguf: out of memory");
    for (size_t i = 0; i < g->pair_count; i++) {
        BORN_TRY(take_pair(c, &g->pair[i]));
        BORN_TRY(enter(c, &g->keys, "key", g->pair[i].key, i));
    }
    BORN_TRY(find_align(c));
    for (size_t i = 0; i < g->tensor_count; i++) {
        BORN_TRY(take_tensor(c, &g->tensor[i], &offset[i]));
        BORN_TRY(enter(c, &g->tensor_names, "tensor", g->tensor[i].name, i));
    }
    return place_tensors(c, offset, file_bytes);
}

bool born__gguf_probe(const void *bytes, size_t n)
{
    return n >= 4 && memcmp(bytes, "GGUF", 4) == 0;
}

born_status born__gguf_read(const void *bytes, size_t n, born_gguf **out, born_error *err)
{
    *out = NULL;
    born_gguf *g = born__calloc(1, sizeof *g);
    BORN_FAIL_IF(!g, err, BORN_NOMEM, "gguf: out of memory");
    g->base = bytes;
    cursor c = { g->base, g->base + n, g, err };
    born_status st = read_all(&c, n);
    if (st != BORN_OK) {
        born__gguf_free(&g);
        return st;
    }
    *out = g;
    return BORN_OK;
}

void born__gguf_free(born_gguf **g)
{
    if (!*g) return;
    born__names_free(&(*g)->keys);
    born__names_free(&(*g)->tensor_names);
    born__arena_free(&(*g)->arena);
    born__free(*g);
    *g = NULL;
}
