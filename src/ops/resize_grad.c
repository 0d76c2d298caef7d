/* Gradients of resampling: resize, grid_sample, affine_grid, and of the rows they use. */
#include "ops/emit_help.h"

static born_val sizes_operand(born_emit *e, born_val v)
{
    born_view m;
    return born__emit_sizes(e, v, &m) ? e->ints(e, m.dim, m.rank) : 0;
}

void born__grad_resize(born_emit *e, const born_grad *g)
{
    if (!born__grad_wants(g, 0)) return;
    born_val in[5] = { g->gout[0], sizes_operand(e, g->in[0]) };
    for (int i = 1; i < g->in_count; i++) in[i + 1] = g->in[i];
    if (in[1]) g->gin[0] = born__emit1(e, BORN_OP_RESIZE_GRAD, g->attrs, in, g->in_count + 1);
}

/* Linear in the gradient it spreads; the extrapolation value, a constant, must not come back. */
void born__grad_resize_grad(born_emit *e, const born_grad *g)
{
    if (!born__grad_wants(g, 0)) return;
    born_resize_attrs a = *BORN_ATTRS_OF(resize, g);
    born_val in[4] = { g->gout[0] };
    a.extrapolation_value = 0;
    for (int i = 2; i < g->in_count; i++) in[i - 1] = g->in[i];
    g->gin[0] = born__emit1(e, BORN_OP_RESIZE, &a, in, g->in_count - 1);
}

void born__grad_grid_sample(born_emit *e, const born_grad *g)
{
    const born_val in[3] = { g->gout[0], g->in[0], g->in[1] };
    born_val out[2] = { 0, 0 };
    if (e->err.status || e->call(e, BORN_OP_GRID_SAMPLE_GRAD, g->attrs, in, 3, out, 2) != BORN_OK) return;
    for (int i = 0; i < 2; i++)
        if (born__grad_wants(g, i)) g->gin[i] = out[i];
}

/* The first result pairs like sampling itself: <v, spread(g, grid)> = <sample(v, grid), g>. The second is a slope, and
   what differentiates it again is refused, as PyTorch does. */
void born__grad_grid_sample_grad(born_emit *e, const born_grad *g)
{
    if (g->out_count > 1 && g->gout[1]) {
        born__emit_refuse(e, "grid_sample", "no second derivative with respect to the grid");
        return;
    }
    if (!g->gout[0]) return;
    const born_val sample[2] = { g->gout[0], g->in[2] };
    if (born__grad_wants(g, 0)) g->gin[0] = born__emit1(e, BORN_OP_GRID_SAMPLE, g->attrs, sample, 2);
    if (!born__grad_wants(g, 2)) return;
    const born_val in[3] = { g->in[0], g->gout[0], g->in[2] };
    born_val out[2] = { 0, 0 };
    if (!e->err.status && e->call(e, BORN_OP_GRID_SAMPLE_GRAD, g->attrs, in, 3, out, 2) == BORN_OK) g->gin[2] = out[1];
}

/* Places are linear in theta: row k of a result is theta's row k times (x, y, z, 1), and (x, y, z) is what the identity
   gives. */
void born__grad_affine_grid(born_emit *e, const born_grad *g)
{
    born_view theta, y;
    if (!born__grad_wants(g, 0)) return;
    if (!born__emit_sizes(e, g->in[0], &theta) || !born__emit_sizes(e, g->out[0], &y)) return;
    int64_t r = theta.dim[1], points = 1, size[5] = { 1, 1 };
    for (int d = 0; d < r; d++) {
        size[2 + d] = y.dim[1 + d];
        points *= y.dim[1 + d];
    }
    if (points == 0 || y.dim[0] == 0) {
        g->gin[0] = born__emit_filled_like(e, g->in[0], 0);
        return;
    }
    const born_concat_attrs side = { .axis = 1 };
    born_val unit = born__emit_expand(e, born__emit_const(e, g->in[0], 0), theta.dim + 1, 2);
    unit = born__emit_reshape(e, born__emit_one(e, BORN_OP_EYE_LIKE, unit), (int64_t[]){ 1, r, r + 1 }, 3);
    const born_val in[2] = { unit, e->ints(e, size, (int)r + 2) };
    if (!unit) return;
    born_val place = born__emit1(e, BORN_OP_AFFINE_GRID, g->attrs, in, 2);
    const born_val both[2] = { born__emit_reshape(e, place, (int64_t[]){ points, r }, 2),
                               born__emit_expand(e, born__emit_const(e, g->in[0], 1), (int64_t[]){ points, 1 }, 2) };
    if (!both[0] || !both[1]) return;
    born_val out = born__emit_reshape(e, g->gout[0], (int64_t[]){ y.dim[0], points, r }, 3);
    g->gin[0] = born__emit_two(e, BORN_OP_MATMUL, born__emit_swap_last(e, out),
                               born__emit1(e, BORN_OP_CONCAT, &side, both, 2));
}
