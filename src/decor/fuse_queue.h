/* The queue of born_fuse: elementwise calls that have not run yet, and the storage their results will have.

   A result's storage (fuse_storage) is a buffer without data, which views and versions treat as any other; the leaf's
   buffer behind it is made when the queue runs, and only if a tensor or a call outside its program still reads it. What
   a queued call reads is held: a storage by its `readers`, a leaf's buffer by one of its refs. A call whose result
   nobody can read any more leaves at once and lets go of what it held. Operands are always older than their readers. */
#ifndef BORN_DECOR_FUSE_QUEUE_H
#define BORN_DECOR_FUSE_QUEUE_H
#include "decor/blocks.h"
#include "graph/fusion.h"
#include "waist/chain.h"

enum {
    BORN_FUSE_CALLS = BORN_FUSED_STEPS, BORN_FUSE_OPERANDS = 3, BORN_FUSE_VALUES = BORN_FUSE_CALLS * BORN_FUSE_OPERANDS,
    BORN_FUSE_ATTR_BYTES = 32,
};
/* Most bytes that the queue alone may keep from being freed. */
#define BORN_FUSE_HELD_BYTES ((size_t)64 << 20)

typedef struct fuse_storage {
    born_buffer base;           /* refs: tensors; data NULL */
    born_buffer *real;          /* the leaf's; NULL: a queued call will make it */
    struct fuse_storage *next;  /* while free */
    uint32_t readers;           /* operands of queued calls */
    int32_t call;               /* which, while real is NULL */
} fuse_storage;

/* The whole result of a queued call, or else the value with this number. */
typedef struct fuse_operand {
    fuse_storage *made;
    int32_t value;
} fuse_operand;

typedef struct fuse_call {
    const born_op *op;
    fuse_storage *out;          /* NULL: made, or nobody wants it */
    fuse_operand in[BORN_FUSE_OPERANDS];
    bool holds;                 /* its operands */
    born_view view;             /* of the result, without storage */
    _Alignas(8) char attrs[BORN_FUSE_ATTR_BYTES];
    born_site at;
} fuse_call;

/* What queued calls read that is no whole result: another tensor, or a view of a result. */
typedef struct fuse_value {
    born_view view;
    uint32_t users;             /* operands; 0: free */
} fuse_value;

typedef struct fuse_queue {
    fuse_call call[BORN_FUSE_CALLS];
    fuse_value value[BORN_FUSE_VALUES];
    int calls, values;
    size_t bytes;               /* no less than what values alone keep from being freed */
    born_fusion fusion;
    fuse_storage *free;
    born_blocks blocks;         /* where storages come from */
} fuse_queue;

static inline fuse_storage *born__fuse_storage(const born_view *v)
{
    return v->buffer && v->buffer->keeper ? (fuse_storage *)v->buffer : NULL;
}
/* Puts v into the leaf's storage, which must be there. */
static inline void born__fuse_lend(born_view *v)
{
    const fuse_storage *g = born__fuse_storage(v);
    if (!g) return;
    v->buffer = g->real;
    v->data = g->real->data ? g->real->data + v->offset : NULL;
}
/* Whether the queue can hold an eager call. */
bool born__fuse_takes(const born_call *c);
/* Queues it: its result gets storage without data. On failure nothing has changed but what ran to make room. */
born_status born__fuse_add(born_backend *self, born_call *c, born_error *err);
/* Runs what is queued. On failure what has not run stays queued, so no value is lost. */
born_status born__fuse_flush(born_backend *self, born_error *err);
/* A tensor lets go of storage. */
void born__fuse_release(born_backend *self, born_buffer *b);
/* Calls up to `last` that have no result let go of what they hold; the queue becomes shorter where they are last. */
void born__fuse_drop_dead(born_backend *self, int last);
/* Puts an operand of one queued call where there is none. */
void born__fuse_hold_value(fuse_queue *q, int32_t at, const born_view *v);
#endif
