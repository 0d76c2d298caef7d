/* See nn_help.h. Called by every stock module. */
#include "nn/nn_help.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/hash.h"
#include "graph/model.h"
#include "tensor/view.h"

bool born__nn_options(born_module *parent, const char *name, const born_module_ops *ops, const void *options,
                      size_t options_bytes, void *own, size_t own_bytes)
{
    born_error err = { 0 };

    if (!parent || !parent->ops) return false;
    if (born__desc_check(options, options_bytes, own, own_bytes, ops->name, &err) == BORN_OK) return true;
    born__module_fail(parent, err.status, "child '%.60s': %s", name ? name : "", err.text);
    return false;
}

born_module *born__nn_refuse(born_module *parent, const char *name, const born_module_ops *ops, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (parent && parent->ops)
        born__module_fail(parent, BORN_INVALID, "%s '%.60s': %s", ops->name, name ? name : "", text);
    return born__nn_dead();
}

void born__nn_add(born_module *m, const char *name, born_module_role role, born_shape shape, born_fill fill)
{
    int64_t n;

    if (!m || !m->ops) return;
    born_dtype t = m->root->desc.dtype;
    int64_t bytes = born__shape_count(shape.dim, shape.rank, &n) ? born_dtype_bytes(t, n) : -1;
    void *data = bytes < 0 ? NULL : born__alloc((size_t)bytes);
    if (!data) {
        born__module_fail(m, BORN_NOMEM, "no memory for '%.60s'", name);
        m->ops = NULL;
        return;
    }
    born__init_fill(t, data, n, born__init_key(m, name), fill);
    born_tensor made = born_module_add(m, name, role, (born_array){ t, shape, data, (size_t)bytes });
    born__free(data);
    if (!born_is_alive(made)) m->ops = NULL;
}

uint64_t born__init_key(const born_module *m, const char *name)
{
    uint64_t part[2] = { m->root->desc.seed, m->place };
    return born__hash(name, strlen(name), born__hash(part, sizeof part, 1));
}

bool born__nn_arity(const born_module *m, const born_tensor *in, int n_in, int least, int most, int n_out, int results)
{
    bool fits = n_in >= least && n_in <= most && n_out >= 1 && n_out <= results;

    for (int i = 0; fits && i < least; i++) fits = born__given(in[i]);
    if (!fits)
        born__module_fail(m, BORN_INVALID, "takes %d to %d operands and gives 1 to %d results; %d and %d were given",
                          least, most, results, n_in, n_out);
    return fits;
}

bool born__nn_list(born_ints list, int count, int64_t none, int64_t lo, int64_t hi, int64_t *out)
{
    if (list.count != 0 && list.count != 1 && list.count != count) return false;
    if (list.count && !list.v) return false;
    for (int i = 0; i < count; i++) {
        out[i] = list.count == 0 ? none : list.v[list.count == 1 ? 0 : i];
        if (out[i] < lo || out[i] > hi) return false;
    }
    return true;
}

born_tensor born__nn_batch(const born_module *m, born_tensor x, int rank, bool *single, const born_site *at)
{
    int got = born_shape_of(x).rank;

    *single = got == rank - 1;
    if (got == rank || !born_is_alive(x)) return x;
    if (*single) return UNSQUEEZE(x, 0);
    return born__module_fail(m, BORN_SHAPE, "x has %d dims, not %d or %d", got, rank, rank - 1);
}

born_tensor born__nn_linear(born_tensor x, born_tensor w, born_tensor b, const born_site *at)
{
    const born_gemm_attrs turned = { .trans_b = true };
    born_shape s = born_shape_of(x);

    if (s.rank == 2 || s.rank < 1) return (born_gemm)(x, w, b, &turned, at);
    int64_t rows = born__span_of(&s, 0, s.rank - 1);
    born_tensor y = (born_gemm)(RESHAPE(x, BORN_SHAPE(rows, s.dim[s.rank - 1])), w, b, &turned, at);
    s.dim[s.rank - 1] = born_shape_of(y).dim[1];
    return RESHAPE(y, s);
}

/* BORN_PADDING_* are the modes of the operator, in its order. */
born_tensor born__nn_pad(born_tensor x, int dims, const int64_t *padding, born_padding_mode mode, double value,
                         const born_site *at)
{
    int rank = born_shape_of(x).rank;
    int64_t pads[2 * BORN_MAX_RANK] = { 0 };
    bool any = false;

    if (rank < dims) return (born_pad)(x, (born_ints){ 0 }, value, NULL, at);
    for (int i = 0; i < dims; i++) {
        pads[rank - dims + i] = padding[2 * i];
        pads[2 * rank - dims + i] = padding[2 * i + 1];
        any = any || padding[2 * i] || padding[2 * i + 1];
    }
    if (!any) return x;
    return (born_pad)(x, born__ints(pads, 2 * rank), value, &(born_pad_attrs){ .mode = (int)mode }, at);
}
