/* Finding test cases: folders with a model.onnx, at any depth below those that the user names. The walk keeps its own
   list of folders still to be read; links are followed, which the cap on depth keeps finite. */
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 24, MAX_PATH = 4096 };

static bool push(verify_list *l, const char *path)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        char **bigger = realloc(l->path, cap * sizeof *bigger);
        if (!bigger) return false;
        l->path = bigger;
        l->cap = cap;
    }
    size_t n = strlen(path) + 1;
    char *copy = malloc(n);
    if (!copy) return false;
    memcpy(copy, path, n);
    l->path[l->count++] = copy;
    return true;
}

void verify_free(verify_list *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->path[i]);
    free(l->path);
    *l = (verify_list){ 0 };
}

static int depth_below(const char *root, const char *path)
{
    int n = 0;

    for (const char *p = path + strlen(root); *p; p++) n += *p == '/';
    return n;
}

/* Notes the folder if it is a case, and its folders in `todo`. */
static born_status read_folder(const char *root, const char *path, verify_list *todo, verify_list *list,
                               born_error *err)
{
    char sub[MAX_PATH];
    struct stat s;
    DIR *d = opendir(path);

    if (!d) return cli_error(err, BORN_IO, "%s: %s", path, strerror(errno));
    born_status st = BORN_OK;
    for (struct dirent *e; !st && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        if (snprintf(sub, sizeof sub, "%s/%s", path, e->d_name) >= (int)sizeof sub) continue;
        bool model = !strcmp(e->d_name, "model.onnx"), data = !strncmp(e->d_name, "test_data_set_", 14);
        if (model && !push(list, path)) st = cli_error(err, BORN_NOMEM, "out of memory");
        if (model || data || stat(sub, &s) || !S_ISDIR(s.st_mode) || depth_below(root, sub) > MAX_DEPTH) continue;
        if (!push(todo, sub)) st = cli_error(err, BORN_NOMEM, "out of memory");
    }
    closedir(d);
    return st;
}

born_status verify_find(const char *root, verify_list *list, born_error *err)
{
    verify_list todo = { 0 };
    char top[MAX_PATH];
    size_t n = strlen(root);

    while (n > 1 && root[n - 1] == '/') n--;
    if (n >= sizeof top) return cli_error(err, BORN_IO, "the path is too long");
    memcpy(top, root, n);
    top[n] = 0;
    born_status st = read_folder(top, top, &todo, list, err);
    while (!st && todo.count) {
        char *path = todo.path[--todo.count];
        born_error ignored;
        /* a folder below that cannot be read is none of the user's cases */
        if (read_folder(top, path, &todo, list, &ignored) == BORN_NOMEM)
            st = cli_error(err, BORN_NOMEM, "out of memory");
        free(path);
    }
    verify_free(&todo);
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void verify_sort(verify_list *list)
{
    if (list->count) qsort(list->path, list->count, sizeof *list->path, by_name);
}
