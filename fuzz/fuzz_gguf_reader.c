/* Any bytes as a GGUF container, as a checkpoint (its sums put right, so that what lies behind them is met too), and as
   a .born model: every input ends in a status. What is read is touched, so that an extent that is not there shows. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <born/save.h>

#include "base/hash.h"
#include "formats/born/born_file.h"
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

static void store(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> 8 * i);
}

/* Writes the sums that g's bytes, a copy of ours, should have. */
static void mend_sums(const born_gguf *g, unsigned char *bytes)
{
    size_t n = g->tensor_count;
    const born_gguf_tensor *last = n ? &g->tensor[n - 1] : NULL;

    if (!last || strcmp(last->name.p, BORN_FILE_SUMS) != 0 || last->bytes != n * 8) return;
    unsigned char *at = bytes + (last->data - g->base);
    store(at, born__hash(g->base, g->data_at, 0));
    for (size_t i = 0; i + 1 < n; i++) store(at + 8 * (i + 1), born__hash(g->tensor[i].data, g->tensor[i].bytes, i));
}

static void read_checkpoint(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    born_gguf *g = NULL;
    born_checkpoint *c = NULL;
    born_error err;

    if (!copy) return;
    memcpy(copy, data, size);
    if (born__gguf_read(copy, size, &g, &err) == BORN_OK) mend_sums(g, copy);
    born__gguf_free(&g);
    if (born_checkpoint_new(&c, &err) == BORN_OK && born__checkpoint_parse(c, copy, size, &err) == BORN_OK) {
        for (size_t i = 0; i < c->tensor_count; i++) touch(c->tensor[i].value.data, c->tensor[i].value.bytes);
    }
    born_checkpoint_close(&c);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    born_gguf *g = NULL;
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
    read_checkpoint(data, size);
    if (born_model_open_memory(data, size, &(born_model_desc){ .max_bytes = (size_t)64 << 20 }, &m, &err) == BORN_OK)
        born_model_close(&m);
    return 0;
}
