/* NumPy's .npy and .npz as inputs, read by the library. */
#include "cli.h"

#include <born/data.h>
#include <stdlib.h>
#include <string.h>

born_status cli_npy_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor *out, born_error *err)
{
    memset(out, 0, sizeof *out);
    return born_npy_read(bytes, n, max_bytes, &out->a, err);
}

typedef struct members {
    cli_tensor *t;
    int count, cap;
} members;

static born_status take(void *user, const char *name, born_array *a, born_error *err)
{
    members *m = user;

    if (m->count == m->cap) {
        int cap = m->cap ? m->cap * 2 : 8;
        cli_tensor *bigger = realloc(m->t, (size_t)cap * sizeof *bigger);
        if (!bigger) {
            born_array_free(a);
            return cli_error(err, BORN_NOMEM, "out of memory");
        }
        m->t = bigger;
        m->cap = cap;
    }
    cli_tensor *t = &m->t[m->count++];
    memset(t, 0, sizeof *t);
    t->a = *a;
    snprintf(t->name, sizeof t->name, "%s", name);
    return BORN_OK;
}

born_status cli_npz_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor **out, int *count,
                          born_error *err)
{
    members m = { NULL, 0, 0 };
    born_status st = born_npz_read(bytes, n, max_bytes, take, &m, err);

    for (int i = 0; st && i < m.count; i++) cli_tensor_free(&m.t[i]);
    if (st) {
        free(m.t);
        return st;
    }
    *out = m.t;
    *count = m.count;
    return BORN_OK;
}
