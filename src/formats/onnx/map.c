/* The mapper's way through a model: names get values, nodes become calls (map_call.c), what is not supported is
   collected, and only then is the model refused, with all of it said at once. */
#include "formats/onnx/map.h"

#include <string.h>

#include "base/error.h"
#include "formats/onnx/tensor_pb.h"
#include "tensor/view.h"

void *born__map_alloc(map_ctx *x, size_t count, size_t size)
{
    if (!count) count = 1;
    if (count > SIZE_MAX / 2 / size) return NULL;
    return born__arena_alloc(&x->arena, count * size);
}

void born__map_gap(map_ctx *x, born_str domain, born_str op, int64_t version, born_str node, const char *why)
{
    char name[96], label[64], *at = name;
    born_text *t = &x->gap_text;

    if (domain.n) {
        born__pb_text(domain, name, 48);
        at = name + strlen(name);
        *at++ = '.';
    }
    born__pb_text(op, at, sizeof name - (size_t)(at - name));
    born__pb_text(node, label, sizeof label);
    if (version >= MAP_NEWEST) version = 0;
    if (x->gap) x->gap(x->user, &(born_onnx_gap){ name, version, label, why });
    x->gap_count++;
    if (t->len > 110) return;
    born__text_add(t, "%s%s", t->len ? "; " : "", name);
    if (version) born__text_add(t, ":%lld", (long long)version);
    if (label[0]) born__text_add(t, " '%s'", label);
    born__text_add(t, " (%s)", why);
}

int64_t born__map_version(const map_frame *f, born_str domain)
{
    for (int i = 0; i < f->opset_count; i++)
        if (born__pb_str_same(f->opset[i].domain, domain)) return f->opset[i].version;
    return 0;
}

int born__map_rank(const map_frame *f, born_vid v)
{
    if (v < 0) return -1;
    if (f->g->value[v].rank >= 0) return f->g->value[v].rank;
    return (size_t)v < f->hints->cap ? f->hints->rank[v] - 1 : -1;
}

static born_status hint_rank(map_frame *f, born_vid v, int rank)
{
    map_hints *h = f->hints;

    if (v < 0 || rank < 0 || rank > PB_MAX_RANK) return BORN_OK;
    if ((size_t)v >= h->cap) {
        size_t cap = f->g->value_count + 64;
        int8_t *bigger = born__map_alloc(f->x, cap, 1);
        BORN_FAIL_IF(!bigger, f->x->err, BORN_NOMEM, "onnx: out of memory");
        if (h->cap) memcpy(bigger, h->rank, h->cap);
        h->rank = bigger;
        h->cap = cap;
    }
    h->rank[v] = (int8_t)(rank + 1);
    return BORN_OK;
}

/* --- constants --- */

/* From here on a weight that is not aligned in the file stays there until somebody needs it otherwise than packed, and
   one that is decoded is a block of its own. */
enum { BIG_CONST = 1 << 16 };

static born_status const_data(map_frame *f, const pb_tensor *t, const pb_data *d, const born_array *a, bool *own,
                              bool *loose, const void **out)
{
    map_ctx *x = f->x;
    bool floats = born__dtype_info(a->dtype)->cls == 'F';
    void *p;

    *own = *loose = false;
    *out = NULL;
    if (!a->bytes) return BORN_OK;
    *loose = !d->in_place && d->raw.p && floats && a->bytes >= BIG_CONST;
    if (d->in_place || *loose) {
        *out = d->raw.p;
        return BORN_OK;
    }
    BORN_FAIL_IF(a->bytes > x->budget, x->err, BORN_NOMEM, "onnx: the model's constants need more memory than allowed");
    x->budget -= a->bytes;
    *own = a->bytes >= BIG_CONST && floats;
    p = *own ? born__alloc(a->bytes) : born__arena_alloc(&f->g->arena, a->bytes);
    BORN_FAIL_IF(!p, x->err, BORN_NOMEM, "onnx: out of memory");
    *out = p;
    born_status st = born__pb_tensor_copy(t, d, a, p, x->err);
    if (st && *own) born__free(p);
    return st;
}

born_status born__map_const(map_frame *f, const pb_tensor *t, born_str name, born_vid *out)
{
    map_ctx *x = f->x;
    born_array a;
    pb_data d;
    bool own, loose;
    const void *data;

    if (!born__onnx_dtype(t->type)) {
        born__map_gap(x, (born_str){ "", 0 }, (born_str){ "tensor", 6 }, 0, name,
                      born__onnx_dtype_name(t->type));
        return born__graph_value(f->g, name.p, name.n, out, x->err);
    }
    BORN_TRY(born__pb_tensor_open(t, x->files, &a, &d, x->err));
    BORN_TRY(const_data(f, t, &d, &a, &own, &loose, &data));
    born_status st =
        born__graph_const(f->g, name.p, name.n, a.dtype, a.shape.dim, a.shape.rank, data, own, out, x->err);
    if (st && own) born__free((void *)(uintptr_t)data);
    if (!st) f->g->value[*out].loose = loose;
    return st;
}

/* The Constant operator in all its forms. */
static born_status constant_node(map_frame *f, const pb_node *n, born_str name, born_vid *out)
{
    born_status st = BORN_OK;
    const pb_attr *a = n->attr_count == 1 ? &n->attr[0] : NULL;

    for (int i = 0; i < n->attr_count && !a; i++)
        if (n->attr[i].name.n >= 5 && memcmp(n->attr[i].name.p, "value", 5) == 0) a = &n->attr[i];
    *out = -1;
    if (a && a->type == PB_ATTR_TENSOR && a->t && born__pb_str_is(a->name, "value"))
        return born__map_const(f, a->t, name, out);
    if (a && a->type == PB_ATTR_INT) *out = born__map_int(f, &st, a->i);
    if (a && a->type == PB_ATTR_FLOAT) *out = born__map_scalar(f, &st, BORN_F32, (double)a->f);
    if (a && a->type == PB_ATTR_INTS) *out = born__map_ints(f, &st, a->ints.v, a->ints.count);
    if (a && a->type == PB_ATTR_FLOATS) *out = born__map_f32s(f, &st, a->floats.v, a->floats.count);
    if (st || *out >= 0) return st;
    born__map_gap(f->x, n->domain, n->op, born__map_version(f, n->domain), n->name,
                  a && (a->type == PB_ATTR_STRING || a->type == PB_ATTR_STRINGS) ? "string values are not supported"
                                                                                 : "its value is not understood");
    return born__graph_value(f->g, name.p, name.n, out, f->x->err);
}

/* --- declarations --- */

static born_status declare_input(map_frame *f, const pb_value_info *info, bool subgraph)
{
    map_ctx *x = f->x;
    born_vid v;

    BORN_TRY(born__graph_value(f->g, info->name.p, info->name.n, &v, x->err));
    BORN_TRY(born__map_bind(f, info->name, v, x->err));
    born_value *to = &f->g->value[v];
    const char *why = NULL;
    to->dtype = born__onnx_dtype(info->elem_type);
    if (info->kind > PB_KIND_TENSOR)
        why = info->kind == PB_KIND_SEQUENCE   ? "a sequence, which is not supported"
              : info->kind == PB_KIND_OPTIONAL ? "an optional, which is not supported"
              : info->kind == PB_KIND_MAP      ? "a map, which is not supported"
                                               : "a sparse tensor, which is not supported";
    else if (info->elem_type && !to->dtype)
        why = born__onnx_dtype_name(info->elem_type);
    else if (!to->dtype && !subgraph)
        why = "its element type is not stated";
    else if (info->rank > BORN_MAX_RANK)
        why = "it has more than 8 dimensions";
    if (why) {
        born__map_gap(x, (born_str){ "", 0 }, (born_str){ "input", 5 }, 0, info->name, why);
        return born__graph_input(f->g, v, x->err);
    }
    to->rank = info->rank;
    for (int i = 0; i < info->rank; i++) {
        to->dim[i] = info->dim[i];
        if (info->dim[i] < 0 && info->symbol[i].n) {
            to->symbol[i] = born__arena_strdup(&f->g->arena, info->symbol[i].p, info->symbol[i].n);
            BORN_FAIL_IF(!to->symbol[i], x->err, BORN_NOMEM, "onnx: out of memory");
        }
    }
    return born__graph_input(f->g, v, x->err);
}

born_status born__map_declare_nodes(map_frame *f, const pb_node *node, int count)
{
    map_ctx *x = f->x;
    born_vid v;

    for (int k = 0; k < count; k++) {
        const pb_node *n = &node[k];
        bool constant = n->op.n == 8 && born__pb_str_is(n->op, "Constant") && !n->domain.n;
        for (int i = 0; i < n->out_count; i++) {
            born_str name = n->output[i];
            map_name *known = born__map_find(f, name);
            bool promised = known && known->promised;
            if (!name.n) continue;
            if (promised) {
                known->promised = false;
                if (!constant) continue;
            }
            x->work++;
            BORN_FAIL_IF(x->work > MAP_MAX_WORK, x->err, BORN_FORMAT, "onnx: the model has too many nodes");
            if (constant) {
                BORN_TRY(born__map_bound_node(f, n, &n));
                BORN_TRY(constant_node(f, n, name, &v));
            } else {
                BORN_TRY(born__graph_value(f->g, name.p, name.n, &v, x->err));
            }
            if (promised)
                BORN_TRY(born__map_identity(f, v, known->value));
            else
                BORN_TRY(born__map_bind(f, name, v, x->err));
        }
    }
    return BORN_OK;
}

born_status born__map_declare(map_frame *f, const pb_graph *g, bool subgraph)
{
    map_ctx *x = f->x;
    born_vid v;

    if (g->name.n) {
        const char *name = born__arena_strdup(&f->g->arena, g->name.p, g->name.n);
        BORN_FAIL_IF(!name, x->err, BORN_NOMEM, "onnx: out of memory");
        f->g->name = name;
    }
    for (int i = 0; i < g->init_count; i++) {
        BORN_TRY(born__map_const(f, &g->init[i], g->init[i].name, &v));
        BORN_TRY(born__map_bind(f, g->init[i].name, v, x->err));
    }
    if (g->sparse_count)
        born__map_gap(x, (born_str){ "", 0 }, (born_str){ "tensor", 6 }, 0, g->name, "sparse initialisers");
    for (int i = 0; i < g->input_count; i++) {
        const map_name *s = born__map_find(f, g->input[i].name);
        if (s && f->g->value[s->value].constant) continue;  /* files before IR version 4 list weights as inputs */
        BORN_TRY(declare_input(f, &g->input[i], subgraph));
    }
    BORN_TRY(born__map_declare_nodes(f, g->node, g->node_count));
    for (int i = 0; i < g->info_count + g->output_count; i++) {
        const pb_value_info *info = i < g->info_count ? &g->info[i] : &g->output[i - g->info_count];
        const map_name *s = born__map_find(f, info->name);
        if (!s || s->value < 0) continue;
        BORN_TRY(hint_rank(f, s->value, info->rank));
        if (!f->g->value[s->value].dtype) f->g->value[s->value].dtype = born__onnx_dtype(info->elem_type);
    }
    return BORN_OK;
}

/* --- nodes --- */

/* The attribute that `a` refers to in the call being inlined, or NULL. */
static const pb_attr *referred(const map_binding *b, const pb_attr *a)
{
    for (int i = 0; i < b->attr_count; i++)
        if (born__pb_str_same(b->attr[i].name, a->ref)) return &b->attr[i];
    for (int i = 0; i < b->fn->default_count; i++)
        if (born__pb_str_same(b->fn->attr_default[i].name, a->ref)) return &b->fn->attr_default[i];
    return NULL;
}

born_status born__map_bound_node(map_frame *f, const pb_node *n, const pb_node **out)
{
    bool refers = false;

    *out = n;
    for (int i = 0; i < n->attr_count; i++) refers = refers || n->attr[i].ref.n;
    if (!refers) return BORN_OK;
    BORN_FAIL_IF(!f->bind, f->x->err, BORN_FORMAT, "onnx: an attribute refers to a function's, outside any function");
    pb_node *copy = born__map_alloc(f->x, 1, sizeof *copy);
    pb_attr *attr = born__map_alloc(f->x, (size_t)n->attr_count, sizeof *attr);
    BORN_FAIL_IF(!copy || !attr, f->x->err, BORN_NOMEM, "onnx: out of memory");
    *copy = *n;
    copy->attr = attr;
    copy->attr_count = 0;
    for (int i = 0; i < n->attr_count; i++) {
        const pb_attr *a = n->attr[i].ref.n ? referred(f->bind, &n->attr[i]) : &n->attr[i];
        if (!a) continue;
        attr[copy->attr_count] = *a;
        attr[copy->attr_count].ref.n = 0;
        attr[copy->attr_count++].name = n->attr[i].name;
    }
    f->x->work += n->attr_count;
    *out = copy;
    return BORN_OK;
}

born_status born__map_operands(map_frame *f, const pb_node *n, born_vid **in, born_vid **out)
{
    map_ctx *x = f->x;

    x->work += n->in_count + n->out_count;
    BORN_FAIL_IF(x->work > MAP_MAX_WORK, x->err, BORN_FORMAT, "onnx: the model has too many nodes");
    *in = born__map_alloc(x, (size_t)n->in_count + (size_t)n->out_count, sizeof **in);
    BORN_FAIL_IF(!*in, x->err, BORN_NOMEM, "onnx: out of memory");
    *out = *in + n->in_count;
    for (int i = 0; i < n->in_count; i++) {
        (*in)[i] = -1;
        if (n->input[i].n) BORN_TRY(born__map_resolve(f, n->input[i], &(*in)[i]));
    }
    for (int i = 0; i < n->out_count; i++) {
        const map_name *s = born__map_find(f, n->output[i]);
        (*out)[i] = s ? s->value : -1;
    }
    return BORN_OK;
}

static born_status map_node(map_frame *f, const pb_node *n)
{
    map_ctx *x = f->x;
    born_vid *in, *out;
    char text[64];

    if (!n->domain.n && born__pb_str_is(n->op, "Constant")) return BORN_OK; /* made when it was declared */
    BORN_FAIL_IF(n->attr_count > MAP_MAX_ATTRS, x->err, BORN_FORMAT, "onnx: a node has %d attributes", n->attr_count);
    BORN_TRY(born__map_bound_node(f, n, &n));
    const pb_function *fn = born__map_function(x, n);
    if (fn) return born__map_inline(f, fn, n);
    int64_t version = born__map_version(f, n->domain);
    BORN_FAIL_IF(!version && !n->domain.n, x->err, BORN_FORMAT, "onnx: the model imports no version of ai.onnx");
    if (version < 1) version = 1;
    if (born__map_is_control(n)) return born__map_control(f, n);
    born_status st = born__map_operands(f, n, &in, &out);
    if (st) {
        if (st == BORN_FORMAT && n->name.n) born__error_prefix(x->err, "node '%s'", born__pb_text(n->name, text, 40));
        return st;
    }
    map_call c = { n->domain,   n->op,        n->name, version,      version, in, out,
                   n->in_count, n->out_count, n->attr, n->attr_count };
    if (version >= MAP_NEWEST) c.version = MAP_NEWEST - 1;
    return born__map_call(f, &c);
}

born_status born__map_nodes(map_frame *f, const pb_node *node, int count)
{
    for (int i = 0; i < count; i++) BORN_TRY(map_node(f, &node[i]));
    return BORN_OK;
}

/* --- the model --- */

static born_status check_opsets(map_ctx *x)
{
    const pb_model *m = x->model;

    for (int i = 0; i < m->opset_count; i++) {
        for (int k = 0; k < i; k++)
            BORN_FAIL_IF(born__pb_str_same(m->opset[i].domain, m->opset[k].domain), x->err, BORN_FORMAT,
                         "onnx: a domain is imported twice");
        BORN_FAIL_IF(m->opset[i].version < 1 || m->opset[i].version > 1000000, x->err, BORN_FORMAT,
                     "onnx: opset version %lld", (long long)m->opset[i].version);
        BORN_FAIL_IF(!m->opset[i].domain.n && m->opset[i].version > MAP_MAX_OPSET, x->err, BORN_UNSUPPORTED,
                     "onnx: the model needs opset %lld; versions up to %d are supported",
                     (long long)m->opset[i].version, MAP_MAX_OPSET);
        if (i == 64) return born__fail(x->err, BORN_FORMAT, "onnx: more than 64 domains are imported");
    }
    return BORN_OK;
}

/* What the file says about an output, for users; nothing is planned by it. */
static born_status declare_output(born_graph *g, born_vid v, const pb_value_info *o, born_error *err)
{
    born_value *to = &g->value[v];

    if (to->constant || to->rank >= 0 || o->rank < 0 || o->rank > BORN_MAX_RANK) return BORN_OK;
    for (int i = 0; i < o->rank; i++) {
        to->dim[i] = o->dim[i];
        if (o->dim[i] >= 0 || !o->symbol[i].n) continue;
        to->symbol[i] = born__arena_strdup(&g->arena, o->symbol[i].p, o->symbol[i].n);
        BORN_FAIL_IF(!to->symbol[i], err, BORN_NOMEM, "onnx: out of memory");
    }
    to->rank = o->rank;
    return BORN_OK;
}

static born_status map_model(map_ctx *x, born_graph *g)
{
    const pb_model *m = x->model;
    map_hints hints = { NULL, 0 };
    map_frame f = { .x = x, .g = g, .opset = m->opset, .opset_count = m->opset_count, .hints = &hints };
    born_vid v;

    BORN_TRY(check_opsets(x));
    BORN_TRY(born__map_index_ops(x));
    BORN_TRY(born__map_index_functions(x));
    BORN_TRY(born__map_declare(&f, m->graph, false));
    BORN_TRY(born__map_nodes(&f, m->graph->node, m->graph->node_count));
    for (int i = 0; i < m->graph->output_count; i++) {
        const pb_value_info *o = &m->graph->output[i];
        BORN_TRY(born__map_resolve(&f, o->name, &v));
        BORN_FAIL_IF(v < 0, x->err, BORN_FORMAT, "onnx: an output has no value");
        if (o->kind > PB_KIND_TENSOR)
            born__map_gap(x, (born_str){ "", 0 }, (born_str){ "output", 6 }, 0, o->name, "no tensor");
        BORN_TRY(declare_output(g, v, o, x->err));
        BORN_TRY(born__graph_output(g, v, x->err));
    }
    BORN_FAIL_IF(x->gap_count, x->err, BORN_UNSUPPORTED, "onnx: %lld not supported: %s", (long long)x->gap_count,
                 x->gap_buf);
    return BORN_OK;
}

born_status born__onnx_load(const born_onnx_source *src, born_loaded *out, born_error *err)
{
    pb_model model;
    born_error local;
    size_t max = src->max_bytes ? src->max_bytes : (size_t)1 << 30;
    map_ctx x = { .model = &model, .budget = max, .files = src->files, .gap = src->gap, .user = src->user,
                  .err = err ? err : &local };

    memset(out, 0, sizeof *out);
    x.gap_text = born__text_in(x.gap_buf, sizeof x.gap_buf);
    born_status st = born__pb_parse_model(&x.arena, max, (pb_slice){ src->bytes, src->byte_count }, &model, x.err);
    if (!st) st = born__graph_new(&out->graph, x.err);
    if (!st) st = map_model(&x, out->graph);
    if (!st) {
        born__pb_text(model.producer, out->producer, sizeof out->producer);
        for (int i = 0; i < model.opset_count; i++)
            if (!model.opset[i].domain.n) out->opset = model.opset[i].version;
    } else {
        born__graph_free(&out->graph);
    }
    born__arena_free(&x.arena);
    return st;
}

bool born__onnx_probe(const void *bytes, size_t byte_count)
{
    pb_cursor c = pb_open((pb_slice){ bytes, byte_count });
    pb_field f;
    bool graph = false, other = false;

    /* every field of a ModelProto has a small number; a graph must be there */
    for (int i = 0; i < 4096 && born__pb_next(&c, &f); i++) {
        if (f.id == 7 && f.type == PB_BYTES) graph = true;
        if (f.id > 64) other = true;
    }
    return graph && !other;
}
