/* The pool: every index exactly once, ranges at multiples of the grain, nesting, two callers, and no allocation.
   ctest-labels: threads cross */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "harness.h"

#if !defined(__wasi__)
#include <pthread.h>
#endif

#define MOST 5000

typedef struct tally {
    atomic_int seen[MOST];
    int64_t n, grain;
    atomic_int bad_ranges;
    born_pool *pool;
    atomic_llong inner;
} tally;

static tally shared;

static void count_range(void *ctx, int64_t begin, int64_t end)
{
    tally *t = ctx;
    bool fits = begin >= 0 && begin < end && end <= t->n && begin % t->grain == 0;
    bool enough = end - begin >= t->grain || end == t->n;
    if (!fits || !enough) {
        atomic_fetch_add(&t->bad_ranges, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++) atomic_fetch_add(&t->seen[i], 1);
}

static void check_loop(born_pool *pool, int64_t n, int64_t grain)
{
    tally *t = &shared;
    for (int i = 0; i < MOST; i++) atomic_store(&t->seen[i], 0);
    atomic_store(&t->bad_ranges, 0);
    t->n = n;
    t->grain = grain < 1 ? 1 : grain;
    born__pool_for(pool, n, grain, count_range, t);
    CHECK_INT(atomic_load(&t->bad_ranges), 0);
    int wrong = 0;
    for (int i = 0; i < MOST; i++) wrong += atomic_load(&t->seen[i]) != (i < n);
    CHECK_MSG(wrong == 0, "%d indices of %lld by %lld were not run once", wrong, (long long)n, (long long)grain);
}

TEST(threads_run_each_index_once)
{
    static const int64_t sizes[] = { 0, 1, 2, 3, 7, 16, 17, 100, 1000, 4999 };
    static const int64_t grains[] = { -5, 0, 1, 2, 3, 16, 1000, 10000 };
    for (int threads = 1; threads <= 4; threads++) {
        born_pool *pool;
        born_error err;
        REQUIRE_OK(born__pool_open(threads, &pool, &err), &err);
        CHECK(born__pool_threads(pool) >= 1 && born__pool_threads(pool) <= threads);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            for (size_t k = 0; k < sizeof grains / sizeof grains[0]; k++) check_loop(pool, sizes[i], grains[k]);
        }
        born__pool_close(&pool);
        CHECK(pool == NULL);
    }
    check_loop(NULL, 1000, 3);
    CHECK_INT(born__pool_threads(NULL), 1);
}

static void add_inner(void *ctx, int64_t begin, int64_t end)
{
    tally *t = ctx;
    atomic_fetch_add(&t->inner, end - begin);
}

static void run_nested(void *ctx, int64_t begin, int64_t end)
{
    tally *t = ctx;
    for (int64_t i = begin; i < end; i++) born__pool_for(t->pool, 100, 1, add_inner, t);
}

TEST(threads_nested_jobs_run_on_the_caller)
{
    born_pool *pool;
    born_error err;
    REQUIRE_OK(born__pool_open(4, &pool, &err), &err);
    shared.pool = pool;
    atomic_store(&shared.inner, 0);
    born__pool_for(pool, 64, 1, run_nested, &shared);
    CHECK_INT(atomic_load(&shared.inner), 6400);
    born__pool_close(&pool);
}

TEST(threads_many_jobs_allocate_nothing)
{
    born_pool *pool;
    born_error err;
    REQUIRE_OK(born__pool_open(3, &pool, &err), &err);
    uint64_t before = born__alloc_calls();
    atomic_store(&shared.inner, 0);
    for (int i = 0; i < 20000; i++) born__pool_for(pool, 8, 1, add_inner, &shared);
    CHECK_INT(atomic_load(&shared.inner), 160000);
    CHECK_INT(born__alloc_calls() - before, 0);
    born__pool_close(&pool);
    born__pool_close(&pool);
}

#if !defined(__wasi__)
static void *call_often(void *arg)
{
    tally *t = arg;
    for (int i = 0; i < 2000; i++) born__pool_for(t->pool, 50, 1, add_inner, t);
    return NULL;
}

TEST(threads_two_callers_share_a_pool)
{
    born_pool *pool;
    born_error err;
    REQUIRE_OK(born__pool_open(3, &pool, &err), &err);
    shared.pool = pool;
    atomic_store(&shared.inner, 0);
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, call_often, &shared) == 0);
    call_often(&shared);
    pthread_join(other, NULL);
    CHECK_INT(atomic_load(&shared.inner), 2 * 2000 * 50);
    born__pool_close(&pool);
}
#endif

TEST(threads_open_and_close_at_once)
{
    for (int i = 0; i < 50; i++) {
        born_pool *pool;
        born_error err;
        REQUIRE_OK(born__pool_open(i % 5, &pool, &err), &err);
        born__pool_close(&pool);
    }
    CHECK(born__cpu_count() >= 1);
}

TEST_MAIN
