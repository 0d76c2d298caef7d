/* Weights at odd addresses of a file: every way to use them gives the bits that aligned ones give, and those that are
   only packed are never copied. ctest-labels: posix */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#if defined(__wasi__)
TEST(nothing_here) { SKIP("no temporary files, no maps"); }
#else
#include "support_model.h"
#include "support_pb.h"

#include <unistd.h>

enum { K = 160, N = 128, CHANNELS = 64, LAYERS = 12, WIDE = 768 };

static float *numbers(size_t n)
{
    float *p = malloc(n * sizeof *p);

    for (size_t i = 0; p && i < n; i++) p[i] = (float)((i * 2654435761u >> 7) % 2001) * 0.001f - 1;
    return p;
}

static void put_weight(pbw *graph, const char *name, const int64_t *dim, int rank, const float *p)
{
    pbw t = { 0 };
    size_t n = 1;

    for (int i = 0; i < rank; i++) {
        pbw_int(&t, 1, (uint64_t)dim[i]);
        n *= (size_t)dim[i];
    }
    pbw_int(&t, 2, 1);
    pbw_text(&t, 8, name);
    pbw_bytes(&t, 9, p, n * sizeof *p);
    pbw_message(graph, 5, &t);
}

/* w is packed for a product, packed from its transposed view, looked up, added and handed out; c is convolved with. */
static pbw every_use(int shift, const float *w, const float *c)
{
    static const int64_t wd[2] = { K, N }, cd[4] = { CHANNELS, CHANNELS, 3, 3 }, rows[2] = { 1, 3 };
    static const int64_t xd[2] = { 2, K }, yd[2] = { 2, N }, zd[4] = { 1, CHANNELS, 5, 5 };
    pbw g = { 0 };

    pbw_text(&g, 2, &"name"[shift]);
    put_weight(&g, "w", wd, 2, w);
    put_weight(&g, "c", cd, 4, c);
    pbw_ints(&g, "rows", rows, 2);
    pbw_value(&g, 11, "x", xd, 2);
    pbw_value(&g, 11, "y", yd, 2);
    pbw_value(&g, 11, "z", zd, 4);
    pbw_node(&g, "MatMul", "x", "w", "product", NULL);
    pbw_node(&g, "Transpose", "w", NULL, "turned", NULL);
    pbw_node(&g, "MatMul", "y", "turned", "other_product", NULL);
    pbw_node(&g, "Gather", "w", "rows", "rows_of_w", NULL);
    pbw_node(&g, "Add", "w", "product_row", "sum", NULL);
    pbw_node(&g, "Gather", "product", "rows_0", "product_row", NULL);
    pbw_ints(&g, "rows_0", (const int64_t[]){ 0 }, 1);
    pbw_node(&g, "Conv", "z", "c", "image", NULL);
    pbw_node(&g, "Identity", "w", NULL, "w_out", NULL);
    static const char *const out[] = { "product", "other_product", "rows_of_w", "sum", "image", "w_out" };
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) pbw_value(&g, 12, out[i], NULL, -1);
    return pbw_model(&g, 17);
}

static void run_every_use(const pbw *file, born_array *out, born_model **m, born_session **s)
{
    static float x[2 * K], y[2 * N], z[CHANNELS * 25];
    born_array in[3] = { BORN_ARRAY(x, 2, K), BORN_ARRAY(y, 2, N), BORN_ARRAY(z, 1, CHANNELS, 5, 5) };
    born_error err = { 0 };

    for (int i = 0; i < 2 * K; i++) x[i] = (float)i * 0.01f;
    for (int i = 0; i < 2 * N; i++) y[i] = 1 - (float)i * 0.02f;
    for (int i = 0; i < CHANNELS * 25; i++) z[i] = (float)(i % 7) - 3;
    REQUIRE(CHECK_OK(born_model_open_memory(file->p, file->n, NULL, m, &err), &err));
    REQUIRE(CHECK_OK(born_session_open(*m, &(born_session_desc){ .threads = 1 }, s, &err), &err));
    for (int i = 0; i < 2; i++) REQUIRE(CHECK_OK(born_session_run(*s, in, 3, out, 6, &err), &err));
}

TEST(same_bits_at_every_address)
{
    float *w = numbers(K * N), *c = numbers(CHANNELS * CHANNELS * 9);
    born_array want[6] = { 0 }, got[6] = { 0 };
    born_model *m[2] = { NULL, NULL };
    born_session *s[2] = { NULL, NULL };
    pbw first = every_use(0, w, c);

    run_every_use(&first, want, &m[0], &s[0]);
    for (int shift = 1; shift < 4 && !harness_failures; shift++) {
        pbw file = every_use(shift, w, c);
        run_every_use(&file, got, &m[1], &s[1]);
        for (int i = 0; i < 6; i++) {
            CHECK_INT(got[i].bytes, want[i].bytes);
            CHECK_MSG((uintptr_t)got[i].data % 4 == 0, "result %d is not aligned", i);
            CHECK_MSG(!harness_failures && !memcmp(got[i].data, want[i].data, want[i].bytes),
                      "result %d differs at shift %d", i, shift);
        }
        CHECK(!harness_failures && !memcmp(got[5].data, w, got[5].bytes));
        born_session_close(&s[1]);
        born_model_close(&m[1]);
        pbw_free(&file);
    }
    born_session_close(&s[0]);
    born_model_close(&m[0]);
    pbw_free(&first);
    free(w);
    free(c);
}

/* w must be copied to be handed out: not above max_bytes. */
TEST(copies_are_counted)
{
    float *w = numbers(K * N), *c = numbers(CHANNELS * CHANNELS * 9);
    int refused = 0;

    for (int shift = 0; shift < 4; shift++) {
        pbw file = every_use(shift, w, c);
        born_model *m = NULL;
        born_error err = { 0 };
        born_status st = born_model_open_memory(file.p, file.n, &(born_model_desc){ .max_bytes = 1 << 16 }, &m, &err);
        CHECK_MSG(st == BORN_OK || st == BORN_NOMEM, "shift %d gave %s", shift, err.text);
        refused += st == BORN_NOMEM;
        born_model_close(&m);
        pbw_free(&file);
    }
    CHECK_MSG(refused >= 2, "only %d of 4 were refused", refused);
    free(w);
    free(c);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* A line of /proc/self/status in bytes, 0 where there is none. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kib = 0, n = strlen(key);
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, n)) kib = strtoul(line + n, NULL, 10);
    if (f) fclose(f);
    return kib * 1024;
}

/* Forgets the process's peak so far; false where the kernel does not offer it. */
static bool forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    bool ok = f && fputs("5", f) >= 0;

    return f && !fclose(f) && ok;
}

static bool write_layers(const char *path)
{
    static const int64_t wd[2] = { WIDE, WIDE }, xd[2] = { 1, WIDE };
    float *w = numbers(WIDE * WIDE);
    char in[16] = "x", out[16], weight[16];
    pbw g = { 0 };

    pbw_text(&g, 2, "odd");
    pbw_value(&g, 11, "x", xd, 2);
    for (int i = 0; w && i < LAYERS; i++) {
        snprintf(out, sizeof out, "h%d", i);
        snprintf(weight, sizeof weight, "%.*sw%d", i % 4 + 1, "aaaa", i);
        put_weight(&g, weight, wd, 2, w);
        pbw_node(&g, "MatMul", in, weight, out, NULL);
        memcpy(in, out, sizeof in);
    }
    pbw_value(&g, 12, in, NULL, -1);
    pbw m = pbw_model(&g, 17);
    FILE *f = fopen(path, "wb");
    bool ok = w && f && fwrite(m.p, 1, m.n, f) == m.n;
    ok = f && !fclose(f) && ok;
    pbw_free(&m);
    free(w);
    return ok;
}

/* Twelve weights of 2 MiB at changing addresses: beyond what is packed there is room for the one being packed. */
TEST(packed_weights_are_not_copied)
{
    static float x[WIDE];
    const char *base = getenv("TMPDIR");
    char path[512];
    born_array in = BORN_ARRAY(x, 1, WIDE), out;
    born_error err = { 0 };
    born_model *m = NULL;
    born_session *s = NULL;
    born_session_stats stats;

    snprintf(path, sizeof path, "%s/born-weights-%ld.onnx", base && base[0] ? base : P_tmpdir, (long)getpid());
    if (SANITIZED || !forget_peak()) SKIP("the peak of memory cannot be measured here");
    REQUIRE(write_layers(path));
    (void)forget_peak();
    size_t before = status_bytes("VmRSS:");
    REQUIRE(CHECK_OK(born_model_open(path, NULL, &m, &err), &err));
    REQUIRE(CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err), &err));
    REQUIRE(CHECK_OK(born_session_run(s, &in, 1, &out, 1, &err), &err));
    size_t peak = status_bytes("VmHWM:") - before;
    born_session_stats_get(s, &stats);
    CHECK(stats.packed_bytes >= (size_t)LAYERS * WIDE * WIDE * 4);
    CHECK_MSG(peak <= stats.packed_bytes + stats.arena_bytes + ((size_t)8 << 20),
              "peak %zu bytes, packed %zu, arena %zu", peak, stats.packed_bytes, stats.arena_bytes);
    born_session_close(&s);
    born_model_close(&m);
    unlink(path);
}
#endif

TEST_MAIN
