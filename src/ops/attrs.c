/* Attribute structs, seen through the rows of attrs.def: defaults, comparison, hash, range checks, deep copies. Nothing
   here knows a particular set; a new attribute is a new row. Structs may have padding, so everything goes field by
   field. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "tensor/view.h"
#include "waist/op.h"

#include <born/attrs.h>

static const size_t kind_bytes[] = {
    [BORN_ATTR_INT] = sizeof(int64_t),       [BORN_ATTR_FLOAT] = sizeof(double),
    [BORN_ATTR_BOOL] = sizeof(bool),         [BORN_ATTR_ENUM] = sizeof(int),
    [BORN_ATTR_DTYPE] = sizeof(born_dtype),  [BORN_ATTR_INTS] = sizeof(born_ints),
    [BORN_ATTR_FLOATS] = sizeof(born_floats), [BORN_ATTR_STRING] = sizeof(born_str),
    [BORN_ATTR_STRINGS] = sizeof(born_strs), [BORN_ATTR_TENSOR] = sizeof(const born_array *),
    [BORN_ATTR_GRAPH] = sizeof(born_graph *),
};

static const void *at(const void *attrs, const born_attr_field *f) { return (const char *)attrs + f->offset; }
static void *at_mut(void *attrs, const born_attr_field *f) { return (char *)attrs + f->offset; }

static void set_default(const born_attr_field *f, void *p)
{
    switch (f->kind) {
    case BORN_ATTR_INT: *(int64_t *)p = (int64_t)f->def; break;
    case BORN_ATTR_FLOAT: *(double *)p = f->def; break;
    case BORN_ATTR_BOOL: *(bool *)p = f->def != 0; break;
    case BORN_ATTR_ENUM: *(int *)p = (int)f->def; break;
    case BORN_ATTR_DTYPE: *(born_dtype *)p = (born_dtype)(int)f->def; break;
    default: memset(p, 0, kind_bytes[f->kind]); break;
    }
}

void born__attrs_default(const born_attr_set *s, void *attrs)
{
    memset(attrs, 0, s->bytes);
    for (int i = 0; i < s->count; i++) set_default(&s->field[i], at_mut(attrs, &s->field[i]));
}

static bool scalar_is_zero(const born_attr_field *f, const void *p)
{
    switch (f->kind) {
    case BORN_ATTR_INT: return *(const int64_t *)p == 0;
    case BORN_ATTR_FLOAT: return *(const double *)p == 0;
    case BORN_ATTR_BOOL: return !*(const bool *)p;
    case BORN_ATTR_ENUM: return *(const int *)p == 0;
    case BORN_ATTR_DTYPE: return *(const born_dtype *)p == BORN_DTYPE_NONE;
    default: return false;
    }
}

void born__attrs_resolve(const born_attr_set *s, const void *user, void *out)
{
    if (!user) {
        born__attrs_default(s, out);
        return;
    }
    memmove(out, user, s->bytes);
    for (int i = 0; i < s->count; i++) {
        void *p = at_mut(out, &s->field[i]);
        if (scalar_is_zero(&s->field[i], p)) set_default(&s->field[i], p);
    }
}

/* What a field's value is, as one run of bytes, for kinds whose value is such a run. */
typedef struct span { const void *p; size_t n; } span;
static span field_span(const born_attr_field *f, const void *p)
{
    switch (f->kind) {
    case BORN_ATTR_INTS: {
        const born_ints *v = p;
        return (span){ v->v, (size_t)v->count * sizeof(int64_t) };
    }
    case BORN_ATTR_FLOATS: {
        const born_floats *v = p;
        return (span){ v->v, (size_t)v->count * sizeof(float) };
    }
    case BORN_ATTR_STRING: {
        const born_str *v = p;
        return (span){ v->p, v->n };
    }
    default: return (span){ p, kind_bytes[f->kind] };
    }
}

static bool span_equal(span a, span b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

static size_t array_bytes(const born_array *a)
{
    int64_t n;
    if (!born__shape_count(a->shape.dim, a->shape.rank, &n)) return 0;
    n = born_dtype_bytes(a->dtype, n);
    return n < 0 || !a->data ? 0 : (size_t)n;
}

static bool array_equal(const born_array *a, const born_array *b)
{
    if (a == b) return true;
    if (!a || !b || a->dtype != b->dtype || a->shape.rank != b->shape.rank) return false;
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dim[i] != b->shape.dim[i]) return false;
    return span_equal((span){ a->data, array_bytes(a) }, (span){ b->data, array_bytes(b) });
}

bool born__attrs_equal(const born_attr_set *s, const void *a, const void *b)
{
    for (int i = 0; i < s->count; i++) {
        const born_attr_field *f = &s->field[i];
        if (f->kind == BORN_ATTR_TENSOR) {
            if (!array_equal(*(const born_array *const *)at(a, f), *(const born_array *const *)at(b, f))) return false;
        } else if (f->kind == BORN_ATTR_STRINGS) {
            const born_strs *x = at(a, f), *y = at(b, f);
            if (x->count != y->count) return false;
            for (int64_t j = 0; j < x->count; j++)
                if (!span_equal((span){ x->v[j].p, x->v[j].n }, (span){ y->v[j].p, y->v[j].n })) return false;
        } else if (!span_equal(field_span(f, at(a, f)), field_span(f, at(b, f)))) {
            return false;
        }
    }
    return true;
}

static uint64_t hash_span(uint64_t h, span x)
{
    h ^= x.n;
    for (size_t i = 0; i < x.n; i++) h = (h ^ ((const uint8_t *)x.p)[i]) * 0x100000001b3u;
    return h;
}

uint64_t born__attrs_hash(const born_attr_set *s, const void *a)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int i = 0; i < s->count; i++) {
        const born_attr_field *f = &s->field[i];
        if (f->kind == BORN_ATTR_TENSOR) {
            const born_array *t = *(const born_array *const *)at(a, f);
            if (!t) continue;
            h = hash_span(h, (span){ t->shape.dim, (size_t)t->shape.rank * sizeof t->shape.dim[0] });
            h = hash_span(h ^ (uint64_t)t->dtype, (span){ t->data, array_bytes(t) });
        } else if (f->kind == BORN_ATTR_STRINGS) {
            const born_strs *v = at(a, f);
            for (int64_t j = 0; j < v->count; j++) h = hash_span(h, (span){ v->v[j].p, v->v[j].n });
        } else {
            h = hash_span(h, field_span(f, at(a, f)));
        }
    }
    return h;
}

static int enum_count(const char *text)
{
    int n = 1;
    for (; *text; text++) n += *text == '|';
    return n;
}

static born_status check_number(const born_attr_field *f, double v, const char *op, born_error *err)
{
    bool any = f->lo == -INFINITY && f->hi == INFINITY;     /* then NaN is legal too: files do carry it */
    BORN_FAIL_IF(!any && !(v >= f->lo && v <= f->hi), err, BORN_INVALID, "%s: %s = %.10g is outside [%.10g, %.10g]", op,
                 f->name, v, f->lo, f->hi);
    return BORN_OK;
}

static born_status check_array(const born_attr_field *f, const born_array *a, const char *op, born_error *err)
{
    int64_t n;
    if (!a) return BORN_OK;
    BORN_FAIL_IF(a->shape.rank < 0 || a->shape.rank > BORN_MAX_RANK, err, BORN_INVALID, "%s: %s has rank %d", op,
                 f->name, a->shape.rank);
    BORN_FAIL_IF(!born__shape_count(a->shape.dim, a->shape.rank, &n) || born_dtype_bytes(a->dtype, n) < 0, err,
                 BORN_INVALID, "%s: %s has an impossible shape or dtype", op, f->name);
    BORN_FAIL_IF(n > 0 && !a->data, err, BORN_INVALID, "%s: %s has no data", op, f->name);
    return BORN_OK;
}

static born_status check_field(const born_attr_field *f, const void *p, const char *op, born_error *err)
{
    switch (f->kind) {
    case BORN_ATTR_INT: return check_number(f, (double)*(const int64_t *)p, op, err);
    case BORN_ATTR_FLOAT: return check_number(f, *(const double *)p, op, err);
    case BORN_ATTR_ENUM: {
        int v = *(const int *)p;
        BORN_FAIL_IF(v < 0 || v >= enum_count(f->text), err, BORN_INVALID, "%s: %s = %d is not one of %s", op, f->name,
                     v, f->text);
        return BORN_OK;
    }
    case BORN_ATTR_DTYPE: {
        int v = (int)*(const born_dtype *)p;
        BORN_FAIL_IF(v < 0 || v >= (int)BORN_DTYPE_COUNT, err, BORN_INVALID, "%s: %s = %d is no dtype", op, f->name, v);
        return BORN_OK;
    }
    case BORN_ATTR_INTS: {
        const born_ints *v = p;
        BORN_FAIL_IF(v->count < 0 || (v->count > 0 && !v->v), err, BORN_INVALID, "%s: %s has no values", op, f->name);
        for (int64_t i = 0; i < v->count; i++) BORN_TRY(check_number(f, (double)v->v[i], op, err));
        return BORN_OK;
    }
    case BORN_ATTR_FLOATS: {
        const born_floats *v = p;
        BORN_FAIL_IF(v->count < 0 || (v->count > 0 && !v->v), err, BORN_INVALID, "%s: %s has no values", op, f->name);
        for (int64_t i = 0; i < v->count; i++) BORN_TRY(check_number(f, (double)v->v[i], op, err));
        return BORN_OK;
    }
    case BORN_ATTR_STRING: {
        const born_str *v = p;
        BORN_FAIL_IF(v->n > 0 && !v->p, err, BORN_INVALID, "%s: %s has no text", op, f->name);
        return BORN_OK;
    }
    case BORN_ATTR_STRINGS: {
        const born_strs *v = p;
        BORN_FAIL_IF(v->count < 0 || (v->count > 0 && !v->v), err, BORN_INVALID, "%s: %s has no values", op, f->name);
        return BORN_OK;
    }
    case BORN_ATTR_TENSOR: return check_array(f, *(const born_array *const *)p, op, err);
    case BORN_ATTR_BOOL:
    case BORN_ATTR_GRAPH: break;
    }
    return BORN_OK;
}

born_status born__attrs_check(const born_attr_set *s, const void *a, const char *op, born_error *err)
{
    for (int i = 0; i < s->count; i++) BORN_TRY(check_field(&s->field[i], at(a, &s->field[i]), op, err));
    return BORN_OK;
}

/* Deep copies are made by one walk that first counts (base NULL), then copies. `used` runs over 16-byte steps behind
   the struct itself. */
typedef struct copier { char *base; size_t used; bool overflow; } copier;

static void *copier_put(copier *c, const void *p, size_t n)
{
    size_t start = c->used, padded;
    if (!born__add_size(n, 15, &padded) || !born__add_size(start, padded & ~(size_t)15, &c->used)) c->overflow = true;
    if (!c->base || n == 0) return NULL;
    return memcpy(c->base + start, p, n);
}

static void copy_strings(copier *c, born_strs *dst, const born_strs *src)
{
    born_str *list = copier_put(c, src->v, (size_t)src->count * sizeof(born_str));
    for (int64_t i = 0; i < src->count; i++) {
        const char *p = copier_put(c, src->v[i].p, src->v[i].n);
        if (list) list[i].p = p;
    }
    if (c->base) dst->v = list;
}

static void copy_tensor(copier *c, const born_array **dst, const born_array *src)
{
    if (!src) return;
    born_array *a = copier_put(c, src, sizeof *src);
    size_t n = array_bytes(src);
    const void *data = copier_put(c, src->data, n);
    if (!a) return;
    a->data = data;
    a->bytes = n;
    *dst = a;
}

static void copy_fields(const born_attr_set *s, copier *c, void *dst, const void *a)
{
    for (int i = 0; i < s->count; i++) {
        const born_attr_field *f = &s->field[i];
        void *d = at_mut(dst, f);
        switch (f->kind) {
        case BORN_ATTR_INTS:
        case BORN_ATTR_FLOATS:
        case BORN_ATTR_STRING: {
            span x = field_span(f, at(a, f));
            const void *p = copier_put(c, x.p, x.n);
            if (!c->base) break;
            if (f->kind == BORN_ATTR_INTS) ((born_ints *)d)->v = p;
            else if (f->kind == BORN_ATTR_FLOATS) ((born_floats *)d)->v = p;
            else ((born_str *)d)->p = p;
            break;
        }
        case BORN_ATTR_STRINGS: copy_strings(c, d, at(a, f)); break;
        case BORN_ATTR_TENSOR: copy_tensor(c, d, *(const born_array *const *)at(a, f)); break;
        default: break;
        }
    }
}

void *born__attrs_dup(const born_attr_set *s, const void *a)
{
    size_t head = (s->bytes + 15) & ~(size_t)15;
    copier c = { NULL, head, false };
    copy_fields(s, &c, (void *)(uintptr_t)a, a);    /* counts, and writes nothing while base is NULL */
    char *block = c.overflow ? NULL : born__alloc(c.used);
    if (!block) return NULL;
    memcpy(block, a, s->bytes);
    c = (copier){ block, head, false };
    copy_fields(s, &c, block, a);
    return block;
}

void born__attrs_free(const born_attr_set *s, void *a)
{
    (void)s;        /* one block holds everything; graphs belong to the graph that took them */
    born__free(a);
}
