/* born inspect: what a model is: inputs, outputs, operators, parameters, memory of its plan, and where time goes. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const char cli_inspect_help[] =
    "Where shapes are open, --dim gives sizes for the memory plan; inputs are zeros unless --input says other.\n\n"
    "  --graph             print the graph after the passes\n"
    "  --dump PASS         print the graph after one pass ('all': after each)\n"
    "  --profile           run on random input and print where the time goes\n"
    CLI_INPUT_HELP CLI_COMMON_HELP;

typedef struct inspect_options {
    cli_common common;
    cli_input_options in;
    const char *model, *dump;
    bool graph, profile;
} inspect_options;

typedef struct op_count {
    char name[64];
    int64_t count;
} op_count;

typedef struct op_list {
    op_count *op;
    size_t count, cap;
} op_list;

static int parse(int argc, char **argv, inspect_options *o)
{
    cli_args a = cli_begin(argc, argv);
    const char *v;

    *o = (inspect_options){ .in.picture = { { 0, 0, 0 }, { 255, 255, 255 }, false }, .dump = getenv("BORN_DUMP") };
    while (cli_next(&a)) {
        int r = cli_common_option(&a, &o->common);
        if (!r) r = cli_input_option("inspect", &a, &o->in);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (cli_flag(&a, "--graph")) {
            o->graph = true;
        } else if (cli_flag(&a, "--profile")) {
            o->profile = true;
        } else if (cli_value(&a, "--dump", &v)) {
            if (!v) return cli_usage_error("inspect", "--dump needs the name of a pass");
            o->dump = v;
        } else if (cli_is_option(&a)) {
            return cli_usage_error("inspect", "no option '%s'", cli_word(&a));
        } else if (o->model) {
            return cli_usage_error("inspect", "one model at a time");
        } else {
            o->model = cli_word(&a);
        }
    }
    o->in.max_bytes = o->common.max_bytes;
    return o->model ? -1 : cli_usage_error("inspect", "which model?");
}

static void dump_pass(void *user, const char *pass, const char *text)
{
    const char *wanted = user;

    if (!strcmp(wanted, "all") || !strcmp(wanted, pass)) printf("--- after %s\n%s\n", pass, text);
}

static void add_op(void *user, const char *op, int64_t count)
{
    op_list *l = user;

    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        op_count *bigger = realloc(l->op, cap * sizeof *bigger);
        if (!bigger) return;
        l->op = bigger;
        l->cap = cap;
    }
    snprintf(l->op[l->count].name, sizeof l->op->name, "%s", op);
    l->op[l->count++].count = count;
}

static int by_count(const void *a, const void *b)
{
    const op_count *x = a, *y = b;

    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static void print_piece(void *user, const char *text, size_t n)
{
    (void)user;
    fwrite(text, 1, n, stdout);
}

static void print_gap(void *user, const born_model_gap *g)
{
    (void)user;
    fprintf(stderr, "  %s", g->op);
    if (g->version) fprintf(stderr, ":%lld", (long long)g->version);
    fprintf(stderr, " '%s': %s\n", g->node, g->why);
}

static void print_values(const born_model *m, const char *what, int count,
                         born_status (*get)(const born_model *m, int i, born_value_info *out))
{
    born_value_info v;

    for (int i = 0; i < count; i++) {
        if (get(m, i, &v)) continue;
        printf("%-8s %s  %s", what, v.name, born_dtype_name(v.dtype));
        cli_print_shape(v.dim, v.symbol, v.rank);
        putchar('\n');
    }
}

static void json_values(cli_json *j, const born_model *m, const char *key, int count,
                        born_status (*get)(const born_model *m, int i, born_value_info *out))
{
    born_value_info v;

    cli_json_key(j, key);
    cli_json_open(j, '[');
    for (int i = 0; i < count; i++) {
        if (get(m, i, &v)) continue;
        cli_json_open(j, '{');
        cli_json_key(j, "name");
        cli_json_text(j, v.name);
        cli_json_key(j, "dtype");
        cli_json_text(j, born_dtype_name(v.dtype));
        if (v.rank >= 0) {
            cli_json_key(j, "shape");
            cli_json_dims(j, v.dim, v.rank);
        }
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

/* What a plan for the stated shapes takes. `how` is NULL where there is one, else why not. */
typedef struct plan_facts {
    born_session_stats stats;
    char why[240];
    bool known;
} plan_facts;

static void add_profile(void *user, const born_profile_row *r)
{
    const double *total = user;

    printf("%9.3f ms %5.1f%%  %-22s %-28s %s\n", r->seconds * 1e3, *total > 0 ? 100 * r->seconds / *total : 0, r->op,
           r->kernel ? r->kernel : "reference", r->node);
}

static void sum_profile(void *user, const born_profile_row *r)
{
    *(double *)user += r->seconds;
}

static void plan(const inspect_options *o, born_model *m, plan_facts *p)
{
    born_session_desc sd = { .threads = (int)o->common.threads, .max_bytes = o->common.max_bytes,
                             .profile = o->profile };
    born_error err = { .status = BORN_OK };
    born_session *s = NULL;
    cli_inputs in = { 0 };
    cli_input_options io = o->in;
    born_model_info info;
    double total = 0;

    if (io.spec_count < 64) io.spec[io.spec_count++] = o->profile ? "rand" : "zeros";
    born_model_info_get(m, &info);
    born_array *out = calloc((size_t)info.output_count + 1, sizeof *out);
    born_status st = out ? born_session_open(m, &sd, &s, &err) : cli_error(&err, BORN_NOMEM, "out of memory");
    if (!st) st = cli_inputs_make(m, &io, &in, &err);
    if (!st) st = o->profile ? born_session_run(s, in.a, in.count, out, info.output_count, &err)
                             : born_session_plan(s, in.a, in.count, &err);
    if (!st) born_session_stats_get(s, &p->stats);
    p->known = !st;
    snprintf(p->why, sizeof p->why, "%s", err.text);
    if (!st && o->profile && !o->common.json) {
        born_session_profile(s, sum_profile, &total);
        born_session_profile(s, add_profile, &total);
    }
    born_session_close(&s);
    cli_inputs_free(&in);
    free(out);
}

static void print_plain(const born_model *m, const born_model_info *info, const op_list *ops, const plan_facts *p)
{
    char a[24], b[24], c[24], d[24];

    printf("format   %s, opset %lld%s%s\n", info->format, (long long)info->opset, info->producer[0] ? ", made by " : "",
           info->producer);
    print_values(m, "input", info->input_count, born_model_input);
    print_values(m, "output", info->output_count, born_model_output);
    printf("nodes    %lld in the file, %lld after the passes\n", (long long)info->file_node_count,
           (long long)info->node_count);
    printf("params   %lld in %s\n", (long long)info->param_count, cli_bytes((double)info->param_bytes, a));
    if (p->known)
        printf("memory   %s: arena %s, scratch %s, packed weights %s\n",
               cli_bytes((double)(p->stats.arena_bytes + p->stats.scratch_bytes + p->stats.state_bytes +
                                  p->stats.packed_bytes), a),
               cli_bytes((double)p->stats.arena_bytes, b), cli_bytes((double)p->stats.scratch_bytes, c),
               cli_bytes((double)p->stats.packed_bytes, d));
    else
        printf("memory   not known: %s\n", p->why);
    for (size_t i = 0; i < ops->count; i++) printf("%7lld  %s\n", (long long)ops->op[i].count, ops->op[i].name);
}

static void print_json(const born_model *m, const born_model_info *info, const op_list *ops, const plan_facts *p)
{
    cli_json j = { 0 };
    const struct { const char *key; int64_t v; } ints[] = {
        { "opset", info->opset }, { "file_nodes", info->file_node_count }, { "nodes", info->node_count },
        { "params", info->param_count }, { "param_bytes", (int64_t)info->param_bytes },
    };
    const struct { const char *key; size_t v; } sizes[] = {
        { "arena_bytes", p->stats.arena_bytes }, { "scratch_bytes", p->stats.scratch_bytes },
        { "state_bytes", p->stats.state_bytes }, { "packed_bytes", p->stats.packed_bytes },
    };

    cli_json_open(&j, '{');
    cli_json_key(&j, "format");
    cli_json_text(&j, info->format);
    cli_json_key(&j, "producer");
    cli_json_text(&j, info->producer);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        cli_json_key(&j, ints[i].key);
        cli_json_int(&j, ints[i].v);
    }
    json_values(&j, m, "inputs", info->input_count, born_model_input);
    json_values(&j, m, "outputs", info->output_count, born_model_output);
    cli_json_key(&j, "operators");
    cli_json_open(&j, '{');
    for (size_t i = 0; i < ops->count; i++) {
        cli_json_key(&j, ops->op[i].name);
        cli_json_int(&j, ops->op[i].count);
    }
    cli_json_close(&j, '}');
    for (size_t i = 0; p->known && i < sizeof sizes / sizeof *sizes; i++) {
        cli_json_key(&j, sizes[i].key);
        cli_json_int(&j, (int64_t)sizes[i].v);
    }
    cli_json_close(&j, '}');
    cli_json_end();
}

int cmd_inspect(int argc, char **argv)
{
    inspect_options o;
    born_model *m = NULL;
    born_model_info info;
    born_error err = { .status = BORN_OK };
    op_list ops = { 0 };
    plan_facts p = { .known = false };
    int code = parse(argc, argv, &o);

    if (code >= 0) return code;
    born_model_desc md = { .max_bytes = o.common.max_bytes, .passes_off = o.common.passes_off };
    if (o.dump) {
        md.dump = dump_pass;
        md.dump_user = (void *)(uintptr_t)o.dump;
    }
    if (born_model_open(o.model, &md, &m, &err)) {
        code = cli_fail("inspect", o.model, &err);
        born_status st = err.status == BORN_UNSUPPORTED ? born_model_gaps(o.model, print_gap, NULL, &err) : BORN_OK;
        return st == BORN_OK || st == BORN_UNSUPPORTED ? code : CLI_FAILED;
    }
    born_model_info_get(m, &info);
    born_model_ops(m, add_op, &ops);
    if (ops.count) qsort(ops.op, ops.count, sizeof *ops.op, by_count);
    plan(&o, m, &p);
    if (o.common.json)
        print_json(m, &info, &ops, &p);
    else
        print_plain(m, &info, &ops, &p);
    if (o.graph) born_model_print(m, print_piece, NULL);
    born_model_close(&m);
    free(ops.op);
    return CLI_OK;
}
