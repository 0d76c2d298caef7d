/* conv_integer and qlinear_conv. Each plane of results (one image, one output channel) is summed in 32 bits, wrapping,
   tap by tap; padding taps are skipped, which is the same as padding with the zero point. Planes are independent. */
#include "ops/conv_window.h"
#include "ops/quant.h"

typedef struct conv_job {
    born_window w;
    born_view x, wt;                    /* [N, C, d, h, w], [M, C / group, d, h, w]: always three spatial dims */
    int64_t M, group, plane;            /* output channels, groups, results per plane */
    int32_t x_zero;
    const born_view *w_zero, *w_scale, *bias;   /* NULL: absent */
    float x_scale, y_scale;
    int32_t *sums;                      /* [N, M, plane] */
    const born_call *c;
    bool requant;
} conv_job;

/* v [A, B, spatial...] with three spatial dims, new ones of size 1 in front. */
static born_view with_3_spatial(const born_view *v)
{
    born_view r = *v;
    int n = v->rank - 2;
    r.rank = 5;
    for (int d = 0; d < 3; d++) {
        r.dim[2 + d] = d < 3 - n ? 1 : v->dim[2 + d - (3 - n)];
        r.stride[2 + d] = d < 3 - n ? 0 : v->stride[2 + d - (3 - n)];
    }
    return r;
}

/* Checks x [N, C, ...] and w [M, C / group, ...]; makes the window and the result's dims. */
static born_status conv_geometry(const born_view *x, const born_view *w, const born_quant_conv_attrs *a, const char *op,
                                 born_window *win, born_shape *out, born_error *err)
{
    char tx[96], tw[96];
    bool fits = x->rank >= 3 && x->rank == w->rank && x->dim[1] % a->group == 0 && w->dim[0] % a->group == 0 &&
                x->dim[1] / a->group == w->dim[1];
    BORN_FAIL_IF(!fits, err, BORN_SHAPE, "%s: shapes do not fit: x %s, w %s, %lld groups", op,
                 born__shape_text(x->dim, x->rank, tx, sizeof tx), born__shape_text(w->dim, w->rank, tw, sizeof tw),
                 (long long)a->group);
    int n = x->rank - 2;
    born_window_attrs spec = BORN_WINDOW_ATTRS(a, false);
    BORN_TRY(born__window_fill(win, &spec, x, w, op, err));
    out->rank = x->rank;
    out->dim[0] = x->dim[0];
    out->dim[1] = w->dim[0];
    for (int d = 0; d < n; d++) out->dim[2 + d] = win->out[3 - n + d];
    return BORN_OK;
}

/* The results [*lo, *hi) along axis a whose tap k lies inside the input. */
static void tap_results(const born_window *w, int a, int64_t k, int64_t *lo, int64_t *hi)
{
    int64_t shift = k * w->dilation[a] - w->pad[a], s = w->stride[a];
    *lo = shift < 0 ? (-shift + s - 1) / s : 0;
    *hi = shift >= w->in[a] ? 0 : (w->in[a] - 1 - shift) / s + 1;
    if (*hi > w->out[a]) *hi = w->out[a];
    if (*lo > *hi) *lo = *hi;
}

/* sums += wv * (x - x_zero) over all results whose tap (kd, kh, kw) lies inside the input plane. */
static void conv_tap(const conv_job *j, const char *plane, const int64_t *k, int32_t wv, int32_t *sums)
{
    const born_window *w = &j->w;
    int64_t lo[3], hi[3], first[3];
    int flip = born__q8_flip(j->x.dtype);
    for (int d = 0; d < 3; d++) {
        tap_results(w, d, k[d], &lo[d], &hi[d]);
        first[d] = k[d] * w->dilation[d] - w->pad[d];
    }
    int64_t step = w->stride[2] * j->x.stride[4];
    for (int64_t od = lo[0]; od < hi[0]; od++) {
        for (int64_t oh = lo[1]; oh < hi[1]; oh++) {
            const char *p = plane + (od * w->stride[0] + first[0]) * j->x.stride[2] +
                            (oh * w->stride[1] + first[1]) * j->x.stride[3] +
                            (lo[2] * w->stride[2] + first[2]) * j->x.stride[4];
            uint32_t *out = (uint32_t *)sums + (od * w->out[1] + oh) * w->out[2] + lo[2];
            for (int64_t i = 0; i < hi[2] - lo[2]; i++)
                out[i] += (uint32_t)(wv * (born__q8(p + i * step, flip) - j->x_zero));
        }
    }
}

static void conv_plane(const conv_job *j, int64_t n, int64_t m, int32_t *sums)
{
    int flip = born__q8_flip(j->wt.dtype);
    int32_t zero = 0;
    if (j->w_zero) zero = (int32_t)born__at_i64(j->w_zero, born__view_count(j->w_zero) == 1 ? 0 : m);
    int64_t per = j->wt.dim[1], c0 = m / (j->M / j->group) * per;
    memset(sums, 0, (size_t)j->plane * sizeof *sums);
    for (int64_t ch = 0; ch < per; ch++) {
        const char *plane = j->x.data + n * j->x.stride[0] + (c0 + ch) * j->x.stride[1];
        const char *taps = j->wt.data + m * j->wt.stride[0] + ch * j->wt.stride[1];
        int64_t k[3];
        for (k[0] = 0; k[0] < j->w.kernel[0]; k[0]++)
            for (k[1] = 0; k[1] < j->w.kernel[1]; k[1]++)
                for (k[2] = 0; k[2] < j->w.kernel[2]; k[2]++) {
                    const char *p = taps + k[0] * j->wt.stride[2] + k[1] * j->wt.stride[3] + k[2] * j->wt.stride[4];
                    conv_tap(j, plane, k, born__q8(p, flip) - zero, sums);
                }
    }
}

static void conv_finish(const conv_job *j, int64_t n, int64_t m, const int32_t *sums)
{
    const born_call *c = j->c;
    const born_view *y = &c->out[0];
    born_requant q = born__requant_for(y->dtype, born__zero_of(c, 7));
    float ws = (float)born__at_f64(j->w_scale, born__view_count(j->w_scale) == 1 ? 0 : m);
    float mult = j->x_scale * ws / j->y_scale;
    uint32_t bias = j->bias ? (uint32_t)(int32_t)born__at_i64(j->bias, m) : 0;
    uint8_t *out = (uint8_t *)y->data + n * y->stride[0] + m * y->stride[1];
    bool dense = born__view_contiguous(y);
    for (int64_t i = 0; i < j->plane; i++) {
        float v = (float)(int32_t)((uint32_t)sums[i] + bias);
        int64_t at = dense ? i : born__offset_of(y->dim + 2, y->stride + 2, y->rank - 2, i);
        out[at] = born__requant_u8(&q, v * mult);
    }
}

static void conv_part(void *ctx, int64_t begin, int64_t end)
{
    const conv_job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        int32_t *sums = j->sums + i * j->plane;
        conv_plane(j, i / j->M, i % j->M, sums);
        if (j->requant) conv_finish(j, i / j->M, i % j->M, sums);
    }
}

static born_status conv_run(conv_job *j, const born_exec *x, const born_view *in, const born_view *w)
{
    born_shape out;
    const born_quant_conv_attrs *a = BORN_ATTRS_OF(quant_conv, j->c);
    BORN_TRY(conv_geometry(in, w, a, j->c->op->name, &j->w, &out, x->err));
    j->x = with_3_spatial(in);
    j->wt = with_3_spatial(w);
    j->M = w->dim[0];
    j->group = a->group;
    if (born__view_count(&j->c->out[0]) == 0) return BORN_OK;
    j->plane = j->w.out[0] * j->w.out[1] * j->w.out[2];
    born__exec_for(x, in->dim[0] * j->M, 1, conv_part, j);
    return BORN_OK;
}

/* ---- conv_integer: x w xz wz ---- */

born_status born__shape_conv_integer(born_infer *f)
{
    born_window win;
    born_shape out;
    BORN_TRY(born__need_dtype(f, 1, BORN_DT_Q8));
    BORN_TRY(conv_geometry(&f->in[0], &f->in[1], BORN_ATTRS_OF(quant_conv, f), f->op->name, &win, &out, f->err));
    BORN_TRY(born__need_scalar(f, 2, true));
    BORN_TRY(born__need_scalar_or_vector(f, 3, f->in[1].dim[0], true));
    born__out_set(f, 0, BORN_I32, out.rank, out.dim);
    return BORN_OK;
}

born_status born__ref_conv_integer(born_call *c, const born_exec *x)
{
    conv_job j = { .c = c, .sums = (int32_t *)(void *)c->out[0].data, .x_zero = (int32_t)born__zero_of(c, 2),
                   .w_zero = born__has(c, 3) ? &c->in[3] : NULL };
    return conv_run(&j, x, &c->in[0], &c->in[1]);
}

/* ---- qlinear_conv: x xs xz w ws wz ys yz bias ---- */

born_status born__shape_qlinear_conv(born_infer *f)
{
    born_window win;
    born_shape out;
    BORN_TRY(born__need_dtype(f, 3, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 7, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 8, BORN_DT(I32)));
    BORN_TRY(conv_geometry(&f->in[0], &f->in[3], BORN_ATTRS_OF(quant_conv, f), f->op->name, &win, &out, f->err));
    int64_t m = f->in[3].dim[0];
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__need_scalar(f, 2, false));
    BORN_TRY(born__need_scalar_or_vector(f, 4, m, false));
    BORN_TRY(born__need_scalar_or_vector(f, 5, m, false));
    BORN_TRY(born__need_scalar(f, 6, false));
    BORN_TRY(born__need_scalar(f, 7, false));
    if (born__infer_has(f, 8) && !(f->in[8].rank == 1 && f->in[8].dim[0] == m))
        return born__infer_fail(f, BORN_SHAPE, "bias %s is not [%lld]", born__infer_shape(f, 8), (long long)m);
    born__out_set(f, 0, f->in[7].dtype, out.rank, out.dim);
    return BORN_OK;
}

size_t born__scratch_qlinear_conv(const born_call *c)
{
    size_t n = (size_t)born__view_count(&c->out[0]);
    return born__mul_size(n, sizeof(int32_t), &n) ? n : SIZE_MAX;
}

born_status born__ref_qlinear_conv(born_call *c, const born_exec *x)
{
    conv_job j = { .c = c, .sums = x->scratch, .x_zero = (int32_t)born__zero_of(c, 2), .w_zero = &c->in[5],
                   .w_scale = &c->in[4], .bias = born__has(c, 8) ? &c->in[8] : NULL, .x_scale = born__scale_of(c, 1),
                   .y_scale = born__scale_of(c, 6), .requant = true };
    return conv_run(&j, x, &c->in[0], &c->in[3]);
}
