/* Saving graphs and models: the format is told by the suffix, here and nowhere else. */
#include <string.h>

#include <born/save.h>

#include "base/error.h"
#include "base/filesave.h"
#include "formats/born/born_file.h"
#include "formats/onnx/onnx_out.h"
#include "graph/model.h"

/* A protobuf message holds at most this many bytes. */
#define MOST_PROTO ((size_t)INT32_MAX)

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n > k && strcmp(s + n - k, suffix) == 0;
}

static born_status save_onnx(const born_bytes *model, const char *path, born_error *err)
{
    born_filesave *f = NULL;

    BORN_FAIL_IF(model->n > MOST_PROTO, err, BORN_RANGE, "export: an .onnx file holds at most 2 GiB; save as .born");
    BORN_TRY(born__filesave_open(path, &f, err));
    born_status st = born__filesave_write(f, model->p, model->n, err);
    if (st == BORN_OK) return born__filesave_commit(&f, err);
    born__filesave_abandon(&f);
    return st;
}

static born_status save_born(const born_onnx_out *x, const born_bytes *model, const char *path, born_error *err)
{
    born_gguf_out *o = born__born_out_new("model");

    BORN_FAIL_IF(!o, err, BORN_NOMEM, "export: out of memory");
    born__born_put_model(o, model->p, model->n);
    for (size_t i = 0; i < x->init_count; i++) born__born_put_tensor(o, i, &x->init[i]);
    born_status st = born__gguf_out_save(o, path, err);
    born__gguf_out_free(&o);
    return st;
}

static born_status save(const born_graph *g, const char *const *output_name, int64_t opset, const char *path,
                        born_error *err)
{
    born_bytes model = { .p = NULL };
    born_onnx_out x = { .g = g, .output_name = output_name, .opset = opset };

    BORN_FAIL_IF(!g || !path, err, BORN_INVALID, "save: no %s", g ? "path" : "graph");
    bool born = ends_with(path, ".born");
    BORN_FAIL_IF(!born && !ends_with(path, ".onnx"), err, BORN_INVALID,
                 "save: %.100s ends neither in .born nor in .onnx", path);
    x.place = born ? born__born_place : NULL;
    born_status st = born__onnx_export(&x, &model, err);
    if (st == BORN_OK) st = born ? save_born(&x, &model, path, err) : save_onnx(&model, path, err);
    born__onnx_out_free(&x);
    born__bytes_free(&model);
    return st;
}

born_status born_graph_save(const born_graph *g, const char *path, born_error *err)
{
    return save(g, NULL, 0, path, err);
}

born_status born_model_save(const born_model *m, const char *path, born_error *err)
{
    BORN_FAIL_IF(!m, err, BORN_INVALID, "save: no model");
    /* a model of a newer opset may use what the older has not, such as half floats in some operators */
    return save(m->graph, m->output_name, m->opset, path, err);
}
