/* A string built into memory that the caller gives, cut with "..." where it does not fit: for error and print texts.
   Always NUL-terminated; never allocates. */
#ifndef BORN_BASE_TEXT_H
#define BORN_BASE_TEXT_H
#include <born/base.h>

typedef struct born_text {
    char *buf;
    size_t cap, len;        /* len without the NUL */
    bool cut;
} born_text;

born_text born__text_in(char *buf, size_t cap);                 /* cap >= 1 */
void born__text_put(born_text *t, const char *s, size_t n);
void born__text_add(born_text *t, const char *fmt, ...) BORN_PRINTF(2, 3);
#endif
