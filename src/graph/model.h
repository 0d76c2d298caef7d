/* The inside of a model and a session: what src/graph shares. The public face is born/model.h. */
#ifndef BORN_GRAPH_MODEL_H
#define BORN_GRAPH_MODEL_H
#include <born/model.h>

#include "base/lock.h"
#include "graph/ir.h"

/* One packed form of one constant view. */
typedef struct born_packed {
    const void *data;               /* the constant's first element */
    int64_t stride[BORN_MAX_RANK], dim[BORN_MAX_RANK];
    int rank;
    uint32_t form;
    void *bytes;                    /* inside one of the model's blocks */
    size_t byte_count;
} born_packed;

struct born_model {
    born_lock lock;                 /* guards refs and packed */
    int refs;
    born_graph *graph;
    void *source;                   /* the file: kept open as long as the model */
    void (*source_close)(void *source);
    void (*source_drop)(void *source, const void *p, size_t bytes); /* pages no longer needed; may be NULL */
    bool (*source_lost)(void *source); /* was the file cut while it was mapped? may be NULL */
    char format[16], producer[64];
    int64_t opset, file_node_count;
    const char **output_name;       /* as the file says: passes may replace the values */
    born_value *output_said;        /* what the file declares about each, for those that stay unknown */
    born_packed *packed;
    size_t packed_count, packed_cap, packed_bytes;
    void **block;                   /* memory of the packed forms: one block for all that a binding adds */
    size_t block_count, block_cap;
    size_t max_bytes;
};

/* The packed form of this constant view, or NULL. The caller holds the model's lock, here and below. */
const born_packed *born__model_find_packed(const born_model *m, const born_view *w, uint32_t form, size_t bytes);
/* Memory for new forms, as one block. */
born_status born__model_pack_block(born_model *m, size_t bytes, char **out, born_error *err);
/* Adds a form whose bytes lie in the newest block; the caller fills them before it lets go of the lock. */
born_status born__model_add_packed(born_model *m, const born_view *w, uint32_t form, void *bytes, size_t byte_count,
                                   born_error *err);
/* An aligned copy of a loose constant, made once for all sessions. Takes the lock itself. */
born_status born__model_aligned(born_model *m, const born_value *v, const void **out, born_error *err);
/* Takes back the forms from `first` on, and the newest block. */
void born__model_unpack(born_model *m, size_t first);
void born__model_retain(born_model *m);

/* What a reader fills: born__onnx_load and its kind. */
typedef struct born_loaded {
    born_graph *graph;
    char producer[64];
    int64_t opset;
} born_loaded;
/* Takes the graph over (also on failure), verifies and optimises it. */
born_status born__model_make(born_loaded *l, const char *format, const born_model_desc *desc, born_model **out,
                             born_error *err);

struct born_session {
    born_model *model;
    born_backend *backend;
    bool own_backend;
    size_t max_bytes, block_bytes, state_bytes;
    bool profile;
    int64_t max_steps, steps;       /* iterations of Loops and Scans: allowed (0: any number), of this run */
    struct born_gframe *frame;
    born_buffer *scratch;
    char *scratch_base;
    size_t scratch_bytes;
    born_view *input_view;          /* of the run being prepared */
    struct born_tie *tie;           /* state.h */
    char **result_heap;             /* per output: room for results that do not lie dense */
    size_t *result_cap;
    int tie_count, append_count;    /* ties; those that append */
    bool prepare_again;             /* a plan found state buffers too small: nothing has run yet */
    int64_t run_count, bind_count, call_count;
    double flops;                   /* of the last run's products */
};

/* Copies a user's desc of any version into ours: UNSUPPORTED where a field we do not know is set. */
born_status born__desc_check(const void *desc, size_t desc_bytes, void *own, size_t own_bytes, const char *what,
                             born_error *err);
/* Counts one iteration of a Loop or Scan: CANCELLED above max_steps. */
born_status born__session_step(born_session *s, born_error *err);
/* Grows the session's scratch to at least this many bytes. */
born_status born__session_scratch(born_session *s, size_t bytes, born_error *err);
/* Refuses when `more` bytes on top of what the session holds exceed max_bytes. */
born_status born__session_reserve(born_session *s, size_t more, born_error *err);
#endif
