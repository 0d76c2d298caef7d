/* Graphs for tests, written in their text form, made into models and run. */
#ifndef BORN_TESTS_GRAPH_HELPERS_H
#define BORN_TESTS_GRAPH_HELPERS_H
#include <born/model.h>

#include "../harness.h"
#include "base/alloc.h"
#include "graph/edit.h"
#include "graph/model.h"
#include "graph/print.h"

/* A model of the text with these passes off (NULL: none); NULL, with a failed check, where it cannot be made. */
static inline born_model *model_of_text(const char *text, const char *passes_off)
{
    born_loaded l = { 0 };
    born_error err = { 0 };
    born_model *m = NULL;
    born_model_desc d = { .passes_off = passes_off };

    if (!CHECK_OK(born__graph_parse(text, NULL, NULL, &l.graph, &err), &err)) return NULL;
    CHECK_OK(born__model_make(&l, "text", &d, &m, &err), &err);
    return m;
}

/* Runs the model once on arrays; outputs are copied as f32 into out. Returns the number of elements, -1 on failure. */
static inline int64_t run_f32(born_session *s, const born_array *in, int n_in, float *out, size_t cap)
{
    born_error err = { 0 };
    born_array y;
    const float *p;
    size_t n;

    if (!CHECK_OK(born_session_run(s, in, n_in, &y, 1, &err), &err)) return -1;
    if (!CHECK_OK(born_array_f32(&y, &p, &n, &err), &err) || !CHECK(n <= cap)) return -1;
    memcpy(out, p, n * sizeof *out);
    return (int64_t)n;
}
#endif
