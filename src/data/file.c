/* See file.h. Also the process's codecs, and numbers in text. Called by the readers of this folder. */
#include "data/file.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memlimit.h"

static born_codecs the_codecs;

void born_codecs_set(const born_codecs *c)
{
    the_codecs = c != NULL ? *c : (born_codecs){ .user = NULL };
}

const born_codecs *born__codecs(void)
{
    return &the_codecs;
}

size_t born__data_limit(size_t max_bytes)
{
    if (max_bytes != 0) return max_bytes;
    uint64_t all = born__memory_limit();
    return all < SIZE_MAX / 2 ? (size_t)all : SIZE_MAX / 2;
}

typedef struct collector {
    unsigned char *p;
    size_t n, cap, most;
    born_error *err;
} collector;

static born_status collect(void *to, const void *bytes, size_t n)
{
    collector *c = to;
    BORN_FAIL_IF(n > c->most - c->n, c->err, BORN_NOMEM, "inflates to more than the limit of %zu bytes", c->most);
    BORN_FAIL_IF(!born__grow((void **)&c->p, &c->cap, c->n + n, 1), c->err, BORN_NOMEM, "no memory to inflate into");
    if (n > 0) memcpy(c->p + c->n, bytes, n);
    c->n += n;
    return BORN_OK;
}

born_status born__inflate(born_inflate_kind kind, const void *bytes, size_t n, size_t max_bytes, void **out,
                          size_t *out_bytes, born_error *err)
{
    const born_codecs *codecs = born__codecs();
    *out = NULL;
    BORN_FAIL_IF(codecs->inflate == NULL, err, BORN_UNSUPPORTED,
                 "is compressed, and this program has no codec for that (born_codecs_set)");
    collector c = { .most = max_bytes, .err = err };
    born_status st = codecs->inflate(codecs->user, kind, bytes, n, collect, &c, err);
    if (st != BORN_OK) {
        born__free(c.p);
        return st;
    }
    *out = c.p;
    *out_bytes = c.n;
    return BORN_OK;
}

born_status born__bytes_open(const char *path, size_t max_bytes, born_bytes *out, born_error *err)
{
    size_t most = born__data_limit(max_bytes);
    *out = (born_bytes){ .data = NULL };
    BORN_FAIL_IF(path == NULL, err, BORN_INVALID, "dataset: no path");
    BORN_TRY(born__filemap_open(path, BORN_FILE_FOLLOW, most, &out->map, err));
    out->data = out->map->data;
    out->bytes = out->map->bytes;
    if (out->bytes < 2 || out->data[0] != 0x1f || out->data[1] != 0x8b) return BORN_OK;
    born_status st = born__inflate(BORN_INFLATE_GZIP, out->data, out->bytes, most, &out->heap, &out->bytes, err);
    if (st == BORN_OK && born__filemap_lost(out->map)) st = born__fail(err, BORN_IO, "shrank while it was read");
    born__filemap_close(&out->map);
    out->data = out->heap;
    if (st != BORN_OK) {
        born__bytes_close(out);
        born__error_prefix(err, "%s", path);
    }
    return st;
}

void born__bytes_close(born_bytes *b)
{
    born__filemap_close(&b->map);
    born__free(b->heap);
    *b = (born_bytes){ .data = NULL };
}

void born__bytes_hold(born_bytes *b, born_held *held)
{
    if (b->map != NULL) held->map[held->map_count++] = b->map;
    if (b->heap != NULL) held->heap[held->heap_count++] = b->heap;
    *b = (born_bytes){ .data = NULL };
}

bool born__parse_number(const char *text, size_t n, double *out)
{
    char copy[64], *end;
    while (n > 0 && (*text == ' ' || *text == '\t')) text++, n--;
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) n--;
    if (n == 0 || n >= sizeof copy) return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    if (strspn(copy, "0123456789+-.eE") != n) return false;        /* no nan, inf, hexadecimal */
    double v = strtod(copy, &end);
    if (*end == '.') {                                              /* the program set a locale with another point */
        const struct lconv *here = localeconv();
        if (strlen(here->decimal_point) != 1) return false;
        *end = here->decimal_point[0];
        v = strtod(copy, &end);
    }
    if (*end != '\0' || end == copy || !isfinite(v)) return false;
    *out = v;
    return true;
}
