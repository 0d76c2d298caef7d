/* Single operators: each row becomes an ONNX model of one node, made in memory, with its weights as constants, so that
   what is measured is what a model gets: packed weights, planned memory. */
#include "cli_bench.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OPERANDS = 3, MAX_ATTRS = 3 };

typedef struct row_attr {
    const char *name;
    int count;                  /* 0: one int */
    int64_t v[4];
} row_attr;

typedef struct bench_row {
    const char *name, *op;
    int operand_count, constants;   /* the last `constants` operands are weights */
    int rank[MAX_OPERANDS];
    int64_t dim[MAX_OPERANDS][4];
    row_attr attr[MAX_ATTRS];
    double flops;                   /* 0: measured by bytes only */
} bench_row;

#define SQUARE(n) { "matmul_" #n, "MatMul", 2, 1, { 2, 2 }, { { n, n }, { n, n } }, { { 0 } }, 2.0 * n * n * n }
static const bench_row rows[] = {
    SQUARE(256), SQUARE(512), SQUARE(1024), SQUARE(2048),
    { "matmul_vector_4096", "MatMul", 2, 1, { 2, 2 }, { { 1, 4096 }, { 4096, 4096 } }, { { 0 } }, 2.0 * 4096 * 4096 },
    { "matmul_skinny_8", "MatMul", 2, 1, { 2, 2 }, { { 8, 1024 }, { 1024, 1024 } }, { { 0 } }, 16.0 * 1024 * 1024 },
    { "conv2d_3x3_64", "Conv", 2, 1, { 4, 4 }, { { 1, 64, 56, 56 }, { 64, 64, 3, 3 } },
      { { "pads", 4, { 1, 1, 1, 1 } } }, 2.0 * 64 * 64 * 9 * 56 * 56 },
    { "conv2d_3x3_256", "Conv", 2, 1, { 4, 4 }, { { 1, 256, 14, 14 }, { 256, 256, 3, 3 } },
      { { "pads", 4, { 1, 1, 1, 1 } } }, 2.0 * 256 * 256 * 9 * 14 * 14 },
    { "conv2d_1x1_256", "Conv", 2, 1, { 4, 4 }, { { 1, 256, 56, 56 }, { 64, 256, 1, 1 } }, { { 0 } },
      2.0 * 256 * 64 * 56 * 56 },
    { "conv2d_7x7_stem", "Conv", 2, 1, { 4, 4 }, { { 1, 3, 224, 224 }, { 64, 3, 7, 7 } },
      { { "pads", 4, { 3, 3, 3, 3 } }, { "strides", 2, { 2, 2 } } }, 2.0 * 3 * 64 * 49 * 112 * 112 },
    { "conv2d_depthwise_144", "Conv", 2, 1, { 4, 4 }, { { 1, 144, 56, 56 }, { 144, 1, 3, 3 } },
      { { "pads", 4, { 1, 1, 1, 1 } }, { "group", 0, { 144 } } }, 2.0 * 144 * 9 * 56 * 56 },
    { "max_pool_3x3", "MaxPool", 1, 0, { 4 }, { { 1, 64, 112, 112 } },
      { { "kernel_shape", 2, { 3, 3 } }, { "strides", 2, { 2, 2 } } }, 0 },
    { "global_average_pool", "GlobalAveragePool", 1, 0, { 4 }, { { 1, 512, 28, 28 } }, { { 0 } }, 0 },
    { "add", "Add", 2, 0, { 4, 4 }, { { 1, 64, 112, 112 }, { 1, 64, 112, 112 } }, { { 0 } }, 0 },
    { "relu", "Relu", 1, 0, { 4 }, { { 1, 64, 112, 112 } }, { { 0 } }, 0 },
    { "exp", "Exp", 1, 0, { 2 }, { { 64, 4096 } }, { { 0 } }, 0 },
    { "tanh", "Tanh", 1, 0, { 2 }, { { 64, 4096 } }, { { 0 } }, 0 },
    { "sigmoid", "Sigmoid", 1, 0, { 2 }, { { 64, 4096 } }, { { 0 } }, 0 },
    { "erf", "Erf", 1, 0, { 2 }, { { 64, 4096 } }, { { 0 } }, 0 },
    { "softmax", "Softmax", 1, 0, { 2 }, { { 64, 4096 } }, { { 0 } }, 0 },
    { "layer_norm", "LayerNormalization", 3, 2, { 2, 1, 1 }, { { 64, 4096 }, { 4096 }, { 4096 } }, { { 0 } }, 0 },
    { "reduce_mean", "ReduceMean", 1, 0, { 2 }, { { 1024, 1024 } }, { { 0 } }, 0 },
    { "transpose", "Transpose", 1, 0, { 2 }, { { 1024, 1024 } }, { { 0 } }, 0 },
};
enum { ROWS = sizeof rows / sizeof *rows };

void bench_list_ops(FILE *f)
{
    for (int i = 0; i < ROWS; i++) fprintf(f, "%s%s", i ? " " : "", rows[i].name);
    fputc('\n', f);
}

/* --- protobuf, written --- */

typedef struct bytes {
    unsigned char *p;
    size_t n, cap;
    bool failed;
} bytes;

static void put(bytes *b, const void *p, size_t n)
{
    if (b->failed || !n) return;
    if (b->cap - b->n < n) {
        size_t cap = (b->n + n) * 2;
        unsigned char *bigger = realloc(b->p, cap);
        if (!bigger) {
            b->failed = true;
            return;
        }
        b->p = bigger;
        b->cap = cap;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void put_varint(bytes *b, uint64_t v)
{
    for (; v > 127; v >>= 7) put(b, &(unsigned char){ (unsigned char)(v | 128) }, 1);
    put(b, &(unsigned char){ (unsigned char)v }, 1);
}

static void put_int(bytes *b, unsigned field, int64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, (uint64_t)v);
}

static void put_field(bytes *b, unsigned field, const void *p, size_t n)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    put(b, p, n);
}

static void put_name(bytes *b, unsigned field, const char *text)
{
    put_field(b, field, text, strlen(text));
}

/* Appends inner as a message and empties it. */
static void put_message(bytes *b, unsigned field, bytes *inner)
{
    put_field(b, field, inner->p, inner->n);
    b->failed = b->failed || inner->failed;
    free(inner->p);
    *inner = (bytes){ 0 };
}

static const char *const names[MAX_OPERANDS] = { "x", "w", "v" };

static void put_value(bytes *graph, unsigned field, const char *name, const int64_t *dim, int rank)
{
    bytes shape = { 0 }, one = { 0 }, tensor = { 0 }, type = { 0 }, value = { 0 };

    for (int i = 0; i < rank; i++) {
        put_int(&one, 1, dim[i]);
        put_message(&shape, 1, &one);
    }
    put_int(&tensor, 1, 1);
    if (dim) put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_name(&value, 1, name);
    put_message(&value, 2, &type);
    put_message(graph, field, &value);
    free(shape.p);
}

static void put_weight(bytes *graph, const char *name, const int64_t *dim, int rank)
{
    bytes t = { 0 };
    size_t n = 1;

    for (int i = 0; i < rank; i++) {
        put_int(&t, 1, dim[i]);
        n *= (size_t)dim[i];
    }
    put_int(&t, 2, 1);
    put_name(&t, 8, name);
    float *w = malloc(n * sizeof *w);
    for (size_t i = 0; w && i < n; i++) w[i] = (float)((int)(i * 2654435761u >> 7 & 255) - 128) / 256.0f;
    if (w) put_field(&t, 9, w, n * sizeof *w);
    t.failed = t.failed || !w;
    free(w);
    put_message(graph, 5, &t);
}

static bytes make_model(const bench_row *r)
{
    bytes model = { 0 }, graph = { 0 }, node = { 0 }, attr = { 0 }, opset = { 0 };

    for (int i = 0; i < r->operand_count; i++) put_name(&node, 1, names[i]);
    put_name(&node, 2, "y");
    put_name(&node, 3, r->name);
    put_name(&node, 4, r->op);
    for (int i = 0; i < MAX_ATTRS && r->attr[i].name; i++) {
        put_name(&attr, 1, r->attr[i].name);
        put_int(&attr, 20, r->attr[i].count ? 7 : 2);
        if (!r->attr[i].count) put_int(&attr, 3, r->attr[i].v[0]);
        for (int k = 0; k < r->attr[i].count; k++) put_int(&attr, 8, r->attr[i].v[k]);
        put_message(&node, 5, &attr);
    }
    put_message(&graph, 1, &node);
    put_name(&graph, 2, r->name);
    for (int i = 0; i < r->operand_count; i++) {
        if (i >= r->operand_count - r->constants)
            put_weight(&graph, names[i], r->dim[i], r->rank[i]);
        else
            put_value(&graph, 11, names[i], r->dim[i], r->rank[i]);
    }
    put_value(&graph, 12, "y", NULL, 0);
    put_int(&model, 1, 8);
    put_int(&opset, 2, 20);
    put_message(&model, 8, &opset);
    put_message(&model, 7, &graph);
    return model;
}

/* --- measuring --- */

typedef struct measured {
    double best, median, bytes;
} measured;

static born_status measure(const bench_row *r, const cli_common *c, double seconds, measured *out, born_error *err)
{
    bytes b = make_model(r);
    born_model *m = NULL;
    born_session *s = NULL;
    cli_inputs in = { 0 };
    cli_input_options io = { .spec = { "rand" }, .spec_count = 1 };
    born_session_desc sd = { .threads = (int)c->threads, .max_bytes = c->max_bytes };
    bench_times t = { 0 };
    born_array y;
    born_status st = b.failed ? cli_error(err, BORN_NOMEM, "out of memory") : BORN_OK;

    if (!st) st = born_model_open_memory(b.p, b.n, NULL, &m, err);
    if (!st) st = born_session_open(m, &sd, &s, err);
    if (!st) st = cli_inputs_make(m, &io, &in, err);
    if (!st) st = bench_session(s, in.a, in.count, &y, 1, seconds, 5, 3, &t, err);
    if (!st) {
        out->best = t.s[0];
        out->median = bench_percentile(&t, 50);
        out->bytes = (double)y.bytes;
        if (!y.bytes) out->bytes = (double)cli_count(&y.shape) * (double)cli_elem_bytes(y.dtype);
        for (int i = 0; i < in.count; i++) out->bytes += (double)in.a[i].bytes;
        for (int i = r->operand_count - r->constants; i < r->operand_count; i++) {
            double n = 4;
            for (int k = 0; k < r->rank[i]; k++) n *= (double)r->dim[i][k];
            out->bytes += n;
        }
    }
    bench_free(&t);
    cli_inputs_free(&in);
    born_session_close(&s);
    born_model_close(&m);
    free(b.p);
    return st;
}

static bool wanted(const char *name, const char *words)
{
    for (const char *p = words; *p;) {
        size_t n = strcspn(p, ",");
        if (n && !strncmp(name, p, n)) return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static void report(cli_json *j, bool json, const bench_row *r, const measured *m, double peak)
{
    if (!json) {
        printf("%-24s %10.2f us", r->name, m->median * 1e6);
        if (r->flops > 0)
            printf("  %8.2f GFLOP/s  %5.1f%% of peak", r->flops / m->median * 1e-9, 100 * r->flops / m->median / peak);
        else
            printf("  %8.2f GB/s", m->bytes / m->median * 1e-9);
        putchar('\n');
        return;
    }
    cli_json_open(j, '{');
    cli_json_key(j, "op");
    cli_json_text(j, r->name);
    cli_json_key(j, "median_us");
    cli_json_real(j, m->median * 1e6);
    cli_json_key(j, "best_us");
    cli_json_real(j, m->best * 1e6);
    if (r->flops > 0) {
        cli_json_key(j, "gflops");
        cli_json_real(j, r->flops / m->median * 1e-9);
        cli_json_key(j, "share_of_peak");
        cli_json_real(j, r->flops / m->median / peak);
    }
    cli_json_key(j, "gbytes_per_s");
    cli_json_real(j, m->bytes / m->median * 1e-9);
    cli_json_close(j, '}');
}

int bench_ops(const char *words, const cli_common *c, double seconds)
{
    int threads = c->threads ? (int)c->threads : born_cpu_count(), code = CLI_OK, found = 0;
    double peak = bench_peak_flops() * threads;
    cli_json j = { 0 };

    if (c->json) {
        cli_json_open(&j, '{');
        cli_json_key(&j, "threads");
        cli_json_int(&j, threads);
        cli_json_key(&j, "level");
        cli_json_text(&j, born_cpu_level());
        cli_json_key(&j, "peak_gflops");
        cli_json_real(&j, peak * 1e-9);
        cli_json_key(&j, "ops");
        cli_json_open(&j, '[');
    } else {
        printf("%d threads, %s, peak %.1f GFLOP/s\n", threads, born_cpu_level(), peak * 1e-9);
    }
    for (int i = 0; i < ROWS; i++) {
        born_error err = { .status = BORN_OK };
        measured m = { 0, 0, 0 };
        if (!wanted(rows[i].name, words)) continue;
        found++;
        if (measure(&rows[i], c, seconds, &m, &err))
            code = cli_fail("bench", rows[i].name, &err);
        else
            report(&j, c->json, &rows[i], &m, peak);
    }
    if (c->json) {
        cli_json_close(&j, ']');
        cli_json_close(&j, '}');
        cli_json_end();
    }
    if (found) return code;
    fputs("born bench: no such operator; there are: ", stderr);
    bench_list_ops(stderr);
    return CLI_USAGE;
}
