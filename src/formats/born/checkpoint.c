/* Checkpoints in memory and to a file; checkpoint_read.c reads them. The file's "born.model" is an ONNX graph without
   nodes whose initialisers are the tensors, in order; keys are GGUF keys, which any GGUF tool can list. */
#include "formats/born/checkpoint.h"

#include <string.h>

#include "base/error.h"
#include "formats/born/born_file.h"
#include "formats/onnx/pb_out.h"
#include "tensor/view.h"

enum { MAX_NAME = 65535, IR_VERSION = 10, OPSET = 21 };
#define MAX_TEXT ((size_t)1 << 30)

born_status born_checkpoint_new(born_checkpoint **out, born_error *err)
{
    *out = born__calloc(1, sizeof **out);
    BORN_FAIL_IF(!*out, err, BORN_NOMEM, "checkpoint: out of memory");
    return BORN_OK;
}

void born_checkpoint_close(born_checkpoint **cp)
{
    born_checkpoint *c = cp ? *cp : NULL;

    if (!c) return;
    for (size_t i = 0; i < c->owned_count; i++) born__free(c->owned[i]);
    born__free(c->owned);
    born__gguf_free(&c->gguf);
    born__filemap_close(&c->map);
    born__names_free(&c->tensors);
    born__names_free(&c->keys);
    born__free(c->tensor);
    born__free(c->key);
    born__arena_free(&c->arena);
    born__free(c);
    *cp = NULL;
}

/* ---- filling --------------------------------------------------------------------------------------------------- */

static born_status enter(born_names *t, const char *copy, size_t n, size_t i, const char *what, born_error *err)
{
    born_status st = born__names_add(t, copy, n, i);

    BORN_FAIL_IF(st == BORN_STATE, err, BORN_INVALID, "checkpoint: there is a %s '%.80s' already", what, copy);
    BORN_FAIL_IF(st == BORN_RANGE, err, BORN_RANGE, "checkpoint: too many names collide");
    BORN_FAIL_IF(st != BORN_OK, err, BORN_NOMEM, "checkpoint: out of memory");
    return BORN_OK;
}

born_status born__checkpoint_add(born_checkpoint *c, const char *name, size_t n, const born_array *value,
                                 born_error *err)
{
    BORN_FAIL_IF(n == 0 || n > MAX_NAME, err, BORN_INVALID, "checkpoint: a tensor's name has %zu bytes", n);
    BORN_FAIL_IF(c->tensor_count >= GGUF_MAX_ENTRIES - 2, err, BORN_RANGE, "checkpoint: more than %d tensors",
                 GGUF_MAX_ENTRIES - 2);
    const char *copy = born__arena_strdup(&c->arena, name, n);
    if (!copy || !born__grow((void **)&c->tensor, &c->tensor_cap, c->tensor_count + 1, sizeof *c->tensor))
        return born__fail(err, BORN_NOMEM, "checkpoint: out of memory");
    BORN_FAIL_IF(memchr(copy, 0, n) != NULL, err, BORN_INVALID, "checkpoint: a tensor's name holds a NUL");
    BORN_TRY(enter(&c->tensors, copy, n, c->tensor_count, "tensor", err));
    c->tensor[c->tensor_count++] = (born_saved_tensor){ copy, *value };
    return BORN_OK;
}

born_status born_checkpoint_put(born_checkpoint *c, const char *name, const born_array *value, born_error *err)
{
    born_array a = *value;
    int64_t count, bytes;

    BORN_FAIL_IF(!name, err, BORN_INVALID, "checkpoint: no name");
    BORN_FAIL_IF(born__dtype_info(a.dtype)->onnx < 0, err, BORN_DTYPE, "checkpoint: tensor '%.80s': %s cannot be saved",
                 name, born_dtype_name(a.dtype));
    BORN_FAIL_IF(a.shape.rank < 0 || a.shape.rank > BORN_MAX_RANK ||
                     !born__shape_count(a.shape.dim, a.shape.rank, &count) ||
                     (bytes = born_dtype_bytes(a.dtype, count)) < 0 || (a.bytes && a.bytes != (uint64_t)bytes),
                 err, BORN_SHAPE, "checkpoint: tensor '%.80s': its shape and bytes do not fit", name);
    a.bytes = (size_t)bytes;
    BORN_FAIL_IF(a.bytes && !a.data, err, BORN_INVALID, "checkpoint: tensor '%.80s' has no data", name);
    return born__checkpoint_add(c, name, strlen(name), &a, err);
}

born_status born__checkpoint_key(born_checkpoint *c, const char *key, size_t n, born_saved_key **out, born_error *err)
{
    size_t i;

    BORN_FAIL_IF(n == 0 || n > GGUF_MAX_KEY, err, BORN_INVALID, "checkpoint: a key has %zu bytes", n);
    if (born__names_find(&c->keys, key, n, &i)) {
        *out = &c->key[i];
        return BORN_OK;
    }
    BORN_FAIL_IF(c->key_count >= GGUF_MAX_ENTRIES - 8, err, BORN_RANGE, "checkpoint: too many keys");
    const char *copy = born__arena_strdup(&c->arena, key, n);
    if (!copy || !born__grow((void **)&c->key, &c->key_cap, c->key_count + 1, sizeof *c->key))
        return born__fail(err, BORN_NOMEM, "checkpoint: out of memory");
    BORN_TRY(enter(&c->keys, copy, n, c->key_count, "key", err));
    *out = &c->key[c->key_count++];
    **out = (born_saved_key){ .key = copy, .text = { "", 0 } };
    return BORN_OK;
}

static born_status user_key(born_checkpoint *c, const char *key, born_saved_key **out, born_error *err)
{
    BORN_FAIL_IF(!key, err, BORN_INVALID, "checkpoint: no key");
    BORN_FAIL_IF(!strncmp(key, "born.", 5) || !strncmp(key, "general.", 8), err, BORN_INVALID,
                 "checkpoint: key '%.80s': names beginning so are Born's own", key);
    return born__checkpoint_key(c, key, strlen(key), out, err);
}

born_status born_checkpoint_put_text(born_checkpoint *c, const char *key, const char *text, size_t n, born_error *err)
{
    born_saved_key *k;

    BORN_FAIL_IF((!text && n) || n > MAX_TEXT, err, BORN_INVALID, "checkpoint: a text of %zu bytes", n);
    const char *copy = born__arena_strdup(&c->arena, text ? text : "", n);
    BORN_FAIL_IF(!copy, err, BORN_NOMEM, "checkpoint: out of memory");
    BORN_TRY(user_key(c, key, &k, err));
    k->is_int = false;
    k->text = (born_str){ copy, n };
    return BORN_OK;
}

born_status born_checkpoint_put_int(born_checkpoint *c, const char *key, int64_t value, born_error *err)
{
    born_saved_key *k;

    BORN_TRY(user_key(c, key, &k, err));
    k->is_int = true;
    k->number = value;
    return BORN_OK;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* The ModelProto: ir_version, producer, opset of the default domain, a graph of initialisers. */
static void put_proto(const born_checkpoint *c, born_bytes *model)
{
    born_bytes graph = { .p = NULL }, opset = { .p = NULL };
    char place[24];

    born__pb_put_text(&graph, 2, "checkpoint");
    for (size_t i = 0; i < c->tensor_count; i++)
        born__pb_put_tensor(&graph, 5, c->tensor[i].name, &c->tensor[i].value, born__born_place(place, i));
    born__pb_put_int(&opset, 2, OPSET);
    born__pb_put_int(model, 1, IR_VERSION);
    born__pb_put_text(model, 2, "born");
    born__pb_put_text(model, 3, born_version());
    born__pb_put_message(model, 7, &graph);
    born__pb_put_message(model, 8, &opset);
}

static born_status fill_out(const born_checkpoint *c, born_gguf_out *o, const born_bytes *model, born_error *err)
{
    for (size_t i = 0; i < c->key_count; i++) {
        const born_saved_key *k = &c->key[i];
        if (k->is_int) born__gguf_put_i64(o, k->key, k->number);
        else born__gguf_put_text(o, k->key, k->text.p, k->text.n);
    }
    BORN_FAIL_IF(model->failed, err, BORN_NOMEM, "checkpoint: out of memory for its header");
    born__born_put_model(o, model->p, model->n);
    for (size_t i = 0; i < c->tensor_count; i++) born__born_put_tensor(o, i, &c->tensor[i].value);
    born__gguf_put_sums(o, BORN_FILE_SUMS);
    return BORN_OK;
}

born_status born_checkpoint_write(const born_checkpoint *c, const char *path, born_error *err)
{
    born_bytes model = { .p = NULL };
    born_gguf_out *o = born__born_out_new("checkpoint");

    BORN_FAIL_IF(!o, err, BORN_NOMEM, "checkpoint: out of memory");
    put_proto(c, &model);
    born_status st = fill_out(c, o, &model, err);
    if (st == BORN_OK) st = born__gguf_out_save(o, path, err);
    born__gguf_out_free(&o);
    born__bytes_free(&model);
    return st;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

int64_t born_checkpoint_count(const born_checkpoint *c)
{
    return (int64_t)c->tensor_count;
}

born_status born_checkpoint_at(const born_checkpoint *c, int64_t i, const char **name, born_array *out, born_error *err)
{
    BORN_FAIL_IF(i < 0 || (uint64_t)i >= c->tensor_count, err, BORN_RANGE, "checkpoint: tensor %lld of %zu",
                 (long long)i, c->tensor_count);
    if (name) *name = c->tensor[i].name;
    if (out) *out = c->tensor[i].value;
    return BORN_OK;
}

born_status born_checkpoint_get(const born_checkpoint *c, const char *name, born_array *out, born_error *err)
{
    size_t i;

    BORN_FAIL_IF(!born__names_find(&c->tensors, name, strlen(name), &i), err, BORN_INVALID,
                 "checkpoint: there is no tensor '%.80s'", name);
    *out = c->tensor[i].value;
    return BORN_OK;
}

static born_status find_key(const born_checkpoint *c, const char *key, bool is_int, const born_saved_key **out,
                            born_error *err)
{
    size_t i;

    BORN_FAIL_IF(!born__names_find(&c->keys, key, strlen(key), &i), err, BORN_INVALID,
                 "checkpoint: there is no key '%.80s'", key);
    BORN_FAIL_IF(c->key[i].is_int != is_int, err, BORN_INVALID, "checkpoint: key '%.80s' is no %s", key,
                 is_int ? "integer" : "text");
    *out = &c->key[i];
    return BORN_OK;
}

born_status born_checkpoint_text(const born_checkpoint *c, const char *key, const char **text, size_t *n,
                                 born_error *err)
{
    const born_saved_key *k;

    BORN_TRY(find_key(c, key, false, &k, err));
    *text = k->text.p;
    if (n) *n = k->text.n;
    return BORN_OK;
}

born_status born_checkpoint_int(const born_checkpoint *c, const char *key, int64_t *value, born_error *err)
{
    const born_saved_key *k;

    BORN_TRY(find_key(c, key, true, &k, err));
    *value = k->number;
    return BORN_OK;
}

bool born_checkpoint_lost(const born_checkpoint *c)
{
    return c->map && born__filemap_lost(c->map);
}
