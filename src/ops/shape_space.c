/* Rearrangements within images, matrices and sequences: depth_to_space and back, trilu, reverse_sequence. */
#include "ops/copy_view.h"
#include "ops/index_reduce.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

/* ---- depth_to_space, space_to_depth ---- */

born_status born__shape_depth_to_space(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t b = BORN_ATTRS_OF(depth_to_space, f)->blocksize, dim[4];
    if (x->rank != 4) return born__infer_fail(f, BORN_SHAPE, "x %s is not [N,C,H,W]", born__infer_shape(f, 0));
    if (b < 1) return born__infer_fail(f, BORN_INVALID, "blocksize is %lld", (long long)b);
    if (x->dim[1] % (b * b) != 0)
        return born__infer_fail(f, BORN_SHAPE, "the channels of x %s are not a multiple of %lld squared",
                                born__infer_shape(f, 0), (long long)b);
    dim[0] = x->dim[0];
    dim[1] = x->dim[1] / (b * b);
    if (!born__mul_i64(x->dim[2], b, &dim[2]) || !born__mul_i64(x->dim[3], b, &dim[3]))
        return born__infer_fail(f, BORN_RANGE, "the result of x %s is too large", born__infer_shape(f, 0));
    born__out_set(f, 0, x->dtype, 4, dim);
    return BORN_OK;
}

born_status born__shape_space_to_depth(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t b = BORN_ATTRS_OF(depth_to_space, f)->blocksize, c;
    if (x->rank != 4) return born__infer_fail(f, BORN_SHAPE, "x %s is not [N,C,H,W]", born__infer_shape(f, 0));
    if (b < 1) return born__infer_fail(f, BORN_INVALID, "blocksize is %lld", (long long)b);
    if (x->dim[2] % b != 0 || x->dim[3] % b != 0)
        return born__infer_fail(f, BORN_SHAPE, "x %s does not divide into blocks of %lld", born__infer_shape(f, 0),
                                (long long)b);
    if (!born__mul_i64(x->dim[1], b * b, &c))
        return born__infer_fail(f, BORN_RANGE, "the result of x %s is too large", born__infer_shape(f, 0));
    born__out_set(f, 0, x->dtype, 4, (int64_t[]){ x->dim[0], c, x->dim[2] / b, x->dim[3] / b });
    return BORN_OK;
}

/* Both walk [N, C, H, b, W, b]: `deep` has the block in its channels (before or after C), `wide` in its pixels. */
static void block_walk(const born_view *deep, const born_view *wide, int64_t b, bool channel_first, int64_t *dim,
                       int64_t *deep_step, int64_t *wide_step)
{
    int64_t c = wide->dim[1], unit = channel_first ? 1 : c;
    const int64_t sizes[6] = { wide->dim[0], c, deep->dim[2], b, deep->dim[3], b };
    const int64_t *d = deep->stride, *w = wide->stride;
    const int64_t in_deep[6] = { d[0], channel_first ? d[1] * b * b : d[1], d[2], d[1] * unit * b, d[3], d[1] * unit };
    const int64_t in_wide[6] = { w[0], w[1], w[2] * b, w[2], w[3] * b, w[3] };
    memcpy(dim, sizes, sizeof sizes);
    memcpy(deep_step, in_deep, sizeof in_deep);
    memcpy(wide_step, in_wide, sizeof in_wide);
}

born_status born__ref_depth_to_space(born_call *c, const born_exec *x)
{
    const born_depth_to_space_attrs *a = BORN_ATTRS_OF(depth_to_space, c);
    int64_t dim[6], src[6], dst[6];
    born_copy_plan p;
    block_walk(&c->in[0], &c->out[0], a->blocksize, a->mode == 1, dim, src, dst);
    born__copy_plan(&p, 6, dim, dst, src, born__elem_size(&c->in[0]));
    born__copy_run_on(&p, c->out[0].data, c->in[0].data, x->pool);
    return BORN_OK;
}

born_status born__ref_space_to_depth(born_call *c, const born_exec *x)
{
    const born_depth_to_space_attrs *a = BORN_ATTRS_OF(depth_to_space, c);
    int64_t dim[6], src[6], dst[6];
    born_copy_plan p;
    block_walk(&c->out[0], &c->in[0], a->blocksize, a->mode == 1, dim, dst, src);
    born__copy_plan(&p, 6, dim, dst, src, born__elem_size(&c->in[0]));
    born__copy_run_on(&p, c->out[0].data, c->in[0].data, x->pool);
    return BORN_OK;
}

/* ---- trilu ---- */

born_status born__shape_trilu(born_infer *f)
{
    if (f->in[0].rank < 2) return born__infer_fail(f, BORN_SHAPE, "x %s has no matrices", born__infer_shape(f, 0));
    if (born__infer_has(f, 1) && born__view_count(&f->in[1]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "k %s is not one element", born__infer_shape(f, 1));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

typedef struct trilu_job { const born_view *in, *out; int64_t k; bool lower; } trilu_job;

/* Rows [begin, end) of all matrices: the kept part copied, the rest set to zero. */
static void trilu_rows(void *ctx, int64_t begin, int64_t end)
{
    static const char no_bits[8];
    const trilu_job *j = ctx;
    const born_view *in = j->in, *out = j->out;
    int last = in->rank - 1, size = born__elem_size(in);
    int64_t cols = in->dim[last], rows = in->dim[last - 1], si = in->stride[last] * size, so = out->stride[last] * size;
    for (int64_t r = begin; r < end; r++) {
        const char *src = in->data + born__offset_of(in->dim, in->stride, last, r) * size;
        char *dst = out->data + born__offset_of(out->dim, out->stride, last, r) * size;
        int64_t cut = r % rows + j->k + j->lower;       /* columns before the cut are the lower part */
        cut = cut < 0 ? 0 : cut > cols ? cols : cut;
        int64_t from = j->lower ? 0 : cut, to = j->lower ? cut : cols;
        born__copy_strided(dst, so, no_bits, 0, from, size);
        born__copy_strided(dst + from * so, so, src + from * si, si, to - from, size);
        born__copy_strided(dst + to * so, so, no_bits, 0, cols - to, size);
    }
}

born_status born__ref_trilu(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0];
    int64_t count = born__view_count(in), cols = in->dim[in->rank - 1], rows = in->dim[in->rank - 2];
    int64_t k = born__has(c, 1) ? born__load_i64(c->in[1].dtype, c->in[1].data) : 0;
    if (count == 0) return BORN_OK;
    trilu_job j = { in, &c->out[0], k < -rows ? -rows : k > cols ? cols : k, BORN_ATTRS_OF(trilu, c)->lower };
    born__exec_for(x, count / cols, 1 + 65536 / cols, trilu_rows, &j);
    return BORN_OK;
}

/* ---- reverse_sequence ---- */

static born_status sequence_axes(born_infer *f, int *batch, int *time)
{
    const born_reverse_sequence_attrs *a = BORN_ATTRS_OF(reverse_sequence, f);
    BORN_TRY(born__axis(f, a->batch_axis, f->in[0].rank, batch));
    BORN_TRY(born__axis(f, a->time_axis, f->in[0].rank, time));
    if (*batch == *time) return born__infer_fail(f, BORN_INVALID, "batch_axis and time_axis are both %d", *batch);
    return BORN_OK;
}

born_status born__shape_reverse_sequence(born_infer *f)
{
    int batch = 0, time = 0;
    BORN_TRY(sequence_axes(f, &batch, &time));
    if (f->in[1].rank != 1 || f->in[1].dim[0] != f->in[0].dim[batch])
        return born__infer_fail(f, BORN_SHAPE, "lengths %s do not fit axis %d of x %s", born__infer_shape(f, 1), batch,
                                born__infer_shape(f, 0));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

born_status born__ref_reverse_sequence(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    const born_view *in = &c->in[0], *out = &c->out[0];
    int batch = 0, time = 0;
    BORN_TRY(sequence_axes(&f, &batch, &time));
    int64_t steps = in->dim[time], size = born__elem_size(in), dim[BORN_MAX_RANK];
    for (int64_t b = 0; b < in->dim[batch]; b++) {
        int64_t n = born__at_i64(&c->in[1], b);
        BORN_FAIL_IF(n < 0 || n > steps, x->err, BORN_RANGE, "%s: length %lld of sequence %lld is outside [0, %lld]",
                     c->op->name, (long long)n, (long long)b, (long long)steps);
    }
    if (born__view_count(in) == 0) return BORN_OK;
    memcpy(dim, in->dim, sizeof dim);
    dim[batch] = dim[time] = 1;
    born_copy_plan p;
    born__copy_plan(&p, in->rank, dim, out->stride, in->stride, (int)size);
    for (int64_t b = 0; b < in->dim[batch]; b++) {
        int64_t n = born__at_i64(&c->in[1], b);
        for (int64_t t = 0; t < steps; t++) {
            int64_t from = t < n ? n - 1 - t : t;
            born__copy_run(&p, out->data + (b * out->stride[batch] + t * out->stride[time]) * size,
                           in->data + (b * in->stride[batch] + from * in->stride[time]) * size);
        }
    }
    return BORN_OK;
}
