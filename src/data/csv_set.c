/* Tables from CSV: numbers become features, one column becomes labels. The heading says which column has which role;
   then each cell goes straight to its place. All errors name the line. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "data/csv.h"
#include "data/file.h"
#include "data/labels.h"
#include "graph/model.h"

#define MOST_COLUMNS 65536
#define TARGET (-2)
#define IGNORED (-1)

typedef struct reader {
    const born_csv_desc *d;
    born_csv csv;
    char **name;                /* of the columns */
    int64_t *role;              /* feature's place, TARGET or IGNORED */
    size_t name_cap, columns;
    int64_t features, rows;
    bool has_target;
    float *x;                   /* [rows, features] */
    int64_t *label;             /* [rows] */
    float *y;
    size_t x_cap, label_cap, y_cap, most;
    born_labels labels;
    born_arena arena;
} reader;

/* The heading's cells, or numbers for the first row's cells. */
static born_status read_heading(reader *r, born_error *err)
{
    born_csv at = r->csv;
    BORN_FAIL_IF(!born__csv_row(&r->csv), err, BORN_FORMAT, "line 1: there is nothing in it");
    do {
        char number[24];
        BORN_FAIL_IF(r->columns == MOST_COLUMNS, err, BORN_UNSUPPORTED, "line %lld: more than %d columns",
                     (long long)r->csv.line, MOST_COLUMNS);
        BORN_TRY(born__csv_cell(&r->csv, err));
        int n = snprintf(number, sizeof number, "%zu", r->columns);
        char *name = r->d->no_header ? born__arena_strdup(&r->arena, number, (size_t)n)
                                     : born__arena_strdup(&r->arena, r->csv.cell, r->csv.cell_bytes);
        BORN_FAIL_IF(name == NULL || !born__grow((void **)&r->name, &r->name_cap, r->columns + 1, sizeof *r->name),
                     err, BORN_NOMEM, "no memory for its columns");
        r->name[r->columns++] = name;
    } while (!r->csv.row_ends);
    if (r->d->no_header) {      /* that was data: begin again, with the buffer that was grown */
        r->csv.p = at.p;
        r->csv.next_line = at.next_line;
    }
    r->role = born__calloc(r->columns, sizeof *r->role);
    BORN_FAIL_IF(r->role == NULL, err, BORN_NOMEM, "no memory for its columns");
    return BORN_OK;
}

/* The column of this name, or of this number; -1 where there is none. */
static int64_t find_column(const reader *r, const char *name, size_t n)
{
    for (size_t i = 0; i < r->columns; i++)
        if (strlen(r->name[i]) == n && memcmp(r->name[i], name, n) == 0) return (int64_t)i;
    size_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (name[i] < '0' || name[i] > '9' || v > MOST_COLUMNS) return -1;
        v = v * 10 + (size_t)(name[i] - '0');
    }
    return n > 0 && v < r->columns ? (int64_t)v : -1;
}

static born_status choose_columns(reader *r, born_error *err)
{
    const char *target = r->d->target;
    int64_t t = target == NULL ? (int64_t)r->columns - 1 : -1;
    if (target != NULL && *target != '\0') {
        t = find_column(r, target, strlen(target));
        BORN_FAIL_IF(t < 0, err, BORN_INVALID, "no column '%s' among its %zu", target, r->columns);
    }
    r->has_target = t >= 0;
    for (size_t i = 0; i < r->columns; i++) r->role[i] = r->d->columns != NULL ? IGNORED : 0;
    if (t >= 0) r->role[t] = TARGET;
    for (const char *p = r->d->columns; p != NULL;) {
        size_t n = strcspn(p, ",");
        int64_t c = find_column(r, p, n);
        BORN_FAIL_IF(c < 0, err, BORN_INVALID, "no column '%.*s' among its %zu", n < 80 ? (int)n : 80, p, r->columns);
        BORN_FAIL_IF(r->role[c] != IGNORED, err, BORN_INVALID, "column '%s' is asked for twice", r->name[c]);
        r->role[c] = r->features++;
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    for (size_t i = 0; i < r->columns && r->d->columns == NULL; i++)
        if (r->role[i] != TARGET) r->role[i] = r->features++;
    BORN_FAIL_IF(r->features == 0, err, BORN_INVALID, "no column is left for the features");
    return BORN_OK;
}

static born_status cell_error(const reader *r, size_t column, const char *what, born_error *err)
{
    int n = r->csv.cell_bytes < 40 ? (int)r->csv.cell_bytes : 40;
    return born__fail(err, BORN_FORMAT, "line %lld, column '%.40s': '%.*s' %s", (long long)r->csv.line,
                      r->name[column], n, r->csv.cell, what);
}

static born_status take_label(reader *r, size_t column, born_error *err)
{
    if (r->d->regression) {
        double v;
        if (!born__parse_number(r->csv.cell, r->csv.cell_bytes, &v) || !isfinite((float)v))
            return cell_error(r, column, "is not a finite number", err);
        r->y[r->rows] = (float)v;
        return BORN_OK;
    }
    if (memchr(r->csv.cell, 0, r->csv.cell_bytes) != NULL) return cell_error(r, column, "holds a zero byte", err);
    if (r->csv.cell_bytes == 0) return cell_error(r, column, "is no label", err);
    int64_t k = born__labels_find(&r->labels, r->csv.cell, r->csv.cell_bytes, r->d->classes == NULL);
    if (k == -1) {
        (void)cell_error(r, column, "is none of the classes", err);
        if (err != NULL) err->status = BORN_RANGE;
        return BORN_RANGE;
    }
    BORN_FAIL_IF(k == -2, err, BORN_NOMEM, "line %lld: no memory for its labels", (long long)r->csv.line);
    if (k == -3) return cell_error(r, column, "is one label too many: is the target a number (regression)?", err);
    r->label[r->rows] = k;
    return BORN_OK;
}

static born_status grow_rows(reader *r, born_error *err)
{
    size_t rows = (size_t)r->rows + 1, per = (size_t)r->features * sizeof(float) + sizeof(int64_t);
    BORN_FAIL_IF(rows > r->most / per, err, BORN_NOMEM, "line %lld: the table is above the limit of %zu bytes",
                 (long long)r->csv.next_line, r->most);
    bool ok = born__grow((void **)&r->x, &r->x_cap, rows * (size_t)r->features, sizeof *r->x);
    if (ok && r->has_target && r->d->regression) ok = born__grow((void **)&r->y, &r->y_cap, rows, sizeof *r->y);
    if (ok && r->has_target && !r->d->regression)
        ok = born__grow((void **)&r->label, &r->label_cap, rows, sizeof *r->label);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "line %lld: no memory for the table", (long long)r->csv.next_line);
    return BORN_OK;
}

static born_status read_row(reader *r, born_error *err)
{
    float *x = r->x + r->rows * r->features;
    for (size_t c = 0;; c++) {
        BORN_TRY(born__csv_cell(&r->csv, err));
        BORN_FAIL_IF(c >= r->columns, err, BORN_FORMAT, "line %lld: more than the %zu cells of the first row",
                     (long long)r->csv.line, r->columns);
        if (r->role[c] == TARGET) {
            BORN_TRY(take_label(r, c, err));
        } else if (r->role[c] != IGNORED) {
            double v;
            if (!born__parse_number(r->csv.cell, r->csv.cell_bytes, &v) || !isfinite((float)v))
                return cell_error(r, c, "is not a finite number", err);
            x[r->role[c]] = (float)v;
        }
        if (!r->csv.row_ends) continue;
        BORN_FAIL_IF(c + 1 != r->columns, err, BORN_FORMAT, "line %lld: %zu cells, the first row has %zu",
                     (long long)r->csv.line, c + 1, r->columns);
        r->rows++;
        return BORN_OK;
    }
}

static born_status read_table(reader *r, born_error *err)
{
    for (int64_t i = 0; r->d->classes != NULL && i < r->d->class_count; i++)
        BORN_FAIL_IF(born__labels_find(&r->labels, r->d->classes[i], strlen(r->d->classes[i]), true) != i, err,
                     BORN_INVALID, "class '%s' is given twice, or there are too many", r->d->classes[i]);
    BORN_TRY(read_heading(r, err));
    BORN_TRY(choose_columns(r, err));
    while (born__csv_row(&r->csv)) {
        BORN_TRY(grow_rows(r, err));
        BORN_TRY(read_row(r, err));
    }
    BORN_FAIL_IF(r->rows == 0, err, BORN_FORMAT, "line %lld: no rows", (long long)r->csv.next_line);
    if (!r->has_target || r->d->regression || r->d->classes != NULL) return BORN_OK;
    BORN_FAIL_IF(!born__labels_sort(&r->labels), err, BORN_NOMEM, "no memory for its labels");
    for (int64_t i = 0; i < r->rows; i++) r->label[i] = r->labels.place[r->label[i]];
    return BORN_OK;
}

static born_status make_set(reader *r, born_dataset **out, born_error *err)
{
    born_held held = { .heap = { r->x, r->y, r->label }, .heap_count = 3 };
    born_dataset_desc classes = { .classes = (const char *const *)r->labels.name,
                                  .class_count = (int64_t)r->labels.count };
    born_column column[2] = {
        { { "x", BORN_F32, { 1, { r->features } } }, (const unsigned char *)r->x, false },
        { { "y", BORN_I64, { 0, { 0 } } }, (const unsigned char *)r->label, false },
    };
    if (r->d->regression) {
        column[1].field.dtype = BORN_F32;
        column[1].data = (const unsigned char *)r->y;
    }
    r->x = NULL;
    r->y = NULL;
    r->label = NULL;
    return born__table_open(column, r->has_target ? 2 : 1, r->rows, &held, &classes, out, err);
}

born_status born__csv_set(const void *bytes, size_t n, const born_csv_desc *d, born_dataset **out, born_error *err)
{
    *out = NULL;
    BORN_FAIL_IF(d->separator == '"' || d->separator == '\n' || d->separator == '\r', err, BORN_INVALID,
                 "a quote or a line end separates no cells");
    reader r = { .d = d, .csv = born__csv_begin(bytes, n, d->separator), .most = born__data_limit(d->max_bytes) };
    born_status st = read_table(&r, err);
    if (st == BORN_OK) st = make_set(&r, out, err);
    born__csv_end(&r.csv);
    born__free(r.x);
    born__free(r.y);
    born__free(r.label);
    born__free(r.role);
    born__free(r.name);
    born__labels_free(&r.labels);
    born__arena_free(&r.arena);
    return st;
}

born_status born_dataset_open_csv_sized(const char *path, const born_csv_desc *desc, size_t desc_bytes,
                                        born_dataset **out, born_error *err)
{
    born_csv_desc d;
    born_bytes b;
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "dataset", err));
    BORN_TRY(born__bytes_open(path, d.max_bytes, &b, err));
    born_status st = born__csv_set(b.data, b.bytes, &d, out, err);
    if (st != BORN_OK) born__error_prefix(err, "%s", path);
    born__bytes_close(&b);
    return st;
}
