/* The trainer from inside. trainer.c is the loop, trainer_check.c validation and what counts as better, trainer_save.c
   and trainer_load.c checkpoints, trainer_log.c the logs, curves.c their picture. Everything that decides what the next
   step computes goes through a checkpoint; what only the screen shows does not have to. */
#ifndef BORN_TRAIN_TRAINER_H
#define BORN_TRAIN_TRAINER_H
#include <born/born.h>
#include <stdio.h>

#include "base/error.h"

/* A row of the log: after some steps, or after an epoch. NaN: not known. */
typedef struct train_row {
    int64_t step, epoch;        /* from 1 */
    bool whole;                 /* an epoch's row: means over it */
    double loss, metric, valid_loss, valid_metric, lr, seconds;
} train_row;

typedef struct train_log {
    train_row *row;
    size_t count, cap;
    FILE *json, *csv;           /* NULL: not written, or to be written anew */
    bool begun;                 /* earlier rows are taken over */
} train_log;

/* Sums over the batches of an epoch or a validation. */
typedef struct train_sums {
    double loss, metric;
    int64_t items, metric_items;
} train_sums;

struct born_trainer {
    born_trainer_desc desc;
    born_step *step;
    int64_t epochs_done, steps_done;
    bool epoch_over;            /* its batches are, its validation is not */
    train_sums sums;            /* of the present epoch */
    double valid_loss, valid_metric;
    double best;                /* NaN: none yet */
    int64_t best_epoch, saved_step;
    int without_better;         /* epochs in a row */
    bool owes_best, owes_step;  /* checkpoints that are still to be written */
    bool owes_check;            /* a validation within the epoch is */
    bool refill;                /* the loader's batches were read before or while something failed */
    bool averaged;              /* module and average are exchanged */
    double began, before;       /* clock at the start of this run; seconds of earlier ones */
    double rate, rate_from;
    int64_t rate_items;
    train_log log;
    born_array *field;          /* of a batch */
    int field_count;
    born_train_event event;
};

/* trainer_check.c */
/* Loss and metric of a batch into sums; *metric is NaN where there is none. */
void born__train_add(born_trainer *t, train_sums *s, double loss, const born_array *scores, double *loss_of,
                     double *metric);
double born__train_mean(double sum, int64_t items);
/* Over the validation set; CANCELLED where it was stopped. */
born_status born__train_validate(born_trainer *t, born_error *err);
/* The module has its own weights again, where a validation could not give them back. */
born_status born__train_plain(born_trainer *t, born_error *err);
/* What is compared (the metric or the loss) after an epoch, and whether `value` is better than the best. */
double born__train_target(const born_trainer *t);
bool born__train_better(const born_trainer *t, double value);

/* trainer.c: tells the callbacks; CANCELLED where one of them wants to stop. */
born_status born__train_tell(born_trainer *t, born_train_event_kind kind, born_error *err);
bool born__train_stopping(const born_trainer *t);
double born__train_seconds(const born_trainer *t);

/* trainer_save.c */
/* Makes the folder where it is missing. */
born_status born__train_folder(const born_trainer *t, born_error *err);
born_status born__train_save(born_trainer *t, bool best, born_error *err);
/* Goes on from the folder's newest readable checkpoint; nothing where there is none. */
born_status born__train_resume(born_trainer *t, born_error *err);

/* trainer_log.c: rows up to t->steps_done of earlier logs are taken over, the files begin with them. */
born_status born__train_log_open(born_trainer *t, born_error *err);
born_status born__train_log_add(born_trainer *t, const train_row *row, born_error *err);
void born__train_log_close(born_trainer *t);
/* curves.c: writes curves.svg from the rows. */
born_status born__train_curves(const born_trainer *t, born_error *err);
#endif
