/* The GGUF container: keys with values, and tensors whose bytes lie aligned behind them.

   Reading copies every number, key and name out of the bytes once, checks the copy, and leaves strings, arrays and
   tensor data in place: those may change under the reader, but are only values. Nothing is allocated for more than the
   bytes that remain can hold. Writing puts a header together in memory and streams the data behind it, through
   base/filesave.h. Versions 2 and 3, little-endian. Called by formats/born and the model opener. */
#ifndef BORN_GGUF_GGUF_H
#define BORN_GGUF_GGUF_H
#include <born/attrs.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/nametable.h"

enum { GGUF_MAX_RANK = 4, GGUF_MAX_ALIGN = 1 << 16, GGUF_MAX_ENTRIES = 1 << 20, GGUF_MAX_KEY = (1 << 16) - 1 };

/* The codes of value types. */
typedef enum born_gguf_type {
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY, GGUF_U64,
    GGUF_I64, GGUF_F64, GGUF_TYPE_COUNT
} born_gguf_type;

typedef struct born_gguf_pair {
    born_str key;               /* a copy, NUL-terminated */
    born_gguf_type type, elem;  /* elem: of an array */
    uint64_t bits;              /* scalars: as many bytes as the type has, zero-extended */
    born_str text;              /* strings: in the file's bytes */
    const unsigned char *data;  /* arrays: the elements (checked to lie within the bytes) */
    size_t bytes;
    uint64_t count;
} born_gguf_pair;

typedef struct born_gguf_tensor {
    born_str name;              /* a copy, NUL-terminated */
    int code;                   /* of the type, a row of gguf_types.def */
    born_dtype dtype;           /* NONE: Born cannot compute with it */
    int rank;
    int64_t dim[GGUF_MAX_RANK]; /* innermost first, as in the file */
    const unsigned char *data;
    size_t bytes;
} born_gguf_tensor;

typedef struct born_gguf {
    born_arena arena;
    uint32_t version, align;
    const unsigned char *base;  /* the file's bytes */
    size_t data_at;             /* where tensor data begins */
    born_gguf_pair *pair;
    born_gguf_tensor *tensor;
    size_t pair_count, tensor_count;
    born_names keys, tensor_names;
} born_gguf;

bool born__gguf_probe(const void *bytes, size_t n);
/* bytes stay valid as long as *out. FORMAT, UNSUPPORTED (another version or byte order), NOMEM. */
born_status born__gguf_read(const void *bytes, size_t n, born_gguf **out, born_error *err);
void born__gguf_free(born_gguf **g);                            /* NULL allowed */
const born_gguf_tensor *born__gguf_tensor_find(const born_gguf *g, const char *name, size_t n);
const born_gguf_pair *born__gguf_pair_find(const born_gguf *g, const char *key, size_t n);
/* The value of a string or integer key; false: absent or of another type. */
bool born__gguf_text(const born_gguf *g, const char *key, born_str *out);
bool born__gguf_int(const born_gguf_pair *p, int64_t *out);     /* false: no integer, or above INT64_MAX */
const char *born__gguf_type_name(int code);                     /* of tensors; never NULL */

/* ---- writing: gguf_out.c ---- */

typedef struct born_gguf_out born_gguf_out;

/* align: a power of two. NULL on NOMEM. */
born_gguf_out *born__gguf_out_new(uint32_t align);
void born__gguf_out_free(born_gguf_out **o);                    /* NULL allowed */
/* Keys and names must be new; the caller sees to that. A failed allocation shows in born__gguf_out_save. */
void born__gguf_put_text(born_gguf_out *o, const char *key, const char *s, size_t n);
void born__gguf_put_i64(born_gguf_out *o, const char *key, int64_t v);
void born__gguf_put_u32(born_gguf_out *o, const char *key, uint32_t v);
/* A tensor of `code`, dim innermost first; data is borrowed until born__gguf_out_save. */
void born__gguf_put_tensor(born_gguf_out *o, const char *name, int code, int rank, const int64_t *dim,
                           const void *data, size_t bytes);
/* Adds a last tensor `name` (I64) of one hash for all before the data and one for each tensor (gguf_sums_check). */
void born__gguf_put_sums(born_gguf_out *o, const char *name);
born_status born__gguf_out_save(born_gguf_out *o, const char *path, born_error *err);
/* Compares a file's sums with its bytes. FORMAT names the first tensor that differs, or says that there are none. */
born_status born__gguf_sums_check(const born_gguf *g, const char *name, born_error *err);
#endif
