/* The status table in words, the filling of errors, and the log hook. Called from everywhere, on any thread; needs no
   memory, so that running out of it can be reported. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"

static born_log_fn log_fn;
static void *log_user;

const char *born_status_name(born_status s)
{
    switch (s) {
#define ROW(id, value, text)                                                                                          \
    case BORN_##id:                                                                                                   \
        return #id;
        BORN_STATUS_ROWS(ROW)
#undef ROW
    }
    return "UNKNOWN";
}

const char *born_status_text(born_status s)
{
    switch (s) {
#define ROW(id, value, text)                                                                                          \
    case BORN_##id:                                                                                                   \
        return text;
        BORN_STATUS_ROWS(ROW)
#undef ROW
    }
    return "unknown status";
}

const char *born_version(void)
{
    return BORN_VERSION;
}

/* Names in a message come from files: control bytes would break the promise of one line (and a terminal). */
static void clean_line(char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f) *s = '?';
    }
}

born_status born__fail(born_error *err, born_status s, const char *fmt, ...)
{
    born_error local;
    born_error *e = err != NULL ? err : &local;
    char text[sizeof e->text];
    va_list args;
    va_start(args, fmt);
    /* Formatted aside: an argument may be the old text of the same error. */
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) text[0] = '\0';
    clean_line(text);
    e->status = s;
    e->line = 0;
    e->file = NULL;
    memcpy(e->text, text, sizeof text);
    born_on_error(e);
    return s;
}

void born__error_prefix(born_error *err, const char *fmt, ...)
{
    if (err == NULL) return;
    char prefix[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(prefix, sizeof prefix, fmt, args);
    va_end(args);
    if (n <= 0) return;
    clean_line(prefix);
    size_t before = strlen(prefix), kept = strlen(err->text);
    if (before > sizeof err->text - 3) return;      /* no room for ": " and anything after it */
    size_t room = sizeof err->text - 1 - before - 2;
    if (kept > room) kept = room;
    memmove(err->text + before + 2, err->text, kept);
    memcpy(err->text, prefix, before);
    memcpy(err->text + before, ": ", 2);
    err->text[before + 2 + kept] = '\0';
}

void born_log_set(born_log_fn fn, void *user)
{
    log_fn = fn;
    log_user = user;
}

void born__log(born_status s, const char *fmt, ...)
{
    if (log_fn == NULL) return;
    char text[sizeof((born_error *)0)->text];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0) return;
    clean_line(text);
    log_fn(log_user, s, text);
}

#if defined(__GNUC__)
__attribute__((noinline))
#endif
void born_on_error(const born_error *e)
{
    (void)e;
#if defined(__GNUC__)
    __asm__ volatile("" : : "r"(e) : "memory");     /* keeps the calls, and so the breakpoint */
#endif
}
