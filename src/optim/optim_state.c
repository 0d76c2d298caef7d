/* What an optimiser remembers, as a list of paths: for checkpoints, and for whoever ties state in a recorded step. The
   list is the only place that names it, so that showing and restoring cannot differ. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "optim/lbfgs.h"
#include "optim/optim.h"

enum { PATH_MOST = 640 };

/* A place of the list: a tensor, or a number in one of the forms that numbers are held in. */
typedef struct place {
    char path[PATH_MOST];
    born_tensor tensor;
    double *real;
    int64_t *whole;
    int *small;
} place;
typedef bool (*place_fn)(void *user, const place *at);

static bool say(place *at, place_fn fn, void *user, const char *owner, const char *key)
{
    snprintf(at->path, sizeof at->path, "%s.%s", owner, key);
    return fn(user, at);
}

static bool walk_param(born_optim *o, born_param *p, place_fn fn, void *user)
{
    place at = { .whole = &p->step };
    if (!say(&at, fn, user, p->path, "step")) return false;
    at.whole = NULL;
    for (int k = 0; k < KEEP_MOST; k++) {
        at.real = &p->keep[k];
        if (o->row->keep[k] && !say(&at, fn, user, p->path, o->row->keep[k])) return false;
    }
    at.real = NULL;
    at.tensor = p->master;
    if (born__given(p->master) && !say(&at, fn, user, p->path, "master")) return false;
    for (int k = 0; k < STATE_MOST; k++) {
        at.tensor = p->state[k];
        if (born__given(p->state[k]) && !say(&at, fn, user, p->path, o->row->state[k])) return false;
    }
    return true;
}

static bool walk_group(born_optim *o, size_t i, place_fn fn, void *user)
{
    char owner[32];
    place at = { .real = NULL };

    snprintf(owner, sizeof owner, "group.%zu", i);
    for (int h = 0; h < H_COUNT; h++) {
        if (h > H_WEIGHT_DECAY && !(o->row->options & (1u << h))) continue;
        at.real = &o->group[i].h[h];
        if (!say(&at, fn, user, owner, born__hyper_name((born_hyper)h))) return false;
    }
    return true;
}

static bool walk(born_optim *o, place_fn fn, void *user)
{
    place at = { .whole = &o->steps };
    if (!say(&at, fn, user, "optim", "steps")) return false;
    at.whole = NULL, at.small = &o->micro;
    if (o->desc.accumulate > 1 && !say(&at, fn, user, "optim", "micro")) return false;
    if (o->scales) {
        at.small = NULL, at.real = &o->scaling.scale;
        if (!say(&at, fn, user, "scaling", "scale")) return false;
        at.real = NULL, at.small = &o->scaling.good;
        if (!say(&at, fn, user, "scaling", "growth_tracker")) return false;
        at.small = NULL, at.whole = &o->scaling.skipped;
        if (!say(&at, fn, user, "scaling", "skipped")) return false;
    }
    for (size_t i = 0; i < o->group_count; i++)
        if (!walk_group(o, i, fn, user)) return false;
    for (size_t i = 0; i < o->param_count; i++)
        if (!walk_param(o, &o->param[i], fn, user)) return false;
    if (!o->lbfgs) return true;
    lbfgs_place l;
    for (int i = 0; born__lbfgs_place(o, i, &l); i++) {
        place own = { .tensor = l.tensor, .real = l.real, .whole = l.whole, .small = l.small };
        if (!say(&own, fn, user, "lbfgs", l.key)) return false;
    }
    return true;
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

typedef struct showing {
    bool (*fn)(void *user, const born_optim_item *item);
    void *user;
} showing;

static bool show(void *user, const place *at)
{
    const showing *s = user;
    born_optim_item item = { .path = at->path, .value = at->tensor };
    item.number = at->real ? *at->real : at->whole ? (double)*at->whole : at->small ? (double)*at->small : 0;
    return s->fn(s->user, &item);
}

born_status born_optim_each(const born_optim *o, bool (*fn)(void *user, const born_optim_item *item), void *user)
{
    showing s = { fn, user };
    if (!o || !o->row) return BORN_STATE;
    (void)walk((born_optim *)(uintptr_t)o, show, &s);
    return BORN_OK;
}

/* ---- restoring --------------------------------------------------------------------------------------------------- */

typedef struct restoring {
    const char *path;
    place found;
    bool is_found;
} restoring;

static bool find(void *user, const place *at)
{
    restoring *r = user;
    if (strcmp(r->path, at->path) != 0) return true;
    r->found = *at;
    r->is_found = true;
    return false;
}

static born_status restore_number(born_optim *o, const place *at, const born_array *value)
{
    double v;

    if (value->dtype != BORN_F64 || value->shape.rank != 0 || !value->data)
        return born__optim_fail(o, BORN_DTYPE, "%.100s is a number: f64 of rank 0", at->path);
    memcpy(&v, value->data, sizeof v);
    double least = at->small ? 0 : at->whole ? 0 : -INFINITY, most = at->small ? 0x1p30 : 0x1p52;
    if (!isfinite(v) || (!at->real && (v < least || v > most || v != floor(v))))
        return born__optim_fail(o, BORN_RANGE, "%.100s cannot be %g", at->path, v);
    if (at->real) *at->real = v;
    if (at->whole) *at->whole = (int64_t)v;
    if (at->small) *at->small = (int)v;
    return BORN_OK;
}

static born_status restore_tensor(born_optim *o, const place *at, const born_array *value)
{
    born_shape shape = born_shape_of(at->tensor);
    bool same = shape.rank == value->shape.rank;

    for (int d = 0; same && d < shape.rank; d++) same = shape.dim[d] == value->shape.dim[d];
    if (!same) return born__optim_fail(o, BORN_SHAPE, "%.100s has another shape", at->path);
    if (value->dtype != born_dtype_of(at->tensor))
        return born__optim_fail(o, BORN_DTYPE, "%.100s is %s, not %s", at->path,
                                born_dtype_name(born_dtype_of(at->tensor)), born_dtype_name(value->dtype));
    int64_t bytes = born_dtype_bytes(value->dtype, born__count_of(at->tensor));
    if (bytes < 0 || (value->bytes && value->bytes != (size_t)bytes))
        return born__optim_fail(o, BORN_SHAPE, "%.100s has another size", at->path);
    return (born_write)(at->tensor, value->data, (size_t)bytes);
}

/* State exists from the first gradient on: what a checkpoint brings before is made here. */
static born_status make_room(born_optim *o, const char *path)
{
    for (size_t i = 0; i < o->param_count; i++) {
        size_t n = strlen(o->param[i].path);
        if (strncmp(o->param[i].path, path, n) != 0 || path[n] != '.' || !strcmp(path + n, ".step")) continue;
        born_scope s = born_scope_begin(o->b);
        born_status st = born__optim_state(o, &o->param[i]);
        born_scope_end(s);
        if (st) return st;
    }
    return BORN_OK;
}

born_status born_optim_restore(born_optim *o, const char *path, born_array value)
{
    restoring r = { .path = path };

    if (!o || !o->row) return BORN_STATE;
    if (!path) return born__optim_fail(o, BORN_INVALID, "restore: there is no path");
    if (!strncmp(path, "lbfgs.", 6)) BORN_TRY(born__lbfgs_room(o, path + 6, &value));
    (void)walk(o, find, &r);
    if (!r.is_found) {
        BORN_TRY(make_room(o, path));
        (void)walk(o, find, &r);
    }
    if (!r.is_found) return born__optim_fail(o, BORN_INVALID, "it remembers nothing named %.100s", path);
    if (born__given(r.found.tensor)) return restore_tensor(o, &r.found, &value);
    return restore_number(o, &r.found, &value);
}
