/* Gathers neighbouring elementwise nodes into programs (ops/fused.h). Nodes are met in order; one that can be a step
   joins the open groups whose values it reads, making one group of them, or begins a group. A group is closed by the
   first reader outside it, and by an effect that overwrites what it reads: so the whole group can run where its last
   node stood, and no order of other nodes changes. Steps are the rows themselves, hence the same bits. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"
#include "ops/elementwise.h"
#include "ops/fused.h"

enum { NO_GROUP = -1 };

typedef struct group {
    int32_t node[BORN_FUSED_STEPS];     /* in order */
    int count;
    bool open;
} group;

typedef struct fuser {
    born_edit *e;
    int32_t *group_of;                  /* per node */
    group *list;
    size_t count, cap;
} fuser;

/* ---- which nodes ----------------------------------------------------------------------------------------------- */

static bool known_dims(const born_value *v)
{
    if (v->rank < 0) return false;
    for (int d = 0; d < v->rank; d++)
        if (v->dim[d] < 0) return false;
    return true;
}

static bool can_be_step(const born_graph *g, const born_gnode *n)
{
    if (!born__fused_takes(n->op) || n->out_count != 1 || n->out[0] < 0 || n->in_count != n->op->max_in) return false;
    const born_value *y = &g->value[n->out[0]];
    bool test = strchr(n->op->sig, '>')[1] == 'B';
    if (y->dtype != (test ? BORN_BOOL : BORN_F32) || !known_dims(y)) return false;
    for (int i = 0; i < n->in_count; i++) {
        const born_value *x = n->in[i] < 0 ? NULL : &g->value[n->in[i]];
        if (!x || x->kind != BORN_VALUE_TENSOR || !known_dims(x)) return false;
        if (x->dtype != (n->op->sig[i] == 'B' ? BORN_BOOL : BORN_F32)) return false;
    }
    return true;
}

static bool same_dims(const born_value *a, const born_value *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]);
}

static const born_value *result_of(const fuser *f, int32_t node)
{
    return &f->e->g->value[f->e->g->node[node].out[0]];
}

/* The group that makes v, NO_GROUP: none. */
static int32_t maker(const fuser *f, born_vid v)
{
    int32_t node = v < 0 ? -1 : f->e->g->value[v].producer;
    return node < 0 ? NO_GROUP : f->group_of[node];
}

static bool contains(const fuser *f, int32_t node, int32_t at) { return node >= 0 && f->group_of[node] == at; }

/* ---- growing groups -------------------------------------------------------------------------------------------- */

/* Moves the nodes of group b into a, in order. */
static void join(fuser *f, int32_t a, int32_t b)
{
    group *x = &f->list[a], *y = &f->list[b], merged = { .open = true };
    int i = 0, j = 0;

    while (i < x->count || j < y->count) {
        bool left = j == y->count || (i < x->count && x->node[i] < y->node[j]);
        merged.node[merged.count++] = left ? x->node[i++] : y->node[j++];
    }
    for (int k = 0; k < y->count; k++) f->group_of[y->node[k]] = a;
    y->count = 0;
    y->open = false;
    *x = merged;
}

/* Values read by the group and made outside it; more than `most`: most + 1. */
static int count_inputs(const fuser *f, const group *x, int32_t at, born_vid *in, int most)
{
    int n = 0;

    for (int k = 0; k < x->count; k++) {
        const born_gnode *node = &f->e->g->node[x->node[k]];
        for (int i = 0; i < node->in_count; i++) {
            born_vid v = node->in[i];
            int j = 0;
            if (contains(f, f->e->g->value[v].producer, at)) continue;
            while (j < n && in[j] != v) j++;
            if (j < n) continue;
            if (n == most) return most + 1;
            in[n++] = v;
        }
    }
    return n;
}

static born_status new_group(fuser *f, int32_t node, int32_t *out)
{
    BORN_FAIL_IF(!born__grow((void **)&f->list, &f->cap, f->count + 1, sizeof *f->list), f->e->err, BORN_NOMEM,
                 "graph: out of memory");
    *out = (int32_t)f->count;
    f->list[f->count++] = (group){ .node = { node }, .count = 1, .open = true };
    f->group_of[node] = *out;
    return BORN_OK;
}

static born_status place(fuser *f, int32_t k)
{
    const born_gnode *n = &f->e->g->node[k];
    int32_t at;

    BORN_TRY(new_group(f, k, &at));
    for (int i = 0; i < n->in_count; i++) {
        born_vid in[BORN_FUSED_INPUTS];
        int32_t from = maker(f, n->in[i]);
        if (from == NO_GROUP || from == at || !f->list[from].open) continue;
        group *x = &f->list[from], *y = &f->list[at];
        if (x->count + y->count > BORN_FUSED_STEPS || !same_dims(result_of(f, x->node[0]), result_of(f, k))) continue;
        group before = *x, mine = *y;
        join(f, from, at);
        if (count_inputs(f, &f->list[from], from, in, BORN_FUSED_INPUTS) <= BORN_FUSED_INPUTS) {
            at = from;
            continue;
        }
        f->list[from] = before; /* too many: as they were */
        f->list[at] = mine;
        for (int j = 0; j < mine.count; j++) f->group_of[mine.node[j]] = at;
    }
    return BORN_OK;
}

/* Node k has been placed: groups it reads from the outside are done, and so are those whose operands it overwrites. */
static void close_groups(fuser *f, int32_t k)
{
    const born_gnode *n = &f->e->g->node[k];

    for (int i = 0; i < n->in_count; i++) {
        int32_t from = maker(f, n->in[i]);
        if (from != NO_GROUP && from != f->group_of[k]) f->list[from].open = false;
    }
    if (n->op->props & (BORN_P_EFFECT | BORN_P_CONTROL))
        for (size_t i = 0; i < f->count; i++) f->list[i].open = false;
}

/* ---- writing programs ------------------------------------------------------------------------------------------ */

typedef struct program {
    int64_t code[BORN_FUSED_STEPS * BORN_FUSED_FIELDS], result[BORN_FUSED_RESULTS];
    born_vid in[BORN_FUSED_INPUTS], out[BORN_FUSED_RESULTS];
    int inputs, outputs, count;
} program;

static int member_of(const fuser *f, const group *x, born_vid v)
{
    for (int k = 0; k < x->count; k++)
        if (f->e->g->node[x->node[k]].out[0] == v) return k;
    return -1;
}

static int input_number(const program *p, born_vid v)
{
    int i = 0;
    while (p->in[i] != v) i++;
    return i;
}

/* Per node of a group: the last one that reads its value, and how often nodes of the group do. */
typedef struct uses { int last[BORN_FUSED_STEPS], inside[BORN_FUSED_STEPS]; } uses;

static void find_uses(const fuser *f, const group *x, uses *u)
{
    for (int k = 0; k < x->count; k++) {
        const born_gnode *n = &f->e->g->node[x->node[k]];
        u->last[k] = k;
        u->inside[k] = 0;
        for (int i = 0; i < n->in_count; i++) {
            int m = member_of(f, x, n->in[i]);
            if (m < 0) continue;
            u->last[m] = k;
            u->inside[m]++;
        }
    }
}

/* Values read outside the group; p->result holds the node of each until registers are known. */
static bool find_results(const fuser *f, const group *x, uses *u, program *p)
{
    p->outputs = 0;
    for (int k = 0; k < x->count; k++) {
        born_vid v = f->e->g->node[x->node[k]].out[0];
        if (f->e->uses[v] == u->inside[k]) continue;
        if (p->outputs == BORN_FUSED_RESULTS) return false;
        p->out[p->outputs] = v;
        p->result[p->outputs++] = k;
        u->last[k] = BORN_FUSED_STEPS;
    }
    return true;
}

static int take_register(bool *busy)
{
    int r = 0;

    while (r < BORN_FUSED_REGISTERS && busy[r]) r++;
    if (r < BORN_FUSED_REGISTERS) busy[r] = true;
    return r;
}

/* Step k; reg[m] is the register of node m. */
static void write_step(const fuser *f, const group *x, int k, const int *reg, program *p)
{
    const born_gnode *n = &f->e->g->node[x->node[k]];
    int64_t *code = p->code + k * BORN_FUSED_FIELDS;
    double number[2] = { 0 };

    code[0] = n->op->id;
    code[1] = reg[k];
    for (int i = 0; i < 3; i++) {
        int m = i < n->in_count ? member_of(f, x, n->in[i]) : -1;
        code[2 + i] = i >= n->in_count ? -1 : m >= 0 ? p->inputs + reg[m] : input_number(p, n->in[i]);
    }
    if (n->op->attrs) born__attrs_numbers(n->op->attrs, n->attrs, number);
    memcpy(code + 5, number, sizeof number);
}

/* Fills p from the group; false: it needs too many registers, operands or results. */
static bool write_program(const fuser *f, const group *x, int32_t at, program *p)
{
    bool busy[BORN_FUSED_REGISTERS] = { false };
    int reg[BORN_FUSED_STEPS];
    uses u;

    p->count = x->count;
    p->inputs = count_inputs(f, x, at, p->in, BORN_FUSED_INPUTS);
    find_uses(f, x, &u);
    if (p->inputs > BORN_FUSED_INPUTS || !find_results(f, x, &u, p)) return false;
    for (int k = 0; k < x->count; k++) {
        reg[k] = take_register(busy); /* before its operands' are free: a step does not write what it reads */
        if (reg[k] == BORN_FUSED_REGISTERS) return false;
        write_step(f, x, k, reg, p);
        for (int m = 0; m <= k; m++)
            if (u.last[m] == k) busy[reg[m]] = false;
    }
    for (int i = 0; i < p->outputs; i++) p->result[i] = reg[p->result[i]];
    return true;
}

static const int64_t *copy_ints(born_graph *g, const int64_t *v, int count)
{
    int64_t *to = born__arena_alloc(&g->arena, (size_t)count * sizeof *to);

    if (to) memcpy(to, v, (size_t)count * sizeof *to);
    return to;
}

/* The group's last node becomes the program, the others go. */
static born_status put_program(fuser *f, const group *x, const program *p)
{
    born_edit *e = f->e;
    born_graph *g = e->g;
    int32_t last = x->node[x->count - 1];
    born_fused_attrs *a = born__arena_alloc(&g->arena, sizeof *a);
    born_vid *v = born__arena_alloc(&g->arena, (size_t)(p->inputs + p->outputs) * sizeof *v);

    BORN_FAIL_IF(!a || !v, e->err, BORN_NOMEM, "graph: out of memory");
    a->program = (born_ints){ copy_ints(g, p->code, p->count * BORN_FUSED_FIELDS), p->count * BORN_FUSED_FIELDS };
    a->results = (born_ints){ copy_ints(g, p->result, p->outputs), p->outputs };
    BORN_FAIL_IF(!a->program.v || !a->results.v, e->err, BORN_NOMEM, "graph: out of memory");
    for (int k = 0; k < x->count; k++) born__edit_kill(e, x->node[k]);
    e->dead[last] = false;
    born_gnode *n = &g->node[last];
    *n = (born_gnode){ .op = &born__ops[born__pattern(BORN_PATTERN_FUSED, 0)->op], .name = n->name, .attrs = a, .in = v,
                       .out = v + p->inputs, .in_count = p->inputs, .out_count = p->outputs };
    for (int i = 0; i < p->inputs; i++) v[i] = -1;
    for (int i = 0; i < p->inputs; i++) born__edit_set_input(e, last, i, p->in[i]);
    for (int i = 0; i < p->outputs; i++) n->out[i] = p->out[i];
    return BORN_OK;
}

/* The longest beginning of the group that is a program. */
static born_status finish(fuser *f, int32_t at)
{
    group *x = &f->list[at];
    program p;

    while (x->count >= 2 && !write_program(f, x, at, &p)) f->group_of[x->node[--x->count]] = NO_GROUP;
    return x->count >= 2 ? put_program(f, x, &p) : BORN_OK;
}

born_status pass_fuse_elementwise(born_edit *e)
{
    fuser f = { .e = e };
    born_status s = BORN_OK;

    f.group_of = born__alloc((e->g->node_count + 1) * sizeof *f.group_of);
    BORN_FAIL_IF(!f.group_of, e->err, BORN_NOMEM, "graph: out of memory");
    for (size_t k = 0; k < e->g->node_count; k++) f.group_of[k] = NO_GROUP;
    for (size_t k = 0; k < e->g->node_count && s == BORN_OK; k++) {
        const born_gnode *n = born__edit_node(e, (int32_t)k);
        if (can_be_step(e->g, n)) s = place(&f, (int32_t)k);
        if (s == BORN_OK) close_groups(&f, (int32_t)k);
    }
    for (size_t i = 0; i < f.count && s == BORN_OK; i++) s = finish(&f, (int32_t)i);
    born__free(f.list);
    born__free(f.group_of);
    return s;
}
