/* Printing graphs: see print.h. The text of a value is %<number>, with its name in quotes where it is defined:

     graph "g"
     input %0 "x" f32 [?batch,3,224,224]
     const %1 "w" f32 [2] 0000803f0000803f
     const %2 "big" f32 [64,3,7,7] named
     node conv "conv1" (%0, %2, -) -> (%3) {strides=[2,2]}
     node if "" (%4) -> (%5) {} begin
       graph "then" ... end
     output %3
     end                                                                                                              */
#include "graph/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ops/attrs_text.h"
#include "tensor/view.h"

typedef struct out_text {
    char *p;
    size_t n, cap;
    bool failed;
} out_text;

static BORN_PRINTF(2, 3) void put(out_text *o, const char *fmt, ...)
{
    for (int attempt = 0; attempt < 2 && !o->failed; attempt++) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(o->p ? o->p + o->n : NULL, o->cap - o->n, fmt, ap);
        va_end(ap);
        if (n >= 0 && o->n + (size_t)n < o->cap) {
            o->n += (size_t)n;
            return;
        }
        if (n < 0 || !born__grow((void **)&o->p, &o->cap, o->n + (size_t)n + 1, 1)) o->failed = true;
    }
}

static void put_name(out_text *o, const char *s)
{
    put(o, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\' || (unsigned char)*s < 32) put(o, "\\%02x", (unsigned char)*s);
        else put(o, "%c", *s);
    }
    put(o, "\"");
}

static void put_type(out_text *o, const born_value *v)
{
    put(o, " %s ", v->dtype ? born_dtype_name(v->dtype) : "?");
    if (v->rank < 0) {
        put(o, "?");
        return;
    }
    put(o, "[");
    for (int d = 0; d < v->rank; d++) {
        if (d) put(o, ",");
        if (v->dim[d] >= 0) put(o, "%lld", (long long)v->dim[d]);
        else put(o, "?%s", v->symbol[d] && !strpbrk(v->symbol[d], "[], \n\"") ? v->symbol[d] : "");
    }
    put(o, "]");
}

static void put_const(out_text *o, const born_graph *g, born_vid i, int indent)
{
    const born_value *v = &g->value[i];

    put(o, "%*sconst %%%d ", indent, "", i);
    put_name(o, v->name);
    put_type(o, v);
    put(o, v->splat ? " splat " : " ");
    if (v->bytes > 64) put(o, "named");
    else
        for (size_t k = 0; k < v->bytes; k++) put(o, "%02x", ((const unsigned char *)v->data)[k]);
    put(o, "\n");
}

static void put_ids(out_text *o, const born_graph *g, const born_vid *id, int n, bool named)
{
    put(o, "(");
    for (int i = 0; i < n; i++) {
        if (i) put(o, ", ");
        if (id[i] < 0) {
            put(o, "-");
            continue;
        }
        put(o, "%%%d", id[i]);
        if (!named) continue;
        put(o, " ");
        put_name(o, g->value[id[i]].name);
        put_type(o, &g->value[id[i]]);
        if (g->value[id[i]].channels_last) put(o, " channels_last");
    }
    put(o, ")");
}

static void put_graph(out_text *o, const born_graph *g, int indent);

typedef struct nested {
    out_text *o;
    int indent;
} nested;

static void put_nested(void *user, born_graph **g)
{
    nested *n = user;

    put_graph(n->o, *g, n->indent);
}

static void put_node(out_text *o, const born_graph *g, const born_gnode *n, int indent)
{
    nested in = { o, indent + 2 };

    put(o, "%*snode %s ", indent, "", n->op->name);
    put_name(o, n->name);
    put(o, " ");
    put_ids(o, g, n->in, n->in_count, false);
    put(o, " -> ");
    put_ids(o, g, n->out, n->out_count, true);
    put(o, " {");
    if (n->op->attrs) {
        size_t need = born__attrs_print(n->op->attrs, n->attrs, NULL, 0);
        char *text = born__alloc(need + 1);
        if (!text) o->failed = true;
        else {
            born__attrs_print(n->op->attrs, n->attrs, text, need + 1);
            put(o, "%s", text);
        }
        born__free(text);
    }
    put(o, "}\n");
    born__node_subgraphs(n, put_nested, &in); /* depth is capped by the verifier */
}

static void put_graph(out_text *o, const born_graph *g, int indent)
{
    put(o, "%*sgraph ", indent, "");
    put_name(o, g->name);
    put(o, "\n");
    for (size_t i = 0; i < g->input_count; i++) {
        const born_value *v = &g->value[g->input[i]];
        put(o, "%*sinput %%%d ", indent, "", g->input[i]);
        put_name(o, v->name);
        put_type(o, v);
        put(o, "\n");
    }
    for (size_t i = 0; i < g->value_count; i++)
        if (g->value[i].constant) put_const(o, g, (born_vid)i, indent);
    for (size_t k = 0; k < g->node_count; k++) put_node(o, g, &g->node[k], indent);
    for (size_t i = 0; i < g->output_count; i++) put(o, "%*soutput %%%d\n", indent, "", g->output[i]);
    put(o, "%*send\n", indent, "");
}

born_status born__graph_text(const born_graph *g, char **text, born_error *err)
{
    out_text o = { 0 };

    *text = NULL;
    put_graph(&o, g, 0);
    if (o.failed || !o.p) {
        born__free(o.p);
        return born__fail(err, BORN_NOMEM, "graph: out of memory for its text");
    }
    *text = o.p;
    return BORN_OK;
}
