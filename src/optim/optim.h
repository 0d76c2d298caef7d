/* An optimiser from inside. An optimiser is a row (what it is called, its options and defaults, which tensors it keeps,
   the numbers of a step, its update) over one machinery (optim.c: parameters and groups; optim_step.c: the step;
   optim_state.c: checkpoints). Invariants: a dead optimiser (row NULL) has no parameters; all state lives
   below every autodiff; state exists from the first gradient on. */
#ifndef BORN_OPTIM_OPTIM_H
#define BORN_OPTIM_OPTIM_H
#include <born/optim.h>

#include "base/error.h"
#include "nn/calls.h"

/* Options that are numbers: identifier, name in born_optim_desc. */
#define BORN_OPTIM_NUMBERS(X)                                                                                         \
    X(BETA1, beta1) X(BETA2, beta2) X(EPS, eps) X(MOMENTUM, momentum) X(DAMPENING, dampening) X(ALPHA, alpha)         \
    X(RHO, rho) X(LR_DECAY, lr_decay) X(INITIAL, initial_accumulator_value) X(MOMENTUM_DECAY, momentum_decay)         \
    X(LAMBD, lambd) X(T0, t0) X(ETA_MINUS, eta_minus) X(ETA_PLUS, eta_plus) X(STEP_MIN, step_min)                     \
    X(STEP_MAX, step_max) X(NS_STEPS, ns_steps) X(MAX_ITER, max_iter) X(MAX_EVAL, max_eval)                           \
    X(HISTORY, history_size) X(TOLERANCE_GRAD, tolerance_grad) X(TOLERANCE_CHANGE, tolerance_change)
typedef enum born_hyper {
    H_LR, H_WEIGHT_DECAY,
#define X(ID, name) H_##ID,
    BORN_OPTIM_NUMBERS(X)
#undef X
    H_COUNT
} born_hyper;
#define H_BIT(ID) (1u << H_##ID)

enum {
    F_NESTEROV = 1, F_NO_NESTEROV = 2, F_AMSGRAD = 4, F_CENTERED = 8, F_MAXIMIZE = 16, F_STRONG_WOLFE = 32,
    F_MU_TWICE = 64,
    STATE_MOST = 3,             /* tensors per parameter beside the master copy */
    KEEP_MOST = 2,              /* numbers per parameter beside the step */
    NUMBERS = 16,               /* of a step, a row of the operand */
    N_OWN = 12,                 /* the first are the row's own; then: */
    N_DECAY = 12,               /* weight decay, or 1 - lr * decay where decoupled */
    N_SCALE = 13,               /* what every gradient is multiplied with */
    N_CLIP = 14                 /* the largest norm */
};

/* One parameter's update: operands and, in place of p and s, results. */
typedef struct born_update {
    const double *h;            /* for choices that never change between steps, not for values */
    unsigned flags;
    born_tensor p, g, s[STATE_MOST], n[NUMBERS];
} born_update;

typedef struct born_optim_row {
    const char *name;
    unsigned options;           /* H_BIT of those it has beside lr and weight_decay */
    unsigned flags;
    double defaults[H_COUNT];
    bool decoupled, no_decay;   /* weight decay: L2 otherwise */
    bool own_decay;             /* the update sees to it */
    bool has_step;              /* "step" is among its keys */
    bool matrices;              /* takes rank 2 only */
    const char *state[STATE_MOST], *keep[KEEP_MOST];
    unsigned (*uses)(const double *h, unsigned flags);              /* bits of state[]; NULL: all */
    double (*initial)(const double *h, int state);                  /* NULL: 0 */
    /* The numbers of step t into n; `keep` is what the parameter remembers, brought to after the step. */
    void (*numbers)(const double *h, int64_t t, double *keep, double *n);
    void (*update)(born_update *u, const born_site *at);
    double keep_first[KEEP_MOST];
} born_optim_row;

typedef struct born_param {
    char *path;
    born_tensor value;          /* kept */
    born_tensor master, state[STATE_MOST];
    born_dtype dtype, compute;
    int group;
    int line;                   /* its row of the operand in this step; -1: takes no part */
    bool active;                /* took part in the last step */
    int64_t step;
    double keep[KEEP_MOST];
    double next_keep[KEEP_MOST];
} born_param;

typedef struct born_group {
    double h[H_COUNT];
    unsigned flags;
} born_group;

typedef struct born_scaling {
    born_scaling_desc desc;
    double scale;
    int good;
    int64_t skipped;
} born_scaling;

struct born_lbfgs_state;

struct born_optim {
    const born_optim_row *row;  /* NULL: dead */
    born_optim_kind kind;
    born_backend *b;            /* held */
    born_module *net;
    born_optim_desc desc;
    char *only, *except;
    born_param *param;
    size_t param_count, param_cap;
    born_group *group;
    size_t group_count, group_cap;
    born_tensor operand;        /* f64 [param_count, NUMBERS], kept, low */
    double *numbers;
    int lines;
    int64_t steps;
    int micro;
    bool scales;
    born_scaling scaling;
    struct born_lbfgs_state *lbfgs;
};

extern const born_optim_row born__row_sgd, born__row_adam, born__row_adamw, born__row_adamax, born__row_nadam,
    born__row_radam, born__row_lamb, born__row_lion, born__row_rmsprop, born__row_adagrad, born__row_adadelta,
    born__row_rprop, born__row_asgd, born__row_muon, born__row_lbfgs;

/* The name of an option that is a number. */
const char *born__hyper_name(born_hyper h);
/* Reports a failure as the chain's error. */
born_status born__optim_fail(const born_optim *o, born_status s, const char *format, ...) BORN_PRINTF(3, 4);
/* The status of the chain's error, or STATE. */
born_status born__optim_status(const born_optim *o);
/* x, dense, below every autodiff and kept; poison where that fails. */
born_tensor born__low_keep(born_tensor x);
/* All of one value, as above. */
born_tensor born__low_full(born_backend *b, born_dtype t, born_shape shape, double v);
/* Allocates p's state where it is not there yet. */
born_status born__optim_state(born_optim *o, born_param *p);
/* Does text match a pattern of '*' and '?'? */
bool born__glob(const char *pattern, const char *text);
/* For a planned step (src/train). meet: the parameters that have gradients now take part, get their state, and the
   numbers of the next step are in the operand. numbers: of the next step of those that take part, on the host, counting
   nothing; count: that step was taken. */
born_status born__optim_meet(born_optim *o);
const double *born__optim_numbers(born_optim *o);
void born__optim_count(born_optim *o);
/* An update of an average that is not its first as calls, counting nothing; the count of one. */
born_status born__ema_apply(born_ema *e);
void born__ema_count(born_ema *e);
void born__ema_set_updates(born_ema *e, int64_t updates);
born_status born__lbfgs_step(born_optim *o, born_closure_fn closure, void *user, double *loss);
void born__lbfgs_free(born_optim *o);

static inline born_tensor born__mix(born_tensor old, born_tensor keep, born_tensor fresh, born_tensor take,
                                    const born_site *at)
{
    return ADD(MUL(old, keep), MUL(fresh, take));
}
#define MIX(old, keep, fresh, take) born__mix((old), (keep), (fresh), (take), at)
#endif
