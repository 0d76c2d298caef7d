/* Gradients of the shape and index ops, as calls of other rows through the emitter, so that they can be differentiated
   again. What moved an element forward moves its gradient back; elements read twice are summed. */
#include "ops/emit_help.h"

/* The sizes of v, which a gradient must know. */
static bool sizes_of(born_emit *e, born_val v, born_view *m)
{
    *m = *e->meta(e, v);
    for (int d = 0; d < m->rank; d++)
        if (m->dim[d] < 0 && !e->err.status)
            born__fail(&e->err, BORN_UNSUPPORTED, "a gradient needs sizes that are not known yet");
    return !e->err.status;
}

static born_val filled(born_emit *e, born_dtype t, double value, const int64_t *dim, int rank)
{
    return e->err.status ? 0 : born__emit_expand(e, e->scalar(e, t, value), dim, rank);
}

static born_val zeros_like(born_emit *e, born_val v)
{
    born_view m;
    return sizes_of(e, v, &m) ? filled(e, m.dtype, 0, m.dim, m.rank) : 0;
}

/* v under the sizes of `like`. */
static born_val shaped_like(born_emit *e, born_val v, born_val like)
{
    born_view m;
    return sizes_of(e, like, &m) ? born__emit_reshape(e, v, m.dim, m.rank) : 0;
}

static born_val permuted(born_emit *e, born_val v, const int64_t *perm, int rank)
{
    born_transpose_attrs a = { .perm = { perm, rank } };
    return e->err.status ? 0 : born__emit1(e, BORN_OP_TRANSPOSE, &a, &v, 1);
}

static born_val operand(const born_grad *g, int i) { return i < g->in_count ? g->in[i] : 0; }

void born__grad_reshape(born_emit *e, const born_grad *g)
{
    g->gin[0] = shaped_like(e, g->gout[0], g->in[0]);
}

void born__grad_transpose(born_emit *e, const born_grad *g)
{
    const born_ints *perm = &BORN_ATTRS_OF(transpose, g)->perm;
    int64_t back[BORN_MAX_RANK];
    int rank = e->meta(e, g->in[0])->rank;
    for (int i = 0; i < rank; i++) back[perm->count ? perm->v[i] : rank - 1 - i] = i;
    g->gin[0] = permuted(e, g->gout[0], back, rank);
}

void born__grad_expand(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit_sum_to(e, g->gout[0], g->in[0]);
}

void born__grad_slice(born_emit *e, const born_grad *g)
{
    born_val in[6] = { zeros_like(e, g->in[0]), g->gout[0] };
    for (int i = 1; i < 5; i++) in[i + 1] = operand(g, i);
    g->gin[0] = born__emit1(e, BORN_OP_SLICE_SCATTER, NULL, in, g->in_count + 1);
}

void born__grad_slice_scatter(born_emit *e, const born_grad *g)
{
    born_val in[6] = { g->gout[0] };
    for (int i = 2; i < 6; i++) in[i - 1] = operand(g, i);
    if (born__grad_wants(g, 1)) g->gin[1] = born__emit1(e, BORN_OP_SLICE, NULL, in, g->in_count - 1);
    if (!born__grad_wants(g, 0)) return;
    in[1] = zeros_like(e, g->in[1]);
    for (int i = 2; i < 6; i++) in[i] = operand(g, i);
    g->gin[0] = born__emit1(e, BORN_OP_SLICE_SCATTER, NULL, in, g->in_count);
}

void born__grad_concat(born_emit *e, const born_grad *g)
{
    int64_t axis = BORN_ATTRS_OF(concat, g)->axis, at = 0;
    if (axis < 0) axis += e->meta(e, g->out[0])->rank;
    for (int i = 0; i < g->in_count; i++) {
        born_view m;
        if (!sizes_of(e, g->in[i], &m)) return;
        int64_t end = at + m.dim[axis];
        if (g->wanted[i]) {
            born_val in[4] = { g->gout[0], e->ints(e, &at, 1), e->ints(e, &end, 1), e->ints(e, &axis, 1) };
            g->gin[i] = born__emit1(e, BORN_OP_SLICE, NULL, in, 4);
        }
        at = end;
    }
}

void born__grad_split(born_emit *e, const born_grad *g)
{
    enum { AT_ONCE = 8 };
    born_val part[AT_ONCE];
    int n = 0;
    born_concat_attrs a = { .axis = BORN_ATTRS_OF(split, g)->axis };
    for (int i = 0; i < g->out_count; i++) {
        part[n++] = g->gout[i] ? g->gout[i] : zeros_like(e, g->out[i]);
        if (n < AT_ONCE && i + 1 < g->out_count) continue;
        part[0] = born__emit1(e, BORN_OP_CONCAT, &a, part, n);
        n = 1;
    }
    g->gin[0] = part[0];
}

void born__grad_pad(born_emit *e, const born_grad *g)
{
    if (BORN_ATTRS_OF(pad, g)->mode != 0) {
        if (!e->err.status) born__fail(&e->err, BORN_UNSUPPORTED, "pad: the gradient exists for mode constant alone");
        return;
    }
    if (born__grad_wants(g, 0)) {       /* padding the other way crops what was added, restores what was cropped */
        born_val back[4] = { g->gout[0], born__emit_one(e, BORN_OP_NEG, g->in[1]), 0, operand(g, 3) };
        g->gin[0] = born__emit1(e, BORN_OP_PAD, NULL, back, 4);
    }
    if (!born__grad_wants(g, 2)) return;
    born_val added[4] = { zeros_like(e, g->in[0]), g->in[1], born__emit_const(e, g->in[0], 1), operand(g, 3) };
    born_val mask = born__emit1(e, BORN_OP_PAD, NULL, added, 4);
    born_val kept = born__emit_two(e, BORN_OP_MUL, g->gout[0], mask);
    g->gin[2] = shaped_like(e, born__emit_one(e, BORN_OP_REDUCE_SUM, kept), g->in[2]);
}

void born__grad_tile(born_emit *e, const born_grad *g)
{
    born_view x, y;
    if (!sizes_of(e, g->in[0], &x) || !sizes_of(e, g->out[0], &y)) return;
    if (born__view_count(&y) == 0) {
        g->gin[0] = zeros_like(e, g->in[0]);
        return;
    }
    born_val v = g->gout[0];
    for (int d = 0; d < x.rank; d++) {          /* one dim at a time: [before, repeats, size and after] summed over 1 */
        if (y.dim[d] == x.dim[d]) continue;
        int64_t three[3] = { 1, y.dim[d] / x.dim[d], x.dim[d] };
        for (int k = 0; k < d; k++) three[0] *= x.dim[k];
        for (int k = d + 1; k < x.rank; k++) three[2] *= y.dim[k];
        v = born__emit_reshape(e, v, three, 3);
        v = born__emit_two(e, BORN_OP_REDUCE_SUM, v, e->ints(e, (int64_t[]){ 1 }, 1));
    }
    g->gin[0] = shaped_like(e, v, g->in[0]);
}

void born__grad_trilu(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit1(e, BORN_OP_TRILU, g->attrs, (born_val[]){ g->gout[0], operand(g, 1) }, g->in_count);
}

void born__grad_depth_to_space(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit1(e, BORN_OP_SPACE_TO_DEPTH, g->attrs, &g->gout[0], 1);
}

void born__grad_space_to_depth(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit1(e, BORN_OP_DEPTH_TO_SPACE, g->attrs, &g->gout[0], 1);
}

void born__grad_reverse_sequence(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit1(e, BORN_OP_REVERSE_SEQUENCE, g->attrs, (born_val[]){ g->gout[0], g->in[1] }, 2);
}

void born__grad_center_crop_pad(born_emit *e, const born_grad *g)
{
    const born_ints *axes = &BORN_ATTRS_OF(center_crop_pad, g)->axes;
    int64_t want[BORN_MAX_RANK];
    born_view x;
    if (!sizes_of(e, g->in[0], &x)) return;
    int n = axes->count ? (int)axes->count : x.rank;
    for (int i = 0; i < n; i++) {
        int64_t axis = axes->count ? axes->v[i] : i;
        want[i] = x.dim[axis < 0 ? axis + x.rank : axis];
    }
    born_val in[2] = { g->gout[0], e->ints(e, want, n) };
    g->gin[0] = born__emit1(e, BORN_OP_CENTER_CROP_PAD, g->attrs, in, 2);
}

/* ---- indices ---- */

enum { ADD = 1 };      /* of the reduction attributes */

void born__grad_gather(born_emit *e, const born_grad *g)
{
    born_view x, ix;
    if (!sizes_of(e, g->in[0], &x) || !sizes_of(e, g->in[1], &ix)) return;
    int64_t axis = BORN_ATTRS_OF(gather, g)->axis, n = born__view_count(&ix);
    if (axis < 0) axis += x.rank;
    int a = (int)axis, q = ix.rank, at = 0;
    /* Bring the index dims to the front, join them, and scatter into x with its axis in front. */
    int64_t front[2 * BORN_MAX_RANK], back[BORN_MAX_RANK], dim[BORN_MAX_RANK] = { x.dim[a] };
    for (int d = 0; d < q; d++) front[at++] = a + d;
    for (int d = 0; d < a; d++) front[at++] = d;
    for (int d = a + 1; d < x.rank; d++) front[at++] = q + d - 1;
    for (int d = 0, k = 1; d < x.rank; d++) {
        back[d] = d == a ? 0 : k;
        if (d != a) dim[k++] = x.dim[d];
    }
    born_val updates = a == 0 ? g->gout[0] : permuted(e, g->gout[0], front, at);
    born_val into = filled(e, x.dtype, 0, dim, x.rank);
    dim[0] = n;
    born_val in[3] = { into, born__emit_reshape(e, g->in[1], (int64_t[]){ n, 1 }, 2),
                       born__emit_reshape(e, updates, dim, x.rank) };
    born_scatter_nd_attrs add = { .reduction = ADD };
    born_val v = born__emit1(e, BORN_OP_SCATTER_ND, &add, in, 3);
    g->gin[0] = a == 0 ? v : permuted(e, v, back, x.rank);
}

void born__grad_gather_elements(born_emit *e, const born_grad *g)
{
    born_scatter_elements_attrs a = { .axis = BORN_ATTRS_OF(gather, g)->axis, .reduction = ADD };
    born_val in[3] = { zeros_like(e, g->in[0]), g->in[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, &a, in, 3);
}

void born__grad_gather_nd(born_emit *e, const born_grad *g)
{
    if (BORN_ATTRS_OF(gather_nd, g)->batch_dims != 0) {
        if (!e->err.status) born__fail(&e->err, BORN_UNSUPPORTED, "gather_nd: no gradient with batch_dims");
        return;
    }
    born_scatter_nd_attrs a = { .reduction = ADD };
    born_val in[3] = { zeros_like(e, g->in[0]), g->in[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ND, &a, in, 3);
}

/* Only replacing (where no index comes twice) and adding are differentiable here. */
static bool scatter_fits(born_emit *e, const char *op, int reduction)
{
    if (reduction > ADD && !e->err.status)
        born__fail(&e->err, BORN_UNSUPPORTED, "%s: the gradient exists for none and add alone", op);
    return !e->err.status;
}

void born__grad_scatter_elements(born_emit *e, const born_grad *g)
{
    const born_scatter_elements_attrs *a = BORN_ATTRS_OF(scatter_elements, g);
    born_gather_attrs at = { .axis = a->axis };
    if (!scatter_fits(e, g->op->name, a->reduction)) return;
    if (born__grad_wants(g, 2))
        g->gin[2] = born__emit1(e, BORN_OP_GATHER_ELEMENTS, &at, (born_val[]){ g->gout[0], g->in[1] }, 2);
    if (!born__grad_wants(g, 0)) return;
    g->gin[0] = g->gout[0];
    if (a->reduction != ADD) {
        born_val in[3] = { g->gout[0], g->in[1], zeros_like(e, g->in[2]) };
        g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, a, in, 3);
    }
}

void born__grad_scatter_nd(born_emit *e, const born_grad *g)
{
    const born_scatter_nd_attrs *a = BORN_ATTRS_OF(scatter_nd, g);
    if (!scatter_fits(e, g->op->name, a->reduction)) return;
    if (born__grad_wants(g, 2))
        g->gin[2] = born__emit1(e, BORN_OP_GATHER_ND, NULL, (born_val[]){ g->gout[0], g->in[1] }, 2);
    if (!born__grad_wants(g, 0)) return;
    g->gin[0] = g->gout[0];
    if (a->reduction != ADD) {
        born_val in[3] = { g->gout[0], g->in[1], zeros_like(e, g->in[2]) };
        g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ND, a, in, 3);
    }
}

void born__grad_topk(born_emit *e, const born_grad *g)
{
    if (!g->gout[0]) return;
    const born_view *x = e->meta(e, g->in[0]);
    int64_t axis = BORN_ATTRS_OF(topk, g)->axis;
    born_scatter_elements_attrs a = { .axis = axis < 0 ? axis + x->rank : axis };
    born_val in[3] = { zeros_like(e, g->in[0]), g->out[1], g->gout[0] };
    g->gin[0] = born__emit1(e, BORN_OP_SCATTER_ELEMENTS, &a, in, 3);
}
