/* Inside the mapper: what its files share. A frame is one scope of names: the model's graph, a subgraph, or the body of
   a function being inlined. A call is an ONNX operator on values of the graph rather than on names; older versions and
   composed operators are rewritten as calls of the newest forms, which the op table's rows take. */
#ifndef BORN_ONNX_MAP_H
#define BORN_ONNX_MAP_H
#include "base/text.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/proto.h"
#include "graph/ir.h"

enum {
    MAP_MAX_INLINE = 12,            /* functions within functions */
    MAP_MAX_WORK = 1 << 23,         /* nodes and operands, after inlining */
    MAP_MAX_LEVEL = 24,             /* functions and subgraphs together */
    MAP_MAX_OPSET = 28,             /* newest version of the default domain that is understood */
    MAP_MAX_ATTRS = 1024,           /* of one node */
    MAP_NEWEST = 1 << 30,           /* version of calls made by the mapper itself */
};

typedef struct map_op_entry {
    born_str domain, name;
    int64_t version;
    const born_op *op;
} map_op_entry;

/* A name and what it stands for. */
typedef struct map_name {
    born_str name;
    born_vid value;
    bool promised;                  /* an output of an inlined function that no node has made yet */
} map_name;

typedef struct map_table {
    map_name *slot;                 /* open addressing; name.p NULL: free */
    size_t cap, count;
} map_table;

typedef struct map_capture {
    born_vid outer, inner;
} map_capture;

/* What the file declares about the values of one graph: ranks, for rewrites that need one. A hint, never trusted with
   memory. */
typedef struct map_hints {
    int8_t *rank;                   /* per value: rank + 1, 0 not stated */
    size_t cap;
} map_hints;

typedef struct map_ctx {
    const pb_model *model;
    born_arena arena;               /* parsed structs and tables: gone when the graph is made */
    size_t budget;                  /* bytes of constants that may still be copied */
    born_onnx_files *files;
    map_op_entry *op;               /* open addressing over (domain, name) */
    size_t op_cap;
    int32_t *fn;                    /* likewise over the model's functions: index + 1, 0 free */
    size_t fn_cap;
    void (*gap)(void *user, const born_onnx_gap *g);
    void *user;
    int64_t gap_count, work;        /* work: nodes and operands mapped so far */
    born_text gap_text;             /* the first few, for the error line */
    char gap_buf[190];
    born_error *err;
} map_ctx;

/* A function call being inlined: where references to attributes are looked up. */
typedef struct map_binding {
    const pb_function *fn;
    const pb_attr *attr;
    int attr_count;
} map_binding;

typedef struct map_frame {
    map_ctx *x;
    born_graph *g;
    struct map_frame *outer;        /* the enclosing scope; NULL for the model and for functions */
    map_table table;
    const pb_opset *opset;
    int opset_count;
    const map_binding *bind;        /* NULL outside functions */
    map_hints *hints;
    int inline_depth, level;
    map_capture *capture;           /* of a subgraph */
    size_t capture_count, capture_cap;
} map_frame;

typedef struct map_call {
    born_str domain, op, name;
    int64_t version, said;          /* said: what the file's node says, for messages */
    const born_vid *in, *out;       /* -1: absent */
    int in_count, out_count;
    const pb_attr *attr;
    int attr_count;
} map_call;

/* --- map_names.c --- */
/* FORMAT where the name is taken. */
born_status born__map_bind(map_frame *f, born_str name, born_vid v, born_error *err);
map_name *born__map_find(const map_frame *f, born_str name);                               /* in this frame only */
/* The value a name stands for in f, captured from an enclosing graph where need be. FORMAT: nothing has that name. */
born_status born__map_resolve(map_frame *f, born_str name, born_vid *out);
born_status born__map_index_ops(map_ctx *x);
/* The newest row for an operator that is no newer than `version`; *oldest gets the oldest version any row has, 0 if
   there is none. */
const born_op *born__map_op(const map_ctx *x, born_str domain, born_str name, int64_t version, int64_t *oldest);

/* --- map.c --- */
void *born__map_alloc(map_ctx *x, size_t count, size_t size);      /* zeroed, from the ctx arena; NULL on NOMEM */
/* Notes something unsupported; the model will be refused once all of it has been seen. */
void born__map_gap(map_ctx *x, born_str domain, born_str op, int64_t version, born_str node, const char *why);
born_status born__map_const(map_frame *f, const pb_tensor *t, born_str name, born_vid *out);
/* Graph inputs, constants and node outputs get their values; duplicates are refused. */
born_status born__map_declare(map_frame *f, const pb_graph *g, bool subgraph);
born_status born__map_declare_nodes(map_frame *f, const pb_node *node, int count);
born_status born__map_nodes(map_frame *f, const pb_node *node, int count);
int64_t born__map_version(const map_frame *f, born_str domain);     /* 0: not imported */
/* The node with the attributes that a function's call gives it; the node itself where nothing is referred to. */
born_status born__map_bound_node(map_frame *f, const pb_node *n, const pb_node **out);
int born__map_rank(const map_frame *f, born_vid v);                 /* -1: not known */
/* Values of a node's operands, in the ctx arena. */
born_status born__map_operands(map_frame *f, const pb_node *n, born_vid **in, born_vid **out);
/* Outputs of a call that are inputs or constants go through an identity, so that each output has a node. */
born_status born__map_identity(map_frame *f, born_vid in, born_vid out);

/* --- map_call.c: calls to rows --- */
born_status born__map_call(map_frame *f, const map_call *c);
/* A call of the newest form of default-domain `op`, made on behalf of c; attrs may be NULL. */
born_status born__map_emit(map_frame *f, const map_call *c, const char *op, const born_vid *in, int in_count,
                           const born_vid *out, int out_count, const pb_attr *attr, int attr_count);
/* The same with one fresh output; a gap or failure gives -1 and keeps the status in *st. */
born_vid born__map_emit1(map_frame *f, const map_call *c, born_status *st, const char *op, const born_vid *in,
                         int in_count, const pb_attr *attr, int attr_count);
/* Constants: a list of integers (rank 1), one integer (rank 0), one number of dtype t (rank 0). -1 and *st on
   failure. */
born_vid born__map_ints(map_frame *f, born_status *st, const int64_t *v, int64_t count);
born_vid born__map_int(map_frame *f, born_status *st, int64_t v);
born_vid born__map_scalar(map_frame *f, born_status *st, born_dtype t, double v);
born_vid born__map_f32s(map_frame *f, born_status *st, const float *v, int64_t count);
born_vid born__map_value(map_frame *f, born_status *st);            /* a fresh unnamed value */

static inline pb_attr born__map_attr_i(const char *name, int64_t v)
{
    return (pb_attr){ .name = { name, __builtin_strlen(name) }, .type = PB_ATTR_INT, .i = v };
}
static inline pb_attr born__map_attr_f(const char *name, float v)
{
    return (pb_attr){ .name = { name, __builtin_strlen(name) }, .type = PB_ATTR_FLOAT, .f = v };
}
static inline pb_attr born__map_attr_s(const char *name, const char *v)
{
    return (pb_attr){ .name = { name, __builtin_strlen(name) }, .type = PB_ATTR_STRING,
                      .s = { v, __builtin_strlen(v) } };
}
const pb_attr *born__map_attr(const map_call *c, const char *name);
int64_t born__map_attr_int(const map_call *c, const char *name, int64_t def);
double born__map_attr_float(const map_call *c, const char *name, double def);
/* c's attributes without those named in `drop` ("axes,keepdims"), with room for `more` at the end. */
pb_attr *born__map_attrs_but(map_frame *f, const map_call *c, const char *drop, int more, int *count);

/* --- attrs_map.c --- */
/* Fills the op's resolved attribute struct from a call's attributes. *why is set, with status OK, where one of them is
   not understood. */
born_status born__map_attrs(map_frame *f, const born_op *op, const map_call *c, void *attrs, char *why, size_t why_n);

/* --- compat.c, expand.c --- */
typedef born_status (*map_rewrite)(map_frame *f, const map_call *c);
/* How to say an older form in the newest terms; NULL: nothing to do. */
map_rewrite born__map_compat(const map_call *c);
/* For a version older than any row: how to pass it to the row, if nothing that matters has changed; NULL: unknown. */
map_rewrite born__map_unchanged(const map_call *c);
/* How to say an operator that has no row by others; NULL: not known. */
map_rewrite born__map_expansion(const map_call *c);

/* --- map_inline.c, map_subgraph.c --- */
born_status born__map_index_functions(map_ctx *x);
const pb_function *born__map_function(const map_ctx *x, const pb_node *n);
born_status born__map_inline(map_frame *f, const pb_function *fn, const pb_node *n);
bool born__map_is_control(const pb_node *n);
born_status born__map_control(map_frame *f, const pb_node *n);
#endif
