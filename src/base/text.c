/* See text.h. Used by printers and wherever one line is put together from many pieces. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

born_text born__text_in(char *buf, size_t cap)
{
    if (cap > 0) buf[0] = '\0';
    return (born_text){ .buf = buf, .cap = cap };
}

/* The text is full: its last bytes become the mark. */
static void mark_cut(born_text *t)
{
    static const char mark[] = "...";
    t->cut = true;
    t->len = t->cap - 1;
    size_t n = t->len < 3 ? t->len : 3;
    memcpy(t->buf + t->len - n, mark, n);
    t->buf[t->len] = '\0';
}

void born__text_put(born_text *t, const char *s, size_t n)
{
    if (t->cut || t->cap == 0 || n == 0) return;
    size_t room = t->cap - 1 - t->len;
    size_t kept = n < room ? n : room;
    memcpy(t->buf + t->len, s, kept);
    t->len += kept;
    t->buf[t->len] = '\0';
    if (kept < n) mark_cut(t);
}

void born__text_add(born_text *t, const char *fmt, ...)
{
    if (t->cut || t->cap == 0) return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, args);
    va_end(args);
    if (n < 0) {
        t->buf[t->len] = '\0';
    } else if ((size_t)n >= t->cap - t->len) {
        mark_cut(t);
    } else {
        t->len += (size_t)n;
    }
}
