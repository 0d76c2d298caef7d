/* Pictures as input: PNG and JPEG are decoded to RGB, scaled to the model's height and width by averaging (bilinear
   weights over the area that each pixel covers), and become (pixel - mean) / std in the model's layout. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(BORN_HAVE_PNG)
#include <png.h>
#endif
#if defined(BORN_HAVE_JPEG)
#include <jpeglib.h>
#include <setjmp.h>
#include <setjmp.h>
#endif

enum { MAX_SIDE = 1 << 15 };

typedef struct picture {
    int64_t width, height;
    unsigned char *rgb;         /* [height, width, 3] */
} picture;

#if defined(BORN_HAVE_PNG) || defined(BORN_HAVE_JPEG)
static born_status room(picture *p, uint64_t w, uint64_t h, size_t max_bytes, born_error *err)
{
    if (!w || !h || w > MAX_SIDE || h > MAX_SIDE || (max_bytes && w * h * 3 > max_bytes))
        return cli_error(err, BORN_NOMEM, "a picture of %llu x %llu is above the limit", (unsigned long long)w,
                         (unsigned long long)h);
    p->width = (int64_t)w;
    p->height = (int64_t)h;
    p->rgb = malloc((size_t)(w * h * 3));
    return p->rgb ? BORN_OK : cli_error(err, BORN_NOMEM, "out of memory");
}
#endif

#if defined(BORN_HAVE_PNG)
static born_status decode_png(const unsigned char *bytes, size_t n, size_t max_bytes, picture *p, born_error *err)
{
    png_image image = { .version = PNG_IMAGE_VERSION };

    if (!png_image_begin_read_from_memory(&image, bytes, n))
        return cli_error(err, BORN_FORMAT, "PNG: %.60s", image.message);
    image.format = PNG_FORMAT_RGB;
    born_status st = room(p, image.width, image.height, max_bytes, err);
    if (!st && !png_image_finish_read(&image, NULL, p->rgb, 0, NULL))
        st = cli_error(err, BORN_FORMAT, "PNG: %.60s", image.message);
    png_image_free(&image);
    return st;
}
#endif

#if defined(BORN_HAVE_JPEG)
typedef struct jpeg_trap {
    struct jpeg_error_mgr manager;  /* first: libjpeg hands back its address */
    jmp_buf back;
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

static born_status decode_jpeg(const unsigned char *bytes, size_t n, size_t max_bytes, picture *p, born_error *err)
{
    struct jpeg_decompress_struct d;
    jpeg_trap trap;
    born_status st = BORN_OK;

    memset(&d, 0, sizeof d);
    d.err = jpeg_std_error(&trap.manager);
    trap.manager.error_exit = jpeg_failed;
    trap.manager.emit_message = jpeg_quiet;
    if (setjmp(trap.back)) {
        jpeg_destroy_decompress(&d);
        return cli_error(err, BORN_FORMAT, "JPEG: %.60s", trap.text);
    }
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, (unsigned long)n);
    jpeg_read_header(&d, TRUE);
    d.out_color_space = JCS_RGB;
    st = room(p, d.image_width, d.image_height, max_bytes, err);
    if (!st) {
        jpeg_start_decompress(&d);
        while (d.output_scanline < d.output_height) {
            JSAMPROW row = p->rgb + (size_t)d.output_scanline * (size_t)p->width * 3;
            jpeg_read_scanlines(&d, &row, 1);
        }
        jpeg_finish_decompress(&d);
    }
    jpeg_destroy_decompress(&d);
    return st;
}
#endif

static born_status decode(const unsigned char *bytes, size_t n, size_t max_bytes, picture *p, born_error *err)
{
    (void)max_bytes;
    (void)p;
    if (n > 8 && !memcmp(bytes, "\x89PNG", 4)) {
#if defined(BORN_HAVE_PNG)
        return decode_png(bytes, n, max_bytes, p, err);
#else
        return cli_error(err, BORN_UNSUPPORTED, "this build has no libpng");
#endif
    }
    if (n > 3 && bytes[0] == 0xff && bytes[1] == 0xd8) {
#if defined(BORN_HAVE_JPEG)
        return decode_jpeg(bytes, n, max_bytes, p, err);
#else
        return cli_error(err, BORN_UNSUPPORTED, "this build has no libjpeg");
#endif
    }
    return cli_error(err, BORN_FORMAT, "neither PNG nor JPEG");
}

/* The weighted pixels that make coordinate i of `to` from `from` pixels: a triangle as wide as the scale. */
static int weights(int64_t i, int64_t from, int64_t to, int64_t *first, float *w, int most)
{
    double scale = (double)from / (double)to, reach = scale > 1 ? scale : 1;
    double mid = ((double)i + 0.5) * scale - 0.5, sum = 0;
    int64_t lo = (int64_t)ceil(mid - reach), hi = (int64_t)floor(mid + reach);
    int n = 0;

    if (lo < 0) lo = 0;
    if (hi > from - 1) hi = from - 1;
    *first = lo;
    for (int64_t k = lo; k <= hi && n < most; k++) {
        double v = 1 - fabs((double)k - mid) / reach;
        w[n++] = (float)(v > 0 ? v : 0);
        sum += v > 0 ? v : 0;
    }
    for (int k = 0; k < n; k++) w[k] = (float)((double)w[k] / sum);
    return n;
}

/* One pass along an axis: src is [outer, from, inner] floats, dst [outer, to, inner]. */
static void scale_axis(const float *src, float *dst, int64_t outer, int64_t from, int64_t to, int64_t inner, float *w,
                       int most)
{
    for (int64_t i = 0; i < to; i++) {
        int64_t first;
        int n = weights(i, from, to, &first, w, most);
        for (int64_t o = 0; o < outer; o++) {
            float *d = dst + (o * to + i) * inner;
            for (int64_t k = 0; k < inner; k++) d[k] = 0;
            for (int j = 0; j < n; j++) {
                const float *s = src + (o * from + first + j) * inner;
                for (int64_t k = 0; k < inner; k++) d[k] += w[j] * s[k];
            }
        }
    }
}

static float *scaled(const picture *p, int64_t h, int64_t w)
{
    size_t n = (size_t)(p->height * p->width * 3), mid_n = (size_t)(h * p->width * 3), out_n = (size_t)(h * w * 3);
    int most = 2 * MAX_SIDE;
    float *full = calloc(n, sizeof *full), *mid = malloc(mid_n * sizeof *mid), *out = malloc(out_n * sizeof *out);
    float *row = malloc((size_t)most * sizeof *row);

    if (full && mid && out && row) {
        for (size_t i = 0; i < n; i++) full[i] = p->rgb[i];
        scale_axis(full, mid, 1, p->height, h, p->width * 3, row, most);
        scale_axis(mid, out, h, p->width, w, 3, row, most);
    } else {
        free(out);
        out = NULL;
    }
    free(row);
    free(mid);
    free(full);
    return out;
}

/* Where channels, height and width are in the model's input. */
typedef struct layout {
    int c, h, w;
    int64_t channels;
} layout;

static bool find_layout(const born_value_info *v, layout *l)
{
    int r = v->rank;

    if (r < 2 || r > 4) return false;
    *l = r == 2 ? (layout){ -1, 0, 1, 1 } : (layout){ r - 3, r - 2, r - 1, 0 };
    if (r == 2) return true;
    l->channels = v->dim[r - 3];
    if (l->channels != 1 && l->channels != 3 && (v->dim[r - 1] == 3 || v->dim[r - 1] == 1)) {
        *l = (layout){ r - 1, r - 3, r - 2, v->dim[r - 1] };
    } else if (l->channels < 0) {
        l->channels = 3;
    }
    return l->channels == 1 || l->channels == 3;
}

/* One pixel, to where the layout has it: raw values for bytes, scaled ones for floats. */
static void put_pixel(cli_tensor *t, const layout *l, const float *s, int64_t cells, int64_t cell, const cli_picture *p)
{
    double grey = 0.299 * (double)s[0] + 0.587 * (double)s[1] + 0.114 * (double)s[2];

    for (int64_t c = 0; c < l->channels; c++) {
        double v = l->channels == 1 ? grey : (double)s[p->bgr ? 2 - c : c];
        int64_t at = l->c > l->w ? cell * l->channels + c : c * cells + cell;
        v = t->a.dtype == BORN_U8 ? floor(v + 0.5) : (v - p->mean[c]) / p->std[c];
        cli_store(t->a.dtype, t->memory, at, v);
    }
}

static void fill(cli_tensor *t, const layout *l, const float *rgb, int64_t h, int64_t w, const cli_picture *p)
{
    for (int64_t i = 0; i < h * w; i++) put_pixel(t, l, rgb + i * 3, h * w, i, p);
}

born_status cli_image_parse(const unsigned char *bytes, size_t n, const born_value_info *want, const cli_picture *p,
                            size_t max_bytes, cli_tensor *out, born_error *err)
{
    picture pic = { 0, 0, NULL };
    layout l;

    if (!want || !find_layout(want, &l))
        return cli_error(err, BORN_SHAPE, "the input is no picture (it needs 1 or 3 channels, height and width)");
    born_status st = decode(bytes, n, max_bytes, &pic, err);
    if (st) {
        free(pic.rgb);
        return st;
    }
    int64_t dim[BORN_MAX_RANK] = { 1, 1, 1, 1 }, h = want->dim[l.h], w = want->dim[l.w];
    if (h <= 0) h = pic.height;
    if (w <= 0) w = pic.width;
    if (h > MAX_SIDE || w > MAX_SIDE) st = cli_error(err, BORN_SHAPE, "the input is larger than a picture may be");
    if (l.c >= 0) dim[l.c] = l.channels;
    dim[l.h] = h;
    dim[l.w] = w;
    float *rgb = st ? NULL : scaled(&pic, h, w);
    if (!st && !rgb) st = cli_error(err, BORN_NOMEM, "out of memory");
    if (!st && !cli_tensor_new(out, want->dtype, dim, want->rank, max_bytes, err)) st = err->status;
    if (!st) fill(out, &l, rgb, h, w, p);
    free(rgb);
    free(pic.rgb);
    return st;
}
