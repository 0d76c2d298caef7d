/* Embedding and EmbeddingBag. What PyTorch does to the gradient alone (none for the padding row, less for frequent
   ones) is done by factors on y - detach(y), whose value is 0. */
#include <math.h>

#include "nn/nn_help.h"

typedef struct embedding_config {
    int64_t count, dim, padding_idx;
    bool padding, by_freq, last_offset;
    double max_norm, norm_type;
    born_bag_mode mode;
} embedding_config;

/* Rows of weight that are longer than max_norm among those looked up are scaled down, in place. */
static void renormalise(born_module *m, born_tensor index, const born_site *at)
{
    const embedding_config *c = born_module_config(m);
    born_tensor w = DETACH(born_module_tensor(m, "weight"));
    born_tensor flat = RESHAPE(index, BORN_SHAPE(-1, 1)), rows = GATHER(w, SQUEEZE(flat, 1), 0);
    born_tensor norm = c->norm_type == 2
                           ? SQRT(SUM_KEEP(SQUARE(rows), 1))
                           : POW_N(SUM_KEEP(POW_N(ABS(rows), c->norm_type), 1), 1 / c->norm_type);
    born_tensor scale = DIV(born__like(norm, c->max_norm, at), ADD_N(norm, 1e-7));

    scale = WHERE(GT_N(norm, c->max_norm), scale, born__like(norm, 1, at));
    born_module_update(m, "weight", (born_scatter_nd)(w, flat, MUL(rows, scale), NULL, at));
}

/* How often each of index [...] occurs in it, as floats like x. */
static born_tensor frequency(born_module *m, born_tensor index, born_tensor x, const born_site *at)
{
    const embedding_config *c = born_module_config(m);
    born_tensor flat = RESHAPE(index, BORN_SHAPE(-1));
    born_backend *b = born_module_backend(m);
    born_tensor ones = (born_full)(b, born_dtype_of(x), born_shape_of(flat), 1, at);
    born_tensor none = (born_full)(b, born_dtype_of(x), BORN_SHAPE(c->count), 0, at);
    const born_scatter_elements_attrs add = { .reduction = 1 };

    return GATHER((born_scatter_elements)(none, flat, ones, &add, at), index, 0);
}

/* Rows at index [...]: [..., dim]. */
static born_tensor look_up(born_module *m, born_tensor index, const born_site *at)
{
    const embedding_config *c = born_module_config(m);

    if (c->max_norm > 0) renormalise(m, index, at);
    born_tensor y = GATHER(born_module_tensor(m, "weight"), index, 0);
    if (!born__module_records(m) || !born_is_alive(y)) return y;
    if (c->by_freq) {
        born_tensor value = DETACH(y), times = UNSQUEEZE(frequency(m, index, value, at), -1);
        y = ADD(value, DIV(SUB(y, value), times));
    }
    if (c->padding) y = WHERE(EQ_N(UNSQUEEZE(index, -1), (double)c->padding_idx), DETACH(y), y);
    return y;
}

static void embedding_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    if (born__nn_arity(self, in, n_in, 1, 1, n_out, 1)) out[0] = look_up(self, in[0], at);
}

/* ---- bags ------------------------------------------------------------------------------------------------------ */

/* true where the row counts: {0} where all do. */
static born_tensor counts(const embedding_config *c, born_tensor index, const born_site *at)
{
    return c->padding ? NE_N(index, (double)c->padding_idx) : (born_tensor){ 0 };
}

/* rows [B, n, dim] of bags side by side, kept [B, n] or {0}. */
static born_tensor pool_even(born_module *m, born_tensor rows, born_tensor kept, const born_site *at)
{
    const embedding_config *c = born_module_config(m);
    born_shape s = born_shape_of(rows);
    bool max = c->mode == BORN_BAG_MAX;

    if (s.dim[1] == 0) return SUM(rows, 1);
    if (born__given(kept)) rows = WHERE(UNSQUEEZE(kept, -1), rows, born__like(rows, max ? -INFINITY : 0, at));
    if (max) {
        born_tensor y = SQUEEZE((born_topk)(rows, 1, &(born_topk_attrs){ .axis = 1 }, NULL, at), 1);
        return born__given(kept) ? WHERE(EQ_N(y, -INFINITY), born__like(y, 0, at), y) : y;
    }
    born_tensor y = SUM(rows, 1);
    if (c->mode == BORN_BAG_SUM) return y;
    if (!born__given(kept)) return DIV_N(y, (double)s.dim[1]);
    return DIV(y, MAX_N(SUM_KEEP(CAST(kept, born_dtype_of(rows)), 1), 1));
}

/* rows [n, dim], offsets [B]: the bag of row i is the number of offsets up to i, less 1. */
static born_tensor pool_offsets(born_module *m, born_tensor rows, born_tensor kept, born_tensor offsets,
                                const born_site *at)
{
    const embedding_config *c = born_module_config(m);
    born_backend *b = born_module_backend(m);
    born_dtype t = born_dtype_of(rows);
    int64_t B = born_shape_of(offsets).dim[0], n = born_shape_of(rows).dim[0];
    const born_scatter_elements_attrs add = { .reduction = 1 };
    const born_scatter_nd_attrs sum = { .reduction = 1 }, most = { .reduction = 3 };

    born_tensor marks = (born_scatter_elements)((born_full)(b, BORN_I64, BORN_SHAPE(n + 1), 0, at), offsets,
                                                (born_full)(b, BORN_I64, BORN_SHAPE(B), 1, at), &add, at);
    born_tensor bag = SLICE(ADD_N((born_cumsum)(marks, 0, NULL, at), -1), 0, n, 0);
    born_tensor place = UNSQUEEZE(bag, -1), one = born__given(kept) ? CAST(kept, t) : born__row(rows, n, 1, at);
    born_tensor full = (born_scatter_elements)(born__row(rows, B, 0, at), bag, one, &add, at);
    if (c->mode == BORN_BAG_MAX) {
        born_tensor start = (born_full)(b, t, BORN_SHAPE(B, c->dim), -INFINITY, at);
        if (born__given(kept)) rows = WHERE(UNSQUEEZE(kept, -1), rows, born__like(rows, -INFINITY, at));
        born_tensor y = (born_scatter_nd)(start, place, rows, &most, at);
        return WHERE(EQ_N(UNSQUEEZE(full, -1), 0), born__like(rows, 0, at), y);
    }
    if (born__given(kept)) rows = WHERE(UNSQUEEZE(kept, -1), rows, born__like(rows, 0, at));
    born_tensor y = (born_scatter_nd)((born_full)(b, t, BORN_SHAPE(B, c->dim), 0, at), place, rows, &sum, at);
    return c->mode == BORN_BAG_SUM ? y : DIV(y, UNSQUEEZE(MAX_N(full, 1), -1));
}

static void bag_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    const embedding_config *c = born_module_config(self);

    if (!born__nn_arity(self, in, n_in, 1, 3, n_out, 1)) return;
    born_tensor offsets = born__nn_in(in, n_in, 1), weights = born__nn_in(in, n_in, 2);
    int rank = born_shape_of(in[0]).rank;
    bool fits = rank == (born__given(offsets) ? 1 : 2) && (!born__given(weights) || c->mode == BORN_BAG_SUM);
    if (born_is_alive(in[0]) && !fits) {
        out[0] = born__module_fail(self, BORN_SHAPE,
                                   "takes [bags, n] or [n] and offsets, weights only for sums; x has %d dims", rank);
        return;
    }
    born_tensor rows = look_up(self, in[0], at), kept = counts(c, in[0], at);
    if (born__given(weights)) rows = MUL(rows, UNSQUEEZE(weights, -1));
    if (born__given(offsets) && c->last_offset) offsets = SLICE(offsets, 0, -1, 0);
    if (!born_is_alive(rows)) out[0] = rows;
    else out[0] = born__given(offsets) ? pool_offsets(self, rows, kept, offsets, at) : pool_even(self, rows, kept, at);
}

static const born_module_ops embedding_ops = { .name = "Embedding", .forward = embedding_forward };
static const born_module_ops bag_ops = { .name = "EmbeddingBag", .forward = bag_forward };

static born_module *embedding(born_module *parent, const char *name, const born_module_ops *ops, embedding_config c)
{
    bool sound = c.count >= 1 && c.count <= BORN_NN_MOST && c.dim >= 1 && c.dim <= BORN_NN_MOST && c.max_norm >= 0 &&
                 c.norm_type >= 0 && (unsigned)c.mode <= BORN_BAG_MAX;
    if (c.padding_idx < 0) c.padding_idx += c.count;
    if (!sound || (c.padding && (c.padding_idx < 0 || c.padding_idx >= c.count)))
        return born__nn_refuse(parent, name, ops, "%lld rows of %lld, padding row %lld, norm %g", (long long)c.count,
                               (long long)c.dim, (long long)c.padding_idx, c.max_norm);
    if (c.norm_type == 0) c.norm_type = 2;
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    born__nn_add(m, "weight", BORN_PARAM, BORN_SHAPE(c.count, c.dim), (born_fill){ BORN_FILL_NORMAL, 0, 1 });
    if (!c.padding || !born_module_dtype(m)) return m;
    born_scope s = born_scope_begin(born_module_backend(m));
    const born_site *at = NULL;
    const int64_t row = c.padding_idx;
    born_tensor w = DETACH(born_module_tensor(m, "weight"));
    born_tensor index = (born_from)(born_module_backend(m), BORN_ARRAY(&row, 1, 1), BORN_I64, at);
    born_tensor zeros = (born_full)(born_module_backend(m), born_module_dtype(m), BORN_SHAPE(1, c.dim), 0, at);
    born_module_update(m, "weight", (born_scatter_nd)(w, index, zeros, NULL, at));
    born_scope_end(s);
    return m;
}

born_module *born_embedding_sized(born_module *parent, const char *name, int64_t count, int64_t dim,
                                  const born_embedding_desc *options, size_t bytes)
{
    born_embedding_desc d;
    if (!born__nn_options(parent, name, &embedding_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return embedding(parent, name, &embedding_ops,
                     (embedding_config){ .count = count, .dim = dim, .padding_idx = d.padding_idx,
                                         .padding = d.padding, .by_freq = d.scale_grad_by_freq,
                                         .max_norm = d.max_norm, .norm_type = d.norm_type });
}
born_module *born_embedding_bag_sized(born_module *parent, const char *name, int64_t count, int64_t dim,
                                      const born_embedding_bag_desc *options, size_t bytes)
{
    born_embedding_bag_desc d;
    if (!born__nn_options(parent, name, &bag_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    return embedding(parent, name, &bag_ops,
                     (embedding_config){ .count = count, .dim = dim, .padding_idx = d.padding_idx,
                                         .padding = d.padding, .by_freq = d.scale_grad_by_freq,
                                         .last_offset = d.include_last_offset, .max_norm = d.max_norm,
                                         .norm_type = d.norm_type, .mode = d.mode });
}
