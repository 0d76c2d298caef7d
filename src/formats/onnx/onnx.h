/* From the bytes of an ONNX file to a graph: the entry of this folder, called by the model opener.

   wire.c walks protobuf, proto.c makes structs of it, map.c makes a graph of those, with attrs_map.c (attributes by
   their rows), compat.c (older versions of operators), expand.c (operators that ONNX defines by others), map_inline.c
   (functions) and map_subgraph.c (If, Loop, Scan). */
#ifndef BORN_ONNX_ONNX_H
#define BORN_ONNX_ONNX_H
#include "formats/onnx/external.h"
#include "graph/model.h"

/* One thing in the file that Born cannot run. */
typedef struct born_onnx_gap {
    const char *op;             /* "Foo", "com.example.Foo", "input", "tensor" */
    int64_t version;            /* of the operator's domain; 0 where that means nothing */
    const char *node;           /* the node's, tensor's or input's name; "" where it has none */
    const char *why;
} born_onnx_gap;

typedef struct born_onnx_source {
    const void *bytes;          /* stay valid as long as the graph */
    size_t byte_count;
    born_onnx_files *files;     /* for external data; NULL: none */
    size_t max_bytes;           /* most memory that reading may take; 0: 1 GiB */
    void (*gap)(void *user, const born_onnx_gap *g);    /* called for each thing not supported; NULL: not asked for */
    void *user;
} born_onnx_source;

/* Reads the model into *out. UNSUPPORTED: err names the first few gaps and says how many there are. */
born_status born__onnx_load(const born_onnx_source *src, born_loaded *out, born_error *err);
/* Do these bytes look like an ONNX model? Told by content. */
bool born__onnx_probe(const void *bytes, size_t byte_count);
#endif
