/* The inside of the safetensors reader and writer: see born/hub.h. Called by the functions of that header and the
   fuzzer. */
#ifndef BORN_SAFETENSORS_SAFETENSORS_H
#define BORN_SAFETENSORS_SAFETENSORS_H
#include <born/hub.h>

#include "base/alloc.h"
#include "base/filemap.h"

/* Caps on what a header may ask for: bytes, tensors, and brackets and commas, by which a parser's memory is bounded. */
enum { ST_MAX_HEADER = 32 << 20, ST_MAX_TENSORS = 1 << 16, ST_MAX_VALUES = 1 << 20 };

struct born_safetensors {
    born_arena arena;           /* names and notes */
    born_filemap *map;          /* NULL: the caller's bytes */
    born_named_array *array;
    int64_t count;
    const char **note;          /* key, value, ... */
    int64_t note_count;         /* pairs */
    void **owned;               /* elements that do not lie aligned, and booleans */
    size_t owned_count, owned_cap;
};

/* The name of a dtype in the format; NULL: it has none. And back; NONE. */
const char *born__st_name(born_dtype t);
born_dtype born__st_dtype(const char *name);
/* Reads bytes, which stay valid as long as *out. */
born_status born__st_parse(const void *bytes, size_t n, born_safetensors **out, born_error *err);

/* Gives the bytes of entry i, valid until the next call. */
typedef born_status (*born_st_get)(void *user, int64_t i, const void **data, born_error *err);
born_status born__st_write(const char *path, const born_named_array *entry, int64_t count, const char *const *notes,
                           int n_notes, born_st_get get, void *user, born_error *err);
#endif
