/* The inside of a checkpoint: a list of named tensors and one of keys, filled by the user or by a reader. */
#ifndef BORN_BORN_CHECKPOINT_H
#define BORN_BORN_CHECKPOINT_H
#include <born/attrs.h>
#include <born/save.h>

#include "base/alloc.h"
#include "base/filemap.h"
#include "base/nametable.h"
#include "formats/gguf/gguf.h"

typedef struct born_saved_tensor {
    const char *name;           /* in the arena */
    born_array value;
} born_saved_tensor;

typedef struct born_saved_key {
    const char *key;
    bool is_int;
    int64_t number;
    born_str text;              /* in the arena, NUL-terminated */
} born_saved_key;

struct born_checkpoint {
    born_arena arena;
    born_saved_tensor *tensor;
    born_saved_key *key;
    size_t tensor_count, tensor_cap, key_count, key_cap;
    born_names tensors, keys;
    born_filemap *map;          /* of one that was read; its gguf lies over the map */
    born_gguf *gguf;
    void **owned;               /* elements that had to be decoded */
    size_t owned_count, owned_cap;
};

/* Adds a tensor whose shape and bytes are known to fit. */
born_status born__checkpoint_add(born_checkpoint *c, const char *name, size_t n, const born_array *value,
                                 born_error *err);
born_status born__checkpoint_key(born_checkpoint *c, const char *key, size_t n, born_saved_key **out, born_error *err);
/* Fills c from the bytes of a file, which stay valid as long as c. */
born_status born__checkpoint_parse(born_checkpoint *c, const void *bytes, size_t n, born_error *err);
#endif
