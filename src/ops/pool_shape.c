/* Shape rules of the pools. */
#include "ops/pool_job.h"

/* The rule of a pool with a window; the second result, if any, has the same dims. */
static born_status pool_shape(born_infer *f, born_window_attrs wa)
{
    born_window w;
    int64_t dim[BORN_MAX_RANK] = { f->in[0].rank > 0 ? f->in[0].dim[0] : 0, f->in[0].rank > 1 ? f->in[0].dim[1] : 0 };
    int64_t cells;
    BORN_TRY(born__window_fill(&w, &wa, &f->in[0], NULL, f->op->name, f->err));
    if (!born__shape_count(w.kernel, 3, &cells) || cells > (int64_t)1 << POOL_MOST_CELLS)
        return born__infer_fail(f, BORN_RANGE, "the window has more than 2^%d cells", POOL_MOST_CELLS);
    for (int i = 0; i < w.spatial; i++) dim[2 + i] = w.out[3 - w.spatial + i];
    born__out_set(f, 0, f->in[0].dtype, f->in[0].rank, dim);
    born__out_set(f, 1, BORN_I64, f->in[0].rank, dim);
    return BORN_OK;
}

born_status born__shape_max_pool(born_infer *f)
{
    const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, f);
    return pool_shape(f, BORN_WINDOW_ATTRS(a, a->ceil_mode));
}

born_status born__shape_average_pool(born_infer *f)
{
    const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, f);
    return pool_shape(f, BORN_WINDOW_ATTRS(a, a->ceil_mode));
}

born_status born__shape_lp_pool(born_infer *f)
{
    const born_lp_pool_attrs *a = BORN_ATTRS_OF(lp_pool, f);
    return pool_shape(f, BORN_WINDOW_ATTRS(a, a->ceil_mode));
}

born_status born__shape_global_pool(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (x->rank < 2 || x->rank > 5)
        return born__infer_fail(f, BORN_SHAPE,
                                "x has rank %d where 2 to 5 ([N, C] and up to 3 spatial axes) are handled", x->rank);
    born__out_like(f, 0, x);
    for (int i = 2; i < x->rank && f->out_count > 0; i++) f->out[0].dim[i] = 1;
    return BORN_OK;
}

/* The size that a pool of these attributes was made from, at least. */
born_status born__max_unpool_dims(const born_max_unpool_attrs *a, const born_view *x, int64_t *dim, const char *op,
                                  born_error *err)
{
    born_window w;
    born_window_attrs wa = { BORN_PAD_NOTSET, false, a->kernel_shape, a->strides, a->pads, { 0 } };
    BORN_TRY(born__window_lists(&w, &wa, x, NULL, op, err));
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    for (int i = 0; i < w.spatial; i++) {
        int at = 3 - w.spatial + i;
        int64_t size;
        bool fits = born__mul_i64(w.in[at] - 1, w.stride[at], &size) && born__add_i64(size, w.kernel[at], &size);
        if (fits) size -= w.pad[at] + w.pad_end[at];
        BORN_FAIL_IF(!fits || size < 0, err, BORN_SHAPE, "%s: axis %d would be negative or too large", op, i + 2);
        dim[2 + i] = size;
    }
    int64_t count;
    BORN_FAIL_IF(!born__shape_count(dim, x->rank, &count), err, BORN_RANGE, "%s: the result is too large", op);
    return BORN_OK;
}

born_status born__shape_max_unpool(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t dim[BORN_MAX_RANK], given[BORN_MAX_RANK], n;
    BORN_TRY(born__max_unpool_dims(BORN_ATTRS_OF(max_unpool, f), x, dim, f->op->name, f->err));
    bool same = f->in[1].rank == x->rank;
    for (int i = 0; same && i < x->rank; i++) same = f->in[1].dim[i] == x->dim[i];
    if (!same)
        return born__infer_fail(f, BORN_SHAPE, "indices are %s where x is %s", born__infer_shape(f, 1),
                                born__infer_shape(f, 0));
    if (born__infer_has(f, 2)) {
        BORN_TRY(born__host_i64(f, 2, given, BORN_MAX_RANK, &n));
        if (n != x->rank)
            return born__infer_fail(f, BORN_SHAPE, "output_shape has %lld numbers where %d are needed", (long long)n,
                                    x->rank);
        for (int i = 0; i < x->rank; i++) {
            if (given[i] < 0) return born__infer_fail(f, BORN_SHAPE, "output_shape[%d] = %lld", i, (long long)given[i]);
            dim[i] = given[i];
        }
    }
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

born_status born__shape_max_roi_pool(born_infer *f)
{
    const born_max_roi_pool_attrs *a = BORN_ATTRS_OF(max_roi_pool, f);
    const born_view *x = &f->in[0], *r = &f->in[1];
    if (x->rank != 4 || r->rank != 2 || r->dim[1] != 5)
        return born__infer_fail(f, BORN_SHAPE, "x is %s, regions %s where [N,C,H,W] and [R,5] are needed",
                                born__infer_shape(f, 0), born__infer_shape(f, 1));
    if (a->pooled_shape.count != 2)
        return born__infer_fail(f, BORN_INVALID, "pooled_shape has %lld numbers where 2 are needed",
                                (long long)a->pooled_shape.count);
    const int64_t dim[4] = { r->dim[0], x->dim[1], a->pooled_shape.v[0], a->pooled_shape.v[1] };
    born__out_set(f, 0, x->dtype, 4, dim);
    return BORN_OK;
}

born_status born__shape_roi_align(born_infer *f)
{
    const born_roi_align_attrs *a = BORN_ATTRS_OF(roi_align, f);
    const born_view *x = &f->in[0], *r = &f->in[1], *b = &f->in[2];
    if (x->rank != 4 || r->rank != 2 || r->dim[1] != 4 || b->rank != 1 || b->dim[0] != r->dim[0])
        return born__infer_fail(f, BORN_SHAPE,
                                "x is %s, regions %s, images %s where [N,C,H,W], [R,4] and [R] are needed",
                                born__infer_shape(f, 0), born__infer_shape(f, 1), born__infer_shape(f, 2));
    const int64_t dim[4] = { r->dim[0], x->dim[1], a->output_height, a->output_width };
    born__out_set(f, 0, x->dtype, 4, dim);
    return BORN_OK;
}
