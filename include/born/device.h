/* Born: devices, chains (backends), scopes, what handles live in, and reading and writing them. A chain is a leaf under
   decorators and belongs to one thread; tensors belong to a chain. Nothing here is ever NULL or aborts: what fails is
   dead (a backend) or poisoned (a tensor) and the chain keeps the first error until born_backend_take_error. */
#ifndef BORN_DEVICE_H
#define BORN_DEVICE_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_backend born_backend;
typedef struct born_device born_device;

/// Options of the CPU. Zero is the default everywhere.
typedef struct born_cpu_desc {
    int threads;                /* threads in all, the caller's included; 0: what the cgroup and affinity allow */
    size_t max_bytes;           /* most memory of all tensors on the device; 0: no limit of its own */
    size_t cache_bytes;         /* most freed memory that each chain keeps for reuse; 0: 256 MiB */
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
/// Lets elementwise calls on f32 wait until somebody needs a result (reading it, an operator of another kind, an update
/// in place, born_sync, or 64 calls that wait), then runs them piece by piece in one pass over memory, with the same
/// bits; a result that no tensor holds any more by then is never stored. Shapes and dtypes are checked at once; a lack
/// of memory may be found only by the call that needs the result: that one fails, and what waits can be read later.
/// What waits keeps at most 64 MiB of memory from being freed. Pays from some thousand elements on.
BORN_API born_backend *born_fuse(born_backend *below);
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

/* ---- any handle ------------------------------------------------------------------------------------------------ */

/* Any typed handle as the born_tensor inside it. */
#define BORN__HANDLES(X)                                                                                              \
    X(_f32) X(_f64) X(_f16) X(_bf16) X(_i8) X(_u8) X(_i16) X(_u16) X(_i32) X(_u32) X(_i64) X(_u64) X(_bool) X(_q)
static inline born_tensor born__any_tensor(born_tensor x) { return x; }
static inline born_tensor *born__ptr_tensor(born_tensor *x) { return x; }
#define BORN__X(T)                                                                                                    \
    static inline born_tensor born__any##T(born##T x) { return x.any; }                                               \
    static inline born_tensor *born__ptr##T(born##T *x) { return x ? &x->any : (born_tensor *)0; }
BORN__HANDLES(BORN__X)
#undef BORN__X
#ifndef __cplusplus
/* The one of pre_f32, pre_f64, ... that takes x's type. */
#define BORN__PICK(x, pre)                                                                                            \
    _Generic((x), born_tensor: pre##_tensor, born_f32: pre##_f32, born_f64: pre##_f64, born_f16: pre##_f16,           \
        born_bf16: pre##_bf16, born_i8: pre##_i8, born_u8: pre##_u8, born_i16: pre##_i16, born_u16: pre##_u16,        \
        born_i32: pre##_i32, born_u32: pre##_u32, born_i64: pre##_i64, born_u64: pre##_u64, born_bool: pre##_bool,    \
        born_q: pre##_q)
#define BORN__PICK_PTR(x, pre)                                                                                        \
    _Generic((x), born_tensor *: pre##_tensor, born_f32 *: pre##_f32, born_f64 *: pre##_f64, born_f16 *: pre##_f16,   \
        born_bf16 *: pre##_bf16, born_i8 *: pre##_i8, born_u8 *: pre##_u8, born_i16 *: pre##_i16,                     \
        born_u16 *: pre##_u16, born_i32 *: pre##_i32, born_u32 *: pre##_u32, born_i64 *: pre##_i64,                   \
        born_u64 *: pre##_u64, born_bool *: pre##_bool, born_q *: pre##_q)
/// Any typed handle as a born_tensor.
#define BORN_ANY(x) (BORN__PICK((x), born__any)(x))
#define BORN__ANY_PTR(x) (BORN__PICK_PTR((x), born__ptr)(x))
#endif

/* ---- symbols: each is also a macro or, in C++, a set of overloads, for every typed handle ---------------------- */

/// Ends s and hands x to the scope around it; a tensor of another scope still open stays where it is. Returns x.
BORN_API born_tensor born_scope_return(born_scope s, born_tensor x);
/// Makes x the caller's until born_drop, beyond its scope's end and its backend's close. Each keep needs a drop.
BORN_API born_tensor born_keep(born_tensor x);
/// Gives up one keep and sets *x to {0}. NULL and {0} allowed.
BORN_API void born_drop(born_tensor *x);
/// The dtype; BORN_DTYPE_NONE for poison and stale handles.
BORN_API born_dtype born_dtype_of(born_tensor x);
/// The shape; rank 0 for poison and stale handles.
BORN_API born_shape born_shape_of(born_tensor x);
/// Whether x is a value: neither poison nor a stale handle.
BORN_API bool born_is_alive(born_tensor x);
/// The chain that x belongs to; NULL for {0} and poison.
BORN_API born_backend *born_backend_of(born_tensor x);
/// Copies x's elements in C order to dst, which has exactly `bytes`. Waits for the work that makes x.
BORN_API BORN_CHECK born_status born_read(born_tensor x, void *dst, size_t bytes);
/// Overwrites x's elements in place from C order. A value that born_backward still needs makes that fail with STATE.
BORN_API BORN_CHECK born_status born_write(born_tensor x, const void *src, size_t bytes);
/// The only element of x, as dtype t; DTYPE and SHAPE where x is something else.
BORN_API BORN_CHECK born_status born_item(born_tensor x, born_dtype t, void *value);
/// x itself if its dtype is t, else poison and status DTYPE: how a born_tensor becomes a typed handle.
BORN_API born_tensor born_as(born_tensor x, born_dtype t);
/// A tensor holding a copy of host data, for the innermost scope. t: the dtype that a must have; BORN_DTYPE_NONE: any.
BORN_API born_tensor born_from(born_backend *b, born_array a, born_dtype t, const born_site *at);
/// A tensor of `shape` with every element v.
BORN_API born_tensor born_full(born_backend *b, born_dtype t, born_shape shape, double v, const born_site *at);

/* ---- gradients ------------------------------------------------------------------------------------------------- */

/// Asks for the gradient of x, a float tensor, at every autodiff level of its chain up to x's own. Returns x.
BORN_API born_tensor born_requires_grad(born_tensor x);
/// A tensor with x's storage that every autodiff takes for a constant (what stop_gradient means).
BORN_API born_tensor born_detach(born_tensor x);
/// Adds the gradient of `loss` (one float element) to every tensor it depends on that asked for it. On failure nothing
/// changes but the chain's error: SHAPE, STATE (no autodiff, or a value it needs was overwritten), UNSUPPORTED.
BORN_API BORN_CHECK born_status born_backward(born_tensor loss);
/// x's gradient so far, known to the level below that autodiff (so it can be differentiated by the next one); {0} where
/// there is none. Borrowed from x: keep it to use it after x, or after born_grad_clear.
BORN_API born_tensor born_grad_of(born_tensor x);
/// The gradient that `link`, one autodiff of a stack, has for x.
BORN_API born_tensor born_grad_at(born_backend *link, born_tensor x);
/// Forgets x's gradients at all levels.
BORN_API void born_grad_clear(born_tensor x);

BORN_C_END

/* ---- typed forms ----------------------------------------------------------------------------------------------- */

#define BORN__X(T, ctype, ID)                                                                                         \
    static inline born##T born_from##T##_at(born_backend *b, born_array a, const born_site *at)                       \
    {                                                                                                                 \
        born##T r = { (born_from)(b, a, BORN_##ID, at) };                                                             \
        return r;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_as##T(born_tensor x)                                                                   \
    {                                                                                                                 \
        born##T r = { (born_as)(x, BORN_##ID) };                                                                      \
        return r;                                                                                                     \
    }                                                                                                                 \
    BORN_CHECK static inline born_status born_item##T(born##T x, ctype *value)                                        \
    {                                                                                                                 \
        return (born_item)(x.any, BORN_##ID, value);                                                                  \
    }
#define BORN__NUMBERS(X)                                                                                              \
    X(_f32, float, F32) X(_f64, double, F64) X(_f16, uint16_t, F16) X(_bf16, uint16_t, BF16) X(_i8, int8_t, I8)       \
    X(_u8, uint8_t, U8) X(_i16, int16_t, I16) X(_u16, uint16_t, U16) X(_i32, int32_t, I32) X(_u32, uint32_t, U32)     \
    X(_i64, int64_t, I64) X(_u64, uint64_t, U64) X(_bool, bool, BOOL)
BORN__NUMBERS(BORN__X)
#undef BORN__X

#define BORN__X(T)                                                                                                    \
    static inline born##T born_scope_return##T(born_scope s, born##T x)                                               \
    {                                                                                                                 \
        x.any = (born_scope_return)(s, x.any);                                                                        \
        return x;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_keep##T(born##T x)                                                                     \
    {                                                                                                                 \
        x.any = (born_keep)(x.any);                                                                                   \
        return x;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_requires_grad##T(born##T x)                                                            \
    {                                                                                                                 \
        x.any = (born_requires_grad)(x.any);                                                                          \
        return x;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_detach##T(born##T x)                                                                   \
    {                                                                                                                 \
        x.any = (born_detach)(x.any);                                                                                 \
        return x;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_grad_of##T(born##T x)                                                                  \
    {                                                                                                                 \
        x.any = (born_grad_of)(x.any);                                                                                \
        return x;                                                                                                     \
    }                                                                                                                 \
    static inline born##T born_grad_at##T(born_backend *link, born##T x)                                              \
    {                                                                                                                 \
        x.any = (born_grad_at)(link, x.any);                                                                          \
        return x;                                                                                                     \
    }
BORN__HANDLES(BORN__X)
#undef BORN__X

#ifndef __cplusplus
static inline born_tensor born_scope_return_tensor(born_scope s, born_tensor x) { return (born_scope_return)(s, x); }
static inline born_tensor born_keep_tensor(born_tensor x) { return (born_keep)(x); }
static inline born_tensor born_requires_grad_tensor(born_tensor x) { return (born_requires_grad)(x); }
static inline born_tensor born_detach_tensor(born_tensor x) { return (born_detach)(x); }
static inline born_tensor born_grad_of_tensor(born_tensor x) { return (born_grad_of)(x); }
static inline born_tensor born_grad_at_tensor(born_backend *l, born_tensor x) { return (born_grad_at)(l, x); }
#define born_scope_return(s, x) (BORN__PICK((x), born_scope_return)((s), (x)))
#define born_keep(x) (BORN__PICK((x), born_keep)(x))
#define born_drop(x) ((born_drop)(BORN__ANY_PTR(x)))
#define born_dtype_of(x) ((born_dtype_of)(BORN_ANY(x)))
#define born_shape_of(x) ((born_shape_of)(BORN_ANY(x)))
#define born_is_alive(x) ((born_is_alive)(BORN_ANY(x)))
#define born_backend_of(x) ((born_backend_of)(BORN_ANY(x)))
#define born_read(x, ...) ((born_read)(BORN_ANY(x), __VA_ARGS__))
#define born_write(x, ...) ((born_write)(BORN_ANY(x), __VA_ARGS__))
#define born_requires_grad(x) (BORN__PICK((x), born_requires_grad)(x))
#define born_detach(x) (BORN__PICK((x), born_detach)(x))
#define born_backward(x) ((born_backward)(BORN_ANY(x)))
#define born_grad_of(x) (BORN__PICK((x), born_grad_of)(x))
#define born_grad_at(l, x) (BORN__PICK((x), born_grad_at)((l), (x)))
#define born_grad_clear(x) ((born_grad_clear)(BORN_ANY(x)))
#else
inline born_tensor born__any(born_tensor x) { return x; }
#define BORN__X(T)                                                                                                    \
    inline born_tensor born__any(born##T x) { return x.any; }                                                         \
    inline born##T born_scope_return(born_scope s, born##T x) { return born_scope_return##T(s, x); }                  \
    inline born##T born_keep(born##T x) { return born_keep##T(x); }                                                   \
    inline void born_drop(born##T *x) { born_drop(born__ptr##T(x)); }                                                 \
    inline born_dtype born_dtype_of(born##T x) { return born_dtype_of(x.any); }                                       \
    inline born_shape born_shape_of(born##T x) { return born_shape_of(x.any); }                                       \
    inline bool born_is_alive(born##T x) { return born_is_alive(x.any); }                                             \
    inline born_backend *born_backend_of(born##T x) { return born_backend_of(x.any); }                                \
    BORN_CHECK inline born_status born_read(born##T x, void *p, size_t n) { return born_read(x.any, p, n); }          \
    BORN_CHECK inline born_status born_write(born##T x, const void *p, size_t n) { return born_write(x.any, p, n); }  \
    inline born##T born_requires_grad(born##T x) { return born_requires_grad##T(x); }                                 \
    inline born##T born_detach(born##T x) { return born_detach##T(x); }                                               \
    BORN_CHECK inline born_status born_backward(born##T x) { return born_backward(x.any); }                           \
    inline born##T born_grad_of(born##T x) { return born_grad_of##T(x); }                                             \
    inline born##T born_grad_at(born_backend *l, born##T x) { return born_grad_at##T(l, x); }                         \
    inline void born_grad_clear(born##T x) { born_grad_clear(x.any); }
BORN__HANDLES(BORN__X)
#undef BORN__X
#endif

/* A typed tensor from a host array; the array's dtype is checked at run time. */
#if defined(__cplusplus)
#define BORN__X(T, ctype, ID)                                                                                         \
    inline born##T born_from##T(born_backend *b, born_array a, const char *file = __builtin_FILE(),                   \
                                int line = __builtin_LINE())                                                          \
    {                                                                                                                 \
        born_site s = { file, line };                                                                                 \
        return born_from##T##_at(b, a, &s);                                                                           \
    }
BORN__NUMBERS(BORN__X)
#undef BORN__X
#else
#define BORN__FROM(T, b, ...) (born_from##T##_at((b), (__VA_ARGS__), &(const born_site){ __FILE__, __LINE__ }))
#define born_from_f32(b, ...) BORN__FROM(_f32, b, __VA_ARGS__)
#define born_from_f64(b, ...) BORN__FROM(_f64, b, __VA_ARGS__)
#define born_from_f16(b, ...) BORN__FROM(_f16, b, __VA_ARGS__)
#define born_from_bf16(b, ...) BORN__FROM(_bf16, b, __VA_ARGS__)
#define born_from_i8(b, ...) BORN__FROM(_i8, b, __VA_ARGS__)
#define born_from_u8(b, ...) BORN__FROM(_u8, b, __VA_ARGS__)
#define born_from_i16(b, ...) BORN__FROM(_i16, b, __VA_ARGS__)
#define born_from_u16(b, ...) BORN__FROM(_u16, b, __VA_ARGS__)
#define born_from_i32(b, ...) BORN__FROM(_i32, b, __VA_ARGS__)
#define born_from_u32(b, ...) BORN__FROM(_u32, b, __VA_ARGS__)
#define born_from_i64(b, ...) BORN__FROM(_i64, b, __VA_ARGS__)
#define born_from_u64(b, ...) BORN__FROM(_u64, b, __VA_ARGS__)
#define born_from_bool(b, ...) BORN__FROM(_bool, b, __VA_ARGS__)
#endif
#endif
