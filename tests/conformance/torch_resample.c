/* torch_cases: resampling, sampling at a grid, and shuffles of pixels and channels. */
#include "torch_cases.h"

/* The size asked for; scale factors stay in `scale` where coordinates go by them and not by the sizes' ratio. */
static tc_ints target(tc_call *k, born_tensor x, int spatial, double *scale)
{
    tc_ints size = tc_spatial(k, "size", spatial, NULL);
    const json_t *v = tc_arg(k, "scale_factor");
    scale[0] = 0;
    if (!size.none) return size;
    bool whole = true;
    for (int i = 0; i < spatial; i++) {
        double f = tc_number(json_is_array(v) ? json_array_get(v, (size_t)i) : v);
        size.v[i] = (int64_t)floor((double)tc_size(x, 2 + i) * f);
        scale[i] = f;
        whole &= (double)tc_size(x, 2 + i) * f == (double)size.v[i];
    }
    if (whole || tc_flag(k, "recompute_scale_factor")) scale[0] = 0;
    size.n = spatial;
    return size;
}

static void run_interpolate(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    int spatial = tc_rank(x) - 2;
    double scale[BORN_MAX_RANK];
    tc_ints size = target(k, x, spatial, scale);
    const char *mode = tc_text(k, "mode");
    if (strcmp(mode, "area") == 0) {
        tc_out(k, tc_adaptive_avg(k, x, &size));
        return;
    }
    bool nearest = strncmp(mode, "nearest", 7) == 0, exact = strcmp(mode, "nearest-exact") == 0;
    bool cubic = strcmp(mode, "bicubic") == 0, smooth = tc_flag(k, "antialias"), corners = tc_flag(k, "align_corners");
    born_resize_attrs a = { .mode = nearest ? 0 : cubic ? 2 : 1, .antialias = smooth, .exclude_outside = smooth,
                            .coordinate_mode = corners ? 3 : nearest && !exact ? 4 : 0,
                            .nearest_mode = exact ? 1 : 2, .cubic_coeff_a = smooth ? -0.5 : -0.75 };
    int64_t sizes[BORN_MAX_RANK] = { tc_size(x, 0), tc_size(x, 1) };
    float scales[BORN_MAX_RANK] = { 1, 1 };
    for (int i = 0; i < spatial; i++) {
        sizes[2 + i] = size.v[i];
        scales[2 + i] = (float)scale[i];
    }
    born_floats by_scale = { scales, spatial + 2 };
    born_ints by_size = { sizes, spatial + 2 };
    if (scale[0] != 0) by_size = (born_ints){ 0 };
    else by_scale = (born_floats){ 0 };
    tc_out(k, born_resize(x, by_scale, by_size, &a));
}

static void run_grid_sample(tc_call *k)
{
    born_grid_sample_attrs a = { .align_corners = tc_flag(k, "align_corners") };
    a.mode = tc_says(k, "mode", "nearest") ? 1 : tc_says(k, "mode", "bicubic") ? 2 : 0;
    a.padding_mode = tc_says(k, "padding_mode", "border") ? 1 : tc_says(k, "padding_mode", "reflection") ? 2 : 0;
    tc_out(k, born_grid_sample(tc_in(k, "input"), tc_in(k, "grid"), &a));
}

/* The places of an image of n pixels from -1 to 1, at the corners or between them. */
static double place(int64_t i, int64_t n, bool corners)
{
    if (corners) return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)n - 1;
}
static void run_affine_grid(tc_call *k)
{
    born_tensor theta = tc_in(k, "theta");
    tc_ints size = tc_ints_of(k, "size");
    int r = size.n - 2;
    bool corners = tc_flag(k, "align_corners");
    int64_t n = 1;
    for (int i = 0; i < r; i++) n *= size.v[2 + i];
    double *base = malloc((size_t)(n * (r + 1) + 1) * sizeof *base);
    for (int64_t e = 0; base != NULL && e < n; e++) {
        int64_t left = e;
        for (int i = r - 1; i >= 0; i--) {      /* x, the last dim, comes first */
            base[e * (r + 1) + (r - 1 - i)] = place(left % size.v[2 + i], size.v[2 + i], corners);
            left /= size.v[2 + i];
        }
        base[e * (r + 1) + r] = 1;
    }
    born_tensor at = tc_f64s(k, base, BORN_SHAPE(n, r + 1), born_dtype_of(theta));
    free(base);
    born_shape s = { .rank = size.n, .dim = { size.v[0] } };
    for (int i = 0; i < r; i++) s.dim[1 + i] = size.v[2 + i];
    s.dim[size.n - 1] = r;
    tc_out(k, born_reshape(born_matmul(at, tc_swap(theta, 1, 2)), s));
}

/* ---- shuffles ---- */

static born_tensor as_images(born_tensor x)
{
    return born_reshape(x, BORN_SHAPE(-1, tc_size(x, -3), tc_size(x, -2), tc_size(x, -1)));
}
static void out_images(tc_call *k, born_tensor r, born_shape s)
{
    for (int i = 0; i < 3; i++) s.dim[s.rank - 3 + i] = tc_size(r, 1 + i);
    tc_out(k, born_reshape(r, s));
}
static void run_pixel_shuffle(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_depth_to_space_attrs a = { .blocksize = tc_int(k, "upscale_factor"), .mode = 1 };
    out_images(k, born_depth_to_space(as_images(x), &a), born_shape_of(x));
}
/* Each channel's block becomes channels of its own, side by side. */
static void run_pixel_unshuffle(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), y = as_images(x);
    int64_t f = tc_int(k, "downscale_factor"), n = tc_size(y, 0), c = tc_size(y, 1);
    int64_t h = tc_size(y, 2) / f, w = tc_size(y, 3) / f;
    y = born_transpose(born_reshape(y, BORN_SHAPE(n, c, h, f, w, f)), BORN_INTS(0, 1, 3, 5, 2, 4));
    out_images(k, born_reshape(y, BORN_SHAPE(n, c * f * f, h, w)), born_shape_of(x));
}
static void run_channel_shuffle(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = born_shape_of(x);
    int64_t g = tc_int(k, "groups");
    born_tensor y = born_reshape(x, BORN_SHAPE(s.dim[0], g, s.dim[1] / g, -1));
    tc_out(k, born_reshape(tc_swap(y, 1, 2), s));
}

const tc_row tc_rows_resample[] = {
    { .name = "torch.nn.functional.interpolate",
      .params = "input, size=null, scale_factor=null, mode='nearest', align_corners=null, recompute_scale_factor=null, "
                "antialias=false", .run = run_interpolate },
    { .name = "torch.nn.functional.grid_sample",
      .params = "input, grid, mode='bilinear', padding_mode='zeros', align_corners=false", .run = run_grid_sample },
    { .name = "torch.nn.functional.affine_grid", .params = "theta, size, align_corners=false", .run = run_affine_grid },
    { .name = "torch.nn.functional.pixel_shuffle", .params = "input, upscale_factor", .run = run_pixel_shuffle },
    { .name = "torch.pixel_shuffle", .params = "input, upscale_factor", .run = run_pixel_shuffle },
    { .name = "torch.nn.functional.pixel_unshuffle", .params = "input, downscale_factor", .run = run_pixel_unshuffle },
    { .name = "torch.pixel_unshuffle", .params = "input, downscale_factor", .run = run_pixel_unshuffle },
    { .name = "torch.channel_shuffle", .params = "input, groups", .run = run_channel_shuffle },
    { .name = "torch.nn.functional.channel_shuffle", .params = "input, groups", .run = run_channel_shuffle },
    { 0 },
};
