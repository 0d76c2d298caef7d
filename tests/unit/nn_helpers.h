/* What the tests of modules and losses share: a chain with a network and a scope, reading results, simple numbers. */
#ifndef BORN_TESTS_NN_HELPERS_H
#define BORN_TESTS_NN_HELPERS_H
#include <born/born.h>
#include <math.h>

#include "../harness.h"

typedef struct bench {
    born_backend *b;
    born_module *net;
    born_scope scope;
} bench;

static inline bench bench_open(born_dtype t, uint64_t seed)
{
    bench k;
    k.b = born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    k.net = born_module_create_with(k.b, &(born_module_desc){ .dtype = t, .seed = seed });
    k.scope = born_scope_begin(k.b);
    return k;
}

/* Every test ends here: no error may be left on the chain. */
static inline void bench_close(bench *k)
{
    born_error err;
    born_backend_take_error(k->b, &err);
    CHECK_MSG(err.status == BORN_OK, "the chain holds: %s", err.text);
    born_scope_end(k->scope);
    born_module_close(&k->net);
    born_backend_close(&k->b);
}

/* Takes the chain's error and compares status and a part of the text. */
static inline void bench_expect(const bench *k, born_status s, const char *part)
{
    born_error err;
    born_backend_take_error(k->b, &err);
    CHECK_MSG(err.status == s && strstr(err.text, part), "%s: '%s'", born_status_name(err.status), err.text);
}

static inline int64_t count_of(born_tensor t)
{
    born_shape s = (born_shape_of)(t);
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    return n;
}

/* x, f32 with exactly n elements, to out; false (and a failed check) otherwise. */
static inline bool get(born_tensor x, float *out, int64_t n)
{
    if (!CHECK(born_is_alive(x) && born_dtype_of(x) == BORN_F32)) return false;
    if (!CHECK_INT(count_of(x), n)) return false;
    return CHECK_INT((born_read)(x, out, (size_t)n * sizeof *out), BORN_OK);
}
static inline bool get_i64(born_tensor x, int64_t *out, int64_t n)
{
    if (!CHECK(born_is_alive(x) && born_dtype_of(x) == BORN_I64) || !CHECK_INT(count_of(x), n)) return false;
    return CHECK_INT((born_read)(x, out, (size_t)n * sizeof *out), BORN_OK);
}

static inline void near_all(const char *file, int line, const char *what, const float *got, const double *want,
                            int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++) {
        harness_checks++;
        if (fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))) continue;
        harness_fail(file, line, "%s[%lld] is %.9g, not %.9g", what, (long long)i, (double)got[i], want[i]);
        return;
    }
}
#define NEAR_ALL(got, want, n) near_all(__FILE__, __LINE__, #got, (got), (want), (n), 2e-6)

static inline bool shape_is(born_tensor x, born_shape want)
{
    born_shape s = (born_shape_of)(x);
    return s.rank == want.rank && (s.rank == 0 || !memcmp(s.dim, want.dim, (size_t)s.rank * sizeof *s.dim));
}

/* Numbers without a pattern in (-1, 1), the same every time. */
static inline void scatter(float *v, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = (float)((double)(seed >> 8) / 8388608.0 - 1.0);
    }
}

static inline born_tensor f32_of(const bench *k, const float *v, born_shape s)
{
    return (born_from)(k->b, (born_array){ BORN_F32, s, v, 0 }, BORN_F32, NULL);
}
static inline born_tensor i64_of(const bench *k, const int64_t *v, born_shape s)
{
    return (born_from)(k->b, (born_array){ BORN_I64, s, v, 0 }, BORN_I64, NULL);
}
/* The sum of x times w (like x, or {0}: ones), as a loss, run backwards. */
static inline bool backward_of(born_tensor x, born_tensor w)
{
    if (w.w) x = (born_mul)(x, w, NULL);
    x = (born_reduce_sum)(x, (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, NULL);
    return CHECK_INT((born_backward)(x), BORN_OK);
}
static inline void set(born_module *m, const char *path, const float *v, born_shape s)
{
    born_error err = { 0 };
    CHECK_OK(born_module_copy_in(m, path, (born_array){ BORN_F32, s, v, 0 }, &err), &err);
}

typedef struct listing { char text[2048]; } listing;
static inline bool list_item(void *user, const born_module_item *item)
{
    listing *l = user;
    born_shape s = (born_shape_of)(item->value);
    size_t n = strlen(l->text);
    n += (size_t)snprintf(l->text + n, sizeof l->text - n, "%s[", item->path);
    for (int d = 0; d < s.rank; d++)
        n += (size_t)snprintf(l->text + n, sizeof l->text - n, "%s%lld", d ? "," : "", (long long)s.dim[d]);
    snprintf(l->text + n, sizeof l->text - n, "]%s ", item->role == BORN_BUFFER ? "b" : "");
    return true;
}
/* "weight[5,4] bias[5] " and so on; buffers marked b. */
static inline const char *list_of(const born_module *m, listing *l)
{
    l->text[0] = '\0';
    CHECK_INT(born_module_each(m, list_item, l), BORN_OK);
    return l->text;
}
#endif
