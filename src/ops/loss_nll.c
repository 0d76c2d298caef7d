/* nll_loss and cross_entropy_loss for x [N, C, d...] and targets [N, d...]. Each position's loss and weight go to
   scratch, in row-major order; totals follow law (b). A target that is neither a class nor ignore_index is an error. */
#include <math.h>

#include "ops/lane1.h"
#include "ops/lane_sum.h"
#include "ops/ref.h"

enum { REDUCE_MEAN, REDUCE_NONE, REDUCE_SUM };

static born_status loss_rule(born_infer *f)
{
    const born_view *x = &f->in[0], *t = &f->in[1];
    bool fits = x->rank >= 2 && t->rank == x->rank - 1 && t->dim[0] == x->dim[0];
    for (int d = 1; fits && d < t->rank; d++) fits = t->dim[d] == x->dim[d + 1];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: x %s, targets %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1));
    if (born__infer_has(f, 2) && !(f->in[2].rank == 1 && f->in[2].dim[0] == x->dim[1]))
        return born__infer_fail(f, BORN_SHAPE, "weights %s are not [%lld]", born__infer_shape(f, 2),
                                (long long)x->dim[1]);
    bool none = BORN_ATTRS_OF(loss, f)->reduction == REDUCE_NONE;
    born__out_set(f, 0, x->dtype, none ? t->rank : 0, t->dim);
    return BORN_OK;
}

born_status born__shape_nll_loss(born_infer *f) { return loss_rule(f); }
born_status born__shape_cross_entropy_loss(born_infer *f)
{
    BORN_TRY(loss_rule(f));
    born__out_like(f, 1, &f->in[0]);
    return BORN_OK;
}

/* Loss and weight of every position. */
static size_t loss_bytes(const born_call *c)
{
    size_t n = (size_t)born__view_count(&c->in[1]);
    return born__mul_size(n, 2 * sizeof(float), &n) ? n : SIZE_MAX;
}
size_t born__scratch_nll_loss(const born_call *c) { return loss_bytes(c); }
size_t born__scratch_cross_entropy_loss(const born_call *c) { return loss_bytes(c); }

typedef struct loss_job {
    born_view x, target;
    const born_view *weights, *log_prob;    /* NULL: none */
    int64_t C, ignore, count;
    bool softmax;
    float *loss, *weight;
} loss_job;

static int64_t target_at(const loss_job *j, int64_t i)
{
    const born_view *t = &j->target;
    int64_t at = born__offset_of(t->dim, t->stride, t->rank, i) * born__elem_size(t);
    return born__load_i64(t->dtype, t->data + at);
}

/* The element offset in v [N, C, d...] of class 0 of position i. */
static int64_t class_0(const loss_job *j, const born_view *v, int64_t i)
{
    int64_t inner = j->count / j->target.dim[0];
    return i / inner * v->stride[0] + born__offset_of(v->dim + 2, v->stride + 2, v->rank - 2, i % inner);
}

/* log(sum(exp(x - max))): lanes where C is the last axis, a chain in segments of 1,024 where it is not. */
static float log_sum(const loss_job *j, const float *x, int64_t step, float max)
{
    if (j->x.rank == 2) {
        born_lanes s = { 0 };
        for (int64_t c = 0; c < j->C; c++) born__lanes_add(&s, exp_f32(x[c * step] - max));
        return log_f32(born__lanes_end(&s));
    }
    float total = 0, part = 0;
    for (int64_t c = 0; c < j->C; c++) {
        part += exp_f32(x[c * step] - max);
        if (c % 1024 != 1023 && c != j->C - 1) continue;
        total = c < 1024 ? part : total + part;
        part = 0;
    }
    return log_f32(total);
}

/* The loss of one place from its class's log probability, and the weight it counts with. */
static void loss_place(const loss_job *j, int64_t i, const float *x, float max, float log_total)
{
    int64_t step = j->x.stride[1], t = target_at(j, i);
    float w = 1;

    j->weight[i] = j->loss[i] = 0;
    if (t == j->ignore && t != INT64_MIN) return;
    if (j->weights) w = ((const float *)(const void *)j->weights->data)[t * j->weights->stride[0]];
    float v = j->softmax ? x[t * step] - max - log_total : x[t * step];
    j->weight[i] = w;
    j->loss[i] = -v * w;
}

static void loss_part(void *ctx, int64_t begin, int64_t end)
{
    const loss_job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        const float *x = (const float *)(const void *)j->x.data + class_0(j, &j->x, i);
        int64_t step = j->x.stride[1];
        float max = -INFINITY, log_total = 0;
        if (j->softmax) {
            for (int64_t c = 0; c < j->C; c++) max = x[c * step] > max ? x[c * step] : max;
            log_total = log_sum(j, x, step, max);
        }
        if (j->log_prob) {
            float *out = (float *)(void *)j->log_prob->data + class_0(j, j->log_prob, i);
            for (int64_t c = 0; c < j->C; c++) out[c * j->log_prob->stride[1]] = x[c * step] - max - log_total;
        }
        loss_place(j, i, x, max, log_total);
    }
}

static born_status check_targets(const loss_job *j, const born_call *c, const born_exec *x)
{
    for (int64_t i = 0; i < j->count; i++) {
        int64_t t = target_at(j, i);
        bool ok = (t >= 0 && t < j->C) || (t == j->ignore && t != INT64_MIN);
        BORN_FAIL_IF(!ok, x->err, BORN_RANGE, "%s: target %lld is none of %lld classes", c->op->name, (long long)t,
                     (long long)j->C);
    }
    return BORN_OK;
}

static born_status loss_run(born_call *c, const born_exec *x, bool softmax)
{
    const born_loss_attrs *a = BORN_ATTRS_OF(loss, c);
    loss_job j = { .x = c->in[0], .target = c->in[1], .weights = born__has(c, 2) ? &c->in[2] : NULL,
                   .C = c->in[0].dim[1], .ignore = a->ignore_index, .count = born__view_count(&c->in[1]),
                   .softmax = softmax, .loss = x->scratch };
    j.weight = j.loss + j.count;
    if (softmax && c->out_count > 1 && c->out[1].data) j.log_prob = &c->out[1];
    BORN_TRY(check_targets(&j, c, x));
    if (j.count > 0) born__exec_for(x, j.count, j.C < 256 ? 64 : 1, loss_part, &j);
    const born_view *y = &c->out[0];
    float *out = (float *)(void *)y->data;
    if (!out) return BORN_OK;
    if (a->reduction == REDUCE_NONE) {
        for (int64_t i = 0; i < j.count; i++) out[born__offset_of(y->dim, y->stride, y->rank, i)] = j.loss[i];
        return BORN_OK;
    }
    born_lanes loss = { 0 }, weight = { 0 };
    for (int64_t i = 0; i < j.count; i++) {
        born__lanes_add(&loss, j.loss[i]);
        born__lanes_add(&weight, j.weight[i]);
    }
    float total = born__lanes_end(&loss);
    *out = a->reduction == REDUCE_SUM ? total : total / born__lanes_end(&weight);
    return BORN_OK;
}

born_status born__ref_nll_loss(born_call *c, const born_exec *x) { return loss_run(c, x, false); }
born_status born__ref_cross_entropy_loss(born_call *c, const born_exec *x) { return loss_run(c, x, true); }
