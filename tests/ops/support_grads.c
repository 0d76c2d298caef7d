/* See support_grads.h. */
#include "support_grads.h"

#include <math.h>
#include <stdlib.h>

#include "../harness.h"

enum { SEEDS = 3, VALUES = GRADS_OPERANDS + SEEDS, DIRECTIONS = 2, TIMES = 2 };

/* Everything L depends on: operands, then a seed per result. */
typedef struct point {
    int64_t count[VALUES];
    double *v[VALUES];
    int layout[GRADS_OPERANDS];
} point;

/* One evaluation. */
typedef struct run {
    tape *t;
    born_val x[VALUES], first[VALUES];
    born_val sum;               /* L, or S */
} run;

static const grads_operand *operand(const grads_case *k, int i) { return &k->in[i]; }

static bool differs(const grads_case *k, int i)     /* takes part in derivatives */
{
    return i >= GRADS_OPERANDS ? i - GRADS_OPERANDS < k->outs : i < k->operands && k->in[i].kind == GRADS_X;
}

static double weight(int64_t i) { return 0.5 + 0.37 * (double)((i * 7) % 5) - 0.2 * (double)(i % 3); }

/* Element strides of a layout: 0 dense, 1 channels-last, 2 the first two dims swapped, with gaps. */
static int64_t place(born_view *w, int layout)
{
    int order[GRADS_RANK];
    int64_t step = 1;
    for (int d = 0; d < w->rank; d++) order[d] = d;
    if (layout == 1 && w->rank > 2) {
        for (int d = 1; d + 1 < w->rank; d++) order[d] = d + 1;
        order[w->rank - 1] = 1;
    }
    if (layout == 2 && w->rank > 1) {
        order[0] = 1;
        order[1] = 0;
    }
    for (int d = w->rank - 1; d >= 0; d--) {
        w->stride[order[d]] = step;
        step = step * (w->dim[order[d]] > 0 ? w->dim[order[d]] : 1) + (layout == 2);
    }
    return step + 1;
}

static born_val put(tape *t, const grads_operand *o, const double *v, int layout, void **room)
{
    if (o->kind == GRADS_NONE) return 0;
    if (o->kind == GRADS_INTS) return tape_put(t, BORN_I64, o->rank, o->dim, v);
    born_view w = { .dtype = BORN_F64, .rank = o->rank };
    memcpy(w.dim, o->dim, sizeof o->dim);
    double *p = calloc((size_t)place(&w, layout), sizeof *p);
    for (int64_t i = 0; i < born__view_count(&w); i++) p[born__offset_of(w.dim, w.stride, w.rank, i)] = v[i];
    w.data = (char *)p;
    *room = p;
    return tape_put_view(t, &w);
}

/* sum(a * b), rank 0; added to `to` where there is one. */
static born_val dot(tape *t, born_val a, born_val b, born_val to)
{
    static const born_reduce_attrs drop = { .drop_dims = true };
    born_val v = tape_run(t, BORN_OP_MUL, NULL, (born_val[]){ a, b }, 2);
    if (!v) return 0;
    v = tape_run(t, BORN_OP_REDUCE_SUM, &drop, &v, 1);
    return to && v ? tape_run(t, BORN_OP_ADD, NULL, (born_val[]){ to, v }, 2) : v;
}

static born_val weights_like(tape *t, born_val v)
{
    double w[GRADS_MOST];
    const born_view *m = tape_view(t, v);
    for (int64_t i = 0; i < tape_count(t, v) && i < GRADS_MOST; i++) w[i] = weight(i);
    return tape_put(t, BORN_F64, m->rank, m->dim, w);
}

static born_val one(tape *t) { return tape_put(t, BORN_F64, 0, NULL, (double[]){ 1 }); }

/* Derivatives of r->sum by everything that takes part. */
static void backward(const grads_case *k, run *r, born_val *g)
{
    born_val x[VALUES], gx[VALUES] = { 0 };
    int n = 0, at[VALUES];
    for (int i = 0; i < VALUES; i++) {
        g[i] = 0;
        if (!differs(k, i) || !r->x[i]) continue;
        at[n] = i;
        x[n++] = r->x[i];
    }
    tape_backward(r->t, r->sum, one(r->t), x, gx, n);
    for (int i = 0; i < n; i++) g[at[i]] = gx[i];
}

/* Order 1: L; order 2: S, r->first holding the first derivatives. The point learns the sizes of seeds. */
static void evaluate(const grads_case *k, point *p, int order, run *r, void *room[GRADS_OPERANDS])
{
    born_val out[SEEDS] = { 0 };
    *r = (run){ .t = tape_new() };
    for (int i = 0; i < k->operands; i++) r->x[i] = put(r->t, operand(k, i), p->v[i], p->layout[i], &room[i]);
    if (r->t->emit.call(&r->t->emit, k->op, k->attrs, r->x, k->operands, out, k->outs) != BORN_OK) return;
    for (int o = 0; o < k->outs; o++) {
        const born_view *m = tape_view(r->t, out[o]);
        int64_t n = born__view_count(m);
        int i = GRADS_OPERANDS + o;
        if (!p->v[i]) {
            p->count[i] = n;
            p->v[i] = calloc((size_t)n + 1, sizeof(double));
            for (int64_t e = 0; e < n; e++) p->v[i][e] = weight(e + 3 * o) - 0.8;
        }
        r->x[i] = tape_put(r->t, BORN_F64, m->rank, m->dim, p->v[i]);
        r->sum = dot(r->t, out[o], r->x[i], r->sum);
    }
    if (order == 1 || !r->sum) return;
    born_val s = 0;
    backward(k, r, r->first);
    for (int i = 0; i < k->operands; i++)
        if (r->first[i]) s = dot(r->t, r->first[i], weights_like(r->t, r->first[i]), s);
    r->sum = s;
}

static void finish(run *r, void *room[GRADS_OPERANDS])
{
    tape_free(r->t);
    for (int i = 0; i < GRADS_OPERANDS; i++) {
        free(room[i]);
        room[i] = NULL;
    }
}

static double value(const grads_case *k, point *p, int order)
{
    void *room[GRADS_OPERANDS] = { 0 };
    run r;
    evaluate(k, p, order, &r, room);
    double v = r.sum ? tape_at(r.t, r.sum, 0) : NAN;
    finish(&r, room);
    return v;
}

static void along(point *p, int i, const double *direction, double h)
{
    for (int64_t e = 0; e < p->count[i]; e++) p->v[i][e] += h * direction[e];
}

/* g against differences of the value along random directions of operand i. */
static void compare(const grads_case *k, point *p, int order, int i, tape *t, born_val g, uint64_t *seed)
{
    const double h = 1e-5;
    double direction[GRADS_MOST];
    for (int n = 0; n < DIRECTIONS; n++) {
        double got = 0, size = 0;
        for (int64_t e = 0; e < p->count[i]; e++) {
            direction[e] = tape_random(seed, -1, 1);
            double slope = g ? tape_at(t, g, e) : 0;
            got += slope * direction[e];
            size += fabs(slope * direction[e]);
        }
        along(p, i, direction, h);
        double up = value(k, p, order);
        along(p, i, direction, -2 * h);
        double down = value(k, p, order);
        along(p, i, direction, h);
        double want = (up - down) / (2 * h), near = 2e-6 * (1 + size + fabs(want)) + 1e-9 * fabs(up);
        CHECK_MSG(fabs(got - want) <= near, "%s: order %d, operand %d: %.10g, not %.10g", born__ops[k->op].name, order,
                  i, got, want);
    }
}

static void check_order(const grads_case *k, point *p, int order, uint64_t *seed)
{
    void *room[GRADS_OPERANDS] = { 0 };
    born_val g[VALUES];
    run r;
    evaluate(k, p, order, &r, room);
    if (order == 1 && !CHECK_MSG(r.sum != 0, "%s: %s", born__ops[k->op].name, r.t->emit.err.text)) {
        finish(&r, room);
        return;
    }
    CHECK_MSG(!r.t->emit.err.status, "%s: order %d: %s", born__ops[k->op].name, order, r.t->emit.err.text);
    if (r.sum && !r.t->emit.err.status) {
        backward(k, &r, g);
        CHECK_MSG(!r.t->emit.err.status, "%s: order %d: %s", born__ops[k->op].name, order, r.t->emit.err.text);
        for (int i = 0; i < VALUES; i++) {
            if (!differs(k, i)) continue;
            if (g[i]) {
                const born_view *a = tape_view(r.t, g[i]), *b = tape_view(r.t, r.x[i]);
                bool same = a->rank == b->rank && memcmp(a->dim, b->dim, sizeof a->dim[0] * (size_t)a->rank) == 0;
                CHECK_MSG(same && a->dtype == b->dtype, "%s: the gradient of operand %d has another shape or dtype",
                          born__ops[k->op].name, i);
            }
            compare(k, p, order, i, r.t, g[i], seed);
        }
    }
    finish(&r, room);
}

void grads_check(const grads_case *k, uint64_t seed)
{
    for (int n = 0; n < TIMES; n++) {
        point p = { { 0 }, { NULL }, { 0 } };
        for (int i = 0; i < k->operands; i++) {
            const grads_operand *o = operand(k, i);
            p.count[i] = o->kind == GRADS_NONE ? 0 : 1;
            for (int d = 0; d < o->rank; d++) p.count[i] *= o->dim[d];
            p.v[i] = calloc((size_t)p.count[i] + 1, sizeof(double));
            p.layout[i] = (int)tape_random(&seed, 0, 3);
            for (int64_t e = 0; e < p.count[i]; e++) {      /* far enough apart that differences cross no tie */
                double r = tape_random(&seed, o->lo, o->hi);
                p.v[i][e] = o->v ? o->v[e] : floor(r * 64) / 64 + 0.003 + 0.0001 * (double)((e * 5 + i * 3) % 101);
            }
        }
        check_order(k, &p, 1, &seed);
        if (!k->first_only) check_order(k, &p, 2, &seed);
        for (int i = 0; i < VALUES; i++) free(p.v[i]);
    }
}
