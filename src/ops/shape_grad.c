/* Gradients of the shape ops, as calls of other rows through the emitter, so that they can be differentiated
   again. What moved an element forward moves its gradient back; elements read twice are summed. */
#include "base/alloc.h"
#include "ops/emit_help.h"
#include "ops/shape_ops.h"

void born__grad_reshape(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit_shaped_like(e, g->gout[0], g->in[0]);
}

void born__grad_transpose(born_emit *e, const born_grad *g)
{
    const born_ints *perm = &BORN_ATTRS_OF(transpose, g)->perm;
    int64_t back[BORN_MAX_RANK];
    int rank = e->meta(e, g->in[0])->rank;
    for (int i = 0; i < rank; i++) back[perm->count ? perm->v[i] : rank - 1 - i] = i;
    g->gin[0] = born__emit_permuted(e, g->gout[0], back, rank);
}

void born__grad_expand(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit_sum_to(e, g->gout[0], g->in[0]);
}

void born__grad_slice(born_emit *e, const born_grad *g)
{
    born_val in[6] = { born__emit_zeros_like(e, g->in[0]), g->gout[0] };
    for (int i = 1; i < 5; i++) in[i + 1] = born__grad_in(g, i);
    g->gin[0] = born__emit1(e, BORN_OP_SLICE_SCATTER, NULL, in, g->in_count + 1);
}

void born__grad_slice_scatter(born_emit *e, const born_grad *g)
{
    born_val in[6] = { g->gout[0] };
    for (int i = 2; i < 6; i++) in[i - 1] = born__grad_in(g, i);
    if (born__grad_wants(g, 1)) g->gin[1] = born__emit1(e, BORN_OP_SLICE, NULL, in, g->in_count - 1);
    if (!born__grad_wants(g, 0)) return;
    in[1] = born__emit_zeros_like(e, g->in[1]);
    for (int i = 2; i < 6; i++) in[i] = born__grad_in(g, i);
    g->gin[0] = born__emit1(e, BORN_OP_SLICE_SCATTER, NULL, in, g->in_count);
}

void born__grad_concat(born_emit *e, const born_grad *g)
{
    int64_t axis = BORN_ATTRS_OF(concat, g)->axis, at = 0;
    if (axis < 0) axis += e->meta(e, g->out[0])->rank;
    for (int i = 0; i < g->in_count; i++) {
        born_view m;
        if (!born__emit_sizes(e, g->in[i], &m)) return;
        int64_t end = at + m.dim[axis];
        if (g->wanted[i]) {
            born_val in[4] = { g->gout[0], e->ints(e, &at, 1), e->ints(e, &end, 1), e->ints(e, &axis, 1) };
            g->gin[i] = born__emit1(e, BORN_OP_SLICE, NULL, in, 4);
        }
        at = end;
    }
}

/* The size of part i along the axis, also where that result has died. */
static int64_t part_size(born_emit *e, const born_grad *g, int64_t n, int i)
{
    const born_view *sizes = born__grad_in(g, 1) ? e->meta(e, g->in[1]) : NULL;
    if (!sizes) return born__split_part(n, g->out_count, i);
    if (sizes->data) return born__at_i64(sizes, i);
    if (!e->err.status) born__fail(&e->err, BORN_UNSUPPORTED, "%s: a gradient needs sizes that are known", g->op->name);
    return 0;
}

void born__grad_split(born_emit *e, const born_grad *g)
{
    enum { AT_ONCE = 8 };
    born_val part[AT_ONCE];
    born_view x;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    int n = 0, axis = (int)BORN_ATTRS_OF(split, g)->axis;
    if (axis < 0) axis += x.rank;
    const int64_t whole = x.dim[axis];
    for (int i = 0; i < g->out_count; i++) {
        x.dim[axis] = part_size(e, g, whole, i);
        part[n++] = g->gout[i] ? g->gout[i] : born__emit_filled(e, x.dtype, 0, x.dim, x.rank);
        if (n < AT_ONCE && i + 1 < g->out_count) continue;
        part[0] = born__emit_joined(e, part, n, axis);
        n = 1;
    }
    g->gin[0] = part[0];
}

/* The element along one axis of x that each of n positions shows; 0: out of memory. */
static born_val shown(born_emit *e, const born_grad *g, int mode, int64_t n, int64_t before, int64_t cut, int64_t kept)
{
    int64_t *from = n > INT32_MAX ? NULL : born__alloc((size_t)n * sizeof *from + 1);
    if (!from) {
        born__fail(&e->err, BORN_NOMEM, "%s: no memory for %lld positions", g->op->name, (long long)n);
        return 0;
    }
    for (int64_t i = 0; i < n; i++) {
        bool inside = i >= before && i < before + kept;
        from[i] = cut + (inside ? i - before : born__pad_source(mode, i - before, kept));
    }
    born_val made = e->ints(e, from, (int)n);
    born__free(from);
    return made;
}

/* Modes that show x again: along each padded axis, every position gives its gradient to the element that it shows. */
static void pad_from_x(born_emit *e, const born_grad *g, int mode)
{
    born_view in[4] = { 0 }, x;
    born_pads p;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    for (int i = 0; i < g->in_count; i++)
        if (g->in[i]) in[i] = *e->meta(e, g->in[i]);
    born_infer f = { .op = g->op, .attrs = g->attrs, .in_count = g->in_count, .in = in, .err = &e->err };
    if (e->err.status || born__pads_read(&f, &p)) return;
    born_val v = g->gout[0];
    for (int d = 0; d < x.rank && v; d++) {
        if (p.before[d] == 0 && p.after[d] == 0) continue;
        born_view at;
        if (!born__emit_sizes(e, v, &at)) return;
        int64_t n = at.dim[d], before = p.before[d] > 0 ? p.before[d] : 0, cut = before - p.before[d];
        int64_t kept = x.dim[d] - cut + (p.after[d] < 0 ? p.after[d] : 0);
        at.dim[d] = x.dim[d];
        v = born__emit_ungather(e, v, &at, shown(e, g, mode, n, before, cut, kept), d);
    }
    g->gin[0] = v;
}

void born__grad_pad(born_emit *e, const born_grad *g)
{
    int mode = BORN_ATTRS_OF(pad, g)->mode;
    if (mode != 0) {
        pad_from_x(e, g, mode);
        return;
    }
    if (born__grad_wants(g, 0)) {       /* padding the other way crops what was added, restores what was cropped */
        born_val back[4] = { g->gout[0], born__emit_one(e, BORN_OP_NEG, g->in[1]), 0, born__grad_in(g, 3) };
        g->gin[0] = born__emit1(e, BORN_OP_PAD, NULL, back, 4);
    }
    if (!born__grad_wants(g, 2)) return;
    born_val zeros = born__emit_zeros_like(e, g->in[0]), one = born__emit_const(e, g->in[0], 1);
    born_val added[4] = { zeros, g->in[1], one, born__grad_in(g, 3) };
    born_val mask = born__emit1(e, BORN_OP_PAD, NULL, added, 4);
    born_val kept = born__emit_two(e, BORN_OP_MUL, g->gout[0], mask);
    g->gin[2] = born__emit_shaped_like(e, born__emit_one(e, BORN_OP_REDUCE_SUM, kept), g->in[2]);
}

void born__grad_tile(born_emit *e, const born_grad *g)
{
    born_view x, y;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->out[0], &y)) return;
    if (born__view_count(&y) == 0) {
        g->gin[0] = born__emit_zeros_like(e, g->in[0]);
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
    g->gin[0] = born__emit_shaped_like(e, v, g->in[0]);
}

void born__grad_trilu(born_emit *e, const born_grad *g)
{
    g->gin[0] = born__emit1(e, BORN_OP_TRILU, g->attrs, (born_val[]){ g->gout[0], born__grad_in(g, 1) }, g->in_count);
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
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    int n = axes->count ? (int)axes->count : x.rank;
    for (int i = 0; i < n; i++) {
        int64_t axis = axes->count ? axes->v[i] : i;
        want[i] = x.dim[axis < 0 ? axis + x.rank : axis];
    }
    born_val in[2] = { g->gout[0], e->ints(e, want, n) };
    g->gin[0] = born__emit1(e, BORN_OP_CENTER_CROP_PAD, g->attrs, in, 2);
}
