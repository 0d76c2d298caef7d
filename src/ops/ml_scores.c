/* See ml_scores.h. */
#include <math.h>

#include "ops/math64.h"
#include "ops/ml_scores.h"

double born__post_logistic(double v)
{
    double e = born__exp_f64(-fabs(v));
    return v >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* The quantile of the normal distribution: Winitzki's inverse erf as a start, then Newton. */
static double probit(double p)
{
    if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    double y = 2 * p - 1, l = born__log_f64((1 - y) * (1 + y)), a = 4.33075 + 0.5 * l;
    double x = copysign(sqrt(sqrt(a * a - l / 0.147) - a), y);
    for (int i = 0; i < 4; i++) x -= (born__erf_f64(x) - y) * 0.88622692545275801365 * born__exp_f64(x * x);
    return x * 1.41421356237309504880;
}

static void softmax(born_dtype t, char *p, int64_t step, int64_t n, bool keep_zeros)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) max = fmax(max, born__load_f64(t, p + i * step));
    for (int64_t i = 0; i < n; i++) {
        double v = born__load_f64(t, p + i * step);
        v = keep_zeros && fabs(v) <= 1e-7 ? v * born__exp_f64(-max) : born__exp_f64(v - max);
        sum += v;
        born__store_f64(t, p + i * step, v);
    }
    for (int64_t i = 0; i < n && sum != 0; i++) born__store_f64(t, p + i * step, born__load_f64(t, p + i * step) / sum);
}

void born__post_transform(born_post post, born_dtype t, char *p, int64_t step, int64_t n)
{
    if (post == BORN_POST_SOFTMAX || post == BORN_POST_SOFTMAX_ZERO)
        softmax(t, p, step, n, post == BORN_POST_SOFTMAX_ZERO);
    for (int64_t i = 0; i < n && (post == BORN_POST_LOGISTIC || post == BORN_POST_PROBIT); i++) {
        double v = born__load_f64(t, p + i * step);
        born__store_f64(t, p + i * step, post == BORN_POST_LOGISTIC ? born__post_logistic(v) : probit(v));
    }
}

born_status born__ml_rows(born_infer *f, int64_t *rows, int64_t *features)
{
    const born_view *x = &f->in[0];
    if (x->rank != 1 && x->rank != 2)
        return born__infer_fail(f, BORN_SHAPE, "x %s is neither [features] nor [N, features]", born__infer_shape(f, 0));
    *rows = x->rank == 2 ? x->dim[0] : 1;
    *features = x->dim[x->rank - 1];
    return BORN_OK;
}

born_status born__ml_labels(born_infer *f, born_ints ints, born_strs strings)
{
    if (strings.count > 0)
        return born__infer_fail(f, BORN_UNSUPPORTED, "class labels that are strings are not supported");
    if (ints.count == 0) return born__infer_fail(f, BORN_INVALID, "no class labels");
    return BORN_OK;
}

int64_t born__ml_argmax(born_dtype t, const char *p, int64_t step, int64_t n)
{
    int64_t best = 0;
    double top = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double v = born__load_f64(t, p + i * step);
        if (!(v > top)) continue;
        top = v;
        best = i;
    }
    return best;
}
