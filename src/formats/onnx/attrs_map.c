/* Attributes by the rows: each field of an op's attribute set names its ONNX attribute; this file fills the struct from
   whatever the file gives. An attribute that no field takes is a gap unless it is known to change nothing. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "formats/onnx/map.h"
#include "formats/onnx/tensor_pb.h"

/* Attributes that some version of some operator has and that mean nothing for inference, with the only value (for
   ints) under which that is so; ANY: every value. */
enum { ANY = -1000000 };
typedef struct harmless {
    const char *op, *attr;      /* op "" = every operator */
    int64_t only;
} harmless;
static const harmless known_harmless[] = {
#define X(op, attr, only) { op, attr, only },
#include "formats/onnx/harmless.def"
#undef X
};

static bool is_harmless(const map_call *c, const pb_attr *a)
{
    for (size_t i = 0; i < sizeof known_harmless / sizeof *known_harmless; i++) {
        const harmless *h = &known_harmless[i];
        if (!born__pb_str_is(a->name, h->attr) || (h->op[0] && !born__pb_str_is(c->op, h->op))) continue;
        if (h->only == ANY || (a->type == PB_ATTR_INT && a->i == h->only)) return true;
    }
    return false;
}

/* The index of a choice in "a|b|c"; -1: none. */
static int choice(const char *choices, born_str s)
{
    for (int i = 0; ; i++) {
        size_t n = strcspn(choices, "|");
        if (n == s.n && memcmp(choices, s.p, n) == 0) return i;
        if (!choices[n]) return -1;
        choices += n + 1;
    }
}

static void wrong(const pb_attr *a, const char *what, char *why, size_t n)
{
    char name[40];
    born_text t = born__text_in(why, n);

    born__pb_text(a->name, name, sizeof name);
    born__text_add(&t, "attribute %s %s", name, what);
}

static born_status tensor_attr(map_frame *f, const pb_tensor *t, const born_array **out)
{
    map_ctx *x = f->x;
    born_array *a = born__map_alloc(x, 1, sizeof *a);
    pb_data d;

    BORN_FAIL_IF(!a, x->err, BORN_NOMEM, "onnx: out of memory");
    BORN_TRY(born__pb_tensor_open(t, x->files, a, &d, x->err));
    BORN_FAIL_IF(a->bytes > x->budget, x->err, BORN_NOMEM, "onnx: the model's constants need more memory than allowed");
    x->budget -= a->bytes;
    void *p = born__map_alloc(x, a->bytes, 1);
    BORN_FAIL_IF(!p, x->err, BORN_NOMEM, "onnx: out of memory");
    a->data = p;
    *out = a;
    return born__pb_tensor_copy(t, &d, a, p, x->err);
}

/* Integers and booleans; the negated spelling flips a bool. */
static bool set_int(const born_attr_field *field, int64_t v, char *at)
{
    if (field->kind == BORN_ATTR_INT) {
        memcpy(at, &v, sizeof v);
    } else {
        bool b = field->onnx[0] == '!' ? v == 0 : v != 0;
        memcpy(at, &b, sizeof b);
    }
    return true;
}

/* A list fits a field of its kind; an empty one comes without a type. */
static bool is_list(const pb_attr *a, int type, int64_t count)
{
    return a->type == type || (a->type == PB_ATTR_NONE && !count);
}

static born_status set_field(map_frame *f, const born_attr_field *field, const pb_attr *a, char *at, bool *good,
                             bool *known)
{
    *good = false;
    *known = true;
    switch (field->kind) {
    case BORN_ATTR_INT:
    case BORN_ATTR_BOOL: *good = a->type == PB_ATTR_INT && set_int(field, a->i, at); break;
    case BORN_ATTR_FLOAT: {
        double v = a->type == PB_ATTR_FLOAT ? (double)a->f : (double)a->i;
        *good = (a->type == PB_ATTR_FLOAT && !isnan(a->f)) || a->type == PB_ATTR_INT;
        memcpy(at, &v, sizeof v);
        break;
    }
    case BORN_ATTR_ENUM: {
        int k = a->type == PB_ATTR_STRING ? choice(field->text, a->s) : a->i >= 0 && a->i < 100 ? (int)a->i : -1;
        *good = a->type == PB_ATTR_STRING || a->type == PB_ATTR_INT;
        *known = k >= 0;
        memcpy(at, &k, sizeof k);
        break;
    }
    case BORN_ATTR_DTYPE: {
        born_dtype t = a->type == PB_ATTR_INT ? born__onnx_dtype(a->i) : BORN_DTYPE_NONE;
        *good = a->type == PB_ATTR_INT;
        *known = t != BORN_DTYPE_NONE || a->i == 0;
        memcpy(at, &t, sizeof t);
        break;
    }
    case BORN_ATTR_INTS:
        *good = is_list(a, PB_ATTR_INTS, a->ints.count);
        memcpy(at, &a->ints, sizeof a->ints);
        break;
    case BORN_ATTR_FLOATS:
        *good = is_list(a, PB_ATTR_FLOATS, a->floats.count);
        memcpy(at, &a->floats, sizeof a->floats);
        break;
    case BORN_ATTR_STRING:
        *good = a->type == PB_ATTR_STRING;
        memcpy(at, &a->s, sizeof a->s);
        break;
    case BORN_ATTR_STRINGS:
        *good = is_list(a, PB_ATTR_STRINGS, a->strings.count);
        memcpy(at, &a->strings, sizeof a->strings);
        break;
    case BORN_ATTR_TENSOR: {
        const born_array *t = NULL;
        *good = a->type == PB_ATTR_TENSOR && a->t;
        if (!*good) break;
        if (!(*known = born__onnx_dtype(a->t->type) != BORN_DTYPE_NONE)) break;
        BORN_TRY(tensor_attr(f, a->t, &t));
        memcpy(at, &t, sizeof t);
        break;
    }
    case BORN_ATTR_GRAPH: break;
    }
    return BORN_OK;
}

born_status born__map_attrs(map_frame *f, const born_op *op, const map_call *c, void *attrs, char *why, size_t why_n)
{
    const born_attr_set *set = op->attrs;

    for (int i = 0; i < c->attr_count; i++) {
        const pb_attr *a = &c->attr[i];
        const born_attr_field *field = NULL;
        bool good, known;
        for (int k = 0; set && k < set->count && !field; k++) {
            const char *name = set->field[k].onnx;
            if (name[0] && born__pb_str_is(a->name, name + (name[0] == '!'))) field = &set->field[k];
        }
        if (!field) {
            if (!is_harmless(c, a)) wrong(a, "is not supported", why, why_n);
            continue;
        }
        BORN_TRY(set_field(f, field, a, (char *)attrs + field->offset, &good, &known));
        if (!good)
            wrong(a, "has the wrong type", why, why_n);
        else if (!known)
            wrong(a, "has a value that is not supported", why, why_n);
    }
    return BORN_OK;
}
