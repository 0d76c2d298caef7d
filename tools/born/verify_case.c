/* One test case: the model of a folder, run on the inputs of each of its data sets. */
#include "verify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_VALUES = 256, MAX_SETS = 1000 };

typedef struct running {
    const verify_options *o;
    born_model *model;
    born_session *session;
    born_model_info info;
    double rtol, atol;
    born_array *out;
} running;

static void failed(verify_result *r, const char *where, const char *why)
{
    r->outcome = VERIFY_FAILED;
    snprintf(r->reason, sizeof r->reason, "%s%s%s", where, where[0] ? ": " : "", why);
    for (char *p = r->reason; *p; p++)
        if (*p == '\n') *p = ' ';
}

/* "rtol R atol A" in tolerance.txt goes before the options. */
static void read_tolerance(const char *folder, running *x)
{
    char path[4096], line[256];
    FILE *f;

    x->rtol = x->o->rtol;
    x->atol = x->o->atol;
    if (snprintf(path, sizeof path, "%s/tolerance.txt", folder) >= (int)sizeof path || !(f = fopen(path, "r"))) return;
    while (fgets(line, sizeof line, f))
        for (char *p = line; (p = strpbrk(p, "ra")) != NULL;) {    /* "rtol 1e-3 atol 1e-5", on one line or more */
            double *to = !strncmp(p, "rtol ", 5) ? &x->rtol : !strncmp(p, "atol ", 5) ? &x->atol : NULL;
            if (to) *to = strtod(p + 5, &p);
            else p++;
        }
    fclose(f);
}

static bool exists(const char *path)
{
    struct stat s;

    return !stat(path, &s);
}

/* Reads <set>/<kind>_0.pb, _1.pb, ... as far as they go. */
static born_status read_set(const char *set, const char *kind, size_t max_bytes, cli_tensor *t, int *count,
                            born_error *err)
{
    char path[4200];
    unsigned char *bytes;
    size_t n;

    for (*count = 0; *count < MAX_VALUES; (*count)++) {
        snprintf(path, sizeof path, "%s/%s_%d.pb", set, kind, *count);
        if (!exists(path)) return BORN_OK;
        born_status st = cli_read_file(path, max_bytes, &bytes, &n, err);
        if (st) return st;
        cli_tensor *to = &t[*count];
        st = born_tensor_pb_read(bytes, n, max_bytes, to->name, sizeof to->name, &to->a, err);
        free(bytes);
        if (st) {
            char text[160];
            snprintf(text, sizeof text, "%.150s", err->text);
            return cli_error(err, st, "%s_%d.pb: %s", kind, *count, text);
        }
    }
    return cli_error(err, BORN_FORMAT, "more than %d values", MAX_VALUES);
}

/* The output that an expected tensor is for: the one of its name, else the one in its place. */
static int output_for(const running *x, const cli_tensor *want, int at)
{
    born_value_info v;

    for (int i = 0; want->name[0] && i < x->info.output_count; i++)
        if (born_model_output(x->model, i, &v) == BORN_OK && !strcmp(v.name, want->name)) return i;
    return at;
}

static void compare_set(running *x, const cli_tensor *want, int want_count, const char *label, verify_result *r)
{
    char why[240], where[160];
    born_value_info v;

    for (int i = 0; i < x->info.output_count; i++) r->hash = cli_hash(&x->out[i], r->hash);
    for (int i = 0; i < want_count; i++) {
        int k = output_for(x, &want[i], i);
        if (r->outcome == VERIFY_FAILED || verify_compare(&x->out[k], &want[i].a, x->rtol, x->atol, why, sizeof why))
            continue;
        if (born_model_output(x->model, k, &v)) v.name = "?";
        snprintf(where, sizeof where, "%s output '%.60s'", label, v.name);
        failed(r, where, why);
    }
}

static void run_set(running *x, const char *set, const char *label, verify_result *r)
{
    cli_tensor *in = calloc(2 * MAX_VALUES, sizeof *in), *want = in + MAX_VALUES;
    born_array *a = calloc(MAX_VALUES, sizeof *a);
    born_error err = { .status = BORN_OK };
    int in_count = 0, want_count = 0;
    size_t max = x->o->common.max_bytes;
    born_status st = in && a ? read_set(set, "input", max, in, &in_count, &err)
                             : cli_error(&err, BORN_NOMEM, "out of memory");

    if (!st) st = read_set(set, "output", max, want, &want_count, &err);
    for (int i = 0; !st && i < in_count; i++) a[i] = in[i].a;
    if (!st && want_count > x->info.output_count)
        st = cli_error(&err, BORN_FORMAT, "%d expected outputs, the model gives %d", want_count, x->info.output_count);
    if (!st) st = born_session_run(x->session, a, in_count, x->out, x->info.output_count, &err);
    if (st)
        failed(r, label, err.text);
    else
        compare_set(x, want, want_count, label, r);
    for (int i = 0; in && i < 2 * MAX_VALUES; i++) cli_tensor_free(&in[i]);
    free(in);
    free(a);
}

void verify_case(const char *folder, const verify_options *o, verify_result *r)
{
    char path[4096], set[4096], label[32];
    running x = { .o = o };
    born_error err = { .status = BORN_OK };
    double t0 = cli_seconds();
    born_model_desc md = { .max_bytes = o->common.max_bytes, .passes_off = o->common.passes_off };
    born_session_desc sd = { .threads = (int)o->common.threads, .max_bytes = o->common.max_bytes };

    *r = (verify_result){ .outcome = VERIFY_PASSED };
    read_tolerance(folder, &x);
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    born_status st = born_model_open(path, &md, &x.model, &err);
    if (!st) st = born_session_open(x.model, &sd, &x.session, &err);
    if (!st) {
        born_model_info_get(x.model, &x.info);
        x.out = calloc((size_t)x.info.output_count + 1, sizeof *x.out);
        if (!x.out) st = cli_error(&err, BORN_NOMEM, "out of memory");
    }
    if (st) failed(r, "", err.text);
    for (int k = 0; !st && k < MAX_SETS; k++) {
        if (snprintf(set, sizeof set, "%s/test_data_set_%d", folder, k) >= (int)sizeof set || !exists(set)) break;
        snprintf(label, sizeof label, "set %d", k);
        run_set(&x, set, label, r);
        r->sets++;
    }
    if (!st && !r->sets) {
        r->outcome = VERIFY_SKIPPED;
        snprintf(r->reason, sizeof r->reason, "no test_data_set_0");
    }
    free(x.out);
    born_session_close(&x.session);
    born_model_close(&x.model);
    r->seconds = cli_seconds() - t0;
}
