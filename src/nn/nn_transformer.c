/* Transformer layers and stacks, made of the modules they have as children. */
#include "nn/nn_help.h"

typedef struct layer_config {
    bool decoder, norm_first, gelu;
    double dropout;
} layer_config;

static born_tensor child(born_module *m, const char *name, born_tensor x, const born_site *at)
{
    return (born_forward)(born_module_get(m, name), x, at);
}

static born_tensor drop(born_module *m, born_tensor x, const born_site *at)
{
    const layer_config *c = born_module_config(m);
    return born__nn_dropout(m, x, c->dropout, born_shape_of(x), at);
}

/* One part of a layer, a function of x beside which x itself passes. */
typedef struct part {
    const char *attention, *norm;       /* attention NULL: feed forward */
    born_tensor memory, padding, mask;
} part;

static born_tensor run_part(born_module *m, const part *p, born_tensor x, const born_site *at)
{
    const layer_config *c = born_module_config(m);

    if (p->attention) {
        born_tensor in[] = { x, p->memory, { 0 }, p->padding, p->mask }, y;
        (born_forward_n)(born_module_get(m, p->attention), in, 5, &y, 1, at);
        return drop(m, y, at);
    }
    born_tensor h = child(m, "linear1", x, at);
    h = c->gelu ? (born_gelu)(h, NULL, at) : RELU(h);
    return drop(m, child(m, "linear2", drop(m, h, at), at), at);
}

static void layer_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    const layer_config *c = born_module_config(self);
    int least = c->decoder ? 2 : 1, most = c->decoder ? 6 : 3, n = 0;
    part parts[3];

    if (!born__nn_arity(self, in, n_in, least, most, n_out, 1)) return;
    born_tensor given[6] = { { 0 } }, x = in[0];
    for (int i = 0; i < n_in; i++) given[i] = in[i];
    if (c->decoder) {
        parts[n++] = (part){ "self_attn", "norm1", { 0 }, given[4], given[2] };
        parts[n++] = (part){ "multihead_attn", "norm2", given[1], given[5], given[3] };
    } else {
        parts[n++] = (part){ "self_attn", "norm1", { 0 }, given[2], given[1] };
    }
    parts[n++] = (part){ .norm = c->decoder ? "norm3" : "norm2" };
    for (int i = 0; i < n; i++) {
        if (c->norm_first) x = ADD(x, run_part(self, &parts[i], child(self, parts[i].norm, x, at), at));
        else x = child(self, parts[i].norm, ADD(x, run_part(self, &parts[i], x, at)), at);
    }
    out[0] = x;
}
static const born_module_ops layer_ops[] = {
    { .name = "TransformerEncoderLayer", .forward = layer_forward },
    { .name = "TransformerDecoderLayer", .forward = layer_forward },
};

static born_module *layer(born_module *parent, const char *name, bool decoder, int64_t d_model, int64_t nhead,
                          int64_t feedforward, double dropout, const born_transformer_desc *d)
{
    const born_module_ops *ops = &layer_ops[decoder];

    if (d_model < 1 || nhead < 1 || feedforward < 1 || d_model % nhead || !(dropout >= 0 && dropout <= 1) ||
        !(d->eps >= 0) || (unsigned)d->activation > BORN_TRANSFORMER_GELU)
        return born__nn_refuse(parent, name, ops, "sizes %lld, %lld, %lld heads, dropout %g, eps %g",
                               (long long)d_model, (long long)feedforward, (long long)nhead, dropout, d->eps);
    layer_config c = { decoder, d->norm_first, d->activation == BORN_TRANSFORMER_GELU, dropout };
    born_multihead_attention_desc attention = { .dropout = dropout, .no_bias = d->no_bias,
                                                .batch_first = d->batch_first, .causal = d->causal };
    born_linear_desc linear = { .no_bias = d->no_bias };
    born_norm_desc norm = { .eps = d->eps, .no_bias = d->no_bias };
    born_module *m = born_module_define(parent, name, ops, &c, sizeof c);
    (void)born_multihead_attention(m, "self_attn", d_model, nhead, &attention);
    attention.causal = false;
    if (decoder) (void)born_multihead_attention(m, "multihead_attn", d_model, nhead, &attention);
    (void)born_linear(m, "linear1", d_model, feedforward, &linear);
    (void)born_linear(m, "linear2", feedforward, d_model, &linear);
    (void)born_layer_norm_layer(m, "norm1", BORN_INTS(d_model), &norm);
    (void)born_layer_norm_layer(m, "norm2", BORN_INTS(d_model), &norm);
    if (decoder) (void)born_layer_norm_layer(m, "norm3", BORN_INTS(d_model), &norm);
    return m;
}

/* ---- stacks ---------------------------------------------------------------------------------------------------- */

static void stack_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    born_module *layers = born_module_get(self, "layers"), *norm = born_module_get(self, "norm");
    born_tensor given[6] = { { 0 } };

    if (!born__nn_arity(self, in, n_in, 1, 6, n_out, 1)) return;
    for (int i = 0; i < n_in; i++) given[i] = in[i];
    for (int l = 0; born_module_child(layers, l); l++) {
        born_tensor y;
        (born_forward_n)(born_module_child(layers, l), given, n_in, &y, 1, at);
        given[0] = y;
    }
    out[0] = norm ? (born_forward)(norm, given[0], at) : given[0];
}
static const born_module_ops stack_ops[] = {
    { .name = "TransformerEncoder", .forward = stack_forward },
    { .name = "TransformerDecoder", .forward = stack_forward },
};

static born_module *stack(born_module *parent, const char *name, bool decoder, int64_t num_layers, int64_t d_model,
                          int64_t nhead, int64_t feedforward, double dropout, const born_transformer_desc *options,
                          size_t bytes)
{
    born_transformer_desc d;
    const born_module_ops *ops = &stack_ops[decoder];

    if (!born__nn_options(parent, name, ops, options, bytes, &d, sizeof d)) return born__nn_dead();
    if (num_layers < 1 || num_layers > 65536 || !(d.final_eps >= 0))
        return born__nn_refuse(parent, name, ops, "%lld layers", (long long)num_layers);
    born_module *m = born_module_define(parent, name, ops, NULL, 0), *layers = born_module_group(m, "layers");
    for (int64_t l = 0; l < num_layers && born_module_dtype(layers); l++)
        (void)layer(layers, NULL, decoder, d_model, nhead, feedforward, dropout, &d);
    if (d.final_norm)
        (void)born_layer_norm_layer(m, "norm", BORN_INTS(d_model),
                                    &(born_norm_desc){ .eps = d.final_eps, .no_bias = d.no_bias });
    return m;
}

born_module *born_transformer_encoder_layer_sized(born_module *parent, const char *name, int64_t d_model, int64_t nhead,
                                                  int64_t feedforward, double dropout,
                                                  const born_transformer_desc *options, size_t bytes)
{
    born_transformer_desc d;
    if (!born__nn_options(parent, name, &layer_ops[0], options, bytes, &d, sizeof d)) return born__nn_dead();
    return layer(parent, name, false, d_model, nhead, feedforward, dropout, &d);
}
born_module *born_transformer_decoder_layer_sized(born_module *parent, const char *name, int64_t d_model, int64_t nhead,
                                                  int64_t feedforward, double dropout,
                                                  const born_transformer_desc *options, size_t bytes)
{
    born_transformer_desc d;
    if (!born__nn_options(parent, name, &layer_ops[1], options, bytes, &d, sizeof d)) return born__nn_dead();
    return layer(parent, name, true, d_model, nhead, feedforward, dropout, &d);
}
born_module *born_transformer_encoder_sized(born_module *parent, const char *name, int64_t num_layers, int64_t d_model,
                                            int64_t nhead, int64_t feedforward, double dropout,
                                            const born_transformer_desc *options, size_t bytes)
{
    return stack(parent, name, false, num_layers, d_model, nhead, feedforward, dropout, options, bytes);
}
born_module *born_transformer_decoder_sized(born_module *parent, const char *name, int64_t num_layers, int64_t d_model,
                                            int64_t nhead, int64_t feedforward, double dropout,
                                            const born_transformer_desc *options, size_t bytes)
{
    return stack(parent, name, true, num_layers, d_model, nhead, feedforward, dropout, options, bytes);
}
