/* The workers of a loader. Each takes the next batch number under the lock, fills its slot without it, and says so. A
   number is handed out when its slot is free and its epoch is the caller's or the next one: two orders are kept, and
   the one that is replaced belongs to an epoch that was taken to its end. Without threads (wasm) there is no crew. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "data/loader.h"

#if defined(__wasi__)

struct born_crew {
    int unused;
};

void born__crew_open(born_loader *l, int workers)
{
    (void)workers;
    l->crew = NULL;
}

void born__crew_close(born_loader *l)
{
    (void)l;
}

void born__crew_wait(born_loader *l)
{
    (void)l;
}

void born__crew_release(born_loader *l)
{
    (void)l;
}

void born__crew_restart(born_loader *l, void (*change)(born_loader *l, const void *arg), const void *arg)
{
    change(l, arg);
}

#else

#include <pthread.h>
#include <signal.h>

#define STACK_BYTES ((size_t)2 << 20)   /* decoders of the user's run on it */

struct born_crew {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int64_t issue;              /* the next batch to hand out */
    int in_flight, workers;
    bool stop, paused;
    pthread_t *thread;
    struct seat { born_loader *l; void *scratch; } *seat;
};

static bool can_issue(const born_loader *l)
{
    const born_crew *c = l->crew;
    int64_t oldest = l->next - (l->holding ? 1 : 0);        /* its slot and all later ones are in use */
    return !c->paused && c->issue < oldest + l->slot_count && c->issue / l->batches <= oldest / l->batches + 1;
}

static void *worker_main(void *arg)
{
    struct seat *seat = arg;
    born_loader *l = seat->l;
    born_crew *c = l->crew;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->stop && !can_issue(l)) pthread_cond_wait(&c->work, &c->lock);
        if (c->stop) break;
        int64_t g = c->issue++;
        born_slot *s = &l->slot[g % l->slot_count];
        born__loader_order(l, g / l->batches);
        c->in_flight++;
        pthread_mutex_unlock(&c->lock);
        born__loader_fill(l, s, g, seat->scratch);
        pthread_mutex_lock(&c->lock);
        c->in_flight--;
        s->ready = true;
        pthread_cond_broadcast(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Signals that others send go to the program's own threads. */
static void start(born_loader *l, int workers)
{
    static const int own[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF };
    born_crew *c = l->crew;
    sigset_t all, old;
    pthread_attr_t attr;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&all, own[i]);
    if (pthread_attr_init(&attr) != 0) return;
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i < workers; i++) {
        c->seat[i].l = l;
        c->seat[i].scratch = l->scratch + (size_t)i * l->scratch_each;
        if (pthread_create(&c->thread[i], &attr, worker_main, &c->seat[i]) != 0) break;
        c->workers++;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

static bool make_locks(born_crew *c)
{
    if (pthread_mutex_init(&c->lock, NULL) != 0) return false;
    if (pthread_cond_init(&c->work, NULL) != 0) {
        pthread_mutex_destroy(&c->lock);
        return false;
    }
    if (pthread_cond_init(&c->done, NULL) == 0) return true;
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    return false;
}

static void free_crew(born_crew *c)
{
    born__free(c->thread);
    born__free(c->seat);
    born__free(c);
}

void born__crew_open(born_loader *l, int workers)
{
    if (workers < 1) return;
    born_crew *c = born__calloc(1, sizeof *c);
    if (c == NULL) return;
    c->thread = born__calloc((size_t)workers, sizeof *c->thread);
    c->seat = born__calloc((size_t)workers, sizeof *c->seat);
    if (c->thread == NULL || c->seat == NULL || !make_locks(c)) {
        free_crew(c);
        return;
    }
    l->crew = c;
    start(l, workers);
    if (c->workers == 0) born__crew_close(l);
}

void born__crew_close(born_loader *l)
{
    born_crew *c = l->crew;
    if (c == NULL) return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->workers; i++) pthread_join(c->thread[i], NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free_crew(c);
    l->crew = NULL;
}

void born__crew_wait(born_loader *l)
{
    born_crew *c = l->crew;
    pthread_mutex_lock(&c->lock);
    while (!l->slot[l->next % l->slot_count].ready) pthread_cond_wait(&c->done, &c->lock);
    l->next++;
    l->holding = true;
    pthread_cond_broadcast(&c->work);           /* an epoch more may have come into reach */
    pthread_mutex_unlock(&c->lock);
}

void born__crew_release(born_loader *l)
{
    born_crew *c = l->crew;
    pthread_mutex_lock(&c->lock);
    if (l->holding) l->slot[(l->next - 1) % l->slot_count].ready = false;
    l->holding = false;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

void born__crew_restart(born_loader *l, void (*change)(born_loader *l, const void *arg), const void *arg)
{
    born_crew *c = l->crew;
    pthread_mutex_lock(&c->lock);
    c->paused = true;
    while (c->in_flight > 0) pthread_cond_wait(&c->done, &c->lock);
    for (int64_t i = 0; i < l->slot_count; i++) l->slot[i].ready = false;
    change(l, arg);
    c->issue = l->next;
    c->paused = false;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

#endif
