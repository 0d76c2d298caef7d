/* A maximum's gradient is masked before it is spread, not after. The gradient of relu, where(gt(r, 0), d, 0),
   behind that of a max pool over r, d = grad(g, r), reads and writes the whole image again; but an element of d that is
   not 0 is one that a window took, so r there is what the pool p = max_pool(r) gave, and the condition is that of p:
   grad(where(gt(p, 0), g, 0), r) has the same bits on an image as small as the pool's result. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"
#include "tensor/view.h"

/* The three nodes, in the order of the list, and the pool. */
typedef struct chain { int32_t spread, compare, select, pool; } chain;

static bool is_scalar(const born_value *v)
{
    for (int i = 0; v && i < v->rank; i++)
        if (v->dim[i] != 1) return false;
    return v && v->rank >= 0;
}

/* One number whose bits are all 0? */
static bool is_zero(const born_value *v)
{
    const unsigned char *p = v ? v->data : NULL;
    size_t size = v && v->dtype != BORN_DTYPE_NONE ? (size_t)born__dtype_info(v->dtype)->size : 0;

    if (!p || !size || !is_scalar(v) || v->bytes < size) return false;
    for (size_t i = 0; i < size; i++)
        if (p[i]) return false;
    return true;
}

static int32_t producer(const born_edit *e, born_vid v)
{
    return v >= 0 && !e->g->value[v].constant && !e->g->value[v].input ? e->g->value[v].producer : -1;
}

/* The pool that picked from r as the gradient at `spread` says, before that node; -1: none. */
static int32_t find_pool(born_edit *e, int32_t spread, uint16_t op, born_vid r)
{
    const void *attrs = e->g->node[spread].attrs;

    for (int32_t k = 0; k < spread; k++) {
        if (e->dead[k] || e->g->node[k].op->id != op) continue;
        const born_gnode *n = born__edit_node(e, k);
        if (n->in[0] == r && n->out[0] >= 0 && (!attrs || born__attrs_equal(n->op->attrs, n->attrs, attrs))) return k;
    }
    return -1;
}

static bool find_chain(born_edit *e, int32_t k, chain *c)
{
    const born_graph *g = e->g;
    const born_gnode *select = born__edit_node(e, k);

    if (e->dead[k] || !born__pattern(BORN_PATTERN_SELECT, select->op->id) || select->out_count != 1) return false;
    if (!is_zero(born__edit_const(e, select->in[2]))) return false;
    *c = (chain){ producer(e, select->in[1]), producer(e, select->in[0]), k, -1 };
    if (c->spread < 0 || c->compare < 0 || c->spread > k || c->compare > k) return false;
    const born_gnode *spread = born__edit_node(e, c->spread), *compare = born__edit_node(e, c->compare);
    const born_pattern *p = born__pattern(BORN_PATTERN_SPREADS, spread->op->id);
    if (!p || strcmp(compare->op->sig, "TT>B") != 0 || !(compare->op->props & BORN_P_ELEMENTWISE)) return false;
    if (compare->in[0] != spread->in[1] || !is_scalar(born__edit_const(e, compare->in[1]))) return false;
    if (born__edit_only_reader(e, spread->out[0]) != k || born__edit_only_reader(e, compare->out[0]) != k) return false;
    int32_t from = producer(e, spread->in[0]);      /* a reshaped vector is row-major, the pool's result may not be */
    if (from >= 0 && (e->g->node[from].op->props & BORN_P_VIEW)) return false;
    c->pool = find_pool(e, c->spread, p->other, spread->in[1]);
    return c->pool >= 0 && c->pool < c->compare && g->value[g->node[c->pool].out[0]].rank >= 0;
}

/* A value like v, of another dtype. */
static born_status value_like(born_edit *e, born_vid v, born_dtype t, born_vid *out)
{
    BORN_TRY(born__edit_new_value(e, e->g->value[v].name, out));
    born_value *to = &e->g->value[*out], *from = &e->g->value[v];
    to->dtype = t;
    to->rank = from->rank;
    memcpy(to->dim, from->dim, sizeof to->dim);
    memcpy(to->symbol, from->symbol, sizeof to->symbol);
    return BORN_OK;
}

static void sort3(int32_t *a)
{
    for (int i = 0; i < 3; i++)
        for (int j = i + 1; j < 3; j++)
            if (a[j] < a[i]) {
                int32_t t = a[i];
                a[i] = a[j];
                a[j] = t;
            }
}

static born_status turn_round(born_edit *e, const chain *c)
{
    born_vid pooled = e->g->node[c->pool].out[0], condition, masked;
    int32_t place[3] = { c->spread, c->compare, c->select };

    BORN_TRY(value_like(e, pooled, BORN_BOOL, &condition));
    BORN_TRY(value_like(e, pooled, e->g->value[pooled].dtype, &masked));
    born_gnode spread = born__edit_take(e, c->spread), compare = born__edit_take(e, c->compare);
    born_gnode select = born__edit_take(e, c->select);
    born_vid was = select.out[0];
    compare.in[0] = pooled;
    compare.out[0] = condition;
    select.in[0] = condition;
    select.in[1] = spread.in[0];
    select.out[0] = masked;
    spread.in[0] = masked;
    sort3(place);
    born__edit_put(e, place[0], &compare);
    born__edit_put(e, place[1], &select);
    born__edit_put(e, place[2], &spread);
    born__edit_replace(e, was, spread.out[0]);
    e->g->value[condition].producer = place[0];
    e->g->value[masked].producer = place[1];
    e->g->value[spread.out[0]].producer = place[2];
    return BORN_OK;
}

born_status pass_early_masks(born_edit *e)
{
    chain c;

    for (size_t k = 0; k < e->g->node_count; k++)
        if (find_chain(e, (int32_t)k, &c)) BORN_TRY(turn_round(e, &c));
    return BORN_OK;
}
