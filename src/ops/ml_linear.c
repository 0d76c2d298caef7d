/* linear_regressor, linear_classifier, svm_regressor. Each score is an FMA chain over the features in f32, cut every
   1,024 terms; then the intercept, then the post transform. */
#include <math.h>

#include "ops/lane1.h"
#include "ops/ml_scores.h"

typedef struct linear_job {
    const born_view *x;
    born_view *label, *score;           /* [N] (NULL: none), [N, E] */
    born_floats coefficients, intercepts;
    int64_t E, F;                       /* rows of coefficients; features */
    born_post post;
    const int64_t *labels;
    int64_t label_count;
} linear_job;

static const char *row_of(const born_view *x, int64_t row)
{
    return x->data + (x->rank > 1 ? row * x->stride[0] * born__elem_size(x) : 0);
}

static float feature(const born_view *x, const char *row, int64_t i)
{
    return (float)born__load_f64(x->dtype, row + i * x->stride[x->rank - 1] * born__elem_size(x));
}

static float chain(const born_view *x, const char *row, const float *w, int64_t n)
{
    float total = 0, part = 0;
    for (int64_t i = 0; i < n; i++) {
        part = born__fmaf(feature(x, row, i), w[i], part);
        if (i % 1024 != 1023 && i != n - 1) continue;
        total = i < 1024 ? part : total + part;
        part = 0;
    }
    return total;
}

static void linear_rows(void *ctx, int64_t begin, int64_t end)
{
    const linear_job *j = ctx;
    int64_t step = j->score->stride[1] * 4;
    for (int64_t r = begin; r < end; r++) {
        const char *row = row_of(j->x, r);
        char *p = j->score->data + r * j->score->stride[0] * 4;
        bool two = j->E == 1 && j->label_count == 2;    /* one score for the second of two classes */
        for (int64_t e = 0; e < j->E; e++) {
            float s = j->F > 0 ? chain(j->x, row, j->coefficients.v + e * j->F, j->F) : 0;
            if (j->intercepts.count > 0) s += j->intercepts.v[e];
            *(float *)(void *)(p + (e + two) * step) = s;
        }
        int64_t best = 0;
        if (two) {
            float s = *(float *)(void *)(p + step);
            best = s > 0;
            *(float *)(void *)p = j->post == BORN_POST_NONE ? 1 - s : -s;
        } else if (j->label_count > 0) {
            best = born__ml_argmax(BORN_F32, p, step, j->E);
        }
        born__post_transform(j->post, BORN_F32, p, step, j->E + two);
        if (j->label && j->label->data) ((int64_t *)(void *)j->label->data)[r * j->label->stride[0]] = j->labels[best];
    }
}

/* coefficients [E, features], intercepts none or [E]. */
static born_status linear_rule(born_infer *f, born_floats coefficients, born_floats intercepts, int64_t E,
                               int64_t features)
{
    int64_t n;
    if (!born__mul_i64(E, features, &n) || coefficients.count != n)
        return born__infer_fail(f, BORN_INVALID, "%lld coefficients where %lld x %lld are needed",
                                (long long)coefficients.count, (long long)E, (long long)features);
    if (intercepts.count != 0 && intercepts.count != E)
        return born__infer_fail(f, BORN_INVALID, "%lld intercepts where %lld are needed", (long long)intercepts.count,
                                (long long)E);
    return BORN_OK;
}

born_status born__shape_linear_regressor(born_infer *f)
{
    const born_linear_regressor_attrs *a = BORN_ATTRS_OF(linear_regressor, f);
    int64_t rows, features;
    BORN_TRY(born__ml_rows(f, &rows, &features));
    BORN_TRY(linear_rule(f, a->coefficients, a->intercepts, a->targets, features));
    born__out_set(f, 0, BORN_F32, 2, (int64_t[]){ rows, a->targets });
    return BORN_OK;
}

born_status born__ref_linear_regressor(born_call *c, const born_exec *x)
{
    const born_linear_regressor_attrs *a = BORN_ATTRS_OF(linear_regressor, c);
    linear_job j = { .x = &c->in[0], .score = &c->out[0], .coefficients = a->coefficients, .intercepts = a->intercepts,
                     .E = a->targets, .F = c->in[0].dim[c->in[0].rank - 1], .post = (born_post)a->post_transform };
    born__exec_for(x, c->out[0].dim[0], 64, linear_rows, &j);
    return BORN_OK;
}

/* Rows of coefficients: as many as labels, or one for two labels. */
static int64_t classifier_rows(const born_linear_classifier_attrs *a)
{
    return a->labels.count == 2 && a->intercepts.count == 1 ? 1 : a->labels.count;
}

born_status born__shape_linear_classifier(born_infer *f)
{
    const born_linear_classifier_attrs *a = BORN_ATTRS_OF(linear_classifier, f);
    int64_t rows, features;
    BORN_TRY(born__ml_labels(f, a->labels, a->label_strings));
    BORN_TRY(born__ml_rows(f, &rows, &features));
    BORN_TRY(linear_rule(f, a->coefficients, a->intercepts, classifier_rows(a), features));
    born__out_set(f, 0, BORN_I64, 1, &rows);
    born__out_set(f, 1, BORN_F32, 2, (int64_t[]){ rows, a->labels.count });
    return BORN_OK;
}

born_status born__ref_linear_classifier(born_call *c, const born_exec *x)
{
    const born_linear_classifier_attrs *a = BORN_ATTRS_OF(linear_classifier, c);
    BORN_FAIL_IF(c->out_count < 2 || !c->out[1].data, x->err, BORN_UNSUPPORTED, "linear_classifier: scores are needed");
    linear_job j = { .x = &c->in[0], .label = &c->out[0], .score = &c->out[1], .coefficients = a->coefficients,
                     .intercepts = a->intercepts, .E = classifier_rows(a), .F = c->in[0].dim[c->in[0].rank - 1],
                     .post = (born_post)a->post_transform, .labels = a->labels.v, .label_count = a->labels.count };
    born__exec_for(x, c->out[1].dim[0], 64, linear_rows, &j);
    return BORN_OK;
}

/* ---- svm_regressor ---- */

typedef struct svm_job { const born_view *x; born_view *y; const born_svm_regressor_attrs *a; int64_t F; } svm_job;

born_status born__shape_svm_regressor(born_infer *f)
{
    const born_svm_regressor_attrs *a = BORN_ATTRS_OF(svm_regressor, f);
    int64_t rows, features, n;
    BORN_TRY(born__ml_rows(f, &rows, &features));
    bool linear = a->n_supports == 0;
    bool fits = linear ? a->coefficients.count == features
                       : born__mul_i64(a->n_supports, features, &n) && a->support_vectors.count == n &&
                             a->coefficients.count == a->n_supports;
    if (!fits || a->rho.count != 1 || (a->kernel_params.count != 0 && a->kernel_params.count != 3))
        return born__infer_fail(f, BORN_INVALID, "%lld vectors, %lld coefficients, rho or kernel_params do not fit",
                                (long long)a->n_supports, (long long)a->coefficients.count);
    born__out_set(f, 0, BORN_F32, 2, (int64_t[]){ rows, 1 });
    return BORN_OK;
}

static float kernel_of(const svm_job *j, const char *row, const float *v)
{
    const born_svm_regressor_attrs *a = j->a;
    float gamma = 0, coef0 = 0, degree = 0, d;
    if (a->kernel_params.count == 3) {
        gamma = a->kernel_params.v[0];
        coef0 = a->kernel_params.v[1];
        degree = a->kernel_params.v[2];
    }
    if (a->kernel_type == 2) {
        float sum = 0;
        for (int64_t i = 0; i < j->F; i++) {
            d = feature(j->x, row, i) - v[i];
            sum = born__fmaf(d, d, sum);
        }
        return exp_f32(-gamma * sum);
    }
    d = chain(j->x, row, v, j->F);
    if (a->kernel_type == 0 || a->n_supports == 0) return d;
    d = gamma * d + coef0;
    return a->kernel_type == 1 ? pow_f32(d, degree) : tanh_f32(d);
}

static void svm_rows(void *ctx, int64_t begin, int64_t end)
{
    const svm_job *j = ctx;
    const born_svm_regressor_attrs *a = j->a;
    for (int64_t r = begin; r < end; r++) {
        const char *row = row_of(j->x, r);
        float sum = 0;
        if (a->n_supports == 0) sum = kernel_of(j, row, a->coefficients.v);
        for (int64_t i = 0; i < a->n_supports; i++) {
            const float *vector = j->F > 0 ? a->support_vectors.v + i * j->F : NULL;
            sum = born__fmaf(a->coefficients.v[i], kernel_of(j, row, vector), sum);
        }
        sum += a->rho.v[0];
        float *y = (float *)(void *)j->y->data + r * j->y->stride[0];
        *y = a->one_class ? (sum > 0 ? 1.0f : -1.0f) : sum;
        born__post_transform((born_post)a->post_transform, BORN_F32, (char *)y, 4, 1);
    }
}

born_status born__ref_svm_regressor(born_call *c, const born_exec *x)
{
    svm_job j = { &c->in[0], &c->out[0], BORN_ATTRS_OF(svm_regressor, c), c->in[0].dim[c->in[0].rank - 1] };
    born__exec_for(x, c->out[0].dim[0], 8, svm_rows, &j);
    return BORN_OK;
}
