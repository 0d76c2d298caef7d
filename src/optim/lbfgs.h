/* L-BFGS to the rest of the optimisers: what it remembers. */
#ifndef BORN_OPTIM_LBFGS_H
#define BORN_OPTIM_LBFGS_H
#include "optim/optim.h"

/* One thing it remembers; one of the four is set. */
typedef struct lbfgs_place {
    char key[24];
    born_tensor tensor;
    double *real;
    int64_t *whole;
    int *small;
} lbfgs_place;
/* The i-th; false behind the last. */
bool born__lbfgs_place(born_optim *o, int i, lbfgs_place *out);
/* Before something is restored that needs to be there first. */
born_status born__lbfgs_room(born_optim *o, const char *key, const born_array *value);
#endif
