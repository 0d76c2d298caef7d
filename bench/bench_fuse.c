/* What born_fuse gains and costs: a chain of ten elementwise calls, whose results go but for the last, read at its end,
   with and without it, over sizes from nothing (what a call costs beside its kernel; limit 150 ns) to what no cache
   holds; the same under autodiff, which keeps every result; and one call at a time, where nothing can be gained. */
#include <born/born.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { CALLS = 10, LARGEST = 1 << 20 };
static float data[LARGEST];

static born_f32 chain(born_f32 x, born_f32 y)
{
    born_f32 a = born_add(born_mul(x, 1.5), y);
    born_f32 b = born_relu(born_sub(a, 0.25));
    born_f32 c = born_mul(born_add(b, x), y);
    born_f32 d = born_max(born_mul(c, 0.5), x);
    return born_sub(born_abs(d), y);
}

static born_f32 curves(born_f32 x, born_f32 y)
{
    born_f32 a = born_tanh(born_add(born_mul(x, 1.5), y));
    born_f32 b = born_mul(a, born_sigmoid(born_sub(x, y)));
    born_f32 c = born_exp(born_neg(born_square(b)));
    return born_add(born_mul(c, 0.5), y);
}

/* Ten calls, each of them needed at once. */
static born_f32 single(born_f32 x, born_f32 y)
{
    for (int i = 0; i < CALLS; i++) {
        born_scope s = born_scope_begin(born_backend_of(x));
        x = born_scope_return(s, born_add(x, y));
        if (born_sync(born_backend_of(x))) break;
    }
    return x;
}

static born_f32 trained(born_f32 x, born_f32 y)
{
    born_f32 l = born_reduce_sum(chain(x, y), (born_ints){ 0 }, NULL);
    if (born_backward(l)) fprintf(stderr, "%s\n", born_backend_error(born_backend_of(x))->text);
    return l;
}

typedef born_f32 (*chain_fn)(born_f32 x, born_f32 y);

/* Best ns per call of the chain, everything included but making and reading data. */
static double measure(born_backend *b, chain_fn f, int64_t n, bool grad)
{
    double best = 1e18;
    int repeats = n > 10000 ? 1 : 200, rounds = n > 10000 ? 40 : 100;
    born_array a = { BORN_F32, BORN_SHAPE(n), data, 0 };
    born_scope s = born_scope_begin(b);
    born_f32 x = born_from_f32(b, a), y = born_from_f32(b, a);
    if (grad) x = born_requires_grad(x);
    for (int round = 0; round < rounds; round++) {
        double t = now();
        for (int i = 0; i < repeats; i++) {
            born_scope outer = born_scope_begin(b), inner = born_scope_begin(b);
            (void)born_scope_return(inner, f(x, y));    /* what the chain made on the way goes */
            if (born_sync(b)) break;
            if (grad) born_grad_clear(x);
            born_scope_end(outer);
        }
        t = (now() - t) * 1e9 / (repeats * CALLS);
        if (t < best) best = t;
    }
    born_scope_end(s);
    if (born_backend_error(b)->status) fprintf(stderr, "%s\n", born_backend_error(b)->text);
    return best;
}

/* What the calls' programs take alone: the chain many times over as a planned session. */
static double kernels(chain_fn f, int64_t n)
{
    enum { TIMES = 50 };
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { 0 };
    born_graph *g = NULL;
    born_model *m = NULL;
    born_session *s = NULL;
    double best = 1e18;
    born_array in[2] = { { BORN_F32, BORN_SHAPE(n), data, 0 }, { BORN_F32, BORN_SHAPE(n), data, 0 } }, out;
    born_f32 x = born_from_f32(b, in[0]), y = born_from_f32(b, in[1]), r = x;
    born_tensor given[2] = { x.any, y.any };
    if (born_trace_begin(b, given, 2, &err)) goto done;
    for (int i = 0; i < TIMES; i++) r = f(r, y);
    if (born_trace_end(b, &r.any, 1, &g, &err) || born_model_from_graph(&g, NULL, &m, &err)) goto done;
    if (born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err)) goto done;
    for (int i = 0; i < 200; i++) {
        double t = now();
        if (born_session_run(s, in, 2, &out, 1, &err)) break;
        t = (now() - t) * 1e9 / (TIMES * CALLS);
        if (t < best) best = t;
    }
done:
    if (err.status) fprintf(stderr, "%s\n", err.text);
    born_session_close(&s);
    born_model_close(&m);
    born_graph_close(&g);
    born_backend_close(&b);
    return best;
}

static void row(const char *name, chain_fn f, int64_t n, int threads, bool grad)
{
    born_cpu_desc d = { .threads = threads };
    born_backend *plain = grad ? born_autodiff(born_cpu(&d)) : born_cpu(&d);
    born_backend *fuse = grad ? born_autodiff(born_fuse(born_cpu(&d))) : born_fuse(born_cpu(&d));
    double p = measure(plain, f, n, grad), q = measure(fuse, f, n, grad);
    printf("%-28s %9lld %8d %12.1f %12.1f %8.2f\n", name, (long long)n, threads, p, q, p / q);
    born_backend_close(&plain);
    born_backend_close(&fuse);
}

int main(void)
{
    static const int64_t size[] = { 16, 1000, 64000, LARGEST };
    for (int i = 0; i < LARGEST; i++) data[i] = (float)(i % 1000) * 1e-3f;
    printf("%-28s %9s %8s %12s %12s %8s\n", "ns per call", "elements", "threads", "plain", "fuse", "ratio");
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        row("arithmetic", chain, size[i], 1, false);
        row("with tanh, sigmoid, exp", curves, size[i], 1, false);
        row("one at a time", single, size[i], 1, false);
        row("forward and backward", trained, size[i], 1, true);
    }
    printf("one call's part of a program on 16 elements: %.1f and %.1f ns\n", kernels(chain, 16), kernels(curves, 16));
    row("arithmetic", chain, LARGEST, 2, false);
    row("with tanh, sigmoid, exp", curves, LARGEST, 2, false);
    row("forward and backward", trained, LARGEST, 2, true);
    return 0;
}
