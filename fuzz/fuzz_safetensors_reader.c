/* Any bytes as a safetensors file: every input ends in a status, and the tensors of what is read cover its data.
   ctest-labels: hub */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "formats/safetensors/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    born_safetensors *s = NULL;
    born_error err;
    int64_t n = 0;
    size_t bytes = 0;
    unsigned sum = 0;

    if (born__st_parse(data, size, &s, &err) != BORN_OK) return 0;
    const born_named_array *a = born_safetensors_arrays(s, &n);
    for (int64_t i = 0; i < n; i++) {
        const unsigned char *p = a[i].value.data;
        bytes += a[i].value.bytes;
        for (size_t k = 0; k < a[i].value.bytes; k++) sum += p[k];
    }
    sink = sum;
    if (bytes > size) abort();
    born_safetensors_close(&s);
    return 0;
}
