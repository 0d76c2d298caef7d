/* Small blocks for what decorators keep per call: taken from chunks, given back to lists by size, so that the steady
   state allocates nothing. One owner, one thread; everything goes at once at the end. */
#ifndef BORN_DECOR_BLOCKS_H
#define BORN_DECOR_BLOCKS_H
#include <stddef.h>

enum { BORN_BLOCK_STEP = 32, BORN_BLOCK_LISTS = 32 };       /* up to 1 KiB; above that the allocator's */

typedef struct born_blocks {
    void *list[BORN_BLOCK_LISTS];
    void *chunks;
    char *at;
    size_t left;
} born_blocks;

void *born__block_take(born_blocks *p, size_t bytes);       /* zeroed, aligned to 16; NULL: out of memory */
void born__block_give(born_blocks *p, void *block, size_t bytes);
void born__blocks_free(born_blocks *p);                     /* blocks above 1 KiB must have been given back */
#endif
