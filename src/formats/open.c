/* Opening a model file: told by content, read by the reader of its format, made into a model that keeps the file. The
   only place that knows which formats there are. */
#include <born/model.h>

#include "base/error.h"
#include "base/filemap.h"
#include "base/memlimit.h"
#include "base/sigbus.h"
#include "formats/born/born_file.h"
#include "formats/gguf/gguf.h"
#include "formats/onnx/onnx.h"
#include "graph/model.h"

/* What stays open as long as the model. */
typedef struct born_source {
    born_filemap *map;              /* NULL: the caller's memory */
    born_onnx_files *files;
    born_gguf *gguf;                /* of a .born file; NULL: another format */
} born_source;

static void source_close(void *p)
{
    born_source *s = p;

    born__onnx_files_free(&s->files);
    born__gguf_free(&s->gguf);
    born__filemap_close(&s->map);
    born__free(s);
}

static void source_drop(void *p, const void *data, size_t bytes)
{
    born_source *s = p;
    uintptr_t at = (uintptr_t)data, base = s->map ? (uintptr_t)s->map->data : 0;

    if (s->map && at >= base && at - base < s->map->bytes) born__filemap_drop(s->map, at - base, bytes);
    else if (s->files) born__onnx_files_drop(s->files, data, bytes);
}

static bool source_lost(void *p)
{
    born_source *s = p;

    return (s->map && born__filemap_lost(s->map)) || (s->files && born__onnx_files_lost(s->files));
}

static born_status load_onnx(const void *bytes, size_t count, born_source *src, const born_model_desc *desc,
                             born_loaded *l, born_error *err)
{
    born_onnx_source from = { .bytes = bytes, .byte_count = count, .files = src->files, .max_bytes = desc->max_bytes };

    BORN_TRY(born__onnx_load(&from, l, err));
    if (src->files) born__onnx_files_seal(src->files);
    return BORN_OK;
}

/* Its tensors lie in the file itself: no other is opened for it. */
static born_status load_born(const void *bytes, size_t count, born_source *src, const born_model_desc *desc,
                             born_loaded *l, born_error *err)
{
    pb_slice proto;

    BORN_TRY(born__gguf_read(bytes, count, &src->gguf, err));
    BORN_TRY(born__born_model(src->gguf, "model", &proto, err));
    born__onnx_files_free(&src->files);
    src->files = born__born_files(src->gguf);
    BORN_FAIL_IF(!src->files, err, BORN_NOMEM, "model: out of memory");
    return load_onnx(proto.p, proto.n, src, desc, l, err);
}

/* src is taken over, also on failure. */
static born_status open_bytes(const void *bytes, size_t count, born_source *src, const born_model_desc *desc,
                              born_model **out, born_error *err)
{
    born_loaded l = { 0 };
    bool born = born__gguf_probe(bytes, count);
    born_status st = born                              ? load_born(bytes, count, src, desc, &l, err)
                     : born__onnx_probe(bytes, count) ? load_onnx(bytes, count, src, desc, &l, err)
                                                      : born__fail(err, BORN_FORMAT,
                                                                   "not a model file Born knows (.born, .onnx)");

    if (st == BORN_OK) st = born__model_make(&l, born ? "born" : "onnx", desc, out, err);
    if (st != BORN_OK) {
        source_close(src);
        return st;
    }
    (*out)->source = src;
    (*out)->source_close = source_close;
    (*out)->source_drop = source_drop;
    (*out)->source_lost = source_lost;
    if (source_lost(src)) {
        born_model_close(out);
        return born__fail(err, BORN_IO, "the file was cut while it was read");
    }
    return BORN_OK;
}

born_status born_model_open_sized(const char *path, const born_model_desc *desc, size_t desc_bytes, born_model **out,
                                  born_error *err)
{
    born_model_desc d;
    int folder = -1;

    *out = NULL;
    BORN_FAIL_IF(!path, err, BORN_INVALID, "model: no path");
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "model", err));
    if (!d.max_bytes) d.max_bytes = (size_t)born__memory_limit();
    born_source *src = born__calloc(1, sizeof *src);
    BORN_FAIL_IF(!src, err, BORN_NOMEM, "model: out of memory");
    bool copy = d.load == BORN_COPY;
    born_status st = born__filemap_open(path, BORN_FILE_FOLLOW | (copy ? BORN_FILE_COPY : 0u), copy ? d.max_bytes : 0,
                                        &src->map, err);
    if (st == BORN_OK) st = born__folder_open(path, &folder, err);
    if (st == BORN_OK && !(src->files = born__onnx_files_new(folder, copy, d.max_bytes)))
        st = born__fail(err, BORN_NOMEM, "model: out of memory");
    if (st == BORN_OK) st = open_bytes(src->map->data, src->map->bytes, src, &d, out, err);
    else source_close(src);
    born__folder_close(&folder);
    return st;
}

born_status born_model_open_memory_sized(const void *bytes, size_t byte_count, const born_model_desc *desc,
                                         size_t desc_bytes, born_model **out, born_error *err)
{
    born_model_desc d;

    *out = NULL;
    BORN_FAIL_IF(!bytes && byte_count, err, BORN_INVALID, "model: no bytes");
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "model", err));
    if (!d.max_bytes) d.max_bytes = (size_t)born__memory_limit();
    born_source *src = born__calloc(1, sizeof *src);
    BORN_FAIL_IF(!src, err, BORN_NOMEM, "model: out of memory");
    return open_bytes(bytes, byte_count, src, &d, out, err);
}
