/* The attribute sets of attrs.def as descriptors, and the number of each. Used by the registry and by attrs.c only. */
#ifndef BORN_OPS_ATTR_SETS_H
#define BORN_OPS_ATTR_SETS_H
#include <born/attrs.h>

#include "waist/op.h"

typedef enum born_attr_set_id {
    BORN__SET_none,
#define BEGIN(set) BORN__SET_##set,
#define ATTR(kind, field, onnx, def, lo, hi, text)
#define END(set)
#include <born/attrs.def>
#undef BEGIN
#undef ATTR
#undef END
    BORN__SET_COUNT
} born_attr_set_id;

extern const born_attr_set born__attr_sets[BORN__SET_COUNT];    /* [0] is the empty set */
#endif
