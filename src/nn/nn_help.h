/* What the stock modules (nn_<family>.c) share: reading options, refusing bad ones, making parameters, counting
   operands, images without a batch. */
#ifndef BORN_NN_HELP_H
#define BORN_NN_HELP_H
#include <born/nn.h>

#include "nn/calls.h"
#include "nn/module.h"

/* Reads a constructor's options into own. False: they cannot be read (reported), or the parent is dead. */
bool born__nn_options(born_module *parent, const char *name, const born_module_ops *ops, const void *options,
                      size_t options_bytes, void *own, size_t own_bytes);
/* A dead module; what is wrong goes to the parent's chain. */
born_module *born__nn_refuse(born_module *parent, const char *name, const born_module_ops *ops, const char *format, ...)
    BORN_PRINTF(4, 5);
born_module *born__nn_dead(void);

/* How a tensor starts. */
typedef enum born_fill_kind { BORN_FILL_CONSTANT, BORN_FILL_UNIFORM, BORN_FILL_NORMAL } born_fill_kind;
typedef struct born_fill {
    born_fill_kind kind;
    double a, b;                /* value; low and high; mean and deviation */
} born_fill;
static inline born_fill born__fill_constant(double v) { return (born_fill){ BORN_FILL_CONSTANT, v, 0 }; }
static inline born_fill born__fill_within(double bound) { return (born_fill){ BORN_FILL_UNIFORM, -bound, bound }; }
/* Adds a tensor of the tree's dtype; where that fails m is dead from then on. Does nothing to a dead module. */
void born__nn_add(born_module *m, const char *name, born_module_role role, born_shape shape, born_fill fill);
/* Writes n elements of dtype t. init.c */
void born__init_fill(born_dtype t, void *dst, int64_t n, uint64_t key, born_fill fill);
uint64_t born__init_key(const born_module *m, const char *name);

/* Whether a forward was given between `least` and `most` operands, the first `least` present, and asked for at most
   `results`; reports it otherwise. */
bool born__nn_arity(const born_module *m, const born_tensor *in, int n_in, int least, int most, int n_out, int results);
static inline born_tensor born__nn_in(const born_tensor *in, int n_in, int i)
{
    return i < n_in ? in[i] : (born_tensor){ 0 };
}
/* A list of the options as `count` numbers: one for each, one for all, or none (then `none` each). False: another
   count, or a number outside [lo, hi]. */
bool born__nn_list(born_ints list, int count, int64_t none, int64_t lo, int64_t hi, int64_t *out);
static inline born_ints born__ints(const int64_t *v, int count) { return (born_ints){ v, count }; }
/* The options of three axes hold at most this: products of a few stay far from overflow. */
#define BORN_NN_MOST ((int64_t)1 << 30)

/* x with a first dim of 1 where it is [C, spatial...] and not [N, C, spatial...] (*single says so); poison where it is
   neither. Undone by born__nn_unbatch. */
born_tensor born__nn_batch(const born_module *m, born_tensor x, int rank, bool *single, const born_site *at);
static inline born_tensor born__nn_unbatch(born_tensor y, bool single, const born_site *at)
{
    return single ? SQUEEZE(y, 0) : y;
}
/* x [..., in] times w' for w [out, in], plus b ({0}: none). */
born_tensor born__nn_linear(born_tensor x, born_tensor w, born_tensor b, const born_site *at);
/* x with spatial axes padded; padding[2 * i] before and [2 * i + 1] after spatial axis i. */
born_tensor born__nn_pad(born_tensor x, int dims, const int64_t *padding, born_padding_mode mode, double value,
                         const born_site *at);
/* Each element 0 with probability p, the rest scaled, in training; `shape` is of the mask, broadcast to x. */
born_tensor born__nn_dropout(born_module *m, born_tensor x, double p, born_shape shape, const born_site *at);
static inline born_tensor born__nn_op1(born_op_id op, born_tensor x, const void *attrs, const born_site *at)
{
    return born__op_call(op, &x, 1, attrs, 1, NULL, at);
}
#endif
