/* Born: the attribute struct of every op that has one, generated from attrs.def. Pass NULL for the defaults; a zero
   field means its default. Arrays are borrowed: BORN_INTS(1, 2) makes one in place. */
#ifndef BORN_ATTRS_H
#define BORN_ATTRS_H
#include "tensor.h"

typedef struct born_ints { const int64_t *v; int64_t count; } born_ints;
typedef struct born_floats { const float *v; int64_t count; } born_floats;
typedef struct born_str { const char *p; size_t n; } born_str;              /* not NUL-terminated */
typedef struct born_strs { const born_str *v; int64_t count; } born_strs;
#define BORN_INTS(...)                                                                                                \
    ((born_ints){ (const int64_t[]){ __VA_ARGS__ }, (int64_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)) })

typedef int64_t born__attr_INT;
typedef double born__attr_FLOAT;
typedef bool born__attr_BOOL;
typedef int born__attr_ENUM;
typedef born_dtype born__attr_DTYPE;
typedef born_ints born__attr_INTS;
typedef born_floats born__attr_FLOATS;
typedef born_str born__attr_STRING;
typedef born_strs born__attr_STRINGS;
typedef const born_array *born__attr_TENSOR;
typedef struct born_graph *born__attr_GRAPH;

#define BEGIN(set) typedef struct born_##set##_attrs {
#define ATTR(kind, field, onnx, def, lo, hi, text) born__attr_##kind field;
#define END(set) } born_##set##_attrs;
#include "attrs.def"
#undef BEGIN
#undef ATTR
#undef END
#endif
