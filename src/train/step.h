/* A training step from inside. step.c runs it (by its plan, or eagerly), step_plan.c records it as a graph,
   step_blame.c finds what made a loss bad, step_items.c lists what a step changes, step_keep.c keeps what an eager step
   changes before it is known to be good. Invariants: weights live twice while a plan runs: in the session as state,
   which is `ahead`, and in the tensors of module and optimiser, which born_step_sync brings up to it. A plan is of one
   set of batch shapes; others run eagerly after a sync. A call that fails leaves no error on the chain, and the random
   keys it drew are drawn again. */
#ifndef BORN_TRAIN_STEP_H
#define BORN_TRAIN_STEP_H
#include <born/train.h>

#include "base/error.h"
#include "graph/model.h"

enum { STEP_FIELDS = 16 };      /* most fields of a batch */

/* A tensor that a step may change: of the module, the optimiser, the average, or the count behind random keys. */
typedef struct step_item {
    born_tensor value;          /* its owner's */
    size_t bytes;
    char *host;                 /* its value when the plan was made */
    uint32_t version;           /* before the recording */
    int out;                    /* the graph's output that is its next value, -1: steps leave it alone */
} step_item;

typedef struct step_plan {
    born_model *model;          /* NULL: there is no plan */
    born_session *session;
    born_array batch[STEP_FIELDS];      /* dtypes and shapes; no data */
    int batch_count;
    step_item *item;
    size_t item_count, item_cap;
    born_array *in, *out;       /* of a run: batch, operand, items; loss, scores, changed items */
    int in_count, out_count, first_item_out;
    bool has_scores;
    bool begun;                 /* the session holds the state; before, the first run brings it */
    bool ahead;                 /* and is ahead of the tensors */
} step_plan;

/* A buffer as it was, or the gradient that a parameter had. */
typedef struct kept_item {
    born_tensor of, grad;       /* grad: kept; {0}: none */
    bool param;
    size_t at, bytes;           /* of a buffer's copy */
} kept_item;
typedef struct step_keep {
    kept_item *item;
    size_t count, cap;
    char *bytes;
    size_t bytes_cap;
} step_keep;

struct born_step {
    born_step_desc desc;
    born_backend *b;            /* held */
    bool plans;                 /* recording is possible */
    step_plan plan;
    step_keep keep;
    bool owes_average;          /* the last step is not in the average yet, for want of memory */
    char *scores;               /* of an eager step or an evaluation */
    size_t scores_cap;
    born_step_stats stats;
};

/* Lists what a step may change, into p. */
born_status born__step_items(const born_step *s, step_plan *p, born_error *err);
/* Copies every item's value; writes those that changed since back, and forgets the copies. */
born_status born__step_remember(step_plan *p, born_error *err);
born_status born__step_put_back(step_plan *p, born_error *err);
void born__step_forget(step_plan *p);
/* Keeps what an eager step changes early; the end puts it back or lets it go. */
born_status born__step_keep(born_step *s, born_error *err);
void born__step_keep_end(born_step *s, bool put_back);
void born__step_keep_free(step_keep *k);
/* Computes loss and scores; on failure err has the chain's error. */
born_status born__step_loss(const born_step *s, const born_tensor *batch, int n, born_tensor *loss,
                            born_tensor *scores, born_error *err);
/* Tensors of a batch in the present scope. */
born_status born__step_batch(const born_step *s, const born_array *batch, int n, born_tensor *out, born_error *err);
/* The chain's error, taken, into err; returns its status (STATE where there is none). */
born_status born__step_error(const born_step *s, born_error *err);
/* Are all weights and buffers numbers? Where not, they must not be saved over a good checkpoint. */
bool born__step_sound(const born_step *s);
/* The loss of a batch, which was computed with the present weights, is not finite: says in err what was bad first. */
born_status born__step_blame(born_step *s, const born_array *batch, int n, double loss, born_error *err);
#endif
