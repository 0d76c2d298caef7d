/* Positions: rotary and sinusoidal. Angles are computed in f64 and rounded once, so that they are exact enough for any
   length. born__nn_rotate serves attention too. */
#include <math.h>

#include "nn/nn_help.h"
#include "nn/nn_positions.h"

/* positions [T] times base^(-2 i / dim), i < dim / 2: [T, dim / 2], f64. */
static born_tensor angles(born_backend *b, born_tensor positions, int64_t dim, double base, const born_site *at)
{
    born_tensor i = (born_range)(b, BORN_F64, 0, (double)(dim / 2), 1, at);
    born_tensor rate = EXP(MUL(MUL_N(i, -2 / (double)dim), LOG((born_full)(b, BORN_F64, (born_shape){ 0 }, base, at))));
    return MUL(UNSQUEEZE(CAST(positions, BORN_F64), 1), UNSQUEEZE(rate, 0));
}

born_tensor born__nn_rotate(born_tensor x, born_tensor positions, double base, bool interleaved, const born_site *at)
{
    born_shape s = born_shape_of(x);
    born_dtype t = born_dtype_of(x);

    if (!born_is_alive(x) || !born_is_alive(positions)) return born_is_alive(x) ? positions : x;
    int64_t dim = s.dim[s.rank - 1], n = dim / 2;
    born_tensor angle = angles(born_backend_of(x), positions, dim, base, at);
    born_tensor c = CAST((born_cos)(angle, at), t), r = CAST((born_sin)(angle, at), t), half[2];
    if (!interleaved) {
        (void)(born_split)(x, half, 2, BORN_INTS(n, n), -1, at);
        born_tensor turned[] = { SUB(MUL(half[0], c), MUL(half[1], r)), ADD(MUL(half[0], r), MUL(half[1], c)) };
        return (born_concat)(turned, 2, -1, at);
    }
    born_shape pairs = s;               /* [..., T, n, 2] */
    if (s.rank == BORN_MAX_RANK) return (born_split)(x, half, 2, BORN_INTS(n, n), -1, at);
    pairs.dim[pairs.rank - 1] = n;
    pairs.dim[pairs.rank++] = 2;
    (void)(born_split)(RESHAPE(x, pairs), half, 2, BORN_INTS(1, 1), -1, at);
    c = UNSQUEEZE(c, -1);
    r = UNSQUEEZE(r, -1);
    born_tensor turned[] = { SUB(MUL(half[0], c), MUL(half[1], r)), ADD(MUL(half[0], r), MUL(half[1], c)) };
    return RESHAPE((born_concat)(turned, 2, -1, at), s);
}

typedef struct positions_config { int64_t dim; double base; bool interleaved; } positions_config;

/* The operand, or 0, 1, ...; poison where x is not [..., T, dim]. */
static born_tensor positions_of(born_module *m, const born_tensor *in, int n_in, const born_site *at)
{
    const positions_config *c = born_module_config(m);
    born_shape s = born_shape_of(in[0]), p = born_shape_of(born__nn_in(in, n_in, 1));
    bool fits = s.rank >= 2 && s.rank < BORN_MAX_RANK && s.dim[s.rank - 1] == c->dim;

    if (fits && born__given(born__nn_in(in, n_in, 1))) fits = p.rank == 1 && p.dim[0] == s.dim[s.rank - 2];
    if (!fits)
        return born__module_fail(m, BORN_SHAPE, "x is not [..., T, %lld], or the positions are not [T]",
                                 (long long)c->dim);
    return n_in > 1 && born__given(in[1]) ? in[1] : born__iota(in[0], s.dim[s.rank - 2], at);
}

static void rotary_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                           const born_site *at)
{
    const positions_config *c = born_module_config(self);
    if (born__nn_arity(self, in, n_in, 1, 2, n_out, 1))
        out[0] = born__nn_rotate(in[0], positions_of(self, in, n_in, at), c->base, c->interleaved, at);
}

/* Sines at even elements, cosines at odd ones. */
static void sinusoidal_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                               const born_site *at)
{
    const positions_config *c = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 2, n_out, 1)) return;
    born_tensor p = positions_of(self, in, n_in, at);
    if (!born_is_alive(p)) {
        out[0] = p;
        return;
    }
    born_tensor angle = UNSQUEEZE(angles(born_module_backend(self), p, c->dim, c->base, at), -1);
    born_tensor both[] = { (born_sin)(angle, at), (born_cos)(angle, at) };
    born_tensor table = RESHAPE((born_concat)(both, 2, -1, at), BORN_SHAPE(-1, c->dim));
    out[0] = ADD(in[0], CAST(table, born_dtype_of(in[0])));
}
static const born_module_ops rotary_ops = { .name = "RotaryPositions", .forward = rotary_forward };
static const born_module_ops sinusoidal_ops = { .name = "SinusoidalPositions", .forward = sinusoidal_forward };

static born_module *positions(born_module *parent, const char *name, const born_module_ops *ops, int64_t dim,
                              const born_positions_desc *options, size_t bytes)
{
    born_positions_desc d;
    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (dim < 2 || dim % 2 || dim > BORN_NN_MOST || !(d.base >= 0) || isinf(d.base))
        return born__nn_refuse(parent, name, ops, "a size of %lld, base %g", (long long)dim, d.base);
    positions_config c = { dim, d.base > 0 ? d.base : 10000, d.interleaved };
    return born_module_define(parent, name, ops, &c, sizeof c);
}
born_module *born_rotary_positions_sized(born_module *parent, const char *name, int64_t dim,
                                         const born_positions_desc *options, size_t bytes)
{
    return positions(parent, name, &rotary_ops, dim, options, bytes);
}
born_module *born_sinusoidal_positions_sized(born_module *parent, const char *name, int64_t dim,
                                             const born_positions_desc *options, size_t bytes)
{
    return positions(parent, name, &sinusoidal_ops, dim, options, bytes);
}
