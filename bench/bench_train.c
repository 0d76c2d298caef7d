/* Whole training steps (forward, backward, update) on made-up data, planned:
     bench_train [--json] [--threads N] [--seconds S] [--eager] [--profile] [NAME]...    (without N: with 1 and with 2)
   Items a second (tokens for the GPT), the share of the FMA peak of a core times threads that products and convolutions
   reach, and the plan's peak memory. compare_torch_train.py runs the same networks in PyTorch and calls this beside. */
#include <born/born.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cpu/peak.h"

enum { CLASSES = 10, VOCAB = 65, CONTEXT = 256, WIDTH = 128, LAYERS = 4 };

typedef struct bench_case {
    const char *name;
    int64_t batch;
    void (*build)(born_module *net);
    born_loss_fn loss;
    born_optim_kind optim;
    double lr;
    int64_t side;               /* of an image; 0: rows of 784; -1: tokens */
} bench_case;

static void build_mlp(born_module *net)
{
    born_linear(net, NULL, 784, 128, NULL);
    born_relu_layer(net, NULL);
    born_linear(net, NULL, 128, CLASSES, NULL);
}

static void build_lenet(born_module *net)
{
    const born_conv_desc pad = { .padding = BORN_INTS(2) };

    born_conv2d(net, NULL, 1, 6, BORN_INTS(5), &pad);
    born_relu_layer(net, NULL);
    born_max_pool2d(net, NULL, BORN_INTS(2), NULL);
    born_conv2d(net, NULL, 6, 16, BORN_INTS(5), NULL);
    born_relu_layer(net, NULL);
    born_max_pool2d(net, NULL, BORN_INTS(2), NULL);
    born_flatten_layer(net, NULL, 1, -1, NULL);
    born_linear(net, NULL, 400, 120, NULL);
    born_relu_layer(net, NULL);
    born_linear(net, NULL, 120, 84, NULL);
    born_relu_layer(net, NULL);
    born_linear(net, NULL, 84, CLASSES, NULL);
}

static void build_cnn(born_module *net)
{
    const born_conv_desc pad = { .padding = BORN_INTS(1) };

    born_conv2d(net, NULL, 1, 32, BORN_INTS(3), &pad);
    born_relu_layer(net, NULL);
    born_max_pool2d(net, NULL, BORN_INTS(2), NULL);
    born_conv2d(net, NULL, 32, 64, BORN_INTS(3), &pad);
    born_relu_layer(net, NULL);
    born_max_pool2d(net, NULL, BORN_INTS(2), NULL);
    born_flatten_layer(net, NULL, 1, -1, NULL);
    born_linear(net, NULL, 3136, 128, NULL);
    born_relu_layer(net, NULL);
    born_linear(net, NULL, 128, CLASSES, NULL);
}

static void build_gpt(born_module *net)
{
    const born_transformer_desc block = { .activation = BORN_TRANSFORMER_GELU, .batch_first = true, .norm_first = true,
                                          .causal = true };

    born_embedding(net, "tokens", VOCAB, WIDTH, NULL);
    born_embedding(net, "positions", CONTEXT, WIDTH, NULL);
    born_module *blocks = born_module_group(net, "blocks");
    for (int i = 0; i < LAYERS; i++) born_transformer_encoder_layer(blocks, NULL, WIDTH, 4, 4 * WIDTH, 0, &block);
    born_layer_norm_layer(net, "norm", BORN_INTS(WIDTH), NULL);
    born_linear(net, "head", WIDTH, VOCAB, NULL);
}

static born_tensor loss_gpt(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores)
{
    static int64_t position[CONTEXT];

    (void)user, (void)n, (void)scores;
    for (int i = 0; i < CONTEXT; i++) position[i] = i;
    born_i64 p = born_from_i64(born_module_backend(net), BORN_ARRAY(position, CONTEXT));
    born_tensor x = born_add(born_forward(born_module_get(net, "tokens"), batch[0]),
                             born_forward(born_module_get(net, "positions"), p));
    x = born_forward(born_module_get(net, "blocks"), x);
    x = born_forward(born_module_get(net, "head"), born_forward(born_module_get(net, "norm"), x));
    born_tensor rows = born_reshape(x, BORN_SHAPE(-1, VOCAB)), classes = born_reshape(batch[1], BORN_SHAPE(-1));
    return born_cross_entropy(rows, classes, NULL);
}

static const bench_case cases[] = {
    { "mlp", 64, build_mlp, NULL, BORN_SGD, 0.05, 0 },         { "mlp", 256, build_mlp, NULL, BORN_SGD, 0.05, 0 },
    { "lenet", 64, build_lenet, NULL, BORN_SGD, 0.05, 28 },    { "lenet", 256, build_lenet, NULL, BORN_SGD, 0.05, 28 },
    { "cnn", 64, build_cnn, NULL, BORN_ADAM, 1e-3, 28 },       { "gpt", 4, build_gpt, loss_gpt, BORN_ADAMW, 1e-3, -1 },
    { "gpt", 16, build_gpt, loss_gpt, BORN_ADAMW, 1e-3, -1 },
};

typedef struct options {
    double seconds;
    bool json, eager, profile;
} options;

static void batch_of(const bench_case *c, born_array *f, void **memory)
{
    int64_t inputs = c->side < 0 ? CONTEXT : 784, labels = c->side < 0 ? CONTEXT : 1;
    float *x = calloc((size_t)(c->batch * inputs), 8);
    int64_t *y = calloc((size_t)(c->batch * labels), 8);

    memory[0] = x, memory[1] = y;
    if (!x || !y) exit(1);
    for (int64_t i = 0; i < c->batch * inputs; i++) {
        if (c->side < 0) ((int64_t *)(void *)x)[i] = i * 7919 % 10007 % VOCAB;
        else x[i] = (float)(i * 7919 % 10007) / 10007 - 0.5f;
    }
    for (int64_t i = 0; i < c->batch * labels; i++) y[i] = i * 7 % CLASSES;
    f[0] = (born_array){ BORN_F32, BORN_SHAPE(c->batch, 784), x, 0 };
    f[1] = (born_array){ BORN_I64, BORN_SHAPE(c->batch), y, 0 };
    if (c->side > 0) f[0].shape = BORN_SHAPE(c->batch, 1, c->side, c->side);
    if (c->side < 0) f[0].dtype = BORN_I64, f[0].shape = f[1].shape = BORN_SHAPE(c->batch, CONTEXT);
}

static void print_row(void *user, const born_profile_row *r)
{
    (void)user;
    printf("    %8.1f us  %-22s %6.1f GFLOP/s  %s\n", 1e6 * r->seconds / (double)r->calls, r->op,
           r->seconds > 0 ? r->flops / r->seconds / 1e9 : 0, r->node);
}

static int measure(const bench_case *c, int threads, const options *o)
{
    born_backend *b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = threads })));
    born_module *net = born_module_create(b);
    born_error err = { 0 };
    born_array f[2];
    void *memory[2];
    born_step *step = NULL;
    born_step_stats stats;
    double best = 1e30, sum = 0, loss, peak;
    int64_t runs = 0;

    c->build(net);
    born_optim *opt = born_optim_create_sized(c->optim, net, c->lr, 0, NULL, 0);
    batch_of(c, f, memory);
    born_status st = born_step_open(&(born_step_desc){ .net = net, .optim = opt, .loss = c->loss, .eager = o->eager,
                                                       .no_scores = true, .profile = o->profile }, &step, &err);
    for (int i = 0; i < 3 && !st; i++) st = born_step_run(step, f, 2, &loss, NULL, &err);
    double start = born__clock_seconds();
    while (!st && (runs < 5 || born__clock_seconds() - start < o->seconds)) {
        double t = born__clock_seconds();
        st = born_step_run(step, f, 2, &loss, NULL, &err);
        t = born__clock_seconds() - t;
        sum += t, runs++;
        if (t < best) best = t;
    }
    peak = born__cpu_peak() * threads;
    born_step_stats_get(step, &stats);
    int64_t items = c->batch * (c->side < 0 ? CONTEXT : 1);
    double mean = runs ? sum / (double)runs : 1;
    if (st) fprintf(stderr, "bench_train: %s: %s\n", c->name, err.text);
    else if (o->json)
        printf("{\"name\":\"%s\",\"batch\":%lld,\"threads\":%d,\"items_per_second\":%.1f,"
               "\"best_items_per_second\":%.1f,"
               "\"share_of_peak\":%.4f,\"peak_bytes\":%zu}\n", c->name, (long long)c->batch, threads,
               (double)items / mean, (double)items / best, stats.flops / mean / peak, stats.peak_bytes);
    else
        printf("%-6s batch %3lld  %d thread(s)  %10.0f items/s (best %10.0f)  %5.1f%% of FMA peak  %.1f MiB\n", c->name,
               (long long)c->batch, threads, (double)items / mean, (double)items / best,
               100 * stats.flops / mean / peak, (double)stats.peak_bytes / 1048576);
    if (o->profile && !st) born_step_profile(step, print_row, NULL);
    born_step_close(&step), born_optim_close(&opt), born_module_close(&net), born_backend_close(&b);
    free(memory[0]), free(memory[1]);
    return st != BORN_OK;
}

int main(int argc, char **argv)
{
    options o = { .seconds = 1 };
    int threads = 0, first = 1, failed = 0;

    for (; first < argc && argv[first][0] == '-'; first++) {
        if (!strcmp(argv[first], "--json")) o.json = true;
        else if (!strcmp(argv[first], "--eager")) o.eager = true;
        else if (!strcmp(argv[first], "--profile")) o.profile = true;
        else if (!strcmp(argv[first], "--threads") && first + 1 < argc) threads = atoi(argv[++first]);
        else if (!strcmp(argv[first], "--seconds") && first + 1 < argc) o.seconds = atof(argv[++first]);
        else return fprintf(stderr, "usage: bench_train [--json] [--threads N] [--seconds S] [--eager] [--profile] "
                                    "[NAME]...\n"), 2;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool wanted = first == argc;
        for (int a = first; a < argc; a++) wanted = wanted || !strcmp(argv[a], cases[i].name);
        for (int t = 1; t <= 2 && wanted; t++)
            if (!threads || t == threads) failed |= measure(&cases[i], t, &o);
        if (wanted && threads > 2) failed |= measure(&cases[i], threads, &o);
    }
    return failed;
}
