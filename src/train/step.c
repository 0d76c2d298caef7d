/* A training step: by the plan where the batch has its shapes, eagerly otherwise, with the same bits. Called by the
   trainer and by programs with loops of their own. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/state.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "tensor/view.h"
#include "train/step.h"
#include "waist/chain.h"

/* ---- parts that plan and blame use too --------------------------------------------------------------------------- */

born_status born__step_error(const born_step *s, born_error *err)
{
    born_error e = { 0 };

    born_backend_take_error(s->b, &e);
    if (!e.status) return born__fail(err, BORN_STATE, "train: the loss is no tensor, or its batch has too few fields");
    if (err) *err = e;
    return e.status;
}

born_status born__step_batch(const born_step *s, const born_array *batch, int n, born_tensor *out, born_error *err)
{
    for (int i = 0; i < n; i++) {
        out[i] = (born_from)(s->b, batch[i], batch[i].dtype, NULL);
        if (!born_is_alive(out[i])) return born__step_error(s, err);
    }
    return BORN_OK;
}

born_status born__step_loss(const born_step *s, const born_tensor *batch, int n, born_tensor *loss,
                            born_tensor *scores, born_error *err)
{
    born_shape shape;
    int64_t count = 1;

    *scores = (born_tensor){ 0 };
    *loss = s->desc.loss(s->desc.user, s->desc.net, batch, n, scores);
    if (!born_is_alive(*loss) || (scores->w && !born_is_alive(*scores))) return born__step_error(s, err);
    shape = born_shape_of(*loss);
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    BORN_FAIL_IF(count != 1, err, BORN_SHAPE, "train: the loss has %lld elements, not one", (long long)count);
    return BORN_OK;
}

static double number_in(const born_array *a)
{
    return born__load_f64(a->dtype, a->data);
}

/* A failure leaves nothing behind on the chain. */
static void quiet(const born_step *s)
{
    born_error ignored;
    born_backend_take_error(s->b, &ignored);
}

/* The average follows a step that is done: where that fails it is owed, and no other step is taken before it. */
static born_status pay_average(born_step *s, born_error *err)
{
    if (!s->owes_average) return BORN_OK;
    if (born_ema_update(s->desc.ema)) return born__step_error(s, err);
    s->owes_average = false;
    return BORN_OK;
}

/* ---- weights in two places --------------------------------------------------------------------------------------- */

born_status born_step_sync(born_step *s, born_error *err)
{
    BORN_FAIL_IF(!s, err, BORN_INVALID, "train: there is no step");
    step_plan *p = &s->plan;

    BORN_TRY(pay_average(s, err));
    if (!p->ahead) return BORN_OK;
    for (size_t i = 0; i < p->item_count; i++) {
        const step_item *t = &p->item[i];
        if (t->out < 0) continue;
        const born_tie *tie = born__state_of_input(p->session, p->batch_count + 1 + (int)i);
        if ((born_write)(t->value, tie->view.data, t->bytes)) return born__step_error(s, err);
    }
    p->ahead = false;
    return BORN_OK;
}

void born_step_changed(born_step *s)
{
    if (!s) return;
    born__step_forget(&s->plan);
    s->stats.planned = false;
}

/* Where the host finds a tensor's elements: in place, or in a copy. */
static born_status lend(step_item *t, born_array *a, born_error *err)
{
    const born_view *v = &born__handle_node(t->value)->view;

    a->data = v->data;
    if (v->data && born__view_contiguous(v)) return BORN_OK;
    if (!t->host) t->host = born__alloc(t->bytes ? t->bytes : 1);
    BORN_FAIL_IF(!t->host, err, BORN_NOMEM, "train: no memory for a copy of %zu bytes", t->bytes);
    a->data = t->host;
    born_status st = (born_read)(t->value, t->host, t->bytes);
    BORN_FAIL_IF(st, err, st, "train: a tensor could not be read");
    return BORN_OK;
}

/* ---- by the plan ------------------------------------------------------------------------------------------------- */

static bool fits(const step_plan *p, const born_array *batch, int n)
{
    bool same = p->session && n == p->batch_count;

    for (int i = 0; same && i < n; i++) {
        const born_shape *a = &batch[i].shape, *b = &p->batch[i].shape;
        same = batch[i].dtype == p->batch[i].dtype && a->rank == b->rank && a->rank >= 0 &&
               !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]);
    }
    return same;
}

/* The run of the plan; weights in the session are new after it, the optimiser's counts are not. */
static born_status run_session(born_step *s, const born_array *batch, int n, born_error *err)
{
    step_plan *p = &s->plan;

    for (int i = 0; i < n; i++) p->in[i] = batch[i];
    p->in[n].data = born__optim_numbers(s->desc.optim);
    for (size_t i = 0; i < p->item_count && !p->begun; i++)
        BORN_TRY(lend(&p->item[i], &p->in[n + 1 + (int)i], err));
    BORN_TRY(born_session_run(p->session, p->in, p->in_count, p->out, p->first_item_out, err));
    return BORN_OK;
}

/* The state of the session is the one before its last run again, and so are the tensors. */
static born_status take_back(born_step *s, born_error *err)
{
    step_plan *p = &s->plan;

    if (!p->begun) {
        born_session_reset(p->session);
        return BORN_OK;
    }
    born__state_back(p->session);
    p->ahead = true;
    BORN_TRY(born_step_sync(s, err));
    return BORN_OK;
}

static void settle(born_step *s)
{
    step_plan *p = &s->plan;

    for (size_t i = 0; i < p->item_count && !p->begun; i++)
        if (p->item[i].out >= 0) p->in[p->batch_count + 1 + (int)i].data = NULL;
    p->begun = p->ahead = true;
    born__optim_count(s->desc.optim);
    if (s->desc.ema) born__ema_count(s->desc.ema);
    s->stats.flops = p->session->flops;
    s->stats.runs++;
}

static born_status run_planned(born_step *s, const born_array *batch, int n, double *loss, born_array *scores,
                               born_error *err)
{
    step_plan *p = &s->plan;

    BORN_TRY(run_session(s, batch, n, err));
    *loss = number_in(&p->out[0]);
    if (!isfinite(*loss)) {
        BORN_TRY(take_back(s, err));
        return born__step_blame(s, batch, n, *loss, err);
    }
    settle(s);
    if (scores) *scores = p->has_scores ? p->out[1] : (born_array){ 0 };
    return BORN_OK;
}

/* ---- eagerly ----------------------------------------------------------------------------------------------------- */

/* Loss and scores to the host; scores lie in memory of the step. */
static born_status give(born_step *s, born_tensor loss, born_tensor scores, double *value, born_array *out,
                        born_error *err)
{
    double v;

    if ((born_item)((born_cast)((born_detach)(loss), BORN_F64, NULL), BORN_F64, &v)) return born__step_error(s, err);
    *value = v;
    if (!out) return BORN_OK;
    *out = (born_array){ 0 };
    if (!scores.w || s->desc.no_scores) return BORN_OK;
    const born_view *w = &born__handle_node(scores)->view;
    size_t bytes = (size_t)born__view_bytes(w);
    BORN_FAIL_IF(!born__grow((void **)&s->scores, &s->scores_cap, bytes + 1, 1), err, BORN_NOMEM,
                 "train: no memory for scores of %zu bytes", bytes);
    if ((born_read)(scores, s->scores, bytes)) return born__step_error(s, err);
    *out = (born_array){ born_dtype_of(scores), born_shape_of(scores), s->scores, bytes };
    return BORN_OK;
}

typedef struct eager {
    born_step *s;
    const born_tensor *batch;
    int n;
    born_tensor loss, scores;
    born_array *want;           /* where scores go; NULL: nowhere, or they are there */
    int evaluations;            /* of L-BFGS */
    double bad;                 /* a loss that is not finite, for which the step is not taken; 0: none */
    born_status failed;         /* what an evaluation failed with: err says it */
    born_error *err;
} eager;

static born_status evaluate(eager *e, double *value)
{
    born_optim_zero_grad(e->s->desc.optim);
    BORN_TRY(born__step_loss(e->s, e->batch, e->n, &e->loss, &e->scores, e->err));
    BORN_TRY(give(e->s, e->loss, e->scores, value, e->want, e->err));
    e->want = NULL;     /* those of the first evaluation, before the step */
    if (!e->evaluations++ && !isfinite(*value)) {   /* later ones are tries of the line search */
        e->bad = *value;
        return BORN_RANGE;
    }
    if ((born_backward)(e->loss)) return born__step_error(e->s, e->err);
    return BORN_OK;
}

static born_status eager_closure(void *user, double *value)
{
    eager *e = user;
    return e->failed = evaluate(e, value);
}

/* The step without the average. On failure everything is as it was. */
static born_status eager_step(eager *e, double *loss)
{
    born_step *s = e->s;
    born_optim *o = s->desc.optim;

    if (o->kind == BORN_LBFGS) {
        born_status st = born_optim_step_closure(o, eager_closure, e, loss);
        return e->failed ? e->failed : st ? born__step_error(s, e->err) : BORN_OK;
    }
    BORN_TRY(born__step_loss(s, e->batch, e->n, &e->loss, &e->scores, e->err));
    BORN_TRY(give(s, e->loss, e->scores, loss, e->want, e->err));
    if (!isfinite(*loss) && !o->scales) {
        e->bad = *loss;
        return BORN_RANGE;
    }
    if ((born_backward)((born_optim_scale)(o, e->loss)) || born_optim_step(o)) return born__step_error(s, e->err);
    return BORN_OK;
}

static born_status run_eager(born_step *s, const born_array *batch, int n, double *loss, born_array *scores,
                             born_error *err)
{
    born_tensor x[STEP_FIELDS];
    eager e = { .s = s, .batch = x, .n = n, .want = scores, .err = err };
    int64_t steps = born_optim_steps(s->desc.optim);

    BORN_TRY(born_step_sync(s, err));
    s->plan.begun = false; /* the plan goes on from the tensors */
    if (s->plan.session) born_session_reset(s->plan.session);
    born_scope scope = born_scope_begin(s->b);
    born_status st = born__step_batch(s, batch, n, x, err);
    if (!st) st = born__step_keep(s, err);
    if (!st) st = eager_step(&e, loss);
    born__step_keep_end(s, st != BORN_OK);
    born_scope_end(scope);
    if (st && !isfinite(e.bad)) return born__step_blame(s, batch, n, e.bad, err);
    if (st) return st;
    s->stats.eager_runs++;
    s->owes_average = s->desc.ema && born_optim_steps(s->desc.optim) > steps;  /* not while gradients gather */
    if (pay_average(s, &(born_error){ 0 })) quiet(s);
    return BORN_OK;
}

/* ---- the public side --------------------------------------------------------------------------------------------- */

/* The average begins as a copy after its first step, which no plan can say of every step. */
static bool wants_eager(const born_step *s)
{
    return !s->plans || (s->desc.ema && born_ema_updates(s->desc.ema) == 0);
}

born_status born_step_run(born_step *s, const born_array *batch, int n, double *loss, born_array *scores,
                          born_error *err)
{
    double value = NAN;

    BORN_FAIL_IF(!s || !batch || n < 1 || n > STEP_FIELDS, err, BORN_INVALID, "train: a batch has 1 to %d fields",
                 STEP_FIELDS);
    BORN_TRY(pay_average(s, err));
    bool eagerly = wants_eager(s);
    if (!eagerly && !s->plan.session) BORN_TRY(born_step_plan(s, batch, n, err));
    eagerly = eagerly || !fits(&s->plan, batch, n);
    born_status st = eagerly ? run_eager(s, batch, n, &value, scores, err)
                             : run_planned(s, batch, n, &value, scores, err);
    if (st) {
        s->desc.net->root->step_serial++;
        quiet(s);
    }
    if (loss && !st) *loss = value;
    return st;
}

born_status born_step_evaluate(born_step *s, const born_array *batch, int n, double *loss, born_array *scores,
                               born_error *err)
{
    born_tensor x[STEP_FIELDS], l, y;
    double value = NAN;

    BORN_FAIL_IF(!s || !batch || n < 1 || n > STEP_FIELDS, err, BORN_INVALID, "train: a batch has 1 to %d fields",
                 STEP_FIELDS);
    BORN_TRY(born_step_sync(s, err));
    bool training = born_module_training(s->desc.net), was = born_grad_mode(s->b, false);
    born_module_train(s->desc.net, false);
    born_scope scope = born_scope_begin(s->b);
    born_status st = born__step_batch(s, batch, n, x, err);
    if (!st) st = born__step_loss(s, x, n, &l, &y, err);
    if (!st) st = give(s, l, y, &value, scores, err);
    born_scope_end(scope);
    born_module_train(s->desc.net, training);
    (void)born_grad_mode(s->b, was);
    if (st) quiet(s);
    if (loss && !st) *loss = value;
    return st;
}

static bool has_trace(const born_backend *b)
{
    for (const born_backend *link = b; link; link = link->below)
        if (link->rank == BORN_RANK_TRACE) return true;
    return false;
}

born_status born_step_open_sized(const born_step_desc *desc, size_t desc_bytes, born_step **out, born_error *err)
{
    born_step_desc d = { 0 };

    BORN_FAIL_IF(!out, err, BORN_INVALID, "train: no place for the step");
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "train", err));
    BORN_FAIL_IF(!d.net || !d.optim, err, BORN_INVALID, "train: a step needs a module and an optimiser");
    born_backend *b = born_module_backend(d.net);
    const born_error *old = b ? born_backend_error(b) : NULL;
    if (old && old->status) {
        if (err) *err = *old;
        return old->status;
    }
    BORN_FAIL_IF(!b || !d.net->root || !born_optim_is_alive(d.optim), err, BORN_STATE,
                 "train: the module or the optimiser could not be made");
    BORN_FAIL_IF(born_optim_backend(d.optim) != b, err, BORN_STATE,
                 "train: module and optimiser are of different backends");
    born_step *s = born__calloc(1, sizeof *s);
    BORN_FAIL_IF(!s, err, BORN_NOMEM, "train: out of memory");
    s->desc = d;
    if (!d.loss) s->desc.loss = born_loss_classes;
    s->b = b;
    s->plans = !d.eager && has_trace(b) && d.optim->kind != BORN_LBFGS && d.optim->desc.accumulate <= 1 &&
               !d.optim->scales;
    born__chain_hold(b);
    *out = s;
    return BORN_OK;
}

void born_step_close(born_step **sp)
{
    born_step *s = sp ? *sp : NULL;
    born_error late = { 0 };

    if (!s) return;
    *sp = NULL;
    (void)!born_step_sync(s, &late);
    born__step_forget(&s->plan);
    born__step_keep_free(&s->keep);
    born__chain_unhold(s->b);
    born__free(s->scores);
    born__free(s);
}

void born_step_profile(const born_step *s, void (*fn)(void *user, const born_profile_row *row), void *user)
{
    if (s && s->plan.session && fn) born_session_profile(s->plan.session, fn, user);
}

void born_step_stats_get(const born_step *s, born_step_stats *out) { *out = s ? s->stats : (born_step_stats){ 0 }; }
