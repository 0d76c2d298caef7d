/* Writing protobuf: fields are appended to a byte buffer; a message inside a message is built in a buffer of its own
   and then put as one field, so that its size is known. Sizes are checked by the buffer, whose first failure sticks.
   Called by the exporter and by formats/born. */
#ifndef BORN_ONNX_PB_OUT_H
#define BORN_ONNX_PB_OUT_H
#include "base/bytes.h"
#include "formats/onnx/wire.h"

#include <born/tensor.h>

void born__pb_put_varint(born_bytes *b, uint64_t v);
void born__pb_put_int(born_bytes *b, uint32_t field, int64_t v);
void born__pb_put_f32(born_bytes *b, uint32_t field, float v);
void born__pb_put_bytes(born_bytes *b, uint32_t field, const void *p, size_t n);
void born__pb_put_text(born_bytes *b, uint32_t field, const char *s);
/* Puts a message built in *inner, which is freed. */
void born__pb_put_message(born_bytes *b, uint32_t field, born_bytes *inner);
/* A TensorProto as a field. place NULL: its elements are put in as raw data, else it says that they are at that place
   (ONNX external data). a has a dtype that ONNX knows. */
void born__pb_put_tensor(born_bytes *b, uint32_t field, const char *name, const born_array *a, const char *place);
#endif
