/* Images and the columns of their blocks: col2im adds columns up, im2col reads them. Blocks reach into the padding,
   which holds zeros; what is summed is summed in order of the block's elements. */
#include "ops/copy_view.h"
#include "ops/emit_help.h"
#include "ops/index_reduce.h"
#include "ops/shape_ops.h"

enum { SPATIAL = BORN_MAX_RANK - 2 };

typedef struct columns_geometry {
    int rank;                                               /* spatial dims */
    int64_t image[SPATIAL], block[SPATIAL], stride[SPATIAL], dilation[SPATIAL], pad[SPATIAL];
    int64_t steps[SPATIAL];                                 /* block positions along each dim */
    int64_t blocks, positions;                              /* products of block and steps */
} columns_geometry;

static born_status columns_list(born_infer *f, const born_ints *v, int64_t want, const char *what)
{
    if (v->count != 0 && v->count != want)
        return born__infer_fail(f, BORN_SHAPE, "%lld %s where %lld are meant", (long long)v->count, what,
                                (long long)want);
    for (int64_t i = 0; i < v->count; i++)
        if (v->v[i] > INT32_MAX) return born__infer_fail(f, BORN_RANGE, "%s hold %lld", what, (long long)v->v[i]);
    return BORN_OK;
}

/* One spatial dim: where blocks fit. */
static born_status columns_dim(born_infer *f, const born_col2im_attrs *a, columns_geometry *g, int d)
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

/* Geometry from the attributes, given the image's sizes; the block's are operand `block`. */
static born_status columns_read(born_infer *f, columns_geometry *g, int rank, int block)
{
    const born_col2im_attrs *a = BORN_ATTRS_OF(col2im, f);
    int64_t m;
    BORN_TRY(born__host_i64(f, block, g->block, SPATIAL, &m));
    if (rank != m || rank < 1)
        return born__infer_fail(f, BORN_SHAPE, "%d image sizes, %lld block sizes", rank, (long long)m);
    g->rank = rank;
    BORN_TRY(columns_list(f, &a->strides, rank, "strides"));
    BORN_TRY(columns_list(f, &a->dilations, rank, "dilations"));
    BORN_TRY(columns_list(f, &a->pads, 2 * rank, "pads"));
    for (int d = 0; d < g->rank; d++) BORN_TRY(columns_dim(f, a, g, d));
    return BORN_OK;
}

static born_status col2im_read(born_infer *f, columns_geometry *g)
{
    const born_view *x = &f->in[0];
    int64_t n;
    *g = (columns_geometry){ .blocks = 1, .positions = 1 };
    BORN_TRY(born__host_i64(f, 1, g->image, SPATIAL, &n));
    BORN_TRY(columns_read(f, g, (int)n, 2));
    if (x->rank != 3 || x->dim[1] % g->blocks != 0 || x->dim[2] != g->positions)
        return born__infer_fail(f, BORN_SHAPE, "x %s is not [N, C*%lld, %lld]", born__infer_shape(f, 0),
                                (long long)g->blocks, (long long)g->positions);
    return BORN_OK;
}

static born_status im2col_read(born_infer *f, columns_geometry *g)
{
    const born_view *x = &f->in[0];
    *g = (columns_geometry){ .blocks = 1, .positions = 1 };
    if (x->rank < 3) return born__infer_fail(f, BORN_SHAPE, "x %s is not [N, C, image]", born__infer_shape(f, 0));
    memcpy(g->image, x->dim + 2, (size_t)(x->rank - 2) * sizeof g->image[0]);
    return columns_read(f, g, x->rank - 2, 1);
}

born_status born__shape_im2col(born_infer *f)
{
    columns_geometry g;
    int64_t dim[3] = { f->in[0].dim[0] };
    BORN_TRY(im2col_read(f, &g));
    if (!born__mul_i64(f->in[0].dim[1], g.blocks, &dim[1]))
        return born__infer_fail(f, BORN_RANGE, "the columns are too large");
    dim[2] = g.positions;
    born__out_set(f, 0, f->in[0].dtype, 3, dim);
    return BORN_OK;
}

born_status born__shape_col2im(born_infer *f)
{
    columns_geometry g;
    int64_t dim[BORN_MAX_RANK];
    BORN_TRY(col2im_read(f, &g));
    dim[0] = f->in[0].dim[0];
    dim[1] = f->in[0].dim[1] / g.blocks;
    memcpy(dim + 2, g.image, (size_t)g.rank * sizeof dim[0]);
    born__out_set(f, 0, f->in[0].dtype, g.rank + 2, dim);
    return BORN_OK;
}

/* Images and columns, and how one row of columns meets its image. */
typedef struct columns_job {
    const columns_geometry *g;
    const born_view *image, *columns;
    born_reduce_run run;
    bool gather;                /* from the image to the columns */
} columns_job;

/* One block element k (its coordinates) of one image: its positions meet the column row. */
static void columns_element(const columns_job *j, char *image, char *row, const int64_t *k)
{
    const columns_geometry *g = j->g;
    int last = g->rank - 1, size = born__elem_size(j->image);
    int64_t at[SPATIAL] = { 0 }, run = g->steps[last], step = j->columns->stride[2] * size;
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
            offset += y * j->image->stride[d + 2];
        }
        if (inside) {
            int64_t is = j->image->stride[last + 2];
            char *pixel = image + (offset + (from * s + shift) * is) * size, *col = row + (p + from) * step;
            if (j->gather) j->run(col, step, pixel, s * is * size, to - from);
            else j->run(pixel, s * is * size, col, step, to - from);
        }
        for (int d = last - 1; d >= 0 && ++at[d] == g->steps[d]; d--) at[d] = 0;
    }
}

/* Images [begin, end) of all N * C. */
static void columns_images(void *ctx, int64_t begin, int64_t end)
{
    const columns_job *j = ctx;
    const columns_geometry *g = j->g;
    int size = born__elem_size(j->image);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / j->image->dim[1], c = i % j->image->dim[1], k[SPATIAL] = { 0 };
        char *image = j->image->data + (n * j->image->stride[0] + c * j->image->stride[1]) * size;
        char *row = j->columns->data + (n * j->columns->stride[0] + c * g->blocks * j->columns->stride[1]) * size;
        for (int64_t b = 0; b < g->blocks; b++, row += j->columns->stride[1] * size) {
            columns_element(j, image, row, k);
            for (int d = g->rank - 1; d >= 0 && ++k[d] == g->block[d]; d--) k[d] = 0;
        }
    }
}

static born_status columns_run(born_call *c, const born_exec *x, const columns_job *j)
{
    static const char no_bits[8];
    born__fill_view(&c->out[0], no_bits, x->pool);
    if (born__view_count(&c->out[0]) == 0 || born__view_count(&c->in[0]) == 0 || j->g->positions == 0) return BORN_OK;
    if (!j->run) return born__no_body(c, x);
    born__exec_for(x, j->image->dim[0] * j->image->dim[1], 1, columns_images, (void *)(uintptr_t)j);
    return BORN_OK;
}

born_status born__ref_col2im(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    columns_geometry g;
    BORN_TRY(col2im_read(&f, &g));
    bool same = c->out[0].rank == g.rank + 2;
    for (int d = 0; same && d < g.rank; d++) same = c->out[0].dim[d + 2] == g.image[d];
    same = same && c->out[0].dim[1] == c->in[0].dim[1] / g.blocks;
    BORN_FAIL_IF(!same, x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    const columns_job j = { &g, &c->out[0], &c->in[0], born__reduce_run(c->in[0].dtype, BORN_REDUCE_ADD), false };
    return columns_run(c, x, &j);
}

born_status born__ref_im2col(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    columns_geometry g;
    BORN_TRY(im2col_read(&f, &g));
    const born_view *y = &c->out[0];
    bool same = y->rank == 3 && y->dim[1] == c->in[0].dim[1] * g.blocks && y->dim[2] == g.positions;
    BORN_FAIL_IF(!same, x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    const columns_job j = { &g, &c->in[0], y, born__reduce_run(y->dtype, BORN_REDUCE_NONE), true };
    return columns_run(c, x, &j);
}

/* ---- gradients: each is the other's ---- */

void born__grad_im2col(born_emit *e, const born_grad *g)
{
    born_view x;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    const born_val in[3] = { g->gout[0], e->ints(e, x.dim + 2, x.rank - 2), g->in[1] };
    g->gin[0] = born__emit1(e, BORN_OP_COL2IM, g->attrs, in, 3);
}

void born__grad_col2im(born_emit *e, const born_grad *g)
{
    const born_val in[2] = { g->gout[0], g->in[2] };
    g->gin[0] = born__emit1(e, BORN_OP_IM2COL, g->attrs, in, 2);
}
