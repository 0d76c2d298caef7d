/* Losses of distances and margins. */
#include <math.h>

#include "nn/distance.h"
#include "nn/loss_help.h"

static born_reduction plain(const born_reduction_attrs *a) { return a ? a->reduction : BORN_MEAN; }

born_tensor(born_hinge_embedding_loss)(born_tensor x, born_tensor target, double margin,
                                       const born_reduction_attrs *attrs, const born_site *at)
{
    born_tensor zero = born__like(x, 0, at);
    born_tensor far = WHERE(EQ_N(target, 1), zero, AT_LEAST_0(N_SUB(margin, x)));
    return born__loss_reduce(ADD(far, WHERE(EQ_N(target, -1), zero, x)), plain(attrs), at);
}

born_tensor(born_margin_ranking_loss)(born_tensor x1, born_tensor x2, born_tensor target, double margin,
                                      const born_reduction_attrs *attrs, const born_site *at)
{
    born_tensor d = MUL(NEG(born__loss_target(x1, target, at)), SUB(x1, x2));
    return born__loss_reduce(AT_LEAST_0(ADD_N(d, margin)), plain(attrs), at);
}

born_tensor(born_cosine_embedding_loss)(born_tensor x1, born_tensor x2, born_tensor target, double margin,
                                        const born_reduction_attrs *attrs, const born_site *at)
{
    born_tensor a = ADD_N(SUM(SQUARE(x1), -1), 1e-12), b = ADD_N(SUM(SQUARE(x2), -1), 1e-12);
    born_tensor c = DIV(SUM(MUL(x1, x2), -1), SQRT(MUL(a, b))), zero = born__like(x1, 0, at);
    born_tensor near = WHERE(EQ_N(target, 1), N_SUB(1, c), zero);
    born_tensor far = WHERE(EQ_N(target, -1), AT_LEAST_0(SUB_N(c, margin)), zero);
    return born__loss_reduce(ADD(near, far), plain(attrs), at);
}

born_tensor(born_triplet_margin_loss)(born_tensor anchor, born_tensor positive, born_tensor negative, double margin,
                                      const born_triplet_attrs *attrs, const born_site *at)
{
    double p = attrs && attrs->p > 0 ? attrs->p : 2, eps = attrs && attrs->eps > 0 ? attrs->eps : 1e-6;
    born_tensor near = born__distance(anchor, positive, p, eps, false, at);
    born_tensor far = born__distance(anchor, negative, p, eps, false, at);

    if (attrs && attrs->swap) far = MIN(far, born__distance(positive, negative, p, eps, false, at));
    return born__loss_reduce(AT_LEAST_0(ADD_N(SUB(near, far), margin)), attrs ? attrs->reduction : BORN_MEAN, at);
}
