/* See emit_help.h. */
#include "ops/emit_help.h"

born_val born__emit_one(born_emit *e, born_op_id op, born_val a)
{
    return a && !e->err.status ? born__emit1(e, op, NULL, &a, 1) : 0;
}

born_val born__emit_two(born_emit *e, born_op_id op, born_val a, born_val b)
{
    const born_val in[2] = { a, b };
    return a && b && !e->err.status ? born__emit1(e, op, NULL, in, 2) : 0;
}

born_val born__emit_three(born_emit *e, born_op_id op, born_val a, born_val b, born_val c)
{
    const born_val in[3] = { a, b, c };
    return a && b && c && !e->err.status ? born__emit1(e, op, NULL, in, 3) : 0;
}

born_val born__emit_const(born_emit *e, born_val like, double k)
{
    return e->err.status ? 0 : e->scalar(e, e->meta(e, like)->dtype, k);
}

born_val born__emit_reshape(born_emit *e, born_val v, const int64_t *dim, int rank)
{
    if (!v || e->err.status) return 0;
    const born_reshape_attrs a = { .allowzero = true };
    const born_val in[2] = { v, e->ints(e, dim, rank) };
    return born__emit1(e, BORN_OP_RESHAPE, &a, in, 2);
}

born_val born__emit_expand(born_emit *e, born_val v, const int64_t *dim, int rank)
{
    if (!v || e->err.status) return 0;
    return born__emit_two(e, BORN_OP_EXPAND, v, e->ints(e, dim, rank));
}

bool born__emit_sizes(born_emit *e, born_val v, born_view *m)
{
    *m = *e->meta(e, v);
    for (int d = 0; d < m->rank; d++)
        if (m->dim[d] < 0 && !e->err.status)
            born__fail(&e->err, BORN_UNSUPPORTED, "a gradient needs sizes that are not known yet");
    return !e->err.status;
}

born_val born__emit_sum_to(born_emit *e, born_val v, born_val like)
{
    if (!v || e->err.status) return 0;
    born_view from, to;
    if (!born__emit_sizes(e, v, &from) || !born__emit_sizes(e, like, &to)) return 0;
    int64_t axes[BORN_MAX_RANK];
    int n = 0, lead = from.rank - to.rank;
    for (int d = 0; d < from.rank; d++)
        if (d < lead || to.dim[d - lead] != from.dim[d]) axes[n++] = d;
    if (n > 0) v = born__emit_two(e, BORN_OP_REDUCE_SUM, v, e->ints(e, axes, n));
    return lead > 0 ? born__emit_reshape(e, v, to.dim, to.rank) : v;
}

born_val born__emit_swap_last(born_emit *e, born_val v)
{
    if (!v || e->err.status) return 0;
    int64_t perm[BORN_MAX_RANK];
    int rank = e->meta(e, v)->rank;
    if (rank < 2) return v;
    for (int d = 0; d < rank; d++) perm[d] = d < rank - 2 ? d : d == rank - 2 ? rank - 1 : rank - 2;
    const born_transpose_attrs a = { .perm = { perm, rank } };
    return born__emit1(e, BORN_OP_TRANSPOSE, &a, &v, 1);
}

bool born__emit_reduced(born_emit *e, const born_grad *g, uint32_t *mask)
{
    const born_reduce_attrs *a = BORN_ATTRS_OF(reduce, g);
    const born_view *v = g->in_count > 1 && g->in[1] ? e->meta(e, g->in[1]) : NULL;
    born_view x;
    bool known = born__emit_sizes(e, g->in[0], &x);
    int rank = x.rank;
    int64_t n = v ? born__view_count(v) : 0;
    *mask = n == 0 && !a->noop_with_empty_axes ? (1u << rank) - 1 : 0;
    if (!known) return false;
    if (n > 0 && !v->data) {
        born__fail(&e->err, BORN_UNSUPPORTED, "%s: a gradient needs axes that are known", g->op->name);
        return false;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = born__at_i64(v, i);
        axis += axis < 0 ? rank : 0;
        if (axis >= 0 && axis < rank) *mask |= 1u << axis;
    }
    return true;
}

born_val born__emit_filled(born_emit *e, born_dtype t, double value, const int64_t *dim, int rank)
{
    return e->err.status ? 0 : born__emit_expand(e, e->scalar(e, t, value), dim, rank);
}

born_val born__emit_zeros_like(born_emit *e, born_val v)
{
    born_view m;
    return born__emit_sizes(e, v, &m) ? born__emit_filled(e, m.dtype, 0, m.dim, m.rank) : 0;
}

born_val born__emit_shaped_like(born_emit *e, born_val v, born_val like)
{
    born_view m;
    return born__emit_sizes(e, like, &m) ? born__emit_reshape(e, v, m.dim, m.rank) : 0;
}

born_val born__emit_permuted(born_emit *e, born_val v, const int64_t *perm, int rank)
{
    const born_transpose_attrs a = { .perm = { perm, rank } };
    return !v || e->err.status ? 0 : rank == 0 ? v : born__emit1(e, BORN_OP_TRANSPOSE, &a, &v, 1);
}

born_val born__emit_span(born_emit *e, born_val v, int64_t axis, int64_t from, int64_t to)
{
    if (!v || e->err.status) return 0;
    const born_val in[4] = { v, e->ints(e, &from, 1), e->ints(e, &to, 1), e->ints(e, &axis, 1) };
    return born__emit1(e, BORN_OP_SLICE, NULL, in, 4);
}

born_val born__emit_joined(born_emit *e, born_val *part, int n, int64_t axis)
{
    enum { AT_ONCE = 8 };
    const born_concat_attrs a = { .axis = axis };
    born_val few[AT_ONCE];
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (!part[i]) return 0;
        few[k++] = part[i];
        if (k < AT_ONCE && i + 1 < n) continue;
        few[0] = born__emit1(e, BORN_OP_CONCAT, &a, few, k);
        k = 1;
    }
    return k ? few[0] : 0;
}

born_val born__emit_over_axis(born_emit *e, born_op_id op, born_val v, int64_t axis)
{
    return !v || e->err.status ? 0 : born__emit_two(e, op, v, e->ints(e, &axis, 1));
}

born_val born__emit_cast(born_emit *e, born_val v, born_dtype t)
{
    const born_cast_attrs to = { .to = t };
    if (!v || e->err.status) return 0;
    return e->meta(e, v)->dtype == t ? v : born__emit1(e, BORN_OP_CAST, &to, &v, 1);
}

born_val born__emit_times(born_emit *e, born_val v, double k)
{
    return k == 1 ? v : born__emit_two(e, BORN_OP_MUL, v, born__emit_const(e, v, k));
}

born_val born__emit_ungather(born_emit *e, born_val v, const born_view *x, born_val index, int axis)
{
    born_view ix;
    if (!v || !index || !born__emit_sizes(e, index, &ix)) return 0;
    int q = ix.rank, at = 0;
    int64_t n = born__view_count(&ix);
    /* The index dims come to the front and are joined; then a scatter into x with its axis in front. */
    int64_t front[2 * BORN_MAX_RANK], back[BORN_MAX_RANK], dim[BORN_MAX_RANK] = { x->dim[axis] };
    for (int d = 0; d < q; d++) front[at++] = axis + d;
    for (int d = 0; d < axis; d++) front[at++] = d;
    for (int d = axis + 1; d < x->rank; d++) front[at++] = q + d - 1;
    for (int d = 0, k = 1; d < x->rank; d++) {
        back[d] = d == axis ? 0 : k;
        if (d != axis) dim[k++] = x->dim[d];
    }
    born_val updates = axis == 0 ? v : born__emit_permuted(e, v, front, at);
    born_val into = born__emit_filled(e, x->dtype, 0, dim, x->rank);
    dim[0] = n;
    const born_val in[3] = { into, born__emit_reshape(e, index, (int64_t[]){ n, 1 }, 2),
                             born__emit_reshape(e, updates, dim, x->rank) };
    const born_scatter_nd_attrs add = { .reduction = 1 };
    born_val sum = born__emit1(e, BORN_OP_SCATTER_ND, &add, in, 3);
    return axis == 0 ? sum : born__emit_permuted(e, sum, back, x->rank);
}

born_val born__emit_reduce(born_emit *e, born_op_id op, born_val v, uint32_t axes)
{
    int64_t list[BORN_MAX_RANK];
    int n = 0;
    if (!v || e->err.status) return 0;
    for (int d = 0; d < BORN_MAX_RANK; d++)
        if (axes >> d & 1u) list[n++] = d;
    return n > 0 ? born__emit_two(e, op, v, e->ints(e, list, n)) : v;
}

born_val born__emit_along(born_emit *e, born_val v, int axis, int rank)
{
    if (!v || e->err.status) return 0;
    int64_t dim[BORN_MAX_RANK], n = e->meta(e, v)->dim[0];
    for (int d = 0; d < rank; d++) dim[d] = d == axis ? n : 1;
    return born__emit_reshape(e, v, dim, rank);
}

born_val born__emit_filled_like(born_emit *e, born_val like, double k)
{
    born_view m;
    if (!like || e->err.status || !born__emit_sizes(e, like, &m)) return 0;
    return born__emit_expand(e, e->scalar(e, m.dtype, k), m.dim, m.rank);
}

born_val born__emit_as(born_emit *e, born_val v, born_val like)
{
    if (!v || e->err.status) return 0;
    const born_cast_attrs to = { .to = e->meta(e, like)->dtype };
    return e->meta(e, v)->dtype == to.to ? v : born__emit1(e, BORN_OP_CAST, &to, &v, 1);
}

born_val born__emit_plus(born_emit *e, born_val a, born_val b)
{
    return a && b ? born__emit_two(e, BORN_OP_ADD, a, b) : a ? a : b;
}

void born__emit_refuse(born_emit *e, const char *op, const char *why)
{
    if (!e->err.status) born__fail(&e->err, BORN_UNSUPPORTED, "%s: %s", op, why);
}
