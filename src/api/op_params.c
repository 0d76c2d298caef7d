/* The exported symbols of operators whose public form has parameters besides operands and attributes: C numbers and
   lists become attributes or host operands here. */
#include <born/born.h>

#include "api/op_names.h"
#include "waist/chain.h"

/* Runs with attributes that are taken as they are: zero means zero. */
static born_tensor exactly(born_op_id id, const born_tensor *in, int n, const void *attrs, const born_site *at)
{
    return born__op_call_on(NULL, &born__ops[id], in, n, attrs, 1, NULL, at);
}

born_tensor(born_clamp)(born_tensor a, double lo, double hi, const born_site *at)
{
    const born_clamp_attrs attrs = { .lo = lo, .hi = hi };
    return exactly(BORN__ID(clamp), &a, 1, &attrs, at);
}
