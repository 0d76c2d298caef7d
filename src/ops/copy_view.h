/* Copies between strided views, for any dtype by its element size. A plan holds merged dims and byte steps and can be
   run at many addresses (rows of gather, slabs of pad); born__copy_view plans and runs once, on the pool. Source steps
   may be 0 (broadcast) or negative; destination elements are distinct; the two do not overlap, or are the same elements
   at the same places: then nothing is done, so that what appends to its operand in place does not touch it. Called by
   the reference kernels of data movement, the copy op and the eager layer. No allocation. */
#ifndef BORN_OPS_COPY_VIEW_H
#define BORN_OPS_COPY_VIEW_H
#include "base/threads.h"
#include "tensor/view.h"

enum { BORN_COPY_RANK = 2 * BORN_MAX_RANK };    /* tile and block rearrangements split each dim in two */

typedef enum born_copy_kind {
    BORN_COPY_NONE,         /* nothing to copy */
    BORN_COPY_ROWS,         /* runs of bytes that are dense on both sides */
    BORN_COPY_STRIDED,      /* the last dim element by element */
    BORN_COPY_TILES         /* transpose of the last two dims: dense along the last in dst, along the other in src */
} born_copy_kind;

typedef struct born_copy_plan {
    born_copy_kind kind;
    int rank;                               /* dims outside a row, or outside the two of a tile */
    int size;                               /* bytes of one element (after merging: up to 8) */
    int64_t outer;                          /* product of those dims */
    int64_t dim[BORN_COPY_RANK];
    int64_t dst[BORN_COPY_RANK], src[BORN_COPY_RANK];   /* byte steps */
    int64_t bytes;                          /* ROWS: of a row */
    int64_t inner, dst_inner, src_inner;    /* STRIDED: the last dim; TILES: the last dim, dst_inner == size */
    int64_t tile, dst_tile;                 /* TILES: the other dim; its source step is `size` */
} born_copy_plan;

/* Strides count elements of `size` bytes. */
void born__copy_plan(born_copy_plan *p, int rank, const int64_t *dim, const int64_t *dst_stride,
                     const int64_t *src_stride, int size);
/* Runs the plan on the calling thread, or cut on the pool (NULL: the caller alone). */
void born__copy_run(const born_copy_plan *p, char *dst, const char *src);
void born__copy_run_on(const born_copy_plan *p, char *dst, const char *src, born_pool *pool);

/* dst = src, element by element; same dtype and dims. */
void born__copy_view(const born_view *dst, const born_view *src, born_pool *pool);
/* dst = src where only the counts agree: both are read in row-major order. */
void born__copy_reshaped(const born_view *dst, const born_view *src, born_pool *pool);
/* Every element of dst = the element at `value`. */
void born__fill_view(const born_view *dst, const void *value, born_pool *pool);
/* n elements of `size` bytes, one step apart on each side. A source step of 0 fills. */
void born__copy_strided(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n, int size);

/* Strides (in elements) that show v's elements under other dims of the same count; false: only a copy can. */
bool born__view_reshape(const born_view *v, int rank, const int64_t *dim, int64_t *stride);
#endif
