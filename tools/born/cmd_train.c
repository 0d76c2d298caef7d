/* born train: a stock recipe on data. The recipe does the work (born/zoo.h); here are its options from the command
   line, what the terminal shows, Ctrl-C, and the last lines. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <born/zoo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if !defined(__wasi__)
#include <signal.h>
#endif
#if defined(BORN_HAVE_HUB)
#include <born/hub.h>
#endif

#include "train_view.h"

const char cli_train_help[] =
    "  --tui               live curves of loss and metric, on a terminal\n"
    "  --no-progress       no bar\n"
    "  --quiet             nothing but errors\n"
    "  --json              events as lines of JSON\n"
    "  --export FILE       write the trained network for running elsewhere: .onnx, .born, .safetensors\n"
    "  --max-bytes SIZE    most memory of a step's plan, such as 512M\n";

typedef struct train_options {
    born_recipe *recipe;
    const char *export;
    size_t max_bytes;
    bool tui, no_progress, quiet, json;
} train_options;

/* ---- help ------------------------------------------------------------------------------------------------------ */

static int recipe_index(const char *name)
{
    born_recipe_info info;
    for (int i = 0; born_recipe_info_get(i, &info) == BORN_OK; i++)
        if (!strcmp(info.name, name)) return i;
    return -1;
}

static void print_option(const born_option_info *o)
{
    char left[64];
    const char *value = o->kind == BORN_OPTION_INT    ? " N"
                        : o->kind == BORN_OPTION_REAL ? " X"
                        : o->kind == BORN_OPTION_FLAG ? ""
                        : o->kind == BORN_OPTION_WORD ? " WORD"
                                                      : " TEXT";
    snprintf(left, sizeof left, "--%s%s", o->name, value);
    printf("  %-19s %s", left, o->doc);
    if (o->choices) printf(": %s", o->choices);
    if (o->kind != BORN_OPTION_FLAG && o->def[0] && strcmp(o->def, "0")) printf(" (%s)", o->def);
    putchar('\n');
}

static void print_options(int recipe, bool common)
{
    born_option_info o;
    for (int i = 0; born_recipe_option_get(recipe, i, &o) == BORN_OK; i++)
        if (o.common == common) print_option(&o);
}

void cmd_train_more(int argc, char **argv)
{
    int chosen = -1;
    born_recipe_info info;

    for (int i = 1; i < argc && chosen < 0; i++) chosen = recipe_index(argv[i]);
    if (chosen >= 0 && born_recipe_info_get(chosen, &info) == BORN_OK) {
        printf("\nThe recipe %s: %s.\n", info.name, info.doc);
        print_options(chosen, false);
    } else {
        puts("\nRecipes ('born train RECIPE --help' shows its own options):");
        for (int i = 0; born_recipe_info_get(i, &info) == BORN_OK; i++) printf("  %-10s %s\n", info.name, info.doc);
        chosen = 0;
    }
    puts("\nOptions of all recipes, with what they are otherwise:");
    print_options(chosen, true);
}

/* ---- options --------------------------------------------------------------------------------------------------- */

/* 1: taken, 0: not one, -1: wrong (said). */
static int own_option(cli_args *a, train_options *o)
{
    const char *v;
    bool *flag = cli_flag(a, "--tui")           ? &o->tui
                 : cli_flag(a, "--no-progress") ? &o->no_progress
                 : cli_flag(a, "--quiet")       ? &o->quiet
                 : cli_flag(a, "--json")        ? &o->json
                                                : NULL;
    if (flag) return *flag = true, 1;
    if (cli_value(a, "--max-bytes", &v)) return cli_size("train", "--max-bytes", v, &o->max_bytes) ? 1 : -1;
    if (!cli_value(a, "--export", &v)) return 0;
    const char *dot = v ? strrchr(v, '.') : NULL;
    if (!dot || (strcmp(dot, ".onnx") && strcmp(dot, ".born") && strcmp(dot, ".safetensors")))
        return (void)cli_usage_error("train", "--export needs a file that ends in .onnx, .born or .safetensors"), -1;
#if !defined(BORN_HAVE_HUB)
    if (!strcmp(dot, ".safetensors"))
        return (void)cli_usage_error("train", "this build has no safetensors (component hub)"), -1;
#endif
    o->export = v;
    return 1;
}

static bool is_flag(int recipe, const char *name)
{
    born_option_info o;
    for (int i = 0; born_recipe_option_get(recipe, i, &o) == BORN_OK; i++)
        if (!strcmp(o.name, name)) return o.kind == BORN_OPTION_FLAG;
    return false;
}

/* "--name value", "--name=value" or a flag's "--name", as an option of the recipe. */
static int recipe_option(cli_args *a, int recipe, born_recipe *r)
{
    char name[64];
    const char *word = cli_word(a) + 2, *eq = strchr(word, '='), *value = eq ? eq + 1 : NULL;
    size_t n = eq ? (size_t)(eq - word) : strlen(word);
    born_error err;

    if (strncmp(cli_word(a), "--", 2) || n >= sizeof name)
        return cli_usage_error("train", "no option '%s'", cli_word(a));
    memcpy(name, word, n);
    name[n] = '\0';
    if (!born_recipe_get(r, name))
        return cli_usage_error("train", "%s has no option '--%s'", born_recipe_name(r), name);
    if (!value && is_flag(recipe, name)) value = "1";
    if (!value && !cli_value(a, cli_word(a), &value)) value = NULL;
    if (!value) return cli_usage_error("train", "--%s needs a value", name);
    if (born_recipe_set(r, name, value, &err)) return cli_usage_error("train", "--%s", err.text);
    return CLI_OK;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, train_options *o)
{
    cli_args a = cli_begin(argc, argv);
    born_error err;
    int recipe = -1;

    for (int i = 1; i < argc && !o->recipe; i++) {
        if (argv[i][0] == '-') continue;
        if (i > 1) break;
        recipe = recipe_index(argv[i]);
        if (born_recipe_open(argv[i], &o->recipe, &err)) return cli_usage_error("train", "%s", err.text);
    }
    if (!o->recipe) return cli_usage_error("train", "which recipe? It comes first: 'born train cnn'");
    (void)cli_next(&a);
    while (cli_next(&a)) {
        int r = own_option(&a, o);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (!cli_is_option(&a)) return cli_usage_error("train", "'%s' is no option", cli_word(&a));
        int code = recipe_option(&a, recipe, o->recipe);
        if (code) return code;
    }
    return -1;
}

/* ---- Ctrl-C ---------------------------------------------------------------------------------------------------- */

static volatile int stop;

#if !defined(__wasi__)
/* The first time the step finishes; again, half a second later or more (wrappers send signals twice): at once. */
static void on_interrupt(int number)
{
    static volatile double first;
    double now = cli_seconds();

    if (!stop) first = now;
    if (stop && now - first > 0.5) {
        train_tui_close();
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
    stop = 1;
}
static void catch_interrupts(void)
{
    struct sigaction act = { .sa_handler = on_interrupt };
    (void)sigemptyset(&act.sa_mask);
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
}
#else
static void catch_interrupts(void) { }
#endif

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void print_data(born_recipe *r)
{
    born_recipe_facts f;
    char a[32], b[32], c[32];

    born_recipe_facts_get(r, &f);
    printf("%s: %s parameters in %s\n", born_recipe_name(r),
           cli_count_text(born_module_param_count(born_recipe_net(r)), a), born_recipe_get(r, "dtype"));
    cli_count_text(f.train_items, a);
    cli_count_text(f.valid_items, b);
    if (f.data == BORN_RECIPE_IMAGES)
        printf("data: %s images of %lld x %lld x %lld in %lld classes, %s more to validate on\n", a,
               (long long)f.channels, (long long)f.height, (long long)f.width, (long long)f.classes, b);
    else if (f.data == BORN_RECIPE_TEXT)
        printf("data: %s windows of %s characters, %lld different ones, %s more to validate on\n", a,
               cli_count_text(f.context, c), (long long)f.classes, b);
    else if (f.classes > 0)
        printf("data: %s rows of %lld numbers in %lld classes, %s more to validate on\n", a, (long long)f.features,
               (long long)f.classes, b);
    else
        printf("data: %s rows of %lld numbers to predict one, %s more to validate on\n", a, (long long)f.features, b);
    fflush(stdout);
}

/* An argument as a shell takes it. */
static void print_word(const char *w)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,:+@%";
    bool plain = *w && strspn(w, harmless) == strlen(w);

    if (!plain) putchar('\'');
    for (; *w; w++) {
        if (*w == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*w);
    }
    if (!plain) putchar('\'');
}

static void print_resume(int argc, char **argv)
{
    bool resumed = false;

    fputs("go on with: born", stdout);
    for (int i = 0; i < argc; i++) {
        putchar(' ');
        print_word(argv[i]);
        resumed = resumed || !strcmp(argv[i], "--resume");
    }
    puts(resumed ? "" : " --resume");
}

static void print_end(const train_view *v, const born_train_result *result)
{
    born_recipe_facts f;
    char clock[24], memory[24];
    bool share = !strcmp(v->metric_name, "accuracy");

    born_recipe_facts_get(v->recipe, &f);
    if (v->kind == VIEW_TUI) train_view_table(v);
    if (result->why == BORN_TRAIN_EARLY) puts("no improvement: ended early");
    if (isfinite(result->best))
        printf("best: epoch %lld, %s %.*f%s", (long long)result->best_epoch,
               v->metric_name[0] ? v->metric_name : "valid loss", share ? 2 : 4,
               share ? 100 * result->best : result->best, share ? "%" : "");
    else
        fputs("no validation gave a number", stdout);
    printf("; %s in all, peak memory %s\n", cli_clock(result->seconds, clock),
           cli_bytes((double)cli_peak_memory(), memory));
    const char *path = v->best[0] ? v->best : v->last;
    if (!path[0]) return;
    printf("checkpoint: %s\npredict with: born predict %s %s\n", path, path,
           f.data == BORN_RECIPE_IMAGES ? "PICTURE.png    (or --index 0, of the data's test part)"
           : f.data == BORN_RECIPE_TEXT ? "--prompt TEXT"
                                        : "FILE.csv");
}

/* ---- the work -------------------------------------------------------------------------------------------------- */

static born_status write_export(const train_options *o, born_error *err)
{
    const char *dot = strrchr(o->export, '.');
    born_status st = born_recipe_best(o->recipe, err);

    if (st) return st;
#if defined(BORN_HAVE_HUB)
    if (!strcmp(dot, ".safetensors")) return born_module_save(born_recipe_net(o->recipe), o->export, err);
#else
    (void)dot;
#endif
    return born_recipe_export(o->recipe, o->export, err);
}

static view_kind choose_view(const train_options *o)
{
    if (o->json) return VIEW_JSON;
    if (o->quiet) return VIEW_QUIET;
    if (o->tui && isatty(1)) return VIEW_TUI;
    return isatty(2) && !o->no_progress ? VIEW_BAR : VIEW_LINES;
}

static int train(const train_options *o, train_view *v, int argc, char **argv)
{
    born_error err = { .status = BORN_OK };
    born_train_result result = { .seconds = 0 };
    const born_train_callback callback = { train_view_event, v };
    const born_recipe_desc d = { .callbacks = &callback, .callback_count = 1, .stop = &stop,
                                 .max_bytes = o->max_bytes };
    bool talks = v->kind != VIEW_JSON && v->kind != VIEW_QUIET;

    born_status st = born_recipe_prepare(o->recipe, &d, &err);
    if (st == BORN_INVALID) return cli_usage_error("train", "%s", err.text);
    if (st) return cli_fail("train", born_recipe_name(o->recipe), &err);
    if (talks) print_data(o->recipe);
    catch_interrupts();
    st = born_trainer_run(born_recipe_trainer(o->recipe), &result, &err);
    train_view_end(v);
    if (st && talks && v->last[0]) {
        printf("newest checkpoint: %s; ", v->last);
        print_resume(argc, argv);
    }
    if (st) return cli_fail("train", born_recipe_name(o->recipe), &err);
    if (talks && result.why == BORN_TRAIN_STOPPED) {
        if (v->kind == VIEW_TUI) train_view_table(v);
        printf("stopped after step %lld, all is saved; ", (long long)result.step);
        print_resume(argc, argv);
        return CLI_OK;
    }
    if (talks) print_end(v, &result);
    if (!o->export || result.why == BORN_TRAIN_STOPPED) return CLI_OK;
    st = write_export(o, &err);
    if (st) return cli_fail("train", o->export, &err);
    if (talks) printf("exported: %s\n", o->export);
    return CLI_OK;
}

int cmd_train(int argc, char **argv)
{
    train_options o = { .recipe = NULL };
    int code = parse(argc, argv, &o);
    train_view *v = code < 0 ? calloc(1, sizeof *v) : NULL;

    if (v) {
        v->recipe = o.recipe;
        v->kind = choose_view(&o);
        code = train(&o, v, argc, argv);
        train_view_close(v);
    } else if (code < 0) {
        code = cli_fail_text(CLI_FAILED, "train", "out of memory");
    }
    born_recipe_close(&o.recipe);
    free(v);
    return code;
}
