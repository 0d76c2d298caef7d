/* See born_file.h. */
#include "formats/born/born_file.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "tensor/view.h"

enum { CODE_I8 = 24 };

const char *born__born_place(char buf[24], size_t i)
{
    snprintf(buf, 24, "t%zu", i);
    return buf;
}

born_gguf_out *born__born_out_new(const char *kind)
{
    born_gguf_out *o = born__gguf_out_new(BORN_FILE_ALIGN);

    if (!o) return NULL;
    born__gguf_put_text(o, "general.architecture", "born", 4);
    born__gguf_put_text(o, BORN_FILE_KIND, kind, strlen(kind));
    born__gguf_put_u32(o, "born.version", 1);
    return o;
}

void born__born_put_model(born_gguf_out *o, const void *proto, size_t bytes)
{
    int64_t n = (int64_t)bytes;
    born__gguf_put_tensor(o, BORN_FILE_MODEL, CODE_I8, 1, &n, proto, bytes);
}

void born__born_put_tensor(born_gguf_out *o, size_t i, const born_array *a)
{
    char name[24];
    int64_t dim[GGUF_MAX_RANK] = { 1 }, n = (int64_t)a->bytes;
    int code = born__dtype_info(a->dtype)->gguf, rank = a->shape.rank;

    if (code < 0 || rank > GGUF_MAX_RANK || a->bytes == 0) {
        born__gguf_put_tensor(o, born__born_place(name, i), CODE_I8, 1, &n, a->data, a->bytes);
        return;
    }
    for (int d = 0; d < rank; d++) dim[d] = a->shape.dim[rank - 1 - d];
    born__gguf_put_tensor(o, born__born_place(name, i), code, rank ? rank : 1, dim, a->data, a->bytes);
}

born_status born__born_model(const born_gguf *g, const char *kind, pb_slice *out, born_error *err)
{
    const born_gguf_tensor *t = born__gguf_tensor_find(g, BORN_FILE_MODEL, strlen(BORN_FILE_MODEL));
    born_str said = { "", 0 };
    char text[40];

    BORN_FAIL_IF(!t, err, BORN_UNSUPPORTED, "a GGUF file without a Born %s in it", kind);
    BORN_FAIL_IF(t->code != CODE_I8 || t->rank != 1, err, BORN_FORMAT, "born: tensor " BORN_FILE_MODEL
                 " is %s with %d dimensions, not a row of I8", born__gguf_type_name(t->code), t->rank);
    BORN_FAIL_IF(!born__gguf_text(g, BORN_FILE_KIND, &said), err, BORN_FORMAT, "born: no key " BORN_FILE_KIND);
    born__pb_text(said, text, sizeof text);
    BORN_FAIL_IF(strcmp(text, kind) != 0, err, BORN_UNSUPPORTED, "the file holds a %s, not a %s", text, kind);
    *out = (pb_slice){ t->data, t->bytes };
    return BORN_OK;
}

static bool find_tensor(void *user, const char *name, size_t n, pb_slice *out)
{
    const born_gguf_tensor *t = born__gguf_tensor_find(user, name, n);

    if (!t) return false;
    *out = (pb_slice){ t->data, t->bytes };
    return true;
}

born_onnx_files *born__born_files(const born_gguf *g)
{
    return born__onnx_files_inside(find_tensor, (void *)(uintptr_t)g);
}
