/* Pools with windows of a fixed size, and unpooling. Adaptive pools are in nn_pool_adaptive.c. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct pool_config {
    int dims;
    int64_t kernel[3], stride[3], dilation[3], pads[6];
    bool ceil_mode, exclude_pad;
    int64_t divisor;
    double p;
} pool_config;

/* The number of positions in one plane of x [N, C, spatial...]. */
static int64_t plane_of(const born_shape *s) { return born__span_of(s, 2, s->rank); }

static void max_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const pool_config *c = born_module_config(self);
    born_tensor y[2];
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 2)) return;
    born_max_pool_attrs attrs = { .kernel_shape = born__ints(c->kernel, c->dims),
                                  .strides = born__ints(c->stride, c->dims),
                                  .pads = born__ints(c->pads, 2 * c->dims),
                                  .dilations = born__ints(c->dilation, c->dims), .ceil_mode = c->ceil_mode };
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    (void)born__op_call(BORN_OP_MAX_POOL, &x, 1, &attrs, n_out < 2 ? 1 : 2, y, at);    /* indices cost */
    out[0] = born__nn_unbatch(y[0], single, at);
    if (n_out < 2) return;
    born_shape s = born_shape_of(x);    /* the operator counts through all of x, PyTorch within each plane */
    int64_t plane = plane_of(&s) > 0 ? plane_of(&s) : 1;
    out[1] = born__nn_unbatch(born_mod_number(y[1], (double)plane, NULL, at), single, at);
}

/* x [N, C, spatial...] averaged; where windows may be cut off at the end, a divisor needs the zeros to be there. */
static void avg_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const pool_config *c = born_module_config(self);
    int64_t around[6] = { 0 }, whole = 1;
    bool single, ceil_mode = c->ceil_mode;
    born_ints pads = born__ints(c->pads, 2 * c->dims);

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    if (c->divisor && born_is_alive(x)) {
        born_shape s = born_shape_of(x);
        for (int i = 0; i < c->dims; i++) {
            int64_t over = s.dim[2 + i] + 2 * c->pads[i] - c->kernel[i], left = over % c->stride[i];
            int64_t last = over - left + c->stride[i];  /* where one more window would start */
            bool more = ceil_mode && left > 0 && last < s.dim[2 + i] + c->pads[i];
            around[2 * i] = c->pads[i];
            around[2 * i + 1] = c->pads[i] + (more ? c->stride[i] - left : 0);
            whole *= c->kernel[i];
        }
        x = born__nn_pad(x, c->dims, around, BORN_PADDING_ZEROS, 0, at);
        pads = (born_ints){ 0 };
        ceil_mode = false;
    }
    born_average_pool_attrs attrs = { .kernel_shape = born__ints(c->kernel, c->dims),
                                      .strides = born__ints(c->stride, c->dims), .pads = pads,
                                      .ceil_mode = ceil_mode, .count_include_pad = !c->exclude_pad };
    x = (born_average_pool)(x, &attrs, at);
    if (c->divisor) x = MUL_N(x, (double)whole / (double)c->divisor);
    out[0] = born__nn_unbatch(x, single, at);
}

/* PyTorch's formula: powers of x itself, so that an odd p can cancel; the root of a negative sum is 0. */
static void lp_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                       const born_site *at)
{
    const pool_config *c = born_module_config(self);
    double whole = 1;
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    for (int i = 0; i < c->dims; i++) whole *= (double)c->kernel[i];
    born_average_pool_attrs attrs = { .kernel_shape = born__ints(c->kernel, c->dims),
                                      .strides = born__ints(c->stride, c->dims), .ceil_mode = c->ceil_mode,
                                      .count_include_pad = true };
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    x = c->p == 2 ? SQUARE(x) : c->p == 1 ? x : POW_N(x, c->p);
    x = MUL_N(RELU((born_average_pool)(x, &attrs, at)), whole);
    x = c->p == 2 ? SQRT(x) : c->p == 1 ? x : POW_N(x, 1 / c->p);
    out[0] = born__nn_unbatch(x, single, at);
}

/* Each plane as a row of zeros, the elements scattered into it. */
static void unpool_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                           const born_site *at)
{
    const pool_config *c = born_module_config(self);
    bool single, single_too;

    if (!born__nn_arity(self, in, n_in, 2, 3, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at), like = born__nn_in(in, n_in, 2);
    born_tensor index = born__nn_batch(self, in[1], c->dims + 2, &single_too, at);
    if (!born_is_alive(x) || !born_is_alive(index)) {
        out[0] = born_is_alive(x) ? index : x;
        return;
    }
    born_shape s = born_shape_of(x), to = s, want = born_shape_of(like);
    bool fits = !born__given(like) || want.rank >= c->dims;
    for (int i = 0; fits && i < c->dims; i++)
        to.dim[2 + i] = born__given(like) ? want.dim[want.rank - c->dims + i]
                                          : (s.dim[2 + i] - 1) * c->stride[i] - 2 * c->pads[i] + c->kernel[i];
    for (int i = 0; fits && i < c->dims; i++) fits = to.dim[2 + i] >= 1;
    if (!fits) {
        out[0] = born__module_fail(self, BORN_SHAPE, "the sizes asked for cannot come of this x");
        return;
    }
    born_shape rows = BORN_SHAPE(s.dim[0] * s.dim[1], plane_of(&s));
    born_shape planes = BORN_SHAPE(rows.dim[0], plane_of(&to));
    born_tensor zeros = (born_full)(born_module_backend(self), born_dtype_of(x), planes, 0, at);
    born_tensor y = (born_scatter_elements)(zeros, RESHAPE(index, rows), RESHAPE(x, rows),
                                            &(born_scatter_elements_attrs){ .axis = 1 }, at);
    out[0] = born__nn_unbatch(RESHAPE(y, to), single, at);
}

enum { MAX, AVG, LP, UNPOOL };
#define ROW(Class, n, fn) { .name = #Class #n "d", .forward = fn }
static const born_module_ops pool_ops[4][3] = {
    [MAX] = { ROW(MaxPool, 1, max_forward), ROW(MaxPool, 2, max_forward), ROW(MaxPool, 3, max_forward) },
    [AVG] = { ROW(AvgPool, 1, avg_forward), ROW(AvgPool, 2, avg_forward), ROW(AvgPool, 3, avg_forward) },
    [LP] = { ROW(LPPool, 1, lp_forward), ROW(LPPool, 2, lp_forward), ROW(LPPool, 3, lp_forward) },
    [UNPOOL] = { ROW(MaxUnpool, 1, unpool_forward), ROW(MaxUnpool, 2, unpool_forward),
                 ROW(MaxUnpool, 3, unpool_forward) },
};
#undef ROW

/* c holds what is special to the kind; the lists are read here. */
static born_module *pool(born_module *parent, const char *name, int kind, pool_config c, born_ints kernel,
                         born_ints stride, born_ints padding, born_ints dilation)
{
    const born_module_ops *ops = &pool_ops[kind][c.dims < 1 || c.dims > 3 ? 0 : c.dims - 1];
    bool sound = c.dims >= 1 && c.dims <= 3 && kernel.count > 0 && c.divisor >= 0 &&
                 born__nn_list(kernel, c.dims, 1, 1, BORN_NN_MOST, c.kernel) &&
                 born__nn_list(stride.count ? stride : kernel, c.dims, 1, 1, BORN_NN_MOST, c.stride) &&
                 born__nn_list(padding, c.dims, 0, 0, BORN_NN_MOST, c.pads) &&
                 born__nn_list(dilation, c.dims, 1, 1, BORN_NN_MOST, c.dilation);
    for (int i = 0; sound && i < c.dims; i++) {
        c.pads[c.dims + i] = c.pads[i];
        sound = c.pads[i] <= c.kernel[i] / 2;
    }
    if (!sound)
        return born__nn_refuse(parent, name, ops, "a list does not hold 1 or %d sound numbers, or pads half a kernel",
                               c.dims);
    return born_module_define(parent, name, ops, &c, sizeof c);
}

static const born_module_ops *ops_for(int kind, int dims)
{
    return &pool_ops[kind][dims < 1 || dims > 3 ? 0 : dims - 1];
}

born_module *born_max_pool_nd_sized(born_module *parent, const char *name, int dims, born_ints kernel,
                                    const born_max_pool_desc *options, size_t bytes)
{
    born_max_pool_desc d;
    if (!born__nn_options(parent, name, ops_for(MAX, dims), options, bytes, &d, sizeof d)) return born__nn_dead();
    return pool(parent, name, MAX, (pool_config){ .dims = dims, .ceil_mode = d.ceil_mode }, kernel, d.stride, d.padding,
                d.dilation);
}
born_module *born_avg_pool_nd_sized(born_module *parent, const char *name, int dims, born_ints kernel,
                                    const born_avg_pool_desc *options, size_t bytes)
{
    born_avg_pool_desc d;
    if (!born__nn_options(parent, name, ops_for(AVG, dims), options, bytes, &d, sizeof d)) return born__nn_dead();
    pool_config c = { .dims = dims, .ceil_mode = d.ceil_mode, .exclude_pad = d.exclude_pad, .divisor = d.divisor };
    return pool(parent, name, AVG, c, kernel, d.stride, d.padding, (born_ints){ 0 });
}
born_module *born_lp_pool_nd_sized(born_module *parent, const char *name, int dims, double p, born_ints kernel,
                                   const born_lp_pool_desc *options, size_t bytes)
{
    born_lp_pool_desc d;
    if (!born__nn_options(parent, name, ops_for(LP, dims), options, bytes, &d, sizeof d)) return born__nn_dead();
    if (!(p > 0) || isinf(p)) return born__nn_refuse(parent, name, ops_for(LP, dims), "a norm of %g", p);
    return pool(parent, name, LP, (pool_config){ .dims = dims, .ceil_mode = d.ceil_mode, .p = p }, kernel, d.stride,
                (born_ints){ 0 }, (born_ints){ 0 });
}
born_module *born_max_unpool_nd_sized(born_module *parent, const char *name, int dims, born_ints kernel,
                                      const born_max_unpool_desc *options, size_t bytes)
{
    born_max_unpool_desc d;
    if (!born__nn_options(parent, name, ops_for(UNPOOL, dims), options, bytes, &d, sizeof d)) return born__nn_dead();
    return pool(parent, name, UNPOOL, (pool_config){ .dims = dims }, kernel, d.stride, d.padding, (born_ints){ 0 });
}
