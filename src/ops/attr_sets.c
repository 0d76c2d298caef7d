/* The descriptors of all attribute sets, from the rows of attrs.def. A row does not name its set, and only inside a
   function can BEGIN open a scope that remembers it; so offsets are filled in by a constructor, which runs before
   anything of the library can be called. All else is constant. */
#include <math.h>

#include "ops/attr_sets.h"

#define BEGIN(set) static born_attr_field fields_##set[] = {
#define ATTR(kind_, field_, onnx_, def_, lo_, hi_, text_)                                                             \
    { .name = #field_, .onnx = onnx_, .kind = BORN_ATTR_##kind_, .def = (def_), .lo = (lo_), .hi = (hi_),             \
      .text = text_ },
#define END(set) };
#include <born/attrs.def>
#undef BEGIN
#undef ATTR
#undef END

const born_attr_set born__attr_sets[BORN__SET_COUNT] = {
    [BORN__SET_none] = { .name = "none" },
#define BEGIN(set)                                                                                                    \
    [BORN__SET_##set] = { .name = #set, .bytes = sizeof(born_##set##_attrs), .field = fields_##set,                   \
                          .count = (int)(sizeof fields_##set / sizeof fields_##set[0]) },
#define ATTR(kind, field, onnx, def, lo, hi, text)
#define END(set)
#include <born/attrs.def>
#undef BEGIN
#undef ATTR
#undef END
};

__attribute__((constructor(101))) static void fill_offsets(void)
{
#define BEGIN(set)                                                                                                    \
    {                                                                                                                 \
        typedef born_##set##_attrs attrs_t;                                                                           \
        born_attr_field *f = fields_##set;
#define ATTR(kind, field, onnx, def, lo, hi, text) (f++)->offset = offsetof(attrs_t, field);
#define END(set) }
#include <born/attrs.def>
#undef BEGIN
#undef ATTR
#undef END
}
