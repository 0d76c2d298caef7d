/* Matrix products against the FMA peak of a core measured in the same run:
     bench_gemm [--json] [--mask scalar|avx2|avx512|neon] [--threads N] [--cold] [SIZE]...
   SIZE: N, or MxNxK with :nt, :tn or :tt behind it where the stored B, A or both are transposed. Without --threads:
   with 1 and with 2. B is packed inside each call ("whole") and once before ("packed"). --cold: each call has operands
   of its own, of 128 MiB in all, so that none is in a cache. Ratios are to peak times threads; the peak is measured
   before and after each size and the higher one taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <born/attrs.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cpu/kernel.h"
#include "cpu/peak.h"

enum { COLD_BYTES = 128 << 20, MOST_COPIES = 256 };

typedef struct size {
    int64_t m, n, k;
    bool a_turned, b_turned;
    char name[64];
} size;

typedef struct result {
    double whole, packed, peak;
} result;

/* A problem's operands, `copies` of them one behind the other. */
typedef struct operands {
    float *memory;
    int64_t copies;
    born_view in[2], out[1];
} operands;

static born_view view_of(float *p, int64_t rows, int64_t columns, bool turned)
{
    born_view v = { .data = (char *)p, .dtype = BORN_F32, .rank = 2, .dim = { rows, columns } };

    v.stride[0] = turned ? 1 : columns;
    v.stride[1] = turned ? rows : 1;
    return v;
}

static bool operands_make(const size *s, bool cold, operands *o)
{
    int64_t floats = s->m * s->k + s->k * s->n + s->m * s->n;

    o->copies = cold ? COLD_BYTES / (floats * (int64_t)sizeof(float)) + 2 : 1;
    if (o->copies > MOST_COPIES) o->copies = MOST_COPIES;
    o->memory = born__alloc((size_t)(floats * o->copies) * sizeof(float));
    if (!o->memory) return false;
    for (int64_t i = 0; i < floats * o->copies; i++) o->memory[i] = (float)(i * 7919 % 1000) * 1e-3f - 0.5f;
    o->in[0] = view_of(o->memory, s->m, s->k, s->a_turned);
    o->in[1] = view_of(o->memory + s->m * s->k, s->k, s->n, s->b_turned);
    o->out[0] = view_of(o->memory + s->m * s->k + s->k * s->n, s->m, s->n, false);
    return true;
}

/* Seconds of the best call where there is one copy, of the middle one of all where there are more. */
static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double time_of(const born_kernel *k, const born_call *call, const operands *o, const born_exec *x, double budget)
{
    static double took[1 << 14];
    int runs = 0;
    double start = born__clock_seconds();
    ptrdiff_t step = o->out[0].data + o->out[0].dim[0] * o->out[0].dim[1] * (int64_t)sizeof(float) - o->in[0].data;

    for (; runs < 3 || (runs < 1 << 14 && born__clock_seconds() - start < budget); runs++) {
        born_view in[2] = { o->in[0], o->in[1] }, out[1] = { o->out[0] };
        born_call c = *call;
        for (int i = 0; i < 2; i++) in[i].data += runs % o->copies * step;
        out[0].data += runs % o->copies * step;
        c.in = in;
        c.out = out;
        double t = born__clock_seconds();
        if (k->run(&c, x) != BORN_OK) return 1e30;
        took[runs] = born__clock_seconds() - t;
    }
    qsort(took, (size_t)runs, sizeof *took, by_time);
    return took[o->copies > 1 ? runs / 2 : 0];
}

static bool measure(const size *s, bool cold, born_pool *pool, double budget, result *r)
{
    operands o;
    born_linear_attrs attrs = { 0 };
    born_query q;
    double work = 2.0 * (double)s->m * (double)s->n * (double)s->k, before = born__cpu_peak(), after;

    if (!operands_make(s, cold, &o)) return false;
    born_call c = {
        .op = &born__ops[BORN_OP_MATMUL], .attrs = &attrs, .in_count = 2, .out_count = 1, .in = o.in, .out = o.out
    };
    const born_kernel *k = born__kernel_pick(&c, &q);
    if (!k) return false;
    born_exec x = { .pool = pool, .scratch = born__alloc(q.scratch_bytes + 64), .scratch_bytes = q.scratch_bytes };
    void *pack = born__alloc(q.pack_bytes);
    if (!x.scratch || !pack) return false;
    r->whole = work / time_of(k, &c, &o, &x, budget);
    if (q.pack_bytes) {
        k->pack(&c, pack);
        c.packed = pack;
    }
    r->packed = work / time_of(k, &c, &o, &x, budget);
    after = born__cpu_peak();
    r->peak = (before > after ? before : after) * born__pool_threads(pool);
    born__free(pack);
    born__free(x.scratch);
    born__free(o.memory);
    return true;
}

static bool read_size(const char *text, size *s)
{
    long long m, n, k;
    int used = 0;

    *s = (size){ .m = atoll(text) };
    snprintf(s->name, sizeof s->name, "%s", text);
    if (sscanf(text, "%lldx%lldx%lld%n", &m, &n, &k, &used) == 3) {
        s->m = m, s->n = n, s->k = k;
        const char *turned = text[used] == ':' ? text + used + 1 : "nn";
        s->a_turned = turned[0] == 't';
        s->b_turned = turned[0] && turned[1] == 't';
    } else {
        s->n = s->k = s->m;
    }
    return s->m > 0 && s->n > 0 && s->k > 0;
}

/* All sizes with one number of threads. */
static bool report(const size *sizes, int count, int threads, bool cold, bool json)
{
    born_pool *pool = NULL;
    born_error err = { 0 };
    bool ok = born__pool_open(threads, &pool, &err) == BORN_OK;

    if (json) printf("{\"level\": \"%s\", \"threads\": %d, \"gemm\": [", born__cpu_level_name(), threads);
    else printf("%d thread(s), %s\n", threads, born__cpu_level_name());
    for (int i = 0; ok && i < count; i++) {
        result r;
        ok = measure(&sizes[i], cold, pool, 0.5, &r);
        if (!ok) break;
        printf(
            json ? "%s{\"size\": \"%s\", \"peak_gflops\": %.1f, \"gflops\": %.1f, \"ratio\": %.3f, "
                   "\"packed_gflops\": %.1f, \"packed_ratio\": %.3f}"
                 : "%s%-20s  peak %7.1f GFLOP/s  whole %7.1f (%.3f)  packed %7.1f (%.3f)\n",
            json && i ? ", " : "", sizes[i].name, r.peak * 1e-9, r.whole * 1e-9, r.whole / r.peak,
            r.packed * 1e-9, r.packed / r.peak);
    }
    if (json) printf("]}");
    born__pool_close(&pool);
    return ok;
}

int main(int argc, char **argv)
{
    size sizes[32];
    int count = 0, threads = 0;
    bool json = false, cold = false;
    born_error err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            json = true;
        else if (!strcmp(argv[i], "--mask") && i + 1 < argc) {
            if (born__cpu_mask(argv[++i], &err) != BORN_OK) {
                fprintf(stderr, "%s\n", err.text);
                return 2;
            }
        } else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--cold"))
            cold = true;
        else if (count < 32 && read_size(argv[i], &sizes[count]))
            count++;
        else
            return fprintf(stderr, "bench_gemm: no size: %s\n", argv[i]), 2;
    }
    for (int i = 0; count == 0 && i < 3; i++) read_size((const char *[]){ "256", "1024", "2048" }[i], &sizes[i]);
    if (count == 0) count = 3;
    if (json) printf("[");
    bool ok = report(sizes, count, threads > 0 ? threads : 1, cold, json);
    if (json && threads < 1) printf(", ");
    if (ok && threads < 1) ok = report(sizes, count, 2, cold, json);
    if (json) printf("]\n");
    return ok ? 0 : 1;
}
