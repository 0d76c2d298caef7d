/* Born: devices, chains (backends), scopes, what handles live in, and reading and writing them. A chain is a leaf under
   decorators and belongs to one thread; tensors belong to a chain. Nothing here is ever NULL or aborts: what fails is
   dead (a backend) or poisoned (a tensor) and the chain keeps the first error until born_backend_take_error. */
#ifndef BORN_DEVICE_H
#define BORN_DEVICE_H
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_backend born_backend;
typedef struct born_device born_device;
typedef struct born_graph born_graph;

/// Options of the CPU. Zero is the default everywhere.
typedef struct born_cpu_desc {
    int threads;                /* threads in all, the caller's included; 0: what the cgroup and affinity allow */
    size_t max_bytes;           /* most memory of all tensors on the device; 0: no limit of its own */
    size_t cache_bytes;         /* most freed memory kept for reuse; 0: 256 MiB */
} born_cpu_desc;

/// The CPU as a device that several chains (one per thread) can share: one thread pool, one memory cache. Never NULL: a
/// device that could not be made gives dead backends. Thread-safe.
BORN_API born_device *born_device_cpu_sized(const born_cpu_desc *desc, size_t desc_bytes);
static inline born_device *born_device_cpu(const born_cpu_desc *desc)
{
    return born_device_cpu_sized(desc, sizeof(born_cpu_desc));
}
/// Gives up the caller's hold; chains on the device keep it alive. Sets *d to NULL; NULL allowed.
BORN_API void born_device_close(born_device **d);

/// A leaf on the CPU with a device of its own. desc NULL: defaults. Close with born_backend_close.
BORN_API born_backend *born_cpu_sized(const born_cpu_desc *desc, size_t desc_bytes);
static inline born_backend *born_cpu(const born_cpu_desc *desc)
{
    return born_cpu_sized(desc, sizeof(born_cpu_desc));
}
/// A leaf on a shared device.
BORN_API born_backend *born_cpu_on(born_device *d);

/// Decorators take over the backend they are given and return the chain that has them outermost. Order from outside:
/// check, autodiff (any number), quant, trace, fuse, leaf; another order makes the chain dead with status STATE.
/// born_autodiff records what its tensors went through; twice gives second derivatives.
BORN_API born_backend *born_autodiff(born_backend *below);
/// Records calls into a graph between born_trace_begin and born_trace_end.
BORN_API born_backend *born_trace(born_backend *below);
/// Validates every call: operands inside their storage, results as the shape rule says.
BORN_API born_backend *born_check(born_backend *below);
/// born_check that also runs every call on `other` (taken over) and fails with MISMATCH, naming the first op whose bits
/// differ (NaN equals NaN).
BORN_API born_backend *born_check_compare(born_backend *below, born_backend *other);

/// Closes the chain that *b is part of and sets *b to NULL; sessions and kept tensors hold what they need of it. An
/// error nobody took goes to the log hook. NULL allowed.
BORN_API void born_backend_close(born_backend **b);
/// The chain's first error since the last born_backend_take_error; status OK: none. Valid until the next call on b.
BORN_API const born_error *born_backend_error(const born_backend *b);
/// Moves the chain's first error to *err (status OK where there is none). The error of a dead backend stays.
BORN_API void born_backend_take_error(born_backend *b, born_error *err);
/// "cpu", "autodiff": the outermost link's name.
BORN_API const char *born_backend_name(const born_backend *b);
/// Waits for all work queued on b; a late error surfaces here.
BORN_API BORN_CHECK born_status born_sync(born_backend *b);

/* scopes ---------------------------------------------------------------------------------------------------------- */

/// A scope owns the tensors made while it is the innermost one. A value: copy it freely.
typedef struct born_scope {
    born_backend *b;
    uint32_t depth;
} born_scope;
/// Opens a scope; cannot fail and needs no memory.
BORN_API born_scope born_scope_begin(born_backend *b);
/// Releases what belongs to the scope and to scopes opened inside it and not ended. Ending it twice does nothing.
BORN_API void born_scope_end(born_scope s);

/* Any typed handle as the born_tensor inside it. */
#define BORN__HANDLES(X) X(f32) X(f64) X(f16) X(bf16) X(i8) X(u8) X(i16) X(u16) X(i32) X(u32) X(i64) X(u64) X(bool) X(q)
static inline born_tensor born__any_tensor(born_tensor x) { return x; }
static inline born_tensor *born__ptr_tensor(born_tensor *x) { return x; }
#define BORN__X(T)                                                                                                    \
    static inline born_tensor born__any_##T(born_##T x) { return x.any; }                                             \
    static inline born_tensor *born__ptr_##T(born_##T *x) { return x ? &x->any : (born_tensor *)0; }
BORN__HANDLES(BORN__X)
#undef BORN__X
#ifndef __cplusplus
/* f(x) for the one f that takes x's type. */
#define BORN__PICK(x, pre)                                                                                            \
    _Generic((x), born_tensor: pre##tensor, born_f32: pre##f32, born_f64: pre##f64, born_f16: pre##f16,               \
        born_bf16: pre##bf16, born_i8: pre##i8, born_u8: pre##u8, born_i16: pre##i16, born_u16: pre##u16,             \
        born_i32: pre##i32, born_u32: pre##u32, born_i64: pre##i64, born_u64: pre##u64, born_bool: pre##bool,         \
        born_q: pre##q)
#define BORN__PICK_PTR(x, pre)                                                                                        \
    _Generic((x), born_tensor *: pre##tensor, born_f32 *: pre##f32, born_f64 *: pre##f64, born_f16 *: pre##f16,       \
        born_bf16 *: pre##bf16, born_i8 *: pre##i8, born_u8 *: pre##u8, born_i16 *: pre##i16, born_u16 *: pre##u16,   \
        born_i32 *: pre##i32, born_u32 *: pre##u32, born_i64 *: pre##i64, born_u64 *: pre##u64,                       \
        born_bool *: pre##bool, born_q *: pre##q)
#define BORN_ANY(x) (BORN__PICK((x), born__any_)(x))
#define BORN__ANY_PTR(x) (BORN__PICK_PTR((x), born__ptr_)(x))
#endif

BORN_API born_tensor born_scope_return(born_scope s, born_tensor x);
BORN_API born_tensor born_keep(born_tensor x);
BORN_API void born_drop(born_tensor *x);

/* metadata and host data ------------------------------------------------------------------------------------------ */

BORN_API born_tensor born_from(born_backend *b, born_array a);
BORN_API born_tensor born_full(born_backend *b, born_dtype t, born_shape shape, double value);
BORN_API born_dtype born_dtype_of(born_tensor x);
BORN_API born_shape born_shape_of(born_tensor x);
BORN_API born_backend *born_backend_of(born_tensor x);
BORN_API BORN_CHECK born_status born_read(born_tensor x, void *dst, size_t bytes);
BORN_API BORN_CHECK born_status born_write(born_tensor x, const void *src, size_t bytes);
BORN_API BORN_CHECK born_status born_item(born_tensor x, born_dtype t, void *value);
BORN_API born_tensor born_as(born_tensor x, born_dtype t);

BORN_C_END
#endif
