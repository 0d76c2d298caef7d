/* Rule and reference kernel of resize. Each resampled axis has a table of taps (byte offset and weight) in scratch. A
   result is a sum over the taps of all resampled axes: the last of them innermost, each product and sum rounded (no
   FMA). Results are made 64 at a time along one axis: an axis that is not resampled and dense (channels, in the
   channels-last layout), so that all 64 share their taps, else the last one. The choice does not change what is
   computed. */
#include <math.h>

#include "ops/resize_job.h"

born_resize_row born__resize_row(const born_resize_job *j, int64_t r, size_t weight_size)
{
    born_resize_row w = { .x = j->x, .y = j->y };
    int64_t o[BORN_MAX_RANK];
    for (int d = j->rank - 1; d >= 0; d--) {
        o[d] = d == j->lane ? 0 : r % j->out[d];
        if (d != j->lane) r /= j->out[d];
        w.y += o[d] * j->ys[d];
        if (!j->active[d]) w.x += o[d] * j->xs[d];
    }
    for (int k = 0; k < j->tables; k++) {
        const born_resize_table *t = &j->table[k];
        int64_t at = o[t->axis] * t->taps;
        w.offset[k] = t->offset + at;
        w.weight[k] = (const char *)t->weight + (size_t)at * weight_size;
        if (t->axis == j->lane) w.lane_active = true;
        else if (t->outside[o[t->axis]]) w.outside = true;
    }
    w.outer = j->tables > 0 ? j->tables - 1 : 0;
    return w;
}

void born__resize_fill(const born_resize_job *j, const born_resize_row *w, int64_t o, int64_t n, size_t size)
{
    const uint8_t *outside = w->lane_active && !w->outside ? j->table[j->tables - 1].outside + o : NULL;
    if (!outside && !w->outside) return;
    for (int64_t e = 0; e < n; e++)
        if (!outside || outside[e]) memcpy(w->y + (o + e) * j->ys[j->lane], &j->fill, size);
}

enum { RESIZE_LANES = 64 };

#define BORN_EACH "ops/resize_near.inc"
#include "ops/each_size.inc"
#define BORN_EACH "ops/resize_mix.inc"
#include "ops/each_num.inc"

born_status born__shape_resize(born_infer *f)
{
    born_resize_plan p;
    BORN_TRY(born__resize_plan(f, &p));
    if (f->in[0].dtype == BORN_BOOL && BORN_ATTRS_OF(resize, f)->mode != BORN_RESIZE_NEAREST)
        return born__infer_fail(f, BORN_DTYPE, "bool is resized to the nearest only");
    born__out_like(f, 0, &f->in[0]);
    for (int i = 0; i < p.rank && f->out_count > 0; i++) f->out[0].dim[i] = p.axis[i].out;
    return BORN_OK;
}

static born_status plan_of(const born_call *c, born_resize_plan *p, born_error *err)
{
    born_infer f = { .op = c->op, .attrs = c->attrs, .in_count = c->in_count, .in = c->in, .err = err };
    return born__resize_plan(&f, p);
}

/* Bytes of one axis's tables, a multiple of 8. */
static bool table_bytes(const born_resize_axis *x, size_t *bytes)
{
    size_t n, flags;
    bool fits = (uint64_t)x->out <= SIZE_MAX && (uint64_t)x->taps <= SIZE_MAX &&
                born__mul_size((size_t)x->out, (size_t)x->taps, &n) && born__mul_size(n, 16, &n) &&
                born__add_size((size_t)x->out, 7, &flags) && born__add_size(n, flags & ~(size_t)7, &n);
    if (fits) *bytes = n;
    return fits;
}

size_t born__scratch_resize(const born_call *c)
{
    born_resize_plan p;
    size_t total = 0, n;
    if (plan_of(c, &p, NULL) != BORN_OK) return 0;      /* the run reports it */
    for (int i = 0; i < p.rank; i++)
        if (p.axis[i].active && (!table_bytes(&p.axis[i], &n) || !born__add_size(total, n, &total))) return SIZE_MAX;
    return total;
}

/* Weights [n] from f64 to f32 in their place. */
static void narrow(void *weight, int64_t n)
{
    char *p = weight;
    for (int64_t i = 0; i < n; i++) {
        double d;
        memcpy(&d, p + i * (int64_t)sizeof d, sizeof d);
        float f = (float)d;
        memcpy(p + i * (int64_t)sizeof f, &f, sizeof f);
    }
}

static void fill_tables(const born_call *c, const born_resize_plan *p, born_resize_job *j, char *scratch)
{
    const born_resize_attrs *a = BORN_ATTRS_OF(resize, c);
    for (int i = 0; i < p->rank; i++) {
        const born_resize_axis *x = &p->axis[i];
        if (!x->active) continue;
        born_resize_table *t = &j->table[j->tables++];
        int64_t n = x->out * x->taps;
        *t = (born_resize_table){ .axis = i, .taps = x->taps, .offset = (int64_t *)(void *)scratch };
        t->weight = scratch + n * 8;
        t->outside = (uint8_t *)scratch + n * 16;
        scratch += n * 16 + ((x->out + 7) & ~(int64_t)7);
        born__resize_taps(a, x, t->offset, t->weight, t->outside);
        for (int64_t k = 0; k < n; k++) t->offset[k] *= j->xs[i];
        if (j->dtype == BORN_F32) narrow(t->weight, n);
    }
}

/* The last axis, or one that all its 64 results can share their taps on. */
static int lane_axis(const born_resize_plan *p, const born_view *x, const born_view *y)
{
    for (int d = p->rank - 1; d >= 0; d--)
        if (!p->axis[d].active && y->dim[d] > 1 && y->stride[d] == 1 && x->stride[d] == 1) return d;
    return p->rank - 1;
}

born_status born__resize_by(born_call *c, const born_exec *x, born_resize_rows mix_f32)
{
    const born_resize_attrs *a = BORN_ATTRS_OF(resize, c);
    const born_view *v = &c->in[0], *y = &c->out[0];
    int size = born__elem_size(v);
    born_resize_plan p;
    born_resize_job j = { .rank = v->rank, .x = v->data, .y = y->data, .dtype = v->dtype };
    BORN_TRY(plan_of(c, &p, x->err));
    if (born__view_count(y) == 0) return BORN_OK;
    if (v->rank == 0) {
        memcpy(y->data, v->data, (size_t)size);
        return BORN_OK;
    }
    BORN_FAIL_IF(x->scratch_bytes < born__scratch_resize(c), x->err, BORN_INTERNAL, "%s: scratch is too small",
                 c->op->name);
    int64_t rows = 1;
    j.lane = lane_axis(&p, v, y);
    for (int d = 0; d < p.rank; d++) {
        j.out[d] = y->dim[d];
        j.xs[d] = v->stride[d] * size;
        j.ys[d] = y->stride[d] * size;
        j.active[d] = p.axis[d].active;
        if (d != j.lane) rows *= y->dim[d];
    }
    fill_tables(c, &p, &j, x->scratch);
    born__store_f64(v->dtype, &j.fill, a->extrapolation_value);
    void (*body)(void *, int64_t, int64_t) = a->mode == BORN_RESIZE_NEAREST ? BORN_PICK_SIZE(size, resize_near)
                                                                             : BORN_PICK_NUM(v->dtype, resize_mix);
    if (!body) return born__no_body(c, x);
    if (mix_f32 && v->dtype == BORN_F32 && a->mode != BORN_RESIZE_NEAREST && j.tables > 0) body = mix_f32;
    born__exec_for(x, rows, 1 + 4096 / y->dim[j.lane], body, &j);
    return BORN_OK;
}

born_status born__ref_resize(born_call *c, const born_exec *x)
{
    return born__resize_by(c, x, NULL);
}
