/* Groups of elementwise steps and the programs made of them: see fusion.h. The cost is a few steps of work per step,
   since eager code pays it for every call. */
#include "graph/fusion.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/patterns.h"

const born_op *born__fusion_op(void) { return &born__ops[born__pattern(BORN_PATTERN_FUSED, 0)->op]; }

bool born__fusion_reserve(born_fusion *f, size_t steps)
{
    return born__grow((void **)&f->step, &f->step_cap, steps, sizeof *f->step) &&
           born__grow((void **)&f->group, &f->group_cap, steps, sizeof *f->group);
}

void born__fusion_free(born_fusion *f)
{
    born__free(f->step);
    born__free(f->group);
    memset(f, 0, sizeof *f);
}

/* ---- growing groups -------------------------------------------------------------------------------------------- */

static bool same_dims(const born_fusion_step *a, const born_fusion_step *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]);
}

/* Adds v to a list without doubles; false: it is full. */
static bool add_input(int32_t *in, int *n, int32_t v)
{
    for (int i = 0; i < *n; i++)
        if (in[i] == v) return true;
    if (*n == BORN_FUSED_INPUTS) return false;
    in[(*n)++] = v;
    return true;
}

static bool made_by(const born_fusion *f, int32_t v, int32_t a, int32_t b)
{
    return v >= 0 && (f->step[v].group == a || f->step[v].group == b);
}

/* The operands of groups a and b together that neither of them makes; false: too many. */
static bool merge_inputs(const born_fusion *f, int32_t a, int32_t b, int32_t *in, int *n)
{
    const born_fusion_group *x = &f->group[a], *y = &f->group[b];

    *n = 0;
    for (int i = 0; i < x->inputs; i++)
        if (!made_by(f, x->in[i], a, b)) in[(*n)++] = x->in[i];
    for (int i = 0; i < y->inputs; i++)
        if (!made_by(f, y->in[i], a, b) && !add_input(in, n, y->in[i])) return false;
    return true;
}

/* Moves the steps of group b into a, in order. */
static void merge_steps(born_fusion *f, int32_t a, int32_t b)
{
    born_fusion_group *x = &f->group[a], *y = &f->group[b];
    int i = x->count, j = y->count, to = i + j;

    for (int k = 0; k < y->count; k++) f->step[y->step[k]].group = a;
    x->count = to;
    while (j > 0) x->step[--to] = i > 0 && x->step[i - 1] > y->step[j - 1] ? x->step[--i] : y->step[--j];
    y->count = 0;
    y->open = false;
}

/* Makes one group of a and b where that is a program still. */
static bool join(born_fusion *f, int32_t a, int32_t b)
{
    born_fusion_group *x = &f->group[a], *y = &f->group[b];
    int32_t in[BORN_FUSED_INPUTS];
    int inputs;

    if (!x->open || x->count + y->count > BORN_FUSED_STEPS) return false;
    if (!same_dims(&f->step[x->step[0]], &f->step[y->step[0]]) || !merge_inputs(f, a, b, in, &inputs)) return false;
    merge_steps(f, a, b);
    x->inputs = inputs;
    memcpy(x->in, in, (size_t)inputs * sizeof *in);
    return true;
}

born_status born__fusion_add(born_fusion *f, const born_fusion_step *s, born_error *err)
{
    int32_t k = (int32_t)f->steps, at = (int32_t)f->groups;

    BORN_FAIL_IF(!born__fusion_reserve(f, (f->steps > f->groups ? f->steps : f->groups) + 1), err, BORN_NOMEM,
                 "fusing: out of memory");
    f->step[f->steps++] = *s;
    f->step[k].group = at;
    born_fusion_group *g = &f->group[f->groups++];
    g->step[0] = k;
    g->count = 1;
    g->open = true;
    g->inputs = 0;
    for (int i = 0; i < s->in_count; i++) add_input(g->in, &g->inputs, s->in[i]);
    for (int i = 0; i < s->in_count; i++) {
        int32_t from = s->in[i] < 0 ? at : f->step[s->in[i]].group;
        if (from != at && join(f, from, at)) at = from;
    }
    for (int i = 0; i < s->in_count; i++)
        if (s->in[i] >= 0 && f->step[s->in[i]].group != at) born__fusion_read(f, s->in[i]);
    return BORN_OK;
}

void born__fusion_read(born_fusion *f, int32_t step) { f->group[f->step[step].group].open = false; }

void born__fusion_barrier(born_fusion *f)
{
    for (size_t i = 0; i < f->groups; i++) f->group[i].open = false;
}

/* ---- cutting groups -------------------------------------------------------------------------------------------- */

void born__fusion_settle(born_fusion *f)
{
    for (size_t i = 0; i < f->groups; i++) {
        born_fusion_group *g = &f->group[i];
        int n = 0;
        for (int k = 0; k < g->count; k++) {
            born_fusion_step *s = &f->step[g->step[k]];
            s->place = n;
            if (s->uses) g->step[n++] = g->step[k];
        }
        g->count = n;
    }
}

/* Steps [from, from + count) of a group. */
typedef struct piece {
    const born_fusion *f;
    const born_fusion_group *g;
    int32_t group;
    int from, count;
} piece;

static const born_fusion_step *step_at(const piece *p, int k) { return &p->f->step[p->g->step[p->from + k]]; }

/* The piece's step that makes v, among its first n; -1: none. */
static int made_at(const piece *p, int32_t v, int n)
{
    if (v < 0 || p->f->step[v].group != p->group) return -1;
    int m = p->f->step[v].place - p->from;
    return m >= 0 && m < n ? m : -1;
}

/* fits[n]: the first n steps of the piece have few enough results; returns the most steps it looked at. A result that
   is read by later steps alone is none once they are in, so more steps may have fewer results. */
static int find_fits(const piece *p, bool *fits)
{
    int inside[BORN_FUSED_STEPS] = { 0 }, inputs = 0, results = 0;
    int32_t in[BORN_FUSED_INPUTS];

    for (int n = 0; n < p->count; n++) {
        const born_fusion_step *s = step_at(p, n);
        for (int i = 0; i < s->in_count; i++) {
            int m = made_at(p, s->in[i], n);
            if (m < 0 && !add_input(in, &inputs, s->in[i])) return n;
            if (m >= 0 && ++inside[m] == step_at(p, m)->uses) results--;
        }
        fits[n + 1] = ++results <= BORN_FUSED_RESULTS;
        if (results > 4 * BORN_FUSED_RESULTS) return n + 1;
    }
    return p->count;
}

/* Per step of a piece: the last one that reads its result, BORN_FUSED_STEPS where it is a result of the whole. */
typedef struct lives { int last[BORN_FUSED_STEPS], inside[BORN_FUSED_STEPS]; } lives;

static void find_lives(const piece *p, lives *l)
{
    for (int k = 0; k < p->count; k++) {
        const born_fusion_step *s = step_at(p, k);
        l->last[k] = k;
        l->inside[k] = 0;
        for (int i = 0; i < s->in_count; i++) {
            int m = made_at(p, s->in[i], k);
            if (m < 0) continue;
            l->last[m] = k;
            l->inside[m]++;
        }
    }
    for (int k = 0; k < p->count; k++)
        if (l->inside[k] != step_at(p, k)->uses) l->last[k] = BORN_FUSED_STEPS;
}

/* The register of each step; the step that found none, or count. */
static int take_registers(const piece *p, const lives *l, int *reg)
{
    uint32_t busy = 0;

    for (int k = 0; k < p->count; k++) {
        const born_fusion_step *s = step_at(p, k);
        int r = __builtin_ctz(~busy); /* before its operands' are free: a step does not write what it reads */
        if (r >= BORN_FUSED_REGISTERS) return k;
        reg[k] = r;
        busy |= 1u << r;
        for (int i = 0; i < s->in_count; i++) {
            int m = made_at(p, s->in[i], k);
            if (m >= 0 && l->last[m] == k) busy &= ~(1u << reg[m]);
        }
    }
    return p->count;
}

int born__fusion_cut(const born_fusion *f, int32_t group, int from)
{
    const born_fusion_group *g = &f->group[group];
    piece p = { f, g, group, from, g->count - from };
    bool fits[BORN_FUSED_STEPS + 1] = { false };
    int reg[BORN_FUSED_STEPS];
    lives l;

    p.count = find_fits(&p, fits);
    while (p.count > 1) {
        while (p.count > 1 && !fits[p.count]) p.count--;
        find_lives(&p, &l);
        int most = take_registers(&p, &l, reg);
        if (most == p.count) break;
        p.count = most;
    }
    return p.count < 1 ? 1 : p.count;
}

static int input_number(born_fusion_program *to, int32_t v)
{
    int i = 0;
    while (i < to->inputs && to->in[i] != v) i++;
    return i;
}

/* Step k; reg[m] is the register of step m. */
static void write_step(const piece *p, int k, const int *reg, born_fusion_program *to)
{
    const born_fusion_step *s = step_at(p, k);
    int64_t *code = to->code + k * BORN_FUSED_FIELDS;

    code[0] = s->op->id;
    code[1] = reg[k];
    for (int i = 0; i < 3; i++) {
        int m = i < s->in_count ? made_at(p, s->in[i], k) : -1;
        code[2 + i] = i >= s->in_count ? -1 : m >= 0 ? to->inputs + reg[m] : input_number(to, s->in[i]);
    }
    memcpy(code + 5, s->number, sizeof s->number);
}

void born__fusion_write(const born_fusion *f, int32_t group, int from, int count, born_fusion_program *to)
{
    piece p = { f, &f->group[group], group, from, count };
    int reg[BORN_FUSED_STEPS];
    lives l;

    to->count = count;
    to->inputs = to->outputs = 0;
    find_lives(&p, &l);
    take_registers(&p, &l, reg);
    for (int k = 0; k < count; k++) {
        const born_fusion_step *s = step_at(&p, k);
        for (int i = 0; i < s->in_count; i++)
            if (made_at(&p, s->in[i], k) < 0) add_input(to->in, &to->inputs, s->in[i]);
    }
    for (int k = 0; k < count; k++) {
        write_step(&p, k, reg, to);
        if (l.last[k] < BORN_FUSED_STEPS) continue;
        to->out[to->outputs] = p.g->step[from + k];
        to->result[to->outputs++] = reg[k];
    }
}
