/* Chooses which values are stored with channels innermost. A product that likes it (SEED) starts a region; ops whose
   kernels take any layout carry it on; where an op that does not follows, one dense copy is made and shared. Views
   need no copy: their rules work on strides. Images of fewer channels than a vector has lanes stay row-major: there
   neighbouring pixels fill the lanes better. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"

enum { FEW = 16 };

typedef struct layout {
    born_edit *e;
    born_vid *dense;            /* per value: its dense copy, -1: not made yet */
    born_gnode *node;           /* the new node list */
    size_t count, cap;
} layout;

static born_status push(layout *l, const born_gnode *n)
{
    BORN_FAIL_IF(!born__grow((void **)&l->node, &l->cap, l->count + 1, sizeof *l->node), l->e->err, BORN_NOMEM,
                 "graph: out of memory");
    l->node[l->count++] = *n;
    return BORN_OK;
}

/* The dense copy of v, made at the place where it is first needed. */
static born_status dense_copy(layout *l, born_vid v, born_vid *out)
{
    born_graph *g = l->e->g;
    const born_op *copy = &born__ops[born__pattern(BORN_PATTERN_COPY, 0)->op];

    if (l->dense[v] < 0) {
        born_vid to;
        BORN_TRY(born__edit_new_value(l->e, g->value[v].name, &to));
        born_value *w = &g->value[to], *from = &g->value[v];
        w->dtype = from->dtype;
        w->rank = from->rank;
        memcpy(w->dim, from->dim, sizeof w->dim);
        born_gnode n = { .op = copy, .name = from->name, .in_count = 1, .out_count = 1 };
        n.in = born__arena_alloc(&g->arena, 2 * sizeof *n.in);
        BORN_FAIL_IF(!n.in, l->e->err, BORN_NOMEM, "graph: out of memory");
        n.out = n.in + 1;
        n.in[0] = v;
        n.out[0] = to;
        BORN_TRY(push(l, &n));
        l->dense[v] = to;
    }
    *out = l->dense[v];
    return BORN_OK;
}

static bool carries(const born_graph *g, const born_gnode *n)
{
    const born_value *y = n->out_count && n->out[0] >= 0 ? &g->value[n->out[0]] : NULL;

    if (!y || y->rank < 3 || !(n->op->props & BORN_P_ANY_LAYOUT)) return false;
    if (n->op->props & (BORN_P_VIEW | BORN_P_DENSE_RESULT)) return false;
    if (y->dim[1] >= 0 && y->dim[1] < FEW) return false;
    if (born__pattern(BORN_PATTERN_SEED, n->op->id)) return true;
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && g->value[n->in[i]].channels_last && g->value[n->in[i]].rank == y->rank) return true;
    return false;
}

static born_status visit(layout *l, born_gnode *n)
{
    born_graph *g = l->e->g;
    bool any = (n->op->props & (BORN_P_ANY_LAYOUT | BORN_P_VIEW)) != 0;

    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && g->value[n->in[i]].channels_last && !any) {
            born_vid to;
            BORN_TRY(dense_copy(l, n->in[i], &to));
            n->in[i] = to;
        }
    if (carries(g, n)) g->value[n->out[0]].channels_last = true;
    return push(l, n);
}

born_status pass_layout_channels(born_edit *e)
{
    born_graph *g = e->g;
    layout l = { .e = e };
    born_status st = BORN_OK;

    l.dense = born__alloc(e->uses_count * sizeof *l.dense);
    BORN_FAIL_IF(!l.dense, e->err, BORN_NOMEM, "graph: out of memory");
    for (size_t i = 0; i < e->uses_count; i++) l.dense[i] = -1;
    for (size_t k = 0; k < g->node_count && st == BORN_OK; k++) {
        born_gnode *n = born__edit_node(e, (int32_t)k);
        if (!e->dead[k]) st = visit(&l, n);
    }
    for (size_t i = 0; i < g->output_count && st == BORN_OK; i++) {
        born_vid v = born__edit_resolve(e, g->output[i]);
        if (g->value[v].channels_last) st = dense_copy(&l, v, &g->output[i]);
    }
    born__free(l.dense);
    if (st != BORN_OK) {
        born__free(l.node);
        return st;
    }
    bool *dead = born__calloc(l.count + 1, sizeof *dead);
    if (!dead) {
        born__free(l.node);
        return born__fail(e->err, BORN_NOMEM, "graph: out of memory");
    }
    born__free(g->node);
    born__free(e->dead);
    g->node = l.node;
    g->node_count = l.count;
    g->node_cap = l.cap;
    e->dead = dead;
    e->dead_count = l.count + 1;
    return BORN_OK;
}
