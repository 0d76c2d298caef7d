/* torch_cases: constructors of modules: activations, dropout, embeddings, recurrence, attention, transformers. */
#include "torch_cases.h"

/* ---- activations: born_activation_layer takes PyTorch's parameters in order ---- */

static born_module *make_activation(tc_call *k, born_module *parent, const char *name)
{
    static const struct { const char *class_; born_activation kind; int count; } kinds[] = {
#define X(born, Class, n) { "torch.nn." #Class, BORN_ACTIVATION_##born, n },
        BORN_ACTIVATION_ROWS(X)
#undef X
    };
    born_activation kind = BORN_ACTIVATION_COUNT;
    int count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].class_, k->row->name) != 0) continue;
        bool tanh_form = kinds[i].kind == BORN_ACTIVATION_gelu_tanh;
        if (kind != BORN_ACTIVATION_COUNT && !(tanh_form && tc_says(k, "approximate", "tanh"))) continue;
        kind = kinds[i].kind;
        count = kinds[i].count;
    }
    double v[2] = { 0, 0 };
    for (int i = 0; i < count; i++) {
        char param[48];
        if (tc_param_at(k->row, i, param, sizeof param)) v[i] = tc_num(k, param);
    }
    return born_activation_layer(parent, name, kind, v[0], v[1]);
}
static born_module *make_identity(tc_call *k, born_module *parent, const char *name)
{
    (void)k;
    return born_identity_layer(parent, name, NULL);
}
static born_module *make_dropout(tc_call *k, born_module *parent, const char *name)
{
    double p = tc_num(k, "p");
    const char *kind = k->row->name + strlen("torch.nn.");
    if (strcmp(kind, "Dropout") == 0) return born_dropout_layer(parent, name, p, NULL);
    if (strcmp(kind, "AlphaDropout") == 0) return born_alpha_dropout(parent, name, p, NULL);
    if (strcmp(kind, "FeatureAlphaDropout") == 0) return born_feature_alpha_dropout(parent, name, p, NULL);
    return born_dropout_nd_sized(parent, name, kind[strlen(kind) - 2] - '0', p, NULL, sizeof(born_no_desc));
}
static born_module *make_cosine(tc_call *k, born_module *parent, const char *name)
{
    born_distance_desc d = { .eps = tc_num(k, "eps") };
    return born_cosine_similarity(parent, name, (int)tc_int(k, "dim"), &d);
}
static born_module *make_pairwise(tc_call *k, born_module *parent, const char *name)
{
    born_distance_desc d = { .eps = tc_num(k, "eps"), .p = tc_num(k, "p"), .keepdim = tc_flag(k, "keepdim") };
    return born_pairwise_distance(parent, name, &d);
}

/* ---- embeddings ---- */

static born_module *make_embedding(tc_call *k, born_module *parent, const char *name)
{
    born_embedding_desc d = { .padding = !tc_none(k, "padding_idx"), .padding_idx = tc_int(k, "padding_idx"),
                              .max_norm = tc_num(k, "max_norm"), .norm_type = tc_num(k, "norm_type"),
                              .scale_grad_by_freq = tc_flag(k, "scale_grad_by_freq") };
    return born_embedding(parent, name, tc_int(k, "num_embeddings"), tc_int(k, "embedding_dim"), &d);
}
static born_module *make_embedding_bag(tc_call *k, born_module *parent, const char *name)
{
    born_embedding_bag_desc d = { .padding = !tc_none(k, "padding_idx"), .padding_idx = tc_int(k, "padding_idx"),
                                  .max_norm = tc_num(k, "max_norm"), .norm_type = tc_num(k, "norm_type"),
                                  .scale_grad_by_freq = tc_flag(k, "scale_grad_by_freq"),
                                  .include_last_offset = tc_flag(k, "include_last_offset"),
                                  .mode = tc_says(k, "mode", "sum")   ? BORN_BAG_SUM
                                          : tc_says(k, "mode", "max") ? BORN_BAG_MAX
                                                                      : BORN_BAG_MEAN };
    return born_embedding_bag(parent, name, tc_int(k, "num_embeddings"), tc_int(k, "embedding_dim"), &d);
}

/* ---- recurrence ---- */

static born_module *make_recurrent(tc_call *k, born_module *parent, const char *name)
{
    born_recurrent_desc d = { .num_layers = tc_int(k, "num_layers"), .no_bias = !tc_flag(k, "bias"),
                              .batch_first = tc_flag(k, "batch_first"), .bidirectional = tc_flag(k, "bidirectional"),
                              .dropout = tc_num(k, "dropout"), .relu = tc_says(k, "nonlinearity", "relu"),
                              .proj_size = tc_int(k, "proj_size") };
    int64_t in = tc_int(k, "input_size"), hidden = tc_int(k, "hidden_size");
    const char *kind = k->row->name + strlen("torch.nn.");
    if (strcmp(kind, "LSTM") == 0) return born_lstm_layer(parent, name, in, hidden, &d);
    return strcmp(kind, "GRU") == 0 ? born_gru_layer(parent, name, in, hidden, &d)
                                    : born_rnn_layer(parent, name, in, hidden, &d);
}
static born_module *make_cell(tc_call *k, born_module *parent, const char *name)
{
    born_cell_desc d = { .no_bias = !tc_flag(k, "bias"), .relu = tc_says(k, "nonlinearity", "relu") };
    int64_t in = tc_int(k, "input_size"), hidden = tc_int(k, "hidden_size");
    const char *kind = k->row->name + strlen("torch.nn.");
    if (strcmp(kind, "LSTMCell") == 0) return born_lstm_cell(parent, name, in, hidden, &d);
    return strcmp(kind, "GRUCell") == 0 ? born_gru_cell(parent, name, in, hidden, &d)
                                        : born_rnn_cell(parent, name, in, hidden, &d);
}

/* ---- attention, transformers ---- */

static born_module *make_attention(tc_call *k, born_module *parent, const char *name)
{
    born_multihead_attention_desc d = { .dropout = tc_num(k, "dropout"), .no_bias = !tc_flag(k, "bias"),
                                        .add_bias_kv = tc_flag(k, "add_bias_kv"),
                                        .add_zero_attn = tc_flag(k, "add_zero_attn"),
                                        .batch_first = tc_flag(k, "batch_first"), .kdim = tc_int(k, "kdim"),
                                        .vdim = tc_int(k, "vdim"), .causal = tc_flag(k, "is_causal"),
                                        .head_weights = !tc_flag(k, "average_attn_weights") };
    return born_multihead_attention(parent, name, tc_int(k, "embed_dim"), tc_int(k, "num_heads"), &d);
}
static born_transformer_desc transformer_desc(const tc_call *k)
{
    return (born_transformer_desc){ .activation = tc_says(k, "activation", "gelu") ? BORN_TRANSFORMER_GELU
                                                                                   : BORN_TRANSFORMER_RELU,
                                    .eps = tc_num(k, "layer_norm_eps"), .batch_first = tc_flag(k, "batch_first"),
                                    .norm_first = tc_flag(k, "norm_first"), .no_bias = !tc_flag(k, "bias") };
}
static born_module *make_transformer_layer(tc_call *k, born_module *parent, const char *name)
{
    born_transformer_desc d = transformer_desc(k);
    int64_t width = tc_int(k, "d_model"), heads = tc_int(k, "nhead"), inner = tc_int(k, "dim_feedforward");
    if (strstr(k->row->name, "Encoder") != NULL) {
        return born_transformer_encoder_layer(parent, name, width, heads, inner, tc_num(k, "dropout"), &d);
    }
    return born_transformer_decoder_layer(parent, name, width, heads, inner, tc_num(k, "dropout"), &d);
}
/* A stack: the arguments of its layer, and of a last LayerNorm. */
static born_module *make_transformer(tc_call *k, born_module *parent, const char *name)
{
    bool encoder = strstr(k->row->name, "Encoder") != NULL;
    tc_call layer = { .b = k->b,
                      .real = k->real,
                      .args = tc_arg(k, encoder ? "encoder_layer" : "decoder_layer"),
                      .row = tc_find_row(encoder ? "torch.nn.TransformerEncoderLayer"
                                                 : "torch.nn.TransformerDecoderLayer") };
    tc_read_defaults(&layer);
    born_transformer_desc d = transformer_desc(&layer);
    d.final_norm = !tc_none(k, "norm");
    d.final_eps = tc_number(json_object_get(tc_arg(k, "norm"), "eps"));
    int64_t n = tc_int(k, "num_layers"), width = tc_int(&layer, "d_model"), heads = tc_int(&layer, "nhead");
    int64_t inner = tc_int(&layer, "dim_feedforward");
    double dropout = tc_num(&layer, "dropout");
    json_decref(layer.defaults);
    return encoder ? born_transformer_encoder(parent, name, n, width, heads, inner, dropout, &d)
                   : born_transformer_decoder(parent, name, n, width, heads, inner, dropout, &d);
}

#define LAYER(class_, parameters, f, inputs)                                                                          \
    { .name = "torch.nn." class_, .params = parameters, .make = f, .operands = inputs }
#define ACTIVATION(class_, parameters) LAYER(class_, parameters, make_activation, "input")
#define DROPOUT(class_) LAYER(class_, "p=0.5, inplace=false", make_dropout, "input")
#define RECURRENT                                                                                                      \
    "input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=true, batch_first=false, dropout=0, "            \
    "bidirectional=false, proj_size=0"
#define CELL "input_size, hidden_size, bias=true, nonlinearity='tanh'"
#define TRANSFORMER                                                                                                   \
    "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-05, batch_first=false, "  \
    "norm_first=false, bias=true"
const tc_row tc_rows_recurrent[] = {
    ACTIVATION("ReLU", "inplace=false"),
    ACTIVATION("ReLU6", "inplace=false"),
    ACTIVATION("Sigmoid", ""),
    ACTIVATION("Tanh", ""),
    ACTIVATION("SELU", "inplace=false"),
    ACTIVATION("SiLU", "inplace=false"),
    ACTIVATION("Mish", "inplace=false"),
    ACTIVATION("Hardsigmoid", "inplace=false"),
    ACTIVATION("Hardswish", "inplace=false"),
    ACTIVATION("LogSigmoid", ""),
    ACTIVATION("Softsign", ""),
    ACTIVATION("Tanhshrink", ""),
    ACTIVATION("Softmax2d", ""),
    ACTIVATION("GELU", "approximate='none'"),
    ACTIVATION("LeakyReLU", "negative_slope=0.01, inplace=false"),
    ACTIVATION("ELU", "alpha=1.0, inplace=false"),
    ACTIVATION("CELU", "alpha=1.0, inplace=false"),
    ACTIVATION("Hardshrink", "lambd=0.5"),
    ACTIVATION("Softshrink", "lambd=0.5"),
    ACTIVATION("Softmax", "dim"),
    ACTIVATION("LogSoftmax", "dim"),
    ACTIVATION("Softmin", "dim"),
    ACTIVATION("GLU", "dim=-1"),
    ACTIVATION("Hardtanh", "min_val=-1.0, max_val=1.0, inplace=false"),
    ACTIVATION("Softplus", "beta=1, threshold=20"),
    ACTIVATION("Threshold", "threshold, value, inplace=false"),
    ACTIVATION("RReLU", "lower=0.125, upper=0.3333333333333333, inplace=false"),
    ACTIVATION("PReLU", "num_parameters=1, init=0.25"),
    LAYER("Identity", "", make_identity, "input"),
    DROPOUT("Dropout"),
    DROPOUT("Dropout1d"),
    DROPOUT("Dropout2d"),
    DROPOUT("Dropout3d"),
    DROPOUT("AlphaDropout"),
    DROPOUT("FeatureAlphaDropout"),
    LAYER("CosineSimilarity", "dim=1, eps=1e-08", make_cosine, "x1, x2"),
    LAYER("PairwiseDistance", "p=2.0, eps=1e-06, keepdim=false", make_pairwise, "x1, x2"),
    LAYER("Embedding", "num_embeddings, embedding_dim, padding_idx=null, max_norm=null, norm_type=2.0, "
          "scale_grad_by_freq=false, sparse=false", make_embedding, "input"),
    LAYER("EmbeddingBag", "num_embeddings, embedding_dim, max_norm=null, norm_type=2.0, scale_grad_by_freq=false, "
          "mode='mean', sparse=false, include_last_offset=false, padding_idx=null", make_embedding_bag,
          "input, offsets, per_sample_weights"),
    LAYER("RNN", RECURRENT, make_recurrent, "input, h_0, lengths"),
    LAYER("GRU", RECURRENT, make_recurrent, "input, h_0, lengths"),
    LAYER("LSTM", RECURRENT, make_recurrent, "input, h_0, c_0, lengths"),
    LAYER("RNNCell", CELL, make_cell, "input, hx"),
    LAYER("GRUCell", CELL, make_cell, "input, hx"),
    LAYER("LSTMCell", CELL, make_cell, "input, hx, cx"),
    LAYER("MultiheadAttention", "embed_dim, num_heads, dropout=0.0, bias=true, add_bias_kv=false, add_zero_attn=false, "
          "kdim=null, vdim=null, batch_first=false, need_weights=true, average_attn_weights=true, is_causal=false",
          make_attention, "query, key, value, key_padding_mask, attn_mask"),
    LAYER("TransformerEncoderLayer", TRANSFORMER, make_transformer_layer, "src, src_mask, src_key_padding_mask"),
    LAYER("TransformerDecoderLayer", TRANSFORMER, make_transformer_layer,
          "tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask"),
    LAYER("TransformerEncoder", "encoder_layer, num_layers, norm=null, enable_nested_tensor=true, mask_check=true",
          make_transformer, "src, mask, src_key_padding_mask"),
    LAYER("TransformerDecoder", "decoder_layer, num_layers, norm=null", make_transformer,
          "tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask"),
    { 0 },
};
