/* The command line: finds the verb, answers help, passes the environment on. Verbs are in cmd_<verb>.c. */
#include "cli.h"

#include <born/codecs.h>
#include <stdlib.h>
#include <string.h>

extern const char cli_run_help[], cli_inspect_help[], cli_verify_help[], cli_bench_help[], cli_ops_help[];
extern const char cli_train_help[], cli_predict_help[];

const cli_verb cli_verbs[] = {
    { "train", "RECIPE [--OPTION VALUE]...", "train a stock recipe on data: images, text, tables", cli_train_help,
      cmd_train, cmd_train_more },
    { "predict", "CHECKPOINT [FILE]...", "answer with what train made: classes, numbers, text", cli_predict_help,
      cmd_predict, NULL },
    { "run", "MODEL [--input [NAME=]FILE]... [--output NAME=FILE]...", "run a model and print what it answers",
      cli_run_help, cmd_run, NULL },
    { "inspect", "MODEL", "show a model's inputs, outputs, operators, memory", cli_inspect_help, cmd_inspect, NULL },
    { "verify", "DIR...", "run the test cases below each folder", cli_verify_help, cmd_verify, NULL },
    { "bench", "MODEL | --op NAME,...", "measure latency, throughput and memory", cli_bench_help, cmd_bench, NULL },
    { "ops", "[NAME]", "list the operators", cli_ops_help, cmd_ops, NULL },
    { "help", "[VERB]", "show this, or the help of a verb", "", cmd_help, NULL },
    { "version", "", "show the version, components and licences",
      "  --licenses          print the notices of the libraries in this build\n  --json\n", cmd_version, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL },
};

static const cli_verb *find_verb(const char *name)
{
    for (const cli_verb *v = cli_verbs; v->name; v++)
        if (!strcmp(v->name, name)) return v;
    return NULL;
}

static void print_verb(const cli_verb *v, int argc, char **argv)
{
    printf("usage: born %s %s\n%s\n", v->name, v->usage, v->summary);
    if (v->help[0]) printf("\n%s", v->help);
    if (v->more) v->more(argc, argv);
}

static void print_all(FILE *f)
{
    fprintf(f, "born %s: a model is born ready for deployment\n\n", born_version());
    for (const cli_verb *v = cli_verbs; v->name; v++) fprintf(f, "  born %-8s %s\n", v->name, v->summary);
    fprintf(f, "\n'born VERB --help' says more. BORN_CPU=scalar|avx2|avx512|neon caps the instructions used;\n"
               "BORN_DUMP=PASS prints the graph after that pass.\n");
}

int cmd_help(int argc, char **argv)
{
    const cli_verb *v = argc > 1 ? find_verb(argv[1]) : NULL;

    if (argc > 1 && !v) return cli_usage_error("help", "no verb '%s'; 'born help' lists them", argv[1]);
    if (v)
        print_verb(v, argc - 1, argv + 1);
    else
        print_all(stdout);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    born_error err = { .status = BORN_OK };

    born_codecs_install();
    if (argc < 2) {
        print_all(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) return print_all(stdout), CLI_OK;
    if (!strcmp(argv[1], "--version")) argv[1] = (char *)"version";
    const cli_verb *v = find_verb(argv[1]);
    if (!v) return cli_usage_error("", "no verb '%s'; 'born help' lists them", argv[1]);
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return print_verb(v, argc - 1, argv + 1), CLI_OK;
    const char *level = getenv("BORN_CPU");
    if (level && level[0] && born_cpu_level_cap(level, &err)) return cli_fail(v->name, "BORN_CPU", &err);
    if (born_guard_install(&err) && err.status != BORN_UNSUPPORTED) return cli_fail(v->name, "guard", &err);
    int code = v->run(argc - 1, argv + 1);
    if (fflush(stdout) || ferror(stdout)) return cli_fail_text(CLI_FAILED, v->name, "cannot write to standard output");
    return code;
}
