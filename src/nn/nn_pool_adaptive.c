/* Adaptive pools: window i of L elements in `o` windows is [floor(i L / o), ceil((i + 1) L / o)). Where o divides L
   these are ordinary pools. Else the mean is a product with a matrix of weights along each axis (windows are boxes, so
   the mean is separable), and the maximum is taken over gathered windows; short ones repeat their last element. */
#include "base/alloc.h"
#include "nn/nn_help.h"

typedef struct adaptive_config { int dims; int64_t output[3]; } adaptive_config;

static int64_t window_from(int64_t i, int64_t L, int64_t o) { return i * L / o; }
static int64_t window_to(int64_t i, int64_t L, int64_t o) { return ((i + 1) * L + o - 1) / o; }

/* The sizes of the result, and whether each axis is cut into equal windows. */
static bool output_of(const adaptive_config *c, const born_shape *x, int64_t *o, int64_t *k)
{
    bool even = true;
    for (int i = 0; i < c->dims; i++) {
        int64_t L = x->dim[2 + i];
        o[i] = c->output[i] ? c->output[i] : L;
        k[i] = o[i] ? L / o[i] : 1;
        even = even && o[i] && L % o[i] == 0 && k[i] > 0;
    }
    return even;
}

/* [L, o]: 1 / size where row l is in window i. */
static born_tensor mean_matrix(born_module *m, born_dtype t, int64_t L, int64_t o, const born_site *at)
{
    double *w = born__calloc((size_t)L, (size_t)o * sizeof *w);

    if (!w) return born__module_fail(m, BORN_NOMEM, "no memory for windows");
    for (int64_t i = 0; i < o; i++) {
        int64_t from = window_from(i, L, o), to = window_to(i, L, o);
        for (int64_t l = from; l < to; l++) w[l * o + i] = 1 / (double)(to - from);
    }
    born_tensor r = (born_from)(born_module_backend(m), BORN_ARRAY(w, L, o), BORN_F64, at);
    born__free(w);
    return t == BORN_F64 ? r : CAST(r, t);
}

static void avg_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const adaptive_config *c = born_module_config(self);
    int64_t o[3], k[3];
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at);
    born_shape s = born_shape_of(x);
    if (!born_is_alive(x)) {
        out[0] = x;
        return;
    }
    if (output_of(c, &s, o, k)) {
        const born_average_pool_attrs attrs = { .kernel_shape = born__ints(k, c->dims),
                                                .strides = born__ints(k, c->dims) };
        out[0] = born__nn_unbatch((born_average_pool)(x, &attrs, at), single, at);
        return;
    }
    for (int i = 0; i < c->dims; i++) {         /* the axis goes last, is multiplied, and goes back */
        int64_t perm[5] = { 0, 1, 2, 3, 4 };
        perm[2 + i] = c->dims + 1;
        perm[c->dims + 1] = 2 + i;
        born_ints swap = born__ints(perm, c->dims + 2);
        x = MATMUL(TRANSPOSE(x, swap), mean_matrix(self, born_dtype_of(x), s.dim[2 + i], o[i], at));
        x = TRANSPOSE(x, swap);
    }
    out[0] = born__nn_unbatch(x, single, at);
}

/* Indices [o, widest] of the elements of each window along one axis. */
static born_tensor windows_of(born_module *m, int64_t L, int64_t o, int64_t *widest, const born_site *at)
{
    int64_t most = 1;
    for (int64_t i = 0; i < o; i++) {
        int64_t n = window_to(i, L, o) - window_from(i, L, o);
        if (n > most) most = n;
    }
    int64_t *index = born__calloc((size_t)o, (size_t)most * sizeof *index);
    if (!index) return born__module_fail(m, BORN_NOMEM, "no memory for windows");
    for (int64_t i = 0; i < o; i++)
        for (int64_t j = 0; j < most; j++) {
            int64_t at_j = window_from(i, L, o) + j, last = window_to(i, L, o) - 1;
            index[i * most + j] = at_j < last ? at_j : last;
        }
    born_tensor r = (born_from)(born_module_backend(m), BORN_ARRAY(index, o, most), BORN_I64, at);
    born__free(index);
    *widest = most;
    return r;
}

/* x [N, C, spatial...] to its windows [N, C, o..., elements]. Gathering an axis puts (o, k) in its place. */
static born_tensor gather_windows(born_module *m, born_tensor x, const adaptive_config *c, const int64_t *o,
                                  const born_site *at)
{
    born_shape s = born_shape_of(x), to = { .rank = c->dims + 3, .dim = { s.dim[0], s.dim[1] } };
    int64_t perm[8] = { 0, 1 }, elements = 1;

    for (int i = 0; i < c->dims; i++) {
        int64_t widest = 1;
        born_tensor index = windows_of(m, s.dim[2 + i], o[i], &widest, at);
        x = GATHER(x, index, 2 + 2 * i);
        to.dim[2 + i] = o[i];
        elements *= widest;
        perm[2 + i] = 2 + 2 * i;
        perm[2 + c->dims + i] = 3 + 2 * i;
    }
    to.dim[2 + c->dims] = elements;
    return RESHAPE(TRANSPOSE(x, born__ints(perm, 2 + 2 * c->dims)), to);
}

static void max_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const adaptive_config *c = born_module_config(self);
    int64_t o[3], k[3];
    born_i64 which = { { 0 } };
    bool single;

    if (!born__nn_arity(self, in, n_in, 1, 1, n_out, 2)) return;
    born_tensor x = born__nn_batch(self, in[0], c->dims + 2, &single, at), y[2];
    born_shape s = born_shape_of(x);
    if (!born_is_alive(x)) {
        out[0] = x;
        return;
    }
    int64_t plane = born__span_of(&s, 2, s.rank);
    if (output_of(c, &s, o, k)) {
        const born_max_pool_attrs attrs = { .kernel_shape = born__ints(k, c->dims),
                                            .strides = born__ints(k, c->dims) };
        (void)born__op_call(BORN_OP_MAX_POOL, &x, 1, &attrs, 2, y, at);
        out[0] = born__nn_unbatch(y[0], single, at);
        if (n_out > 1) out[1] = born__nn_unbatch(born_mod_number(y[1], (double)plane, NULL, at), single, at);
        return;
    }
    born_tensor w = gather_windows(self, x, c, o, at);
    out[0] = born__nn_unbatch(SQUEEZE((born_topk)(w, 1, NULL, &which, at), -1), single, at);
    if (n_out < 2) return;
    s.dim[0] = s.dim[1] = 1;                    /* the same windows of the positions say where each element was */
    born_tensor place = gather_windows(self, RESHAPE(born__iota(x, plane, at), s), c, o, at);
    born_shape all = born_shape_of(w);
    out[1] = born__nn_unbatch(SQUEEZE(GATHER_ELEMENTS(EXPAND(place, all), which.any, -1), -1), single, at);
}

static const born_module_ops adaptive_ops[2][3] = {
    { { .name = "AdaptiveAvgPool1d", .forward = avg_forward }, { .name = "AdaptiveAvgPool2d", .forward = avg_forward },
      { .name = "AdaptiveAvgPool3d", .forward = avg_forward } },
    { { .name = "AdaptiveMaxPool1d", .forward = max_forward }, { .name = "AdaptiveMaxPool2d", .forward = max_forward },
      { .name = "AdaptiveMaxPool3d", .forward = max_forward } },
};

static born_module *adaptive(born_module *parent, const char *name, int dims, const born_module_ops *ops,
                             born_ints output, const born_no_desc *options, size_t bytes)
{
    born_no_desc d;
    adaptive_config c = { .dims = dims };

    if (dims < 1 || dims > 3) return born__nn_refuse(parent, name, ops, "%d spatial axes", dims);
    ops += dims - 1;
    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (output.count == 0 || !born__nn_list(output, dims, 0, 0, BORN_NN_MOST, c.output))
        return born__nn_refuse(parent, name, ops, "the output sizes are not 1 or %d sound numbers", dims);
    return born_module_define(parent, name, ops, &c, sizeof c);
}
born_module *born_adaptive_avg_pool_nd_sized(born_module *parent, const char *name, int dims, born_ints output,
                                             const born_no_desc *options, size_t bytes)
{
    return adaptive(parent, name, dims, adaptive_ops[0], output, options, bytes);
}
born_module *born_adaptive_max_pool_nd_sized(born_module *parent, const char *name, int dims, born_ints output,
                                             const born_no_desc *options, size_t bytes)
{
    return adaptive(parent, name, dims, adaptive_ops[1], output, options, bytes);
}
