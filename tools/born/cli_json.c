/* JSON on stdout, indented by two or on one line. Numbers read back exactly; NaN and infinities are null. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>

static void separate(cli_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->filled) fputs(j->one_line ? ", " : ",", stdout);
    if (j->depth && !j->one_line) {
        putchar('\n');
        for (int i = 0; i < j->depth; i++) fputs("  ", stdout);
    }
}

void cli_json_open(cli_json *j, char bracket)
{
    separate(j);
    putchar(bracket);
    j->depth++;
    j->filled = false;
}

void cli_json_close(cli_json *j, char bracket)
{
    j->depth--;
    if (j->filled && !j->one_line) {
        putchar('\n');
        for (int i = 0; i < j->depth; i++) fputs("  ", stdout);
    }
    putchar(bracket);
    j->filled = true;
}

/* Bytes that are no UTF-8 are escaped as Latin-1 would be, so that the line stays JSON. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 1;

    if (s[0] >= 0xf5) n = 1;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    return s[0] < 0x80 || n > 1 ? n : 0;
}

static void put_text(const char *text)
{
    putchar('"');
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = utf8_length(s);
        if (*s == '"' || *s == '\\') {
            putchar('\\');
            putchar(*s++);
        } else if (n == 0 || *s < ' ') {
            printf("\\u%04x", *s++);
        } else {
            while (n--) putchar(*s++);
        }
    }
    putchar('"');
}

void cli_json_key(cli_json *j, const char *key)
{
    separate(j);
    put_text(key);
    fputs(": ", stdout);
    j->after_key = true;
}

void cli_json_text(cli_json *j, const char *text)
{
    separate(j);
    put_text(text ? text : "");
    j->filled = true;
}

void cli_json_real(cli_json *j, double v)
{
    char buf[40];

    separate(j);
    j->filled = true;
    if (!isfinite(v)) {
        fputs("null", stdout);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) >= v && strtod(buf, NULL) <= v) break;
    }
    fputs(buf, stdout);
}

void cli_json_int(cli_json *j, int64_t v)
{
    separate(j);
    printf("%lld", (long long)v);
    j->filled = true;
}

void cli_json_bool(cli_json *j, bool v)
{
    separate(j);
    fputs(v ? "true" : "false", stdout);
    j->filled = true;
}

void cli_json_dims(cli_json *j, const int64_t *dim, int rank)
{
    separate(j);
    putchar('[');
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0)
            printf("%snull", i ? ", " : "");
        else
            printf("%s%lld", i ? ", " : "", (long long)dim[i]);
    }
    putchar(']');
    j->filled = true;
}

void cli_json_end(void)
{
    putchar('\n');
}
