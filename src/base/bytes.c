/* See bytes.h. */
#include "base/bytes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"

void born__bytes_put(born_bytes *b, const void *p, size_t n)
{
    size_t need;

    if (b->failed || n == 0) return;
    if (!born__add_size(b->n, n, &need) || !born__grow((void **)&b->p, &b->cap, need, 1)) {
        b->failed = true;
        return;
    }
    if (p) memcpy(b->p + b->n, p, n);
    else memset(b->p + b->n, 0, n);
    b->n = need;
}

void born__bytes_put_u8(born_bytes *b, unsigned v)
{
    unsigned char c = (unsigned char)v;
    born__bytes_put(b, &c, 1);
}

void born__bytes_put_u32(born_bytes *b, uint32_t v)
{
    unsigned char c[4];
    for (int i = 0; i < 4; i++) c[i] = (unsigned char)(v >> 8 * i);
    born__bytes_put(b, c, sizeof c);
}

void born__bytes_put_u64(born_bytes *b, uint64_t v)
{
    unsigned char c[8];
    for (int i = 0; i < 8; i++) c[i] = (unsigned char)(v >> 8 * i);
    born__bytes_put(b, c, sizeof c);
}

void born__bytes_text(born_bytes *b, const char *s)
{
    born__bytes_put(b, s, strlen(s));
}

void born__bytes_align(born_bytes *b, size_t align)
{
    size_t over = b->n % align;
    if (over) born__bytes_put(b, NULL, align - over);
}

void born__bytes_free(born_bytes *b)
{
    born__free(b->p);
    *b = (born_bytes){ .p = NULL };
}
