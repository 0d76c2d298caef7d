/* The chain: a leaf under decorators, and what eager tensors live in. One thread uses a chain at a time.

   A link is a born_backend: a table of up to twelve functions, the link below, its level (0 is the leaf) and private
   state. Whoever calls a link goes through born__backend_<function>, which finds the nearest link at or below that has
   it, so nothing is skipped and decorators write only what they change.

   A node is one tensor for the whole chain: storage (a view of a leaf's buffer), the level it is known to, and one note
   per level above the leaf, which belongs to that level's link. A handle is the node's address with six bits of its
   generation; a node's generation changes when it dies, and slabs of nodes are recycled but never unmapped, so a stale
   handle is found out without touching freed memory. */
#ifndef BORN_WAIST_CHAIN_H
#define BORN_WAIST_CHAIN_H
#include <born/device.h>
#include <born/ext.h>

#include "waist/op.h"

enum {
    BORN_LEVELS = 8,            /* links of a chain at most */
    BORN_NOTES = BORN_LEVELS - 1,
    BORN_FEW = 16               /* operands that need no allocation */
};

/* Ranks of links: a chain is made of links of rising rank; only autodiff may repeat. */
enum {
    BORN_RANK_LEAF,
    BORN_RANK_FUSE,
    BORN_RANK_TRACE,
    BORN_RANK_QUANT,
    BORN_RANK_AUTODIFF,
    BORN_RANK_CHECK
};

typedef struct born_chain born_chain;
typedef struct born_node born_node;

/* The part of storage that every leaf's buffer begins with. */
struct born_buffer {
    char *data;                 /* host address; NULL where the device's memory is not the host's, or not there yet */
    born_backend *keeper;       /* the link above the leaf that makes it when it is needed; NULL: it is the leaf's */
    size_t bytes;
    const char *writer;         /* what last changed it in place: an op's name or "write"; NULL: nothing yet */
    uint32_t version;           /* counts changes in place; views of the buffer share it */
    uint32_t refs;              /* one per node (and per owner outside the chain) */
};

struct born_backend {
    const born_backend_ops *ops;
    born_backend *below;        /* NULL: this is the leaf */
    born_chain *chain;
    void *state;                /* the link's own */
    /* Frees a note of this level when its node dies; may unref other nodes (release is iterative). NULL: none. */
    void (*forget)(born_backend *self, void *note);
    /* `to` is `from` under another handle (born_detach): makes what this level knows of it known of `to`. NULL: nothing
       to do. */
    born_status (*share)(born_backend *self, born_node *from, born_node *to, born_error *err);
    int level, rank;
};

struct born_node {
    _Alignas(64) born_view view;
    void *note[BORN_NOTES];     /* note[level - 1] */
    born_chain *chain;          /* NULL for poison, and while its slab belongs to no chain */
    born_node *next;            /* free list, list of the dying */
    born_node *held_below;      /* stack of what scopes own */
    uint32_t refs, kept;        /* kept: by born_keep, counted in refs */
    uint32_t depth;             /* of the scope that owns it, where `held` */
    uint8_t gen, level;
    bool held, poison;
};

/* The eager call that is running: lets a link see the nodes behind a call's views. */
typedef struct born_frame {
    const born_call *call;
    born_node *const *in;       /* NULL: absent operand */
    born_node *const *out;
    struct born_frame *up;
} born_frame;

struct born_chain {
    born_backend *link[BORN_LEVELS];    /* by level */
    int levels;
    int floor;                  /* the lowest level that storage is reached through: fuse's where there is one */
    born_error error;           /* the first one not taken */
    bool dead;                  /* carries its error for good */
    bool fixed;                 /* a static chain, shared by threads: never written */
    bool closed, draining;
    uint32_t holds;             /* its owner, sessions, kept handles */
    uint32_t depth;             /* of the innermost scope; 0 is the root */
    born_node *held, *free, *dying;
    struct born_slab *slabs;
    born_frame *frame;
    void *host;                 /* copies of host operands */
    size_t host_bytes;
    uint64_t live;              /* nodes in use */
};

/* links (chain.c) -------------------------------------------------------------------------------------------------- */

/* A new link over `below` (NULL: a leaf), with state_bytes of zeroed private state. Never NULL: where it cannot be made
   the chain it should have extended is dead (and returned), or a static dead backend is. A dead `below` is returned. */
born_backend *born__link_new(const born_backend_ops *ops, int rank, born_backend *below, size_t state_bytes);
/* A dead backend carrying err: a static one where memory is short. */
born_backend *born__link_dead(const born_error *err);
/* Makes b's chain dead with the error in err; returns b. */
born_backend *born__chain_kill(born_backend *b, const born_error *err);
/* Sessions hold the chain of the backend they run on. */
void born__chain_hold(born_backend *b);
void born__chain_unhold(born_backend *b);
/* Records err (its file and line from `at`, which may be NULL) as the chain's error unless it has one. */
void born__chain_fail(born_chain *c, born_error *err, const born_site *at);
/* OK, or the chain's error where it is dead. */
born_status born__chain_alive(const born_chain *c, born_error *err);

/* The twelve functions with pass-through. err is never NULL inside a link; NULL is allowed here. */
born_status born__backend_alloc(born_backend *b, size_t bytes, size_t align, void *host, void (*host_free)(void *),
                                born_buffer **out, born_error *err);
void born__backend_release(born_backend *b, born_buffer *buf);
born_status born__backend_write(born_backend *b, const born_view *dst, const void *src, size_t bytes, born_error *err);
born_status born__backend_read(born_backend *b, const born_view *src, void *dst, size_t bytes, born_error *err);
born_status born__backend_copy(born_backend *b, const born_view *src, const born_view *dst, born_error *err);
born_status born__backend_query(born_backend *b, const born_call *call, born_query *q, born_error *err);
born_status born__backend_run(born_backend *b, born_call *call, born_error *err);
born_status born__backend_prepare(born_backend *b, born_plan *plan, born_error *err);
born_status born__backend_run_plan(born_backend *b, born_plan *plan, born_error *err);
void born__backend_discard(born_backend *b, born_plan *plan);
born_status born__backend_sync(born_backend *b, born_error *err);
void born__backend_destroy(born_backend *b);    /* destroys and frees every link at and below b */

/* nodes (node.c) --------------------------------------------------------------------------------------------------- */

static inline born_tensor born__node_handle(born_node *n)
{
    return (born_tensor){ (uintptr_t)n | (n->gen & 63u) };
}
/* The node a handle names, alive or not; NULL for {0}. */
static inline born_node *born__handle_node(born_tensor t)
{
    return (born_node *)(t.w & ~(uintptr_t)63);
}
static inline bool born__handle_fresh(const born_node *n, born_tensor t)
{
    return (n->gen & 63u) == (t.w & 63u) && n->refs > 0 && n->chain;
}
/* The node behind a handle that a sync call was given, or a status (its error goes to the chain too): INVALID for no
   tensor, STATE for a stale handle, the chain's status for poison. */
born_status born__handle_get(born_tensor t, const char *who, born_node **out);
/* A node without storage, refs 1 (the caller's); NULL: out of memory. */
born_node *born__node_new(born_chain *c, int level);
static inline void born__node_ref(born_node *n) { n->refs++; }
/* NULL allowed. Iterative: a chain of a million records does not recurse. */
void born__node_unref(born_node *n);
/* Hands the caller's reference to the innermost scope. */
void born__node_own(born_node *n);
/* The link that calls on tensors of a level, and their storage, go through. Constants (level 0) pass no decorator but
   the one that may hold calls which read them. */
static inline born_backend *born__level_link(const born_chain *c, int level)
{
    return c->link[level < c->floor ? c->floor : level];
}
static inline born_backend *born__node_link(const born_node *n) { return born__level_link(n->chain, n->level); }
/* What failed calls return: a static node per status, so poison needs no memory, outlives every chain and tells a sync
   call its own status. */
born_tensor born__poison(born_status s);
born_status born__poison_status(const born_node *n);
void born__nodes_close(born_chain *c);          /* at the end of a chain: all nodes die, slabs go back */
void born__slabs_free(void);                    /* frees the slabs no chain uses (tests that count allocations) */

/* scopes (scope.c) ------------------------------------------------------------------------------------------------- */

void born__scope_end_to(born_chain *c, uint32_t depth);     /* releases what belongs to scopes of >= depth */

/* calls on handles (run.c) ----------------------------------------------------------------------------------------- */

/* Runs one op on nodes of a chain at `level`, attrs resolved. The outputs are new nodes of that level, refs 1 each (the
   caller's). in[i] may be NULL: absent. On failure there are none and err says why. */
born_status born__run_nodes(born_chain *c, int level, const born_op *op, const void *attrs, born_node *const *in,
                            int in_count, born_node **out, int out_count, const born_site *at, born_error *err);
/* What the public functions are made of: runs an op on handles at the highest level of its inputs. attrs is the user's
   struct (zero fields: default) or NULL. Results belong to the innermost scope; poison where anything failed. Returns
   the first result; outs (out_count of them) may be NULL where out_count is 1. */
born_tensor born__op_call(born_op_id id, const born_tensor *in, int n, const void *attrs, int out_count,
                          born_tensor *outs, const born_site *at);
/* The same with attributes already resolved, on backend b where no input names a chain. */
born_tensor born__op_call_on(born_backend *b, const born_op *op, const born_tensor *in, int n, const void *attrs,
                             int out_count, born_tensor *outs, const born_site *at);
/* A rank-0 tensor of the chain holding v (which must be exact for an integer dtype), as a constant: level 0. */
born_status born__node_scalar(born_chain *c, born_dtype t, double v, born_node **out, born_error *err);
/* Any dense host data as a tensor of `level`. */
born_status born__node_from(born_chain *c, int level, born_dtype t, const int64_t *dim, int rank, const void *data,
                            born_node **out, born_error *err);

/* attributes (flat.c) ---------------------------------------------------------------------------------------------- */

/* Flat copies, arrays and strings included, for records that live in a caller's block: bytes needed (a multiple of 8),
   SIZE_MAX where the attributes hold a graph or the size overflows; then the copy, `dst` aligned to 8. */
size_t born__attrs_flat_bytes(const born_attr_set *s, const void *a);
void born__attrs_flat_copy(const born_attr_set *s, const void *a, void *dst);

/* the level emitter (emit.c) --------------------------------------------------------------------------------------- */

/* A builder that runs ops at a level of a chain. A value is a node's address; what it makes belongs to the scope that
   is innermost when it is made. */
typedef struct born_level_emit {
    born_emit e;
    born_chain *chain;
    int level;
    const born_site *at;
    /* Asked of every operand before it is used; NULL: nobody asks. */
    born_status (*check)(const void *ctx, const born_node *n, born_error *err);
    const void *check_ctx;
} born_level_emit;
void born__level_emit_init(born_level_emit *e, born_chain *c, int level, const born_site *at);
static inline born_val born__val(born_node *n) { return (born_val)(uintptr_t)n; }
static inline born_node *born__val_node(born_val v) { return (born_node *)(uintptr_t)v; }
#endif
