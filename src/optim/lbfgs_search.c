/* The strong Wolfe line search of L-BFGS: brackets a step, then narrows the bracket by cubic interpolation, with
   PyTorch's guards (c1 1e-4, c2 0.9, at most 25 evaluations), so that its sequence of steps is the same. */
#include <math.h>

#include "optim/lbfgs_vector.h"

/* A tried step: its loss, gradient and slope along d. */
typedef struct point {
    double t, f, slope;
    born_tensor g;
} point;

/* The minimum of the cubic through two points with their slopes, kept in [lo, hi]. */
static double cubic(const point *a, const point *b, double lo, double hi)
{
    double d1 = a->slope + b->slope - 3 * (a->f - b->f) / (a->t - b->t), square = d1 * d1 - a->slope * b->slope, at;

    if (!(square >= 0)) return (lo + hi) / 2;
    double d2 = sqrt(square);
    if (a->t <= b->t) at = b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2));
    else at = a->t - (a->t - b->t) * ((a->slope + d2 - d1) / (a->slope - b->slope + 2 * d2));
    at = at > lo ? at : lo;
    return at < hi ? at : hi;
}

static double cubic_between(const point *a, const point *b)
{
    return a->t <= b->t ? cubic(a, b, a->t, b->t) : cubic(a, b, b->t, a->t);
}

typedef struct search {
    born_optim *o;
    const lbfgs_closure *c;
    lbfgs_search *w;
    double size;                /* the largest element of d */
    point b[2];                 /* the bracket */
    int count;                  /* points in it: 1 where one is already good */
} search;

enum { MOST_TRIES = 25 };
#define C1 1e-4
#define C2 0.9

static born_status try_step(search *s, double t, point *p)
{
    *p = (point){ .t = t };
    BORN_TRY(born__lbfgs_eval_at(s->o, s->c, s->w->x, t, s->w->d, &p->f, &p->g));
    s->w->evals++;
    return born__vector_dot(p->g, s->w->d, &p->slope);
}

static bool armijo_fails(const search *s, const point *p) { return p->f > s->w->loss + C1 * p->t * s->w->gtd; }
static bool curvature_holds(const search *s, const point *p) { return fabs(p->slope) <= -C2 * s->w->gtd; }

/* Goes along d until a bracket holds a good step. */
static born_status find_bracket(search *s, int *tries)
{
    point last = { .t = 0, .f = s->w->loss, .slope = s->w->gtd, .g = s->w->g }, p;

    BORN_TRY(try_step(s, s->w->t, &p));
    for (*tries = 0; *tries < MOST_TRIES; ++*tries) {
        s->b[0] = last, s->b[1] = p, s->count = 2;
        if (armijo_fails(s, &p) || (*tries > 1 && p.f >= last.f)) return BORN_OK;
        if (curvature_holds(s, &p)) {
            s->b[0] = p, s->count = 1;
            return BORN_OK;
        }
        if (p.slope >= 0) return BORN_OK;
        double low = p.t + 0.01 * (p.t - last.t), high = p.t * 10, t = cubic(&last, &p, low, high);
        last = p;
        BORN_TRY(try_step(s, t, &p));
    }
    s->b[0] = (point){ .t = 0, .f = s->w->loss, .slope = s->w->gtd, .g = s->w->g };
    s->b[1] = p, s->count = 2;
    return BORN_OK;
}

/* Keeps a trial step away from the bracket's ends where it was near one before, or goes to the middle of a tenth. */
static double guarded(const search *s, double t, bool *was_near)
{
    double lo = fmin(s->b[0].t, s->b[1].t), hi = fmax(s->b[0].t, s->b[1].t), eps = 0.1 * (hi - lo);
    bool near_end = fmin(hi - t, t - lo) < eps;

    if (near_end && (*was_near || t >= hi || t <= lo)) {
        *was_near = false;
        return fabs(t - hi) < fabs(t - lo) ? hi - eps : lo + eps;
    }
    *was_near = near_end;
    return t;
}

static born_status narrow(search *s, int tries, int *best)
{
    int low = s->count == 1 || s->b[0].f <= s->b[1].f ? 0 : 1;
    bool was_near = false, done = s->count == 1;

    for (; !done && tries < MOST_TRIES; tries++) {
        point p;
        int high = 1 - low;
        if (fabs(s->b[1].t - s->b[0].t) * s->size < s->w->tolerance) break;
        double t = guarded(s, cubic_between(&s->b[0], &s->b[1]), &was_near);
        BORN_TRY(try_step(s, t, &p));
        if (armijo_fails(s, &p) || p.f >= s->b[low].f) {
            s->b[high] = p;
            low = s->b[0].f <= s->b[1].f ? 0 : 1;
            continue;
        }
        done = curvature_holds(s, &p);
        if (!done && p.slope * (s->b[high].t - s->b[low].t) >= 0) s->b[high] = s->b[low];
        s->b[low] = p;
    }
    *best = low;
    return BORN_OK;
}

born_status born__lbfgs_search(born_optim *o, const lbfgs_closure *c, lbfgs_search *w)
{
    search s = { .o = o, .c = c, .w = w };
    int tries = 0, best = 0;

    BORN_TRY(born__vector_largest(w->d, &s.size));
    BORN_TRY(find_bracket(&s, &tries));
    BORN_TRY(narrow(&s, tries, &best));
    w->t = s.b[best].t, w->loss = s.b[best].f, w->g = s.b[best].g;
    return BORN_OK;
}
