/* The f32 operators of a training step of small image networks, forward and backward, on the CPU, best of many runs:
     bench_gradients [--mask LEVEL] [--threads N] [--op NAME] [--seconds S] [--channels-last | --row-major]
   Shapes: LeNet-5, a CNN of 32 and 64 channels and ResNet-18 on 32x32, all at batch 64, and a layer norm. Each runs in
   the layout that a planned step gives it (images of 16 channels or more channels-last) unless the command says other.
   GFLOP/s count the products of the convolution (of its whole window, padding included), as a share of the measured FMA
   peak; GB/s operands and results once. compare_torch_conv.py times the same in PyTorch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <born/attrs.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cpu/kernel.h"
#include "cpu/peak.h"
#include "tensor/view.h"

typedef struct bench_case {
    const char *op, *name;
    int64_t in[3][4];           /* dims of the operands; 0 ends */
    int kernel, stride, pad;
    int more;                   /* cells of a transposed convolution's result that no window reaches */
    double products;            /* multiply-adds */
} bench_case;

static const bench_case cases[] = {
    { "conv", "lenet 1-6", { { 64, 1, 28, 28 }, { 6, 1, 5, 5 } }, 5, 1, 2, 0,
      64.0 * 6 * 28 * 28 * 1 * 25 },
    { "conv", "lenet 6-16", { { 64, 6, 14, 14 }, { 16, 6, 5, 5 } }, 5, 1, 0, 0,
      64.0 * 16 * 10 * 10 * 6 * 25 },
    { "conv", "cnn 1-32", { { 64, 1, 28, 28 }, { 32, 1, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 32 * 28 * 28 * 1 * 9 },
    { "conv", "cnn 32-64", { { 64, 32, 14, 14 }, { 64, 32, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 64 * 14 * 14 * 32 * 9 },
    { "conv", "rn 3-64", { { 64, 3, 32, 32 }, { 64, 3, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 64 * 32 * 32 * 3 * 9 },
    { "conv", "rn 64-64", { { 64, 64, 32, 32 }, { 64, 64, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 64 * 32 * 32 * 64 * 9 },
    { "conv", "rn 64-128/2", { { 64, 64, 32, 32 }, { 128, 64, 3, 3 } }, 3, 2, 1, 0,
      64.0 * 128 * 16 * 16 * 64 * 9 },
    { "conv", "rn 128-128", { { 64, 128, 16, 16 }, { 128, 128, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 128 * 16 * 16 * 128 * 9 },
    { "conv", "rn 128-256/2", { { 64, 128, 16, 16 }, { 256, 128, 3, 3 } }, 3, 2, 1, 0,
      64.0 * 256 * 8 * 8 * 128 * 9 },
    { "conv", "rn 256-256", { { 64, 256, 8, 8 }, { 256, 256, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 256 * 8 * 8 * 256 * 9 },
    { "conv", "rn 256-512/2", { { 64, 256, 8, 8 }, { 512, 256, 3, 3 } }, 3, 2, 1, 0,
      64.0 * 512 * 4 * 4 * 256 * 9 },
    { "conv", "rn 512-512", { { 64, 512, 4, 4 }, { 512, 512, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 512 * 4 * 4 * 512 * 9 },
    { "conv", "rn 64-128 1/2", { { 64, 64, 32, 32 }, { 128, 64, 1, 1 } }, 1, 2, 0, 0,
      64.0 * 128 * 16 * 16 * 64 * 1 },
    { "conv_weight_grad", "lenet 1-6", { { 64, 1, 28, 28 }, { 64, 6, 28, 28 } }, 5, 1, 2, 0,
      64.0 * 6 * 28 * 28 * 1 * 25 },
    { "conv_weight_grad", "lenet 6-16", { { 64, 6, 14, 14 }, { 64, 16, 10, 10 } }, 5, 1, 0, 0,
      64.0 * 16 * 10 * 10 * 6 * 25 },
    { "conv_weight_grad", "cnn 1-32", { { 64, 1, 28, 28 }, { 64, 32, 28, 28 } }, 3, 1, 1, 0,
      64.0 * 32 * 28 * 28 * 1 * 9 },
    { "conv_weight_grad", "cnn 32-64", { { 64, 32, 14, 14 }, { 64, 64, 14, 14 } }, 3, 1, 1, 0,
      64.0 * 64 * 14 * 14 * 32 * 9 },
    { "conv_weight_grad", "rn 3-64", { { 64, 3, 32, 32 }, { 64, 64, 32, 32 } }, 3, 1, 1, 0,
      64.0 * 64 * 32 * 32 * 3 * 9 },
    { "conv_weight_grad", "rn 64-64", { { 64, 64, 32, 32 }, { 64, 64, 32, 32 } }, 3, 1, 1, 0,
      64.0 * 64 * 32 * 32 * 64 * 9 },
    { "conv_weight_grad", "rn 64-128/2", { { 64, 64, 32, 32 }, { 64, 128, 16, 16 } }, 3, 2, 1, 0,
      64.0 * 128 * 16 * 16 * 64 * 9 },
    { "conv_weight_grad", "rn 128-128", { { 64, 128, 16, 16 }, { 64, 128, 16, 16 } }, 3, 1, 1, 0,
      64.0 * 128 * 16 * 16 * 128 * 9 },
    { "conv_weight_grad", "rn 128-256/2", { { 64, 128, 16, 16 }, { 64, 256, 8, 8 } }, 3, 2, 1, 0,
      64.0 * 256 * 8 * 8 * 128 * 9 },
    { "conv_weight_grad", "rn 256-256", { { 64, 256, 8, 8 }, { 64, 256, 8, 8 } }, 3, 1, 1, 0,
      64.0 * 256 * 8 * 8 * 256 * 9 },
    { "conv_weight_grad", "rn 256-512/2", { { 64, 256, 8, 8 }, { 64, 512, 4, 4 } }, 3, 2, 1, 0,
      64.0 * 512 * 4 * 4 * 256 * 9 },
    { "conv_weight_grad", "rn 512-512", { { 64, 512, 4, 4 }, { 64, 512, 4, 4 } }, 3, 1, 1, 0,
      64.0 * 512 * 4 * 4 * 512 * 9 },
    { "conv_weight_grad", "rn 64-128 1/2", { { 64, 64, 32, 32 }, { 64, 128, 16, 16 } }, 1, 2, 0, 0,
      64.0 * 128 * 16 * 16 * 64 * 1 },
    { "conv_transpose", "lenet 6-16", { { 64, 16, 10, 10 }, { 16, 6, 5, 5 } }, 5, 1, 0, 0,
      64.0 * 16 * 10 * 10 * 6 * 25 },
    { "conv_transpose", "cnn 32-64", { { 64, 64, 14, 14 }, { 64, 32, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 64 * 14 * 14 * 32 * 9 },
    { "conv_transpose", "rn 64-64", { { 64, 64, 32, 32 }, { 64, 64, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 64 * 32 * 32 * 64 * 9 },
    { "conv_transpose", "rn 64-128/2", { { 64, 128, 16, 16 }, { 128, 64, 3, 3 } }, 3, 2, 1, 1,
      64.0 * 128 * 16 * 16 * 64 * 9 },
    { "conv_transpose", "rn 128-128", { { 64, 128, 16, 16 }, { 128, 128, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 128 * 16 * 16 * 128 * 9 },
    { "conv_transpose", "rn 128-256/2", { { 64, 256, 8, 8 }, { 256, 128, 3, 3 } }, 3, 2, 1, 1,
      64.0 * 256 * 8 * 8 * 128 * 9 },
    { "conv_transpose", "rn 256-256", { { 64, 256, 8, 8 }, { 256, 256, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 256 * 8 * 8 * 256 * 9 },
    { "conv_transpose", "rn 256-512/2", { { 64, 512, 4, 4 }, { 512, 256, 3, 3 } }, 3, 2, 1, 1,
      64.0 * 512 * 4 * 4 * 256 * 9 },
    { "conv_transpose", "rn 512-512", { { 64, 512, 4, 4 }, { 512, 512, 3, 3 } }, 3, 1, 1, 0,
      64.0 * 512 * 4 * 4 * 512 * 9 },
    { "conv_transpose", "rn 64-128 1/2", { { 64, 128, 16, 16 }, { 128, 64, 1, 1 } }, 1, 2, 0, 1,
      64.0 * 128 * 16 * 16 * 64 * 1 },
    { "max_pool", "lenet 6", { { 64, 6, 28, 28 } }, 2, 2, 0, 0, 0 },
    { "max_pool", "lenet 16", { { 64, 16, 10, 10 } }, 2, 2, 0, 0, 0 },
    { "max_pool", "cnn 32", { { 64, 32, 28, 28 } }, 2, 2, 0, 0, 0 },
    { "max_pool", "cnn 64", { { 64, 64, 14, 14 } }, 2, 2, 0, 0, 0 },
    { "max_pool_grad", "lenet 6", { { 64, 6, 14, 14 }, { 64, 6, 28, 28 } }, 2, 2, 0, 0, 0 },
    { "max_pool_grad", "lenet 16", { { 64, 16, 5, 5 }, { 64, 16, 10, 10 } }, 2, 2, 0, 0, 0 },
    { "max_pool_grad", "cnn 32", { { 64, 32, 14, 14 }, { 64, 32, 28, 28 } }, 2, 2, 0, 0, 0 },
    { "max_pool_grad", "cnn 64", { { 64, 64, 7, 7 }, { 64, 64, 14, 14 } }, 2, 2, 0, 0, 0 },
    { "average_pool", "rn 512", { { 64, 512, 4, 4 } }, 4, 4, 0, 0, 0 },
    { "average_pool_grad", "rn 512", { { 64, 512, 1, 1 }, { 64, 512, 4, 4 } }, 4, 4, 0, 0, 0 },
    { "reduce_sum", "lenet 6", { { 64, 6, 28, 28 } }, 0, 0, 0, 0, 0 },
    { "reduce_sum", "cnn 32", { { 64, 32, 28, 28 } }, 0, 0, 0, 0, 0 },
    { "reduce_sum", "cnn 64", { { 64, 64, 14, 14 } }, 0, 0, 0, 0, 0 },
    { "batch_norm", "rn 64", { { 64, 64, 32, 32 }, { 64 }, { 64 } }, 0, 0, 0, 0, 0 },
    { "batch_norm", "rn 512", { { 64, 512, 4, 4 }, { 512 }, { 512 } }, 0, 0, 0, 0, 0 },
    { "batch_norm_grad", "rn 64", { { 64, 64, 32, 32 }, { 64, 64, 32, 32 }, { 64 } }, 0, 0, 0, 0, 0 },
    { "batch_norm_grad", "rn 512", { { 64, 512, 4, 4 }, { 64, 512, 4, 4 }, { 512 } }, 0, 0, 0, 0, 0 },
    { "layer_norm_grad", "4096x128", { { 4096, 128 }, { 4096, 128 }, { 128 } }, 0, 0, 0, 0, 0 },
};

enum { MOST = 5 };
typedef struct problem {
    _Alignas(16) char attrs[1024];
    int64_t kernel[2], stride[2], pads[4], sizes[4], more[2];
    born_view in[MOST], out[3];
    int in_count, out_count;
} problem;

/* As a planned step has it, or as the command says. */
typedef enum layout { AS_PLANNED, ROW_MAJOR, CHANNELS_LAST } layout;

static void lay_out(born_view *v, layout how)
{
    if (v->rank == 4 && (how == CHANNELS_LAST || (how == AS_PLANNED && v->dim[1] >= 16))) born__view_channels_last(v);
}

static bool make_view(born_view *v, const int64_t *dim, layout how)
{
    *v = (born_view){ .dtype = BORN_F32 };
    while (v->rank < 4 && dim[v->rank] > 0) {
        v->dim[v->rank] = dim[v->rank];
        v->rank++;
    }
    born__view_row_major(v);
    lay_out(v, how);
    int64_t n = born__view_count(v);
    v->data = born__alloc((size_t)n * sizeof(float));
    for (int64_t i = 0; v->data && i < n; i++) ((float *)(void *)v->data)[i] = (float)(i * 7919 % 1000) * 1e-3f - 0.5f;
    return v->data != NULL;
}

/* Fields by name, whatever the attribute set is. */
static void set_ints(const born_op *op, char *attrs, const char *name, const int64_t *v, int64_t n)
{
    for (int i = 0; op->attrs && i < op->attrs->count; i++)
        if (!strcmp(op->attrs->field[i].name, name))
            *(born_ints *)(void *)(attrs + op->attrs->field[i].offset) = (born_ints){ v, n };
}

static bool make_problem(const bench_case *b, const born_op *op, layout how, problem *p)
{
    memset(p, 0, sizeof *p);
    if (op->attrs) born__attrs_default(op->attrs, p->attrs);
    for (int i = 0; i < 2; i++) {
        p->kernel[i] = b->kernel;
        p->stride[i] = b->stride;
        p->pads[i] = p->pads[2 + i] = b->pad;
        p->more[i] = b->more;
    }
    if (b->kernel) {
        set_ints(op, p->attrs, "kernel_shape", p->kernel, 2);
        set_ints(op, p->attrs, "strides", p->stride, 2);
        set_ints(op, p->attrs, "pads", p->pads, 4);
        set_ints(op, p->attrs, "output_padding", p->more, 2);
    }
    while (p->in_count < 3 && b->in[p->in_count][0])
        if (!make_view(&p->in[p->in_count], b->in[p->in_count], how)) return false;
        else p->in_count++;
    if (!strcmp(b->op, "conv") || !strcmp(b->op, "conv_transpose")) born__view_row_major(&p->in[1]);
    if (!strcmp(b->op, "average_pool_grad")) {      /* the sizes of x, by the dims that stand for them */
        memcpy(p->sizes, p->in[1].dim, sizeof p->sizes);
        born__free(p->in[1].data);
        p->in[1] = (born_view){ .dtype = BORN_I64, .rank = 1, .dim = { 4 }, .stride = { 1 }, .data = (char *)p->sizes };
    }
    if (!strcmp(b->op, "reduce_sum")) {             /* over all but the channels */
        p->sizes[1] = 2, p->sizes[2] = 3;
        p->in[1] = (born_view){ .dtype = BORN_I64, .rank = 1, .dim = { 3 }, .stride = { 1 }, .data = (char *)p->sizes };
        p->in_count = 2;
    }
    p->out_count = 1;
    if (!strcmp(b->op, "batch_norm")) {
        ((born_batch_norm_attrs *)(void *)p->attrs)->training_mode = true;
        p->in[3] = p->in[4] = p->in[1];
        p->in_count = 5;
    }
    if (strstr(b->op, "norm")) p->out_count = 3;
    if (!strcmp(b->op, "layer_norm_grad")) ((born_layer_norm_attrs *)(void *)p->attrs)->axis = 1;
    return true;
}

/* Seconds of the best run; < 0: could not run. */
static double run_case(const bench_case *b, born_pool *pool, double seconds, layout how, const char **kernel,
                       double *bytes)
{
    problem p;
    born_error err = { 0 };
    born_query q;
    bool shares;
    const born_op *op = born__op_find(b->op, strlen(b->op));

    if (!op || !make_problem(b, op, how, &p)) return -1;
    born_call c = { .op = op, .attrs = op->attrs ? p.attrs : NULL, .in_count = p.in_count, .out_count = p.out_count,
                    .in = p.in, .out = p.out };
    if (born__op_infer(op, c.attrs, p.in, p.in_count, p.out, p.out_count, &shares, &err) != BORN_OK) {
        fprintf(stderr, "%s %s: %s\n", b->op, b->name, err.text);
        return -1;
    }
    *bytes = 0;
    for (int i = 0; i < p.out_count; i++) {
        if (strcmp(b->op, "conv_weight_grad") != 0) lay_out(&p.out[i], how);
        p.out[i].data = born__alloc((size_t)born__view_bytes(&p.out[i]));
        *bytes += (double)born__view_bytes(&p.out[i]);
    }
    for (int i = 0; i < p.in_count; i++) *bytes += (double)born__view_bytes(&p.in[i]);
    const born_kernel *k = born__kernel_pick(&c, &q);
    size_t scratch = k ? q.scratch_bytes : op->scratch ? op->scratch(&c) : 0;
    born_exec x = { .pool = pool, .scratch = born__alloc(scratch + 64), .scratch_bytes = scratch, .err = &err };
    double best = 1e30, start = born__clock_seconds();
    for (int i = 0; i < 3 || (born__clock_seconds() - start < seconds); i++) {
        double t = born__clock_seconds();
        if ((k ? k->run : op->ref)(&c, &x) != BORN_OK) break;
        t = born__clock_seconds() - t;
        if (t < best) best = t;
    }
    *kernel = k ? born__cpu_level_name() : "reference";
    born__free(x.scratch);
    for (int i = 0; i < (int)(sizeof b->in / sizeof b->in[0]) && i < p.in_count; i++)
        if (p.in[i].dtype == BORN_F32) born__free(p.in[i].data);
    for (int i = 0; i < p.out_count; i++) born__free(p.out[i].data);
    return best;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    double seconds = 0.2;
    int threads = 1;
    layout how = AS_PLANNED;
    born_pool *pool = NULL;
    born_error err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--channels-last")) how = CHANNELS_LAST;
        else if (!strcmp(argv[i], "--row-major")) how = ROW_MAJOR;
        else if (i + 1 >= argc) break;
        else if (!strcmp(argv[i], "--op")) only = argv[++i];
        else if (!strcmp(argv[i], "--threads")) threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[++i]);
        else if (!strcmp(argv[i], "--mask") && born__cpu_mask(argv[++i], &err) != BORN_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    }
    if (born__pool_open(threads, &pool, &err) != BORN_OK) return 1;
    double peak = born__cpu_peak() * threads;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bench_case *b = &cases[i];
        const char *kernel = "";
        double bytes = 0;
        if (only && strcmp(only, b->op)) continue;
        double t = run_case(b, pool, seconds, how, &kernel, &bytes);
        if (t < 0) continue;
        printf("%-18s %-13s %-9s %9.1f us  %7.1f GFLOP/s (%.2f)  %6.1f GB/s\n", b->op, b->name, kernel, t * 1e6,
               2 * b->products / t * 1e-9, 2 * b->products / t / peak, bytes / t * 1e-9);
    }
    born__pool_close(&pool);
    return 0;
}
