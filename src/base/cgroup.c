/* See cgroup.h. The process's group comes from /proc/self/cgroup; the limits of the group and of each group above it
   count, and the smallest wins. In a container the path may be the host's and not exist here: then walking up ends at
   the mount's root, which is the container's own group. Called by threads.c and memlimit.c. */
#define _POSIX_C_SOURCE 200809L
#include "base/cgroup.h"

#if defined(__linux__)

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 1024

typedef struct group_path {
    bool v2;
    char dir[PATH_BYTES];       /* "" or "/a/b", below the mount */
} group_path;

/* Reads the beginning of a small file as text; false where there is none. */
static bool read_text(const char *path, char *buf, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t have = 0;
    while (have < n - 1) {
        ssize_t got = read(fd, buf + have, n - 1 - have);
        if (got <= 0) break;
        have += (size_t)got;
    }
    close(fd);
    buf[have] = '\0';
    return have > 0;
}

/* Whether `name` is one of the names in "a,b,c" of n bytes. */
static bool list_has(const char *list, size_t n, const char *name)
{
    size_t want = strlen(name), at = 0;
    while (at <= n) {
        size_t end = at;
        while (end < n && list[end] != ',') end++;
        if (end - at == want && memcmp(list + at, name, want) == 0) return true;
        at = end + 1;
    }
    return false;
}

/* Takes the group that a line "id:controllers:path" names, if it is the controller's: a v1 hierarchy always, the v2
   one (no controllers) if nothing is known yet. True where it was taken. */
static bool take_line(char *line, const char *controller, bool known, group_path *g)
{
    char *names = strchr(line, ':');
    char *path = names != NULL ? strchr(names + 1, ':') : NULL;
    if (path == NULL) return false;
    size_t names_bytes = (size_t)(path - names - 1);
    bool v1 = names_bytes > 0 && list_has(names + 1, names_bytes, controller);
    if (!v1 && (names_bytes > 0 || known)) return false;
    int n = snprintf(g->dir, sizeof g->dir, "%s", path + 1);
    if (n <= 0 || (size_t)n >= sizeof g->dir) return false;
    if (strcmp(g->dir, "/") == 0) g->dir[0] = '\0';
    g->v2 = !v1;
    return true;
}

/* The process's group for a controller: its v1 hierarchy where there is one, else the v2 one. */
static bool find_group(const char *controller, group_path *g)
{
    char text[8192];
    if (!read_text("/proc/self/cgroup", text, sizeof text)) return false;
    bool found = false;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) *end = '\0';
        if (take_line(line, controller, found, g)) {
            found = true;
            if (!g->v2) return true;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return found;
}

/* Reads mount + dir + "/" + file for the group. */
static bool read_group_file(const char *mount, const char *dir, const char *file, char *buf, size_t n)
{
    char path[PATH_BYTES + 128];
    int len = snprintf(path, sizeof path, "%s%s/%s", mount, dir, file);
    return len > 0 && (size_t)len < sizeof path && read_text(path, buf, n);
}

/* Cuts the last step of dir; false when it was the root. */
static bool to_parent(char *dir)
{
    char *slash = strrchr(dir, '/');
    if (slash == NULL) return false;
    *slash = '\0';
    return true;
}

static int cpus_of(double quota, double period)
{
    if (!(quota > 0) || !(period > 0)) return 0;
    double cpus = quota / period;
    if (cpus >= 65536) return 0;
    int whole = (int)cpus;
    return (double)whole < cpus ? whole + 1 : whole;
}

int born__cgroup_cpus(void)
{
    group_path g;
    if (!find_group("cpu", &g)) return 0;
    int best = 0;
    do {
        char a[128], b[128];
        double quota = 0, period = 0;
        if (g.v2) {
            if (read_group_file("/sys/fs/cgroup", g.dir, "cpu.max", a, sizeof a) && a[0] != 'm') { /* "max 100000" */
                char *rest = NULL;
                quota = (double)strtoll(a, &rest, 10);
                period = (double)strtoll(rest, NULL, 10);
            }
        } else if (read_group_file("/sys/fs/cgroup/cpu", g.dir, "cpu.cfs_quota_us", a, sizeof a) &&
                   read_group_file("/sys/fs/cgroup/cpu", g.dir, "cpu.cfs_period_us", b, sizeof b)) {
            quota = (double)strtoll(a, NULL, 10);       /* -1: no limit */
            period = (double)strtoll(b, NULL, 10);
        }
        int cpus = cpus_of(quota, period);
        if (cpus > 0 && (best == 0 || cpus < best)) best = cpus;
    } while (to_parent(g.dir));
    return best;
}

uint64_t born__cgroup_memory(void)
{
    group_path g;
    if (!find_group("memory", &g)) return UINT64_MAX;
    uint64_t best = UINT64_MAX;
    do {
        char a[128];
        const char *mount = g.v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        const char *file = g.v2 ? "memory.max" : "memory.limit_in_bytes";
        if (read_group_file(mount, g.dir, file, a, sizeof a) && a[0] >= '0' && a[0] <= '9') {
            uint64_t bytes = strtoull(a, NULL, 10);
            /* v1 writes "no limit" as a huge number of whole pages. */
            if (bytes > 0 && bytes < (uint64_t)1 << 60 && bytes < best) best = bytes;
        }
    } while (to_parent(g.dir));
    return best;
}

#else

int born__cgroup_cpus(void)
{
    return 0;
}

uint64_t born__cgroup_memory(void)
{
    return UINT64_MAX;
}

#endif
