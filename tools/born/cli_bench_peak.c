/* The most f32 FMA operations a second that one core does: independent chains in registers, as many as hide the
   latency, at the widest level in use. What "share of peak" is a share of. */
#include "cli_bench.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { ROUNDS = 20000, TRIES = 12 };
static volatile float sink;

#if defined(__x86_64__)
#define CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

__attribute__((target("avx512f"))) static double spin_avx512(void)
{
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
#define X(i) __m512 c##i = _mm512_set1_ps(i);
    CHAINS(X)
#undef X
    for (int k = 0; k < ROUNDS; k++) {
#define X(i) c##i = _mm512_fmadd_ps(c##i, a, b);
        CHAINS(X)
#undef X
    }
    __m512 sum = _mm512_setzero_ps();
#define X(i) sum = _mm512_add_ps(sum, c##i);
    CHAINS(X)
#undef X
    sink = _mm512_reduce_add_ps(sum);
    return (double)ROUNDS * 12 * 16 * 2;
}

__attribute__((target("avx2,fma"))) static double spin_avx2(void)
{
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
#define X(i) __m256 c##i = _mm256_set1_ps(i);
    CHAINS(X)
#undef X
    for (int k = 0; k < ROUNDS; k++) {
#define X(i) c##i = _mm256_fmadd_ps(c##i, a, b);
        CHAINS(X)
#undef X
    }
    __m256 sum = _mm256_setzero_ps();
    float out[8];
#define X(i) sum = _mm256_add_ps(sum, c##i);
    CHAINS(X)
#undef X
    _mm256_storeu_ps(out, sum);
    sink = out[0];
    return (double)ROUNDS * 12 * 8 * 2;
}
#elif defined(__aarch64__)
#define CHAINS(X)                                                                                                     \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

static double spin_neon(void)
{
    const float32x4_t a = vdupq_n_f32(0.999f), b = vdupq_n_f32(1e-3f);
#define X(i) float32x4_t c##i = vdupq_n_f32(i);
    CHAINS(X)
#undef X
    for (int k = 0; k < ROUNDS; k++) {
#define X(i) c##i = vfmaq_f32(b, c##i, a);
        CHAINS(X)
#undef X
    }
    float32x4_t sum = vdupq_n_f32(0);
#define X(i) sum = vaddq_f32(sum, c##i);
    CHAINS(X)
#undef X
    sink = vaddvq_f32(sum);
    return (double)ROUNDS * 16 * 4 * 2;
}
#endif

/* No vectors known: multiply and add, eight chains. */
static double spin_scalar(void)
{
    float c[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

    for (int k = 0; k < ROUNDS; k++)
        for (int i = 0; i < 8; i++) c[i] = c[i] * 0.999f + 1e-3f;
    sink = c[0] + c[1] + c[2] + c[3] + c[4] + c[5] + c[6] + c[7];
    return (double)ROUNDS * 8 * 2;
}

double bench_peak_flops(void)
{
    const char *level = born_cpu_level();
    double (*spin)(void) = spin_scalar, best = 0;

#if defined(__x86_64__)
    if (!strncmp(level, "avx512", 6)) spin = spin_avx512;
    if (!strcmp(level, "avx2")) spin = spin_avx2;
#elif defined(__aarch64__)
    if (strcmp(level, "scalar")) spin = spin_neon;
#endif
    (void)level;
    for (int i = 0; i < TRIES; i++) {
        double t0 = cli_seconds(), flops = 0;
        for (int k = 0; k < 8; k++) flops += spin();
        double rate = flops / (cli_seconds() - t0);
        if (i > 2 && rate > best) best = rate;          /* the first tries wake the wide units */
    }
    return best;
}
