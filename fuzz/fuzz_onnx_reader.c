/* Any bytes as an ONNX model, and as a serialised tensor: every input ends in a status. What is read is verified, which
   touches all that the graph holds; nothing is run (fuzz_onnx_run.c does). */
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/tensor_pb.h"
#include "graph/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

/* Reads every constant's bytes, so that one that is not there shows. */
static void touch(const born_graph *g)
{
    unsigned sum = 0;

    for (size_t i = 0; i < g->value_count; i++) {
        const unsigned char *p = g->value[i].data;
        for (size_t k = 0; p && k < g->value[i].bytes; k++) sum += p[k];
    }
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    born_onnx_source src = { .bytes = data, .byte_count = size, .max_bytes = (size_t)64 << 20 };
    born_loaded l = { .graph = NULL };
    born_array a = { .data = NULL };
    born_error err;

    if (born__onnx_load(&src, &l, &err) == BORN_OK && born__graph_verify(l.graph, &err) == BORN_OK) touch(l.graph);
    born__graph_free(&l.graph);
    if (born__pb_array_read(data, size, (size_t)64 << 20, &a, NULL, &err) == BORN_OK)
        born__free((void *)(uintptr_t)a.data);
    return 0;
}
