/* See filemap.h. Beneath a folder the kernel's own rule is used where it exists (openat2 with RESOLVE_BENEATH and
   RESOLVE_NO_SYMLINKS), else each step is opened without following links, from the descriptor of the step before, so
   that nothing can be exchanged between check and use. Called by the readers of formats. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64
#include "base/filemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if !defined(__wasi__)
#include <sys/mman.h>
#define HAVE_MMAP 1
#else
#define HAVE_MMAP 0
#endif
#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#include <sys/syscall.h>
#if defined(SYS_openat2)
#define HAVE_OPENAT2 1
#endif
#endif
#endif
#ifndef HAVE_OPENAT2
#define HAVE_OPENAT2 0
#endif

#include "base/alloc.h"
#include "base/error.h"
#include "base/sigbus.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif
#ifndef O_NOCTTY
#define O_NOCTTY 0
#endif

#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define PATH_BYTES 1024
#define MOST_STEPS 64
#define READ_STEP ((size_t)1 << 30)

static const unsigned char no_bytes[1];

static born_status fail_open(const char *path, born_error *err)
{
    int e = errno;
    if (e == ELOOP || e == EMLINK || e == EXDEV) {
        return born__fail(err, BORN_INVALID, "%s: symbolic links are not followed", path);
    }
    const char *why = e == ENOENT    ? "no such file"
                      : e == EACCES  ? "permission denied"
                      : e == EISDIR  ? "is a folder"
                      : e == ENOTDIR ? "a step of the path is not a folder"
                      : e == EMFILE  ? "too many open files"
                                     : "cannot be opened";
    return born__fail(err, BORN_IO, "%s: %s", path, why);
}

/* openat without following a last symbolic link. WASI hosts are known to follow it all the same, so there it is looked
   at first. */
static int open_plain(int at, const char *name, int flags)
{
#if defined(__wasi__)
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
        errno = ELOOP;
        return -1;
    }
#endif
    return openat(at, name, flags | O_NOFOLLOW);
}

static born_status read_all(int fd, unsigned char *dst, size_t bytes, const char *path, born_error *err)
{
    size_t have = 0;
    while (have < bytes) {
        size_t want = bytes - have < READ_STEP ? bytes - have : READ_STEP;
        ssize_t got = read(fd, dst + have, want);
        if (got < 0 && errno == EINTR) continue;
        BORN_FAIL_IF(got < 0, err, BORN_IO, "%s: read fails after %zu bytes", path, have);
        BORN_FAIL_IF(got == 0, err, BORN_IO, "%s: ends after %zu of %zu bytes", path, have, bytes);
        have += (size_t)got;
    }
    return BORN_OK;
}

/* Maps the file and guards the map; false: read it instead. */
static bool try_map(int fd, born_filemap *m)
{
#if HAVE_MMAP
    void *p = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) return false;
    m->guard = born__guard_add(p, m->bytes);
    if (m->guard < 0) {         /* no unguarded maps: a truncated file would end the process */
        munmap(p, m->bytes);
        return false;
    }
    m->data = p;
    m->mapped = true;
    return true;
#else
    (void)fd;
    (void)m;
    return false;
#endif
}

static born_status load(int fd, const char *path, unsigned flags, uint64_t max_bytes, born_filemap *m,
                        born_error *err)
{
    if (m->bytes == 0) return BORN_OK;
    if ((flags & BORN_FILE_COPY) == 0 && try_map(fd, m)) return BORN_OK;
    BORN_FAIL_IF(max_bytes != 0 && m->bytes > max_bytes, err, BORN_NOMEM,
                 "%s: %zu bytes to read, above the limit of %llu", path, m->bytes, (unsigned long long)max_bytes);
    unsigned char *copy = born__alloc(m->bytes);
    BORN_FAIL_IF(copy == NULL, err, BORN_NOMEM, "%s: no memory for its %zu bytes", path, m->bytes);
    born_status s = read_all(fd, copy, m->bytes, path, err);
    if (s != BORN_OK) {
        born__free(copy);
        return s;
    }
    m->data = copy;
    return BORN_OK;
}

/* Checks what was opened and takes its bytes; closes fd in any case. */
static born_status take(int fd, const char *path, bool one_link, unsigned flags, uint64_t max_bytes,
                        born_filemap **out, born_error *err)
{
    struct stat st;
    born_status s = BORN_OK;
    born_filemap *m = NULL;
    if (fstat(fd, &st) != 0) {
        s = born__fail(err, BORN_IO, "%s: cannot be examined", path);
    } else if (!S_ISREG(st.st_mode)) {
        s = born__fail(err, BORN_INVALID, "%s: is not a regular file", path);
    } else if (one_link && st.st_nlink > 1) {
        s = born__fail(err, BORN_INVALID, "%s: has more than one hard link", path);
    } else if (st.st_size < 0 || (uint64_t)st.st_size > (uint64_t)PTRDIFF_MAX) {
        s = born__fail(err, BORN_NOMEM, "%s: too large for the address space", path);
    } else if ((m = born__calloc(1, sizeof *m)) == NULL) {
        s = born__fail(err, BORN_NOMEM, "%s: no memory", path);
    } else {
        m->data = no_bytes;
        m->bytes = (size_t)st.st_size;
        m->guard = -1;
        s = load(fd, path, flags, max_bytes, m, err);
    }
    close(fd);
    if (s != BORN_OK) {
        born__free(m);
        return s;
    }
    *out = m;
    return BORN_OK;
}

born_status born__filemap_open(const char *path, unsigned flags, uint64_t max_bytes, born_filemap **out,
                               born_error *err)
{
    *out = NULL;
    BORN_FAIL_IF(path == NULL || path[0] == '\0', err, BORN_INVALID, "file: the path is empty");
    int fd = (flags & BORN_FILE_FOLLOW) != 0 ? open(path, OPEN_FLAGS) : open_plain(AT_FDCWD, path, OPEN_FLAGS);
    if (fd < 0) return fail_open(path, err);
    return take(fd, path, false, flags, max_bytes, out, err);
}

void born__filemap_close(born_filemap **map)
{
    born_filemap *m = *map;
    if (m == NULL) return;
    *map = NULL;
    born__guard_remove(m->guard);
#if HAVE_MMAP
    if (m->mapped) munmap((void *)(uintptr_t)m->data, m->bytes);
#endif
    if (!m->mapped && m->bytes > 0) born__free((void *)(uintptr_t)m->data);
    born__free(m);
}

void born__filemap_drop(const born_filemap *map, size_t offset, size_t bytes)
{
#if HAVE_MMAP
    if (!map->mapped || offset > map->bytes || bytes > map->bytes - offset) return;
    long size = sysconf(_SC_PAGESIZE);
    size_t page = size > 0 ? (size_t)size : 4096;
    uintptr_t begin = (uintptr_t)map->data + offset, end = begin + bytes;
    begin = (begin + page - 1) & ~(uintptr_t)(page - 1);
    /* The last page of the file has nothing behind it, so it may go as a whole. */
    end = offset + bytes == map->bytes ? (end + page - 1) & ~(uintptr_t)(page - 1) : end & ~(uintptr_t)(page - 1);
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
#else
    (void)map;
    (void)offset;
    (void)bytes;
#endif
}

bool born__filemap_lost(const born_filemap *map)
{
    return born__guard_lost(map->guard);
}

born_status born__folder_open(const char *path, int *fd, born_error *err)
{
    char folder[PATH_BYTES];
    *fd = -1;
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    BORN_FAIL_IF(n >= sizeof folder - 1, err, BORN_INVALID, "folder: the path is longer than %zu bytes",
                 sizeof folder - 2);
    if (slash == NULL) {
        memcpy(folder, ".", 2);
    } else if (n == 0) {
        memcpy(folder, "/", 2);
    } else {
        memcpy(folder, path, n);
        folder[n] = '\0';
    }
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? BORN_OK : fail_open(folder, err);
}

void born__folder_close(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* The rules that need no file system. Copies the path to buf with a NUL. */
static born_status check_relative(const char *path, size_t n, char buf[PATH_BYTES], born_error *err)
{
    BORN_FAIL_IF(n == 0, err, BORN_INVALID, "external file: the path is empty");
    BORN_FAIL_IF(n >= PATH_BYTES, err, BORN_INVALID, "external file: the path is longer than %d bytes",
                 PATH_BYTES - 1);
    BORN_FAIL_IF(memchr(path, '\0', n) != NULL, err, BORN_INVALID, "external file: the path holds a NUL");
    memcpy(buf, path, n);
    buf[n] = '\0';
    BORN_FAIL_IF(buf[0] == '/', err, BORN_INVALID, "%s: an absolute path is refused here", buf);
    int steps = 0;
    for (const char *s = buf; *s != '\0';) {
        size_t len = strcspn(s, "/");
        BORN_FAIL_IF(len == 2 && s[0] == '.' && s[1] == '.', err, BORN_INVALID, "%s: \"..\" is refused here", buf);
        BORN_FAIL_IF(++steps > MOST_STEPS, err, BORN_INVALID, "external file: the path has more than %d steps",
                     MOST_STEPS);
        s += len;
        if (*s == '/') s++;
    }
    return BORN_OK;
}

/* -1 with errno ENOSYS where the kernel cannot. */
static int open_beneath(int folder, const char *path)
{
#if HAVE_OPENAT2
    struct open_how how = {
        .flags = (uint64_t)(OPEN_FLAGS | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0; tries < 8; tries++) {
        long fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
        if (fd >= 0) return (int)fd;
        if (errno != EAGAIN && errno != EINTR) break;
    }
    /* EPERM: a sandbox that knows no openat2; EAGAIN: renames all the while; E2BIG: a future structure. */
    if (errno == EPERM || errno == EAGAIN || errno == EINTR || errno == E2BIG) errno = ENOSYS;
    return -1;
#else
    (void)folder;
    (void)path;
    errno = ENOSYS;
    return -1;
#endif
}

static int open_by_steps(int folder, char *path)
{
    int at = folder;
    for (char *s = path;;) {
        size_t len = strcspn(s, "/");
        bool last = s[len] == '\0';
        s[len] = '\0';
        int next = at;
        if (last) {
            next = open_plain(at, s, OPEN_FLAGS);
        } else if (len > 0 && strcmp(s, ".") != 0) {
            next = open_plain(at, s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        int e = errno;
        if (at != folder && next != at) close(at);
        errno = e;
        if (last || next < 0) return next;
        at = next;
        s += len + 1;
    }
}

born_status born__filemap_open_in(int folder, const char *path, size_t n, unsigned flags, uint64_t max_bytes,
                                  born_filemap **out, born_error *err)
{
    char text[PATH_BYTES], steps[PATH_BYTES];
    *out = NULL;
    BORN_TRY(check_relative(path, n, text, err));
    int fd = open_beneath(folder, text);
    if (fd < 0 && errno == ENOSYS) {
        memcpy(steps, text, n + 1);
        fd = open_by_steps(folder, steps);
    }
    if (fd < 0) return fail_open(text, err);
    return take(fd, text, true, flags, max_bytes, out, err);
}
