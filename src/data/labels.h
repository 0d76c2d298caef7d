/* Class names met in a file: each gets a number in order of appearance, and in the end its place among the sorted. */
#ifndef BORN_DATA_LABELS_H
#define BORN_DATA_LABELS_H
#include <born/base.h>

#include "base/alloc.h"

typedef struct born_labels {
    char **name;
    int64_t *place;             /* after born__labels_sort: of the label with this number */
    int64_t *slot;              /* hash table: number + 1 */
    size_t count, cap, slot_count;
    born_arena arena;
} born_labels;

/* The number of a label; -1: it is not there and `add` is false, -2: no memory, -3: too many. */
int64_t born__labels_find(born_labels *l, const char *s, size_t n, bool add);
/* Sorts the names: as numbers where all are integers, else by their bytes. false: no memory. */
bool born__labels_sort(born_labels *l);
void born__labels_free(born_labels *l);
#endif
