/* Reading checkpoints: the container is read and its sums compared first, so that what follows sees the bytes that were
   written; it is checked all the same, since whoever can write a file can write its sums. */
#include <string.h>

#include "base/error.h"
#include "base/memlimit.h"
#include "formats/born/born_file.h"
#include "formats/born/checkpoint.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/tensor_pb.h"
#include "tensor/view.h"

/* Booleans become 0 or 1, and elements of a number field are decoded: those need memory of their own. */
static born_status own_copy(born_checkpoint *c, const pb_tensor *t, const pb_data *d, born_array *a, born_error *err)
{
    if (!born__grow((void **)&c->owned, &c->owned_cap, c->owned_count + 1, sizeof *c->owned))
        return born__fail(err, BORN_NOMEM, "checkpoint: out of memory");
    void *p = born__alloc(a->bytes);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "checkpoint: no memory for a tensor of %zu bytes", a->bytes);
    c->owned[c->owned_count++] = p;
    a->data = p;
    return born__pb_tensor_copy(t, d, a, p, err);
}

static born_status read_tensor(born_checkpoint *c, born_onnx_files *files, const pb_tensor *t, size_t *budget,
                               born_error *err)
{
    born_array a;
    pb_data d;

    BORN_TRY(born__pb_tensor_open(t, files, &a, &d, err));
    size_t size = (size_t)born__dtype_info(a.dtype)->size;
    if (d.raw.p && a.dtype != BORN_BOOL && (uintptr_t)d.raw.p % size == 0) {
        a.data = d.raw.p;
    } else if (a.bytes) {
        BORN_FAIL_IF(a.bytes > *budget, err, BORN_NOMEM, "checkpoint: its tensors need more memory than allowed");
        *budget -= a.bytes;
        BORN_TRY(own_copy(c, t, &d, &a, err));
    }
    return born__checkpoint_add(c, t->name.p, t->name.n, &a, err);
}

static born_status read_tensors(born_checkpoint *c, pb_slice proto, born_error *err)
{
    born_arena arena = { 0 };
    pb_model model;
    size_t budget = (size_t)born__memory_limit();
    born_onnx_files *files = born__born_files(c->gguf);
    born_status st = files ? born__pb_parse_model(&arena, budget, proto, &model, err)
                           : born__fail(err, BORN_NOMEM, "checkpoint: out of memory");

    if (st == BORN_OK && !model.graph) st = born__fail(err, BORN_FORMAT, "checkpoint: it holds no tensors");
    for (int i = 0; st == BORN_OK && i < model.graph->init_count; i++)
        st = read_tensor(c, files, &model.graph->init[i], &budget, err);
    born__arena_free(&arena);
    born__onnx_files_free(&files);
    return st;
}

static bool is_ours(born_str key)
{
    return (key.n >= 5 && !memcmp(key.p, "born.", 5)) || (key.n >= 8 && !memcmp(key.p, "general.", 8));
}

/* Keys of types that we do not write are left out: another tool may have added them. */
static born_status read_keys(born_checkpoint *c, born_error *err)
{
    for (size_t i = 0; i < c->gguf->pair_count; i++) {
        const born_gguf_pair *p = &c->gguf->pair[i];
        born_saved_key *k;
        int64_t number = 0;
        bool is_int = born__gguf_int(p, &number);
        if (is_ours(p->key) || (!is_int && p->type != GGUF_STRING)) continue;
        const char *copy = is_int ? "" : born__arena_strdup(&c->arena, p->text.p, p->text.n);
        BORN_FAIL_IF(!copy, err, BORN_NOMEM, "checkpoint: out of memory");
        BORN_TRY(born__checkpoint_key(c, p->key.p, p->key.n, &k, err));
        k->is_int = is_int;
        k->number = number;
        k->text = (born_str){ copy, is_int ? 0 : p->text.n };
    }
    return BORN_OK;
}

born_status born__checkpoint_parse(born_checkpoint *c, const void *bytes, size_t n, born_error *err)
{
    pb_slice proto;

    BORN_TRY(born__gguf_read(bytes, n, &c->gguf, err));
    BORN_TRY(born__born_model(c->gguf, "checkpoint", &proto, err));
    BORN_TRY(born__gguf_sums_check(c->gguf, BORN_FILE_SUMS, err));
    BORN_TRY(read_keys(c, err));
    return read_tensors(c, proto, err);
}

born_status born_checkpoint_open(const char *path, born_load load, born_checkpoint **out, born_error *err)
{
    born_checkpoint *c = NULL;
    bool copy = load == BORN_COPY;

    *out = NULL;
    BORN_TRY(born_checkpoint_new(&c, err));
    born_status st = born__filemap_open(path, BORN_FILE_FOLLOW | (copy ? BORN_FILE_COPY : 0u),
                                        copy ? born__memory_limit() : 0, &c->map, err);
    if (st == BORN_OK) {
        st = born__gguf_probe(c->map->data, c->map->bytes)
                 ? born__checkpoint_parse(c, c->map->data, c->map->bytes, err)
                 : born__fail(err, BORN_FORMAT, "not a checkpoint");
        if (st == BORN_OK && born_checkpoint_lost(c))
            st = born__fail(err, BORN_IO, "the file was cut while it was read");
        if (st != BORN_OK) born__error_prefix(err, "%.100s", path);
    }
    if (st != BORN_OK) {
        born_checkpoint_close(&c);
        return st;
    }
    *out = c;
    return BORN_OK;
}
