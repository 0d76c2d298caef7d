/* Several chains on one device, each in a thread of its own: same bits everywhere, memory shared, chains and the device
   closed in any order.
   ctest-labels: threads */
#include <born/born.h>

#include "harness.h"

#if defined(__wasm__)
TEST(threads)
{
    SKIP("no threads here");
}
#else
#include <pthread.h>

enum { THREADS = 4, STEPS = 40, N = 64 };
static float data[N * N];

typedef struct worker {
    pthread_t thread;
    born_backend *b;
    float sum[STEPS];
    bool good;
} worker;

static void *run(void *p)
{
    worker *w = p;
    w->good = true;
    for (int i = 0; i < STEPS; i++) {
        born_scope s = born_scope_begin(w->b);
        born_f32 x = born_requires_grad(born_from_f32(w->b, BORN_ARRAY(data, N, N)));
        born_f32 y = born_reduce_sum(born_tanh(born_matmul(x, born_mul(x, 0.01))), (born_ints){ 0 }, NULL);
        w->good = w->good && born_backward(y) == BORN_OK && born_item_f32(y, &w->sum[i]) == BORN_OK;
        born_scope_end(s);
    }
    born_backend_close(&w->b);
    return NULL;
}

TEST(chains_of_one_device_in_threads)
{
    static worker w[THREADS];
    for (int i = 0; i < N * N; i++) data[i] = (float)(i % 17) - 8;
    born_device *d = born_device_cpu(&(born_cpu_desc){ .threads = 2 });
    for (int i = 0; i < THREADS; i++) w[i].b = born_autodiff(born_cpu_on(d));
    born_device_close(&d);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_create(&w[i].thread, NULL, run, &w[i]) == 0);
    for (int i = 0; i < THREADS; i++) REQUIRE(pthread_join(w[i].thread, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK(w[i].good);
        CHECK(!memcmp(w[i].sum, w[0].sum, sizeof w[i].sum));
        CHECK(w[i].sum[0] == w[i].sum[STEPS - 1]);
    }
}
#endif

TEST_MAIN
