/* The second leaf of born_check_compare: see compare.c. */
#ifndef BORN_DECOR_COMPARE_H
#define BORN_DECOR_COMPARE_H
#include "waist/chain.h"

typedef struct born_check_state {
    born_backend *other;        /* NULL: only validate */
} born_check_state;

/* One call on its way through both: begin before it runs below, finish after (MISMATCH names the op and the
   element), end whatever happened. */
typedef struct born_compare {
    born_node **in, **out;      /* of the other chain; in NULL: nothing to compare */
    int held, made;
} born_compare;
born_status born__compare_begin(born_backend *self, const born_call *c, born_compare *cmp, born_error *err);
born_status born__compare_finish(born_backend *self, const born_call *c, born_compare *cmp, born_error *err);
void born__compare_end(born_compare *cmp);
void born__compare_forget(born_backend *self, void *note);
#endif
