/* The CPU device and its memory. Freed blocks wait in lists by size class: first in the chain's own (no lock), then,
   when a chain ends, in the device's. What a chain holds above cache_bytes goes back to the allocator at once. Above
   max_bytes, and when the allocator has nothing, the caches are emptied before NOMEM is reported. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cpu/leaf.h"
#include "waist/desc.h"

enum { HEADER_BYTES = 64 };
_Static_assert(sizeof(born_cpu_buffer) <= HEADER_BYTES, "a buffer's header fits its cache line");
#define DEFAULT_CACHE_BYTES ((size_t)256 << 20)

/* ---- the device ------------------------------------------------------------------------------------------------ */

static born_device device_nomem = { .refs = 1, .lock = ATOMIC_FLAG_INIT,
                                    .error = { .status = BORN_NOMEM, .text = "cpu: out of memory" } };

born_device *born_device_cpu_sized(const born_cpu_desc *desc, size_t desc_bytes)
{
    born_cpu_desc d;
    born_device *dev = born__calloc(1, sizeof *dev);
    if (!dev) return &device_nomem;
    atomic_init(&dev->refs, 1);
    atomic_flag_clear(&dev->lock);
    if (born__desc_read(&d, sizeof d, desc, desc_bytes, "cpu", &dev->error)) return dev;
    dev->max_bytes = d.max_bytes ? d.max_bytes : SIZE_MAX;
    dev->cache_bytes = d.cache_bytes ? d.cache_bytes : DEFAULT_CACHE_BYTES;
    born__pool_open(d.threads, &dev->pool, &dev->error);
    return dev;
}

void born__device_hold(born_device *d)
{
    if (d != &device_nomem) atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
}

static void lock(born_device *d)
{
    while (atomic_flag_test_and_set_explicit(&d->lock, memory_order_acquire)) { }
}
static void unlock(born_device *d) { atomic_flag_clear_explicit(&d->lock, memory_order_release); }

static void block_free(born_device *d, born_cpu_buffer *b)
{
    atomic_fetch_sub_explicit(&d->used, b->block_bytes, memory_order_relaxed);
    born__free(b);
}

static void list_free(born_device *d, born_cpu_buffer **list)
{
    for (int i = 0; i < BORN_CLASSES; i++)
        while (list[i]) {
            born_cpu_buffer *b = list[i];
            list[i] = b->u.next;
            block_free(d, b);
        }
}

static void device_trim(born_device *d)
{
    if (!atomic_load_explicit(&d->shared, memory_order_relaxed)) return;
    lock(d);
    list_free(d, d->list);
    d->shared_bytes = 0;
    atomic_store_explicit(&d->shared, 0, memory_order_relaxed);
    unlock(d);
}

void born_device_close(born_device **d)
{
    if (!d || !*d) return;
    born_device *x = *d;
    *d = NULL;
    if (x == &device_nomem || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) != 1) return;
    device_trim(x);
    born__pool_close(&x->pool);
    born__free(x);
}

/* ---- size classes ---------------------------------------------------------------------------------------------- */

/* The smallest class that holds n bytes, and its size; BORN_CLASS_NONE where n is too large to cache. */
static int class_of(size_t n, size_t *bytes)
{
    if (n < 128) n = 128;
    if (n > (size_t)1 << (BORN_CLASS_BITS - 1)) return BORN_CLASS_NONE;
    int bits = 31 - __builtin_clz((unsigned)n);         /* 2^bits <= n */
    size_t step = (size_t)1 << (bits - 2), base = (size_t)1 << bits;
    size_t quarter = (n - base + step - 1) / step;      /* 0 to 4 */
    *bytes = base + quarter * step;
    return bits * 4 + (int)quarter;
}

static born_cpu_buffer *cache_take(born_cpu_leaf *leaf, int size_class)
{
    born_device *d = leaf->dev;
    born_cpu_buffer *b = leaf->list[size_class];
    if (b) {
        leaf->list[size_class] = b->u.next;
        leaf->cached -= b->block_bytes;
    } else if (atomic_load_explicit(&d->shared, memory_order_relaxed)) {
        lock(d);
        b = d->list[size_class];
        if (b) {
            d->list[size_class] = b->u.next;
            d->shared_bytes -= b->block_bytes;
            atomic_fetch_sub_explicit(&d->shared, 1, memory_order_relaxed);
        }
        unlock(d);
    }
    return b;
}

/* Counts n bytes against max_bytes; false where they do not fit. */
static bool reserve(born_device *d, size_t n)
{
    size_t used = atomic_fetch_add_explicit(&d->used, n, memory_order_relaxed);
    if (used <= d->max_bytes && n <= d->max_bytes - used) return true;
    atomic_fetch_sub_explicit(&d->used, n, memory_order_relaxed);
    return false;
}

static void *block_new(born_cpu_leaf *leaf, size_t n, born_error *err)
{
    born_device *d = leaf->dev;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (attempt) {
            born__cpu_leaf_free_cache(leaf);
        }
        if (!reserve(d, n)) continue;
        void *p = born__alloc(n);
        if (p) return p;
        atomic_fetch_sub_explicit(&d->used, n, memory_order_relaxed);
    }
    if (d->max_bytes == SIZE_MAX) born__fail(err, BORN_NOMEM, "cpu: no memory for %zu bytes", n);
    else
        born__fail(err, BORN_NOMEM, "cpu: no memory for %zu bytes: %zu in use, max_bytes is %zu", n,
                   atomic_load_explicit(&d->used, memory_order_relaxed), d->max_bytes);
    return NULL;
}

born_status born__cpu_alloc(born_backend *self, size_t bytes, size_t align, void *host, void (*host_free)(void *),
                            born_buffer **out, born_error *err)
{
    born_cpu_leaf *leaf = self->state;
    size_t extra = host ? 0 : bytes, n = HEADER_BYTES;
    if (align > HEADER_BYTES && !host) n = align;
    BORN_FAIL_IF(extra > SIZE_MAX / 4 || n > SIZE_MAX / 4, err, BORN_NOMEM, "cpu: no memory for %zu bytes", bytes);
    n = align > HEADER_BYTES && !host ? extra + 2 * n : extra + n;
    int size_class = class_of(n, &n);
    born_cpu_buffer *b = size_class == BORN_CLASS_NONE ? NULL : cache_take(leaf, size_class);
    if (!b) {
        b = block_new(leaf, n, err);
        if (!b) return BORN_NOMEM;
        b->block_bytes = n;
        b->size_class = size_class;
    }
    char *data = (char *)b + HEADER_BYTES;
    if (align > HEADER_BYTES) data += (align - ((uintptr_t)data & (align - 1))) & (align - 1);
    b->base = (born_buffer){ .data = host ? host : data, .bytes = bytes, .refs = 1 };
    b->wrapped = host != NULL;
    b->u.host_free = host ? host_free : NULL;
    *out = &b->base;
    return BORN_OK;
}

void born__cpu_release(born_backend *self, born_buffer *buf)
{
    born_cpu_leaf *leaf = self->state;
    born_device *d = leaf->dev;
    born_cpu_buffer *b = (born_cpu_buffer *)buf;
    if (--buf->refs) return;
    if (b->wrapped && b->u.host_free) b->u.host_free(buf->data);
    buf->data = NULL;
    if (b->size_class == BORN_CLASS_NONE || leaf->cached + b->block_bytes > d->cache_bytes) {
        block_free(d, b);
        return;
    }
    leaf->cached += b->block_bytes;
    b->u.next = leaf->list[b->size_class];
    leaf->list[b->size_class] = b;
}

void born__cpu_leaf_empty(born_cpu_leaf *leaf)
{
    born_device *d = leaf->dev;
    size_t moved = 0;
    lock(d);
    for (int i = 0; i < BORN_CLASSES; i++)
        while (leaf->list[i]) {
            born_cpu_buffer *b = leaf->list[i];
            leaf->list[i] = b->u.next;
            if (d->shared_bytes + b->block_bytes > d->cache_bytes) {
                block_free(d, b);
                continue;
            }
            d->shared_bytes += b->block_bytes;
            b->u.next = d->list[i];
            d->list[i] = b;
            moved++;
        }
    leaf->cached = 0;
    atomic_fetch_add_explicit(&d->shared, moved, memory_order_relaxed);
    unlock(d);
}

void born__cpu_leaf_free_cache(born_cpu_leaf *leaf)
{
    list_free(leaf->dev, leaf->list);
    leaf->cached = 0;
    device_trim(leaf->dev);
}
