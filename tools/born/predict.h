/* What the parts of born predict share: options, a recipe at work, answers on the terminal or as JSON. */
#ifndef BORN_PREDICT_H
#define BORN_PREDICT_H
#include <born/zoo.h>

#include "cli.h"

enum { PREDICT_MOST = 4096 };

typedef struct predict_options {
    const char *checkpoint, *data, *prompt;
    const char *file[PREDICT_MOST];
    long index[PREDICT_MOST];
    int file_count, index_count;
    long tokens, top_k, seed, top, threads;
    double temperature;
    bool json, no_picture, time;
} predict_options;

typedef struct predictor {
    const predict_options *o;
    born_recipe *recipe;
    born_recipe_facts facts;
    cli_json json;
    float *x, *y;               /* one item, its answer */
    int64_t item_count;         /* floats of x */
    int64_t answered, labelled, right;
    double squares;             /* of errors of numbers */
    double load_s, first_s;     /* opening; to the first answer, from the start */
    double began;
} predictor;

/* Prints the answer p->y for p->x. name says which; label is what it should be, where it is known. */
void predict_show(predictor *p, const char *name, const void *label);
void predict_summary(const predictor *p);
#endif
