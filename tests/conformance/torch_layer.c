/* torch_cases: constructors of modules: linear, convolution, pooling, padding, resampling, shape, norms. */
#include "torch_cases.h"

static born_module *make_linear(tc_call *k, born_module *parent, const char *name)
{
    born_linear_desc d = { .no_bias = !tc_flag(k, "bias") };
    return born_linear(parent, name, tc_int(k, "in_features"), tc_int(k, "out_features"), &d);
}
static born_module *make_bilinear(tc_call *k, born_module *parent, const char *name)
{
    born_linear_desc d = { .no_bias = !tc_flag(k, "bias") };
    return born_bilinear(parent, name, tc_int(k, "in1_features"), tc_int(k, "in2_features"), tc_int(k, "out_features"),
                         &d);
}

/* ---- convolution ---- */

static born_padding_mode padding_mode(const tc_call *k)
{
    static const char *const names[] = { "zeros", "reflect", "replicate", "circular" };
    for (int i = 0; i < 4; i++) {
        if (tc_says(k, "padding_mode", names[i])) return (born_padding_mode)i;
    }
    return BORN_PADDING_ZEROS;
}
/* Conv2d: the number before the last letter of the class. */
static int dims_of(const tc_call *k)
{
    const char *name = k->row->name;
    return name[strlen(name) - 2] - '0';
}
static born_module *make_conv(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"),
            dilation = tc_ints_of(k, "dilation");
    bool text = json_is_string(tc_arg(k, "padding"));
    tc_ints pad = text ? (tc_ints){ .n = 0 } : tc_ints_of(k, "padding");
    born_conv_desc d = { .stride = TC_SPAN(stride), .padding = TC_SPAN(pad), .dilation = TC_SPAN(dilation),
                         .groups = tc_int(k, "groups"), .no_bias = !tc_flag(k, "bias"),
                         .same = tc_says(k, "padding", "same"), .padding_mode = padding_mode(k) };
    return born_conv_nd_sized(parent, name, dims_of(k), tc_int(k, "in_channels"), tc_int(k, "out_channels"),
                              TC_SPAN(kernel), &d, sizeof d);
}
static born_module *make_conv_transpose(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"),
            dilation = tc_ints_of(k, "dilation");
    tc_ints pad = tc_ints_of(k, "padding"), more = tc_ints_of(k, "output_padding");
    born_conv_transpose_desc d = { .stride = TC_SPAN(stride), .padding = TC_SPAN(pad), .output_padding = TC_SPAN(more),
                                   .dilation = TC_SPAN(dilation), .groups = tc_int(k, "groups"),
                                   .no_bias = !tc_flag(k, "bias") };
    return born_conv_transpose_nd_sized(parent, name, dims_of(k), tc_int(k, "in_channels"), tc_int(k, "out_channels"),
                                        TC_SPAN(kernel), &d, sizeof d);
}

/* ---- pooling ---- */

static born_module *make_max_pool(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"),
            dilation = tc_ints_of(k, "dilation");
    tc_ints pad = tc_ints_of(k, "padding");
    born_max_pool_desc d = { .stride = TC_SPAN(stride), .padding = TC_SPAN(pad), .dilation = TC_SPAN(dilation),
                             .ceil_mode = tc_flag(k, "ceil_mode") };
    return born_max_pool_nd_sized(parent, name, dims_of(k), TC_SPAN(kernel), &d, sizeof d);
}
static born_module *make_avg_pool(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"), pad = tc_ints_of(k, "padding");
    born_avg_pool_desc d = { .stride = TC_SPAN(stride),
                             .padding = TC_SPAN(pad),
                             .ceil_mode = tc_flag(k, "ceil_mode"),
                             .exclude_pad = !tc_flag(k, "count_include_pad"),
                             .divisor = tc_int(k, "divisor_override") };
    return born_avg_pool_nd_sized(parent, name, dims_of(k), TC_SPAN(kernel), &d, sizeof d);
}
static born_module *make_lp_pool(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride");
    born_lp_pool_desc d = { .stride = TC_SPAN(stride), .ceil_mode = tc_flag(k, "ceil_mode") };
    return born_lp_pool_nd_sized(parent, name, dims_of(k), tc_num(k, "norm_type"), TC_SPAN(kernel), &d, sizeof d);
}
static born_module *make_adaptive_avg(tc_call *k, born_module *parent, const char *name)
{
    tc_ints size = tc_ints_of(k, "output_size");
    return born_adaptive_avg_pool_nd_sized(parent, name, dims_of(k), TC_SPAN(size), NULL, sizeof(born_no_desc));
}
static born_module *make_adaptive_max(tc_call *k, born_module *parent, const char *name)
{
    tc_ints size = tc_ints_of(k, "output_size");
    return born_adaptive_max_pool_nd_sized(parent, name, dims_of(k), TC_SPAN(size), NULL, sizeof(born_no_desc));
}
static born_module *make_max_unpool(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"), pad = tc_ints_of(k, "padding");
    born_max_unpool_desc d = { .stride = TC_SPAN(stride), .padding = TC_SPAN(pad) };
    return born_max_unpool_nd_sized(parent, name, dims_of(k), TC_SPAN(kernel), &d, sizeof d);
}

/* ---- padding, resampling, shape ---- */

static born_module *make_pad(tc_call *k, born_module *parent, const char *name)
{
    static const struct { const char *prefix; born_padding_mode mode; } kinds[] = {
        { "torch.nn.Reflection", BORN_PADDING_REFLECT }, { "torch.nn.Replication", BORN_PADDING_REPLICATE },
        { "torch.nn.Circular", BORN_PADDING_CIRCULAR },
    };
    born_padding_mode mode = BORN_PADDING_ZEROS;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strncmp(k->row->name, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) mode = kinds[i].mode;
    }
    tc_ints pad = tc_ints_of(k, "padding");
    return born_pad_nd(parent, name, dims_of(k), TC_SPAN(pad), mode, tc_num(k, "value"));
}
static born_module *make_upsample(tc_call *k, born_module *parent, const char *name)
{
    static const struct { const char *name; born_upsample_mode mode; } modes[] = {
        { "linear", BORN_UPSAMPLE_LINEAR },    { "bilinear", BORN_UPSAMPLE_LINEAR },
        { "trilinear", BORN_UPSAMPLE_LINEAR }, { "bicubic", BORN_UPSAMPLE_BICUBIC },
        { "nearest-exact", BORN_UPSAMPLE_NEAREST_EXACT },
    };
    tc_ints size = tc_ints_of(k, "size");
    born_upsample_desc d = { .size = TC_SPAN(size), .align_corners = tc_flag(k, "align_corners") };
    const json_t *scale = tc_arg(k, "scale_factor");
    for (int i = 0; i < 3 && scale != NULL; i++) {
        d.scale[i] = json_is_array(scale) ? tc_number(json_array_get(scale, (size_t)i)) : i == 0 ? tc_number(scale) : 0;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (tc_says(k, "mode", modes[i].name)) d.mode = modes[i].mode;
    }
    return born_upsample(parent, name, &d);
}
static born_module *make_pixel_shuffle(tc_call *k, born_module *parent, const char *name)
{
    return born_pixel_shuffle(parent, name, tc_int(k, "upscale_factor"), NULL);
}
static born_module *make_pixel_unshuffle(tc_call *k, born_module *parent, const char *name)
{
    return born_pixel_unshuffle(parent, name, tc_int(k, "downscale_factor"), NULL);
}
static born_module *make_channel_shuffle(tc_call *k, born_module *parent, const char *name)
{
    return born_channel_shuffle(parent, name, tc_int(k, "groups"), NULL);
}
static born_module *make_unfold(tc_call *k, born_module *parent, const char *name)
{
    tc_ints kernel = tc_ints_of(k, "kernel_size"), stride = tc_ints_of(k, "stride"),
            dilation = tc_ints_of(k, "dilation");
    tc_ints pad = tc_ints_of(k, "padding"), size = tc_ints_of(k, "output_size");
    born_window_desc d = { .stride = TC_SPAN(stride), .padding = TC_SPAN(pad), .dilation = TC_SPAN(dilation) };
    if (size.none) return born_unfold(parent, name, TC_SPAN(kernel), &d);
    return born_fold(parent, name, TC_SPAN(size), TC_SPAN(kernel), &d);
}
static born_module *make_flatten(tc_call *k, born_module *parent, const char *name)
{
    return born_flatten_layer(parent, name, (int)tc_int(k, "start_dim"), (int)tc_int(k, "end_dim"), NULL);
}
static born_module *make_unflatten(tc_call *k, born_module *parent, const char *name)
{
    tc_ints sizes = tc_ints_of(k, "unflattened_size");
    return born_unflatten(parent, name, (int)tc_int(k, "dim"), TC_SPAN(sizes), NULL);
}

/* ---- norms ---- */

static born_module *make_batch_norm(tc_call *k, born_module *parent, const char *name)
{
    born_batch_norm_desc d = { .eps = tc_num(k, "eps"), .momentum = tc_num(k, "momentum"),
                               .cumulative = tc_none(k, "momentum"), .no_affine = !tc_flag(k, "affine"),
                               .no_running_stats = !tc_flag(k, "track_running_stats") };
    if (d.momentum == 0 && !d.cumulative) d.momentum = -1;      /* running values stay */
    return born_batch_norm_nd_sized(parent, name, dims_of(k), tc_int(k, "num_features"), &d, sizeof d);
}
static born_module *make_instance_norm(tc_call *k, born_module *parent, const char *name)
{
    born_instance_norm_desc d = { .eps = tc_num(k, "eps"), .momentum = tc_num(k, "momentum"),
                                  .affine = tc_flag(k, "affine"), .running_stats = tc_flag(k, "track_running_stats") };
    return born_instance_norm_nd_sized(parent, name, dims_of(k), tc_int(k, "num_features"), &d, sizeof d);
}
static born_norm_desc norm_desc(const tc_call *k, const char *affine)
{
    return (born_norm_desc){ .eps = tc_num(k, "eps"), .no_affine = !tc_flag(k, affine),
                             .no_bias = !tc_none(k, "bias") && !tc_flag(k, "bias") };
}
static born_module *make_layer_norm(tc_call *k, born_module *parent, const char *name)
{
    born_norm_desc d = norm_desc(k, "elementwise_affine");
    tc_ints shape = tc_ints_of(k, "normalized_shape");
    return born_layer_norm_layer(parent, name, TC_SPAN(shape), &d);
}
static born_module *make_rms_norm(tc_call *k, born_module *parent, const char *name)
{
    born_norm_desc d = norm_desc(k, "elementwise_affine");
    tc_ints shape = tc_ints_of(k, "normalized_shape");
    return born_rms_norm_layer(parent, name, TC_SPAN(shape), &d);
}
static born_module *make_group_norm(tc_call *k, born_module *parent, const char *name)
{
    born_norm_desc d = norm_desc(k, "affine");
    return born_group_norm_layer(parent, name, tc_int(k, "num_groups"), tc_int(k, "num_channels"), &d);
}
static born_module *make_local_response(tc_call *k, born_module *parent, const char *name)
{
    born_local_response_norm_desc d = { .alpha = tc_num(k, "alpha"), .beta = tc_num(k, "beta"), .k = tc_num(k, "k") };
    return born_local_response_norm(parent, name, tc_int(k, "size"), &d);
}

#define LAYER(class_, parameters, f)                                                                                   \
    {                                                                                                                  \
        .name = "torch.nn." class_, .params = parameters, .make = f, .operands = "input"                               \
    }
#define DIMS(class_, parameters, f)                                                                                   \
    LAYER(class_ "1d", parameters, f), LAYER(class_ "2d", parameters, f), LAYER(class_ "3d", parameters, f)
#define LIKE(class_, parameters, f, inputs)                                                                           \
    { .name = "torch.nn." class_, .params = parameters ", output_size=null", .make = f, .operands = inputs }
#define TRANSPOSE                                                                                                      \
    "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=true, dilation=1, " \
    "padding_mode='zeros'"
#define NORM "num_features, eps=1e-05, momentum=0.1, "
const tc_row tc_rows_layer[] = {
    LAYER("Linear", "in_features, out_features, bias=true", make_linear),
    { .name = "torch.nn.Bilinear",
      .params = "in1_features, in2_features, out_features, bias=true",
      .make = make_bilinear,
      .operands = "input1, input2" },
    DIMS("Conv",
         "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=true, "
         "padding_mode='zeros'",
         make_conv),
    LIKE("ConvTranspose1d", TRANSPOSE, make_conv_transpose, "input, like"),
    LIKE("ConvTranspose2d", TRANSPOSE, make_conv_transpose, "input, like"),
    LIKE("ConvTranspose3d", TRANSPOSE, make_conv_transpose, "input, like"),
    DIMS("MaxPool", "kernel_size, stride=null, padding=0, dilation=1, return_indices=false, ceil_mode=false",
         make_max_pool),
    DIMS("AvgPool",
         "kernel_size, stride=null, padding=0, ceil_mode=false, count_include_pad=true, "
         "divisor_override=null",
         make_avg_pool),
    DIMS("LPPool", "norm_type, kernel_size, stride=null, ceil_mode=false", make_lp_pool),
    DIMS("AdaptiveAvgPool", "output_size", make_adaptive_avg),
    DIMS("AdaptiveMaxPool", "output_size, return_indices=false", make_adaptive_max),
    LIKE("MaxUnpool1d", "kernel_size, stride=null, padding=0", make_max_unpool, "input, indices, like"),
    LIKE("MaxUnpool2d", "kernel_size, stride=null, padding=0", make_max_unpool, "input, indices, like"),
    LIKE("MaxUnpool3d", "kernel_size, stride=null, padding=0", make_max_unpool, "input, indices, like"),
    DIMS("ZeroPad", "padding, value=0", make_pad),
    DIMS("ConstantPad", "padding, value", make_pad),
    DIMS("ReflectionPad", "padding, value=0", make_pad),
    DIMS("ReplicationPad", "padding, value=0", make_pad),
    DIMS("CircularPad", "padding, value=0", make_pad),
    LAYER("Upsample", "size=null, scale_factor=null, mode='nearest', align_corners=null, recompute_scale_factor=null",
          make_upsample),
    LAYER("UpsamplingNearest2d", "size=null, scale_factor=null, mode='nearest', align_corners=null", make_upsample),
    LAYER("UpsamplingBilinear2d", "size=null, scale_factor=null, mode='bilinear', align_corners=true", make_upsample),
    LAYER("PixelShuffle", "upscale_factor", make_pixel_shuffle),
    LAYER("PixelUnshuffle", "downscale_factor", make_pixel_unshuffle),
    LAYER("ChannelShuffle", "groups", make_channel_shuffle),
    LAYER("Unfold", "kernel_size, dilation=1, padding=0, stride=1", make_unfold),
    LAYER("Fold", "output_size, kernel_size, dilation=1, padding=0, stride=1", make_unfold),
    LAYER("Flatten", "start_dim=1, end_dim=-1", make_flatten),
    LAYER("Unflatten", "dim, unflattened_size", make_unflatten),
    DIMS("BatchNorm", NORM "affine=true, track_running_stats=true", make_batch_norm),
    DIMS("InstanceNorm", NORM "affine=false, track_running_stats=false", make_instance_norm),
    LAYER("LayerNorm", "normalized_shape, eps=1e-05, elementwise_affine=true, bias=true", make_layer_norm),
    LAYER("RMSNorm", "normalized_shape, eps=null, elementwise_affine=true", make_rms_norm),
    LAYER("GroupNorm", "num_groups, num_channels, eps=1e-05, affine=true", make_group_norm),
    LAYER("LocalResponseNorm", "size, alpha=0.0001, beta=0.75, k=1.0", make_local_response),
    { 0 },
};
