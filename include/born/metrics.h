/* Born: metrics, summed up over batches of host arrays. A metric belongs to no device. Scores are floats of any dtype,
   [N, C] (the class is the largest, the first of equals) or, for two classes, [N] (class 1 above 0.5); or they are the
   classes themselves, integers [N]. Targets are integers [N]. Never NULL: a metric that found no memory is dead. */
#ifndef BORN_METRICS_H
#define BORN_METRICS_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_metric born_metric;

/// tp, fp, fn: of a class, examples that are it and are called it, that are not but are called it, that are but are
/// not.
typedef enum born_metric_kind {
    BORN_METRIC_ACCURACY,       /* share of right classes */
    BORN_METRIC_TOP_K,          /* share whose class is among the k largest scores; equals count by the lower class */
    BORN_METRIC_PRECISION,      /* tp / (tp + fp) */
    BORN_METRIC_RECALL,         /* tp / (tp + fn) */
    BORN_METRIC_F1,             /* 2 tp / (2 tp + fp + fn) */
    BORN_METRIC_AUROC,          /* chance that a positive has a higher score than a negative, ties half; more than two
                                   classes: the mean of each against the rest */
    BORN_METRIC_MSE,            /* mean of squared errors; this and the next two take floats of one shape */
    BORN_METRIC_MAE,            /* mean of absolute errors */
    BORN_METRIC_R2,             /* 1 - sum of squared errors / sum of squared distances to the targets' mean */
    BORN_METRIC_PERPLEXITY,     /* exp of the mean of -log softmax(scores)[target], scores [N, C] */
    BORN_METRIC_KINDS
} born_metric_kind;

/// How precision, recall and F1 of classes become one number; a class with nothing to divide by counts 0.
typedef enum born_metric_average {
    BORN_MACRO,                 /* the mean over classes that were seen or called */
    BORN_MICRO,                 /* of the sums over classes */
    BORN_WEIGHTED,              /* the mean by how often each class was seen */
    BORN_BINARY,                /* of class 1 */
} born_metric_average;

typedef struct born_metric_desc {
    int64_t classes;            /* 0: as many as scores have columns, or 2 */
    int k;                      /* top-k: 5 */
    born_metric_average average;
    bool has_ignore;            /* targets equal to ignore_index do not count */
    int64_t ignore_index;
} born_metric_desc;

BORN_API born_metric *born_metric_create_sized(born_metric_kind kind, const born_metric_desc *desc, size_t desc_bytes);
static inline born_metric *born_metric_create(born_metric_kind kind, const born_metric_desc *desc)
{
    return born_metric_create_sized(kind, desc, sizeof(born_metric_desc));
}
/// Closes *m and sets it to NULL. NULL allowed.
BORN_API void born_metric_close(born_metric **m);
/// Forgets all batches.
BORN_API void born_metric_reset(born_metric *m);
/// Adds a batch. SHAPE, DTYPE, RANGE (a class that is none, scores that are NaN, for regression values that are not
/// finite): then nothing of the batch counts. err may be NULL.
BORN_API BORN_CHECK born_status born_metric_add(born_metric *m, born_array scores, born_array targets, born_error *err);
/// The number so far; NaN where it is not defined (no examples; AUROC without both kinds of targets).
BORN_API double born_metric_value(const born_metric *m);
/// Precision, recall, F1 or AUROC of one class; NaN for other kinds and where it is not defined.
BORN_API double born_metric_of_class(const born_metric *m, int64_t c);
/// The confusion matrix of a metric of classes (accuracy, precision, recall, F1): counts [C, C], row the target, column
/// what it was called. Borrowed until the next call that changes m. NULL for other kinds and before the first batch.
BORN_API const int64_t *born_metric_confusion(const born_metric *m, int64_t *classes);
/// Examples so far.
BORN_API int64_t born_metric_count(const born_metric *m);

BORN_C_END
#endif
