/* born bench: how fast a model runs here, and how much of the machine that is. */
#include "cli_bench.h"

#include <stdlib.h>

const char cli_bench_help[] =
    "Inputs are random unless --input says other.\n\n"
    "  --op NAME,...       measure single operators instead ('all' for all of them)\n"
    "  --seconds S         measure for S seconds (default 2)\n"
    CLI_INPUT_HELP CLI_COMMON_HELP;

typedef struct bench_options {
    cli_common common;
    cli_input_options in;
    const char *model, *ops;
    double seconds;
} bench_options;

static int parse(int argc, char **argv, bench_options *o)
{
    cli_args a = cli_begin(argc, argv);
    const char *v;

    *o = (bench_options){ .seconds = 2, .in.picture = { { 0, 0, 0 }, { 255, 255, 255 }, false } };
    while (cli_next(&a)) {
        int r = cli_common_option(&a, &o->common);
        if (!r) r = cli_input_option("bench", &a, &o->in);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (cli_value(&a, "--op", &v)) {
            if (!v) return cli_usage_error("bench", "--op needs names");
            o->ops = v;
        } else if (cli_value(&a, "--seconds", &v)) {
            if (!cli_real("bench", "--seconds", v, &o->seconds)) return CLI_USAGE;
        } else if (cli_is_option(&a)) {
            return cli_usage_error("bench", "no option '%s'", cli_word(&a));
        } else if (o->model) {
            return cli_usage_error("bench", "one model at a time");
        } else {
            o->model = cli_word(&a);
        }
    }
    o->in.max_bytes = o->common.max_bytes;
    return o->model || o->ops ? -1 : cli_usage_error("bench", "which model?");
}

typedef struct model_facts {
    double load_s, first_s, flops, peak;
    bench_times t;
    born_session_stats stats;
    born_model_info info;
    int threads;
    size_t peak_bytes;
} model_facts;

static void add_flops(void *user, const born_profile_row *r)
{
    if (r->calls > 0) *(double *)user += r->flops / (double)r->calls;
}

/* Operations of one run, as far as the profile knows them; a session of its own, so that measuring does not disturb. */
static double count_flops(born_model *m, const bench_options *o, const cli_inputs *in, born_array *out, int out_count)
{
    born_session_desc sd = { .threads = (int)o->common.threads, .max_bytes = o->common.max_bytes, .profile = true };
    born_session *s = NULL;
    born_error err;
    double flops = 0;

    if (!born_session_open(m, &sd, &s, &err) && !born_session_run(s, in->a, in->count, out, out_count, &err))
        born_session_profile(s, add_flops, &flops);
    born_session_close(&s);
    return flops;
}

static born_status measure(const bench_options *o, model_facts *f, born_error *err)
{
    born_model_desc md = { .max_bytes = o->common.max_bytes, .passes_off = o->common.passes_off };
    born_session_desc sd = { .threads = (int)o->common.threads, .max_bytes = o->common.max_bytes };
    born_model *m = NULL;
    born_session *s = NULL;
    cli_inputs in = { 0 };
    cli_input_options io = o->in;
    born_array *out = NULL;

    if (io.spec_count < 64) io.spec[io.spec_count++] = "rand";
    double t0 = cli_seconds();
    born_status st = born_model_open(o->model, &md, &m, err);
    if (!st) st = born_session_open(m, &sd, &s, err);
    f->load_s = cli_seconds() - t0;
    if (!st) st = cli_inputs_make(m, &io, &in, err);
    if (!st) {
        born_model_info_get(m, &f->info);
        out = calloc((size_t)f->info.output_count + 1, sizeof *out);
        if (!out) st = cli_error(err, BORN_NOMEM, "out of memory");
    }
    t0 = cli_seconds();
    if (!st) st = born_session_run(s, in.a, in.count, out, f->info.output_count, err);
    f->first_s = cli_seconds() - t0;
    f->peak_bytes = cli_peak_memory();
    if (!st) st = bench_session(s, in.a, in.count, out, f->info.output_count, o->seconds, 10, 3, &f->t, err);
    if (!st) {
        born_session_stats_get(s, &f->stats);
        f->threads = o->common.threads ? (int)o->common.threads : born_cpu_count();
        f->flops = count_flops(m, o, &in, out, f->info.output_count);
        f->peak = bench_peak_flops() * f->threads;
    }
    born_session_close(&s);
    born_model_close(&m);
    cli_inputs_free(&in);
    free(out);
    return st;
}

static void print_plain(const model_facts *f)
{
    char a[24], b[24], c[24];
    double p50 = bench_percentile(&f->t, 50);

    printf("latency     p50 %.3f ms  p90 %.3f  p99 %.3f  best %.3f  mean %.3f  (%ld runs, %d threads, %s)\n", p50 * 1e3,
           bench_percentile(&f->t, 90) * 1e3, bench_percentile(&f->t, 99) * 1e3, f->t.s[0] * 1e3, f->t.mean * 1e3,
           f->t.count, f->threads, born_cpu_level());
    printf("throughput  %.1f runs/s\n", 1 / f->t.mean);
    if (f->flops > 0)
        printf("compute     %.2f GFLOP/s, %.1f%% of the measured peak of %.1f\n", f->flops / p50 * 1e-9,
               100 * f->flops / p50 / f->peak, f->peak * 1e-9);
    printf("load        %.2f ms, first run %.2f ms\n", f->load_s * 1e3, f->first_s * 1e3);
    printf("memory      peak %s; arena %s, packed weights %s\n", cli_bytes((double)f->peak_bytes, a),
           cli_bytes((double)f->stats.arena_bytes, b), cli_bytes((double)f->stats.packed_bytes, c));
}

static void print_json(const model_facts *f)
{
    cli_json j = { 0 };
    double p50 = bench_percentile(&f->t, 50);
    const struct { const char *key; double v; } reals[] = {
        { "p50_ms", p50 * 1e3 }, { "p90_ms", bench_percentile(&f->t, 90) * 1e3 },
        { "p99_ms", bench_percentile(&f->t, 99) * 1e3 }, { "best_ms", f->t.s[0] * 1e3 },
        { "mean_ms", f->t.mean * 1e3 }, { "runs_per_s", 1 / f->t.mean }, { "gflops", f->flops / p50 * 1e-9 },
        { "peak_gflops", f->peak * 1e-9 }, { "share_of_peak", f->flops / p50 / f->peak },
        { "load_ms", f->load_s * 1e3 }, { "first_run_ms", f->first_s * 1e3 },
    };
    const struct { const char *key; int64_t v; } ints[] = {
        { "runs", f->t.count }, { "threads", f->threads }, { "peak_bytes", (int64_t)f->peak_bytes },
        { "arena_bytes", (int64_t)f->stats.arena_bytes }, { "scratch_bytes", (int64_t)f->stats.scratch_bytes },
        { "packed_bytes", (int64_t)f->stats.packed_bytes },
    };

    cli_json_open(&j, '{');
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        cli_json_key(&j, reals[i].key);
        cli_json_real(&j, reals[i].v);
    }
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        cli_json_key(&j, ints[i].key);
        cli_json_int(&j, ints[i].v);
    }
    cli_json_key(&j, "level");
    cli_json_text(&j, born_cpu_level());
    cli_json_close(&j, '}');
    cli_json_end();
}

int cmd_bench(int argc, char **argv)
{
    bench_options o;
    model_facts f = { 0 };
    born_error err = { .status = BORN_OK };
    int code = parse(argc, argv, &o);

    if (code >= 0) return code;
    if (o.ops) return bench_ops(o.ops[0] == 'a' && o.ops[1] == 'l' && o.ops[2] == 'l' && !o.ops[3] ?
                                "matmul,conv,max,global,add,relu,exp,tanh,sigmoid,erf,softmax,layer,reduce,transpose" :
                                o.ops, &o.common, o.seconds);
    code = CLI_OK;
    if (measure(&o, &f, &err))
        code = cli_fail("bench", o.model, &err);
    else if (o.common.json)
        print_json(&f);
    else
        print_plain(&f);
    bench_free(&f.t);
    return code;
}
