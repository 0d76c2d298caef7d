/* What the tests of data share: files in a folder of this build's own, items fetched one at a time, hashes of
   epochs. */
#ifndef BORN_TESTS_DATA_HELPERS_H
#define BORN_TESTS_DATA_HELPERS_H
#include <born/data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

static inline const char *data_folder(void)
{
    static char folder[256];
    if (folder[0] == '\0') {
        const char *base = getenv("BORN_BUILD");
        (void)snprintf(folder, sizeof folder, "%.200s/born_data_test", base != NULL ? base : "/tmp");
        (void)mkdir(folder, 0700);
    }
    return folder;
}

/* A path in the folder; four may be in use at a time. */
static inline const char *data_path(const char *name)
{
    static char path[4][512];
    static int at;
    at = (at + 1) % 4;
    (void)snprintf(path[at], sizeof path[at], "%s/%s", data_folder(), name);
    return path[at];
}

static inline const char *data_write(const char *name, const void *bytes, size_t n)
{
    const char *path = data_path(name);
    (void)remove(path);                         /* an earlier run may have left a link */
    FILE *f = fopen(path, "wb");
    if (f == NULL) return path;
    (void)fwrite(bytes, 1, n, f);
    (void)fclose(f);
    return path;
}

static inline const char *data_write_text(const char *name, const char *text)
{
    return data_write(name, text, strlen(text));
}

static inline bool data_get(const born_dataset *set, int64_t i, void *a, void *b, born_error *err)
{
    static _Alignas(64) char scratch[1 << 20];
    void *dst[2] = { a, b };
    born_item_request r = { .index = i, .key = 7, .dst = dst, .scratch = scratch };
    return born_dataset_get(set, &r, err) == BORN_OK;
}

/* A hash of the next batch's fields, and whether there was one. */
static inline bool data_batch_hash(born_loader *l, uint64_t *hash)
{
    born_array f[2];
    int n = born_loader_field_count(l) < 2 ? 1 : 2;
    if (!born_loader_next(l, f, n)) return false;
    *hash = 1;
    for (int i = 0; i < n; i++) *hash = born__hash(f[i].data, f[i].bytes, *hash);
    return true;
}

/* Of a whole epoch from where the loader stands. */
static inline uint64_t data_epoch_hash(born_loader *l)
{
    uint64_t sum = 0, h;
    while (data_batch_hash(l, &h)) sum = born__hash_u64(sum, h);
    return sum;
}
#endif
