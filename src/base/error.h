/* Filling a born_error, and the two macros that may return: BORN_TRY and BORN_FAIL_IF. `err` may be NULL. */
#ifndef BORN_BASE_ERROR_H
#define BORN_BASE_ERROR_H
#include <born/base.h>

/* Sets err (if any) to s and the formatted line; returns s. The first error of a call wins where the caller keeps
   it so; this function always overwrites. Needs no memory. */
born_status born__fail(born_error *err, born_status s, const char *fmt, ...) BORN_PRINTF(3, 4);
/* Puts "prefix: " before the text already in err. */
void born__error_prefix(born_error *err, const char *fmt, ...) BORN_PRINTF(2, 3);

#define BORN_TRY(expr)                                                                                                \
    do {                                                                                                              \
        born_status born__st = (expr);                                                                                \
        if (born__st != BORN_OK) return born__st;                                                                     \
    } while (0)
/* The status is returned by name, so that the compiler knows it is not OK where it is inlined. */
#define BORN_FAIL_IF(cond, err, status, ...)                                                                          \
    do {                                                                                                              \
        if (cond) {                                                                                                   \
            born_status born__why = (status);                                                                         \
            (void)born__fail((err), born__why, __VA_ARGS__);                                                          \
            return born__why;                                                                                         \
        }                                                                                                             \
    } while (0)
#endif
