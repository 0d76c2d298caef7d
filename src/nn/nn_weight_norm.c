/* Weight normalisation: a parameter becomes two, and the module finds the product under the old name
   (born__module_derived, which born_module_tensor asks where there is no such tensor). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/nn_help.h"
#include "tensor/view.h"

/* |v| over all axes but dim, which keep size 1; dim -1: rank 0. */
static born_tensor norm_of(born_tensor v, int dim, const born_site *at)
{
    int64_t axis[BORN_MAX_RANK], n = 0;
    born_shape s = born_shape_of(v);

    if (dim < 0) return (born_reduce_l2)(v, (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, at);
    for (int d = 0; d < s.rank; d++)
        if (d != dim) axis[n++] = d;
    return n ? (born_reduce_l2)(v, (born_ints){ axis, n }, NULL, at) : ABS(v);
}

born_tensor born__module_derived(const born_module *m, const char *name)
{
    const born_site *at = NULL;
    char g[80], v[80];

    for (size_t i = 0; i < m->derived_count; i++) {
        const born_derived *d = &m->derived[i];
        if (strcmp(d->name, name) != 0) continue;
        snprintf(g, sizeof g, "%s_g", name);
        snprintf(v, sizeof v, "%s_v", name);
        born_tensor value = born_module_tensor(m, v);
        return MUL(value, DIV(born_module_tensor(m, g), norm_of(value, d->dim, at)));
    }
    return (born_tensor){ 0 };
}

/* A copy of t in host memory of its dtype; NULL: reported. */
static void *to_host(born_module *m, born_tensor t, born_array *out)
{
    *out = (born_array){ born_dtype_of(t), born_shape_of(t), NULL, 0 };
    size_t bytes = (size_t)born_dtype_bytes(out->dtype, born__count_of(t));
    void *p = born__alloc(bytes);

    if (p && (born_read)(t, p, bytes) == BORN_OK) {
        out->data = p;
        return p;
    }
    born__free(p);
    born__module_fail(m, BORN_NOMEM, "a tensor could not be copied to normalise it");
    return NULL;
}

void born_weight_norm(born_module *m, const char *tensor, int dim)
{
    char g[80], v[80];
    born_array value, norm;
    const born_slot_tensor *slot = m && m->ops ? born__module_slot(m, tensor) : NULL;

    if (!m || !m->ops) return;
    int rank = slot ? born_shape_of(slot->value).rank : 0;
    bool sound = slot && slot->role == BORN_PARAM && !slot->tied && strlen(tensor) < sizeof g - 3 && dim >= -1 &&
                 dim < rank;
    if (!sound) {
        born__module_fail(m, BORN_INVALID, "there is no parameter '%.60s' to normalise by dim %d", tensor, dim);
        return;
    }
    born_scope s = born_scope_begin(m->root->backend);
    void *host_v = to_host(m, slot->value, &value);
    void *host_g = host_v ? to_host(m, norm_of(slot->value, dim, NULL), &norm) : NULL;
    born_scope_end(s);
    if (host_g && born__grow((void **)&m->derived, &m->derived_cap, m->derived_count + 1, sizeof *m->derived)) {
        char *name = born__module_remove(m, tensor);        /* the removed slot's name, ours now */
        m->derived[m->derived_count++] = (born_derived){ name, dim };
        snprintf(g, sizeof g, "%s_g", name);
        snprintf(v, sizeof v, "%s_v", name);
        bool made = born_is_alive(born_module_add(m, g, BORN_PARAM, norm));
        if (!made || !born_is_alive(born_module_add(m, v, BORN_PARAM, value))) m->ops = NULL;
    } else if (host_g) {
        born__module_fail(m, BORN_NOMEM, "no memory to normalise '%.60s'", tensor);
    }
    born__free(host_v);
    born__free(host_g);
}
