/* Born: recording eager code as a graph, and making a model of it. Needs a chain with born_trace in it, perhaps under
   born_autodiff: then gradients are recorded too. */
#ifndef BORN_TRACE_H
#define BORN_TRACE_H
#include "device.h"
#include "model.h"

BORN_C_BEGIN

typedef struct born_graph born_graph;

/// Begins recording what runs on b's trace level: `in` become the graph's inputs ("input0", "input1", ...), every
/// other tensor used a constant. The code runs as always; but until the end, reading a value that depends on an input
/// is STATE, since a choice made on it would be frozen into the graph. One recording at a time.
BORN_API BORN_CHECK born_status born_trace_begin(born_backend *b, const born_tensor *in, int n_in, born_error *err);
/// Ends recording and gives the graph whose outputs are `out`; the caller frees it or makes a model of it. On failure
/// *graph is NULL and the recording is over all the same.
BORN_API BORN_CHECK born_status born_trace_end(born_backend *b, const born_tensor *out, int n_out, born_graph **graph,
                                               born_error *err);
/// Frees a graph and sets *g to NULL; NULL allowed.
BORN_API void born_graph_close(born_graph **g);
/// Makes a model of a graph, which is taken over (also on failure) and *g set to NULL.
BORN_API BORN_CHECK born_status born_model_from_graph_sized(born_graph **g, const born_model_desc *desc,
                                                            size_t desc_bytes, born_model **out, born_error *err);
BORN_CHECK static inline born_status born_model_from_graph(born_graph **g, const born_model_desc *desc,
                                                           born_model **out, born_error *err)
{
    return born_model_from_graph_sized(g, desc, sizeof(born_model_desc), out, err);
}

BORN_C_END
#endif
