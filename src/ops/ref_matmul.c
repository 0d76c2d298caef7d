/* Reference kernels and shape rules of matmul and gemm. Rows of the result are independent and run in parallel, 256
   columns at a time; what comes after the chains (scale, bias, residual, activation) is rounded step by step. */
#include <math.h>

#include "base/fma.h"
#include "ops/elementwise.h"
#include "ops/numbers.h"
#include "ops/ref.h"

enum { RUN = BORN_RUN };

static float chain_f32(float a, float b, float acc) { return born__fmaf(a, b, acc); }
static double chain_f64(double a, double b, double acc) { return fma(a, b, acc); }

#define BORN_EACH "ops/matmul_body.inc"
#include "ops/each_num.inc"

typedef void (*product_fn)(const char *a, int64_t a_step, const char *b, int64_t b_row, int64_t b_col, int64_t K,
                           int64_t n, void *out);
typedef void (*add_fn)(void *out, const char *c, int64_t step, int64_t n);
typedef void (*scale_fn)(void *out, double by, int64_t n);
typedef void (*store_fn)(const void *from, char *z, int64_t step, int64_t n);

/* One addend of the result, seen with the result's dims. */
typedef struct addend { born_view v; bool present; double scale; } addend;

typedef struct product {
    product_fn row;
    add_fn add;
    scale_fn scale;
    store_fn store;
    int size;
    int64_t M, N, K, rows;              /* rows: batch * M */
    int64_t a_row, a_step, b_row, b_col;        /* byte steps */
    born_nd batch;                      /* over batch dims: a, b, z and the addends */
    int64_t z_row, z_col;
    addend c, residual;
    int64_t c_row, c_col, r_row, r_col;
    double alpha;
    born_op_id activation;
    double p[2];
    born_dtype dtype;
} product;

static void add_scaled(const product *w, void *z, const char *c, int64_t step, int64_t n, double scale)
{
    if (scale == 1) {
        w->add(z, c, step, n);
        return;
    }
    born_run hold;
    for (int64_t j = 0; j < n; j++) memcpy((char *)&hold + j * w->size, c + j * step, (size_t)w->size);
    w->scale(&hold, scale, n);
    w->add(z, (char *)&hold, w->size, n);
}

static void product_rows(void *ctx, int64_t begin, int64_t end)
{
    const product *w = ctx;
    born_run hold;
    for (int64_t r = begin; r < end; r++) {
        int64_t batch = r / w->M, m = r % w->M;
        const char *a = born__nd_at(&w->batch, 0, batch) + m * w->a_row, *b = born__nd_at(&w->batch, 1, batch);
        char *z = born__nd_at(&w->batch, 2, batch) + m * w->z_row;
        for (int64_t n0 = 0; n0 < w->N; n0 += RUN) {
            int64_t n = w->N - n0 < RUN ? w->N - n0 : RUN;
            w->row(a, w->a_step, b + n0 * w->b_col, w->b_row, w->b_col, w->K, n, &hold);
            if (w->alpha != 1) w->scale(&hold, w->alpha, n);
            if (w->c.present)
                add_scaled(w, &hold, born__nd_at(&w->batch, 3, batch) + m * w->c_row + n0 * w->c_col, w->c_col, n,
                           w->c.scale);
            if (w->residual.present)
                w->add(&hold, born__nd_at(&w->batch, 4, batch) + m * w->r_row + n0 * w->r_col, w->r_col, n);
            if (w->activation && w->dtype == BORN_F32)
                born__unary_span_f32(w->activation, w->p[0], w->p[1], hold.f32, hold.f32, n);
            else if (w->activation)
                born__unary_span_f64(w->activation, w->p[0], w->p[1], hold.f64, hold.f64, n);
            w->store(&hold, z + n0 * w->z_col, w->z_col, n);
        }
    }
}

/* v with an M or N dim of 1 put in where the operand or result is 1-D; `last`: at the end. */
static born_view with_unit_dim(const born_view *v, bool last)
{
    born_view r = *v;
    int at = last ? v->rank : v->rank > 0 ? v->rank - 1 : 0;
    for (int d = v->rank; d > at; d--) {
        r.dim[d] = r.dim[d - 1];
        r.stride[d] = r.stride[d - 1];
    }
    r.dim[at] = 1;
    r.stride[at] = 0;
    r.rank++;
    return r;
}

static void set_addend(addend *to, const born_view *v, const born_view *z, double scale)
{
    to->present = v != NULL;
    to->scale = scale;
    if (v) to->v = born__view_expand(v, z);
    else to->v = *z;
}

/* Fills in the walks; a [.., M, K], b [.., K, N] and z [.., M, N] have at least two dims here, z one batch shape. */
static born_status run_product(product *w, const born_view *a, const born_view *b, const born_view *z, born_call *c,
                               const born_exec *x)
{
    int rank = z->rank;
    w->dtype = a->dtype;
    w->size = born__elem_size(a);
    w->row = BORN_PICK_NUM(w->dtype, product_row);
    w->add = BORN_PICK_NUM(w->dtype, add_row);
    w->scale = BORN_PICK_NUM(w->dtype, scale_row);
    w->store = BORN_PICK_NUM(w->dtype, store_row);
    if (!w->row) return born__no_body(c, x);
    w->M = z->dim[rank - 2];
    w->N = z->dim[rank - 1];
    w->K = a->dim[a->rank - 1];
    w->a_row = a->stride[a->rank - 2] * w->size;
    w->a_step = a->stride[a->rank - 1] * w->size;
    w->b_row = b->stride[b->rank - 2] * w->size;
    w->b_col = b->stride[b->rank - 1] * w->size;
    w->z_row = z->stride[rank - 2] * w->size;
    w->z_col = z->stride[rank - 1] * w->size;
    w->c_row = w->c.v.stride[rank - 2] * w->size;
    w->c_col = w->c.v.stride[rank - 1] * w->size;
    w->r_row = w->residual.v.stride[rank - 2] * w->size;
    w->r_col = w->residual.v.stride[rank - 1] * w->size;
    const born_view *all[5] = { a, b, z, &w->c.v, &w->residual.v };
    born__nd_start(&w->batch, z->dim, rank - 2);
    for (int i = 0; i < 5; i++) {
        born_view v = *all[i];
        v.rank -= 2;
        born__nd_add(&w->batch, &v);
    }
    born__nd_merge(&w->batch);
    w->rows = w->batch.total * w->M;
    if (w->rows == 0 || w->N == 0) return BORN_OK;
    int64_t work = w->N * (w->K > 0 ? w->K : 1);
    born__exec_for(x, w->rows, 1 + 32768 / (work > 0 ? work : 1), product_rows, w);
    return BORN_OK;
}

/* ---- matmul ---- */

static born_status check_addends(born_infer *f, int first, int last)
{
    const born_view *o = &f->out[0];
    for (int i = first; i <= last; i++) {
        if (!born__infer_has(f, i)) continue;
        int64_t dim[BORN_MAX_RANK];
        int rank = o->rank;
        char text[96];
        memcpy(dim, o->dim, sizeof dim);
        bool fits = born__broadcast(dim, &rank, f->in[i].dim, f->in[i].rank) && rank == o->rank &&
                    memcmp(dim, o->dim, sizeof dim[0] * (size_t)rank) == 0;
        if (!fits)
            return born__infer_fail(f, BORN_SHAPE, "operand %d %s does not broadcast to the result %s", i,
                                    born__infer_shape(f, i), born__shape_text(o->dim, o->rank, text, sizeof text));
    }
    return BORN_OK;
}

born_status born__shape_matmul(born_infer *f)
{
    const born_view *a = &f->in[0], *b = &f->in[1];
    born_view *o = &f->out[0];
    if (a->rank == 0 || b->rank == 0) return born__infer_fail(f, BORN_SHAPE, "operands must have at least one dim");
    int64_t ka = a->dim[a->rank - 1], kb = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (ka != kb)
        return born__infer_fail(f, BORN_SHAPE, "inner sizes differ: a %s (K=%lld), b %s (K=%lld)",
                                born__infer_shape(f, 0), (long long)ka, born__infer_shape(f, 1), (long long)kb);
    if (!born__broadcast(o->dim, &o->rank, a->dim, a->rank > 2 ? a->rank - 2 : 0) ||
        !born__broadcast(o->dim, &o->rank, b->dim, b->rank > 2 ? b->rank - 2 : 0))
        return born__infer_fail(f, BORN_SHAPE, "leading sizes do not broadcast: a %s, b %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1));
    if (a->rank > 1) o->dim[o->rank++] = a->dim[a->rank - 2];
    if (b->rank > 1) o->dim[o->rank++] = b->dim[b->rank - 1];
    BORN_TRY(check_addends(f, 2, 3));
    const born_linear_attrs *at = BORN_ATTRS_OF(linear, f);
    if (!born__unary_valid(at->activation) || (at->activation && !born__dtype_is(a->dtype, BORN_DT_FLOAT)))
        return born__infer_fail(f, BORN_INVALID, "activation %lld is no unary op on %s", (long long)at->activation,
                                born_dtype_name(a->dtype));
    return BORN_OK;
}

born_status born__ref_matmul(born_call *c, const born_exec *x)
{
    const born_linear_attrs *at = BORN_ATTRS_OF(linear, c);
    product w = { .alpha = 1, .activation = (born_op_id)at->activation, .p = { at->alpha, at->beta } };
    born_view a = c->in[0], b = c->in[1], z = c->out[0], add[2];
    bool flat_a = a.rank == 1, flat_b = b.rank == 1;
    for (int i = 0; i < 2; i++)
        if (born__has(c, 2 + i)) add[i] = born__view_expand(&c->in[2 + i], &c->out[0]);
    if (flat_a) a = with_unit_dim(&a, false);
    if (flat_b) b = with_unit_dim(&b, true);
    if (flat_b) z = with_unit_dim(&z, true);
    if (flat_a) z = with_unit_dim(&z, false);
    for (int i = 0; i < 2; i++) {
        if (born__has(c, 2 + i) && flat_b) add[i] = with_unit_dim(&add[i], true);
        if (born__has(c, 2 + i) && flat_a) add[i] = with_unit_dim(&add[i], false);
    }
    set_addend(&w.c, born__has(c, 2) ? &add[0] : NULL, &z, 1);
    set_addend(&w.residual, born__has(c, 3) ? &add[1] : NULL, &z, 1);
    return run_product(&w, &a, &b, &z, c, x);
}

/* ---- gemm ---- */

born_status born__shape_gemm(born_infer *f)
{
    const born_gemm_attrs *at = BORN_ATTRS_OF(gemm, f);
    const born_view *a = &f->in[0], *b = &f->in[1];
    if (a->rank != 2 || b->rank != 2)
        return born__infer_fail(f, BORN_SHAPE, "operands must be matrices: a %s, b %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1));
    int64_t ka = a->dim[!at->trans_a], kb = b->dim[at->trans_b];
    if (ka != kb)
        return born__infer_fail(f, BORN_SHAPE, "inner sizes differ: a %s (K=%lld), b %s (K=%lld)",
                                born__infer_shape(f, 0), (long long)ka, born__infer_shape(f, 1), (long long)kb);
    int64_t dim[2] = { a->dim[at->trans_a], b->dim[!at->trans_b] };
    born__out_set(f, 0, a->dtype, 2, dim);
    return check_addends(f, 2, 2);
}

static born_view transposed(const born_view *v, bool yes)
{
    born_view r = *v;
    if (!yes) return r;
    for (int i = 0; i < 2; i++) {
        r.dim[i] = v->dim[1 - i];
        r.stride[i] = v->stride[1 - i];
    }
    return r;
}

born_status born__ref_gemm(born_call *c, const born_exec *x)
{
    const born_gemm_attrs *at = BORN_ATTRS_OF(gemm, c);
    product w = { .alpha = at->alpha };
    born_view a = transposed(&c->in[0], at->trans_a), b = transposed(&c->in[1], at->trans_b);
    set_addend(&w.c, born__has(c, 2) ? &c->in[2] : NULL, &c->out[0], at->beta);
    set_addend(&w.residual, NULL, &c->out[0], 1);
    return run_product(&w, &a, &b, &c->out[0], c, x);
}
