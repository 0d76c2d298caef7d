/* Limits that a container puts on this process (cgroup v1 and v2), read anew on each call. Nothing is found outside
   Linux. */
#ifndef BORN_BASE_CGROUP_H
#define BORN_BASE_CGROUP_H
#include <stdint.h>

/* CPUs worth of time granted, rounded up; 0: no limit. */
int born__cgroup_cpus(void);
/* Bytes granted; UINT64_MAX: no limit. */
uint64_t born__cgroup_memory(void);
#endif
