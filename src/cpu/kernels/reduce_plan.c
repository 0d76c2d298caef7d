/* From a call of a reduction to a born_reduce_plan, and the query. */
#include "cpu/kernels/reduce_plan.h"

#include "cpu/queries.h"
#include "ops/ref.h"

typedef struct recipe {
    uint16_t op;
    born_reduce_kind kind;
    bool divides, root;
} recipe;
static const recipe recipes[] = {
    { BORN_OP_REDUCE_SUM, BORN_REDUCE_SUM, false, false },
    { BORN_OP_REDUCE_MEAN, BORN_REDUCE_SUM, true, false },
    { BORN_OP_REDUCE_MAX, BORN_REDUCE_MAX, false, false },
    { BORN_OP_REDUCE_MIN, BORN_REDUCE_MIN, false, false },
    { BORN_OP_REDUCE_L1, BORN_REDUCE_ABS, false, false },
    { BORN_OP_REDUCE_L2, BORN_REDUCE_SQUARE, false, true },
    { BORN_OP_REDUCE_SUM_SQUARE, BORN_REDUCE_SQUARE, false, false },
};

/* A bit per reduced axis; the rule has checked them. */
static bool axes_of(const born_call *c, uint32_t *mask)
{
    const born_view *v = &c->in[1];
    int rank = c->in[0].rank;
    int64_t n = 0;

    *mask = 0;
    if (born__has(c, 1)) {
        n = born__view_count(v);
        if (n > BORN_MAX_RANK || (n > 0 && !v->data)) return false;
        for (int64_t i = 0; i < n; i++) {
            int64_t a = born__at_i64(v, i);
            if (a < -rank || a >= rank) return false;
            *mask |= 1u << (a < 0 ? a + rank : a);
        }
    }
    if (n == 0 && !BORN_ATTRS_OF(reduce, c)->noop_with_empty_axes) *mask = (1u << rank) - 1;
    return true;
}

/* Axes [from, to) of x dense among themselves with steps of `step` for the last. */
static bool one_run(const born_view *x, int from, int to, int64_t *count, int64_t *step)
{
    int64_t next = 0;

    *count = 1;
    *step = 0;
    for (int d = to; d-- > from; *count *= x->dim[d]) {
        if (x->dim[d] == 1) continue;
        if (*step == 0)
            *step = x->stride[d];
        else if (x->stride[d] != next)
            return false;
        next = x->stride[d] * x->dim[d];
    }
    return true;
}

static void add_axis(born_reduce_plan *p, int64_t dim, int64_t x_step, int64_t y_step)
{
    p->count *= dim;
    if (dim == 1) return;
    p->dim[p->rank] = dim;
    p->x_step[p->rank] = x_step;
    p->y_step[p->rank++] = y_step;
}

bool born__reduce_plan(const born_call *c, born_reduce_plan *p)
{
    const born_view *x = &c->in[0], *y = &c->out[0];
    const recipe *r = recipes;
    uint32_t mask;
    int from, to;

    while (r->op != c->op->id)
        if (++r == recipes + sizeof recipes / sizeof recipes[0]) return false;
    if (x->dtype != BORN_F32 || x->rank == 0 || born__view_count(x) == 0 || !axes_of(c, &mask) || !mask) return false;
    *p = (born_reduce_plan){ .kind = r->kind, .root = r->root, .count = 1 };
    p->x = (const float *)(const void *)x->data;
    p->y = (float *)(void *)y->data;
    for (from = 0; !(mask >> from & 1u);) from++;
    for (to = from; to < x->rank && (mask >> to & 1u);) to++;
    if (mask >> to) return false; /* reduced axes on both sides of a kept one */
    if (!one_run(x, from, to, &p->n, &p->x_term)) return false;
    p->divisor = r->divides ? (float)p->n : 0;
    bool keep = y->rank == x->rank;
    for (int d = 0; d < from; d++) add_axis(p, x->dim[d], x->stride[d], y->stride[d]);
    if (to == x->rank) return p->x_term == 1 || p->n == 1;
    int64_t columns, x_step, y_step, y_count;
    if (!one_run(x, to, x->rank, &p->columns, &x_step)) return false;
    int y_from = keep ? to : from;
    if (!one_run(y, y_from, y->rank, &y_count, &y_step)) return false;
    columns = p->columns;
    return columns == 1 || (x_step == 1 && y_step == 1);
}

bool born__query_reduce(const born_call *c, born_query *q)
{
    born_reduce_plan p;

    (void)q;
    return born__reduce_plan(c, &p);
}
