/* Pictures as input: decoded to RGB by the codecs, scaled to the model's height and width, then (pixel - mean) / std in
   the model's layout. */
#include "cli.h"

#include <born/data.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_SIDE = 1 << 15 };

static float *scaled(const born_array *pic, int64_t h, int64_t w, born_error *err)
{
    float *out = malloc((size_t)(h * w * 3) * sizeof *out);

    if (!out) return cli_error(err, BORN_NOMEM, "out of memory"), NULL;
    if (!born_image_scale(pic->data, pic->shape.dim[0], pic->shape.dim[1], 3, out, h, w, err)) return out;
    free(out);
    return NULL;
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
    born_array pic;
    layout l;

    if (!want || !find_layout(want, &l))
        return cli_error(err, BORN_SHAPE, "the input is no picture (it needs 1 or 3 channels, height and width)");
    born_status st = born_image_decode(bytes, n, max_bytes, &pic, err);
    if (st) return st;
    int64_t dim[BORN_MAX_RANK] = { 1, 1, 1, 1 }, h = want->dim[l.h], w = want->dim[l.w];
    if (h <= 0) h = pic.shape.dim[0];
    if (w <= 0) w = pic.shape.dim[1];
    if (h > MAX_SIDE || w > MAX_SIDE) st = cli_error(err, BORN_SHAPE, "the input is larger than a picture may be");
    if (l.c >= 0) dim[l.c] = l.channels;
    dim[l.h] = h;
    dim[l.w] = w;
    float *rgb = st ? NULL : scaled(&pic, h, w, err);
    if (!st && !rgb) st = err->status;
    if (!st && !cli_tensor_new(out, want->dtype, dim, want->rank, max_bytes, err)) st = err->status;
    if (!st) fill(out, &l, rgb, h, w, p);
    free(rgb);
    born_array_free(&pic);
    return st;
}
