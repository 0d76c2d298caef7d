/* Any bytes as a GGUF container, as a checkpoint with good sums or without, and as a .born model: every input ends in a
   status. What is read is touched, so that an extent that is not there shows. */
#include <stddef.h>
#include <stdint.h>

#include <born/born.h>

#include "formats/born/checkpoint.h"
#include "formats/gguf/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned sink;

static void touch(const void *p, size_t n)
{
    const unsigned char *b = p;
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++) sum += b[i];
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    born_gguf *g = NULL;
    born_checkpoint *c = NULL;
    born_model *m = NULL;
    born_error err;

    if (born__gguf_read(data, size, &g, &err) == BORN_OK) {
        for (size_t i = 0; i < g->tensor_count; i++) touch(g->tensor[i].data, g->tensor[i].bytes);
        for (size_t i = 0; i < g->pair_count; i++) {
            touch(g->pair[i].data, g->pair[i].bytes);
            touch(g->pair[i].text.p, g->pair[i].text.n);
        }
    }
    born__gguf_free(&g);
    if (born_checkpoint_new(&c, &err) == BORN_OK && born__checkpoint_parse(c, data, size, &err) == BORN_OK) {
        for (size_t i = 0; i < c->tensor_count; i++) touch(c->tensor[i].value.data, c->tensor[i].value.bytes);
    }
    born_checkpoint_close(&c);
    if (born_model_open_memory(data, size, &(born_model_desc){ .max_bytes = (size_t)64 << 20 }, &m, &err) == BORN_OK)
        born_model_close(&m);
    return 0;
}
