/* Memory: blocks, growth, arenas, and failure through the allocator hook. ctest-labels: cross */
#include <stdint.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "harness.h"

typedef struct counting {
    long live, calls, fail_at;      /* the call that fails; 0: none */
    size_t live_bytes;
} counting;

static void *counting_alloc(void *user, size_t bytes, size_t align)
{
    counting *c = user;
    if (++c->calls == c->fail_at) return NULL;
    void *p = aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
    if (p != NULL) {
        c->live++;
        c->live_bytes += bytes;
    }
    return p;
}

static void counting_release(void *user, void *p, size_t bytes, size_t align)
{
    counting *c = user;
    (void)align;
    c->live--;
    c->live_bytes -= bytes;
    free(p);
}

TEST(alloc_blocks_are_aligned_and_sized)
{
    counting c = { 0 };
    born_allocator_set(&(born_allocator){ counting_alloc, counting_release, &c });
    static const size_t sizes[] = { 0, 1, 15, 64, 65, 4096, 100000 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = born__alloc(sizes[i]);
        REQUIRE(p != NULL);
        CHECK_INT((uintptr_t)p % 64, 0);
        memset(p, 0xa5, sizes[i]);
        p = born__realloc(p, sizes[i] * 2 + 1);
        REQUIRE(p != NULL);
        CHECK(sizes[i] == 0 || (p[0] == 0xa5 && p[sizes[i] - 1] == 0xa5));
        born__free(p);
    }
    born__free(NULL);
    CHECK_INT(c.live, 0);
    CHECK_INT(c.live_bytes, 0);
    void *kept = born__alloc(10);
    born_allocator_set(NULL);
    born__free(kept);                   /* returns to the allocator it came from */
    CHECK_INT(c.live, 0);
}

TEST(alloc_sizes_are_checked)
{
    CHECK(born__alloc(SIZE_MAX) == NULL);
    CHECK(born__alloc(SIZE_MAX - 32) == NULL);
    CHECK(born__calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(born__strdup_n("", SIZE_MAX) == NULL);
    born_arena a = { 0 };
    CHECK(born__arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(born__arena_alloc(&a, SIZE_MAX - 20) == NULL);
    born__arena_free(&a);
    size_t cap = 0;
    void *items = NULL;
    CHECK(!born__grow(&items, &cap, SIZE_MAX / 4, 16));
    CHECK(items == NULL && cap == 0);
    size_t s = 7;
    CHECK(!born__mul_size(SIZE_MAX, 2, &s) && !born__add_size(SIZE_MAX, 1, &s) && s == 7);
    int64_t i = 9;
    CHECK(!born__mul_i64(INT64_MAX, 2, &i) && !born__add_i64(INT64_MIN, -1, &i) && i == 9);
}

TEST(alloc_failure_changes_nothing)
{
    counting c = { 0 };
    born_allocator_set(&(born_allocator){ counting_alloc, counting_release, &c });
    void *items = NULL;
    size_t cap = 0;
    REQUIRE(born__grow(&items, &cap, 4, sizeof(int)));
    ((int *)items)[3] = 42;
    size_t cap_before = cap;
    void *items_before = items;
    c.fail_at = c.calls + 1;
    CHECK(!born__grow(&items, &cap, cap + 1, sizeof(int)));
    CHECK(items == items_before && cap == cap_before && ((int *)items)[3] == 42);
    CHECK(born__grow(&items, &cap, cap + 1, sizeof(int)));
    CHECK_INT(((int *)items)[3], 42);
    born__free(items);

    /* every single allocation of a small piece of work fails once */
    for (long n = 1; n < 10; n++) {
        born_arena a = { 0 };
        c.calls = 0;
        c.fail_at = n;
        bool whole = true;
        for (int k = 0; k < 40; k++) whole = born__arena_alloc(&a, 700) != NULL && whole;
        CHECK(whole || c.calls >= n);
        born__arena_free(&a);
        CHECK_INT(c.live, 0);
    }
    born_allocator_set(NULL);
}

TEST(alloc_arena_gives_zeroed_aligned_disjoint_memory)
{
    born_arena a = { 0 };
    unsigned char *last = NULL;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = born__arena_alloc(&a, n);
        REQUIRE(p != NULL);
        CHECK_INT((uintptr_t)p % 16, 0);
        CHECK(p != last);
        size_t dirty = 0;
        for (size_t i = 0; i < n; i++) dirty += p[i] != 0;
        CHECK_INT(dirty, 0);
        memset(p, 0xff, n);
        last = p;
    }
    unsigned char *big = born__arena_alloc(&a, 5000000);
    unsigned char *small = born__arena_alloc(&a, 16);
    CHECK(big != NULL && small != NULL && big[4999999] == 0);
    CHECK_TEXT(born__arena_strdup(&a, "hello, world", 5), "hello");
    born__arena_free(&a);
    CHECK(a.head == NULL);
    char *copy = born__strdup_n("abc", 2);
    CHECK_TEXT(copy, "ab");
    born__free(copy);
}

TEST_MAIN
