/* Born: saving. Models go to `.onnx` and `.born` files. Checkpoints are `.born` files of named tensors beside texts and
   integers by key. Every write goes to a file beside, is synced and renamed over the old one, so that a process killed
   at any moment leaves the old file or the new one, whole. Reading a checkpoint compares every byte with the sums it
   was written with. */
#ifndef BORN_SAVE_H
#define BORN_SAVE_H
#include "model.h"
#include "trace.h"

BORN_C_BEGIN

/// Writes a recorded graph, with its weights, as a file that born_model_open reads: ".onnx" (one file, at most 2 GiB,
/// which other runtimes read too) or ".born" (opens by mapping). UNSUPPORTED names the first operator that ONNX cannot
/// say; INVALID for other suffixes.
BORN_API BORN_CHECK born_status born_graph_save(const born_graph *g, const char *path, born_error *err);
/// The same for a model. Passes may have fused operators into forms that ONNX has not: open the model with passes_off
/// "all" to save it.
BORN_API BORN_CHECK born_status born_model_save(const born_model *m, const char *path, born_error *err);

typedef struct born_checkpoint born_checkpoint;

/// An empty checkpoint, to be filled and written. Close it with born_checkpoint_close.
BORN_API BORN_CHECK born_status born_checkpoint_new(born_checkpoint **out, born_error *err);
/// Reads a checkpoint file. BORN_MAP: tensors are read from the map; BORN_COPY: from memory, safe against a file that
/// changes while it is open. FORMAT: damaged; UNSUPPORTED: a file of another kind. It can be added to and written too.
BORN_API BORN_CHECK born_status born_checkpoint_open(const char *path, born_load load, born_checkpoint **out,
                                                     born_error *err);
/// Closes it and sets *c to NULL; NULL allowed. Arrays it gave are gone.
BORN_API void born_checkpoint_close(born_checkpoint **c);

/// Adds a tensor under a name that is new (any text of 1 to 65,535 bytes). Its data is borrowed until the checkpoint is
/// written or closed. DTYPE for types that ONNX has not; SHAPE where value.bytes does not fit the shape.
BORN_API BORN_CHECK born_status born_checkpoint_put(born_checkpoint *c, const char *name, const born_array *value,
                                                    born_error *err);
/// Sets a text (n bytes) or an integer, replacing what the key had. Keys beginning with "born." or "general." are ours.
BORN_API BORN_CHECK born_status born_checkpoint_put_text(born_checkpoint *c, const char *key, const char *text,
                                                         size_t n, born_error *err);
BORN_API BORN_CHECK born_status born_checkpoint_put_int(born_checkpoint *c, const char *key, int64_t value,
                                                        born_error *err);
/// Writes the file. On failure (IO: the disk is full, ...) what was there before is untouched.
BORN_API BORN_CHECK born_status born_checkpoint_write(const born_checkpoint *c, const char *path, born_error *err);

/// How many tensors there are, and the i-th of them in the order they were put.
BORN_API int64_t born_checkpoint_count(const born_checkpoint *c);
BORN_API BORN_CHECK born_status born_checkpoint_at(const born_checkpoint *c, int64_t i, const char **name,
                                                   born_array *out, born_error *err);
/// The tensor of that name; its data lives as long as the checkpoint. INVALID: there is none.
BORN_API BORN_CHECK born_status born_checkpoint_get(const born_checkpoint *c, const char *name, born_array *out,
                                                    born_error *err);
/// The text (*n bytes, NUL-terminated besides) or integer of a key. INVALID: there is none, or it is of another kind.
BORN_API BORN_CHECK born_status born_checkpoint_text(const born_checkpoint *c, const char *key, const char **text,
                                                     size_t *n, born_error *err);
BORN_API BORN_CHECK born_status born_checkpoint_int(const born_checkpoint *c, const char *key, int64_t *value,
                                                    born_error *err);
/// Whether the file was cut or changed in size while it was open: what was read since may be zeros.
BORN_API bool born_checkpoint_lost(const born_checkpoint *c);

BORN_C_END
#endif
