/* The nth allocation fails, for every n until all succeed: eager code, gradients and traces never crash, leak or change
   what they should not, report NOMEM, and work again afterwards. */
#include <born/born.h>
#include <stdlib.h>

#include "harness.h"
#include "waist/chain.h"

static long long countdown = -1;    /* -1: never fail */
static long long held;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) return NULL;
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    if (p) held++;
    return p;
}
static void failing_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)bytes, (void)align;
    if (p) held--;
    free(p);
}

static const double in6[6] = { 0.3, -0.7, 1.1, 0.9, -0.25, 0.6 };

static born_f64 loss_of(born_f64 x)
{
    born_f64 y = born_matmul(x, born_transpose(x, (born_ints){ 0 }));
    born_f64 parts[2] = { born_tanh(y), born_mul(y, 0.5) };
    return born_reduce_sum(born_concat(parts, 2, 0), (born_ints){ 0 }, NULL);
}

/* Everything once; whether it all went well. Fills status with that of the backend. */
static bool work(born_status *status)
{
    born_backend *b = born_check(born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }))));
    born_error err = { 0 };
    born_graph *g = NULL;
    double v = 0, grad[6];
    bool good = true;
    born_scope s = born_scope_begin(b);
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(in6, 2, 3)));
    good = born_trace_begin(b, &x.any, 1, &err) == BORN_OK && good;
    born_f64 loss = loss_of(x);
    good = born_backward(loss) == BORN_OK && good;
    good = born_trace_end(b, &loss.any, 1, &g, &err) == BORN_OK && good;
    good = born_item_f64(loss, &v) == BORN_OK && good;
    good = born_read(born_grad_of(x), grad, sizeof grad) == BORN_OK && good;
    born_f64 kept = born_keep(loss);
    born_scope_end(s);
    born_graph_close(&g);
    *status = born_backend_error(b)->status;
    if (!*status && err.status) *status = err.status;
    born_error taken;
    born_backend_take_error(b, &taken);
    born_backend_close(&b);
    born_drop(&kept);
    return good;
}

TEST(every_allocation_may_fail)
{
    born_status status;
    born_allocator a = { failing_alloc, failing_release, NULL };
    born__slabs_free();
    born_allocator_set(&a);
    CHECK(work(&status));
    born__slabs_free();
    CHECK_INT(held, 0);
    long long n = 0;
    for (;; n++) {
        countdown = n;
        born__slabs_free();
        bool good = work(&status);
        bool ran_out = countdown == 0;
        countdown = -1;
        born__slabs_free();
        CHECK_MSG(held == 0, "allocation %lld failing leaves %lld blocks", n, held);
        if (!ran_out && good) break;
        CHECK_MSG(good || status == BORN_NOMEM, "allocation %lld failing gives %s", n, born_status_name(status));
        if (n > 10000) break;
    }
    CHECK_MSG(n > 10 && n < 10000, "%lld allocations", n);
    born_allocator_set(NULL);
}

TEST(a_failed_call_changes_nothing)
{
    born_allocator a = { failing_alloc, failing_release, NULL };
    born_allocator_set(&a);
    born_backend *b = born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(in6, 2, 3)));
    CHECK_STATUS(born_backward(loss_of(x)), BORN_OK);
    double first[6], now[6];
    CHECK_STATUS(born_read(born_grad_of(x), first, sizeof first), BORN_OK);
    born_f64 loss = loss_of(x);
    uint64_t live = b->chain->live;
    for (int n = 0; n < 4; n++) {
        static double big[1 << 16];
        countdown = n;
        born_f64 y = born_from_f64(b, BORN_ARRAY(big, 1 << 16));
        countdown = -1;
        if (!born_is_alive(y)) CHECK_INT(b->chain->live, live);
        else live = b->chain->live;
        born_error err;
        born_backend_take_error(b, &err);
        CHECK_STATUS(born_read(born_grad_of(x), now, sizeof now), BORN_OK);
        CHECK(!memcmp(first, now, sizeof now));
    }
    CHECK_STATUS(born_backward(loss), BORN_OK);
    born_backend_close(&b);
    born__slabs_free();
    CHECK_INT(held, 0);
    born_allocator_set(NULL);
}

TEST_MAIN
