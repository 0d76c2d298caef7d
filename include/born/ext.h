/* Born for those who extend it: a call as data, the backend of twelve functions, the op descriptor. Not part of
   born.h. Everything here is what the inside of the library uses too. */
#ifndef BORN_EXT_H
#define BORN_EXT_H
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_backend born_backend;   /* one thread's chain: a leaf under decorators */
typedef struct born_buffer born_buffer;     /* storage owned by a leaf; refcounted */
typedef struct born_op born_op;             /* an operator's descriptor: one row of ops.def */
typedef struct born_plan born_plan;         /* calls bound to storage: made by a session */
typedef struct born_graph born_graph;

/// A strided view of storage. `dtype` BORN_DTYPE_NONE: the operand is absent. Strides count elements. `data` is the
/// host address of element [0,...,0] where the leaf is the CPU (or for host operands), else NULL.
typedef struct born_view {
    born_buffer *buffer;
    char *data;
    int64_t offset;                 /* of element [0,...,0] in `buffer`, in bytes */
    born_dtype dtype;
    int rank;
    int64_t dim[BORN_MAX_RANK];
    int64_t stride[BORN_MAX_RANK];
} born_view;

/// A call: operator, operand views, resolved attributes. Kernels of `extent` ops write the true sizes to out[i].dim.
typedef struct born_call {
    const born_op *op;
    const void *attrs;              /* the op's attribute struct, all fields resolved; NULL where it has none */
    const born_site *at;            /* may be NULL */
    const void *packed;             /* the packed form of one constant operand; NULL: not packed */
    int in_count, out_count;
    born_view *in, *out;
} born_call;

/// What a backend answers about a call before it runs.
typedef struct born_query {
    bool supported;
    const void *kernel;             /* the leaf's choice, handed back in plan entries */
    size_t scratch_bytes;           /* working memory while it runs */
    int pack_operand;               /* operand that may be packed once if it is constant; -1: none */
    uint32_t pack_form;             /* the packed form's name and version; forms compare by this */
    size_t pack_bytes;
    uint32_t in_place;              /* bit i: output 0 may share the storage of input i (same element positions) */
    bool appends;                   /* results that begin with an operand may lie over it: it is not written to */
    char why[96];                   /* the reason when not supported */
} born_query;

/// One entry of a plan.
typedef struct born_plan_call {
    born_call call;
    const void *kernel;             /* from query */
    int64_t scratch_offset;         /* in the plan's scratch; -1: none */
    int pack_operand;               /* from query, where that operand is constant; -1: none */
    uint32_t pack_form;
    size_t pack_bytes;
    void *pack_to;                  /* prepare packs the operand, which may lie at any address, to here; NULL: nothing
                                       to pack, or packed already */
} born_plan_call;

struct born_plan {
    born_plan_call *call;
    int64_t count;
    void *scratch;
    size_t scratch_bytes;
    void (*packed)(void *user,
                   const born_plan_call *pc); /* prepare tells each operand it has packed, from any thread */
    void *user;
    void *prepared;                 /* the backend's own, from prepare to discard */
};

/// A backend: twelve functions. A decorator's table holds only those it changes; the others are NULL and pass
/// through to the next below, except run_plan: a decorator that has run but no run_plan replays the plan through
/// its own run. All return a status and describe it in err (never NULL here). `self` is the link itself.
typedef struct born_backend_ops {
    const char *name;
    born_status (*alloc)(born_backend *self, size_t bytes, size_t align, void *host, void (*host_free)(void *),
                         born_buffer **out, born_error *err);   /* host != NULL: wrap it; host_free may be NULL */
    void (*release)(born_backend *self, born_buffer *b);
    born_status (*write)(born_backend *self, const born_view *dst, const void *src, size_t bytes, born_error *err);
    born_status (*read)(born_backend *self, const born_view *src, void *dst, size_t bytes, born_error *err);
    born_status (*copy)(born_backend *self, const born_view *src, const born_view *dst, born_error *err);
    born_status (*query)(born_backend *self, const born_call *call, born_query *q, born_error *err);
    born_status (*run)(born_backend *self, born_call *call, born_error *err);
    born_status (*prepare)(born_backend *self, born_plan *plan, born_error *err);
    born_status (*run_plan)(born_backend *self, born_plan *plan, born_error *err);
    void (*discard)(born_backend *self, born_plan *plan);
    born_status (*sync)(born_backend *self, born_error *err);
    void (*destroy)(born_backend *self);
} born_backend_ops;

BORN_C_END
#endif
