/* Born: learning-rate schedules. A schedule changes lr (and momentum or beta1, where it cycles them) of every
   group of an optimiser: once when it is made, then at each born_sched_step, which comes after born_optim_step.
   The numbers are those of torch.optim.lr_scheduler, computed in f64; names are its argument names. Never NULL:
   one that could not be made is dead, and its error is the optimiser's chain's. Close it before the optimiser. */
#ifndef BORN_SCHED_H
#define BORN_SCHED_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "optim.h"

BORN_C_BEGIN

typedef struct born_sched born_sched;

/// e is the number of steps taken, base the group's rate when the schedule was made.
typedef enum born_sched_kind {
    BORN_SCHED_STEP,            /* times gamma every step_size. StepLR */
    BORN_SCHED_MULTISTEP,       /* times gamma at each of milestones. MultiStepLR */
    BORN_SCHED_EXPONENTIAL,     /* base gamma^e. ExponentialLR */
    BORN_SCHED_COSINE,          /* eta_min + (base - eta_min) (1 + cos(pi e / t_max)) / 2. CosineAnnealingLR */
    BORN_SCHED_COSINE_RESTARTS, /* the same over t_0, then t_0 t_mult, ... steps. CosineAnnealingWarmRestarts */
    BORN_SCHED_LINEAR,          /* base times start_factor to end_factor over total_iters: warm-up. LinearLR */
    BORN_SCHED_CONSTANT,        /* base times factor for total_iters, then base. ConstantLR */
    BORN_SCHED_POLYNOMIAL,      /* base (1 - e / total_iters)^power. PolynomialLR */
    BORN_SCHED_ONE_CYCLE,       /* up to max_lr and down again within total_steps. OneCycleLR. Smith, 2017 */
    BORN_SCHED_CYCLIC,          /* between base_lr and max_lr. CyclicLR. Smith, 2015 */
    BORN_SCHED_MULTIPLICATIVE,  /* at step e times factors[e - 1]; behind their end times the last. MultiplicativeLR */
    BORN_SCHED_PLATEAU,         /* times factor when a metric stops improving. ReduceLROnPlateau */
    BORN_SCHED_KINDS
} born_sched_kind;

typedef enum born_cyclic_mode { BORN_TRIANGULAR, BORN_TRIANGULAR2, BORN_EXP_RANGE } born_cyclic_mode;

/// What a schedule is; each kind reads the fields its name stands at. 0 is the default named; lists are copied.
typedef struct born_sched_desc {
    born_sched_kind kind;
    int64_t step_size;          /* step: must be given */
    double gamma;               /* step, multistep 0.1; exponential: must be given; cyclic exp_range 1 */
    const int64_t *milestones;  /* multistep: ascending */
    int milestone_count;
    int64_t t_max;              /* cosine: must be given */
    int64_t t_0, t_mult;        /* restarts: must be given; 1 */
    double eta_min;             /* cosine, restarts 0 */
    double start_factor, end_factor;    /* linear 1/3, 1; end_factor negative: 0 */
    double factor;              /* constant 1/3; plateau 0.1 */
    int64_t total_iters;        /* linear, constant, polynomial 5 */
    double power;               /* polynomial 1 */
    int64_t total_steps;        /* one-cycle: must be given */
    double pct_start;           /* one-cycle 0.3 */
    double div_factor, final_div_factor;    /* one-cycle 25, 1e4 */
    bool linear_anneal, three_phase;        /* one-cycle: not cosine; a phase back to the start, then one to the end */
    const double *max_lr;       /* one-cycle, cyclic: must be given; one for all groups or one for each */
    const double *base_lr;      /* cyclic: must be given */
    const double *min_lr;       /* plateau 0 */
    int lr_count;               /* of each list given; 0: one */
    int64_t step_size_up, step_size_down;   /* cyclic 2000; as up */
    born_cyclic_mode mode;      /* cyclic triangular */
    double base_momentum, max_momentum;     /* one-cycle 0.85, 0.95; cyclic 0.8, 0.9 */
    bool keep_momentum;         /* one-cycle, cyclic: cycle_momentum=False */
    const double *factors;      /* multiplicative: must be given */
    int factor_count;
    bool maximize;              /* plateau: mode "max" */
    bool threshold_abs;         /* plateau: threshold_mode "abs" */
    int64_t patience, cooldown; /* plateau 10 (negative: 0), 0 */
    double threshold, eps;      /* plateau 1e-4, 1e-8; negative: 0 */
} born_sched_desc;

/// A schedule of o.
BORN_API born_sched *born_sched_create_sized(born_optim *o, const born_sched_desc *desc, size_t desc_bytes);
static inline born_sched *born_sched_create(born_optim *o, const born_sched_desc *desc)
{
    return born_sched_create_sized(o, desc, sizeof(born_sched_desc));
}
/// One schedule after another: parts[i + 1] begins at step milestones[i] (count - 1 of them, ascending). No plateau.
/// Equals SequentialLR.
BORN_API born_sched *born_sched_sequence_sized(born_optim *o, const born_sched_desc *parts, int count,
                                               const int64_t *milestones, size_t desc_bytes);
static inline born_sched *born_sched_sequence(born_optim *o, const born_sched_desc *parts, int count,
                                              const int64_t *milestones)
{
    return born_sched_sequence_sized(o, parts, count, milestones, sizeof(born_sched_desc));
}
/// All schedules at each step, their factors together. No plateau. Equals ChainedScheduler.
BORN_API born_sched *born_sched_chain_sized(born_optim *o, const born_sched_desc *parts, int count, size_t desc_bytes);
static inline born_sched *born_sched_chain(born_optim *o, const born_sched_desc *parts, int count)
{
    return born_sched_chain_sized(o, parts, count, sizeof(born_sched_desc));
}
/// Closes *s and sets it to NULL. NULL allowed.
BORN_API void born_sched_close(born_sched **s);
BORN_API bool born_sched_is_alive(const born_sched *s);

/// The next step. STATE for a plateau; RANGE behind the last step of a one-cycle. On failure nothing changes.
BORN_API BORN_CHECK born_status born_sched_step(born_sched *s);
/// The next step of a plateau, which looks at `metric`; for other kinds as born_sched_step.
BORN_API BORN_CHECK born_status born_sched_step_metric(born_sched *s, double metric);

/// What a schedule remembers, as numbers in a fixed order, for checkpoints: writes at most `most` of them to out (NULL
/// allowed) and gives their count. restore takes exactly that many; INVALID for another count or a number that no
/// schedule has.
BORN_API int born_sched_save(const born_sched *s, double *out, int most);
BORN_API BORN_CHECK born_status born_sched_restore(born_sched *s, const double *numbers, int count);

BORN_C_END
#endif
