/* Born: element types, shapes, typed tensor handles and borrowed host arrays. */
#ifndef BORN_TENSOR_H
#define BORN_TENSOR_H
#include "base.h"

BORN_C_BEGIN

#define BORN_MAX_RANK 8

typedef enum born_dtype {
    BORN_DTYPE_NONE = 0,
#define X(ID, name, ctype, bits, cls, be, bb, onnx, gguf, npy) BORN_##ID,
#include "dtype.def"
#undef X
    BORN_DTYPE_COUNT
} born_dtype;

/// A shape: `rank` sizes, each >= 0. Rank 0 is a scalar.
typedef struct born_shape {
    int rank;
    int64_t dim[BORN_MAX_RANK];
} born_shape;
#define BORN_SHAPE(...)                                                                                               \
    ((born_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })

/// A tensor whose dtype is known at run time: one word (node address | generation). {0} is no tensor.
typedef struct born_tensor {
    uintptr_t w;
} born_tensor;

/* One struct per dtype, so that mixing dtypes does not compile. */
#define X(ID, name, ctype, bits, cls, be, bb, onnx, gguf, npy) BORN__HANDLE_##cls(born_##name)
#define BORN__HANDLE_F(name) typedef struct name { born_tensor any; } name;
#define BORN__HANDLE_I(name) BORN__HANDLE_F(name)
#define BORN__HANDLE_U(name) BORN__HANDLE_F(name)
#define BORN__HANDLE_B(name) BORN__HANDLE_F(name)
#define BORN__HANDLE_Q(name)
#include "dtype.def"
#undef X
#undef BORN__HANDLE_F
#undef BORN__HANDLE_I
#undef BORN__HANDLE_U
#undef BORN__HANDLE_B
#undef BORN__HANDLE_Q
typedef struct born_q { born_tensor any; } born_q; /* any block-quantised tensor */

/// Borrowed host memory in C order, never copied or freed by Born. `bytes` 0 means: as many as shape and dtype need;
/// any other value is checked against it.
typedef struct born_array {
    born_dtype dtype;
    born_shape shape;
    const void *data;
    size_t bytes;
} born_array;

/* f16 and bf16 share uint16_t with u16: say BORN_ARRAY_OF(BORN_F16, p, ...) for them. */
#define BORN_ARRAY_OF(type, p, ...) ((born_array){ (type), BORN_SHAPE(__VA_ARGS__), (p), 0 })
#ifndef __cplusplus
#define BORN__PTR_DTYPE(p)                                                                                            \
    _Generic((p), float *: BORN_F32, const float *: BORN_F32, double *: BORN_F64, const double *: BORN_F64,           \
        int8_t *: BORN_I8, const int8_t *: BORN_I8, uint8_t *: BORN_U8, const uint8_t *: BORN_U8,                     \
        int16_t *: BORN_I16, const int16_t *: BORN_I16, uint16_t *: BORN_U16, const uint16_t *: BORN_U16,             \
        int32_t *: BORN_I32, const int32_t *: BORN_I32, uint32_t *: BORN_U32, const uint32_t *: BORN_U32,             \
        int64_t *: BORN_I64, const int64_t *: BORN_I64, uint64_t *: BORN_U64, const uint64_t *: BORN_U64,             \
        bool *: BORN_BOOL, const bool *: BORN_BOOL)
#define BORN_ARRAY(p, ...) ((born_array){ BORN__PTR_DTYPE(p), BORN_SHAPE(__VA_ARGS__), (p), 0 })
#endif

/// "f32", "i64", "q4_0"; "none" for anything else.
BORN_API const char *born_dtype_name(born_dtype t);
/// Bytes of `count` elements of t in row-major storage (count a whole number of blocks for block types); -1 where
/// t is no dtype or the size overflows or is not whole.
BORN_API int64_t born_dtype_bytes(born_dtype t, int64_t count);

BORN_C_END
#endif
