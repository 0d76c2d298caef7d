/* Writing protobuf for tests: a growing buffer, fields, and the few ONNX messages that hostile models are made of. */
#ifndef BORN_TESTS_SUPPORT_PB_H
#define BORN_TESTS_SUPPORT_PB_H
#include <stddef.h>
#include <stdint.h>

typedef struct pbw {
    unsigned char *p;
    size_t n, cap;
} pbw;

void pbw_raw(pbw *b, const void *p, size_t n);
void pbw_varint(pbw *b, uint64_t v);
void pbw_int(pbw *b, unsigned field, uint64_t v);
void pbw_bytes(pbw *b, unsigned field, const void *p, size_t n);
void pbw_text(pbw *b, unsigned field, const char *text);
/* Appends inner as field `field`, then frees it. */
void pbw_message(pbw *b, unsigned field, pbw *inner);
void pbw_free(pbw *b);

/* A f32 value's description (of a graph's inputs, field 11, or outputs, 12); rank -1: no shape. */
void pbw_value(pbw *graph, unsigned field, const char *name, const int64_t *dim, int rank);
/* A node with up to two inputs and one output (NULL: none), and attributes already written (may be NULL; freed). */
void pbw_node(pbw *graph, const char *op, const char *in0, const char *in1, const char *out, pbw *attributes);
/* An attribute: an int, or ints. */
void pbw_attr_int(pbw *attributes, const char *name, int64_t v);
void pbw_attr_ints(pbw *attributes, const char *name, const int64_t *v, int n);
/* An i64 constant of one dimension. */
void pbw_ints(pbw *graph, const char *name, const int64_t *v, int n);
/* The model around a graph (freed), for an opset of the default domain. */
pbw pbw_model(pbw *graph, int64_t opset);
#endif
