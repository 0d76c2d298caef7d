/* NumPy's .npy (versions 1 to 3) and .npz, a zip of them whose deflated members need a codec. Sizes are checked against
   the bytes that are there before anything is allocated. Called by the tool for its inputs too. */
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "data/file.h"
#include "tensor/view.h"

#define MOST_HEADER 4096
#define MOST_MEMBERS 4096

static uint32_t le16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const unsigned char *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static born_dtype dtype_of(const char *s, size_t n)
{
    static const struct { const char *code; born_dtype t; } rows[] = {
#define X(ID, name, ctype, bits, cls, be, bb, onnx, gguf, npy) { npy, BORN_##ID },
#include <born/dtype.def>
#undef X
        { "<i1", BORN_I8 }, { "<u1", BORN_U8 }, { "?", BORN_BOOL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (n > 0 && strlen(rows[i].code) == n && memcmp(rows[i].code, s, n) == 0) return rows[i].t;
    return BORN_DTYPE_NONE;
}

/* The text after "'key':" in the header's dictionary; NULL where there is no such key. */
static const char *entry(const char *head, const char *key)
{
    const char *p = strstr(head, key);
    if (p == NULL) return NULL;
    p += strlen(key);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

/* "(2, 3,)"; RANGE: more dimensions than we have, FORMAT: something else. */
static born_status parse_shape(const char *p, born_shape *out)
{
    out->rank = 0;
    if (*p != '(') return BORN_FORMAT;
    for (p++;;) {
        char *after;
        while (*p == ' ' || *p == ',') p++;
        if (*p == ')') return BORN_OK;
        if (*p < '0' || *p > '9') return BORN_FORMAT;
        long long v = strtoll(p, &after, 10);
        if (out->rank == BORN_MAX_RANK) return BORN_RANGE;
        out->dim[out->rank++] = v;
        p = after;
        if (*p == 'L') p++;
    }
}

static born_status parse_header(const char *head, born_npy *out, born_error *err)
{
    const char *descr = entry(head, "'descr'"), *order = entry(head, "'fortran_order'");
    const char *shape = entry(head, "'shape'");
    bool known = descr != NULL && order != NULL && shape != NULL && (*descr == '\'' || *descr == '"' || *descr == '[');
    born_status st = known ? parse_shape(shape, &out->shape) : BORN_FORMAT;
    BORN_FAIL_IF(st == BORN_RANGE, err, BORN_UNSUPPORTED, "more than %d dimensions", BORN_MAX_RANK);
    BORN_FAIL_IF(st != BORN_OK, err, BORN_FORMAT, "the header is not understood");
    const char *end = strchr(descr + 1, *descr);
    out->dtype = end != NULL ? dtype_of(descr + 1, (size_t)(end - descr - 1)) : BORN_DTYPE_NONE;
    BORN_FAIL_IF(out->dtype == BORN_DTYPE_NONE, err, BORN_UNSUPPORTED,
                 "its element type is not supported (little-endian numbers are)");
    out->fortran = strncmp(order, "True", 4) == 0;
    return BORN_OK;
}

born_status born__npy_parse(const unsigned char *bytes, size_t n, born_npy *out, born_error *err)
{
    char head[MOST_HEADER];
    int64_t count;
    BORN_FAIL_IF(n < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0, err, BORN_FORMAT, "not a .npy file");
    size_t at = bytes[6] >= 2 ? 12 : 10, head_n = bytes[6] >= 2 ? le32(bytes + 8) : le16(bytes + 8);
    BORN_FAIL_IF(head_n > n - at || head_n >= sizeof head, err, BORN_FORMAT, "the header is cut or too long");
    memcpy(head, bytes + at, head_n);
    head[head_n] = '\0';
    BORN_TRY(parse_header(head, out, err));
    BORN_FAIL_IF(!born__shape_count(out->shape.dim, out->shape.rank, &count), err, BORN_FORMAT, "its sizes overflow");
    int64_t need = born_dtype_bytes(out->dtype, count);
    out->at = at + head_n;
    BORN_FAIL_IF(need < 0 || (uint64_t)need != n - out->at, err, BORN_FORMAT,
                 "it holds %zu bytes, its shape needs %lld elements", n - out->at, (long long)count);
    out->bytes = n - out->at;
    return BORN_OK;
}

/* Fortran order: element i of the result, in C order, is at the place that its reversed coordinates give. */
static void from_fortran(const born_shape *s, size_t size, size_t count, const unsigned char *src, unsigned char *dst)
{
    int64_t at[BORN_MAX_RANK] = { 0 };
    for (size_t i = 0; i < count; i++) {
        int64_t from = 0;
        for (int d = s->rank - 1; d >= 0; d--) from = from * s->dim[d] + at[d];
        memcpy(dst + i * size, src + (size_t)from * size, size);
        for (int d = s->rank - 1; d >= 0 && ++at[d] == s->dim[d]; d--) at[d] = 0;
    }
}

void born__npy_copy(const born_npy *h, const unsigned char *bytes, void *dst)
{
    size_t size = (size_t)born_dtype_bytes(h->dtype, 1);
    unsigned char *to = dst;
    if (h->bytes == 0) return;
    if (h->fortran && h->shape.rank > 1)
        from_fortran(&h->shape, size, h->bytes / size, bytes + h->at, to);
    else
        memcpy(to, bytes + h->at, h->bytes);
    for (size_t i = 0; h->dtype == BORN_BOOL && i < h->bytes; i++) to[i] = to[i] != 0;
}

born_status born_npy_read(const void *bytes, size_t byte_count, size_t max_bytes, born_array *out, born_error *err)
{
    born_npy h;
    *out = (born_array){ .data = NULL };
    BORN_TRY(born__npy_parse(bytes, byte_count, &h, err));
    BORN_FAIL_IF(max_bytes != 0 && h.bytes > max_bytes, err, BORN_NOMEM, "%zu bytes are above the limit of %zu",
                 h.bytes, max_bytes);
    void *p = born__alloc(h.bytes);
    BORN_FAIL_IF(p == NULL, err, BORN_NOMEM, "no memory for its %zu bytes", h.bytes);
    born__npy_copy(&h, bytes, p);
    *out = (born_array){ h.dtype, h.shape, p, h.bytes };
    return BORN_OK;
}

/* --- zip --- */

typedef struct member {
    char name[128];
    uint32_t method;
    size_t packed, full, at;        /* at: of the data */
} member;

/* The central directory's place and number of entries; false where there is none. */
static bool find_directory(const unsigned char *b, size_t n, size_t *at, size_t *entries)
{
    for (size_t back = 22; back <= n && back < 22 + 65536; back++) {
        const unsigned char *e = b + n - back;
        if (memcmp(e, "PK\5\6", 4) != 0) continue;
        *entries = le16(e + 10);
        *at = le32(e + 16);
        return *at <= n;
    }
    return false;
}

static bool read_member(const unsigned char *b, size_t n, size_t *at, member *m)
{
    if (n - *at < 46 || memcmp(b + *at, "PK\1\2", 4) != 0) return false;
    const unsigned char *e = b + *at;
    size_t name_n = le16(e + 28), skip = 46 + name_n + le16(e + 30) + le16(e + 32), local = le32(e + 42);
    if (skip > n - *at || local > n || n - local < 30 || memcmp(b + local, "PK\3\4", 4) != 0) return false;
    m->method = le16(e + 10);
    m->packed = le32(e + 20);
    m->full = le32(e + 24);
    size_t k = name_n < sizeof m->name - 1 ? name_n : sizeof m->name - 1;
    memcpy(m->name, e + 46, k);
    m->name[k] = '\0';
    m->at = local + 30 + le16(b + local + 26) + le16(b + local + 28);
    *at += skip;
    return m->at <= n && m->packed <= n - m->at;
}

/* One member's array. */
static born_status member_read(const unsigned char *bytes, const member *m, size_t max_bytes, born_array *out,
                               born_error *err)
{
    if (m->method == 0 && m->packed == m->full)
        return born_npy_read(bytes + m->at, m->full, max_bytes, out, err);
    BORN_FAIL_IF(m->method != 8, err, BORN_UNSUPPORTED, "is packed by method %u, only deflate is read",
                 (unsigned)m->method);
    /* the file counts its header too; deflate never does better than 1032 to 1 */
    BORN_FAIL_IF((max_bytes != 0 && m->full > max_bytes + MOST_HEADER) || m->full / 1040 > m->packed, err, BORN_NOMEM,
                 "is above the limit");
    void *full;
    size_t n;
    BORN_TRY(born__inflate(BORN_INFLATE_RAW, bytes + m->at, m->packed, m->full, &full, &n, err));
    born_status st = n == m->full ? born_npy_read(full, n, max_bytes, out, err)
                                  : born__fail(err, BORN_FORMAT, "inflates to fewer bytes than it says");
    born__free(full);
    return st;
}

born_status born_npz_read(const void *bytes, size_t byte_count, size_t max_bytes,
                          born_status (*fn)(void *user, const char *name, born_array *a, born_error *err), void *user,
                          born_error *err)
{
    const unsigned char *b = bytes;
    size_t at, entries;
    member m;
    BORN_FAIL_IF(byte_count < 22 || !find_directory(b, byte_count, &at, &entries) || entries > MOST_MEMBERS, err,
                 BORN_FORMAT, "not a .npz file");
    for (size_t i = 0; i < entries; i++) {
        born_array a;
        BORN_FAIL_IF(!read_member(b, byte_count, &at, &m), err, BORN_FORMAT, "its directory is damaged");
        born_status st = member_read(b, &m, max_bytes, &a, err);
        if (st != BORN_OK) {
            born__error_prefix(err, "member '%s'", m.name);
            return st;
        }
        char *dot = strrchr(m.name, '.');
        if (dot != NULL && strcmp(dot, ".npy") == 0) *dot = '\0';
        BORN_TRY(fn(user, m.name, &a, err));
    }
    return BORN_OK;
}
