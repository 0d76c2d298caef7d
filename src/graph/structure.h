/* What is fixed for a graph whatever the shapes: which nodes are computed on the host while shapes are bound, where
   the node list splits because sizes or values are known only after running (segments), how long each value lives.
   Made once, after the passes; read by every binding. */
#ifndef BORN_GRAPH_STRUCTURE_H
#define BORN_GRAPH_STRUCTURE_H
#include "graph/ir.h"

typedef struct born_segment {
    int32_t begin, end;             /* nodes [begin, end); a control node is a segment of its own */
    bool control;
    int32_t *incoming;              /* values read here and defined before (inputs included, constants not) */
    int32_t incoming_count;
} born_segment;

typedef struct born_structure {
    born_segment *segment;          /* at least one, possibly empty */
    int32_t segment_count;
    int32_t *last_use;              /* per value: last node reading it; node_count for outputs; -1: nobody */
    int32_t *first_operand;         /* per node: index of its first operand in a binding's operand array */
    size_t operand_count;           /* inputs and outputs of all nodes, and two more for each graph output */
    uint8_t *host_node;             /* per node: 1 = computed while shapes are bound */
    uint8_t *host_value;            /* per value: 1 = its elements decide shapes */
    int32_t *segment_of;            /* per value: segment that defines it; -1 inputs and constants */
    int max_operands;               /* of any node */
    int32_t *partner;               /* per node: see parts.h; -1 none */
} born_structure;

born_status born__structure_make(born_graph *g, born_error *err);
#endif
