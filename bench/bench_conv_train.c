/* Training steps of small convolutional networks, as a planned graph (loss and gradients; no optimiser), node by node:
     bench_conv_train [--mask LEVEL] [--threads N] [--net NAME] [--batch N] [--seconds S] [--nodes]
   Networks: lenet (LeNet-5), cnn (32 and 64 channels), resnet (ResNet-18 on 32x32). Prints samples/s, and with --nodes
   the mean time of each node of the plan, GFLOP/s and share of the measured FMA peak where the profile knows them. */
#include <born/born.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cpu/kernel.h"
#include "cpu/peak.h"

enum { MOST = 128 };

typedef struct net {
    const char *name;
    int64_t batch, image[3];
    void (*make)(born_module *m);
} net;

static void conv(born_module *m, int64_t in, int64_t out, int64_t kernel, int64_t pad)
{
    born_conv2d(m, NULL, in, out, BORN_INTS(kernel), &(born_conv_desc){ .padding = BORN_INTS(pad) });
}

static void relu_pool(born_module *m)
{
    born_relu_layer(m, NULL);
    born_max_pool2d(m, NULL, BORN_INTS(2), NULL);
}

static void make_lenet(born_module *m)
{
    conv(m, 1, 6, 5, 2), relu_pool(m), conv(m, 6, 16, 5, 0), relu_pool(m);
    born_flatten_layer(m, NULL, 1, -1, NULL);
    born_linear(m, NULL, 400, 120, NULL), born_relu_layer(m, NULL);
    born_linear(m, NULL, 120, 84, NULL), born_relu_layer(m, NULL);
    born_linear(m, NULL, 84, 10, NULL);
}

static void make_cnn(born_module *m)
{
    conv(m, 1, 32, 3, 1), relu_pool(m), conv(m, 32, 64, 3, 1), relu_pool(m);
    born_flatten_layer(m, NULL, 1, -1, NULL);
    born_linear(m, NULL, 3136, 128, NULL), born_relu_layer(m, NULL);
    born_linear(m, NULL, 128, 10, NULL);
}

/* Two convolutions with batch norm, plus what came in, through one of one cell where sizes differ. */
static void forward_block(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    born_module *skip = born_module_get(m, "skip");
    born_tensor x, y = (born_forward)(born_module_get(m, "body"), in[0], NULL);

    (void)n_in, (void)n_out, (void)at;
    x = skip ? (born_forward)(skip, in[0], NULL) : in[0];
    out[0] = (born_relu)((born_add)(y, x, NULL), NULL);
}
static const born_module_ops block_ops = { .name = "Block", .forward = forward_block };

static void conv_norm(born_module *m, int64_t in, int64_t out, int64_t kernel, int64_t stride)
{
    born_conv2d(m, NULL, in, out, BORN_INTS(kernel),
                &(born_conv_desc){ .padding = BORN_INTS(kernel / 2), .stride = BORN_INTS(stride), .no_bias = true });
    born_batch_norm2d(m, NULL, out, NULL);
}

static void make_resnet(born_module *m)
{
    int64_t in = 64;

    conv_norm(m, 3, 64, 3, 1);
    born_relu_layer(m, NULL);
    for (int i = 0; i < 8; i++) {
        int64_t out = (int64_t)64 << i / 2, stride = out == in ? 1 : 2;
        born_module *b = born_module_define(m, NULL, &block_ops, NULL, 0), *body = born_module_group(b, "body");
        conv_norm(body, in, out, 3, stride);
        born_relu_layer(body, NULL);
        conv_norm(body, out, out, 3, 1);
        if (stride == 2) conv_norm(born_module_group(b, "skip"), in, out, 1, 2);
        in = out;
    }
    born_adaptive_avg_pool2d(m, NULL, BORN_INTS(1), NULL);
    born_flatten_layer(m, NULL, 1, -1, NULL);
    born_linear(m, NULL, 512, 10, NULL);
}

static const net nets[] = {
    { "lenet", 64, { 1, 28, 28 }, make_lenet },
    { "cnn", 64, { 1, 28, 28 }, make_cnn },
    { "resnet", 64, { 3, 32, 32 }, make_resnet },
};

typedef struct step {
    born_session *s;
    born_model *m;
    born_array in[MOST], out[MOST];
    born_tensor tensor[MOST];
    int in_count, out_count;
} step;

static bool list_param(void *user, const born_module_item *item)
{
    step *t = user;
    if (item->role == BORN_PARAM && t->in_count < MOST) t->tensor[t->in_count++] = item->value;
    return true;
}

/* The arrays that a session reads: what the tensors hold. */
static bool copy_inputs(step *t)
{
    for (int i = 0; i < t->in_count; i++) {
        born_shape v = (born_shape_of)(t->tensor[i]);
        born_dtype type = (born_dtype_of)(t->tensor[i]);
        size_t n = 1, size = type == BORN_I64 ? 8 : 4;
        for (int d = 0; d < v.rank; d++) n *= (size_t)v.dim[d];
        void *p = malloc(n * size);
        if (!p || (born_read)(t->tensor[i], p, n * size)) return false;
        t->in[i] = (born_array){ type, v, p, 0 };
    }
    return true;
}

/* Records a step: the batch and the parameters are inputs, loss and gradients outputs. */
static born_status record(const net *n, born_backend *b, int threads, bool profile, step *t, born_error *err)
{
    size_t pixels = (size_t)(n->batch * n->image[0] * n->image[1] * n->image[2]);
    float *x = malloc(pixels * sizeof *x);
    int64_t *label = malloc((size_t)n->batch * sizeof *label);
    born_graph *graph = NULL;
    born_module *m = born_module_create(b);
    born_tensor out[MOST];

    for (size_t i = 0; i < pixels; i++) x[i] = (float)(i * 7919 % 1000) * 1e-3f - 0.5f;
    for (int64_t i = 0; i < n->batch; i++) label[i] = i * 7 % 10;
    n->make(m);
    born_scope s = born_scope_begin(b);
    t->tensor[0] = (born_from)(b, BORN_ARRAY(x, n->batch, n->image[0], n->image[1], n->image[2]), BORN_F32, NULL);
    t->tensor[1] = (born_from)(b, BORN_ARRAY(label, n->batch), BORN_I64, NULL);
    t->in_count = 2;
    born_status st = born_module_each(m, list_param, t);
    if (!st) st = born_trace_begin(b, t->tensor, t->in_count, err);
    born_tensor y = (born_forward)(m, t->tensor[0], NULL);
    born_tensor loss = (born_cross_entropy)(y, t->tensor[1], NULL, NULL);
    if (!st) st = (born_backward)(loss);
    out[0] = loss;
    t->out_count = 1;
    for (int i = 2; i < t->in_count; i++) out[t->out_count++] = (born_grad_of)(t->tensor[i]);
    born_status end = born_trace_end(b, out, t->out_count, &graph, err);
    if (!st) st = end;
    if (!st && !copy_inputs(t)) st = BORN_NOMEM;
    if (!st) st = born_model_from_graph(&graph, &(born_model_desc){ .exact = true }, &t->m, err);
    if (!st) st = born_session_open(t->m, &(born_session_desc){ .threads = threads, .profile = profile }, &t->s, err);
    if (st && !err->status) born_backend_take_error(b, err);
    born_scope_end(s);
    born_module_close(&m);
    free(x), free(label);
    return st;
}

static double peak;
static int64_t runs;
static void print_node(void *user, const born_profile_row *r)
{
    double t = r->seconds / (double)runs;

    *(double *)user += t;
    printf("  %-20.20s %-34.34s %9.1f us", r->op, r->node ? r->node : "", t * 1e6);
    if (r->flops > 0)
        printf("  %7.1f GFLOP/s (%.2f)", r->flops / r->seconds * 1e-9, r->flops / r->seconds / peak);
    printf("  %s\n", r->kernel ? r->kernel : "");
}

static bool bench(const net *n, int threads, double seconds, bool nodes)
{
    born_error err = { 0 };
    born_backend *b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = threads })));
    step t = { .in_count = 0 };
    double best = 1e30, sum = 0;
    born_status st = record(n, b, threads, nodes, &t, &err);

    runs = 0;
    for (double start = born__clock_seconds(); !st && (runs < 3 || born__clock_seconds() - start < seconds); runs++) {
        double now = born__clock_seconds();
        st = born_session_run(t.s, t.in, t.in_count, t.out, t.out_count, &err);
        now = born__clock_seconds() - now;
        if (now < best) best = now;
    }
    if (!st) printf("%-7s batch %lld, %d threads: %9.1f us, %9.0f samples/s\n", n->name, (long long)n->batch, threads,
                    best * 1e6, (double)n->batch / best);
    else fprintf(stderr, "%s: %s\n", n->name, err.text);
    if (!st && nodes) {
        born_session_profile(t.s, print_node, &sum);
        printf("  nodes together %.1f us\n", sum * 1e6);
    }
    for (int i = 0; i < t.in_count; i++) free((void *)(uintptr_t)t.in[i].data);
    born_session_close(&t.s);
    born_model_close(&t.m);
    born_backend_close(&b);
    return st == BORN_OK;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    double seconds = 1;
    int threads = 1;
    int64_t batch = 0;
    bool nodes = false, good = true;
    born_error err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--nodes")) nodes = true;
        else if (i + 1 >= argc) break;
        else if (!strcmp(argv[i], "--net")) only = argv[++i];
        else if (!strcmp(argv[i], "--threads")) threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--batch")) batch = atoll(argv[++i]);
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[++i]);
        else if (!strcmp(argv[i], "--mask") && born__cpu_mask(argv[++i], &err) != BORN_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    }
    peak = born__cpu_peak() * threads;
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        net n = nets[i];
        if (only && strcmp(only, n.name)) continue;
        if (batch > 0) n.batch = batch;
        good = bench(&n, threads, seconds, nodes) && good;
    }
    return good ? 0 : 1;
}
