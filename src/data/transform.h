/* One step of a transform, with the shapes it was planned for. */
#ifndef BORN_DATA_TRANSFORM_H
#define BORN_DATA_TRANSFORM_H
#include <born/data.h>

typedef struct born_step {
    born_transform t;
    int64_t c, h, w;            /* of the picture that comes in */
    int64_t to_h, to_w;
    born_dtype from;
    size_t size;                /* bytes of an element that comes in */
} born_step;

typedef void (*born_step_fn)(const born_step *s, uint64_t key, const void *src, void *dst);
/* The function of a kind; NULL for a kind that is none. src and dst do not overlap. */
born_step_fn born__step_function(born_transform_kind kind);
#endif
