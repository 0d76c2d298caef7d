/* born run: one prediction. Opens the model, gathers inputs, runs, prints or writes the outputs. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const char cli_run_help[] =
    CLI_INPUT_HELP
    "  --output NAME=FILE  write an output, or an input as it was fed, as .npy, .csv or .bin\n"
    "  --labels FILE       names of classes, one a line\n"
    "  --top K             how many classes to print (default 5)\n"
    "  --repeat N          run N times; the last answer counts\n"
    "  --time              print load time, latency and peak memory\n"
    "  --profile           print where the time went\n"
    "  --copy              read the file instead of mapping it\n" CLI_COMMON_HELP;

typedef struct run_options {
    cli_common common;
    cli_input_options in;
    const char *model, *labels, *output[64];
    int output_count;
    long top, repeat;
    bool time, profile, copy;
} run_options;

typedef struct run_state {
    born_model *model;
    born_session *session;
    cli_inputs in;
    born_array *out;
    int out_count;
    double load_s, first_s, run_s;
    char **label;
    int label_count;
    char *label_text;
} run_state;

/* An option of this verb alone: 1 taken, 0 not one, -1 wrong (said). */
static int own_option(cli_args *a, run_options *o)
{
    const char *v;

    if (cli_value(a, "--output", &v)) {
        if (!v || !strchr(v, '=') || o->output_count == 64) {
            (void)cli_usage_error("run", "--output needs NAME=FILE");
            return -1;
        }
        o->output[o->output_count++] = v;
        return 1;
    }
    if (cli_value(a, "--labels", &v)) {
        if (!v) (void)cli_usage_error("run", "--labels needs a file");
        o->labels = v;
        return v ? 1 : -1;
    }
    if (cli_value(a, "--top", &v)) return cli_int("run", "--top", v, 1, 64, &o->top) ? 1 : -1;
    if (cli_value(a, "--repeat", &v)) return cli_int("run", "--repeat", v, 1, 1000000, &o->repeat) ? 1 : -1;
    bool *flag = cli_flag(a, "--time")      ? &o->time
                 : cli_flag(a, "--profile") ? &o->profile
                 : cli_flag(a, "--copy")    ? &o->copy
                                            : NULL;
    if (flag) *flag = true;
    return flag ? 1 : 0;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, run_options *o)
{
    cli_args a = cli_begin(argc, argv);

    *o = (run_options){ .top = 5, .repeat = 1, .in.picture = { { 0, 0, 0 }, { 255, 255, 255 }, false } };
    while (cli_next(&a)) {
        int r = cli_common_option(&a, &o->common);
        if (!r) r = cli_input_option("run", &a, &o->in);
        if (!r) r = own_option(&a, o);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (cli_is_option(&a)) return cli_usage_error("run", "no option '%s'", cli_word(&a));
        if (o->model) return cli_usage_error("run", "one model at a time");
        o->model = cli_word(&a);
    }
    if (!o->model) return cli_usage_error("run", "which model?");
    o->in.max_bytes = o->common.max_bytes;
    return -1;
}

static born_status read_labels(const char *path, run_state *s, born_error *err)
{
    unsigned char *text;
    size_t n;

    if (!path) return BORN_OK;
    born_status st = cli_read_file(path, 1 << 26, &text, &n, err);
    if (st) return st;
    s->label_text = (char *)text;
    for (size_t i = 0; i < n; i++) s->label_count += text[i] == '\n';
    s->label = calloc((size_t)s->label_count + 1, sizeof *s->label);
    if (!s->label) return cli_error(err, BORN_NOMEM, "out of memory");
    s->label_count = 0;
    for (char *p = s->label_text; *p;) {
        size_t k = strcspn(p, "\r\n");
        s->label[s->label_count] = p;
        char *end = p + k;
        while (*end == '\r' || *end == '\n') {
            if (*end == '\n') s->label_count++;
            *end++ = 0;
        }
        p = end;
    }
    return BORN_OK;
}

static born_status open_and_run(const run_options *o, run_state *s, born_error *err)
{
    born_model_info info;
    born_model_desc md = { .load = o->copy ? BORN_COPY : BORN_MAP, .max_bytes = o->common.max_bytes,
                           .passes_off = o->common.passes_off };
    born_session_desc sd = { .threads = (int)o->common.threads, .max_bytes = o->common.max_bytes,
                             .profile = o->profile };
    double t0 = cli_seconds();
    born_status st = born_model_open(o->model, &md, &s->model, err);

    if (!st) st = born_session_open(s->model, &sd, &s->session, err);
    s->load_s = cli_seconds() - t0;
    if (!st) st = cli_inputs_make(s->model, &o->in, &s->in, err);
    if (st) return st;
    born_model_info_get(s->model, &info);
    s->out_count = info.output_count;
    s->out = calloc((size_t)info.output_count + 1, sizeof *s->out);
    if (!s->out) return cli_error(err, BORN_NOMEM, "out of memory");
    t0 = cli_seconds();
    st = born_session_run(s->session, s->in.a, s->in.count, s->out, s->out_count, err);
    s->first_s = s->run_s = cli_seconds() - t0;
    for (long i = 1; i < o->repeat && !st; i++) {
        t0 = cli_seconds();
        st = born_session_run(s->session, s->in.a, s->in.count, s->out, s->out_count, err);
        double t = cli_seconds() - t0;
        if (i == 1 || t < s->run_s) s->run_s = t;
        cli_progress("run", i + 1, o->repeat);
    }
    cli_progress("", 0, 0);
    return st;
}

/* The output or input called `name`, NULL if there is none. */
static const born_array *value_named(const run_state *s, const char *name)
{
    born_value_info v;

    for (int i = 0; i < s->out_count; i++)
        if (born_model_output(s->model, i, &v) == BORN_OK && !strcmp(v.name, name)) return &s->out[i];
    for (int i = 0; i < s->in.count; i++)
        if (born_model_input(s->model, i, &v) == BORN_OK && !strcmp(v.name, name)) return &s->in.a[i];
    return NULL;
}

static born_status write_outputs(const run_options *o, const run_state *s, born_error *err)
{
    char name[256];
    const char *path;

    for (int i = 0; i < o->output_count; i++) {
        const born_array *a = cli_split(o->output[i], name, sizeof name, &path) ? value_named(s, name) : NULL;
        if (!a) return cli_error(err, BORN_INVALID, "--output %s: the model has no such value", o->output[i]);
        born_status st = cli_write_tensor(path, a, err);
        if (st) return st;
    }
    return BORN_OK;
}

static void print_profile_row(void *user, const born_profile_row *r)
{
    (void)user;
    printf("  %9.3f ms  %-22s %-28s %s\n", r->seconds * 1e3, r->op, r->kernel ? r->kernel : "reference", r->node);
}

static void print_plain(const run_options *o, const run_state *s)
{
    born_value_info v;
    char buf[24], peak[24];
    born_session_stats stats;

    for (int i = 0; i < s->out_count; i++) {
        if (born_model_output(s->model, i, &v)) continue;
        cli_print_value(v.name, &s->out[i], s->label, s->label_count, (int)o->top);
    }
    if (o->time) {
        born_session_stats_get(s->session, &stats);
        size_t plan = stats.arena_bytes + stats.scratch_bytes + stats.state_bytes + stats.packed_bytes;
        printf("load %.2f ms  first run %.2f ms  best run %.2f ms  plan %s  peak memory %s\n", s->load_s * 1e3,
               s->first_s * 1e3, s->run_s * 1e3, cli_bytes((double)plan, buf),
               cli_bytes((double)cli_peak_memory(), peak));
    }
    if (o->profile) born_session_profile(s->session, print_profile_row, NULL);
}

static void print_json(const run_state *s)
{
    cli_json j = { 0 };
    born_value_info v;

    cli_json_open(&j, '{');
    cli_json_key(&j, "load_ms");
    cli_json_real(&j, s->load_s * 1e3);
    cli_json_key(&j, "first_run_ms");
    cli_json_real(&j, s->first_s * 1e3);
    cli_json_key(&j, "run_ms");
    cli_json_real(&j, s->run_s * 1e3);
    cli_json_key(&j, "peak_bytes");
    cli_json_int(&j, (int64_t)cli_peak_memory());
    cli_json_key(&j, "outputs");
    cli_json_open(&j, '[');
    for (int i = 0; i < s->out_count; i++) {
        if (born_model_output(s->model, i, &v)) continue;
        cli_json_open(&j, '{');
        cli_json_key(&j, "name");
        cli_json_text(&j, v.name);
        cli_json_value(&j, &s->out[i], 1000);
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    cli_json_end();
}

int cmd_run(int argc, char **argv)
{
    run_options o;
    run_state s = { 0 };
    born_error err = { .status = BORN_OK };
    int code = parse(argc, argv, &o);

    if (code >= 0) return code;
    born_status st = read_labels(o.labels, &s, &err);
    if (!st) st = open_and_run(&o, &s, &err);
    if (!st) st = write_outputs(&o, &s, &err);
    code = CLI_OK;
    if (st)
        code = cli_fail("run", o.model, &err);
    else if (o.common.json)
        print_json(&s);
    else
        print_plain(&o, &s);
    born_session_close(&s.session);
    born_model_close(&s.model);
    cli_inputs_free(&s.in);
    free(s.out);
    free(s.label);
    free(s.label_text);
    return code;
}
