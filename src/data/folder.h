/* The names in a folder. */
#ifndef BORN_DATA_FOLDER_H
#define BORN_DATA_FOLDER_H
#include "base/alloc.h"

typedef struct born_names {
    char **name;                /* sorted by bytes; in the arena given */
    size_t count, cap;
} born_names;

/* Opens a folder by a user's path. */
born_status born__folder_of(const char *path, int *fd, born_error *err);
/* The folders (or the pictures, by their endings) right below `at`, or below its folder `name` where that is not NULL.
   Names that begin with a dot and links are left out. */
born_status born__folder_list(int at, const char *name, bool folders, born_arena *arena, born_names *out,
                              born_error *err);
void born__folder_list_free(born_names *n);
#endif
