/* Elementwise ops whose operands differ in dtype or number, so that no formula row fits: pow, fma, where, clip, copies
   and dropout. */
#include <math.h>

#include "ops/copy_view.h"
#include "ops/elementwise.h"
#include "ops/lane1.h"
#include "ops/numbers.h"
#include "ops/ref.h"
#include "ops/words_f64.h"

enum { GRAIN = 16384 };

#define T int64_t
#define U uint64_t
#define N(name) name##_i64
#define IS_SIGNED 1
#include "ops/words_int.inc"
#undef T
#undef U
#undef N
#undef IS_SIGNED
#define T uint64_t
#define U uint64_t
#define N(name) name##_u64
#define IS_SIGNED 0
#include "ops/words_int.inc"
#undef T
#undef U
#undef N
#undef IS_SIGNED

/* A walk over the result and all operands, broadcast. */
static void walk_all(const born_call *c, born_nd *nd)
{
    born__nd_start(nd, c->out[0].dim, c->out[0].rank);
    born__nd_add(nd, &c->out[0]);
    for (int i = 0; i < c->in_count; i++) born__nd_add(nd, &c->in[i]);
    born__nd_free_order(nd);
    born__nd_merge(nd);
}

/* ---- pow ---- */

typedef struct pow_job { born_dtype x, y, z; born_class cls; } pow_job;

static int64_t round_down(double v)     /* towards 0, saturating */
{
    return v >= 0x1p63 ? INT64_MAX : v >= -0x1p63 ? (int64_t)v : v < 0 ? INT64_MIN : 0;
}

/* An integer base: exact where the exponent is an integer, through f64 where it is not. */
static void pow_ints(const pow_job *w, const char *x, int64_t xstep, const char *y, int64_t ystep, int64_t n,
                     born_run *out)
{
    born_run xb, yb;
    bool real = born__dtype_is(w->y, BORN_DT_FLOAT), is_signed = w->cls == BORN_CLASS_I64;
    if (real) {
        const double *xs = born__run_read(BORN_CLASS_F64, w->x, x, xstep, n, &xb);
        const double *ys = born__run_read(BORN_CLASS_F64, w->y, y, ystep, n, &yb);
        for (int64_t i = 0; i < n; i++) out->i64[i] = round_down(pow_f64(xs[i], ys[i]));
        return;
    }
    const void *xs = born__run_read(w->cls, w->x, x, xstep, n, &xb);
    born_class ycls = born__class_of(w->y);
    const void *ys = born__run_read(ycls, w->y, y, ystep, n, &yb);
    for (int64_t i = 0; i < n; i++) {
        uint64_t e;
        memcpy(&e, (const char *)ys + i * 8, sizeof e);
        bool below = ycls == BORN_CLASS_I64 && e >> 63;
        if (is_signed) {
            int64_t base = ((const int64_t *)xs)[i];
            bool huge = ycls == BORN_CLASS_U64 && e >> 63;      /* keep the parity, drop the top bit: base^2^63 wraps */
            out->i64[i] = huge ? wrap_i64(pow_u64((uint64_t)base, e)) : pow_i64(base, wrap_i64(e));
        } else {
            uint64_t base = ((const uint64_t *)xs)[i];
            out->u64[i] = below ? base == 1 : pow_u64(base, e);
        }
    }
}

static void pow_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const pow_job *w = ctx;
    born_run xb, yb, zb;
    for (int64_t done = 0; done < n; done += BORN_RUN) {
        int64_t k = n - done < BORN_RUN ? n - done : BORN_RUN;
        char *z = p[0] + done * step[0];
        const char *x = p[1] + done * step[1], *y = p[2] + done * step[2];
        if (w->cls == BORN_CLASS_F32) {
            const float *xs = born__run_read(w->cls, w->x, x, step[1], k, &xb);
            const float *ys = born__run_read(w->cls, w->y, y, step[2], k, &yb);
            for (int64_t i = 0; i < k; i++) zb.f32[i] = pow_f32(xs[i], ys[i]);
        } else if (w->cls == BORN_CLASS_F64) {
            const double *xs = born__run_read(w->cls, w->x, x, step[1], k, &xb);
            const double *ys = born__run_read(w->cls, w->y, y, step[2], k, &yb);
            for (int64_t i = 0; i < k; i++) zb.f64[i] = pow_f64(xs[i], ys[i]);
        } else {
            pow_ints(w, x, step[1], y, step[2], k, &zb);
        }
        born__run_write(w->cls, w->z, z, step[0], k, &zb);
    }
}

born_status born__ref_pow(born_call *c, const born_exec *x)
{
    pow_job w = { c->in[0].dtype, c->in[1].dtype, c->out[0].dtype, BORN_CLASS_F32 };
    if (w.x != BORN_F16 && w.x != BORN_BF16) w.cls = born__class_of(w.x);
    born_nd nd;
    walk_all(c, &nd);
    born__nd_for(&nd, x, GRAIN / 8, pow_run, &w);
    return BORN_OK;
}

/* ---- fma ---- */

static void fma_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    born_dtype t = *(const born_dtype *)ctx;
    for (int64_t i = 0; i < n; i++) {
        const char *a = p[1] + i * step[1], *b = p[2] + i * step[2], *d = p[3] + i * step[3];
        char *z = p[0] + i * step[0];
        if (t == BORN_F64) {
            double v = fma(*(const double *)(const void *)a, *(const double *)(const void *)b,
                           *(const double *)(const void *)d);
            memcpy(z, &v, sizeof v);
        } else {
            float v = born__fmaf(*(const float *)(const void *)a, *(const float *)(const void *)b,
                           *(const float *)(const void *)d);
            memcpy(z, &v, sizeof v);
        }
    }
}

born_status born__ref_fma(born_call *c, const born_exec *x)
{
    born_nd nd;
    walk_all(c, &nd);
    born__nd_for(&nd, x, GRAIN, fma_run, &c->in[0].dtype);
    return BORN_OK;
}

/* ---- where ---- */

#define BORN_EACH "ops/where.inc"
#include "ops/each_size.inc"

born_status born__ref_where(born_call *c, const born_exec *x)
{
    born_nd nd;
    born_nd_body body = BORN_PICK_SIZE(born__elem_size(&c->out[0]), where);
    if (!body) return born__no_body(c, x);
    walk_all(c, &nd);
    born__nd_for(&nd, x, GRAIN, body, NULL);
    return BORN_OK;
}

/* ---- clip ---- */

#define BORN_EACH "ops/clip.inc"
#include "ops/each_num.inc"

born_status born__shape_clip(born_infer *f)
{
    for (int i = 1; i < f->in_count; i++) {
        if (!born__infer_has(f, i)) continue;
        if (born__view_count(&f->in[i]) != 1)
            return born__infer_fail(f, BORN_SHAPE, "bound %d must be one number, not %s", i, born__infer_shape(f, i));
    }
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

born_status born__ref_clip(born_call *c, const born_exec *x)
{
    born_nd nd;
    born_nd_body body = BORN_PICK_NUM(c->in[0].dtype, clip);
    if (!body) return born__no_body(c, x);
    const char *bound[2] = { born__has(c, 1) ? c->in[1].data : NULL, born__has(c, 2) ? c->in[2].data : NULL };
    born__nd_start(&nd, c->out[0].dim, c->out[0].rank);
    born__nd_add(&nd, &c->out[0]);
    born__nd_add(&nd, &c->in[0]);
    born__nd_free_order(&nd);
    born__nd_merge(&nd);
    born__nd_for(&nd, x, GRAIN, body, bound);
    return BORN_OK;
}

/* ---- copies ---- */

born_status born__shape_identity(born_infer *f)
{
    const born_view *v = &f->in[0];
    born__out_like(f, 0, v);
    memcpy(f->out[0].stride, v->stride, sizeof v->stride);
    f->out[0].offset = 0;
    f->shares = true;
    return BORN_OK;
}

born_status born__ref_copy(born_call *c, const born_exec *x)
{
    born__copy_view(&c->out[0], &c->in[0], x->pool);
    return BORN_OK;
}

born_status born__shape_dropout(born_infer *f)
{
    int64_t training = 0, n;
    double ratio = 0.5;
    if (born__infer_has(f, 2)) BORN_TRY(born__host_i64(f, 2, &training, 1, &n));
    if (training && born__infer_has(f, 1)) BORN_TRY(born__host_f64(f, 1, &ratio, 1, &n));
    if (training && ratio != 0) return born__infer_fail(f, BORN_UNSUPPORTED, "training with ratio %g", ratio);
    born__out_like(f, 0, &f->in[0]);
    born__out_set(f, 1, BORN_BOOL, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__ref_dropout(born_call *c, const born_exec *x)
{
    static const uint8_t yes = 1;
    born__copy_view(&c->out[0], &c->in[0], x->pool);
    if (c->out_count > 1 && c->out[1].dtype == BORN_BOOL) born__fill_view(&c->out[1], &yes, x->pool);
    return BORN_OK;
}
