/* A table from names to indices: open addressing over born__hash, for readers and writers of formats that must refuse
   what comes twice. Names are borrowed and must stay where they are. Names that are made to collide are refused
   (RANGE) rather than searched through for hours. */
#ifndef BORN_BASE_NAMETABLE_H
#define BORN_BASE_NAMETABLE_H
#include <born/base.h>

typedef struct born_name_slot {
    const char *p;              /* NULL: free */
    size_t n;
    size_t index;
} born_name_slot;

typedef struct born_names {
    born_name_slot *slot;
    size_t cap, count;
} born_names;                   /* {0} is an empty table */

/* OK; STATE: the name is there already; RANGE; NOMEM. Nothing changes unless OK. */
born_status born__names_add(born_names *t, const char *p, size_t n, size_t index);
bool born__names_find(const born_names *t, const char *p, size_t n, size_t *index);
void born__names_free(born_names *t);
#endif
