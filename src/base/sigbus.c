/* See sigbus.h. The handler reads the table without locks: a slot is alive while its base is not 0, its size is
   written before its base, and the base is read again after the size, so a slot that changes hands in between is not
   believed. Faults outside our maps go to whoever handled SIGBUS before. Called by filemap.c. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/sigbus.h"

#include <born/model.h>
#include <stdatomic.h>

#include "base/error.h"

#define SLOTS 1024

typedef struct guard_slot {
    atomic_uintptr_t base;      /* 0: free, 1: being filled */
    atomic_size_t bytes;
    atomic_bool lost;
} guard_slot;

static guard_slot slots[SLOTS];

int born__guard_add(const void *base, size_t bytes)
{
    for (int i = 0; i < SLOTS; i++) {
        uintptr_t empty = 0;
        if (atomic_load_explicit(&slots[i].base, memory_order_relaxed) != 0) continue;
        if (!atomic_compare_exchange_strong(&slots[i].base, &empty, 1)) continue;
        atomic_store(&slots[i].lost, false);
        atomic_store(&slots[i].bytes, bytes);
        atomic_store(&slots[i].base, (uintptr_t)base);
        return i;
    }
    return -1;
}

void born__guard_remove(int slot)
{
    if (slot >= 0 && slot < SLOTS) atomic_store(&slots[slot].base, 0);
}

bool born__guard_lost(int slot)
{
    return slot >= 0 && slot < SLOTS && atomic_load(&slots[slot].lost);
}

#if defined(__wasi__)

born_status born_guard_install(born_error *err)
{
    (void)err;
    return BORN_OK;     /* files are read, not mapped */
}

#else

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sigaction old_action;
static uintptr_t page_bytes;

/* Whether a page faults again and again although it was replaced: the system told another address than that of the
   fault (qemu-user does for 32-bit programs), and trying on would never end. Threads may meet in one page. */
static bool hopeless(uintptr_t page)
{
    static atomic_uintptr_t last;
    static atomic_uint times;
    if (atomic_exchange(&last, page) != page) atomic_store(&times, 0);
    return atomic_fetch_add(&times, 1) > 4096;
}

/* Gives the faulting page zeros if it is in one of our maps. */
static bool replace_page(uintptr_t at)
{
    for (int i = 0; i < SLOTS; i++) {
        uintptr_t base = atomic_load(&slots[i].base);
        if (base <= 1 || at < base) continue;
        size_t bytes = atomic_load(&slots[i].bytes);
        if (at - base >= bytes || atomic_load(&slots[i].base) != base) continue;
        uintptr_t page = at & ~(page_bytes - 1);
        if (hopeless(page)) return false;
        void *got = mmap((void *)page, page_bytes, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED) return false;
        atomic_store(&slots[i].lost, true);
        return true;
    }
    return false;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    bool ours = info->si_code > 0 && replace_page((uintptr_t)info->si_addr);
    errno = saved;
    if (ours) return;
    if ((old_action.sa_flags & SA_SIGINFO) != 0) {
        old_action.sa_sigaction(sig, info, context);
    } else if (old_action.sa_handler != SIG_DFL && old_action.sa_handler != SIG_IGN) {
        old_action.sa_handler(sig);
    } else {
        /* A fault repeats on return and then ends the process as if we were not here; a sent signal is sent again. */
        signal(sig, SIG_DFL);
        if (info->si_code <= 0) raise(sig);
    }
}

born_status born_guard_install(born_error *err)
{
    static atomic_flag once = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&once)) return BORN_OK;
    long page = sysconf(_SC_PAGESIZE);
    page_bytes = page > 0 ? (uintptr_t)page : 4096;
    struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &old_action) != 0 || sigaction(SIGBUS, &action, NULL) != 0) {
        atomic_flag_clear(&once);
        return born__fail(err, BORN_UNSUPPORTED, "guard: this system lets no SIGBUS handler be set");
    }
    return BORN_OK;
}

#endif
