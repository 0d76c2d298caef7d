/* See ml_forest.h. */
#include "ops/ml_forest.h"

/* ---- memory: one block, cut up in this order ---- */

typedef struct cutter { char *base; size_t used; bool overflow; } cutter;
static void *cut(cutter *c, int64_t n, size_t size)
{
    size_t bytes, start = c->used;
    bool ok = n >= 0 && (uint64_t)n <= SIZE_MAX && born__mul_size((size_t)n, size, &bytes) &&
              born__add_size(bytes, 15, &bytes) && born__add_size(start, bytes & ~(size_t)15, &c->used);
    if (!ok) c->overflow = true;
    return c->base && ok ? c->base + start : NULL;
}

static int64_t slots_for(int64_t n)
{
    int64_t s = 16;
    while (s < 2 * n) s *= 2;
    return s;
}

typedef struct work {
    int32_t *slot, *tree_slot;      /* hash tables: index + 1, 0 empty */
    uint8_t *parents;
    int64_t slots;
} work;

static size_t cut_all(born_forest *f, work *w, char *base)
{
    cutter c = { base, 0, false };
    f->node = cut(&c, f->nodes, sizeof *f->node);
    f->vote = cut(&c, f->votes, sizeof *f->vote);
    f->member = cut(&c, f->members, sizeof *f->member);
    f->root = cut(&c, f->roots, sizeof *f->root);
    w->slot = cut(&c, w->slots, sizeof *w->slot);
    w->tree_slot = cut(&c, w->slots, sizeof *w->tree_slot);
    w->parents = cut(&c, f->nodes, 1);
    return c.overflow ? SIZE_MAX : c.used;
}

enum { MOST = 1 << 28 };    /* nodes or votes of one ensemble */

static bool sizes_of(born_forest *f, work *w, int64_t nodes, int64_t votes, int64_t members, int64_t roots)
{
    if (nodes > MOST || votes > MOST || members > MOST || roots > MOST) return false;
    *f = (born_forest){ .nodes = nodes, .votes = votes, .members = members, .roots = roots };
    *w = (work){ .slots = slots_for(nodes) };
    return true;
}

static double number(born_floats v, const born_array *t, int64_t i)
{
    if (!t) return (double)v.v[i];
    const born_dtype_info *d = born__dtype_info(t->dtype);
    return born__load_f64(t->dtype, (const char *)t->data + i * d->size);
}
static int64_t number_count(born_floats v, const born_array *t)
{
    int64_t n = v.count;
    if (t && (!born__shape_count(t->shape.dim, t->shape.rank, &n) || !born__dtype_is(t->dtype, BORN_DT_FLOAT)))
        return -1;
    return n;
}

static void tie(born_tree_node *n, int64_t yes, int64_t no)
{
    n->yes = (int32_t)yes;
    n->no = (int32_t)no;
}

/* Counts a parent of node k; false where it has one already. */
static bool adopt(work *w, int64_t k) { return w->parents[k]++ == 0; }

/* ---- classifier and regressor ---- */

size_t born__forest_bytes(const born_tree_votes *t)
{
    born_forest f;
    work w;
    if (!sizes_of(&f, &w, t->tree.count, t->vote_id.count, 0, t->tree.count)) return SIZE_MAX;
    return cut_all(&f, &w, NULL);
}

static uint64_t mix(int64_t tree, int64_t node)
{
    uint64_t h = (uint64_t)tree * 0x9e3779b97f4a7c15u ^ (uint64_t)node * 0xc2b2ae3d27d4eb4fu;
    h ^= h >> 29;
    h *= 0x94d049bb133111ebu;
    return h ^ h >> 32;
}

/* The node (tree, node), or -1. With add >= 0 that index is put there unless one was. */
static int64_t look_up(const born_tree_votes *t, const work *w, int64_t tree, int64_t node, int64_t add)
{
    uint64_t mask = (uint64_t)w->slots - 1;
    for (uint64_t at = mix(tree, node) & mask;; at = (at + 1) & mask) {
        int32_t k = w->slot[at];
        if (k == 0) {
            if (add >= 0) w->slot[at] = (int32_t)(add + 1);
            return -1;
        }
        if (t->tree.v[k - 1] == tree && t->node.v[k - 1] == node) return k - 1;
    }
}

/* Marks tree as having a root; false where it has one. */
static bool take_root(const born_tree_votes *t, const work *w, int64_t k)
{
    uint64_t mask = (uint64_t)w->slots - 1;
    for (uint64_t at = mix(t->tree.v[k], 0) & mask;; at = (at + 1) & mask) {
        int32_t other = w->tree_slot[at];
        if (other != 0 && t->tree.v[other - 1] == t->tree.v[k]) return false;
        if (other != 0) continue;
        w->tree_slot[at] = (int32_t)(k + 1);
        return true;
    }
}

static bool mode_of(born_str s, uint8_t *mode)
{
    static const char *const name[] = { "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ",
                                        "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF" };
    for (int i = 0; i < 8; i++) {
        if (i == BORN_BRANCH_MEMBER || strlen(name[i]) != s.n || memcmp(name[i], s.p, s.n) != 0) continue;
        *mode = (uint8_t)i;
        return true;
    }
    return false;
}

static born_status check_lengths(const born_tree_votes *t, const char *op, born_error *err)
{
    int64_t n = t->tree.count, v = t->vote_id.count;
    BORN_FAIL_IF(n == 0, err, BORN_INVALID, "%s: no nodes", op);
    BORN_FAIL_IF(n > MOST || v > MOST, err, BORN_RANGE, "%s: too many nodes or votes", op);
    bool same = t->node.count == n && t->feature.count == n && t->mode.count == n && t->yes.count == n &&
                t->no.count == n && number_count(t->value, t->value_tensor) == n &&
                (t->missing.count == 0 || t->missing.count == n);
    BORN_FAIL_IF(!same, err, BORN_INVALID, "%s: the nodes_ arrays differ in length", op);
    same = t->vote_tree.count == v && t->vote_node.count == v && number_count(t->weight, t->weight_tensor) == v;
    BORN_FAIL_IF(!same, err, BORN_INVALID, "%s: the arrays of votes differ in length", op);
    return BORN_OK;
}

static born_status read_node(const born_tree_votes *t, born_forest *f, work *w, int64_t i, int64_t features,
                             const char *op, born_error *err)
{
    born_tree_node *n = &f->node[i];
    *n = (born_tree_node){ .value = number(t->value, t->value_tensor, i) };
    BORN_FAIL_IF(!mode_of(t->mode.v[i], &n->mode), err, BORN_INVALID, "%s: node %lld has an unknown mode", op,
                 (long long)i);
    n->missing_yes = t->missing.count > 0 && t->missing.v[i] != 0;
    if (n->mode == BORN_LEAF) return BORN_OK;
    int64_t tree = t->tree.v[i], yes = look_up(t, w, tree, t->yes.v[i], -1), no = look_up(t, w, tree, t->no.v[i], -1);
    BORN_FAIL_IF(yes < 0 || no < 0, err, BORN_INVALID, "%s: a child of node %lld of tree %lld does not exist", op,
                 (long long)t->node.v[i], (long long)tree);
    BORN_FAIL_IF(!adopt(w, yes) || (no != yes && !adopt(w, no)), err, BORN_INVALID,
                 "%s: a child of node %lld of tree %lld has two parents", op, (long long)t->node.v[i], (long long)tree);
    BORN_FAIL_IF(t->feature.v[i] < 0 || t->feature.v[i] >= features || t->feature.v[i] > INT32_MAX, err, BORN_RANGE,
                 "%s: node %lld asks for feature %lld of %lld", op, (long long)i, (long long)t->feature.v[i],
                 (long long)features);
    n->feature = (int32_t)t->feature.v[i];
    tie(n, yes, no);
    return BORN_OK;
}

/* Puts votes behind their leaves: counts, places, fills. */
static born_status read_votes(const born_tree_votes *t, born_forest *f, work *w, const char *op, born_error *err)
{
    int64_t place = 0;
    for (int64_t i = 0; i < f->votes; i++) {
        int64_t k = look_up(t, w, t->vote_tree.v[i], t->vote_node.v[i], -1);
        BORN_FAIL_IF(k < 0, err, BORN_INVALID, "%s: a vote of node %lld of tree %lld, which does not exist", op,
                     (long long)t->vote_node.v[i], (long long)t->vote_tree.v[i]);
        BORN_FAIL_IF(t->vote_id.v[i] < 0 || t->vote_id.v[i] >= t->targets, err, BORN_RANGE,
                     "%s: a vote for %lld of %lld", op, (long long)t->vote_id.v[i], (long long)t->targets);
        f->node[k].count++;
    }
    for (int64_t k = 0; k < f->nodes; k++) {
        f->node[k].first = place;
        place += f->node[k].count;
        f->node[k].count = 0;
    }
    for (int64_t i = 0; i < f->votes; i++) {
        born_tree_node *n = &f->node[look_up(t, w, t->vote_tree.v[i], t->vote_node.v[i], -1)];
        f->vote[n->first + n->count++] = (born_vote){ number(t->weight, t->weight_tensor, i), t->vote_id.v[i] };
    }
    return BORN_OK;
}

/* Nodes that walks from the roots can reach. Each has one parent, so none comes twice; stack has room for all. */
static int64_t reachable(const born_forest *f, int32_t *stack)
{
    int64_t depth = 0, count = 0;
    for (int64_t i = 0; i < f->roots; i++) stack[depth++] = f->root[i];
    while (depth > 0) {
        const born_tree_node *n = &f->node[stack[--depth]];
        count++;
        if (n->mode == BORN_LEAF) continue;
        stack[depth++] = n->yes;
        if (n->no != n->yes) stack[depth++] = n->no;
    }
    return count;
}

born_status born__forest_make(born_forest *f, const born_tree_votes *t, int64_t features, void *memory, const char *op,
                              born_error *err)
{
    work w = { 0 };
    BORN_TRY(check_lengths(t, op, err));
    sizes_of(f, &w, t->tree.count, t->vote_id.count, 0, t->tree.count);
    cut_all(f, &w, memory);
    f->targets = t->targets;
    f->aggregate = t->aggregate;
    memset(w.slot, 0, (size_t)w.slots * sizeof *w.slot);
    memset(w.tree_slot, 0, (size_t)w.slots * sizeof *w.tree_slot);
    memset(w.parents, 0, (size_t)f->nodes);
    for (int64_t i = 0; i < f->nodes; i++)
        BORN_FAIL_IF(look_up(t, &w, t->tree.v[i], t->node.v[i], i) >= 0, err, BORN_INVALID,
                     "%s: node %lld of tree %lld is given twice", op, (long long)t->node.v[i], (long long)t->tree.v[i]);
    for (int64_t i = 0; i < f->nodes; i++) BORN_TRY(read_node(t, f, &w, i, features, op, err));
    BORN_TRY(read_votes(t, f, &w, op, err));
    f->roots = 0;
    for (int64_t i = 0; i < f->nodes; i++) {
        if (w.parents[i] != 0) continue;
        BORN_FAIL_IF(!take_root(t, &w, i), err, BORN_INVALID, "%s: tree %lld has two roots", op,
                     (long long)t->tree.v[i]);
        f->root[f->roots++] = (int32_t)i;
    }
    for (int64_t i = 0; i < f->nodes; i++)
        BORN_FAIL_IF(take_root(t, &w, i), err, BORN_INVALID, "%s: tree %lld has no root", op, (long long)t->tree.v[i]);
    BORN_FAIL_IF(reachable(f, w.slot) != f->nodes, err, BORN_INVALID, "%s: nodes form a loop", op);
    return BORN_OK;
}

/* ---- TreeEnsemble of ai.onnx.ml 5: interior nodes first, then leaves ---- */

static int64_t array_count(const born_array *a)
{
    int64_t n = 0;
    return a && born__shape_count(a->shape.dim, a->shape.rank, &n) ? n : 0;
}

size_t born__forest_bytes_5(const born_tree_ensemble_attrs *a)
{
    born_forest f;
    work w;
    int64_t n = a->nodes_featureids.count, leaves = a->leaf_targetids.count;
    if (n > MOST || leaves > MOST) return SIZE_MAX;
    if (!sizes_of(&f, &w, n + leaves, leaves, array_count(a->membership_values), a->tree_roots.count)) return SIZE_MAX;
    return cut_all(&f, &w, NULL);
}

static born_status check_lengths_5(const born_tree_ensemble_attrs *a, const char *op, born_error *err)
{
    int64_t n = a->nodes_featureids.count, leaves = a->leaf_targetids.count;
    BORN_FAIL_IF(n > MOST || leaves > MOST || a->tree_roots.count > MOST, err, BORN_RANGE, "%s: too many nodes", op);
    bool same = a->nodes_truenodeids.count == n && a->nodes_falsenodeids.count == n && a->nodes_trueleafs.count == n &&
                a->nodes_falseleafs.count == n && array_count(a->nodes_modes) == n &&
                array_count(a->nodes_splits) == n && (a->nodes_missing.count == 0 || a->nodes_missing.count == n);
    BORN_FAIL_IF(!same || n == 0, err, BORN_INVALID, "%s: the nodes_ arrays differ in length or are empty", op);
    BORN_FAIL_IF(array_count(a->leaf_weights) != leaves, err, BORN_INVALID, "%s: the leaf_ arrays differ in length",
                 op);
    bool types = a->nodes_modes->dtype == BORN_U8 && born__dtype_is(a->nodes_splits->dtype, BORN_DT_FLOAT) &&
                 (!a->leaf_weights || born__dtype_is(a->leaf_weights->dtype, BORN_DT_FLOAT)) &&
                 (!a->membership_values || born__dtype_is(a->membership_values->dtype, BORN_DT_FLOAT));
    BORN_FAIL_IF(!types, err, BORN_DTYPE, "%s: modes must be u8, splits, weights and members floats", op);
    for (int64_t i = 0; i < leaves; i++)
        BORN_FAIL_IF(a->leaf_targetids.v[i] < 0 || a->leaf_targetids.v[i] >= a->n_targets, err, BORN_RANGE,
                     "%s: leaf %lld votes for %lld of %lld", op, (long long)i, (long long)a->leaf_targetids.v[i],
                     (long long)a->n_targets);
    return BORN_OK;
}

static born_status child_5(born_forest *f, int64_t interior, int64_t at, bool leaf, int64_t *child, const char *op,
                           born_error *err)
{
    int64_t n = leaf ? f->nodes - interior : interior;
    BORN_FAIL_IF(at < 0 || at >= n, err, BORN_RANGE, "%s: a child %lld of %lld %s", op, (long long)at, (long long)n,
                 leaf ? "leaves" : "nodes");
    *child = leaf ? interior + at : at;
    return BORN_OK;
}

static born_status read_node_5(const born_tree_ensemble_attrs *a, born_forest *f, work *w, int64_t i, int64_t features,
                               int64_t *member, const char *op, born_error *err)
{
    int64_t interior = a->nodes_featureids.count, yes = 0, no = 0;
    born_tree_node *n = &f->node[i];
    *n = (born_tree_node){ .value = number((born_floats){ 0 }, a->nodes_splits, i),
                           .mode = ((const uint8_t *)a->nodes_modes->data)[i],
                           .missing_yes = a->nodes_missing.count > 0 && a->nodes_missing.v[i] != 0 };
    BORN_FAIL_IF(n->mode > BORN_BRANCH_MEMBER, err, BORN_INVALID, "%s: node %lld has mode %d", op, (long long)i,
                 n->mode);
    int64_t feature = a->nodes_featureids.v[i];
    BORN_FAIL_IF(feature < 0 || feature >= features || feature > INT32_MAX, err, BORN_RANGE,
                 "%s: node %lld asks for feature %lld of %lld", op, (long long)i, (long long)feature,
                 (long long)features);
    n->feature = (int32_t)feature;
    BORN_TRY(child_5(f, interior, a->nodes_truenodeids.v[i], a->nodes_trueleafs.v[i] != 0, &yes, op, err));
    BORN_TRY(child_5(f, interior, a->nodes_falsenodeids.v[i], a->nodes_falseleafs.v[i] != 0, &no, op, err));
    bool fine = (yes >= interior || adopt(w, yes)) && (no >= interior || no == yes || adopt(w, no));
    BORN_FAIL_IF(!fine, err, BORN_INVALID, "%s: a child of node %lld has two parents", op, (long long)i);
    tie(n, yes, no);
    if (n->mode != BORN_BRANCH_MEMBER) return BORN_OK;
    n->first = *member;
    while (*member < f->members && f->member[*member] == f->member[*member]) ++*member;     /* up to a NaN */
    n->count = *member - n->first;
    BORN_FAIL_IF(n->count == 0, err, BORN_INVALID, "%s: node %lld has no members", op, (long long)i);
    ++*member;
    return BORN_OK;
}

born_status born__forest_make_5(born_forest *f, const born_tree_ensemble_attrs *a, int64_t features, void *memory,
                                const char *op, born_error *err)
{
    static const born_aggregate aggregate[4] = { BORN_AGG_AVERAGE, BORN_AGG_SUM, BORN_AGG_MIN, BORN_AGG_MAX };
    int64_t interior = a->nodes_featureids.count, leaves = a->leaf_targetids.count, member = 0;
    work w;
    BORN_TRY(check_lengths_5(a, op, err));
    sizes_of(f, &w, interior + leaves, leaves, array_count(a->membership_values), a->tree_roots.count);
    cut_all(f, &w, memory);
    f->targets = a->n_targets;
    f->aggregate = aggregate[a->aggregate];
    memset(w.parents, 0, (size_t)f->nodes);
    for (int64_t i = 0; i < f->members; i++) f->member[i] = number((born_floats){ 0 }, a->membership_values, i);
    for (int64_t i = 0; i < interior; i++) BORN_TRY(read_node_5(a, f, &w, i, features, &member, op, err));
    for (int64_t i = 0; i < leaves; i++) {
        f->node[interior + i] = (born_tree_node){ .mode = BORN_LEAF, .first = i, .count = 1 };
        f->vote[i] = (born_vote){ number((born_floats){ 0 }, a->leaf_weights, i), a->leaf_targetids.v[i] };
    }
    for (int64_t i = 0; i < f->roots; i++) {
        int64_t r = a->tree_roots.v[i];
        BORN_FAIL_IF(r < 0 || r >= interior || w.parents[r] != 0, err, BORN_INVALID, "%s: node %lld cannot be a root",
                     op, (long long)r);
        f->root[i] = (int32_t)r;
    }
    return BORN_OK;
}

/* ---- walking ---- */

static bool member_of(const born_forest *f, const born_tree_node *n, double v)
{
    for (int64_t i = 0; i < n->count; i++)
        if (f->member[n->first + i] == v) return true;
    return false;
}

static bool takes_yes(const born_forest *f, const born_tree_node *n, double v)
{
    if (v != v && n->missing_yes) return true;
    switch ((born_branch)n->mode) {
    case BORN_BRANCH_LEQ: return v <= n->value;
    case BORN_BRANCH_LT: return v < n->value;
    case BORN_BRANCH_GTE: return v >= n->value;
    case BORN_BRANCH_GT: return v > n->value;
    case BORN_BRANCH_EQ: return v == n->value;
    case BORN_BRANCH_NEQ: return v != n->value;
    case BORN_BRANCH_MEMBER: return member_of(f, n, v);
    case BORN_LEAF: break;
    }
    return false;
}

/* A target's sum with one more vote. */
static double joined(const born_forest *f, double sum, double v)
{
    switch (f->aggregate) {
    case BORN_AGG_MIN: return v < sum ? v : sum;
    case BORN_AGG_MAX: return v > sum ? v : sum;
    default: return sum + v;
    }
}

void born__forest_row(const born_forest *f, const born_view *x, int64_t row, int64_t first, int64_t n, double *sum,
                      bool *seen)
{
    int64_t z = born__elem_size(x), step = x->stride[x->rank - 1] * z;
    const char *p = x->data + (x->rank > 1 ? row * x->stride[0] * z : 0);
    for (int64_t k = 0; k < n; k++) {
        sum[k] = 0;
        seen[k] = false;
    }
    for (int64_t r = 0; r < f->roots; r++) {
        const born_tree_node *at = &f->node[f->root[r]];
        while (at->mode != BORN_LEAF) {
            double v = born__load_f64(x->dtype, p + at->feature * step);
            at = &f->node[takes_yes(f, at, v) ? at->yes : at->no];
        }
        for (int64_t i = at->first; i < at->first + at->count; i++) {
            int64_t k = f->vote[i].target - first;
            double v = f->vote[i].weight;
            if (k < 0 || k >= n) continue;
            sum[k] = seen[k] ? joined(f, sum[k], v) : v;
            seen[k] = true;
        }
    }
    for (int64_t k = 0; k < n && f->aggregate == BORN_AGG_AVERAGE && f->roots > 0; k++) sum[k] /= (double)f->roots;
}
