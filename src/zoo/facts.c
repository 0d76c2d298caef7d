/* What rebuilds a network, as texts of a checkpoint (which keeps them as "meta.<key>"): "recipe" is the recipe's name,
   "recipe.option.<name>" an option's text, "recipe.data.<name>" a fact of the data. Reading treats them as hostile:
   each number is checked, and sizes and lists must agree. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/file.h"
#include "zoo/zoo.h"

#define META "meta."           /* the trainer's prefix */

enum { MOST_SIDE = 1 << 14, MOST_CLASSES = 65536, MOST_FEATURES = 65536, MOST_META = 2 * (BORN_ZOO_MOST_OPTIONS + 16) };

/* ---- writing --------------------------------------------------------------------------------------------------- */

static bool add_pair(born_recipe *r, const char *key, const char *name, const char *text)
{
    char full[96];
    int n = snprintf(full, sizeof full, "%s%s", key, name);
    const char *k = n > 0 ? born__arena_strdup(&r->arena, full, strlen(full)) : NULL;

    if (!k || !text || 2 * r->meta_count + 2 > MOST_META) return false;
    r->meta[2 * r->meta_count] = k;
    r->meta[2 * r->meta_count++ + 1] = text;
    return true;
}

/* Numbers with blanks between them, each exact, whatever the locale's decimal point is. */
static const char *numbers(born_arena *a, const float *v, int64_t n)
{
    enum { EACH = 18 };
    char *text = born__arena_alloc(a, (size_t)n * EACH + 1);
    size_t at = 0;

    for (int64_t i = 0; text && i < n; i++) {
        int k = snprintf(text + at, EACH, i ? " %.9g" : "%.9g", (double)v[i]);
        for (int c = 0; c < k; c++)
            if (text[at + (size_t)c] == ',') text[at + (size_t)c] = '.';
        at += (size_t)k;
    }
    return text;
}

static const char *whole(born_arena *a, const int64_t *v, int n)
{
    char text[96];
    int at = 0;

    for (int i = 0; i < n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, i ? " %lld" : "%lld", (long long)v[i]);
    return born__arena_strdup(a, text, (size_t)at);
}

/* Strings as lines: each ends with a line break; breaks and backslashes inside are escaped. */
static const char *lines_of(born_arena *a, const char *const *name, int64_t n)
{
    size_t bytes = 1, at = 0;

    for (int64_t i = 0; i < n; i++) bytes += 2 * strlen(name[i]) + 1;
    char *text = born__arena_alloc(a, bytes);
    for (int64_t i = 0; text && i < n; i++) {
        for (const char *p = name[i]; *p; p++) {
            if (*p == '\n' || *p == '\\') text[at++] = '\\';
            text[at++] = *p == '\n' ? 'n' : *p;
        }
        text[at++] = '\n';
    }
    return text;
}

static bool add_facts(born_recipe *r)
{
    const born_facts *f = &r->facts;
    const int64_t sizes[] = { f->channels, f->height, f->width, f->features, f->classes };
    const float target[] = { f->target_mean, f->target_std };
    born_arena *a = &r->arena;
    int64_t planes = f->channels + f->features;
    static const char key[] = "recipe.data.";

    return add_pair(r, key, "sizes", whole(a, sizes, 5)) && add_pair(r, key, "mean", numbers(a, f->mean, planes)) &&
           add_pair(r, key, "deviation", numbers(a, f->std, planes)) &&
           add_pair(r, key, "target_scale", numbers(a, target, 2)) &&
           add_pair(r, key, "target", f->target ? f->target : "") &&
           add_pair(r, key, "classes", lines_of(a, f->class_name, f->classes)) &&
           add_pair(r, key, "features", lines_of(a, f->feature_name, f->features));
}

born_status born__zoo_meta_make(born_recipe *r, born_error *err)
{
    r->meta = born__arena_alloc(&r->arena, MOST_META * sizeof *r->meta);
    bool ok = r->meta && add_pair(r, "recipe", "", r->row->name);
    for (int i = 0; i < r->value_count && ok; i++)
        if (r->value[i].option->stays)
            ok = add_pair(r, "recipe.option.", r->value[i].option->info.name, r->value[i].text);
    ok = ok && add_facts(r);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "no memory for the recipe's texts");
    return BORN_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

bool born__zoo_facts_take(born_recipe *r, int64_t planes)
{
    r->facts.mean = born__arena_alloc(&r->arena, ((size_t)planes + 1) * sizeof(float));
    r->facts.std = born__arena_alloc(&r->arena, ((size_t)planes + 1) * sizeof(float));
    return r->facts.mean && r->facts.std;
}

int64_t born__zoo_lines(born_arena *a, const char *text, size_t n, const char ***out)
{
    int64_t count = 0, at = 0;
    char *copy = born__arena_alloc(a, n + 1);

    for (size_t i = 0; i < n; i++) count += text[i] == '\n' || i + 1 == n;
    *out = born__arena_alloc(a, ((size_t)count + 1) * sizeof **out);
    if (!copy || !*out) return -1;
    for (size_t i = 0; i < n && at < count; i++) {
        (*out)[at++] = copy;
        for (; i < n && text[i] != '\n'; i++) {
            bool escaped = text[i] == '\\' && i + 1 < n && text[i + 1] != '\n';
            if (escaped) i++;
            *copy++ = escaped && text[i] == 'n' ? '\n' : text[i];
        }
        *copy++ = '\0';
    }
    return at;
}

born_status born__zoo_classes_of(born_recipe *r, const born_dataset *set, born_error *err)
{
    born_facts *f = &r->facts;
    f->classes = born_dataset_class_count(set);
    f->class_name = born__arena_alloc(&r->arena, ((size_t)f->classes + 1) * sizeof *f->class_name);
    BORN_FAIL_IF(!f->class_name, err, BORN_NOMEM, "no memory for class names");
    for (int64_t i = 0; i < f->classes; i++) {
        const char *name = born_dataset_class_name(set, i);
        f->class_name[i] = born__arena_strdup(&r->arena, name ? name : "", name ? strlen(name) : 0);
        BORN_FAIL_IF(!f->class_name[i], err, BORN_NOMEM, "no memory for class names");
    }
    return BORN_OK;
}

static born_status fact(const born_checkpoint *c, const char *name, const char **text, size_t *n, born_error *err)
{
    char key[64];
    (void)snprintf(key, sizeof key, META "recipe.data.%s", name);
    return born_checkpoint_text(c, key, text, n, err);
}

/* Exactly `want` finite numbers. */
static born_status read_numbers(const born_checkpoint *c, const char *name, int64_t want, double *out, born_error *err)
{
    const char *p;
    size_t n;
    BORN_TRY(fact(c, name, &p, &n, err));
    const char *end = p + n;
    for (int64_t i = 0; i < want; i++) {
        while (p < end && *p == ' ') p++;
        const char *word = p;
        while (p < end && *p != ' ') p++;
        BORN_FAIL_IF(!born__parse_number(word, (size_t)(p - word), &out[i]) || !isfinite(out[i]), err, BORN_FORMAT,
                     "recipe.data.%s: number %lld is none", name, (long long)i);
    }
    while (p < end && *p == ' ') p++;
    BORN_FAIL_IF(p < end, err, BORN_FORMAT, "recipe.data.%s: more than %lld numbers", name, (long long)want);
    return BORN_OK;
}

static born_status read_floats(const born_checkpoint *c, const char *name, int64_t want, float *out, bool positive,
                               born_error *err)
{
    double *v = born__calloc((size_t)want + 1, sizeof *v);
    born_status st = v ? read_numbers(c, name, want, v, err) : born__fail(err, BORN_NOMEM, "no memory");
    for (int64_t i = 0; i < want && !st; i++) {
        out[i] = (float)v[i];
        if (!isfinite(out[i]) || (positive && !(out[i] > 0)))
            st = born__fail(err, BORN_FORMAT, "recipe.data.%s: %g is out of range", name, v[i]);
    }
    born__free(v);
    return st;
}

static born_status read_lines(born_recipe *r, const born_checkpoint *c, const char *name, int64_t want,
                              const char ***out, born_error *err)
{
    const char *text;
    size_t n;
    BORN_TRY(fact(c, name, &text, &n, err));
    int64_t got = born__zoo_lines(&r->arena, text, n, out);
    BORN_FAIL_IF(got < 0, err, BORN_NOMEM, "no memory for names");
    BORN_FAIL_IF(got != want, err, BORN_FORMAT, "recipe.data.%s: %lld names, not %lld", name, (long long)got,
                 (long long)want);
    return BORN_OK;
}

/* Sizes that fit the kind of data. */
static bool sensible(const born_recipe *r, const double v[5])
{
    static const double most[5] = { 4, MOST_SIDE, MOST_SIDE, MOST_FEATURES, MOST_CLASSES };
    bool images = r->row->data == BORN_RECIPE_IMAGES, table = r->row->data == BORN_RECIPE_TABLE;

    for (int i = 0; i < 5; i++) {
        bool wanted = i < 3 ? images : i == 3 ? table : !table;
        bool refused = i < 3 ? !images : i == 3 && !table;
        if (v[i] < (wanted ? 1 : 0) || v[i] > (refused ? 0 : most[i]) || v[i] > floor(v[i])) return false;
    }
    return true;
}

static born_status read_options(const born_checkpoint *c, born_recipe *r, born_error *err)
{
    char key[96], *text;
    const char *p;
    size_t n;

    for (int i = 0; i < r->value_count; i++) {
        if (!r->value[i].option->stays) continue;
        const char *name = r->value[i].option->info.name;
        (void)snprintf(key, sizeof key, META "recipe.option.%s", name);
        if (born_checkpoint_text(c, key, &p, &n, NULL)) continue; /* an option newer than the checkpoint */
        text = born__arena_strdup(&r->arena, p, n);
        BORN_FAIL_IF(!text, err, BORN_NOMEM, "no memory for options");
        BORN_TRY(born_recipe_set(r, name, text, err));
    }
    return BORN_OK;
}

born_status born__zoo_meta_read(const born_checkpoint *c, born_recipe *r, born_error *err)
{
    born_facts *f = &r->facts;
    double v[5];
    float target[2];
    const char *text;
    size_t n;

    BORN_TRY(read_options(c, r, err));
    BORN_TRY(read_numbers(c, "sizes", 5, v, err));
    BORN_FAIL_IF(!sensible(r, v), err, BORN_FORMAT, "recipe.data.sizes: no sizes of %s",
                 born__zoo_data(r->row->data)->name);
    f->channels = (int64_t)v[0];
    f->height = (int64_t)v[1];
    f->width = (int64_t)v[2];
    f->features = (int64_t)v[3];
    f->classes = (int64_t)v[4];
    BORN_FAIL_IF(!born__zoo_facts_take(r, f->channels + f->features), err, BORN_NOMEM, "no memory for facts");
    BORN_TRY(read_floats(c, "mean", f->channels + f->features, f->mean, false, err));
    BORN_TRY(read_floats(c, "deviation", f->channels + f->features, f->std, true, err));
    BORN_TRY(read_floats(c, "target_scale", 2, target, false, err));
    f->target_mean = target[0];
    f->target_std = target[1];
    BORN_TRY(read_lines(r, c, "classes", f->classes, &f->class_name, err));
    BORN_TRY(read_lines(r, c, "features", f->features, &f->feature_name, err));
    BORN_TRY(fact(c, "target", &text, &n, err));
    f->target = born__arena_strdup(&r->arena, text, n);
    BORN_FAIL_IF(!f->target, err, BORN_NOMEM, "no memory for facts");
    return BORN_OK;
}

born_status born__zoo_meta_recipe(const born_checkpoint *c, const char **name, born_error *err)
{
    size_t n;
    born_status st = born_checkpoint_text(c, META "recipe", name, &n, NULL);
    BORN_FAIL_IF(st, err, BORN_UNSUPPORTED, "not a checkpoint of a recipe: 'born train' writes those");
    return BORN_OK;
}
