/* Making optimisers: options, parameters, groups. What a step does is in optim_step.c, what each kind computes in its
   row (rows_*.c). */
#include "optim/optim.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "decor/autodiff.h"
#include "graph/model.h"
#include "waist/chain.h"

static const born_optim_row *const rows[BORN_OPTIM_KINDS] = {
    [BORN_SGD] = &born__row_sgd,           [BORN_ADAM] = &born__row_adam,       [BORN_ADAMW] = &born__row_adamw,
    [BORN_ADAMAX] = &born__row_adamax,     [BORN_NADAM] = &born__row_nadam,     [BORN_RADAM] = &born__row_radam,
    [BORN_LAMB] = &born__row_lamb,         [BORN_LION] = &born__row_lion,       [BORN_RMSPROP] = &born__row_rmsprop,
    [BORN_ADAGRAD] = &born__row_adagrad,   [BORN_ADADELTA] = &born__row_adadelta, [BORN_RPROP] = &born__row_rprop,
    [BORN_ASGD] = &born__row_asgd,         [BORN_MUON] = &born__row_muon,       [BORN_LBFGS] = &born__row_lbfgs,
};

/* Where an option is in born_optim_desc, and its name. */
static const struct {
    const char *name;
    size_t offset;
} places[H_COUNT] = {
    [H_LR] = { "lr", 0 }, [H_WEIGHT_DECAY] = { "weight_decay", 0 },
#define X(ID, field) [H_##ID] = { #field, offsetof(born_optim_desc, field) },
    BORN_OPTIM_NUMBERS(X)
#undef X
};
/* The largest value of those that have one. */
#define ONE (1 - 0x1p-53)       /* below 1 */
static const double most_of[H_COUNT] = { [H_BETA1] = ONE, [H_BETA2] = ONE, [H_ALPHA] = 1, [H_RHO] = 1,
                                         [H_NS_STEPS] = 100, [H_MAX_ITER] = 1e9, [H_MAX_EVAL] = 1e9,
                                         [H_HISTORY] = 10000 };

const char *born__hyper_name(born_hyper h) { return places[h].name; }

const char *born_optim_kind_name(born_optim_kind kind)
{
    return (unsigned)kind < BORN_OPTIM_KINDS ? rows[kind]->name : NULL;
}

/* What an optimiser that found no memory is: no chain knows of it. */
static born_optim dead_optim;

born_status born__optim_fail(const born_optim *o, born_status s, const char *format, ...)
{
    char text[200];
    born_error err;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    born__fail(&err, s, "%s: %s", o->row ? o->row->name : "optimiser", text);
    if (o->b) born__chain_fail(o->b->chain, &err, NULL);
    return s;
}

born_status born__optim_status(const born_optim *o)
{
    const born_error *e = o->b ? born_backend_error(o->b) : NULL;
    return e && e->status ? e->status : BORN_STATE;
}

born_tensor born__low_keep(born_tensor x)
{
    born_tensor low = (born_detach)((born_copy)(x, NULL));
    return born_is_alive(low) ? (born_keep)(low) : low;
}

born_tensor born__low_full(born_backend *b, born_dtype t, born_shape shape, double v)
{
    return born__low_keep((born_full)(b, t, shape, v, NULL));
}

bool born__glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++, text++;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

static unsigned flags_of(const born_optim_desc *d)
{
    return (d->nesterov ? F_NESTEROV : 0u) | (d->no_nesterov ? F_NO_NESTEROV : 0u) | (d->amsgrad ? F_AMSGRAD : 0u) |
           (d->centered ? F_CENTERED : 0u) | (d->maximize ? F_MAXIMIZE : 0u) |
           (d->strong_wolfe ? F_STRONG_WOLFE : 0u) | (d->mu_twice ? F_MU_TWICE : 0u);
}

static double most(const born_optim *o, int h)
{
    return o->kind == BORN_ASGD && h == H_ALPHA ? 0 : most_of[h];
}

/* Sets an option; false (and the chain's error) where it cannot be that. */
static bool set_number(const born_optim *o, born_group *g, int h, double v)
{
    bool decay = h == H_WEIGHT_DECAY && v != 0;
    if (!(v >= 0) || !(v < INFINITY) || (most(o, h) > 0 && v > most(o, h))) {
        born__optim_fail(o, BORN_INVALID, "%s cannot be %g", places[h].name, v);
        return false;
    }
    if (decay && o->row->no_decay) {
        born__optim_fail(o, BORN_INVALID, "it has no weight_decay");
        return false;
    }
    g->h[h] = v;
    return true;
}

/* Fills g (which holds what zero fields mean) from a description. */
static bool read_group(const born_optim *o, const born_optim_desc *d, double lr, double weight_decay, born_group *g)
{
    unsigned flags = flags_of(d);

    if (!set_number(o, g, H_LR, lr) || !set_number(o, g, H_WEIGHT_DECAY, weight_decay)) return false;
    for (int h = H_WEIGHT_DECAY + 1; h < H_COUNT; h++) {
        double v;
        memcpy(&v, (const char *)d + places[h].offset, sizeof v);
        if (v == 0) continue;
        if (!(o->row->options & (1u << h))) {
            born__optim_fail(o, BORN_INVALID, "it has no option %s", places[h].name);
            return false;
        }
        if (!set_number(o, g, h, v < 0 ? 0 : v)) return false;
    }
    if (flags & ~o->row->flags) {
        born__optim_fail(o, BORN_INVALID, "a flag (nesterov, amsgrad, centered, ...) is of another optimiser");
        return false;
    }
    g->flags |= flags;
    if (g->flags & F_NESTEROV && (g->h[H_MOMENTUM] <= 0 || g->h[H_DAMPENING] != 0)) {
        born__optim_fail(o, BORN_INVALID, "nesterov needs momentum and no dampening");
        return false;
    }
    return true;
}

static bool read_whole(born_optim *o)
{
    const born_optim_desc *d = &o->desc;

    if (d->accumulate < 0 || !(d->clip_value >= 0) || !(d->clip_norm >= 0)) {
        born__optim_fail(o, BORN_INVALID, "accumulate, clip_value and clip_norm cannot be negative");
        return false;
    }
    o->only = d->only ? born__strdup_n(d->only, strlen(d->only)) : NULL;
    o->except = d->except ? born__strdup_n(d->except, strlen(d->except)) : NULL;
    if ((d->only && !o->only) || (d->except && !o->except)) {
        born__optim_fail(o, BORN_NOMEM, "out of memory");
        return false;
    }
    o->desc.only = o->desc.except = NULL;
    return true;
}

/* ---- parameters ------------------------------------------------------------------------------------------------- */

typedef struct collecting {
    born_optim *o;
    bool failed;
} collecting;

static bool add_param(void *user, const born_module_item *item)
{
    collecting *c = user;
    born_optim *o = c->o;
    born_shape shape = born_shape_of(item->value);

    if (item->role != BORN_PARAM || item->again || item->frozen || !born__is_float(item->value)) return true;
    if (o->only && !born__glob(o->only, item->path)) return true;
    if (o->except && born__glob(o->except, item->path)) return true;
    c->failed = true;
    if (o->row->matrices && shape.rank != 2) {
        born__optim_fail(o, BORN_SHAPE, "it takes matrices, and %.80s has rank %d (see only and except)", item->path,
                         shape.rank);
        return false;
    }
    if (!born__grow((void **)&o->param, &o->param_cap, o->param_count + 1, sizeof *o->param)) {
        born__optim_fail(o, BORN_NOMEM, "no memory for %.80s", item->path);
        return false;
    }
    born_param *p = &o->param[o->param_count];
    *p = (born_param){ .path = born__strdup_n(item->path, strlen(item->path)), .dtype = born_dtype_of(item->value) };
    p->compute = p->dtype == BORN_F64 ? BORN_F64 : BORN_F32;
    memcpy(p->keep, o->row->keep_first, sizeof p->keep);
    if (!p->path) {
        born__optim_fail(o, BORN_NOMEM, "no memory for %.80s", item->path);
        return false;
    }
    p->value = (born_keep)(item->value);
    o->param_count++;
    c->failed = false;
    return true;
}

born_status born__optim_state(born_optim *o, born_param *p)
{
    const double *h = o->group[p->group].h;
    unsigned uses = o->row->uses ? o->row->uses(h, o->group[p->group].flags) : (1u << STATE_MOST) - 1;
    born_shape shape = born_shape_of(p->value);

    if (p->compute != p->dtype && !born__given(p->master)) {
        born_tensor m = born__low_keep((born_cast)(p->value, p->compute, NULL));
        if (!born_is_alive(m)) return born__optim_status(o);
        p->master = m;
    }
    for (int i = 0; i < STATE_MOST; i++) {
        if (!o->row->state[i] || !(uses & (1u << i)) || born__given(p->state[i])) continue;
        born_tensor s = born__low_full(o->b, p->compute, shape, o->row->initial ? o->row->initial(h, i) : 0);
        if (!born_is_alive(s)) return born__optim_status(o);
        p->state[i] = s;
    }
    return BORN_OK;
}

static born_status collect(born_optim *o)
{
    collecting c = { .o = o };

    BORN_TRY(born_module_each(o->net, add_param, &c));
    if (c.failed) return BORN_INVALID;
    if (!o->param_count) return born__optim_fail(o, BORN_INVALID, "there are no parameters to train");
    o->numbers = born__calloc(o->param_count * NUMBERS, sizeof *o->numbers);
    if (!o->numbers) return born__optim_fail(o, BORN_NOMEM, "out of memory");
    o->operand = born__low_full(o->b, BORN_F64, BORN_SHAPE((int64_t)o->param_count, NUMBERS), 0);
    if (born_is_alive(o->operand)) return BORN_OK;
    o->operand = (born_tensor){ 0 };
    return born__optim_status(o);
}

static void empty(born_optim *o)
{
    for (size_t i = 0; i < o->param_count; i++) {
        born_param *p = &o->param[i];
        born_drop(&p->value), born_drop(&p->master);
        for (int k = 0; k < STATE_MOST; k++) born_drop(&p->state[k]);
        born__free(p->path);
    }
    born__lbfgs_free(o);
    born_drop(&o->operand);
    born__free(o->param), born__free(o->group), born__free(o->numbers);
    born__free(o->only), born__free(o->except);
    o->param = NULL, o->group = NULL, o->numbers = NULL, o->only = o->except = NULL;
    o->param_count = o->group_count = 0;
    o->row = NULL;
}

static born_status open_optim(born_optim *o, double lr, double weight_decay, const void *desc, size_t desc_bytes)
{
    born_error err = { 0 };
    born_group first = { .flags = 0 };

    if (o->kind < 0 || o->kind >= BORN_OPTIM_KINDS) return born__optim_fail(o, BORN_INVALID, "there is no such kind");
    o->row = rows[o->kind];
    if (born__desc_check(desc, desc_bytes, &o->desc, sizeof o->desc, o->row->name, &err)) {
        born__chain_fail(o->b->chain, &err, NULL);
        return err.status;
    }
    memcpy(first.h, o->row->defaults, sizeof first.h);
    if (!read_group(o, &o->desc, lr, weight_decay, &first) || !read_whole(o)) return BORN_INVALID;
    if (!born__grow((void **)&o->group, &o->group_cap, 1, sizeof first))
        return born__optim_fail(o, BORN_NOMEM, "out of memory");
    o->group[o->group_count++] = first;
    born_scope s = born_scope_begin(o->b);
    born_status st = collect(o);
    born_scope_end(s);
    return st;
}

born_optim *born_optim_create_sized(born_optim_kind kind, born_module *net, double lr, double weight_decay,
                                    const born_optim_desc *desc, size_t desc_bytes)
{
    born_backend *b = born_module_backend(net);
    born_optim *o = b ? born__calloc(1, sizeof *o) : NULL;

    if (!o) return &dead_optim;
    born__chain_hold(b);
    o->b = b, o->net = net, o->kind = kind;
    if (born__chain_alive(b->chain, NULL) || open_optim(o, lr, weight_decay, desc, desc_bytes)) empty(o);
    return o;
}

void born_optim_close(born_optim **op)
{
    born_optim *o = op ? *op : NULL;

    if (op) *op = NULL;
    if (!o || o == &dead_optim) return;
    empty(o);
    born__chain_unhold(o->b);
    born__free(o);
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

int born_optim_group_sized(born_optim *o, const char *pattern, double lr, double weight_decay,
                           const born_optim_desc *desc, size_t desc_bytes)
{
    born_error err = { 0 };
    born_optim_desc own;
    size_t moved = 0;

    if (!o || !o->row) return 0;
    if (o->steps || o->kind == BORN_LBFGS) {
        born__optim_fail(o, BORN_STATE, "a group comes before the first step, and L-BFGS has one only");
        return 0;
    }
    if (born__desc_check(desc, desc_bytes, &own, sizeof own, o->row->name, &err)) {
        born__chain_fail(o->b->chain, &err, NULL);
        return 0;
    }
    born_group g = o->group[0];
    if (!read_group(o, &own, lr < 0 ? g.h[H_LR] : lr, weight_decay < 0 ? g.h[H_WEIGHT_DECAY] : weight_decay, &g))
        return 0;
    for (size_t i = 0; i < o->param_count; i++) moved += born__glob(pattern, o->param[i].path);
    if (!moved || !born__grow((void **)&o->group, &o->group_cap, o->group_count + 1, sizeof g)) {
        born__optim_fail(o, moved ? BORN_NOMEM : BORN_INVALID, "no parameter matches '%.80s'", pattern);
        return 0;
    }
    o->group[o->group_count] = g;
    for (size_t i = 0; i < o->param_count; i++)
        if (born__glob(pattern, o->param[i].path)) o->param[i].group = (int)o->group_count;
    return (int)o->group_count++;
}

int born_optim_group_count(const born_optim *o) { return o ? (int)o->group_count : 0; }

static int find_option(const born_optim *o, int group, const char *option)
{
    if (!o || !o->row || group < 0 || (size_t)group >= o->group_count) return -1;
    for (int h = 0; h < H_COUNT; h++)
        if (!strcmp(places[h].name, option)) return h <= H_WEIGHT_DECAY || o->row->options & (1u << h) ? h : -1;
    return -1;
}

double born_optim_get(const born_optim *o, int group, const char *option)
{
    int h = find_option(o, group, option);
    return h < 0 ? (double)NAN : o->group[group].h[h];
}

born_status born_optim_set(born_optim *o, int group, const char *option, double value)
{
    int h = find_option(o, group, option);

    if (!o || !o->row) return BORN_STATE;
    if (h < 0) return born__optim_fail(o, BORN_INVALID, "group %d has no option %.40s", group, option);
    return set_number(o, &o->group[group], h, value) ? BORN_OK : BORN_INVALID;
}

int64_t born_optim_steps(const born_optim *o) { return o ? o->steps : 0; }
born_backend *born_optim_backend(const born_optim *o) { return o ? o->b : NULL; }
bool born_optim_is_alive(const born_optim *o) { return o && o->row; }
