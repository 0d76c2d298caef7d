/* Timing runs of a session: see cli_bench.h. */
#include "cli_bench.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool add(bench_times *t, double s)
{
    if (t->count == t->cap) {
        long cap = t->cap ? t->cap * 2 : 256;
        double *bigger = realloc(t->s, (size_t)cap * sizeof *bigger);
        if (!bigger) return false;
        t->s = bigger;
        t->cap = cap;
    }
    t->s[t->count++] = s;
    return true;
}

born_status bench_session(born_session *s, const born_array *in, int in_count, born_array *out, int out_count,
                          double seconds, long least, long warm, bench_times *t, born_error *err)
{
    born_status st = BORN_OK;
    double sum = 0;

    *t = (bench_times){ 0 };
    for (long i = 0; i < warm && !st; i++) st = born_session_run(s, in, in_count, out, out_count, err);
    double begin = cli_seconds();
    while (!st && (t->count < least || cli_seconds() - begin < seconds)) {
        double t0 = cli_seconds();
        st = born_session_run(s, in, in_count, out, out_count, err);
        double one = cli_seconds() - t0;
        sum += one;
        if (!st && !add(t, one)) st = cli_error(err, BORN_NOMEM, "out of memory");
        cli_progress("bench", (long)((cli_seconds() - begin) * 1000), (long)(seconds * 1000));
    }
    cli_progress("", 0, 0);
    if (t->count) {
        qsort(t->s, (size_t)t->count, sizeof *t->s, by_value);
        t->mean = sum / (double)t->count;
    }
    return st;
}

double bench_percentile(const bench_times *t, double p)
{
    long i = (long)(p / 100 * (double)(t->count - 1) + 0.5);

    return t->count ? t->s[i < 0 ? 0 : i >= t->count ? t->count - 1 : i] : 0;
}

void bench_free(bench_times *t)
{
    free(t->s);
    *t = (bench_times){ 0 };
}
