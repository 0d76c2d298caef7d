/* The parts of ref.h that are not inline: axes and host operands for shape rules, and the walk over strided views. */
#include <stdarg.h>
#include <stdio.h>

#include "ops/ref.h"

born_status born__infer_fail(born_infer *f, born_status s, const char *fmt, ...)
{
    char text[sizeof f->err->text];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return born__fail(f->err, s, "%s: %s", f->op->name, text);
}

born_status born__axis(born_infer *f, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return born__infer_fail(f, BORN_RANGE, "axis %lld is outside rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return BORN_OK;
}

born_status born__axes(born_infer *f, const int64_t *v, int64_t n, int rank, uint32_t *mask)
{
    *mask = 0;
    for (int64_t i = 0; i < n; i++) {
        int a = 0;
        BORN_TRY(born__axis(f, v[i], rank, &a));
        if (*mask >> a & 1u) return born__infer_fail(f, BORN_INVALID, "axis %d is given twice", a);
        *mask |= 1u << a;
    }
    return BORN_OK;
}

static born_status host_operand(born_infer *f, int i, int64_t cap, int64_t *count)
{
    const born_view *v = &f->in[i];
    if (v->rank > 1) return born__infer_fail(f, BORN_SHAPE, "operand %d has rank %d, not 0 or 1", i, v->rank);
    *count = v->rank == 1 ? v->dim[0] : 1;
    if (*count > cap)
        return born__infer_fail(f, BORN_SHAPE, "operand %d has %lld elements, more than %lld", i, (long long)*count,
                                (long long)cap);
    if (*count > 0 && !v->data)
        return born__infer_fail(f, BORN_STATE, "operand %d must be known when shapes are bound", i);
    return BORN_OK;
}

born_status born__host_i64(born_infer *f, int i, int64_t *out, int64_t cap, int64_t *count)
{
    BORN_TRY(host_operand(f, i, cap, count));
    const born_view *v = &f->in[i];
    if (!born__dtype_is(v->dtype, BORN_DT_INT | BORN_DT_BOOL))
        return born__infer_fail(f, BORN_DTYPE, "operand %d is %s, not an integer", i, born_dtype_name(v->dtype));
    for (int64_t k = 0; k < *count; k++) out[k] = born__at_i64(v, k);
    return BORN_OK;
}

born_status born__host_f64(born_infer *f, int i, double *out, int64_t cap, int64_t *count)
{
    BORN_TRY(host_operand(f, i, cap, count));
    if (!born__dtype_is(f->in[i].dtype, BORN_DT_ALL))
        return born__infer_fail(f, BORN_DTYPE, "operand %d is %s, not a number", i, born_dtype_name(f->in[i].dtype));
    for (int64_t k = 0; k < *count; k++) out[k] = born__at_f64(&f->in[i], k);
    return BORN_OK;
}

void born__nd_start(born_nd *w, const int64_t *dim, int rank)
{
    w->rank = rank; /* the rest is filled as operands come: it is on the road of every call */
    w->ops = 0;
    w->total = 1;
    for (int d = 0; d < rank; d++) {
        w->dim[d] = dim[d];
        w->total = (int64_t)((uint64_t)w->total * (uint64_t)dim[d]);     /* may pass 2^63 on the way to 0 */
    }
}

int born__nd_add_raw(born_nd *w, char *data, const int64_t *stride, int elem_size)
{
    int k = w->ops++;
    w->base[k] = data;
    for (int d = 0; d < w->rank; d++) w->step[k][d] = stride[d] * elem_size;
    return k;
}

int born__nd_add(born_nd *w, const born_view *v)
{
    int64_t stride[BORN_MAX_RANK] = { 0 };
    int lead = w->rank - v->rank;
    for (int d = 0; d < v->rank; d++) {
        bool spread = v->dim[d] == 1;       /* also where the walk's dim is 1: the step is never taken */
        if (lead + d >= 0) stride[lead + d] = spread ? 0 : v->stride[d];
    }
    return born__nd_add_raw(w, v->data, stride, born__elem_size(v));
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

static void swap_dims(born_nd *w, int a, int b)
{
    int64_t t = w->dim[a];
    w->dim[a] = w->dim[b];
    w->dim[b] = t;
    for (int k = 0; k < w->ops; k++) {
        t = w->step[k][a];
        w->step[k][a] = w->step[k][b];
        w->step[k][b] = t;
    }
}

void born__nd_free_order(born_nd *w)
{
    for (int i = 1; i < w->rank; i++)       /* insertion: at most 8 dims, stable */
        for (int j = i; j > 0 && magnitude(w->step[0][j - 1]) < magnitude(w->step[0][j]); j--) swap_dims(w, j - 1, j);
}

void born__nd_merge(born_nd *w)
{
    int n = 0;
    if (w->total == 0) w->rank = 0;     /* nothing to visit: dims beside a 0 may be too large to multiply */
    for (int d = 0; d < w->rank; d++) {
        if (w->dim[d] == 1) continue;
        bool joins = n > 0;
        for (int k = 0; joins && k < w->ops; k++) joins = w->step[k][n - 1] == w->step[k][d] * w->dim[d];
        int to = joins ? n - 1 : n;
        w->dim[to] = joins ? w->dim[to] * w->dim[d] : w->dim[d];
        for (int k = 0; k < w->ops; k++) w->step[k][to] = w->step[k][d];
        n = to + 1;
    }
    if (n == 0) {
        w->dim[0] = 1;
        for (int k = 0; k < w->ops; k++) w->step[k][0] = 0;
        n = 1;
    }
    w->rank = n;
}

char *born__nd_at(const born_nd *w, int k, int64_t i)
{
    return w->base[k] + born__offset_of(w->dim, w->step[k], w->rank, i);
}

void born__nd_range(const born_nd *w, int64_t begin, int64_t end, born_nd_body body, void *ctx)
{
    if (begin >= end) return;
    int last = w->rank - 1;
    int64_t at[BORN_MAX_RANK], inner = w->dim[last], step[BORN_ND_OPS];
    char *p[BORN_ND_OPS];
    int64_t i = begin;
    for (int d = last; d >= 0; d--) {
        at[d] = i % w->dim[d];
        i /= w->dim[d];
    }
    for (int k = 0; k < w->ops; k++) {
        p[k] = born__nd_at(w, k, begin);
        step[k] = w->step[k][last];
    }
    for (i = begin; i < end;) {
        int64_t n = inner - at[last];
        if (n > end - i) n = end - i;
        body(ctx, p, step, n);
        i += n;
        if (i >= end) break;
        for (int k = 0; k < w->ops; k++) p[k] -= at[last] * step[k];    /* the run ended at the end of its row */
        at[last] = 0;
        for (int d = last - 1; d >= 0; d--) {
            at[d]++;
            for (int k = 0; k < w->ops; k++) p[k] += w->step[k][d];
            if (at[d] < w->dim[d]) break;
            for (int k = 0; k < w->ops; k++) p[k] -= w->step[k][d] * w->dim[d];
            at[d] = 0;
        }
    }
}

typedef struct nd_job { const born_nd *w; born_nd_body body; void *ctx; } nd_job;
static void nd_part(void *ctx, int64_t begin, int64_t end)
{
    const nd_job *j = ctx;
    born__nd_range(j->w, begin, end, j->body, j->ctx);
}

void born__nd_for(const born_nd *w, const born_exec *x, int64_t grain, born_nd_body body, void *ctx)
{
    if (w->total <= 0) return;
    nd_job j = { w, body, ctx };
    if (w->total <= grain) nd_part(&j, 0, w->total);
    else born__exec_for(x, w->total, grain, nd_part, &j);
}
