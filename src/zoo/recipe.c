/* A recipe from opening to closing: its options, the network it builds, checkpoints of it, what it tells. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/memlimit.h"
#include "base/text.h"
#include "nn/module.h"
#include "train/trainer_file.h"
#include "zoo/zoo.h"

/* What a network of a checkpoint may take: its weights are in the file, its activations are of one item. */
enum { ROOM_BYTES = 1 << 30, ROOM_TIMES = 8 };

born_status born_recipe_open(const char *name, born_recipe **out, born_error *err)
{
    char list[160];
    born_text names = born__text_in(list, sizeof list);
    const born_zoo_row *row = NULL;

    *out = NULL;
    for (int i = 0; born__zoo_row(i); i++) {
        born__text_add(&names, " %s", born__zoo_row(i)->name);
        if (name && !strcmp(name, born__zoo_row(i)->name)) row = born__zoo_row(i);
    }
    BORN_FAIL_IF(!row, err, BORN_INVALID, "no recipe '%.60s'; there are%s", name ? name : "", list);
    born_recipe *r = born__calloc(1, sizeof *r);
    BORN_FAIL_IF(!r, err, BORN_NOMEM, "no memory for a recipe");
    r->row = row;
    born_status st = born__zoo_options_init(r, err);
    if (st) {
        born_recipe_close(&r);
        return st;
    }
    *out = r;
    return BORN_OK;
}

void born_recipe_close(born_recipe **recipe)
{
    born_recipe *r = recipe ? *recipe : NULL;
    if (!r) return;
    born_trainer_close(&r->trainer);
    born_metric_close(&r->metric);
    born_ema_close(&r->ema);
    born_sched_close(&r->sched);
    born_optim_close(&r->optim);
    born_module_close(&r->net);
    born_loader_close(&r->train);
    born_loader_close(&r->valid);
    born_dataset_close(&r->train_set);
    born_dataset_close(&r->valid_set);
    born_backend_close(&r->b);
    born__arena_free(&r->arena);
    born__free(r);
    *recipe = NULL;
}

born_status born__zoo_chain_error(const born_recipe *r, born_error *err)
{
    born_error own;
    born_backend_take_error(r->b, &own);
    if (own.status == BORN_OK) return born__fail(err, BORN_STATE, "recipe %s: no result", r->row->name);
    if (err) *err = own;
    born__error_prefix(err, "recipe %s", r->row->name);
    return own.status;
}

static born_dtype dtype_of(const char *name)
{
    for (int t = 0; t < BORN_DTYPE_COUNT; t++)
        if (!strcmp(born_dtype_name((born_dtype)t), name)) return (born_dtype)t;
    return BORN_F32;
}

born_status born__zoo_build(born_recipe *r, born_error *err)
{
    const born_module_desc d = { .dtype = dtype_of(born__zoo_text_of(r, "dtype")),
                                 .seed = (uint64_t)born__zoo_int(r, "seed") };
    r->net = born_module_create_with(r->b, &d);
    BORN_FAIL_IF(born_module_dtype(r->net) == BORN_DTYPE_NONE, err, BORN_NOMEM, "no memory for a network");
    r->row->build(r->net, r);
    return born_backend_error(r->b)->status ? born__zoo_chain_error(r, err) : BORN_OK;
}

void born__zoo_init_failed(const born_module *m, const born_error *err)
{
    if (err->status != BORN_OK && m->ops != NULL) (void)born__module_fail(m, err->status, "%s", err->text);
}

void born__zoo_learned(born_module *m, const char *name, int64_t rows, int64_t width)
{
    float *zero = born__calloc((size_t)(rows * width) + 1, sizeof *zero);
    born_array a = { BORN_F32, { 2, { rows, width } }, zero, 0 };
    if (zero == NULL) {
        (void)born__module_fail(m, BORN_NOMEM, "no memory for %s", name);
        return;
    }
    (void)born_module_add(m, name, BORN_PARAM, a);
    born_error err = { 0 };
    if (born_init_normal(m, name, 0, 0.02, &err)) born__zoo_init_failed(m, &err);
    born__free(zero);
}

/* ---- checkpoints ----------------------------------------------------------------------------------------------- */

/* Bytes of all its tensors, which lie in memory already. */
static born_status weigh(const born_checkpoint *c, size_t *bytes, born_error *err)
{
    *bytes = 0;
    for (int64_t i = 0; i < born_checkpoint_count(c); i++) {
        const char *name;
        born_array a;
        BORN_TRY(born_checkpoint_at(c, i, &name, &a, err));
        BORN_FAIL_IF(!born__add_size(*bytes, a.bytes, bytes), err, BORN_FORMAT, "its tensors are too large");
    }
    return BORN_OK;
}

static born_status rebuild(born_checkpoint *c, int threads, born_recipe *r, born_error *err)
{
    size_t bytes;
    BORN_TRY(weigh(c, &bytes, err));
    born_cpu_desc d = { .threads = threads, .max_bytes = ROOM_BYTES };
    if (bytes < (SIZE_MAX - ROOM_BYTES) / ROOM_TIMES) d.max_bytes += ROOM_TIMES * bytes;
    if (d.max_bytes > born__memory_limit()) d.max_bytes = (size_t)born__memory_limit();
    r->b = born_trace(born_cpu(&d));
    BORN_TRY(born__zoo_build(r, err));
    BORN_TRY(born__train_weights(c, r->net, err));
    born_module_train(r->net, false);
    r->fixed = true;
    return BORN_OK;
}

born_status born_recipe_load(const char *path, int threads, born_recipe **out, born_error *err)
{
    born_checkpoint *c = NULL;
    born_recipe *r = NULL;
    const char *name;

    *out = NULL;
    BORN_TRY(born_checkpoint_open(path, BORN_COPY, &c, err));
    born_status st = born__zoo_meta_recipe(c, &name, err);
    if (!st) st = born_recipe_open(name, &r, err);
    if (!st) st = born__zoo_meta_read(c, r, err);
    if (!st) st = rebuild(c, threads, r, err);
    born_checkpoint_close(&c);
    if (st) {
        if (err && !strstr(err->text, path)) born__error_prefix(err, "%s", path);
        born_recipe_close(&r);
    }
    *out = r;
    return st;
}

born_status born_recipe_best(born_recipe *r, born_error *err)
{
    char path[1024];
    BORN_FAIL_IF(!r->trainer, err, BORN_STATE, "recipe %s: prepare it first", r->row->name);
    int n = snprintf(path, sizeof path, "%s/best.born", born_recipe_folder(r));
    BORN_FAIL_IF(n < 0 || n >= (int)sizeof path, err, BORN_INVALID, "the path '%.80s...' is too long",
                 born_recipe_folder(r));
    BORN_TRY(born_trainer_load(path, r->net, err));
    born_step_changed(born_trainer_step(r->trainer));
    return BORN_OK;
}

/* ---- what it tells --------------------------------------------------------------------------------------------- */

const char *born_recipe_name(const born_recipe *r) { return r->row->name; }
born_module *born_recipe_net(born_recipe *r) { return r->net; }
born_trainer *born_recipe_trainer(born_recipe *r) { return r->trainer; }

void born_recipe_facts_get(const born_recipe *r, born_recipe_facts *out)
{
    const born_facts *f = &r->facts;
    *out = (born_recipe_facts){ r->row->data, f->channels, f->height, f->width, f->features, f->classes, 0, 0, 0 };
    out->context = born__zoo_int(r, "context");
    if (r->train_set) out->train_items = born_dataset_count(r->train_set);
    if (r->valid_set) out->valid_items = born_dataset_count(r->valid_set);
}

const char *born_recipe_class(const born_recipe *r, int64_t i)
{
    return i >= 0 && i < r->facts.classes && r->facts.class_name ? r->facts.class_name[i] : NULL;
}

const char *born_recipe_feature(const born_recipe *r, int64_t i)
{
    return i >= 0 && i < r->facts.features && r->facts.feature_name ? r->facts.feature_name[i] : NULL;
}
