/* Parts that lie in the whole, without a copy. A node that cuts its operand (PARTS of patterns.def) is not run where
   only nodes that take gaps (STRIDED) read the parts: these are views of the operand. A node that joins its operands
   (JOINS) is not run where they are all the results of one STRIDED node, read by nobody else: that node writes them
   where they go. Found once per graph; whether shapes and dtypes allow it is seen when they are bound. Not where state
   grows, so that binding again keeps its single rule for places. */
#ifndef BORN_GRAPH_PARTS_H
#define BORN_GRAPH_PARTS_H
#include "graph/frame.h"

/* Fills s->partner: of a node that cuts, itself; of one that joins, the one that makes its operands, and of that one
   the node that joins. plain, readers: room for a byte and a number of each value. */
void born__parts_find(const born_graph *g, born_structure *s, uint8_t *plain, int32_t *readers);
/* Gives the results of a node whose results are joined the strides that they have there; false: they lie apart. */
bool born__parts_lay_out(const born_gframe *f, born_binding *b, int32_t node);
/* Afterwards, and with places of their own, such results become parts of the first one's. */
void born__parts_place(const born_gframe *f, born_binding *b, int32_t node);
/* Whether the node's results have places already, and nothing is to be run: of cut ones they are made here. */
bool born__parts_share(const born_gframe *f, born_binding *b, int32_t node);
#endif
