/* Born: weights as other frameworks keep them. The component hub, a library of its own (libborn_hub, born::hub), since
   it reads JSON with jansson; builds without jansson do not have it. Not part of born.h.

   safetensors: a JSON header of names, dtypes, shapes and places, and the bytes of the tensors. Files are checked as a
   whole before anything is given out: the tensors cover the data exactly, no name comes twice. */
#ifndef BORN_HUB_H
#define BORN_HUB_H
#include "model.h"
#include "module.h"

BORN_C_BEGIN

typedef struct born_safetensors born_safetensors;

/// Opens a file. BORN_MAP: tensors stay in the map; BORN_COPY: in memory. FORMAT; UNSUPPORTED names the first tensor
/// whose dtype or rank Born has not.
BORN_API BORN_CHECK born_status born_safetensors_open(const char *path, born_load load, born_safetensors **out,
                                                      born_error *err);
/// Closes it and sets *s to NULL; NULL allowed. What it gave is gone.
BORN_API void born_safetensors_close(born_safetensors **s);
/// All its tensors, in the order of their bytes; *count of them.
BORN_API const born_named_array *born_safetensors_arrays(const born_safetensors *s, int64_t *count);
/// A text of its "__metadata__"; NULL where there is none.
BORN_API const char *born_safetensors_note(const born_safetensors *s, const char *key);
/// Writes arrays to a file (beside, synced, renamed). Names are new and not "__metadata__". notes: n_notes pairs of key
/// and value for "__metadata__".
BORN_API BORN_CHECK born_status born_safetensors_write(const char *path, const born_named_array *arrays, int64_t count,
                                                       const char *const *notes, int n_notes, born_error *err);

/// Writes all saved tensors below m under their PyTorch state-dict names. A shared tensor is written under each of its
/// names, as a state dict lists it.
BORN_API BORN_CHECK born_status born_module_save(const born_module *m, const char *path, born_error *err);
/// Reads a safetensors file into the tensors below m by name, all or nothing (born_module_load_arrays); desc NULL:
/// every name must match.
BORN_API BORN_CHECK born_status born_module_load_sized(born_module *m, const char *path, const born_load_desc *desc,
                                                       size_t desc_bytes, born_error *err);
BORN_CHECK static inline born_status born_module_load(born_module *m, const char *path, const born_load_desc *desc,
                                                      born_error *err)
{
    return born_module_load_sized(m, path, desc, sizeof(born_load_desc), err);
}

BORN_C_END
#endif
