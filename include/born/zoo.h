/* Born: the zoo, stock recipes. A recipe is a network, the kind of data it learns from and the settings that train it
   well; each is one row of src/zoo/recipes.def and one function. A born_recipe is one of them at work: set options,
   prepare, run; or load a checkpoint, which holds all that rebuilds the network, and predict. The tool's verbs `train`
   and `predict` are this and a terminal. Options are texts by name, as on a command line without the dashes. */
#ifndef BORN_ZOO_H
#define BORN_ZOO_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "train.h"

BORN_C_BEGIN

typedef struct born_recipe born_recipe;

/* ---- what there is ----------------------------------------------------------------------------------------------- */

typedef enum born_recipe_data {
    BORN_RECIPE_IMAGES,         /* IDX files (MNIST's format) or a folder of pictures by class */
    BORN_RECIPE_TEXT,           /* a UTF-8 text, by characters */
    BORN_RECIPE_TABLE           /* a CSV file: classes or numbers */
} born_recipe_data;

typedef struct born_recipe_info {
    const char *name, *doc;
    born_recipe_data data;
    int option_count;           /* with those that all recipes have */
} born_recipe_info;

typedef enum born_option_kind {
    BORN_OPTION_INT,
    BORN_OPTION_REAL,
    BORN_OPTION_FLAG,           /* "1" or "0" */
    BORN_OPTION_WORD,           /* one of choices */
    BORN_OPTION_TEXT
} born_option_kind;

typedef struct born_option_info {
    const char *name, *def, *doc;
    const char *choices;        /* "a|b|c" of a word */
    born_option_kind kind;
    double lo, hi;              /* of a number */
    bool common;                /* all recipes have it */
} born_option_info;

BORN_API int born_recipe_count(void);
/// The i-th recipe and its o-th option. RANGE where there is none.
BORN_API BORN_CHECK born_status born_recipe_info_get(int i, born_recipe_info *out);
BORN_API BORN_CHECK born_status born_recipe_option_get(int i, int o, born_option_info *out);

/* ---- setting up -------------------------------------------------------------------------------------------------- */

/// A recipe with its default options. INVALID lists the names where there is none of this name.
BORN_API BORN_CHECK born_status born_recipe_open(const char *name, born_recipe **out, born_error *err);
/// Closes it and sets *r to NULL. NULL allowed.
BORN_API void born_recipe_close(born_recipe **r);
/// Sets an option by its text. INVALID: no such option, or no value of its kind; RANGE; STATE after prepare or load.
BORN_API BORN_CHECK born_status born_recipe_set(born_recipe *r, const char *option, const char *text,
                                                born_error *err);
/// An option's text, "" where it has none; NULL: there is no such option.
BORN_API const char *born_recipe_get(const born_recipe *r, const char *option);
BORN_API const char *born_recipe_name(const born_recipe *r);

/// What the data says; filled by prepare and load. Names live as long as the recipe.
typedef struct born_recipe_facts {
    born_recipe_data data;
    int64_t channels, height, width;    /* images */
    int64_t features;                   /* table */
    int64_t classes;                    /* or characters; 0: the target is a number */
    int64_t context;                    /* text: the most characters seen at once */
    int64_t train_items, valid_items;   /* 0: not known (loaded) */
} born_recipe_facts;
BORN_API void born_recipe_facts_get(const born_recipe *r, born_recipe_facts *out);
/// A class's or character's name; a table's column. NULL where there is none.
BORN_API const char *born_recipe_class(const born_recipe *r, int64_t i);
BORN_API const char *born_recipe_feature(const born_recipe *r, int64_t i);
/// The network; NULL before prepare or load.
BORN_API born_module *born_recipe_net(born_recipe *r);

/* ---- training ---------------------------------------------------------------------------------------------------- */

typedef struct born_recipe_desc {
    const born_train_callback *callbacks;   /* as of born_trainer_desc; borrowed while the recipe lives */
    int callback_count;
    const volatile int *stop;
    size_t max_bytes;           /* most memory of the plan; 0: what the machine allows */
} born_recipe_desc;

BORN_API BORN_CHECK born_status born_recipe_prepare_sized(born_recipe *r, const born_recipe_desc *desc,
                                                          size_t desc_bytes, born_error *err);
/// Opens the data, builds network, optimiser, schedule, loaders and trainer. IO where the data is not there: err says
/// what would bring it.
static inline BORN_CHECK born_status born_recipe_prepare(born_recipe *r, const born_recipe_desc *desc,
                                                         born_error *err)
{
    return born_recipe_prepare_sized(r, desc, sizeof(born_recipe_desc), err);
}
/// The trainer; NULL before prepare: born_trainer_run trains.
BORN_API born_trainer *born_recipe_trainer(born_recipe *r);
/// Ends training: puts what the best checkpoint predicts with (the averages, with ema) into the network. IO where there
/// is none.
BORN_API BORN_CHECK born_status born_recipe_best(born_recipe *r, born_error *err);
/// The folder that checkpoints go to.
BORN_API const char *born_recipe_folder(const born_recipe *r);
/// Saves the network for running elsewhere: ".onnx" and ".born" hold its forward for one item (text: one window).
BORN_API BORN_CHECK born_status born_recipe_export(born_recipe *r, const char *path, born_error *err);

/* ---- prediction -------------------------------------------------------------------------------------------------- */

/// Rebuilds a recipe from a checkpoint of its trainer, with its weights. threads 0: what the machine allows.
/// UNSUPPORTED: a checkpoint of something else.
BORN_API BORN_CHECK born_status born_recipe_load(const char *checkpoint, int threads, born_recipe **out,
                                                 born_error *err);
/// Numbers that a prediction has: a probability for each class, or the target.
BORN_API int64_t born_recipe_outputs(const born_recipe *r);
/// Predicts one item of images ([C, H, W] in [0, 1]) or of a table (features in the order of born_recipe_feature) into
/// y[born_recipe_outputs]. STATE for texts.
BORN_API BORN_CHECK born_status born_recipe_predict(born_recipe *r, const float *x, float *y, born_error *err);
/// A picture's bytes (PNG, JPEG; needs codecs) as an item: scaled, made grey where the network wants that.
BORN_API BORN_CHECK born_status born_recipe_picture(const born_recipe *r, const void *bytes, size_t byte_count,
                                                    float *x, born_error *err);
/// A data file or folder as the recipe reads it, items as born_recipe_predict takes them in field 0 and, where they are
/// known, labels (i64 or f32) in field 1. Of images the test part. path NULL or "": what it was trained on.
BORN_API BORN_CHECK born_status born_recipe_items(const born_recipe *r, const char *path, born_dataset **out,
                                                  born_error *err);

typedef struct born_generate_desc {
    const char *prompt;         /* NULL or "": a line break, or the first character there is */
    int64_t tokens;             /* 0: 500 */
    double temperature;         /* 0: 0.8; negative: always the likeliest */
    int64_t top_k;              /* 0: all */
    uint64_t seed;
} born_generate_desc;
/// Takes a character (n bytes of UTF-8); false ends the text.
typedef bool (*born_text_fn)(void *user, const char *text, size_t n);
BORN_API BORN_CHECK born_status born_recipe_generate_sized(born_recipe *r, const born_generate_desc *desc,
                                                           size_t desc_bytes, born_text_fn fn, void *user,
                                                           born_error *err);
/// Continues a text character by character, each given to fn. desc NULL: defaults. INVALID where the prompt has a
/// character that the network never saw.
static inline BORN_CHECK born_status born_recipe_generate(born_recipe *r, const born_generate_desc *desc,
                                                          born_text_fn fn, void *user, born_error *err)
{
    return born_recipe_generate_sized(r, desc, sizeof(born_generate_desc), fn, user, err);
}

BORN_C_END
#endif
