/* Born: calling an operator by its name, for other languages. Each operator is also an exported symbol of its own;
   this one door is enough for a binding driven by `born ops --json`. Not part of born.h, since ext.h has a type of
   this name: a file includes one or the other. */
#ifndef BORN_CALL_H
#define BORN_CALL_H
#include "device.h"

BORN_C_BEGIN

/// Runs operator `op` (a name as in `born ops`) on n_in operands ({0}: absent), in the operator's order. `attrs` is
/// text, "axis=1, mode=linear" with the names of `born ops`; NULL or "" for the defaults. `b` decides where an
/// operator without operands runs; else NULL is allowed. Results (n_out of them) belong to the innermost scope. On
/// failure they are poison, and the status is also the chain's error: INVALID for an unknown operator, FORMAT for
/// attributes that cannot be read, else as the operator's own function.
BORN_API BORN_CHECK born_status born_call(born_backend *b, const char *op, const born_tensor *in, int n_in,
                                          const char *attrs, born_tensor *out, int n_out);

BORN_C_END
#endif
