/* The answers of born predict: a picture and the likeliest classes with bars, a line for a table's row, or JSON. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "draw_picture.h"
#include "predict.h"

enum { BAR = 24, MOST_TOP = 64 };

/* The likeliest classes, best first. */
static int likeliest(const predictor *p, int64_t *index)
{
    int64_t n = born_recipe_outputs(p->recipe);
    int have = 0, most = p->o->top < MOST_TOP ? (int)p->o->top : MOST_TOP;

    for (int64_t i = 0; i < n; i++) {
        if (have == most && !(p->y[i] > p->y[index[have - 1]])) continue;
        int at = have < most ? have++ : have - 1;
        for (; at > 0 && p->y[index[at - 1]] < p->y[i]; at--) index[at] = index[at - 1];
        index[at] = i;
    }
    return have;
}

static const char *class_name(const predictor *p, int64_t i)
{
    const char *name = born_recipe_class(p->recipe, i);
    return name ? name : "";
}

static void print_bar(float share)
{
    int filled = (int)(share * BAR + 0.5f);
    for (int i = 0; i < filled; i++) fputs(cli_utf8() ? "\xe2\x96\x88" : "#", stdout);
}

static void json_classes(predictor *p, const int64_t *index, int n)
{
    cli_json *j = &p->json;

    cli_json_key(j, "top");
    cli_json_open(j, '[');
    for (int i = 0; i < n; i++) {
        cli_json_open(j, '{');
        cli_json_key(j, "class");
        cli_json_text(j, class_name(p, index[i]));
        cli_json_key(j, "index");
        cli_json_int(j, index[i]);
        cli_json_key(j, "probability");
        cli_json_real(j, (double)p->y[index[i]]);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void show_json(predictor *p, const char *name, int64_t label, float number, bool known, const int64_t *index,
                      int n)
{
    cli_json *j = &p->json;
    bool classes = p->facts.classes > 0;

    cli_json_open(j, '{');
    cli_json_key(j, "input");
    cli_json_text(j, name);
    if (known) {
        cli_json_key(j, "label");
        if (classes)
            cli_json_text(j, class_name(p, label));
        else
            cli_json_real(j, (double)number);
    }
    if (classes) {
        json_classes(p, index, n);
    } else {
        cli_json_key(j, "value");
        cli_json_real(j, (double)p->y[0]);
    }
    cli_json_close(j, '}');
}

static void show_picture(predictor *p, const char *name, int64_t label, bool known, const int64_t *index, int n)
{
    const born_recipe_facts *f = &p->facts;

    printf("%s", name);
    if (known) printf(": %s%s", class_name(p, label), label == index[0] ? "" : "  (answered wrongly)");
    putchar('\n');
    if (!p->o->no_picture) picture_draw(p->x, f->channels, f->height, f->width, isatty(1) != 0);
    for (int i = 0; i < n; i++) {
        printf("  %-14s %5.1f%%  ", class_name(p, index[i]), 100 * (double)p->y[index[i]]);
        print_bar(p->y[index[i]]);
        putchar('\n');
    }
}

static void show_row(const predictor *p, const char *name, int64_t label, float number, bool known,
                     const int64_t *index)
{
    if (p->facts.classes > 0) {
        printf("%-10s %-20s %5.1f%%", name, class_name(p, index[0]), 100 * (double)p->y[index[0]]);
        if (known) printf("  %s", label == index[0] ? "right" : class_name(p, label));
    } else {
        printf("%-10s %14.7g", name, (double)p->y[0]);
        if (known) printf("  should be %.7g", (double)number);
    }
    putchar('\n');
}

void predict_show(predictor *p, const char *name, const void *label)
{
    int64_t index[MOST_TOP] = { 0 }, is = 0;
    float number = 0;
    int n = p->facts.classes > 0 ? likeliest(p, index) : 0;

    if (p->answered++ == 0) p->first_s = cli_seconds() - p->began;
    if (label && p->facts.classes > 0) memcpy(&is, label, sizeof is);
    if (label && p->facts.classes == 0) memcpy(&number, label, sizeof number);
    p->labelled += label != NULL;
    p->right += label && p->facts.classes > 0 && is == index[0];
    if (label) p->squares += (double)(p->y[0] - number) * (double)(p->y[0] - number);
    if (p->o->json)
        show_json(p, name, is, number, label != NULL, index, n);
    else if (p->facts.data == BORN_RECIPE_IMAGES)
        show_picture(p, name, is, label != NULL, index, n);
    else
        show_row(p, name, is, number, label != NULL, index);
}

void predict_summary(const predictor *p)
{
    char memory[24];

    if (p->labelled > 1 && p->facts.classes > 0)
        printf("%lld of %lld right (%.2f%%)\n", (long long)p->right, (long long)p->labelled,
               100 * (double)p->right / (double)p->labelled);
    if (p->labelled > 1 && p->facts.classes == 0)
        printf("root of the mean squared error: %.6g\n", sqrt(p->squares / (double)p->labelled));
    if (p->o->time)
        printf("opened in %.1f ms, first answer after %.1f ms, peak memory %s\n", p->load_s * 1e3, p->first_s * 1e3,
               cli_bytes((double)cli_peak_memory(), memory));
}
