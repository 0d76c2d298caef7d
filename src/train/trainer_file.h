/* What writing (trainer_save.c) and reading (trainer_load.c, trainer_undo.c) of a training's checkpoints share. */
#ifndef BORN_TRAIN_TRAINER_FILE_H
#define BORN_TRAIN_TRAINER_FILE_H
#include "train/step.h"
#include "train/trainer.h"

enum { NAME_MOST = 700, SCHED_MOST = 256, PATH_MOST = 4096 };

/* A checkpoint being filled; its arrays live in `heap` where they cannot be borrowed. */
typedef struct train_filling {
    const born_trainer *t;
    born_checkpoint *c;
    void **heap;
    size_t heap_count, heap_cap;
    born_status status;
    born_error *err;
} train_filling;

/* Everything that decides what the next step computes; born__train_empty in any case. */
born_status born__train_fill(train_filling *f);
void born__train_empty(train_filling *f);

/* Everything that reading overwrites. */
typedef struct train_undo {
    step_plan tensors;          /* its items alone */
    double *number;             /* the optimiser's, in the order of born_optim_each */
    size_t number_count, number_cap;
    bool short_of_memory;
    unsigned char *had;         /* per parameter: which of its memory was there */
    double sched[SCHED_MOST];
    int sched_count;
    born_loader_position at;
    int64_t updates;            /* of the average */
    uint64_t seed;
    born_trainer was;
} train_undo;

/* Keeps all that; undo puts it back, without memory; the end in any case. */
born_status born__train_undo_begin(train_undo *u, const born_trainer *t, born_error *err);
void born__train_undo(train_undo *u, born_trainer *t);
void born__train_undo_end(train_undo *u);

typedef struct count_row {
    const char *key;
    int64_t value;
} count_row;
enum { C_EPOCHS, C_STEPS, C_EPOCH_OVER, C_BEST_EPOCH, C_WITHOUT, C_ITEMS, C_METRIC_ITEMS, C_SEED, C_L_SEED, C_L_EPOCH,
       C_L_BATCH, C_L_SIZE, C_L_ITEMS, C_EMA, C_CHECK, C_COUNTS };
enum { N_BEST, N_LOSS, N_METRIC, N_SECONDS, N_VALID_LOSS, N_VALID_METRIC, N_NUMBERS };

/* What born_trainer_load does, from a checkpoint that is open. */
born_status born__train_weights(born_checkpoint *c, born_module *net, born_error *err);

void born__train_counts_of(const born_trainer *t, count_row *row);     /* row[C_COUNTS] */

/* A path in the trainer's folder, of at most PATH_MOST. */
born_status born__train_path_in(const born_trainer *t, const char *name, char *path, born_error *err);
void born__train_step_name(int64_t step, char *name, size_t n);
/* The checkpoint with the largest step below `below`, -1: none. The count of all in *count. */
int64_t born__train_newest_below(const born_trainer *t, int64_t below, int *count, int64_t *oldest);
#endif
