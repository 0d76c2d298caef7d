/* Transforms as a set over a set: each item is fetched into scratch, goes through the steps between two buffers, and
   the last step writes to the caller. All shapes are known when the set is made. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "data/dataset.h"
#include "data/order.h"
#include "data/transform.h"

#define MOST_STEPS 32

typedef struct pipeline {
    born_dataset *of;
    int field, n;
    size_t buffer_bytes;        /* of each of the two */
    born_step step[MOST_STEPS];
    born_step_fn fn[MOST_STEPS];
} pipeline;

static born_status pipeline_get(void *self, const born_item_request *r, born_error *err)
{
    const pipeline *p = self;
    char *base = r->scratch;
    void *dst[BORN_MOST_FIELDS], *buffer[2] = { base, base + p->buffer_bytes };
    born_item_request inner = *r;
    memcpy(dst, r->dst, (size_t)p->of->d.field_count * sizeof *dst);
    dst[p->field] = buffer[0];
    inner.dst = dst;
    inner.scratch = base + 2 * p->buffer_bytes;
    inner.key = born__hash_u64(r->key, 1);              /* transforms below this one draw other numbers */
    BORN_TRY(born__dataset_fetch(p->of, &inner, err));
    for (int i = 0; i < p->n; i++) {
        void *to = i + 1 < p->n ? buffer[(i + 1) % 2] : r->dst[p->field];
        p->fn[i](&p->step[i], born__draw_key(BORN_DRAW_ITEM, r->key, (uint64_t)i, 0), buffer[i % 2], to);
    }
    return BORN_OK;
}

static void pipeline_close(void *self)
{
    pipeline *p = self;
    born_dataset_close(&p->of);
    born__free(p);
}

static bool is_probability(double p)
{
    return p >= 0 && p <= 1;
}

/* Whether the numbers of a step make sense. */
static bool sensible(const born_transform *t, int64_t channels)
{
    switch (t->kind) {
    case BORN_TRANSFORM_NORMALISE:
        for (int i = 0; i < 4; i++) {
            if (!isfinite(t->mean[i]) || !isfinite(t->std[i]) || !(t->std[i] > 0)) return false;
            if (channels > 4 && (t->mean[i] - t->mean[0] != 0 || t->std[i] - t->std[0] != 0)) return false;
        }
        return true;
    case BORN_TRANSFORM_FLIP:
    case BORN_TRANSFORM_FLIP_VERTICAL: return is_probability(t->p);
    case BORN_TRANSFORM_ROTATE: return t->hi >= 0 && t->hi <= 180;
    case BORN_TRANSFORM_ERASE: return is_probability(t->p) && t->lo >= 0 && t->hi <= 1 && t->lo <= t->hi;
    case BORN_TRANSFORM_JITTER:
        return t->brightness >= 0 && t->contrast >= 0 && t->saturation >= 0 && isfinite(t->brightness) &&
               isfinite(t->contrast) && isfinite(t->saturation);
    default: return true;
    }
}

/* Plans one step: f comes in and leaves as what the step makes. */
static born_status plan_step(born_step *s, int at, born_field *f, born_error *err)
{
    const born_transform *t = &s->t;
    int rank = f->shape.rank;
    bool any_shape = t->kind == BORN_TRANSFORM_TO_FLOAT || t->kind == BORN_TRANSFORM_NORMALISE;
    bool crop = t->kind == BORN_TRANSFORM_CROP || t->kind == BORN_TRANSFORM_CENTRE_CROP;
    bool moves = crop || t->kind == BORN_TRANSFORM_FLIP || t->kind == BORN_TRANSFORM_FLIP_VERTICAL;
    BORN_FAIL_IF(!any_shape && rank != 2 && rank != 3, err, BORN_SHAPE,
                 "transform %d: '%s' is no picture [C, H, W] or [H, W]: its rank is %d", at, f->name, rank);
    s->from = f->dtype;
    s->size = (size_t)born_dtype_bytes(f->dtype, 1);
    s->c = rank == 3 ? f->shape.dim[0] : 1;
    s->h = rank >= 2 && rank <= 3 ? f->shape.dim[rank - 2] : 1;
    s->w = rank >= 1 && rank <= 3 ? f->shape.dim[rank - 1] : 1;
    for (int i = 0; i < rank && rank > 3; i++) s->w *= f->shape.dim[i];
    s->to_h = s->h;
    s->to_w = s->w;
    BORN_FAIL_IF(!sensible(t, s->c), err, BORN_INVALID, "transform %d: a number of it is out of range", at);
    if (t->kind == BORN_TRANSFORM_TO_FLOAT) {
        bool known = f->dtype == BORN_U8 || f->dtype == BORN_F32 || f->dtype == BORN_F64 || f->dtype == BORN_I32 ||
                     f->dtype == BORN_I64;
        BORN_FAIL_IF(!known, err, BORN_DTYPE, "transform %d: '%s' is %s: not u8, i32, i64, f32 or f64", at, f->name,
                     born_dtype_name(f->dtype));
        f->dtype = BORN_F32;
    } else {
        BORN_FAIL_IF(!moves && f->dtype != BORN_F32, err, BORN_DTYPE,
                     "transform %d: '%s' is %s: born_to_float first", at, f->name, born_dtype_name(f->dtype));
    }
    if (crop) {
        const int64_t most = (int64_t)1 << 30;
        BORN_FAIL_IF(t->pad < 0 || t->pad > most || t->height < 1 || t->width < 1 || t->height > most ||
                         t->width > most || t->height > s->h + 2 * t->pad || t->width > s->w + 2 * t->pad,
                     err, BORN_SHAPE, "transform %d: no crop of %lld x %lld from %lld x %lld with %lld around it", at,
                     (long long)t->height, (long long)t->width, (long long)s->h, (long long)s->w, (long long)t->pad);
        s->to_h = f->shape.dim[rank - 2] = t->height;
        s->to_w = f->shape.dim[rank - 1] = t->width;
    }
    return BORN_OK;
}

static born_status plan(pipeline *p, const born_transform *steps, born_field *f, born_error *err)
{
    size_t bytes = p->of->item_bytes[p->field];
    for (int i = 0; i < p->n; i++) {
        if (bytes > p->buffer_bytes) p->buffer_bytes = bytes;
        p->step[i].t = steps[i];
        p->fn[i] = born__step_function(steps[i].kind);
        BORN_FAIL_IF(p->fn[i] == NULL, err, BORN_INVALID, "transform %d: no kind %d", i, (int)steps[i].kind);
        BORN_TRY(plan_step(&p->step[i], i, f, err));
        BORN_FAIL_IF(!born__field_bytes(f, &bytes), err, BORN_SHAPE, "transform %d: its result is too large", i);
    }
    p->buffer_bytes = born__scratch_round(p->buffer_bytes);
    return BORN_OK;
}

born_status born_dataset_transform(born_dataset *set, int field, const born_transform *steps, int n,
                                   born_dataset **out, born_error *err)
{
    born_field fields[BORN_MOST_FIELDS];
    size_t twice;
    *out = NULL;
    BORN_FAIL_IF(set == NULL || field < 0 || field >= set->d.field_count, err, BORN_RANGE, "transform: no field %d",
                 field);
    BORN_FAIL_IF(n < 1 || n > MOST_STEPS || steps == NULL, err, BORN_INVALID, "transform: %d steps, 1 to %d", n,
                 MOST_STEPS);
    memcpy(fields, set->d.fields, (size_t)set->d.field_count * sizeof *fields);
    pipeline *p = born__calloc(1, sizeof *p);
    BORN_FAIL_IF(p == NULL, err, BORN_NOMEM, "transform: no memory");
    p->of = born__dataset_keep(set);
    p->field = field;
    p->n = n;
    born_status st = plan(p, steps, &fields[field], err);
    born_dataset_desc d = born__dataset_like(set);
    d.get = pipeline_get;
    d.close = pipeline_close;
    d.self = p;
    d.fields = fields;
    if (st == BORN_OK && (!born__mul_size(2, p->buffer_bytes, &twice) ||
                          !born__add_size(twice, d.scratch_bytes, &d.scratch_bytes)))
        st = born__fail(err, BORN_SHAPE, "transform: its items are too large");
    if (st == BORN_OK) st = born_dataset_create(&d, out, err);
    if (st != BORN_OK) pipeline_close(p);
    return st;
}
