/* Reading a graph's text back (print.c has the form). Line by line; a stack of open graphs stands for the nesting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "graph/print.h"
#include "ops/attrs_text.h"
#include "tensor/view.h"

enum { MAX_OPEN = 20, MAX_IDS = 4096 };

typedef struct open_graph {
    born_graph *g;
    born_gnode *owner;          /* of the graph around it: the node it belongs to */
} open_graph;

typedef struct parser {
    const char *p;              /* the rest of the line */
    int line;
    open_graph open[MAX_OPEN];
    int depth;
    born_graph *top;
    const void *(*data)(void *user, const char *name, size_t bytes);
    void *user;
    born_vid id[MAX_IDS];
    char name[512];
    born_error *err;
} parser;

static born_status wrong(parser *s, const char *what)
{
    return born__fail(s->err, BORN_FORMAT, "graph text, line %d: %s", s->line, what);
}

static bool word(parser *s, const char *w)
{
    size_t n = strlen(w);

    while (*s->p == ' ') s->p++;
    if (strncmp(s->p, w, n)) return false;
    s->p += n;
    return true;
}

static bool quoted(parser *s)
{
    size_t n = 0;

    if (!word(s, "\"")) return false;
    while (*s->p && *s->p != '"' && *s->p != '\n') {
        char c = *s->p++;
        unsigned x;
        if (c == '\\') {
            if (sscanf(s->p, "%2x", &x) != 1 || !s->p[0] || !s->p[1]) return false;
            s->p += 2;
            c = (char)x;
        }
        if (n + 1 >= sizeof s->name) return false;
        s->name[n++] = c;
    }
    s->name[n] = 0;
    return *s->p == '"' && s->p++;
}

static bool number(parser *s, int64_t *out)
{
    char *end;

    while (*s->p == ' ') s->p++;
    *out = strtoll(s->p, &end, 10);
    bool ok = end != s->p;
    s->p = end;
    return ok;
}

/* Values are numbered as they were: the list grows up to the number. */
static born_status value(parser *s, born_vid *out)
{
    born_graph *g = s->open[s->depth - 1].g;
    int64_t id;

    if (!word(s, "%") || !number(s, &id) || id < 0 || id > 1 << 20) return wrong(s, "a value %<number> is missing");
    while ((int64_t)g->value_count <= id) BORN_TRY(born__graph_value(g, NULL, 0, out, s->err));
    *out = (born_vid)id;
    return BORN_OK;
}

static born_status type(parser *s, born_value *v)
{
    char t[16] = "";
    int n = 0;

    if (!quoted(s)) return wrong(s, "a quoted name is missing");
    v->name = born__arena_strdup(&s->open[s->depth - 1].g->arena, s->name, strlen(s->name));
    BORN_FAIL_IF(!v->name, s->err, BORN_NOMEM, "graph: out of memory");
    if (sscanf(s->p, " %15[a-z0-9_?]%n", t, &n) != 1) return wrong(s, "a dtype is missing");
    s->p += n;
    v->dtype = BORN_DTYPE_NONE;
    for (int d = 1; d < BORN_DTYPE_COUNT; d++)
        if (!strcmp(born_dtype_name((born_dtype)d), t)) v->dtype = (born_dtype)d;
    v->rank = -1;
    if (word(s, "?")) return BORN_OK;
    if (!word(s, "[")) return wrong(s, "sizes [..] are missing");
    v->rank = 0;
    while (!word(s, "]")) {
        if (v->rank == BORN_MAX_RANK) return wrong(s, "too many sizes");
        if (v->rank && !word(s, ",")) return wrong(s, "a comma is missing");
        if (word(s, "?")) {
            size_t len = strcspn(s->p, ",] \n");
            v->dim[v->rank] = -1;
            v->symbol[v->rank] = len ? born__arena_strdup(&s->open[s->depth - 1].g->arena, s->p, len) : NULL;
            s->p += len;
        } else if (!number(s, &v->dim[v->rank]) || v->dim[v->rank] < 0) {
            return wrong(s, "a size is missing");
        }
        v->rank++;
    }
    return BORN_OK;
}

static born_status constant(parser *s)
{
    born_graph *g = s->open[s->depth - 1].g;
    born_vid id;
    int64_t count;

    BORN_TRY(value(s, &id));
    born_value v = g->value[id];
    BORN_TRY(type(s, &v));
    v.splat = word(s, "splat");
    v.constant = true;
    if (v.rank < 0 || !born__shape_count(v.dim, v.rank, &count)) return wrong(s, "a constant needs sizes");
    int64_t bytes = born_dtype_bytes(v.dtype, v.splat ? 1 : count);
    if (bytes < 0) return wrong(s, "a constant needs a dtype");
    v.bytes = (size_t)bytes;
    if (word(s, "named")) {
        v.data = s->data ? s->data(s->user, v.name, v.bytes) : NULL;
        if (!v.data) return wrong(s, "the elements of a named constant are not known");
    } else {
        unsigned char *to = born__arena_alloc(&g->arena, v.bytes + 1);
        BORN_FAIL_IF(!to, s->err, BORN_NOMEM, "graph: out of memory");
        while (*s->p == ' ') s->p++;
        for (size_t i = 0; i < v.bytes; i++, s->p += 2) {
            unsigned x;
            if (sscanf(s->p, "%2x", &x) != 1) return wrong(s, "a constant's bytes are cut");
            to[i] = (unsigned char)x;
        }
        v.data = to;
    }
    g->value[id] = v;
    return BORN_OK;
}

static born_status ids(parser *s, int from, int *count, bool typed)
{
    *count = 0;
    if (!word(s, "(")) return wrong(s, "a list of values is missing");
    while (!word(s, ")")) {
        if (from + *count >= MAX_IDS) return wrong(s, "too many values");
        if (*count && !word(s, ",")) return wrong(s, "a comma is missing");
        born_vid id = -1;
        if (!word(s, "-")) {
            BORN_TRY(value(s, &id));
            if (typed) {
                born_value v = s->open[s->depth - 1].g->value[id];
                BORN_TRY(type(s, &v));
                v.channels_last = word(s, "channels_last");
                s->open[s->depth - 1].g->value[id] = v;
            }
        }
        s->id[from + (*count)++] = id;
    }
    return BORN_OK;
}

static born_status node(parser *s)
{
    born_graph *g = s->open[s->depth - 1].g;
    char op_name[64] = "", node_name[512];
    int n = 0, ins, outs;
    _Alignas(16) char attrs[1024];

    if (sscanf(s->p, " %63[a-z0-9_]%n", op_name, &n) != 1) return wrong(s, "an operator is missing");
    s->p += n;
    const born_op *op = born__op_find(op_name, strlen(op_name));
    if (!op) return wrong(s, "no such operator");
    if (!quoted(s)) return wrong(s, "the node's quoted name is missing");
    memcpy(node_name, s->name, sizeof node_name);
    BORN_TRY(ids(s, 0, &ins, false));
    if (!word(s, "->")) return wrong(s, "-> is missing");
    BORN_TRY(ids(s, ins, &outs, true));
    if (!word(s, "{")) return wrong(s, "attributes {..} are missing");
    const char *end = s->p + strcspn(s->p, "\n");
    while (end > s->p && end[-1] != '}') end--;
    if (end == s->p) return wrong(s, "attributes {..} are not closed");
    if (op->attrs) {
        if (op->attrs->bytes > sizeof attrs) return wrong(s, "attributes too large");
        BORN_TRY(born__attrs_parse(op->attrs, s->p, (size_t)(end - 1 - s->p), &g->arena, attrs, s->err));
    }
    s->p = end;
    return born__graph_node(g, op, node_name, strlen(node_name), op->attrs ? attrs : NULL, s->id, ins, s->id + ins,
                            outs, s->err);
}

/* A graph belongs to the last node of the graph around it: to its first GRAPH attribute that has none. */
static born_status begin_graph(parser *s)
{
    born_graph *g;

    if (s->depth == MAX_OPEN) return wrong(s, "graphs nest too deeply");
    if (!quoted(s)) return wrong(s, "the graph's quoted name is missing");
    if (s->depth == 0) {
        if (s->top) return wrong(s, "a second graph");
        BORN_TRY(born__graph_new(&g, s->err));
        s->top = g;
    } else {
        born_graph *around = s->open[s->depth - 1].g;
        born_gnode *n = around->node_count ? &around->node[around->node_count - 1] : NULL;
        born_graph **slot = NULL;
        for (int i = 0; n && n->op->attrs && i < n->op->attrs->count && !slot; i++) {
            if (n->op->attrs->field[i].kind != BORN_ATTR_GRAPH) continue;
            born_graph **at = (born_graph **)(void *)((char *)n->attrs + n->op->attrs->field[i].offset);
            if (!*at) slot = at;
        }
        if (!slot) return wrong(s, "a graph that no node takes");
        BORN_TRY(born__graph_new(&g, s->err));
        *slot = g;
    }
    g->name = born__arena_strdup(&g->arena, s->name, strlen(s->name));
    s->open[s->depth++] = (open_graph){ .g = g };
    BORN_FAIL_IF(!g->name, s->err, BORN_NOMEM, "graph: out of memory");
    return BORN_OK;
}

static born_status line(parser *s)
{
    born_vid id;

    if (word(s, "graph ")) return begin_graph(s);
    if (!s->depth) return wrong(s, "outside any graph");
    born_graph *g = s->open[s->depth - 1].g;
    if (word(s, "input ")) {
        BORN_TRY(value(s, &id));
        born_value v = g->value[id];
        BORN_TRY(type(s, &v));
        g->value[id] = v;
        return born__graph_input(g, id, s->err);
    }
    if (word(s, "const ")) return constant(s);
    if (word(s, "node ")) return node(s);
    if (word(s, "output ")) {
        BORN_TRY(value(s, &id));
        return born__graph_output(g, id, s->err);
    }
    if (word(s, "end")) {
        s->depth--;
        return BORN_OK;
    }
    return wrong(s, "not understood");
}

born_status born__graph_parse(const char *text, const void *(*data)(void *user, const char *name, size_t bytes),
                              void *user, born_graph **out, born_error *err)
{
    parser *s = born__calloc(1, sizeof *s);
    born_status st = BORN_OK;

    *out = NULL;
    BORN_FAIL_IF(!s, err, BORN_NOMEM, "graph: out of memory");
    s->data = data;
    s->user = user;
    s->err = err;
    for (const char *p = text; *p && st == BORN_OK;) {
        const char *end = p + strcspn(p, "\n");
        s->p = p;
        s->line++;
        while (*s->p == ' ') s->p++;
        if (s->p < end) st = line(s);
        p = *end ? end + 1 : end;
    }
    if (st == BORN_OK && (s->depth || !s->top)) st = wrong(s, "an end is missing");
    if (st == BORN_OK) st = born__graph_verify(s->top, err);
    if (st == BORN_OK) *out = s->top;
    else born__graph_free(&s->top);
    born__free(s);
    return st;
}
