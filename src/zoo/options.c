/* The tables of recipes and options, and the values that a recipe's options have. A recipe's options are the rows whose
   scope is "*", its kind of data or its name; its own settings go before the rows' defaults. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "data/file.h"
#include "zoo/schedule.h"
#include "zoo/zoo.h"

#define DATA_images BORN_RECIPE_IMAGES
#define DATA_text BORN_RECIPE_TEXT
#define DATA_table BORN_RECIPE_TABLE

typedef struct own_default {
    const char *recipe, *option, *text;
} own_default;

/* Each table is the rows of one of the three macros; the other two give nothing. */
#define OPTION(...)
#define SETTING(...)
#define RECIPE(name, data, doc) { #name, doc, DATA_##data, born__zoo_##name },
static const born_zoo_row recipes[] = {
#include "zoo/recipes.def"
};
#undef RECIPE
#undef SETTING
#define RECIPE(...)
#define SETTING(recipe, option, text) { recipe, #option, text },
static const own_default settings[] = {
#include "zoo/recipes.def"
};
#undef SETTING
#undef OPTION
#define SETTING(...)
#define OPTION(scope, name, kind, def, lo, hi, choices, stays, doc)                                                    \
    { scope, { #name, def, doc, choices, BORN_OPTION_##kind, lo, hi, false }, stays },
static const born_zoo_option options[] = {
#include "zoo/recipes.def"
};
#undef OPTION
#undef SETTING
#undef RECIPE

enum { RECIPES = sizeof recipes / sizeof *recipes, OPTIONS = sizeof options / sizeof *options,
       SETTINGS = sizeof settings / sizeof *settings };

const born_zoo_row *born__zoo_row(int i)
{
    return i >= 0 && i < RECIPES ? &recipes[i] : NULL;
}

const born_zoo_data *born__zoo_data(born_recipe_data kind)
{
    return kind == BORN_RECIPE_IMAGES ? &born__zoo_images : kind == BORN_RECIPE_TEXT ? &born__zoo_text
                                                                                     : &born__zoo_table;
}

int born_recipe_count(void) { return RECIPES; }

static bool has_option(const born_zoo_row *row, const born_zoo_option *o)
{
    return !strcmp(o->scope, "*") || !strcmp(o->scope, row->name) ||
           !strcmp(o->scope, born__zoo_data(row->data)->name);
}

static const char *default_of(const born_zoo_row *row, const born_zoo_option *o)
{
    for (int i = 0; i < SETTINGS; i++)
        if (!strcmp(settings[i].recipe, row->name) && !strcmp(settings[i].option, o->info.name))
            return settings[i].text;
    return o->info.def;
}

born_status born_recipe_info_get(int i, born_recipe_info *out)
{
    const born_zoo_row *row = born__zoo_row(i);
    if (!row) return BORN_RANGE;
    *out = (born_recipe_info){ row->name, row->doc, row->data, 0 };
    for (int o = 0; o < OPTIONS; o++) out->option_count += has_option(row, &options[o]);
    return BORN_OK;
}

born_status born_recipe_option_get(int i, int o, born_option_info *out)
{
    const born_zoo_row *row = born__zoo_row(i);
    for (int k = 0; row && k < OPTIONS; k++) {
        if (!has_option(row, &options[k]) || o-- > 0) continue;
        *out = options[k].info;
        out->common = options[k].scope[0] == '*';
        out->def = default_of(row, &options[k]);
        return BORN_OK;
    }
    return BORN_RANGE;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *p = choices; *p;) {
        size_t word = strcspn(p, "|");
        if (word == n && !strncmp(p, text, n)) return true;
        p += word + (p[word] == '|');
    }
    return false;
}

/* The number that a text of this option is; texts count as 0. */
static born_status check_value(const born_option_info *o, const char *text, double *number, born_error *err)
{
    *number = 0;
    if (o->kind == BORN_OPTION_TEXT) return BORN_OK;
    if (o->kind == BORN_OPTION_WORD) {
        BORN_FAIL_IF(!is_choice(o->choices, text), err, BORN_INVALID, "%s: '%.40s' is none of %s", o->name, text,
                     o->choices);
        return BORN_OK;
    }
    BORN_FAIL_IF(!born__parse_number(text, strlen(text), number), err, BORN_INVALID, "%s: '%.40s' is no number",
                 o->name, text);
    bool whole = o->kind == BORN_OPTION_REAL || !(*number > floor(*number));
    BORN_FAIL_IF(!whole || *number < o->lo || *number > o->hi, err, BORN_RANGE, "%s: %.40s is not %s from %g to %g",
                 o->name, text, o->kind == BORN_OPTION_REAL ? "a number" : "a whole number", o->lo, o->hi);
    return BORN_OK;
}

static born_option_value *value_of(const born_recipe *r, const char *option)
{
    for (int i = 0; i < r->value_count; i++)
        if (!strcmp(r->value[i].option->info.name, option)) return (born_option_value *)&r->value[i];
    return NULL;
}

static born_status set_value(born_recipe *r, born_option_value *v, const char *text, born_error *err)
{
    double number;
    BORN_TRY(check_value(&v->option->info, text, &number, err));
    const char *copy = born__arena_strdup(&r->arena, text, strlen(text));
    BORN_FAIL_IF(!copy, err, BORN_NOMEM, "no memory for option %s", v->option->info.name);
    v->text = copy;
    v->number = number;
    return BORN_OK;
}

born_status born__zoo_options_init(born_recipe *r, born_error *err)
{
    for (int k = 0; k < OPTIONS; k++) {
        if (!has_option(r->row, &options[k])) continue;
        BORN_FAIL_IF(r->value_count == BORN_ZOO_MOST_OPTIONS, err, BORN_INTERNAL, "recipe %s: too many options",
                     r->row->name);
        born_option_value *v = &r->value[r->value_count];
        v->option = &options[k];
        BORN_TRY(set_value(r, v, default_of(r->row, &options[k]), err));
        r->value_count++;
    }
    return BORN_OK;
}

born_status born_recipe_set(born_recipe *r, const char *option, const char *text, born_error *err)
{
    BORN_FAIL_IF(!r || !option || !text, err, BORN_INVALID, "recipe: an option needs a name and a text");
    BORN_FAIL_IF(r->fixed, err, BORN_STATE, "recipe %s is prepared: its options stay", r->row->name);
    born_option_value *v = value_of(r, option);
    BORN_FAIL_IF(!v, err, BORN_INVALID, "recipe %s has no option '%.60s'", r->row->name, option);
    return set_value(r, v, text, err);
}

const char *born_recipe_get(const born_recipe *r, const char *option)
{
    const born_option_value *v = r && option ? value_of(r, option) : NULL;
    return v ? v->text : NULL;
}

int64_t born__zoo_int(const born_recipe *r, const char *option) { return (int64_t)born__zoo_real(r, option); }

double born__zoo_real(const born_recipe *r, const char *option)
{
    const born_option_value *v = value_of(r, option);
    return v ? v->number : 0;
}

const char *born__zoo_text_of(const born_recipe *r, const char *option)
{
    const born_option_value *v = value_of(r, option);
    return v ? v->text : "";
}
