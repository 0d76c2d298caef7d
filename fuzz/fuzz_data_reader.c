/* Any bytes as each kind of data file: IDX, .npy, .npz and CSV in three ways. Every input ends in a status; what a
   reader accepts is read to its last byte. The inflate of this program only copies, so that packed members are reached
   too. */
#include <stddef.h>
#include <stdint.h>

#include <born/tool.h>

#include "base/alloc.h"
#include "data/csv.h"
#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)16 << 20)

static volatile unsigned sink;

static void touch(const void *bytes, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((const uint8_t *)bytes)[i];
    sink = sum;
}

static born_status copy(void *user, born_inflate_kind kind, const void *bytes, size_t n, born_sink to_sink, void *to,
                        born_error *err)
{
    (void)user;
    (void)kind;
    (void)err;
    return to_sink(to, bytes, n);
}

static born_status take(void *user, const char *name, born_array *a, born_error *err)
{
    (void)user;
    (void)name;
    (void)err;
    touch(a->data, a->bytes);
    born_array_free(a);
    return BORN_OK;
}

static void read_table(const uint8_t *data, size_t size, const born_csv_desc *d)
{
    born_error err;
    born_dataset *set = NULL;
    if (born__csv_set(data, size, d, &set, &err) != BORN_OK) return;
    born_field x;
    if (born_dataset_field(set, 0, &x) == BORN_OK) {
        float *row = born__calloc((size_t)x.shape.dim[0], sizeof *row);
        int64_t label;
        void *dst[2] = { row, &label };
        for (int64_t i = 0; i < born_dataset_count(set) && row != NULL; i++) {
            born_item_request r = { .index = i, .dst = dst };
            if (born_dataset_get(set, &r, &err) != BORN_OK) __builtin_trap();
            touch(row, (size_t)x.shape.dim[0] * sizeof *row);
        }
        born__free(row);
    }
    born_dataset_close(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const classes[] = { "a", "b" };
    static const born_csv_desc forms[] = {
        { .max_bytes = MOST },
        { .max_bytes = MOST, .no_header = true, .regression = true, .separator = ';' },
        { .max_bytes = MOST, .target = "1", .columns = "0,2", .classes = classes, .class_count = 2 },
    };
    const born_codecs codecs = { .inflate = copy };
    born_error err;
    born_shape shape;
    born_array a;
    size_t at;
    born_codecs_set(&codecs);
    if (born__idx_parse(data, size, &shape, &at, &err) == BORN_OK) touch(data + at, size - at);
    if (born_npy_read(data, size, MOST, &a, &err) == BORN_OK) (void)take(NULL, "", &a, &err);
    if (born_npz_read(data, size, MOST, take, NULL, &err) != BORN_OK) touch(&err.status, sizeof err.status);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) read_table(data, size, &forms[i]);
    return 0;
}
