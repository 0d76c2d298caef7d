/* Rotary positions, for the module of that name and for attention. */
#ifndef BORN_NN_POSITIONS_H
#define BORN_NN_POSITIONS_H
#include <born/tensor.h>
#include <born/base.h>

/* Pairs of x [..., T, D] turned by positions [T] * base^(-2 i / D): pair i is (i, i + D / 2), or (2 i, 2 i + 1). */
born_tensor born__nn_rotate(born_tensor x, born_tensor positions, double base, bool interleaved, const born_site *at);
#endif
