/* The thread pool of a leaf: workers spin briefly, then sleep; a job takes the workers that are idle, or none. */
#ifndef BORN_BASE_THREADS_H
#define BORN_BASE_THREADS_H
#include <born/base.h>

typedef struct born_pool born_pool;

/* The CPUs this process may use: the affinity mask cut by the cgroup's cpu limit (v1 and v2), at least 1. */
int born__cpu_count(void);
/* A pool that runs jobs on `threads` threads in all, the caller included (so threads - 1 workers; 1 makes none and
   is still valid). threads <= 0: born__cpu_count(). Fewer workers than asked where the system refuses threads. */
born_status born__pool_open(int threads, born_pool **out, born_error *err);
void born__pool_close(born_pool **pool);
int born__pool_threads(const born_pool *pool);     /* NULL: 1 */
/* Runs body over [0, n) in ranges of at least grain (the last may be shorter); returns when all are done. Ranges are
   handed out dynamically. Called from inside a body, or while another job holds the workers, it runs on the caller.
   Neither allocates nor fails. pool may be NULL. */
void born__pool_for(born_pool *pool, int64_t n, int64_t grain, void (*body)(void *ctx, int64_t begin, int64_t end),
                    void *ctx);
#endif
