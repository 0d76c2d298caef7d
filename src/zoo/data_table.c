/* Tables for recipes: a CSV file, some columns to predict one from. What loaders get has features, and a number to
   predict, at mean 0 and deviation 1 over the training rows; items have them as in the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/csv.h"
#include "data/file.h"
#include "zoo/zoo.h"

enum { MOST_COLUMNS = 65536 };

/* ---- columns --------------------------------------------------------------------------------------------------- */

static char separator_of(const born_recipe *r)
{
    const char *s = born__zoo_text_of(r, "separator");
    return !strcmp(s, "tab") || !*s ? '\t' : *s;
}

/* The names of a file's columns: the first line's cells, or numbers. */
static born_status read_names(born_recipe *r, const char *path, const char ***out, int64_t *count, born_error *err)
{
    bool numbers = born__zoo_int(r, "no-header") != 0;
    char number[24];
    size_t cap = 0;
    born_bytes b;

    BORN_TRY(born__bytes_open(path, 0, &b, err));
    born_csv c = born__csv_begin(b.data, b.bytes, separator_of(r));
    born_status st = born__csv_row(&c) ? BORN_OK : born__fail(err, BORN_FORMAT, "%s: there is nothing in it", path);
    for (bool more = true; more && !st; more = !c.row_ends) {
        st = born__csv_cell(&c, err);
        int n = snprintf(number, sizeof number, "%lld", (long long)*count);
        /* what a list with commas cannot name goes by its number */
        bool plain = !numbers && !st && !memchr(c.cell, ',', c.cell_bytes) && c.cell_bytes > 0;
        const char *name = plain ? born__arena_strdup(&r->arena, c.cell, c.cell_bytes)
                                 : born__arena_strdup(&r->arena, number, (size_t)n);
        if (!st && *count == MOST_COLUMNS) st = born__fail(err, BORN_UNSUPPORTED, "%s: too many columns", path);
        if (!st && (!name || !born__grow((void **)out, &cap, (size_t)*count + 1, sizeof **out)))
            st = born__fail(err, BORN_NOMEM, "no memory for columns");
        if (!st) (*out)[(*count)++] = name;
    }
    born__csv_end(&c);
    born__bytes_close(&b);
    return st;
}

static int64_t find_name(const char *const *name, int64_t count, const char *text, size_t n)
{
    double number;
    for (int64_t i = 0; i < count; i++)
        if (strlen(name[i]) == n && !memcmp(name[i], text, n)) return i;
    if (!born__parse_number(text, n, &number) || !(number >= 0) || !(number < (double)count)) return -1;
    return (int64_t)number;
}

/* Which columns are features, by the recipe's options, in the order of the dataset. */
static born_status choose_features(born_recipe *r, const char **name, int64_t count, born_error *err)
{
    born_facts *f = &r->facts;
    const char *target = born__zoo_text_of(r, "target"), *list = born__zoo_text_of(r, "columns");
    int64_t t = *target ? find_name(name, count, target, strlen(target)) : count - 1;

    BORN_FAIL_IF(t < 0, err, BORN_INVALID, "no column '%.60s' among its %lld", target, (long long)count);
    f->target = name[t];
    f->feature_name = born__arena_alloc(&r->arena, ((size_t)count + 1) * sizeof *f->feature_name);
    BORN_FAIL_IF(!f->feature_name, err, BORN_NOMEM, "no memory for columns");
    for (int64_t i = 0; i < count && !*list; i++)
        if (i != t) f->feature_name[f->features++] = name[i];
    for (const char *p = *list ? list : NULL; p && f->features < count;) {
        size_t n = strcspn(p, ",");
        int64_t c = find_name(name, count, p, n);
        BORN_FAIL_IF(c < 0, err, BORN_INVALID, "no column '%.*s' among its %lld", n < 60 ? (int)n : 60, p,
                     (long long)count);
        f->feature_name[f->features++] = name[c];
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    return BORN_OK;
}

/* The features as a list with commas. */
static char *feature_list(const born_facts *f)
{
    size_t bytes = 1, at = 0;
    for (int64_t i = 0; i < f->features; i++) bytes += strlen(f->feature_name[i]) + 1;
    char *text = born__alloc(bytes);
    if (!text) return NULL;
    for (int64_t i = 0; i < f->features; i++) {
        size_t n = strlen(f->feature_name[i]);
        if (i) text[at++] = ',';
        memcpy(text + at, f->feature_name[i], n);
        at += n;
    }
    text[at] = '\0';
    return text;
}

/* The file's rows by the facts; without_target: the target is not there. */
static born_status open_rows(const born_recipe *r, const char *path, bool without_target, born_dataset **out,
                             born_error *err)
{
    const born_facts *f = &r->facts;
    char *columns = feature_list(f);
    born_csv_desc d = { .target = without_target ? "" : f->target, .columns = columns,
                        .classes = f->classes > 0 ? f->class_name : NULL, .class_count = f->classes,
                        .regression = born__zoo_int(r, "regression") != 0,
                        .no_header = born__zoo_int(r, "no-header") != 0, .separator = separator_of(r) };

    BORN_FAIL_IF(!columns, err, BORN_NOMEM, "no memory for columns");
    born_status st = born_dataset_open_csv(path, &d, out, err);
    born__free(columns);
    return st;
}

/* ---- scaling --------------------------------------------------------------------------------------------------- */

typedef struct scaled {
    born_dataset *of;
    int64_t features;
    float *mean, *std;          /* [features], behind the struct's own memory */
    float target_mean, target_std;
    bool number;                /* field 1 is scaled too */
} scaled;

static born_status scaled_get(void *self, const born_item_request *q, born_error *err)
{
    const scaled *s = self;
    float *x = q->dst[0];
    BORN_TRY(born_dataset_get(s->of, q, err));
    for (int64_t i = 0; i < s->features; i++) x[i] = (x[i] - s->mean[i]) / s->std[i];
    if (s->number) {
        float *y = q->dst[1];
        *y = (*y - s->target_mean) / s->target_std;
    }
    return BORN_OK;
}

static void scaled_close(void *self)
{
    scaled *s = self;
    born_dataset_close(&s->of);
    born__free(s->mean);
    born__free(s);
}

/* A set over `of`, which is taken over and set to NULL, on failure too. */
static born_status scale(const born_recipe *r, born_dataset **of, born_dataset **out, born_error *err)
{
    const born_facts *f = &r->facts;
    born_field field[2];
    size_t bytes = (size_t)f->features * sizeof(float);
    scaled *s = born__calloc(1, sizeof *s);
    float *mean = born__alloc(2 * bytes + 1);
    born_status st = s && mean ? BORN_OK : born__fail(err, BORN_NOMEM, "no memory for the table");

    for (int i = 0; i < 2 && !st; i++) st = born_dataset_field(*of, i, &field[i]);
    if (!st) {
        memcpy(mean, f->mean, bytes);
        memcpy(mean + f->features, f->std, bytes);
        *s = (scaled){ *of, f->features, mean, mean + f->features, f->target_mean, f->target_std, f->classes == 0 };
        const born_dataset_desc d = { .get = scaled_get, .close = scaled_close, .self = s,
                                      .count = born_dataset_count(*of), .fields = field, .field_count = 2,
                                      .scratch_bytes = born_dataset_scratch_bytes(*of),
                                      .classes = f->class_name, .class_count = f->classes };
        st = born_dataset_create(&d, out, err);
    }
    if (st) {
        born_dataset_close(of);
        born__free(mean);
        born__free(s);
    }
    *of = NULL;
    return st;
}

/* Mean and deviation of features and of a number to predict, over all rows of a set. */
static born_status measure(born_recipe *r, const born_dataset *set, born_error *err)
{
    born_facts *f = &r->facts;
    int64_t n = born_dataset_count(set), k = f->features, label;
    float *x = born__alloc(((size_t)k + 1) * sizeof *x);
    double *sum = born__calloc(2 * ((size_t)k + 1), sizeof *sum), *square = sum ? sum + k + 1 : NULL;
    void *scratch = born__alloc(born_dataset_scratch_bytes(set) + 1);
    void *dst[] = { x, f->classes == 0 && x ? (void *)(x + k) : (void *)&label };
    born_status st = x && sum && scratch && born__zoo_facts_take(r, k) ? BORN_OK
                                                                      : born__fail(err, BORN_NOMEM, "no memory");

    for (int64_t i = 0; i < n && !st; i++) {
        if (f->classes > 0) x[k] = 0;
        st = born_dataset_get(set, &(born_item_request){ .index = i, .dst = dst, .scratch = scratch }, err);
        for (int64_t c = 0; c <= k && !st; c++) {
            sum[c] += (double)x[c];
            square[c] += (double)x[c] * (double)x[c];
        }
    }
    for (int64_t c = 0; c <= k && !st; c++) {
        double mean = sum[c] / (double)n, variance = square[c] / (double)n - mean * mean;
        float std = variance > 1e-12 * (1 + mean * mean) ? (float)sqrt(variance) : 1.0f;
        *(c < k ? &f->mean[c] : &f->target_mean) = (float)mean;
        *(c < k ? &f->std[c] : &f->target_std) = std;
    }
    born__free(x);
    born__free(sum);
    born__free(scratch);
    return st;
}

/* ---- the kind -------------------------------------------------------------------------------------------------- */

static born_status table_open(born_recipe *r, born_error *err)
{
    const char *path = born__zoo_text_of(r, "data"), **name = NULL;
    born_dataset *all = NULL, *train = NULL, *valid = NULL;
    int64_t count = 0;

    BORN_FAIL_IF(!*path, err, BORN_INVALID, "which table? --data FILE");
    born_status st = read_names(r, path, &name, &count, err);
    if (!st) st = choose_features(r, name, count, err);
    born__free((void *)name);
    if (!st) st = open_rows(r, path, false, &all, err);
    if (!st) st = born__zoo_classes_of(r, all, err);
    if (!st && r->facts.classes == 1) st = born__fail(err, BORN_SHAPE, "%s: all rows are of one class", path);
    if (!st) st = born__zoo_cut(r, all, &train, &valid, err);
    if (!st) st = measure(r, train, err);
    if (!st) st = scale(r, &train, &r->train_set, err);
    if (!st) st = scale(r, &valid, &r->valid_set, err);
    born_dataset_close(&all);
    born_dataset_close(&train);
    born_dataset_close(&valid);
    return st;
}

static born_status table_items(const born_recipe *r, const char *path, born_dataset **out, born_error *err)
{
    if (!path || !*path) path = born__zoo_text_of(r, "data");
    born_status st = open_rows(r, path, false, out, err);
    if (st == BORN_INVALID) st = open_rows(r, path, true, out, err);
    return st;
}

const born_zoo_data born__zoo_table = { "table", table_open, table_items };
