/* Ops that put tensors together from parts: concat, split, pad, tile, center_crop_pad. All parts are moved by
   born__copy_view, dense runs at a time. */
#include "ops/copy_view.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

/* ---- concat and split ---- */

born_status born__shape_concat(born_infer *f)
{
    const born_view *x = &f->in[0];
    int axis = 0;
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(concat, f)->axis, x->rank, &axis));
    int64_t dim[BORN_MAX_RANK], total = 0;
    for (int i = 0; i < f->in_count; i++) {
        const born_view *v = &f->in[i];
        if (v->dtype == BORN_DTYPE_NONE) return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
        bool fits = v->rank == x->rank;
        for (int d = 0; fits && d < x->rank; d++) fits = d == axis || v->dim[d] == x->dim[d];
        if (!fits) return born__infer_fail(f, BORN_SHAPE, "operand %d %s does not fit operand 0 %s along axis %d", i,
                                           born__infer_shape(f, i), born__infer_shape(f, 0), axis);
        if (!born__add_i64(total, v->dim[axis], &total))
            return born__infer_fail(f, BORN_RANGE, "axis %d of the result is too large", axis);
    }
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = total;
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

/* v from `at` on along axis, `n` long. */
static born_view part_of(const born_view *v, int axis, int64_t at, int64_t n)
{
    born_view p = *v;
    p.dim[axis] = n;
    if (n > 0) p.data += at * v->stride[axis] * born__elem_size(v);
    return p;
}

/* The axis of a call whose rule has passed. */
static int axis_of(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }

born_status born__ref_concat(born_call *c, const born_exec *x)
{
    int axis = axis_of(BORN_ATTRS_OF(concat, c)->axis, c->out[0].rank);
    int64_t at = 0;
    for (int i = 0; i < c->in_count; i++) {
        int64_t n = c->in[i].dim[axis];
        born_view part = part_of(&c->out[0], axis, at, n);
        born__copy_view(&part, &c->in[i], x->pool);
        at += n;
    }
    return BORN_OK;
}

/* Part i of `parts` of n elements: ceil(n / parts) each until none are left. */
int64_t born__split_part(int64_t n, int64_t parts, int64_t i)
{
    int64_t each = n / parts + (n % parts != 0), before = 0;
    if (each == 0 || i > n / each) return 0;
    before = each * i;
    return n - before < each ? n - before : each;
}

born_status born__shape_split(born_infer *f)
{
    const born_view *x = &f->in[0];
    const born_split_attrs *a = BORN_ATTRS_OF(split, f);
    int axis = 0;
    BORN_TRY(born__axis(f, a->axis, x->rank, &axis));
    bool sizes = born__infer_has(f, 1);
    int64_t parts = a->num_outputs > 0 ? a->num_outputs : f->out_count, total = 0, dim[BORN_MAX_RANK];
    if (sizes) {
        const born_view *s = &f->in[1];
        if (s->rank != 1) return born__infer_fail(f, BORN_SHAPE, "the sizes have rank %d, not 1", s->rank);
        if (s->dim[0] > 0 && !s->data)
            return born__infer_fail(f, BORN_STATE, "operand 1 must be known when shapes are bound");
        parts = s->dim[0];
    }
    if (parts != f->out_count || parts < 1)
        return born__infer_fail(f, BORN_SHAPE, "%lld parts, but %d results", (long long)parts, f->out_count);
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < f->out_count; i++) {
        int64_t n = sizes ? born__at_i64(&f->in[1], i) : born__split_part(x->dim[axis], parts, i);
        if (n < 0 || n > x->dim[axis] - total)
            return born__infer_fail(f, BORN_SHAPE, "the sizes do not add up to dim %d of x %s", axis,
                                    born__infer_shape(f, 0));
        total += n;
        dim[axis] = n;
        born__out_set(f, i, x->dtype, x->rank, dim);
    }
    if (total != x->dim[axis])
        return born__infer_fail(f, BORN_SHAPE, "the sizes add up to %lld, and dim %d of x %s is larger",
                                (long long)total, axis, born__infer_shape(f, 0));
    return BORN_OK;
}

born_status born__ref_split(born_call *c, const born_exec *x)
{
    int axis = axis_of(BORN_ATTRS_OF(split, c)->axis, c->in[0].rank);
    int64_t at = 0;
    for (int i = 0; i < c->out_count; i++) {
        int64_t n = c->out[i].dim[axis];
        born_view part = part_of(&c->in[0], axis, at, n);
        if (c->out[i].data) born__copy_view(&c->out[i], &part, x->pool);
        at += n;
    }
    return BORN_OK;
}

/* ---- pad ---- */

born_status born__pads_read(born_infer *f, born_pads *p)
{
    const born_view *x = &f->in[0];
    int64_t v[2 * BORN_MAX_RANK], axes[BORN_MAX_RANK], n, m = x->rank;
    uint32_t mask;
    *p = (born_pads){ { 0 }, { 0 } };
    for (int i = 0; i < BORN_MAX_RANK; i++) axes[i] = i;
    if (born__infer_has(f, 3)) BORN_TRY(born__host_i64(f, 3, axes, BORN_MAX_RANK, &m));
    BORN_TRY(born__axes(f, axes, m, x->rank, &mask));
    BORN_TRY(born__host_i64(f, 1, v, 2 * BORN_MAX_RANK, &n));
    if (n != 2 * m) return born__infer_fail(f, BORN_SHAPE, "%lld pads for %lld axes", (long long)n, (long long)m);
    for (int i = 0; i < (int)m; i++) {
        int a = axis_of(axes[i], x->rank);
        p->before[a] = v[i];
        p->after[a] = v[i + m];
    }
    return BORN_OK;
}

static int64_t at_most_0(int64_t v) { return v < 0 ? v : 0; }
static int64_t at_least_0(int64_t v) { return v > 0 ? v : 0; }

born_status born__shape_pad(born_infer *f)
{
    const born_view *x = &f->in[0];
    bool constant = BORN_ATTRS_OF(pad, f)->mode == 0;
    born_pads p;
    int64_t dim[BORN_MAX_RANK];
    BORN_TRY(born__pads_read(f, &p));
    if (born__infer_has(f, 2) && born__view_count(&f->in[2]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "the value %s is not one element", born__infer_shape(f, 2));
    for (int d = 0; d < x->rank; d++) {
        int64_t kept = x->dim[d];
        bool ok = born__add_i64(kept, at_most_0(p.before[d]), &kept) &&
                  born__add_i64(kept, at_most_0(p.after[d]), &kept);
        if (!ok || kept < 0)
            return born__infer_fail(f, BORN_SHAPE, "pads crop more than dim %d of x %s", d, born__infer_shape(f, 0));
        dim[d] = kept;
        ok = born__add_i64(dim[d], at_least_0(p.before[d]), &dim[d]) &&
             born__add_i64(dim[d], at_least_0(p.after[d]), &dim[d]);
        if (!ok) return born__infer_fail(f, BORN_RANGE, "dim %d of the result is too large", d);
        if (!constant && kept == 0 && dim[d] > 0)
            return born__infer_fail(f, BORN_SHAPE, "dim %d of x %s is empty: nothing to pad from", d,
                                    born__infer_shape(f, 0));
    }
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

static int64_t wrapped(int64_t i, int64_t n)
{
    i %= n;
    return i < 0 ? i + n : i;
}

int64_t born__pad_source(int mode, int64_t i, int64_t n)
{
    if (mode == 2) return i < 0 ? 0 : n - 1;
    if (mode == 3) return wrapped(i, n);
    if (n == 1) return 0;
    i = wrapped(i, 2 * (n - 1));
    return i < n ? i : 2 * (n - 1) - i;
}

/* Fills positions [from, to) along axis of `line`, whose inner part begins at `lo` and has n elements. */
static void pad_positions(const born_view *line, int axis, int mode, int64_t from, int64_t to, int64_t lo, int64_t n,
                          const char *value, const born_exec *x)
{
    if (mode == 0) {
        born_view gap = part_of(line, axis, from, to - from);
        born__fill_view(&gap, value, x->pool);
        return;
    }
    for (int64_t i = from; i < to; i++) {
        born_view one = part_of(line, axis, i, 1), src = part_of(line, axis, lo + born__pad_source(mode, i - lo, n), 1);
        born__copy_view(&one, &src, x->pool);
    }
}

/* out = x at an offset along each dim (below 0: x is cropped), the rest filled. Axis by axis from the last: what lies
   beside the part filled so far is filled from it. */
static void pad_into(const born_view *out, const born_view *in, const born_pads *p, int mode, const char *value,
                     const born_exec *x)
{
    born_view inner = *out, src = *in;
    if (born__view_count(out) == 0) return;
    for (int d = 0; d < in->rank; d++) {
        int64_t kept = in->dim[d] + at_most_0(p->before[d]) + at_most_0(p->after[d]);
        inner = part_of(&inner, d, at_least_0(p->before[d]), kept);
        src = part_of(&src, d, -at_most_0(p->before[d]), kept);
    }
    born__copy_view(&inner, &src, x->pool);
    for (int axis = in->rank - 1; axis >= 0; axis--) {
        born_view line = *out;
        for (int d = 0; d < axis; d++) line = part_of(&line, d, at_least_0(p->before[d]), inner.dim[d]);
        int64_t lo = at_least_0(p->before[axis]), n = inner.dim[axis];
        pad_positions(&line, axis, mode, 0, lo, lo, n, value, x);
        pad_positions(&line, axis, mode, lo + n, out->dim[axis], lo, n, value, x);
    }
}

/* The padded sizes of a call, checked again: host operands could have changed. */
static bool pads_fit(const born_call *c, const born_pads *p)
{
    for (int d = 0; d < c->in[0].rank; d++) {
        int64_t n = c->in[0].dim[d], before, after;
        if (!born__add_i64(n, p->before[d], &before) || !born__add_i64(before, p->after[d], &after)) return false;
        if (after != c->out[0].dim[d] || n + at_most_0(p->before[d]) + at_most_0(p->after[d]) < 0) return false;
    }
    return true;
}

static const char no_bits[8];

born_status born__ref_pad(born_call *c, const born_exec *x)
{
    born_infer f = born__infer_of(c, x);
    born_pads p;
    BORN_TRY(born__pads_read(&f, &p));
    BORN_FAIL_IF(!pads_fit(c, &p), x->err, BORN_STATE, "%s: the result was made for another shape", c->op->name);
    pad_into(&c->out[0], &c->in[0], &p, BORN_ATTRS_OF(pad, c)->mode, born__has(c, 2) ? c->in[2].data : no_bits, x);
    return BORN_OK;
}

/* ---- center_crop_pad ---- */

born_status born__shape_center_crop_pad(born_infer *f)
{
    const born_view *x = &f->in[0];
    const born_ints *axes = &BORN_ATTRS_OF(center_crop_pad, f)->axes;
    int64_t want[BORN_MAX_RANK], dim[BORN_MAX_RANK], n;
    uint32_t mask;
    BORN_TRY(born__host_i64(f, 1, want, BORN_MAX_RANK, &n));
    BORN_TRY(born__axes(f, axes->v, axes->count, x->rank, &mask));
    if (n != (axes->count ? axes->count : x->rank))
        return born__infer_fail(f, BORN_SHAPE, "%lld sizes for x %s", (long long)n, born__infer_shape(f, 0));
    memcpy(dim, x->dim, sizeof dim);
    for (int i = 0; i < (int)n; i++) {
        if (want[i] < 0) return born__infer_fail(f, BORN_INVALID, "size %d is %lld", i, (long long)want[i]);
        dim[axes->count ? axis_of(axes->v[i], x->rank) : i] = want[i];
    }
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

born_status born__ref_center_crop_pad(born_call *c, const born_exec *x)
{
    born_pads p = { { 0 }, { 0 } };
    for (int d = 0; d < c->in[0].rank; d++) {
        int64_t grow = c->out[0].dim[d] - c->in[0].dim[d];
        p.before[d] = grow >= 0 ? grow / 2 : -(-grow / 2);
        p.after[d] = grow - p.before[d];
    }
    pad_into(&c->out[0], &c->in[0], &p, 0, no_bits, x);
    return BORN_OK;
}

/* ---- tile ---- */

born_status born__shape_tile(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t times[BORN_MAX_RANK], dim[BORN_MAX_RANK], n;
    BORN_TRY(born__host_i64(f, 1, times, BORN_MAX_RANK, &n));
    if (n != x->rank)
        return born__infer_fail(f, BORN_SHAPE, "%lld repeats for x %s", (long long)n, born__infer_shape(f, 0));
    for (int i = 0; i < x->rank; i++) {
        if (times[i] < 0) return born__infer_fail(f, BORN_INVALID, "repeat %d is %lld", i, (long long)times[i]);
        if (!born__mul_i64(x->dim[i], times[i], &dim[i]))
            return born__infer_fail(f, BORN_RANGE, "dim %d of the result is too large", i);
    }
    born__out_set(f, 0, x->dtype, x->rank, dim);
    return BORN_OK;
}

born_status born__ref_tile(born_call *c, const born_exec *x)
{
    const born_view *in = &c->in[0], *out = &c->out[0];
    int64_t dim[BORN_COPY_RANK], dst[BORN_COPY_RANK], src[BORN_COPY_RANK];
    for (int d = 0; d < in->rank; d++) {        /* each dim as repeats x elements; repeats do not move the source */
        dim[2 * d] = in->dim[d] ? out->dim[d] / in->dim[d] : 0;
        dim[2 * d + 1] = in->dim[d];
        dst[2 * d] = in->dim[d] * out->stride[d];
        dst[2 * d + 1] = out->stride[d];
        src[2 * d] = 0;
        src[2 * d + 1] = in->stride[d];
    }
    born_copy_plan p;
    born__copy_plan(&p, 2 * in->rank, dim, dst, src, born__elem_size(in));
    born__copy_run_on(&p, out->data, in->data, x->pool);
    return BORN_OK;
}
