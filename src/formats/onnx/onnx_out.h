/* From a graph to an ONNX ModelProto: the other way round from onnx.h, by the same rows. Each node becomes the operator
   that its row's ONNX column names first; rows without one are said by others where that keeps every bit
   (onnx_lower.c), else the export is refused and names the operator. Called by formats/save.c. */
#ifndef BORN_ONNX_ONNX_OUT_H
#define BORN_ONNX_ONNX_OUT_H
#include <born/attrs.h>

#include "base/alloc.h"
#include "base/nametable.h"
#include "formats/onnx/pb_out.h"
#include "graph/ir.h"

enum { OUT_MAX_DOMAINS = 8 };

typedef struct out_domain {
    born_str name;              /* "" = ai.onnx */
    int64_t version;
} out_domain;

typedef struct born_onnx_out {
    const born_graph *g;
    const char *const *output_name;     /* names of the graph's outputs; NULL: those of their values */
    int64_t opset;              /* of the default domain, at least; 0: the oldest that every row is true of */
    /* Where initialiser i lies; NULL: in the model itself. Writes into buf and returns it. */
    const char *(*place)(char buf[24], size_t i);

    /* filled by the export */
    born_bytes graph;           /* the GraphProto so far */
    born_arena arena;           /* names and expanded constants */
    born_names names;           /* those taken */
    const char **value;         /* the name of each value */
    born_array *init;           /* the initialisers in order */
    size_t init_count, init_cap;
    out_domain domain[OUT_MAX_DOMAINS];
    int domain_count;
    int64_t serial;             /* of names made up */
    born_error *err;
} born_onnx_out;

/* Exports x->g; the ModelProto is appended to *model. UNSUPPORTED names the first operator that ONNX cannot say. */
born_status born__onnx_export(born_onnx_out *x, born_bytes *model, born_error *err);
void born__onnx_out_free(born_onnx_out *x);

/* ---- between onnx_out.c and onnx_lower.c ---- */

typedef struct out_node {
    const char *op;             /* name in its domain */
    born_str domain;
    int64_t version;            /* the domain must be imported with at least this */
    const char *label;          /* "" = none */
    const char *const *in, *const *out;     /* names; "" = absent */
    int in_count, out_count;
    born_bytes *attrs;          /* AttributeProto fields, taken over; NULL: none */
} out_node;

born_status born__out_node(born_onnx_out *x, const out_node *n);
/* A name that nothing has; NULL on NOMEM. */
const char *born__out_fresh(born_onnx_out *x, const char *stem);
/* A constant of one element; NULL on NOMEM. */
const char *born__out_scalar(born_onnx_out *x, born_dtype t, double v);
/* Says a node whose row has no ONNX operator, or has more than it, by others. *done is false where it does not know
   how. `in` and `out` are the names of its operands and results. */
born_status born__out_lower(born_onnx_out *x, const born_gnode *n, const char *const *in, const char *const *out,
                            bool *done);
#endif
