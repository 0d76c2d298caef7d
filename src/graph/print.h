/* The text of a graph: one line per input, constant, node and output, subgraphs indented. For dumps, inspection and
   tests; born__graph_parse reads it back. */
#ifndef BORN_GRAPH_PRINT_H
#define BORN_GRAPH_PRINT_H
#include "graph/ir.h"

/* The text, to be freed by born__free. Constants above 64 bytes are named, not written out. */
born_status born__graph_text(const born_graph *g, char **text, born_error *err);
/* Makes a graph of such a text. `data` gives the elements of constants that are only named (NULL: none); they are
   borrowed. FORMAT with the line where the text is wrong. */
born_status born__graph_parse(const char *text, const void *(*data)(void *user, const char *name, size_t bytes),
                              void *user, born_graph **out, born_error *err);
#endif
