/* What the losses share: reductions, targets as floats. The losses are written in the words of nn/calls.h. */
#ifndef BORN_NN_LOSS_HELP_H
#define BORN_NN_LOSS_HELP_H
#include <born/loss.h>

#include "nn/calls.h"

/* Poison, with the reason as the error of x's chain. */
born_tensor born__loss_fail(born_tensor x, const born_site *at, born_status s, const char *format, ...)
    BORN_PRINTF(4, 5);
/* Single losses to what was asked for; BORN_BATCH_MEAN divides by the first size. */
born_tensor born__loss_reduce(born_tensor losses, born_reduction r, const born_site *at);
/* A target in x's dtype. */
static inline born_tensor born__loss_target(born_tensor x, born_tensor target, const born_site *at)
{
    return !born__given(target) || born_dtype_of(target) == born_dtype_of(x) ? target : CAST(target, born_dtype_of(x));
}
#endif
