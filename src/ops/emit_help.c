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

/* Sizes must be known: a gradient decides by them what to sum. */
static bool sizes_known(born_emit *e, const born_view *m)
{
    for (int d = 0; d < m->rank; d++)
        if (m->dim[d] < 0 && !e->err.status)
            born__fail(&e->err, BORN_UNSUPPORTED, "a gradient needs sizes that are not known yet");
    return !e->err.status;
}

born_val born__emit_sum_to(born_emit *e, born_val v, born_val like)
{
    if (!v || e->err.status) return 0;
    born_view from = *e->meta(e, v), to = *e->meta(e, like);
    if (!sizes_known(e, &from) || !sizes_known(e, &to)) return 0;
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
    const born_view *x = e->meta(e, g->in[0]), *v = g->in_count > 1 && g->in[1] ? e->meta(e, g->in[1]) : NULL;
    int rank = x->rank;
    int64_t n = v ? born__view_count(v) : 0;
    *mask = n == 0 && !a->noop_with_empty_axes ? (1u << rank) - 1 : 0;
    if (!sizes_known(e, x)) return false;
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

bool born__emit_sizes(born_emit *e, born_val v, born_view *m)
{
    *m = *e->meta(e, v);
    return sizes_known(e, m);
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

born_val born__emit_filled(born_emit *e, born_val like, double k)
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
