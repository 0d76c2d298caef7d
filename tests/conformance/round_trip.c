/* The networks of test_round_trip.py, as a program that it compiles. `round_trip load NAME WEIGHTS X Y` loads a
   safetensors file, reads x and writes the network's answer; `round_trip save NAME ONNX BORN X Y` trains a little,
   saves both files, writes x and the answer, and compares what a model opened from each file says. */
#include <born/born.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#if WITH_HUB
#include <born/hub.h>
#endif

enum { MOST = 4096 };

/* ---- networks ---------------------------------------------------------------------------------------------------- */

static void mlp(born_module *net)
{
    born_linear(net, "fc1", 20, 32, NULL);
    born_relu_layer(net, "act1");
    born_linear(net, "fc2", 32, 32, NULL);
    born_tanh_layer(net, "act2");
    born_linear(net, "fc3", 32, 10, NULL);
}

static void lenet(born_module *net)
{
    born_conv2d(net, "conv1", 1, 6, BORN_INTS(5), &(born_conv_desc){ .padding = BORN_INTS(2) });
    born_tanh_layer(net, "act1");
    born_avg_pool2d(net, "pool1", BORN_INTS(2), NULL);
    born_conv2d(net, "conv2", 6, 16, BORN_INTS(5), NULL);
    born_relu_layer(net, "act2");
    born_max_pool2d(net, "pool2", BORN_INTS(2), NULL);
    born_flatten_layer(net, "flat", 1, -1, NULL);
    born_linear(net, "fc1", 16 * 5 * 5, 84, NULL);
    born_sigmoid_layer(net, "act3");
    born_linear(net, "fc2", 84, 10, NULL);
}

static void block_forward(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out, (void)at;
    born_module *down = born_module_get(m, "downsample");
    born_tensor y = born_forward(born_module_get(m, "bn1"), born_forward(born_module_get(m, "conv1"), in[0]));
    y = born_forward(born_module_get(m, "bn2"), born_forward(born_module_get(m, "conv2"), born_relu(y)));
    out[0] = born_relu(born_add(y, down ? born_forward(down, in[0]) : in[0]));
}

static void block(born_module *parent, const char *name, int64_t in, int64_t out, int64_t stride)
{
    static const born_module_ops ops = { .name = "BasicBlock", .forward = block_forward };
    const born_conv_desc first = { .stride = (born_ints){ &stride, 1 }, .padding = BORN_INTS(1), .no_bias = true },
                         second = { .padding = BORN_INTS(1), .no_bias = true },
                         short_cut = { .stride = (born_ints){ &stride, 1 }, .no_bias = true };
    born_module *m = born_module_define(parent, name, &ops, NULL, 0);

    born_conv2d(m, "conv1", in, out, BORN_INTS(3), &first);
    born_batch_norm2d(m, "bn1", out, NULL);
    born_conv2d(m, "conv2", out, out, BORN_INTS(3), &second);
    born_batch_norm2d(m, "bn2", out, NULL);
    if (in == out && stride == 1) return;
    born_module *down = born_module_group(m, "downsample");
    born_conv2d(down, NULL, in, out, BORN_INTS(1), &short_cut);
    born_batch_norm2d(down, NULL, out, NULL);
}

static void resnet(born_module *net)
{
    born_conv2d(net, "conv1", 3, 8, BORN_INTS(3), &(born_conv_desc){ .padding = BORN_INTS(1), .no_bias = true });
    born_batch_norm2d(net, "bn1", 8, NULL);
    born_relu_layer(net, "act");
    block(net, "layer1", 8, 8, 1);
    block(net, "layer2", 8, 16, 2);
    born_adaptive_avg_pool2d(net, "pool", BORN_INTS(1), NULL);
    born_flatten_layer(net, "flat", 1, -1, NULL);
    born_linear(net, "fc", 16, 10, NULL);
}

static void cnn(born_module *net)
{
    born_conv2d(net, "conv", 3, 8, BORN_INTS(3), NULL);
    born_batch_norm2d(net, "bn", 8, NULL);
    born_relu_layer(net, "act");
    born_max_pool2d(net, "pool", BORN_INTS(2), NULL);
    born_dropout_layer(net, "drop", 0.2, NULL);
    born_flatten_layer(net, "flat", 1, -1, NULL);
    born_linear(net, "fc", 8 * 7 * 7, 10, NULL);
}

static void encoder(born_module *net)
{
    const born_transformer_desc d = { .activation = BORN_TRANSFORMER_GELU, .batch_first = true, .final_norm = true };

    born_linear(net, "into", 12, 16, NULL);
    born_transformer_encoder(net, "encoder", 2, 16, 4, 32, 0.1, &d);
    born_linear(net, "out", 16, 10, NULL);
}

static void causal(born_module *net)
{
    const born_transformer_desc d = { .batch_first = true, .norm_first = true, .causal = true };

    born_linear(net, "into", 12, 16, NULL);
    born_transformer_encoder_layer(net, "block", 16, 2, 64, 0.1, &d);
    born_linear(net, "out", 16, 10, NULL);
}

static void lstm(born_module *net)
{
    const born_recurrent_desc d = { .num_layers = 2, .batch_first = true, .bidirectional = true };

    born_lstm_layer(net, "rnn", 12, 16, &d);
    born_linear(net, "out", 32, 10, NULL);
}

static void gru(born_module *net)
{
    born_gru_layer(net, "rnn", 12, 16, &(born_recurrent_desc){ .batch_first = true });
    born_linear(net, "out", 16, 10, NULL);
}

typedef struct kind {
    const char *name;
    void (*make)(born_module *net);
    born_shape x;
} kind;

static const kind *kind_of(const char *name)
{
    static const kind kinds[] = {
        { "mlp", mlp, { 2, { 5, 20 } } },           { "lenet", lenet, { 4, { 3, 1, 28, 28 } } },
        { "resnet", resnet, { 4, { 2, 3, 16, 16 } } }, { "cnn", cnn, { 4, { 2, 3, 16, 16 } } },
        { "encoder", encoder, { 3, { 2, 7, 12 } } }, { "causal", causal, { 3, { 2, 7, 12 } } },
        { "lstm", lstm, { 3, { 2, 9, 12 } } },      { "gru", gru, { 3, { 2, 9, 12 } } },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name)) return &kinds[i];
    return NULL;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int64_t count_of(born_shape s)
{
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

static bool file(const char *path, const char *mode, float *v, int64_t n)
{
    FILE *f = fopen(path, mode);
    size_t done = !f ? 0 : *mode == 'r' ? fread(v, 4, (size_t)n, f) : fwrite(v, 4, (size_t)n, f);
    if (f) fclose(f);
    return done == (size_t)n;
}

static int fail(const char *what, const born_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->text);
    return 1;
}

/* ---- PyTorch's weights ------------------------------------------------------------------------------------------- */

#if WITH_HUB
static int load(const kind *k, born_backend *b, born_module *net, char **path)
{
    static float x[MOST], y[MOST];
    born_error err = { 0 };

    if (born_module_load(net, path[0], NULL, &err)) return fail("load", &err);
    if (!file(path[1], "rb", x, count_of(k->x))) return fail("no input", &err);
    born_module_train(net, false);
    born_tensor out = (born_forward)(net, (born_from)(b, (born_array){ BORN_F32, k->x, x, 0 }, BORN_F32, NULL), NULL);
    int64_t n = count_of(born_shape_of(out));
    if (n > MOST || born_read(out, y, (size_t)n * 4)) return fail("forward", born_backend_error(b));
    return !file(path[2], "wb", y, n);
}
#endif

/* ---- Born's networks --------------------------------------------------------------------------------------------- */

/* A few steps, so that weights, running means and variances are not those of the beginning. */
static born_tensor any_loss(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores)
{
    (void)user, (void)n;
    *scores = born_forward(net, batch[0]);
    return born_reduce_mean(born_square(born_sub(*scores, 0.5)), (born_ints){ 0 },
                            &(born_reduce_attrs){ .drop_dims = true });
}

static born_status train(born_module *net, const born_array *x, born_error *err)
{
    born_step *step = NULL;
    born_optim *opt = born_adamw(net, 1e-2, 0.01, NULL);
    born_status st = born_step_open(&(born_step_desc){ .net = net, .optim = opt, .loss = any_loss }, &step, err);

    for (int i = 0; i < 5 && !st; i++) st = born_step_run(step, x, 1, NULL, NULL, err);
    if (!st) st = born_step_sync(step, err);
    born_step_close(&step);
    born_optim_close(&opt);
    return st;
}

/* What a model opened from the file says, against what the network said: the largest difference. */
static bool difference(const char *path, bool exact, const born_array *x, const float *y, int64_t n, double *worst)
{
    born_error err = { 0 };
    born_model *m = NULL;
    born_session *s = NULL;
    born_array out;
    const float *got = NULL;
    size_t count = 0;

    *worst = 0;
    born_status st = born_model_open(path, &(born_model_desc){ .exact = exact }, &m, &err);
    if (!st) st = born_session_open(m, NULL, &s, &err);
    if (!st) st = born_session_run(s, x, 1, &out, 1, &err);
    if (!st) st = born_array_f32(&out, &got, &count, &err);
    bool good = !st && count == (size_t)n;
    for (int64_t i = 0; good && i < n; i++) *worst = fmax(*worst, fabs((double)got[i] - y[i]) / (1 + fabs(y[i])));
    if (good && !memcmp(got, y, (size_t)n * 4)) *worst = -1;
    if (st) (void)fail(path, &err);
    born_session_close(&s);
    born_model_close(&m);
    return good;
}

static int save(const kind *k, born_backend *b, born_module *net, char **path)
{
    static float x[MOST], y[MOST];
    born_error err = { 0 };
    born_graph *g = NULL;
    const born_array in = { BORN_F32, k->x, x, 0 };
    double worst;

    for (int64_t i = 0; i < count_of(k->x); i++) x[i] = (float)((i * 2654435761u >> 8) % 1000) / 500 - 1;
    if (train(net, &in, &err)) return fail("train", &err);
    born_module_train(net, false);
    (void)born_grad_mode(b, false);
    born_tensor t = (born_from)(b, in, BORN_F32, NULL);
    if (born_trace_begin(b, &t, 1, &err)) return fail("trace", &err);
    born_tensor out = born_forward(net, t);
    if (born_trace_end(b, &out, 1, &g, &err)) return fail("trace", &err);
    int64_t n = count_of(born_shape_of(out));
    if (n > MOST || born_read(out, y, (size_t)n * 4)) return fail("forward", born_backend_error(b));
    bool good = file(path[2], "wb", x, count_of(k->x)) && file(path[3], "wb", y, n);
    for (int i = 0; i < 2 && good; i++) {
        if (born_graph_save(g, path[i], &err)) good = !fail(path[i], &err);
        if (good && difference(path[i], true, &in, y, n, &worst) && worst >= 0) {
            fprintf(stderr, "%s: not the same bits: largest difference %g\n", path[i], worst);
            good = false;
        }
        good = good && difference(path[i], false, &in, y, n, &worst);
        if (good && worst > 1e-5) {
            fprintf(stderr, "%s, all passes: largest difference %g\n", path[i], worst);
            good = false;
        }
    }
    born_graph_close(&g);
    return !good;
}

int main(int argc, char **argv)
{
    const kind *k = argc == 6 || argc == 7 ? kind_of(argv[2]) : NULL;

    if (!k) return 2;
    born_backend *b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = 2 })));
    born_module *net = born_module_create_with(b, &(born_module_desc){ .seed = 4 });
    k->make(net);
    int rc = 2;
    if (!strcmp(argv[1], "save") && argc == 7) rc = save(k, b, net, argv + 3);
#if WITH_HUB
    if (!strcmp(argv[1], "load") && argc == 6) rc = load(k, b, net, argv + 3);
#endif
    born_module_close(&net);
    born_backend_close(&b);
    return rc;
}
