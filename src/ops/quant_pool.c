/* Average pooling of 8-bit tensors. Sums of a window are exact integers; the division, the change of scale and the
   rounding come once at the end. */
#include "ops/conv_window.h"
#include "ops/quant.h"

static born_status pool_params(born_infer *f)
{
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__need_scalar(f, 2, true));
    BORN_TRY(born__need_scalar(f, 3, false));
    return born__need_scalar(f, 4, true);
}

/* x's dims as [N, C, spatial...], however it is laid out. */
static born_view channels_second(const born_view *v, bool last)
{
    born_view r = *v;
    if (!last) return r;
    r.dim[1] = v->dim[v->rank - 1];
    r.stride[1] = v->stride[v->rank - 1];
    for (int d = 2; d < v->rank; d++) {
        r.dim[d] = v->dim[d - 1];
        r.stride[d] = v->stride[d - 1];
    }
    return r;
}

static born_status pool_window(const born_quant_pool_attrs *a, const born_view *x, const char *op, born_window *w,
                               born_error *err)
{
    BORN_FAIL_IF(x->rank < 3 || a->kernel_shape.count != x->rank - 2, err, BORN_SHAPE,
                 "%s: kernel_shape has %lld sizes for x of rank %d", op, (long long)a->kernel_shape.count, x->rank);
    born_window_attrs spec = { .auto_pad = a->auto_pad, .ceil_mode = a->ceil_mode, .kernel = a->kernel_shape,
                               .strides = a->strides, .pads = a->pads };
    return born__window_fill(w, &spec, x, NULL, op, err);
}

born_status born__shape_qlinear_average_pool(born_infer *f)
{
    const born_quant_pool_attrs *a = BORN_ATTRS_OF(quant_pool, f);
    BORN_TRY(pool_params(f));
    born_view x = channels_second(&f->in[0], a->channels_last && f->in[0].rank > 2);
    born_window w;
    BORN_TRY(pool_window(a, &x, f->op->name, &w, f->err));
    int n = x.rank - 2, first = a->channels_last ? 1 : 2;
    born__out_like(f, 0, &f->in[0]);
    for (int d = 0; d < n && f->out_count > 0; d++) f->out[0].dim[first + d] = w.out[3 - n + d];
    return BORN_OK;
}

typedef struct pool_job {
    born_window w;
    born_view x, y;             /* [N, C, spatial...] */
    int n;                      /* spatial dims */
    int64_t plane;
    bool include_pad;
    float x_scale, y_scale;
    int64_t zero;
    born_requant q;
} pool_job;

/* Sum of x - zero and number of elements of the window of result `at` (spatial index, three dims). */
static int64_t window_sum(const pool_job *j, const char *plane, const int64_t *at, int64_t *count)
{
    const born_window *w = &j->w;
    int64_t lo[3], hi[3], sum = 0, step[3] = { 0 };
    int flip = born__q8_flip(j->x.dtype);
    *count = 1;
    for (int d = 0; d < 3; d++) {
        int64_t first = at[d] * w->stride[d] - w->pad[d], end = first + w->kernel[d];
        lo[d] = first < 0 ? 0 : first;
        hi[d] = end > w->in[d] ? w->in[d] : end;
        if (hi[d] < lo[d]) hi[d] = lo[d];
        *count = (int64_t)((uint64_t)*count * (uint64_t)(hi[d] - lo[d]));     /* may pass 2^63 on the way to 0 */
        if (d >= 3 - j->n) step[d] = j->x.stride[2 + d - (3 - j->n)];
    }
    if (*count == 0) return 0;
    for (int64_t a = lo[0]; a < hi[0]; a++)
        for (int64_t b = lo[1]; b < hi[1]; b++)
            for (int64_t c = lo[2]; c < hi[2]; c++)
                sum += born__q8(plane + a * step[0] + b * step[1] + c * step[2], flip) - j->zero;
    return sum;
}

static void pool_part(void *ctx, int64_t begin, int64_t end)
{
    const pool_job *j = ctx;
    const born_window *w = &j->w;
    double full = (double)w->kernel[0] * (double)w->kernel[1] * (double)w->kernel[2];
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / j->x.dim[1], ch = i % j->x.dim[1], count;
        const char *plane = j->x.data + n * j->x.stride[0] + ch * j->x.stride[1];
        char *out = j->y.data + n * j->y.stride[0] + ch * j->y.stride[1];
        for (int64_t k = 0; k < j->plane; k++) {
            int64_t at[3] = { k / (w->out[1] * w->out[2]), k / w->out[2] % w->out[1], k % w->out[2] };
            float sum = (float)window_sum(j, plane, at, &count) * j->x_scale;
            float mean = count == 0 ? 0 : sum / (j->include_pad ? (float)full : (float)count);
            *(uint8_t *)(out + born__offset_of(j->y.dim + 2, j->y.stride + 2, j->n, k)) =
                born__requant_u8(&j->q, mean / j->y_scale);
        }
    }
}

static void pool_run(born_call *c, const born_exec *x, pool_job *j)
{
    j->x_scale = born__scale_of(c, 1);
    j->zero = born__zero_of(c, 2);
    j->y_scale = born__scale_of(c, 3);
    j->q = born__requant_for(c->out[0].dtype, born__zero_of(c, 4));
    j->n = j->x.rank - 2;
    if (born__view_count(&c->out[0]) == 0) return;
    j->plane = j->w.out[0] * j->w.out[1] * j->w.out[2];
    born__exec_for(x, j->x.dim[0] * j->x.dim[1], 1, pool_part, j);
}

born_status born__ref_qlinear_average_pool(born_call *c, const born_exec *x)
{
    const born_quant_pool_attrs *a = BORN_ATTRS_OF(quant_pool, c);
    pool_job j = { .include_pad = a->count_include_pad };
    j.x = channels_second(&c->in[0], a->channels_last);
    j.y = channels_second(&c->out[0], a->channels_last);
    BORN_TRY(pool_window(a, &j.x, c->op->name, &j.w, x->err));
    pool_run(c, x, &j);
    return BORN_OK;
}

born_status born__shape_qlinear_global_average_pool(born_infer *f)
{
    const born_quant_pool_attrs *a = BORN_ATTRS_OF(quant_pool, f);
    BORN_TRY(pool_params(f));
    int rank = f->in[0].rank, first = a->channels_last ? 1 : 2;
    if (rank < 3 || rank > 5)
        return born__infer_fail(f, BORN_SHAPE, "x %s has not 1 to 3 spatial dims", born__infer_shape(f, 0));
    born__out_like(f, 0, &f->in[0]);
    for (int d = 0; d < rank - 2 && f->out_count > 0; d++) f->out[0].dim[first + d] = 1;
    return BORN_OK;
}

born_status born__ref_qlinear_global_average_pool(born_call *c, const born_exec *x)
{
    bool last = BORN_ATTRS_OF(quant_pool, c)->channels_last;
    pool_job j = { .include_pad = false };
    j.x = channels_second(&c->in[0], last);
    j.y = channels_second(&c->out[0], last);
    int n = j.x.rank - 2;
    for (int d = 0; d < 3; d++) {
        j.w.in[d] = d < 3 - n ? 1 : j.x.dim[2 + d - (3 - n)];
        j.w.kernel[d] = j.w.in[d];
        j.w.out[d] = j.w.stride[d] = j.w.dilation[d] = 1;
    }
    pool_run(c, x, &j);
    return BORN_OK;
}
