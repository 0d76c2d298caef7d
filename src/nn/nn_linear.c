/* Linear and Bilinear, and what only passes or adds: Identity, residual groups. */
#include <math.h>

#include "nn/nn_help.h"

static void linear_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                           const born_site *at)
{
    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    out[0] = born__nn_linear(in[0], born_module_tensor(self, "weight"), born_module_tensor(self, "bias"), at);
}
static const born_module_ops linear_ops = { .name = "Linear", .forward = linear_forward };

static bool size_ok(int64_t n) { return n >= 1 && n <= BORN_NN_MOST; }

born_module *born_linear_sized(born_module *parent, const char *name, int64_t in_features, int64_t out_features,
                               const born_linear_desc *options, size_t options_bytes)
{
    born_linear_desc d;

    if (!born__nn_options(parent, name, &linear_ops, options, options_bytes, &d, sizeof d)) return born__nn_dead();
    if (!size_ok(in_features) || !size_ok(out_features))
        return born__nn_refuse(parent, name, &linear_ops, "%lld and %lld features", (long long)in_features,
                               (long long)out_features);
    born_module *m = born_module_define(parent, name, &linear_ops, NULL, 0);
    born_fill f = born__fill_within(1 / sqrt((double)in_features));
    born__nn_add(m, "weight", BORN_PARAM, BORN_SHAPE(out_features, in_features), f);
    if (!d.no_bias) born__nn_add(m, "bias", BORN_PARAM, BORN_SHAPE(out_features), f);
    return m;
}

/* ---- bilinear -------------------------------------------------------------------------------------------------- */

/* x1 [N, I] times w [O, I, J] laid out as [I, O*J] gives [N, O, J], and that times x2 [N, J, 1] the result [N, O]. */
static void bilinear_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    born_tensor w = born_module_tensor(self, "weight"), b = born_module_tensor(self, "bias");
    born_shape s = born_shape_of(w), lead;

    if (!born__nn_arity(self, in, n_in, 2, 2, n_out, 1)) return;
    lead = born_shape_of(in[0]);
    int64_t O = s.dim[0], I = s.dim[1], J = s.dim[2], N = born__span_of(&lead, 0, lead.rank - 1);
    w = RESHAPE(TRANSPOSE(w, BORN_INTS(1, 0, 2)), BORN_SHAPE(I, O * J));
    born_tensor y = RESHAPE(MATMUL(RESHAPE(in[0], BORN_SHAPE(N, I)), w), BORN_SHAPE(N, O, J));
    y = RESHAPE(MATMUL(y, RESHAPE(in[1], BORN_SHAPE(N, J, 1))), BORN_SHAPE(N, O));
    if (born__given(b)) y = ADD(y, b);
    if (lead.rank > 0) lead.dim[lead.rank - 1] = O;
    out[0] = RESHAPE(y, lead);
}
static const born_module_ops bilinear_ops = { .name = "Bilinear", .forward = bilinear_forward };

born_module *born_bilinear_sized(born_module *parent, const char *name, int64_t in1_features, int64_t in2_features,
                                 int64_t out_features, const born_linear_desc *options, size_t options_bytes)
{
    born_linear_desc d;

    if (!born__nn_options(parent, name, &bilinear_ops, options, options_bytes, &d, sizeof d)) return born__nn_dead();
    if (!size_ok(in1_features) || !size_ok(in2_features) || !size_ok(out_features))
        return born__nn_refuse(parent, name, &bilinear_ops, "%lld, %lld and %lld features", (long long)in1_features,
                               (long long)in2_features, (long long)out_features);
    born_module *m = born_module_define(parent, name, &bilinear_ops, NULL, 0);
    born_fill f = born__fill_within(1 / sqrt((double)in1_features));
    born__nn_add(m, "weight", BORN_PARAM, BORN_SHAPE(out_features, in1_features, in2_features), f);
    if (!d.no_bias) born__nn_add(m, "bias", BORN_PARAM, BORN_SHAPE(out_features), f);
    return m;
}

/* ---- containers and distances ---------------------------------------------------------------------------------- */

static void residual_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor y = in[0];
    for (int i = 0; born_module_child(self, i); i++) y = (born_forward)(born_module_child(self, i), y, at);
    out[0] = ADD(in[0], y);
}
static const born_module_ops residual_ops = { .name = "Residual", .forward = residual_forward };

static void identity_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    (void)at;
    if (born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) out[0] = in[0];
}
static const born_module_ops identity_ops = { .name = "Identity", .forward = identity_forward };

static born_module *plain(born_module *parent, const char *name, const born_module_ops *ops, const void *options,
                          size_t bytes)
{
    born_no_desc d;
    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return born_module_define(parent, name, ops, NULL, 0);
}
born_module *born_residual_sized(born_module *parent, const char *name, const born_no_desc *options, size_t bytes)
{
    return plain(parent, name, &residual_ops, options, bytes);
}
born_module *born_identity_layer_sized(born_module *parent, const char *name, const born_no_desc *options, size_t bytes)
{
    return plain(parent, name, &identity_ops, options, bytes);
}
