/* Small blocks by size: see blocks.h. A chunk begins with the address of the one before it. */
#include "decor/blocks.h"

#include <string.h>

#include "base/alloc.h"

enum { CHUNK_BYTES = 16384, CHUNK_HEAD = 32 };

static int list_of(size_t bytes)
{
    size_t n = bytes ? (bytes - 1) / BORN_BLOCK_STEP : 0;
    return n < BORN_BLOCK_LISTS ? (int)n : -1;
}

void *born__block_take(born_blocks *p, size_t bytes)
{
    int i = list_of(bytes);
    if (i < 0) return born__calloc(1, bytes);
    size_t n = (size_t)(i + 1) * BORN_BLOCK_STEP;
    void *b = p->list[i];
    if (b) {
        memcpy(&p->list[i], b, sizeof(void *));
    } else {
        if (p->left < n) {
            char *chunk = born__alloc(CHUNK_BYTES);
            if (!chunk) return NULL;
            memcpy(chunk, &p->chunks, sizeof(void *));
            p->chunks = chunk;
            p->at = chunk + CHUNK_HEAD;
            p->left = CHUNK_BYTES - CHUNK_HEAD;
        }
        b = p->at;
        p->at += n;
        p->left -= n;
    }
    return memset(b, 0, n);
}

void born__block_give(born_blocks *p, void *block, size_t bytes)
{
    int i = list_of(bytes);
    if (!block) return;
    if (i < 0) {
        born__free(block);
        return;
    }
    memcpy(block, &p->list[i], sizeof(void *));
    p->list[i] = block;
}

void born__blocks_free(born_blocks *p)
{
    while (p->chunks) {
        void *chunk = p->chunks;
        memcpy(&p->chunks, chunk, sizeof(void *));
        born__free(chunk);
    }
    memset(p, 0, sizeof *p);
}
