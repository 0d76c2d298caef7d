/* NumPy's .npy (versions 1 to 3) and .npz (a zip of them; deflated members need zlib). Sizes are checked against the
   bytes that are there before anything is allocated. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#if defined(BORN_HAVE_ZLIB)
#include <zlib.h>
#endif

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
        { "<f4", BORN_F32 }, { "<f8", BORN_F64 }, { "<f2", BORN_F16 }, { "|i1", BORN_I8 }, { "|u1", BORN_U8 },
        { "<i2", BORN_I16 }, { "<u2", BORN_U16 }, { "<i4", BORN_I32 }, { "<u4", BORN_U32 }, { "<i8", BORN_I64 },
        { "<u8", BORN_U64 }, { "|b1", BORN_BOOL }, { "<i1", BORN_I8 }, { "<u1", BORN_U8 }, { "?", BORN_BOOL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].code) == n && !memcmp(rows[i].code, s, n)) return rows[i].t;
    return BORN_DTYPE_NONE;
}

/* The text after "'key':" in the header's dictionary; NULL where there is no such key. */
static const char *entry(const char *head, const char *key)
{
    const char *p = strstr(head, key);

    if (!p) return NULL;
    p += strlen(key);
    while (*p == ' ' || *p == ':') p++;
    return p;
}

static bool parse_header(const char *head, born_dtype *t, int64_t *dim, int *rank, bool *fortran)
{
    const char *descr = entry(head, "'descr'"), *order = entry(head, "'fortran_order'");
    const char *shape = entry(head, "'shape'");

    if (!descr || !order || !shape || *shape != '(' || (*descr != '\'' && *descr != '"')) return false;
    const char *end = strchr(descr + 1, *descr);
    *t = end ? dtype_of(descr + 1, (size_t)(end - descr - 1)) : BORN_DTYPE_NONE;
    *fortran = !strncmp(order, "True", 4);
    *rank = 0;
    for (const char *p = shape + 1; *p != ')';) {
        char *after;
        while (*p == ' ' || *p == ',') p++;
        if (*p == ')') break;
        long long v = strtoll(p, &after, 10);
        if (after == p || v < 0 || *rank == BORN_MAX_RANK) return false;
        dim[(*rank)++] = v;
        p = after;
        if (*p == 'L') p++;
    }
    return true;
}

/* Fortran order: element i of the result, in C order, is at the place that its reversed coordinates give. */
static void from_fortran(cli_tensor *t, const unsigned char *src)
{
    size_t size = cli_elem_bytes(t->a.dtype);
    int64_t n = cli_count(&t->a.shape), at[BORN_MAX_RANK] = { 0 };

    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (int d = t->a.shape.rank - 1; d >= 0; d--) from = from * t->a.shape.dim[d] + at[d];
        memcpy((char *)t->memory + (size_t)i * size, src + (size_t)from * size, size);
        for (int d = t->a.shape.rank - 1; d >= 0 && ++at[d] == t->a.shape.dim[d]; d--) at[d] = 0;
    }
}

born_status cli_npy_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor *out, born_error *err)
{
    char head[4096];
    int64_t dim[BORN_MAX_RANK];
    int rank;
    bool fortran;
    born_dtype t;

    if (n < 12 || memcmp(bytes, "\x93NUMPY", 6)) return cli_error(err, BORN_FORMAT, "not a .npy file");
    size_t at = bytes[6] >= 2 ? 12 : 10, head_n = bytes[6] >= 2 ? le32(bytes + 8) : le16(bytes + 8);
    if (head_n > n - at || head_n >= sizeof head) return cli_error(err, BORN_FORMAT, "the header is cut or too long");
    memcpy(head, bytes + at, head_n);
    head[head_n] = 0;
    if (!parse_header(head, &t, dim, &rank, &fortran))
        return cli_error(err, BORN_FORMAT, "the header is not understood");
    if (!t) return cli_error(err, BORN_UNSUPPORTED, "its element type is not supported (little-endian numbers are)");
    int64_t count = 1, size = born_dtype_bytes(t, 1);
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(count, dim[i], &count)) return cli_error(err, BORN_FORMAT, "its sizes overflow");
    at += head_n;
    if (count > (int64_t)((n - at) / (size_t)size) || (size_t)count * (size_t)size != n - at)
        return cli_error(err, BORN_FORMAT, "it holds %zu bytes, its shape needs %lld elements", n - at,
                         (long long)count);
    if (!cli_tensor_new(out, t, dim, rank, max_bytes, err)) return err->status;
    if (fortran && rank > 1)
        from_fortran(out, bytes + at);
    else if (out->a.bytes)
        memcpy(out->memory, bytes + at, out->a.bytes);
    if (t == BORN_BOOL)
        for (unsigned char *p = out->memory, *end = p + out->a.bytes; p < end; p++) *p = *p != 0;
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
        if (memcmp(e, "PK\5\6", 4)) continue;
        *entries = le16(e + 10);
        *at = le32(e + 16);
        return *at <= n;
    }
    return false;
}

static bool read_member(const unsigned char *b, size_t n, size_t *at, member *m)
{
    if (n - *at < 46 || memcmp(b + *at, "PK\1\2", 4)) return false;
    const unsigned char *e = b + *at;
    size_t name_n = le16(e + 28), skip = 46 + name_n + le16(e + 30) + le16(e + 32), local = le32(e + 42);
    if (skip > n - *at || local > n || n - local < 30 || memcmp(b + local, "PK\3\4", 4)) return false;
    m->method = le16(e + 10);
    m->packed = le32(e + 20);
    m->full = le32(e + 24);
    size_t k = name_n < sizeof m->name - 1 ? name_n : sizeof m->name - 1;
    memcpy(m->name, e + 46, k);
    m->name[k] = 0;
    m->at = local + 30 + le16(b + local + 26) + le16(b + local + 28);
    *at += skip;
    return m->at <= n && m->packed <= n - m->at;
}

static born_status inflate_member(const unsigned char *b, const member *m, unsigned char *dst, born_error *err)
{
    if (m->method == 0 && m->packed == m->full) {
        memcpy(dst, b + m->at, m->full);
        return BORN_OK;
    }
#if defined(BORN_HAVE_ZLIB)
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)(b + m->at), .avail_in = (uInt)m->packed, .next_out = dst,
                   .avail_out = (uInt)m->full };
    if (m->method == 8 && inflateInit2(&z, -15) == Z_OK) {
        int r = inflate(&z, Z_FINISH);
        inflateEnd(&z);
        if (r == Z_STREAM_END && z.total_out == m->full) return BORN_OK;
    }
    return cli_error(err, BORN_FORMAT, "member '%s' is damaged", m->name);
#else
    return cli_error(err, BORN_UNSUPPORTED, "member '%s' is compressed and this build has no zlib", m->name);
#endif
}

/* One member as a tensor named after it. */
static born_status parse_member(const unsigned char *bytes, member *m, size_t max_bytes, cli_tensor *out,
                                born_error *err)
{
    /* deflate never does better than 1032 to 1 */
    if ((max_bytes && m->full > max_bytes) || m->full / 1040 > m->packed)
        return cli_error(err, BORN_NOMEM, "member '%s' is above the limit", m->name);
    unsigned char *full = malloc(m->full ? m->full : 1);
    born_status st = full ? inflate_member(bytes, m, full, err) : cli_error(err, BORN_NOMEM, "out of memory");
    if (!st) st = cli_npy_parse(full, m->full, max_bytes, out, err);
    free(full);
    if (st) return st;
    char *dot = strrchr(m->name, '.');
    if (dot && !strcmp(dot, ".npy")) *dot = 0;
    memcpy(out->name, m->name, sizeof m->name);
    return BORN_OK;
}

born_status cli_npz_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor **out, int *count,
                          born_error *err)
{
    size_t at, entries;
    born_status st = BORN_OK;

    if (n < 22 || !find_directory(bytes, n, &at, &entries) || entries > 4096)
        return cli_error(err, BORN_FORMAT, "not a .npz file");
    *out = calloc(entries ? entries : 1, sizeof **out);
    if (!*out) return cli_error(err, BORN_NOMEM, "out of memory");
    for (size_t i = 0; i < entries && !st; i++) {
        member m;
        if (!read_member(bytes, n, &at, &m))
            st = cli_error(err, BORN_FORMAT, "its directory is damaged");
        else
            st = parse_member(bytes, &m, max_bytes, &(*out)[*count], err);
        if (!st) (*count)++;
    }
    if (st) {
        for (int i = 0; i < *count; i++) cli_tensor_free(&(*out)[i]);
        free(*out);
        *out = NULL;
        *count = 0;
    }
    return st;
}
