/* Reference kernels of max_roi_pool (Girshick 2015) and roi_align (He et al. 2017). Regions are data: coordinates may
   be any float, image numbers any integer. Image numbers are checked, coordinates are limited before they become
   integers, and a region so large that its sampling grid would be absurd is refused. */
#include <math.h>

#include "ops/ref.h"

typedef struct roi_job {
    const born_view *x, *rois, *image, *y;
    double scale;
    int64_t sampling;
    bool half_pixel, max;
} roi_job;

static inline const char *roi_plane(const born_view *v, int64_t n, int64_t ch)
{
    return v->data + (n * v->stride[0] + ch * v->stride[1]) * born__elem_size(v);
}

/* v as an integer within +-2^31; NaN is 0. */
static inline int64_t roi_int(double v)
{
    const double limit = 2147483648.0;
    return v != v ? 0 : v > limit ? (int64_t)limit : v < -limit ? (int64_t)-limit : (int64_t)v;
}

#define BORN_EACH "ops/pool_roi_body.inc"
#include "ops/each_float.inc"

static born_status check_image(const born_call *c, const born_exec *x, int64_t region, double image)
{
    int64_t images = c->in[0].dim[0];
    BORN_FAIL_IF(!(image >= 0 && image < (double)images), x->err, BORN_RANGE,
                 "%s: region %lld is of image %.10g where x has %lld", c->op->name, (long long)region, image,
                 (long long)images);
    return BORN_OK;
}

born_status born__ref_max_roi_pool(born_call *c, const born_exec *x)
{
    const born_max_roi_pool_attrs *a = BORN_ATTRS_OF(max_roi_pool, c);
    roi_job j = { .x = &c->in[0], .rois = &c->in[1], .y = &c->out[0], .scale = a->spatial_scale };
    int64_t n = j.rois->dim[0];
    if (born__view_count(j.y) == 0) return BORN_OK;
    for (int64_t r = 0; r < n; r++)
        BORN_TRY(check_image(c, x, r, born__load_f64(j.rois->dtype, j.rois->data + r * j.rois->stride[0] *
                                                                                       born__elem_size(j.rois))));
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(j.x->dtype, roi_max_rows);
    if (!rows) return born__no_body(c, x);
    born__exec_for(x, n * j.x->dim[1], 4, rows, &j);
    return BORN_OK;
}

born_status born__ref_roi_align(born_call *c, const born_exec *x)
{
    const born_roi_align_attrs *a = BORN_ATTRS_OF(roi_align, c);
    roi_job j = { .x = &c->in[0], .rois = &c->in[1], .image = &c->in[2], .y = &c->out[0], .scale = a->spatial_scale,
                  .sampling = a->sampling_ratio, .half_pixel = a->coordinate_mode == 0, .max = a->mode == 1 };
    int64_t n = j.rois->dim[0];
    if (born__view_count(j.y) == 0) return BORN_OK;
    bool (*fits)(const roi_job *, int64_t) = BORN_PICK_FLOAT(j.x->dtype, roi_fits);
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(j.x->dtype, roi_align_rows);
    if (!fits || !rows) return born__no_body(c, x);
    for (int64_t r = 0; r < n; r++) {
        BORN_TRY(check_image(c, x, r, (double)born__at_i64(j.image, r)));
        BORN_FAIL_IF(!fits(&j, r), x->err, BORN_RANGE, "%s: region %lld is far larger than x", c->op->name,
                     (long long)r);
    }
    born__exec_for(x, n * j.x->dim[1], 1, rows, &j);
    return BORN_OK;
}

born_status born__shape_roi_align_grad(born_infer *f)
{
    const born_roi_align_attrs *a = BORN_ATTRS_OF(roi_align, f);
    const born_view *g = &f->in[0], *r = &f->in[1], *b = &f->in[2];
    int64_t dim[4], n;
    BORN_TRY(born__host_i64(f, 3, dim, 4, &n));
    if (a->mode != 0) return born__infer_fail(f, BORN_UNSUPPORTED, "mode max has no such gradient");
    bool fits = n == 4 && g->rank == 4 && r->rank == 2 && r->dim[1] == 4 && b->rank == 1 && b->dim[0] == r->dim[0] &&
                g->dim[0] == r->dim[0] && g->dim[2] == a->output_height && g->dim[3] == a->output_width;
    for (int i = 0; fits && i < 4; i++) fits = dim[i] >= 0;
    if (!fits || g->dim[1] != dim[1])
        return born__infer_fail(f, BORN_SHAPE, "g is %s, regions %s, images %s where [R,C,%lld,%lld], [R,4] and [R] "
                                "are needed", born__infer_shape(f, 0), born__infer_shape(f, 1), born__infer_shape(f, 2),
                                (long long)a->output_height, (long long)a->output_width);
    born__out_set(f, 0, g->dtype, 4, dim);
    return BORN_OK;
}

born_status born__ref_roi_align_grad(born_call *c, const born_exec *x)
{
    const born_roi_align_attrs *a = BORN_ATTRS_OF(roi_align, c);
    /* as in roi_align, with the gradient where its result was and the gradient of x where x was */
    roi_job j = { .x = &c->out[0], .rois = &c->in[1], .image = &c->in[2], .y = &c->in[0], .scale = a->spatial_scale,
                  .sampling = a->sampling_ratio, .half_pixel = a->coordinate_mode == 0 };
    if (born__view_count(j.x) == 0) return BORN_OK;
    bool (*fits)(const roi_job *, int64_t) = BORN_PICK_FLOAT(j.x->dtype, roi_fits);
    void (*channels)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(j.x->dtype, roi_align_back);
    if (!fits || !channels) return born__no_body(c, x);
    for (int64_t r = 0; r < j.rois->dim[0]; r++) {
        int64_t image = born__at_i64(j.image, r);
        BORN_FAIL_IF(image < 0 || image >= j.x->dim[0], x->err, BORN_RANGE,
                     "%s: region %lld is of image %lld where x has %lld", c->op->name, (long long)r, (long long)image,
                     (long long)j.x->dim[0]);
        BORN_FAIL_IF(!fits(&j, r), x->err, BORN_RANGE, "%s: region %lld is far larger than x", c->op->name,
                     (long long)r);
    }
    born__exec_for(x, j.x->dim[1], 1, channels, &j);
    return BORN_OK;
}
