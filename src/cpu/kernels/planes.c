/* From views to born_planes, and the queries of the kernels that work on them. */
#include "cpu/kernels/planes.h"

#include "base/checked.h"
#include "cpu/queries.h"
#include "ops/ref.h"

bool born__planes_of(const born_view *v, bool *last, born_planes *p)
{
    int64_t next = 0;

    if (v->dtype != BORN_F32 || v->rank < 2 || born__view_count(v) == 0) return false;
    *p = (born_planes){ v->dim[0], v->dim[1], 1, v->stride[0], v->stride[1], 0, (float *)(void *)v->data };
    for (int d = v->rank; d-- > 2; p->cells *= v->dim[d]) {
        if (v->dim[d] == 1) continue;
        if (p->cell == 0) p->cell = v->stride[d];
        else if (v->stride[d] != next) return false;
        next = v->stride[d] * v->dim[d];
    }
    *last = p->c == 1 || p->channels == 1;
    if (p->cells == 1) return *last;
    if (p->cell == 1) *last = false;
    return *last || p->cell == 1;
}

static bool same_sizes(const born_planes *a, const born_planes *b)
{
    return a->batch == b->batch && a->channels == b->channels && a->cells == b->cells;
}

/* `sums` tables and `vectors` numbers per channel. */
static bool count_scratch(const born_planes *p, int sums, int vectors, born_query *q)
{
    size_t row = sizeof(float), all;

    if (!born__mul_size(row, (size_t)born__padded(p->channels), &row)) return false;
    return born__mul_size((size_t)p->batch, (size_t)sums, &all) && born__add_size(all, (size_t)vectors, &all) &&
           born__mul_size(all, row, &q->scratch_bytes);
}

bool born__query_channel_sum(const born_call *c, born_query *q)
{
    const born_view *axes = &c->in[1];
    born_planes x;
    bool last;
    uint32_t mask = 0;
    int rank = c->in[0].rank;

    if (rank < 3 || !born__planes_of(&c->in[0], &last, &x) || !born__has(c, 1)) return false;
    int64_t n = born__view_count(axes);
    if (n != rank - 1 || !axes->data) return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t a = born__at_i64(axes, i);
        if (a < -rank || a >= rank) return false;
        mask |= 1u << (a < 0 ? a + rank : a);
    }
    return mask == (((1u << rank) - 1) & ~2u) && count_scratch(&x, 1, 1, q);
}

/* x, the result and, of a gradient, what arrived: of one kind and f32, like all the rest. */
static bool norm_planes(const born_call *c, const born_view *v, const born_view *other, born_planes *p)
{
    born_planes y, z;
    bool last, y_last, z_last;

    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype != BORN_F32) return false;
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].dtype != BORN_F32) return false;
    if (!born__planes_of(v, &last, p) || !born__planes_of(&c->out[0], &y_last, &y)) return false;
    if (!born__planes_of(other, &z_last, &z)) return false;
    return last == y_last && last == z_last && same_sizes(p, &y) && same_sizes(p, &z);
}

bool born__query_batch_train(const born_call *c, born_query *q)
{
    born_planes p;

    if (!BORN_ATTRS_OF(batch_norm, c)->training_mode || c->in_count < 5) return false;
    return norm_planes(c, &c->in[0], &c->in[0], &p) && count_scratch(&p, 1, 4, q);
}

bool born__query_batch_grad(const born_call *c, born_query *q)
{
    born_planes p;

    return norm_planes(c, &c->in[1], &c->in[0], &p) && count_scratch(&p, BORN_SUMS, 6, q);
}
