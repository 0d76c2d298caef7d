/* Reference kernels of reductions over any axes. An output's value is a chain over the reduced axes that are not in the
   trailing run, of terms that are rows over that run, or single elements where there is none (reduce.h has the order).
   Outputs are independent and run in parallel; within one call they are handled 256 at a time. */
#include "ops/reduce.h"

#include <math.h>

#include "ops/ref.h"

static born_status reduce_axes(born_infer *f, uint32_t *mask)
{
    const born_reduce_attrs *a = BORN_ATTRS_OF(reduce, f);      /* variance's begin alike */
    int64_t axes[BORN_MAX_RANK], n = 0;
    int rank = f->in[0].rank;
    *mask = 0;
    if (born__infer_has(f, 1)) BORN_TRY(born__host_i64(f, 1, axes, BORN_MAX_RANK, &n));
    BORN_TRY(born__axes(f, axes, n, rank, mask));
    if (n == 0 && !a->noop_with_empty_axes) *mask = (1u << rank) - 1;
    return BORN_OK;
}

born_status born__shape_reduce(born_infer *f)
{
    uint32_t mask;
    int64_t dim[BORN_MAX_RANK];
    int rank = 0;
    BORN_TRY(reduce_axes(f, &mask));
    bool keep = !BORN_ATTRS_OF(reduce, f)->drop_dims;
    for (int d = 0; d < f->in[0].rank; d++) {
        if (!(mask >> d & 1u)) dim[rank++] = f->in[0].dim[d];
        else if (keep) dim[rank++] = 1;
    }
    born__out_set(f, 0, f->in[0].dtype, rank, dim);
    return BORN_OK;
}

/* What one call reduces: walks over the kept dims (out, in), the other reduced dims (in) and the trailing run (in). */
typedef struct reduction {
    born_nd kept, other, row;
    bool has_row;
    born_dtype dtype;
    born_class cls;
    int size;
    int64_t count;              /* terms of one output in all */
    born_reducer first, second; /* second.combine NULL: one pass */
    bool mean_first;            /* between the passes the first one's result becomes a mean */
    bool divides;               /* the result, by the divisor */
    double divisor;
    born_span_fn last;          /* map of the result; NULL: none */
    bool add_back;              /* log-sum-exp: the first pass's result is added at the end */
} reduction;

static void prepare_walks(reduction *w, const born_call *c, uint32_t mask)
{
    const born_view *v = &c->in[0], *o = &c->out[0];
    int64_t dim[3][BORN_MAX_RANK], stride[3][BORN_MAX_RANK], out_stride[BORN_MAX_RANK];
    int n[3] = { 0, 0, 0 }, od = 0;
    bool keep = o->rank == v->rank;
    int tail = v->rank;
    while (tail > 0 && (mask >> (tail - 1) & 1u)) tail--;
    for (int d = 0; d < v->rank; d++) {
        int k = !(mask >> d & 1u) ? 0 : d < tail ? 1 : 2;
        dim[k][n[k]] = v->dim[d];
        stride[k][n[k]] = v->stride[d];
        if (k == 0) out_stride[n[0]] = o->stride[od];
        if (k == 0 || keep) od++;
        n[k]++;
    }
    born__nd_start(&w->kept, dim[0], n[0]);
    born__nd_add_raw(&w->kept, o->data, out_stride, born__elem_size(o));
    born__nd_add_raw(&w->kept, v->data, stride[0], born__elem_size(v));
    born__nd_merge(&w->kept);
    born__nd_start(&w->other, dim[1], n[1]);
    born__nd_add_raw(&w->other, NULL, stride[1], born__elem_size(v));
    born__nd_merge(&w->other);
    born__nd_start(&w->row, dim[2], n[2]);
    born__nd_add_raw(&w->row, NULL, stride[2], born__elem_size(v));
    born__nd_merge(&w->row);
    w->has_row = tail < v->rank;
    w->count = w->other.total * w->row.total;
}

/* n terms at p, `step` bytes apart, as numbers of the class after shift and map; m (may be NULL) points at n numbers,
   or at one for all. buf and tmp are scratch. */
static const void *terms(const reduction *w, const born_reducer *r, const char *p, int64_t step, int64_t n,
                         const void *m, bool m_each, born_run *buf, born_run *tmp)
{
    static const double none[2] = { 0, 0 };
    const void *v = born__run_read(w->cls, w->dtype, p, step, n, buf);
    if (m) {
        if (!m_each) {
            for (int64_t i = 0; i < n; i++) memcpy((char *)tmp + i * w->size, m, (size_t)w->size);
            m = tmp;
        }
        r->shift(none, v, m, buf, n);
        v = buf;
    }
    if (r->map) {
        r->map(none, v, NULL, buf, n);
        v = buf;
    }
    return v;
}

/* A row being fed. Runs come in any length; they are held back until 256 are together, so that lanes stay aligned. */
typedef struct row_feed {
    const reduction *w;
    const born_reducer *r;
    const void *m;
    born_row row;
    born_run hold;
    int64_t held;
} row_feed;

static void row_part(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    row_feed *f = ctx;
    born_run buf, tmp;
    for (int64_t done = 0, k; done < n; done += k) {
        k = n - done < BORN_RUN - f->held ? n - done : BORN_RUN - f->held;
        const void *v = terms(f->w, f->r, p[0] + done * step[0], step[0], k, f->m, false, &buf, &tmp);
        if (f->held == 0 && k == BORN_RUN) {
            born__row_feed(&f->row, v, k);
            continue;
        }
        memcpy((char *)&f->hold + f->held * f->w->size, v, (size_t)(k * f->w->size));
        f->held += k;
        if (f->held == BORN_RUN) {
            born__row_feed(&f->row, &f->hold, f->held);
            f->held = 0;
        }
    }
}

static void row_value(const reduction *w, const born_reducer *r, char *p, const void *m, void *result)
{
    row_feed f;
    f.w = w;
    f.r = r;
    f.m = m;
    f.held = 0;
    born__row_begin(&f.row, r);
    if (w->row.rank == 1) {
        row_part(&f, (char *[]){ p }, w->row.step[0], w->row.total);
    } else {
        born_nd nd = w->row;
        nd.base[0] = p;
        born__nd_range(&nd, 0, nd.total, row_part, &f);
    }
    born__row_feed(&f.row, &f.hold, f.held);
    born__row_end(&f.row, result);
}

static void fill_init(const born_reducer *r, born_run *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) memcpy((char *)to + i * r->size, &r->init, (size_t)r->size);
}

/* One pass over k <= 256 outputs whose inputs start `step` bytes apart: the chain of each. */
static void reduce_block(const reduction *w, const born_reducer *r, char *in, int64_t step, int64_t k, const void *m,
                         born_run *total)
{
    static const double none[2] = { 0, 0 };
    born_run seg, buf, tmp;
    fill_init(r, &seg, k);
    bool first = true;
    for (int64_t i = 0; i < w->other.total && w->count > 0; i++) {
        char *p = in + born__offset_of(w->other.dim, w->other.step[0], w->other.rank, i);
        const void *v = &buf;
        if (w->has_row) {
            for (int64_t j = 0; j < k; j++)
                row_value(w, r, p + j * step, m ? (const char *)m + j * w->size : NULL, (char *)&buf + j * w->size);
        } else {
            v = terms(w, r, p, step, k, m, true, &buf, &tmp);
        }
        r->combine(none, &seg, v, &seg, k);
        if ((i + 1) % BORN_CHAIN_CUT == 0 && i + 1 < w->other.total) {
            if (first) memcpy(total, &seg, sizeof seg);
            else r->combine(none, total, &seg, total, k);
            first = false;
            fill_init(r, &seg, k);
        }
    }
    if (first) memcpy(total, &seg, sizeof seg);
    else r->combine(none, total, &seg, total, k);
}

static void fill_number(const reduction *w, born_run *to, double v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (w->cls == BORN_CLASS_F32) to->f32[i] = (float)v;
        else if (w->cls == BORN_CLASS_F64) to->f64[i] = v;
        else to->i64[i] = (int64_t)v;
    }
}

static void divide(const reduction *w, born_run *v, double by, int64_t n)
{
    static const double none[2] = { 0, 0 };
    born_run d;
    fill_number(w, &d, by, n);
    born__span_of(BORN_OP_DIV, w->cls)(none, v, &d, v, n);
}

/* Log-sum-exp shifts by the maximum, unless that is infinite: inf - inf would be NaN. */
static void finite_or_zero(const reduction *w, born_run *m, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (w->cls == BORN_CLASS_F32) m->f32[i] = isinf(m->f32[i]) ? 0 : m->f32[i];
        else m->f64[i] = isinf(m->f64[i]) ? 0 : m->f64[i];
    }
}

static void reduce_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    static const double none[2] = { 0, 0 };
    const reduction *w = ctx;
    born_run m, v;
    for (int64_t done = 0; done < n; done += BORN_RUN) {
        int64_t k = n - done < BORN_RUN ? n - done : BORN_RUN;
        char *out = p[0] + done * step[0], *in = p[1] + done * step[1];
        reduce_block(w, &w->first, in, step[1], k, NULL, &v);
        if (w->second.combine) {
            memcpy(&m, &v, sizeof v);
            if (w->mean_first) divide(w, &m, (double)w->count, k);
            else finite_or_zero(w, &m, k);
            reduce_block(w, &w->second, in, step[1], k, &m, &v);
        }
        if (w->divides) divide(w, &v, w->divisor, k);
        if (w->last) w->last(none, &v, NULL, &v, k);
        if (w->add_back) born__span_of(BORN_OP_ADD, w->cls)(none, &v, &m, &v, k);
        born__run_write(w->cls, w->dtype, out, step[0], k, &v);
    }
}

/* What max starts from, or min: the end of the dtype's range, as bits of its class. */
static uint64_t range_end(born_dtype t, born_class c, bool lowest)
{
    float f = lowest ? -INFINITY : INFINITY;
    double d = (double)f;
    uint64_t bits = 0;
    int width = 8 * born__dtype_info(t)->size;
    if (c == BORN_CLASS_F32) memcpy(&bits, &f, sizeof f);
    else if (c == BORN_CLASS_F64) memcpy(&bits, &d, sizeof d);
    else if (c == BORN_CLASS_I64) bits = lowest ? ~(uint64_t)0 << (width - 1) : ((uint64_t)1 << (width - 1)) - 1;
    else if (!lowest) bits = t == BORN_BOOL ? 1 : ~(uint64_t)0 >> (64 - width);
    return bits;
}

static born_reducer reducer(const reduction *w, born_op_id combine, born_op_id map)
{
    born_reducer r = { .cls = w->cls, .size = w->size, .combine = born__span_of(combine, w->cls),
                       .shift = born__span_of(BORN_OP_SUB, w->cls),
                       .map = map ? born__span_of(map, w->cls) : NULL };
    float f = 1;
    double d = 1;
    if (combine == BORN_OP_MAX || combine == BORN_OP_MIN) r.init = range_end(w->dtype, w->cls, combine == BORN_OP_MAX);
    else if (combine == BORN_OP_MUL && w->cls == BORN_CLASS_F32) memcpy(&r.init, &f, sizeof f);
    else if (combine == BORN_OP_MUL && w->cls == BORN_CLASS_F64) memcpy(&r.init, &d, sizeof d);
    else if (combine == BORN_OP_MUL) r.init = 1;
    return r;
}

/* How each reduction is made of terms, a joining op and a last step. */
static const struct recipe { uint16_t combine, map, last; bool divides, real; } recipes[BORN_OP_COUNT] = {
    [BORN_OP_REDUCE_SUM] = { BORN_OP_ADD, 0, 0, false, false },
    [BORN_OP_REDUCE_MEAN] = { BORN_OP_ADD, 0, 0, true, false },
    [BORN_OP_REDUCE_PROD] = { BORN_OP_MUL, 0, 0, false, false },
    [BORN_OP_REDUCE_MAX] = { BORN_OP_MAX, 0, 0, false, false },
    [BORN_OP_REDUCE_MIN] = { BORN_OP_MIN, 0, 0, false, false },
    [BORN_OP_REDUCE_L1] = { BORN_OP_ADD, BORN_OP_ABS, 0, false, false },
    [BORN_OP_REDUCE_L2] = { BORN_OP_ADD, BORN_OP_SQUARE, BORN_OP_SQRT, false, true },
    [BORN_OP_REDUCE_SUM_SQUARE] = { BORN_OP_ADD, BORN_OP_SQUARE, 0, false, false },
    [BORN_OP_REDUCE_LOG_SUM] = { BORN_OP_ADD, 0, BORN_OP_LOG, false, true },
    [BORN_OP_REDUCE_LOG_SUM_EXP] = { BORN_OP_MAX, 0, BORN_OP_LOG, false, true },
    [BORN_OP_REDUCE_VARIANCE] = { BORN_OP_ADD, 0, 0, true, true },
};

born_status born__ref_reduce(born_call *c, const born_exec *x)
{
    const struct recipe *k = &recipes[c->op->id];
    born_infer f = { .op = c->op, .attrs = c->attrs, .in_count = c->in_count, .in = c->in, .err = x->err };
    reduction w = { .dtype = c->in[0].dtype };
    uint32_t mask;
    BORN_TRY(reduce_axes(&f, &mask));
    bool half = w.dtype == BORN_F16 || w.dtype == BORN_BF16;
    w.cls = half ? BORN_CLASS_F32 : born__class_of(w.dtype);
    if (k->real && w.cls > BORN_CLASS_F64) w.cls = BORN_CLASS_F64;
    w.size = w.cls == BORN_CLASS_F32 ? 4 : 8;
    prepare_walks(&w, c, mask);
    w.first = reducer(&w, k->combine, k->map);
    w.divides = k->divides;
    w.divisor = (double)w.count;
    if (k->last) w.last = born__span_of(k->last, w.cls);
    if (c->op->id == BORN_OP_REDUCE_VARIANCE) {
        w.second = reducer(&w, BORN_OP_ADD, BORN_OP_SQUARE);
        w.mean_first = true;
        w.divisor -= (double)BORN_ATTRS_OF(variance, c)->correction;
    } else if (c->op->id == BORN_OP_REDUCE_LOG_SUM_EXP) {
        w.second = reducer(&w, BORN_OP_ADD, BORN_OP_EXP);
        w.add_back = true;
    }
    int64_t grain = 1 + 16384 / (w.count > 0 ? w.count : 1);
    born__nd_for(&w.kept, x, w.has_row || grain > 64 ? grain : 64, reduce_run, &w);
    return BORN_OK;
}
