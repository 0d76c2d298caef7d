/* A file's bytes in memory: mapped read-only, or read where that is asked for or there is no mmap. A file is opened
   once, is a regular file, and is never reopened by name. Bytes of a map may change under the reader: they are values,
   never addresses or sizes that were checked before. */
#ifndef BORN_BASE_FILEMAP_H
#define BORN_BASE_FILEMAP_H
#include <born/base.h>

typedef struct born_filemap {
    const unsigned char *data;  /* never NULL */
    size_t bytes;
    bool mapped;                /* false: own memory, which nothing changes */
    int guard;                  /* slot of the SIGBUS guard; -1: none */
} born_filemap;

enum {
    BORN_FILE_COPY = 1,         /* read into memory */
    BORN_FILE_FOLLOW = 2,       /* the last step of a path given by the user may be a symbolic link */
};

/* Opens a path named by the user. max_bytes 0: no cap on a file that is read. IO, NOMEM, INVALID (not a regular
   file). */
born_status born__filemap_open(const char *path, unsigned flags, uint64_t max_bytes, born_filemap **out,
                               born_error *err);
void born__filemap_close(born_filemap **map);
/* The whole pages inside [offset, offset + bytes) may leave memory; reading them again fetches them from the file. */
void born__filemap_drop(const born_filemap *map, size_t offset, size_t bytes);
/* Whether the file shrank while mapped, so that zeros were read (known only with born_guard_install). */
bool born__filemap_lost(const born_filemap *map);

/* The folder that holds `path` (which need not exist), as a descriptor. */
born_status born__folder_open(const char *path, int *fd, born_error *err);
void born__folder_close(int *fd);       /* -1 allowed; sets it to -1 */
/* Opens a path that an untrusted file names, relative to a folder and beneath it: not absolute, no "..", no symbolic
   link on the way, one hard link. path has n bytes and needs no NUL. INVALID for a path that breaks these rules. */
born_status born__filemap_open_in(int folder, const char *path, size_t n, unsigned flags, uint64_t max_bytes,
                                  born_filemap **out, born_error *err);
#endif
