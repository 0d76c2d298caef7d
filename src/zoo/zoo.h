/* The inside of a recipe at work: the values of its options, what the data said, and what was made of both. Networks
   (mlp.c, gpt.c, ...) see options and facts only; data_<kind>.c makes datasets and facts; recipe.c owns it all. */
#ifndef BORN_ZOO_ZOO_H
#define BORN_ZOO_ZOO_H
#include <born/born.h>
#include <born/zoo.h>

#include "base/alloc.h"
#include "base/error.h"

#define BORN_ZOO_MOST_OPTIONS 64

/* Facts of the data, in the recipe's arena. What an index or a size is made of was checked when it was set. */
typedef struct born_facts {
    int64_t channels, height, width, features, classes;
    float *mean, *std;              /* of each channel or feature */
    float target_mean, target_std;  /* of a number to predict */
    const char **class_name, **feature_name;
    const char *target;             /* column of the table */
} born_facts;

typedef void (*born_build_fn)(born_module *net, const born_recipe *r);

/* A kind of data. */
typedef struct born_zoo_data {
    const char *name;
    /* Fills facts and opens r->train_set and r->valid_set, ready for loaders. */
    born_status (*open)(born_recipe *r, born_error *err);
    /* What born_recipe_items gives; NULL: nothing of the kind. */
    born_status (*items)(const born_recipe *r, const char *path, born_dataset **out, born_error *err);
} born_zoo_data;
extern const born_zoo_data born__zoo_images, born__zoo_text, born__zoo_table;

typedef struct born_zoo_row {
    const char *name, *doc;
    born_recipe_data data;
    born_build_fn build;
} born_zoo_row;
const born_zoo_row *born__zoo_row(int i);           /* NULL behind the last */
const born_zoo_data *born__zoo_data(born_recipe_data kind);

typedef struct born_zoo_option {
    const char *scope;
    born_option_info info;
    bool stays;
} born_zoo_option;

typedef struct born_option_value {
    const born_zoo_option *option;
    const char *text;           /* in the arena */
    double number;
} born_option_value;

struct born_recipe {
    const born_zoo_row *row;
    born_arena arena;
    born_option_value value[BORN_ZOO_MOST_OPTIONS];
    int value_count;
    bool fixed;                 /* prepared or loaded */
    born_facts facts;
    const char **meta;          /* key and value in turn, in the arena */
    int meta_count;             /* pairs */
    born_dataset *train_set, *valid_set;
    born_loader *train, *valid;
    born_backend *b;
    born_module *net;
    born_optim *optim;
    born_sched *sched;
    born_ema *ema;
    born_metric *metric;
    born_trainer *trainer;
    born_cross_entropy_attrs loss_attrs;
};

/* Options: options.c. The values of options by name; 0 or "" where the recipe has none of this name. */
born_status born__zoo_options_init(born_recipe *r, born_error *err);
int64_t born__zoo_int(const born_recipe *r, const char *option);
double born__zoo_real(const born_recipe *r, const char *option);
const char *born__zoo_text_of(const born_recipe *r, const char *option);

/* Facts and options as the texts of a checkpoint, and back: facts.c. */
born_status born__zoo_meta_make(born_recipe *r, born_error *err);
born_status born__zoo_meta_read(const born_checkpoint *c, born_recipe *r, born_error *err);
/* The name of the recipe that a checkpoint is of. */
born_status born__zoo_meta_recipe(const born_checkpoint *c, const char **name, born_error *err);
bool born__zoo_facts_take(born_recipe *r, int64_t planes);  /* room for mean and std of so many; false: no memory */
/* Copies the dataset's class names. */
born_status born__zoo_classes_of(born_recipe *r, const born_dataset *set, born_error *err);
/* Lines of a text as strings in the arena, with "\n" and "\\" for what lines cannot hold; -1: no memory. */
int64_t born__zoo_lines(born_arena *a, const char *text, size_t n, const char ***out);

/* Adds a parameter [rows, width] of normal numbers of deviation 0.02. */
void born__zoo_learned(born_module *m, const char *name, int64_t rows, int64_t width);
/* Builds the network of the options and facts: recipe.c. */
born_status born__zoo_build(born_recipe *r, born_error *err);
/* r->b's first error, prefixed, or STATE. */
born_status born__zoo_chain_error(const born_recipe *r, born_error *err);
/* Cuts sets at random into train and valid, by options valid and seed. */
born_status born__zoo_cut(born_recipe *r, born_dataset *whole, born_dataset **train, born_dataset **valid,
                          born_error *err);

/* The networks: <recipe>.c. */
#define RECIPE(name, data, doc) void born__zoo_##name(born_module *net, const born_recipe *r);
#define SETTING(...)
#define OPTION(...)
#include "zoo/recipes.def"
#undef OPTION
#undef SETTING
#undef RECIPE
#endif
