/* Born: the stock modules. Each constructor makes a child of `parent` called `name` (NULL: its number) and never gives
   NULL: what cannot be made is dead and its error is the chain's. The last argument is a struct of options, NULL for
   the defaults; a zero field is its default. Names of tensors, shapes, defaults and initial values are PyTorch's, so
   its weights load by name. Run a module with born_forward (one operand, one result) or born_forward_n; "operands" and
   "results" below are those of born_forward_n, {0} for an absent one. What takes [N, C, ...] also takes [C, ...].
   Lists (kernel, stride, padding, ...) hold one number for every axis, or a single one for all. */
#ifndef BORN_NN_H
#define BORN_NN_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "module.h"
#include "op_forms.h"

/* One constructor: the exported symbol is told how large its options are. */
#define BORN_NN(fn, params, args, desc)                                                                               \
    BORN_C_BEGIN BORN_API born_module *fn##_sized(born_module *parent, const char *name BORN__OPEN(params),           \
                                                  const desc *options, size_t options_bytes); BORN_C_END              \
    static inline born_module *fn(born_module *parent, const char *name BORN__OPEN(params), const desc *options)      \
    {                                                                                                                 \
        return fn##_sized(parent, name BORN__OPEN(args), options, sizeof *options);                                   \
    }
/* Three: for 1, 2 and 3 spatial axes, over one symbol. */
#define BORN__NN_DIM(fn, n, params, args, desc)                                                                       \
    static inline born_module *fn##n##d(born_module *parent, const char *name BORN__OPEN(params), const desc *options) \
    {                                                                                                                 \
        return fn##_nd_sized(parent, name, n BORN__OPEN(args), options, sizeof *options);                             \
    }
#define BORN_NN_DIMS(fn, params, args, desc)                                                                          \
    BORN_C_BEGIN BORN_API born_module *fn##_nd_sized(born_module *parent, const char *name, int dims                  \
                                                     BORN__OPEN(params), const desc *options, size_t options_bytes);  \
    BORN_C_END BORN__NN_DIM(fn, 1, params, args, desc) BORN__NN_DIM(fn, 2, params, args, desc)                        \
    BORN__NN_DIM(fn, 3, params, args, desc)

/* ---- linear ---------------------------------------------------------------------------------------------------- */

typedef struct born_linear_desc {
    bool no_bias;
} born_linear_desc;

/// x w' + b for x [..., in_features]: [..., out_features]. State: weight [out, in] and bias [out], uniform within
/// 1 / sqrt(in). Equals torch.nn.Linear.
BORN_NN(born_linear, (, int64_t in_features, int64_t out_features), (, in_features, out_features), born_linear_desc)

/// x1' w[k] x2 + b[k] for operands x1 [..., in1] and x2 [..., in2]: [..., out]. State: weight [out, in1, in2] and bias
/// [out], uniform within 1 / sqrt(in1). Equals torch.nn.Bilinear.
BORN_NN(born_bilinear, (, int64_t in1_features, int64_t in2_features, int64_t out_features),
        (, in1_features, in2_features, out_features), born_linear_desc)

/* ---- convolution ----------------------------------------------------------------------------------------------- */

/// What stands where a window or a pad reaches over the edge: zeros, the mirror image without the edge, the edge, the
/// other side.
typedef enum born_padding_mode {
    BORN_PADDING_ZEROS,
    BORN_PADDING_REFLECT,
    BORN_PADDING_REPLICATE,
    BORN_PADDING_CIRCULAR,
} born_padding_mode;

typedef struct born_conv_desc {
    born_ints stride, padding, dilation;    /* {0}: 1, 0, 1 */
    int64_t groups;                         /* 0: 1 */
    bool no_bias;
    bool same;                              /* padding='same': the result is as large as x; stride 1 only */
    born_padding_mode padding_mode;
} born_conv_desc;

/// born_conv1d, 2d, 3d: convolution of x [N, in, spatial...] with `kernel`: [N, out, spatial...]. State: weight [out,
/// in/groups, kernel...] and bias [out], uniform within 1 / sqrt(in/groups * kernel...). Equals torch.nn.Conv1d to 3d.
BORN_NN_DIMS(born_conv, (, int64_t in_channels, int64_t out_channels, born_ints kernel),
             (, in_channels, out_channels, kernel), born_conv_desc)

typedef struct born_conv_transpose_desc {
    born_ints stride, padding, output_padding, dilation;    /* {0}: 1, 0, 0, 1 */
    int64_t groups;                                         /* 0: 1 */
    bool no_bias;
} born_conv_transpose_desc;

/// born_conv_transpose1d, 2d, 3d: operands x [N, in, spatial...] and optionally `like`, of whose shape only the last
/// dims are read: the spatial sizes wanted (PyTorch's output_size). State: weight [in, out/groups, kernel...] and bias
/// [out], uniform within 1 / sqrt(out/groups * kernel...). Equals torch.nn.ConvTranspose1d to 3d.
BORN_NN_DIMS(born_conv_transpose, (, int64_t in_channels, int64_t out_channels, born_ints kernel),
             (, in_channels, out_channels, kernel), born_conv_transpose_desc)

/* ---- pooling --------------------------------------------------------------------------------------------------- */

typedef struct born_max_pool_desc {
    born_ints stride, padding, dilation;    /* {0}: the kernel, 0, 1 */
    bool ceil_mode;
} born_max_pool_desc;

/// born_max_pool1d, 2d, 3d: largest element of each window. A second result, where asked for, holds the indices (i64)
/// within each plane, as born_max_unpool takes them. Equals torch.nn.MaxPool1d to 3d.
BORN_NN_DIMS(born_max_pool, (, born_ints kernel), (, kernel), born_max_pool_desc)

typedef struct born_avg_pool_desc {
    born_ints stride, padding;              /* {0}: the kernel, 0 */
    bool ceil_mode;
    bool exclude_pad;                       /* count_include_pad=False */
    int64_t divisor;                        /* instead of the number of elements; 0: that number */
} born_avg_pool_desc;

/// born_avg_pool1d, 2d, 3d: mean of each window. Equals torch.nn.AvgPool1d to 3d.
BORN_NN_DIMS(born_avg_pool, (, born_ints kernel), (, kernel), born_avg_pool_desc)

typedef struct born_lp_pool_desc {
    born_ints stride;                       /* {0}: the kernel */
    bool ceil_mode;
} born_lp_pool_desc;

/// born_lp_pool1d, 2d, 3d: the p-th root of the sum of p-th powers of each window. Equals torch.nn.LPPool1d to 3d.
BORN_NN_DIMS(born_lp_pool, (, double p, born_ints kernel), (, p, kernel), born_lp_pool_desc)

typedef struct born_no_desc {
    bool unused;
} born_no_desc;

/// born_adaptive_avg_pool1d, 2d, 3d: means of as many windows as `output` says along each axis (0: as many as x has).
/// Options: NULL. Equals torch.nn.AdaptiveAvgPool1d to 3d.
BORN_NN_DIMS(born_adaptive_avg_pool, (, born_ints output), (, output), born_no_desc)
/// The same with the largest elements; a second result as in born_max_pool. Equals torch.nn.AdaptiveMaxPool1d to 3d.
BORN_NN_DIMS(born_adaptive_max_pool, (, born_ints output), (, output), born_no_desc)

typedef struct born_max_unpool_desc {
    born_ints stride, padding;              /* {0}: the kernel, 0 */
} born_max_unpool_desc;

/// born_max_unpool1d, 2d, 3d: operands x, indices (i64, of born_max_pool) and optionally `like`, whose last dims are
/// the sizes wanted; zeros where no index points. Equals torch.nn.MaxUnpool1d to 3d.
BORN_NN_DIMS(born_max_unpool, (, born_ints kernel), (, kernel), born_max_unpool_desc)

/* ---- padding, resampling, shape -------------------------------------------------------------------------------- */

BORN_C_BEGIN
/// born_zero_pad1d, 2d, 3d, born_reflection_pad1d, ... born_replication_pad1d, ... born_circular_pad1d, ...: x with
/// `padding` elements added on both sides of each spatial axis: one number for all, or before and after the last axis,
/// then before and after the one before it, and so on, as in PyTorch. born_constant_pad1d, ...: the same with a value.
/// Equal torch.nn.ZeroPad1d to 3d, ReflectionPad1d to 3d, ReplicationPad1d to 3d, CircularPad1d to 3d, ConstantPad1d to
/// 3d.
BORN_API born_module *born_pad_nd(born_module *parent, const char *name, int dims, born_ints padding,
                                  born_padding_mode mode, double value);
BORN_C_END
#define BORN__PAD(kind, n, MODE)                                                                                      \
    static inline born_module *born_##kind##_pad##n##d(born_module *parent, const char *name, born_ints padding)      \
    {                                                                                                                 \
        return born_pad_nd(parent, name, n, padding, BORN_PADDING_##MODE, 0);                                         \
    }
#define BORN__PADS(kind, MODE) BORN__PAD(kind, 1, MODE) BORN__PAD(kind, 2, MODE) BORN__PAD(kind, 3, MODE)
BORN__PADS(zero, ZEROS) BORN__PADS(reflection, REFLECT) BORN__PADS(replication, REPLICATE)
BORN__PADS(circular, CIRCULAR)
#undef BORN__PADS
#undef BORN__PAD
#define BORN__PAD(n)                                                                                                  \
    static inline born_module *born_constant_pad##n##d(born_module *parent, const char *name, born_ints padding,      \
                                                       double value)                                                  \
    {                                                                                                                 \
        return born_pad_nd(parent, name, n, padding, BORN_PADDING_ZEROS, value);                                      \
    }
BORN__PAD(1) BORN__PAD(2) BORN__PAD(3)
#undef BORN__PAD

typedef enum born_upsample_mode {
    BORN_UPSAMPLE_NEAREST,
    BORN_UPSAMPLE_LINEAR,                   /* linear, bilinear or trilinear, by rank */
    BORN_UPSAMPLE_BICUBIC,
    BORN_UPSAMPLE_NEAREST_EXACT,
} born_upsample_mode;

typedef struct born_upsample_desc {
    born_ints size;                         /* of the spatial axes; {0}: by scale */
    double scale[3];                        /* scale[0] alone: for every axis */
    born_upsample_mode mode;
    bool align_corners;
} born_upsample_desc;

/// x [N, C, spatial...] resampled to a size or by a scale. Equals torch.nn.Upsample.
BORN_NN(born_upsample, (), (), born_upsample_desc)

/// [..., C*r*r, H, W] to [..., C, H*r, W*r], back, and channels dealt out in `groups`. Options: NULL. Equal
/// torch.nn.PixelShuffle, PixelUnshuffle, ChannelShuffle.
BORN_NN(born_pixel_shuffle, (, int64_t factor), (, factor), born_no_desc)
BORN_NN(born_pixel_unshuffle, (, int64_t factor), (, factor), born_no_desc)
BORN_NN(born_channel_shuffle, (, int64_t groups), (, groups), born_no_desc)

typedef struct born_window_desc {
    born_ints stride, padding, dilation;    /* {0}: 1, 0, 1 */
} born_window_desc;

/// x [N, C, H, W] to its windows [N, C*kernel, L]. Equals torch.nn.Unfold.
BORN_NN(born_unfold, (, born_ints kernel), (, kernel), born_window_desc)
/// Windows [N, C*kernel, L] summed into images [N, C, output...]. Equals torch.nn.Fold.
BORN_NN(born_fold, (, born_ints output, born_ints kernel), (, output, kernel), born_window_desc)

/// Dims first to last (below 0: from the end) made one. PyTorch's defaults are 1 and -1. Options: NULL. Equals
/// torch.nn.Flatten.
BORN_NN(born_flatten_layer, (, int first, int last), (, first, last), born_no_desc)
/// Dim `dim` made into dims of the given sizes, one of which may be -1. Options: NULL. Equals torch.nn.Unflatten.
BORN_NN(born_unflatten, (, int dim, born_ints sizes), (, dim, sizes), born_no_desc)

/* ---- norms ----------------------------------------------------------------------------------------------------- */

typedef struct born_batch_norm_desc {
    double eps;                             /* 0: 1e-5 */
    double momentum;                        /* of the running values; 0: 0.1; below 0: none, they stay */
    bool cumulative;                        /* momentum=None: the running values are plain means of all batches */
    bool no_affine, no_running_stats;
} born_batch_norm_desc;

/// born_batch_norm1d, 2d, 3d: each channel of x [N, C] or [N, C, spatial...] to mean 0 and variance 1 over the batch in
/// training, by the running values in evaluation. State: weight, bias [C] (ones, zeros), running_mean, running_var
/// [C], num_batches_tracked (i64). Ioffe and Szegedy, 2015. Equals torch.nn.BatchNorm1d to 3d.
BORN_NN_DIMS(born_batch_norm, (, int64_t features), (, features), born_batch_norm_desc)

typedef struct born_instance_norm_desc {
    double eps, momentum;                   /* as in born_batch_norm_desc */
    bool affine, running_stats;
} born_instance_norm_desc;

/// born_instance_norm1d, 2d, 3d: each plane of x [N, C, spatial...] to mean 0 and variance 1. State, where asked for,
/// as of born_batch_norm. Equals torch.nn.InstanceNorm1d to 3d.
BORN_NN_DIMS(born_instance_norm, (, int64_t features), (, features), born_instance_norm_desc)

typedef struct born_norm_desc {
    double eps;                             /* 0: 1e-5; RMSNorm: the dtype's epsilon */
    bool no_affine;
    bool no_bias;
} born_norm_desc;

/// x to mean 0 and variance 1 over its last dims, which are `shape`. State: weight (ones), bias (zeros), of `shape`.
/// Ba et al., 2016. Equals torch.nn.LayerNorm.
BORN_NN(born_layer_norm_layer, (, born_ints shape), (, shape), born_norm_desc)
/// x / sqrt(mean(x * x) + eps) over the last dims. State: weight (ones). Zhang and Sennrich, 2019. Equals
/// torch.nn.RMSNorm.
BORN_NN(born_rms_norm_layer, (, born_ints shape), (, shape), born_norm_desc)
/// Channels of x [N, C, ...] in groups, each to mean 0 and variance 1. State: weight, bias [C]. Wu and He, 2018. Equals
/// torch.nn.GroupNorm.
BORN_NN(born_group_norm_layer, (, int64_t groups, int64_t channels), (, groups, channels), born_norm_desc)

typedef struct born_local_response_norm_desc {
    double alpha, beta, k;                  /* 0: 1e-4, 0.75, 1 */
} born_local_response_norm_desc;
/// x divided by a power of the squares of `size` neighbouring channels. Equals torch.nn.LocalResponseNorm.
BORN_NN(born_local_response_norm, (, int64_t size), (, size), born_local_response_norm_desc)

/// Makes the module's parameter `tensor` v * g / |v|, where g and v are its new parameters <tensor>_g and <tensor>_v
/// and the norm is over all dims but `dim` (-1: over all). Salimans and Kingma, 2016. Equals
/// torch.nn.utils.weight_norm.
BORN_C_BEGIN BORN_API void born_weight_norm(born_module *m, const char *tensor, int dim); BORN_C_END

/* ---- dropout --------------------------------------------------------------------------------------------------- */

/// Each element 0 with probability p in training, the others divided by 1 - p; in evaluation x itself. Options: NULL.
/// PyTorch's default p is 0.5. Hinton et al., 2012. Equals torch.nn.Dropout.
BORN_NN(born_dropout_layer, (, double p), (, p), born_no_desc)
/// born_dropout1d, 2d, 3d: whole channels of x [N, C, spatial...]. Options: NULL. Equals torch.nn.Dropout1d to 3d.
BORN_NN_DIMS(born_dropout, (, double p), (, p), born_no_desc)
/// Dropout that keeps mean and variance under SELU; the second one of whole channels of x [N, C, ...]. Options: NULL.
/// Klambauer et al., 2017. Equal torch.nn.AlphaDropout, FeatureAlphaDropout.
BORN_NN(born_alpha_dropout, (, double p), (, p), born_no_desc)
BORN_NN(born_feature_alpha_dropout, (, double p), (, p), born_no_desc)

/* ---- embeddings, positions ------------------------------------------------------------------------------------- */

typedef struct born_embedding_desc {
    bool padding;                           /* row padding_idx (below 0: from the end) is zeros and is not trained */
    int64_t padding_idx;
    double max_norm, norm_type;             /* rows looked up are first scaled down to that norm; 0: not; 0: 2 */
    bool scale_grad_by_freq;
} born_embedding_desc;

/// Rows of weight [count, dim] (normal numbers) at indices [...] of i32 or i64: [..., dim]. Equals torch.nn.Embedding.
BORN_NN(born_embedding, (, int64_t count, int64_t dim), (, count, dim), born_embedding_desc)

typedef enum born_bag_mode { BORN_BAG_MEAN, BORN_BAG_SUM, BORN_BAG_MAX } born_bag_mode;
typedef struct born_embedding_bag_desc {
    born_bag_mode mode;
    bool padding;                           /* rows padding_idx do not count */
    int64_t padding_idx;
    double max_norm, norm_type;
    bool scale_grad_by_freq;
    bool include_last_offset;               /* offsets end with the number of indices */
} born_embedding_bag_desc;

/// Mean, sum or maximum of rows of weight [count, dim]: operands indices [bags, n] or [n] with offsets [bags], and
/// optionally per-sample weights like indices (sum only): [bags, dim]; an empty bag gives zeros. Equals
/// torch.nn.EmbeddingBag.
BORN_NN(born_embedding_bag, (, int64_t count, int64_t dim), (, count, dim), born_embedding_bag_desc)

typedef struct born_positions_desc {
    double base;                            /* 0: 10000 */
    bool interleaved;                       /* pairs are neighbours instead of the two halves */
} born_positions_desc;

/// Operands x [..., T, dim] and positions [T] (i64, absent: 0, 1, ...): pairs of elements turned by angles that fall
/// with their number. Su et al., 2021.
BORN_NN(born_rotary_positions, (, int64_t dim), (, dim), born_positions_desc)
/// Operands as above: x plus sines and cosines of its positions. Vaswani et al., 2017.
BORN_NN(born_sinusoidal_positions, (, int64_t dim), (, dim), born_positions_desc)

/* ---- recurrence ------------------------------------------------------------------------------------------------ */

typedef struct born_recurrent_desc {
    int64_t num_layers;                     /* 0: 1 */
    bool no_bias, batch_first, bidirectional;
    double dropout;                         /* between layers, in training */
    bool relu;                              /* RNN: instead of tanh */
    int64_t proj_size;                      /* LSTM: h is projected to this size; 0: not */
} born_recurrent_desc;

/// Operands x [T, B, input] (batch_first: [B, T, input]; or [T, input]), h_0 [layers * directions, B, hidden] and
/// lengths [B] (i64: x is padded to T; steps behind a length give zeros), both optional. Results: the last layer's
/// output [T, B, directions * hidden], h_n like h_0. State: weight_ih_l0 [g * hidden, input], weight_hh_l0, bias_ih_l0,
/// bias_hh_l0, then _l0_reverse, _l1, ..., uniform within 1 / sqrt(hidden). Equals torch.nn.RNN (g = 1).
BORN_NN(born_rnn_layer, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_recurrent_desc)
/// As born_rnn_layer, with gates r, z, n (g = 3). Cho et al., 2014. Equals torch.nn.GRU.
BORN_NN(born_gru_layer, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_recurrent_desc)
/// Operands x, h_0, c_0, lengths; results output, h_n, c_n; gates i, f, g, o (g = 4), and weight_hr_l0 [proj, hidden]
/// with proj_size. Hochreiter and Schmidhuber, 1997. Equals torch.nn.LSTM.
BORN_NN(born_lstm_layer, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_recurrent_desc)

typedef struct born_cell_desc {
    bool no_bias;
    bool relu;                              /* RNN: instead of tanh */
} born_cell_desc;

/// One step: operands x [B, input], h [B, hidden] (absent: zeros) and for LSTM c; result h, for LSTM also c. State:
/// weight_ih, weight_hh, bias_ih, bias_hh. Equal torch.nn.RNNCell, GRUCell, LSTMCell.
BORN_NN(born_rnn_cell, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_cell_desc)
BORN_NN(born_gru_cell, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_cell_desc)
BORN_NN(born_lstm_cell, (, int64_t input_size, int64_t hidden_size), (, input_size, hidden_size), born_cell_desc)

/* ---- attention, transformers ----------------------------------------------------------------------------------- */

typedef struct born_multihead_attention_desc {
    double dropout;                         /* of the attention weights, in training */
    bool no_bias, add_bias_kv, add_zero_attn, batch_first;
    int64_t kdim, vdim;                     /* of key and value; 0: embed_dim */
    int64_t kv_heads;                       /* fewer heads of keys and values, each shared (GQA, MQA); 0: num_heads */
    bool causal;                            /* a query sees no later key */
    bool head_weights;                      /* average_attn_weights=False: the second result is per head */
    double rotary_base;                     /* queries and keys are turned as by born_rotary_positions; 0: not */
    bool rotary_interleaved;
} born_multihead_attention_desc;

/// Operands query [T, B, embed] (batch_first: [B, T, embed]; or [T, embed]), key (absent: query), value (absent: key),
/// key_padding_mask [B, S] and attn_mask [T, S] or [B * heads, T, S] (bool: true is hidden; float: added). Results:
/// like query and, where asked for (need_weights), the attention weights [B, T, S], mean over the heads. State:
/// in_proj_weight [3 * embed, embed] (with kdim, vdim or kv_heads: q_proj_weight, k_proj_weight, v_proj_weight),
/// in_proj_bias, bias_k, bias_v, out_proj.weight, out_proj.bias. Vaswani et al., 2017. Equals
/// torch.nn.MultiheadAttention.
BORN_NN(born_multihead_attention, (, int64_t embed_dim, int64_t num_heads), (, embed_dim, num_heads),
        born_multihead_attention_desc)

BORN_C_BEGIN
/// From now on every attention below m that is in evaluation mode keeps its keys and values, and what it is given
/// continues them: feed a prompt, then token by token. Starting again forgets. For chains that do not record gradients.
BORN_API void born_kv_cache_start(born_module *m);
BORN_API void born_kv_cache_stop(born_module *m);
/// Positions kept so far by the first attention below m.
BORN_API int64_t born_kv_cache_length(const born_module *m);
BORN_C_END

typedef enum born_transformer_activation { BORN_TRANSFORMER_RELU, BORN_TRANSFORMER_GELU } born_transformer_activation;
typedef struct born_transformer_desc {
    born_transformer_activation activation;
    double eps;                             /* of the layer norms; 0: 1e-5 */
    bool batch_first, norm_first;
    bool causal;                            /* self-attention sees no later position */
    bool no_bias;
    bool final_norm;                        /* of a stack: a last LayerNorm, child "norm" */
    double final_eps;                       /* 0: 1e-5 */
} born_transformer_desc;

/// Operands src [T, B, d_model] (batch_first: [B, T, d_model]), src_mask and src_key_padding_mask as in attention.
/// PyTorch's defaults are feedforward 2048 and dropout 0.1. Children: self_attn, linear1, linear2, norm1, norm2. Equals
/// torch.nn.TransformerEncoderLayer.
BORN_NN(born_transformer_encoder_layer, (, int64_t d_model, int64_t nhead, int64_t feedforward, double dropout),
        (, d_model, nhead, feedforward, dropout), born_transformer_desc)
/// Operands tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask. Children as above and
/// multihead_attn, norm3. Equals torch.nn.TransformerDecoderLayer.
BORN_NN(born_transformer_decoder_layer, (, int64_t d_model, int64_t nhead, int64_t feedforward, double dropout),
        (, d_model, nhead, feedforward, dropout), born_transformer_desc)
/// Stacks of such layers ("layers.0", ...), operands as of one layer. Equal torch.nn.TransformerEncoder and Decoder.
BORN_NN(born_transformer_encoder,
        (, int64_t num_layers, int64_t d_model, int64_t nhead, int64_t feedforward, double dropout),
        (, num_layers, d_model, nhead, feedforward, dropout), born_transformer_desc)
BORN_NN(born_transformer_decoder,
        (, int64_t num_layers, int64_t d_model, int64_t nhead, int64_t feedforward, double dropout),
        (, num_layers, d_model, nhead, feedforward, dropout), born_transformer_desc)

/* ---- containers, distances ------------------------------------------------------------------------------------- */

/* Sequential and ModuleList are born_module_group: its forward runs the children one after another. */
/// x + the children of this group one after another on x. Options: NULL. He et al., 2015.
BORN_NN(born_residual, (), (), born_no_desc)
/// x itself. Options: NULL. Equals torch.nn.Identity.
BORN_NN(born_identity_layer, (), (), born_no_desc)

typedef struct born_distance_desc {
    double eps;                             /* 0: 1e-8 (cosine), 1e-6 (pairwise) */
    double p;                               /* pairwise: the norm, INFINITY allowed; 0: 2 */
    bool keepdim;                           /* pairwise: the last dim stays, as 1 */
} born_distance_desc;
/// Cosine of operands x1 and x2 along `dim` (PyTorch's default is 1). Equals torch.nn.CosineSimilarity.
BORN_NN(born_cosine_similarity, (, int dim), (, dim), born_distance_desc)
/// Norm of x1 - x2 + eps along the last dim. Equals torch.nn.PairwiseDistance.
BORN_NN(born_pairwise_distance, (), (), born_distance_desc)

/* ---- activations ----------------------------------------------------------------------------------------------- */

/* X(name, PyTorch's class, parameters): numbers behind `name` in born_<name>_layer. */
#define BORN_ACTIVATION_ROWS(X)                                                                                       \
    X(relu, ReLU, 0) X(relu6, ReLU6, 0) X(sigmoid, Sigmoid, 0) X(tanh, Tanh, 0) X(selu, SELU, 0) X(silu, SiLU, 0)      \
    X(mish, Mish, 0) X(hardsigmoid, Hardsigmoid, 0) X(hardswish, Hardswish, 0) X(log_sigmoid, LogSigmoid, 0)          \
    X(softsign, Softsign, 0) X(tanhshrink, Tanhshrink, 0) X(softmax2d, Softmax2d, 0) X(gelu, GELU, 0)                 \
    X(gelu_tanh, GELU, 0) X(leaky_relu, LeakyReLU, 1) X(elu, ELU, 1) X(celu, CELU, 1) X(hardshrink, Hardshrink, 1)    \
    X(softshrink, Softshrink, 1) X(softmax, Softmax, 1) X(log_softmax, LogSoftmax, 1) X(softmin, Softmin, 1)          \
    X(glu, GLU, 1) X(hardtanh, Hardtanh, 2) X(softplus, Softplus, 2) X(threshold, Threshold, 2) X(rrelu, RReLU, 2)    \
    X(prelu, PReLU, 2)
typedef enum born_activation {
#define BORN__X(name, Class, n) BORN_ACTIVATION_##name,
    BORN_ACTIVATION_ROWS(BORN__X)
#undef BORN__X
    BORN_ACTIVATION_COUNT
} born_activation;

BORN_C_BEGIN
/// An activation as a module: a and b are its parameters in PyTorch's order, unused ones 0. With the rows above:
/// born_relu_layer(parent, name) and so on; born_leaky_relu_layer(parent, name, negative_slope), elu, celu (alpha),
/// hardshrink, softshrink (lambd), softmax, log_softmax, softmin, glu (dim), hardtanh (min, max), softplus (beta,
/// threshold), threshold (threshold, value), rrelu (lower, upper: random slopes in training), prelu (count, initial
/// value; state: weight [count]). No parameter has a default: PyTorch's stand in its reference.
BORN_API born_module *born_activation_layer(born_module *parent, const char *name, born_activation kind, double a,
                                            double b);
BORN_C_END
#define BORN__P0
#define BORN__P1 , double a
#define BORN__P2 , double a, double b
#define BORN__A0 , 0, 0
#define BORN__A1 , a, 0
#define BORN__A2 , a, b
#define BORN__X(act, Class, n)                                                                                        \
    static inline born_module *born_##act##_layer(born_module *parent, const char *name BORN__P##n)                   \
    {                                                                                                                 \
        return born_activation_layer(parent, name, BORN_ACTIVATION_##act BORN__A##n);                                 \
    }
BORN_ACTIVATION_ROWS(BORN__X)
#undef BORN__X
#endif
