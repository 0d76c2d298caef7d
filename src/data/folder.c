/* See folder.h. Folders are opened from the descriptor of the one above and links are not followed, as files are. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "data/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK)
#define MOST_NAMES ((size_t)1 << 28)

born_status born__folder_of(const char *path, int *fd, born_error *err)
{
    *fd = path != NULL ? open(path, FOLDER_FLAGS) : -1;
    BORN_FAIL_IF(*fd < 0, err, path != NULL ? BORN_IO : BORN_INVALID, "%s: %s", path != NULL ? path : "dataset",
                 path == NULL ? "no path" : errno == ENOTDIR ? "is no folder" : "the folder cannot be opened");
    return BORN_OK;
}

static bool wanted(int fd, const char *name, bool folders)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg" };
    struct stat st;
    if (name[0] == '.' || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (folders) return S_ISDIR(st.st_mode);
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings && S_ISREG(st.st_mode); i++) {
        size_t k = strlen(endings[i]);
        if (n > k && strcasecmp(name + n - k, endings[i]) == 0) return true;
    }
    return false;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

born_status born__folder_list(int at, const char *name, bool folders, born_arena *arena, born_names *out,
                              born_error *err)
{
    *out = (born_names){ .count = 0 };
    int fd = openat(at, name != NULL ? name : ".", FOLDER_FLAGS | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0) close(fd);
        return born__fail(err, BORN_IO, "%s: the folder cannot be read", name != NULL ? name : ".");
    }
    born_status st = BORN_OK;
    for (struct dirent *e = readdir(dir); e != NULL && st == BORN_OK; e = readdir(dir)) {
        if (!wanted(fd, e->d_name, folders)) continue;
        char *copy = born__arena_strdup(arena, e->d_name, strlen(e->d_name));
        if (copy == NULL || out->count == MOST_NAMES ||
            !born__grow((void **)&out->name, &out->cap, out->count + 1, sizeof *out->name))
            st = born__fail(err, BORN_NOMEM, "no memory for the names in a folder");
        else
            out->name[out->count++] = copy;
    }
    closedir(dir);
    if (st != BORN_OK) {
        born__folder_list_free(out);
        return st;
    }
    if (out->count > 1) qsort(out->name, out->count, sizeof *out->name, by_bytes);
    return BORN_OK;
}

void born__folder_list_free(born_names *n)
{
    born__free(n->name);
    *n = (born_names){ .count = 0 };
}
