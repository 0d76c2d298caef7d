/* batch_norm in training and its gradient over images of either layout: sums over the batch (planes.h), a few numbers
   per channel, one walk that makes the result. Steps and order of ops/norm_batch.c and ops/norm_batch_back.c. */
#include "cpu/simd/simd.h"

#include <math.h>

#include "cpu/kernels/planes.h"
#include "ops/ref.h"

enum { FACTORS = 4 };

/* The walk: y = (x - f0) * f1 + f2, or of a gradient y = (g - f1 - (x - f0) * f2) * f3. */
typedef struct apply_job {
    born_planes x, g, y;
    bool last, back;
    const float *f[FACTORS];        /* [padded] */
} apply_job;

BORN_INLINE v16 apply(const bool back, v16 x, v16 g, v16 f0, v16 f1, v16 f2, v16 f3)
{
    v16 d = v_sub(x, f0);

    return back ? v_mul(v_sub(v_sub(g, f1), v_mul(d, f2)), f3) : v_add(v_mul(d, f1), f2);
}

/* n cells of one channel. */
BORN_INLINE void apply_row(const apply_job *j, const bool back, int64_t c, const float *x, const float *g, float *y)
{
    v16 f0 = v_set(j->f[0][c]), f1 = v_set(j->f[1][c]), f2 = v_set(j->f[2][c]), f3 = v_set(back ? j->f[3][c] : 0);
    int64_t i = 0, n = j->x.cells;

    for (; i + 16 <= n; i += 16)
        v_store(y + i, apply(back, v_load(x + i), back ? v_load(g + i) : v_zero(), f0, f1, f2, f3));
    if (i < n)
        v_store_n(y + i, apply(back, v_load_n(x + i, n - i), back ? v_load_n(g + i, n - i) : v_zero(), f0, f1, f2, f3),
                  n - i);
}

/* All channels of one cell. */
BORN_INLINE void apply_cell(const apply_job *j, const bool back, const float *x, const float *g, float *y)
{
    const float *const *f = j->f;
    int64_t c = 0, n = j->x.channels;

    for (; c + 16 <= n; c += 16)
        v_store(y + c, apply(back, v_load(x + c), back ? v_load(g + c) : v_zero(), v_load(f[0] + c), v_load(f[1] + c),
                             v_load(f[2] + c), back ? v_load(f[3] + c) : v_zero()));
    if (c < n)
        v_store_n(y + c, apply(back, v_load_n(x + c, n - c), back ? v_load_n(g + c, n - c) : v_zero(), v_load(f[0] + c),
                               v_load(f[1] + c), v_load(f[2] + c), back ? v_load(f[3] + c) : v_zero()),
                  n - c);
}

/* Items: planes, or cells of all batch entries. */
BORN_INLINE void apply_range(const apply_job *j, const bool back, int64_t begin, int64_t end)
{
    int64_t per = j->last ? j->x.cells : j->x.channels, x_step = j->last ? j->x.cell : j->x.c;
    int64_t g_step = j->last ? j->g.cell : j->g.c, y_step = j->last ? j->y.cell : j->y.c;

    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / per, at = i % per;
        const float *x = j->x.at + n * j->x.n + at * x_step, *g = back ? j->g.at + n * j->g.n + at * g_step : NULL;
        float *y = j->y.at + n * j->y.n + at * y_step;
        if (j->last) apply_cell(j, back, x, g, y);
        else apply_row(j, back, at, x, g, y);
    }
}

static void apply_items(void *ctx, int64_t begin, int64_t end)
{
    const apply_job *j = ctx;

    if (j->back) apply_range(j, true, begin, end);
    else apply_range(j, false, begin, end);
}

static void run_apply(const apply_job *j, const born_exec *x)
{
    int64_t items = j->x.batch * (j->last ? j->x.cells : j->x.channels), per = j->last ? j->x.channels : j->x.cells;

    born__exec_for(x, items, 1 + (1 << 13) / per, apply_items, (void *)(uintptr_t)j);
}

static float operand(const born_call *c, int i, int64_t ch)
{
    return *((const float *)(const void *)c->in[i].data + ch * c->in[i].stride[0]);
}

static void keep(const born_call *c, int o, int64_t ch, float v)
{
    if (o >= c->out_count || c->out[o].dtype == BORN_DTYPE_NONE || !c->out[o].data) return;
    *((float *)(void *)c->out[o].data + ch * c->out[o].stride[0]) = v;
}

/* Mean and variance over the batch, to [padded] each. */
static void statistics(born_plane_sums *s, float *mean, float *var, const born_exec *x)
{
    v16 n = v_set((float)(s->x.batch * s->x.cells));

    BORN_K(plane_sums_f32)(s, x);
    BORN_K(plane_join_f32)(s, 0, mean);
    for (int64_t c = 0; c < s->padded; c += 16) v_store(mean + c, v_div(v_load(mean + c), n));
    s->mean = mean;
    if (!var) return;
    s->set = BORN_SUM_SPREAD;
    BORN_K(plane_sums_f32)(s, x);
    BORN_K(plane_join_f32)(s, 0, var);
    for (int64_t c = 0; c < s->padded; c += 16) v_store(var + c, v_div(v_load(var + c), n));
}

born_status BORN_K(batch_train_f32)(born_call *c, const born_exec *x)
{
    const born_batch_norm_attrs *a = BORN_ATTRS_OF(batch_norm, c);
    born_plane_sums s = { .set = BORN_SUM_X, .part = x->scratch };
    float epsilon = (float)a->epsilon, momentum = (float)a->momentum;
    apply_job j = { .back = false };

    if (!born__planes_of(&c->in[0], &s.last, &s.x) || !born__planes_of(&c->out[0], &j.last, &j.y)) return BORN_OK;
    s.padded = born__padded(s.x.channels);
    float *mean = s.part + s.x.batch * s.padded, *var = mean + s.padded, *by = var + s.padded, *bias = by + s.padded;
    statistics(&s, mean, var, x);
    for (int64_t i = 0; i < s.x.channels; i++) {
        keep(c, 1, i, operand(c, 3, i) * momentum + mean[i] * (1 - momentum));
        keep(c, 2, i, operand(c, 4, i) * momentum + var[i] * (1 - momentum));
        by[i] = operand(c, 1, i) / sqrtf(var[i] + epsilon);
        bias[i] = operand(c, 2, i);
    }
    j.x = s.x;
    j.f[0] = mean;
    j.f[1] = by;
    j.f[2] = bias;
    run_apply(&j, x);
    return BORN_OK;
}

born_status BORN_K(batch_grad_f32)(born_call *c, const born_exec *x)
{
    born_plane_sums s = { .set = BORN_SUM_X, .part = x->scratch };
    float epsilon = (float)BORN_ATTRS_OF(batch_norm, c)->epsilon;
    apply_job j = { .back = true };
    bool last;

    if (!born__planes_of(&c->in[1], &s.last, &s.x) || !born__planes_of(&c->in[0], &last, &j.g)) return BORN_OK;
    if (!born__planes_of(&c->out[0], &j.last, &j.y)) return BORN_OK;
    s.padded = born__padded(s.x.channels);
    float *mean = s.part + BORN_SUMS * s.x.batch * s.padded, *share = mean + s.padded, *slope = share + s.padded;
    float *by = slope + s.padded, *sum = by + s.padded, *product = sum + s.padded, n = (float)(s.x.batch * s.x.cells);
    statistics(&s, mean, NULL, x);
    s.set = BORN_SUM_SPREAD | BORN_SUM_G | BORN_SUM_PRODUCT;
    s.g = j.g;
    BORN_K(plane_sums_f32)(&s, x);
    BORN_K(plane_join_f32)(&s, 0, by);
    BORN_K(plane_join_f32)(&s, 1, sum);
    BORN_K(plane_join_f32)(&s, 2, product);
    for (int64_t i = 0; i < s.x.channels; i++) {
        float r = 1 / sqrtf(by[i] / n + epsilon), scaled = product[i] * r;
        keep(c, 1, i, scaled);
        keep(c, 2, i, sum[i]);
        share[i] = sum[i] / n;
        slope[i] = scaled * r / n;
        by[i] = operand(c, 2, i) * r;
    }
    j.x = s.x;
    j.f[0] = mean;
    j.f[1] = share;
    j.f[2] = slope;
    j.f[3] = by;
    run_apply(&j, x);
    return BORN_OK;
}
