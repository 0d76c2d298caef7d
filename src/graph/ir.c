/* Building a graph: every function either adds what it was asked to, or leaves the graph as it was and says NOMEM or
   what is wrong. Readers and traces call it; passes edit through graph/edit.h. */
#include "graph/ir.h"

#include <string.h>

#include <born/attrs.h>

#include "base/checked.h"
#include "base/error.h"
#include "tensor/view.h"

enum { MAX_VALUES = 1 << 24, MAX_NODES = 1 << 22 };

static born_status out_of_memory(born_error *err)
{
    return born__fail(err, BORN_NOMEM, "graph: out of memory");
}

born_status born__graph_new(born_graph **out, born_error *err)
{
    born_graph *g = born__calloc(1, sizeof *g);

    *out = NULL;
    if (!g) return out_of_memory(err);
    g->name = "";
    *out = g;
    return BORN_OK;
}

/* Hands every subgraph of node n to fn; the order is that of the attribute rows. */
void born__node_subgraphs(const born_gnode *n, void (*fn)(void *user, born_graph **g), void *user)
{
    const born_attr_set *s = n->op->attrs;

    if (!s || !n->attrs) return;
    for (int i = 0; i < s->count; i++)
        if (s->field[i].kind == BORN_ATTR_GRAPH) {
            born_graph **g = (born_graph **)((char *)n->attrs + s->field[i].offset);
            if (*g) fn(user, g);
        }
}

/* Freeing is iterative: graphs yet to be freed form a list through `next_free`. */
typedef struct free_list {
    born_graph *head;
} free_list;

static void push_graph(void *user, born_graph **g)
{
    free_list *l = user;

    (*g)->next_free = l->head;
    l->head = *g;
    *g = NULL;
}

void born__graph_free(born_graph **gp)
{
    free_list l = { NULL };

    if (!gp || !*gp) return;
    push_graph(&l, gp);
    while (l.head) {
        born_graph *g = l.head;

        l.head = g->next_free;
        for (size_t i = 0; i < g->node_count; i++) born__node_subgraphs(&g->node[i], push_graph, &l);
        for (size_t i = 0; i < g->owned_count; i++) born__free(g->owned[i]);
        born__free(g->owned);
        born__free(g->value);
        born__free(g->node);
        born__free(g->input);
        born__free(g->output);
        born__arena_free(&g->arena);
        born__free(g);
    }
}

born_status born__graph_value(born_graph *g, const char *name, size_t name_n, born_vid *out, born_error *err)
{
    const char *copy = "";

    BORN_FAIL_IF(g->value_count >= MAX_VALUES, err, BORN_FORMAT, "graph: more than %d values", MAX_VALUES);
    if (!born__grow((void **)&g->value, &g->value_cap, g->value_count + 1, sizeof *g->value)) return out_of_memory(err);
    if (name_n) {
        copy = born__arena_strdup(&g->arena, name, name_n);
        if (!copy) return out_of_memory(err);
    }
    g->value[g->value_count] = (born_value){ .name = copy, .rank = -1, .producer = -1 };
    *out = (born_vid)g->value_count++;
    return BORN_OK;
}

born_status born__graph_const(born_graph *g, const char *name, size_t name_n, born_dtype t, const int64_t *dim,
                              int rank, const void *data, bool own, born_vid *out, born_error *err)
{
    int64_t count;

    BORN_FAIL_IF(rank < 0 || rank > BORN_MAX_RANK, err, BORN_UNSUPPORTED, "constant '%.*s': rank %d, at most %d",
                 (int)(name_n < 80 ? name_n : 80), name, rank, BORN_MAX_RANK);
    BORN_FAIL_IF(!born__shape_count(dim, rank, &count), err, BORN_FORMAT, "constant: sizes overflow or are negative");
    int64_t bytes = born_dtype_bytes(t, count);
    BORN_FAIL_IF(bytes < 0, err, BORN_FORMAT, "constant: its dtype and sizes give no whole number of bytes");
    if (own && !born__grow((void **)&g->owned, &g->owned_cap, g->owned_count + 1, sizeof *g->owned))
        return out_of_memory(err);
    BORN_TRY(born__graph_value(g, name, name_n, out, err));
    born_value *v = &g->value[*out];
    v->dtype = t;
    v->rank = rank;
    for (int i = 0; i < rank; i++) v->dim[i] = dim[i];
    v->data = data;
    v->bytes = (size_t)bytes;
    v->constant = true;
    if (own) g->owned[g->owned_count++] = (void *)(uintptr_t)data;
    return BORN_OK;
}

born_status born__graph_settle(born_graph *g, born_vid v, born_error *err)
{
    if (v < 0 || !g->value[v].loose) return BORN_OK;
    if (!born__grow((void **)&g->owned, &g->owned_cap, g->owned_count + 1, sizeof *g->owned)) return out_of_memory(err);
    void *p = born__alloc(g->value[v].bytes);
    if (!p) return out_of_memory(err);
    memcpy(p, g->value[v].data, g->value[v].bytes);
    g->owned[g->owned_count++] = p;
    g->value[v].data = p;
    g->value[v].loose = false;
    return BORN_OK;
}

/* The copies of copy_attrs: what a field points to, moved into the arena. False where memory ends. */
static bool copy_numbers(born_arena *a, born_ints *x, size_t item)
{
    size_t n;

    if (!x->count) return true;
    void *p = born__mul_size((size_t)x->count, item, &n) ? born__arena_alloc(a, n) : NULL;
    if (!p) return false;
    memcpy(p, x->v, n);
    x->v = p;
    return true;
}

static bool copy_string(born_arena *a, born_str *x)
{
    x->p = born__arena_strdup(a, x->p ? x->p : "", x->n);
    return x->p != NULL;
}

static bool copy_strings(born_arena *a, born_strs *x)
{
    if (!x->count) return true;
    born_str *p = born__arena_alloc(a, (size_t)x->count * sizeof *p);
    if (!p) return false;
    for (int64_t k = 0; k < x->count; k++) {
        p[k] = x->v[k];
        if (!copy_string(a, &p[k])) return false;
    }
    x->v = p;
    return true;
}

static bool copy_tensor(born_arena *a, const born_array **x)
{
    int64_t count = 0;

    if (!*x) return true;
    if (!born__shape_count((*x)->shape.dim, (*x)->shape.rank, &count)) return false;
    int64_t bytes = born_dtype_bytes((*x)->dtype, count);
    born_array *p = bytes < 0 ? NULL : born__arena_alloc(a, sizeof *p);
    if (!p) return false;
    *p = **x;
    if (bytes) {
        void *d = born__arena_alloc(a, (size_t)bytes);
        if (!d) return false;
        memcpy(d, (*x)->data, (size_t)bytes);
        p->data = d;
    }
    *x = p;
    return true;
}

static bool copy_field(born_arena *a, born_attr_kind kind, char *f)
{
    switch (kind) {
    case BORN_ATTR_INTS: return copy_numbers(a, (born_ints *)(void *)f, sizeof(int64_t));
    case BORN_ATTR_FLOATS: /* both structs are {pointer, count} */
        return copy_numbers(a, (born_ints *)(void *)f, sizeof(float));
    case BORN_ATTR_STRING: return copy_string(a, (born_str *)(void *)f);
    case BORN_ATTR_STRINGS: return copy_strings(a, (born_strs *)(void *)f);
    case BORN_ATTR_TENSOR: return copy_tensor(a, (const born_array **)(void *)f);
    default: return true; /* a number in the struct itself */
    }
}

/* A deep copy of an attribute struct into the arena, driven by the rows. */
static void *copy_attrs(born_arena *a, const born_attr_set *s, const void *attrs)
{
    char *to = born__arena_alloc(a, s->bytes ? s->bytes : 1);

    if (!to) return NULL;
    memcpy(to, attrs, s->bytes);
    for (int i = 0; i < s->count; i++)
        if (!copy_field(a, s->field[i].kind, to + s->field[i].offset)) return NULL;
    return to;
}

born_status born__graph_node(born_graph *g, const born_op *op, const char *name, size_t name_n, const void *attrs,
                             const born_vid *in, int in_count, const born_vid *out, int out_count, born_error *err)
{
    born_gnode n = { .op = op, .name = "", .in_count = in_count, .out_count = out_count };

    BORN_FAIL_IF(g->node_count >= MAX_NODES, err, BORN_FORMAT, "graph: more than %d nodes", MAX_NODES);
    if (!born__grow((void **)&g->node, &g->node_cap, g->node_count + 1, sizeof *g->node)) return out_of_memory(err);
    if (name_n && !(n.name = born__arena_strdup(&g->arena, name, name_n))) return out_of_memory(err);
    n.in = born__arena_alloc(&g->arena, (size_t)(in_count + out_count + 1) * sizeof *n.in);
    if (!n.in) return out_of_memory(err);
    n.out = n.in + in_count;
    for (int i = 0; i < in_count; i++) n.in[i] = in[i];
    for (int i = 0; i < out_count; i++) n.out[i] = out[i];
    if (op->attrs) {
        char defaults[1024];

        if (!attrs && op->attrs->bytes <= sizeof defaults) {
            born__attrs_default(op->attrs, defaults);
            attrs = defaults;
        }
        BORN_FAIL_IF(!attrs, err, BORN_INVALID, "%s: no attributes given", op->name);
        n.attrs = copy_attrs(&g->arena, op->attrs, attrs);
        if (!n.attrs) return out_of_memory(err);
    }
    g->node[g->node_count++] = n;
    return BORN_OK;
}

born_status born__graph_input(born_graph *g, born_vid v, born_error *err)
{
    if (!born__grow((void **)&g->input, &g->input_cap, g->input_count + 1, sizeof *g->input)) return out_of_memory(err);
    g->input[g->input_count++] = v;
    return BORN_OK;
}

born_status born__graph_output(born_graph *g, born_vid v, born_error *err)
{
    if (!born__grow((void **)&g->output, &g->output_cap, g->output_count + 1, sizeof *g->output))
        return out_of_memory(err);
    g->output[g->output_count++] = v;
    return BORN_OK;
}
