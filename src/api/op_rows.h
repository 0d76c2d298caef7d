/* Reads the rows of the public operator headers once more (no include guard). The includer has defined every BORN_OP*
   macro; all are undefined after. What the headers define besides is the same text again. */
#define BORN__READ_ROWS
#include <born/op_elementwise.h>
#include <born/op_index.h>
#include <born/op_linear.h>
#include <born/op_llm.h>
#include <born/op_nn.h>
#include <born/op_quant.h>
#include <born/op_reduce.h>
#include <born/op_shape.h>
#undef BORN__READ_ROWS
#include "api/op_undef.h"
