/* The thread pool. One job at a time holds the workers; whoever comes second, or from inside a body, runs its loop on
   its own thread. The gate, one 64-bit word {epoch, open, active}, is what makes joining safe: a worker enters a job
   only by a compare-and-swap that finds the gate open, the caller closes the gate when no range is left and then waits
   for those inside. So a worker that wakes late never holds a job up, and the job's fields change only while nobody
   reads them. Who announces something and then looks whether somebody sleeps announces it by an exchange, which orders
   the two on every machine (an emulator was seen to swap a sequential store with the load after it). Ranges begin at
   multiples of `grain`. Workers never allocate. Without threads (wasm) everything runs on
   the caller. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/threads.h"

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fpenv.h"

#if defined(__wasi__)

struct born_pool {
    int unused;
};

static born_pool serial_pool;

int born__cpu_count(void)
{
    return 1;
}

born_status born__pool_open(int threads, born_pool **out, born_error *err)
{
    (void)threads;
    (void)err;
    *out = &serial_pool;
    return BORN_OK;
}

void born__pool_close(born_pool **pool)
{
    *pool = NULL;
}

int born__pool_threads(const born_pool *pool)
{
    (void)pool;
    return 1;
}

void born__pool_for(born_pool *pool, int64_t n, int64_t grain, void (*body)(void *ctx, int64_t begin, int64_t end),
                    void *ctx)
{
    (void)pool;
    (void)grain;
    if (n > 0) body(ctx, 0, n);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define MOST_THREADS 1024
#define RANGES_PER_THREAD 24
#define SPIN_SECONDS 200e-6
#define STACK_BYTES ((size_t)1 << 20)
#define CACHE_LINE 64

#define GATE_OPEN ((uint64_t)1 << 31)
#define GATE_ACTIVE (GATE_OPEN - 1)
#define GATE_EPOCH ((uint64_t)1 << 32)

/* Ranges that belong to one thread: others take of them when they have none of their own left. So who worked on the
   first half of one loop works on the first half of the next, and finds in its caches what it left there. */
typedef struct share {
    _Alignas(CACHE_LINE) atomic_int_fast32_t next;
    int32_t end;
} share;

struct born_pool {
    /* the job: written while the gate is closed and nobody is inside */
    void (*body)(void *ctx, int64_t begin, int64_t end);
    void *ctx;
    int64_t n, range;
    share *share;               /* of the caller and of each worker */
    int32_t shares;             /* of them that have any range */
    _Alignas(CACHE_LINE) _Atomic uint64_t gate;
    atomic_int started;         /* workers that have a number */
    atomic_int taken;           /* some caller holds the workers; words: riscv64 has no exchange of bytes */
    atomic_bool stop;
    atomic_int sleepers;        /* workers on `wake` */
    atomic_int caller_sleeps;   /* the caller is on `done` */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    bool spin;                  /* not where there are more threads than CPUs */
    int workers;
    pid_t owner;                /* a forked child has no workers to join */
    pthread_t *thread;
};

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

int born__cpu_count(void)
{
    int count = 0;
#if defined(__linux__)
    cpu_set_t set[8];           /* 8,192 CPUs */
    memset(set, 0, sizeof set);
    if (sched_getaffinity(0, sizeof set, set) == 0) count = CPU_COUNT_S(sizeof set, set);
#endif
    if (count <= 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online > 0 && online <= MOST_THREADS ? (int)online : 1;
    }
    int granted = born__cgroup_cpus();
    if (granted > 0 && granted < count) count = granted;
    return count < MOST_THREADS ? count : MOST_THREADS;
}

/* Takes ranges until none is left: thread `me`'s own first. */
static void work(born_pool *p, int me)
{
    for (int k = 0; k < p->shares; k++) {
        share *s = &p->share[(me + k) % p->shares];
        for (;;) {
            int32_t i = (int32_t)atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
            if (i >= s->end) break;
            int64_t begin = (int64_t)i * p->range;
            int64_t end = p->n - begin > p->range ? begin + p->range : p->n;
            p->body(p->ctx, begin, end);
        }
    }
}

/* Whether there is something to join that this worker has not joined before. */
static bool gate_calls(uint64_t gate, uint64_t seen)
{
    return (gate & GATE_OPEN) != 0 && gate / GATE_EPOCH != seen;
}

static bool should_wake(born_pool *p, uint64_t seen)
{
    return atomic_load(&p->stop) || gate_calls(atomic_load(&p->gate), seen);
}

/* Returns when a job is there or the pool closes. */
static void wait_for_job(born_pool *p, uint64_t seen)
{
    if (p->spin) {
        double until = born__clock_seconds() + SPIN_SECONDS;
        do {
            for (int i = 0; i < 32; i++) {
                if (should_wake(p, seen)) return;
                pause_cpu();
            }
        } while (born__clock_seconds() < until);
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);      /* before the last look: the caller publishes, then reads it */
    while (!should_wake(p, seen)) pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    born_pool *p = arg;
    uint64_t seen = 0;
    int me = atomic_fetch_add(&p->started, 1) + 1;
    born_fpenv before = born__fpenv_enter();
    for (;;) {
        wait_for_job(p, seen);
        if (atomic_load(&p->stop)) break;
        uint64_t gate = atomic_load(&p->gate);
        while (gate_calls(gate, seen)) {
            if (!atomic_compare_exchange_weak(&p->gate, &gate, gate + 1)) continue;
            seen = gate / GATE_EPOCH;
            work(p, me);
            uint64_t left = atomic_fetch_sub(&p->gate, 1) - 1;
            if ((left & (GATE_OPEN | GATE_ACTIVE)) == 0 && atomic_load(&p->caller_sleeps) != 0) {
                pthread_mutex_lock(&p->lock);
                pthread_cond_signal(&p->done);
                pthread_mutex_unlock(&p->lock);
            }
            break;
        }
    }
    born__fpenv_leave(before);
    return NULL;
}

/* Closes the gate and returns when every worker has left. */
static void finish_job(born_pool *p)
{
    atomic_fetch_and(&p->gate, ~GATE_OPEN);
    if (p->spin) {
        double until = born__clock_seconds() + SPIN_SECONDS;
        do {
            for (int i = 0; i < 32; i++) {
                if ((atomic_load(&p->gate) & GATE_ACTIVE) == 0) return;
                pause_cpu();
            }
        } while (born__clock_seconds() < until);
    }
    if ((atomic_load(&p->gate) & GATE_ACTIVE) == 0) return;
    pthread_mutex_lock(&p->lock);
    (void)atomic_exchange(&p->caller_sleeps, 1);
    while ((atomic_load(&p->gate) & GATE_ACTIVE) != 0) pthread_cond_wait(&p->done, &p->lock);
    atomic_store(&p->caller_sleeps, 0);
    pthread_mutex_unlock(&p->lock);
}

static void deal_ranges(born_pool *p, int32_t count)
{
    p->shares = count < p->workers + 1 ? count : p->workers + 1;
    for (int32_t k = 0; k < p->shares; k++) {
        atomic_store_explicit(&p->share[k].next, (int32_t)((int64_t)k * count / p->shares), memory_order_relaxed);
        p->share[k].end = (int32_t)((int64_t)(k + 1) * count / p->shares);
    }
}

void born__pool_for(born_pool *pool, int64_t n, int64_t grain, void (*body)(void *ctx, int64_t begin, int64_t end),
                    void *ctx)
{
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    if (pool == NULL || pool->workers == 0 || n <= grain || atomic_exchange(&pool->taken, 1) != 0) {
        body(ctx, 0, n);
        return;
    }
    int64_t most = (int64_t)(pool->workers + 1) * RANGES_PER_THREAD;
    int64_t grains = (n - 1) / grain + 1;
    int64_t per_range = (grains - 1) / most + 1;
    pool->body = body;
    pool->ctx = ctx;
    pool->n = n;
    pool->range = per_range * grain;
    deal_ranges(pool, (int32_t)((grains - 1) / per_range + 1));
    uint64_t epoch = atomic_load(&pool->gate) / GATE_EPOCH + 1;
    (void)atomic_exchange(&pool->gate, epoch * GATE_EPOCH | GATE_OPEN);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->lock);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
    }
    work(pool, 0);
    finish_job(pool);
    atomic_store(&pool->taken, 0);
}

/* Starts up to `want` workers with the program's signals blocked (faults of their own stay deliverable). */
static void start_workers(born_pool *p, int want)
{
    sigset_t all, old;
    sigfillset(&all);
    static const int own[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0) return;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (p->workers < want && pthread_create(&p->thread[p->workers], &attr, worker_main, p) == 0) p->workers++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

static born_status pool_init(born_pool *p, int want, born_error *err)
{
    BORN_FAIL_IF(pthread_mutex_init(&p->lock, NULL) != 0, err, BORN_NOMEM, "threads: no mutex");
    if (pthread_cond_init(&p->wake, NULL) != 0) {
        pthread_mutex_destroy(&p->lock);
        return born__fail(err, BORN_NOMEM, "threads: no condition variable");
    }
    if (pthread_cond_init(&p->done, NULL) != 0) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
        return born__fail(err, BORN_NOMEM, "threads: no condition variable");
    }
    p->share = (share *)(p + 1);
    p->thread = (pthread_t *)(void *)(p->share + want + 1);
    p->owner = getpid();
    start_workers(p, want);
    return BORN_OK;
}

born_status born__pool_open(int threads, born_pool **out, born_error *err)
{
    *out = NULL;
    int cpus = born__cpu_count();
    int want = threads > 0 ? threads : cpus;
    if (want > MOST_THREADS) want = MOST_THREADS;
    size_t bytes = sizeof(born_pool) + (size_t)want * (sizeof(share) + sizeof(pthread_t));
    born_pool *p = born__calloc(1, bytes);
    BORN_FAIL_IF(p == NULL, err, BORN_NOMEM, "threads: no memory for a pool of %d", want);
    p->spin = want <= cpus;
    born_status s = pool_init(p, want - 1, err);
    if (s != BORN_OK) {
        born__free(p);
        return s;
    }
    *out = p;
    return BORN_OK;
}

void born__pool_close(born_pool **pool)
{
    born_pool *p = *pool;
    if (p == NULL) return;
    *pool = NULL;
    if (p->owner == getpid()) {
        atomic_store(&p->stop, true);
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
        for (int i = 0; i < p->workers; i++) pthread_join(p->thread[i], NULL);
        pthread_cond_destroy(&p->done);
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
    }
    born__free(p);
}

int born__pool_threads(const born_pool *pool)
{
    return pool == NULL ? 1 : pool->workers + 1;
}

#endif
