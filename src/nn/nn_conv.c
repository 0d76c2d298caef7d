/* Convolutions and their transposes, 1 to 3 spatial axes. Padding other than with zeros is a pad before. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct conv_config {
    int dims;
    int64_t kernel[3], stride[3], dilation[3], groups;
    int64_t pads[6];            /* befores, then afters: the operator's order */
    int64_t around[6];          /* before and after each axis: of the pad before; zeros where there is none */
    int64_t output_padding[3];
    born_padding_mode mode;
} conv_config;

static void conv_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                         const born_site *at)
{
    const conv_config *c = born_module_config(self);
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_conv_attrs attrs = { .group = c->groups, .strides = born__ints(c->stride, c->dims),
                              .pads = born__ints(c->pads, 2 * c->dims),
                              .dilations = born__ints(c->dilation, c->dims) };
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    if (c->mode != BORN_PADDING_ZEROS) x = born__nn_pad(x, c->dims, c->around, c->mode, 0, at);
    x = (born_conv)(x, born_module_tensor(self, "weight"), born_module_tensor(self, "bias"), &attrs, at);
    out[0] = born__nn_unbatch(x, single, at);
}

/* What makes the result as large as `like` along each spatial axis: less than a stride is possible. */
static bool padding_for(const conv_config *c, const born_shape *x, const born_shape *like, int64_t *padding)
{
    if (like->rank < c->dims) return false;
    for (int i = 0; i < c->dims; i++) {
        int64_t least = (x->dim[2 + i] - 1) * c->stride[i] - 2 * c->pads[i] + c->dilation[i] * (c->kernel[i] - 1) + 1;
        padding[i] = like->dim[like->rank - c->dims + i] - least;
        if (padding[i] < 0 || padding[i] >= c->stride[i]) return false;
    }
    return true;
}

static void transpose_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    const conv_config *c = born_module_config(self);
    int64_t padding[3];
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 2, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at), like = born__nn_in(in, n_in, 1);
    born_conv_transpose_attrs attrs = { .group = c->groups, .strides = born__ints(c->stride, c->dims),
                                        .pads = born__ints(c->pads, 2 * c->dims),
                                        .dilations = born__ints(c->dilation, c->dims),
                                        .output_padding = born__ints(c->output_padding, c->dims) };
    if (born__given(like) && born_is_alive(x)) {
        born_shape s = born_shape_of(x), want = born_shape_of(like);
        if (!padding_for(c, &s, &want, padding)) {
            out[0] = born__module_fail(self, BORN_SHAPE, "the sizes asked for cannot come of this x");
            return;
        }
        attrs.output_padding = born__ints(padding, c->dims);
    }
    x = (born_conv_transpose)(x, born_module_tensor(self, "weight"), born_module_tensor(self, "bias"), &attrs, at);
    out[0] = born__nn_unbatch(x, single, at);
}

static const born_module_ops conv_ops[] = {
    { .name = "Conv1d", .forward = conv_forward },
    { .name = "Conv2d", .forward = conv_forward },
    { .name = "Conv3d", .forward = conv_forward },
};
static const born_module_ops transpose_ops[] = {
    { .name = "ConvTranspose1d", .forward = transpose_forward },
    { .name = "ConvTranspose2d", .forward = transpose_forward },
    { .name = "ConvTranspose3d", .forward = transpose_forward },
};

/* The lists that both kinds have; false: a number does not fit. */
static bool read_lists(conv_config *c, born_ints kernel, born_ints stride, born_ints padding, born_ints dilation)
{
    const int64_t most = BORN_NN_MOST;
    bool sound = kernel.count > 0 && born__nn_list(kernel, c->dims, 1, 1, most, c->kernel) &&
                 born__nn_list(stride, c->dims, 1, 1, most, c->stride) &&
                 born__nn_list(padding, c->dims, 0, 0, most, c->pads) &&
                 born__nn_list(dilation, c->dims, 1, 1, most, c->dilation);
    for (int i = 0; sound && i < c->dims; i++) c->pads[c->dims + i] = c->pads[i];
    return sound;
}

/* padding='same' splits what the kernel takes, more of it after; then the pad before takes over where it must. */
static void settle_padding(conv_config *c, bool same)
{
    for (int i = 0; same && i < c->dims; i++) {
        int64_t total = c->dilation[i] * (c->kernel[i] - 1);
        c->pads[i] = total / 2;
        c->pads[c->dims + i] = total - total / 2;
    }
    for (int i = 0; c->mode != BORN_PADDING_ZEROS && i < c->dims; i++) {
        c->around[2 * i] = c->pads[i];
        c->around[2 * i + 1] = c->pads[c->dims + i];
        c->pads[i] = c->pads[c->dims + i] = 0;
    }
}

/* Weight [first, second, kernel...] and bias [out], as PyTorch starts them: the fan is of dims 1 on. */
static born_module *with_weights(born_module *m, const conv_config *c, int64_t first, int64_t second, int64_t out,
                                 bool bias)
{
    born_shape s = { .rank = c->dims + 2, .dim = { first, second } };
    double fan = (double)second;

    for (int i = 0; i < c->dims; i++) {
        s.dim[2 + i] = c->kernel[i];
        fan *= (double)c->kernel[i];
    }
    born__nn_add(m, "weight", BORN_PARAM, s, born__fill_within(1 / sqrt(fan)));
    if (bias) born__nn_add(m, "bias", BORN_PARAM, BORN_SHAPE(out), born__fill_within(1 / sqrt(fan)));
    return m;
}

static bool channels_ok(int64_t in, int64_t out, int64_t groups)
{
    return groups >= 1 && in >= 1 && out >= 1 && in <= BORN_NN_MOST && out <= BORN_NN_MOST && in % groups == 0 &&
           out % groups == 0;
}

born_module *born_conv_nd_sized(born_module *parent, const char *name, int dims, int64_t in_channels,
                                int64_t out_channels, born_ints kernel, const born_conv_desc *options, size_t bytes)
{
    born_conv_desc d;
    const born_module_ops *ops = &conv_ops[dims < 1 || dims > 3 ? 0 : dims - 1];
    conv_config c = { .dims = dims };

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    c.groups = d.groups ? d.groups : 1;
    c.mode = d.padding_mode;
    if (dims < 1 || dims > 3 || !read_lists(&c, kernel, d.stride, d.padding, d.dilation))
        return born__nn_refuse(parent, name, ops, "a list of options does not hold 1 or %d sound numbers", dims);
    if (!channels_ok(in_channels, out_channels, c.groups))
        return born__nn_refuse(parent, name, ops, "%lld and %lld channels in %lld groups", (long long)in_channels,
                               (long long)out_channels, (long long)c.groups);
    bool same = d.same;
    for (int i = 0; same && i < dims; i++) same = c.stride[i] == 1;
    if (same != d.same || (unsigned)c.mode > BORN_PADDING_CIRCULAR)
        return born__nn_refuse(parent, name, ops, "padding 'same' needs stride 1, and a mode 0 to 3");
    settle_padding(&c, same);
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    return with_weights(m, &c, out_channels, in_channels / c.groups, out_channels, !d.no_bias);
}

born_module *born_conv_transpose_nd_sized(born_module *parent, const char *name, int dims, int64_t in_channels,
                                          int64_t out_channels, born_ints kernel,
                                          const born_conv_transpose_desc *options, size_t bytes)
{
    born_conv_transpose_desc d;
    const born_module_ops *ops = &transpose_ops[dims < 1 || dims > 3 ? 0 : dims - 1];
    conv_config c = { .dims = dims };

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    c.groups = d.groups ? d.groups : 1;
    if (dims < 1 || dims > 3 || !read_lists(&c, kernel, d.stride, d.padding, d.dilation) ||
        !born__nn_list(d.output_padding, dims, 0, 0, BORN_NN_MOST, c.output_padding))
        return born__nn_refuse(parent, name, ops, "a list of options does not hold 1 or %d sound numbers", dims);
    if (!channels_ok(in_channels, out_channels, c.groups))
        return born__nn_refuse(parent, name, ops, "%lld and %lld channels in %lld groups", (long long)in_channels,
                               (long long)out_channels, (long long)c.groups);
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    return with_weights(m, &c, in_channels, out_channels / c.groups, out_channels, !d.no_bias);
}
