/* See memlimit.h. Where a system tells nothing, half of the address space. */
#define _DEFAULT_SOURCE
#include "base/memlimit.h"

#if !defined(__wasi__)
#include <sys/resource.h>
#include <unistd.h>
#endif

#include "base/cgroup.h"

uint64_t born__memory_limit(void)
{
    uint64_t best = (uint64_t)(SIZE_MAX / 2);
    uint64_t group = born__cgroup_memory();
    if (group < best) best = group;
#if !defined(__wasi__)
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY && (uint64_t)r.rlim_cur < best) {
        best = (uint64_t)r.rlim_cur;
    }
#if defined(_SC_PHYS_PAGES)
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0) {
        uint64_t ram;
        if (!__builtin_mul_overflow((uint64_t)pages, (uint64_t)page, &ram) && ram < best) best = ram;
    }
#endif
#endif
    return best > 0 ? best : 1;
}
