/* See json.h. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FLUSH_BYTES ((size_t)4096)

static void flush(born_json *j)
{
    if (j->write == NULL || j->len == 0 || j->status != BORN_OK) return;
    j->status = j->write(j->user, j->buf, j->len);
    j->len = 0;
}

static void put(born_json *j, const char *s, size_t n)
{
    if (j->status != BORN_OK || n == 0) return;
    if (n > PTRDIFF_MAX - 1 - j->len) {
        j->status = BORN_NOMEM;
        return;
    }
    void *buf = j->buf;
    if (!born__grow(&buf, &j->cap, j->len + n + 1, 1)) {
        j->status = BORN_NOMEM;
        return;
    }
    j->buf = buf;
    memcpy(j->buf + j->len, s, n);
    j->len += n;
    if (j->len >= FLUSH_BYTES) flush(j);
}

static void put_line(born_json *j)
{
    if (j->one_line) return;
    put(j, "\n", 1);
    for (int i = 0; i < j->depth; i++) put(j, "  ", 2);
}

/* What stands before a value or key. */
static void separate(born_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth == 0) return;
    if (j->filled) put(j, ",", 1);
    put_line(j);
    j->filled = true;
}

void born__json_begin(born_json *j, born_json_write write, void *user, bool one_line)
{
    *j = (born_json){ .write = write, .user = user, .one_line = one_line };
}

static void open_level(born_json *j, bool array)
{
    separate(j);
    if (j->depth == BORN_JSON_DEPTH) {
        if (j->status == BORN_OK) j->status = BORN_INTERNAL;
        return;
    }
    put(j, array ? "[" : "{", 1);
    j->array[j->depth++] = array;
    j->filled = false;
}

void born__json_object(born_json *j)
{
    open_level(j, false);
}

void born__json_array(born_json *j)
{
    open_level(j, true);
}

void born__json_close(born_json *j)
{
    if (j->depth == 0) return;
    j->depth--;
    if (j->filled) put_line(j);
    put(j, j->array[j->depth] ? "]" : "}", 1);
    j->filled = true;
}

/* Length of the UTF-8 sequence at s (n >= 1 bytes left): 0 where it is malformed, overlong or a surrogate. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    if (s[0] < 0x80) return 1;
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n < len) return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] >= 0xa0) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] >= 0x90) return 0;
    return len;
}

static void put_escape(born_json *j, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    char text[8];
    const char *at = c == 0 ? NULL : strchr(from, c);
    int n = at != NULL ? snprintf(text, sizeof text, "\\%c", to[at - from])
                       : snprintf(text, sizeof text, "\\u%04x", (unsigned)c);
    put(j, text, (size_t)n);
}

static void put_string(born_json *j, const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t plain = 0;           /* start of the bytes not yet written */
    put(j, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_length(p + i, n - i);
        bool escape = len == 1 && (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7f);
        if (len > 0 && !escape) {
            i += len;
            continue;
        }
        put(j, s + plain, i - plain);
        if (escape) {
            put_escape(j, p[i]);
        } else {
            put(j, "\xef\xbf\xbd", 3);
        }
        plain = ++i;
    }
    put(j, s + plain, n - plain);
    put(j, "\"", 1);
}

void born__json_key(born_json *j, const char *key)
{
    separate(j);
    put_string(j, key, strlen(key));
    put(j, j->one_line ? ":" : ": ", j->one_line ? 1 : 2);
    j->after_key = true;
}

void born__json_string(born_json *j, const char *s, size_t n)
{
    separate(j);
    put_string(j, s, n);
}

void born__json_text(born_json *j, const char *s)
{
    if (s == NULL) {
        born__json_null(j);
    } else {
        born__json_string(j, s, strlen(s));
    }
}

static void put_word(born_json *j, const char *s)
{
    separate(j);
    put(j, s, strlen(s));
}

void born__json_int(born_json *j, int64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, v);
    put_word(j, text);
}

void born__json_uint(born_json *j, uint64_t v)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, v);
    put_word(j, text);
}

/* The program's locale may write a decimal comma of one or more bytes: they become one point. */
static void make_point(char *s)
{
    char *to = s;
    bool inside = false;
    for (; *s != '\0'; s++) {
        bool known = (*s >= '0' && *s <= '9') || *s == '-' || *s == '+' || *s == 'e';
        if (known) {
            *to++ = *s;
        } else if (!inside) {
            *to++ = '.';
        }
        inside = !known;
    }
    *to = '\0';
}

static void put_number(born_json *j, double v, int digits, int most, bool single)
{
    char text[40];
    if (!isfinite(v)) {
        born__json_null(j);
        return;
    }
    for (; digits <= most; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (digits == most || (single ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v)) break;
    }
    make_point(text);
    put_word(j, text);
}

void born__json_f64(born_json *j, double v)
{
    put_number(j, v, 15, 17, false);
}

void born__json_f32(born_json *j, float v)
{
    put_number(j, (double)v, 6, 9, true);
}

void born__json_bool(born_json *j, bool v)
{
    put_word(j, v ? "true" : "false");
}

void born__json_null(born_json *j)
{
    put_word(j, "null");
}

born_status born__json_end(born_json *j)
{
    while (j->depth > 0) born__json_close(j);
    if (!j->one_line) put(j, "\n", 1);
    flush(j);
    if (j->status == BORN_OK && j->write == NULL) {
        if (j->buf == NULL) put(j, "\n", 1);
        if (j->buf != NULL) j->buf[j->len] = '\0';
    }
    return j->status;
}

void born__json_free(born_json *j)
{
    born__free(j->buf);
    j->buf = NULL;
    j->len = j->cap = 0;
}
