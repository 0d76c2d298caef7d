/* Any bytes as an ONNX model that is opened, planned and run on zeros, under a cap on memory: every input ends in a
   status. Symbolic dimensions are 1. */
#include <born/model.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_VALUES = 32, MAX_INPUT_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fills a with zeros of an input's shape; false where that is too large to be worth it. */
static bool zeros(const born_value_info *v, born_array *a, void *room)
{
    int64_t count = 1;

    *a = (born_array){ .dtype = v->dtype, .data = room };
    if (v->rank < 0 || v->dtype == BORN_DTYPE_NONE) return false;
    a->shape.rank = v->rank;
    for (int i = 0; i < v->rank; i++) {
        int64_t d = v->dim[i] < 0 ? 1 : v->dim[i];
        if (d > MAX_INPUT_BYTES || (count *= d) > MAX_INPUT_BYTES / 8) return false;
        a->shape.dim[i] = d;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t room[MAX_INPUT_BYTES / 8];
    born_model_desc md = { .max_bytes = (size_t)16 << 20 };
    born_session_desc sd = { .max_bytes = (size_t)16 << 20, .threads = 1, .max_steps = 64 };
    born_array in[MAX_VALUES], out[MAX_VALUES];
    born_model *m = NULL;
    born_session *s = NULL;
    born_model_info info = { .input_count = 0 };
    born_value_info v;
    born_error err;
    bool fits = true;

    if (born_model_open_memory(data, size, &md, &m, &err) != BORN_OK) return 0;
    born_model_info_get(m, &info);
    if (info.input_count <= MAX_VALUES && info.output_count <= MAX_VALUES &&
        born_session_open(m, &sd, &s, &err) == BORN_OK) {
        for (int i = 0; i < info.input_count && fits; i++)
            fits = born_model_input(m, i, &v) == BORN_OK && zeros(&v, &in[i], room);
        if (fits && born_session_run(s, in, info.input_count, out, info.output_count, &err) != BORN_OK) fits = false;
    }
    born_session_close(&s);
    born_model_close(&m);
    return 0;
}
