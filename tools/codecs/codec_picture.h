/* One kind of picture: what codecs.c asks libpng and libjpeg. */
#ifndef BORN_CODEC_PICTURE_H
#define BORN_CODEC_PICTURE_H
#include <born/base.h>

typedef struct codec_picture {
    born_status (*size)(const void *bytes, size_t n, int64_t *height, int64_t *width, born_error *err);
    born_status (*read)(const void *bytes, size_t n, int64_t height, int64_t width, uint8_t *rgb, born_error *err);
} codec_picture;
/* NULL where the build has no such library. */
const codec_picture *codec_png(void);
const codec_picture *codec_jpeg(void);
born_status codec_error(born_error *err, born_status s, const char *what, const char *why);
#endif
