/* Attribute structs as text, driven by the rows: "axis=1, mode=linear, pads=[1,1]". Printing leaves out fields that
   have their default; parsing starts from the defaults, so what was printed reads back as the same value. Tensors are
   "f32[2,3]:" and their bytes in hexadecimal; floats are the shortest form that reads back. */
#ifndef BORN_OPS_ATTRS_TEXT_H
#define BORN_OPS_ATTRS_TEXT_H
#include "base/alloc.h"
#include "waist/op.h"

/* Like snprintf: writes at most n bytes, NUL included (n may be 0), returns the length of the whole text. A graph
   prints as name=<graph>: who prints graphs follows it with the graph. */
size_t born__attrs_print(const born_attr_set *s, const void *attrs, char *buf, size_t n);
/* Reads text[0..n) into attrs. Arrays and strings go to the arena. FORMAT for anything not understood; graphs are not
   read here (their fields stay NULL). */
born_status born__attrs_parse(const born_attr_set *s, const char *text, size_t n, born_arena *arena, void *attrs,
                              born_error *err);
#endif
