/* JPEG by libjpeg, to 8-bit RGB. Its errors leave by longjmp, which ends in a status here. */
#include "codec_picture.h"

#if defined(BORN_HAVE_JPEG)
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <setjmp.h>

typedef struct jpeg_trap {
    struct jpeg_error_mgr manager;  /* first: libjpeg hands back its address */
    jmp_buf back;
    born_status status;             /* not a variable of the function that longjmp comes back to */
    char text[JMSG_LENGTH_MAX];
} jpeg_trap;

static void jpeg_failed(j_common_ptr c)
{
    jpeg_trap *t = (jpeg_trap *)(void *)c->err;
    t->manager.format_message(c, t->text);
    longjmp(t->back, 1);
}

static void jpeg_quiet(j_common_ptr c, int level)
{
    (void)c;
    (void)level;
}

/* rgb NULL: the size alone. */
static born_status decode(const void *bytes, size_t n, int64_t *height, int64_t *width, uint8_t *rgb,
                          born_error *err)
{
    struct jpeg_decompress_struct d;
    jpeg_trap trap;
    trap.status = BORN_OK;
    memset(&d, 0, sizeof d);
    d.err = jpeg_std_error(&trap.manager);
    trap.manager.error_exit = jpeg_failed;
    trap.manager.emit_message = jpeg_quiet;
    if (setjmp(trap.back)) {
        jpeg_destroy_decompress(&d);
        return codec_error(err, BORN_FORMAT, "JPEG: ", trap.text);
    }
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, (unsigned long)n);
    jpeg_read_header(&d, TRUE);
    if (rgb == NULL) {
        *height = d.image_height;
        *width = d.image_width;
    } else if (*height != (int64_t)d.image_height || *width != (int64_t)d.image_width) {
        trap.status = codec_error(err, BORN_IO, "JPEG: changed while it was read", "");
    } else {
        d.out_color_space = JCS_RGB;
        jpeg_start_decompress(&d);
        while (d.output_scanline < d.output_height) {
            JSAMPROW row = rgb + (size_t)d.output_scanline * (size_t)*width * 3;
            jpeg_read_scanlines(&d, &row, 1);
        }
        jpeg_finish_decompress(&d);
    }
    jpeg_destroy_decompress(&d);
    return trap.status;
}

static born_status size(const void *bytes, size_t n, int64_t *height, int64_t *width, born_error *err)
{
    return decode(bytes, n, height, width, NULL, err);
}

static born_status read(const void *bytes, size_t n, int64_t height, int64_t width, uint8_t *rgb, born_error *err)
{
    return decode(bytes, n, &height, &width, rgb, err);
}

const codec_picture *codec_jpeg(void)
{
    static const codec_picture p = { size, read };
    return &p;
}
#else
const codec_picture *codec_jpeg(void)
{
    return NULL;
}
#endif
