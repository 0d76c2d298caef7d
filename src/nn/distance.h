/* The distance that PairwiseDistance and the triplet losses share. */
#ifndef BORN_NN_DISTANCE_H
#define BORN_NN_DISTANCE_H
#include <born/tensor.h>

/* The p-norm of x1 - x2 + eps over the last dim; p may be INFINITY. */
born_tensor born__distance(born_tensor x1, born_tensor x2, double p, double eps, bool keepdim, const born_site *at);
#endif
