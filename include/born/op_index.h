/* Born: reading and writing at indices. Indices are i32 or i64 (a float does not compile); those below 0 count from the
   end; one that is out of range is status RANGE, found before anything is written.
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_INDEX_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_INDEX_H
#define BORN_OP_INDEX_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// Slices of x along axis at indices (i32 or i64), whose dims take the axis' place. x: any dtype. RANGE for an
/// index outside. Gradient: added up in index order. Equals torch.index_select and embedding, ONNX Gather.
BORN_OPIDX1(gather, ALL, (, int64_t axis), (, axis))
#define born_gather(x, i, axis) BORN_SEL_N(ALL, born_gather, x, BORN_INDEX(i), axis)

/// Element of x at each position of indices, the coordinate along axis replaced by the index there. x: any dtype.
/// Equals torch.gather, ONNX GatherElements.
BORN_OPIDX1(gather_elements, ALL, (, int64_t axis), (, axis))
#define born_gather_elements(x, i, axis) BORN_SEL_N(ALL, born_gather_elements, x, BORN_INDEX(i), axis)

/// Slices of x at the index tuples in the last dim of indices, after batch_dims dims that both share. x: any dtype.
/// Equals ONNX GatherND.
BORN_OPIDX1(gather_nd, ALL, (, int64_t batch_dims), (, batch_dims))
#define born_gather_nd(x, i, batch_dims) BORN_SEL_N(ALL, born_gather_nd, x, BORN_INDEX(i), batch_dims)

/// x with updates put at the positions of born_gather_elements along `axis`, in order of the indices; `reduction` 1
/// adds, 2 multiplies, 3 keeps the larger, 4 the smaller. x: any dtype. Equals torch.scatter, ONNX ScatterElements.
BORN_OPIDX2A(scatter_elements, ALL, scatter_elements)
#define born_scatter_elements(x, i, ...) BORN_SEL_N(ALL, born_scatter_elements, x, BORN_INDEX(i), __VA_ARGS__)

/// x with slices of updates put at the index tuples in the last dim of indices, in their order; `reduction` as in
/// born_scatter_elements. x: any dtype. Equals torch.index_put, ONNX ScatterND.
BORN_OPIDX2A(scatter_nd, ALL, scatter_nd)
#define born_scatter_nd(x, i, ...) BORN_SEL_N(ALL, born_scatter_nd, x, BORN_INDEX(i), __VA_ARGS__)

/// The indices (i64) of elements that are not 0: [rank, n], in C order. x: any dtype. No gradient. Equals
/// torch.nonzero transposed, ONNX NonZero.
BORN_OP1R(nonzero, ALL, _i64)
#define born_nonzero(x) BORN_SEL(ALL, born_nonzero, x)

/// The k largest elements along `axis` (default the last), or the smallest with `smallest`, in order; *indices,
/// where not NULL, gets where they were. Of equal ones the lower index comes first; NaN is larger than all. x: any
/// number. Equals torch.topk, ONNX TopK.
BORN_OP1X(topk, NUM, (, int64_t k, const born_topk_attrs *attrs, born_i64 *indices), (, k, attrs, indices))
#define born_topk(x, ...) BORN_SEL_N(NUM, born_topk, x, __VA_ARGS__)

#endif
