/* PNG by libpng's simplified interface: any PNG becomes 8-bit RGB. */
#include "codec_picture.h"

#if defined(BORN_HAVE_PNG)
#include <png.h>

static born_status size(const void *bytes, size_t n, int64_t *height, int64_t *width, born_error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    if (!png_image_begin_read_from_memory(&image, bytes, n))
        return codec_error(err, BORN_FORMAT, "PNG: ", image.message);
    *height = image.height;
    *width = image.width;
    png_image_free(&image);
    return BORN_OK;
}

static born_status read(const void *bytes, size_t n, int64_t height, int64_t width, uint8_t *rgb, born_error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION };
    born_status st = BORN_OK;
    if (!png_image_begin_read_from_memory(&image, bytes, n))
        return codec_error(err, BORN_FORMAT, "PNG: ", image.message);
    image.format = PNG_FORMAT_RGB;
    if ((int64_t)image.height != height || (int64_t)image.width != width)
        st = codec_error(err, BORN_IO, "PNG: changed while it was read", "");
    else if (!png_image_finish_read(&image, NULL, rgb, 0, NULL))
        st = codec_error(err, BORN_FORMAT, "PNG: ", image.message);
    png_image_free(&image);
    return st;
}

const codec_picture *codec_png(void)
{
    static const codec_picture p = { size, read };
    return &p;
}
#else
const codec_picture *codec_png(void)
{
    return NULL;
}
#endif
