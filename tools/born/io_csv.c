/* Numbers from text: rows of comma-, semicolon- or blank-separated numbers become [rows, columns], or the model's shape
   where that holds as many. A first line that is not numbers is a heading and skipped. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\r';
}

/* The numbers of one line; -1 where something else is in it. */
static int64_t parse_line(const char *p, const char *end, double *out, int64_t room)
{
    int64_t n = 0;

    for (;;) {
        char *after;
        while (p < end && blank(*p)) p++;
        if (p >= end) return n;
        double v = strtod(p, &after);
        if (after == p || after > end) return -1;
        if (n == room) return -1;
        out[n++] = v;
        p = after;
    }
}

born_status cli_csv_parse(const unsigned char *bytes, size_t n, const born_value_info *want, size_t max_bytes,
                          cli_tensor *out, born_error *err)
{
    const char *p = (const char *)bytes, *end = p + n;      /* a NUL follows: see cli_read_file */
    int64_t room = (int64_t)n / 2 + 1, total = 0, rows = 0, columns = -1, line_number = 0;
    double *v = malloc((size_t)room * sizeof *v);

    if (!v) return cli_error(err, BORN_NOMEM, "out of memory");
    while (p < end) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        if (!line_end) line_end = end;
        int64_t got = parse_line(p, line_end, v + total, room - total);
        line_number++;
        p = line_end + 1;
        if (!got || (got < 0 && line_number == 1)) continue;
        if (got < 0 || (columns >= 0 && got != columns)) {
            free(v);
            return cli_error(err, BORN_FORMAT, "line %lld: not the numbers expected", (long long)line_number);
        }
        columns = got;
        rows++;
        total += got;
    }
    int64_t dim[BORN_MAX_RANK] = { rows, columns < 0 ? 0 : columns }, fit = 1;
    int rank = 2;
    bool fixed = want && want->rank >= 0;
    for (int i = 0; fixed && i < want->rank; i++)
        if (want->dim[i] < 0 || __builtin_mul_overflow(fit, want->dim[i], &fit)) fixed = false;
    if (fixed && fit == total) {
        rank = want->rank;
        memcpy(dim, want->dim, sizeof dim);
    }
    if (cli_tensor_new(out, want && want->dtype ? want->dtype : BORN_F32, dim, rank, max_bytes, err))
        for (int64_t i = 0; i < total; i++) cli_store(out->a.dtype, out->memory, i, v[i]);
    free(v);
    return out->memory ? BORN_OK : err->status;
}
