/* The step. Its parts in order: which parameters have gradients; are these finite (only with loss scaling); the
   numbers of the step, on the host, written to the operand; clipping and updates as calls that autodiff does not
   record, on the very tensors that forward used, so that a recording sees them as the same; their results wait;
   then, when all are there, assignments. Nothing a parameter remembers changes before that. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "waist/chain.h"

/* The results of one parameter's update. */
typedef struct pending {
    born_tensor value, master, state[STATE_MOST];
} pending;

static const born_site *const at = NULL;

/* ---- which, and their numbers ------------------------------------------------------------------------------------ */

/* Marks the parameters that have gradients now and gives them state; false: there are none. */
static born_status find_active(born_optim *o, bool *any)
{
    *any = false;
    for (size_t i = 0; i < o->param_count; i++) {
        born_param *p = &o->param[i];
        p->active = (born_grad_of)(p->value).w != 0;
        if (!p->active) continue;
        *any = true;
        BORN_TRY(born__optim_state(o, p));
    }
    return BORN_OK;
}

static bool same_numbers(const born_param *a, const born_param *b)
{
    return b->active && a->group == b->group && a->step == b->step && !memcmp(a->keep, b->keep, sizeof a->keep);
}

/* The factor that every gradient gets: the mean over micro-batches, and no loss scale. */
static double factor(const born_optim *o)
{
    double n = o->desc.accumulate > 1 ? (double)o->desc.accumulate : 1;
    return 1 / (n * (o->scales ? o->scaling.scale : 1));
}

static void fill_line(born_optim *o, born_param *p, double *n)
{
    const born_group *g = &o->group[p->group];

    memset(n, 0, NUMBERS * sizeof *n);
    o->row->numbers(g->h, p->step + 1, p->next_keep, n);
    n[N_DECAY] = o->row->decoupled ? 1 - g->h[H_LR] * g->h[H_WEIGHT_DECAY] : g->h[H_WEIGHT_DECAY];
    n[N_SCALE] = factor(o);
    n[N_CLIP] = o->desc.clip_norm;
}

/* Parameters of a group that have taken the same steps share a line of numbers. */
static void fill_numbers(born_optim *o)
{
    o->lines = 0;
    for (size_t i = 0; i < o->param_count; i++) {
        born_param *p = &o->param[i];
        size_t like = 0;
        p->line = -1;
        if (!p->active) continue;
        memcpy(p->next_keep, p->keep, sizeof p->keep);
        while (like < i && !same_numbers(p, &o->param[like])) like++;
        if (like < i) {
            p->line = o->param[like].line;
            memcpy(p->next_keep, o->param[like].next_keep, sizeof p->keep);
            continue;
        }
        p->line = o->lines++;
        fill_line(o, p, o->numbers + p->line * NUMBERS);
    }
}

static born_status write_numbers(born_optim *o)
{
    fill_numbers(o);
    return (born_write)(o->operand, o->numbers, o->param_count * NUMBERS * sizeof *o->numbers);
}

static void count_step(born_optim *o)
{
    for (size_t i = 0; i < o->param_count; i++) {
        born_param *p = &o->param[i];
        if (!p->active) continue;
        p->step++;
        memcpy(p->keep, p->next_keep, sizeof p->keep);
    }
    o->steps++;
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static born_tensor number_of(const born_optim *o, int line, int n, born_dtype t)
{
    born_tensor one = SLICE(SLICE(o->operand, line, line + 1, 0), n, n + 1, 1);
    return CAST(RESHAPE(one, ((born_shape){ 0 })), t);
}

/* The gradient as the update sees it, but for the norm: in its dtype, meaned and unscaled, cut. */
static born_tensor gradient_of(const born_optim *o, const born_param *p)
{
    born_tensor g = (born_grad_of)(p->value);
    if (p->compute != p->dtype) g = CAST(g, p->compute);
    if (o->scales || o->desc.accumulate > 1) g = MUL(g, number_of(o, p->line, N_SCALE, p->compute));
    if (o->desc.clip_value > 0) g = (born_clamp)(g, -o->desc.clip_value, o->desc.clip_value, NULL);
    return g;
}

/* min(1, largest norm / (norm over all + 1e-6)), in f64 where a parameter is. */
static born_tensor norm_factor(const born_optim *o, const born_tensor *g)
{
    born_tensor sum = { 0 };
    born_dtype t = BORN_F32;

    for (size_t i = 0; i < o->param_count; i++)
        if (o->param[i].line >= 0 && o->param[i].compute == BORN_F64) t = BORN_F64;
    for (size_t i = 0; i < o->param_count; i++) {
        if (o->param[i].line < 0) continue;
        born_tensor one = CAST(SUM_ALL(SQUARE(g[i])), t);
        sum = born__given(sum) ? ADD(sum, one) : one;
    }
    return (born_clamp)(DIV(number_of(o, 0, N_CLIP, t), ADD_N(SQRT(sum), 1e-6)), -INFINITY, 1, NULL);
}

static void gradients(const born_optim *o, born_tensor *g)
{
    for (size_t i = 0; i < o->param_count; i++)
        g[i] = o->param[i].line < 0 ? (born_tensor){ 0 } : gradient_of(o, &o->param[i]);
    if (o->desc.clip_norm <= 0) return;
    born_tensor by = norm_factor(o, g);
    for (size_t i = 0; i < o->param_count; i++)
        if (o->param[i].line >= 0) g[i] = MUL(g[i], CAST(by, o->param[i].compute));
}

/* Is the sum of the squares of every gradient, divided by the scale, a number? Reads one value per parameter. */
static born_status all_finite(const born_optim *o, bool *finite)
{
    *finite = true;
    for (size_t i = 0; i < o->param_count && *finite; i++) {
        const born_param *p = &o->param[i];
        double largest;
        if (!p->active) continue;
        born_tensor g = CAST((born_grad_of)(p->value), BORN_F64);
        if (born__count_of(g) == 0) continue;
        born_tensor a = (born_reduce_max)(ABS(g), (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, at);
        BORN_TRY((born_item)(a, BORN_F64, &largest));
        *finite = largest < INFINITY;       /* false for NaN */
    }
    return BORN_OK;
}

/* ---- the update -------------------------------------------------------------------------------------------------- */

static bool update_one(const born_optim *o, const born_param *p, born_tensor g, const born_tensor *numbers, pending *w)
{
    const born_group *group = &o->group[p->group];
    bool decay = group->h[H_WEIGHT_DECAY] != 0 && !o->row->own_decay, alive = true;
    born_update u = { .h = group->h, .flags = group->flags, .g = g };

    memcpy(u.n, numbers, sizeof u.n);
    memcpy(u.s, p->state, sizeof u.s);
    u.p = born__given(p->master) ? p->master : p->value;
    if (u.flags & F_MAXIMIZE) u.g = NEG(u.g);
    if (decay && !o->row->decoupled) u.g = ADD(u.g, MUL(u.p, u.n[N_DECAY]));
    if (decay && o->row->decoupled) u.p = MUL(u.p, u.n[N_DECAY]);
    o->row->update(&u, at);
    *w = (pending){ .value = u.p };
    if (born__given(p->master)) {
        w->master = u.p;
        w->value = CAST(u.p, p->dtype);
    }
    memcpy(w->state, u.s, sizeof u.s);
    alive = born_is_alive(w->value);
    for (int i = 0; i < STATE_MOST; i++) alive = alive && (!born__given(p->state[i]) || born_is_alive(w->state[i]));
    return alive;
}

/* The numbers of a line as tensors of a dtype; made once for parameters in a row that share them. */
static void numbers_of(const born_optim *o, int line, born_dtype t, born_tensor *n)
{
    for (int k = 0; k < NUMBERS; k++)
        n[k] = k == N_SCALE || k >= N_CLIP ? (born_tensor){ 0 } : number_of(o, line, k, t);
}

static bool compute_all(const born_optim *o, born_tensor *g, pending *w)
{
    born_tensor n[NUMBERS] = { { 0 } };
    int line = -1;
    born_dtype t = BORN_DTYPE_NONE;

    gradients(o, g);
    for (size_t i = 0; i < o->param_count; i++) {
        const born_param *p = &o->param[i];
        if (p->line < 0) continue;
        if (p->line != line || p->compute != t) numbers_of(o, line = p->line, t = p->compute, n);
        if (!update_one(o, p, g[i], n, &w[i])) return false;
    }
    return true;
}

bool born__optim_reserve(born_backend *b, born_tensor any, size_t count)
{
    born_scope s = born_scope_begin(b);
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) ok = born_is_alive((born_detach)(any));
    born_scope_end(s);
    return ok;
}

static bool assign(born_tensor to, born_tensor value)
{
    if (!born__given(to)) return true;
    born_scope s = born_scope_begin(born_backend_of(to));
    bool ok = born_is_alive((born_assign)(to, value, at));
    born_scope_end(s);
    return ok;
}

static born_status assign_all(const born_optim *o, const pending *w)
{
    bool ok = true;
    for (size_t i = 0; i < o->param_count; i++) {
        const born_param *p = &o->param[i];
        if (p->line < 0) continue;
        ok = assign(p->value, w[i].value) && ok;
        ok = assign(p->master, w[i].master) && ok;
        for (int k = 0; k < STATE_MOST; k++) ok = assign(p->state[k], w[i].state[k]) && ok;
    }
    return ok ? BORN_OK : born__optim_status(o);
}

static born_status apply(born_optim *o)
{
    born_tensor *g = born__calloc(o->param_count, sizeof *g);
    pending *w = born__calloc(o->param_count, sizeof *w);
    born_status s = BORN_OK;

    if (!g || !w) s = born__optim_fail(o, BORN_NOMEM, "no memory for a step");
    if (!s && (!compute_all(o, g, w) || !born__optim_reserve(o->b, o->operand, o->param_count * (STATE_MOST + 2))))
        s = born__optim_status(o);
    if (!s) s = born_sync(o->b); /* what waits on the chain finds out now whether there is memory */
    if (!s) s = assign_all(o, w);
    born__free(g), born__free(w);
    return s;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* After a step with loss scaling: shrink, or grow after enough good ones. */
static void rescale(born_scaling *s, bool finite)
{
    if (!finite) {
        s->scale *= s->desc.backoff_factor;
        s->good = 0;
        s->skipped++;
    } else if (++s->good >= s->desc.growth_interval) {
        double grown = s->scale * s->desc.growth_factor;
        if (grown <= (double)0x1p126f) s->scale = grown;
        s->good = 0;
    }
}

static born_status step(born_optim *o)
{
    bool any = false, finite = true;

    BORN_TRY(find_active(o, &any));
    if (!any) return BORN_OK;
    if (o->scales) BORN_TRY(all_finite(o, &finite));
    if (finite) {
        BORN_TRY(write_numbers(o));
        BORN_TRY(apply(o));
        count_step(o);
    }
    if (o->scales) rescale(&o->scaling, finite);
    return BORN_OK;
}

static born_status run(born_optim *o, born_status (*what)(born_optim *))
{
    born_scope s = born_scope_begin(o->b);
    bool was = born_grad_mode(o->b, false);
    born_status st = what(o);
    (void)born_grad_mode(o->b, was);
    born_scope_end(s);
    return st;
}

static born_status can_step(const born_optim *o)
{
    if (!o) return BORN_INVALID;
    if (!o->row) return born__optim_status(o);
    const born_error *e = born_backend_error(o->b);
    if (e->status) return e->status;    /* what failed before would come into the weights, or hide what fails here */
    return BORN_OK;
}

born_status born_optim_step(born_optim *o)
{
    BORN_TRY(can_step(o));
    if (!o->row->update) return born__optim_fail(o, BORN_STATE, "it steps by born_optim_step_closure");
    bool gathers = o->desc.accumulate > 1 && o->micro + 1 < o->desc.accumulate;
    born_scope scope = born_scope_begin(o->b);
    born_tensor next = born__module_next_count(o->net); /* made before anything changes */
    born_status s = born__optim_reserve(o->b, next, 2) ? BORN_OK : born__optim_status(o);
    if (!s && !gathers) s = run(o, step);
    if (!s) s = born__module_count(o->net, next);
    born_scope_end(scope);
    if (s) return s;
    o->micro = gathers ? o->micro + 1 : 0;
    if (!gathers && !o->desc.keep_grads) born_optim_zero_grad(o);
    return BORN_OK;
}

born_status born_optim_step_closure(born_optim *o, born_closure_fn closure, void *user, double *loss)
{
    double value = 0;

    BORN_TRY(can_step(o));
    if (!closure) return born__optim_fail(o, BORN_INVALID, "there is no closure");
    if (o->kind == BORN_LBFGS) return born__lbfgs_step(o, closure, user, loss);
    BORN_TRY(closure(user, &value));
    if (loss) *loss = value;
    return born_optim_step(o);
}

void born_optim_zero_grad(born_optim *o)
{
    if (!o || !o->row) return;
    for (size_t i = 0; i < o->param_count; i++) (born_grad_clear)(o->param[i].value);
}

born_tensor born_optim_operand(born_optim *o)
{
    return o && o->row ? o->operand : born__poison(BORN_STATE);
}

born_status born_optim_tick(born_optim *o)
{
    BORN_TRY(can_step(o));
    if (!o->row->update) return born__optim_fail(o, BORN_STATE, "it steps by born_optim_step_closure");
    BORN_TRY(write_numbers(o));
    if (!o->lines) return born__optim_fail(o, BORN_STATE, "no parameter has taken part in a step yet");
    count_step(o);
    return BORN_OK;
}

static born_status meet(born_optim *o)
{
    bool any = false;

    BORN_TRY(find_active(o, &any));
    BORN_TRY(write_numbers(o));
    return any ? BORN_OK : born__optim_fail(o, BORN_STATE, "no parameter has a gradient of this loss");
}

born_status born__optim_meet(born_optim *o)
{
    BORN_TRY(can_step(o));
    return run(o, meet);
}

const double *born__optim_numbers(born_optim *o)
{
    fill_numbers(o);
    return o->numbers;
}

void born__optim_count(born_optim *o) { count_step(o); }

born_status born_optim_apply(born_optim *o)
{
    BORN_TRY(can_step(o));
    for (size_t i = 0; i < o->param_count; i++)
        if (((born_grad_of)(o->param[i].value).w != 0) != (o->param[i].line >= 0))
            return born__optim_fail(o, BORN_STATE, "%.80s has a gradient now and had none before, or the reverse",
                                    o->param[i].path);
    return run(o, apply);
}

/* ---- loss scaling ------------------------------------------------------------------------------------------------ */

born_status born_optim_scaling_sized(born_optim *o, const born_scaling_desc *desc, size_t desc_bytes)
{
    born_scaling_desc d = { 0 };

    BORN_TRY(can_step(o));
    if (desc) memcpy(&d, desc, desc_bytes < sizeof d ? desc_bytes : sizeof d);
    if (d.init_scale == 0) d.init_scale = 65536;
    if (d.growth_factor == 0) d.growth_factor = 2;
    if (d.backoff_factor == 0) d.backoff_factor = 0.5;
    if (d.growth_interval == 0) d.growth_interval = 2000;
    if (!(d.init_scale > 0 && d.init_scale < INFINITY) || !(d.growth_factor > 1 && d.growth_factor < INFINITY) ||
        !(d.backoff_factor > 0 && d.backoff_factor < 1) || d.growth_interval < 1)
        return born__optim_fail(o, BORN_INVALID, "loss scaling: a scale above 0, growth above 1, backoff below 1");
    o->scaling = (born_scaling){ .desc = d, .scale = d.init_scale };
    o->scales = true;
    return BORN_OK;
}

born_tensor born_optim_scale(born_optim *o, born_tensor loss)
{
    return o && o->scales ? MUL(loss, born__like(loss, o->scaling.scale, at)) : loss;
}

double born_optim_scale_now(const born_optim *o) { return o && o->scales ? o->scaling.scale : 1; }
int64_t born_optim_skipped(const born_optim *o) { return o ? o->scaling.skipped : 0; }
