/* Single operators on the CPU, best of many runs:
     bench_ops [--json] [--mask LEVEL] [--threads N] [--op NAME] [--seconds S] [--reference]
   Shapes are the layers of ResNet-50, VGG-19, SqueezeNet, MobileNet and a small transformer. Images lie with channels
   innermost, constant weights are packed before, as in a planned graph. GFLOP/s are given where the op counts them,
   GB/s of operands and result elsewhere. With --reference the reference kernels run instead. */
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
    int64_t x[4], w[4]; /* dims of operand 0 and 1; 0 ends */
    int stride, pad, group;
    born_dtype t, to; /* of the operands (0: f32) and of a cast */
} bench_case;

static const bench_case cases[] = {
    { "conv", "resnet stem", { 1, 3, 224, 224 }, { 64, 3, 7, 7 }, 2, 3, 1, 0, 0 },
    { "conv", "resnet 1x1 64-64", { 1, 64, 56, 56 }, { 64, 64, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 3x3 64", { 1, 64, 56, 56 }, { 64, 64, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "resnet 1x1 64-256", { 1, 64, 56, 56 }, { 256, 64, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 1x1 256-64", { 1, 256, 56, 56 }, { 64, 256, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 3x3 128", { 1, 128, 28, 28 }, { 128, 128, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "resnet 1x1 128-512", { 1, 128, 28, 28 }, { 512, 128, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 1x1 512-128", { 1, 512, 28, 28 }, { 128, 512, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 3x3 256", { 1, 256, 14, 14 }, { 256, 256, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "resnet 1x1 256-1024", { 1, 256, 14, 14 }, { 1024, 256, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 1x1 1024-256", { 1, 1024, 14, 14 }, { 256, 1024, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 3x3 512", { 1, 512, 7, 7 }, { 512, 512, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "resnet 1x1 512-2048", { 1, 512, 7, 7 }, { 2048, 512, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet 1x1 2048-512", { 1, 2048, 7, 7 }, { 512, 2048, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "resnet down 1x1 s2", { 1, 256, 56, 56 }, { 512, 256, 1, 1 }, 2, 0, 1, 0, 0 },
    { "conv", "vgg 3x3 3-64", { 1, 3, 224, 224 }, { 64, 3, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "vgg 3x3 64", { 1, 64, 224, 224 }, { 64, 64, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "vgg 3x3 256", { 1, 256, 56, 56 }, { 256, 256, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "vgg 3x3 512", { 1, 512, 28, 28 }, { 512, 512, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "vgg 3x3 512 small", { 1, 512, 14, 14 }, { 512, 512, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "squeeze 1x1 64-16", { 1, 64, 55, 55 }, { 16, 64, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "squeeze 1x1 16-64", { 1, 16, 55, 55 }, { 64, 16, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "squeeze 3x3 16-64", { 1, 16, 55, 55 }, { 64, 16, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "squeeze 3x3 64-256", { 1, 64, 13, 13 }, { 256, 64, 3, 3 }, 1, 1, 1, 0, 0 },
    { "conv", "squeeze 1x1 512-1000", { 1, 512, 13, 13 }, { 1000, 512, 1, 1 }, 1, 0, 1, 0, 0 },
    { "conv", "mobile dw 3x3 32", { 1, 32, 112, 112 }, { 32, 1, 3, 3 }, 1, 1, 32, 0, 0 },
    { "conv", "mobile dw 3x3 144 s2", { 1, 144, 56, 56 }, { 144, 1, 3, 3 }, 2, 1, 144, 0, 0 },
    { "conv", "mobile dw 3x3 960", { 1, 960, 7, 7 }, { 960, 1, 3, 3 }, 1, 1, 960, 0, 0 },
    { "matmul", "256", { 256, 256 }, { 256, 256 }, 0, 0, 0, 0, 0 },
    { "matmul", "1024", { 1024, 1024 }, { 1024, 1024 }, 0, 0, 0, 0, 0 },
    { "matmul", "vgg fc 1x25088x4096", { 1, 25088 }, { 25088, 4096 }, 0, 0, 0, 0, 0 },
    { "matmul", "row 1x768x3072", { 1, 768 }, { 768, 3072 }, 0, 0, 0, 0, 0 },
    { "matmul", "rows 4x768x3072", { 4, 768 }, { 768, 3072 }, 0, 0, 0, 0, 0 },
    { "matmul", "transformer 128x768x3072", { 128, 768 }, { 768, 3072 }, 0, 0, 0, 0, 0 },
    { "add", "residual", { 1, 256, 56, 56 }, { 1, 256, 56, 56 }, 0, 0, 0, 0, 0 },
    { "mul", "channel", { 1, 256, 56, 56 }, { 1, 256, 1, 1 }, 0, 0, 0, 0, 0 },
    { "relu", "256x56x56", { 1, 256, 56, 56 }, { 0 }, 0, 0, 0, 0, 0 },
    { "exp", "1M", { 1048576 }, { 0 }, 0, 0, 0, 0, 0 },
    { "tanh", "1M", { 1048576 }, { 0 }, 0, 0, 0, 0, 0 },
    { "erf", "1M", { 1048576 }, { 0 }, 0, 0, 0, 0, 0 },
    { "sigmoid", "1M", { 1048576 }, { 0 }, 0, 0, 0, 0, 0 },
    { "sin", "1M", { 1048576 }, { 0 }, 0, 0, 0, 0, 0 },
    { "gelu", "128x3072", { 128, 3072 }, { 0 }, 0, 0, 0, 0, 0 },
    { "softmax", "1536x128", { 1536, 128 }, { 0 }, 0, 0, 0, 0, 0 },
    { "add", "1M f16", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_F16, 0 },
    { "add", "1M bf16", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_BF16, 0 },
    { "gelu", "1M f16", { 1048576 }, { 0 }, 0, 0, 0, BORN_F16, 0 },
    { "add", "1M f64", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_F64, 0 },
    { "add", "1M i32", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_I32, 0 },
    { "mul", "1M i64", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_I64, 0 },
    { "max", "1M i32", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_I32, 0 },
    { "add", "1024x1024 row i64", { 1024, 1024 }, { 1, 1024 }, 0, 0, 0, BORN_I64, 0 },
    { "lt", "1M i64", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_I64, 0 },
    { "logical_and", "1M", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_BOOL, 0 },
    { "where", "1M f32", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_F32, 0 },
    { "where", "1M i64", { 1048576 }, { 1048576 }, 0, 0, 0, BORN_I64, 0 },
    { "cast", "1M f32 f16", { 1048576 }, { 0 }, 0, 0, 0, BORN_F32, BORN_F16 },
    { "cast", "1M f16 f32", { 1048576 }, { 0 }, 0, 0, 0, BORN_F16, BORN_F32 },
    { "cast", "1M f32 bf16", { 1048576 }, { 0 }, 0, 0, 0, BORN_F32, BORN_BF16 },
    { "cast", "1M f32 i64", { 1048576 }, { 0 }, 0, 0, 0, BORN_F32, BORN_I64 },
    { "cast", "1M i64 f32", { 1048576 }, { 0 }, 0, 0, 0, BORN_I64, BORN_F32 },
    { "cast", "1M f32 u8", { 1048576 }, { 0 }, 0, 0, 0, BORN_F32, BORN_U8 },
    { "cast", "1M u8 f32", { 1048576 }, { 0 }, 0, 0, 0, BORN_U8, BORN_F32 },
    { "cast", "1M bool f32", { 1048576 }, { 0 }, 0, 0, 0, BORN_BOOL, BORN_F32 },
    { "cast", "1M f64 f32", { 1048576 }, { 0 }, 0, 0, 0, BORN_F64, BORN_F32 },
    { "matmul_integer", "128x768x3072 u8", { 128, 768 }, { 768, 3072 }, 0, 0, 0, BORN_U8, 0 },
    { "matmul_integer", "1x768x3072 u8", { 1, 768 }, { 768, 3072 }, 0, 0, 0, BORN_U8, 0 },
    { "dynamic_quantize_linear", "1M", { 1048576 }, { 0 }, 0, 0, 0, BORN_F32, 0 },
    { "attention", "12 heads 512x64", { 1, 12, 512, 64 }, { 1, 12, 512, 64 }, 0, 0, 0, 0, 0 },
    { "attention", "decode 32 heads 2048x128", { 1, 32, 1, 128 }, { 1, 32, 2048, 128 }, 0, 0, 0, 0, 0 },
    { "conv_transpose", "2x2 s2 256-128", { 1, 256, 28, 28 }, { 256, 128, 2, 2 }, 2, 0, 1, 0, 0 },
    { "conv_transpose", "4x4 s2 128-64", { 1, 128, 32, 32 }, { 128, 64, 4, 4 }, 2, 1, 1, 0, 0 },
    { "arg_max", "128x32000", { 128, 32000 }, { 0 }, 0, 0, 0, 0, 0 },
    { "resize", "linear 64x56x56 x2", { 1, 64, 56, 56 }, { 4 }, 0, 0, 0, 0, 0 },
    { "transpose", "1024x1024 u8", { 1024, 1024 }, { 0 }, 0, 0, 0, BORN_U8, 0 },
    { "transpose", "1024x1024 f16", { 1024, 1024 }, { 0 }, 0, 0, 0, BORN_F16, 0 },
    { "transpose", "1024x1024 f32", { 1024, 1024 }, { 0 }, 0, 0, 0, BORN_F32, 0 },
    { "transpose", "1024x1024 f64", { 1024, 1024 }, { 0 }, 0, 0, 0, BORN_F64, 0 },
    { "transpose", "1000x777 f32", { 1000, 777 }, { 0 }, 0, 0, 0, BORN_F32, 0 },
    { "copy", "64x56x56 turned f32", { 1, 64, 56, 56 }, { 0 }, 0, 0, 0, BORN_F32, 0 },
    { "copy", "3x224x224 turned f32", { 1, 3, 224, 224 }, { 0 }, 0, 0, 0, BORN_F32, 0 },
    { "max_pool", "resnet 3x3 s2", { 1, 64, 112, 112 }, { 0 }, 2, 1, 3, 0, 0 },
    { "global_average_pool", "2048x7x7", { 1, 2048, 7, 7 }, { 0 }, 0, 0, 0, 0, 0 },
};

typedef struct attrs_block {
    _Alignas(16) char bytes[1024];
} attrs_block;

static bool make_view(born_view *v, born_dtype t, const int64_t *dim)
{
    *v = (born_view){ .dtype = t ? t : BORN_F32 };
    while (v->rank < 4 && dim[v->rank] > 0) {
        v->dim[v->rank] = dim[v->rank];
        v->rank++;
    }
    born__view_row_major(v);
    if (v->rank == 4) born__view_channels_last(v);
    int64_t n = born__view_count(v);
    int size = born__dtype_info(v->dtype)->size;
    bool real = v->dtype == BORN_F32 || v->dtype == BORN_F64 || v->dtype == BORN_F16 || v->dtype == BORN_BF16;
    v->data = born__alloc((size_t)(n * size));
    for (int64_t i = 0; v->data && i < n; i++) {
        int64_t r = i * 7919 % 1000;
        born__store_f64(v->dtype, v->data + i * size, real ? (double)r * 1e-3 - 0.5 : (double)(r % 2));
    }
    return v->data != NULL;
}

static void set_attrs(const bench_case *b, attrs_block *a, const int64_t lists[][4])
{
    if (!strcmp(b->op, "arg_max")) {
        ((born_arg_reduce_attrs *)(void *)a->bytes)->axis = -1;
    } else if (!strcmp(b->op, "resize")) {
        ((born_resize_attrs *)(void *)a->bytes)->mode = 1;
    } else if (!strcmp(b->op, "cast")) {
        ((born_cast_attrs *)(void *)a->bytes)->to = b->to;
    } else if (!strcmp(b->op, "conv")) {
        born_conv_attrs *c = (born_conv_attrs *)(void *)a->bytes;
        c->strides = (born_ints){ lists[0], 2 };
        c->pads = (born_ints){ lists[1], 4 };
        c->group = b->group;
    } else if (!strcmp(b->op, "conv_transpose")) {
        born_conv_transpose_attrs *c = (born_conv_transpose_attrs *)(void *)a->bytes;
        c->strides = (born_ints){ lists[0], 2 };
        c->pads = (born_ints){ lists[1], 4 };
        c->group = b->group;
    } else if (!strcmp(b->op, "max_pool")) {
        born_max_pool_attrs *p = (born_max_pool_attrs *)(void *)a->bytes;
        p->kernel_shape = (born_ints){ lists[2], 2 };
        p->strides = (born_ints){ lists[0], 2 };
        p->pads = (born_ints){ lists[1], 4 };
    }
}

static double work_of(const bench_case *b, const born_view *out)
{
    double n = (double)born__view_count(out);

    if (!strcmp(b->op, "attention")) return 4 * n * (double)b->w[2];
    if (!strcmp(b->op, "conv_transpose"))
        return 2 * n * (double)(b->w[0] * b->w[2] * b->w[3]) / (double)(b->stride * b->stride);
    if (!strcmp(b->op, "conv")) return 2 * n * (double)(b->w[1] * b->w[2] * b->w[3]);
    if (!strcmp(b->op, "matmul") || !strcmp(b->op, "matmul_integer")) return 2 * n * (double)b->w[0];
    return 0;
}

/* Seconds of the best run; < 0: could not run. */
static double run_case(const bench_case *b, born_pool *pool, double seconds, bool reference, const char **kernel,
                       double *work, double *bytes)
{
    const int64_t lists[3][4] = { { b->stride, b->stride },
                                  { b->pad, b->pad, b->pad, b->pad },
                                  { b->group, b->group } };
    attrs_block attrs = { { 0 } };
    born_view in[3], out[2] = { { 0 } };
    born_error err = { 0 };
    born_query q;
    bool shares;
    const born_op *op = born__op_find(b->op, strlen(b->op));

    bool attention = !strcmp(b->op, "attention");
    bool masked = !strcmp(b->op, "where") || attention; /* operands x, w and w */
    if (!op || !make_view(&in[0], masked && !attention ? BORN_BOOL : b->t, b->x) ||
        (b->w[0] && !make_view(&in[1], b->t, b->w)))
        return -1;
    for (int i = 0; attention && i < 2; i++) born__view_row_major(&in[i]);
    if (!strcmp(b->op, "resize")) { /* x, no region, scales */
        masked = true;
        in[2] = in[1];
        in[1] = (born_view){ 0 };
        for (int i = 0; i < 4; i++) ((float *)(void *)in[2].data)[i] = i < 2 ? 1 : 2;
    } else if (masked) {
        in[2] = in[1];
    }
    if (op->attrs) born__attrs_default(op->attrs, attrs.bytes);
    set_attrs(b, &attrs, lists);
    born_call c = { .op = op,
                    .attrs = op->attrs ? attrs.bytes : NULL,
                    .in_count = masked ? 3 : b->w[0] ? 2 : 1,
                    .out_count = 1,
                    .in = in,
                    .out = out };
    if (c.in_count == 2 && !strncmp(b->op, "conv", 4)) born__view_row_major(&in[1]);
    if (born__op_infer(op, c.attrs, in, c.in_count, out, 1, &shares, &err) != BORN_OK) {
        fprintf(stderr, "%s: %s\n", b->name, err.text);
        return -1;
    }
    born__view_row_major(&out[0]);  /* a view op is made to move its elements */
    if (out[0].rank == 4 && strcmp(b->op, "copy") != 0 && !attention) born__view_channels_last(&out[0]);
    out[0].data = born__alloc((size_t)born__view_bytes(&out[0]));
    const born_kernel *k = reference ? NULL : born__kernel_pick(&c, &q);
    void *pack = NULL;
    if (k && q.pack_operand >= 0) {
        pack = born__alloc(q.pack_bytes);
        k->pack(&c, pack);
        c.packed = pack;
        k = born__kernel_pick(&c, &q);
    }
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
    *work = work_of(b, &out[0]);
    *bytes = (double)born__view_bytes(&in[0]) + (double)(b->w[0] ? born__view_bytes(&in[1]) : 0) +
             (double)(masked ? born__view_bytes(&in[2]) : 0) + (double)born__view_bytes(&out[0]);
    born__free(x.scratch);
    born__free(pack);
    born__free(in[0].data);
    if (b->w[0]) born__free(in[1].data ? in[1].data : in[2].data);
    born__free(out[0].data);
    return best;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    double seconds = 0.2;
    int threads = 1, printed = 0;
    bool json = false, reference = false;
    born_pool *pool = NULL;
    born_error err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--reference"))
            reference = true;
        else if (i + 1 >= argc)
            break;
        else if (!strcmp(argv[i], "--op"))
            only = argv[++i];
        else if (!strcmp(argv[i], "--threads"))
            threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--seconds"))
            seconds = atof(argv[++i]);
        else if (!strcmp(argv[i], "--mask") && born__cpu_mask(argv[++i], &err) != BORN_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    }
    if (born__pool_open(threads, &pool, &err) != BORN_OK) return 1;
    double peak = born__cpu_peak() * threads;
    if (json)
        printf("{\"level\": \"%s\", \"threads\": %d, \"peak_gflops\": %.1f, \"ops\": [", born__cpu_level_name(),
               threads, peak * 1e-9);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bench_case *b = &cases[i];
        const char *kernel = "";
        double work = 0, bytes = 0;
        if (only && strcmp(only, b->op)) continue;
        double t = run_case(b, pool, seconds, reference, &kernel, &work, &bytes);
        if (t < 0) continue;
        printf(json ? "%s{\"op\": \"%s\", \"case\": \"%s\", \"kernel\": \"%s\", \"us\": %.2f, \"gflops\": %.2f, "
                      "\"of_peak\": "
                      "%.3f, \"gbytes_per_s\": %.2f}"
                    : "%s%-20s %-26s %-9s %9.1f us  %7.1f GFLOP/s (%.2f)  %6.1f GB/s\n",
               json && printed++ ? ", " : "", b->op, b->name, kernel, t * 1e6, work / t * 1e-9, work / t / peak,
               bytes / t * 1e-9);
    }
    if (json) printf("]}\n");
    born__pool_close(&pool);
    return 0;
}
