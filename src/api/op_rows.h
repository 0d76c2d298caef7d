/* Reads the rows of the public operator headers once more (no include guard). The includer has defined every BORN_OP*
   macro; all are undefined after. What the headers define besides is the same text again. */
#define BORN__READ_ROWS
#include <born/op_elementwise.h>
#undef BORN__READ_ROWS
#include "api/op_undef.h"
