/* RFC 4180: cells between separators, rows between line ends (LF or CR LF), quotes around a cell that holds either, a
   quote doubled inside quotes. Called by the table reader csv_set.c. */
#include "data/csv.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

born_csv born__csv_begin(const void *bytes, size_t n, char separator)
{
    born_csv c = { .p = bytes, .separator = separator != '\0' ? separator : ',', .next_line = 1 };
    c.end = n > 0 ? c.p + n : c.p;
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) c.p += 3;
    return c;
}

void born__csv_end(born_csv *c)
{
    born__free(c->buf);
    c->buf = NULL;
    c->cap = 0;
}

bool born__csv_row(born_csv *c)
{
    for (;;) {
        const char *p = c->p;
        if (p < c->end && *p == '\r') p++;
        if (p >= c->end) return false;
        if (*p != '\n') return true;
        c->p = p + 1;
        c->next_line++;
    }
}

/* Steps over what ends a cell: a separator, a line end or the end of the file. */
static born_status end_cell(born_csv *c, born_error *err)
{
    const char *p = c->p;
    if (p < c->end && *p == c->separator) {
        c->p = p + 1;
        c->row_ends = false;
        return BORN_OK;
    }
    if (p < c->end && *p == '\r') p++;
    BORN_FAIL_IF(p < c->end && *p != '\n', err, BORN_FORMAT, "line %lld: text after a closing quote",
                 (long long)c->line);
    if (p < c->end) {
        p++;
        c->next_line++;
    }
    c->p = p;
    c->row_ends = true;
    return BORN_OK;
}

static born_status quoted(born_csv *c, born_error *err)
{
    size_t n = 0;
    const char *p = c->p + 1;
    for (;; p++) {
        BORN_FAIL_IF(p >= c->end, err, BORN_FORMAT, "line %lld: a quote is not closed", (long long)c->line);
        if (*p == '"') {
            if (p + 1 >= c->end || p[1] != '"') break;
            p++;
        }
        if (*p == '\n') c->next_line++;
        BORN_FAIL_IF(!born__grow((void **)&c->buf, &c->cap, n + 1, 1), err, BORN_NOMEM, "line %lld: no memory",
                     (long long)c->line);
        c->buf[n++] = *p;
    }
    c->p = p + 1;
    c->cell = n > 0 ? c->buf : "";
    c->cell_bytes = n;
    return end_cell(c, err);
}

born_status born__csv_cell(born_csv *c, born_error *err)
{
    c->line = c->next_line;
    if (c->p < c->end && *c->p == '"') return quoted(c, err);
    const char *p = c->p;
    while (p < c->end && *p != c->separator && *p != '\n') p++;
    c->cell = c->p;
    c->cell_bytes = (size_t)(p - c->p);
    if ((p >= c->end || *p == '\n') && c->cell_bytes > 0 && p[-1] == '\r') {
        c->cell_bytes--;
        p--;
    }
    c->p = p;
    return end_cell(c, err);
}
