/* The state of one control node (If, Loop, Scan) in a frame: frames of its subgraphs and what its results live in.
   Private to src/graph. */
#ifndef BORN_GRAPH_CONTROL_H
#define BORN_GRAPH_CONTROL_H
#include "graph/frame.h"

/* A buffer of the session heap that only grows, counted against max_bytes. */
typedef struct born_heap {
    char *p;
    size_t cap;
} born_heap;

typedef struct born_control {
    born_gframe *frame;         /* the one the node is in */
    int32_t node;
    born_gframe *body[2];       /* If: then, else; Loop and Scan: body */
    born_view *in;              /* views handed to a body, as many as it has inputs */
    int in_cap;
    born_heap *heap[2];         /* per result: carried values alternate between the two; stacks use the first */
    born_view *now;             /* per result: what it is at present */
    int64_t counter;            /* Loop: the iteration number the body reads */
    bool condition;
} born_control;

/* At least `bytes` in h; the contents up to `keep` bytes survive. */
born_status born__heap_fit(born_control *c, born_heap *h, size_t bytes, size_t keep, born_error *err);
/* A dense copy of w in h, described by *out. */
born_status born__heap_copy(born_control *c, born_heap *h, const born_view *w, born_view *out, born_error *err);
/* The view of operand i of the node, in the frame it is in; dtype NONE where absent. */
born_view born__control_input(const born_control *c, int i);
/* Makes result i of the node what w says. */
void born__control_output(born_control *c, int i, const born_view *w);

born_status born__run_if(born_control *c, born_error *err);
born_status born__run_loop(born_control *c, born_error *err);
born_status born__run_scan(born_control *c, born_error *err);
#endif
