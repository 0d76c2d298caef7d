/* `.born`: a GGUF file whose tensor "born.model" (I8) holds an ONNX ModelProto. Its initialisers are ONNX external data
   with full name, dtype and dims of any rank; their location is the name of the GGUF tensor ("t17") that holds the
   bytes, of the same type where GGUF has it (up to 4 dims), else I8. A model's graph has nodes, a checkpoint's has
   none; key "born.kind" says which. Called by the model opener, the exporter and the checkpoints. */
#ifndef BORN_BORN_BORN_FILE_H
#define BORN_BORN_BORN_FILE_H
#include "formats/gguf/gguf.h"
#include "formats/onnx/external.h"

#define BORN_FILE_MODEL "born.model"
#define BORN_FILE_KIND "born.kind"
#define BORN_FILE_SUMS "born.sums"
enum { BORN_FILE_ALIGN = 64 };

/* The name of the tensor of initialiser i. */
const char *born__born_place(char buf[24], size_t i);
/* Begins a file of this kind ("model", "checkpoint"); NULL on NOMEM. */
born_gguf_out *born__born_out_new(const char *kind);
void born__born_put_model(born_gguf_out *o, const void *proto, size_t bytes);
/* The bytes of initialiser i; a->bytes is set, a->data borrowed. */
void born__born_put_tensor(born_gguf_out *o, size_t i, const born_array *a);

/* The ModelProto of a file. UNSUPPORTED: a GGUF file of another kind. */
born_status born__born_model(const born_gguf *g, const char *kind, pb_slice *out, born_error *err);
/* Where the initialisers of g's model lie; g outlives it. NULL on NOMEM. */
born_onnx_files *born__born_files(const born_gguf *g);
#endif
