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
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
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
    while (j > 0) {
        int32_t s = i > 0 && x->step[i - 1] > y->step[j - 1] ? x->step[--i] : y->step[--j];
        x->step[--to] = s;
        f->step[s].place = to;
    }
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

/* The new step k at the end of group a, where that is a program still: join without a group of its own before. */
static bool append(born_fusion *f, int32_t a, int32_t k)
{
    born_fusion_group *x = &f->group[a];
    born_fusion_step *s = &f->step[k];
    int inputs = x->inputs;

    if (!x->open || x->count == BORN_FUSED_STEPS || !same_dims(&f->step[x->step[0]], s)) return false;
    for (int i = 0; i < s->in_count; i++)
        if (!made_by(f, s->in[i], a, a) && !add_input(x->in, &inputs, s->in[i])) return false;
    x->inputs = inputs;
    s->group = a;
    s->place = x->count;
    x->step[x->count++] = k;
    return true;
}

static void begin_group(born_fusion *f, int32_t k)
{
    born_fusion_step *s = &f->step[k];
    born_fusion_group *x = &f->group[f->groups];

    s->group = (int32_t)f->groups++;
    s->place = 0;
    x->step[0] = k;
    x->count = 1;
    x->open = true;
    x->inputs = 0;
    for (int i = 0; i < s->in_count; i++) add_input(x->in, &x->inputs, s->in[i]);
}

born_fusion_step *born__fusion_new(born_fusion *f)
{
    bool full = f->steps == f->step_cap || f->groups == f->group_cap;

    return full && !born__fusion_reserve(f, f->steps + 1) ? NULL : &f->step[f->steps];
}

void born__fusion_add(born_fusion *f)
{
    int32_t k = (int32_t)f->steps++, at = -1;
    const born_fusion_step *s = &f->step[k];

    for (int i = 0; i < s->in_count; i++) {
        int32_t from = s->in[i] < 0 ? at : f->step[s->in[i]].group;
        if (from == at) continue;
        if (at >= 0 ? join(f, from, at) : append(f, from, k)) at = from;
    }
    if (at < 0) begin_group(f, k);
    for (int i = 0; i < s->in_count; i++)
        if (s->in[i] >= 0 && f->step[s->in[i]].group != s->group) born__fusion_read(f, s->in[i]);
}

void born__fusion_read(born_fusion *f, int32_t step) { f->group[f->step[step].group].open = false; }

void born__fusion_barrier(born_fusion *f)
{
    for (size_t i = 0; i < f->groups; i++) f->group[i].open = false;
}

/* ---- cutting groups -------------------------------------------------------------------------------------------- */

void born__fusion_drop_unused(born_fusion *f)
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

/* Steps [from, from + count) of a group, and where each of their operands comes from. */
typedef struct piece {
    const born_fusion *f;
    const born_fusion_group *g;
    int from, count;
    int8_t source[BORN_FUSED_STEPS][3];     /* a step of the piece; else ~ its number in `in` */
    int8_t inputs[BORN_FUSED_STEPS + 1];    /* operands that the first so many steps have */
    bool fits[BORN_FUSED_STEPS + 1];        /* whether the first so many steps have few enough results */
    int32_t in[BORN_FUSED_INPUTS];
} piece;

static const born_fusion_step *step_at(const piece *p, int k) { return &p->f->step[p->g->step[p->from + k]]; }

/* The piece's step that makes v, among its first n; -1: none. */
static int made_at(const piece *p, int32_t v, int n)
{
    if (v < 0) return -1;
    int m = p->f->step[v].place - p->from;
    return m >= 0 && m < n && p->g->step[p->from + m] == v ? m : -1;
}

static int number_of(piece *p, int *inputs, int32_t v)
{
    int i = 0;

    while (i < *inputs && p->in[i] != v) i++;
    if (i == BORN_FUSED_INPUTS) return -1;
    if (i == *inputs) p->in[(*inputs)++] = v;
    return i;
}

/* Fills the tables of the piece; returns the most steps it looked at. A result that is read by later steps alone is
   none once they are in, so more steps may have fewer results. */
static int look_ahead(piece *p)
{
    int inside[BORN_FUSED_STEPS], inputs = 0, results = 0;

    for (int n = 0; n < p->count; n++) {
        const born_fusion_step *s = step_at(p, n);
        inside[n] = 0;
        for (int i = 0; i < s->in_count; i++) {
            int m = made_at(p, s->in[i], n), number = m >= 0 ? 0 : number_of(p, &inputs, s->in[i]);
            if (number < 0) return n;
            if (m >= 0 && ++inside[m] == step_at(p, m)->uses) results--;
            p->source[n][i] = (int8_t)(m >= 0 ? m : ~number);
        }
        p->inputs[n + 1] = (int8_t)inputs;
        p->fits[n + 1] = ++results <= BORN_FUSED_RESULTS;
        if (results > 4 * BORN_FUSED_RESULTS) return n + 1;
    }
    return p->count;
}

/* last[k]: the last step of the piece that reads the result of step k, BORN_FUSED_STEPS where others read it too. */
static void find_last(const piece *p, int *last)
{
    int inside[BORN_FUSED_STEPS];

    for (int k = 0; k < p->count; k++) {
        last[k] = k;
        inside[k] = 0;
        for (int i = 0; i < step_at(p, k)->in_count; i++) {
            int m = p->source[k][i];
            if (m < 0) continue;
            last[m] = k;
            inside[m]++;
        }
    }
    for (int k = 0; k < p->count; k++)
        if (inside[k] != step_at(p, k)->uses) last[k] = BORN_FUSED_STEPS;
}

/* Writes the piece as a program; returns its steps, or the number of the one that found no register. */
static int write_program(const piece *p, const int *last, born_fusion_program *to)
{
    int reg[BORN_FUSED_STEPS], inputs = p->inputs[p->count];
    uint32_t busy = 0;

    to->inputs = inputs;
    to->outputs = 0;
    for (int k = 0; k < p->count; k++) {
        const born_fusion_step *s = step_at(p, k);
        int64_t *code = to->code + k * BORN_FUSED_FIELDS;
        int r = __builtin_ctz(~busy); /* before its operands' are free: a step does not write what it reads */
        if (r >= BORN_FUSED_REGISTERS) return k;
        reg[k] = r;
        busy |= 1u << r;
        code[0] = s->op->id;
        code[1] = r;
        code[3] = code[4] = -1;
        for (int i = 0; i < s->in_count; i++) {
            int m = p->source[k][i];
            code[2 + i] = m < 0 ? ~m : inputs + reg[m];
            if (m >= 0 && last[m] == k) busy &= ~(1u << reg[m]);
        }
        memcpy(code + 5, s->number, sizeof s->number);
        if (last[k] < BORN_FUSED_STEPS) continue;
        to->out[to->outputs] = p->g->step[p->from + k];
        to->result[to->outputs++] = r;
    }
    memcpy(to->in, p->in, (size_t)inputs * sizeof *to->in);
    return p->count;
}

int born__fusion_next(const born_fusion *f, int32_t group, int from, born_fusion_program *to)
{
    int last[BORN_FUSED_STEPS];
    piece p; /* its tables are filled as far as they are read */

    p.f = f;
    p.g = &f->group[group];
    p.from = from;
    p.count = p.g->count - from;
    p.fits[1] = true;
    p.count = look_ahead(&p);
    while (p.count > 1) {
        while (!p.fits[p.count]) p.count--;
        if (p.count < 2) break;
        find_last(&p, last);
        int most = write_program(&p, last, to);
        if (most == p.count) break;
        p.count = most;
    }
    to->count = p.count;
    return p.count;
}
