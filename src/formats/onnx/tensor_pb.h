/* TensorProto to array: element types, sizes checked against the bytes that are there before anything is allocated,
   data in any of the fields that ONNX allows. */
#ifndef BORN_ONNX_TENSOR_PB_H
#define BORN_ONNX_TENSOR_PB_H
#include "formats/onnx/external.h"
#include "formats/onnx/proto.h"

/* TensorProto.DataType to dtype; NONE where Born has no such type (strings, complex, 8 and 4 bit floats and ints). */
born_dtype born__onnx_dtype(int64_t code);
int born__onnx_dtype_code(born_dtype t);            /* -1: ONNX has no such type */
const char *born__onnx_dtype_name(int64_t code);    /* never NULL */

/* Where a tensor's elements are. */
typedef struct pb_data {
    pb_slice raw;               /* little-endian elements; p NULL: they must be decoded from a number field */
    bool in_place;              /* raw is aligned for its type, holds floats and lies in a file map */
} pb_data;

/* Fills dtype, shape and bytes of *a (data stays NULL) and finds the elements. files NULL: external data refused. */
born_status born__pb_tensor_open(const pb_tensor *t, born_onnx_files *files, born_array *a, pb_data *d,
                                 born_error *err);
/* Copies the elements to dst (a->bytes of them); booleans become 0 or 1. */
born_status born__pb_tensor_copy(const pb_tensor *t, const pb_data *d, const born_array *a, void *dst, born_error *err);

/* Parses a serialised TensorProto. On success a->data is a block for born__free and *name (if asked for) a slice of
   bytes. max_bytes bounds the block. */
born_status born__pb_array_read(const void *bytes, size_t n, size_t max_bytes, born_array *a, born_str *name,
                                born_error *err);
#endif
