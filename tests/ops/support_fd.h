/* Gradients of single rows against finite differences, first and second order, for tests: a case is an op, its
   attributes and its operands; results are projected on fixed weights so that one number has a gradient in each
   element. Operands are laid out in two ways, dense and turned. */
#ifndef BORN_TESTS_SUPPORT_FD_H
#define BORN_TESTS_SUPPORT_FD_H
#include <math.h>

#include "../harness.h"
#include "support_tape.h"

enum { FD_MOST = 160, FD_OPERANDS = 8 };

typedef struct fd_operand {
    born_dtype dtype;           /* BORN_DTYPE_NONE: absent */
    int rank;
    int64_t dim[5];
    const double *values;       /* fixed numbers; NULL: drawn */
    double lo, hi;              /* where they are drawn from; both 0: -2 to 2 */
    bool constant;              /* no gradient is asked (never of integers) */
} fd_operand;

typedef struct fd_case {
    const char *what;
    born_op_id op;
    const void *attrs;
    int outs;                   /* results asked for; 0: 1 */
    fd_operand in[FD_OPERANDS];
    bool first_only;            /* no second order: the gradient's own rows have none */
    uint32_t unseeded;          /* bit k: result k gets no gradient */
} fd_case;

#define FD_CHECK(...) fd_check(&(const fd_case){ __VA_ARGS__ })

typedef double fd_values[FD_OPERANDS][FD_MOST];

static int operands(const fd_case *k)
{
    int n = 0;
    for (int i = 0; i < FD_OPERANDS; i++)
        if (k->in[i].dtype != BORN_DTYPE_NONE) n = i + 1;
    return n;
}

static int64_t count_of(const fd_operand *o)
{
    int64_t n = 1;
    for (int d = 0; d < o->rank; d++) n *= o->dim[d];
    return n;
}

static bool active(const fd_operand *o)
{
    return born__dtype_is(o->dtype, BORN_DT_FLOAT) && !o->values && !o->constant && o->dtype != BORN_DTYPE_NONE;
}

/* Numbers of 1/64 with a small part of their own: no two are so close that a difference makes them meet. */
static void draw(const fd_case *k, fd_values v)
{
    uint64_t seed = 77 + (uint64_t)k->op;
    for (int i = 0; i < operands(k); i++) {
        const fd_operand *o = &k->in[i];
        double lo = o->lo, hi = o->hi;
        if (lo == 0 && hi == 0) lo = -2, hi = 2;
        for (int64_t j = 0; j < count_of(o); j++) {
            double r = floor(tape_random(&seed, lo, hi) * 64) / 64 + 0.003 + 0.0001 * (double)((j * 5 + i * 3) % 23);
            v[i][j] = o->values ? o->values[j] : r;
        }
    }
}

static double weight(int64_t i) { return 0.5 + 0.37 * (double)((i * 7) % 5) - 0.2 * (double)(i % 3); }

static born_val weights_like(tape *t, born_val v)
{
    const born_view *m = tape_view(t, v);
    int64_t n = tape_count(t, v);
    double *w = calloc((size_t)n + 1, sizeof *w);
    for (int64_t i = 0; w && i < n; i++) w[i] = weight(i);
    born_val r = w ? tape_put(t, m->dtype, m->rank, m->dim, w) : 0;
    free(w);
    return r;
}

static double projected(tape *t, born_val v)
{
    double s = 0;
    for (int64_t i = 0; v && i < tape_count(t, v); i++) s += weight(i) * tape_at(t, v, i);
    return s;
}

typedef struct fd_run {
    tape *t;
    int n, outs;
    born_val x[FD_OPERANDS], y[TAPE_FEW], seed[TAPE_FEW], g[FD_OPERANDS];
    born_val active[FD_OPERANDS], g_active[FD_OPERANDS];
    int actives;
} fd_run;

static bool seeded(const fd_case *k, const fd_run *r, int i)
{
    return r->y[i] && born__dtype_is(tape_view(r->t, r->y[i])->dtype, BORN_DT_FLOAT) && !(k->unseeded >> i & 1u);
}

static bool forward(fd_run *r, const fd_case *k, fd_values v, bool turned)
{
    *r = (fd_run){ .t = tape_new(), .n = operands(k), .outs = k->outs ? k->outs : 1 };
    for (int i = 0; i < r->n; i++) {
        const fd_operand *o = &k->in[i];
        if (o->dtype == BORN_DTYPE_NONE) continue;
        r->x[i] = tape_put_turned(r->t, o->dtype, o->rank, o->dim, v[i], turned && active(o));
        if (active(o)) r->active[r->actives++] = r->x[i];
    }
    born_status s = r->t->emit.call(&r->t->emit, k->op, k->attrs, r->x, r->n, r->y, r->outs);
    for (int i = 0; i < r->outs; i++)
        if (seeded(k, r, i)) r->seed[i] = weights_like(r->t, r->y[i]);
    return s == BORN_OK;
}

static void backward(fd_run *r)
{
    tape_backward_all(r->t, r->y, r->seed, r->outs, r->active, r->g_active, r->actives);
    for (int i = 0, a = 0; i < r->n; i++)
        if (a < r->actives && r->x[i] == r->active[a]) r->g[i] = r->g_active[a++];
}

/* order 1: the projected results; order 2: the projected gradients. */
static double value_of(const fd_case *k, fd_values v, int order, bool turned)
{
    fd_run r;
    double s = 0;
    if (!forward(&r, k, v, turned)) s = NAN;
    else if (order == 1) {
        for (int i = 0; i < r.outs; i++)
            if (seeded(k, &r, i)) s += projected(r.t, r.y[i]);
    } else {
        backward(&r);
        for (int a = 0; a < r.actives; a++) s += projected(r.t, r.g_active[a]);
    }
    tape_free(r.t);
    return s;
}

static void compare(fd_run *r, const fd_case *k, fd_values v, const born_val *g, int order, bool turned)
{
    for (int i = 0; i < r->n; i++) {
        if (!active(&k->in[i])) continue;
        bool wide = k->in[i].dtype == BORN_F64;
        double h = wide ? 1e-5 : 1.0 / 128, part = wide ? 1e-5 : 4e-3;
        for (int64_t j = 0; j < count_of(&k->in[i]); j++) {
            double keep = v[i][j];
            v[i][j] = keep + h;
            double up = value_of(k, v, order, turned);
            v[i][j] = keep - h;
            double down = value_of(k, v, order, turned);
            v[i][j] = keep;
            double want = (up - down) / (2 * h), got = g[i] ? tape_at(r->t, g[i], j) : 0;
            double near = part * (1 + fabs(want) + 1e-2 * fabs(up));
            CHECK_MSG(fabs(got - want) <= near, "%s (%s)%s: order %d, operand %d, element %d: %.9g, not %.9g",
                      born__ops[k->op].name, k->what, turned ? ", turned" : "", order, i, (int)j, got, want);
        }
    }
}

static void check_shapes(fd_run *r, const fd_case *k)
{
    for (int i = 0; i < r->n; i++) {
        if (!r->g[i]) continue;
        const born_view *a = tape_view(r->t, r->g[i]), *b = tape_view(r->t, r->x[i]);
        bool same = a->rank == b->rank && a->dtype == b->dtype;
        for (int d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d];
        CHECK_MSG(same, "%s (%s): the gradient of operand %d has another shape", born__ops[k->op].name, k->what, i);
    }
}

static void second(fd_run *r, const fd_case *k, fd_values v, bool turned)
{
    born_val gg[FD_OPERANDS] = { 0 }, more[FD_OPERANDS] = { 0 }, seed[FD_OPERANDS] = { 0 };
    for (int a = 0; a < r->actives; a++)
        if (r->g_active[a]) seed[a] = weights_like(r->t, r->g_active[a]);
    tape_backward_all(r->t, r->g_active, seed, r->actives, r->active, more, r->actives);
    if (!CHECK_MSG(!r->t->emit.err.status, "%s (%s), second: %s", born__ops[k->op].name, k->what, r->t->emit.err.text))
        return;
    for (int i = 0, a = 0; i < r->n; i++)
        if (a < r->actives && r->x[i] == r->active[a]) gg[i] = more[a++];
    compare(r, k, v, gg, 2, turned);
}

static void check(const fd_case *k, bool turned)
{
    fd_values v;
    fd_run r;
    draw(k, v);
    bool ran = forward(&r, k, v, turned);
    if (CHECK_MSG(ran, "%s (%s): %s", born__ops[k->op].name, k->what, r.t->emit.err.text)) {
        backward(&r);
        if (CHECK_MSG(!r.t->emit.err.status, "%s (%s): %s", born__ops[k->op].name, k->what, r.t->emit.err.text)) {
            check_shapes(&r, k);
            compare(&r, k, v, r.g, 1, turned);
            if (!k->first_only) second(&r, k, v, turned);
        }
    }
    tape_free(r.t);
}

static inline void fd_check(const fd_case *k)
{
    check(k, false);
    check(k, true);
}
#endif
