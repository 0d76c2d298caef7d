/* State of a session: outputs that are inputs of the next run (born_session_tie). Each tie has two buffers. Private to
   src/graph and src/train.
     append  the graph only concatenates (patterns.def, APPEND): the state stays where it is, in a buffer with room
             along the growing axis, and the run writes what is new behind it. Inputs are never written in place, so
             other readers of the past are no matter.
     swap    the node that makes the output writes into the other buffer, and the two change roles.
     copy    the output is a view, constant, input or result of control flow: its elements are copied there.
   A run changes only `target` buffers beyond what is live; born__state_keep makes them the state when all went well. */
#ifndef BORN_GRAPH_STATE_H
#define BORN_GRAPH_STATE_H
#include "graph/frame.h"

typedef struct born_tie {
    int out, in;                /* indices of the graph's outputs and inputs */
    int32_t node;               /* the node that appends, -1: none does */
    int result, said_axis;      /* which of its results, along which axis (negative: from the end) */
    char *p[2];
    size_t cap[2];
    int now;                    /* the buffer that holds the state */
    born_view view;             /* what the state is at present; dtype NONE: not set */
    int target;                 /* the buffer that this run writes */
    bool appends;               /* in this run */
    int axis;                   /* of this run, resolved */
    int64_t room;               /* of this run: positions the target has along the axis */
    int64_t need;               /* positions a plan asked for; 0: it did not */
} born_tie;

born_status born__state_tie(born_session *s, int out, int in, born_error *err);
void born__state_free(born_session *s);
born_tie *born__state_of_input(born_session *s, int in);
/* Before a run is prepared for the first time. */
void born__state_begin(born_session *s);
/* The view the run reads state t from. given: what the caller hands in for it, NULL: nothing. plan: its data is not
   there and the state stays as it is. */
born_status born__state_input(born_session *s, born_tie *t, const born_view *given, bool plan, born_view *out,
                              born_error *err);

/* binding.c: node's results that append get the strides of their buffers; returns whether there are any. */
bool born__state_stride(const born_gframe *f, int32_t k, int32_t node, born_view *out);
/* The tie that result i of the node appends to, -1: none. */
int born__state_appended(const born_gframe *f, int32_t k, int32_t node, int i);
/* The backend cannot append here: these ties swap from now on, and the run is prepared again. */
void born__state_refuse(born_gframe *f, int32_t node);
/* Gives outputs made in segment k their buffers, where they lie alone and dense in the block. */
void born__state_take_roots(born_gframe *f, born_binding *b, int32_t k);
/* Bytes that the buffers of segment k lack. */
size_t born__state_missing(const born_gframe *f, const born_binding *b, int32_t k);

/* frame.c: makes the buffers of segment k large enough; both of each tie where it is only planned. Fails with
   session.prepare_again set where state that is appended to must move to a larger buffer first. */
born_status born__state_fit(born_gframe *f, int32_t k, bool plan, born_error *err);
/* session.c, after the run: all memory first, then the change. */
born_status born__state_keep(born_session *s, born_error *err);
/* The state is what it was before the last run. Only for ties that do not append, after a run whose state was not given
   by the caller. */
void born__state_back(born_session *s);
#endif
