/* Born: status, errors, call sites, allocation hook, version. Everything else includes this file.
   Rules that hold for the whole API: no call aborts, exits or prints; a call that fails changes nothing but the
   error; `err` may be NULL everywhere. */
#ifndef BORN_BASE_H
#define BORN_BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define BORN_C_BEGIN extern "C" {
#define BORN_C_END }
#else
#define BORN_C_BEGIN
#define BORN_C_END
#endif
#if defined(__GNUC__)
#define BORN_API __attribute__((visibility("default")))
#define BORN_CHECK __attribute__((warn_unused_result))
#define BORN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define BORN_API
#define BORN_CHECK
#define BORN_PRINTF(f, a)
#endif

#define BORN_VERSION_MAJOR 0
#define BORN_VERSION_MINOR 1
#define BORN_VERSION_PATCH 0
#define BORN_VERSION "0.1.0"

BORN_C_BEGIN

/* X(id, value, text): the status table. Values are stable: new rows append. */
#define BORN_STATUS_ROWS(X)                                                                                           \
    X(OK, 0, "ok")                                                                                                    \
    X(INVALID, 1, "invalid argument")                                                                                 \
    X(SHAPE, 2, "shapes do not fit")                                                                                  \
    X(DTYPE, 3, "dtypes do not fit")                                                                                  \
    X(STATE, 4, "wrong state: use after scope, wrong chain, closed object")                                           \
    X(NOMEM, 5, "out of memory, or above max_bytes")                                                                  \
    X(IO, 6, "file cannot be read or written")                                                                        \
    X(FORMAT, 7, "file is malformed")                                                                                 \
    X(UNSUPPORTED, 8, "not supported here")                                                                           \
    X(RANGE, 9, "index or number out of range")                                                                       \
    X(DEVICE, 10, "device is missing or failed")                                                                      \
    X(MISMATCH, 11, "results differ")                                                                                 \
    X(CANCELLED, 12, "cancelled")                                                                                     \
    X(INTERNAL, 13, "internal error: please report")

typedef enum born_status {
#define BORN__X(id, value, text) BORN_##id = value,
    BORN_STATUS_ROWS(BORN__X)
#undef BORN__X
} born_status;

/// One error: what failed (status), where the caller stood (file, line; file may be NULL) and one line of text.
typedef struct born_error {
    born_status status;
    int line;
    const char *file;
    char text[240];
} born_error;

/// A call site in the user's program, recorded by the selector macros. NULL is always allowed.
typedef struct born_site {
    const char *file;
    int line;
} born_site;

/// The name of a status, e.g. "SHAPE"; never NULL.
BORN_API const char *born_status_name(born_status s);
/// One line saying what a status means; never NULL.
BORN_API const char *born_status_text(born_status s);
/// The library's version, e.g. "0.1.0".
BORN_API const char *born_version(void);

/// Where memory comes from. `alloc` returns memory of at least `bytes` (> 0) aligned to `align` (a power of two),
/// or NULL; `release` takes back what alloc gave, with the same numbers. Both may be called from any thread.
typedef struct born_allocator {
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*release)(void *user, void *p, size_t bytes, size_t align);
    void *user;
} born_allocator;

/// Sets the process-wide allocator used by objects made afterwards (NULL: the C library's). Not thread-safe: call
/// it first. The struct is copied.
BORN_API void born_allocator_set(const born_allocator *a);

/// Receives one line for things nobody asked for (an error still held by a backend when it is closed). Default: none.
typedef void (*born_log_fn)(void *user, born_status s, const char *text);
BORN_API void born_log_set(born_log_fn fn, void *user);

/// An empty function called on each new error: a place for a breakpoint.
BORN_API void born_on_error(const born_error *e);

BORN_C_END
#endif
