/* Gathers neighbouring elementwise nodes into programs (ops/fused.h); graph/fusion.h decides which. A program takes the
   place of its last node. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/fusion.h"
#include "ops/elementwise.h"

enum { NO_STEP = -1 };

typedef struct fuser {
    born_edit *e;
    born_fusion f;
    int32_t *step_of, *node_of;         /* per node, per step */
    born_vid *value_of;                 /* per step: its result */
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
    if (y->dtype != born__fused_out(n->op) || !known_dims(y)) return false;
    for (int i = 0; i < n->in_count; i++) {
        const born_value *x = n->in[i] < 0 ? NULL : &g->value[n->in[i]];
        if (!x || x->kind != BORN_VALUE_TENSOR || !known_dims(x)) return false;
        if (x->dtype != born__fused_in(n->op, i)) return false;
    }
    return true;
}

/* The step that makes v. */
static int32_t maker(const fuser *f, born_vid v)
{
    int32_t node = v < 0 ? -1 : f->e->g->value[v].producer;
    return node < 0 ? NO_STEP : f->step_of[node];
}

static born_status add_step(fuser *f, int32_t k)
{
    const born_gnode *n = &f->e->g->node[k];
    const born_value *y = &f->e->g->value[n->out[0]];
    born_fusion_step *s = born__fusion_new(&f->f);

    BORN_FAIL_IF(!s, f->e->err, BORN_NOMEM, "graph: out of memory");
    *s = (born_fusion_step){ .op = n->op, .dim = y->dim, .rank = y->rank, .in_count = n->in_count };
    for (int i = 0; i < n->in_count; i++) {
        int32_t m = maker(f, n->in[i]);
        s->in[i] = m == NO_STEP ? ~n->in[i] : m;
    }
    if (n->op->attrs) born__attrs_numbers(n->op->attrs, n->attrs, s->number);
    f->step_of[k] = (int32_t)f->f.steps;
    f->node_of[f->f.steps] = k;
    f->value_of[f->f.steps] = n->out[0];
    born__fusion_add(&f->f);
    return BORN_OK;
}

static born_status add_node(fuser *f, int32_t k)
{
    const born_gnode *n = born__edit_node(f->e, k);

    if (can_be_step(f->e->g, n)) return add_step(f, k);
    for (int i = 0; i < n->in_count; i++)
        if (maker(f, n->in[i]) != NO_STEP) born__fusion_read(&f->f, maker(f, n->in[i]));
    if (n->op->props & (BORN_P_EFFECT | BORN_P_CONTROL)) born__fusion_barrier(&f->f);
    return BORN_OK;
}

/* ---- writing programs ------------------------------------------------------------------------------------------ */

static const int64_t *copy_ints(born_graph *g, const int64_t *v, int count)
{
    int64_t *to = born__arena_alloc(&g->arena, (size_t)count * sizeof *to);

    if (to) memcpy(to, v, (size_t)count * sizeof *to);
    return to;
}

/* The last node of a piece of group x becomes its program, the others go. */
static born_status put_program(fuser *f, const born_fusion_group *x, int from, const born_fusion_program *p)
{
    born_edit *e = f->e;
    born_graph *g = e->g;
    int32_t last = f->node_of[x->step[from + p->count - 1]];
    born_fused_attrs *a = born__arena_alloc(&g->arena, sizeof *a);
    born_vid *v = born__arena_alloc(&g->arena, (size_t)(p->inputs + p->outputs) * sizeof *v);

    BORN_FAIL_IF(!a || !v, e->err, BORN_NOMEM, "graph: out of memory");
    a->program = (born_ints){ copy_ints(g, p->code, p->count * BORN_FUSED_FIELDS), p->count * BORN_FUSED_FIELDS };
    a->results = (born_ints){ copy_ints(g, p->result, p->outputs), p->outputs };
    BORN_FAIL_IF(!a->program.v || !a->results.v, e->err, BORN_NOMEM, "graph: out of memory");
    for (int i = 0; i < p->outputs; i++) v[p->inputs + i] = f->value_of[p->out[i]];
    for (int k = 0; k < p->count; k++) born__edit_kill(e, f->node_of[x->step[from + k]]);
    e->dead[last] = false;
    born_gnode *n = &g->node[last];
    *n = (born_gnode){ .op = born__fusion_op(), .name = n->name, .attrs = a, .in = v, .out = v + p->inputs,
                       .in_count = p->inputs, .out_count = p->outputs };
    for (int i = 0; i < p->inputs; i++) v[i] = -1;
    for (int i = 0; i < p->inputs; i++)
        born__edit_set_input(e, last, i, p->in[i] < 0 ? ~p->in[i] : f->value_of[p->in[i]]);
    return BORN_OK;
}

static born_status finish(fuser *f, int32_t at)
{
    const born_fusion_group *x = &f->f.group[at];
    born_fusion_program p;

    for (int from = 0, n; from < x->count; from += n) {
        n = born__fusion_next(&f->f, at, from, &p);
        if (n > 1) BORN_TRY(put_program(f, x, from, &p));
    }
    return BORN_OK;
}

born_status pass_fuse_elementwise(born_edit *e)
{
    size_t count = e->g->node_count;
    fuser f = { .e = e };
    born_status s = BORN_OK;

    f.step_of = born__calloc(count + 1, 3 * sizeof *f.step_of);
    BORN_FAIL_IF(!f.step_of, e->err, BORN_NOMEM, "graph: out of memory");
    f.node_of = f.step_of + count + 1;
    f.value_of = f.node_of + count + 1;
    for (size_t k = 0; k < count; k++) f.step_of[k] = NO_STEP;
    for (size_t k = 0; k < count && s == BORN_OK; k++) s = add_node(&f, (int32_t)k);
    for (size_t k = 0; k < f.f.steps; k++) f.f.step[k].uses = e->uses[f.value_of[k]];
    born__fusion_drop_unused(&f.f);
    for (size_t i = 0; i < f.f.groups && s == BORN_OK; i++) s = finish(&f, (int32_t)i);
    born__fusion_free(&f.f);
    born__free(f.step_of);
    return s;
}
