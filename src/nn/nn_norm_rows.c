/* Norms without state but weight and bias: LayerNorm, RMSNorm, GroupNorm, LocalResponseNorm. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct rows_config {
    born_shape shape;           /* of weight: the normalised dims, or [channels] */
    int64_t groups;
    double eps;
} rows_config;

/* The module's tensor, or a constant in its place: the operators need one. */
static born_tensor weight_or(born_module *m, const char *name, double v, const born_site *at)
{
    const rows_config *c = born_module_config(m);
    born_tensor t = born_module_tensor(m, name);
    return born__given(t) ? t : (born_full)(born_module_backend(m), born_module_dtype(m), c->shape, v, at);
}

/* Do the last dims of x have the normalised sizes? */
static bool ends_with(born_module *m, born_tensor x)
{
    const rows_config *c = born_module_config(m);
    born_shape s = born_shape_of(x);
    bool fits = s.rank >= c->shape.rank;

    for (int d = 0; fits && d < c->shape.rank; d++) fits = s.dim[s.rank - c->shape.rank + d] == c->shape.dim[d];
    if (!fits && born_is_alive(x))
        born__module_fail(m, BORN_SHAPE, "the last %d dims of x are not those to normalise", c->shape.rank);
    return fits;
}

static void layer_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    const rows_config *c = born_module_config(self);
    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1) || !ends_with(self, in[0])) return;
    out[0] = (born_layer_norm)(in[0], weight_or(self, "weight", 1, at), born_module_tensor(self, "bias"),
                               &(born_layer_norm_attrs){ .axis = -c->shape.rank, .epsilon = c->eps }, at);
}
static void rms_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const rows_config *c = born_module_config(self);
    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1) || !ends_with(self, in[0])) return;
    out[0] = (born_rms_norm)(in[0], weight_or(self, "weight", 1, at),
                             &(born_rms_norm_attrs){ .axis = -c->shape.rank, .epsilon = c->eps }, at);
}
static void group_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    const rows_config *c = born_module_config(self);
    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]);
    if (born_is_alive(in[0]) && (s.rank < 2 || s.dim[1] != c->shape.dim[0])) {
        born__module_fail(self, BORN_SHAPE, "x has no %lld channels", (long long)c->shape.dim[0]);
        return;
    }
    out[0] = (born_group_norm)(in[0], weight_or(self, "weight", 1, at), weight_or(self, "bias", 0, at),
                               &(born_group_norm_attrs){ .num_groups = c->groups, .epsilon = c->eps }, at);
}
static const born_module_ops layer_ops = { .name = "LayerNorm", .forward = layer_forward };
static const born_module_ops rms_ops = { .name = "RMSNorm", .forward = rms_forward };
static const born_module_ops group_ops = { .name = "GroupNorm", .forward = group_forward };

static born_module *rows(born_module *parent, const char *name, const born_module_ops *ops, born_ints shape,
                         int64_t groups, bool bias, const born_norm_desc *d)
{
    rows_config c = { .groups = groups, .eps = d->eps > 0 ? d->eps : 1e-5 };
    bool sound = shape.count >= 1 && shape.count <= BORN_MAX_RANK && d->eps >= 0;

    c.shape.rank = sound ? (int)shape.count : 0;
    for (int i = 0; i < c.shape.rank; i++) {
        c.shape.dim[i] = shape.v[i];
        sound = sound && shape.v[i] >= 1 && shape.v[i] <= BORN_NN_MOST;
    }
    if (!sound || groups < 1 || c.shape.dim[0] % groups)
        return born__nn_refuse(parent, name, ops, "sizes, groups (%lld) or eps (%g) make no sense", (long long)groups,
                               d->eps);
    if (ops == &rms_ops && d->eps == 0) {       /* PyTorch's None: the distance from 1 to the next number */
        born_dtype t = born_module_dtype(parent);
        c.eps = t == BORN_F64 ? 0x1p-52 : t == BORN_F16 ? 0x1p-10 : t == BORN_BF16 ? 0x1p-7 : 0x1p-23;
    }
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    if (d->no_affine) return m;
    born__nn_add(m, "weight", BORN_PARAM, c.shape, born__fill_constant(1));
    if (bias && !d->no_bias) born__nn_add(m, "bias", BORN_PARAM, c.shape, born__fill_constant(0));
    return m;
}

born_module *born_layer_norm_layer_sized(born_module *parent, const char *name, born_ints shape,
                                         const born_norm_desc *options, size_t bytes)
{
    born_norm_desc d;
    if (!born__nn_options(parent, name, &layer_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return rows(parent, name, &layer_ops, shape, 1, true, &d);
}
born_module *born_rms_norm_layer_sized(born_module *parent, const char *name, born_ints shape,
                                       const born_norm_desc *options, size_t bytes)
{
    born_norm_desc d;
    if (!born__nn_options(parent, name, &rms_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return rows(parent, name, &rms_ops, shape, 1, false, &d);
}
born_module *born_group_norm_layer_sized(born_module *parent, const char *name, int64_t groups, int64_t channels,
                                         const born_norm_desc *options, size_t bytes)
{
    born_norm_desc d;
    if (!born__nn_options(parent, name, &group_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return rows(parent, name, &group_ops, born__ints(&channels, 1), groups, true, &d);
}

/* ---- local response -------------------------------------------------------------------------------------------- */

static born_tensor turn_channels(born_tensor x, const born_site *at)
{
    return (born_slice)(x, BORN_INTS(-1), BORN_INTS(INT64_MIN), BORN_INTS(1), BORN_INTS(-1), at);
}

/* Of an even number of neighbours PyTorch counts one more before, the operator one more after. */
static void local_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    const born_lrn_attrs *attrs = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    if (attrs->size % 2) out[0] = (born_lrn)(in[0], attrs, at);
    else out[0] = turn_channels((born_lrn)(turn_channels(in[0], at), attrs, at), at);
}
static const born_module_ops local_ops = { .name = "LocalResponseNorm", .forward = local_forward };

born_module *born_local_response_norm_sized(born_module *parent, const char *name, int64_t size,
                                            const born_local_response_norm_desc *options, size_t bytes)
{
    born_local_response_norm_desc d;
    if (!born__nn_options(parent, name, &local_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (size < 1 || size > BORN_NN_MOST || isnan(d.alpha) || isnan(d.beta) || isnan(d.k))
        return born__nn_refuse(parent, name, &local_ops, "%lld neighbours", (long long)size);
    born_lrn_attrs attrs = { .size = size, .alpha = d.alpha, .beta = d.beta, .bias = d.k };
    return born_module_define(parent, name, &local_ops, &attrs, sizeof attrs);
}
