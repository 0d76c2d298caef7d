/* Character GPT (Radford et al., "Language models are unsupervised multitask learners", 2019): embeddings of tokens and
   positions, pre-norm transformer layers with causal attention and GELU, a last norm, scores by a linear layer whose
   weight may be the embedding's. Under born_kv_cache_start the tokens given continue those given before. */
#include <math.h>
#include <stdio.h>

#include "zoo/zoo.h"

typedef struct gpt_config {
    bool tied;
} gpt_config;

static void gpt_forward(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    born_module *blocks = born_module_get(m, "blocks"), *head = born_module_get(m, "head");
    int64_t past = born_kv_cache_length(blocks), n = born_shape_of(in[0]).dim[1];
    (void)n_in;
    (void)n_out;
    born_tensor x = (born_forward)(born_module_get(m, "tokens"), in[0], at); /* [B, T, D] */
    born_tensor p = (born_slice)(born_module_tensor(m, "positions"), BORN_INTS(past), BORN_INTS(past + n),
                                 BORN_INTS(0), (born_ints){ 0 }, at);
    x = (born_forward)(born_module_get(m, "drop"), (born_add)(x, p, at), at);
    x = (born_forward)(blocks, x, at);
    if (!((const gpt_config *)born_module_config(m))->tied) {
        out[0] = (born_forward)(head, x, at);
        return;
    }
    born_tensor w = (born_transpose)(born_module_tensor(head, "weight"), BORN_INTS(1, 0), at); /* [D, V] */
    out[0] = (born_matmul)(x, w, at);
}
static const born_module_ops gpt_ops = { .name = "GPT", .forward = gpt_forward };

/* GPT-2's: normal numbers of deviation 0.02, less for what adds to the residual stream. */
static void initialise(born_module *m, int64_t layers)
{
    static const char *const weight[] = { "self_attn.in_proj_weight", "linear1.weight", "self_attn.out_proj.weight",
                                          "linear2.weight" };
    const double std = 0.02, residual = std / sqrt(2 * (double)layers);
    char path[96];
    born_status st = born_init_normal(m, "tokens.weight", 0, std, NULL);

    if (!st) st = born_init_normal(m, "head.weight", 0, std, NULL);
    for (int64_t l = 0; l < layers && !st; l++)
        for (int i = 0; i < 4 && !st; i++) {
            (void)snprintf(path, sizeof path, "blocks.layers.%lld.%s", (long long)l, weight[i]);
            st = born_init_normal(m, path, 0, i < 2 ? std : residual, NULL);
        }
}

void born__zoo_gpt(born_module *net, const born_recipe *r)
{
    int64_t width = born__zoo_int(r, "width"), layers = born__zoo_int(r, "layers"), v = r->facts.classes;
    double dropout = born__zoo_real(r, "dropout");
    gpt_config c = { born__zoo_int(r, "tie") != 0 };
    born_module *m = born_module_define(net, "gpt", &gpt_ops, &c, sizeof c), *tokens;

    tokens = born_embedding(m, "tokens", v, width, NULL);
    born__zoo_learned(m, "positions", born__zoo_int(r, "context"), width);
    born_dropout_layer(m, "drop", dropout, NULL);
    born_transformer_encoder(m, "blocks", layers, width, born__zoo_int(r, "heads"), 4 * width, dropout,
                             &(born_transformer_desc){ .activation = BORN_TRANSFORMER_GELU, .batch_first = true,
                                                       .norm_first = true, .causal = true, .final_norm = true });
    if (c.tied)
        born_module_tie(born_module_group(m, "head"), "weight", tokens, "weight");
    else
        born_linear(m, "head", width, v, &(born_linear_desc){ .no_bias = true });
    initialise(m, layers);
}
