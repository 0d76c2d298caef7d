/* Calling an operator by its name: what born_call does. */
#ifndef BORN_API_NAMED_H
#define BORN_API_NAMED_H
#include <born/device.h>

born_status born__call_named(born_backend *b, const char *op, const born_tensor *in, int n_in, const char *attrs,
                             born_tensor *out, int n_out);
#endif
