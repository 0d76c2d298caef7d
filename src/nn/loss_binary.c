/* Losses of yes and no: binary cross entropies and soft margins. */
#include <math.h>

#include "nn/loss_help.h"

static born_reduction reduction_of(const born_weighted_attrs *a) { return a ? a->reduction : BORN_MEAN; }

static born_tensor weighted(born_tensor l, const born_weighted_attrs *a, const born_site *at)
{
    return a && born__given(a->weight) ? MUL(l, a->weight) : l;
}

/* log(p), not below -100. */
static born_tensor bounded_log(born_tensor p, const born_site *at) { return MAX_N(LOG(p), -100); }

/* Where x (1 - x) is above 1e-12 this is the formula, differentiable as often as one likes. At the ends the logarithms'
   slopes are not numbers; there the value is the bounded one and the gradient PyTorch's, (x - t) / 1e-12. */
born_tensor(born_binary_cross_entropy)(born_tensor x, born_tensor target, const born_weighted_attrs *attrs,
                                       const born_site *at)
{
    born_tensor fixed = DETACH(x), inside = GT_N(MUL(fixed, N_SUB(1, fixed)), 1e-12);
    born_tensor p = WHERE(inside, x, born__like(x, 0.5, at)), rest = N_SUB(1, target);
    born_tensor l = NEG(ADD(MUL(target, LOG(p)), MUL(rest, LOG(N_SUB(1, p)))));
    born_tensor end = NEG(ADD(MUL(target, bounded_log(fixed, at)), MUL(rest, bounded_log(N_SUB(1, fixed), at))));
    born_tensor slope = MUL_N(SUB(fixed, DETACH(target)), 1e12);

    l = WHERE(inside, l, ADD(end, MUL(slope, SUB(x, fixed))));
    return born__loss_reduce(weighted(l, attrs, at), reduction_of(attrs), at);
}

/* (1 - t) x + w softplus(-x), where w = 1 + (pos_weight - 1) t. */
born_tensor(born_binary_cross_entropy_with_logits)(born_tensor x, born_tensor target, const born_weighted_attrs *attrs,
                                                   const born_site *at)
{
    born_tensor low = SOFTPLUS(NEG(x));

    if (attrs && born__given(attrs->pos_weight)) low = MUL(low, ADD_N(MUL(SUB_N(attrs->pos_weight, 1), target), 1));
    return born__loss_reduce(weighted(ADD(MUL(N_SUB(1, target), x), low), attrs, at), reduction_of(attrs), at);
}

born_tensor(born_multilabel_soft_margin_loss)(born_tensor x, born_tensor target, const born_weighted_attrs *attrs,
                                              const born_site *at)
{
    born_tensor t = born__loss_target(x, target, at);
    born_tensor l = ADD(MUL(t, SOFTPLUS(NEG(x))), MUL(N_SUB(1, t), SOFTPLUS(x)));
    return born__loss_reduce(MEAN(weighted(l, attrs, at), -1), reduction_of(attrs), at);
}

born_tensor(born_soft_margin_loss)(born_tensor x, born_tensor target, const born_reduction_attrs *attrs,
                                   const born_site *at)
{
    born_tensor l = SOFTPLUS(NEG(MUL(born__loss_target(x, target, at), x)));
    return born__loss_reduce(l, attrs ? attrs->reduction : BORN_MEAN, at);
}
