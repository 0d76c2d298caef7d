/* What each step does to one picture [C, H, W]. Random numbers come from the step's key alone; elementary functions are
   our own, so that the bits do not depend on the machine. Called by transform.c. */
#include <math.h>
#include <string.h>

#include "data/order.h"
#include "data/transform.h"
#include "ops/math64.h"

static double between(uint64_t key, uint64_t at, double lo, double hi)
{
    return lo + (hi - lo) * born__draw_unit(key, at);
}

static void to_float(const born_step *s, uint64_t key, const void *src, void *dst)
{
    float *y = dst;
    int64_t n = s->c * s->h * s->w;
    (void)key;
    switch (s->from) {
    case BORN_U8:
        for (int64_t i = 0; i < n; i++) y[i] = (float)((const uint8_t *)src)[i] / 255.0f;
        break;
    case BORN_F64:
        for (int64_t i = 0; i < n; i++) y[i] = (float)((const double *)src)[i];
        break;
    case BORN_I32:
        for (int64_t i = 0; i < n; i++) y[i] = (float)((const int32_t *)src)[i];
        break;
    case BORN_I64:
        for (int64_t i = 0; i < n; i++) y[i] = (float)((const int64_t *)src)[i];
        break;
    default: memcpy(dst, src, (size_t)n * sizeof(float)); break;
    }
}

static void normalise(const born_step *s, uint64_t key, const void *src, void *dst)
{
    const float *x = src;
    float *y = dst;
    int64_t n = s->h * s->w;
    (void)key;
    for (int64_t c = 0; c < s->c; c++) {
        float mean = s->t.mean[c < 4 ? c : 0], std = s->t.std[c < 4 ? c : 0];
        for (int64_t i = c * n; i < (c + 1) * n; i++) y[i] = (x[i] - mean) / std;
    }
}

/* Copies the window whose corner is at (top, left) of the picture; what lies outside is zero. */
static void cut(const born_step *s, int64_t top, int64_t left, const char *src, char *dst)
{
    int64_t from = left < 0 ? -left : 0, to = s->w - left < s->to_w ? s->w - left : s->to_w;
    memset(dst, 0, (size_t)(s->c * s->to_h * s->to_w) * s->size);
    for (int64_t c = 0; c < s->c; c++) {
        for (int64_t i = 0; i < s->to_h && from < to; i++) {
            if (top + i < 0 || top + i >= s->h) continue;
            memcpy(dst + (size_t)((c * s->to_h + i) * s->to_w + from) * s->size,
                   src + (size_t)((c * s->h + top + i) * s->w + left + from) * s->size, (size_t)(to - from) * s->size);
        }
    }
}

static void random_crop(const born_step *s, uint64_t key, const void *src, void *dst)
{
    uint64_t rows = (uint64_t)(s->h + 2 * s->t.pad - s->to_h), columns = (uint64_t)(s->w + 2 * s->t.pad - s->to_w);
    int64_t top = (int64_t)born__draw_below(key, 0, rows + 1) - s->t.pad;
    int64_t left = (int64_t)born__draw_below(key, 1, columns + 1) - s->t.pad;
    cut(s, top, left, src, dst);
}

static void centre_crop(const born_step *s, uint64_t key, const void *src, void *dst)
{
    (void)key;
    cut(s, (s->h - s->to_h) / 2, (s->w - s->to_w) / 2, src, dst);
}

static void flip(const born_step *s, uint64_t key, const void *src, void *dst)
{
    size_t row = (size_t)s->w * s->size;
    const char *from = src;
    char *to = dst;
    if (!(born__draw_unit(key, 0) < s->t.p)) {
        memcpy(dst, src, (size_t)(s->c * s->h) * row);
        return;
    }
    for (int64_t r = 0; r < s->c * s->h; r++, from += row, to += row)
        for (int64_t i = 0; i < s->w; i++)
            memcpy(to + (size_t)i * s->size, from + (size_t)(s->w - 1 - i) * s->size, s->size);
}

static void flip_vertical(const born_step *s, uint64_t key, const void *src, void *dst)
{
    size_t row = (size_t)s->w * s->size;
    bool turn = born__draw_unit(key, 0) < s->t.p;
    for (int64_t c = 0; c < s->c; c++)
        for (int64_t i = 0; i < s->h; i++)
            memcpy((char *)dst + (size_t)(c * s->h + i) * row,
                   (const char *)src + (size_t)(c * s->h + (turn ? s->h - 1 - i : i)) * row, row);
}

static float pixel(const born_step *s, const float *x, int64_t i, int64_t k)
{
    return i < 0 || k < 0 || i >= s->h || k >= s->w ? 0 : x[i * s->w + k];
}

static void rotate(const born_step *s, uint64_t key, const void *src, void *dst)
{
    double turn = between(key, 0, -s->t.hi, s->t.hi) * (3.14159265358979323846 / 180);
    double sine = born__sin_f64(turn), cosine = born__cos_f64(turn);
    double mid_i = (double)(s->h - 1) / 2, mid_k = (double)(s->w - 1) / 2;
    for (int64_t i = 0; i < s->h; i++) {
        for (int64_t k = 0; k < s->w; k++) {
            double di = (double)i - mid_i, dk = (double)k - mid_k;
            double at_i = mid_i + di * cosine + dk * sine, at_k = mid_k + dk * cosine - di * sine;
            int64_t fi = (int64_t)floor(at_i), fk = (int64_t)floor(at_k);
            float b = (float)(at_i - (double)fi), a = (float)(at_k - (double)fk);
            for (int64_t c = 0; c < s->c; c++) {
                const float *x = (const float *)src + c * s->h * s->w;
                float above = pixel(s, x, fi, fk) * (1 - a) + pixel(s, x, fi, fk + 1) * a;
                float below = pixel(s, x, fi + 1, fk) * (1 - a) + pixel(s, x, fi + 1, fk + 1) * a;
                ((float *)dst)[(c * s->h + i) * s->w + k] = above * (1 - b) + below * b;
            }
        }
    }
}

/* Z. Zhong et al., "Random erasing data augmentation" (2017): ten tries to find a box that fits. */
static void erase(const born_step *s, uint64_t key, const void *src, void *dst)
{
    float *y = dst;
    memcpy(dst, src, (size_t)(s->c * s->h * s->w) * sizeof(float));
    if (!(born__draw_unit(key, 0) < s->t.p)) return;
    for (uint64_t attempt = 0; attempt < 10; attempt++) {
        double area = between(key, 1 + 4 * attempt, s->t.lo, s->t.hi) * (double)(s->h * s->w);
        double shape = born__exp_f64(between(key, 2 + 4 * attempt, -1.2, 1.2));     /* 0.3 to 3.3 */
        int64_t h = (int64_t)rint(sqrt(area * shape)), w = (int64_t)rint(sqrt(area / shape));
        if (h < 1 || w < 1 || h > s->h || w > s->w) continue;
        int64_t top = (int64_t)born__draw_below(key, 3 + 4 * attempt, (uint64_t)(s->h - h + 1));
        int64_t left = (int64_t)born__draw_below(key, 4 + 4 * attempt, (uint64_t)(s->w - w + 1));
        for (int64_t r = 0; r < s->c * h; r++) {
            float *row = y + ((r / h) * s->h + top + r % h) * s->w + left;
            for (int64_t k = 0; k < w; k++) row[k] = 0;
        }
        return;
    }
}

static float unit(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static float grey(const born_step *s, const float *x, int64_t i)
{
    int64_t n = s->h * s->w;
    return s->c == 3 ? 0.299f * x[i] + 0.587f * x[n + i] + 0.114f * x[2 * n + i] : x[i];
}

static float factor(uint64_t key, uint64_t at, float by)
{
    double lo = 1 - (double)by;
    return (float)between(key, at, lo > 0 ? lo : 0, 1 + (double)by);
}

static void jitter(const born_step *s, uint64_t key, const void *src, void *dst)
{
    const float *x = src;
    float *y = dst, bright = factor(key, 0, s->t.brightness), contrast = factor(key, 1, s->t.contrast);
    float colour = factor(key, 2, s->t.saturation);
    int64_t n = s->h * s->w, all = s->c * n;
    double sum = 0;
    for (int64_t i = 0; i < all; i++) y[i] = unit(x[i] * bright);
    for (int64_t i = 0; i < n; i++) sum += (double)grey(s, y, i);
    float mean = n > 0 ? (float)(sum / (double)n) : 0;
    for (int64_t i = 0; i < all; i++) y[i] = unit(mean + (y[i] - mean) * contrast);
    for (int64_t i = 0; i < n && s->c == 3; i++) {
        float g = grey(s, y, i);
        for (int64_t c = 0; c < 3; c++) y[c * n + i] = unit(g + (y[c * n + i] - g) * colour);
    }
}

born_step_fn born__step_function(born_transform_kind kind)
{
    static const born_step_fn rows[] = {
        [BORN_TRANSFORM_TO_FLOAT] = to_float, [BORN_TRANSFORM_NORMALISE] = normalise,
        [BORN_TRANSFORM_CROP] = random_crop,  [BORN_TRANSFORM_CENTRE_CROP] = centre_crop,
        [BORN_TRANSFORM_FLIP] = flip,         [BORN_TRANSFORM_FLIP_VERTICAL] = flip_vertical,
        [BORN_TRANSFORM_ROTATE] = rotate,     [BORN_TRANSFORM_ERASE] = erase,
        [BORN_TRANSFORM_JITTER] = jitter,
    };
    return (unsigned)kind < sizeof rows / sizeof *rows ? rows[kind] : NULL;
}
