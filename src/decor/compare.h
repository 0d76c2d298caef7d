/* The second leaf of born_check_compare: see compare.c. */
#ifndef BORN_DECOR_COMPARE_H
#define BORN_DECOR_COMPARE_H
#include "waist/chain.h"

typedef struct born_check_state {
    born_backend *other;        /* NULL: only validate */
} born_check_state;

/* Runs c, which has run below, on the other chain too; MISMATCH names the op and the element. */
born_status born__compare_run(born_backend *self, const born_call *c, born_error *err);
void born__compare_forget(born_backend *self, void *note);
#endif
