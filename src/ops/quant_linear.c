/* quantize_linear, dequantize_linear, dynamic_quantize_linear. Scale and zero point go along with x as operands of the
   walk: step 0 for one of the whole tensor, the axis alone for one of each slice. With blocks along the axis every
   block is a walk of its own. */
#include <math.h>

#include "ops/quant.h"

#define QUANT_16 (BORN_DT_Q8 | BORN_DT(I16) | BORN_DT(U16))

/* Scale and zero point against x: checks shapes; the axis to *axis, -1 where one element serves all. */
static born_status scale_rule(born_infer *f, int *axis)
{
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, f);
    const born_view *x = &f->in[0], *s = &f->in[1];
    int64_t n;
    *axis = -1;
    if (born__infer_has(f, 2)) {
        const born_view *z = &f->in[2];
        bool same = z->rank == s->rank, one = z->rank + s->rank == 1;      /* [] and [1] are one element each */
        for (int d = 0; same && d < z->rank; d++) same = z->dim[d] == s->dim[d];
        if (one) same = (z->rank == 1 ? z->dim[0] : s->dim[0]) == 1;
        if (!same)
            return born__infer_fail(f, BORN_SHAPE, "scale %s and zero point %s differ in shape",
                                    born__infer_shape(f, 1), born__infer_shape(f, 2));
    }
    if (a->block_size == 0 && born__shape_count(s->dim, s->rank, &n) && n == 1 && s->rank <= 1) return BORN_OK;
    BORN_TRY(born__axis(f, a->axis, x->rank, axis));
    if (a->block_size == 0) {
        if (s->rank == 1 && s->dim[0] == x->dim[*axis]) return BORN_OK;
        return born__infer_fail(f, BORN_SHAPE, "scale %s does not fit axis %d of x %s", born__infer_shape(f, 1), *axis,
                                born__infer_shape(f, 0));
    }
    bool fits = s->rank == x->rank;
    for (int d = 0; fits && d < x->rank; d++) {
        int64_t want = x->dim[d];
        if (d == *axis) want = want / a->block_size + (want % a->block_size != 0);
        fits = s->dim[d] == want;
    }
    if (fits) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "scale %s does not fit x %s in blocks of %lld along axis %d",
                            born__infer_shape(f, 1), born__infer_shape(f, 0), (long long)a->block_size, *axis);
}

born_status born__shape_quantize_linear(born_infer *f)
{
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, f);
    int axis;
    BORN_TRY(scale_rule(f, &axis));
    BORN_TRY(born__need_dtype(f, 1, BORN_DT(F32) | BORN_DT(F16) | BORN_DT(BF16) | BORN_DT(I32)));
    born_dtype t = born__infer_has(f, 2) ? f->in[2].dtype : a->output_dtype ? a->output_dtype : BORN_U8;
    if (a->output_dtype && a->output_dtype != t)
        return born__infer_fail(f, BORN_DTYPE, "output_dtype %s differs from the zero point's %s",
                                born_dtype_name(a->output_dtype), born_dtype_name(t));
    if (!born__dtype_is(t, QUANT_16))
        return born__infer_fail(f, BORN_UNSUPPORTED, "cannot quantise to %s", born_dtype_name(t));
    born__out_set(f, 0, t, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__shape_dequantize_linear(born_infer *f)
{
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, f);
    int axis;
    BORN_TRY(scale_rule(f, &axis));
    BORN_TRY(born__need_dtype(f, 1, BORN_DT(F32) | BORN_DT(F16) | BORN_DT(BF16)));
    born_dtype t = a->output_dtype ? a->output_dtype : f->in[1].dtype;
    if (!born__dtype_is(t, BORN_DT(F32) | BORN_DT(F16) | BORN_DT(BF16)))
        return born__infer_fail(f, BORN_UNSUPPORTED, "cannot dequantise to %s", born_dtype_name(t));
    born__out_set(f, 0, t, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

typedef struct quant_walk { bool has_zero, x_is_int, scale_is_int; born_dtype y; } quant_walk;

#define T int8_t
#define N(name) name##_i8
#define LO (-128)
#define HI 127
#include "ops/quant_linear.inc"
#undef T
#undef N
#undef LO
#undef HI
#define T uint8_t
#define N(name) name##_u8
#define LO 0
#define HI 255
#include "ops/quant_linear.inc"
#undef T
#undef N
#undef LO
#undef HI
#define T int16_t
#define N(name) name##_i16
#define LO (-32768)
#define HI 32767
#include "ops/quant_linear.inc"
#undef T
#undef N
#undef LO
#undef HI
#define T uint16_t
#define N(name) name##_u16
#define LO 0
#define HI 65535
#include "ops/quant_linear.inc"
#undef T
#undef N
#undef LO
#undef HI

static void dequantize_run_i32(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const quant_walk *w = ctx;
    for (int64_t i = 0; i < n; i++) {
        float s = *(const float *)(const void *)(p[2] + i * step[2]);
        int64_t zero = w->has_zero ? *(const int32_t *)(const void *)(p[3] + i * step[3]) : 0;
        float v = (float)(*(const int32_t *)(const void *)(p[1] + i * step[1]) - zero) * s;
        if (w->y == BORN_F32) *(float *)(void *)(p[0] + i * step[0]) = v;
        else born__store_f64(w->y, p[0] + i * step[0], (double)v);
    }
}

/* One walk over y, x, scale, zero for positions [lo, lo + n) of axis; block: index of scale along axis, -1 where there
   are no blocks. */
static void walk_part(const born_call *c, const born_exec *x, int axis, int64_t lo, int64_t n, int64_t block,
                      born_nd_body body, quant_walk *ctx)
{
    const born_view *v[4] = { &c->out[0], &c->in[0], &c->in[1], ctx->has_zero ? &c->in[2] : &c->in[1] };
    int rank = v[1]->rank;
    int64_t dim[BORN_MAX_RANK];
    memcpy(dim, v[1]->dim, sizeof dim);
    if (block >= 0) dim[axis] = n;
    born_nd w;
    born__nd_start(&w, dim, rank);
    for (int k = 0; k < 4; k++) {
        int64_t stride[BORN_MAX_RANK] = { 0 };
        char *p = v[k]->data;
        int size = born__elem_size(v[k]);
        if (k < 2) {
            memcpy(stride, v[k]->stride, sizeof stride);
            if (block >= 0) p += lo * stride[axis] * size;
        } else if (block >= 0) {
            memcpy(stride, v[k]->stride, sizeof stride);
            p += block * stride[axis] * size;
            stride[axis] = 0;
        } else if (axis >= 0) {
            stride[axis] = v[k]->stride[0];
        }
        born__nd_add_raw(&w, p, stride, size);
    }
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 4096, body, ctx);
}

static born_status walk_all(born_call *c, const born_exec *x, born_nd_body body, quant_walk *ctx)
{
    const born_quantize_attrs *a = BORN_ATTRS_OF(quantize, c);
    const born_view *in = &c->in[0];
    if (!body) return born__no_body(c, x);
    if (born__view_count(in) == 0) return BORN_OK;
    int axis = (int)(a->axis < 0 ? a->axis + in->rank : a->axis);
    if (a->block_size == 0) {
        bool one = born__view_count(&c->in[1]) == 1 && c->in[1].rank <= 1;
        walk_part(c, x, one ? -1 : axis, 0, 0, -1, body, ctx);
        return BORN_OK;
    }
    int64_t n = in->dim[axis];
    for (int64_t lo = 0, b = 0; lo < n; b++) {
        int64_t m = a->block_size < n - lo ? a->block_size : n - lo;
        walk_part(c, x, axis, lo, m, b, body, ctx);
        lo += m;
    }
    return BORN_OK;
}

born_status born__ref_quantize_linear(born_call *c, const born_exec *x)
{
    quant_walk w = { born__has(c, 2), c->in[0].dtype == BORN_I32, c->in[1].dtype == BORN_I32, c->out[0].dtype };
    born_nd_body body = w.y == BORN_I8    ? quantize_run_i8
                        : w.y == BORN_U8  ? quantize_run_u8
                        : w.y == BORN_I16 ? quantize_run_i16
                        : w.y == BORN_U16 ? quantize_run_u16
                                          : NULL;
    return walk_all(c, x, body, &w);
}

born_status born__ref_dequantize_linear(born_call *c, const born_exec *x)
{
    quant_walk w = { born__has(c, 2), false, false, c->out[0].dtype };
    born_dtype t = c->in[0].dtype;
    born_nd_body body = t == BORN_I8    ? dequantize_run_i8
                        : t == BORN_U8  ? dequantize_run_u8
                        : t == BORN_I16 ? dequantize_run_i16
                        : t == BORN_U16 ? dequantize_run_u16
                        : t == BORN_I32 ? dequantize_run_i32
                                        : NULL;
    return walk_all(c, x, body, &w);
}

born_status born__shape_dynamic_quantize_linear(born_infer *f)
{
    born__out_set(f, 0, BORN_U8, f->in[0].rank, f->in[0].dim);
    born__out_set(f, 1, BORN_F32, 0, NULL);
    born__out_set(f, 2, BORN_U8, 0, NULL);
    return BORN_OK;
}

typedef struct range { float lo, hi; } range;
static void range_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    range *r = ctx;
    for (int64_t i = 0; i < n; i++) {
        float v = *(const float *)(const void *)(p[0] + i * step[0]);
        if (v < r->lo) r->lo = v;
        if (v > r->hi) r->hi = v;
    }
}

void born__dynamic_range(const born_view *x, float *scale, int32_t *zero)
{
    range r = { 0, 0 };
    born_nd w;
    born__nd_start(&w, x->dim, x->rank);
    born__nd_add(&w, x);
    born__nd_merge(&w);
    born__nd_range(&w, 0, w.total, range_run, &r);
    *scale = r.hi > r.lo ? (r.hi - r.lo) / 255.0f : 1.0f;
    *zero = born__saturate(born__round_even(-r.lo / *scale), 0, 255);
}

typedef struct dynamic { float scale; int32_t zero; } dynamic;
static void dynamic_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const dynamic *d = ctx;
    for (int64_t i = 0; i < n; i++) {
        float v = *(const float *)(const void *)(p[1] + i * step[1]);
        *(uint8_t *)(p[0] + i * step[0]) = (uint8_t)born__saturate(born__round_even(v / d->scale) + d->zero, 0, 255);
    }
}

void born__dynamic_apply(const born_exec *x, const born_view *y, const born_view *in, float scale, int32_t zero)
{
    dynamic d = { scale, zero };
    born_nd w;
    born__nd_start(&w, in->dim, in->rank);
    born__nd_add(&w, y);
    born__nd_add(&w, in);
    born__nd_merge(&w);
    born__nd_for(&w, x, 4096, dynamic_run, &d);
}

born_status born__ref_dynamic_quantize_linear(born_call *c, const born_exec *x)
{
    float scale;
    int32_t zero;
    born__dynamic_range(&c->in[0], &scale, &zero);
    if (c->out[0].data) born__dynamic_apply(x, &c->out[0], &c->in[0], scale, zero);
    if (c->out_count > 1 && c->out[1].data) *(float *)(void *)c->out[1].data = scale;
    if (c->out_count > 2 && c->out[2].data) *(uint8_t *)c->out[2].data = (uint8_t)zero;
    return BORN_OK;
}
