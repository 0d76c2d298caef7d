/* Opening and running models in fault tests: see support_model.h. */
#include "support_model.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_VALUES = 64, MAX_INPUT_BYTES = 8 << 20 };

const char *support_data(void)
{
    const char *d = getenv("BORN_TEST_DATA");

    return d && d[0] ? d : "../shared/data";
}

unsigned char *support_read(const char *path, size_t *n)
{
    char full[1024];
    FILE *f;
    unsigned char *p = NULL;

    snprintf(full, sizeof full, "%s/%s", support_data(), path);
    f = fopen(full, "rb");
    if (!f) return NULL;
    if (!fseek(f, 0, SEEK_END)) {
        long size = ftell(f);
        rewind(f);
        p = size > 0 ? malloc((size_t)size) : NULL;
        if (p && fread(p, 1, (size_t)size, f) != (size_t)size) {
            free(p);
            p = NULL;
        }
        *n = (size_t)size;
    }
    fclose(f);
    return p;
}

static bool zeros(const born_value_info *v, born_array *a, void *room)
{
    int64_t count = 1;

    *a = (born_array){ .dtype = v->dtype, .data = room };
    if (v->rank < 0) return false;
    a->shape.rank = v->rank;
    for (int i = 0; i < v->rank; i++) {
        int64_t d = v->dim[i] < 0 ? 1 : v->dim[i];
        if (d > MAX_INPUT_BYTES || (count *= d) > MAX_INPUT_BYTES / 8) return false;
        a->shape.dim[i] = d;
    }
    return true;
}

born_status support_run(const void *bytes, size_t n, size_t max_bytes, bool *ran, born_error *err)
{
    static uint64_t room[MAX_INPUT_BYTES / 8];
    born_model_desc md = { .max_bytes = max_bytes };
    born_session_desc sd = { .max_bytes = max_bytes, .threads = 1, .max_steps = 100000 };
    born_array in[MAX_VALUES], out[MAX_VALUES];
    born_model *m = NULL;
    born_session *s = NULL;
    born_model_info info = { .input_count = 0 };
    born_value_info v;
    bool fits = true;

    *ran = false;
    born_status st = born_model_open_memory(bytes, n, &md, &m, err);
    if (st) return st;
    born_model_info_get(m, &info);
    st = born_session_open(m, &sd, &s, err);
    if (info.input_count > MAX_VALUES || info.output_count > MAX_VALUES) fits = false;
    for (int i = 0; !st && fits && i < info.input_count; i++) {
        st = born_model_input(m, i, &v);
        fits = !st && zeros(&v, &in[i], room);
    }
    if (!st && fits) {
        *ran = true;
        st = born_session_run(s, in, info.input_count, out, info.output_count, err);
    }
    born_session_close(&s);
    born_model_close(&m);
    return st;
}
