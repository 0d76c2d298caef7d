/* What an eager call costs beside its kernel: small tensors, so that the kernel is nearly nothing. The kernel's own
   time is measured by replaying the same call as a plan. Limits: 150 ns plain, 300 ns under autodiff. */
#include <born/born.h>
#include <stdio.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { STEPS = 400, CALLS = 1000, SIZE = 16 };
static float data[SIZE];

typedef born_f32 (*call_fn)(born_f32 x, born_f32 y);
static born_f32 call_add(born_f32 x, born_f32 y) { return born_add(x, y); }
static born_f32 call_mul_number(born_f32 x, born_f32 y) { (void)y; return born_mul(x, 1.5); }
static born_f32 call_relu(born_f32 x, born_f32 y) { (void)y; return born_relu(x); }
static born_f32 call_transpose(born_f32 x, born_f32 y) { (void)y; return born_transpose(x, (born_ints){ 0 }); }
static born_f32 call_matmul(born_f32 x, born_f32 y) { return born_matmul(x, y); }
static born_f32 call_reduce(born_f32 x, born_f32 y) { (void)y; return born_reduce_sum(x, BORN_INTS(1), NULL); }

/* Best mean over the steps, in ns per call. */
static double eager(born_backend *b, call_fn f, bool grad)
{
    double best = 1e9;
    for (int step = 0; step < STEPS; step++) {
        born_scope s = born_scope_begin(b);
        born_f32 x = born_from_f32(b, BORN_ARRAY(data, 4, 4)), y = born_from_f32(b, BORN_ARRAY(data, 4, 4));
        if (grad) x = born_requires_grad(x);
        double t = now();
        for (int i = 0; i < CALLS; i++) {
            born_scope inner = born_scope_begin(b);
            (void)f(x, y);
            born_scope_end(inner);
        }
        t = (now() - t) * 1e9 / CALLS;
        if (t < best) best = t;
        born_scope_end(s);
    }
    return best;
}

/* The same op in CALLS nodes (a chain, where the result has the operand's shape), as a planned session: the kernel and
   the plan's loop. */
static double planned(call_fn f, bool keeps_shape)
{
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { 0 };
    born_graph *g = NULL;
    born_model *m = NULL;
    born_session *s = NULL;
    double best = 0;
    born_f32 x = born_from_f32(b, BORN_ARRAY(data, 4, 4)), y = born_from_f32(b, BORN_ARRAY(data, 4, 4)), r = x;
    born_tensor in[2] = { x.any, y.any };
    if (born_trace_begin(b, in, 2, &err)) goto done;
    for (int i = 0; i < CALLS; i++) r = f(keeps_shape ? r : x, y);
    if (born_trace_end(b, &r.any, 1, &g, &err)) goto done;
    if (born_model_from_graph(&g, &(born_model_desc){ .passes_off = "all" }, &m, &err)) goto done;
    if (born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err)) goto done;
    best = 1e9;
    for (int step = 0; step < STEPS; step++) {
        born_array a[2] = { BORN_ARRAY(data, 4, 4), BORN_ARRAY(data, 4, 4) }, out;
        double t = now();
        if (born_session_run(s, a, 2, &out, 1, &err)) break;
        t = (now() - t) * 1e9 / CALLS;
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

int main(void)
{
    static const struct { const char *name; call_fn f; bool keeps_shape; } row[] = {
        { "add", call_add, true },           { "mul by a number", call_mul_number, true },
        { "relu", call_relu, true },         { "transpose", call_transpose, true },
        { "matmul 4x4", call_matmul, true }, { "reduce_sum", call_reduce, false },
    };
    printf("%-18s %10s %12s %12s %14s\n", "ns per call", "kernel", "eager", "autodiff", "eager beside");
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        born_backend *plain = born_cpu(&(born_cpu_desc){ .threads = 1 });
        born_backend *ad = born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 }));
        double e = eager(plain, row[i].f, false), a = eager(ad, row[i].f, true);
        double k = planned(row[i].f, row[i].keeps_shape);
        printf("%-18s %10.1f %12.1f %12.1f %14.1f\n", row[i].name, k, e, a, e - k);
        born_backend_close(&plain);
        born_backend_close(&ad);
    }
    return 0;
}
