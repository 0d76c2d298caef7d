/* Resize without pixels: sizes, scales and taps (resize_plan.h), after the ONNX operator of that name. Coordinates are
   computed in f32, as the runtimes do whose models we read, but in f64 where f64 is interpolated; weights in f64. Sizes
   and nearest cells are the same for every dtype. Antialiasing stretches the filter by 1 / scale (as Pillow does);
   cubic weights are Keys' (1981). */
#include "ops/resize_plan.h"

#include <math.h>

/* Which axes the operands speak of, in their order. */
static born_status listed_axes(born_infer *f, const born_resize_attrs *a, int *list, int *count)
{
    int rank = f->in[0].rank;
    uint32_t mask;
    *count = rank;
    for (int i = 0; i < rank; i++) list[i] = i;
    if (a->axes.count == 0) return BORN_OK;
    BORN_TRY(born__axes(f, a->axes.v, a->axes.count, rank, &mask));     /* so at most rank of them */
    *count = (int)a->axes.count;
    for (int i = 0; i < *count; i++) list[i] = (int)(a->axes.v[i] < 0 ? a->axes.v[i] + rank : a->axes.v[i]);
    return BORN_OK;
}

static bool given(const born_infer *f, int i)
{
    return born__infer_has(f, i) && !(f->in[i].rank == 1 && f->in[i].dim[0] == 0);  /* empty means absent */
}

static born_status read_region(born_infer *f, const int *list, int count, born_resize_plan *p)
{
    double roi[2 * BORN_MAX_RANK];
    int64_t n;
    if (!given(f, 1)) return born__infer_fail(f, BORN_INVALID, "tf_crop_and_resize needs a region");
    BORN_TRY(born__host_f64(f, 1, roi, 2 * BORN_MAX_RANK, &n));
    if (n != 2 * count)
        return born__infer_fail(f, BORN_SHAPE, "the region has %lld numbers where %d are needed", (long long)n,
                                2 * count);
    for (int i = 0; i < count; i++) {
        born_resize_axis *x = &p->axis[list[i]];
        x->start = roi[i];
        x->end = roi[count + i];
        if (!isfinite(x->start) || !isfinite(x->end))
            return born__infer_fail(f, BORN_INVALID, "the region is not finite");
    }
    return BORN_OK;
}

/* v as the axis computes: a sum, product or quotient of f32 numbers, taken in f64 and rounded, is that of f32. */
static double at_precision(const born_resize_axis *x, double v) { return x->wide ? v : (double)(float)v; }

static born_status read_scales(born_infer *f, const int *list, int count, born_resize_plan *p)
{
    double scale[BORN_MAX_RANK];
    int64_t n;
    BORN_TRY(born__host_f64(f, 2, scale, BORN_MAX_RANK, &n));
    if (n != count)
        return born__infer_fail(f, BORN_SHAPE, "%lld scales for %d axes", (long long)n, count);
    for (int i = 0; i < count; i++) {
        born_resize_axis *x = &p->axis[list[i]];
        if (!(scale[i] > 0 && scale[i] < 1e9)) return born__infer_fail(f, BORN_INVALID, "scale %.10g", scale[i]);
        float rounded = (float)scale[i], out = floorf((float)x->in * rounded);
        x->scale = at_precision(x, scale[i]);
        if (!(out < 4e18f)) return born__infer_fail(f, BORN_RANGE, "axis %d would be too large", list[i]);
        x->out = (int64_t)out;
    }
    return BORN_OK;
}

static born_status read_sizes(born_infer *f, const int *list, int count, born_resize_plan *p, int policy)
{
    int64_t size[BORN_MAX_RANK], n;
    double common = 0;
    BORN_TRY(born__host_i64(f, 3, size, BORN_MAX_RANK, &n));
    if (n != count) return born__infer_fail(f, BORN_SHAPE, "%lld sizes for %d axes", (long long)n, count);
    for (int i = 0; i < count; i++) {
        born_resize_axis *x = &p->axis[list[i]];
        if (size[i] < 0 || (size[i] > 0 && x->in == 0))
            return born__infer_fail(f, BORN_SHAPE, "axis %d from %lld to %lld", list[i], (long long)x->in,
                                    (long long)size[i]);
        double ratio = x->in ? (double)size[i] / (double)x->in : 1;
        bool first = i == 0;
        if (first || (policy == 1 ? ratio < common : ratio > common)) common = ratio;
        x->out = size[i];
        x->scale = at_precision(x, ratio);
    }
    for (int i = 0; policy != 0 && i < count; i++) {
        born_resize_axis *x = &p->axis[list[i]];
        double out = floor(common * (double)x->in + 0.5);
        if (!(out < 4e18)) return born__infer_fail(f, BORN_RANGE, "axis %d would be too large", list[i]);
        x->out = (int64_t)out;
        x->scale = at_precision(x, common);
    }
    return BORN_OK;
}

/* How many cells a result of this axis reads. */
static int64_t tap_count(const born_resize_attrs *a, const born_resize_axis *x)
{
    if (a->mode == BORN_RESIZE_NEAREST) return 1;
    double reach = a->mode == BORN_RESIZE_LINEAR ? 1 : 2;
    if (!a->antialias || x->scale >= 1) return a->mode == BORN_RESIZE_LINEAR ? 2 : 4;
    double count = -2 * floor(-reach / x->scale);
    return count < 4e18 ? (int64_t)count : INT64_MAX;
}

born_status born__resize_plan(born_infer *f, born_resize_plan *p)
{
    const born_resize_attrs *a = BORN_ATTRS_OF(resize, f);
    int list[BORN_MAX_RANK], count;
    p->rank = f->in[0].rank;
    bool wide = f->in[0].dtype == BORN_F64 && a->mode != BORN_RESIZE_NEAREST;
    for (int i = 0; i < p->rank; i++)
        p->axis[i] = (born_resize_axis){ .in = f->in[0].dim[i], .out = f->in[0].dim[i], .scale = 1, .end = 1,
                                         .wide = wide };
    BORN_TRY(listed_axes(f, a, list, &count));
    bool scales = given(f, 2), sizes = given(f, 3);
    if (scales == sizes && !(count == 0 && !scales))
        return born__infer_fail(f, BORN_INVALID, "%s of scales and sizes given", scales ? "both" : "neither");
    if (scales) BORN_TRY(read_scales(f, list, count, p));
    if (sizes) BORN_TRY(read_sizes(f, list, count, p, a->keep_aspect_ratio));
    if (a->coordinate_mode == BORN_COORD_TF_CROP) BORN_TRY(read_region(f, list, count, p));
    for (int i = 0; i < p->rank; i++) {
        born_resize_axis *x = &p->axis[i];
        x->active = x->scale != 1 || x->out != x->in || x->start != 0 || x->end != 1;
        x->taps = x->active && x->out > 0 ? tap_count(a, x) : 1;
        /* a scale this far below out / in asks for a filter far wider than the input */
        if (x->out > 0 && x->taps > 64 + 16 * (x->in < (int64_t)1 << 40 ? x->in : (int64_t)1 << 40))
            return born__infer_fail(f, BORN_RANGE, "axis %d: scale %.10g is too small", i, x->scale);
    }
    return BORN_OK;
}

/* Where result o lies on the input. */
static double source(const born_resize_attrs *a, const born_resize_axis *x, int64_t o)
{
#define R(v) at_precision(x, v)
    double at = x->wide ? (double)o : (double)(float)o, in = R((double)x->in), out = R((double)x->out);
    double middle = R(R(at + 0.5) / x->scale);
    switch (a->coordinate_mode) {
    case BORN_COORD_HALF_PIXEL: return R(middle - 0.5);
    case BORN_COORD_HALF_PIXEL_SYMMETRIC: {
        double full = R(x->scale * in), offset = R(in / 2 * R(1 - R(out / full)));
        return R(R(offset + middle) - 0.5);
    }
    case BORN_COORD_PYTORCH_HALF_PIXEL: return x->out > 1 ? R(middle - 0.5) : 0;
    case BORN_COORD_ALIGN_CORNERS: return x->out > 1 ? R(R(at * R(in - 1)) / R(out - 1)) : 0;
    case BORN_COORD_ASYMMETRIC: return R(at / x->scale);
    case BORN_COORD_TF_CROP: {
        double start = R(x->start), end = R(x->end), last = R(in - 1);
        if (x->out <= 1) return R(R(0.5 * R(start + end)) * last);
        return R(R(start * last) + R(R(R(at * R(end - start)) * last) / R(out - 1)));
    }
    default: return middle;
    }
#undef R
}

static int64_t nearest(int mode, double at)
{
    switch (mode) {
    case 0: return (int64_t)ceil(at - 0.5);
    case 1: return (int64_t)floor(at + 0.5);
    case 2: return (int64_t)floor(at);
    default: return (int64_t)ceil(at);
    }
}

static double filter(const born_resize_attrs *a, double d)
{
    double c = a->cubic_coeff_a, t = fabs(d);
    if (a->mode == BORN_RESIZE_LINEAR) return t < 1 ? 1 - t : 0;
    if (t <= 1) return ((c + 2) * t - (c + 3)) * t * t + 1;
    return t < 2 ? ((c * t - 5 * c) * t + 8 * c) * t - 4 * c : 0;
}

/* The taps around `at`, a coordinate within reach of int64. */
static void weights(const born_resize_attrs *a, const born_resize_axis *x, double at, int64_t *cell, double *weight)
{
    int64_t floor_at = (int64_t)floor(at), first = floor_at + 1 - x->taps / 2;
    double stretch = a->antialias && x->scale < 1 ? x->scale : 1, sum = 0;
    for (int64_t t = 0; t < x->taps; t++) {
        int64_t i = first + t;
        bool inside = i >= 0 && i < x->in;
        weight[t] = a->exclude_outside && !inside ? 0 : filter(a, ((double)i - at) * stretch);
        sum += weight[t];
        cell[t] = i < 0 ? 0 : i >= x->in ? x->in - 1 : i;
    }
    if ((a->exclude_outside || stretch < 1) && sum != 0)
        for (int64_t t = 0; t < x->taps; t++) weight[t] /= sum;
}

void born__resize_taps(const born_resize_attrs *a, const born_resize_axis *x, int64_t *cell, double *weight,
                       uint8_t *outside)
{
    double far = (double)x->in + 4;
    for (int64_t o = 0; o < x->out; o++, cell += x->taps, weight += x->taps) {
        double at = x->active ? source(a, x, o) : (double)o;
        outside[o] = a->coordinate_mode == BORN_COORD_TF_CROP && (at < 0 || at > (double)(x->in - 1));
        if (!(at > -far)) at = -far;            /* beyond every cell: the edge, however far */
        if (at > 2 * far) at = 2 * far;
        if (a->mode == BORN_RESIZE_NEAREST || !x->active) {
            int64_t i = x->active ? nearest(a->nearest_mode, at) : o;
            cell[0] = i < 0 ? 0 : i >= x->in ? x->in - 1 : i;
            weight[0] = 1;
        } else {
            weights(a, x, at, cell, weight);
        }
    }
}
