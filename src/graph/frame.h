/* A frame runs one graph (a model's, or a subgraph's) for one session: up to 16 bindings of it to shapes, one block of
   memory per segment shared by them, a child frame per subgraph. Private to src/graph. */
#ifndef BORN_GRAPH_FRAME_H
#define BORN_GRAPH_FRAME_H
#include "graph/ir.h"
#include "graph/model.h"
#include "graph/structure.h"

enum { BORN_MAX_BINDINGS = 16 };

/* Where a value's bytes are. */
typedef enum born_slot_where {
    BORN_AT_NOTHING,        /* not bound, or absent */
    BORN_AT_CONST,
    BORN_AT_INPUT,          /* frame.input[slot.index] */
    BORN_AT_BLOCK,          /* frame.block[slot.index] + offset */
    BORN_AT_HOST,           /* the binding's host memory, at offset */
    BORN_AT_EXTERN,         /* frame.external[root]: a control node's result, or the aligned copy of a constant */
    BORN_AT_STATE,          /* the session's tie slot.index: the buffer this run writes */
} born_slot_where;

/* One value in one binding. Aliases name their root and lie `offset` bytes into it. */
typedef struct born_slot {
    born_view view;
    born_slot_where where;  /* of a root */
    born_vid root;
    int32_t index;
    int32_t last_use;       /* of a root: the last use of all its aliases */
    int64_t offset;         /* of a root: within its place; of an alias: within its root */
    size_t bytes;           /* of a root at a block or in a state buffer */
    size_t room;            /* of a root: what its place holds, where it may grow before all is planned anew */
} born_slot;

/* A view of a call that must be pointed anew on each run: its root moves. */
typedef struct born_patch {
    int32_t operand;        /* in binding.operand */
    born_vid value;
} born_patch;

typedef struct born_bound_segment {
    bool bound;             /* for the facts beside */
    bool whole;             /* bound once, so that what has not changed since may be kept */
    born_plan plan;
    int32_t *node;          /* per plan call: the node it came from */
    char *facts;            /* what it was bound for */
    size_t facts_bytes, facts_cap;
    born_patch *patch;
    size_t patch_count, patch_cap;
    size_t block_bytes, scratch_bytes, host_end;
    uint64_t epoch;         /* of the frame's blocks when pointers were last set */
    double flops;           /* of one run */
} born_bound_segment;

typedef struct born_binding {
    born_slot *slot;        /* per value */
    born_view *operand;     /* per operand of each node, structure.first_operand */
    born_bound_segment *segment;
    born_plan_call *call;   /* per node, and one per graph output; segments use ranges of it */
    int32_t *call_node;
    char *host;             /* elements of host nodes */
    size_t host_bytes, host_cap;
    uint64_t used;          /* time of last use */
} born_binding;

typedef struct born_block {
    born_buffer *buffer;
    char *base;
    size_t bytes;
} born_block;

typedef struct born_free_range {
    int64_t offset;
    size_t bytes;
} born_free_range;

typedef struct born_gframe {
    struct born_session *session;
    born_graph *graph;
    born_binding *binding[BORN_MAX_BINDINGS];
    int binding_count;
    born_binding *now;
    born_block *block;              /* per segment */
    uint64_t epoch, clock;
    const char **input;             /* per graph input: where its elements are in this run */
    born_view *input_view;
    const char **external;          /* per value */
    struct born_gframe **child;      /* subgraph frames in node order */
    struct born_control **control;  /* per segment: state of its control node, NULL for others */
    char *key;                      /* facts being compared */
    size_t key_bytes, key_cap;
    born_free_range *free_range;    /* planning: free places of the block */
    size_t free_count, free_cap;
    int32_t *expire_next, *expire_head; /* planning: roots that die at a node, as lists */
    uint8_t *moved;                 /* binding again, per value: its elements or its place changed */
    bool again;                     /* binding again: host values stay where they are */
    double *seconds;                /* per node, where the session profiles */
    int64_t *calls;
    double *flops;
} born_gframe;

born_status born__frame_open(struct born_session *s, born_graph *g, born_gframe **out, born_error *err);
void born__frame_close(born_gframe **f);
/* Runs the graph on these input views (graph input order, all present). Results are in the slots of f->now until the
   next run. plan_only: bind what can be bound without running. */
born_status born__frame_run(born_gframe *f, const born_view *in, bool plan_only, born_error *err);
/* The view of value v in the present binding, its data pointer set. */
born_view born__frame_view(const born_gframe *f, born_vid v);
/* Forgets what is bound: the session's ties have changed. */
void born__frame_unbind(born_gframe *f);
/* Sums of the frame and its children. */
void born__frame_sizes(const born_gframe *f, size_t *block, size_t *state);

/* binding.c */
born_status born__binding_new(born_gframe *f, born_binding **out, born_error *err);
void born__binding_free(born_gframe *f, born_binding **b);
/* Binds segment k of b: shapes, kernels, packed weights, offsets. */
born_status born__bind_segment(born_gframe *f, born_binding *b, int32_t k, born_error *err);
/* The parts of it that rebind.c uses too. Runs the shape rule of a node on what its operands are now. */
/* Makes v an alias of u, `offset` bytes further. */
void born__bind_alias(born_binding *b, const born_structure *st, born_vid v, born_vid u, int64_t offset);
born_status born__bind_infer(born_gframe *f, born_binding *b, int32_t k, int32_t node, bool *shares, born_error *err);
born_status born__bind_host(born_gframe *f, born_binding *b, int32_t node, bool shares, int32_t k, born_error *err);
/* Asks the backend about a node whose shapes are known, and fills its plan entry. */
born_status born__bind_query(born_gframe *f, born_binding *b, int32_t k, int32_t node, born_plan_call *pc,
                             born_query *q, bool *appends, born_error *err);
/* May result 0 lie where operand i does, as views go? */
bool born__bind_same_places(const born_call *c, int i);
void born__bind_flops(born_gframe *f, born_bound_segment *seg);
/* What the plan still lacks against max_bytes, `missing` bytes of packed weights included. */
born_status born__bind_fits(born_gframe *f, const born_bound_segment *seg, int32_t k, size_t missing, born_error *err);

/* rebind.c: binds a whole segment again where only sizes changed and everything still fits its place. false: it must
   be bound from the start, which also says what is wrong. */
bool born__rebind_segment(born_gframe *f, born_binding *b, int32_t k);

/* Points every operand of the segment at its bytes (all = false: only those that move). */
void born__bind_pointers(born_gframe *f, born_binding *b, int32_t k, bool all);
extern const char born__no_elements[64];
char *born__slot_data(const born_gframe *f, const born_binding *b, born_vid v);

/* offsets.c: gives every root that segment k makes a place in its block; returns the block's bytes in *bytes. slack:
   roots that outgrew their place get one twice as large. */
born_status born__plan_offsets(born_gframe *f, born_binding *b, int32_t k, bool slack, size_t *bytes, born_error *err);

/* control.c */
born_status born__control_open(born_gframe *f, int32_t node, struct born_control **out, born_error *err);
void born__control_close(struct born_control **c);
born_status born__control_run(born_gframe *f, struct born_control *c, born_error *err);
void born__control_sizes(const struct born_control *c, size_t *block, size_t *state);
#endif
