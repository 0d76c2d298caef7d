/* Flat copies of attributes: the struct and, behind it, everything its arrays and strings point at, in one block
   that the caller owns. For records, which are made and freed with every call and may not allocate for each. One
   walk serves both the measuring and the copying, so the two cannot disagree. */
#include <string.h>

#include <born/attrs.h>

#include "base/checked.h"
#include "tensor/view.h"
#include "waist/chain.h"

typedef struct flat {
    char *base;         /* NULL: only measure */
    size_t used;
    bool overflow;
} flat;

/* Appends n bytes; returns where they went. */
static void *put(flat *f, const void *p, size_t n)
{
    size_t at = f->used, next;
    if (!born__add_size(at, n, &next) || next > SIZE_MAX - 7) {
        f->overflow = true;
        return NULL;
    }
    f->used = (next + 7) & ~(size_t)7;
    if (!f->base) return NULL;
    if (n) memcpy(f->base + at, p, n);
    return f->base + at;
}

static size_t span(flat *f, int64_t count, size_t size)
{
    size_t n = 0;
    if (count < 0 || (uint64_t)count > SIZE_MAX || !born__mul_size((size_t)count, size, &n)) f->overflow = true;
    return n;
}

static void put_strings(flat *f, const born_strs *from, born_strs *to)
{
    size_t n = span(f, from->count, sizeof *from->v);
    if (f->overflow) return;
    born_str *list = put(f, from->v, n);
    for (int64_t i = 0; i < from->count; i++) {
        const char *p = put(f, from->v[i].p, from->v[i].n);
        if (list) list[i].p = p;
    }
    if (to) to->v = list;
}

static void put_tensor(flat *f, const born_array *from, const born_array **to)
{
    int64_t count = 0;
    if (!from) return;
    int64_t bytes = born__shape_count(from->shape.dim, from->shape.rank, &count) ? born_dtype_bytes(from->dtype, count)
                                                                                 : -1;
    if (bytes < 0 || (uint64_t)bytes > SIZE_MAX) {
        f->overflow = true;
        return;
    }
    born_array *a = put(f, from, sizeof *from);
    const void *data = put(f, from->data, (size_t)bytes);
    if (a) a->data = data;
    if (to) *to = a;
}

/* a: the attributes; dst: their copy at the start of the block, NULL while measuring. */
static void walk(const born_attr_set *s, const void *a, void *dst, flat *f)
{
    for (int i = 0; i < s->count; i++) {
        const born_attr_field *d = &s->field[i];
        const void *from = (const char *)a + d->offset;
        void *to = dst ? (char *)dst + d->offset : NULL;
        switch (d->kind) {
        case BORN_ATTR_INTS: {
            const born_ints *v = from;
            void *p = put(f, v->v, span(f, v->count, sizeof *v->v));
            if (to) ((born_ints *)to)->v = p;
            break;
        }
        case BORN_ATTR_FLOATS: {
            const born_floats *v = from;
            void *p = put(f, v->v, span(f, v->count, sizeof *v->v));
            if (to) ((born_floats *)to)->v = p;
            break;
        }
        case BORN_ATTR_STRING: {
            const born_str *v = from;
            void *p = put(f, v->p, v->n);
            if (to) ((born_str *)to)->p = p;
            break;
        }
        case BORN_ATTR_STRINGS: put_strings(f, from, to); break;
        case BORN_ATTR_TENSOR: put_tensor(f, *(const born_array *const *)from, to); break;
        case BORN_ATTR_GRAPH:
            if (*(born_graph *const *)from) f->overflow = true;
            break;
        default: break;
        }
    }
}

size_t born__attrs_flat_bytes(const born_attr_set *s, const void *a)
{
    flat f = { NULL, (s->bytes + 7) & ~(size_t)7, false };
    walk(s, a, NULL, &f);
    return f.overflow ? SIZE_MAX : f.used;
}

void born__attrs_flat_copy(const born_attr_set *s, const void *a, void *dst)
{
    flat f = { dst, (s->bytes + 7) & ~(size_t)7, false };
    memcpy(dst, a, s->bytes);
    walk(s, a, dst, &f);
}
