/* cross_entropy_loss and cross_entropy_grad over dense rows of classes, as their kernels see them. */
#ifndef BORN_CPU_LOSS_H
#define BORN_CPU_LOSS_H
#include "cpu/kernel.h"

typedef struct born_loss_rows {
    int64_t count, classes;             /* positions, classes of each */
    const float *x;                     /* scores, or log-probabilities for the gradient */
    float *y;                           /* log-probabilities (NULL: not wanted), or the gradient */
    int64_t x_row, y_row;               /* floats */
    const born_view *target;            /* [count] */
    const float *weights, *scale;       /* of classes (NULL: 1), of positions */
    int64_t weights_step, scale_step;
    int64_t ignore;                     /* a target that does not count; INT64_MIN: none is */
    int reduction;                      /* of the row loss: 0 mean, 1 none, 2 sum */
} born_loss_rows;

/* false: the call is not for these kernels. */
bool born__loss_rows(const born_call *c, born_loss_rows *r);
/* The class of position i. */
static inline int64_t born__loss_target(const born_loss_rows *r, int64_t i)
{
    const born_view *t = r->target;
    int64_t at = i * t->stride[0];
    return t->dtype == BORN_I64 ? ((const int64_t *)(const void *)t->data)[at]
                                : ((const int32_t *)(const void *)t->data)[at];
}
/* Whether every target is a class or ignored. */
born_status born__loss_check(const born_loss_rows *r, const born_call *c, born_error *err);
#endif
