/* Places in scratch for the threads at work: whoever begins a range takes the lowest free one and gives it back at its
   end, so that few places are touched, again and again, however many there are. At most 64. Included by _k.c files. */
#ifndef BORN_CPU_SLOTS_H
#define BORN_CPU_SLOTS_H
#include <stdatomic.h>
#include <stdint.h>

enum { BORN_SLOTS = 64 };

typedef struct born_slots { _Atomic uint64_t busy; } born_slots;    /* bit i: slot i */

/* As many callers at a time as there are slots. */
static inline int born__slot_take(born_slots *s)
{
    uint64_t busy = atomic_load_explicit(&s->busy, memory_order_relaxed);
    int i;
    do {
        i = ~busy ? __builtin_ctzll(~busy) : BORN_SLOTS - 1;
    } while (!atomic_compare_exchange_weak_explicit(&s->busy, &busy, busy | 1ull << i, memory_order_acquire,
                                                    memory_order_relaxed));
    return i;
}

static inline void born__slot_give(born_slots *s, int i)
{
    (void)atomic_fetch_and_explicit(&s->busy, ~(1ull << i), memory_order_release);
}
#endif
