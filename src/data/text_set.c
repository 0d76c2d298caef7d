/* Windows over a long row of tokens, for language models: x is tokens [i, i + T), y is the same one further. Characters
   of a UTF-8 text are numbered by a vocabulary; tokens of a tokenizer come as numbers. All are checked here, because
   they become indices of an embedding. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "data/file.h"
#include "graph/model.h"
#include "tensor/view.h"

#define CODE_POINTS 0x110000

typedef struct windows {
    int32_t *token;
    int64_t window, stride;
} windows;

static born_status windows_get(void *self, const born_item_request *r, born_error *err)
{
    const windows *w = self;
    const int32_t *t = w->token + r->index * w->stride;
    int64_t *x = r->dst[0], *y = r->dst[1];
    (void)err;
    for (int64_t i = 0; i < w->window; i++) {
        x[i] = t[i];
        y[i] = t[i + 1];
    }
    return BORN_OK;
}

static void windows_close(void *self)
{
    windows *w = self;
    born__free(w->token);
    born__free(w);
}

/* Takes over `token`, on failure too. */
static born_status make_set(int32_t *token, int64_t n, const born_text_desc *d, const char *const *classes,
                            int64_t class_count, born_dataset **out, born_error *err)
{
    born_field field[2] = { { "x", BORN_I64, { 1, { d->window } } }, { "y", BORN_I64, { 1, { d->window } } } };
    born_dataset_desc set = { .get = windows_get, .close = windows_close, .fields = field, .field_count = 2,
                              .classes = classes, .class_count = class_count };
    windows *w = born__calloc(1, sizeof *w);
    born_status st = w != NULL ? BORN_OK : born__fail(err, BORN_NOMEM, "no memory");
    if (st == BORN_OK && (d->window >= n || n < 2))
        st = born__fail(err, BORN_SHAPE, "%lld tokens are too few for a window of %lld and the one after it",
                        (long long)n, (long long)d->window);
    if (st == BORN_OK) {
        *w = (windows){ token, d->window, d->stride > 0 ? d->stride : d->window };
        set.self = w;
        set.count = (n - 1 - d->window) / w->stride + 1;
        st = born_dataset_create(&set, out, err);
    }
    if (st != BORN_OK) {
        born__free(token);
        born__free(w);
    }
    return st;
}

static born_status check_desc(const void *desc, size_t desc_bytes, born_text_desc *d, born_error *err)
{
    BORN_TRY(born__desc_check(desc, desc_bytes, d, sizeof *d, "dataset", err));
    BORN_FAIL_IF(d->window < 1 || d->stride < 0 || d->vocabulary_size < 0 || d->vocabulary_size > INT32_MAX, err,
                 BORN_INVALID, "dataset: windows of %lld tokens, every %lld", (long long)d->window,
                 (long long)d->stride);
    return BORN_OK;
}

/* --- characters --- */

/* The code point at s and the bytes it takes; 0 bytes where it is not UTF-8. */
static size_t decode(const unsigned char *s, size_t n, uint32_t *out)
{
    size_t k = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                             : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    static const unsigned char mask[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    if (k == 0 || k > n) return 0;
    uint32_t c = s[0] & mask[k];
    for (size_t i = 1; i < k; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    bool longer = (k == 3 && c < 0x800) || (k == 4 && c < 0x10000);
    if (longer || c >= CODE_POINTS || (c >= 0xD800 && c < 0xE000)) return 0;
    *out = c;
    return k;
}

static size_t encode(uint32_t c, char out[5])
{
    size_t k = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = k - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[k] | c);
    out[k] = '\0';
    return k;
}

typedef struct alphabet {
    int32_t *number;            /* [CODE_POINTS], number + 1 */
    const char **name;
    int32_t count;
    born_arena arena;
} alphabet;

static bool add(alphabet *a, uint32_t c)
{
    char text[5];
    size_t n = encode(c, text);
    char *name = born__arena_strdup(&a->arena, text, n);
    if (name == NULL) return false;
    a->name[a->count] = name;
    a->number[c] = ++a->count;
    return true;
}

/* The vocabulary that the user gives, or the text's characters in the order of their code points. */
static born_status make_alphabet(alphabet *a, const char *given, const unsigned char *text, size_t n, born_error *err)
{
    uint32_t c;
    const unsigned char *p = given != NULL ? (const unsigned char *)given : text;
    const unsigned char *end = p + (given != NULL ? strlen(given) : n);
    a->number = born__calloc(CODE_POINTS, sizeof *a->number);
    a->name = born__calloc(BORN_MOST_CLASSES, sizeof *a->name);
    BORN_FAIL_IF(a->number == NULL || a->name == NULL, err, BORN_NOMEM, "no memory");
    int64_t line = 1, kinds = 0;
    for (size_t k; p < end; p += k) {
        k = decode(p, (size_t)(end - p), &c);
        BORN_FAIL_IF(k == 0, err, given != NULL ? BORN_INVALID : BORN_FORMAT, "line %lld: not UTF-8", (long long)line);
        BORN_FAIL_IF(a->number[c] == 0 && ++kinds > BORN_MOST_CLASSES, err, BORN_UNSUPPORTED,
                     "line %lld: more than %d different characters", (long long)line, BORN_MOST_CLASSES);
        if (c == '\n') line++;
        BORN_FAIL_IF(given != NULL && a->number[c] != 0, err, BORN_INVALID, "the vocabulary has a character twice");
        if (given == NULL)
            a->number[c] = 1;
        else
            BORN_FAIL_IF(!add(a, c), err, BORN_NOMEM, "no memory");
    }
    for (c = 0; c < CODE_POINTS && given == NULL; c++)
        BORN_FAIL_IF(a->number[c] != 0 && !add(a, c), err, BORN_NOMEM, "no memory");
    return BORN_OK;
}

static born_status number_text(const alphabet *a, const unsigned char *text, size_t n, size_t most, int32_t **out,
                               int64_t *count, born_error *err)
{
    uint32_t c;
    int64_t line = 1, i = 0;
    BORN_FAIL_IF(n > most / sizeof(int32_t), err, BORN_NOMEM, "its %zu characters are above the limit", n);
    int32_t *token = born__alloc(n * sizeof *token);
    BORN_FAIL_IF(token == NULL, err, BORN_NOMEM, "no memory for its %zu characters", n);
    for (size_t at = 0, k; at < n; at += k) {
        k = decode(text + at, n - at, &c);
        if (k == 0 || a->number[c] == 0) {
            born__free(token);
            return k == 0 ? born__fail(err, BORN_FORMAT, "line %lld: not UTF-8", (long long)line)
                          : born__fail(err, BORN_RANGE, "line %lld: character U+%04X is not in the vocabulary",
                                       (long long)line, (unsigned)c);
        }
        if (c == '\n') line++;
        token[i++] = a->number[c] - 1;
    }
    *out = token;
    *count = i;
    return BORN_OK;
}

born_status born_dataset_open_text_sized(const char *path, const born_text_desc *desc, size_t desc_bytes,
                                         born_dataset **out, born_error *err)
{
    born_text_desc d;
    born_bytes b;
    alphabet a = { .count = 0 };
    int32_t *token = NULL;
    int64_t count = 0;
    *out = NULL;
    BORN_TRY(check_desc(desc, desc_bytes, &d, err));
    BORN_TRY(born__bytes_open(path, d.max_bytes, &b, err));
    born_status st = make_alphabet(&a, d.vocabulary, b.data, b.bytes, err);
    if (st == BORN_OK) st = number_text(&a, b.data, b.bytes, born__data_limit(d.max_bytes), &token, &count, err);
    if (st == BORN_OK) st = make_set(token, count, &d, a.name, a.count, out, err);
    if (st != BORN_OK) born__error_prefix(err, "%s", path);
    born__free(a.number);
    born__free((void *)(uintptr_t)a.name);
    born__arena_free(&a.arena);
    born__bytes_close(&b);
    return st;
}

/* --- tokens --- */

born_status born_dataset_from_tokens_sized(const born_array *tokens, const born_text_desc *desc, size_t desc_bytes,
                                           born_dataset **out, born_error *err)
{
    born_text_desc d;
    size_t bytes;
    *out = NULL;
    BORN_TRY(check_desc(desc, desc_bytes, &d, err));
    BORN_FAIL_IF(tokens == NULL || tokens->shape.rank != 1 || tokens->shape.dim[0] < 0, err, BORN_SHAPE,
                 "dataset: tokens are one row of numbers");
    born_dtype t = tokens->dtype;
    BORN_FAIL_IF(t != BORN_U8 && t != BORN_U16 && t != BORN_I32 && t != BORN_U32 && t != BORN_I64, err, BORN_DTYPE,
                 "dataset: tokens of %s, not u8, u16, i32, u32 or i64", born_dtype_name(t));
    int64_t n = tokens->shape.dim[0], most = d.vocabulary_size > 0 ? d.vocabulary_size : INT32_MAX;
    size_t size = (size_t)born_dtype_bytes(t, 1);
    BORN_FAIL_IF(!born__mul_size((size_t)n, size, &bytes) || (tokens->bytes != 0 && tokens->bytes != bytes) ||
                     (n > 0 && tokens->data == NULL),
                 err, BORN_SHAPE, "dataset: %lld tokens do not fit the array's %zu bytes", (long long)n, tokens->bytes);
    BORN_FAIL_IF((size_t)n > born__data_limit(d.max_bytes) / sizeof(int32_t), err, BORN_NOMEM,
                 "dataset: %lld tokens are above the limit", (long long)n);
    int32_t *token = born__alloc((size_t)n * sizeof *token);
    BORN_FAIL_IF(token == NULL, err, BORN_NOMEM, "dataset: no memory for %lld tokens", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = born__load_i64(t, (const char *)tokens->data + (size_t)i * size);
        if (v < 0 || v >= most) {
            born__free(token);
            return born__fail(err, BORN_RANGE, "dataset: token %lld is %lld, the vocabulary has %lld", (long long)i,
                              (long long)v, (long long)most);
        }
        token[i] = (int32_t)v;
    }
    return make_set(token, n, &d, NULL, 0, out, err);
}
