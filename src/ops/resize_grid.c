/* Rules and reference kernels of grid_sample and affine_grid (Jaderberg et al. 2015, spatial transformers). A point's
   taps are found once per axis and serve all channels. Coordinates are data: any float, NaN included; each becomes a
   tap inside the image or none. Interpolation is done in f64, the last axis innermost, each product and sum rounded.
   */
#include <math.h>

#include "ops/ref.h"

enum { GRID_LINEAR, GRID_NEAREST, GRID_CUBIC };
enum { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };
enum { GRID_TAPS = 4 };
#define GRID_NONE INT64_MIN     /* the offset of a tap outside; strides may be negative, so -1 would not do */

typedef struct grid_job {
    const born_view *x, *grid, *y;
    const born_view *dx, *dgrid;        /* of grid_sample_grad, whose y is what arrived; dgrid NULL: not wanted */
    int spatial, mode, padding, taps;
    bool align;
    int64_t points;             /* of one batch entry */
} grid_job;

/* The taps of one axis: element offsets (GRID_NONE: a zero) and weights. */
typedef struct grid_taps {
    int64_t at[GRID_TAPS];
    double weight[GRID_TAPS];
} grid_taps;

/* Grid value to coordinate, in the grid's own precision. */
static double grid_place(const grid_job *j, double g, int64_t size)
{
    if (j->grid->dtype == BORN_F32) {
        float v = (float)g, n = (float)size;
        return (double)(j->align ? (v + 1) / 2 * (n - 1) : ((v + 1) * n - 1) / 2);
    }
    return j->align ? (g + 1) / 2 * ((double)size - 1) : ((g + 1) * (double)size - 1) / 2;
}

/* v mirrored at lo and hi until it lies between them. */
static double grid_reflect(double v, double lo, double hi)
{
    double span = hi - lo, over = v < lo ? lo - v : v - hi;
    if (over <= 0) return v;
    if (!(span > 0)) return lo;
    double turns = floor(over / span), rest = over - turns * span;
    bool odd = fmod(turns, 2) != 0;
    return (v < lo) != odd ? lo + rest : hi - rest;
}

static int64_t grid_cell(const grid_job *j, int64_t i, int64_t size)
{
    if (size == 0) return -1;
    if (j->padding == GRID_ZEROS) return i >= 0 && i < size ? i : -1;
    if (j->padding == GRID_REFLECTION) {
        double lo = j->align ? 0 : -0.5, hi = (double)size - (j->align ? 1 : 0.5);
        i = (int64_t)grid_reflect((double)i, lo, hi);
    }
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

/* Keys' cubic with a = -0.75. */
static double grid_cubic(double t)
{
    const double a = -0.75;
    t = fabs(t);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* What a cell at distance d counts. */
static double grid_weight(const grid_job *j, double d)
{
    switch (j->mode) {
    case GRID_NEAREST: return 1;
    case GRID_LINEAR: return 1 - fabs(d);
    default: return grid_cubic(d);
    }
}

static grid_taps grid_axis(const grid_job *j, double at, int64_t size, int64_t stride)
{
    grid_taps t = { { GRID_NONE, GRID_NONE, GRID_NONE, GRID_NONE }, { 0 } };
    const double far = 1e15;
    double lo = j->align ? 0 : -0.5, hi = (double)size - (j->align ? 1 : 0.5);
    if (at != at || at > far || at < -far) {    /* no integer holds it */
        if (j->padding == GRID_ZEROS) return t;
        at = at > 0 ? hi : lo;
    }
    if (j->mode == GRID_NEAREST) at = rint(at);
    if (j->padding == GRID_BORDER && j->mode != GRID_CUBIC && (at < lo || at > hi)) at = at < lo ? 0 : (double)size - 1;
    if (j->padding == GRID_REFLECTION) at = grid_reflect(at, lo, hi);
    int64_t first = (int64_t)floor(at) - (j->mode == GRID_CUBIC ? 1 : 0);
    for (int k = 0; k < j->taps; k++) {
        int64_t cell = j->mode == GRID_NEAREST ? (int64_t)at : first + k;
        int64_t inside = grid_cell(j, cell, size);
        if (inside >= 0) t.at[k] = inside * stride;
        t.weight[k] = grid_weight(j, at - (double)cell);
    }
    return t;
}

/* How fast the coordinate, as sampling uses it, moves with the grid value; *at becomes that coordinate. Where it was
   clamped to the border it does not move, at the border itself neither (PyTorch's convention); each reflection turns it
   around. */
static double grid_speed(const grid_job *j, double *at, int64_t size)
{
    const double far = 1e15;
    double lo = j->align ? 0 : -0.5, hi = (double)size - (j->align ? 1 : 0.5), span = hi - lo;
    double by = ((double)size - (j->align ? 1 : 0)) / 2;
    if (*at != *at || *at > far || *at < -far || j->mode == GRID_NEAREST) return 0;
    if (j->padding == GRID_REFLECTION) {
        if (!(span > 0)) return 0;
        double over = *at < lo ? lo - *at : *at - lo;
        bool odd = fmod(floor(over / span), 2) != 0;
        if ((*at < lo) != odd) by = -by;
        *at = grid_reflect(*at, lo, hi);
    }
    bool ends = j->padding != GRID_ZEROS && j->mode != GRID_CUBIC;
    return ends && (*at <= 0 || *at >= (double)size - 1) ? 0 : by;
}

/* d grid_cubic / dt */
static double grid_cubic_slope(double t)
{
    const double a = -0.75, u = fabs(t), sign = t < 0 ? -1 : 1;
    if (u <= 1) return sign * ((3 * (a + 2) * u - 2 * (a + 3)) * u);
    return u < 2 ? sign * ((3 * a * u - 10 * a) * u + 8 * a) : 0;
}

/* d weight / d grid value of the taps that grid_axis made. */
static void grid_slopes(const grid_job *j, double at, int64_t size, const grid_taps *t, double *slope)
{
    double by = grid_speed(j, &at, size);
    double first = floor(at) - (j->mode == GRID_CUBIC ? 1 : 0);
    for (int k = 0; k < j->taps; k++) {
        slope[k] = 0;
        if (by == 0 || t->at[k] == GRID_NONE) continue;
        slope[k] = j->mode == GRID_CUBIC ? by * grid_cubic_slope(at - first - (double)k) : k == 0 ? -by : by;
    }
}

#define BORN_EACH "ops/resize_grid_body.inc"
#include "ops/each_num.inc"
#define BORN_EACH "ops/resize_grid_back.inc"
#include "ops/each_float.inc"

born_status born__shape_grid_sample(born_infer *f)
{
    const born_view *x = &f->in[0], *g = &f->in[1];
    int r = x->rank - 2;
    if (r < 1 || r > 3 || g->rank != x->rank || g->dim[g->rank - 1] != r || g->dim[0] != x->dim[0])
        return born__infer_fail(
            f, BORN_SHAPE, "x is %s, grid %s where [N,C,in...] and [N,out...,r] with 1 to 3 spatial axes are needed",
            born__infer_shape(f, 0), born__infer_shape(f, 1));
    if (!born__dtype_is(g->dtype, BORN_DT_FLOAT))
        return born__infer_fail(f, BORN_DTYPE, "the grid cannot be %s", born_dtype_name(g->dtype));
    int64_t dim[BORN_MAX_RANK] = { x->dim[0], x->dim[1] };
    for (int i = 0; i < r; i++) dim[2 + i] = g->dim[1 + i];
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

static grid_job grid_of(const born_grid_sample_attrs *a, const born_view *x, const born_view *grid, const born_view *y)
{
    grid_job j = { .x = x, .grid = grid, .y = y, .spatial = x->rank - 2, .padding = a->padding_mode,
                   .align = a->align_corners, .points = 1 };
    j.mode = a->mode == 3 ? GRID_LINEAR : a->mode == 4 ? GRID_CUBIC : a->mode;     /* the older spellings */
    j.taps = j.mode == GRID_NEAREST ? 1 : j.mode == GRID_LINEAR ? 2 : GRID_TAPS;
    for (int i = 0; i < j.spatial; i++) j.points *= y->dim[2 + i];
    return j;
}

born_status born__ref_grid_sample(born_call *c, const born_exec *x)
{
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    grid_job j = grid_of(BORN_ATTRS_OF(grid_sample, c), &c->in[0], &c->in[1], &c->out[0]);
    void (*points)(void *, int64_t, int64_t) = BORN_PICK_NUM(j.x->dtype, grid_points);
    if (!points) return born__no_body(c, x);
    born__exec_for(x, j.y->dim[0] * j.points, 1 + 1024 / j.y->dim[1], points, &j);
    return BORN_OK;
}

born_status born__shape_grid_sample_grad(born_infer *f)
{
    born_infer forward = *f;
    born_view y = { .dtype = f->in[0].dtype };
    forward.in = f->in + 1;
    forward.in_count = 2;
    forward.out = &y;
    forward.out_count = 1;
    BORN_TRY(born__shape_grid_sample(&forward));
    bool same = f->in[0].rank == y.rank;
    for (int d = 0; same && d < y.rank; d++) same = f->in[0].dim[d] == y.dim[d];
    if (!same)
        return born__infer_fail(f, BORN_SHAPE, "g %s is no result of sampling %s at %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), born__infer_shape(f, 2));
    for (int i = 0; i < 2; i++) born__out_like(f, i, &f->in[1 + i]);
    return BORN_OK;
}

/* Points of one batch entry add to one image, so only entries are independent. */
born_status born__ref_grid_sample_grad(born_call *c, const born_exec *x)
{
    const born_view *g = &c->in[0];
    grid_job j = grid_of(BORN_ATTRS_OF(grid_sample, c), &c->in[1], &c->in[2], g);
    void (*images)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(g->dtype, grid_back_images);
    if (!images) return born__no_body(c, x);
    j.dx = &c->out[0];
    j.dgrid = c->out_count > 1 && c->out[1].dtype != BORN_DTYPE_NONE && c->out[1].data ? &c->out[1] : NULL;
    if (g->dim[0] > 0) born__exec_for(x, g->dim[0], 1, images, &j);
    return BORN_OK;
}

born_status born__shape_affine_grid(born_infer *f)
{
    const born_view *theta = &f->in[0];
    int64_t size[BORN_MAX_RANK], n, dim[BORN_MAX_RANK];
    BORN_TRY(born__host_i64(f, 1, size, BORN_MAX_RANK, &n));
    int64_t r = n - 2;
    if ((r != 2 && r != 3) || theta->rank != 3 || theta->dim[0] != size[0] || theta->dim[1] != r ||
        theta->dim[2] != r + 1)
        return born__infer_fail(f, BORN_SHAPE,
                                "theta is %s, the size has %lld numbers, where [N,r,r+1] and r+2 (r 2 or 3) "
                                "are needed",
                                born__infer_shape(f, 0), (long long)n);
    for (int i = 0; i <= r; i++) {
        dim[i] = i == 0 ? size[0] : size[i + 1];
        if (dim[i] < 0) return born__infer_fail(f, BORN_SHAPE, "size[%d] = %lld", i, (long long)dim[i]);
    }
    dim[r + 1] = r;
    born__out_set(f, 0, theta->dtype, (int)r + 2, dim);
    return BORN_OK;
}

/* The place of cell i of n on [-1, 1]. */
static double affine_place(bool align, int64_t i, int64_t n)
{
    if (align) return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)n - 1;
}

born_status born__ref_affine_grid(born_call *c, const born_exec *x)
{
    const born_view *theta = &c->in[0], *y = &c->out[0];
    bool align = BORN_ATTRS_OF(affine_grid, c)->align_corners;
    int r = (int)theta->dim[1];
    int64_t n = born__view_count(y), size = born__elem_size(y);
    (void)x;
    for (int64_t e = 0; e < n; e += r) {
        int64_t i = e / r, at[BORN_MAX_RANK] = { 0 };
        for (int d = r; d >= 0; d--) {
            at[d] = i % y->dim[d];
            i /= y->dim[d];
        }
        char *to = y->data;
        const char *row = theta->data + at[0] * theta->stride[0] * size;
        for (int d = 0; d <= r; d++) to += at[d] * y->stride[d] * size;
        for (int k = 0; k < r; k++) {
            double sum = 0;
            for (int m = 0; m <= r; m++) {
                const char *p = row + (k * theta->stride[1] + m * theta->stride[2]) * size;
                double place = m < r ? affine_place(align, at[r - m], y->dim[r - m]) : 1;   /* x is the last axis */
                sum += born__load_f64(theta->dtype, p) * place;
            }
            born__store_f64(y->dtype, to + k * y->stride[r + 1] * size, sum);
        }
    }
    return BORN_OK;
}
