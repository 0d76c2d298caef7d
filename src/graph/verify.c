/* What a graph must be before anything else looks at it, whoever made it: ids in range, one definition for each
   value, arity, attribute ranges, subgraphs of bounded depth, nodes in topological order (sorted here if they are
   not). Passes run it again in debug builds. */
#include <string.h>

#include "base/error.h"
#include "graph/ir.h"

enum { MAX_DEPTH = 16 };

static const char *node_label(const born_gnode *n)
{
    return n->name[0] ? n->name : n->op->name;
}

static born_status check_node(const born_graph *g, const born_gnode *n, born_error *err)
{
    bool variadic;
    int outs = born__op_sig_outputs(n->op, &variadic);

    BORN_FAIL_IF(n->in_count < n->op->min_in, err, BORN_FORMAT, "%s '%s': %d inputs, needs %d", n->op->name,
                 node_label(n), n->in_count, n->op->min_in);
    BORN_FAIL_IF(n->op->max_in != 255 && n->in_count > n->op->max_in, err, BORN_FORMAT, "%s '%s': %d inputs, takes %d",
                 n->op->name, node_label(n), n->in_count, n->op->max_in);
    BORN_FAIL_IF(n->out_count > outs && !variadic, err, BORN_FORMAT, "%s '%s': %d outputs, gives %d", n->op->name,
                 node_label(n), n->out_count, outs);
    BORN_FAIL_IF(n->out_count < 1 && outs > 0 && !(n->op->props & BORN_P_EFFECT), err, BORN_FORMAT,
                 "%s '%s': no output", n->op->name, node_label(n));
    for (int i = 0; i < n->in_count; i++) {
        BORN_FAIL_IF(n->in[i] < -1 || n->in[i] >= (born_vid)g->value_count, err, BORN_FORMAT,
                     "%s '%s': input %d is no value", n->op->name, node_label(n), i);
        BORN_FAIL_IF(n->in[i] == -1 && i < n->op->min_in && n->op->max_in != 255 && i == 0, err, BORN_FORMAT,
                     "%s '%s': input 0 is missing", n->op->name, node_label(n));
    }
    if (n->op->attrs) BORN_TRY(born__attrs_check(n->op->attrs, n->attrs, n->op->name, err));
    return BORN_OK;
}

/* Fills value.producer; refuses a second definition. */
static born_status index_producers(born_graph *g, born_error *err)
{
    for (size_t i = 0; i < g->value_count; i++) {
        g->value[i].producer = -1;
        g->value[i].input = false;
    }
    for (size_t i = 0; i < g->input_count; i++) {
        born_vid v = g->input[i];
        BORN_FAIL_IF(v < 0 || v >= (born_vid)g->value_count, err, BORN_FORMAT, "graph: input %zu is no value", i);
        BORN_FAIL_IF(g->value[v].constant, err, BORN_FORMAT, "graph: '%s' is both input and constant",
                     g->value[v].name);
        BORN_FAIL_IF(g->value[v].input, err, BORN_FORMAT, "graph: input '%s' appears twice", g->value[v].name);
        g->value[v].input = true;
    }
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->node[k].out_count; i++) {
            born_vid v = g->node[k].out[i];
            if (v == -1) continue;
            BORN_FAIL_IF(v < -1 || v >= (born_vid)g->value_count, err, BORN_FORMAT, "%s '%s': output %d is no value",
                         g->node[k].op->name, node_label(&g->node[k]), i);
            BORN_FAIL_IF(g->value[v].constant || g->value[v].input || g->value[v].producer != -1, err, BORN_FORMAT,
                         "graph: value '%s' is defined twice", g->value[v].name);
            g->value[v].producer = (int32_t)k;
        }
    return BORN_OK;
}

/* Depth first from each node in file order, a node placed after the producers of its inputs: linear in nodes and
   edges. state: 0 new, 1 on the stack, 2 placed; at[i] is the next input of stack[i] to look at. */
static born_status place_nodes(const born_graph *g, born_gnode *to, uint8_t *state, int32_t *stack, int32_t *at,
                               born_error *err)
{
    size_t done = 0, depth;

    for (size_t k = 0; k < g->node_count; k++) {
        if (state[k]) continue;
        stack[0] = (int32_t)k;
        at[0] = 0;
        state[k] = 1;
        depth = 1;
        while (depth) {
            const born_gnode *n = &g->node[stack[depth - 1]];
            if (at[depth - 1] == n->in_count) {
                state[stack[depth - 1]] = 2;
                to[done++] = *n;
                depth--;
                continue;
            }
            born_vid v = n->in[at[depth - 1]++];
            int32_t p = v < 0 ? -1 : g->value[v].producer;
            if (p < 0 || state[p] == 2) continue;
            BORN_FAIL_IF(state[p] == 1, err, BORN_FORMAT, "graph: its nodes form a cycle");
            state[p] = 1;
            stack[depth] = p;
            at[depth++] = 0;
        }
    }
    return BORN_OK;
}

static born_status sort_nodes(born_graph *g, born_error *err)
{
    size_t n = g->node_count;
    bool sorted = true;

    for (size_t k = 0; k < n && sorted; k++)
        for (int i = 0; i < g->node[k].in_count; i++)
            if (g->node[k].in[i] >= 0 && g->value[g->node[k].in[i]].producer >= (int32_t)k) sorted = false;
    if (sorted) return BORN_OK;
    born_gnode *to = born__calloc(n, sizeof *to);
    uint8_t *state = born__calloc(n, 1);
    int32_t *stack = born__calloc(n, 2 * sizeof *stack);
    born_status st = to && state && stack ? place_nodes(g, to, state, stack, stack + n, err)
                                          : born__fail(err, BORN_NOMEM, "graph: out of memory");
    if (st == BORN_OK) memcpy(g->node, to, n * sizeof *to);
    born__free(to);
    born__free(state);
    born__free(stack);
    return st == BORN_OK ? index_producers(g, err) : st;
}

typedef struct subgraph_list {
    born_graph *g[64];
    int count;
} subgraph_list;

static void collect(void *user, born_graph **g)
{
    subgraph_list *l = user;

    if (l->count < 64) l->g[l->count++] = *g;
}

static born_status verify_one(born_graph *g, born_error *err)
{
    BORN_TRY(index_producers(g, err));
    for (size_t k = 0; k < g->node_count; k++) BORN_TRY(check_node(g, &g->node[k], err));
    for (size_t k = 0; k < g->node_count; k++)
        for (int i = 0; i < g->node[k].in_count; i++) {
            born_vid v = g->node[k].in[i];
            if (v < 0 || g->value[v].constant || g->value[v].producer >= 0) continue;
            BORN_FAIL_IF(!g->value[v].input, err, BORN_FORMAT, "%s '%s': input '%s' is defined nowhere",
                         g->node[k].op->name, node_label(&g->node[k]), g->value[v].name);
        }
    for (size_t i = 0; i < g->output_count; i++) {
        born_vid v = g->output[i];
        BORN_FAIL_IF(v < 0 || v >= (born_vid)g->value_count, err, BORN_FORMAT, "graph: output %zu is no value", i);
        BORN_FAIL_IF(!g->value[v].constant && g->value[v].producer < 0 && !g->value[v].input, err, BORN_FORMAT,
                     "graph: output '%s' is defined nowhere", g->value[v].name);
    }
    return sort_nodes(g, err);
}

static born_status verify_depth(born_graph *g, int depth, born_error *err)
{
    BORN_FAIL_IF(depth > MAX_DEPTH, err, BORN_FORMAT, "graph: subgraphs nest deeper than %d", MAX_DEPTH);
    BORN_TRY(verify_one(g, err));
    for (size_t k = 0; k < g->node_count; k++) {
        subgraph_list l = { .count = 0 };
        born__node_subgraphs(&g->node[k], collect, &l);
        for (int i = 0; i < l.count; i++) BORN_TRY(verify_depth(l.g[i], depth + 1, err));
    }
    return BORN_OK;
}

born_status born__graph_verify(born_graph *g, born_error *err)
{
    return verify_depth(g, 0, err);
}
