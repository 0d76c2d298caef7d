/* The functions of born/tool.h: thin doors to the reader, the operator table and the CPU for the command line. */
#include <born/tool.h>

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/filemap.h"
#include "base/memlimit.h"
#include "base/threads.h"
#include "cpu/kernel.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/tensor_pb.h"

born_status born_tensor_pb_read(const void *bytes, size_t byte_count, size_t max_bytes, char *name, size_t name_n,
                                born_array *out, born_error *err)
{
    born_str called = { "", 0 };

    BORN_FAIL_IF(!out || (!bytes && byte_count), err, BORN_INVALID, "tensor: no bytes or no place for the result");
    *out = (born_array){ 0 };
    BORN_TRY(born__pb_array_read(bytes, byte_count, max_bytes, out, &called, err));
    if (name && name_n) born__pb_text(called, name, name_n);
    return BORN_OK;
}

void born_array_free(born_array *a)
{
    if (!a) return;
    born__free((void *)(uintptr_t)a->data);
    *a = (born_array){ 0 };
}

typedef struct gap_user {
    void (*fn)(void *user, const born_model_gap *g);
    void *user;
} gap_user;

static void forward_gap(void *user, const born_onnx_gap *g)
{
    gap_user *u = user;

    if (u->fn) u->fn(u->user, &(born_model_gap){ g->op, g->version, g->node, g->why });
}

born_status born_model_gaps(const char *path, void (*fn)(void *user, const born_model_gap *g), void *user,
                            born_error *err)
{
    born_filemap *map = NULL;
    born_onnx_files *files = NULL;
    born_loaded l = { .graph = NULL };
    gap_user u = { fn, user };
    int folder = -1;

    BORN_FAIL_IF(!path, err, BORN_INVALID, "model: no path");
    born_status st = born__filemap_open(path, BORN_FILE_FOLLOW, 0, &map, err);
    if (!st) st = born__folder_open(path, &folder, err);
    if (!st && !(files = born__onnx_files_new(folder, false, 0))) st = born__fail(err, BORN_NOMEM, "out of memory");
    if (!st) {
        born_onnx_source src = { map->data, map->bytes, files, 0, forward_gap, &u };
        st = born__onnx_load(&src, &l, err);
    }
    born__graph_free(&l.graph);
    born__onnx_files_free(&files);
    born__folder_close(&folder);
    born__filemap_close(&map);
    return st;
}

int born_op_count(void)
{
    return BORN_OP_COUNT - 1;
}

born_status born_op_info_get(int op, born_op_info *out)
{
    if (op < 0 || op >= BORN_OP_COUNT - 1 || !out) return BORN_RANGE;
    const born_op *o = &born__ops[op + 1];
    *out = (born_op_info){
        .name = o->name, .signature = o->sig, .onnx = o->onnx, .doc = o->doc,
        .attr_set = o->attrs ? o->attrs->name : "",
        .min_in = o->min_in, .max_in = o->max_in == 255 ? -1 : o->max_in, .attr_count = o->attrs ? o->attrs->count : 0,
        .elementwise = o->props & BORN_P_ELEMENTWISE, .view = o->props & BORN_P_VIEW, .host = o->host != 0,
        .extent = o->props & BORN_P_EXTENT, .effect = o->props & BORN_P_EFFECT, .control = o->props & BORN_P_CONTROL,
        .differentiable = o->grad != NULL,
    };
    return BORN_OK;
}

born_status born_op_attr_get(int op, int attr, born_op_attr_info *out)
{
    static const char *const kinds[] = { "int", "float", "bool", "enum", "dtype", "ints", "floats", "string", "strings",
                                         "tensor", "graph" };

    if (op < 0 || op >= BORN_OP_COUNT - 1 || !out) return BORN_RANGE;
    const born_attr_set *s = born__ops[op + 1].attrs;
    if (!s || attr < 0 || attr >= s->count) return BORN_RANGE;
    const born_attr_field *f = &s->field[attr];
    *out = (born_op_attr_info){ f->name, f->onnx, kinds[f->kind], f->text, f->def, f->lo, f->hi };
    return BORN_OK;
}

const char *born_cpu_level(void)
{
    static const char *const names[BORN_LEVEL_COUNT] = { "scalar", "avx2", "avx512", "avx512vnni", "neon" };
    uint32_t have = born__cpu_levels();
    const char *best = names[0];

    for (int i = 0; i < BORN_LEVEL_COUNT; i++)
        if (have >> i & 1u) best = names[i];
    return best;
}

born_status born_cpu_level_cap(const char *level, born_error *err)
{
    return born__cpu_mask(level, err);
}

int born_cpu_count(void)
{
    return born__cpu_count();
}

uint64_t born_memory_limit(void)
{
    return born__memory_limit();
}
