/* The small exact passes: nodes that change nothing, nodes computed twice, nodes nobody reads. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"

static bool same_kind(const born_value *a, const born_value *b)
{
    if (a->rank < 0 || a->rank != b->rank || a->dtype != b->dtype || a->dtype == BORN_DTYPE_NONE) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] < 0 || a->dim[d] != b->dim[d]) return false;
    return true;
}

/* The operand that the node's first result equals, -1: none. In a graph an assignment makes a tensor of its own. */
static int handed_on(const born_edit *e, const born_gnode *n)
{
    if (born__pattern(BORN_PATTERN_IDENTITY, n->op->id)) return n->in[0] < 0 ? -1 : 0;
    if (!born__pattern(BORN_PATTERN_PUT, n->op->id) || n->in[0] < 0 || n->in[1] < 0) return -1;
    return same_kind(&e->g->value[n->in[0]], &e->g->value[n->in[1]]) ? 1 : -1;
}

born_status pass_remove_identity(born_edit *e)
{
    for (size_t k = 0; k < e->g->node_count; k++) {
        born_gnode *n = born__edit_node(e, (int32_t)k);
        bool alone = true;
        int from = handed_on(e, n);

        if (from < 0 || n->out[0] < 0) continue;
        for (int i = 1; i < n->out_count; i++) alone &= n->out[i] < 0 || e->uses[n->out[i]] == 0;
        if (!alone) continue;
        born__edit_kill(e, (int32_t)k);
        born__edit_replace(e, n->out[0], n->in[from]);
    }
    return BORN_OK;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    h *= 0xff51afd7ed558ccdu;
    return h ^ h >> 33;
}

static uint64_t node_hash(const born_gnode *n)
{
    uint64_t h = mix(n->op->id, (uint64_t)n->out_count);

    for (int i = 0; i < n->in_count; i++) h = mix(h, (uint64_t)(int64_t)n->in[i]);
    return n->op->attrs ? mix(h, born__attrs_hash(n->op->attrs, n->attrs)) : h;
}

static bool node_equal(const born_gnode *a, const born_gnode *b)
{
    return a->op == b->op && a->in_count == b->in_count && a->out_count == b->out_count &&
           !memcmp(a->in, b->in, (size_t)a->in_count * sizeof *a->in) &&
           (!a->op->attrs || born__attrs_equal(a->op->attrs, a->attrs, b->attrs));
}

born_status pass_merge_common(born_edit *e)
{
    size_t cap = 64;

    while (cap < 2 * e->g->node_count) cap *= 2;
    int32_t *table = born__calloc(cap, sizeof *table); /* node index + 1 */
    BORN_FAIL_IF(!table, e->err, BORN_NOMEM, "graph: out of memory");
    for (size_t k = 0; k < e->g->node_count; k++) {
        born_gnode *n = born__edit_node(e, (int32_t)k);

        if (e->dead[k] || (n->op->props & (BORN_P_EFFECT | BORN_P_CONTROL))) continue;
        size_t at = (size_t)node_hash(n) & (cap - 1);
        while (table[at] && !node_equal(&e->g->node[table[at] - 1], n)) at = (at + 1) & (cap - 1);
        if (!table[at]) {
            table[at] = (int32_t)k + 1;
            continue;
        }
        const born_gnode *first = &e->g->node[table[at] - 1];
        bool same = true;
        for (int i = 0; i < n->out_count; i++) same &= (n->out[i] < 0 || first->out[i] >= 0);
        if (!same) continue;
        born__edit_kill(e, (int32_t)k);
        for (int i = 0; i < n->out_count; i++)
            if (n->out[i] >= 0) born__edit_replace(e, n->out[i], first->out[i]);
    }
    born__free(table);
    return BORN_OK;
}

born_status pass_remove_dead(born_edit *e)
{
    for (size_t k = e->g->node_count; k-- > 0;) {
        born_gnode *n = born__edit_node(e, (int32_t)k);
        bool used = (n->op->props & BORN_P_EFFECT) != 0;

        for (int i = 0; i < n->out_count; i++) used |= n->out[i] >= 0 && e->uses[n->out[i]] > 0;
        if (!used && !e->dead[k]) born__edit_kill(e, (int32_t)k);
    }
    return BORN_OK;
}
