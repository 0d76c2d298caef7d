/* The zoo: rows and options, each recipe on a little data of its kind, checkpoints that rebuild it, errors.
   ctest-labels: posix */
#include <born/born.h>
#include <born/zoo.h>

#include "../harness.h"
#include "data_helpers.h"
#include "graph/model.h"

enum { IMAGES = 96, SIDE = 12, CLASSES = 3, MOST_OUTPUTS = 64 };

/* ---- data ------------------------------------------------------------------------------------------------------ */

static void put_be(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* A folder of IDX files: the class is where a bright square stands. */
static const char *write_images(void)
{
    static char folder[300];
    static unsigned char pixels[16 + IMAGES * SIDE * SIDE], labels[8 + IMAGES];

    put_be(pixels, 0x00000803);
    put_be(pixels + 4, IMAGES);
    put_be(pixels + 8, SIDE);
    put_be(pixels + 12, SIDE);
    put_be(labels, 0x00000801);
    put_be(labels + 4, IMAGES);
    for (int i = 0; i < IMAGES; i++) {
        unsigned char *p = pixels + 16 + i * SIDE * SIDE;
        labels[8 + i] = (unsigned char)(i * 7 % CLASSES);
        for (int k = 0; k < SIDE * SIDE; k++) {
            int x = k % SIDE, y = k / SIDE, at = 4 * labels[8 + i];
            bool bright = x >= at && x < at + 4 && y >= 4 && y < 8;
            p[k] = (unsigned char)((bright ? 200 : 20) + (i * 31 + k * 17) % 40);
        }
    }
    (void)snprintf(folder, sizeof folder, "%s/zoo_idx", data_folder());
    (void)mkdir(folder, 0700);
    (void)data_write("zoo_idx/train-images-idx3-ubyte", pixels, sizeof pixels);
    (void)data_write("zoo_idx/train-labels-idx1-ubyte", labels, sizeof labels);
    return folder;
}

static const char *write_text(void)
{
    static char text[4096];
    size_t at = 0;
    for (int i = 0; at + 40 < sizeof text; i++)
        at += (size_t)snprintf(text + at, 40, "Zeile %d: ja, %s.\n", i % 37, i % 3 ? "gr\xc3\xbcn" : "rot");
    return data_write("zoo.txt", text, at);
}

static const char *write_table(void)
{
    static char text[8192];
    size_t at = (size_t)snprintf(text, 64, "a,b,kind,size\n");
    for (int i = 0; i < 120; i++)
        at += (size_t)snprintf(text + at, 64, "%d,%.2f,%s,%.3f\n", i % 11, (i * 37 % 50) / 10.0,
                               i % 11 < 5 ? "small" : "large", 3.0 * (i % 11) + 10);
    return data_write("zoo.csv", text, at);
}

static void set(born_recipe *r, const char *option, const char *text)
{
    born_error err = { 0 };
    if (born_recipe_get(r, option)) CHECK_MSG(!born_recipe_set(r, option, text, &err), "%s: %s", option, err.text);
}

/* A recipe made small, on data of its kind. */
static born_recipe *small_recipe(const char *name, const char *folder)
{
    static const char *const options[][2] = {
        { "width", "8" },  { "layers", "1" },  { "heads", "2" }, { "hidden", "8" }, { "context", "16" },
        { "batch", "16" }, { "warmup", "0" },  { "steps", "3" }, { "threads", "1" }, { "stride", "8" },
    };
    born_error err = { 0 };
    born_recipe *r = NULL;
    born_recipe_facts f;

    if (!CHECK_MSG(!born_recipe_open(name, &r, &err), "%s", err.text)) return NULL;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) set(r, options[i][0], options[i][1]);
    born_recipe_facts_get(r, &f);
    set(r, "data", f.data == BORN_RECIPE_IMAGES ? write_images() : f.data == BORN_RECIPE_TEXT ? write_text()
                                                                                          : write_table());
    set(r, "target", "kind");
    set(r, "columns", "a,b");
    set(r, "out", folder);
    return r;
}

/* ---- rows ------------------------------------------------------------------------------------------------------ */

TEST(rows_have_valid_defaults)
{
    born_recipe_info info;
    born_option_info o, other;
    born_error err = { 0 };

    CHECK(born_recipe_count() >= 7);
    for (int i = 0; i < born_recipe_count(); i++) {
        born_recipe *r = NULL;
        int n = 0;
        REQUIRE(born_recipe_info_get(i, &info) == BORN_OK);
        if (!CHECK_MSG(!born_recipe_open(info.name, &r, &err), "%s: %s", info.name, err.text)) continue;
        CHECK_TEXT(born_recipe_name(r), info.name);
        for (; born_recipe_option_get(i, n, &o) == BORN_OK; n++) {
            CHECK_TEXT(born_recipe_get(r, o.name), o.def);
            for (int k = 0; k < n && born_recipe_option_get(i, k, &other) == BORN_OK; k++)
                CHECK_MSG(strcmp(other.name, o.name) != 0, "%s has %s twice", info.name, o.name);
        }
        CHECK_INT(n, info.option_count);
        born_recipe_close(&r);
        CHECK(r == NULL);
    }
    CHECK_INT(born_recipe_info_get(born_recipe_count(), &info), BORN_RANGE);
    CHECK_INT(born_recipe_option_get(-1, 0, &o), BORN_RANGE);
}

TEST(options_are_checked)
{
    born_error err = { 0 };
    born_recipe *r = NULL;

    CHECK_INT(born_recipe_open("nothing", &r, &err), BORN_INVALID);
    CHECK(r == NULL && strstr(err.text, "mlp") != NULL);
    REQUIRE_OK(born_recipe_open("mlp", &r, &err), &err);
    CHECK_INT(born_recipe_set(r, "nothing", "1", &err), BORN_INVALID);
    CHECK_INT(born_recipe_set(r, "width", "0", &err), BORN_RANGE);
    CHECK_INT(born_recipe_set(r, "width", "1.5", &err), BORN_RANGE);
    CHECK_INT(born_recipe_set(r, "width", "x", &err), BORN_INVALID);
    CHECK_INT(born_recipe_set(r, "lr", "nan", &err), BORN_INVALID);
    CHECK_INT(born_recipe_set(r, "schedule", "cos", &err), BORN_INVALID);
    CHECK_INT(born_recipe_set(r, "schedule", "one-cycle", &err), BORN_OK);
    CHECK_TEXT(born_recipe_get(r, "width"), "256");
    CHECK(born_recipe_get(r, "heads") == NULL);
    CHECK(born_recipe_net(r) == NULL && born_recipe_trainer(r) == NULL);
    CHECK_INT(born_recipe_predict(r, NULL, NULL, &err), BORN_STATE);
    born_recipe_close(&r);
    born_recipe_close(&r);
}

/* ---- each recipe ----------------------------------------------------------------------------------------------- */

/* An item of the recipe's data in x. */
static bool first_item(const born_recipe *r, float *x)
{
    born_dataset *items = NULL;
    born_error err = { 0 };
    int64_t label;

    if (!CHECK_MSG(!born_recipe_items(r, NULL, &items, &err), "%s", err.text)) return false;
    bool got = CHECK(data_get(items, 0, x, &label, &err));
    born_dataset_close(&items);
    return got;
}

static bool collect(void *user, const char *text, size_t n)
{
    char *all = user;
    size_t have = strlen(all);
    if (have + n >= 256) return false;
    memcpy(all + have, text, n);
    all[have + n] = '\0';
    return true;
}

/* The same checkpoint gives the same answers as the network it was saved from. */
static void compare(born_recipe *trained, born_recipe *loaded)
{
    static float x[SIDE * SIDE], a[MOST_OUTPUTS], b[MOST_OUTPUTS];
    char first[256] = "", second[256] = "";
    born_error err = { 0 };
    born_recipe_facts f, g;
    double sum = 0;

    born_recipe_facts_get(trained, &f);
    born_recipe_facts_get(loaded, &g);
    CHECK(f.channels == g.channels && f.height == g.height && f.features == g.features && f.classes == g.classes);
    for (int64_t i = 0; i < f.classes; i++) CHECK_TEXT(born_recipe_class(loaded, i), born_recipe_class(trained, i));
    if (f.data == BORN_RECIPE_TEXT) {
        const born_generate_desc d = { .prompt = "Zeile", .tokens = 40, .seed = 3, .temperature = 1, .top_k = 5 };
        CHECK_MSG(!born_recipe_generate(trained, &d, collect, first, &err), "%s", err.text);
        CHECK_MSG(!born_recipe_generate(loaded, &d, collect, second, &err), "%s", err.text);
        CHECK_TEXT(second, first);
        CHECK(strlen(first) >= 40);
        CHECK_INT(born_recipe_generate(loaded, &(born_generate_desc){ .prompt = "\xc3\xa4" }, collect, second, &err),
                  BORN_INVALID);
        return;
    }
    REQUIRE(born_recipe_outputs(loaded) <= MOST_OUTPUTS && first_item(loaded, x));
    CHECK_MSG(!born_recipe_predict(trained, x, a, &err), "%s", err.text);
    CHECK_MSG(!born_recipe_predict(loaded, x, b, &err), "%s", err.text);
    CHECK(memcmp(a, b, (size_t)born_recipe_outputs(loaded) * sizeof *a) == 0);
    for (int64_t i = 0; i < f.classes; i++) sum += (double)b[i];
    if (f.classes > 0) CHECK_MSG(sum > 0.999 && sum < 1.001, "probabilities sum to %g", sum);
}

static void train_and_load(const char *name, const char *extra, const char *value)
{
    char folder[300], file[400];
    born_error err = { 0 };
    born_recipe *r, *loaded = NULL;
    born_train_result result;

    (void)snprintf(folder, sizeof folder, "%s/zoo_%s", data_folder(), name);
    r = small_recipe(name, folder);
    if (r && extra) set(r, extra, value);
    if (!r || !CHECK_MSG(!born_recipe_prepare(r, NULL, &err), "%s: %s", name, err.text)) {
        born_recipe_close(&r);
        return;
    }
    CHECK_INT(born_recipe_set(r, "lr", "1", &err), BORN_STATE);
    CHECK(born_module_param_count(born_recipe_net(r)) > 0);
    CHECK_MSG(!born_trainer_run(born_recipe_trainer(r), &result, &err), "%s: %s", name, err.text);
    CHECK_MSG(!born_recipe_best(r, &err), "%s: %s", name, err.text);
    (void)snprintf(file, sizeof file, "%s/best.born", folder);
    if (CHECK_MSG(!born_recipe_load(file, 1, &loaded, &err), "%s: %s", name, err.text)) compare(r, loaded);
    (void)snprintf(file, sizeof file, "%s/net.onnx", folder);
    CHECK_MSG(!born_recipe_export(r, file, &err), "%s: %s", name, err.text);
    born_recipe_close(&loaded);
    born_recipe_close(&r);
}

TEST(each_recipe_trains_saves_and_predicts)
{
    born_recipe_info info;
    for (int i = 0; born_recipe_info_get(i, &info) == BORN_OK; i++) train_and_load(info.name, NULL, NULL);
}

TEST(variants_train_too)
{
    train_and_load("gpt", "tie", "1");
    train_and_load("mlp", "dtype", "bf16");
    train_and_load("mlp", "mixup", "0.2");
    train_and_load("cnn", "ema", "0.9");
    train_and_load("cnn", "label-smoothing", "0.1");
    train_and_load("tabular", "schedule", "plateau");
    train_and_load("mlp", "optim", "lion");
}

TEST(tables_predict_numbers)
{
    char folder[300], file[400];
    born_error err = { 0 };
    born_recipe *loaded = NULL, *r;
    born_train_result result;
    float x[2] = { 4, 2 }, y = 0;

    (void)snprintf(folder, sizeof folder, "%s/zoo_number", data_folder());
    r = small_recipe("tabular", folder);
    REQUIRE(r != NULL);
    set(r, "target", "size");
    set(r, "regression", "1");
    set(r, "steps", "400");
    set(r, "width", "32");
    REQUIRE_OK(born_recipe_prepare(r, NULL, &err), &err);
    REQUIRE_OK(born_trainer_run(born_recipe_trainer(r), &result, &err), &err);
    CHECK_MSG(result.best > 0.9, "R2 is %g", result.best);
    born_recipe_close(&r);
    (void)snprintf(file, sizeof file, "%s/best.born", folder);
    REQUIRE_OK(born_recipe_load(file, 1, &loaded, &err), &err);
    CHECK_TEXT(born_recipe_feature(loaded, 0), "a");
    CHECK_INT(born_recipe_predict(loaded, x, &y, &err), BORN_OK);
    CHECK_MSG(y > 19 && y < 25, "%g, not about 22", (double)y);
    born_recipe_close(&loaded);
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static void expect_open(const char *name, const char *option, const char *value, born_status want, const char *text)
{
    char folder[300];
    born_error err = { 0 };
    (void)snprintf(folder, sizeof folder, "%s/zoo_none", data_folder());
    born_recipe *r = small_recipe(name, folder);
    if (!r) return;
    set(r, option, value);
    CHECK_INT(born_recipe_prepare(r, NULL, &err), want);
    CHECK_MSG(strstr(err.text, text) != NULL, "'%s' lacks '%s'", err.text, text);
    born_recipe_close(&r);
}

TEST(what_is_missing_is_said)
{
    expect_open("mlp", "data", "/nowhere", BORN_IO, "/nowhere");
    expect_open("gpt", "data", "/nowhere.txt", BORN_IO, "/nowhere.txt");
    expect_open("gpt", "data", "", BORN_INVALID, "--data");
    expect_open("gpt", "context", "4000", BORN_SHAPE, "context");
    expect_open("gpt", "heads", "3", BORN_INVALID, "heads");
    expect_open("tabular", "target", "colour", BORN_INVALID, "colour");
    expect_open("tabular", "columns", "a,c", BORN_INVALID, "'c'");
    expect_open("mlp", "optim", "best", BORN_INVALID, "AdamW");
    expect_open("tabular", "warmup", "10", BORN_INVALID, "warmup");
}

static void put_meta(born_checkpoint *c, const char *name, const char *text)
{
    char key[64];
    born_error err = { 0 };
    (void)snprintf(key, sizeof key, "meta.%s", name);
    CHECK_INT(born_checkpoint_put_text(c, key, text, strlen(text), &err), BORN_OK);
}

/* Texts of a checkpoint, each time one of them changed. */
TEST(checkpoints_are_hostile)
{
    static const char *const texts[][2] = {
        { "recipe.data.sizes", "0 12 12 0 3" },        { "recipe.data.sizes", "1 12 12 0" },
        { "recipe.data.sizes", "1 99999999 12 0 3" },  { "recipe.data.sizes", "1 12 12 5 3" },
        { "recipe.data.sizes", "1 12 1.5 0 3" },       { "recipe.data.mean", "x" },
        { "recipe.data.deviation", "0" },              { "recipe.data.classes", "a\nb\n" },
        { "recipe.option.width", "1000000" },          { "recipe.option.layers", "" },
        { "recipe", "nothing" },                       { "recipe.data.target_scale", "" },
        { "recipe.option.width", "8" },
    };
    static const char *const fixed[][2] = {
        { "recipe.data.target", "" }, { "recipe.data.features", "" }, { "recipe.data.target_scale", "0 1" },
        { "recipe.data.sizes", "1 12 12 0 3" }, { "recipe.data.mean", "0.5" }, { "recipe.data.deviation", "0.5" },
        { "recipe.data.classes", "a\nb\nc\n" }, { "recipe", "mlp" },
    };
    born_error err = { 0 };
    born_recipe *r = NULL;
    const char *file = data_path("zoo_hostile.born");

    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        born_checkpoint *c = NULL;
        bool empty = i == sizeof texts / sizeof *texts;
        REQUIRE_OK(born_checkpoint_new(&c, &err), &err);
        for (size_t k = 0; k < sizeof fixed / sizeof *fixed && !empty; k++) put_meta(c, fixed[k][0], fixed[k][1]);
        if (!empty) put_meta(c, texts[i][0], texts[i][1]);
        CHECK_INT(born_checkpoint_write(c, file, &err), BORN_OK);
        born_checkpoint_close(&c);
        CHECK_MSG(born_recipe_load(file, 1, &r, &err) != BORN_OK && r == NULL, "case %zu loads", i);
        CHECK_MSG(strstr(err.text, "zoo_hostile") != NULL, "%s", err.text);
    }
    CHECK_INT(born_recipe_load(data_path("zoo.csv"), 1, &r, &err) == BORN_OK, 0);
}

TEST_MAIN
