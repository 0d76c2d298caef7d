/* Born: modules, the parts a network is made of. A module has a kind (what its forward does), parameters and buffers
   (tensors that outlive scopes), and children; its place in the tree gives each tensor a path such as
   "layers.0.weight", PyTorch's state-dict name. Stock modules are in nn.h; born_module_define makes one of your own. A
   module is never NULL: one that could not be made is dead, its error is its chain's, and forward gives poison. */
#ifndef BORN_MODULE_H
#define BORN_MODULE_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "device.h"

BORN_C_BEGIN

typedef struct born_module born_module;

/// Options of a root. Zero is the default everywhere.
typedef struct born_module_desc {
    born_dtype dtype;           /* of parameters and float buffers: f32 (default), f64, bf16, f16 */
    uint64_t seed;              /* of initial values and of dropout; the same seed gives the same network */
} born_module_desc;

/// An empty module on chain b, the root of a tree: it owns its children and holds the chain. Close it with
/// born_module_close; children are never closed one by one.
BORN_API born_module *born_module_create_sized(born_backend *b, const born_module_desc *desc, size_t desc_bytes);
static inline born_module *born_module_create(born_backend *b)
{
    return born_module_create_sized(b, (const born_module_desc *)0, 0);
}
static inline born_module *born_module_create_with(born_backend *b, const born_module_desc *desc)
{
    return born_module_create_sized(b, desc, sizeof(born_module_desc));
}
/// Closes a root with its whole tree and sets *m to NULL. NULL allowed.
BORN_API void born_module_close(born_module **m);

/// What a kind of module does.
typedef struct born_module_ops {
    const char *name;           /* PyTorch's class name where it has one: "Linear" */
    /// Computes `n_out` results from `n_in` operands; fills out[] (poison where it fails: operators do so by
    /// themselves). Reads its parameters by born_module_tensor.
    void (*forward)(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                    const born_site *at);
    void (*close)(born_module *self);   /* gives up what the config holds; may be NULL */
} born_module_ops;

/// A child of `parent` named `name` (no dot, unique among its siblings; NULL: its number, as in PyTorch's Sequential),
/// of the given kind, with its own copy of `config` (any bytes; NULL: none). ops must outlive it.
BORN_API born_module *born_module_define(born_module *parent, const char *name, const born_module_ops *ops,
                                         const void *config, size_t config_bytes);
/// An empty child that only groups others.
BORN_API born_module *born_module_group(born_module *parent, const char *name);
/// The module's copy of its config.
BORN_API void *born_module_config(born_module *m);

/// What a tensor of a module is.
typedef enum born_module_role {
    BORN_PARAM,                 /* trained: takes part in gradients unless frozen */
    BORN_BUFFER,                /* state that forward changes or reads; saved, not trained */
    BORN_SCRATCH,               /* a buffer that is not saved (PyTorch: persistent=False) */
} born_module_role;

/// Gives the module a tensor named `name`, made from `value` (host data, copied). A float value of another dtype than
/// the tree's is converted for parameters.
BORN_API born_tensor born_module_add(born_module *m, const char *name, born_module_role role, born_array value);
/// The module's own tensor of that name; {0} where it has none; poison where m is dead.
BORN_API born_tensor born_module_tensor(const born_module *m, const char *name);
/// The tensor at a path below m ("encoder.layers.0.linear1.weight"); {0} where there is none.
BORN_API born_tensor born_module_find(const born_module *m, const char *path);
/// Overwrites a tensor of the module in place with a value of its shape, as part of the computation: in a recording it
/// becomes part of the graph. What a buffer such as running_mean is changed with.
BORN_API void born_module_update(born_module *m, const char *name, born_tensor value);
/// Shares `from`'s tensor as m's own under `name` (tied weights): one tensor, listed at each of its paths.
BORN_API void born_module_tie(born_module *m, const char *name, born_module *from, const char *from_name);

/// One tensor of a tree, as born_module_each shows it. Borrowed for the call.
typedef struct born_module_item {
    const char *path;
    born_tensor value;
    born_module_role role;
    bool frozen;                /* a parameter that takes no gradient */
    bool again;                 /* shared with an item shown before */
    born_module *owner;
} born_module_item;
/// Shows every tensor below m, parents before children, in the order they were added. fn returns false to stop.
BORN_API born_status born_module_each(const born_module *m, bool (*fn)(void *user, const born_module_item *item),
                                      void *user);
/// Overwrites the tensor at `path` below m with host data of its shape; floats are converted to its dtype. INVALID
/// where there is no such tensor, SHAPE, DTYPE (a float for integers or the other way round).
BORN_API BORN_CHECK born_status born_module_copy_in(born_module *m, const char *path, born_array value,
                                                    born_error *err);
/// Copies the tensor at `path` below m to dst, in C order and its own dtype; `bytes` is exactly its size.
BORN_API BORN_CHECK born_status born_module_copy_out(const born_module *m, const char *path, void *dst, size_t bytes,
                                                     born_error *err);

/// A named array, as files of weights hold them.
typedef struct born_named_array {
    const char *name;
    born_array value;
} born_named_array;
/// Why a tensor did not load: the module has it and the arrays do not; the other way round; another shape; another
/// kind of dtype; it could not be written.
typedef enum born_load_problem {
    BORN_LOAD_MISSING,
    BORN_LOAD_UNEXPECTED,
    BORN_LOAD_SHAPE,
    BORN_LOAD_DTYPE,
} born_load_problem;
typedef struct born_load_desc {
    bool allow_missing, allow_unexpected;   /* PyTorch's strict=False is both */
    const char *prefix;                     /* names begin with it ("model."), others are unexpected; NULL: none */
    /* Told of every problem, allowed ones too, before anything is written. text says the facts. */
    void (*tell)(void *user, born_load_problem what, const char *name, const char *text);
    void *user;
} born_load_desc;
/// Overwrites the saved tensors below m by name (a shared tensor under any of its names). Either all of it happens or,
/// with a problem that is not allowed, nothing: MISMATCH, and err counts the missing, unexpected and mis-shaped names
/// and lists the first of each.
BORN_API BORN_CHECK born_status born_module_load_arrays_sized(born_module *m, const born_named_array *arrays,
                                                              int64_t count, const born_load_desc *desc,
                                                              size_t desc_bytes, born_error *err);
static inline BORN_CHECK born_status born_module_load_arrays(born_module *m, const born_named_array *arrays,
                                                             int64_t count, const born_load_desc *desc,
                                                             born_error *err)
{
    return born_module_load_arrays_sized(m, arrays, count, desc, sizeof *desc, err);
}
/// Elements of all parameters below m, shared ones once.
BORN_API int64_t born_module_param_count(const born_module *m);

/// Training (the default) or evaluation, for m and all below.
BORN_API void born_module_train(born_module *m, bool training);
BORN_API bool born_module_training(const born_module *m);
/// Freezes (no gradients) or releases all parameters below m.
BORN_API void born_module_freeze(born_module *m, bool frozen);

/// The i-th child, NULL behind the last; the child of that name, NULL where there is none; a module's own name, its
/// kind's name, its parent (NULL: a root) and its chain.
BORN_API born_module *born_module_child(const born_module *m, int i);
BORN_API born_module *born_module_get(const born_module *m, const char *name);
BORN_API const char *born_module_name(const born_module *m);
BORN_API const char *born_module_kind(const born_module *m);
BORN_API born_module *born_module_parent(const born_module *m);
BORN_API born_backend *born_module_backend(const born_module *m);
/// The dtype of the tree's parameters.
BORN_API born_dtype born_module_dtype(const born_module *m);

/// A fresh key for one random operator: an i64 tensor [1] that depends on the root's seed, the steps its state has
/// counted, the module's place and how often it asked in this step. In a recording it is computed from the root's
/// state, so that every run draws anew.
BORN_API born_tensor born_module_key(born_module *m);
/// Ends a step: the next keys differ. Optimisers call it; loops without one do so themselves.
BORN_API void born_module_next_step(born_module *m);

/// Runs m on x: one operand, one result of x's dtype (of a run-time dtype for integer operands). Also a macro or, in
/// C++, overloads, for every typed handle.
BORN_API born_tensor born_forward(born_module *m, born_tensor x, const born_site *at);
/// Runs m on several operands ({0}: absent) with several results. What each kind takes and gives stands at its
/// constructor.
BORN_API void born_forward_n(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at);
/// born_forward_n without remembering what m computes inside: born_backward runs m again, with the same random numbers
/// and without updating buffers a second time. Less memory for more work. m must outlive the backward. Results are
/// poison where it fails. Equals torch.utils.checkpoint. Chen et al., 2016.
BORN_API BORN_CHECK born_status born_module_recompute(born_module *m, const born_tensor *in, int n_in,
                                                       born_tensor *out, int n_out);

BORN_C_END

#define BORN__X(T)                                                                                                    \
    static inline born##T born_forward##T(born_module *m, born##T x, const born_site *at)                             \
    {                                                                                                                 \
        x.any = (born_forward)(m, x.any, at);                                                                         \
        return x;                                                                                                     \
    }
BORN__X(_f32) BORN__X(_f64) BORN__X(_f16) BORN__X(_bf16)
#undef BORN__X
static inline born_tensor born_forward_i64(born_module *m, born_i64 x, const born_site *at)
{
    return (born_forward)(m, x.any, at);
}
static inline born_tensor born_forward_i32(born_module *m, born_i32 x, const born_site *at)
{
    return (born_forward)(m, x.any, at);
}
#ifdef __cplusplus
#define BORN__X(R, T)                                                                                                 \
    inline R born_forward(born_module *m, born##T x, const char *file = __builtin_FILE(),                             \
                          int line = __builtin_LINE())                                                                \
    {                                                                                                                 \
        born_site s = { file, line };                                                                                 \
        return born_forward##T(m, x, &s);                                                                             \
    }
BORN__X(born_f32, _f32) BORN__X(born_f64, _f64) BORN__X(born_f16, _f16) BORN__X(born_bf16, _bf16)
BORN__X(born_tensor, _i64) BORN__X(born_tensor, _i32)
#undef BORN__X
#else
#define born_forward(m, x)                                                                                            \
    (_Generic((x), born_tensor: born_forward, born_f32: born_forward_f32, born_f64: born_forward_f64,                 \
         born_f16: born_forward_f16, born_bf16: born_forward_bf16, born_i64: born_forward_i64,                        \
         born_i32: born_forward_i32)((m), (x), &(const born_site){ __FILE__, __LINE__ }))
#define born_forward_n(m, in, n_in, out, n_out)                                                                       \
    born_forward_n((m), (in), (n_in), (out), (n_out), &(const born_site){ __FILE__, __LINE__ })
#endif
#endif
