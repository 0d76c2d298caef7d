/* Runs a fuzzer's function over files and folders of files, one level deep: the corpus as an ordinary test, for every
   compiler and target. Linked to each fuzz_*.c where libFuzzer is not. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_BYTES ((size_t)64 << 20)

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        return 1;
    }
    size_t cap = 1 << 16, n = 0;
    uint8_t *data = malloc(cap);
    while (data != NULL && n < MOST_BYTES) {
        size_t got = fread(data + n, 1, cap - n, f);
        n += got;
        if (got == 0) break;
        if (n == cap) {
            uint8_t *grown = realloc(data, cap * 2);
            if (grown == NULL) break;
            data = grown;
            cap *= 2;
        }
    }
    fclose(f);
    /* An exact copy, so that a sanitizer sees the first byte read beyond the end. */
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (data == NULL || exact == NULL) {
        free(data);
        free(exact);
        return 1;
    }
    memcpy(exact, data, n);
    free(data);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

static int run_path(const char *path, int *count)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s: no such file or folder\n", path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode)) {
        ++*count;
        return run_file(path);
    }
    DIR *dir = opendir(path);
    if (dir == NULL) return 1;
    int failed = 0;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char file[4096];
        int n = snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.' || n < 0 || (size_t)n >= sizeof file) continue;
        if (stat(file, &st) != 0 || !S_ISREG(st.st_mode)) continue;
        failed |= run_file(file);
        ++*count;
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, count = 0;
    for (int i = 1; i < argc; i++) failed |= run_path(argv[i], &count);
    printf("%d inputs replayed\n", count);
    return failed;
}
