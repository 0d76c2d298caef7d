/* Born for tools: what the command line needs beside models and sessions. Serialised tensors, what a model file asks
   for and Born lacks, the operator table as data, the CPU's levels. */
#ifndef BORN_TOOL_H
#define BORN_TOOL_H
#include "tensor.h"

BORN_C_BEGIN

/// Parses a serialised ONNX TensorProto (a .pb file of test data). On success out->data is new memory that
/// born_array_free takes back, and up to name_n bytes of the tensor's name, NUL included, are written to `name` (NULL:
/// not asked for). max_bytes 0: no limit. FORMAT, UNSUPPORTED (strings, 8- and 4-bit floats), NOMEM.
BORN_API BORN_CHECK born_status born_tensor_pb_read(const void *bytes, size_t byte_count, size_t max_bytes, char *name,
                                                    size_t name_n, born_array *out, born_error *err);
/// Frees an array that a reader made and sets it to {0}. NULL and {0} allowed.
BORN_API void born_array_free(born_array *a);

/// One thing in a model file that Born cannot run.
typedef struct born_model_gap {
    const char *op;             /* "Foo", "com.example.Foo"; "input", "output", "tensor" for values */
    int64_t version;            /* of the operator's domain; 0: means nothing here */
    const char *node;           /* name of the node or value; "" where it has none */
    const char *why;
} born_model_gap;
/// Calls fn for every operator and value of the file that is not supported; OK where there is none, else UNSUPPORTED,
/// or what else is wrong with the file.
BORN_API BORN_CHECK born_status born_model_gaps(const char *path, void (*fn)(void *user, const born_model_gap *g),
                                                void *user, born_error *err);

/// One operator of the table.
typedef struct born_op_info {
    const char *name, *signature, *onnx, *attr_set, *doc;   /* attr_set "": no attributes */
    int min_in, max_in;         /* max_in -1: any number */
    int attr_count;
    bool elementwise, view, host, extent, effect, control, differentiable;
} born_op_info;
/// One attribute of an operator.
typedef struct born_op_attr_info {
    const char *name, *onnx, *kind, *choices;   /* choices "a|b|c" for an enum */
    double def, lo, hi;
} born_op_attr_info;
/// Operators are numbered from 0.
BORN_API int born_op_count(void);
/// RANGE where there is no such operator or attribute.
BORN_API BORN_CHECK born_status born_op_info_get(int op, born_op_info *out);
BORN_API BORN_CHECK born_status born_op_attr_get(int op, int attr, born_op_attr_info *out);

/// The best instruction set level of this CPU that kernels are chosen from: "scalar", "avx2", "avx512", "neon", ...
BORN_API const char *born_cpu_level(void);
/// Caps the level used by what is made from now on: "scalar", "avx2", "avx512", "neon"; NULL: no cap. INVALID for other
/// names.
BORN_API BORN_CHECK born_status born_cpu_level_cap(const char *level, born_error *err);
/// The CPUs this process may use: its affinity mask cut by its cgroup's limit.
BORN_API int born_cpu_count(void);
/// The most memory this process may take: its cgroup's limit, RLIMIT_AS, physical memory.
BORN_API uint64_t born_memory_limit(void);

BORN_C_END
#endif
