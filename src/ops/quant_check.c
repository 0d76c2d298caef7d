/* Checks that the shape rules of quantised operators share. See quant.h. */
#include "ops/quant.h"

static int64_t count_of(const born_view *v)
{
    int64_t n;
    return born__shape_count(v->dim, v->rank, &n) ? n : -1;
}

static born_status missing(born_infer *f, int i, bool optional)
{
    if (optional) return BORN_OK;
    return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
}

born_status born__need_scalar(born_infer *f, int i, bool optional)
{
    if (!born__infer_has(f, i)) return missing(f, i, optional);
    if (count_of(&f->in[i]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "operand %d must have one element, not %s", i, born__infer_shape(f, i));
    return BORN_OK;
}

born_status born__need_scalar_or_vector(born_infer *f, int i, int64_t n, bool optional)
{
    if (!born__infer_has(f, i)) return missing(f, i, optional);
    if (count_of(&f->in[i]) == 1 || (f->in[i].rank == 1 && f->in[i].dim[0] == n)) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "operand %d must have 1 or %lld elements, not %s", i, (long long)n,
                            born__infer_shape(f, i));
}

born_status born__need_dtype(born_infer *f, int i, uint32_t mask)
{
    if (!born__infer_has(f, i) || born__dtype_is(f->in[i].dtype, mask)) return BORN_OK;
    return born__infer_fail(f, BORN_DTYPE, "operand %d cannot be %s", i, born_dtype_name(f->in[i].dtype));
}
