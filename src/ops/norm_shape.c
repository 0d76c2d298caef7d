/* Shape rules of the norms and of softmax. */
#include "ops/ref.h"

/* Operands first..last must each be [channels]. */
static born_status check_channels(born_infer *f, int first, int last, int64_t channels)
{
    for (int i = first; i <= last; i++)
        if (f->in[i].rank != 1 || f->in[i].dim[0] != channels)
            return born__infer_fail(f, BORN_SHAPE, "operand %d is %s where [%lld] is needed", i,
                                    born__infer_shape(f, i), (long long)channels);
    return BORN_OK;
}

/* f64 operands do not mix with others: kernels compute in one dtype. */
static born_status check_width(born_infer *f, int i)
{
    if ((f->in[0].dtype == BORN_F64) != (f->in[i].dtype == BORN_F64))
        return born__infer_fail(f, BORN_DTYPE, "x is %s, operand %d %s", born_dtype_name(f->in[0].dtype), i,
                                born_dtype_name(f->in[i].dtype));
    if (!born__dtype_is(f->in[i].dtype, BORN_DT_FLOAT))
        return born__infer_fail(f, BORN_DTYPE, "operand %d cannot be %s", i, born_dtype_name(f->in[i].dtype));
    return BORN_OK;
}

born_status born__shape_batch_norm(born_infer *f)
{
    const born_batch_norm_attrs *a = BORN_ATTRS_OF(batch_norm, f);
    const born_view *x = &f->in[0];
    if (x->rank < 1) return born__infer_fail(f, BORN_SHAPE, "x has rank 0");
    BORN_TRY(check_width(f, 1));
    BORN_TRY(check_channels(f, 1, 4, x->rank > 1 ? x->dim[1] : 1));
    if (f->out_count > 1 && !a->training_mode)
        return born__infer_fail(f, BORN_INVALID, "%d results where only training gives more than one", f->out_count);
    born__out_like(f, 0, x);
    for (int i = 1; i < 3; i++) born__out_like(f, i, &f->in[2 + i]);
    return BORN_OK;
}

born_status born__shape_instance_norm(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (x->rank < 2) return born__infer_fail(f, BORN_SHAPE, "x has rank %d where [N, C, ...] is needed", x->rank);
    born__out_like(f, 0, x);
    return check_channels(f, 1, 2, x->dim[1]);
}

born_status born__shape_group_norm(born_infer *f)
{
    const born_group_norm_attrs *a = BORN_ATTRS_OF(group_norm, f);
    const born_view *x = &f->in[0];
    if (x->rank < 2 || x->rank >= BORN_MAX_RANK)
        return born__infer_fail(f, BORN_SHAPE, "x has rank %d where 2 to %d are handled", x->rank, BORN_MAX_RANK - 1);
    if (x->dim[1] % a->num_groups != 0)
        return born__infer_fail(f, BORN_SHAPE, "%lld channels are not divisible by %lld groups", (long long)x->dim[1],
                                (long long)a->num_groups);
    born__out_like(f, 0, x);
    for (int i = 1; i < 3; i++) {
        const born_view *v = &f->in[i];
        if (v->rank != 1 || (v->dim[0] != x->dim[1] && v->dim[0] != a->num_groups))
            return born__infer_fail(f, BORN_SHAPE, "operand %d is %s where [%lld] is needed", i,
                                    born__infer_shape(f, i), (long long)x->dim[1]);
    }
    return BORN_OK;
}

/* Operand i must be broadcastable to x without changing it. */
static born_status check_broadcast(born_infer *f, int i)
{
    const born_view *x = &f->in[0], *v = &f->in[i];
    bool fits = v->rank <= x->rank;
    for (int d = 0; fits && d < v->rank; d++) fits = v->dim[d] == 1 || v->dim[d] == x->dim[d + x->rank - v->rank];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "operand %d, %s, is not broadcastable to x, %s", i,
                                born__infer_shape(f, i), born__infer_shape(f, 0));
    return BORN_OK;
}

/* The dtype with an ONNX code, where it is a float. */
static born_dtype stash_dtype(int64_t code)
{
    for (int t = 1; t < BORN_DTYPE_COUNT; t++)
        if (born__dtype_info((born_dtype)t)->onnx == code && born__dtype_is((born_dtype)t, BORN_DT_FLOAT))
            return (born_dtype)t;
    return BORN_DTYPE_NONE;
}

born_status born__shape_layer_norm(born_infer *f)
{
    const born_layer_norm_attrs *a = BORN_ATTRS_OF(layer_norm, f);
    const born_view *x = &f->in[0];
    born_dtype stash = stash_dtype(a->stash_type);
    int64_t dim[BORN_MAX_RANK];
    int axis;
    BORN_TRY(born__axis(f, a->axis, x->rank, &axis));
    BORN_TRY(check_broadcast(f, 1));
    if (born__infer_has(f, 2)) BORN_TRY(check_broadcast(f, 2));
    if (stash == BORN_DTYPE_NONE)
        return born__infer_fail(f, BORN_INVALID, "stash_type %lld is no float", (long long)a->stash_type);
    for (int d = 0; d < x->rank; d++) dim[d] = d < axis ? x->dim[d] : 1;
    born__out_like(f, 0, x);
    born__out_set(f, 1, stash, x->rank, dim);
    born__out_set(f, 2, stash, x->rank, dim);
    return BORN_OK;
}

born_status born__shape_rms_norm(born_infer *f)
{
    int axis;
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(rms_norm, f)->axis, f->in[0].rank, &axis));
    BORN_TRY(check_width(f, 1));
    BORN_TRY(check_broadcast(f, 1));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

/* Like x, with an axis that is there; rank 0 counts as one element, axis 0 or -1. */
static born_status axis_shape(born_infer *f, int64_t axis)
{
    int at, rank = f->in[0].rank;
    BORN_TRY(born__axis(f, axis, rank > 0 ? rank : 1, &at));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

born_status born__shape_softmax(born_infer *f) { return axis_shape(f, BORN_ATTRS_OF(softmax, f)->axis); }
born_status born__shape_lp_norm(born_infer *f) { return axis_shape(f, BORN_ATTRS_OF(lp_norm, f)->axis); }

born_status born__shape_lrn(born_infer *f)
{
    if (f->in[0].rank < 2)
        return born__infer_fail(f, BORN_SHAPE, "x has rank %d where [N, C, ...] is needed", f->in[0].rank);
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}
