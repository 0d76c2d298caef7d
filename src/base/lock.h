/* A mutex, or nothing where there are no threads. */
#ifndef BORN_BASE_LOCK_H
#define BORN_BASE_LOCK_H
#if defined(__wasm__)
typedef struct born_lock { int unused; } born_lock;
static inline int born__lock_init(born_lock *l) { l->unused = 0; return 0; }
static inline void born__lock_destroy(born_lock *l) { (void)l; }
static inline void born__lock(born_lock *l) { (void)l; }
static inline void born__unlock(born_lock *l) { (void)l; }
#else
#include <pthread.h>
typedef struct born_lock { pthread_mutex_t m; } born_lock;
static inline int born__lock_init(born_lock *l) { return pthread_mutex_init(&l->m, NULL); }
static inline void born__lock_destroy(born_lock *l) { pthread_mutex_destroy(&l->m); }
static inline void born__lock(born_lock *l) { pthread_mutex_lock(&l->m); }
static inline void born__unlock(born_lock *l) { pthread_mutex_unlock(&l->m); }
#endif
#endif
