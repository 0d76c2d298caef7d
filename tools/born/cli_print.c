/* Printing values: shapes, the best classes, summaries, JSON; and the hash by which runs are compared. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOP = 64 };

void cli_print_shape(const int64_t *dim, const char *const *symbol, int rank)
{
    if (rank < 0) {
        printf("[...]");
        return;
    }
    putchar('[');
    for (int i = 0; i < rank; i++) {
        if (i) printf(", ");
        if (dim[i] >= 0)
            printf("%lld", (long long)dim[i]);
        else
            printf("%s", symbol && symbol[i] ? symbol[i] : "?");
    }
    putchar(']');
}

static bool is_real(born_dtype t)
{
    return t == BORN_F32 || t == BORN_F64 || t == BORN_F16 || t == BORN_BF16;
}

/* The indices of the largest elements, best first; NaN counts as smallest. */
static int best(const born_array *a, int64_t n, int64_t *index, int top)
{
    int have = 0;

    for (int64_t i = 0; i < n; i++) {
        double v = cli_element(a, i);
        if (isnan(v)) continue;
        if (have == top && v <= cli_element(a, index[have - 1])) continue;
        int at = have < top ? have++ : have - 1;
        while (at > 0 && cli_element(a, index[at - 1]) < v) {
            index[at] = index[at - 1];
            at--;
        }
        index[at] = i;
    }
    return have;
}

static void print_summary(const born_array *a, int64_t n)
{
    double lo = INFINITY, hi = -INFINITY, sum = 0;
    int64_t nan = 0;
    bool real = is_real(a->dtype);

    for (int64_t i = 0; i < n; i++) {
        double v = cli_element(a, i);
        if (isnan(v)) {
            nan++;
            continue;
        }
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
        sum += v;
    }
    if (n > nan) printf("  min %.6g  max %.6g  mean %.6g", lo, hi, sum / (double)(n - nan));
    if (nan) printf("  NaN %lld", (long long)nan);
    printf("\n ");
    for (int64_t i = 0; i < n && i < 8; i++) printf(real ? " %.6g" : " %.0f", cli_element(a, i));
    printf(n > 8 ? " ...\n" : "\n");
}

void cli_print_value(const char *name, const born_array *a, char *const *labels, int label_count, int top)
{
    int64_t n = cli_count(&a->shape), index[MOST_TOP];
    int rank = a->shape.rank;
    bool classes = is_real(a->dtype) && rank > 0 && n == a->shape.dim[rank - 1] && n >= 8;

    /* [1, classes, 1, 1] is a list of classes too */
    for (int i = 0; i < rank && is_real(a->dtype) && n >= 8; i++)
        if (a->shape.dim[i] == n) classes = true;
    printf("%s  %s", name, born_dtype_name(a->dtype));
    cli_print_shape(a->shape.dim, NULL, rank);
    if (!classes) {
        print_summary(a, n);
        return;
    }
    putchar('\n');
    int k = best(a, n, index, top < MOST_TOP ? top : MOST_TOP);
    for (int i = 0; i < k; i++) {
        printf("  %5lld  %-12.6g", (long long)index[i], cli_element(a, index[i]));
        printf("%s\n", index[i] < label_count ? labels[index[i]] : "");
    }
}

void cli_json_value(cli_json *j, const born_array *a, int most)
{
    int64_t n = cli_count(&a->shape), index[MOST_TOP];
    char hash[20];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)cli_hash(a, 0));
    cli_json_key(j, "dtype");
    cli_json_text(j, born_dtype_name(a->dtype));
    cli_json_key(j, "shape");
    cli_json_dims(j, a->shape.dim, a->shape.rank);
    cli_json_key(j, "hash");
    cli_json_text(j, hash);
    if (is_real(a->dtype)) {
        int k = best(a, n, index, 5);
        cli_json_key(j, "top");
        cli_json_open(j, '[');
        for (int i = 0; i < k; i++) cli_json_int(j, index[i]);
        cli_json_close(j, ']');
    }
    cli_json_key(j, "values");
    cli_json_open(j, '[');
    for (int64_t i = 0; i < n && i < most; i++) {
        if (a->dtype == BORN_I64) {
            int64_t v;
            memcpy(&v, (const char *)a->data + 8 * i, sizeof v);
            cli_json_int(j, v);
        } else {
            cli_json_real(j, cli_element(a, i));
        }
    }
    cli_json_close(j, ']');
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

uint64_t cli_hash(const born_array *a, uint64_t h)
{
    size_t size = cli_elem_bytes(a->dtype);
    int64_t n = cli_count(&a->shape);

    h = mix(h, (uint64_t)a->dtype);
    for (int i = 0; i < a->shape.rank; i++) h = mix(h, (uint64_t)a->shape.dim[i]);
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = 0;
        memcpy(&v, (const char *)a->data + (size_t)i * size, size);
        if (is_real(a->dtype) && isnan(cli_element(a, i))) v = UINT64_MAX;
        h = mix(h, v);
    }
    return h;
}
