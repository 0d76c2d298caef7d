/* A data file's bytes: mapped, or inflated into memory where it is gzip. */
#ifndef BORN_DATA_FILE_H
#define BORN_DATA_FILE_H
#include "data/table.h"

typedef struct born_bytes {
    const unsigned char *data;
    size_t bytes;
    born_filemap *map;          /* one of the two */
    void *heap;
} born_bytes;

/* Opens a path of the user's. max_bytes 0: born__memory_limit. UNSUPPORTED for gzip without a codec. */
born_status born__bytes_open(const char *path, size_t max_bytes, born_bytes *out, born_error *err);
void born__bytes_close(born_bytes *b);
/* Hands what holds the bytes to `held`. */
void born__bytes_hold(born_bytes *b, born_held *held);
/* Inflates into new memory, at most max_bytes of it (NOMEM above). */
born_status born__inflate(born_inflate_kind kind, const void *bytes, size_t n, size_t max_bytes, void **out,
                          size_t *out_bytes, born_error *err);
const born_codecs *born__codecs(void);
size_t born__data_limit(size_t max_bytes);
/* The number that text[0, n) is, whole and finite, with '.' whatever the locale says. */
bool born__parse_number(const char *text, size_t n, double *out);
#endif
