/* Activations: a row each, a function of x and up to two numbers. */
#include <math.h>

#include "nn/nn_help.h"

typedef born_tensor (*activation_fn)(born_module *m, born_tensor x, double a, double b, const born_site *at);
typedef struct activation_config { activation_fn fn; double a, b; } activation_config;

static void activation_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                               const born_site *at)
{
    const activation_config *c = born_module_config(self);
    if (born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) out[0] = c->fn(self, in[0], c->a, c->b, at);
}

/* PyTorch's functions as calls of ours. At the bounds of relu6 and hardtanh the gradient is 0, as there, which clamp's
   is not. */
#define FN(name, ...)                                                                                                 \
    static born_tensor name##_fn(born_module *m, born_tensor x, double a, double b, const born_site *at)              \
    {                                                                                                                 \
        (void)m, (void)a, (void)b;                                                                                    \
        return __VA_ARGS__;                                                                                           \
    }
FN(relu, RELU(x))
FN(relu6, WHERE(GE_N(x, 6), born__like(x, 6, at), RELU(x)))
FN(sigmoid, SIGMOID(x))
FN(tanh, TANH(x))
FN(selu, (born_selu)(x, &(born_selu_attrs){ .alpha = 1.6732632423543772, .gamma = 1.0507009873554805 }, at))
FN(silu, (born_silu)(x, NULL, at))
FN(mish, (born_mish)(x, at))
FN(hardsigmoid, (born_hard_sigmoid)(x, &(born_hard_sigmoid_attrs){ .alpha = 1.0 / 6, .beta = 0.5 }, at))
FN(hardswish, (born_hard_swish)(x, at))
FN(log_sigmoid, NEG(SOFTPLUS(NEG(x))))
FN(softsign, (born_softsign)(x, at))
FN(tanhshrink, SUB(x, TANH(x)))
FN(softmax2d, (born_softmax)(x, -3, at))
FN(gelu, (born_gelu)(x, NULL, at))
FN(gelu_tanh, (born_gelu)(x, &(born_gelu_attrs){ .approximate = 1 }, at))
FN(leaky_relu, a == 0 ? RELU(x) : (born_leaky_relu)(x, &(born_leaky_relu_attrs){ .alpha = a }, at))
FN(elu, a == 0 ? RELU(x) : (born_elu)(x, &(born_elu_attrs){ .alpha = a }, at))
FN(celu, (born_celu)(x, &(born_elu_attrs){ .alpha = a }, at))
FN(hardshrink, WHERE(LE_N(ABS(x), a), born__like(x, 0, at), x))
FN(softshrink, WHERE(LE_N(ABS(x), a), born__like(x, 0, at), WHERE(GT_N(x, 0), SUB_N(x, a), ADD_N(x, a))))
FN(softmax, (born_softmax)(x, (int64_t)a, at))
FN(log_softmax, (born_log_softmax)(x, (int64_t)a, at))
FN(softmin, (born_softmax)(NEG(x), (int64_t)a, at))
FN(hardtanh, WHERE(LE_N(x, a), born__like(x, a, at), WHERE(GE_N(x, b), born__like(x, b, at), x)))
FN(softplus, WHERE(GT_N(MUL_N(x, a), b), x, DIV_N(SOFTPLUS(MUL_N(x, a)), a)))
FN(threshold, WHERE(LE_N(x, a), born__like(x, b, at), x))
#undef FN

static born_tensor glu_fn(born_module *m, born_tensor x, double a, double b, const born_site *at)
{
    born_tensor half[2];
    born_shape s = born_shape_of(x);
    int axis = (int)a < 0 ? (int)a + s.rank : (int)a;

    (void)b;
    if (axis < 0 || axis >= s.rank || s.dim[axis] % 2)
        return born__module_fail(m, BORN_SHAPE, "dim %d of x cannot be halved", (int)a);
    (void)(born_split)(x, half, 2, BORN_INTS(s.dim[axis] / 2, s.dim[axis] / 2), axis, at);
    return MUL(half[0], SIGMOID(half[1]));
}

/* A slope for each element, random in training, the mean of both bounds in evaluation. */
static born_tensor rrelu_fn(born_module *m, born_tensor x, double a, double b, const born_site *at)
{
    if (!born_module_training(m)) return leaky_relu_fn(m, x, (a + b) / 2, 0, at);
    born_tensor v[] = { DETACH(x), born_module_key(m) };
    const born_random_uniform_attrs unit = { .seed = -INFINITY };
    born_tensor slope = ADD_N(MUL_N(born__op_call(BORN_OP_RANDOM_UNIFORM_LIKE, v, 2, &unit, 1, NULL, at), b - a), a);
    return WHERE(GE_N(x, 0), x, MUL(x, slope));
}

/* Slopes belong to dim 1, or there is one for all. */
static born_tensor prelu_fn(born_module *m, born_tensor x, double a, double b, const born_site *at)
{
    born_tensor w = born_module_tensor(m, "weight");
    int rank = born_shape_of(x).rank;
    born_shape s = { .rank = rank > 2 ? rank - 1 : 1 };

    (void)b;
    for (int d = 0; d < s.rank; d++) s.dim[d] = d == 0 ? (int64_t)a : 1;
    return (born_prelu)(x, a > 1 ? RESHAPE(w, s) : w, at);
}

static const activation_fn functions[BORN_ACTIVATION_COUNT] = {
#define BORN__X(name, Class, n) [BORN_ACTIVATION_##name] = name##_fn,
    BORN_ACTIVATION_ROWS(BORN__X)
#undef BORN__X
};
static const born_module_ops activation_ops[BORN_ACTIVATION_COUNT] = {
#define BORN__X(act, Class, n) [BORN_ACTIVATION_##act] = { .name = #Class, .forward = activation_forward },
    BORN_ACTIVATION_ROWS(BORN__X)
#undef BORN__X
};

born_module *born_activation_layer(born_module *parent, const char *name, born_activation kind, double a, double b)
{
    if (!parent || !born_module_dtype(parent)) return born__nn_dead();
    if ((unsigned)kind >= BORN_ACTIVATION_COUNT || isnan(a) || isnan(b))
        return born__nn_refuse(parent, name, &activation_ops[0], "there is no activation %d of %g and %g", (int)kind,
                               a, b);
    const born_module_ops *ops = &activation_ops[kind];
    bool by_dim = kind == BORN_ACTIVATION_softmax || kind == BORN_ACTIVATION_log_softmax ||
                  kind == BORN_ACTIVATION_softmin || kind == BORN_ACTIVATION_glu;
    bool sound = !by_dim || (a == rint(a) && fabs(a) <= BORN_MAX_RANK);
    if (kind == BORN_ACTIVATION_prelu) sound = a >= 1 && a <= (double)BORN_NN_MOST && a == rint(a) && isfinite(b);
    if (kind == BORN_ACTIVATION_celu || kind == BORN_ACTIVATION_softplus) sound = a != 0;
    if (!sound) return born__nn_refuse(parent, name, ops, "%g is out of range", a);
    activation_config c = { functions[kind], a, b };
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    if (kind == BORN_ACTIVATION_prelu)
        born__nn_add(m, "weight", BORN_PARAM, BORN_SHAPE((int64_t)a), born__fill_constant(b));
    return m;
}
