/* Inside the loader: a ring of batches, filled by workers (or by the caller) and taken in order. Batches are counted
   over all epochs: number g is batch g % batches of epoch g / batches. */
#ifndef BORN_DATA_LOADER_H
#define BORN_DATA_LOADER_H
#include "data/dataset.h"

typedef struct born_slot {
    void *field[BORN_MOST_FIELDS];      /* [batch, ...] */
    int64_t *label;                     /* with mixup: the labels before they are mixed */
    int64_t rows;
    bool ready;
    born_error err;                     /* of the batch; status OK where there is none */
} born_slot;

typedef struct born_crew born_crew;     /* the workers: loader_crew.c */

struct born_loader {
    born_dataset *set;
    born_loader_desc d;
    born_field field[BORN_MOST_FIELDS]; /* of a batch */
    size_t item_bytes[BORN_MOST_FIELDS];
    int n;
    int64_t items, batches;             /* of an epoch */
    int64_t *order[2], order_epoch[2];  /* of even and of odd epochs; NULL: the items as they come */
    double *running;                    /* sums of weights */
    born_slot *slot;
    int64_t slot_count;
    char *memory, *scratch;             /* of the slots; of the workers, scratch_each apart */
    size_t scratch_each, bytes;
    int64_t next;                       /* the batch that the caller gets next */
    bool holding;                       /* the caller looks at batch next - 1 */
    bool failed;                        /* batch next - 1 is the one in err */
    bool end_due;                       /* that was an epoch's last: say so first */
    born_error err;
    born_crew *crew;                    /* NULL: the caller fills */
};

/* Makes the order of an epoch, unless it is there. */
void born__loader_order(born_loader *l, int64_t epoch);
/* Fills a slot with batch g; the order of its epoch is there. From any thread, one slot each. */
void born__loader_fill(const born_loader *l, born_slot *s, int64_t g, void *scratch);

/* Starts up to `workers` workers; none at all is no error. */
void born__crew_open(born_loader *l, int workers);
void born__crew_close(born_loader *l);
/* Returns when batch l->next is in its slot, and takes it: l->next is one more then. */
void born__crew_wait(born_loader *l);
/* The slot of batch l->next - 1 may be filled again. */
void born__crew_release(born_loader *l);
/* Stops filling, empties the slots, runs `change`, and begins again at l->next. */
void born__crew_restart(born_loader *l, void (*change)(born_loader *l, const void *arg), const void *arg);
#endif
