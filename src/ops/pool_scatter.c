/* Reference kernel of max_unpool: zeros, and the elements of x where the indices say. Indices are data: each is
   checked. They count in the size that the pool's attributes give, also where a larger result was asked for. */
#include "ops/pool_job.h"

#define BORN_EACH "ops/pool_scatter_body.inc"
#include "ops/each_size.inc"

born_status born__ref_max_unpool(born_call *c, const born_exec *x)
{
    int64_t inner[BORN_MAX_RANK], count, n = born__view_count(&c->in[0]), bad = -1;
    born_status (*scatter)(const born_call *, const int64_t *, int64_t *) =
        BORN_PICK_SIZE(born__elem_size(&c->in[0]), unpool_scatter);
    if (!scatter) return born__no_body(c, x);
    BORN_TRY(born__max_unpool_dims(BORN_ATTRS_OF(max_unpool, c), &c->in[0], inner, c->op->name, x->err));
    if (scatter(c, inner, &bad) == BORN_OK) return BORN_OK;
    (void)born__shape_count(inner, c->in[0].rank, &count);
    return born__fail(x->err, BORN_RANGE, "%s: index %lld of %lld is not in [0, %lld) or not in the result",
                      c->op->name, (long long)bad, (long long)n, (long long)count);
}
