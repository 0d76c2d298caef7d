/* Born: training. A born_step is one training step (forward, backward, update) over a module and its optimiser, planned
   once and then run without allocating; a born_trainer runs epochs of it: validation, checkpoints, early stopping,
   logs, resumption. */
#ifndef BORN_TRAIN_H
#define BORN_TRAIN_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "data.h"
#include "metrics.h"
#include "model.h"
#include "sched.h"

BORN_C_BEGIN

/* ---- one step ---------------------------------------------------------------------------------------------------- */

/// What is to become small: computes the loss, one element of a float, of a batch (batch[0..n): the loader's fields as
/// tensors). *scores ({0}: none) is what metrics look at. Used for validation too. It must compute the same for every
/// batch of a shape (no reading of values: the step is recorded); failures are poison, as operators give it.
typedef born_tensor (*born_loss_fn)(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores);
/// Cross entropy of net's output for field 0, scores [N, C], against field 1: classes i64 [N] or shares f32 [N, C].
/// user: NULL or born_cross_entropy_attrs. All floating arrays are converted to the net's dtype.
BORN_API born_tensor born_loss_classes(void *user, born_module *net, const born_tensor *batch, int n,
                                       born_tensor *scores);
/// Mean squared error of net's output for field 0 against field 1, of the same shape.
BORN_API born_tensor born_loss_values(void *user, born_module *net, const born_tensor *batch, int n,
                                      born_tensor *scores);
/// Cross entropy of net's output for field 0, scores [N, T, V], against the next tokens in field 1, i64 [N, T].
BORN_API born_tensor born_loss_tokens(void *user, born_module *net, const born_tensor *batch, int n,
                                      born_tensor *scores);

typedef struct born_step born_step;
typedef struct born_step_desc {
    born_module *net;           /* these two outlive the step */
    born_optim *optim;
    born_loss_fn loss;          /* NULL: born_loss_classes */
    void *user;
    born_ema *ema;              /* updated after each step; NULL: none */
    bool eager;                 /* never recorded; also so where a recording is not possible: a chain without
                                   born_trace, L-BFGS, gradient accumulation, loss scaling */
    bool no_scores;             /* scores are not given out */
    bool profile;               /* the plan's nodes are measured: born_step_profile */
    size_t max_bytes;           /* most memory of the plan; 0: what the machine allows */
} born_step_desc;

typedef struct born_step_stats {
    bool planned;               /* a plan is made: the following is known */
    size_t peak_bytes;          /* of the plan: arena, scratch, state and packed weights */
    size_t weight_bytes;        /* of parameters, buffers and what the optimiser remembers, beside the plan */
    double flops;               /* multiplications and additions of the last step's products and convolutions */
    int64_t runs, eager_runs;   /* steps run by the plan, and without it */
} born_step_stats;

/// Makes a step. On failure *out is NULL.
BORN_API BORN_CHECK born_status born_step_open_sized(const born_step_desc *desc, size_t desc_bytes, born_step **out,
                                                     born_error *err);
static inline BORN_CHECK born_status born_step_open(const born_step_desc *desc, born_step **out, born_error *err)
{
    return born_step_open_sized(desc, sizeof(born_step_desc), out, err);
}
/// Writes what is planned back (born_step_sync), closes and sets *s to NULL. NULL allowed.
BORN_API void born_step_close(born_step **s);
/// Plans for batches like this one (its data is used to find out what the step computes), without changing weights: the
/// peak is known after. The first born_step_run does it otherwise.
BORN_API BORN_CHECK born_status born_step_plan(born_step *s, const born_array *batch, int n, born_error *err);
/// Runs one step: loss (NULL allowed) before it, scores (NULL allowed; valid until the next call). A batch of another
/// shape than the plan's runs eagerly, with the same bits. On failure weights, buffers and gathered gradients are those
/// before the step, and the chain holds no error.
BORN_API BORN_CHECK born_status born_step_run(born_step *s, const born_array *batch, int n, double *loss,
                                              born_array *scores, born_error *err);
/// Loss and scores of a batch without a step, in evaluation mode, not recorded.
BORN_API BORN_CHECK born_status born_step_evaluate(born_step *s, const born_array *batch, int n, double *loss,
                                                   born_array *scores, born_error *err);
/// Brings module, optimiser and average up to the last step: call it before reading, saving or changing them.
BORN_API BORN_CHECK born_status born_step_sync(born_step *s, born_error *err);
/// Module, optimiser or average have been changed by others (loaded): the next step goes on from what they hold.
BORN_API void born_step_changed(born_step *s);
/// The time of each node of the plan so far (desc.profile): calls fn once per node in order.
BORN_API void born_step_profile(const born_step *s, void (*fn)(void *user, const born_profile_row *row), void *user);
BORN_API void born_step_stats_get(const born_step *s, born_step_stats *out);

/* ---- the trainer ------------------------------------------------------------------------------------------------- */

typedef struct born_trainer born_trainer;

typedef enum born_train_event_kind {
    BORN_TRAIN_BEGIN = 1,       /* planned; epoch and step are where it starts or goes on */
    BORN_TRAIN_STEP,            /* after each step */
    BORN_TRAIN_VALIDATE,        /* after each batch of a validation: done, total */
    BORN_TRAIN_EPOCH,           /* after an epoch and its validation */
    BORN_TRAIN_SAVED,           /* path: a checkpoint was written */
    BORN_TRAIN_END,             /* why: what ended it */
    BORN_TRAIN_CHECKED          /* after a validation within an epoch (validate_every) */
} born_train_event_kind;

typedef enum born_train_end {
    BORN_TRAIN_DONE,            /* all epochs or steps */
    BORN_TRAIN_EARLY,           /* no improvement for `patience` epochs */
    BORN_TRAIN_STOPPED,         /* the stop flag or a callback; saved where there is a folder */
    BORN_TRAIN_FAILED           /* err says why */
} born_train_end;

/// What callbacks are told. Numbers that are not known are NaN.
typedef struct born_train_event {
    born_train_event_kind kind;
    born_train_end why;
    int64_t epoch, epochs;      /* from 1 */
    int64_t step, steps;        /* over all epochs, from 1; 0: unknown */
    int64_t batch, batches;     /* of the epoch, from 1 */
    int64_t done, total;        /* batches of a validation */
    int64_t items;              /* of this step */
    double loss, metric;        /* STEP: of its batch; EPOCH: means over the epoch's batches */
    double valid_loss, valid_metric;    /* EPOCH, CHECKED */
    double lr;                  /* of group 0 */
    double seconds, items_per_second;   /* since the start; of the last steps */
    bool best;                  /* EPOCH, CHECKED: the best so far. SAVED: written because of that */
    const char *path;           /* SAVED */
    const char *metric_name;    /* "accuracy"; NULL: there is none */
    const born_trainer *trainer;
} born_train_event;

/// A callback. BORN_CANCELLED ends training as the stop flag does; another status fails it (err says why).
typedef struct born_train_callback {
    born_status (*event)(void *user, const born_train_event *e, born_error *err);
    void *user;
} born_train_callback;

typedef struct born_trainer_desc {
    born_module *net;           /* all of these outlive the trainer */
    born_optim *optim;
    born_sched *sched;          /* NULL: the rate stays */
    bool sched_by_step;         /* a schedule's step is a training step; otherwise an epoch */
    born_ema *ema;              /* validation uses the averages; NULL: none */
    born_loader *train, *valid; /* valid NULL: no validation */
    born_loss_fn loss;          /* NULL: born_loss_classes */
    void *user;
    const char *metric_name;    /* what `metric` measures, "accuracy"; NULL: no metric */
    born_metric *metric;        /* over scores and field 1, of validation and of each step; larger is better unless */
    bool metric_down;           /* smaller is better */
    int64_t epochs;             /* 0: 1 */
    int64_t max_steps;          /* ends after so many steps in all; 0: no limit */
    int64_t validate_every;     /* steps after which it also validates; 0: only after each epoch */
    int64_t validate_batches;   /* most batches of a validation; 0: all */
    const char *folder;         /* for checkpoints and logs, made where it is missing; NULL: nothing is written */
    int64_t save_every;         /* steps; 0: each epoch */
    int keep_last;              /* checkpoints kept beside the best; 0: 1 */
    int patience;               /* epochs without improvement before it stops; 0: never */
    double min_delta;           /* an improvement is more than this */
    bool resume;                /* goes on from the folder's newest readable checkpoint, where there is one */
    bool eager;
    bool no_logs;               /* no log.jsonl, log.csv and curves.svg */
    const char *title;          /* of the curves; NULL: none */
    size_t max_bytes;
    const born_train_callback *callbacks;
    int callback_count;
    const volatile int *stop;   /* set to non-zero (from a signal handler, say): the step ends, all is saved */
    /* Texts that go with every checkpoint (what built the network): key and value in turn; born_checkpoint_text finds
       them as "meta.<key>". */
    const char *const *meta;
    int meta_count;             /* pairs */
} born_trainer_desc;

typedef struct born_train_result {
    born_train_end why;
    int64_t epoch, step;
    double loss, metric, valid_loss, valid_metric;      /* of the last epoch */
    double best;                /* the best metric (or loss, where there is no metric) of a validation */
    int64_t best_epoch;
    double seconds;
} born_train_result;

BORN_API BORN_CHECK born_status born_trainer_open_sized(const born_trainer_desc *desc, size_t desc_bytes,
                                                        born_trainer **out, born_error *err);
/// Makes a trainer; with `resume` the checkpoint is read here: MISMATCH where it is of another network or optimiser,
/// and nothing has changed.
static inline BORN_CHECK born_status born_trainer_open(const born_trainer_desc *desc, born_trainer **out,
                                                       born_error *err)
{
    return born_trainer_open_sized(desc, sizeof(born_trainer_desc), out, err);
}
BORN_API void born_trainer_close(born_trainer **t);
/// Trains to the end. A loss that is not finite ends it: RANGE; err names the step and the first tensor that is bad,
/// and weights are those before that step. Ends with the weights of the last step (born_trainer_best loads the best).
/// After a failure (a bad batch, a full disk, no memory) nothing is lost: called again it goes on with the same batch
/// and writes what could not be written.
/// Continued training equals uninterrupted training bit for bit. *result NULL allowed.
BORN_API BORN_CHECK born_status born_trainer_run(born_trainer *t, born_train_result *result, born_error *err);
/// The trainer's step: its plan's peak.
BORN_API born_step *born_trainer_step(born_trainer *t);
/// Puts weights and optimiser of the best checkpoint into module and optimiser. INVALID where there is none.
BORN_API BORN_CHECK born_status born_trainer_best(born_trainer *t, born_error *err);

/// Loads parameters and buffers of a checkpoint file that a trainer wrote into net; nothing else. MISMATCH lists what
/// does not fit.
BORN_API BORN_CHECK born_status born_trainer_load(const char *path, born_module *net, born_error *err);

BORN_C_END
#endif
