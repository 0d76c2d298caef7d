/* born bench in parts: timing, the CPU's peak, single operators. */
#ifndef BORN_CLI_BENCH_H
#define BORN_CLI_BENCH_H
#include "cli.h"

typedef struct bench_times {
    double *s;                  /* seconds of each run, sorted */
    long count, cap;
    double mean;
} bench_times;

/* cli_bench_times.c */
/* Runs until `seconds` have gone by, at least `least` times, after `warm` runs that do not count. */
born_status bench_session(born_session *s, const born_array *in, int in_count, born_array *out, int out_count,
                          double seconds, long least, long warm, bench_times *t, born_error *err);
double bench_percentile(const bench_times *t, double p);
void bench_free(bench_times *t);

/* cli_bench_peak.c: f32 FMA operations a second that one core does at the level in use, measured; 2 for each FMA. */
double bench_peak_flops(void);

/* cli_bench_ops.c: single operators whose names begin with one of the comma-separated words; the exit code. */
int bench_ops(const char *words, const cli_common *c, double seconds);
void bench_list_ops(FILE *f);
#endif
