/* Memory through the process-wide born_allocator. Sizes are remembered by the block, so free needs only the pointer.
   All return NULL on failure or overflow and set nothing else. */
#ifndef BORN_BASE_ALLOC_H
#define BORN_BASE_ALLOC_H
#include <born/base.h>

void *born__alloc(size_t bytes);                        /* aligned to 64, uninitialised; bytes 0 gives a valid block */
void *born__calloc(size_t count, size_t size);          /* zeroed, checked product */
void *born__realloc(void *p, size_t bytes);             /* p may be NULL; on failure p stays */
void born__free(void *p);                               /* NULL allowed */
char *born__strdup_n(const char *s, size_t n);          /* NUL-terminated copy */
/* Grows an array geometrically so that it holds `need` items of `size`; *cap in items. false: NOMEM, unchanged. */
bool born__grow(void **items, size_t *cap, size_t need, size_t size);
/* Test hook: calls to the allocator so far in this process. */
uint64_t born__alloc_calls(void);

/* An arena: bump allocation, freed at once. */
typedef struct born_arena { struct born_arena_block *head; size_t block_bytes; } born_arena;
void *born__arena_alloc(born_arena *a, size_t bytes);   /* aligned to 16, zeroed; NULL on NOMEM; {0} is a valid arena */
char *born__arena_strdup(born_arena *a, const char *s, size_t n);
void born__arena_free(born_arena *a);
#endif
