/* Printing and parsing of attribute structs; see attrs_text.h. The text is not trusted: numbers are bounded, counts are
   bounded by the text's own length, and nothing is read past it. */
#include "ops/attrs_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <born/attrs.h>

#include "base/error.h"
#include "tensor/view.h"

/* ---- printing ---- */

typedef struct sink { char *buf; size_t cap, len; } sink;

static void put(sink *o, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++, o->len++)
        if (o->len + 1 < o->cap) o->buf[o->len] = p[i];
}
static void put_str(sink *o, const char *p) { put(o, p, strlen(p)); }

static void put_i64(sink *o, int64_t v)
{
    char t[32];
    snprintf(t, sizeof t, "%lld", (long long)v);
    put_str(o, t);
}

static void put_f64(sink *o, double v, bool single)
{
    char t[40];
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(t, sizeof t, "%.*g", digits, v);
        double back = strtod(t, NULL);
        if (v != v || (single ? (float)back == (float)v : back == v)) break;
    }
    put_str(o, t);
}

static void put_quoted(sink *o, const char *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    put(o, "\"", 1);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if (c == '"' || c == '\\') put(o, "\\", 1);
        if (c < 32 || c == 127) put(o, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
        else put(o, &p[i], 1);
    }
    put(o, "\"", 1);
}

static void put_array(sink *o, const born_array *a)
{
    static const char hex[] = "0123456789abcdef";
    char shape[200];
    int64_t n = 0;
    if (!born__shape_count(a->shape.dim, a->shape.rank, &n)) n = 0;
    n = born_dtype_bytes(a->dtype, n);
    put_str(o, born_dtype_name(a->dtype));
    put_str(o, born__shape_text(a->shape.dim, a->shape.rank, shape, sizeof shape));
    put(o, ":", 1);
    for (int64_t i = 0; a->data && i < n; i++) {
        uint8_t c = ((const uint8_t *)a->data)[i];
        put(o, (char[]){ hex[c >> 4], hex[c & 15] }, 2);
    }
}

static void put_choice(sink *o, const char *text, int v)
{
    for (; v > 0 && (text = strchr(text, '|')); v--) text++;
    if (text) put(o, text, strcspn(text, "|"));
}

static void put_value(sink *o, const born_attr_field *f, const void *p)
{
    switch (f->kind) {
    case BORN_ATTR_INT: put_i64(o, *(const int64_t *)p); break;
    case BORN_ATTR_FLOAT: put_f64(o, *(const double *)p, false); break;
    case BORN_ATTR_BOOL: put_str(o, *(const bool *)p ? "true" : "false"); break;
    case BORN_ATTR_ENUM: put_choice(o, f->text, *(const int *)p); break;
    case BORN_ATTR_DTYPE: put_str(o, born_dtype_name(*(const born_dtype *)p)); break;
    case BORN_ATTR_STRING: put_quoted(o, ((const born_str *)p)->p, ((const born_str *)p)->n); break;
    case BORN_ATTR_TENSOR: put_array(o, *(const born_array *const *)p); break;
    case BORN_ATTR_GRAPH: put_str(o, "<graph>"); break;
    case BORN_ATTR_INTS:
        put(o, "[", 1);
        for (int64_t i = 0; i < ((const born_ints *)p)->count; i++) {
            if (i) put(o, ",", 1);
            put_i64(o, ((const born_ints *)p)->v[i]);
        }
        put(o, "]", 1);
        break;
    case BORN_ATTR_FLOATS:
        put(o, "[", 1);
        for (int64_t i = 0; i < ((const born_floats *)p)->count; i++) {
            if (i) put(o, ",", 1);
            put_f64(o, (double)((const born_floats *)p)->v[i], true);
        }
        put(o, "]", 1);
        break;
    case BORN_ATTR_STRINGS:
        put(o, "[", 1);
        for (int64_t i = 0; i < ((const born_strs *)p)->count; i++) {
            if (i) put(o, ",", 1);
            put_quoted(o, ((const born_strs *)p)->v[i].p, ((const born_strs *)p)->v[i].n);
        }
        put(o, "]", 1);
        break;
    }
}

static bool has_default(const born_attr_field *f, const void *p)
{
    switch (f->kind) {
    case BORN_ATTR_INT: return *(const int64_t *)p == (int64_t)f->def;
    case BORN_ATTR_FLOAT: return memcmp(p, &f->def, sizeof f->def) == 0;
    case BORN_ATTR_BOOL: return *(const bool *)p == (f->def != 0);
    case BORN_ATTR_ENUM: return *(const int *)p == (int)f->def;
    case BORN_ATTR_DTYPE: return (int)*(const born_dtype *)p == (int)f->def;
    case BORN_ATTR_INTS: return ((const born_ints *)p)->count == 0;
    case BORN_ATTR_FLOATS: return ((const born_floats *)p)->count == 0;
    case BORN_ATTR_STRING: return ((const born_str *)p)->n == 0;
    case BORN_ATTR_STRINGS: return ((const born_strs *)p)->count == 0;
    case BORN_ATTR_TENSOR: return *(const born_array *const *)p == NULL;
    case BORN_ATTR_GRAPH: return *(born_graph *const *)p == NULL;
    }
    return true;
}

size_t born__attrs_print(const born_attr_set *s, const void *attrs, char *buf, size_t n)
{
    sink o = { buf, n, 0 };
    for (int i = 0; i < s->count; i++) {
        const void *p = (const char *)attrs + s->field[i].offset;
        if (has_default(&s->field[i], p)) continue;
        if (o.len) put_str(&o, ", ");
        put_str(&o, s->field[i].name);
        put(&o, "=", 1);
        put_value(&o, &s->field[i], p);
    }
    if (n) buf[o.len < n ? o.len : n - 1] = '\0';
    return o.len;
}

/* ---- parsing ---- */

typedef struct source {
    const char *p, *end;
    born_arena *arena;
    const char *field;
    born_error *err;
} source;

static born_status bad(source *s, const char *what)
{
    return born__fail(s->err, BORN_FORMAT, "attribute %s: %s expected", s->field, what);
}

static void skip_space(source *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t')) s->p++;
}
static bool take(source *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}
/* The run of characters up to one that ends a value. */
static size_t word(source *s, const char **at)
{
    skip_space(s);
    *at = s->p;
    while (s->p < s->end && *s->p && !strchr(", \t]:[=\"", *s->p)) s->p++;
    return (size_t)(s->p - *at);
}

static born_status get_i64(source *s, int64_t *out)
{
    const char *at;
    size_t n = word(s, &at), i = 0;
    bool minus = n > 0 && at[0] == '-';
    uint64_t v = 0, cap = minus ? (uint64_t)1 << 63 : INT64_MAX;
    for (i = minus; i < n && at[i] >= '0' && at[i] <= '9'; i++) {
        uint64_t d = (uint64_t)(at[i] - '0');
        if (v > (cap - d) / 10) return bad(s, "an integer of 64 bits");
        v = v * 10 + d;
    }
    if (i < n || i == (size_t)minus) return bad(s, "an integer");
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return BORN_OK;
}

static born_status get_f64(source *s, double *out)
{
    const char *at;
    char t[64], *end;
    size_t n = word(s, &at);
    if (n == 0 || n >= sizeof t) return bad(s, "a number");
    memcpy(t, at, n);
    t[n] = '\0';
    *out = strtod(t, &end);
    return *end ? bad(s, "a number") : BORN_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static born_status get_string(source *s, born_str *out)
{
    if (!take(s, '"')) return bad(s, "a quoted text");
    size_t most = 0;        /* up to the closing quote: escapes only shorten */
    while (s->p + most < s->end && s->p[most] != '"') most += s->p[most] == '\\' && s->p + most + 1 < s->end ? 2 : 1;
    char *to = born__arena_alloc(s->arena, most + 1);
    BORN_FAIL_IF(!to, s->err, BORN_NOMEM, "attribute %s: no memory", s->field);
    size_t n = 0;
    for (;; s->p++) {
        if (s->p == s->end) return bad(s, "a closing quote");
        if (*s->p == '"') break;
        if (*s->p != '\\') {
            to[n++] = *s->p;
            continue;
        }
        if (s->end - s->p >= 4 && s->p[1] == 'x' && hex_digit(s->p[2]) >= 0 && hex_digit(s->p[3]) >= 0) {
            to[n++] = (char)(hex_digit(s->p[2]) << 4 | hex_digit(s->p[3]));
            s->p += 3;
        } else if (s->end - s->p >= 2) {
            to[n++] = *++s->p;
        }
    }
    s->p++;
    *out = (born_str){ to, n };
    return BORN_OK;
}

static born_status get_dtype(source *s, born_dtype *out)
{
    const char *at;
    size_t n = word(s, &at);
    for (int t = 0; t < (int)BORN_DTYPE_COUNT; t++) {
        const char *name = born_dtype_name((born_dtype)t);
        if (strlen(name) == n && memcmp(name, at, n) == 0) {
            *out = (born_dtype)t;
            return BORN_OK;
        }
    }
    return bad(s, "a dtype");
}

static born_status get_enum(source *s, const char *text, int *out)
{
    const char *at;
    size_t n = word(s, &at);
    for (int i = 0;; i++) {
        size_t len = strcspn(text, "|");
        if (len == n && memcmp(text, at, n) == 0) {
            *out = i;
            return BORN_OK;
        }
        if (text[len] == '\0') return bad(s, "one of its choices");
        text += len + 1;
    }
}

/* Items of [a,b,c]: as many as commas allow, so memory stays within the text's length. */
static born_status get_list(source *s, size_t size, born_status (*item)(source *, void *), void **v, int64_t *count)
{
    if (!take(s, '[')) return bad(s, "a list");
    size_t cap = 1;
    for (const char *p = s->p; p < s->end; p++) cap += *p == ',';
    char *to = born__arena_alloc(s->arena, cap * size);
    BORN_FAIL_IF(!to, s->err, BORN_NOMEM, "attribute %s: no memory", s->field);
    int64_t n = 0;
    while (!take(s, ']')) {
        if (n > 0 && !take(s, ',')) return bad(s, "a comma");
        BORN_TRY(item(s, to + (size_t)n * size));
        n++;
    }
    *v = n ? to : NULL;
    *count = n;
    return BORN_OK;
}
static born_status item_i64(source *s, void *p) { return get_i64(s, p); }
static born_status item_string(source *s, void *p) { return get_string(s, p); }
static born_status item_f32(source *s, void *p)
{
    double v = 0;
    BORN_TRY(get_f64(s, &v));
    *(float *)p = (float)v;
    return BORN_OK;
}

static born_status get_array(source *s, const born_array **out)
{
    born_array a = { 0 };
    int64_t *dim = NULL, rank = 0, count, bytes;
    BORN_TRY(get_dtype(s, &a.dtype));
    BORN_TRY(get_list(s, sizeof *dim, item_i64, (void **)&dim, &rank));
    if (rank > BORN_MAX_RANK) return bad(s, "a rank of at most 8");
    a.shape.rank = (int)rank;
    for (int64_t i = 0; i < rank; i++) a.shape.dim[i] = dim[i];
    if (!born__shape_count(a.shape.dim, a.shape.rank, &count)) return bad(s, "a possible shape");
    bytes = born_dtype_bytes(a.dtype, count);
    if (!take(s, ':') || bytes < 0 || (s->end - s->p) / 2 < bytes) return bad(s, "as many bytes as the shape has");
    uint8_t *to = born__arena_alloc(s->arena, (size_t)bytes + 1);
    born_array *copy = born__arena_alloc(s->arena, sizeof *copy);
    BORN_FAIL_IF(!to || !copy, s->err, BORN_NOMEM, "attribute %s: no memory", s->field);
    for (int64_t i = 0; i < bytes; i++, s->p += 2) {
        int hi = hex_digit(s->p[0]), lo = hex_digit(s->p[1]);
        if (hi < 0 || lo < 0) return bad(s, "hexadecimal bytes");
        to[i] = (uint8_t)(hi << 4 | lo);
    }
    a.data = to;
    a.bytes = (size_t)bytes;
    *copy = a;
    *out = copy;
    return BORN_OK;
}

static born_status get_value(source *s, const born_attr_field *f, void *p)
{
    const char *at;
    void *v = NULL;
    switch (f->kind) {
    case BORN_ATTR_INT: return get_i64(s, p);
    case BORN_ATTR_FLOAT: return get_f64(s, p);
    case BORN_ATTR_ENUM: return get_enum(s, f->text, p);
    case BORN_ATTR_DTYPE: return get_dtype(s, p);
    case BORN_ATTR_STRING: return get_string(s, p);
    case BORN_ATTR_TENSOR: return get_array(s, p);
    case BORN_ATTR_BOOL: {
        size_t n = word(s, &at);
        bool yes = n == 4 && memcmp(at, "true", 4) == 0;
        if (!yes && !(n == 5 && memcmp(at, "false", 5) == 0)) return bad(s, "true or false");
        *(bool *)p = yes;
        return BORN_OK;
    }
    case BORN_ATTR_INTS:
        BORN_TRY(get_list(s, sizeof(int64_t), item_i64, &v, &((born_ints *)p)->count));
        ((born_ints *)p)->v = v;
        return BORN_OK;
    case BORN_ATTR_FLOATS:
        BORN_TRY(get_list(s, sizeof(float), item_f32, &v, &((born_floats *)p)->count));
        ((born_floats *)p)->v = v;
        return BORN_OK;
    case BORN_ATTR_STRINGS:
        BORN_TRY(get_list(s, sizeof(born_str), item_string, &v, &((born_strs *)p)->count));
        ((born_strs *)p)->v = v;
        return BORN_OK;
    case BORN_ATTR_GRAPH: {
        size_t n = word(s, &at);
        return n == 7 && memcmp(at, "<graph>", 7) == 0 ? BORN_OK : bad(s, "<graph>");
    }
    }
    return bad(s, "a known kind");
}

born_status born__attrs_parse(const born_attr_set *set, const char *text, size_t n, born_arena *arena, void *attrs,
                              born_error *err)
{
    source s = { text, text + n, arena, "list", err };
    born__attrs_default(set, attrs);
    skip_space(&s);
    for (bool first = true; s.p < s.end; first = false) {
        const char *at;
        s.field = "list";
        if (!first && !take(&s, ',')) return bad(&s, "a comma");
        size_t len = word(&s, &at);
        const born_attr_field *f = NULL;
        for (int i = 0; i < set->count && !f; i++)
            if (strlen(set->field[i].name) == len && memcmp(set->field[i].name, at, len) == 0) f = &set->field[i];
        BORN_FAIL_IF(!f, err, BORN_FORMAT, "attributes of %s: unknown name %.*s", set->name, (int)(len > 40 ? 40 : len),
                     at);
        s.field = f->name;
        if (!take(&s, '=')) return bad(&s, "'='");
        BORN_TRY(get_value(&s, f, (char *)attrs + f->offset));
        skip_space(&s);
    }
    return BORN_OK;
}
