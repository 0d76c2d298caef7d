/* nll_loss and cross_entropy_loss for x [N, C, d...] and targets [N, d...], and cross_entropy_grad. Each position's
   loss and weight go to scratch, in row-major order; totals follow law (b). A target that is neither a class nor
   ignore_index is an error. With label smoothing s, the target is 1 - s at its class and s / C everywhere (Szegedy et
   al., 2015). */
#include <math.h>

#include "ops/lane1.h"
#include "ops/lane_sum.h"
#include "ops/math64.h"
#include "ops/ref.h"

enum { REDUCE_MEAN, REDUCE_NONE, REDUCE_SUM };

static born_status loss_rule(born_infer *f)
{
    const born_view *x = &f->in[0], *t = &f->in[1];
    if (f->op->id != BORN_OP_CROSS_ENTROPY_LOSS && BORN_ATTRS_OF(loss, f)->label_smoothing != 0)
        return born__infer_fail(f, BORN_INVALID, "label smoothing needs scores, not log-probabilities");
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

born_status born__shape_cross_entropy_grad(born_infer *f)
{
    const born_view *x = &f->in[0], *t = &f->in[1], *s = &f->in[2];
    bool fits = x->rank >= 2 && t->rank == x->rank - 1 && s->rank == t->rank && t->dim[0] == x->dim[0];
    for (int d = 1; fits && d < t->rank; d++) fits = t->dim[d] == x->dim[d + 1];
    for (int d = 0; fits && d < t->rank; d++) fits = t->dim[d] == s->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: log-probabilities %s, targets %s, scale %s",
                                born__infer_shape(f, 0), born__infer_shape(f, 1), born__infer_shape(f, 2));
    if (born__infer_has(f, 3) && !(f->in[3].rank == 1 && f->in[3].dim[0] == x->dim[1]))
        return born__infer_fail(f, BORN_SHAPE, "weights %s are not [%lld]", born__infer_shape(f, 3),
                                (long long)x->dim[1]);
    born__out_like(f, 0, x);
    return BORN_OK;
}

/* Loss and weight of every position. */
static size_t loss_bytes(const born_call *c)
{
    size_t n = (size_t)born__view_count(&c->in[1]);
    return born__mul_size(n, 2 * (size_t)born__elem_size(&c->in[0]), &n) ? n : SIZE_MAX;
}
size_t born__scratch_nll_loss(const born_call *c) { return loss_bytes(c); }
size_t born__scratch_cross_entropy_loss(const born_call *c) { return loss_bytes(c); }

typedef struct loss_job {
    born_view x, target;
    const born_view *weights, *log_prob;    /* NULL: none */
    const born_view *scale, *grad;          /* of cross_entropy_grad */
    int64_t C, ignore, count;
    double smoothing, weight_sum;           /* sum of the classes' weights, a chain from 0 */
    bool softmax;
    void *loss, *weight;
} loss_job;

static int64_t target_at(const loss_job *j, int64_t i)
{
    const born_view *t = &j->target;
    int64_t at = born__offset_of(t->dim, t->stride, t->rank, i) * born__elem_size(t);
    return born__load_i64(t->dtype, t->data + at);
}

static bool ignored(const loss_job *j, int64_t t) { return t == j->ignore && t != INT64_MIN; }

/* The element offset in v [N, C, d...] of class 0 of position i. */
static int64_t class_0(const loss_job *j, const born_view *v, int64_t i)
{
    int64_t inner = j->count / j->target.dim[0];
    return i / inner * v->stride[0] + born__offset_of(v->dim + 2, v->stride + 2, v->rank - 2, i % inner);
}

#define exp_f64 born__exp_f64
#define log_f64 born__log_f64
#define BORN_EACH "ops/loss_nll.inc"
#include "ops/each_float.inc"

static born_status check_targets(const loss_job *j, const born_call *c, const born_exec *x)
{
    for (int64_t i = 0; i < j->count; i++) {
        int64_t t = target_at(j, i);
        bool ok = (t >= 0 && t < j->C) || ignored(j, t);
        BORN_FAIL_IF(!ok, x->err, BORN_RANGE, "%s: target %lld is none of %lld classes", c->op->name, (long long)t,
                     (long long)j->C);
    }
    return BORN_OK;
}

static loss_job describe(const born_call *c, int weights)
{
    const born_loss_attrs *a = BORN_ATTRS_OF(loss, c);
    return (loss_job){ .x = c->in[0], .target = c->in[1], .weights = born__has(c, weights) ? &c->in[weights] : NULL,
                       .C = c->in[0].dim[1], .ignore = a->ignore_index, .count = born__view_count(&c->in[1]),
                       .smoothing = a->label_smoothing };
}

static born_status loss_run(born_call *c, const born_exec *x, bool softmax)
{
    loss_job j = describe(c, 2);
    bool wide = c->in[0].dtype == BORN_F64;
    j.softmax = softmax;
    j.loss = x->scratch;
    j.weight = (char *)x->scratch + j.count * (wide ? 8 : 4);
    if (!wide && c->in[0].dtype != BORN_F32) return born__no_body(c, x);
    if (softmax && c->out_count > 1 && c->out[1].data) j.log_prob = &c->out[1];
    BORN_TRY(check_targets(&j, c, x));
    if (j.smoothing > 0) j.weight_sum = wide ? weight_sum_f64(&j) : (double)weight_sum_f32(&j);
    if (j.count > 0) born__exec_for(x, j.count, j.C < 256 ? 64 : 1, wide ? loss_part_f64 : loss_part_f32, &j);
    if (!c->out[0].data) return BORN_OK;
    (wide ? loss_total_f64 : loss_total_f32)(&j, &c->out[0], BORN_ATTRS_OF(loss, c)->reduction);
    return BORN_OK;
}

born_status born__ref_nll_loss(born_call *c, const born_exec *x) { return loss_run(c, x, false); }
born_status born__ref_cross_entropy_loss(born_call *c, const born_exec *x) { return loss_run(c, x, true); }

born_status born__ref_cross_entropy_grad(born_call *c, const born_exec *x)
{
    loss_job j = describe(c, 3);
    bool wide = c->in[0].dtype == BORN_F64;
    if (!wide && c->in[0].dtype != BORN_F32) return born__no_body(c, x);
    j.scale = &c->in[2];
    j.grad = &c->out[0];
    BORN_TRY(check_targets(&j, c, x));
    if (j.smoothing > 0) j.weight_sum = wide ? weight_sum_f64(&j) : (double)weight_sum_f32(&j);
    if (j.count > 0) born__exec_for(x, j.count, j.C < 256 ? 64 : 1, wide ? grad_part_f64 : grad_part_f32, &j);
    return BORN_OK;
}
