/* Calls to nodes: a call of an ONNX operator becomes a node of the row that has it, or is rewritten until it does. */
#include <string.h>

#include "base/error.h"
#include "formats/onnx/map.h"
#include "tensor/view.h"

/* --- building blocks for rewrites --- */

const pb_attr *born__map_attr(const map_call *c, const char *name)
{
    for (int i = 0; i < c->attr_count; i++)
        if (born__pb_str_is(c->attr[i].name, name)) return &c->attr[i];
    return NULL;
}

int64_t born__map_attr_int(const map_call *c, const char *name, int64_t def)
{
    const pb_attr *a = born__map_attr(c, name);

    return a && a->type == PB_ATTR_INT ? a->i : def;
}

double born__map_attr_float(const map_call *c, const char *name, double def)
{
    const pb_attr *a = born__map_attr(c, name);

    return a && a->type == PB_ATTR_FLOAT ? (double)a->f : def;
}

static bool listed(born_str name, const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == name.n && memcmp(list, name.p, n) == 0) return true;
        list += n + (list[n] == ',');
    }
    return false;
}

pb_attr *born__map_attrs_but(map_frame *f, const map_call *c, const char *drop, int more, int *count)
{
    pb_attr *a = born__map_alloc(f->x, (size_t)(c->attr_count + more), sizeof *a);

    int kept = 0; /* count may be the call's own */
    for (int i = 0; a && i < c->attr_count; i++)
        if (!listed(c->attr[i].name, drop)) a[kept++] = c->attr[i];
    *count = kept;
    return a;
}

born_vid born__map_value(map_frame *f, born_status *st)
{
    born_vid v = -1;

    if (*st == BORN_OK) *st = born__graph_value(f->g, "", 0, &v, f->x->err);
    return *st ? -1 : v;
}

static born_vid small_const(map_frame *f, born_status *st, born_dtype t, const int64_t *dim, int rank, const void *data,
                            size_t bytes)
{
    born_vid v = -1;
    void *p = NULL;

    if (*st) return -1;
    if (bytes) {
        p = born__arena_alloc(&f->g->arena, bytes);
        if (!p) {
            *st = born__fail(f->x->err, BORN_NOMEM, "onnx: out of memory");
            return -1;
        }
        memcpy(p, data, bytes);
    }
    *st = born__graph_const(f->g, "", 0, t, dim, rank, p, false, &v, f->x->err);
    return *st ? -1 : v;
}

born_vid born__map_ints(map_frame *f, born_status *st, const int64_t *v, int64_t count)
{
    return small_const(f, st, BORN_I64, &count, 1, v, (size_t)count * sizeof *v);
}

born_vid born__map_int(map_frame *f, born_status *st, int64_t v)
{
    return small_const(f, st, BORN_I64, NULL, 0, &v, sizeof v);
}

born_vid born__map_f32s(map_frame *f, born_status *st, const float *v, int64_t count)
{
    return small_const(f, st, BORN_F32, &count, 1, v, (size_t)count * sizeof *v);
}

born_vid born__map_scalar(map_frame *f, born_status *st, born_dtype t, double v)
{
    uint64_t room = 0;

    born__store_f64(t, &room, v);
    return small_const(f, st, t, NULL, 0, &room, (size_t)born__dtype_info(t)->size);
}

born_status born__map_emit(map_frame *f, const map_call *c, const char *op, const born_vid *in, int in_count,
                           const born_vid *out, int out_count, const pb_attr *attr, int attr_count)
{
    map_call n = { { "", 0 }, { op, strlen(op) }, c->name, MAP_NEWEST, c->said, in, out, in_count, out_count, attr,
                   attr_count };

    return born__map_call(f, &n);
}

born_vid born__map_emit1(map_frame *f, const map_call *c, born_status *st, const char *op, const born_vid *in,
                         int in_count, const pb_attr *attr, int attr_count)
{
    born_vid v = born__map_value(f, st);

    if (*st == BORN_OK) *st = born__map_emit(f, c, op, in, in_count, &v, 1, attr, attr_count);
    return *st ? -1 : v;
}

born_status born__map_identity(map_frame *f, born_vid in, born_vid out)
{
    map_call none = { .version = 0, .name = { "", 0 } };

    return born__map_emit(f, &none, "Identity", &in, 1, &out, 1, NULL, 0);
}

/* --- rows --- */

/* The dtype that a letter of a signature stands for, T and U as bound by the operands. */
static born_dtype letter_dtype(char letter, born_dtype t, born_dtype u)
{
    switch (letter) {
    case 'T': return t;
    case 'U': return u;
    case 'B': return BORN_BOOL;
    case 'L': return BORN_I64;
    case 'F': return BORN_F32;
    default: return BORN_DTYPE_NONE;
    }
}

/* What the signature says about the results' dtypes, as far as the operands' are known: a hint for rewrites. */
static void hint_dtypes(map_frame *f, const born_op *op, const map_call *c, int in_count)
{
    born_value *value = f->g->value;
    born_dtype t = BORN_DTYPE_NONE, u = BORN_DTYPE_NONE;
    const char *s = op->sig;

    for (int i = 0; i < in_count && *s && *s != '>'; i++) {
        born_dtype dt = c->in[i] < 0 ? BORN_DTYPE_NONE : value[c->in[i]].dtype;
        if (*s == 'T' && !t) t = dt;
        if (*s == 'U' && !u) u = dt;
        if (s[1] != '*') s++;
    }
    s = strchr(op->sig, '>');
    s = s ? s + 1 : "";
    for (int i = 0; i < c->out_count && *s; i++) {
        if (c->out[i] >= 0 && !value[c->out[i]].dtype) value[c->out[i]].dtype = letter_dtype(*s, t, u);
        if (s[1] != '*') s++;
    }
}

static born_status add_node(map_frame *f, const born_op *op, const map_call *c)
{
    char why[96] = "";
    void *attrs = NULL;
    int in_count = c->in_count, out_count = c->out_count;

    if (op->attrs) {
        attrs = born__map_alloc(f->x, 1, op->attrs->bytes ? op->attrs->bytes : 1);
        BORN_FAIL_IF(!attrs, f->x->err, BORN_NOMEM, "onnx: out of memory");
        born__attrs_default(op->attrs, attrs);
    }
    BORN_TRY(born__map_attrs(f, op, c, attrs, why, sizeof why));
    while (in_count && c->in[in_count - 1] < 0) in_count--;
    while (out_count > 1 && c->out[out_count - 1] < 0) out_count--;
    const char *refusal = why[0]                                            ? why
                          : op->max_in != 255 && in_count > op->max_in      ? "it has more inputs than are supported"
                          : in_count < op->min_in                           ? "it has fewer inputs than it needs"
                                                                            : NULL;
    if (refusal) {
        born__map_gap(f->x, c->domain, c->op, c->said, c->name, refusal);
        return BORN_OK;
    }
    hint_dtypes(f, op, c, in_count);
    return born__graph_node(f->g, op, c->name.p, c->name.n, attrs, c->in, in_count, c->out, out_count, f->x->err);
}

born_status born__map_call(map_frame *f, const map_call *c)
{
    map_ctx *x = f->x;
    map_rewrite rewrite;
    int64_t oldest = 0;
    char why[64];

    x->work += 1 + c->in_count + c->out_count;
    BORN_FAIL_IF(x->work > MAP_MAX_WORK, x->err, BORN_FORMAT, "onnx: the model has too many nodes");
    rewrite = born__map_compat(c);
    if (rewrite) return rewrite(f, c);
    const born_op *op = born__map_op(x, c->domain, c->op, c->version, &oldest);
    bool fits = op && c->in_count >= op->min_in && (op->max_in == 255 || c->in_count <= op->max_in);
    if (!fits) rewrite = born__map_expansion(c);
    if (!fits && !rewrite && oldest) rewrite = born__map_unchanged(c);
    if (rewrite) return rewrite(f, c);
    if (op) return add_node(f, op, c);
    born_text t = born__text_in(why, sizeof why);
    if (oldest)
        born__text_add(&t, "versions from %lld on are supported", (long long)oldest);
    else
        born__text_add(&t, "no such operator");
    born__map_gap(x, c->domain, c->op, c->said, c->name, why);
    return BORN_OK;
}
