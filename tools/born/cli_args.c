/* Options, messages and numbers for the verbs. Messages are one line on stderr: "born VERB: what: why". */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if !defined(__wasi__)
#include <sys/resource.h>
#endif

cli_args cli_begin(int argc, char **argv)
{
    return (cli_args){ argc, 0, argv, NULL };
}

bool cli_next(cli_args *a)
{
    return ++a->at < a->argc;
}

const char *cli_word(const cli_args *a)
{
    return a->argv[a->at];
}

bool cli_flag(const cli_args *a, const char *name)
{
    return !strcmp(a->argv[a->at], name);
}

bool cli_value(cli_args *a, const char *name, const char **value)
{
    const char *word = a->argv[a->at];
    size_t n = strlen(name);

    if (strncmp(word, name, n)) return false;
    if (word[n] == '=') {
        *value = word + n + 1;
        return true;
    }
    if (word[n]) return false;
    *value = a->at + 1 < a->argc ? a->argv[++a->at] : NULL;
    return true;
}

bool cli_is_option(const cli_args *a)
{
    return a->argv[a->at][0] == '-' && a->argv[a->at][1];
}

static void say(const char *verb, const char *fmt, va_list args)
{
    fprintf(stderr, verb[0] ? "born %s: " : "born%s: ", verb);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

int cli_usage_error(const char *verb, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, verb[0] ? "born %s: %s; 'born %s --help' says how\n" : "born%s: %s%s\n", verb, text, verb);
    return CLI_USAGE;
}

int cli_fail_text(int code, const char *verb, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(verb, fmt, args);
    va_end(args);
    return code;
}

int cli_fail(const char *verb, const char *what, const born_error *err)
{
    int code = err->status == BORN_IO || err->status == BORN_DEVICE ? CLI_MISSING : CLI_FAILED;
    bool named = !strncmp(err->text, what, strlen(what));

    return cli_fail_text(code, verb, "%s%s%s", named ? "" : what, named ? "" : ": ", err->text);
}

bool cli_int(const char *verb, const char *option, const char *text, long lo, long hi, long *out)
{
    char *end;

    errno = 0;
    long v = text ? strtol(text, &end, 10) : 0;
    if (!text || !*text || *end || errno || v < lo || v > hi) {
        cli_usage_error(verb, "%s needs a whole number from %ld to %ld", option, lo, hi);
        return false;
    }
    *out = v;
    return true;
}

bool cli_real(const char *verb, const char *option, const char *text, double *out)
{
    char *end;
    double v = text ? strtod(text, &end) : 0;

    if (!text || !*text || *end || !isfinite(v)) {
        cli_usage_error(verb, "%s needs a number", option);
        return false;
    }
    *out = v;
    return true;
}

bool cli_size(const char *verb, const char *option, const char *text, size_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    double v = text ? strtod(text, &end) : -1;
    const char *u = text && *end ? strchr(units, *end) : NULL;

    if (u) {
        for (const char *k = units; k <= u; k++) v *= 1024;
        end++;
    }
    if (!text || !*text || (*end && strcmp(end, "B") && strcmp(end, "iB")) || !(v >= 1) || v > (double)(SIZE_MAX / 2)) {
        cli_usage_error(verb, "%s needs a size such as 64M or 2G", option);
        return false;
    }
    *out = (size_t)v;
    return true;
}

int cli_common_option(cli_args *a, cli_common *c)
{
    const char *verb = a->argv[0], *v;

    if (cli_flag(a, "--json")) {
        c->json = true;
        return 1;
    }
    if (cli_value(a, "--threads", &v)) return cli_int(verb, "--threads", v, 1, 4096, &c->threads) ? 1 : -1;
    if (cli_value(a, "--max-bytes", &v)) return cli_size(verb, "--max-bytes", v, &c->max_bytes) ? 1 : -1;
    if (cli_value(a, "--passes-off", &v)) {
        c->passes_off = v;
        return v ? 1 : (cli_usage_error(verb, "--passes-off needs a list"), -1);
    }
    if (cli_value(a, "--backend", &v)) {
        if (v && !strcmp(v, "cpu")) return 1;
        cli_usage_error(verb, "backend '%s' is not in this build; it has cpu", v ? v : "");
        return -1;
    }
    return 0;
}

void cli_progress(const char *what, long done, long total)
{
    static bool shown;
    static double last;
    enum { WIDTH = 30 };

    if (!isatty(2)) return;
    if (total <= 0) {
        if (shown) fprintf(stderr, "\r\033[K");
        shown = false;
        return;
    }
    double now = cli_seconds();
    if (shown && now - last < 0.05) return;
    last = now;
    shown = true;
    int filled = (int)(WIDTH * (done < total ? done : total) / total);
    fprintf(stderr, "\r%.32s [", what);
    for (int i = 0; i < WIDTH; i++) fputc(i < filled ? '=' : ' ', stderr);
    fprintf(stderr, "] %ld/%ld\033[K", done, total);
}

const char *cli_bytes(double bytes, char buf[24])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    int u = 0;

    for (; bytes >= 1024 && u < 4; u++) bytes /= 1024;
    snprintf(buf, 24, u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return buf;
}

const char *cli_count_text(int64_t n, char buf[32])
{
    char digits[24];
    int k = snprintf(digits, sizeof digits, "%lld", (long long)n), at = 0;

    for (int i = 0; i < k; i++) {
        if (i > 0 && (k - i) % 3 == 0 && digits[i - 1] != '-') buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

const char *cli_clock(double seconds, char buf[24])
{
    long s = seconds > 0 && seconds < 1e9 ? (long)(seconds + 0.5) : 0;

    if (s < 60)
        snprintf(buf, 24, "%.1f s", seconds > 0 ? seconds : 0);
    else if (s < 3600)
        snprintf(buf, 24, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(buf, 24, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return buf;
}

bool cli_utf8(void)
{
    static const char *const name[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    const char *v = NULL;

    for (int i = 0; i < 3 && !(v && *v); i++) v = getenv(name[i]);
    return v && (strstr(v, "UTF-8") || strstr(v, "utf8") || strstr(v, "UTF8") || strstr(v, "utf-8"));
}

double cli_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Linux counts a process's peak from its parent's, as ru_maxrss; the kernel's own line begins at exec. */
static size_t peak_since_exec(void)
{
    char line[128];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f && !kib && fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = (size_t)strtoull(line + 6, NULL, 10);
    if (f) fclose(f);
    return kib * 1024;
}

size_t cli_peak_memory(void)
{
#if defined(__wasi__)
    return peak_since_exec();
#else
    struct rusage u;
    size_t peak = peak_since_exec();

    if (peak) return peak;
    if (getrusage(RUSAGE_SELF, &u)) return 0;
    return (size_t)u.ru_maxrss * 1024;
#endif
}
