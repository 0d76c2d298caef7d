/* Norms. BatchNorm and InstanceNorm share their state and its updating: running_mean, running_var, num_batches_tracked,
   changed by born_module_update, so that a recorded step changes them too. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct running_config {
    int dims;
    int64_t features;
    double eps, momentum;       /* momentum below 0: the running values stay */
    bool cumulative, affine, tracked;
} running_config;

static born_tensor ones_or(born_module *m, const char *name, int64_t n, double v, const born_site *at)
{
    born_tensor t = born_module_tensor(m, name);
    return born__given(t) ? t : (born_full)(born_module_backend(m), born_module_dtype(m), BORN_SHAPE(n), v, at);
}

/* running = (1 - f) running + f fresh, with f the momentum or 1 over the number of batches. */
static void follow(born_module *m, const char *name, born_tensor fresh, born_tensor share, const born_site *at)
{
    const running_config *c = born_module_config(m);
    born_tensor old = born_module_tensor(m, name);

    fresh = DETACH(fresh);
    if (born__given(share)) fresh = ADD(old, MUL(SUB(fresh, old), share));
    else fresh = ADD(MUL_N(old, 1 - c->momentum), MUL_N(fresh, c->momentum));
    born_module_update(m, name, fresh);
}

/* After a batch with these statistics; var is the unbiased one. */
static void track(born_module *m, born_tensor mean, born_tensor var, const born_site *at)
{
    const running_config *c = born_module_config(m);
    born_tensor share = { 0 }, batches = born_module_tensor(m, "num_batches_tracked");

    if (!c->tracked || !born_is_alive(mean)) return;
    batches = ADD_N(batches, 1);
    born_module_update(m, "num_batches_tracked", batches);
    if (c->cumulative) share = DIV(born__like(mean, 1, at), CAST(batches, born_dtype_of(mean)));
    if (!c->cumulative && c->momentum < 0) return;
    follow(m, "running_mean", mean, share, at);
    follow(m, "running_var", var, share, at);
}

static born_tensor by_running(born_module *m, born_tensor x, const born_site *at)
{
    const running_config *c = born_module_config(m);
    return (born_batch_norm)(x, ones_or(m, "weight", c->features, 1, at), ones_or(m, "bias", c->features, 0, at),
                             born_module_tensor(m, "running_mean"), born_module_tensor(m, "running_var"),
                             &(born_batch_norm_attrs){ .epsilon = c->eps }, at);
}

static bool right_shape(born_module *m, const born_shape *s, int least, int most)
{
    const running_config *c = born_module_config(m);
    if (s->rank >= least && s->rank <= most && s->dim[1] == c->features) return true;
    born__module_fail(m, BORN_SHAPE, "x has %d dims and %lld channels, not %d to %d and %lld", s->rank,
                      s->rank > 1 ? (long long)s->dim[1] : 0, least, most, (long long)c->features);
    return false;
}

static void batch_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    const running_config *c = born_module_config(self);
    born_tensor y[3];

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    if (!born_is_alive(in[0])) {
        out[0] = in[0];
        return;
    }
    born_shape s = born_shape_of(in[0]);
    if (!right_shape(self, &s, c->dims == 1 ? 2 : c->dims + 2, c->dims + 2)) return;
    bool training = born_module_training(self);
    if (c->tracked && !training) {
        out[0] = by_running(self, in[0], at);
        return;
    }
    int64_t n = s.dim[0] * born__span_of(&s, 2, s.rank);
    if (training && n < 2) {
        out[0] = born__module_fail(self, BORN_SHAPE, "a channel needs more than %lld value to train on", (long long)n);
        return;
    }
    /* Momentum 0 in the operator's sense gives the batch's own mean and (biased) variance as its further results. */
    const born_batch_norm_attrs attrs = { .epsilon = c->eps, .momentum = 0, .training_mode = true };
    born_tensor v[] = { in[0], ones_or(self, "weight", c->features, 1, at), ones_or(self, "bias", c->features, 0, at),
                        ones_or(self, "", c->features, 0, at), ones_or(self, "", c->features, 1, at) };
    out[0] = born__op_call_on(NULL, &born__ops[BORN_OP_BATCH_NORM], v, 5, &attrs, 3, y, at);
    if (training) track(self, y[1], MUL_N(y[2], (double)n / (double)(n - 1)), at);
}

static void instance_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    const running_config *c = born_module_config(self);
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    born_shape s = born_shape_of(x);
    if (!born_is_alive(x)) {
        out[0] = x;
        return;
    }
    if (!right_shape(self, &s, c->dims + 2, c->dims + 2)) return;
    bool training = born_module_training(self);
    if (c->tracked && !training) {
        out[0] = born__nn_unbatch(by_running(self, x, at), single, at);
        return;
    }
    int64_t n = born__span_of(&s, 2, s.rank), axis[3] = { 2, 3, 4 };
    if (training && n < 2) {
        out[0] = born__module_fail(self, BORN_SHAPE, "a plane needs more than %lld value to train on", (long long)n);
        return;
    }
    born_tensor y = (born_instance_norm)(x, ones_or(self, "weight", c->features, 1, at),
                                         ones_or(self, "bias", c->features, 0, at),
                                         &(born_instance_norm_attrs){ .epsilon = c->eps }, at);
    if (training && c->tracked) {
        born_tensor fixed = DETACH(x);
        born_ints axes = born__ints(axis, c->dims);
        born_tensor mean = (born_reduce_mean)(fixed, axes, &(born_reduce_attrs){ .drop_dims = true }, at);
        born_tensor var = (born_reduce_variance)(fixed, axes,
                                                 &(born_variance_attrs){ .drop_dims = true, .correction = 1 }, at);
        track(self, MEAN(mean, 0), MEAN(var, 0), at);
    }
    out[0] = born__nn_unbatch(y, single, at);
}

static const born_module_ops running_ops[2][3] = {
    { { .name = "BatchNorm1d", .forward = batch_forward }, { .name = "BatchNorm2d", .forward = batch_forward },
      { .name = "BatchNorm3d", .forward = batch_forward } },
    { { .name = "InstanceNorm1d", .forward = instance_forward },
      { .name = "InstanceNorm2d", .forward = instance_forward },
      { .name = "InstanceNorm3d", .forward = instance_forward } },
};

static born_module *with_running(born_module *parent, const char *name, const born_module_ops *ops, running_config c)
{
    if (c.dims < 1 || c.dims > 3 || c.features < 1 || c.features > BORN_NN_MOST || !(c.eps >= 0) || !(c.momentum <= 1))
        return born__nn_refuse(parent, name, ops, "%d axes, %lld features, eps %g, momentum %g", c.dims,
                               (long long)c.features, c.eps, c.momentum);
    if (c.eps == 0) c.eps = 1e-5;
    if (c.momentum == 0) c.momentum = 0.1;
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    born_shape s = BORN_SHAPE(c.features);
    if (c.affine) {
        born__nn_add(m, "weight", BORN_PARAM, s, born__fill_constant(1));
        born__nn_add(m, "bias", BORN_PARAM, s, born__fill_constant(0));
    }
    if (c.tracked) {
        const int64_t none = 0;
        born__nn_add(m, "running_mean", BORN_BUFFER, s, born__fill_constant(0));
        born__nn_add(m, "running_var", BORN_BUFFER, s, born__fill_constant(1));
        (void)born_module_add(m, "num_batches_tracked", BORN_BUFFER, (born_array){ BORN_I64, { 0 }, &none, 0 });
    }
    return m;
}

born_module *born_batch_norm_nd_sized(born_module *parent, const char *name, int dims, int64_t features,
                                      const born_batch_norm_desc *options, size_t bytes)
{
    born_batch_norm_desc d;
    const born_module_ops *ops = &running_ops[0][dims < 1 || dims > 3 ? 0 : dims - 1];

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return with_running(parent, name, ops, (running_config){ .dims = dims, .features = features, .eps = d.eps,
                                                             .momentum = d.momentum, .cumulative = d.cumulative,
                                                             .affine = !d.no_affine,
                                                             .tracked = !d.no_running_stats });
}
born_module *born_instance_norm_nd_sized(born_module *parent, const char *name, int dims, int64_t features,
                                         const born_instance_norm_desc *options, size_t bytes)
{
    born_instance_norm_desc d;
    const born_module_ops *ops = &running_ops[1][dims < 1 || dims > 3 ? 0 : dims - 1];

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return with_running(parent, name, ops, (running_config){ .dims = dims, .features = features, .eps = d.eps,
                                                             .momentum = d.momentum, .affine = d.affine,
                                                             .tracked = d.running_stats });
}
