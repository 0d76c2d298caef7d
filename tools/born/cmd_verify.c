/* born verify: runs every test case below the folders it is given. */
#include "verify.h"

#include <stdlib.h>
#include <string.h>

const char cli_verify_help[] =
    "A test case is a folder with model.onnx and test_data_set_0, 1, ..., each with input_K.pb and output_K.pb.\n"
    "Prints 'FAIL folder: reason' for each that fails and last 'N passed, N failed, N skipped'.\n\n"
    "  --rtol R --atol A   floats may differ by A + R * |expected| (default 1e-3 and 1e-7); a tolerance.txt\n"
    "                      ('rtol R atol A') in the folder goes before them\n"
    "  --match TEXT        only folders whose path contains TEXT\n"
    "  --hash              print a hash of each model's outputs\n"
    "  --timeout S         a case may take S seconds (default 600; 0: no end)\n"
    "  --in-process        run the cases in this process\n" CLI_COMMON_HELP;

/* An option of this verb alone: 1 taken, 0 not one, -1 wrong (said). */
static int own_option(cli_args *a, verify_options *o)
{
    const char *v;

    if (cli_value(a, "--rtol", &v)) return cli_real("verify", "--rtol", v, &o->rtol) ? 1 : -1;
    if (cli_value(a, "--atol", &v)) return cli_real("verify", "--atol", v, &o->atol) ? 1 : -1;
    if (cli_value(a, "--timeout", &v)) return cli_int("verify", "--timeout", v, 0, 86400, &o->timeout_s) ? 1 : -1;
    if (cli_value(a, "--match", &v)) {
        if (!v) (void)cli_usage_error("verify", "--match needs a text");
        o->match = v;
        return v ? 1 : -1;
    }
    bool *flag = cli_flag(a, "--hash") ? &o->hash : cli_flag(a, "--in-process") ? &o->in_process : NULL;
    if (flag) *flag = true;
    return flag ? 1 : 0;
}

static int parse(int argc, char **argv, verify_options *o, const char **root, int *roots)
{
    cli_args a = cli_begin(argc, argv);

    *o = (verify_options){ .rtol = 1e-3, .atol = 1e-7, .timeout_s = 600 };
    *roots = 0;
    while (cli_next(&a)) {
        int r = cli_common_option(&a, &o->common);
        if (!r) r = own_option(&a, o);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (cli_is_option(&a)) return cli_usage_error("verify", "no option '%s'", cli_word(&a));
        root[(*roots)++] = cli_word(&a);
    }
    return *roots ? -1 : cli_usage_error("verify", "which folder?");
}

static void report(cli_json *j, const verify_options *o, const char *folder, const verify_result *r)
{
    static const char *const names[] = { "passed", "failed", "skipped" };
    char hash[20];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)r->hash);
    if (!o->common.json) {
        if (r->outcome == VERIFY_FAILED) printf("FAIL %s: %s\n", folder, r->reason);
        if (r->outcome == VERIFY_SKIPPED) printf("SKIP %s: %s\n", folder, r->reason);
        if (o->hash && r->outcome != VERIFY_SKIPPED) printf("HASH %s %s\n", folder, hash);
        return;
    }
    cli_json_open(j, '{');
    cli_json_key(j, "folder");
    cli_json_text(j, folder);
    cli_json_key(j, "outcome");
    cli_json_text(j, names[r->outcome]);
    cli_json_key(j, "reason");
    cli_json_text(j, r->reason);
    cli_json_key(j, "sets");
    cli_json_int(j, r->sets);
    cli_json_key(j, "seconds");
    cli_json_real(j, r->seconds);
    cli_json_key(j, "hash");
    cli_json_text(j, hash);
    cli_json_close(j, '}');
}

static int run_all(const verify_options *o, const verify_list *list)
{
    long count[3] = { 0, 0, 0 };
    cli_json j = { 0 };
    verify_result r;

    if (o->common.json) {
        cli_json_open(&j, '{');
        cli_json_key(&j, "cases");
        cli_json_open(&j, '[');
    }
    for (size_t i = 0; i < list->count; i++) {
        if (o->match && !strstr(list->path[i], o->match)) continue;
        if (i && !strcmp(list->path[i], list->path[i - 1])) continue;
        cli_progress("verify", (long)i, (long)list->count);
        if (o->in_process)
            verify_case(list->path[i], o, &r);
        else
            verify_apart(list->path[i], o, &r);
        if (r.outcome > VERIFY_SKIPPED) r.outcome = VERIFY_FAILED;
        r.reason[sizeof r.reason - 1] = 0;
        cli_progress("", 0, 0);
        count[r.outcome]++;
        report(&j, o, list->path[i], &r);
    }
    if (o->common.json) {
        static const char *const names[] = { "passed", "failed", "skipped" };
        cli_json_close(&j, ']');
        for (int i = 0; i < 3; i++) {
            cli_json_key(&j, names[i]);
            cli_json_int(&j, count[i]);
        }
        cli_json_close(&j, '}');
        cli_json_end();
    } else {
        printf("%ld passed, %ld failed, %ld skipped\n", count[0], count[1], count[2]);
    }
    return count[1] ? CLI_FAILED : CLI_OK;
}

int cmd_verify(int argc, char **argv)
{
    verify_options o;
    verify_list list = { 0 };
    born_error err = { .status = BORN_OK };
    const char **root = calloc((size_t)argc, sizeof *root);
    int roots = 0;

    if (!root) return cli_fail_text(CLI_FAILED, "verify", "out of memory");
    int code = parse(argc, argv, &o, root, &roots);
    for (int i = 0; code < 0 && i < roots; i++)
        if (verify_find(root[i], &list, &err)) code = cli_fail("verify", root[i], &err);
    if (code < 0) {
        verify_sort(&list);
        if (!list.count) fprintf(stderr, "born verify: no folder with a model.onnx below %s\n", root[0]);
        code = run_all(&o, &list);
    }
    verify_free(&list);
    free(root);
    return code;
}
