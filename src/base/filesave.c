/* See filesave.h. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64
#include "base/filesave.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if !defined(__wasi__)
#include <sys/file.h>
#define HAVE_FLOCK 1
#else
#define HAVE_FLOCK 0
#endif

#include "base/alloc.h"
#include "base/error.h"
#include "base/filemap.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

#define WRITE_STEP ((size_t)1 << 30)
enum { BUFFER_BYTES = 1 << 16, MOST_TRIES = 16 };

struct born_filesave {
    int fd;
    char *path, *beside;
    uint64_t written;
    size_t held;                        /* bytes in buffer */
    unsigned char buffer[BUFFER_BYTES]; /* small pieces are joined */
};

static born_status fail_write(const char *path, born_error *err)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        { ENOSPC, "the disk is full" },            { EDQUOT, "the disk quota is used up" },
        { EFBIG, "the file would be too large" },  { EACCES, "permission denied" },
        { EPERM, "permission denied" },            { EROFS, "the file system is read-only" },
        { ENOENT, "no such folder" },              { ENOTDIR, "a step of the path is not a folder" },
        { EISDIR, "is a folder" },                 { ELOOP, "symbolic links are not followed" },
        { ENAMETOOLONG, "the name is too long" },
    };
    const char *why = "cannot be written";

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == errno) why = known[i].text;
    return born__fail(err, BORN_IO, "%s: %s", path, why);
}

static void free_save(born_filesave *f)
{
    if (f->fd >= 0) close(f->fd);
    born__free(f->path);
    born__free(f->beside);
    born__free(f);
}

/* Whether the open file is still the one that has the name: another writer may have renamed it meanwhile. */
static bool still_named(const born_filesave *f)
{
    struct stat a, b;
    if (fstat(f->fd, &a) != 0 || lstat(f->beside, &b) != 0) return false;
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static born_status open_beside(born_filesave *f, born_error *err)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        struct stat st;
        f->fd = open(f->beside, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
        if (f->fd < 0) return fail_write(f->beside, err);
        BORN_FAIL_IF(fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode), err, BORN_IO, "%s: is not a regular file",
                     f->beside);
#if HAVE_FLOCK
        BORN_FAIL_IF(flock(f->fd, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EAGAIN), err,
                     BORN_STATE, "%s: is being written by somebody else", f->path);
#endif
        if (still_named(f)) {
            if (ftruncate(f->fd, 0) == 0) return BORN_OK;
            return fail_write(f->beside, err);
        }
        close(f->fd);
        f->fd = -1;
    }
    return born__fail(err, BORN_STATE, "%s: is being written by somebody else", f->path);
}

born_status born__filesave_open(const char *path, born_filesave **out, born_error *err)
{
    static const char suffix[] = ".part";
    struct stat st;

    *out = NULL;
    BORN_FAIL_IF(path == NULL || path[0] == '\0', err, BORN_INVALID, "file: the path is empty");
    BORN_FAIL_IF(stat(path, &st) == 0 && !S_ISREG(st.st_mode), err, BORN_IO, "%s: is not a regular file", path);
    born_filesave *f = born__alloc(sizeof *f);
    size_t n = strlen(path);
    BORN_FAIL_IF(f == NULL, err, BORN_NOMEM, "%s: no memory", path);
    f->fd = -1;
    f->written = 0;
    f->held = 0;
    f->path = born__strdup_n(path, n);
    f->beside = born__alloc(n + sizeof suffix);
    born_status s = BORN_OK;
    if (f->path == NULL || f->beside == NULL) {
        s = born__fail(err, BORN_NOMEM, "%s: no memory", path);
    } else {
        memcpy(f->beside, path, n);
        memcpy(f->beside + n, suffix, sizeof suffix);
        s = open_beside(f, err);
    }
    if (s != BORN_OK) {
        free_save(f);
        return s;
    }
    *out = f;
    return BORN_OK;
}

static born_status write_all(born_filesave *f, const unsigned char *p, size_t n, born_error *err)
{
    while (n > 0) {
        ssize_t done = write(f->fd, p, n < WRITE_STEP ? n : WRITE_STEP);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return fail_write(f->path, err);
        p += done;
        n -= (size_t)done;
    }
    return BORN_OK;
}

static born_status flush_buffer(born_filesave *f, born_error *err)
{
    size_t n = f->held;
    f->held = 0;
    return write_all(f, f->buffer, n, err);
}

born_status born__filesave_write(born_filesave *f, const void *p, size_t n, born_error *err)
{
    if (n == 0) return BORN_OK;
    if (n > sizeof f->buffer - f->held) BORN_TRY(flush_buffer(f, err));
    f->written += n;
    if (n >= sizeof f->buffer) return write_all(f, p, n, err);
    memcpy(f->buffer + f->held, p, n);
    f->held += n;
    return BORN_OK;
}

uint64_t born__filesave_at(const born_filesave *f)
{
    return f->written;
}

born_status born__filesave_commit(born_filesave **fp, born_error *err)
{
    born_filesave *f = *fp;
    born_status s = flush_buffer(f, err);

    if (s == BORN_OK && fsync(f->fd) != 0) s = fail_write(f->path, err);
    if (s == BORN_OK && rename(f->beside, f->path) != 0) s = fail_write(f->path, err);
    if (s != BORN_OK) {
        born__filesave_abandon(fp);
        return s;
    }
    /* The rename itself reaches the disk with the folder; where folders cannot be synced it does so in its own time,
       and either file is whole. */
    int folder = -1;
    if (born__folder_open(f->path, &folder, NULL) == BORN_OK) (void)fsync(folder);
    born__folder_close(&folder);
    free_save(f);
    *fp = NULL;
    return BORN_OK;
}

void born__filesave_abandon(born_filesave **fp)
{
    born_filesave *f = fp ? *fp : NULL;

    if (f == NULL) return;
    if (still_named(f)) (void)unlink(f->beside);
    free_save(f);
    *fp = NULL;
}
