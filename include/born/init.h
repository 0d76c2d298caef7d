/* Born: initial values. Each function overwrites the tensor at `path` below m ("fc1.weight"), whose gradients it does
   not touch. Random numbers are counter-based: they depend on the tree's seed, the tensor's path from the root and the
   element, so a network starts with the same bits on every machine. fan_in and fan_out are PyTorch's: of weight [out,
   in, kernel...], in * kernel and out * kernel. Errors: INVALID (no such tensor, a number that makes no sense), SHAPE,
   DTYPE (not a float), STATE (m is dead). */
#ifndef BORN_INIT_H
#define BORN_INIT_H
#include "module.h"

BORN_C_BEGIN

typedef enum born_fan { BORN_FAN_IN, BORN_FAN_OUT } born_fan;
typedef enum born_nonlinearity {
    BORN_GAIN_LEAKY_RELU,       /* `param`: the negative slope */
    BORN_GAIN_LINEAR,           /* also of convolutions and sigmoid */
    BORN_GAIN_TANH,
    BORN_GAIN_RELU,
    BORN_GAIN_SELU,
} born_nonlinearity;

/// The recommended gain: sqrt(2 / (1 + slope^2)), 1, 5/3, sqrt(2), 3/4. Equals torch.nn.init.calculate_gain.
BORN_API double born_init_gain(born_nonlinearity f, double param);

/// Uniform numbers in [low, high). Equals torch.nn.init.uniform_.
BORN_API BORN_CHECK born_status born_init_uniform(born_module *m, const char *path, double low, double high,
                                                  born_error *err);
/// Normal numbers. Equals torch.nn.init.normal_.
BORN_API BORN_CHECK born_status born_init_normal(born_module *m, const char *path, double mean, double std,
                                                 born_error *err);
/// Normal numbers within [low, high]. PyTorch's default bounds are -2 and 2. Equals torch.nn.init.trunc_normal_.
BORN_API BORN_CHECK born_status born_init_trunc_normal(born_module *m, const char *path, double mean, double std,
                                                       double low, double high, born_error *err);
/// Every element v. Equals torch.nn.init.constant_, and zeros_ and ones_.
BORN_API BORN_CHECK born_status born_init_constant(born_module *m, const char *path, double v, born_error *err);
/// Ones on the diagonal of a matrix, zeros elsewhere. Equals torch.nn.init.eye_.
BORN_API BORN_CHECK born_status born_init_eye(born_module *m, const char *path, born_error *err);
/// A convolution's weight that passes channels through, in each of `groups`. Equals torch.nn.init.dirac_.
BORN_API BORN_CHECK born_status born_init_dirac(born_module *m, const char *path, int64_t groups, born_error *err);
/// Uniform within gain * sqrt(6 / (fan_in + fan_out)). Glorot and Bengio, 2010. Equals torch.nn.init.xavier_uniform_.
BORN_API BORN_CHECK born_status born_init_xavier_uniform(born_module *m, const char *path, double gain,
                                                         born_error *err);
/// Normal with deviation gain * sqrt(2 / (fan_in + fan_out)). Equals torch.nn.init.xavier_normal_.
BORN_API BORN_CHECK born_status born_init_xavier_normal(born_module *m, const char *path, double gain, born_error *err);
/// Uniform within gain * sqrt(3 / fan), with the gain of f and slope a. PyTorch's defaults are a 0, BORN_FAN_IN and
/// BORN_GAIN_LEAKY_RELU. He et al., 2015. Equals torch.nn.init.kaiming_uniform_.
BORN_API BORN_CHECK born_status born_init_kaiming_uniform(born_module *m, const char *path, double a, born_fan mode,
                                                          born_nonlinearity f, born_error *err);
/// Normal with deviation gain / sqrt(fan). Equals torch.nn.init.kaiming_normal_.
BORN_API BORN_CHECK born_status born_init_kaiming_normal(born_module *m, const char *path, double a, born_fan mode,
                                                         born_nonlinearity f, born_error *err);
/// gain times a matrix [dim 0, the rest] with orthonormal rows, or columns where it has fewer of those. Saxe et al.,
/// 2013. Equals torch.nn.init.orthogonal_.
BORN_API BORN_CHECK born_status born_init_orthogonal(born_module *m, const char *path, double gain, born_error *err);
/// A matrix of normal numbers in which each column has ceil(sparsity * rows) zeros. Equals torch.nn.init.sparse_.
BORN_API BORN_CHECK born_status born_init_sparse(born_module *m, const char *path, double sparsity, double std,
                                                 born_error *err);

BORN_C_END
#endif
