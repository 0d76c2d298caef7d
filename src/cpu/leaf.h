/* The CPU leaf from inside: the shared device, buffers, and the parts of a run. leaf.c is the table of twelve
   functions; storage.c the device and its memory; widen.c runs f16 and bf16 operands through f32 kernels. */
#ifndef BORN_CPU_LEAF_H
#define BORN_CPU_LEAF_H
#include <stdatomic.h>

#include "cpu/kernel.h"
#include "waist/chain.h"

/* Four size classes per power of two, up to 2^BORN_CLASS_BITS bytes; larger blocks are not cached. */
enum { BORN_CLASS_BITS = 31, BORN_CLASSES = 4 * BORN_CLASS_BITS, BORN_CLASS_NONE = -1 };

/* A buffer and, behind its header, its bytes. */
typedef struct born_cpu_buffer {
    born_buffer base;
    union {
        struct born_cpu_buffer *next;       /* while cached */
        void (*host_free)(void *);          /* of wrapped host memory */
    } u;
    size_t block_bytes;                     /* taken from the allocator, header included */
    int size_class;
    bool wrapped;
} born_cpu_buffer;

struct born_device {
    atomic_uint refs;
    atomic_flag lock;                       /* guards list and shared_bytes */
    born_pool *pool;
    size_t max_bytes, cache_bytes;
    atomic_size_t used;                     /* bytes from the allocator, those in caches included */
    atomic_size_t shared;                   /* blocks in list: lets a miss skip the lock */
    size_t shared_bytes;                    /* at most cache_bytes */
    born_error error;                       /* a device that could not be made */
    born_cpu_buffer *list[BORN_CLASSES];
};

typedef struct born_cpu_leaf {
    born_device *dev;
    born_cpu_buffer *list[BORN_CLASSES];    /* this chain's own cache: no lock */
    size_t cached;                          /* bytes in it */
    void *scratch;
    size_t scratch_bytes;
} born_cpu_leaf;

/* storage.c */
born_status born__cpu_alloc(born_backend *self, size_t bytes, size_t align, void *host, void (*host_free)(void *),
                            born_buffer **out, born_error *err);
void born__cpu_release(born_backend *self, born_buffer *b);
void born__device_hold(born_device *d);
void born__cpu_leaf_empty(born_cpu_leaf *leaf);     /* hands the leaf's cache to the device */
void born__cpu_leaf_free_cache(born_cpu_leaf *leaf);

/* widen.c: w is the call with every f16 and bf16 operand replaced by an f32 one in `base` (NULL: only sizes matter);
   `room` holds in_count + out_count views. */
bool born__widen_needed(const born_call *c);
size_t born__widen_bytes(const born_call *c);       /* SIZE_MAX where that overflows */
void born__widen_layout(const born_call *c, born_call *w, born_view *room, char *base);
void born__widen_in(const born_call *c, const born_call *w, const born_exec *x);
void born__widen_out(born_call *c, const born_call *w, const born_exec *x);
#endif
