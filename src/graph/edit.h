/* What passes use to change a graph: uses of each value, replacing, removing. A pass marks nodes dead and calls
   born__edit_end, which compacts them and verifies in debug builds. */
#ifndef BORN_GRAPH_EDIT_H
#define BORN_GRAPH_EDIT_H
#include "graph/ir.h"

typedef struct born_edit {
    born_graph *g;
    const struct born_pass_ctx *ctx;
    int32_t *uses;              /* per value: nodes reading it (each operand counts) plus 1 for each graph output */
    int32_t *reader_xor;        /* per value: xor of the indices of its readers, so that one use names its reader */
    born_vid *alias;            /* per value: what replaced it, -1 none; resolved for good at the end */
    bool *is_output;
    bool *dead;                 /* per node */
    size_t uses_count, dead_count;
    int64_t changes;
    born_error *err;
} born_edit;

/* What a pass may need to know. */
typedef struct born_pass_ctx {
    size_t max_bytes;           /* most bytes a pass may make of new constants */
    size_t *copies_left;        /* bytes that subgraphs and all may still copy to align constants; NULL: any number */
    bool exact;                 /* run only passes that keep every bit */
    const char *passes_off;
    void (*dump)(void *user, const char *pass, const char *text);
    void *dump_user;
} born_pass_ctx;

born_status born__edit_begin(born_edit *e, born_graph *g, const born_pass_ctx *ctx, born_error *err);
born_status born__edit_end(born_edit *e);               /* frees; returns NOMEM or the verifier's finding */
/* Every reader of `from`, and graph outputs, read `to` from now on. Passes see it through born__edit_in. */
void born__edit_replace(born_edit *e, born_vid from, born_vid to);
born_vid born__edit_resolve(const born_edit *e, born_vid v);
/* Resolves a node's operands in place and returns the node; passes call it on each node they come to. */
born_gnode *born__edit_node(born_edit *e, int32_t node);
/* Points operand i of a node at v (its use counts follow). */
void born__edit_set_input(born_edit *e, int32_t node, int i, born_vid v);
/* A new value, with room in the pass's own tables. */
born_status born__edit_new_value(born_edit *e, const char *name, born_vid *out);
/* Moving nodes: takes one out of its place, with its uses; puts one, perhaps changed, into a place left so. Every place
   must be filled again, in topological order. */
born_gnode born__edit_take(born_edit *e, int32_t node);
void born__edit_put(born_edit *e, int32_t node, const born_gnode *n);
void born__edit_kill(born_edit *e, int32_t node);       /* its operands lose a use */
/* The constant scalar or tensor behind v, or NULL. */
const born_value *born__edit_const(const born_edit *e, born_vid v);
/* The only reader of v as a node index, -1 where there is none, several, or v is a graph output. */
int32_t born__edit_only_reader(const born_edit *e, born_vid v);

/* Runs op's reference on the host with scratch of its own; outputs must have storage. UNSUPPORTED for ops without a
   reference and for half floats that need widening. */
born_status born__host_run(born_call *c, born_error *err);
/* A view of a constant value (strides 0 for a splat). */
born_view born__value_view(const born_value *v);

typedef born_status (*born_pass_fn)(born_edit *e);
typedef struct born_pass {
    const char *name;
    born_pass_fn run;
    bool exact;
    const char *doc;
} born_pass;
extern const born_pass born__passes[];
extern const size_t born__pass_count;
/* born__graph_settle within what the context allows: NOMEM beyond. */
born_status born__graph_settle_within(born_graph *g, const born_pass_ctx *ctx, born_vid v, born_error *err);
/* The pipeline: every pass of passes.def in order, subgraphs included, then the structure. */
born_status born__graph_optimise(born_graph *g, const born_pass_ctx *ctx, born_error *err);
#endif
