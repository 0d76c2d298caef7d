/* The f32 operators of a training step of an MLP 784-128-10 and of a small GPT (width 128, context 256, 65 symbols,
   batch 4), on the CPU, best of many runs:
     bench_train_ops [--mask LEVEL] [--threads N] [--op NAME] [--seconds S] [--json]   (without N: with 1 and with 2)
   GFLOP/s count products; GB/s operands and results once. Shares are of the FMA peak of the threads, measured in the
   same run. compare_torch_ops.py puts PyTorch's times beside. */
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
    int64_t in[5][4];           /* dims of the operands; 0 ends, -1: absent */
    const char *set;            /* attributes: "name=number,..." */
    int outs;
    int indices, most;          /* operand of i64 (0: none), its numbers in [0, most) */
    double products;            /* multiply-adds */
} bench_case;

#define GEMM(name, m, k, n) "gemm", name, { { m, k }, { n, k }, { n } }, "trans_b=1", 1, 0, 0, (double)(m) * (k) * (n)
#define BY_X(name, m, k, n) "gemm", name, { { m, n }, { n, k } }, "", 1, 0, 0, (double)(m) * (k) * (n)
#define BY_W(name, m, k, n) "gemm", name, { { m, n }, { m, k } }, "trans_a=1", 1, 0, 0, (double)(m) * (k) * (n)
#define LAYER(name, m, k, n)                                                                                          \
    { GEMM(name, m, k, n) }, { BY_X(name " dx", m, k, n) }, { BY_W(name " dw", m, k, n) }
#define SCORES (4.0 * 4 * 256 * 256 / 2 * 32)
#define HEADS { 4, 4, 256, 32 }
static const bench_case cases[] = {
    LAYER("64 784-128", 64, 784, 128), LAYER("64 128-10", 64, 128, 10), LAYER("256 784-128", 256, 784, 128),
    LAYER("256 128-10", 256, 128, 10), LAYER("1024 128-384", 1024, 128, 384), LAYER("1024 128-128", 1024, 128, 128),
    LAYER("1024 128-512", 1024, 128, 512), LAYER("1024 512-128", 1024, 512, 128), LAYER("1024 128-65", 1024, 128, 65),
    { "relu", "64x128", { { 64, 128 } }, "", 1, 0, 0, 0 },
    { "gelu", "1024x512", { { 1024, 512 } }, "", 1, 0, 0, 0 },
    { "add", "1024x128", { { 1024, 128 }, { 1024, 128 } }, "", 1, 0, 0, 0 },
    { "reduce_sum", "64x128 rows", { { 64, 128 }, { 1 } }, "", 1, 1, 1, 0 },
    { "reduce_sum", "1024x512 rows", { { 1024, 512 }, { 1 } }, "", 1, 1, 1, 0 },
    { "cross_entropy_loss", "64x10", { { 64, 10 }, { 64 } }, "", 2, 1, 10, 0 },
    { "cross_entropy_loss", "1024x65", { { 1024, 65 }, { 1024 } }, "", 2, 1, 65, 0 },
    { "cross_entropy_grad", "64x10", { { 64, 10 }, { 64 }, { 64 } }, "", 1, 1, 10, 0 },
    { "cross_entropy_grad", "1024x65", { { 1024, 65 }, { 1024 }, { 1024 } }, "", 1, 1, 65, 0 },
    { "softmax", "4x4x256x256", { { 4, 4, 256, 256 } }, "", 1, 0, 0, 0 },
    { "gather", "65x128 by 1024", { { 65, 128 }, { 1024 } }, "", 1, 1, 65, 0 },
    { "scatter_nd", "65x128 by 1024", { { 65, 128 }, { 1024, 1 }, { 1024, 128 } }, "reduction=1", 1, 1, 65, 0 },
    { "layer_norm", "1024x128", { { 1024, 128 }, { 128 }, { 128 } }, "", 1, 0, 0, 0 },
    { "layer_norm_grad", "1024x128", { { 1024, 128 }, { 1024, 128 }, { 128 } }, "", 3, 0, 0, 0 },
    { "attention", "4x4x256x32", { HEADS, HEADS, HEADS }, "is_causal=1", 1, 0, 0, 2 * SCORES },
    { "attention_grad", "4x4x256x32", { HEADS, HEADS, HEADS, HEADS, HEADS }, "is_causal=1", 3, 0, 0, 5 * SCORES },
};

enum { MOST = 5 };
typedef struct problem {
    _Alignas(16) char attrs[1024];
    born_view in[MOST], out[3];
    int in_count;
} problem;

static bool make_view(born_view *v, const int64_t *dim, int most)
{
    *v = (born_view){ .dtype = most ? BORN_I64 : BORN_F32 };
    while (v->rank < 4 && dim[v->rank] > 0) {
        v->dim[v->rank] = dim[v->rank];
        v->rank++;
    }
    born__view_row_major(v);
    int64_t n = born__view_count(v);
    v->data = born__alloc((size_t)born__view_bytes(v));
    for (int64_t i = 0; v->data && i < n; i++)
        if (most) ((int64_t *)(void *)v->data)[i] = i * 7919 % most;
        else ((float *)(void *)v->data)[i] = (float)(i * 7919 % 1000) * 1e-3f - 0.5f;
    return v->data != NULL;
}

static void set_attrs(const born_op *op, char *attrs, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "=");
        int value = atoi(text + n + 1);
        for (int i = 0; op->attrs && i < op->attrs->count; i++) {
            const born_attr_field *f = &op->attrs->field[i];
            if (strlen(f->name) != n || strncmp(f->name, text, n) != 0) continue;
            if (f->kind == BORN_ATTR_BOOL) *(bool *)(void *)(attrs + f->offset) = value != 0;
            else if (f->kind == BORN_ATTR_ENUM) *(int *)(void *)(attrs + f->offset) = value;
            else *(int64_t *)(void *)(attrs + f->offset) = value;
        }
        text += strcspn(text, ",");
        text += *text == ',';
    }
}

/* Seconds of the best run; < 0: could not run. */
static double run_case(const bench_case *b, born_pool *pool, double seconds, bool *fast, double *bytes)
{
    problem p = { .in_count = 0 };
    born_error err = { 0 };
    born_query q;
    bool shares;
    const born_op *op = born__op_find(b->op, strlen(b->op));

    if (!op) return -1;
    if (op->attrs) born__attrs_default(op->attrs, p.attrs);
    set_attrs(op, p.attrs, b->set);
    for (; p.in_count < MOST && b->in[p.in_count][0]; p.in_count++)
        if (!make_view(&p.in[p.in_count], b->in[p.in_count], b->indices && b->indices == p.in_count ? b->most : 0))
            return -1;
    born_call c = { .op = op, .attrs = op->attrs ? p.attrs : NULL, .in_count = p.in_count, .out_count = b->outs,
                    .in = p.in, .out = p.out };
    if (born__op_infer(op, c.attrs, p.in, p.in_count, p.out, b->outs, &shares, &err) != BORN_OK) {
        fprintf(stderr, "%s %s: %s\n", b->op, b->name, err.text);
        return -1;
    }
    *bytes = 0;
    for (int i = 0; i < b->outs; i++) {
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
    *fast = k != NULL;
    born__free(x.scratch);
    for (int i = 0; i < p.in_count; i++) born__free(p.in[i].data);
    for (int i = 0; i < b->outs; i++) born__free(p.out[i].data);
    return best;
}

static bool report(int threads, const char *only, double seconds, bool json, bool *first)
{
    born_pool *pool = NULL;
    born_error err = { 0 };

    if (born__pool_open(threads, &pool, &err) != BORN_OK) return false;
    double peak = born__cpu_peak() * threads;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bench_case *b = &cases[i];
        bool fast = false;
        double bytes = 0;
        if (only && strcmp(only, b->op)) continue;
        double t = run_case(b, pool, seconds, &fast, &bytes), flops = 2 * b->products / t;
        if (t < 0) continue;
        if (json)
            printf("%s{\"op\": \"%s\", \"name\": \"%s\", \"threads\": %d, \"us\": %.3f, \"gflops\": %.1f, "
                   "\"share\": %.3f, \"gbytes\": %.1f}",
                   *first ? "[" : ",\n", b->op, b->name, threads, t * 1e6, flops * 1e-9, flops / peak,
                   bytes / t * 1e-9);
        else
            printf("%-18s %-16s %d %-9s %9.1f us  %7.1f GFLOP/s (%.2f)  %6.1f GB/s\n", b->op, b->name, threads,
                   fast ? born__cpu_level_name() : "reference", t * 1e6, flops * 1e-9, flops / peak, bytes / t * 1e-9);
        *first = false;
    }
    born__pool_close(&pool);
    return true;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    double seconds = 0.1;
    int threads = 0;
    bool json = false, first = true;
    born_error err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) json = true;
        else if (i + 1 >= argc) break;
        else if (!strcmp(argv[i], "--op")) only = argv[++i];
        else if (!strcmp(argv[i], "--threads")) threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[++i]);
        else if (!strcmp(argv[i], "--mask") && born__cpu_mask(argv[++i], &err) != BORN_OK) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    }
    bool ok = report(threads > 0 ? threads : 1, only, seconds, json, &first);
    if (ok && threads < 1) ok = report(2, only, seconds, json, &first);
    if (json) printf("]\n");
    return ok ? 0 : 1;
}
