/* Editing graphs in passes: see edit.h. */
#include "graph/edit.h"

#include <string.h>

#include "base/error.h"
#include "tensor/view.h"

static void release(born_edit *e)
{
    born__free(e->uses);
    born__free(e->reader_xor);
    born__free(e->alias);
    born__free(e->is_output);
    born__free(e->dead);
    e->uses = e->reader_xor = e->alias = NULL;
    e->is_output = e->dead = NULL;
}

static void count_use(born_edit *e, born_vid v, int32_t node, int by)
{
    if (v < 0 || (size_t)v >= e->uses_count) return;
    e->uses[v] += by;
    e->reader_xor[v] ^= node;
}

born_status born__edit_begin(born_edit *e, born_graph *g, const born_pass_ctx *ctx, born_error *err)
{
    /* room for what a pass adds: at most two values for each node, and one for each value */
    size_t values = g->value_count * 2 + g->node_count * 2 + 64, nodes = g->node_count + 1;

    *e = (born_edit){ .g = g, .ctx = ctx, .err = err, .uses_count = values, .dead_count = nodes };
    e->uses = born__calloc(values, sizeof *e->uses);
    e->reader_xor = born__calloc(values, sizeof *e->reader_xor);
    e->alias = born__calloc(values, sizeof *e->alias);
    e->is_output = born__calloc(values, sizeof *e->is_output);
    e->dead = born__calloc(nodes, sizeof *e->dead);
    if (!e->uses || !e->reader_xor || !e->alias || !e->is_output || !e->dead) {
        release(e);
        return born__fail(err, BORN_NOMEM, "graph: out of memory");
    }
    for (size_t i = 0; i < values; i++) e->alias[i] = -1;
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->node[k].in_count; i++) count_use(e, g->node[k].in[i], (int32_t)k, 1);
    for (size_t i = 0; i < g->output_count; i++) {
        e->uses[g->output[i]]++;
        e->is_output[g->output[i]] = true;
    }
    return BORN_OK;
}

born_vid born__edit_resolve(const born_edit *e, born_vid v)
{
    while (v >= 0 && e->alias[v] >= 0) {
        if (e->alias[e->alias[v]] >= 0) e->alias[v] = e->alias[e->alias[v]]; /* halve the path */
        v = e->alias[v];
    }
    return v;
}

born_gnode *born__edit_node(born_edit *e, int32_t node)
{
    born_gnode *n = &e->g->node[node];

    for (int i = 0; i < n->in_count; i++) n->in[i] = born__edit_resolve(e, n->in[i]);
    return n;
}

static void free_subgraph(void *user, born_graph **g)
{
    (void)user;
    born__graph_free(g);
}

born_status born__edit_end(born_edit *e)
{
    born_graph *g = e->g;
    size_t to = 0;

    for (size_t k = 0; k < g->node_count; k++) {
        if (e->dead[k]) {
            born__node_subgraphs(&g->node[k], free_subgraph, NULL);
            continue;
        }
        born__edit_node(e, (int32_t)k);
        g->node[to++] = g->node[k];
    }
    for (size_t i = 0; i < g->output_count; i++) g->output[i] = born__edit_resolve(e, g->output[i]);
    g->node_count = to;
    release(e);
    return born__graph_verify(g, e->err);
}

void born__edit_replace(born_edit *e, born_vid from, born_vid to)
{
    e->alias[from] = to;
    e->uses[to] += e->uses[from];
    e->reader_xor[to] ^= e->reader_xor[from];
    e->is_output[to] |= e->is_output[from];
    e->uses[from] = e->reader_xor[from] = 0;
    e->is_output[from] = false;
    e->changes++;
}

void born__edit_kill(born_edit *e, int32_t node)
{
    born_gnode *n = born__edit_node(e, node);

    if (e->dead[node]) return;
    e->dead[node] = true;
    e->changes++;
    for (int i = 0; i < n->in_count; i++) count_use(e, n->in[i], node, -1);
}

born_gnode born__edit_take(born_edit *e, int32_t node)
{
    born_gnode *n = born__edit_node(e, node);

    for (int i = 0; i < n->in_count; i++) count_use(e, n->in[i], node, -1);
    return *n;
}

void born__edit_put(born_edit *e, int32_t node, const born_gnode *n)
{
    e->g->node[node] = *n;
    for (int i = 0; i < n->in_count; i++) count_use(e, n->in[i], node, 1);
}

void born__edit_set_input(born_edit *e, int32_t node, int i, born_vid v)
{
    born_gnode *n = born__edit_node(e, node);

    count_use(e, n->in[i], node, -1);
    n->in[i] = v;
    count_use(e, v, node, 1);
}

born_status born__edit_new_value(born_edit *e, const char *name, born_vid *out)
{
    BORN_FAIL_IF(e->g->value_count >= e->uses_count, e->err, BORN_INTERNAL, "graph: a pass adds too many values");
    return born__graph_value(e->g, name, name ? strlen(name) : 0, out, e->err);
}

const born_value *born__edit_const(const born_edit *e, born_vid v)
{
    return v >= 0 && e->g->value[v].constant ? &e->g->value[v] : NULL;
}

int32_t born__edit_only_reader(const born_edit *e, born_vid v)
{
    return v >= 0 && e->uses[v] == 1 && !e->is_output[v] ? e->reader_xor[v] : -1;
}

born_view born__value_view(const born_value *v)
{
    born_view w = { .data = (char *)(uintptr_t)v->data, .dtype = v->dtype, .rank = v->rank < 0 ? 0 : v->rank };

    for (int i = 0; i < w.rank; i++) w.dim[i] = v->dim[i];
    if (!v->splat) born__view_row_major(&w);
    return w;
}

born_status born__host_run(born_call *c, born_error *err)
{
    born_exec x = { .err = err };
    void *scratch = NULL;

    BORN_FAIL_IF(!c->op->ref || (c->op->props & (BORN_P_CONTROL | BORN_P_EFFECT)), err, BORN_UNSUPPORTED,
                 "%s: cannot be computed on the host", c->op->name);
    if (!(c->op->props & (BORN_P_HALF | BORN_P_BY_SIZE | BORN_P_META)))
        for (int i = 0; i < c->in_count + c->out_count; i++) {
            born_dtype t = i < c->in_count ? c->in[i].dtype : c->out[i - c->in_count].dtype;
            BORN_FAIL_IF(t == BORN_F16 || t == BORN_BF16, err, BORN_UNSUPPORTED, "%s: half floats are left to the leaf",
                         c->op->name);
        }
    if (c->op->scratch && (x.scratch_bytes = c->op->scratch(c)) > 0) {
        scratch = born__alloc(x.scratch_bytes);
        BORN_FAIL_IF(!scratch, err, BORN_NOMEM, "%s: out of memory", c->op->name);
        x.scratch = scratch;
    }
    born_status st = c->op->ref(c, &x);
    born__free(scratch);
    return st;
}
