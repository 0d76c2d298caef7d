/* The gradient of dequantize_linear by its scale: sum of (x - zero point) * what arrived, over what shares a scale.
   The integers themselves have none. */
#include "ops/emit_help.h"

/* v summed over blocks of `block` along axis, the last perhaps shorter. */
static born_val by_blocks(born_emit *e, born_val v, int axis, int64_t block)
{
    born_view m;
    int64_t dim[3] = { 1, 0, 1 };
    if (!v || !born__emit_sizes(e, v, &m)) return 0;
    int64_t n = (m.dim[axis] + block - 1) / block, rest = n * block - m.dim[axis];
    for (int d = 0; d < axis; d++) dim[0] *= m.dim[d];
    for (int d = axis + 1; d < m.rank; d++) dim[2] *= m.dim[d];
    if (rest > 0) {
        m.dim[axis] = rest;
        born_val part[2] = { v, born__emit_filled(e, m.dtype, 0, m.dim, m.rank) };
        v = born__emit_joined(e, part, 2, axis);
    }
    v = born__emit_reshape(e, v, (int64_t[]){ dim[0] * n, block, dim[2] }, 3);
    return born__emit_over_axis(e, BORN_OP_REDUCE_SUM, v, 1);
}

void born__grad_dequantize_linear(born_emit *e, const born_grad *g)
{
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, g);
    born_view x, s;
    if (!born__grad_wants(g, 1) || !born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->in[1], &s)) return;
    const born_val in[3] = { g->in[0], born__emit_filled(e, s.dtype, 1, s.dim, s.rank), born__grad_in(g, 2) };
    if (e->err.status) return;
    born_val whole = born__emit1(e, BORN_OP_DEQUANTIZE_LINEAR, a, in, in[2] ? 3 : 2);      /* x - zero point */
    born_val v = born__emit_cast(e, born__emit_two(e, BORN_OP_MUL, g->gout[0], whole), s.dtype);
    int axis = (int)(a->axis < 0 ? a->axis + x.rank : a->axis);
    if (s.rank == x.rank && a->block_size > 0) v = by_blocks(e, v, axis, a->block_size);
    else if (s.rank == 1 && born__view_count(&s) > 1) {
        int64_t axes[BORN_MAX_RANK];
        int n = 0;
        for (int d = 0; d < x.rank; d++)
            if (d != axis) axes[n++] = d;
        if (n > 0 && v) v = born__emit_two(e, BORN_OP_REDUCE_SUM, v, e->ints(e, axes, n));
    } else {
        v = born__emit_one(e, BORN_OP_REDUCE_SUM, v);
    }
    g->gin[1] = born__emit_shaped_like(e, v, g->in[1]);
}
