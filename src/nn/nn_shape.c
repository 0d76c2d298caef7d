/* Modules that move elements: Flatten, Unflatten, pads, shuffles of pixels and channels, Upsample, Fold and Unfold. */
#include <math.h>

#include "nn/nn_help.h"

/* ---- dims ------------------------------------------------------------------------------------------------------ */

typedef struct dims_config {
    int first, last, count;
    int64_t size[BORN_MAX_RANK];
} dims_config;

static void flatten_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                            const born_site *at)
{
    const dims_config *c = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]), to = { 0 };
    int first = c->first < 0 ? c->first + s.rank : c->first, last = c->last < 0 ? c->last + s.rank : c->last;
    if (first < 0 || last < first || last >= s.rank) {
        out[0] = born__module_fail(self, BORN_SHAPE, "dims %d to %d of %d", c->first, c->last, s.rank);
        return;
    }
    for (int d = 0; d < s.rank; d++)
        if (d <= first || d > last) to.dim[to.rank++] = s.dim[d];
        else to.dim[first] *= s.dim[d];
    out[0] = RESHAPE(in[0], to);
}
static const born_module_ops flatten_ops = { .name = "Flatten", .forward = flatten_forward };

born_module *born_flatten_layer_sized(born_module *parent, const char *name, int first, int last,
                                      const born_no_desc *options, size_t bytes)
{
    born_no_desc d;
    if (!born__nn_options(parent, name, &flatten_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    dims_config c = { .first = first, .last = last };
    return born_module_define(parent, name, &flatten_ops, &c, sizeof c);
}

static void unflatten_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    const dims_config *c = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]), to = { 0 };
    int dim = c->first < 0 ? c->first + s.rank : c->first;
    if (dim < 0 || dim >= s.rank || s.rank - 1 + c->count > BORN_MAX_RANK) {
        out[0] = born__module_fail(self, BORN_SHAPE, "dim %d of %d into %d", c->first, s.rank, c->count);
        return;
    }
    for (int d = 0; d < s.rank; d++) {
        if (d != dim) to.dim[to.rank++] = s.dim[d];
        for (int i = 0; d == dim && i < c->count; i++) to.dim[to.rank++] = c->size[i];
    }
    out[0] = RESHAPE(in[0], to);
}
static const born_module_ops unflatten_ops = { .name = "Unflatten", .forward = unflatten_forward };

born_module *born_unflatten_sized(born_module *parent, const char *name, int dim, born_ints sizes,
                                  const born_no_desc *options, size_t bytes)
{
    born_no_desc d;
    if (!born__nn_options(parent, name, &unflatten_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (sizes.count < 1 || sizes.count > BORN_MAX_RANK)
        return born__nn_refuse(parent, name, &unflatten_ops, "%lld sizes", (long long)sizes.count);
    dims_config c = { .first = dim, .count = (int)sizes.count };
    for (int i = 0; i < c.count; i++) c.size[i] = sizes.v[i];
    return born_module_define(parent, name, &unflatten_ops, &c, sizeof c);
}

/* ---- shuffles: dims split, permuted and joined again ------------------------------------------------------------ */

/* x read as `split`, its dims permuted, the result read as `to`. */
static born_tensor rearrange(born_tensor x, born_shape split, const int64_t *perm, born_shape to, const born_site *at)
{
    return RESHAPE(TRANSPOSE(RESHAPE(x, split), born__ints(perm, split.rank)), to);
}

static void shuffle_pixels(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out, bool back,
                           const born_site *at)
{
    static const int64_t perm[2][6] = { { 0, 1, 4, 2, 5, 3 }, { 0, 1, 3, 5, 2, 4 } };
    int64_t r = *(const int64_t *)born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]);
    int first = s.rank < 3 ? 0 : s.rank - 3;
    int64_t *C = &s.dim[first], *H = C + 1, *W = C + 2;
    if (s.rank < 3 || (back ? *H % r || *W % r : *C % (r * r))) {
        out[0] = born__module_fail(self, BORN_SHAPE, "a factor of %lld does not fit x", (long long)r);
        return;
    }
    int64_t N = born__span_of(&s, 0, s.rank - 3);
    born_shape split = back ? BORN_SHAPE(N, *C, *H / r, r, *W / r, r) : BORN_SHAPE(N, *C / (r * r), r, r, *H, *W);
    *C = back ? *C * r * r : *C / (r * r);
    *H = back ? *H / r : *H * r;
    *W = back ? *W / r : *W * r;
    out[0] = rearrange(in[0], split, perm[back], s, at);
}
static void shuffle_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                            const born_site *at)
{
    shuffle_pixels(self, in, n_in, out, n_out, false, at);
}
static void unshuffle_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    shuffle_pixels(self, in, n_in, out, n_out, true, at);
}
static void channels_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    int64_t g = *(const int64_t *)born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]);
    if (s.rank < 2 || s.dim[1] % g) {
        out[0] = born__module_fail(self, BORN_SHAPE, "channels of x are no multiple of %lld groups", (long long)g);
        return;
    }
    out[0] = rearrange(in[0], BORN_SHAPE(s.dim[0], g, s.dim[1] / g, born__span_of(&s, 2, s.rank)),
                       (const int64_t[]){ 0, 2, 1, 3 }, s, at);
}
static const born_module_ops shuffle_ops = { .name = "PixelShuffle", .forward = shuffle_forward };
static const born_module_ops unshuffle_ops = { .name = "PixelUnshuffle", .forward = unshuffle_forward };
static const born_module_ops channels_ops = { .name = "ChannelShuffle", .forward = channels_forward };

static born_module *with_factor(born_module *parent, const char *name, const born_module_ops *ops, int64_t factor,
                                const void *options, size_t bytes)
{
    born_no_desc d;
    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (factor < 1 || factor > 32768) return born__nn_refuse(parent, name, ops, "a factor of %lld", (long long)factor);
    return born_module_define(parent, name, ops, &factor, sizeof factor);
}
born_module *born_pixel_shuffle_sized(born_module *parent, const char *name, int64_t factor,
                                      const born_no_desc *options, size_t bytes)
{
    return with_factor(parent, name, &shuffle_ops, factor, options, bytes);
}
born_module *born_pixel_unshuffle_sized(born_module *parent, const char *name, int64_t factor,
                                        const born_no_desc *options, size_t bytes)
{
    return with_factor(parent, name, &unshuffle_ops, factor, options, bytes);
}
born_module *born_channel_shuffle_sized(born_module *parent, const char *name, int64_t groups,
                                        const born_no_desc *options, size_t bytes)
{
    return with_factor(parent, name, &channels_ops, groups, options, bytes);
}

/* ---- pads ------------------------------------------------------------------------------------------------------ */

typedef struct pad_config {
    int dims;
    int64_t padding[6];         /* before, after, by spatial axis */
    born_padding_mode mode;
    double value;
} pad_config;

static void pad_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const pad_config *c = born_module_config(self);
    if (born__nn_arity(self, in, n_in, 1, 1, n_out, 1))
        out[0] = born__nn_pad(in[0], c->dims, c->padding, c->mode, c->value, at);
}
static const born_module_ops pad_ops[] = {
    [BORN_PADDING_ZEROS] = { .name = "ConstantPad", .forward = pad_forward },
    [BORN_PADDING_REFLECT] = { .name = "ReflectionPad", .forward = pad_forward },
    [BORN_PADDING_REPLICATE] = { .name = "ReplicationPad", .forward = pad_forward },
    [BORN_PADDING_CIRCULAR] = { .name = "CircularPad", .forward = pad_forward },
};

born_module *born_pad_nd(born_module *parent, const char *name, int dims, born_ints padding, born_padding_mode mode,
                         double value)
{
    pad_config c = { .dims = dims, .mode = mode, .value = value };
    int64_t given[6];

    if (dims < 1 || dims > 3 || (unsigned)mode > BORN_PADDING_CIRCULAR)
        return born__nn_refuse(parent, name, &pad_ops[0], "%d dims, mode %d", dims, (int)mode);
    int64_t least = mode == BORN_PADDING_ZEROS ? -BORN_NN_MOST : 0;     /* only a constant pad may crop */
    if (padding.count == 0 || !born__nn_list(padding, 2 * dims, 0, least, BORN_NN_MOST, given))
        return born__nn_refuse(parent, name, &pad_ops[mode], "the padding has %lld numbers, or one out of range",
                               (long long)padding.count);
    for (int i = 0; i < 2 * dims; i++) c.padding[i] = given[2 * (dims - 1 - i / 2) + i % 2];
    return born_module_define(parent, name, &pad_ops[mode], &c, sizeof c);
}

/* ---- resampling ------------------------------------------------------------------------------------------------ */

typedef struct upsample_config {
    int sizes, scales;          /* numbers given; one of them is 0 */
    int64_t size[3];
    float scale[3];
    born_resize_attrs attrs;
} upsample_config;

static void upsample_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    const upsample_config *c = born_module_config(self);
    int64_t size[BORN_MAX_RANK];
    float scale[BORN_MAX_RANK];

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]);
    int given = c->sizes ? c->sizes : c->scales;
    if (s.rank < 3 || s.rank > 5 || (given != 1 && given != s.rank - 2)) {
        out[0] = born__module_fail(self, BORN_SHAPE, "%d spatial axes, x has %d dims", given, s.rank);
        return;
    }
    for (int d = 0; d < s.rank; d++) {
        int i = given == 1 ? 0 : d - 2;
        size[d] = d < 2 ? s.dim[d] : c->size[i];
        scale[d] = d < 2 ? 1 : c->scale[i];
    }
    if (c->sizes) out[0] = (born_resize)(in[0], (born_floats){ 0 }, born__ints(size, s.rank), &c->attrs, at);
    else out[0] = (born_resize)(in[0], (born_floats){ scale, s.rank }, (born_ints){ 0 }, &c->attrs, at);
}
static const born_module_ops upsample_ops = { .name = "Upsample", .forward = upsample_forward };

/* PyTorch's modes in the operator's terms. */
enum { HALF_PIXEL = 0, ALIGN_CORNERS = 3, ASYMMETRIC = 4, ROUND_UP = 1, FLOOR = 2 };
static const born_resize_attrs upsample_modes[] = {
    [BORN_UPSAMPLE_NEAREST] = { .mode = 0, .coordinate_mode = ASYMMETRIC, .nearest_mode = FLOOR },
    [BORN_UPSAMPLE_LINEAR] = { .mode = 1, .coordinate_mode = HALF_PIXEL },
    [BORN_UPSAMPLE_BICUBIC] = { .mode = 2, .coordinate_mode = HALF_PIXEL },
    [BORN_UPSAMPLE_NEAREST_EXACT] = { .mode = 0, .coordinate_mode = HALF_PIXEL, .nearest_mode = ROUND_UP },
};

born_module *born_upsample_sized(born_module *parent, const char *name, const born_upsample_desc *options, size_t bytes)
{
    born_upsample_desc d;
    upsample_config c = { 0 };

    if (!born__nn_options(parent, name, &upsample_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    for (int i = 0; i < 3 && d.scale[i] != 0; i++) c.scale[c.scales++] = (float)d.scale[i];
    c.sizes = d.size.count < 0 || d.size.count > 3 ? 4 : (int)d.size.count;
    bool smooth = d.mode == BORN_UPSAMPLE_LINEAR || d.mode == BORN_UPSAMPLE_BICUBIC;
    bool sound = (unsigned)d.mode <= BORN_UPSAMPLE_NEAREST_EXACT && c.sizes <= 3 && !c.sizes != !c.scales &&
                 (smooth || !d.align_corners);
    for (int i = 0; sound && i < c.scales; i++) sound = d.scale[i] > 0 && d.scale[i] <= (double)BORN_NN_MOST;
    for (int i = 0; sound && i < c.sizes; i++) {
        c.size[i] = d.size.v[i];
        sound = c.size[i] >= 1 && c.size[i] <= BORN_NN_MOST;
    }
    if (!sound)
        return born__nn_refuse(parent, name, &upsample_ops,
                               "needs up to 3 positive sizes or scales, not both, and corners to align only if linear");
    c.attrs = upsample_modes[d.mode];
    if (d.align_corners) c.attrs.coordinate_mode = ALIGN_CORNERS;
    return born_module_define(parent, name, &upsample_ops, &c, sizeof c);
}

/* ---- windows --------------------------------------------------------------------------------------------------- */

typedef struct window_config {
    int64_t kernel[2], stride[2], dilation[2], pads[4], output[2];
} window_config;

static born_col2im_attrs window_attrs(const window_config *c)
{
    return (born_col2im_attrs){ .dilations = born__ints(c->dilation, 2), .pads = born__ints(c->pads, 4),
                                .strides = born__ints(c->stride, 2) };
}

static void unfold_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                           const born_site *at)
{
    const window_config *c = born_module_config(self);
    born_backend *b = born_module_backend(self);
    born_col2im_attrs attrs = window_attrs(c);
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], 4, &single, at);
    born_tensor v[] = { x, (born_from)(b, BORN_ARRAY(c->kernel, 2), BORN_I64, at) };
    out[0] = born__nn_unbatch(born__op_call(BORN_OP_IM2COL, v, 2, &attrs, 1, NULL, at), single, at);
}
static void fold_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                         const born_site *at)
{
    const window_config *c = born_module_config(self);
    born_backend *b = born_module_backend(self);
    born_col2im_attrs attrs = window_attrs(c);
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], 3, &single, at);
    born_tensor v[] = { x, (born_from)(b, BORN_ARRAY(c->output, 2), BORN_I64, at),
                        (born_from)(b, BORN_ARRAY(c->kernel, 2), BORN_I64, at) };
    out[0] = born__nn_unbatch(born__op_call(BORN_OP_COL2IM, v, 3, &attrs, 1, NULL, at), single, at);
}
static const born_module_ops unfold_ops = { .name = "Unfold", .forward = unfold_forward };
static const born_module_ops fold_ops = { .name = "Fold", .forward = fold_forward };

static born_module *windows(born_module *parent, const char *name, const born_module_ops *ops, born_ints output,
                            born_ints kernel, const born_window_desc *options, size_t bytes)
{
    born_window_desc d;
    window_config c = { 0 };

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    bool sound = kernel.count > 0 && born__nn_list(kernel, 2, 1, 1, BORN_NN_MOST, c.kernel) &&
                 born__nn_list(output, 2, 1, 1, BORN_NN_MOST, c.output) &&
                 born__nn_list(d.stride, 2, 1, 1, BORN_NN_MOST, c.stride) &&
                 born__nn_list(d.dilation, 2, 1, 1, BORN_NN_MOST, c.dilation) &&
                 born__nn_list(d.padding, 2, 0, 0, BORN_NN_MOST, c.pads);
    if (!sound) return born__nn_refuse(parent, name, ops, "a list of options holds neither 1 nor 2 sound numbers");
    c.pads[2] = c.pads[0];
    c.pads[3] = c.pads[1];
    return born_module_define(parent, name, ops, &c, sizeof c);
}
born_module *born_unfold_sized(born_module *parent, const char *name, born_ints kernel, const born_window_desc *options,
                               size_t bytes)
{
    return windows(parent, name, &unfold_ops, (born_ints){ 0 }, kernel, options, bytes);
}
born_module *born_fold_sized(born_module *parent, const char *name, born_ints output, born_ints kernel,
                             const born_window_desc *options, size_t bytes)
{
    return windows(parent, name, &fold_ops, output, kernel, options, bytes);
}
