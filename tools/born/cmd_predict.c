/* born predict: answers by a checkpoint that born train wrote, which holds all that is needed: pictures and items of
   image sets get classes, rows of CSV files classes or numbers, texts a continuation. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"

const char cli_predict_help[] =
    "  FILE                pictures (.png, .jpg), or a .csv file for a table\n"
    "  --data PATH         image set, folder or table whose items to take (default: what it was trained on)\n"
    "  --index N[,N...]    which items of it (images: of the test part)\n"
    "  --top K             how many classes to show (default 3)\n"
    "  --no-picture        do not draw pictures\n"
    "  --prompt TEXT       how the text begins\n"
    "  --tokens N          characters to write (default 500)\n"
    "  --temperature X     below 1 bolder, above 1 wilder; 0 always the likeliest (default 0.8)\n"
    "  --top-k K           choose among the K likeliest characters (default: all)\n"
    "  --seed N            of the choices (default 1)\n"
    "  --threads N         threads to use (default: what the machine allows)\n"
    "  --time              print start-up time and peak memory\n"
    "  --json              print the result as JSON\n";

/* ---- options --------------------------------------------------------------------------------------------------- */

static bool parse_indices(const char *text, predict_options *o)
{
    char part[24];

    for (const char *p = text ? text : ""; o->index_count < PREDICT_MOST;) {
        size_t n = strcspn(p, ",");
        if (n >= sizeof part) break;
        memcpy(part, p, n);
        part[n] = '\0';
        if (!cli_int("predict", "--index", part, 0, 1000000000, &o->index[o->index_count])) return false;
        o->index_count++;
        if (!p[n]) return true;
        p += n + 1;
    }
    (void)cli_usage_error("predict", "--index needs whole numbers with commas, at most %d", PREDICT_MOST);
    return false;
}

static int number_option(cli_args *a, predict_options *o)
{
    static const struct { const char *name; size_t at; long lo, hi; } rows[] = {
        { "--top", offsetof(predict_options, top), 1, 64 },
        { "--tokens", offsetof(predict_options, tokens), 1, 100000000 },
        { "--top-k", offsetof(predict_options, top_k), 1, 1000000 },
        { "--seed", offsetof(predict_options, seed), 0, 1000000000 },
        { "--threads", offsetof(predict_options, threads), 1, 4096 },
    };
    const char *v;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (cli_value(a, rows[i].name, &v))
            return cli_int("predict", rows[i].name, v, rows[i].lo, rows[i].hi, (long *)((char *)o + rows[i].at)) ? 1
                                                                                                                 : -1;
    if (!cli_value(a, "--temperature", &v)) return 0;
    if (!cli_real("predict", "--temperature", v, &o->temperature)) return -1;
    if (o->temperature >= 0 && o->temperature <= 100) return 1;
    (void)cli_usage_error("predict", "--temperature needs a number from 0 to 100");
    return -1;
}

/* 1: taken, 0: not one, -1: wrong (said). */
static int option(cli_args *a, predict_options *o)
{
    const char *v;
    bool *flag = cli_flag(a, "--json")         ? &o->json
                 : cli_flag(a, "--no-picture") ? &o->no_picture
                 : cli_flag(a, "--time")       ? &o->time
                                               : NULL;
    if (flag) return *flag = true, 1;
    if (cli_value(a, "--index", &v)) return parse_indices(v, o) ? 1 : -1;
    bool data = cli_value(a, "--data", &v);
    if (data || cli_value(a, "--prompt", &v)) {
        if (!v) return (void)cli_usage_error("predict", "%s needs a value", data ? "--data" : "--prompt"), -1;
        *(data ? &o->data : &o->prompt) = v;
        return 1;
    }
    return number_option(a, o);
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, predict_options *o)
{
    cli_args a = cli_begin(argc, argv);

    while (cli_next(&a)) {
        int r = option(&a, o);
        if (r < 0) return CLI_USAGE;
        if (r) continue;
        if (cli_is_option(&a)) return cli_usage_error("predict", "no option '%s'", cli_word(&a));
        if (!o->checkpoint)
            o->checkpoint = cli_word(&a);
        else if (o->file_count < PREDICT_MOST)
            o->file[o->file_count++] = cli_word(&a);
        else
            return cli_usage_error("predict", "more than %d files", PREDICT_MOST);
    }
    if (o->checkpoint) return -1;
    return cli_usage_error("predict", "which checkpoint? 'born train' writes runs/RECIPE/best.born");
}

/* ---- items ----------------------------------------------------------------------------------------------------- */

static born_status answer(predictor *p, const char *name, const void *label, born_error *err)
{
    born_status st = born_recipe_predict(p->recipe, p->x, p->y, err);
    if (!st) predict_show(p, name, label);
    return st;
}

static born_status answer_item(predictor *p, born_dataset *set, int64_t index, const char *what, born_error *err)
{
    char name[64];
    union { int64_t i; float f; } label = { 0 };
    void *dst[2] = { p->x, &label }, *scratch = malloc(born_dataset_scratch_bytes(set) + 128);
    bool labelled = born_dataset_field_count(set) > 1;

    if (!scratch) return cli_error(err, BORN_NOMEM, "out of memory");
    void *aligned = (char *)scratch + (64 - (uintptr_t)scratch % 64) % 64;
    const born_item_request q = { .index = index, .dst = dst, .scratch = aligned };
    born_status st = born_dataset_get(set, &q, err);
    free(scratch);
    snprintf(name, sizeof name, "%s %lld", what, (long long)index);
    return st ? st : answer(p, name, labelled ? &label : NULL, err);
}

/* The items of a set that --index names, or all of them. */
static born_status answer_set(predictor *p, const char *path, const char *what, born_error *err)
{
    born_dataset *set = NULL;
    born_field field;
    born_status st = born_recipe_items(p->recipe, path, &set, err);

    if (!st) st = born_dataset_field(set, 0, &field);
    if (!st && cli_count(&field.shape) != p->item_count)
        st = cli_error(err, BORN_SHAPE, "items of %lld numbers, not %lld", (long long)cli_count(&field.shape),
                       (long long)p->item_count);
    int64_t n = st ? 0 : p->o->index_count ? p->o->index_count : born_dataset_count(set);
    for (int64_t i = 0; i < n && !st; i++)
        st = answer_item(p, set, p->o->index_count ? p->o->index[i] : i, what, err);
    born_dataset_close(&set);
    return st;
}

static born_status answer_picture(predictor *p, const char *path, born_error *err)
{
    unsigned char *bytes;
    size_t n;
    born_status st = cli_read_file(path, (size_t)1 << 28, &bytes, &n, err);

    if (st) return st;
    st = born_recipe_picture(p->recipe, bytes, n, p->x, err);
    free(bytes);
    if (st) {
        const born_error why = *err;
        return cli_error(err, st, "%.100s: %.120s", path, why.text);
    }
    return answer(p, path, NULL, err);
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

typedef struct text_sink {
    char *text;                 /* for JSON; else it is printed */
    size_t n, room;
    bool keep;
} text_sink;

static bool take_text(void *user, const char *text, size_t n)
{
    text_sink *s = user;

    if (!s->keep) {
        fwrite(text, 1, n, stdout);
        return fflush(stdout) == 0;
    }
    if (s->n + n + 1 > s->room) {
        size_t room = 2 * (s->n + n + 1);
        char *more = realloc(s->text, room);
        if (!more) return false;
        s->text = more;
        s->room = room;
    }
    memcpy(s->text + s->n, text, n);
    s->n += n;
    s->text[s->n] = '\0';
    return true;
}

static born_status answer_text(predictor *p, born_error *err)
{
    const predict_options *o = p->o;
    text_sink s = { .keep = o->json };
    const born_generate_desc d = { .prompt = o->prompt, .tokens = o->tokens, .top_k = o->top_k,
                                   .temperature = o->temperature > 0 ? o->temperature : -1, .seed = (uint64_t)o->seed };

    if (!o->json && o->prompt) fputs(o->prompt, stdout);
    double began = cli_seconds();
    born_status st = born_recipe_generate(p->recipe, &d, take_text, &s, err);
    double took = cli_seconds() - began;
    if (!st && !o->json) putchar('\n');
    if (!st && !o->json && o->time)
        printf("%.0f characters a second\n", took > 0 ? (double)(o->tokens ? o->tokens : 500) / took : 0);
    if (!st && o->json) {
        cli_json_open(&p->json, '{');
        cli_json_key(&p->json, "prompt");
        cli_json_text(&p->json, o->prompt ? o->prompt : "");
        cli_json_key(&p->json, "text");
        cli_json_text(&p->json, s.text ? s.text : "");
        cli_json_close(&p->json, '}');
    }
    free(s.text);
    return st;
}

/* ---- the work -------------------------------------------------------------------------------------------------- */

static born_status answer_all(predictor *p, born_error *err)
{
    const predict_options *o = p->o;
    bool images = p->facts.data == BORN_RECIPE_IMAGES;
    born_status st = BORN_OK;

    if (p->facts.data == BORN_RECIPE_TEXT) return answer_text(p, err);
    for (int i = 0; i < o->file_count && !st; i++)
        st = images ? answer_picture(p, o->file[i], err) : answer_set(p, o->file[i], "row", err);
    if (o->file_count == 0 || (images && o->index_count > 0))
        if (!st) st = answer_set(p, o->data, images ? "image" : "row", err);
    return st;
}

static void json_begin(predictor *p)
{
    cli_json_open(&p->json, '{');
    cli_json_key(&p->json, "checkpoint");
    cli_json_text(&p->json, p->o->checkpoint);
    cli_json_key(&p->json, "recipe");
    cli_json_text(&p->json, born_recipe_name(p->recipe));
    cli_json_key(&p->json, "answers");
    cli_json_open(&p->json, '[');
}

static void json_end(predictor *p)
{
    cli_json_close(&p->json, ']');
    if (p->labelled > 0 && p->facts.classes > 0) {
        cli_json_key(&p->json, "accuracy");
        cli_json_real(&p->json, (double)p->right / (double)p->labelled);
    }
    cli_json_key(&p->json, "open_ms");
    cli_json_real(&p->json, p->load_s * 1e3);
    cli_json_key(&p->json, "first_ms");
    cli_json_real(&p->json, p->first_s * 1e3);
    cli_json_key(&p->json, "peak_bytes");
    cli_json_int(&p->json, (int64_t)cli_peak_memory());
    cli_json_close(&p->json, '}');
    cli_json_end();
}

/* What options ask for that this kind of recipe cannot do: a usage error's code, else -1. */
static int refuse(const predictor *p)
{
    const predict_options *o = p->o;
    bool text = p->facts.data == BORN_RECIPE_TEXT, images = p->facts.data == BORN_RECIPE_IMAGES;
    const char *name = born_recipe_name(p->recipe);

    if (text && (o->file_count || o->index_count || o->data))
        return cli_usage_error("predict", "%s continues a text: give --prompt", name);
    if (!text && o->prompt) return cli_usage_error("predict", "%s continues no text", name);
    if (images && !o->file_count && !o->index_count && !o->data)
        return cli_usage_error("predict", "which pictures? Give files, or --index N of its test images");
    return -1;
}

static int predict(predictor *p)
{
    born_error err = { .status = BORN_OK };
    const predict_options *o = p->o;

    p->began = cli_seconds();
    born_status st = born_recipe_load(o->checkpoint, (int)o->threads, &p->recipe, &err);
    if (st) return cli_fail("predict", o->checkpoint, &err);
    p->load_s = cli_seconds() - p->began;
    born_recipe_facts_get(p->recipe, &p->facts);
    int code = refuse(p);
    if (code >= 0) return code;
    p->item_count = p->facts.channels * p->facts.height * p->facts.width + p->facts.features;
    p->x = calloc((size_t)p->item_count + 1, sizeof *p->x);
    p->y = calloc((size_t)born_recipe_outputs(p->recipe) + 1, sizeof *p->y);
    if (!p->x || !p->y) return cli_fail_text(CLI_FAILED, "predict", "out of memory");
    if (o->json) json_begin(p);
    st = answer_all(p, &err);
    if (o->json) json_end(p);
    if (st) return cli_fail("predict", o->checkpoint, &err);
    if (!o->json) predict_summary(p);
    return CLI_OK;
}

int cmd_predict(int argc, char **argv)
{
    predict_options *o = calloc(1, sizeof *o);
    predictor p = { .o = o };

    if (!o) return cli_fail_text(CLI_FAILED, "predict", "out of memory");
    o->top = 3;
    o->temperature = 0.8;
    o->seed = 1;
    int code = parse(argc, argv, o);
    if (code < 0) code = predict(&p);
    born_recipe_close(&p.recipe);
    free(p.x);
    free(p.y);
    free(o);
    return code;
}
