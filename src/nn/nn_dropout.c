/* Dropout. Which elements stay is drawn with the module's key: a resumed run drops what an uninterrupted one would. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct dropout_config {
    double p;
    int dims;                   /* spatial axes of whole channels; 0: single elements; -1: channels of any x */
    bool alpha;
} dropout_config;

/* bool: true with probability 1 - p, the same for all elements that share one of the mask. */
static born_tensor keep_mask(born_module *m, double p, const born_shape *shape, const born_site *at)
{
    born_tensor key = born_module_key(m);
    const born_random_uniform_attrs attrs = { .dtype = BORN_F32, .shape = born__ints(shape->dim, shape->rank) };
    return LT_N(born__op_call(BORN_OP_RANDOM_UNIFORM, &key, 1, &attrs, 1, NULL, at), 1 - p);
}

born_tensor born__nn_dropout(born_module *m, born_tensor x, double p, born_shape shape, const born_site *at)
{
    if (p == 0 || !born_module_training(m) || !born_is_alive(x)) return x;
    if (p == 1) return MUL_N(x, 0);
    return WHERE(keep_mask(m, p, &shape, at), MUL_N(x, 1 / (1 - p)), born__like(x, 0, at));
}

/* SELU's limit for large negative x takes the place of what is dropped; a x + b restores mean 0 and variance 1. */
static born_tensor alpha_dropout(born_module *m, born_tensor x, double p, const born_shape *shape, const born_site *at)
{
    const double low = -1.7580993408473766;

    if (p == 0 || !born_module_training(m)) return x;
    if (p == 1) return MUL_N(x, 0);
    double a = 1 / sqrt((1 - p) * (1 + p * low * low)), b = -a * low * p;
    return ADD_N(MUL_N(WHERE(keep_mask(m, p, shape, at), x, born__like(x, low, at)), a), b);
}

static void dropout_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                            const born_site *at)
{
    const dropout_config *c = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_shape s = born_shape_of(in[0]);
    int first = c->dims > 0 ? s.rank - c->dims : 2;     /* of the axes that share the mask */
    if (born_is_alive(in[0]) && c->dims && (first < 1 || first > 2 || s.rank < 2)) {
        out[0] = born__module_fail(self, BORN_SHAPE, "x has %d dims", s.rank);
        return;
    }
    for (int d = first; c->dims && d < s.rank; d++) s.dim[d] = 1;
    out[0] = c->alpha ? alpha_dropout(self, in[0], c->p, &s, at) : born__nn_dropout(self, in[0], c->p, s, at);
}

static born_module *dropout(born_module *parent, const char *name, const born_module_ops *ops, dropout_config c,
                            const void *options, size_t bytes)
{
    born_no_desc d;
    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (!(c.p >= 0 && c.p <= 1)) return born__nn_refuse(parent, name, ops, "a probability of %g", c.p);
    return born_module_define(parent, name, ops, &c, sizeof c);
}

enum { ELEMENTS, CHANNELS_1D, CHANNELS_2D, CHANNELS_3D, ALPHA, FEATURE_ALPHA };
static const born_module_ops dropout_ops[] = {
    [ELEMENTS] = { .name = "Dropout", .forward = dropout_forward },
    [CHANNELS_1D] = { .name = "Dropout1d", .forward = dropout_forward },
    [CHANNELS_2D] = { .name = "Dropout2d", .forward = dropout_forward },
    [CHANNELS_3D] = { .name = "Dropout3d", .forward = dropout_forward },
    [ALPHA] = { .name = "AlphaDropout", .forward = dropout_forward },
    [FEATURE_ALPHA] = { .name = "FeatureAlphaDropout", .forward = dropout_forward },
};

born_module *born_dropout_layer_sized(born_module *parent, const char *name, double p, const born_no_desc *options,
                                      size_t bytes)
{
    return dropout(parent, name, &dropout_ops[ELEMENTS], (dropout_config){ .p = p }, options, bytes);
}
born_module *born_dropout_nd_sized(born_module *parent, const char *name, int dims, double p,
                                   const born_no_desc *options, size_t bytes)
{
    if (dims < 1 || dims > 3) return born__nn_refuse(parent, name, &dropout_ops[ELEMENTS], "%d spatial axes", dims);
    return dropout(parent, name, &dropout_ops[dims], (dropout_config){ .p = p, .dims = dims }, options, bytes);
}
born_module *born_alpha_dropout_sized(born_module *parent, const char *name, double p, const born_no_desc *options,
                                      size_t bytes)
{
    return dropout(parent, name, &dropout_ops[ALPHA], (dropout_config){ .p = p, .alpha = true }, options, bytes);
}
born_module *born_feature_alpha_dropout_sized(born_module *parent, const char *name, double p,
                                              const born_no_desc *options, size_t bytes)
{
    return dropout(parent, name, &dropout_ops[FEATURE_ALPHA], (dropout_config){ .p = p, .dims = -1, .alpha = true },
                   options, bytes);
}
