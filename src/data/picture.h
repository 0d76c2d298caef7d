/* Decoding and scaling pictures. */
#ifndef BORN_DATA_PICTURE_H
#define BORN_DATA_PICTURE_H
#include <born/data.h>

enum { BORN_MOST_SIDE = 1 << 15 };

/* Decodes a PNG or JPEG by the codecs: *rgb [h, w, 3] is new memory. */
born_status born__picture_decode(const void *bytes, size_t n, size_t max_bytes, int64_t *h, int64_t *w, uint8_t **rgb,
                                 born_error *err);
#endif
