/* See picture.h, and born_image_scale: a triangle filter as wide as the scale, along rows, then along columns, in f32.
   Called by the folders of images and by the tool. */
#include "data/picture.h"

#include <math.h>

#include "base/alloc.h"
#include "base/error.h"
#include "data/file.h"

born_status born__picture_decode(const void *bytes, size_t n, size_t max_bytes, int64_t *h, int64_t *w, uint8_t **rgb,
                                 born_error *err)
{
    const born_codecs *c = born__codecs();
    *rgb = NULL;
    BORN_FAIL_IF(c->image_size == NULL || c->image_read == NULL, err, BORN_UNSUPPORTED,
                 "is a picture, and this program has no codec for that (born_codecs_set)");
    BORN_TRY(c->image_size(c->user, bytes, n, h, w, err));
    BORN_FAIL_IF(*h < 1 || *w < 1 || *h > BORN_MOST_SIDE || *w > BORN_MOST_SIDE ||
                     (uint64_t)*h * (uint64_t)*w > born__data_limit(max_bytes) / 3,
                 err, BORN_NOMEM, "a picture of %lld x %lld is above the limit", (long long)*w, (long long)*h);
    uint8_t *p = born__alloc((size_t)*h * (size_t)*w * 3);
    BORN_FAIL_IF(p == NULL, err, BORN_NOMEM, "no memory for a picture of %lld x %lld", (long long)*w, (long long)*h);
    born_status st = c->image_read(c->user, bytes, n, *h, *w, p, err);
    if (st != BORN_OK) {
        born__free(p);
        return st;
    }
    *rgb = p;
    return BORN_OK;
}

born_status born_image_decode(const void *bytes, size_t byte_count, size_t max_bytes, born_array *out,
                              born_error *err)
{
    int64_t h, w;
    uint8_t *rgb;
    *out = (born_array){ .data = NULL };
    BORN_TRY(born__picture_decode(bytes, byte_count, max_bytes, &h, &w, &rgb, err));
    *out = (born_array){ BORN_U8, { 3, { h, w, 3 } }, rgb, (size_t)(h * w * 3) };
    return BORN_OK;
}

/* The weighted pixels that make coordinate i of `to` from `from` pixels. */
static int64_t weights(int64_t i, int64_t from, int64_t to, int64_t *first, float *w)
{
    double scale = (double)from / (double)to, reach = scale > 1 ? scale : 1;
    double mid = ((double)i + 0.5) * scale - 0.5, sum = 0;
    int64_t lo = (int64_t)floor(mid - reach) + 1, hi = (int64_t)floor(mid + reach), n = 0;
    if (lo < 0) lo = 0;
    if (hi > from - 1) hi = from - 1;
    *first = lo;
    for (int64_t k = lo; k <= hi; k++) {
        double v = 1 - fabs((double)k - mid) / reach;
        v = v > 0 ? v : 0;
        w[n++] = (float)v;
        sum += v;
    }
    for (int64_t k = 0; k < n; k++) w[k] = (float)((double)w[k] / sum);
    return n;
}

/* One pass along an axis: src is [outer, from, inner], dst [outer, to, inner]. */
static void scale_axis(const float *src, float *dst, int64_t outer, int64_t from, int64_t to, int64_t inner, float *w)
{
    for (int64_t i = 0; i < to; i++) {
        int64_t first, n = weights(i, from, to, &first, w);
        for (int64_t o = 0; o < outer; o++) {
            float *d = dst + (o * to + i) * inner;
            for (int64_t k = 0; k < inner; k++) d[k] = 0;
            for (int64_t j = 0; j < n; j++) {
                const float *s = src + (o * from + first + j) * inner;
                for (int64_t k = 0; k < inner; k++) d[k] += w[j] * s[k];
            }
        }
    }
}

born_status born_image_scale(const uint8_t *pixels, int64_t from_h, int64_t from_w, int channels, float *out,
                             int64_t to_h, int64_t to_w, born_error *err)
{
    const int64_t most = BORN_MOST_SIDE;
    BORN_FAIL_IF(from_h < 1 || from_w < 1 || to_h < 1 || to_w < 1 || from_h > most || from_w > most || to_h > most ||
                     to_w > most || channels < 1 || channels > 4,
                 err, BORN_RANGE, "a picture of %lld x %lld x %d does not scale to %lld x %lld", (long long)from_w,
                 (long long)from_h, channels, (long long)to_w, (long long)to_h);
    size_t n = (size_t)(from_h * from_w * channels), mid_n = (size_t)(to_h * from_w * channels);
    float *full = born__calloc(n, sizeof *full), *mid = born__calloc(mid_n, sizeof *mid);
    float *row = born__calloc((size_t)most * 2 + 2, sizeof *row);
    bool ok = full != NULL && mid != NULL && row != NULL;
    if (ok) {
        for (size_t i = 0; i < n; i++) full[i] = pixels[i];
        scale_axis(full, mid, 1, from_h, to_h, from_w * channels, row);
        scale_axis(mid, out, to_h, from_w, to_w, channels, row);
    }
    born__free(row);
    born__free(mid);
    born__free(full);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "no memory to scale a picture of %lld x %lld", (long long)from_w,
                 (long long)from_h);
    return BORN_OK;
}
