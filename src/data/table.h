/* Items that lie in memory, row after row: what most sources end in. */
#ifndef BORN_DATA_TABLE_H
#define BORN_DATA_TABLE_H
#include "base/filemap.h"
#include "data/dataset.h"

/* What a source keeps alive; all of it is optional. */
typedef struct born_held {
    born_filemap *map[2];
    void *heap[BORN_MOST_FIELDS + 2];
    int map_count, heap_count;
} born_held;
void born__held_free(born_held *h);

typedef struct born_column {
    born_field field;
    const unsigned char *data;  /* item i at i * (bytes of a stored item) */
    bool unit;                  /* stored as bytes, given as f32 in [0, 1] */
} born_column;

/* A set over n columns of `count` rows. Takes over what is held, on failure too. `d` may bring classes. */
born_status born__table_open(const born_column *column, int n, int64_t count, born_held *held,
                             const born_dataset_desc *classes, born_dataset **out, born_error *err);
#endif
