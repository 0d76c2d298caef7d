/* A schedule from inside: single ones (rates in sched_rates.c), or several in a row or at once. */
#ifndef BORN_OPTIM_SCHED_H
#define BORN_OPTIM_SCHED_H
#include <born/sched.h>

#include "optim/optim.h"

typedef struct sched_node {
    born_sched_desc d;          /* defaults filled in; its lists are ours */
    const char *momentum;       /* the option that is cycled; NULL: none */
    double *base, *base_lr, *max_lr, *min_lr;   /* per group */
    int64_t epoch;              /* steps taken; -1: not begun */
    int64_t t_cur, t_i;         /* restarts */
    double best;                /* plateau */
    int64_t bad, cooling;
} sched_node;

enum { SCHED_ONE, SCHED_SEQUENCE, SCHED_CHAIN };

struct born_sched {
    born_optim *o;              /* NULL: dead */
    int form, count, groups;
    int64_t epoch;              /* of a sequence */
    int64_t *milestones;
    sched_node *node;
};

/* The rate of a group after the node's epoch was set; `closed`: by the formula from the base, not the last rate. */
double born__sched_rate(const sched_node *n, int group, double rate, bool closed);
/* What the cycled momentum is at the node's epoch. */
double born__sched_momentum(const sched_node *n);
#endif
