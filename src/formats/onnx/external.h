/* Tensor data in files beside the model, under these rules: a relative path of plain names inside the model's folder
   (no "..", no links, regular files with one name only), each file opened once and never again by name, offset and
   length within the file, and no keys but location, offset, length and checksum. */
#ifndef BORN_ONNX_EXTERNAL_H
#define BORN_ONNX_EXTERNAL_H
#include "formats/onnx/proto.h"

/* The files that a model's tensors lie in; they stay open as long as this object. */
typedef struct born_onnx_files born_onnx_files;

/* dir_fd: the model's folder (not taken over, used only while the model is read), -1: none, then external data is
   refused. copy: read files into memory instead of mapping them. NULL on NOMEM. */
born_onnx_files *born__onnx_files_new(int dir_fd, bool copy, size_t max_bytes);
/* For a model that lies in a container together with its tensors: a location is the name of a part of it. `find` gives
   that part's bytes, which live as long as the caller's container; no file is ever opened. NULL on NOMEM. */
typedef bool (*born_onnx_find)(void *user, const char *name, size_t n, pb_slice *out);
born_onnx_files *born__onnx_files_inside(born_onnx_find find, void *user);
void born__onnx_files_free(born_onnx_files **f);            /* NULL allowed */
/* No more files will be opened; dir_fd may be closed by its owner. */
void born__onnx_files_seal(born_onnx_files *f);
/* Tells the system that these bytes are not needed soon. Does nothing for bytes of other files. */
void born__onnx_files_drop(born_onnx_files *f, const void *p, size_t bytes);
/* Was any of the files cut while it was mapped? */
bool born__onnx_files_lost(born_onnx_files *f);

/* The bytes of an external tensor of `bytes` bytes. */
born_status born__onnx_external(born_onnx_files *f, const pb_tensor *t, size_t bytes, pb_slice *out, born_error *err);
#endif
