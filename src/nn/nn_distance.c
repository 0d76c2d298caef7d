/* CosineSimilarity and PairwiseDistance; losses measure with the same functions. */
#include "nn/distance.h"

#include <math.h>

#include "nn/nn_help.h"

born_tensor born__distance(born_tensor x1, born_tensor x2, double p, double eps, bool keepdim, const born_site *at)
{
    const born_reduce_attrs attrs = { .drop_dims = !keepdim };
    born_tensor d = ADD_N(SUB(x1, x2), eps);

    if (p == 2) return (born_reduce_l2)(d, BORN_INTS(-1), &attrs, at);
    if (p == 1) return (born_reduce_l1)(d, BORN_INTS(-1), &attrs, at);
    if (isinf(p)) return (born_reduce_max)(ABS(d), BORN_INTS(-1), &attrs, at);
    return POW_N((born_reduce_sum)(POW_N(ABS(d), p), BORN_INTS(-1), &attrs, at), 1 / p);
}

typedef struct distance_config { int dim; born_distance_desc d; } distance_config;

static void cosine_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                           const born_site *at)
{
    const distance_config *c = born_module_config(self);
    const born_reduce_attrs drop = { .drop_dims = true };

    if (!born__nn_arity(self, in, n_in, 2, 2, n_out, 1)) return;
    born_tensor a = (born_reduce_l2)(in[0], BORN_INTS(c->dim), &drop, at);
    born_tensor b = (born_reduce_l2)(in[1], BORN_INTS(c->dim), &drop, at);
    out[0] = DIV(SUM(MUL(in[0], in[1]), c->dim), MUL(MAX_N(a, c->d.eps), MAX_N(b, c->d.eps)));
}
static void pairwise_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    const distance_config *c = born_module_config(self);
    if (born__nn_arity(self, in, n_in, 2, 2, n_out, 1))
        out[0] = born__distance(in[0], in[1], c->d.p, c->d.eps, c->d.keepdim, at);
}
static const born_module_ops cosine_ops = { .name = "CosineSimilarity", .forward = cosine_forward };
static const born_module_ops pairwise_ops = { .name = "PairwiseDistance", .forward = pairwise_forward };

static born_module *distance(born_module *parent, const char *name, const born_module_ops *ops, int dim, double eps,
                             const born_distance_desc *options, size_t bytes)
{
    distance_config c = { .dim = dim };
    if (!born__nn_options(parent, name, ops, options, bytes, &c.d, sizeof c.d)) return born__nn_dead();
    if (!(c.d.eps >= 0) || !(c.d.p >= 0) || dim < -BORN_MAX_RANK || dim >= BORN_MAX_RANK)
        return born__nn_refuse(parent, name, ops, "dim %d, eps %g, norm %g", dim, c.d.eps, c.d.p);
    if (c.d.eps == 0) c.d.eps = eps;
    if (c.d.p == 0) c.d.p = 2;
    return born_module_define(parent, name, ops, &c, sizeof c);
}
born_module *born_cosine_similarity_sized(born_module *parent, const char *name, int dim,
                                          const born_distance_desc *options, size_t bytes)
{
    return distance(parent, name, &cosine_ops, dim, 1e-8, options, bytes);
}
born_module *born_pairwise_distance_sized(born_module *parent, const char *name, const born_distance_desc *options,
                                          size_t bytes)
{
    return distance(parent, name, &pairwise_ops, -1, 1e-6, options, bytes);
}
