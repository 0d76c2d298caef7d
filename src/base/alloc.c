/* Memory through the process-wide allocator, and arenas. Each block begins with a header of 64 bytes that remembers
   its size and who takes it back, so a block made before born_allocator_set still returns to its own allocator.
   Called from everywhere; the only file that calls malloc. */
#define _GNU_SOURCE
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/checked.h"

#define BLOCK_ALIGN 64
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define LARGE_BYTES (2 * HUGE_PAGE_BYTES)
#define ARENA_ALIGN 16
#define ARENA_FIRST_BYTES ((size_t)4096)
#define ARENA_LARGEST_BYTES ((size_t)1 << 20)

typedef struct block_head {
    size_t total_bytes;     /* header included: what `release` must be told */
    void (*release)(void *user, void *p, size_t bytes, size_t align);
    void *user;
} block_head;

_Static_assert(sizeof(block_head) <= BLOCK_ALIGN, "the header fits into one alignment step");

/* Large blocks (packed weights, arenas) ask for huge pages: fewer faults when they are first written, fewer misses of
   the address cache when kernels walk them. */
static void *libc_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    size_t rounded;
#if defined(__linux__)
    bool large = bytes >= LARGE_BYTES;
    if (large) align = HUGE_PAGE_BYTES;
#endif
    if (!born__add_size(bytes, align - 1, &rounded)) return NULL;
    void *p = aligned_alloc(align, rounded & ~(align - 1));
#if defined(__linux__)
    if (p != NULL && large) (void)madvise(p, rounded & ~(align - 1), MADV_HUGEPAGE);
#endif
    return p;
}

static void libc_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    free(p);
}

static born_allocator allocator = { libc_alloc, libc_release, NULL };
static atomic_size_t call_count;

void born_allocator_set(const born_allocator *a)
{
    if (a != NULL && a->alloc != NULL && a->release != NULL) {
        allocator = *a;
    } else {
        allocator = (born_allocator){ libc_alloc, libc_release, NULL };
    }
}

uint64_t born__alloc_calls(void)
{
    return atomic_load_explicit(&call_count, memory_order_relaxed);
}

static block_head *head_of(void *p)
{
    return (block_head *)(void *)((char *)p - BLOCK_ALIGN);
}

void *born__alloc(size_t bytes)
{
    size_t total;
    if (!born__add_size(bytes, BLOCK_ALIGN, &total) || total > PTRDIFF_MAX) return NULL;
    atomic_fetch_add_explicit(&call_count, 1, memory_order_relaxed);
    char *raw = allocator.alloc(allocator.user, total, BLOCK_ALIGN);
    if (raw == NULL) return NULL;
    *(block_head *)(void *)raw = (block_head){ total, allocator.release, allocator.user };
    return raw + BLOCK_ALIGN;
}

void *born__calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!born__mul_size(count, size, &bytes)) return NULL;
    void *p = born__alloc(bytes);
    if (p != NULL) memset(p, 0, bytes);
    return p;
}

void *born__realloc(void *p, size_t bytes)
{
    void *grown = born__alloc(bytes);
    if (grown == NULL || p == NULL) return grown;
    size_t old = head_of(p)->total_bytes - BLOCK_ALIGN;
    memcpy(grown, p, old < bytes ? old : bytes);
    born__free(p);
    return grown;
}

void born__free(void *p)
{
    if (p == NULL) return;
    block_head h = *head_of(p);
    h.release(h.user, head_of(p), h.total_bytes, BLOCK_ALIGN);
}

char *born__strdup_n(const char *s, size_t n)
{
    size_t bytes;
    if (!born__add_size(n, 1, &bytes)) return NULL;
    char *copy = born__alloc(bytes);
    if (copy == NULL) return NULL;
    if (n > 0) memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

bool born__grow(void **items, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return true;
    size_t count = *cap < 8 ? 8 : *cap;
    while (count < need) {
        if (!born__mul_size(count, 2, &count)) count = need;
    }
    size_t bytes;
    if (!born__mul_size(count, size, &bytes)) return false;
    void *grown = born__realloc(*items, bytes);
    if (grown == NULL) return false;
    *items = grown;
    *cap = count;
    return true;
}

struct born_arena_block {
    struct born_arena_block *next;
    size_t used, cap;           /* of the bytes after this header */
};

_Static_assert(sizeof(struct born_arena_block) <= 2 * ARENA_ALIGN, "the header fits into two alignment steps");
#define ARENA_HEAD (2 * ARENA_ALIGN)

/* Appends a block that holds at least `bytes`; ordinary blocks double so that a big arena is made of few. */
static bool arena_extend(born_arena *a, size_t bytes)
{
    size_t want = a->block_bytes == 0 ? ARENA_FIRST_BYTES : a->block_bytes;
    size_t cap = bytes > want ? bytes : want;
    size_t total;
    if (!born__add_size(cap, ARENA_HEAD, &total)) return false;
    struct born_arena_block *b = born__alloc(total);
    if (b == NULL) return false;
    b->used = 0;
    b->cap = cap;
    /* A block made for one large request goes behind the current one, whose rest stays usable. */
    if (a->head != NULL && bytes > want) {
        b->next = a->head->next;
        a->head->next = b;
        return true;
    }
    b->next = a->head;
    a->head = b;
    a->block_bytes = want < ARENA_LARGEST_BYTES ? want * 2 : want;
    return true;
}

static void *arena_take(struct born_arena_block *b, size_t bytes)
{
    if (b == NULL || b->cap - b->used < bytes) return NULL;
    char *p = (char *)b + ARENA_HEAD + b->used;
    b->used += bytes;
    memset(p, 0, bytes);
    return p;
}

void *born__arena_alloc(born_arena *a, size_t bytes)
{
    size_t rounded;
    if (!born__add_size(bytes == 0 ? 1 : bytes, ARENA_ALIGN - 1, &rounded)) return NULL;
    rounded &= ~(size_t)(ARENA_ALIGN - 1);
    void *p = arena_take(a->head, rounded);
    if (p != NULL) return p;
    struct born_arena_block *before = a->head;
    if (!arena_extend(a, rounded)) return NULL;
    return arena_take(a->head == before && before != NULL ? before->next : a->head, rounded);
}

char *born__arena_strdup(born_arena *a, const char *s, size_t n)
{
    size_t bytes;
    if (!born__add_size(n, 1, &bytes)) return NULL;
    char *copy = born__arena_alloc(a, bytes);
    if (copy != NULL && n > 0) memcpy(copy, s, n);
    return copy;
}

void born__arena_free(born_arena *a)
{
    struct born_arena_block *b = a->head;
    while (b != NULL) {
        struct born_arena_block *next = b->next;
        born__free(b);
        b = next;
    }
    a->head = NULL;
}
