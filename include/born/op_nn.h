/* Born: convolutions, pools, norms, softmax, resampling. Images are [N, C, spatial...].
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_NN_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_NN_H
#define BORN_OP_NN_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// Convolution of x [N, C, spatial...] (1 to 3 spatial dims) with w [M, C/group, kernel...] and bias [M] ({0}:
/// none); gives [N, M, spatial...]. Attributes: `strides`, `pads` (begins, then ends), `dilations`, `group`,
/// `auto_pad`. Any float. Equals torch.nn.functional.conv1d/2d/3d, ONNX Conv.
BORN_OP3A(conv, FLT, conv)
#define born_conv(x, ...) BORN_SEL_N(FLT, born_conv, x, __VA_ARGS__)

/// Transposed convolution of x [N, C, spatial...] with w [C, M/group, kernel...] and bias [M] ({0}: none).
/// Attributes as in born_conv, and `output_padding`, `output_shape`. Any float. Equals
/// torch.nn.functional.conv_transpose2d, ONNX ConvTranspose.
BORN_OP3A(conv_transpose, FLT, conv_transpose)
#define born_conv_transpose(x, ...) BORN_SEL_N(FLT, born_conv_transpose, x, __VA_ARGS__)

/// Largest element of each window of x [N, C, spatial...]; NaN wins. Attributes: `kernel_shape`, `strides`, `pads`,
/// `dilations`, `ceil_mode`. Any number. Equals torch.nn.functional.max_pool2d, ONNX MaxPool.
BORN_OP1A(max_pool, NUM, max_pool)
#define born_max_pool(x, ...) BORN_SEL_N(NUM, born_max_pool, x, __VA_ARGS__)

/// Mean of each window of x [N, C, spatial...]. Attributes as in born_max_pool, and `count_include_pad`. Any float.
/// Equals torch.nn.functional.avg_pool2d, ONNX AveragePool.
BORN_OP1A(average_pool, FLT, average_pool)
#define born_average_pool(x, ...) BORN_SEL_N(FLT, born_average_pool, x, __VA_ARGS__)

/// Lp norm of each window of x [N, C, spatial...]; `p` defaults to 2. Any float. Equals
/// torch.nn.functional.lp_pool2d, ONNX LpPool.
BORN_OP1A(lp_pool, FLT, lp_pool)
#define born_lp_pool(x, ...) BORN_SEL_N(FLT, born_lp_pool, x, __VA_ARGS__)

/// Mean of each plane of x [N, C, spatial...]: [N, C, 1...]. Equals ONNX GlobalAveragePool.
BORN_OP1(global_average_pool, FLT)
#define born_global_average_pool(x) BORN_SEL(FLT, born_global_average_pool, x)

/// Largest element of each plane of x [N, C, spatial...]: [N, C, 1...]. Equals ONNX GlobalMaxPool.
BORN_OP1(global_max_pool, NUM)
#define born_global_max_pool(x) BORN_SEL(NUM, born_global_max_pool, x)

/// Lp norm of each plane of x [N, C, spatial...]: [N, C, 1...]. Any float. Equals ONNX GlobalLpPool.
BORN_OP1A(global_lp_pool, FLT, global_lp_pool)
#define born_global_lp_pool(x, ...) BORN_SEL_N(FLT, born_global_lp_pool, x, __VA_ARGS__)

/// (x - mean) * (scale / sqrt(var + epsilon)) + bias, one of each per channel (dim 1). Operands: x, scale, bias,
/// mean, var. `epsilon` defaults to 1e-5. Any float. Equals torch.nn.functional.batch_norm in evaluation, ONNX
/// BatchNormalization.
BORN_OP5A(batch_norm, FLT, batch_norm)
#define born_batch_norm(x, ...) BORN_SEL_N(FLT, born_batch_norm, x, __VA_ARGS__)

/// Each plane of x [N, C, spatial...] to mean 0 and variance 1, then scale [C] and bias [C]. Any float. Equals
/// torch.nn.functional.instance_norm, ONNX InstanceNormalization.
BORN_OP3A(instance_norm, FLT, instance_norm)
#define born_instance_norm(x, ...) BORN_SEL_N(FLT, born_instance_norm, x, __VA_ARGS__)

/// x to mean 0 and variance 1 over the dims from `axis` (default the last) on, then scale and bias ({0}: none),
/// broadcast to x. Any float. Equals torch.nn.functional.layer_norm, ONNX LayerNormalization.
BORN_OP3A(layer_norm, FLT, layer_norm)
#define born_layer_norm(x, ...) BORN_SEL_N(FLT, born_layer_norm, x, __VA_ARGS__)

/// x / sqrt(mean(x * x) + epsilon) over the dims from `axis` (default the last) on, then scale. Any float. Equals
/// torch.nn.functional.rms_norm, ONNX RMSNormalization. Zhang and Sennrich, 2019.
BORN_OP2A(rms_norm, FLT, rms_norm)
#define born_rms_norm(x, ...) BORN_SEL_N(FLT, born_rms_norm, x, __VA_ARGS__)

/// Channels of x [N, C, spatial...] in `num_groups` groups, each to mean 0 and variance 1, then scale [C] and bias
/// [C]. Any float. Equals torch.nn.functional.group_norm, ONNX GroupNormalization.
BORN_OP3A(group_norm, FLT, group_norm)
#define born_group_norm(x, ...) BORN_SEL_N(FLT, born_group_norm, x, __VA_ARGS__)

/// x divided by its L1 or L2 norm (`p`) along `axis`; 0 where the norm is 0. Any float. Equals
/// torch.nn.functional.normalize, ONNX LpNormalization.
BORN_OP1A(lp_norm, FLT, lp_norm)
#define born_lp_norm(x, ...) BORN_SEL_N(FLT, born_lp_norm, x, __VA_ARGS__)

/// x / (bias + alpha / size * s) ^ beta, s the sum of squares over `size` neighbouring channels. Any float. Equals
/// torch.nn.functional.local_response_norm, ONNX LRN.
BORN_OP1A(lrn, FLT, lrn)
#define born_lrn(x, ...) BORN_SEL_N(FLT, born_lrn, x, __VA_ARGS__)

/// exp(x - max) / sum(exp(x - max)) along axis. Any float. Equals torch.softmax, ONNX Softmax.
BORN_OP1X(softmax, FLT, (, int64_t axis), (, axis))
#define born_softmax(x, ...) BORN_SEL_N(FLT, born_softmax, x, __VA_ARGS__)

/// x - max - log(sum(exp(x - max))) along axis. Any float. Equals torch.log_softmax, ONNX LogSoftmax.
BORN_OP1X(log_softmax, FLT, (, int64_t axis), (, axis))
#define born_log_softmax(x, ...) BORN_SEL_N(FLT, born_log_softmax, x, __VA_ARGS__)

/// 1 at the first largest element along axis, 0 elsewhere. Any float. No gradient. Equals ONNX Hardmax.
BORN_OP1X(hardmax, FLT, (, int64_t axis), (, axis))
#define born_hardmax(x, ...) BORN_SEL_N(FLT, born_hardmax, x, __VA_ARGS__)

/// x resampled by scales (one per dim), or with scales {0} to sizes: nearest, linear or cubic by `mode`. x: any
/// dtype. Other attributes as in ONNX Resize. Equals torch.nn.functional.interpolate, ONNX Resize.
BORN_OP1X(resize, ALL, (, born_floats scales, born_ints sizes, const born_resize_attrs *attrs),
          (, scales, sizes, attrs))
#define born_resize(x, ...) BORN_SEL_N(ALL, born_resize, x, __VA_ARGS__)

/// x [N, C, H, W] read at the places of grid [N, h, w, 2] (x first, -1 to 1 spanning the image). Attributes:
/// `mode`, `padding_mode`, `align_corners`. Any float. Equals torch.nn.functional.grid_sample, ONNX GridSample.
BORN_OP2A(grid_sample, NUM, grid_sample)
#define born_grid_sample(x, ...) BORN_SEL_N(NUM, born_grid_sample, x, __VA_ARGS__)

#endif
