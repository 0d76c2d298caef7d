/* MultiheadAttention: projections, masks, the keys and values kept for generation. Scores are computed by the attention
   operator; where the weights are wanted, dropped out, or f64, by products and softmax. */
#include <math.h>
#include <born/init.h>

#include "nn/nn_help.h"
#include "nn/nn_positions.h"

typedef struct attention_config {
    int64_t embed, heads, kv_heads, head, kdim, vdim;       /* head: size of one */
    double dropout, rotary_base;
    bool batch_first, causal, head_weights, zero_attn, rotary_interleaved;
    bool keeps;                 /* between born_kv_cache_start and stop */
    born_tensor k, v;           /* kept: [B, Hk, positions, head] */
    int64_t positions;
} attention_config;

static void forget(attention_config *c)
{
    born_drop(&c->k);
    born_drop(&c->v);
    c->positions = 0;
}
static void attention_close(born_module *self) { forget(born_module_config(self)); }

/* ---- projections ----------------------------------------------------------------------------------------------- */

/* q, k and v, [B, T or S, heads * head], from operands [B, T or S, dim]. */
static void project(born_module *m, const born_tensor x[3], bool one, born_tensor out[3], const born_site *at)
{
    static const char *const names[] = { "q_proj_weight", "k_proj_weight", "v_proj_weight" };
    const attention_config *c = born_module_config(m);
    int64_t kv = c->kv_heads * c->head;
    born_tensor w = born_module_tensor(m, "in_proj_weight"), bias = born_module_tensor(m, "in_proj_bias");
    born_tensor ws[3], bs[3] = { { 0 }, { 0 }, { 0 } };
    born_ints sizes = BORN_INTS(c->embed, kv, kv);

    if (one && born__given(w)) {
        (void)(born_split)(born__nn_linear(x[0], w, bias, at), out, 3, sizes, -1, at);
        return;
    }
    if (born__given(w)) (void)(born_split)(w, ws, 3, sizes, 0, at);
    if (born__given(bias)) (void)(born_split)(bias, bs, 3, sizes, 0, at);
    for (int i = 0; i < 3; i++) {
        if (!born__given(w)) ws[i] = born_module_tensor(m, names[i]);
        out[i] = born__nn_linear(x[i], ws[i], bs[i], at);
    }
}

/* [B, T, heads * head] to [B, heads, T, head]. */
static born_tensor to_heads(born_tensor x, int64_t heads, const born_site *at)
{
    born_shape s = born_shape_of(x);
    born_tensor y = RESHAPE(x, BORN_SHAPE(s.dim[0], s.dim[1], heads, s.dim[2] / heads));
    return TRANSPOSE(y, BORN_INTS(0, 2, 1, 3));
}

/* x [B, T, n] with `row` [1, 1, n] behind each batch's last position. */
static born_tensor with_row(born_tensor x, born_tensor row, const born_site *at)
{
    born_shape s = born_shape_of(x);
    born_tensor both[] = { x, EXPAND(row, BORN_SHAPE(s.dim[0], 1, s.dim[2])) };
    return (born_concat)(both, 2, 1, at);
}

/* ---- masks ----------------------------------------------------------------------------------------------------- */

/* A mask with `extra` columns behind, which everyone sees. */
static born_tensor widen(born_tensor mask, int64_t extra, const born_site *at)
{
    born_shape s = born_shape_of(mask);
    int64_t pads[2 * BORN_MAX_RANK] = { 0 };
    if (!extra || !born_is_alive(mask) || s.rank < 1) return mask;
    pads[2 * s.rank - 1] = extra;
    return (born_pad)(mask, born__ints(pads, 2 * s.rank), 0, NULL, at);
}

/* bool [T, S]: true where a key comes later than the query; `before` keys precede the first query. */
static born_tensor later(born_tensor like, int64_t T, int64_t S, int64_t before, const born_site *at)
{
    born_tensor row = UNSQUEEZE(ADD_N(born__iota(like, T, at), (double)before), 1);
    return LT(row, UNSQUEEZE(born__iota(like, S, at), 0));
}

static bool is_bool(born_tensor t) { return born_dtype_of(t) == BORN_BOOL; }

/* What is added to scores, of dtype of `like`. */
static born_tensor as_addend(born_tensor mask, born_tensor like, const born_site *at)
{
    if (!is_bool(mask)) return mask;
    return WHERE(mask, born__like(like, -INFINITY, at), born__like(like, 0, at));
}

static born_tensor join(born_tensor a, born_tensor b, born_tensor like, const born_site *at)
{
    if (!born__given(a) || !born__given(b)) return born__given(a) ? a : b;
    if (is_bool(a) && is_bool(b)) return OR(a, b);
    return ADD(as_addend(a, like, at), as_addend(b, like, at));
}

/* All masks as one that broadcasts to [B, H, T, S]: {0}, bool (true: hidden) or numbers to add. `extra` keys at the end
   are everyone's. */
static born_tensor all_masks(born_module *m, born_tensor padding, born_tensor mask, born_tensor q, int64_t S,
                             int64_t extra, int64_t before, bool causal, const born_site *at)
{
    const attention_config *c = born_module_config(m);
    born_shape s = born_shape_of(q);

    if (born__given(mask)) {
        born_shape has = born_shape_of(mask);
        if (has.rank == 3) mask = RESHAPE(mask, BORN_SHAPE(s.dim[0], c->heads, has.dim[1], has.dim[2]));
        mask = widen(mask, extra, at);
    }
    if (born__given(padding)) {
        if (born_shape_of(padding).rank == 1) padding = UNSQUEEZE(padding, 0);
        padding = UNSQUEEZE(UNSQUEEZE(widen(padding, extra, at), 1), 1);
    }
    mask = join(mask, padding, q, at);
    if (causal) mask = join(mask, widen(later(q, s.dim[2], S - extra, before, at), extra, at), q, at);
    return mask;
}

/* ---- scores ---------------------------------------------------------------------------------------------------- */

/* k or v [B, Hk, S, D] with each head repeated for the queries that share it. */
static born_tensor repeat_heads(born_tensor x, int64_t heads, const born_site *at)
{
    born_shape s = born_shape_of(x);
    int64_t times = heads / (s.dim[1] ? s.dim[1] : 1);
    if (times == 1) return x;
    x = EXPAND(UNSQUEEZE(x, 2), BORN_SHAPE(s.dim[0], s.dim[1], times, s.dim[2], s.dim[3]));
    return RESHAPE(x, BORN_SHAPE(s.dim[0], heads, s.dim[2], s.dim[3]));
}

/* [B, H, T, D]; *weights [B, H, T, S] where wanted. */
static born_tensor attend(born_module *m, born_tensor q, born_tensor k, born_tensor v, born_tensor mask, bool causal,
                          born_tensor *weights, const born_site *at)
{
    const attention_config *c = born_module_config(m);
    bool dropping = c->dropout > 0 && born_module_training(m);

    if (!weights && !dropping && born_dtype_of(q) != BORN_F64) {
        if (born__given(mask) && is_bool(mask)) mask = NOT(mask);
        return (born_attention)(q, k, v, mask, &(born_attention_attrs){ .is_causal = causal }, at);
    }
    k = repeat_heads(k, c->heads, at);
    v = repeat_heads(v, c->heads, at);
    born_tensor scores = MATMUL(MUL_N(q, 1 / sqrt((double)c->head)), TRANSPOSE(k, BORN_INTS(0, 1, 3, 2)));
    if (born__given(mask) && is_bool(mask)) scores = WHERE(mask, born__like(q, -INFINITY, at), scores);
    else if (born__given(mask)) scores = ADD(scores, mask);
    scores = (born_softmax)(scores, -1, at);
    scores = born__nn_dropout(m, scores, c->dropout, born_shape_of(scores), at);
    if (weights) *weights = scores;
    return MATMUL(scores, v);
}

/* [B, T, embed] from projections [B, T or S, heads * head], which the operator takes as they are. */
static born_tensor attend_flat(const attention_config *c, const born_tensor p[3], const born_site *at)
{
    const born_attention_attrs a = { .is_causal = c->causal, .q_num_heads = c->heads, .kv_num_heads = c->kv_heads };
    return (born_attention)(p[0], p[1], p[2], (born_tensor){ 0 }, &a, at);
}

/* ---- keys and values kept for generation ------------------------------------------------------------------------ */

/* Puts what was kept before *k and *v and keeps the whole; a failure leaves what was there. */
static void remember(attention_config *c, born_tensor *k, born_tensor *v, const born_site *at)
{
    if (born__given(c->k)) {
        born_tensor ks[] = { c->k, *k }, vs[] = { c->v, *v };
        *k = (born_concat)(ks, 2, 2, at);
        *v = (born_concat)(vs, 2, 2, at);
    }
    if (!born_is_alive(*k) || !born_is_alive(*v)) return;
    born_tensor new_k = (born_keep)(DETACH(*k)), new_v = (born_keep)(DETACH(*v));
    forget(c);
    c->k = new_k;
    c->v = new_v;
    c->positions = born_shape_of(new_k).dim[2];
}

static const born_module_ops attention_ops;

/* The attentions below m, one after another. */
static born_module *next_attention(const born_module *m, const born_module *at)
{
    do {
        at = at ? born__module_next(m, at) : m;
    } while (at && at->ops != &attention_ops);
    return (born_module *)(uintptr_t)at;
}

static void keep_below(born_module *m, bool on)
{
    if (!m || !m->ops) return;
    for (born_module *a = next_attention(m, NULL); a; a = next_attention(m, a)) {
        forget(a->config);
        ((attention_config *)a->config)->keeps = on;
    }
}
void born_kv_cache_start(born_module *m) { keep_below(m, true); }
void born_kv_cache_stop(born_module *m) { keep_below(m, false); }
int64_t born_kv_cache_length(const born_module *m)
{
    const born_module *a = m && m->ops ? next_attention(m, NULL) : NULL;
    return a ? ((const attention_config *)a->config)->positions : 0;
}

/* ---- forward --------------------------------------------------------------------------------------------------- */

/* Query, key and value as [B, T, dim]; false: reported. */
static bool to_batches(born_module *m, const born_tensor *in, int n_in, born_tensor x[3], bool *single,
                       const born_site *at)
{
    const attention_config *c = born_module_config(m);
    const int64_t dim[] = { c->embed, c->kdim, c->vdim };

    for (int i = 0; i < 3; i++) {
        x[i] = born__nn_in(in, n_in, i);
        if (!born__given(x[i])) {
            x[i] = x[i - 1];
            if (born_shape_of(x[i]).dim[2] == dim[i]) continue;
        } else {
            x[i] = born__nn_batch(m, x[i], 3, single, at);
            if (!c->batch_first && !*single && born_is_alive(x[i])) x[i] = TRANSPOSE(x[i], BORN_INTS(1, 0, 2));
        }
        if (!born_is_alive(x[i])) return false;
        if (born_shape_of(x[i]).dim[2] == dim[i]) continue;
        born__module_fail(m, BORN_SHAPE, "operand %d has %lld features, not %lld", i,
                          (long long)born_shape_of(x[i]).dim[2], (long long)dim[i]);
        return false;
    }
    return true;
}

/* Whether nothing needs the heads apart. */
static bool plain_heads(const born_module *self, const born_tensor *in, int n_in, const born_tensor p[3])
{
    const attention_config *c = born_module_config((born_module *)(uintptr_t)self);
    bool training = born_module_training(self), masked = born__given(born__nn_in(in, n_in, 3));

    masked = masked || born__given(born__nn_in(in, n_in, 4));
    return !masked && !born__given(born_module_tensor(self, "bias_k")) && !c->zero_attn && c->rotary_base <= 0 &&
           (training ? c->dropout <= 0 : !c->keeps) && born_dtype_of(p[0]) != BORN_F64;
}

/* The same with heads apart: rotated, kept, masked, with weights. */
static born_tensor attend_apart(born_module *self, const born_tensor *in, int n_in, const born_tensor p[3],
                                born_tensor *weights, const born_site *at)
{
    attention_config *c = born_module_config(self);
    bool keeps = c->keeps && !born_module_training(self);
    int64_t before = keeps ? c->positions : 0, extra = born__given(born_module_tensor(self, "bias_k")) + c->zero_attn;
    born_tensor q = to_heads(p[0], c->heads, at);
    born_tensor k = to_heads(p[1], c->kv_heads, at), v = to_heads(p[2], c->kv_heads, at);
    if (!born_is_alive(q) || !born_is_alive(k) || !born_is_alive(v))
        return born_is_alive(q) ? born_is_alive(k) ? v : k : q;
    if (c->rotary_base > 0) {
        born_tensor from = born__iota(q, born_shape_of(k).dim[2], at);
        if (before) from = ADD_N(from, (double)before);
        k = born__nn_rotate(k, from, c->rotary_base, c->rotary_interleaved, at);
        q = born__nn_rotate(q, SLICE(from, 0, born_shape_of(q).dim[2], 0), c->rotary_base, c->rotary_interleaved, at);
    }
    if (keeps) remember(c, &k, &v, at);
    if (c->zero_attn) {
        const int64_t pads[8] = { 0, 0, 0, 0, 0, 0, 1, 0 };
        k = (born_pad)(k, born__ints(pads, 8), 0, NULL, at);
        v = (born_pad)(v, born__ints(pads, 8), 0, NULL, at);
    }
    int64_t T = born_shape_of(q).dim[2], S = born_shape_of(k).dim[2];
    bool plain = c->causal && !extra && !before && !weights;              /* the operator's own causal mask will do */
    born_tensor mask = all_masks(self, born__nn_in(in, n_in, 3), born__nn_in(in, n_in, 4), q, S, extra, before,
                                 c->causal && !plain && T + before > 1, at);
    born_tensor y = attend(self, q, k, v, mask, plain, weights, at);
    return RESHAPE(TRANSPOSE(y, BORN_INTS(0, 2, 1, 3)), BORN_SHAPE(born_shape_of(q).dim[0], T, c->embed));
}

static void attention_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    attention_config *c = born_module_config(self);
    born_tensor x[3], p[3], weights, y, bias_k = born_module_tensor(self, "bias_k");
    bool single = false;

    if (!born__nn_arity(self, in, n_in, 1, 5, n_out, 2) || !to_batches(self, in, n_in, x, &single, at)) return;
    bool one = !born__given(born__nn_in(in, n_in, 1)) && !born__given(born__nn_in(in, n_in, 2));
    project(self, x, one, p, at);
    if (born__given(bias_k)) {
        p[1] = with_row(p[1], bias_k, at);
        p[2] = with_row(p[2], born_module_tensor(self, "bias_v"), at);
    }
    if (n_out == 1 && plain_heads(self, in, n_in, p)) y = attend_flat(c, p, at);
    else y = attend_apart(self, in, n_in, p, n_out > 1 ? &weights : NULL, at);
    if (!born_is_alive(y)) return;
    y = (born_forward)(born_module_get(self, "out_proj"), y, at);
    if (single) y = SQUEEZE(y, 0);
    else if (!c->batch_first) y = TRANSPOSE(y, BORN_INTS(1, 0, 2));
    out[0] = y;
    if (n_out > 1) out[1] = born__nn_unbatch(c->head_weights ? weights : MEAN(weights, 1), single, at);
}

static const born_module_ops attention_ops = { .name = "MultiheadAttention", .forward = attention_forward,
                                               .close = attention_close };

/* ---- making ---------------------------------------------------------------------------------------------------- */

static void add_projection(born_module *m, const char *name, int64_t rows, int64_t columns)
{
    born__nn_add(m, name, BORN_PARAM, BORN_SHAPE(rows, columns),
                 born__fill_within(sqrt(6 / (double)(rows + columns))));
}

static void add_tensors(born_module *m, const attention_config *c, const born_multihead_attention_desc *d)
{
    int64_t kv = c->kv_heads * c->head;
    born_fill normal = { BORN_FILL_NORMAL, 0, sqrt(1 / (double)kv) };

    if (c->kdim == c->embed && c->vdim == c->embed && kv == c->embed) {
        add_projection(m, "in_proj_weight", 3 * c->embed, c->embed);
    } else {
        add_projection(m, "q_proj_weight", c->embed, c->embed);
        add_projection(m, "k_proj_weight", kv, c->kdim);
        add_projection(m, "v_proj_weight", kv, c->vdim);
    }
    if (!d->no_bias) born__nn_add(m, "in_proj_bias", BORN_PARAM, BORN_SHAPE(c->embed + 2 * kv), born__fill_constant(0));
    if (d->add_bias_kv) {
        born__nn_add(m, "bias_k", BORN_PARAM, BORN_SHAPE(1, 1, kv), normal);
        born__nn_add(m, "bias_v", BORN_PARAM, BORN_SHAPE(1, 1, kv), normal);
    }
    born_module *out = born_linear(m, "out_proj", c->embed, c->embed, &(born_linear_desc){ .no_bias = d->no_bias });
    if (!d->no_bias && born_init_constant(out, "bias", 0, NULL) != BORN_OK && out->ops) out->ops = NULL;
}

born_module *born_multihead_attention_sized(born_module *parent, const char *name, int64_t embed_dim, int64_t num_heads,
                                            const born_multihead_attention_desc *options, size_t bytes)
{
    born_multihead_attention_desc d;

    if (!born__nn_options(parent, name, &attention_ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    attention_config c = { .embed = embed_dim, .heads = num_heads, .kv_heads = d.kv_heads ? d.kv_heads : num_heads,
                           .head = num_heads > 0 ? embed_dim / num_heads : 0, .kdim = d.kdim ? d.kdim : embed_dim,
                           .vdim = d.vdim ? d.vdim : embed_dim, .dropout = d.dropout, .rotary_base = d.rotary_base,
                           .batch_first = d.batch_first, .causal = d.causal, .head_weights = d.head_weights,
                           .zero_attn = d.add_zero_attn, .rotary_interleaved = d.rotary_interleaved };
    bool sound = embed_dim >= 1 && embed_dim <= BORN_NN_MOST && num_heads >= 1 && embed_dim % num_heads == 0 &&
                 c.kv_heads >= 1 && num_heads % c.kv_heads == 0 && c.kdim >= 1 && c.vdim >= 1 &&
                 c.kdim <= BORN_NN_MOST && c.vdim <= BORN_NN_MOST;
    if (!sound)
        return born__nn_refuse(parent, name, &attention_ops, "%lld features in %lld heads, %lld of keys",
                               (long long)embed_dim, (long long)num_heads, (long long)c.kv_heads);
    if (!(d.dropout >= 0 && d.dropout <= 1) || !(d.rotary_base >= 0) || (d.rotary_base > 0 && c.head % 2))
        return born__nn_refuse(parent, name, &attention_ops, "dropout %g, rotary base %g, heads of %lld", d.dropout,
                               d.rotary_base, (long long)c.head);
    born_module *m = born_module_define(parent, name, &attention_ops, &c, sizeof c);
    if (born_module_dtype(m)) add_tensors(m, &c, &d);
    return m;
}
