/* ONNX messages as structs. The whole model is parsed once, into an arena; names and tensor bytes are slices of the
   file's bytes (never NUL-terminated), numbers are copies. Every count is bounded by the bytes that hold it and by the
   parser's budget, and graphs inside attributes are parsed from a work list, not by recursion. Nothing here knows what
   an operator is; map.c does. */
#ifndef BORN_ONNX_PROTO_H
#define BORN_ONNX_PROTO_H
#include <born/attrs.h>

#include "base/alloc.h"
#include "formats/onnx/wire.h"

enum { PB_MAX_DEPTH = 12, PB_MAX_RANK = 16 };   /* graphs within graphs; dims kept of one shape */

/* AttributeProto.AttributeType */
enum {
    PB_ATTR_NONE, PB_ATTR_FLOAT, PB_ATTR_INT, PB_ATTR_STRING, PB_ATTR_TENSOR, PB_ATTR_GRAPH, PB_ATTR_FLOATS,
    PB_ATTR_INTS, PB_ATTR_STRINGS, PB_ATTR_TENSORS, PB_ATTR_GRAPHS, PB_ATTR_SPARSE, PB_ATTR_SPARSES, PB_ATTR_TYPE,
    PB_ATTR_TYPES
};

typedef struct pb_tensor {
    born_str name;
    pb_slice body;              /* the whole message: its number fields are read from it when it becomes an array */
    pb_slice raw;
    bool has_raw, external;
    int rank;
    int64_t dim[PB_MAX_RANK];
    int32_t type;               /* TensorProto.DataType */
    uint32_t data_field;        /* the number field that is present (4, 5, 6, 7, 10, 11), 0: none */
} pb_tensor;

struct pb_graph;

typedef struct pb_attr {
    born_str name, ref;         /* ref: the attribute of the enclosing function that this one stands for */
    int type;
    float f;
    int64_t i;
    born_str s;
    pb_tensor *t;
    struct pb_graph *g;
    born_ints ints;
    born_floats floats;
    born_strs strings;
} pb_attr;

typedef struct pb_node {
    born_str *input, *output;
    int in_count, out_count;
    born_str name, op, domain, overload;
    pb_attr *attr;
    int attr_count;
} pb_node;

typedef enum pb_kind {
    PB_KIND_NONE, PB_KIND_TENSOR, PB_KIND_SEQUENCE, PB_KIND_OPTIONAL, PB_KIND_MAP, PB_KIND_SPARSE
} pb_kind;

typedef struct pb_value_info {
    born_str name;
    pb_kind kind;
    int32_t elem_type;          /* 0: not stated; of a sequence or optional: of its tensors */
    int rank;                   /* -1: not stated */
    int64_t dim[PB_MAX_RANK];   /* -1: symbolic or not stated */
    born_str symbol[PB_MAX_RANK];
} pb_value_info;

typedef struct pb_graph {
    born_str name;
    pb_node *node;
    pb_tensor *init;
    pb_value_info *input, *output, *info;
    int node_count, init_count, input_count, output_count, info_count, sparse_count;
    int depth;
    pb_slice body;
    struct pb_graph *next;      /* of the work list */
} pb_graph;

typedef struct pb_opset {
    born_str domain;
    int64_t version;
} pb_opset;

typedef struct pb_function {
    born_str name, domain, overload;
    born_str *input, *output, *attr;
    int in_count, out_count, attr_count;
    pb_attr *attr_default;
    int default_count;
    pb_node *node;
    int node_count;
    pb_opset *opset;
    int opset_count;
    pb_slice body;
} pb_function;

typedef struct pb_model {
    int64_t ir_version;
    born_str producer;
    pb_opset *opset;
    int opset_count;
    pb_graph *graph;
    pb_function *function;
    int function_count;
} pb_model;

/* Parses a ModelProto. `budget` bounds the bytes that the structs may take in the arena. FORMAT names what is wrong. */
born_status born__pb_parse_model(born_arena *a, size_t budget, pb_slice bytes, pb_model *out, born_error *err);
/* Parses one TensorProto without touching its data. */
born_status born__pb_parse_tensor(pb_slice bytes, pb_tensor *out, born_error *err);

bool born__pb_str_is(born_str s, const char *text);
bool born__pb_str_same(born_str a, born_str b);
/* A name fit for an error line: at most n - 1 bytes, control characters replaced. Returns buf. */
const char *born__pb_text(born_str s, char *buf, size_t n);
/* The attribute of a node, or NULL. */
const pb_attr *born__pb_attr_find(const pb_node *n, const char *name);
#endif
