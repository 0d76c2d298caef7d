/* The graph: values, and nodes in topological order that are rows of the op table applied to values. Made by readers
   and traces, changed by passes, then only read. Everything a graph holds lives in its arena, except constant data,
   which is borrowed from the file map or owned blocks. Subgraphs (If, Loop, Scan) are graphs of their own, held by
   GRAPH attributes; what they use from outside is passed explicitly: captured values are further inputs of the
   control node, and further inputs of the subgraph in the same order. */
#ifndef BORN_GRAPH_IR_H
#define BORN_GRAPH_IR_H
#include "base/alloc.h"
#include "waist/op.h"

typedef int32_t born_vid;                   /* index of a value; -1: absent operand */

typedef enum born_value_kind {
    BORN_VALUE_TENSOR,
    BORN_VALUE_SEQUENCE,
    BORN_VALUE_OPTIONAL,
    BORN_VALUE_MAP
} born_value_kind;

typedef struct born_value {
    const char *name;                       /* "" where it has none */
    born_value_kind kind;
    born_dtype dtype;                       /* NONE: not known yet */
    int rank;                               /* -1: not known */
    int64_t dim[BORN_MAX_RANK];             /* -1: symbolic or not known */
    const char *symbol[BORN_MAX_RANK];      /* name of a symbolic dim, NULL: none */
    const void *data;                       /* constants: row-major bytes; NULL for rank-known empty or non-constants */
    size_t bytes;                           /* of data */
    bool constant;
    bool input;                             /* kept by born__graph_verify, as producer is */
    bool splat;                             /* constant: data is one element, meant everywhere */
    bool loose;                             /* constant: data is not aligned to its elements; only to be packed */
    bool channels_last;                     /* [N, C, ...] stored with C innermost (pass layout_channels) */
    int32_t producer;                       /* node index, -1: input or constant (kept by born__graph_verify) */
} born_value;

typedef struct born_gnode {
    const born_op *op;
    const char *name;                       /* for messages; "" where it has none */
    void *attrs;                            /* in the graph's arena, resolved; NULL where the op has none */
    born_vid *in, *out;
    int in_count, out_count;
} born_gnode;

struct born_graph {
    born_arena arena;
    const char *name;
    born_value *value;
    size_t value_count, value_cap;
    born_gnode *node;                       /* topological order once built */
    size_t node_count, node_cap;
    born_vid *input, *output;
    size_t input_count, input_cap, output_count, output_cap;
    void **owned;                           /* blocks of constant data freed with the graph */
    size_t owned_count, owned_cap;
    struct born_structure *structure;       /* made once the passes are done (graph/structure.h) */
    born_graph *next_free;                  /* while being freed */
};

/* All return NOMEM without changing the graph; names are copied. A graph owns its subgraphs. */
born_status born__graph_new(born_graph **out, born_error *err);
void born__graph_free(born_graph **g);
born_status born__graph_value(born_graph *g, const char *name, size_t name_n, born_vid *out, born_error *err);
/* A constant. data is borrowed and must outlive the graph; own = true hands over a block from born__alloc. */
born_status born__graph_const(born_graph *g, const char *name, size_t name_n, born_dtype t, const int64_t *dim,
                              int rank, const void *data, bool own, born_vid *out, born_error *err);
/* Appends a node. attrs (resolved, of op->attrs) is copied deeply into the arena; GRAPH attributes are taken over.
   in may hold -1. */
born_status born__graph_node(born_graph *g, const born_op *op, const char *name, size_t name_n, const void *attrs,
                             const born_vid *in, int in_count, const born_vid *out, int out_count, born_error *err);
/* Gives a loose constant an aligned copy of its own, for readers that do not pack it. Others: nothing. */
born_status born__graph_settle(born_graph *g, born_vid v, born_error *err);
born_status born__graph_input(born_graph *g, born_vid v, born_error *err);
born_status born__graph_output(born_graph *g, born_vid v, born_error *err);
/* Hands each subgraph of a node to fn, in the order of the attribute rows. */
void born__node_subgraphs(const born_gnode *n, void (*fn)(void *user, born_graph **g), void *user);
/* Checks everything a reader could have got wrong: ids in range, each value defined once and before its uses, arity,
   attribute ranges, subgraphs likewise. Sorts nodes topologically where they are not; a cycle is FORMAT. */
born_status born__graph_verify(born_graph *g, born_error *err);
#endif
