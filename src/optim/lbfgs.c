/* L-BFGS as PyTorch defines it (Nocedal and Wright, "Numerical optimization", 2006, algorithms 7.4, 7.5 and 3.5).
   All parameters are one vector of f64 or f32 below autodiff; a closure gives the loss and, by autodiff, the
   gradient. Inner products are read, since the method chooses by them. The line search is in lbfgs_search.c. If
   the closure fails, the parameters are what they were before the step. */
#include "optim/lbfgs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "optim/lbfgs_vector.h"

static const born_site *const at = NULL;

/* Needs no update row: the options and the name. */
const born_optim_row born__row_lbfgs = {
    .name = "LBFGS",
    .options = H_BIT(MAX_ITER) | H_BIT(MAX_EVAL) | H_BIT(HISTORY) | H_BIT(TOLERANCE_GRAD) | H_BIT(TOLERANCE_CHANGE),
    .flags = F_STRONG_WOLFE, .no_decay = true,
    .defaults = { [H_MAX_ITER] = 20, [H_HISTORY] = 100, [H_TOLERANCE_GRAD] = 1e-7, [H_TOLERANCE_CHANGE] = 1e-9 },
};

static void drop_pair(born_lbfgs_state *l, int i)
{
    born_drop(&l->y[i]), born_drop(&l->s[i]);
    l->pairs--;
    memmove(l->y + i, l->y + i + 1, (size_t)(l->pairs - i) * sizeof *l->y);
    memmove(l->s + i, l->s + i + 1, (size_t)(l->pairs - i) * sizeof *l->s);
    memmove(l->ro + i, l->ro + i + 1, (size_t)(l->pairs - i) * sizeof *l->ro);
}

void born__lbfgs_free(born_optim *o)
{
    born_lbfgs_state *l = o->lbfgs;

    if (!l) return;
    while (l->pairs) drop_pair(l, l->pairs - 1);
    born_drop(&l->d), born_drop(&l->last_grad);
    born__free(l->y), born__free(l->s), born__free(l->ro), born__free(l->al);
    born__free(l);
    o->lbfgs = NULL;
}

static born_status make_state(born_optim *o)
{
    size_t most = (size_t)o->group[0].h[H_HISTORY];
    born_lbfgs_state *l = o->lbfgs;

    if (l) return BORN_OK;
    if (most < 1) most = 1;
    l = o->lbfgs = born__calloc(1, sizeof *l);
    if (l) {
        l->most = (int)most;
        l->y = born__calloc(most + 1, sizeof *l->y), l->s = born__calloc(most + 1, sizeof *l->s);
        l->ro = born__calloc(most + 1, sizeof *l->ro), l->al = born__calloc(most + 1, sizeof *l->al);
    }
    if (l && l->y && l->s && l->ro && l->al) return BORN_OK;
    born__lbfgs_free(o);
    return born__optim_fail(o, BORN_NOMEM, "no memory for %zu pairs", most);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

born_status born__vector_dot(born_tensor a, born_tensor b, double *out)
{
    return (born_item)(CAST(SUM_ALL(MUL(a, b)), BORN_F64), BORN_F64, out);
}

born_status born__vector_largest(born_tensor a, double *out)
{
    born_reduce_attrs drop = { .drop_dims = true };
    return (born_item)(CAST((born_reduce_max)(ABS(a), (born_ints){ 0 }, &drop, at), BORN_F64), BORN_F64, out);
}

void born__vector_set(born_tensor *slot, born_tensor v)
{
    born_tensor kept = born_is_alive(v) ? (born_keep)(v) : (born_tensor){ 0 };
    born_drop(slot);
    *slot = kept;
}

static born_dtype vector_dtype(const born_optim *o)
{
    for (size_t i = 0; i < o->param_count; i++)
        if (o->param[i].compute == BORN_F64) return BORN_F64;
    return BORN_F32;
}

/* All gradients as one vector, zeros where there is none; or all parameters. */
static born_tensor gather(const born_optim *o, bool of_gradient)
{
    born_tensor all = { 0 };
    born_dtype t = vector_dtype(o);

    for (size_t i = 0; i < o->param_count; i++) {
        const born_param *p = &o->param[i];
        int64_t n = born__count_of(p->value);
        born_tensor x = p->value;
        if (of_gradient) x = (born_grad_of)(p->value);
        born_tensor flat = born__given(x) ? RESHAPE(CAST((born_detach)(x), t), BORN_SHAPE(n))
                                          : CAST(born__row(p->value, n, 0, at), t);
        born_tensor two[2] = { all, flat };
        all = born__given(all) ? (born_concat)(two, 2, 0, at) : (born_copy)(flat, at);
    }
    return (born_detach)(all);
}

born_tensor born__vector_params(const born_optim *o) { return gather(o, false); }

born_status born__vector_place(const born_optim *o, born_tensor x)
{
    int64_t from = 0;

    for (size_t i = 0; i < o->param_count; i++) {
        const born_param *p = &o->param[i];
        int64_t n = born__count_of(p->value);
        born_tensor part = RESHAPE(SLICE(x, from, from + n, 0), born_shape_of(p->value));
        if (!born_is_alive((born_assign)(p->value, CAST(part, p->dtype), at))) return born__optim_status(o);
        from += n;
    }
    return BORN_OK;
}

born_status born__lbfgs_eval(born_optim *o, const lbfgs_closure *c, double *loss, born_tensor *g)
{
    bool was = born_grad_mode(o->b, true);
    born_status s = c->fn(c->user, loss);
    (void)born_grad_mode(o->b, was);
    BORN_TRY(s);
    *g = gather(o, true);
    return born_is_alive(*g) ? BORN_OK : born__optim_status(o);
}

born_status born__lbfgs_eval_at(born_optim *o, const lbfgs_closure *c, born_tensor x, double t, born_tensor d,
                                double *loss, born_tensor *g)
{
    BORN_TRY(born__vector_place(o, ADD(x, MUL_N(d, t))));
    return born__lbfgs_eval(o, c, loss, g);
}

/* ---- direction --------------------------------------------------------------------------------------------------- */

static born_status remember(born_optim *o, born_tensor g, double t)
{
    born_lbfgs_state *l = o->lbfgs;
    born_tensor y = SUB(g, l->last_grad), s = MUL_N(l->d, t);
    double ys, yy;

    BORN_TRY(born__vector_dot(y, s, &ys));
    if (!(ys > 1e-10)) return BORN_OK;
    BORN_TRY(born__vector_dot(y, y, &yy));
    if (l->pairs == l->most) drop_pair(l, 0);
    l->y[l->pairs] = l->s[l->pairs] = (born_tensor){ 0 };
    born__vector_set(&l->y[l->pairs], y);
    born__vector_set(&l->s[l->pairs], s);
    l->ro[l->pairs++] = 1 / ys;
    l->h_diag = ys / yy;
    return BORN_OK;
}

/* d = -H g by the two loops. */
static born_status direction(born_optim *o, born_tensor g)
{
    born_lbfgs_state *l = o->lbfgs;
    born_tensor q = NEG(g);
    double by;

    for (int i = l->pairs - 1; i >= 0; i--) {
        BORN_TRY(born__vector_dot(l->s[i], q, &by));
        l->al[i] = by * l->ro[i];
        q = ADD(q, MUL_N(l->y[i], -l->al[i]));
    }
    q = MUL_N(q, l->h_diag);
    for (int i = 0; i < l->pairs; i++) {
        BORN_TRY(born__vector_dot(l->y[i], q, &by));
        q = ADD(q, MUL_N(l->s[i], l->al[i] - by * l->ro[i]));
    }
    born__vector_set(&l->d, q);
    return born__given(l->d) ? BORN_OK : born__optim_status(o);
}

static born_status next_direction(born_optim *o, born_tensor g)
{
    born_lbfgs_state *l = o->lbfgs;

    l->n_iter++;
    if (l->n_iter > 1) {
        BORN_TRY(remember(o, g, l->t));
        BORN_TRY(direction(o, g));
    } else {
        born__vector_set(&l->d, NEG(g));
        l->h_diag = 1;
    }
    born__vector_set(&l->last_grad, (born_copy)(g, at));
    return born__given(l->d) && born__given(l->last_grad) ? BORN_OK : born__optim_status(o);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

typedef struct lbfgs_run {
    const lbfgs_closure *c;
    double loss, last_loss;
    int64_t evals;              /* in this step */
    born_tensor g;
} lbfgs_run;

/* Moves along d; false in *go_on where the step is over. */
static born_status advance(born_optim *o, lbfgs_run *r, int64_t iteration, bool *go_on)
{
    born_lbfgs_state *l = o->lbfgs;
    const double *h = o->group[0].h;
    double most_eval = h[H_MAX_EVAL] > 0 ? h[H_MAX_EVAL] : floor(h[H_MAX_ITER] * 5 / 4), gtd, sum, largest;
    born_tensor x;
    int64_t evals = 0;

    *go_on = false;
    BORN_TRY((born_item)(CAST(SUM_ALL(ABS(r->g)), BORN_F64), BORN_F64, &sum));
    l->t = l->n_iter == 1 ? fmin(1, 1 / sum) * h[H_LR] : h[H_LR];
    BORN_TRY(born__vector_dot(r->g, l->d, &gtd));
    r->last_loss = r->loss;
    if (gtd > -h[H_TOLERANCE_CHANGE]) return BORN_OK;
    x = born__vector_params(o);
    if (o->group[0].flags & F_STRONG_WOLFE) {
        lbfgs_search w = { .x = x, .d = l->d, .g = r->g, .t = l->t, .loss = r->loss, .gtd = gtd,
                           .tolerance = h[H_TOLERANCE_CHANGE] };
        BORN_TRY(born__lbfgs_search(o, r->c, &w));
        r->loss = w.loss, r->g = w.g, l->t = w.t, evals = w.evals;
        BORN_TRY(born__vector_place(o, ADD(x, MUL_N(l->d, l->t))));
    } else {
        BORN_TRY(born__vector_place(o, ADD(x, MUL_N(l->d, l->t))));
        if ((double)iteration != h[H_MAX_ITER]) {
            BORN_TRY(born__lbfgs_eval(o, r->c, &r->loss, &r->g));
            evals = 1;
        }
    }
    r->evals += evals;
    l->func_evals += evals;
    if ((double)iteration == h[H_MAX_ITER] || (double)r->evals >= most_eval) return BORN_OK;
    BORN_TRY(born__vector_largest(r->g, &largest));
    if (largest <= h[H_TOLERANCE_GRAD]) return BORN_OK;
    BORN_TRY(born__vector_largest(MUL_N(l->d, l->t), &largest));
    *go_on = !(largest <= h[H_TOLERANCE_CHANGE]) && !(fabs(r->loss - r->last_loss) < h[H_TOLERANCE_CHANGE]);
    return BORN_OK;
}

static born_status iterate(born_optim *o, const lbfgs_closure *c, double *first)
{
    const double *h = o->group[0].h;
    lbfgs_run r = { .c = c, .evals = 1 };
    double largest;
    bool go_on = true;

    BORN_TRY(born__lbfgs_eval(o, c, &r.loss, &r.g));
    *first = r.loss;
    o->lbfgs->func_evals++;
    BORN_TRY(born__vector_largest(r.g, &largest));
    if (largest <= h[H_TOLERANCE_GRAD]) return BORN_OK;
    for (int64_t i = 1; go_on && (double)i <= h[H_MAX_ITER]; i++) {
        BORN_TRY(next_direction(o, r.g));
        BORN_TRY(advance(o, &r, i, &go_on));
    }
    return BORN_OK;
}

born_status born__lbfgs_step(born_optim *o, born_closure_fn closure, void *user, double *loss)
{
    lbfgs_closure c = { closure, user };
    double first = 0;

    BORN_TRY(make_state(o));
    born_scope scope = born_scope_begin(o->b);
    bool was = born_grad_mode(o->b, false);
    born_tensor before = born__vector_params(o);
    born_status s = born_is_alive(before) ? iterate(o, &c, &first) : born__optim_status(o);
    if (s && born_is_alive(before)) {
        (void)born__vector_place(o, before);
        born__lbfgs_free(o);        /* a history that the weights did not follow */
    }
    (void)born_grad_mode(o->b, was);
    born_scope_end(scope);
    if (s) return s;
    if (loss) *loss = first;
    o->steps++;
    if (!o->desc.keep_grads) born_optim_zero_grad(o);
    born_module_next_step(o->net);
    return BORN_OK;
}

/* ---- what it remembers ------------------------------------------------------------------------------------------- */

enum { LBFGS_NUMBERS = 5 };

bool born__lbfgs_place(born_optim *o, int i, lbfgs_place *out)
{
    born_lbfgs_state *l = o->lbfgs;
    const char *names[LBFGS_NUMBERS] = { "pairs", "func_evals", "n_iter", "t", "H_diag" };

    *out = (lbfgs_place){ .key = "" };
    if (i < LBFGS_NUMBERS) {
        snprintf(out->key, sizeof out->key, "%s", names[i]);
        if (i == 0) out->small = &l->pairs;
        if (i == 1) out->whole = &l->func_evals;
        if (i == 2) out->whole = &l->n_iter;
        if (i == 3) out->real = &l->t;
        if (i == 4) out->real = &l->h_diag;
        return true;
    }
    i -= LBFGS_NUMBERS;
    if (i < 2) {
        out->tensor = i ? l->last_grad : l->d;
        snprintf(out->key, sizeof out->key, i ? "prev_flat_grad" : "d");
        return born__given(out->tensor);
    }
    i -= 2;
    if (i >= 3 * l->pairs) return false;
    int pair = i / 3, kind = i % 3;
    snprintf(out->key, sizeof out->key, "%s.%d", kind == 0 ? "old_dirs" : kind == 1 ? "old_stps" : "ro", pair);
    if (kind == 2) out->real = &l->ro[pair];
    else out->tensor = kind == 0 ? l->y[pair] : l->s[pair];
    return true;
}

/* The count of pairs comes first and makes room for everything else. */
born_status born__lbfgs_room(born_optim *o, const char *key, const born_array *value)
{
    double n;
    int64_t length = 0;

    if (o->kind != BORN_LBFGS || strcmp(key, "pairs") != 0) return BORN_OK;
    if (value->dtype != BORN_F64 || value->shape.rank != 0 || !value->data) return BORN_OK;
    BORN_TRY(make_state(o));
    memcpy(&n, value->data, sizeof n);
    if (!(n >= 0 && n <= o->lbfgs->most))
        return born__optim_fail(o, BORN_RANGE, "%g pairs are more than a history of %d", n, o->lbfgs->most);
    for (size_t i = 0; i < o->param_count; i++) length += born__count_of(o->param[i].value);
    while (o->lbfgs->pairs) drop_pair(o->lbfgs, o->lbfgs->pairs - 1);
    born_dtype t = vector_dtype(o);
    born_scope s = born_scope_begin(o->b);
    born__vector_set(&o->lbfgs->d, born__low_full(o->b, t, BORN_SHAPE(length), 0));
    born__vector_set(&o->lbfgs->last_grad, born__low_full(o->b, t, BORN_SHAPE(length), 0));
    bool ok = born__given(o->lbfgs->d) && born__given(o->lbfgs->last_grad);
    for (int i = 0; ok && i < (int)n; i++, o->lbfgs->pairs++) {
        o->lbfgs->y[i] = o->lbfgs->s[i] = (born_tensor){ 0 };
        born__vector_set(&o->lbfgs->y[i], born__low_full(o->b, t, BORN_SHAPE(length), 0));
        born__vector_set(&o->lbfgs->s[i], born__low_full(o->b, t, BORN_SHAPE(length), 0));
        ok = born__given(o->lbfgs->y[i]) && born__given(o->lbfgs->s[i]);
    }
    born_scope_end(s);
    if (ok) return BORN_OK;
    born__lbfgs_free(o);
    return born__optim_status(o);
}
