/* Clipping of gradients outside a step, and averaged weights. Both go over the parameters below a module. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "nn/module.h"
#include "optim/optim.h"
#include "waist/chain.h"

static const born_site *const at = NULL;

/* The next trained tensor below net, each once, in the order of born_module_each. */
typedef bool (*each_fn)(void *ctx, born_tensor p, const char *path);
typedef struct visit {
    each_fn fn;
    void *ctx;
} visit;

static bool visit_item(void *user, const born_module_item *item)
{
    const visit *v = user;
    if (item->role != BORN_PARAM || item->again || !born__is_float(item->value)) return true;
    return v->fn(v->ctx, item->value, item->path);
}

static born_status each_param(const born_module *net, each_fn fn, void *ctx)
{
    visit v = { fn, ctx };
    return born_module_each(net, visit_item, &v);
}

/* ---- clipping ---------------------------------------------------------------------------------------------------- */

typedef struct clipping {
    double order;               /* of the norm */
    double limit;
    born_tensor sum, by;
    born_status status;
} clipping;

static bool add_norm(void *ctx, born_tensor p, const char *path)
{
    clipping *c = ctx;
    born_tensor g = (born_grad_of)(p), one;
    born_reduce_attrs drop = { .drop_dims = true };

    (void)path;
    if (!born__given(g) || born__count_of(g) == 0) return true;
    g = CAST(g, BORN_F64);
    if (c->order == 2) one = SUM_ALL(SQUARE(g));
    else if (c->order < INFINITY) one = SUM_ALL(POW_N(ABS(g), c->order));
    else one = (born_reduce_max)(ABS(g), (born_ints){ 0 }, &drop, at);
    if (!born__given(c->sum)) c->sum = one;
    else c->sum = c->order < INFINITY ? ADD(c->sum, one) : MAX(c->sum, one);
    return true;
}

static bool scale_one(void *ctx, born_tensor p, const char *path)
{
    clipping *c = ctx;
    born_tensor g = (born_grad_of)(p);

    (void)path;
    if (!born__given(g)) return true;
    if (born__given(c->by)) g = MUL(g, CAST(c->by, born_dtype_of(g)));
    else g = (born_clamp)(g, -c->limit, c->limit, NULL);
    c->status = born_is_alive(g) ? born_grad_set(p, g) : BORN_STATE;
    return !c->status;
}

static born_status fail(const born_module *net, born_status s, const char *text)
{
    if (net) born__module_fail(net, s, "%s", text);
    return s;
}

static born_status clip_norm(born_module *net, clipping *c, double *total)
{
    BORN_TRY(each_param(net, add_norm, c));
    if (total) *total = 0;
    if (!born__given(c->sum)) return BORN_OK;
    born_tensor norm = c->sum;
    if (c->order == 2) norm = SQRT(norm);
    else if (c->order < INFINITY) norm = POW_N(norm, 1 / c->order);
    if (total) BORN_TRY((born_item)(norm, BORN_F64, total));
    born_tensor limit = born__like(norm, c->limit, at);
    c->by = (born_clamp)(DIV(limit, ADD_N(norm, 1e-6)), -INFINITY, 1, NULL);
    BORN_TRY(each_param(net, scale_one, c));
    return c->status;
}

born_status born_clip_grad_norm(born_module *net, double max_norm, double norm_type, double *total)
{
    clipping c = { .order = norm_type == 0 ? 2 : norm_type, .limit = max_norm };
    born_backend *b = born_module_backend(net);

    if (!b) return BORN_STATE;
    if (!(max_norm >= 0) || !(c.order > 0)) return fail(net, BORN_INVALID, "clip_grad_norm: a norm is not below 0");
    born_scope s = born_scope_begin(b);
    bool was = born_grad_mode(b, false);
    born_status st = clip_norm(net, &c, total);
    (void)born_grad_mode(b, was);
    born_scope_end(s);
    return st;
}

born_status born_clip_grad_value(born_module *net, double value)
{
    clipping c = { .limit = value };
    born_backend *b = born_module_backend(net);

    if (!b) return BORN_STATE;
    if (!(value >= 0)) return fail(net, BORN_INVALID, "clip_grad_value: a value is not below 0");
    born_scope s = born_scope_begin(b);
    bool was = born_grad_mode(b, false);
    born_status st = each_param(net, scale_one, &c);
    (void)born_grad_mode(b, was);
    born_scope_end(s);
    return st ? st : c.status;
}

/* ---- averages ---------------------------------------------------------------------------------------------------- */

typedef struct average {
    char *path;
    born_tensor value, mean;    /* kept; mean: below autodiff */
} average;

struct born_ema {
    born_backend *b;            /* held; NULL: dead */
    double decay;
    int64_t updates;
    average *item;
    size_t count, cap;
};
static born_ema dead_ema;

static bool add_average(void *ctx, born_tensor p, const char *path)
{
    born_ema *e = ctx;
    average a = { .path = born__strdup_n(path, strlen(path)) };

    if (a.path && born__grow((void **)&e->item, &e->cap, e->count + 1, sizeof a)) {
        a.mean = born__low_keep(p);
        if (born_is_alive(a.mean)) {
            a.value = (born_keep)(p);
            e->item[e->count++] = a;
            return true;
        }
    }
    born__free(a.path);
    e->decay = -1;
    return false;
}

born_ema *born_ema_create(born_module *net, double decay)
{
    born_backend *b = born_module_backend(net);
    born_ema *e = b ? born__calloc(1, sizeof *e) : NULL;

    if (!e) return &dead_ema;
    born__chain_hold(b);
    e->b = b, e->decay = decay;
    if (!(decay >= 0 && decay <= 1)) {
        fail(net, BORN_INVALID, "ema: a decay is from 0 to 1");
        return e->decay = -1, e;
    }
    born_scope s = born_scope_begin(b);
    if (each_param(net, add_average, e) || !e->count) e->decay = -1;
    born_scope_end(s);
    if (e->decay < 0) fail(net, BORN_STATE, "ema: it could not be made: no memory or no parameters");
    return e;
}

void born_ema_close(born_ema **ep)
{
    born_ema *e = ep ? *ep : NULL;

    if (ep) *ep = NULL;
    if (!e || e == &dead_ema) return;
    for (size_t i = 0; i < e->count; i++) {
        born_drop(&e->item[i].value), born_drop(&e->item[i].mean);
        born__free(e->item[i].path);
    }
    born__chain_unhold(e->b);
    born__free(e->item);
    born__free(e);
}

/* first: what goes to the averages; second: to the weights ({0}: nothing). All are computed before any is assigned. */
static born_status assign_both(born_ema *e, const born_tensor *first, const born_tensor *second)
{
    bool ok = true;
    for (size_t i = 0; i < e->count; i++) ok = ok && born_is_alive(first[i]) && (!second || born_is_alive(second[i]));
    for (size_t i = 0; ok && i < e->count; i++) {
        ok = born_is_alive((born_assign)(e->item[i].mean, first[i], at));
        if (second) ok = born_is_alive((born_assign)(e->item[i].value, second[i], at)) && ok;
    }
    if (ok) return BORN_OK;
    born_status s = born_backend_error(e->b)->status;
    return s ? s : BORN_STATE;
}

static void averages(const born_ema *e, bool first_one, born_tensor *to)
{
    for (size_t i = 0; i < e->count; i++) {
        const average *a = &e->item[i];
        born_tensor d = born__like(a->mean, e->decay, at), r = born__like(a->mean, 1 - e->decay, at);
        to[i] = first_one ? (born_copy)(a->value, at) : MIX(a->mean, d, a->value, r);
    }
}

static born_status change(born_ema *e, bool first_one, bool swap)
{
    if (!e || !e->b || e->decay < 0) return BORN_STATE;
    born_tensor *first = born__calloc(2 * e->count, sizeof *first), *second = first ? first + e->count : NULL;
    if (!first) return BORN_NOMEM;
    born_scope s = born_scope_begin(e->b);
    bool was = born_grad_mode(e->b, false);
    if (!swap) averages(e, first_one, first);
    for (size_t i = 0; swap && i < e->count; i++) {
        first[i] = (born_copy)(e->item[i].value, at);
        second[i] = (born_copy)(e->item[i].mean, at);
    }
    born_status st = assign_both(e, first, swap ? second : NULL);
    (void)born_grad_mode(e->b, was);
    born_scope_end(s);
    born__free(first);
    return st;
}

born_status born__ema_apply(born_ema *e) { return change(e, false, false); }
void born__ema_count(born_ema *e) { e->updates++; }
void born__ema_set_updates(born_ema *e, int64_t updates) { e->updates = updates; }

born_status born_ema_update(born_ema *e)
{
    BORN_TRY(change(e, e && !e->updates, false));
    born__ema_count(e);
    return BORN_OK;
}

born_status born_ema_swap(born_ema *e) { return change(e, false, true); }

born_tensor born_ema_find(const born_ema *e, const char *path)
{
    for (size_t i = 0; e && i < e->count; i++)
        if (!strcmp(e->item[i].path, path)) return e->item[i].mean;
    return (born_tensor){ 0 };
}

int64_t born_ema_updates(const born_ema *e) { return e ? e->updates : 0; }
