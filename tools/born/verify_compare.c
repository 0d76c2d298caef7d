/* Comparing an answer with the expected one: see verify.h. */
#include "verify.h"

#include <math.h>
#include <string.h>

static const char *shape_text(const born_shape *s, char *buf, size_t n)
{
    size_t at = 0;

    buf[at++] = '[';
    for (int i = 0; i < s->rank && at + 24 < n; i++)
        at += (size_t)snprintf(buf + at, n - at, i ? ",%lld" : "%lld", (long long)s->dim[i]);
    buf[at++] = ']';
    buf[at] = 0;
    return buf;
}

static bool is_real(born_dtype t)
{
    return t == BORN_F32 || t == BORN_F64 || t == BORN_F16 || t == BORN_BF16;
}

static bool close_enough(double x, double y, double rtol, double atol)
{
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    if (isinf(x) || isinf(y)) return x >= y && x <= y;
    return fabs(x - y) <= atol + rtol * fabs(y);
}

static bool same_bytes(const born_array *a, const born_array *b, int64_t i)
{
    size_t n = cli_elem_bytes(a->dtype);
    const char *x = (const char *)a->data + (size_t)i * n, *y = (const char *)b->data + (size_t)i * n;

    return a->dtype == BORN_BOOL ? !*x == !*y : !memcmp(x, y, n);
}

bool verify_compare(const born_array *got, const born_array *want, double rtol, double atol, char *why, size_t why_n)
{
    char a[96], b[96];
    bool real = is_real(want->dtype), same_shape = got->shape.rank == want->shape.rank;

    if (got->dtype != want->dtype) {
        snprintf(why, why_n, "is %s, expected %s", born_dtype_name(got->dtype), born_dtype_name(want->dtype));
        return false;
    }
    for (int i = 0; same_shape && i < want->shape.rank; i++) same_shape = got->shape.dim[i] == want->shape.dim[i];
    if (!same_shape) {
        snprintf(why, why_n, "has shape %s, expected %s", shape_text(&got->shape, a, sizeof a),
                 shape_text(&want->shape, b, sizeof b));
        return false;
    }
    int64_t n = cli_count(&want->shape), wrong = 0, first = -1;
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = cli_element(got, i), y = cli_element(want, i);
        if (real ? close_enough(x, y, rtol, atol) : same_bytes(got, want, i)) continue;
        if (first < 0) first = i;
        wrong++;
        if (fabs(x - y) > worst) worst = fabs(x - y);
    }
    if (!wrong) return true;
    snprintf(why, why_n, "%lld of %lld elements differ, first at %lld: %.9g, expected %.9g; largest difference %.3g",
             (long long)wrong, (long long)n, (long long)first, cli_element(got, first), cli_element(want, first),
             worst);
    return false;
}
