/* How much memory this process may take: the default of every max_bytes. */
#ifndef BORN_BASE_MEMLIMIT_H
#define BORN_BASE_MEMLIMIT_H
#include <stdint.h>

/* The smallest of the cgroup's limit, RLIMIT_AS and physical memory; never 0. */
uint64_t born__memory_limit(void);
#endif
