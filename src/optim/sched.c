/* Making and stepping schedules. A node is one schedule; a sequence and a chain are several nodes over one
   optimiser. All new rates of a step are computed before the first is set. */
#include "optim/sched.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/model.h"
#include "waist/chain.h"

static born_sched dead_sched;

static born_status fail(const born_optim *o, born_status s, const char *text)
{
    return born__optim_fail(o, s, "schedule: %s", text);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static void fill_one(double *v, double none)
{
    if (*v == 0) *v = none;
    else if (*v < 0) *v = 0;
}
static void fill_count(int64_t *v, int64_t none)
{
    if (*v == 0) *v = none;
    else if (*v < 0) *v = 0;
}

static void fill_defaults(born_sched_desc *d)
{
    bool cycle = d->kind == BORN_SCHED_ONE_CYCLE;

    if (d->kind == BORN_SCHED_STEP || d->kind == BORN_SCHED_MULTISTEP) fill_one(&d->gamma, 0.1);
    if (d->kind == BORN_SCHED_CYCLIC) fill_one(&d->gamma, 1);
    fill_count(&d->t_mult, 1);
    fill_one(&d->start_factor, 1.0 / 3), fill_one(&d->end_factor, 1);
    fill_one(&d->factor, d->kind == BORN_SCHED_PLATEAU ? 0.1 : 1.0 / 3);
    fill_count(&d->total_iters, 5);
    fill_one(&d->power, 1);
    fill_one(&d->pct_start, 0.3);
    fill_one(&d->div_factor, 25), fill_one(&d->final_div_factor, 1e4);
    fill_one(&d->base_momentum, cycle ? 0.85 : 0.8), fill_one(&d->max_momentum, cycle ? 0.95 : 0.9);
    fill_count(&d->step_size_up, 2000), fill_count(&d->step_size_down, d->step_size_up);
    fill_count(&d->patience, 10);
    fill_one(&d->threshold, 1e-4), fill_one(&d->eps, 1e-8);
    if (d->lr_count == 0) d->lr_count = 1;
}

/* A count that steps can be compared with and multiplied by. */
static bool counts(int64_t v) { return v >= 1 && v <= (int64_t)1 << 50; }
static bool within(double v, double most) { return v >= 0 && v <= most; }      /* false for NaN */

static const char *wrong_cycle(const born_sched_desc *d)
{
    const double most = 1e9;

    if (!d->max_lr) return "it needs max_lr";
    if (!within(d->base_momentum, 1) || !within(d->max_momentum, 1)) return "a momentum is from 0 to 1";
    if (d->kind == BORN_SCHED_CYCLIC) {
        if (!d->base_lr) return "it needs base_lr";
        if (!within(d->gamma, most)) return "gamma cannot be that";
        return counts(d->step_size_up) && counts(d->step_size_down) ? NULL : "the step sizes must be above 0";
    }
    if (!counts(d->total_steps)) return "total_steps must be above 0";
    bool factors = d->div_factor > 0 && d->div_factor <= most && d->final_div_factor > 0 && d->final_div_factor <= most;
    return factors && within(d->pct_start, 1) ? NULL : "pct_start is at most 1, and the factors above 0";
}

static const char *wrong_factor(const born_sched_desc *d)
{
    bool total = counts(d->total_iters);

    switch (d->kind) {
    case BORN_SCHED_LINEAR:
        return d->start_factor > 0 && within(d->start_factor, 1) && within(d->end_factor, 1) && total
                   ? NULL
                   : "start_factor must be in (0, 1] and end_factor in [0, 1]";
    case BORN_SCHED_CONSTANT: return d->factor > 0 && within(d->factor, 1) && total ? NULL : "factor must be in (0, 1]";
    case BORN_SCHED_POLYNOMIAL: return within(d->power, 1e6) && total ? NULL : "total_iters must be above 0";
    case BORN_SCHED_PLATEAU:
        return within(d->factor, 1) && d->factor < 1 && within(d->threshold, INFINITY) && within(d->eps, INFINITY)
                   ? NULL
                   : "factor must be below 1";
    case BORN_SCHED_MULTIPLICATIVE: return d->factor_count > 0 && d->factors ? NULL : "it needs factors";
    default: return "there is no such kind";
    }
}

/* What is wrong with the fields that a kind reads; NULL: nothing. */
static const char *wrong_kind(const born_sched_desc *d)
{
    bool gamma = d->gamma > 0 && d->gamma < INFINITY;

    switch (d->kind) {
    case BORN_SCHED_STEP: return counts(d->step_size) && gamma ? NULL : "step_size and gamma must be above 0";
    case BORN_SCHED_MULTISTEP: return d->milestone_count > 0 && d->milestones && gamma ? NULL : "it needs milestones";
    case BORN_SCHED_EXPONENTIAL: return gamma ? NULL : "gamma must be above 0";
    case BORN_SCHED_COSINE: return counts(d->t_max) ? NULL : "t_max must be above 0";
    case BORN_SCHED_COSINE_RESTARTS:
        return counts(d->t_0) && counts(d->t_mult) && d->t_mult <= 1000 ? NULL : "t_0 and t_mult are from 1 to 1000";
    case BORN_SCHED_CYCLIC:
    case BORN_SCHED_ONE_CYCLE: return wrong_cycle(d);
    default: return wrong_factor(d);
    }
}

/* Rates and factors become rates: none may be negative or no number. */
static bool rates_fit(const double *list, int count)
{
    for (int i = 0; list && i < count; i++)
        if (!(list[i] >= 0 && list[i] < INFINITY)) return false;
    return true;
}

static const char *wrong(const born_sched_desc *d, int groups)
{
    if (d->lr_count != 1 && d->lr_count != groups) return "a list of rates has one for all groups or one for each";
    const char *why = wrong_kind(d);
    if (why) return why;
    bool fit = rates_fit(d->max_lr, d->lr_count) && rates_fit(d->base_lr, d->lr_count) &&
               rates_fit(d->min_lr, d->lr_count) && rates_fit(d->factors, d->factor_count) && rates_fit(&d->eta_min, 1);
    return fit ? NULL : "a rate or a factor cannot be below 0";
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static void node_free(sched_node *n)
{
    born__free((void *)(uintptr_t)n->d.milestones), born__free((void *)(uintptr_t)n->d.factors);
    born__free(n->base), born__free(n->base_lr), born__free(n->max_lr), born__free(n->min_lr);
}

/* One number per group of a list of one or of all; NULL gives zeros. */
static double *per_group(const double *list, int count, int groups)
{
    double *v = born__calloc((size_t)groups, sizeof *v);
    for (int i = 0; v && list && i < groups; i++) v[i] = list[count == 1 ? 0 : i];
    return v;
}

static born_status node_open(const born_optim *o, const void *desc, size_t desc_bytes, int groups, sched_node *n)
{
    born_sched_desc d;
    born_error err = { 0 };
    double *factors = NULL;
    int64_t *milestones = NULL;

    if (born__desc_check(desc, desc_bytes, &d, sizeof d, "schedule", &err)) return fail(o, err.status, err.text);
    fill_defaults(&d);
    const char *why = wrong(&d, groups);
    if (why) return fail(o, BORN_INVALID, why);
    n->base_lr = per_group(d.base_lr, d.lr_count, groups), n->max_lr = per_group(d.max_lr, d.lr_count, groups);
    n->min_lr = per_group(d.min_lr, d.lr_count, groups), n->base = per_group(NULL, 0, groups);
    if (d.milestones) milestones = born__calloc((size_t)d.milestone_count, sizeof *milestones);
    if (d.factors) factors = born__calloc((size_t)d.factor_count, sizeof *factors);
    bool ok = n->base_lr && n->max_lr && n->min_lr && n->base;
    ok = ok && (milestones || !d.milestones) && (factors || !d.factors);
    if (ok && milestones) memcpy(milestones, d.milestones, (size_t)d.milestone_count * sizeof *milestones);
    if (ok && factors) memcpy(factors, d.factors, (size_t)d.factor_count * sizeof *factors);
    d.milestones = milestones, d.factors = factors, d.base_lr = d.max_lr = d.min_lr = NULL;
    n->d = d;
    if (!ok) return fail(o, BORN_NOMEM, "out of memory");
    n->epoch = -1;
    n->best = d.maximize ? -INFINITY : INFINITY;
    for (int i = 0; i < groups; i++) n->base[i] = o->group[i].h[H_LR];
    if ((d.kind != BORN_SCHED_CYCLIC && d.kind != BORN_SCHED_ONE_CYCLE) || d.keep_momentum) return BORN_OK;
    n->momentum = o->row->options & H_BIT(BETA1) ? "beta1" : "momentum";
    if (o->row->options & (H_BIT(BETA1) | H_BIT(MOMENTUM))) return BORN_OK;
    return fail(o, BORN_INVALID, "this optimiser has no momentum to cycle: keep_momentum");
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void restart_step(sched_node *n, bool first)
{
    if (first) {
        n->t_cur = 0, n->t_i = n->d.t_0;
        return;
    }
    if (++n->t_cur < n->t_i) return;
    n->t_cur -= n->t_i;
    if (n->t_i <= INT64_MAX / 1000) n->t_i *= n->d.t_mult;
}

static born_status node_can_step(const born_optim *o, const sched_node *n)
{
    if (n->d.kind == BORN_SCHED_ONE_CYCLE && n->epoch + 1 > n->d.total_steps)
        return fail(o, BORN_RANGE, "a one-cycle has taken all its steps");
    return BORN_OK;
}

/* `restart`: at epoch 0 by the closed form, as a sequence begins one. */
static void node_step(born_optim *o, sched_node *n, bool restart)
{
    n->epoch = restart ? 0 : n->epoch + 1;
    if (n->d.kind == BORN_SCHED_PLATEAU) return;
    if (n->d.kind == BORN_SCHED_COSINE_RESTARTS) restart_step(n, n->epoch == 0);
    double momentum = n->momentum ? born__sched_momentum(n) : 0;
    for (int i = 0; i < (int)o->group_count; i++) {
        double *h = o->group[i].h;
        h[H_LR] = born__sched_rate(n, i, h[H_LR], restart);
        if (n->momentum) h[n->momentum[0] == 'b' ? H_BETA1 : H_MOMENTUM] = momentum;
    }
}

static bool better(const sched_node *n, double metric)
{
    double t = n->d.threshold;
    if (n->d.maximize) return metric > (n->d.threshold_abs ? n->best + t : n->best * (1 + t));
    return metric < (n->d.threshold_abs ? n->best - t : n->best * (1 - t));
}

static void plateau_step(born_optim *o, sched_node *n, double metric)
{
    n->epoch++;
    if (better(n, metric)) n->best = metric, n->bad = 0;
    else n->bad++;
    if (n->cooling > 0) n->cooling--, n->bad = 0;
    if (n->bad <= n->d.patience) return;
    n->cooling = n->d.cooldown, n->bad = 0;
    for (int i = 0; i < (int)o->group_count; i++) {
        double *lr = &o->group[i].h[H_LR], next = fmax(*lr * n->d.factor, n->min_lr[i]);
        if (*lr - next > n->d.eps) *lr = next;
    }
}

static born_status sequence_step(born_sched *s)
{
    int i = 0;
    while (i < s->count - 1 && s->milestones[i] <= s->epoch + 1) i++;
    BORN_TRY(node_can_step(s->o, &s->node[i]));
    s->epoch++;
    node_step(s->o, &s->node[i], i > 0 && s->milestones[i - 1] == s->epoch);
    return BORN_OK;
}

born_status born_sched_step(born_sched *s)
{
    if (!s || !s->o) return BORN_STATE;
    if (s->groups != (int)s->o->group_count) return fail(s->o, BORN_STATE, "a group was added after it was made");
    if (s->form == SCHED_SEQUENCE) return sequence_step(s);
    if (s->node[0].d.kind == BORN_SCHED_PLATEAU) return fail(s->o, BORN_STATE, "a plateau steps with its metric");
    for (int i = 0; i < s->count; i++) BORN_TRY(node_can_step(s->o, &s->node[i]));
    for (int i = 0; i < s->count; i++) node_step(s->o, &s->node[i], false);
    return BORN_OK;
}

born_status born_sched_step_metric(born_sched *s, double metric)
{
    if (!s || !s->o) return BORN_STATE;
    if (s->form != SCHED_ONE || s->node[0].d.kind != BORN_SCHED_PLATEAU) return born_sched_step(s);
    if (s->groups != (int)s->o->group_count) return fail(s->o, BORN_STATE, "a group was added after it was made");
    plateau_step(s->o, &s->node[0], metric);
    return BORN_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void empty(born_sched *s)
{
    for (int i = 0; s->node && i < s->count; i++) node_free(&s->node[i]);
    born__free(s->node), born__free(s->milestones);
    s->node = NULL, s->milestones = NULL, s->o = NULL, s->count = 0;
}

static born_status open_all(born_sched *s, const char *parts, size_t desc_bytes, const int64_t *milestones)
{
    int n = s->count;

    s->node = born__calloc((size_t)n, sizeof *s->node);
    s->milestones = born__calloc((size_t)n, sizeof *s->milestones);
    if (!s->node || !s->milestones) return fail(s->o, BORN_NOMEM, "out of memory");
    for (int i = 0; s->form == SCHED_SEQUENCE && i < n - 1; i++) {
        s->milestones[i] = milestones[i];
        if (milestones[i] < 1 || (i && milestones[i] <= milestones[i - 1]))
            return fail(s->o, BORN_INVALID, "milestones ascend from 1");
    }
    for (int i = 0; i < n; i++) {
        BORN_TRY(node_open(s->o, parts + (size_t)i * desc_bytes, desc_bytes, s->groups, &s->node[i]));
        if (s->form != SCHED_ONE && s->node[i].d.kind == BORN_SCHED_PLATEAU)
            return fail(s->o, BORN_INVALID, "a plateau stands alone");
    }
    for (int i = 0; i < (s->form == SCHED_SEQUENCE ? 1 : n); i++) node_step(s->o, &s->node[i], false);
    return BORN_OK;
}

static born_sched *make(born_optim *o, int form, const void *parts, int count, size_t desc_bytes,
                        const int64_t *milestones)
{
    if (!o || !o->row) return &dead_sched;
    bool given = parts && count > 0 && count < 1000 && (form != SCHED_SEQUENCE || count == 1 || milestones);
    if (!given) {
        fail(o, BORN_INVALID, "it has no parts or no milestones");
        return &dead_sched;
    }
    born_sched *s = born__calloc(1, sizeof *s);
    if (!s) return &dead_sched;
    s->o = o, s->form = form, s->count = count, s->groups = (int)o->group_count;
    if (open_all(s, parts, desc_bytes, milestones)) empty(s);
    return s;
}

born_sched *born_sched_create_sized(born_optim *o, const born_sched_desc *desc, size_t desc_bytes)
{
    return make(o, SCHED_ONE, desc, 1, desc_bytes, NULL);
}
born_sched *born_sched_sequence_sized(born_optim *o, const born_sched_desc *parts, int count,
                                      const int64_t *milestones, size_t desc_bytes)
{
    return make(o, SCHED_SEQUENCE, parts, count, desc_bytes, milestones);
}
born_sched *born_sched_chain_sized(born_optim *o, const born_sched_desc *parts, int count, size_t desc_bytes)
{
    return make(o, SCHED_CHAIN, parts, count, desc_bytes, NULL);
}

void born_sched_close(born_sched **sp)
{
    born_sched *s = sp ? *sp : NULL;

    if (sp) *sp = NULL;
    if (!s || s == &dead_sched) return;
    empty(s);
    born__free(s);
}

bool born_sched_is_alive(const born_sched *s) { return s && s->o; }

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

enum { NODE_NUMBERS = 6 };

int born_sched_save(const born_sched *s, double *out, int most)
{
    int n = 0;

    if (!s || !s->o) return 0;
    int count = 1 + s->count * (NODE_NUMBERS + s->groups);
    if (!out || most < count) return count;
    out[n++] = (double)s->epoch;
    for (int i = 0; i < s->count; i++) {
        const sched_node *x = &s->node[i];
        out[n++] = (double)x->epoch, out[n++] = (double)x->t_cur, out[n++] = (double)x->t_i;
        out[n++] = x->best, out[n++] = (double)x->bad, out[n++] = (double)x->cooling;
        for (int g = 0; g < s->groups; g++) out[n++] = x->base[g];
    }
    return count;
}

static bool whole(double v) { return v >= -1 && v <= 0x1p52 && v == floor(v); }

born_status born_sched_restore(born_sched *s, const double *numbers, int count)
{
    if (!s || !s->o) return BORN_STATE;
    bool ok = numbers && count == born_sched_save(s, NULL, 0) && whole(numbers[0]);
    int width = NODE_NUMBERS + s->groups;
    for (int i = 0; ok && i < s->count; i++) {
        const double *v = numbers + 1 + i * width;
        ok = whole(v[0]) && whole(v[1]) && whole(v[2]) && whole(v[4]) && whole(v[5]) && !isnan(v[3]);
        if (s->node[i].d.kind == BORN_SCHED_COSINE_RESTARTS) ok = ok && (v[0] < 0 || v[2] >= 1);
    }
    if (!ok) return fail(s->o, BORN_INVALID, "these numbers are of another schedule");
    s->epoch = (int64_t)numbers[0];
    for (int i = 0; i < s->count; i++) {
        const double *v = numbers + 1 + i * width;
        sched_node *x = &s->node[i];
        x->epoch = (int64_t)v[0], x->t_cur = (int64_t)v[1], x->t_i = (int64_t)v[2];
        x->best = v[3], x->bad = (int64_t)v[4], x->cooling = (int64_t)v[5];
        memcpy(x->base, v + NODE_NUMBERS, (size_t)s->groups * sizeof *x->base);
    }
    return BORN_OK;
}
