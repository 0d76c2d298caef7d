/* torch_cases: small networks whose Python source the cases carry (net.*), as modules of one's own: children by name,
   forward written with operators. */
#include <stdarg.h>

#include "torch_cases.h"

/* A child made from the text of PyTorch's constructor call. */
BORN_PRINTF(4, 5) static void child(tc_call *k, born_module *m, const char *name, const char *format, ...)
{
    char text[120];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tc_module_parse(k, m, name, text);
}
static born_tensor apply(born_module *m, const char *name, born_tensor x)
{
    return born_forward(born_module_get(m, name), x);
}
static void parameter(born_module *m, const char *name, born_shape s)
{
    float zeros[256] = { 0 };
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    if (n <= 256) born_module_add(m, name, BORN_PARAM, (born_array){ BORN_F32, s, zeros, 0 });
}
static int number(const tc_call *k, const char *name)
{
    return (int)tc_int(k, name);
}
static born_module *define(born_module *parent, const char *name, const born_module_ops *ops, int64_t heads)
{
    return born_module_define(parent, name, ops, &heads, sizeof heads);
}

/* ---- images ---- */

static void forward_lenet(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_max_pool_attrs p = { .kernel_shape = BORN_INTS(2, 2), .strides = BORN_INTS(2, 2) };
    born_average_pool_attrs q = { .kernel_shape = BORN_INTS(2, 2),
                                  .pads = BORN_INTS(1, 1, 1, 1),
                                  .count_include_pad = true };
    born_tensor x = born_max_pool(born_tanh(apply(m, "conv1", in[0])), &p);
    x = born_average_pool(born_relu(apply(m, "conv2", x)), &q);
    x = tc_slice(tc_slice(x, 2, 0, 2, 1), 3, 0, 2, 1);
    x = born_reshape(x, BORN_SHAPE(tc_size(x, 0), -1));
    out[0] = apply(m, "fc2", born_sigmoid(apply(m, "fc1", x)));
}
static born_module *make_lenet(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "LeNet", .forward = forward_lenet };
    born_module *m = define(parent, name, &ops, 0);
    child(k, m, "conv1", "Conv2d(1, 3, 3, padding=1)");
    child(k, m, "conv2", "Conv2d(3, 4, 3)");
    child(k, m, "fc1", "Linear(16, 6)");
    child(k, m, "fc2", "Linear(6, %d)", number(k, "classes"));
    return m;
}

static void forward_basic(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_module *down = born_module_get(m, "downsample");
    born_tensor y = born_relu(apply(m, "bn1", apply(m, "conv1", in[0])));
    y = apply(m, "bn2", apply(m, "conv2", y));
    out[0] = born_relu(born_add(y, down != NULL ? born_forward(down, in[0]) : in[0]));
}
static born_module *make_basic(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "BasicBlock", .forward = forward_basic };
    born_module *m = define(parent, name, &ops, 0);
    int in = number(k, "cin"), out = number(k, "cout"), stride = number(k, "stride");
    child(k, m, "conv1", "Conv2d(%d, %d, 3, %d, 1, bias=False)", in, out, stride);
    child(k, m, "bn1", "BatchNorm2d(%d)", out);
    child(k, m, "conv2", "Conv2d(%d, %d, 3, 1, 1, bias=False)", out, out);
    child(k, m, "bn2", "BatchNorm2d(%d)", out);
    if (stride == 1 && in == out) return m;
    born_module *down = born_module_group(m, "downsample");
    child(k, down, NULL, "Conv2d(%d, %d, 1, %d, bias=False)", in, out, stride);
    child(k, down, NULL, "BatchNorm2d(%d)", out);
    return m;
}

static void forward_inverted(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_tensor y = apply(m, "depthwise", born_silu(apply(m, "expand", in[0]), NULL));
    out[0] = born_add(in[0], apply(m, "project", born_silu(apply(m, "norm", y), NULL)));
}
static born_module *make_inverted(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "InvertedResidual", .forward = forward_inverted };
    born_module *m = define(parent, name, &ops, 0);
    int c = number(k, "c"), h = c * number(k, "expand");
    child(k, m, "expand", "Conv2d(%d, %d, 1)", c, h);
    child(k, m, "depthwise", "Conv2d(%d, %d, 3, padding=1, groups=%d)", h, h, h);
    child(k, m, "norm", "GroupNorm(2, %d)", h);
    child(k, m, "project", "Conv2d(%d, %d, 1)", h, c);
    return m;
}

static void forward_mixer(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_tensor t = born_gelu(apply(m, "t1", tc_swap(apply(m, "n1", in[0]), 1, 2)), NULL);
    born_tensor x = born_add(in[0], tc_swap(apply(m, "t2", t), 1, 2));
    out[0] = born_add(x, apply(m, "c2", born_gelu(apply(m, "c1", apply(m, "n2", x)), NULL)));
}
static born_module *make_mixer(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "MixerBlock", .forward = forward_mixer };
    born_module *m = define(parent, name, &ops, 0);
    int tokens = number(k, "tokens"), channels = number(k, "channels"), th = number(k, "th"), ch = number(k, "ch");
    child(k, m, "n1", "LayerNorm(%d)", channels);
    child(k, m, "n2", "LayerNorm(%d)", channels);
    child(k, m, "t1", "Linear(%d, %d)", tokens, th);
    child(k, m, "t2", "Linear(%d, %d)", th, tokens);
    child(k, m, "c1", "Linear(%d, %d)", channels, ch);
    child(k, m, "c2", "Linear(%d, %d)", ch, channels);
    return m;
}

static void forward_vit(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_tensor p = apply(m, "proj", in[0]), cls = born_module_tensor(m, "cls");        /* [N, d, h, w] */
    int64_t n = tc_size(p, 0), d = tc_size(p, 1);
    p = tc_swap(born_reshape(p, BORN_SHAPE(n, d, -1)), 1, 2);
    born_tensor part[2] = { born_expand(cls, BORN_SHAPE(n, 1, d)), p };
    born_tensor z = born_add(born_concat(part, 2, 1), born_module_tensor(m, "pos"));
    out[0] = tc_select(apply(m, "attn", z), 1, 0);
}
static born_module *make_vit(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "ViTPatch", .forward = forward_vit };
    born_module *m = define(parent, name, &ops, 0);
    int d = number(k, "d"), patch = number(k, "patch");
    parameter(m, "cls", BORN_SHAPE(1, 1, d));
    parameter(m, "pos", BORN_SHAPE(1, tc_int(k, "tokens") + 1, d));
    child(k, m, "proj", "Conv2d(%d, %d, %d, stride=%d)", number(k, "channels"), d, patch, patch);
    child(k, m, "attn", "MultiheadAttention(%d, 2, batch_first=True)", d);
    return m;
}

/* ---- text ---- */

static void forward_char_lstm(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_tensor y = apply(m, "lstm", apply(m, "emb", in[0]));
    out[0] = apply(m, "head", tc_select(y, 1, tc_size(y, 1) - 1));
}
static born_module *make_char_lstm(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "CharLSTM", .forward = forward_char_lstm };
    born_module *m = define(parent, name, &ops, 0);
    int vocab = number(k, "vocab"), emb = number(k, "emb"), hidden = number(k, "hidden");
    child(k, m, "emb", "Embedding(%d, %d)", vocab, emb);
    child(k, m, "lstm", "LSTM(%d, %d, batch_first=True)", emb, hidden);
    child(k, m, "head", "Linear(%d, %d)", hidden, vocab);
    return m;
}

/* [B, T, heads * D] to [B, heads, T, D] */
static born_tensor split_heads(born_tensor x, int64_t heads)
{
    int64_t b = tc_size(x, 0), t = tc_size(x, 1);
    return born_transpose(born_reshape(x, BORN_SHAPE(b, t, heads, -1)), BORN_INTS(0, 2, 1, 3));
}
/* Causal attention of q, k, v [B, heads, T, D], its heads joined again: [B, T, heads * D]. */
static born_tensor causal(born_tensor q, born_tensor k, born_tensor v)
{
    int64_t b = tc_size(q, 0), t = tc_size(q, 2);
    born_backend *chain = born_backend_of(q);
    born_tensor later = born_full(chain, BORN_I64, BORN_SHAPE(t, t), 1, NULL);
    later = born_cast(born_trilu(later, 1, NULL), BORN_BOOL);
    born_tensor a = born_div(born_matmul(q, tc_swap(k, 2, 3)), sqrt((double)tc_size(q, 3)));
    a = born_where(later, born_full(chain, born_dtype_of(a), (born_shape){ 0 }, -INFINITY, NULL), a);
    born_tensor y = born_matmul(born_softmax(a, 3), v);
    return born_reshape(born_transpose(y, BORN_INTS(0, 2, 1, 3)), BORN_SHAPE(b, t, -1));
}

static void forward_gpt_block(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                              const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    int64_t heads = *(const int64_t *)born_module_config(m);
    born_tensor part[3];
    born_split(apply(m, "c_attn", apply(m, "ln_1", in[0])), part, 3, ((born_ints){ 0 }), 2);
    born_tensor a = causal(split_heads(part[0], heads), split_heads(part[1], heads), split_heads(part[2], heads));
    born_tensor x = born_add(in[0], apply(m, "c_proj", a));
    born_tensor h = born_gelu(apply(m, "fc", apply(m, "ln_2", x)), &(born_gelu_attrs){ .approximate = 1 });
    out[0] = born_add(x, apply(m, "proj", h));
}
static born_module *make_gpt_block(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "GPTBlock", .forward = forward_gpt_block };
    born_module *m = define(parent, name, &ops, tc_int(k, "heads"));
    int d = number(k, "d");
    child(k, m, "ln_1", "LayerNorm(%d)", d);
    child(k, m, "c_attn", "Linear(%d, %d)", d, 3 * d);
    child(k, m, "c_proj", "Linear(%d, %d)", d, d);
    child(k, m, "ln_2", "LayerNorm(%d)", d);
    child(k, m, "fc", "Linear(%d, %d)", d, 4 * d);
    child(k, m, "proj", "Linear(%d, %d)", 4 * d, d);
    return m;
}

static void forward_tiny_gpt(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                             const born_site *at)
{
    (void)n_in, (void)at;
    born_tensor word = born_module_find(m, "wte.weight");
    born_tensor place = born_range(born_backend_of(in[0]), BORN_I64, 0, (double)tc_size(in[0], 1), 1);
    born_tensor x = born_add(apply(m, "wte", in[0]), apply(m, "wpe", place));
    x = apply(m, "ln_f", apply(m, "h", x));
    out[0] = born_matmul(x, tc_swap(word, 0, 1));
    if (n_out < 2) return;
    out[1] = born_cross_entropy(born_reshape(out[0], BORN_SHAPE(-1, tc_size(out[0], 2))), tc_flat(in[1]), NULL);
}
static born_module *make_tiny_gpt(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "TinyGPT", .forward = forward_tiny_gpt };
    born_module *m = define(parent, name, &ops, 0);
    int d = number(k, "d");
    child(k, m, "wte", "Embedding(%d, %d)", number(k, "vocab"), d);
    child(k, m, "wpe", "Embedding(%d, %d)", number(k, "block"), d);
    born_module *list = born_module_group(m, "h");
    for (int i = 0; i < number(k, "layers"); i++) make_gpt_block(k, list, NULL);
    child(k, m, "ln_f", "LayerNorm(%d)", d);
    return m;
}

/* Rotary positions in the half pairing, base 10000, of x [B, heads, T, D]. */
static born_tensor turned(born_tensor x)
{
    int64_t t = tc_size(x, 2), n = tc_size(x, 3) / 2;
    double c[1024], s[1024];
    for (int64_t i = 0; i < t * n && i < 1024; i++) {
        double angle = (double)(i / n) * pow(10000, -(double)(i % n) / (double)n);
        c[i] = cos(angle);
        s[i] = sin(angle);
    }
    born_backend *b = born_backend_of(x);
    born_array ca = { BORN_F64, BORN_SHAPE(t, n), c, 0 }, sa = { BORN_F64, BORN_SHAPE(t, n), s, 0 };
    born_tensor cs = born_cast(born_from(b, ca, BORN_F64, NULL), born_dtype_of(x));
    born_tensor sn = born_cast(born_from(b, sa, BORN_F64, NULL), born_dtype_of(x));
    born_tensor p = tc_slice(x, 3, 0, n, 1), q = tc_slice(x, 3, n, 2 * n, 1);
    born_tensor part[2] = { born_sub(born_mul(p, cs), born_mul(q, sn)), born_add(born_mul(p, sn), born_mul(q, cs)) };
    return born_concat(part, 2, 3);
}
/* Each head several times in a row. */
static born_tensor repeated(born_tensor x, int64_t times)
{
    born_shape s = born_shape_of(x);
    born_tensor y = born_expand(tc_unsqueeze(x, 2), BORN_SHAPE(s.dim[0], s.dim[1], times, s.dim[2], s.dim[3]));
    return born_reshape(y, BORN_SHAPE(s.dim[0], s.dim[1] * times, s.dim[2], s.dim[3]));
}
static born_tensor root_mean_square(born_module *m, const char *name, born_tensor x)
{
    return born_rms_norm(x, born_module_tensor(m, name), &(born_rms_norm_attrs){ .epsilon = 1e-5 });
}
static void forward_llama(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    int64_t heads = *(const int64_t *)born_module_config(m);
    born_tensor y = root_mean_square(m, "norm1", in[0]);
    born_tensor q = apply(m, "wq", y), key = apply(m, "wk", y), v = apply(m, "wv", y);
    int64_t kv = heads * tc_size(key, 2) / tc_size(q, 2);
    key = repeated(turned(split_heads(key, kv)), heads / kv);
    v = repeated(split_heads(v, kv), heads / kv);
    born_tensor x = born_add(in[0], apply(m, "wo", causal(turned(split_heads(q, heads)), key, v)));
    y = root_mean_square(m, "norm2", x);
    born_tensor h = born_mul(born_silu(apply(m, "w1", y), NULL), apply(m, "w3", y));
    out[0] = born_add(x, apply(m, "w2", h));
}
static born_module *make_llama(tc_call *k, born_module *parent, const char *name)
{
    static const born_module_ops ops = { .name = "LlamaBlock", .forward = forward_llama };
    born_module *m = define(parent, name, &ops, tc_int(k, "heads"));
    int d = number(k, "d"), head = d / number(k, "heads"), kv = number(k, "kv_heads") * head,
        hidden = number(k, "hidden");
    parameter(m, "norm1", BORN_SHAPE(d));
    parameter(m, "norm2", BORN_SHAPE(d));
    child(k, m, "wq", "Linear(%d, %d, bias=False)", d, number(k, "heads") * head);
    child(k, m, "wk", "Linear(%d, %d, bias=False)", d, kv);
    child(k, m, "wv", "Linear(%d, %d, bias=False)", d, kv);
    child(k, m, "wo", "Linear(%d, %d, bias=False)", d, d);
    child(k, m, "w1", "Linear(%d, %d, bias=False)", d, hidden);
    child(k, m, "w2", "Linear(%d, %d, bias=False)", hidden, d);
    child(k, m, "w3", "Linear(%d, %d, bias=False)", d, hidden);
    return m;
}

#define NET(name_, parameters, f, inputs) { .name = "net." name_, .params = parameters, .make = f, .operands = inputs }
const tc_row tc_rows_net[] = {
    NET("LeNet", "classes=4", make_lenet, "input"),
    NET("BasicBlock", "cin, cout, stride=1", make_basic, "input"),
    NET("InvertedResidual", "c, expand", make_inverted, "input"),
    NET("MixerBlock", "tokens, channels, th, ch", make_mixer, "input"),
    NET("ViTPatch", "channels, d, patch, tokens", make_vit, "input"),
    NET("CharLSTM", "vocab, emb, hidden", make_char_lstm, "x"),
    NET("GPTBlock", "d, heads", make_gpt_block, "input"),
    NET("TinyGPT", "vocab, d, heads, layers, block", make_tiny_gpt, "idx, targets"),
    NET("LlamaBlock", "d, heads, kv_heads, hidden", make_llama, "input"),
    { 0 },
};
