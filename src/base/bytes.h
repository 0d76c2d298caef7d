/* A byte buffer that grows: what writers of formats build headers and messages in. The first failed allocation sticks:
   later calls do nothing and born__bytes_failed says so, so that a writer checks once, at its end. Numbers are written
   little-endian on every machine. */
#ifndef BORN_BASE_BYTES_H
#define BORN_BASE_BYTES_H
#include <born/base.h>

typedef struct born_bytes {
    unsigned char *p;           /* NULL while empty */
    size_t n, cap;
    bool failed;
} born_bytes;

void born__bytes_put(born_bytes *b, const void *p, size_t n);   /* p NULL: n zeros */
void born__bytes_put_u8(born_bytes *b, unsigned v);
void born__bytes_put_u32(born_bytes *b, uint32_t v);
void born__bytes_put_u64(born_bytes *b, uint64_t v);
void born__bytes_text(born_bytes *b, const char *s);
/* Zeros up to the next multiple of `align`. */
void born__bytes_align(born_bytes *b, size_t align);
void born__bytes_free(born_bytes *b);                           /* empty again, and usable */
#endif
