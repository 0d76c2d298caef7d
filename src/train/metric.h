/* A metric from inside: metrics.c reads batches and counts, metric_value.c makes numbers of the counts. */
#ifndef BORN_TRAIN_METRIC_H
#define BORN_TRAIN_METRIC_H
#include <born/metrics.h>

typedef struct scored {
    double score;
    bool positive;
} scored;

struct born_metric {
    born_metric_kind kind;
    born_metric_desc desc;
    bool dead;
    int64_t classes, count, right;
    int64_t *confusion;         /* [classes, classes] */
    double *scores;             /* AUROC: [count, columns] */
    int64_t *targets;           /* AUROC: [count] */
    int64_t columns;
    size_t score_cap, target_cap;
    double sum;                 /* of errors or of -log probabilities */
    double mean, spread;        /* of targets: mean, sum of squared distances to it */
};
#endif
