/* What the models of ai.onnx.ml do with scores at the end. */
#ifndef BORN_OPS_ML_SCORES_H
#define BORN_OPS_ML_SCORES_H
#include "ops/ref.h"

typedef enum born_post {
    BORN_POST_NONE,
    BORN_POST_SOFTMAX,
    BORN_POST_LOGISTIC,
    BORN_POST_SOFTMAX_ZERO,
    BORN_POST_PROBIT
} born_post;

double born__post_logistic(double v);
/* Applies a transform to one row of n scores at p, f32 or f64, `step` bytes apart. */
void born__post_transform(born_post post, born_dtype t, char *p, int64_t step, int64_t n);
/* x is [F] or [N, F]; fails otherwise. */
born_status born__ml_rows(born_infer *f, int64_t *rows, int64_t *features);
/* Labels must be integers, n of them. */
born_status born__ml_labels(born_infer *f, born_ints ints, born_strs strings);
/* The index of the largest of n, the first of equals. */
int64_t born__ml_argmax(born_dtype t, const char *p, int64_t step, int64_t n);
#endif
