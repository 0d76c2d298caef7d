/* Rearrangements within images, matrices and sequences: depth_to_space and back, trilu, reverse_sequence, col2im. */
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

/* ---- col2im ---- */

enum { SPATIAL = BORN_MAX_RANK - 2 };

typedef struct col2im_geometry {
    int rank;                                               /* spatial dims */
    int64_t image[SPATIAL], block[SPATIAL], stride[SPATIAL], dilation[SPATIAL], pad[SPATIAL];
    int64_t steps[SPATIAL];                                 /* block positions along each dim */
    int64_t blocks, positions;                              /* products of block and steps */
} col2im_geometry;

static born_status col2im_list(born_infer *f, const born_ints *v, int64_t want, const char *what)
{
    if (v->count != 0 && v->count != want)
        return born__infer_fail(f, BORN_SHAPE, "%lld %s where %lld are meant", (long long)v->count, what,
                                (long long)want);
    for (int64_t i = 0; i < v->count; i++)
        if (v->v[i] > INT32_MAX) return born__infer_fail(f, BORN_RANGE, "%s hold %lld", what, (long long)v->v[i]);
    return BORN_OK;
}

/* One spatial dim: where blocks fit. */
static born_status col2im_dim(born_infer *f, const born_col2im_attrs *a, col2im_geometry *g, int d)
{
    g->stride[d] = a->strides.count ? a->strides.v[d] : 1;
    g->dilation[d] = a->dilations.count ? a->dilations.v[d] : 1;
    g->pad[d] = a->pads.count ? a->pads.v[d] : 0;
    int64_t after = a->pads.count ? a->pads.v[d + g->rank] : 0;
    if (g->image[d] < 0 || g->image[d] > INT32_MAX || g->block[d] < 1 || g->block[d] > INT32_MAX)
        return born__infer_fail(f, BORN_RANGE, "image %lld or block %lld of dim %d is out of range",
                                (long long)g->image[d], (long long)g->block[d], d);
    int64_t reach = g->dilation[d] * (g->block[d] - 1) + 1, padded = g->image[d] + g->pad[d] + after;
    g->steps[d] = padded < reach ? 0 : (padded - reach) / g->stride[d] + 1;
    if (!born__mul_i64(g->blocks, g->block[d], &g->blocks) || !born__mul_i64(g->positions, g->steps[d], &g->positions))
        return born__infer_fail(f, BORN_RANGE, "the blocks are too large");
    return BORN_OK;
}

/* The windows of `images` image sizes, which are in g->image; block sizes are operand `block`. */
static born_status windows_read(born_infer *f, col2im_geometry *g, int64_t images, int block)
{
    const born_col2im_attrs *a = BORN_ATTRS_OF(col2im, f);
    int64_t n;
    g->blocks = g->positions = 1;
    BORN_TRY(born__host_i64(f, block, g->block, SPATIAL, &n));
    if (n != images || n < 1)
        return born__infer_fail(f, BORN_SHAPE, "%lld image sizes, %lld block sizes", (long long)images, (long long)n);
    g->rank = (int)n;
    BORN_TRY(col2im_list(f, &a->strides, n, "strides"));
    BORN_TRY(col2im_list(f, &a->dilations, n, "dilations"));
    BORN_TRY(col2im_list(f, &a->pads, 2 * n, "pads"));
    for (int d = 0; d < g->rank; d++) BORN_TRY(col2im_dim(f, a, g, d));
    return BORN_OK;
}

static born_status col2im_read(born_infer *f, col2im_geometry *g)
{
    const born_view *x = &f->in[0];
    int64_t n;
    *g = (col2im_geometry){ .rank = 0 };
    BORN_TRY(born__host_i64(f, 1, g->image, SPATIAL, &n));
    BORN_TRY(windows_read(f, g, n, 2));
    if (x->rank != 3 || x->dim[1] % g->blocks != 0 || x->dim[2] != g->positions)
        return born__infer_fail(f, BORN_SHAPE, "x %s is not [N, C*%lld, %lld]", born__infer_shape(f, 0),
                                (long long)g->blocks, (long long)g->positions);
    return BORN_OK;
}

born_status born__shape_col2im(born_infer *f)
{
    col2im_geometry g;
    int64_t dim[BORN_MAX_RANK];
    BORN_TRY(col2im_read(f, &g));
    dim[0] = f->in[0].dim[0];
    dim[1] = f->in[0].dim[1] / g.blocks;
    memcpy(dim + 2, g.image, (size_t)g.rank * sizeof dim[0]);
    born__out_set(f, 0, f->in[0].dtype, g.rank + 2, dim);
    return BORN_OK;
}

typedef struct col2im_job { const col2im_geometry *g; const born_view *in, *out; born_reduce_run add; } col2im_job;

/* Adds the column row of one block element k (its coordinates) to one image. */
static void col2im_element(const col2im_job *j, char *image, const char *row, const int64_t *k)
{
    const col2im_geometry *g = j->g;
    int last = g->rank - 1, size = born__elem_size(j->in);
    int64_t at[SPATIAL] = { 0 }, run = g->steps[last], src_step = j->in->stride[2] * size;
    int64_t shift = k[last] * g->dilation[last] - g->pad[last], s = g->stride[last];
    int64_t from = shift < 0 ? (-shift + s - 1) / s : 0, to = g->image[last] - shift;
    to = to <= 0 ? 0 : (to + s - 1) / s;
    if (to > run) to = run;
    for (int64_t p = 0; p < g->positions; p += run) {
        int64_t offset = 0;
        bool inside = from < to;
        for (int d = 0; d < last; d++) {
            int64_t y = at[d] * g->stride[d] + k[d] * g->dilation[d] - g->pad[d];
            inside = inside && y >= 0 && y < g->image[d];
            offset += y * j->out->stride[d + 2];
        }
        if (inside) {
            int64_t ds = j->out->stride[last + 2];
            j->add(image + (offset + (from * s + shift) * ds) * size, s * ds * size, row + (p + from) * src_step,
                   src_step, to - from);
        }
        for (int d = last - 1; d >= 0 && ++at[d] == g->steps[d]; d--) at[d] = 0;
    }
}

/* Images [begin, end) of all N * C. */
static void col2im_images(void *ctx, int64_t begin, int64_t end)
{
    const col2im_job *j = ctx;
    const col2im_geometry *g = j->g;
    int size = born__elem_size(j->in);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / j->out->dim[1], c = i % j->out->dim[1], k[SPATIAL] = { 0 };
        char *image = j->out->data + (n * j->out->stride[0] + c * j->out->stride[1]) * size;
        const char *row = j->in->data + (n * j->in->stride[0] + c * g->blocks * j->in->stride[1]) * size;
        for (int64_t b = 0; b < g->blocks; b++, row += j->in->stride[1] * size) {
            col2im_element(j, image, row, k);
            for (int d = g->rank - 1; d >= 0 && ++k[d] == g->block[d]; d--) k[d] = 0;
        }
    }
}

born_status born__ref_col2im(born_call *c, const born_exec *x)
{
    static const char no_bits[8];
    born_infer f = born__infer_of(c, x);
    col2im_geometry g;
    BORN_TRY(col2im_read(&f, &g));
    bool same = c->out[0].rank == g.rank + 2;
    for (int d = 0; same && d < g.rank; d++) same = c->out[0].dim[d + 2] == g.image[d];
    same = same && c->out[0].dim[1] == c->in[0].dim[1] / g.blocks;
    BORN_FAIL_IF(!same, x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    born__fill_view(&c->out[0], no_bits, x->pool);
    if (born__view_count(&c->out[0]) == 0 || g.positions == 0) return BORN_OK;
    col2im_job j = { &g, &c->in[0], &c->out[0], born__reduce_run(c->in[0].dtype, BORN_REDUCE_ADD) };
    if (!j.add) return born__no_body(c, x);
    born__exec_for(x, c->out[0].dim[0] * c->out[0].dim[1], 1, col2im_images, &j);
    return BORN_OK;
}

/* ---- im2col: the same walk the other way, copying ---- */

static born_status im2col_read(born_infer *f, col2im_geometry *g)
{
    const born_view *x = &f->in[0];
    *g = (col2im_geometry){ .rank = 0 };
    if (x->rank < 3) return born__infer_fail(f, BORN_SHAPE, "x %s is not [N,C,spatial...]", born__infer_shape(f, 0));
    memcpy(g->image, x->dim + 2, (size_t)(x->rank - 2) * sizeof g->image[0]);
    return windows_read(f, g, x->rank - 2, 1);
}

born_status born__shape_im2col(born_infer *f)
{
    col2im_geometry g;
    BORN_TRY(im2col_read(f, &g));
    int64_t dim[3] = { f->in[0].dim[0], 0, g.positions };
    if (!born__mul_i64(f->in[0].dim[1], g.blocks, &dim[1]))
        return born__infer_fail(f, BORN_RANGE, "the columns are too large");
    born__out_set(f, 0, f->in[0].dtype, 3, dim);
    return BORN_OK;
}

/* The column row of one block element k of one image: runs along the last spatial dim, zeros where they leave it. */
static void im2col_element(const col2im_job *j, const char *image, char *row, const int64_t *k)
{
    static const char no_bits[8];
    const col2im_geometry *g = j->g;
    int last = g->rank - 1, size = born__elem_size(j->in);
    int64_t at[SPATIAL] = { 0 }, run = g->steps[last], step = j->out->stride[2] * size, s = g->stride[last];
    int64_t shift = k[last] * g->dilation[last] - g->pad[last];
    int64_t from = shift < 0 ? (-shift + s - 1) / s : 0, to = g->image[last] - shift;
    to = to <= 0 ? 0 : (to + s - 1) / s;
    if (to > run) to = run;
    for (int64_t p = 0; p < g->positions; p += run) {
        int64_t offset = 0, is = j->in->stride[last + 2];
        bool inside = from < to;
        for (int d = 0; d < last; d++) {
            int64_t y = at[d] * g->stride[d] + k[d] * g->dilation[d] - g->pad[d];
            inside = inside && y >= 0 && y < g->image[d];
            offset += y * j->in->stride[d + 2];
        }
        char *line = row + p * step;
        int64_t lo = inside ? from : run, hi = inside ? to : run;
        born__copy_strided(line, step, no_bits, 0, lo, size);
        if (inside)
            born__copy_strided(line + lo * step, step, image + (offset + (lo * s + shift) * is) * size, s * is * size,
                               hi - lo, size);
        born__copy_strided(line + hi * step, step, no_bits, 0, run - hi, size);
        for (int d = last - 1; d >= 0 && ++at[d] == g->steps[d]; d--) at[d] = 0;
    }
}

static void im2col_images(void *ctx, int64_t begin, int64_t end)
{
    const col2im_job *j = ctx;
    const col2im_geometry *g = j->g;
    int size = born__elem_size(j->in);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / j->in->dim[1], c = i % j->in->dim[1], k[SPATIAL] = { 0 };
        const char *image = j->in->data + (n * j->in->stride[0] + c * j->in->stride[1]) * size;
        char *row = j->out->data + (n * j->out->stride[0] + c * g->blocks * j->out->stride[1]) * size;
        for (int64_t b = 0; b < g->blocks; b++, row += j->out->stride[1] * size) {
            im2col_element(j, image, row, k);
            for (int d = g->rank - 1; d >= 0 && ++k[d] == g->block[d]; d--) k[d] = 0;
        }
    }
}

born_status born__ref_im2col(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    col2im_geometry g;
    BORN_TRY(im2col_read(&f, &g));
    bool same = c->out[0].rank == 3 && c->out[0].dim[1] == c->in[0].dim[1] * g.blocks &&
                c->out[0].dim[2] == g.positions;
    BORN_FAIL_IF(!same, x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    col2im_job j = { .g = &g, .in = &c->in[0], .out = &c->out[0] };
    born__exec_for(x, c->in[0].dim[0] * c->in[0].dim[1], 1, im2col_images, &j);
    return BORN_OK;
}
