/* Born: shapes and data movement. Elements are moved, never read, so every dtype will do. Where a result shares storage
   with x, born_write on either shows in both. All but born_range have a gradient.
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_SHAPE_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_SHAPE_H
#define BORN_OP_SHAPE_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// x under another shape, elements in C order; one size may be -1: whatever is left. Shares x's storage where it is
/// dense. x: any dtype. SHAPE where the counts differ. Equals torch.reshape, ONNX Reshape with allowzero.
BORN_OP1X(reshape, ALL, (, born_shape shape), (, shape))
#define born_reshape(x, ...) BORN_SEL_N(ALL, born_reshape, x, __VA_ARGS__)

/// x as a matrix: dims before axis times dims from axis on. x: any dtype. Equals ONNX Flatten.
BORN_OP1X(flatten, ALL, (, int64_t axis), (, axis))
#define born_flatten(x, ...) BORN_SEL_N(ALL, born_flatten, x, __VA_ARGS__)

/// x without the dims named by axes, all of size 1; {0}: without all such dims. x: any dtype. Equals torch.squeeze,
/// ONNX Squeeze.
BORN_OP1X(squeeze, ALL, (, born_ints axes), (, axes))
#define born_squeeze(x, ...) BORN_SEL_N(ALL, born_squeeze, x, __VA_ARGS__)

/// x with dims of 1 put in at the axes of the result. x: any dtype. Equals torch.unsqueeze, ONNX Unsqueeze.
BORN_OP1X(unsqueeze, ALL, (, born_ints axes), (, axes))
#define born_unsqueeze(x, ...) BORN_SEL_N(ALL, born_unsqueeze, x, __VA_ARGS__)

/// Dim i of the result is dim perm[i] of x; {0}: the dims reversed. Shares x's storage. x: any dtype. Equals
/// torch.permute, ONNX Transpose.
BORN_OP1X(transpose, ALL, (, born_ints perm), (, perm))
#define born_transpose(x, ...) BORN_SEL_N(ALL, born_transpose, x, __VA_ARGS__)

/// x broadcast to a shape (sizes of 1 there keep x's). Shares x's storage. x: any dtype. Gradient: the sum over
/// what was broadcast. Equals torch.broadcast_to, ONNX Expand.
BORN_OP1X(expand, ALL, (, born_shape shape), (, shape))
#define born_expand(x, ...) BORN_SEL_N(ALL, born_expand, x, __VA_ARGS__)

/// x[start:end:step] along each of axes; numbers below 0 count from the end, those outside are clamped. axes {0}:
/// 0, 1, ...; steps {0}: 1. Shares x's storage. x: any dtype. Equals ONNX Slice.
BORN_OP1X(slice, ALL, (, born_ints starts, born_ints ends, born_ints axes, born_ints steps),
          (, starts, ends, axes, steps))
#define born_slice(x, ...) BORN_SEL_N(ALL, born_slice, x, __VA_ARGS__)

/// n tensors of one dtype (an array of one typed handle) one after another along axis. Equals torch.cat, ONNX
/// Concat.
BORN_OPLIST(concat, (, int64_t axis), (, axis))
#define born_concat(xs, ...) BORN_SEL_LIST(born_concat, xs, __VA_ARGS__)

/// x cut along axis into n parts of the given sizes, written to out[0..n); sizes {0}: equal parts, of which the
/// last may be smaller. Returns the first part. On failure all are poison. x: any dtype. Equals torch.split, ONNX
/// Split.
BORN_OPSPLIT(split, (, born_ints sizes, int64_t axis), (, sizes, axis))
#define born_split(x, ...) BORN_SEL_N(ALL, born_split, x, __VA_ARGS__)

/// x with elements added: pads holds how many before each dim, then how many after each; numbers below 0 crop.
/// Added are `value` (mode constant), or by the attribute `mode` 1 the mirror image without the edge, 2 the edge, 3
/// x again. x: any dtype. Equals torch.nn.functional.pad, ONNX Pad.
BORN_OP1X(pad, ALL, (, born_ints pads, double value, const born_pad_attrs *attrs), (, pads, value, attrs))
#define born_pad(x, ...) BORN_SEL_N(ALL, born_pad, x, __VA_ARGS__)

/// x repeated along each dim. x: any dtype. Equals torch.tile, ONNX Tile.
BORN_OP1X(tile, ALL, (, born_ints repeats), (, repeats))
#define born_tile(x, ...) BORN_SEL_N(ALL, born_tile, x, __VA_ARGS__)

/// The upper triangle of the matrices in the last two dims, or with the attribute `lower` the lower one, diagonal k
/// included; zeros elsewhere. x: any dtype. Equals torch.triu and torch.tril, ONNX Trilu.
BORN_OP1X(trilu, ALL, (, int64_t k, const born_trilu_attrs *attrs), (, k, attrs))
#define born_trilu(x, ...) BORN_SEL_N(ALL, born_trilu, x, __VA_ARGS__)

/// x [N, C*b*b, H, W] to [N, C, H*b, W*b] with `blocksize` b. x: any dtype. Equals torch.pixel_shuffle (mode 1,
/// CRD), ONNX DepthToSpace.
BORN_OP1A(depth_to_space, ALL, depth_to_space)
#define born_depth_to_space(x, ...) BORN_SEL_N(ALL, born_depth_to_space, x, __VA_ARGS__)

/// x [N, C, H*b, W*b] to [N, b*b*C, H, W] with `blocksize` b. x: any dtype. Equals ONNX SpaceToDepth.
BORN_OP1A(space_to_depth, ALL, depth_to_space)
#define born_space_to_depth(x, ...) BORN_SEL_N(ALL, born_space_to_depth, x, __VA_ARGS__)

/// start + i * delta of dtype t on backend b, for each i from 0 on that stays before limit; the result's type is
/// known at run time (born_as_<dtype> names it). t: f32 f64 f16 bf16 i16 i32 i64. No gradient. Equals torch.arange,
/// ONNX Range.
BORN_OPMAKE(range, (born_backend *b, born_dtype t, double start, double limit, double delta),
            (b, t, start, limit, delta))
#define born_range(...) BORN_SEL_MAKE(born_range, __VA_ARGS__)

#endif
