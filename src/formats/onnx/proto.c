/* Parses ONNX messages into the structs of proto.h. Each message is walked twice: once to count its repeated fields,
   once to fill arrays of just that size; the arrays come from the arena and are charged to a budget first. */
#include "formats/onnx/proto.h"

#include <limits.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"

typedef struct parser {
    born_arena *arena;
    size_t left;                /* bytes that structs may still take */
    pb_graph *pending;          /* graphs found but not parsed yet */
    born_error *err;
} parser;

bool born__pb_str_is(born_str s, const char *text)
{
    size_t n = strlen(text);

    return s.n == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

bool born__pb_str_same(born_str a, born_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

const char *born__pb_text(born_str s, char *buf, size_t n)
{
    size_t k = s.n < n - 1 ? s.n : n - 1;

    for (size_t i = 0; i < k; i++) buf[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? '?' : s.p[i];
    if (k < s.n && k >= 3) memcpy(buf + k - 3, "...", 3);
    buf[k] = 0;
    return buf;
}

const pb_attr *born__pb_attr_find(const pb_node *n, const char *name)
{
    for (int i = 0; i < n->attr_count; i++)
        if (born__pb_str_is(n->attr[i].name, name)) return &n->attr[i];
    return NULL;
}

static born_str to_str(pb_slice s)
{
    return (born_str){ (const char *)s.p, s.n };
}

static born_status malformed(const parser *x, const char *message)
{
    return born__fail(x->err, BORN_FORMAT, "onnx: %s is malformed or cut short", message);
}

/* count items of size bytes, zeroed; *out is NULL for none. */
static born_status take(parser *x, size_t count, size_t size, void *out)
{
    size_t bytes;
    void *p = NULL;

    if (count) {
        BORN_FAIL_IF(count > INT_MAX / 2 || !born__mul_size(count, size, &bytes) || bytes > x->left, x->err, BORN_NOMEM,
                     "onnx: the model's structure needs more memory than allowed");
        x->left -= bytes;
        p = born__arena_alloc(x->arena, bytes);
        BORN_FAIL_IF(!p, x->err, BORN_NOMEM, "onnx: out of memory");
    }
    memcpy(out, &p, sizeof p);
    return BORN_OK;
}

/* The file may change under us: what was counted is not what is found. */
static born_status changed(const parser *x)
{
    return born__fail(x->err, BORN_IO, "onnx: the file changed while it was read");
}

/* Numbers of a repeated field, packed or not, read one by one: *c walks f's run. */
static bool next_number(pb_cursor *c, const pb_field *f, int element_type, bool *first, uint64_t *out)
{
    if (f->type == element_type) {
        if (!*first) return false;
        *first = false;
        *out = f->number;
        return true;
    }
    if (element_type == PB_VARINT) return born__pb_varint(c, out);
    size_t size = element_type == PB_FIXED64 ? 8 : 4;
    if ((size_t)(c->end - c->p) < size) return false;
    *out = size == 8 ? born__pb_load64(c->p) : born__pb_load32(c->p);
    c->p += size;
    return true;
}

static int64_t to_i64(uint64_t u)
{
    int64_t v;

    memcpy(&v, &u, sizeof v);
    return v;
}

static float to_f32(uint64_t u)
{
    uint32_t bits = (uint32_t)u;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* --- shapes and types --- */

static born_status parse_dim(const parser *x, pb_slice s, int64_t *dim, born_str *symbol)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    *dim = -1;
    while (born__pb_next(&c, &f)) {
        if (f.id == 1 && f.type == PB_VARINT) *dim = to_i64(f.number);
        if (f.id == 2 && f.type == PB_BYTES) *symbol = to_str(f.bytes);
    }
    if (*dim < -1) *dim = -1;   /* some exporters write odd negatives for "any" */
    return c.bad ? malformed(x, "a dimension") : BORN_OK;
}

static born_status parse_shape(const parser *x, pb_slice s, pb_value_info *v)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    v->rank = 0;
    while (born__pb_next(&c, &f)) {
        if (f.id != 1 || f.type != PB_BYTES) continue;
        BORN_FAIL_IF(v->rank == PB_MAX_RANK, x->err, BORN_UNSUPPORTED, "onnx: a shape has more than %d dimensions",
                     PB_MAX_RANK);
        BORN_TRY(parse_dim(x, f.bytes, &v->dim[v->rank], &v->symbol[v->rank]));
        v->rank++;
    }
    return c.bad ? malformed(x, "a shape") : BORN_OK;
}

static born_status parse_tensor_type(const parser *x, pb_slice s, pb_value_info *v)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    while (born__pb_next(&c, &f)) {
        if (f.id == 1 && f.type == PB_VARINT)
            v->elem_type = f.number <= 255 ? (int32_t)f.number : 255;
        else if (f.id == 2 && f.type == PB_BYTES)
            BORN_TRY(parse_shape(x, f.bytes, v));
    }
    return c.bad ? malformed(x, "a tensor type") : BORN_OK;
}

/* The kind that a type's field says it is, and the message inside; false where the bytes are malformed. */
static bool type_kind(pb_slice s, pb_kind *kind, pb_slice *inner)
{
    static const uint8_t kinds[] = { [1] = PB_KIND_TENSOR, [4] = PB_KIND_SEQUENCE, [5] = PB_KIND_MAP,
                                     [8] = PB_KIND_SPARSE, [9] = PB_KIND_OPTIONAL };
    pb_cursor c = pb_open(s);
    pb_field f;

    *kind = PB_KIND_NONE;
    *inner = (pb_slice){ NULL, 0 };
    while (born__pb_next(&c, &f)) {
        if (f.type != PB_BYTES || f.id >= sizeof kinds || kinds[f.id] == PB_KIND_NONE) continue;
        *kind = (pb_kind)kinds[f.id];
        *inner = f.bytes;
    }
    return !c.bad;
}

/* The type that a sequence or optional is of: its last field 1; false where the bytes are malformed. */
static bool element_type(pb_slice s, pb_slice *inner)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    *inner = (pb_slice){ NULL, 0 };
    while (born__pb_next(&c, &f))
        if (f.id == 1 && f.type == PB_BYTES) *inner = f.bytes;
    return !c.bad;
}

/* Sequences and optionals of anything: the outermost kind is kept, and the tensor type inside. */
static born_status parse_type(const parser *x, pb_slice s, pb_value_info *v)
{
    for (int depth = 0; depth < 8; depth++) {
        pb_slice inner;
        pb_kind kind;

        if (!type_kind(s, &kind, &inner)) return malformed(x, "a type");
        if (depth == 0) v->kind = kind;
        if (kind == PB_KIND_TENSOR) return parse_tensor_type(x, inner, v);
        if (kind != PB_KIND_SEQUENCE && kind != PB_KIND_OPTIONAL) return BORN_OK;
        if (!element_type(inner, &s)) return malformed(x, "a type");
    }
    return born__fail(x->err, BORN_FORMAT, "onnx: types nest too deep");
}

static born_status parse_value_info(const parser *x, pb_slice s, pb_value_info *v)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    v->rank = -1;
    while (born__pb_next(&c, &f)) {
        if (f.id == 1 && f.type == PB_BYTES) v->name = to_str(f.bytes);
        if (f.id == 2 && f.type == PB_BYTES) BORN_TRY(parse_type(x, f.bytes, v));
    }
    return c.bad ? malformed(x, "a value's description") : BORN_OK;
}

/* --- tensors --- */

static born_status add_dims(pb_tensor *t, const pb_field *f, born_error *err)
{
    pb_cursor c = pb_open(f->bytes);
    uint64_t v;
    bool first = true;

    BORN_FAIL_IF(f->type != PB_VARINT && f->type != PB_BYTES, err, BORN_FORMAT, "onnx: a tensor's dims are malformed");
    while (next_number(&c, f, PB_VARINT, &first, &v)) {
        BORN_FAIL_IF(t->rank == PB_MAX_RANK, err, BORN_UNSUPPORTED, "onnx: a tensor has more than %d dimensions",
                     PB_MAX_RANK);
        BORN_FAIL_IF(v > INT64_MAX, err, BORN_FORMAT, "onnx: a tensor has a negative dimension");
        t->dim[t->rank++] = (int64_t)v;
    }
    BORN_FAIL_IF(c.bad, err, BORN_FORMAT, "onnx: a tensor's dims are malformed");
    return BORN_OK;
}

born_status born__pb_parse_tensor(pb_slice s, pb_tensor *t, born_error *err)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    memset(t, 0, sizeof *t);
    t->body = s;
    while (born__pb_next(&c, &f)) {
        switch (f.id) {
        case 1: BORN_TRY(add_dims(t, &f, err)); break;
        case 2: t->type = f.type == PB_VARINT && f.number <= 255 ? (int32_t)f.number : 255; break;
        case 8: if (f.type == PB_BYTES) t->name = to_str(f.bytes); break;
        case 9:
            BORN_FAIL_IF(f.type != PB_BYTES || t->has_raw, err, BORN_FORMAT, "onnx: a tensor's raw data is malformed");
            t->raw = f.bytes;
            t->has_raw = true;
            break;
        case 4: case 5: case 6: case 7: case 10: case 11:
            BORN_FAIL_IF(t->data_field && t->data_field != f.id, err, BORN_FORMAT,
                         "onnx: a tensor holds data of two types");
            t->data_field = f.id;
            break;
        case 14: t->external = f.type == PB_VARINT && f.number == 1; break;
        case 3: return born__fail(err, BORN_UNSUPPORTED, "onnx: a tensor in segments is not supported");
        default: break;
        }
    }
    BORN_FAIL_IF(c.bad, err, BORN_FORMAT, "onnx: a tensor is malformed or cut short");
    return BORN_OK;
}

static born_status parse_tensors(parser *x, pb_slice s, uint32_t id, pb_tensor **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "a tensor");
        if ((size_t)i == total) return changed(x);
        BORN_TRY(born__pb_parse_tensor(f.bytes, &(*out)[i++], x->err));
    }
    *count = i;
    return BORN_OK;
}

/* --- attributes --- */

static born_status push_graph(parser *x, pb_slice s, int depth, pb_graph **out)
{
    BORN_FAIL_IF(depth > PB_MAX_DEPTH, x->err, BORN_FORMAT, "onnx: graphs nest deeper than %d", PB_MAX_DEPTH);
    BORN_TRY(take(x, 1, sizeof **out, out));
    (*out)->body = s;
    (*out)->depth = depth;
    (*out)->next = x->pending;
    x->pending = *out;
    return BORN_OK;
}

static born_status parse_strings(parser *x, pb_slice s, uint32_t id, born_str **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "a string");
        if ((size_t)i == total) return changed(x);
        (*out)[i++] = to_str(f.bytes);
    }
    *count = i;
    return BORN_OK;
}

/* One field of numbers, packed or single, from place *at of its list on: varints to iv, fixed ones to fv. False where
   it is malformed or holds more than the list has room for. */
static bool take_numbers(const pb_field *f, int type, int64_t *iv, float *fv, size_t *at, size_t most)
{
    pb_cursor run = pb_open(f->bytes);
    uint64_t v;
    bool first = true;

    while (next_number(&run, f, type, &first, &v)) {
        if (*at == most) return false;
        if (type == PB_VARINT)
            iv[(*at)++] = to_i64(v);
        else
            fv[(*at)++] = to_f32(v);
    }
    return !run.bad;
}

/* The repeated numbers of an attribute: ints (id 8, varints) or floats (id 7). */
static born_status parse_numbers(parser *x, pb_slice s, pb_attr *a)
{
    size_t ints = 0, floats = 0;
    bool bad = false;
    pb_cursor c = pb_open(s);
    pb_field f;
    int64_t *iv;
    float *fv;

    while (born__pb_next(&c, &f)) {
        if (f.id == 8) ints += born__pb_number_count(&f, PB_VARINT, &bad);
        if (f.id == 7) floats += born__pb_number_count(&f, PB_FIXED32, &bad);
    }
    if (bad || c.bad) return malformed(x, "an attribute's list of numbers");
    BORN_TRY(take(x, ints, sizeof *iv, &iv));
    BORN_TRY(take(x, floats, sizeof *fv, &fv));
    size_t i = 0, k = 0;
    c = pb_open(s);
    while (born__pb_next(&c, &f) && !bad) {
        if (f.id == 8) bad = !take_numbers(&f, PB_VARINT, iv, NULL, &i, ints);
        if (f.id == 7) bad = !take_numbers(&f, PB_FIXED32, NULL, fv, &k, floats);
    }
    if (bad) return malformed(x, "an attribute's list of numbers");
    a->ints = (born_ints){ iv, (int64_t)i };
    a->floats = (born_floats){ fv, (int64_t)k };
    return BORN_OK;
}

/* Files before IR version 3 leave the type out: it follows from the field that is there. */
static int implied_type(uint32_t field)
{
    static const uint8_t type[] = { [2] = PB_ATTR_FLOAT, [3] = PB_ATTR_INT, [4] = PB_ATTR_STRING, [5] = PB_ATTR_TENSOR,
                                    [6] = PB_ATTR_GRAPH, [7] = PB_ATTR_FLOATS, [8] = PB_ATTR_INTS,
                                    [9] = PB_ATTR_STRINGS, [10] = PB_ATTR_TENSORS, [11] = PB_ATTR_GRAPHS };

    return field < sizeof type ? type[field] : PB_ATTR_NONE;
}

/* A field of an attribute that holds bytes: a text, a tensor or a graph. */
static born_status attr_bytes(parser *x, const pb_field *f, int depth, pb_attr *a)
{
    switch (f->id) {
    case 1: a->name = to_str(f->bytes); break;
    case 21: a->ref = to_str(f->bytes); break;
    case 4: a->s = to_str(f->bytes); break;
    case 5:
        if (!a->t) BORN_TRY(take(x, 1, sizeof *a->t, &a->t));
        return born__pb_parse_tensor(f->bytes, a->t, x->err);
    case 6:
        BORN_FAIL_IF(a->g, x->err, BORN_FORMAT, "onnx: an attribute holds two graphs");
        return push_graph(x, f->bytes, depth + 1, &a->g);
    default: break;
    }
    return BORN_OK;
}

static born_status parse_attr(parser *x, pb_slice s, int depth, pb_attr *a)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    uint32_t seen = 0;
    int n_strings = 0;
    born_str *strings = NULL;

    while (born__pb_next(&c, &f)) {
        if (implied_type(f.id)) seen = f.id;
        if (f.id == 20 && f.type == PB_VARINT) a->type = f.number <= PB_ATTR_TYPES ? (int)f.number : PB_ATTR_TYPES;
        if (f.id == 2 && f.type == PB_FIXED32) a->f = to_f32(f.number);
        if (f.id == 3 && f.type == PB_VARINT) a->i = to_i64(f.number);
        if (f.type == PB_BYTES) BORN_TRY(attr_bytes(x, &f, depth, a));
    }
    if (c.bad) return malformed(x, "an attribute");
    if (!a->type) a->type = implied_type(seen);
    BORN_TRY(parse_numbers(x, s, a));
    BORN_TRY(parse_strings(x, s, 9, &strings, &n_strings));
    a->strings = (born_strs){ strings, n_strings };
    return BORN_OK;
}

static born_status parse_attrs(parser *x, pb_slice s, uint32_t id, int depth, pb_attr **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "an attribute");
        if ((size_t)i == total) return changed(x);
        BORN_TRY(parse_attr(x, f.bytes, depth, &(*out)[i++]));
    }
    *count = i;
    return BORN_OK;
}

/* --- nodes, graphs, functions, the model --- */

static born_status parse_node(parser *x, pb_slice s, int depth, pb_node *n)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    while (born__pb_next(&c, &f)) {
        if (f.type != PB_BYTES) continue;
        if (f.id == 3) n->name = to_str(f.bytes);
        if (f.id == 4) n->op = to_str(f.bytes);
        if (f.id == 7) n->domain = to_str(f.bytes);
        if (f.id == 8) n->overload = to_str(f.bytes);
    }
    if (c.bad) return malformed(x, "a node");
    if (born__pb_str_is(n->domain, "ai.onnx")) n->domain.n = 0;
    BORN_TRY(parse_strings(x, s, 1, &n->input, &n->in_count));
    BORN_TRY(parse_strings(x, s, 2, &n->output, &n->out_count));
    return parse_attrs(x, s, 5, depth, &n->attr, &n->attr_count);
}

static born_status parse_nodes(parser *x, pb_slice s, uint32_t id, int depth, pb_node **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "a node");
        if ((size_t)i == total) return changed(x);
        BORN_TRY(parse_node(x, f.bytes, depth, &(*out)[i++]));
    }
    *count = i;
    return BORN_OK;
}

static born_status parse_infos(parser *x, pb_slice s, uint32_t id, pb_value_info **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "a value's description");
        if ((size_t)i == total) return changed(x);
        BORN_TRY(parse_value_info(x, f.bytes, &(*out)[i++]));
    }
    *count = i;
    return BORN_OK;
}

static born_status parse_graph(parser *x, pb_graph *g)
{
    pb_cursor c = pb_open(g->body);
    pb_field f;

    while (born__pb_next(&c, &f)) {
        if (f.id == 2 && f.type == PB_BYTES) g->name = to_str(f.bytes);
        if (f.id == 15) g->sparse_count++;
    }
    if (c.bad) return malformed(x, "a graph");
    BORN_TRY(parse_nodes(x, g->body, 1, g->depth, &g->node, &g->node_count));
    BORN_TRY(parse_tensors(x, g->body, 5, &g->init, &g->init_count));
    BORN_TRY(parse_infos(x, g->body, 11, &g->input, &g->input_count));
    BORN_TRY(parse_infos(x, g->body, 12, &g->output, &g->output_count));
    return parse_infos(x, g->body, 13, &g->info, &g->info_count);
}

static born_status parse_opsets(parser *x, pb_slice s, uint32_t id, pb_opset **out, int *count)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, id);
    int i = 0;

    BORN_TRY(take(x, total, sizeof **out, out));
    while (born__pb_next(&c, &f)) {
        if (f.id != id) continue;
        if (f.type != PB_BYTES) return malformed(x, "an opset import");
        if ((size_t)i == total) return changed(x);
        pb_cursor in = pb_open(f.bytes);
        pb_opset *o = &(*out)[i++];
        pb_field g;
        while (born__pb_next(&in, &g)) {
            if (g.id == 1 && g.type == PB_BYTES) o->domain = to_str(g.bytes);
            if (g.id == 2 && g.type == PB_VARINT) o->version = to_i64(g.number);
        }
        if (in.bad) return malformed(x, "an opset import");
        if (born__pb_str_is(o->domain, "ai.onnx")) o->domain.n = 0;
    }
    *count = i;
    return BORN_OK;
}

static born_status parse_function(parser *x, pb_slice s, pb_function *n)
{
    pb_cursor c = pb_open(s);
    pb_field f;

    n->body = s;
    while (born__pb_next(&c, &f)) {
        if (f.type != PB_BYTES) continue;
        if (f.id == 1) n->name = to_str(f.bytes);
        if (f.id == 10) n->domain = to_str(f.bytes);
        if (f.id == 13) n->overload = to_str(f.bytes);
    }
    if (c.bad) return malformed(x, "a function");
    if (born__pb_str_is(n->domain, "ai.onnx")) n->domain.n = 0;
    BORN_TRY(parse_strings(x, s, 4, &n->input, &n->in_count));
    BORN_TRY(parse_strings(x, s, 5, &n->output, &n->out_count));
    BORN_TRY(parse_strings(x, s, 6, &n->attr, &n->attr_count));
    BORN_TRY(parse_attrs(x, s, 11, 0, &n->attr_default, &n->default_count));
    BORN_TRY(parse_opsets(x, s, 9, &n->opset, &n->opset_count));
    return parse_nodes(x, s, 7, 0, &n->node, &n->node_count);
}

static born_status parse_functions(parser *x, pb_slice s, pb_model *m)
{
    pb_cursor c = pb_open(s);
    pb_field f;
    size_t total = born__pb_count(s, 25);

    BORN_TRY(take(x, total, sizeof *m->function, &m->function));
    while (born__pb_next(&c, &f)) {
        if (f.id != 25) continue;
        if (f.type != PB_BYTES) return malformed(x, "a function");
        if ((size_t)m->function_count == total) return changed(x);
        BORN_TRY(parse_function(x, f.bytes, &m->function[m->function_count++]));
    }
    return BORN_OK;
}

born_status born__pb_parse_model(born_arena *a, size_t budget, pb_slice bytes, pb_model *m, born_error *err)
{
    parser x = { a, budget, NULL, err };
    pb_cursor c = pb_open(bytes);
    pb_field f;

    memset(m, 0, sizeof *m);
    while (born__pb_next(&c, &f)) {
        if (f.id == 1 && f.type == PB_VARINT) m->ir_version = to_i64(f.number);
        if (f.id == 2 && f.type == PB_BYTES) m->producer = to_str(f.bytes);
        if (f.id == 7) {
            if (f.type != PB_BYTES) return malformed(&x, "the graph");
            BORN_FAIL_IF(m->graph, err, BORN_FORMAT, "onnx: the model holds two graphs");
            BORN_TRY(push_graph(&x, f.bytes, 0, &m->graph));
        }
    }
    if (c.bad) return malformed(&x, "the model");
    BORN_FAIL_IF(!m->graph, err, BORN_FORMAT, "onnx: the model holds no graph");
    BORN_TRY(parse_opsets(&x, bytes, 8, &m->opset, &m->opset_count));
    BORN_TRY(parse_functions(&x, bytes, m));
    while (x.pending) {
        pb_graph *g = x.pending;
        x.pending = g->next;
        BORN_TRY(parse_graph(&x, g));
    }
    return BORN_OK;
}
