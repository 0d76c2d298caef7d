/* Random numbers: random_normal, random_uniform, their _like forms, bernoulli, multinomial. Counter-based (base/rng.h):
   element i depends on the key and i alone. The key is the key operand; else the bits of the seed; else the next value
   of a counter of this process, so that each call differs. */
#include <math.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "ops/lane1.h"
#include "ops/ref.h"

enum { STREAM_UNIFORM, STREAM_NORMAL, STREAM_BERNOULLI, STREAM_MULTINOMIAL };

static uint64_t call_key(const born_call *c, int operand, double seed)
{
    static _Atomic uint32_t calls;
    if (born__has(c, operand)) return (uint64_t)born__at_i64(&c->in[operand], 0);
    if (seed == -INFINITY) return (uint64_t)1 << 63 | (uint32_t)atomic_fetch_add(&calls, 1u);
    return (uint64_t)1 << 62 | (uint32_t)born__f32_bits((float)seed);
}

static born_status key_rule(born_infer *f, int operand)
{
    int64_t n;
    if (!born__infer_has(f, operand)) return BORN_OK;
    const born_view *v = &f->in[operand];
    if (v->rank <= 1 && born__shape_count(v->dim, v->rank, &n) && n == 1) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "key %s is no scalar", born__infer_shape(f, operand));
}

static born_status float_dtype(born_infer *f, born_dtype t)
{
    if (born__dtype_is(t, BORN_DT_FLOAT)) return BORN_OK;
    return born__infer_fail(f, BORN_DTYPE, "random numbers cannot be %s", born_dtype_name(t));
}

static born_status shape_from_attrs(born_infer *f, born_ints shape, born_dtype t)
{
    if (shape.count > BORN_MAX_RANK)
        return born__infer_fail(f, BORN_SHAPE, "a shape of rank %lld", (long long)shape.count);
    if (t == BORN_DTYPE_NONE) t = BORN_F32;
    BORN_TRY(float_dtype(f, t));
    BORN_TRY(key_rule(f, 0));
    born__out_set(f, 0, t, (int)shape.count, shape.v);
    return BORN_OK;
}

static born_status shape_like(born_infer *f, born_dtype t)
{
    if (t == BORN_DTYPE_NONE) t = f->in[0].dtype;
    BORN_TRY(float_dtype(f, t));
    BORN_TRY(key_rule(f, 1));
    born__out_set(f, 0, t, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__shape_random_normal(born_infer *f)
{
    const born_random_normal_attrs *a = BORN_ATTRS_OF(random_normal, f);
    return shape_from_attrs(f, a->shape, a->dtype);
}
born_status born__shape_random_uniform(born_infer *f)
{
    const born_random_uniform_attrs *a = BORN_ATTRS_OF(random_uniform, f);
    return shape_from_attrs(f, a->shape, a->dtype);
}
born_status born__shape_random_normal_like(born_infer *f)
{
    return shape_like(f, BORN_ATTRS_OF(random_normal, f)->dtype);
}
born_status born__shape_random_uniform_like(born_infer *f)
{
    return shape_like(f, BORN_ATTRS_OF(random_uniform, f)->dtype);
}

/* normal: a mean, b deviation; else a low, b high. */
typedef struct fill_job { const born_view *y; uint64_t key; double a, b; bool normal; } fill_job;

/* Box and Muller, 1958. */
static float normal_f32(uint32_t w0, uint32_t w1)
{
    float u = ((float)(w0 >> 8) + 1.0f) * 0x1p-24f;
    return sqrtf(-2.0f * log_f32(u)) * cos_f32(6.28318530717958648f * born__unit_f32(w1));
}

static double draw(const fill_job *j, int64_t i)
{
    uint32_t w[2];
    born__philox_u32(j->key, j->normal ? STREAM_NORMAL : STREAM_UNIFORM, 2 * (uint64_t)i, w, 2);
    if (j->normal) {
        float v = normal_f32(w[0], w[1]) * (float)j->b;
        return (double)(v + (float)j->a);
    }
    if (j->y->dtype == BORN_F64) return j->a + (j->b - j->a) * born__unit_f64(w[0], w[1]);
    float low = (float)j->a, v = ((float)j->b - low) * born__unit_f32(w[0]);
    return (double)(low + v);
}

/* Uniform f32 in a dense y: element i takes word 0 or 2 of block i / 2, many blocks at once. Returns where it ends. */
static int64_t fill_uniform_f32(const fill_job *j, int64_t begin, int64_t end)
{
    enum { SPAN = 2 * BORN_PHILOX_SPAN };
    float *y = (float *)(void *)j->y->data, low = (float)j->a, width = (float)j->b - low;
    uint32_t word[SPAN];

    for (; begin + SPAN <= end; begin += SPAN) {
        born__philox_even(j->key, STREAM_UNIFORM, (uint64_t)begin / 2, word);
        for (int k = 0; k < SPAN; k++) {
            float v = width * born__unit_f32(word[k]);
            y[begin + k] = low + v;
        }
    }
    return begin;
}

static void fill_part(void *ctx, int64_t begin, int64_t end)
{
    const fill_job *j = ctx;
    int64_t z = born__elem_size(j->y);
    bool dense = born__view_contiguous(j->y);
    if (!j->normal && j->y->dtype == BORN_F32 && dense && begin % 2 == 0) begin = fill_uniform_f32(j, begin, end);
    for (int64_t i = begin; i < end; i++)
        born__store_f64(j->y->dtype, j->y->data + born__offset_of(j->y->dim, j->y->stride, j->y->rank, i) * z,
                        draw(j, i));
}

static born_status fill_run(const born_exec *x, const fill_job *j)
{
    born__exec_for(x, born__view_count(j->y), 1024, fill_part, (void *)(uintptr_t)j);
    return BORN_OK;
}

static born_status fill_normal(born_call *c, const born_exec *x, int key)
{
    const born_random_normal_attrs *a = BORN_ATTRS_OF(random_normal, c);
    fill_job j = { &c->out[0], call_key(c, key, a->seed), a->mean, a->scale, true };
    return fill_run(x, &j);
}
static born_status fill_uniform(born_call *c, const born_exec *x, int key)
{
    const born_random_uniform_attrs *a = BORN_ATTRS_OF(random_uniform, c);
    fill_job j = { &c->out[0], call_key(c, key, a->seed), a->low, a->high, false };
    return fill_run(x, &j);
}
born_status born__ref_random_normal(born_call *c, const born_exec *x) { return fill_normal(c, x, 0); }
born_status born__ref_random_normal_like(born_call *c, const born_exec *x) { return fill_normal(c, x, 1); }
born_status born__ref_random_uniform(born_call *c, const born_exec *x) { return fill_uniform(c, x, 0); }
born_status born__ref_random_uniform_like(born_call *c, const born_exec *x) { return fill_uniform(c, x, 1); }

/* ---- bernoulli ---- */

born_status born__shape_bernoulli(born_infer *f)
{
    born_dtype t = BORN_ATTRS_OF(random_draw, f)->dtype;
    if (t == BORN_DTYPE_NONE) t = f->in[0].dtype;
    if (!born__dtype_is(t, BORN_DT_ALL))
        return born__infer_fail(f, BORN_DTYPE, "draws cannot be %s", born_dtype_name(t));
    BORN_TRY(key_rule(f, 1));
    born__out_set(f, 0, t, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

typedef struct draw_job { const born_view *x, *y; uint64_t key; } draw_job;
static void bernoulli_part(void *ctx, int64_t begin, int64_t end)
{
    const draw_job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        const born_view *x = j->x, *y = j->y;
        float u;
        born__philox_f32(j->key, STREAM_BERNOULLI, (uint64_t)i, &u, 1);
        const char *p = x->data + born__offset_of(x->dim, x->stride, x->rank, i) * born__elem_size(x);
        char *q = y->data + born__offset_of(y->dim, y->stride, y->rank, i) * born__elem_size(y);
        born__store_f64(y->dtype, q, (double)u < born__load_f64(x->dtype, p) ? 1 : 0);
    }
}

born_status born__ref_bernoulli(born_call *c, const born_exec *x)
{
    draw_job j = { &c->in[0], &c->out[0], call_key(c, 1, BORN_ATTRS_OF(random_draw, c)->seed) };
    born__exec_for(x, born__view_count(j.y), 1024, bernoulli_part, &j);
    return BORN_OK;
}

/* ---- multinomial ---- */

born_status born__shape_multinomial(born_infer *f)
{
    const born_random_draw_attrs *a = BORN_ATTRS_OF(random_draw, f);
    born_dtype t = a->dtype == BORN_DTYPE_NONE ? BORN_I32 : a->dtype;
    if (f->in[0].rank != 2 || f->in[0].dim[1] < 1)
        return born__infer_fail(f, BORN_SHAPE, "x %s is not [B, classes]", born__infer_shape(f, 0));
    if (t != BORN_I32 && t != BORN_I64)
        return born__infer_fail(f, BORN_DTYPE, "draws cannot be %s", born_dtype_name(t));
    BORN_TRY(key_rule(f, 1));
    born__out_set(f, 0, t, 2, (int64_t[]){ f->in[0].dim[0], a->sample_size });
    return BORN_OK;
}

static double log_prob_at(const born_view *x, int64_t b, int64_t c)
{
    return born__load_f64(x->dtype, x->data + (b * x->stride[0] + c * x->stride[1]) * born__elem_size(x));
}

static void multinomial_part(void *ctx, int64_t begin, int64_t end)
{
    const draw_job *j = ctx;
    int64_t n = j->y->dim[1], classes = j->x->dim[1];
    for (int64_t b = begin; b < end; b++) {
        double max = -INFINITY, total = 0;
        for (int64_t c = 0; c < classes; c++) max = fmax(max, log_prob_at(j->x, b, c));
        for (int64_t c = 0; c < classes; c++) total += (double)exp_f32((float)(log_prob_at(j->x, b, c) - max));
        for (int64_t s = 0; s < n; s++) {
            float u;
            born__philox_f32(j->key, STREAM_MULTINOMIAL, (uint64_t)(b * n + s), &u, 1);
            double left = (double)u * total;
            int64_t pick = 0;
            for (int64_t c = 0; c < classes; c++) {
                double w = (double)exp_f32((float)(log_prob_at(j->x, b, c) - max));
                if (w > 0) pick = c;        /* the last possible class takes what rounding leaves over */
                if (left < w) break;
                left -= w;
            }
            char *q = j->y->data + (b * j->y->stride[0] + s * j->y->stride[1]) * born__elem_size(j->y);
            if (j->y->dtype == BORN_I32) *(int32_t *)(void *)q = (int32_t)pick;
            else *(int64_t *)(void *)q = pick;
        }
    }
}

born_status born__ref_multinomial(born_call *c, const born_exec *x)
{
    draw_job j = { &c->in[0], &c->out[0], call_key(c, 1, BORN_ATTRS_OF(random_draw, c)->seed) };
    if (j.y->dim[1] > 0) born__exec_for(x, j.y->dim[0], 1, multinomial_part, &j);
    return BORN_OK;
}
