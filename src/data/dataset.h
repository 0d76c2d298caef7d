/* Inside a dataset: what the sources, the sets made from sets, the transforms and the loader share. */
#ifndef BORN_DATA_DATASET_H
#define BORN_DATA_DATASET_H
#include <born/data.h>
#include <stdatomic.h>

#include "base/alloc.h"

#define BORN_MOST_FIELDS 64
#define BORN_MOST_CLASSES 65536
#define BORN_SCRATCH_ALIGN ((size_t)64)

struct born_dataset {
    atomic_int refs;
    born_dataset_desc d;        /* own copies of all that it points to */
    size_t *item_bytes;         /* per field */
    born_arena arena;
};

/* A hold of one's own; never fails. */
born_dataset *born__dataset_keep(born_dataset *set);
/* Bytes of one item of a field; false where dtype or shape is none, or the size overflows. */
bool born__field_bytes(const born_field *f, size_t *out);
/* The desc of a set that has the same fields and classes as `like`, for a caller to change. */
born_dataset_desc born__dataset_like(const born_dataset *like);
/* As born_dataset_get, of a set whose index was checked. */
static inline born_status born__dataset_fetch(const born_dataset *set, const born_item_request *r, born_error *err)
{
    return set->d.get(set->d.self, r, err);
}
static inline size_t born__scratch_round(size_t n)
{
    return (n + BORN_SCRATCH_ALIGN - 1) / BORN_SCRATCH_ALIGN * BORN_SCRATCH_ALIGN;
}
#endif
