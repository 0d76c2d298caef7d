/* Born: models and sessions. A model is opened once, immutable, shared by threads and bound to no device. A session
   is one thread's plan of it on a backend: it owns its arena and its state, and after the first run of a set of
   shapes it allocates nothing. */
#ifndef BORN_MODEL_H
#define BORN_MODEL_H
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_backend born_backend;
typedef struct born_model born_model;
typedef struct born_session born_session;

typedef enum born_load {
    BORN_MAP = 0,               /* map the file; weights are used in place where their form allows it */
    BORN_COPY                   /* read it into memory: safe against a file that changes or shrinks while open */
} born_load;

typedef struct born_model_desc {
    born_load load;
    size_t max_bytes;           /* most memory the model may take beyond the map; 0: cgroup, RLIMIT_AS and RAM decide */
    const char *passes_off;     /* graph passes not to run, separated by commas ("fold_batch_norm,layout"; "all") */
    void (*dump)(void *user, const char *pass, const char *text); /* the graph's text after each pass; NULL: none */
    void *dump_user;
    bool exact;                 /* only passes that keep every bit */
} born_model_desc;

typedef struct born_session_desc {
    born_backend *backend;      /* NULL: a CPU backend of the session's own */
    int threads;                /* of that CPU backend; 0: what the cgroup and affinity allow */
    size_t max_bytes;           /* most memory of a plan (arena + scratch + state + packed weights); 0: as above */
    bool profile;               /* measure each node */
    int64_t max_steps;          /* most iterations of all Loops and Scans of one run; 0: no limit */
} born_session_desc;

/// One input or output of a model. dim -1: symbolic; then symbol[i] is its name, or NULL. rank -1: any rank.
typedef struct born_value_info {
    const char *name;
    born_dtype dtype;
    int rank;
    int64_t dim[BORN_MAX_RANK];
    const char *symbol[BORN_MAX_RANK];
} born_value_info;

typedef struct born_model_info {
    const char *format;         /* "onnx", "born" */
    const char *producer;       /* as the file says; "" if it does not */
    int64_t opset;              /* of the default domain; 0 where the format has none */
    int input_count, output_count;
    int64_t node_count;         /* after the passes, subgraphs not counted */
    int64_t file_node_count;    /* as read */
    int64_t param_count;        /* elements of all constants */
    size_t param_bytes;
    size_t packed_bytes;        /* packed forms held so far */
} born_model_info;

typedef struct born_session_stats {
    size_t arena_bytes, scratch_bytes, state_bytes, packed_bytes;   /* of the present plans */
    int64_t call_count;         /* kernel calls of the last run */
    int64_t run_count, bind_count;
    double flops;               /* multiplications and additions of the last run's matrix products and convolutions */
} born_session_stats;

/// One node's share of the time, summed over the runs measured.
typedef struct born_profile_row {
    const char *node, *op, *kernel;
    double seconds;
    int64_t calls;
    double flops;               /* of all calls; 0 where unknown */
} born_profile_row;

/* The exported symbols take the size of the struct they were compiled with; the inline forms pass it. */
BORN_API BORN_CHECK born_status born_model_open_sized(const char *path, const born_model_desc *desc, size_t desc_bytes,
                                                      born_model **out, born_error *err);
BORN_API BORN_CHECK born_status born_model_open_memory_sized(const void *bytes, size_t byte_count,
                                                             const born_model_desc *desc, size_t desc_bytes,
                                                             born_model **out, born_error *err);
BORN_API BORN_CHECK born_status born_session_open_sized(born_model *m, const born_session_desc *desc, size_t desc_bytes,
                                                        born_session **out, born_error *err);

/// Opens a model file (.onnx or .born; told by content, not by name). desc NULL: defaults. On failure *out is NULL and
/// err says why in one line: IO, FORMAT, UNSUPPORTED (all unsupported operators in one text), NOMEM.
static inline BORN_CHECK born_status born_model_open(const char *path, const born_model_desc *desc, born_model **out,
                                                     born_error *err)
{
    return born_model_open_sized(path, desc, sizeof(born_model_desc), out, err);
}
/// The same from memory that the caller keeps valid until the model and all its sessions are closed.
static inline BORN_CHECK born_status born_model_open_memory(const void *bytes, size_t byte_count,
                                                            const born_model_desc *desc, born_model **out,
                                                            born_error *err)
{
    return born_model_open_memory_sized(bytes, byte_count, desc, sizeof(born_model_desc), out, err);
}
/// Closes the caller's hold on the model and sets *m to NULL; sessions keep what they need. NULL allowed.
BORN_API void born_model_close(born_model **m);
BORN_API void born_model_info_get(const born_model *m, born_model_info *out);
BORN_API BORN_CHECK born_status born_model_input(const born_model *m, int i, born_value_info *out);
BORN_API BORN_CHECK born_status born_model_output(const born_model *m, int i, born_value_info *out);
/// How often the model uses each operator: calls fn once per operator name.
BORN_API void born_model_ops(const born_model *m, void (*fn)(void *user, const char *op, int64_t count), void *user);
/// Writes the graph (after passes) as text that reads back: calls fn with pieces of it.
BORN_API void born_model_print(const born_model *m, void (*fn)(void *user, const char *text, size_t n), void *user);

/// Makes a session. desc NULL: defaults. Plans are made at the first run of each set of shapes.
static inline BORN_CHECK born_status born_session_open(born_model *m, const born_session_desc *desc, born_session **out,
                                                       born_error *err)
{
    return born_session_open_sized(m, desc, sizeof(born_session_desc), out, err);
}
BORN_API void born_session_close(born_session **s);
/// Runs the model. `in`: one array for each input in graph order (inputs tied to an output may be left out at the
/// end, or given data NULL to keep their state); `out`: the first n_out outputs, filled with arrays that live in the
/// session until its next run or plan. DTYPE, SHAPE, RANGE, NOMEM: nothing but err changes.
BORN_API BORN_CHECK born_status born_session_run(born_session *s, const born_array *in, int n_in, born_array *out,
                                                 int n_out, born_error *err);
/// Ties output `output` to input `input` of the next run: it becomes state, zero-filled until a run or
/// born_session_run's data sets it. Symbolic dims of a first state are what other inputs of the run give the same
/// symbol, else 0, so that a growing state begins empty. Where the graph only concatenates to the input, the state is
/// appended to in place, in a buffer that doubles when it is full; such a state is copied only where it is asked for as
/// a result. A run that fails leaves the state of the last one. Both are names; INVALID where there is no such name.
BORN_API BORN_CHECK born_status born_session_tie(born_session *s, const char *output, const char *input,
                                                 born_error *err);
/// Forgets all state.
BORN_API void born_session_reset(born_session *s);
/// Plans for these input shapes without running (data may be NULL unless it decides shapes): the peak is known after.
/// Its memory is taken, room for state of these sizes included, while the state itself stays as it is: after a plan for
/// the longest state of a decoder, no step up to it allocates.
BORN_API BORN_CHECK born_status born_session_plan(born_session *s, const born_array *in, int n_in, born_error *err);
BORN_API void born_session_stats_get(const born_session *s, born_session_stats *out);
/// The profile so far (desc.profile): calls fn once per node in order.
BORN_API void born_session_profile(const born_session *s, void (*fn)(void *user, const born_profile_row *row),
                                   void *user);

/// Typed access to an array: DTYPE where it holds something else. *count is the number of elements.
#define BORN__ARRAY_GET(ctype, name)                                                                                  \
    BORN_API BORN_CHECK born_status born_array_##name(const born_array *a, const ctype **p, size_t *count,            \
                                                      born_error *err);
BORN__ARRAY_GET(float, f32)
BORN__ARRAY_GET(double, f64)
BORN__ARRAY_GET(int32_t, i32)
BORN__ARRAY_GET(int64_t, i64)
BORN__ARRAY_GET(uint8_t, u8)
BORN__ARRAY_GET(int8_t, i8)
#undef BORN__ARRAY_GET

/// Installs the SIGBUS guard for maps that Born made: a file truncated while it is mapped gives status IO instead of
/// a signal. The library never installs it by itself.
BORN_API BORN_CHECK born_status born_guard_install(born_error *err);

BORN_C_END
#endif
