/* See onnx_out.h. Field numbers are those of onnx.proto: they stand beside the messages they belong to. */
#include "formats/onnx/onnx_out.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/tensor_pb.h"
#include "tensor/view.h"

enum { BASE_OPSET = 21, NEWEST_OPSET = 28, IR_VERSION = 10, FEW = 16 };

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* Takes a name: as given where nothing has it, else with a number behind it. */
static const char *take_name(born_onnx_out *x, const char *want)
{
    char text[96];

    for (int64_t tries = 0;; tries++) {
        if (tries) snprintf(text, sizeof text, "%.60s_%lld", want, (long long)x->serial++);
        const char *from = tries ? text : want;
        size_t n = strlen(from);
        const char *name = born__arena_strdup(&x->arena, from, n);
        born_status st = name ? born__names_add(&x->names, name, n, 0) : BORN_NOMEM;
        if (st == BORN_OK) return name;
        if (st != BORN_STATE) return NULL;
    }
}

const char *born__out_fresh(born_onnx_out *x, const char *stem)
{
    return take_name(x, stem);
}

static born_status name_values(born_onnx_out *x)
{
    const born_graph *g = x->g;

    x->value = born__arena_alloc(&x->arena, (g->value_count + 1) * sizeof *x->value);
    BORN_FAIL_IF(!x->value, x->err, BORN_NOMEM, "export: out of memory");
    /* inputs first, so that they keep their names */
    for (size_t i = 0; i < g->input_count + g->value_count; i++) {
        size_t v = i < g->input_count ? (size_t)g->input[i] : i - g->input_count;
        const char *name = g->value[v].name;
        if (x->value[v]) continue;
        x->value[v] = take_name(x, name && name[0] ? name : "v");
        BORN_FAIL_IF(!x->value[v], x->err, BORN_NOMEM, "export: out of memory");
    }
    return BORN_OK;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

static born_status import_domain(born_onnx_out *x, born_str name, int64_t version)
{
    for (int i = 0; i < x->domain_count; i++) {
        out_domain *d = &x->domain[i];
        if (!born__pb_str_same(d->name, name)) continue;
        if (version > d->version) d->version = version;
        return BORN_OK;
    }
    BORN_FAIL_IF(x->domain_count == OUT_MAX_DOMAINS, x->err, BORN_RANGE, "export: too many operator domains");
    x->domain[x->domain_count++] = (out_domain){ name, version };
    return BORN_OK;
}

/* NodeProto: input 1, output 2, name 3, op_type 4, attribute 5, domain 7. */
born_status born__out_node(born_onnx_out *x, const out_node *n)
{
    born_bytes node = { .p = NULL };

    for (int i = 0; i < n->in_count; i++) born__pb_put_text(&node, 1, n->in[i]);
    for (int i = 0; i < n->out_count; i++) born__pb_put_text(&node, 2, n->out[i]);
    if (n->label[0]) born__pb_put_text(&node, 3, n->label);
    born__pb_put_text(&node, 4, n->op);
    if (n->attrs) {
        if (n->attrs->failed) node.failed = true;
        if (n->attrs->n) born__bytes_put(&node, n->attrs->p, n->attrs->n);
        born__bytes_free(n->attrs);
    }
    if (n->domain.n) born__pb_put_bytes(&node, 7, n->domain.p, n->domain.n);
    born__pb_put_message(&x->graph, 1, &node);
    return import_domain(x, n->domain, n->version);
}

/* AttributeProto: name 1, f 2, i 3, s 4, t 5, floats 7, ints 8, strings 9, type 20. */
static void put_value(born_bytes *a, const born_attr_field *f, const void *at)
{
    switch (f->kind) {
    case BORN_ATTR_INT: born__pb_put_int(a, 3, *(const int64_t *)at); break;
    case BORN_ATTR_BOOL: born__pb_put_int(a, 3, *(const bool *)at != (f->onnx[0] == '!')); break;
    case BORN_ATTR_DTYPE: born__pb_put_int(a, 3, born__onnx_dtype_code(*(const born_dtype *)at)); break;
    case BORN_ATTR_FLOAT: born__pb_put_f32(a, 2, (float)*(const double *)at); break;
    case BORN_ATTR_ENUM: {
        const char *s = f->text;
        for (int k = *(const int *)at; k > 0 && *s; s++) k -= *s == '|';
        born__pb_put_bytes(a, 4, s, strcspn(s, "|"));
        break;
    }
    case BORN_ATTR_STRING: born__pb_put_bytes(a, 4, ((const born_str *)at)->p, ((const born_str *)at)->n); break;
    case BORN_ATTR_INTS: {
        const born_ints *v = at;
        for (int64_t i = 0; i < v->count; i++) born__pb_put_int(a, 8, v->v[i]);
        break;
    }
    case BORN_ATTR_FLOATS: {
        const born_floats *v = at;
        for (int64_t i = 0; i < v->count; i++) born__pb_put_f32(a, 7, v->v[i]);
        break;
    }
    case BORN_ATTR_STRINGS: {
        const born_strs *v = at;
        for (int64_t i = 0; i < v->count; i++) born__pb_put_bytes(a, 9, v->v[i].p, v->v[i].n);
        break;
    }
    case BORN_ATTR_TENSOR: born__pb_put_tensor(a, 5, "", *(const born_array *const *)at, NULL); break;
    case BORN_ATTR_GRAPH: break;
    }
}

static int attribute_type(born_attr_kind k)
{
    switch (k) {
    case BORN_ATTR_FLOAT: return PB_ATTR_FLOAT;
    case BORN_ATTR_ENUM:
    case BORN_ATTR_STRING: return PB_ATTR_STRING;
    case BORN_ATTR_INTS: return PB_ATTR_INTS;
    case BORN_ATTR_FLOATS: return PB_ATTR_FLOATS;
    case BORN_ATTR_STRINGS: return PB_ATTR_STRINGS;
    case BORN_ATTR_TENSOR: return PB_ATTR_TENSOR;
    default: return PB_ATTR_INT;
    }
}

/* Is the field at the value that it has when nothing is said? */
static bool at_default(const born_attr_field *f, const void *at)
{
    switch (f->kind) {
    case BORN_ATTR_INT: return *(const int64_t *)at == (int64_t)f->def;
    case BORN_ATTR_FLOAT: return *(const double *)at == f->def;
    case BORN_ATTR_BOOL: return *(const bool *)at == (f->def != 0);
    case BORN_ATTR_ENUM: return *(const int *)at == (int)f->def;
    case BORN_ATTR_DTYPE: return (int)*(const born_dtype *)at == (int)f->def;
    case BORN_ATTR_INTS: return ((const born_ints *)at)->count == 0;
    case BORN_ATTR_FLOATS: return ((const born_floats *)at)->count == 0;
    case BORN_ATTR_STRING: return ((const born_str *)at)->n == 0;
    case BORN_ATTR_STRINGS: return ((const born_strs *)at)->count == 0;
    case BORN_ATTR_TENSOR: return *(const born_array *const *)at == NULL;
    case BORN_ATTR_GRAPH: return *(born_graph *const *)at == NULL;
    }
    return true;
}

/* Attributes at their defaults are left out, but for those that ONNX has no default for. */
static bool required(const born_gnode *n, const born_attr_field *f)
{
    return (n->op->id == BORN_OP_CONCAT && !strcmp(f->onnx, "axis")) ||
           (n->op->id == BORN_OP_BIT_SHIFT && !strcmp(f->onnx, "direction"));
}

static born_status put_attrs(born_onnx_out *x, const born_gnode *n, born_bytes *out)
{
    const born_attr_set *set = n->op->attrs;

    for (int i = 0; set && n->attrs && i < set->count; i++) {
        const born_attr_field *f = &set->field[i];
        const void *at = (const char *)n->attrs + f->offset;
        if (at_default(f, at) && !required(n, f)) continue;
        BORN_FAIL_IF(f->kind == BORN_ATTR_GRAPH, x->err, BORN_UNSUPPORTED,
                     "export: %s: graphs within graphs are not exported", n->op->name);
        BORN_FAIL_IF(!f->onnx[0], x->err, BORN_UNSUPPORTED,
                     "export: %s: ONNX has no attribute for its %s (of a model: open it with passes_off \"all\")",
                     n->op->name, f->name);
        born_bytes a = { .p = NULL };
        born__pb_put_text(&a, 1, f->onnx + (f->onnx[0] == '!'));
        put_value(&a, f, at);
        born__pb_put_int(&a, 20, attribute_type(f->kind));
        born__pb_put_message(out, 5, &a);
    }
    return BORN_OK;
}

/* The first "Name:version" or "domain.Name:version" of a row's column. */
static const char *split_column(born_onnx_out *x, const char *column, born_str *domain, int64_t *version)
{
    size_t n = strcspn(column, "|:");
    const char *dot = NULL;

    for (size_t i = 0; i < n; i++)
        if (column[i] == '.') dot = column + i;
    *domain = dot ? (born_str){ column, (size_t)(dot - column) } : (born_str){ "", 0 };
    *version = 0;
    for (const char *p = column + n + (column[n] == ':'); *p >= '0' && *p <= '9'; p++)
        *version = *version * 10 + (*p - '0');
    if (*version < 1) *version = 1;
    const char *name = dot ? dot + 1 : column;
    return born__arena_strdup(&x->arena, name, (size_t)(column + n - name));
}

static born_status export_by_row(born_onnx_out *x, const born_gnode *n, const char *const *in, const char *const *out)
{
    born_bytes attrs = { .p = NULL };
    born_str domain;
    int64_t version;
    int in_count = n->in_count, out_count = n->out_count;

    BORN_FAIL_IF(!n->op->onnx[0], x->err, BORN_UNSUPPORTED, "export: ONNX has no operator for %s", n->op->name);
    /* Scale, residual and further operands of fused products and convolutions have no place in ONNX's. */
    bool more = (n->op->id == BORN_OP_MATMUL && in_count > 2) || (n->op->id == BORN_OP_CONV && in_count > 3);
    BORN_FAIL_IF(more, x->err, BORN_UNSUPPORTED, "export: %s has operands that ONNX's has not (of a model: open it "
                 "with passes_off \"all\")", n->op->name);
    const char *name = split_column(x, n->op->onnx, &domain, &version);
    BORN_FAIL_IF(!name, x->err, BORN_NOMEM, "export: out of memory");
    born_status st = put_attrs(x, n, &attrs);
    if (st != BORN_OK) {
        born__bytes_free(&attrs);
        return st;
    }
    while (in_count > 0 && !in[in_count - 1][0]) in_count--;
    while (out_count > 1 && !out[out_count - 1][0]) out_count--;
    return born__out_node(x, &(out_node){ name, domain, version, n->name, in, out, in_count, out_count, &attrs });
}

static born_status export_node(born_onnx_out *x, const born_gnode *n)
{
    size_t count = (size_t)(n->in_count + n->out_count);
    const char *few[FEW], **name = count <= FEW ? few : born__arena_alloc(&x->arena, count * sizeof *name);
    bool done = false;

    BORN_FAIL_IF(!name, x->err, BORN_NOMEM, "export: out of memory");
    for (int i = 0; i < n->in_count; i++) name[i] = n->in[i] < 0 ? "" : x->value[n->in[i]];
    for (int i = 0; i < n->out_count; i++) name[n->in_count + i] = n->out[i] < 0 ? "" : x->value[n->out[i]];
    BORN_TRY(born__out_lower(x, n, name, name + n->in_count, &done));
    return done ? BORN_OK : export_by_row(x, n, name, name + n->in_count);
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static born_status put_init(born_onnx_out *x, const char *name, const born_array *a)
{
    char place[24];

    if (!born__grow((void **)&x->init, &x->init_cap, x->init_count + 1, sizeof *x->init))
        return born__fail(x->err, BORN_NOMEM, "export: out of memory");
    born__pb_put_tensor(&x->graph, 5, name, a, x->place ? x->place(place, x->init_count) : NULL);
    x->init[x->init_count++] = *a;
    return BORN_OK;
}

const char *born__out_scalar(born_onnx_out *x, born_dtype t, double v)
{
    const char *name = take_name(x, "c");
    void *p = born__arena_alloc(&x->arena, 8);
    born_array a = { .dtype = t, .data = p, .bytes = (size_t)born__dtype_info(t)->size };

    if (!name || !p) return NULL;
    born__store_f64(t, p, v);
    return put_init(x, name, &a) == BORN_OK ? name : NULL;
}

/* A constant of which one element stands for all is written out. */
static born_status expand(born_onnx_out *x, const born_value *v, born_array *a)
{
    size_t size = (size_t)born__dtype_info(v->dtype)->size;
    char *p = born__arena_alloc(&x->arena, a->bytes);

    BORN_FAIL_IF(!p, x->err, BORN_NOMEM, "export: no memory for a constant of %zu bytes", a->bytes);
    for (size_t at = 0; at + size <= a->bytes; at += size) memcpy(p + at, v->data, size);
    a->data = p;
    return BORN_OK;
}

static born_status export_constant(born_onnx_out *x, size_t i)
{
    const born_value *v = &x->g->value[i];
    born_array a = { .dtype = v->dtype, .shape.rank = v->rank, .data = v->data };
    int64_t count, bytes;

    BORN_FAIL_IF(born__dtype_info(v->dtype)->onnx < 0, x->err, BORN_UNSUPPORTED,
                 "export: constant '%.60s': ONNX has no %s", x->value[i], born_dtype_name(v->dtype));
    BORN_FAIL_IF(v->channels_last, x->err, BORN_UNSUPPORTED,
                 "export: constant '%.60s' lies channels-last: open the model with passes_off \"all\"", x->value[i]);
    memcpy(a.shape.dim, v->dim, sizeof a.shape.dim);
    bytes = born__shape_count(v->dim, v->rank, &count) ? born_dtype_bytes(v->dtype, count) : -1;
    BORN_FAIL_IF(bytes < 0, x->err, BORN_SHAPE, "export: constant '%.60s': its size overflows", x->value[i]);
    a.bytes = (size_t)bytes;
    if (v->splat && a.bytes) BORN_TRY(expand(x, v, &a));
    return put_init(x, x->value[i], &a);
}

/* ValueInfoProto: name 1, type 2 {tensor 1 {elem_type 1, shape 2 {dim 1 {value 1 or param 2}}}}. */
static void put_info(born_bytes *out, uint32_t field, const char *name, const born_value *v)
{
    born_bytes info = { .p = NULL }, type = { .p = NULL }, tensor = { .p = NULL }, shape = { .p = NULL };

    born__pb_put_text(&info, 1, name);
    if (born__dtype_info(v->dtype)->onnx >= 0 && v->dtype) {
        born__pb_put_int(&tensor, 1, born__onnx_dtype_code(v->dtype));
        for (int d = 0; d < v->rank; d++) {
            born_bytes dim = { .p = NULL };
            if (v->dim[d] >= 0) born__pb_put_int(&dim, 1, v->dim[d]);
            else if (v->symbol[d]) born__pb_put_text(&dim, 2, v->symbol[d]);
            born__pb_put_message(&shape, 1, &dim);
        }
        if (v->rank >= 0) born__pb_put_message(&tensor, 2, &shape);
        born__pb_put_message(&type, 1, &tensor);
        born__pb_put_message(&info, 2, &type);
    }
    born__pb_put_message(out, field, &info);
}

/* ONNX wants each output to be made by a node and to have a name of its own: what is an input, a constant, an output
   already, or named otherwise than its value, goes through an Identity. */
static born_status export_output(born_onnx_out *x, size_t i)
{
    const born_graph *g = x->g;
    born_vid v = g->output[i];
    const char *want = x->output_name ? x->output_name[i] : g->value[v].name, *name = x->value[v];
    char made[32];
    bool again = g->value[v].constant || g->value[v].input;
    born_status st = BORN_OK;

    for (size_t k = 0; k < i; k++) again = again || g->output[k] == v;
    snprintf(made, sizeof made, "output%zu", i);
    if (!want || !want[0]) want = made;
    if (again || strcmp(want, name) != 0) {
        const char *to = take_name(x, want);
        BORN_FAIL_IF(!to, x->err, BORN_NOMEM, "export: out of memory");
        st = born__out_node(x, &(out_node){ .op = "Identity", .domain = { "", 0 }, .version = 1, .label = "",
                                            .in = &name, .out = &to, .in_count = 1, .out_count = 1 });
        name = to;
    }
    put_info(&x->graph, 12, name, &g->value[v]);
    return st;
}

/* GraphProto: node 1, name 2, initializer 5, input 11, output 12. */
static born_status export_graph(born_onnx_out *x)
{
    const born_graph *g = x->g;

    BORN_TRY(name_values(x));
    BORN_TRY(import_domain(x, (born_str){ "", 0 }, x->opset > BASE_OPSET ? x->opset : BASE_OPSET));
    born__pb_put_text(&x->graph, 2, g->name && g->name[0] ? g->name : "born");
    for (size_t i = 0; i < g->input_count; i++) {
        const born_value *v = &g->value[g->input[i]];
        BORN_FAIL_IF(v->kind != BORN_VALUE_TENSOR, x->err, BORN_UNSUPPORTED, "export: input '%.60s' is no tensor",
                     v->name);
        put_info(&x->graph, 11, x->value[g->input[i]], v);
    }
    for (size_t i = 0; i < g->value_count; i++)
        if (g->value[i].constant && !g->value[i].input) BORN_TRY(export_constant(x, i));
    for (size_t i = 0; i < g->node_count; i++) BORN_TRY(export_node(x, &g->node[i]));
    for (size_t i = 0; i < g->output_count; i++) BORN_TRY(export_output(x, i));
    return BORN_OK;
}

/* ModelProto: ir_version 1, producer_name 2, producer_version 3, graph 7, opset_import 8 {domain 1, version 2}. */
born_status born__onnx_export(born_onnx_out *x, born_bytes *model, born_error *err)
{
    x->err = err;
    BORN_TRY(export_graph(x));
    BORN_FAIL_IF(x->domain[0].version > NEWEST_OPSET, err, BORN_UNSUPPORTED, "export: opset %lld is needed",
                 (long long)x->domain[0].version);
    born__pb_put_int(model, 1, IR_VERSION);
    born__pb_put_text(model, 2, "born");
    born__pb_put_text(model, 3, born_version());
    born__pb_put_message(model, 7, &x->graph);
    for (int i = 0; i < x->domain_count; i++) {
        born_bytes opset = { .p = NULL };
        if (x->domain[i].name.n) born__pb_put_bytes(&opset, 1, x->domain[i].name.p, x->domain[i].name.n);
        born__pb_put_int(&opset, 2, x->domain[i].version);
        born__pb_put_message(model, 8, &opset);
    }
    BORN_FAIL_IF(model->failed, err, BORN_NOMEM, "export: out of memory");
    return BORN_OK;
}

void born__onnx_out_free(born_onnx_out *x)
{
    born__bytes_free(&x->graph);
    born__names_free(&x->names);
    born__free(x->init);
    born__arena_free(&x->arena);
}
