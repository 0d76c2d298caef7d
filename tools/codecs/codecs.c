/* The component `born_codecs`: the library's table of codecs filled from zlib, libpng and libjpeg. What was not built
   in says so when it is asked for. Pictures are told by their first bytes, never by their names. */
#include <born/codecs.h>

#include <stdio.h>
#include <string.h>
#if defined(BORN_HAVE_ZLIB)
#include <zlib.h>
#endif

#include "codec_picture.h"

born_status codec_error(born_error *err, born_status s, const char *what, const char *why)
{
    if (err != NULL) {
        *err = (born_error){ .status = s };
        (void)snprintf(err->text, sizeof err->text, "%s%.100s", what, why);
    }
    return s;
}

#if defined(BORN_HAVE_ZLIB)
enum { PIECE = 1 << 16 };

/* One stream, to its end. */
static born_status inflate_stream(z_stream *z, born_sink sink, void *to, born_error *err)
{
    unsigned char piece[PIECE];
    for (int r = Z_OK; r != Z_STREAM_END;) {
        z->next_out = piece;
        z->avail_out = PIECE;
        r = inflate(z, Z_NO_FLUSH);
        if (r == Z_MEM_ERROR) return codec_error(err, BORN_NOMEM, "no memory to inflate", "");
        if (r != Z_OK && r != Z_STREAM_END)
            return codec_error(err, BORN_FORMAT, z->avail_in == 0 ? "compressed data ends early" : "compressed data is "
                               "damaged", "");
        born_status st = sink(to, piece, PIECE - z->avail_out);
        if (st != BORN_OK) return st;
    }
    return BORN_OK;
}

static born_status run_inflate(void *user, born_inflate_kind kind, const void *bytes, size_t n, born_sink sink,
                               void *to, born_error *err)
{
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)bytes };
    (void)user;
    if (n > UINT32_MAX) return codec_error(err, BORN_UNSUPPORTED, "compressed data above 4 GiB", "");
    z.avail_in = (uInt)n;
    if (inflateInit2(&z, kind == BORN_INFLATE_GZIP ? 15 + 16 : -15) != Z_OK)
        return codec_error(err, BORN_NOMEM, "no memory to inflate", "");
    born_status st = inflate_stream(&z, sink, to, err);
    /* gzip files may be put one after the other */
    while (st == BORN_OK && kind == BORN_INFLATE_GZIP && z.avail_in >= 2 && z.next_in[0] == 0x1f &&
           z.next_in[1] == 0x8b) {
        if (inflateReset(&z) != Z_OK) break;
        st = inflate_stream(&z, sink, to, err);
    }
    inflateEnd(&z);
    return st;
}
#endif

#if defined(BORN_HAVE_PNG) || defined(BORN_HAVE_JPEG)
static const codec_picture *reader_of(const unsigned char *b, size_t n, born_error *err)
{
    const codec_picture *p = NULL;
    if (n > 8 && memcmp(b, "\x89PNG", 4) == 0) {
        p = codec_png();
        if (p == NULL) codec_error(err, BORN_UNSUPPORTED, "a PNG, and this build has no libpng", "");
    } else if (n > 3 && b[0] == 0xff && b[1] == 0xd8) {
        p = codec_jpeg();
        if (p == NULL) codec_error(err, BORN_UNSUPPORTED, "a JPEG, and this build has no libjpeg", "");
    } else {
        codec_error(err, BORN_FORMAT, "neither PNG nor JPEG", "");
    }
    return p;
}

static born_status failed_as(const unsigned char *b, size_t n)
{
    bool known = (n > 8 && memcmp(b, "\x89PNG", 4) == 0) || (n > 3 && b[0] == 0xff && b[1] == 0xd8);
    return known ? BORN_UNSUPPORTED : BORN_FORMAT;
}

static born_status image_size(void *user, const void *bytes, size_t n, int64_t *height, int64_t *width,
                              born_error *err)
{
    const codec_picture *p = reader_of(bytes, n, err);
    (void)user;
    return p != NULL ? p->size(bytes, n, height, width, err) : failed_as(bytes, n);
}

static born_status image_read(void *user, const void *bytes, size_t n, int64_t height, int64_t width, uint8_t *rgb,
                              born_error *err)
{
    const codec_picture *p = reader_of(bytes, n, err);
    (void)user;
    return p != NULL ? p->read(bytes, n, height, width, rgb, err) : failed_as(bytes, n);
}
#endif

void born_codecs_install(void)
{
    born_codecs c = { .user = NULL };
#if defined(BORN_HAVE_ZLIB)
    c.inflate = run_inflate;
#endif
#if defined(BORN_HAVE_PNG) || defined(BORN_HAVE_JPEG)
    c.image_size = image_size;
    c.image_read = image_read;
#endif
    born_codecs_set(&c);
}

unsigned born_codecs_built(void)
{
    unsigned all = 0;
#if defined(BORN_HAVE_ZLIB)
    all |= BORN_CODEC_ZLIB;
#endif
    if (codec_png() != NULL) all |= BORN_CODEC_PNG;
    if (codec_jpeg() != NULL) all |= BORN_CODEC_JPEG;
    return all;
}
