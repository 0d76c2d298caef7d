/* Square matrix products against the FMA peak of a core measured in the same run:
     bench_gemm [--json] [--mask scalar|avx2|avx512|neon] [--threads N] [SIZE]...        (without N: with 1 and with 2)
   B is packed inside each call ("whole") and once before ("packed"). Ratios are to peak times threads; the peak is
   measured before and after each size and the higher one taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <born/attrs.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cpu/kernel.h"
#include "cpu/peak.h"

typedef struct result {
    double whole, packed, peak;
} result;

static double time_of(const born_kernel *k, born_call *c, const born_exec *x, double budget)
{
    double best = 1e30, start = born__clock_seconds();

    for (int i = 0; i < 3 || born__clock_seconds() - start < budget; i++) {
        double t = born__clock_seconds();
        if (k->run(c, x) != BORN_OK) return 1e30;
        t = born__clock_seconds() - t;
        if (t < best) best = t;
    }
    return best;
}

static bool measure(int64_t n, born_pool *pool, double budget, result *r)
{
    float *m[3];
    born_view in[2], out[1];
    born_linear_attrs attrs = { 0 };
    born_query q;
    double work = 2.0 * (double)n * (double)n * (double)n, before = born__cpu_peak(), after;

    for (int i = 0; i < 3; i++) {
        m[i] = born__alloc((size_t)(n * n) * sizeof(float));
        if (!m[i]) return false;
        for (int64_t j = 0; j < n * n; j++) m[i][j] = (float)(j * 7919 % 1000) * 1e-3f - 0.5f;
        born_view v = { .data = (char *)m[i], .dtype = BORN_F32, .rank = 2, .dim = { n, n }, .stride = { n, 1 } };
        *(i < 2 ? &in[i] : &out[0]) = v;
    }
    born_call c = {
        .op = &born__ops[BORN_OP_MATMUL], .attrs = &attrs, .in_count = 2, .out_count = 1, .in = in, .out = out
    };
    const born_kernel *k = born__kernel_pick(&c, &q);
    if (!k) return false;
    born_exec x = { .pool = pool, .scratch = born__alloc(q.scratch_bytes + 64), .scratch_bytes = q.scratch_bytes };
    void *pack = born__alloc(q.pack_bytes);
    if (!x.scratch || !pack) return false;
    r->whole = work / time_of(k, &c, &x, budget);
    k->pack(&c, pack);
    c.packed = pack;
    r->packed = work / time_of(k, &c, &x, budget);
    after = born__cpu_peak();
    r->peak = (before > after ? before : after) * born__pool_threads(pool);
    born__free(pack);
    born__free(x.scratch);
    for (int i = 0; i < 3; i++) born__free(m[i]);
    return true;
}

/* All sizes with one number of threads. */
static bool report(const int64_t *sizes, int count, int threads, bool json)
{
    born_pool *pool = NULL;
    born_error err = { 0 };
    bool ok = born__pool_open(threads, &pool, &err) == BORN_OK;

    if (json) printf("{\"level\": \"%s\", \"threads\": %d, \"gemm\": [", born__cpu_level_name(), threads);
    else printf("%d thread(s), %s\n", threads, born__cpu_level_name());
    for (int i = 0; ok && i < count; i++) {
        result r;
        ok = measure(sizes[i], pool, 0.5, &r);
        if (!ok) break;
        printf(
            json ? "%s{\"n\": %lld, \"peak_gflops\": %.1f, \"gflops\": %.1f, \"ratio\": %.3f, \"packed_gflops\": %.1f, "
                   "\"packed_ratio\": %.3f}"
                 : "%s%5lld  peak %7.1f GFLOP/s  whole %7.1f (%.3f)  packed %7.1f (%.3f)\n",
            json && i ? ", " : "", (long long)sizes[i], r.peak * 1e-9, r.whole * 1e-9, r.whole / r.peak,
            r.packed * 1e-9, r.packed / r.peak);
    }
    if (json) printf("]}");
    born__pool_close(&pool);
    return ok;
}

int main(int argc, char **argv)
{
    int64_t sizes[16] = { 256, 1024, 2048 };
    int count = 0, threads = 0;
    bool json = false;
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
        else if (count < 16 && atoll(argv[i]) > 0)
            sizes[count++] = atoll(argv[i]);
    }
    if (count == 0) count = 3;
    if (json) printf("[");
    bool ok = report(sizes, count, threads > 0 ? threads : 1, json);
    if (json && threads < 1) printf(", ");
    if (ok && threads < 1) ok = report(sizes, count, 2, json);
    if (json) printf("]\n");
    return ok ? 0 : 1;
}
