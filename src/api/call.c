/* The exported door of call.h. Apart from named.c because ext.h has a type of the same name. */
#include <born/call.h>

#include "api/named.h"

born_status born_call(born_backend *b, const char *op, const born_tensor *in, int n_in, const char *attrs,
                      born_tensor *out, int n_out)
{
    return born__call_named(b, op, in, n_in, attrs, out, n_out);
}
