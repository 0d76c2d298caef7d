/* Writing protobuf for tests: see support_pb.h. */
#include "support_pb.h"

#include <stdlib.h>
#include <string.h>

void pbw_raw(pbw *b, const void *p, size_t n)
{
    if (b->cap - b->n < n) {
        b->cap = (b->n + n) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p) exit(2);
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

void pbw_varint(pbw *b, uint64_t v)
{
    for (; v > 127; v >>= 7) pbw_raw(b, &(unsigned char){ (unsigned char)(v | 128) }, 1);
    pbw_raw(b, &(unsigned char){ (unsigned char)v }, 1);
}

void pbw_int(pbw *b, unsigned field, uint64_t v)
{
    pbw_varint(b, field << 3);
    pbw_varint(b, v);
}

void pbw_bytes(pbw *b, unsigned field, const void *p, size_t n)
{
    pbw_varint(b, field << 3 | 2);
    pbw_varint(b, n);
    pbw_raw(b, p, n);
}

void pbw_text(pbw *b, unsigned field, const char *text)
{
    pbw_bytes(b, field, text, strlen(text));
}

void pbw_free(pbw *b)
{
    free(b->p);
    *b = (pbw){ NULL, 0, 0 };
}

void pbw_message(pbw *b, unsigned field, pbw *inner)
{
    pbw_bytes(b, field, inner->p, inner->n);
    pbw_free(inner);
}

void pbw_value(pbw *graph, unsigned field, const char *name, const int64_t *dim, int rank)
{
    pbw shape = { 0 }, one = { 0 }, tensor = { 0 }, type = { 0 }, value = { 0 };

    for (int i = 0; i < rank; i++) {
        pbw_int(&one, 1, (uint64_t)dim[i]);
        pbw_message(&shape, 1, &one);
    }
    pbw_int(&tensor, 1, 1);
    if (rank >= 0) pbw_message(&tensor, 2, &shape);
    pbw_message(&type, 1, &tensor);
    pbw_text(&value, 1, name);
    pbw_message(&value, 2, &type);
    pbw_message(graph, field, &value);
    pbw_free(&shape);
}

void pbw_attr_int(pbw *attributes, const char *name, int64_t v)
{
    pbw a = { 0 };

    pbw_text(&a, 1, name);
    pbw_int(&a, 20, 2);
    pbw_int(&a, 3, (uint64_t)v);
    pbw_message(attributes, 5, &a);
}

void pbw_attr_ints(pbw *attributes, const char *name, const int64_t *v, int n)
{
    pbw a = { 0 };

    pbw_text(&a, 1, name);
    pbw_int(&a, 20, 7);
    for (int i = 0; i < n; i++) pbw_int(&a, 8, (uint64_t)v[i]);
    pbw_message(attributes, 5, &a);
}

void pbw_node(pbw *graph, const char *op, const char *in0, const char *in1, const char *out, pbw *attributes)
{
    pbw n = { 0 };

    if (in0) pbw_text(&n, 1, in0);
    if (in1) pbw_text(&n, 1, in1);
    if (out) pbw_text(&n, 2, out);
    pbw_text(&n, 4, op);
    if (attributes) {
        pbw_raw(&n, attributes->p, attributes->n);
        pbw_free(attributes);
    }
    pbw_message(graph, 1, &n);
}

void pbw_ints(pbw *graph, const char *name, const int64_t *v, int n)
{
    pbw t = { 0 };

    pbw_int(&t, 1, (uint64_t)n);
    pbw_int(&t, 2, 7);
    pbw_text(&t, 8, name);
    pbw_bytes(&t, 9, v, (size_t)n * sizeof *v);
    pbw_message(graph, 5, &t);
}

pbw pbw_model(pbw *graph, int64_t opset)
{
    pbw m = { 0 }, o = { 0 };

    pbw_int(&m, 1, 8);
    pbw_int(&o, 2, (uint64_t)opset);
    pbw_message(&m, 8, &o);
    pbw_message(&m, 7, graph);
    return m;
}
