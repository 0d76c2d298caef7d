/* Integer matrix products: matmul_integer, qlinear_matmul, matmul_integer_to_float, dynamic_quantize_matmul, qgemm.
   One engine: every row of the result is a sum of products in 32 bits, wrapping, with both zero points taken out; then
   a finish of the op's own turns the row of sums into results. Rows are independent. */
#include "ops/quant_matmul.h"

born_status born__mm_dims(const born_view *a, const born_view *b, born_mm_shape *s, born_shape *out, const char *op,
                          born_error *err)
{
    char ta[96], tb[96];
    *s = (born_mm_shape){ 0 };
    BORN_FAIL_IF(a->rank < 1 || b->rank < 1, err, BORN_SHAPE, "%s: operands of rank 0", op);
    s->M = a->rank > 1 ? a->dim[a->rank - 2] : 1;
    s->K = a->dim[a->rank - 1];
    s->N = b->rank > 1 ? b->dim[b->rank - 1] : 1;
    int64_t kb = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    bool fits = kb == s->K;
    s->rank = 0;
    if (fits && a->rank > 2) fits = born__broadcast(s->lead, &s->rank, a->dim, a->rank - 2);
    if (fits && b->rank > 2) fits = born__broadcast(s->lead, &s->rank, b->dim, b->rank - 2);
    BORN_FAIL_IF(!fits, err, BORN_SHAPE, "%s: shapes do not fit: a %s, b %s", op,
                 born__shape_text(a->dim, a->rank, ta, sizeof ta), born__shape_text(b->dim, b->rank, tb, sizeof tb));
    out->rank = s->rank;
    memcpy(out->dim, s->lead, sizeof s->lead);
    if (a->rank > 1) out->dim[out->rank++] = s->M;
    if (b->rank > 1) out->dim[out->rank++] = s->N;
    return BORN_OK;
}

born_mm_view born__mm_matrix(const born_mm_shape *s, const born_view *v, bool left)
{
    int64_t size = born__elem_size(v);
    born_mm_view m = { .p = v->data, .dtype = v->dtype };
    if (v->rank == 1) {
        if (left) m.col = v->stride[0] * size;
        else m.row = v->stride[0] * size;
        return m;
    }
    m.row = v->stride[v->rank - 2] * size;
    m.col = v->stride[v->rank - 1] * size;
    int lead = v->rank - 2;
    for (int d = 0; d < lead; d++)
        m.lead[s->rank - lead + d] = v->dim[d] == 1 ? 0 : v->stride[d] * size;
    return m;
}

born_mm_view born__mm_param(const born_mm_shape *s, const born_view *v, bool left)
{
    born_mm_view m = { .p = v->data, .dtype = v->dtype };
    if (born__view_count(v) == 1) return m;
    if (v->rank == 1) {
        int64_t step = v->stride[0] * born__elem_size(v);
        if (left) m.row = step;
        else m.col = step;
        return m;
    }
    m = born__mm_matrix(s, v, left);
    if (left) m.col = 0;
    else m.row = 0;
    return m;
}

/* Operand i against matrix v: one element, a vector along its rows (left) or columns, or v's shape with 1 in the other
   of the last two dims. */
static born_status mm_param_rule(born_infer *f, int i, const born_view *v, bool left)
{
    if (!born__infer_has(f, i)) return BORN_OK;
    const born_view *p = &f->in[i];
    int64_t count;
    if (born__shape_count(p->dim, p->rank, &count) && count == 1) return BORN_OK;
    int64_t n = left ? (v->rank > 1 ? v->dim[v->rank - 2] : 1) : v->rank > 1 ? v->dim[v->rank - 1] : 1;
    if (p->rank == 1 && p->dim[0] == n) return BORN_OK;
    bool fits = p->rank == v->rank && v->rank > 1;
    for (int d = 0; fits && d < v->rank; d++)
        fits = p->dim[d] == (d == v->rank - (left ? 1 : 2) ? 1 : v->dim[d]);
    if (fits) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "operand %d %s fits neither the tensor %s nor its %s", i,
                            born__infer_shape(f, i), born__shape_text(v->dim, v->rank, (char[96]){ 0 }, 96),
                            left ? "rows" : "columns");
}

typedef struct mm_job mm_job;
struct mm_job {
    born_mm_shape s;
    born_mm_view a, b, a_zero, b_zero, a_scale, b_scale;     /* p NULL: absent */
    int32_t *sums;                                      /* [rows, N] */
    void (*finish)(const mm_job *j, int64_t batch, int64_t m, int32_t *sums);   /* NULL: the sums are the result */
    const born_call *c;
    float alpha, bias_scale;
    const born_view *bias, *y_scale, *y_zero;
};

/* sums[0..N) += a * b[k][0..N), wrapping. */
static void mm_add_row(int32_t *sums, int32_t a, const char *b, int64_t step, int64_t n, int flip)
{
    const uint8_t *u = (const uint8_t *)b;
    uint32_t *out = (uint32_t *)sums;
    if (step == 1) {
        for (int64_t i = 0; i < n; i++) out[i] += (uint32_t)(a * ((int32_t)(u[i] ^ flip) - flip));
        return;
    }
    for (int64_t i = 0; i < n; i++) out[i] += (uint32_t)(a * born__q8(b + i * step, flip));
}

static void mm_row(const mm_job *j, int64_t batch, int64_t m, int32_t *sums)
{
    const born_mm_shape *s = &j->s;
    const char *a = j->a.p + born__mm_lead(s, &j->a, batch) + m * j->a.row;
    const char *b = j->b.p + born__mm_lead(s, &j->b, batch);
    int fa = born__q8_flip(j->a.dtype), fb = born__q8_flip(j->b.dtype);
    int32_t za = 0;
    if (j->a_zero.p) za = born__q8(j->a_zero.p + born__mm_lead(s, &j->a_zero, batch) + m * j->a_zero.row, fa);
    uint32_t a_sum = 0;
    memset(sums, 0, (size_t)s->N * sizeof *sums);
    for (int64_t k = 0; k < s->K; k++) {
        int32_t v = born__q8(a + k * j->a.col, fa) - za;
        a_sum += (uint32_t)v;
        if (v != 0) mm_add_row(sums, v, b + k * j->b.row, j->b.col, s->N, fb);
    }
    if (!j->b_zero.p) return;
    const char *z = j->b_zero.p + born__mm_lead(s, &j->b_zero, batch);
    for (int64_t n = 0; n < s->N; n++)
        sums[n] = (int32_t)((uint32_t)sums[n] - a_sum * (uint32_t)born__q8(z + n * j->b_zero.col, fb));
}

static void mm_part(void *ctx, int64_t begin, int64_t end)
{
    const mm_job *j = ctx;
    for (int64_t r = begin; r < end; r++) {
        int64_t batch = r / j->s.M, m = r % j->s.M;
        int32_t *sums = j->sums + r * j->s.N;
        mm_row(j, batch, m, sums);
        if (j->finish) j->finish(j, batch, m, sums);
    }
}

static void mm_run(mm_job *j, const born_exec *x)
{
    int64_t count = born__view_count(&j->c->out[0]);
    if (count > 0) born__exec_for(x, count / j->s.N, j->s.K > 4096 ? 1 : 8, mm_part, j);
}

/* The scratch of all but matmul_integer: sums of every row. */
static size_t sums_bytes(const born_call *c)
{
    size_t n = (size_t)born__view_count(&c->out[0]);
    return born__mul_size(n, sizeof(int32_t), &n) ? n : SIZE_MAX;
}

static float param_f32(const born_mm_shape *s, const born_mm_view *v, int64_t batch, int64_t m, int64_t n)
{
    return (float)born__load_f64(v->dtype, v->p + born__mm_lead(s, v, batch) + m * v->row + n * v->col);
}

/* The address of row (batch, m) of the dense result. */
static char *out_row(const mm_job *j, int64_t batch, int64_t m)
{
    const born_view *y = &j->c->out[0];
    return y->data + (batch * j->s.M + m) * j->s.N * born__elem_size(y);
}

/* ---- matmul_integer ---- */

born_status born__shape_matmul_integer(born_infer *f)
{
    born_mm_shape s;
    born_shape out;
    BORN_TRY(born__need_dtype(f, 1, BORN_DT_Q8));
    BORN_TRY(born__mm_dims(&f->in[0], &f->in[1], &s, &out, f->op->name, f->err));
    BORN_TRY(mm_param_rule(f, 2, &f->in[0], true));
    BORN_TRY(mm_param_rule(f, 3, &f->in[1], false));
    born__out_set(f, 0, BORN_I32, out.rank, out.dim);
    return BORN_OK;
}

born_status born__ref_matmul_integer(born_call *c, const born_exec *x)
{
    born_shape out;
    mm_job j = { .c = c, .sums = (int32_t *)(void *)c->out[0].data };
    BORN_TRY(born__mm_dims(&c->in[0], &c->in[1], &j.s, &out, c->op->name, x->err));
    j.a = born__mm_matrix(&j.s, &c->in[0], true);
    j.b = born__mm_matrix(&j.s, &c->in[1], false);
    if (born__has(c, 2)) j.a_zero = born__mm_param(&j.s, &c->in[2], true);
    if (born__has(c, 3)) j.b_zero = born__mm_param(&j.s, &c->in[3], false);
    mm_run(&j, x);
    return BORN_OK;
}

/* ---- qlinear_matmul: a as az b bs bz ys yz ---- */

#define FLOATS (BORN_DT(F32) | BORN_DT(F16) | BORN_DT(BF16))

born_status born__shape_qlinear_matmul(born_infer *f)
{
    born_mm_shape s;
    born_shape out;
    BORN_TRY(born__need_dtype(f, 3, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 7, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 1, FLOATS));
    BORN_TRY(born__need_dtype(f, 4, FLOATS));
    BORN_TRY(born__need_dtype(f, 6, FLOATS));
    BORN_TRY(born__mm_dims(&f->in[0], &f->in[3], &s, &out, f->op->name, f->err));
    BORN_TRY(mm_param_rule(f, 1, &f->in[0], true));
    BORN_TRY(mm_param_rule(f, 2, &f->in[0], true));
    BORN_TRY(mm_param_rule(f, 4, &f->in[3], false));
    BORN_TRY(mm_param_rule(f, 5, &f->in[3], false));
    BORN_TRY(born__need_scalar(f, 6, false));
    BORN_TRY(born__need_scalar(f, 7, false));
    born__out_set(f, 0, f->in[7].dtype, out.rank, out.dim);
    return BORN_OK;
}

size_t born__scratch_qlinear_matmul(const born_call *c) { return sums_bytes(c); }

static void finish_requant(const mm_job *j, int64_t batch, int64_t m, int32_t *sums)
{
    const born_mm_shape *s = &j->s;
    uint8_t *y = (uint8_t *)out_row(j, batch, m);
    born_requant q = born__requant_for(j->c->out[0].dtype, j->y_zero ? born__at_i64(j->y_zero, 0) : 0);
    float ys = (float)born__at_f64(j->y_scale, 0), as = param_f32(s, &j->a_scale, batch, m, 0);
    float mult = as * param_f32(s, &j->b_scale, batch, 0, 0) * j->alpha / ys;
    for (int64_t n = 0; n < s->N; n++) {
        if (j->b_scale.col) mult = as * param_f32(s, &j->b_scale, batch, 0, n) * j->alpha / ys;
        y[n] = born__requant_u8(&q, (float)sums[n] * mult);
    }
}

born_status born__ref_qlinear_matmul(born_call *c, const born_exec *x)
{
    born_shape out;
    mm_job j = { .c = c, .sums = x->scratch, .finish = finish_requant, .alpha = 1, .y_scale = &c->in[6],
                 .y_zero = &c->in[7] };
    BORN_TRY(born__mm_dims(&c->in[0], &c->in[3], &j.s, &out, c->op->name, x->err));
    j.a = born__mm_matrix(&j.s, &c->in[0], true);
    j.a_scale = born__mm_param(&j.s, &c->in[1], true);
    j.a_zero = born__mm_param(&j.s, &c->in[2], true);
    j.b = born__mm_matrix(&j.s, &c->in[3], false);
    j.b_scale = born__mm_param(&j.s, &c->in[4], false);
    j.b_zero = born__mm_param(&j.s, &c->in[5], false);
    mm_run(&j, x);
    return BORN_OK;
}

/* ---- to floats: matmul_integer_to_float (a b as bs az bz bias), dynamic_quantize_matmul (a b bs bz bias) ---- */

static void finish_float(const mm_job *j, int64_t batch, int64_t m, int32_t *sums)
{
    const born_mm_shape *s = &j->s;
    float *y = (float *)(void *)out_row(j, batch, m);
    float as = j->a_scale.p ? param_f32(s, &j->a_scale, batch, m, 0) : j->bias_scale;
    float mult = as * param_f32(s, &j->b_scale, batch, 0, 0) * j->alpha;
    for (int64_t n = 0; n < s->N; n++) {
        if (j->b_scale.col) mult = as * param_f32(s, &j->b_scale, batch, 0, n) * j->alpha;
        y[n] = (float)sums[n] * mult;
        if (j->bias) y[n] += (float)born__at_f64(j->bias, n);
    }
}

static born_status bias_rule(born_infer *f, int i, int64_t n)
{
    if (!born__infer_has(f, i) || (f->in[i].rank == 1 && f->in[i].dim[0] == n)) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "bias %s is not [%lld]", born__infer_shape(f, i), (long long)n);
}

born_status born__shape_matmul_integer_to_float(born_infer *f)
{
    born_mm_shape s;
    born_shape out;
    BORN_TRY(born__need_dtype(f, 1, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 2, FLOATS));
    BORN_TRY(born__need_dtype(f, 3, FLOATS));
    BORN_TRY(born__need_dtype(f, 6, FLOATS));
    BORN_TRY(born__mm_dims(&f->in[0], &f->in[1], &s, &out, f->op->name, f->err));
    BORN_TRY(mm_param_rule(f, 2, &f->in[0], true));
    BORN_TRY(mm_param_rule(f, 3, &f->in[1], false));
    BORN_TRY(mm_param_rule(f, 4, &f->in[0], true));
    BORN_TRY(mm_param_rule(f, 5, &f->in[1], false));
    BORN_TRY(bias_rule(f, 6, s.N));
    born__out_set(f, 0, f->in[2].dtype, out.rank, out.dim);
    return BORN_OK;
}

size_t born__scratch_matmul_integer_to_float(const born_call *c) { return sums_bytes(c); }

born_status born__ref_matmul_integer_to_float(born_call *c, const born_exec *x)
{
    born_shape out;
    mm_job j = { .c = c, .sums = x->scratch, .finish = finish_float, .alpha = 1,
                 .bias = born__has(c, 6) ? &c->in[6] : NULL };
    BORN_TRY(born__mm_dims(&c->in[0], &c->in[1], &j.s, &out, c->op->name, x->err));
    j.a = born__mm_matrix(&j.s, &c->in[0], true);
    j.b = born__mm_matrix(&j.s, &c->in[1], false);
    j.a_scale = born__mm_param(&j.s, &c->in[2], true);
    j.b_scale = born__mm_param(&j.s, &c->in[3], false);
    if (born__has(c, 4)) j.a_zero = born__mm_param(&j.s, &c->in[4], true);
    if (born__has(c, 5)) j.b_zero = born__mm_param(&j.s, &c->in[5], false);
    mm_run(&j, x);
    return BORN_OK;
}

born_status born__shape_dynamic_quantize_matmul(born_infer *f)
{
    born_mm_shape s;
    born_shape out;
    BORN_TRY(born__mm_dims(&f->in[0], &f->in[1], &s, &out, f->op->name, f->err));
    BORN_TRY(mm_param_rule(f, 2, &f->in[1], false));
    BORN_TRY(mm_param_rule(f, 3, &f->in[1], false));
    BORN_TRY(bias_rule(f, 4, s.N));
    born__out_set(f, 0, BORN_F32, out.rank, out.dim);
    return BORN_OK;
}

/* Sums of every row, then a quantised (dense u8). */
size_t born__scratch_dynamic_quantize_matmul(const born_call *c)
{
    size_t n = sums_bytes(c);
    return born__add_size(n, (size_t)born__view_count(&c->in[0]), &n) ? n : SIZE_MAX;
}

born_status born__ref_dynamic_quantize_matmul(born_call *c, const born_exec *x)
{
    born_shape out;
    mm_job j = { .c = c, .sums = x->scratch, .finish = finish_float, .alpha = 1,
                 .bias = born__has(c, 4) ? &c->in[4] : NULL };
    born_view a = c->in[0];
    a.data = (char *)x->scratch + sums_bytes(c);
    a.dtype = BORN_U8;
    born__view_row_major(&a);
    int32_t zero;
    born__dynamic_range(&c->in[0], &j.bias_scale, &zero);
    born__dynamic_apply(x, &a, &c->in[0], j.bias_scale, zero);
    uint8_t zero_u8 = (uint8_t)zero;
    BORN_TRY(born__mm_dims(&a, &c->in[1], &j.s, &out, c->op->name, x->err));
    j.a = born__mm_matrix(&j.s, &a, true);
    j.b = born__mm_matrix(&j.s, &c->in[1], false);
    j.a_zero = (born_mm_view){ .p = (char *)&zero_u8, .dtype = BORN_U8 };
    j.b_scale = born__mm_param(&j.s, &c->in[2], false);
    if (born__has(c, 3)) j.b_zero = born__mm_param(&j.s, &c->in[3], false);
    mm_run(&j, x);
    return BORN_OK;
}

/* ---- qgemm: a as az b bs bz c ys yz ---- */

/* v with its two dims swapped where t. */
static born_view transposed(const born_view *v, bool t)
{
    born_view r = *v;
    if (!t) return r;
    r.dim[0] = v->dim[1];
    r.dim[1] = v->dim[0];
    r.stride[0] = v->stride[1];
    r.stride[1] = v->stride[0];
    return r;
}

born_status born__shape_qgemm(born_infer *f)
{
    const born_quant_gemm_attrs *t = BORN_ATTRS_OF(quant_gemm, f);
    born_mm_shape s;
    born_shape out;
    if (f->in[0].rank != 2 || f->in[3].rank != 2)
        return born__infer_fail(f, BORN_SHAPE, "a %s and b %s must have rank 2", born__infer_shape(f, 0),
                                born__infer_shape(f, 3));
    born_view a = transposed(&f->in[0], t->trans_a), b = transposed(&f->in[3], t->trans_b);
    BORN_TRY(born__need_dtype(f, 3, BORN_DT_Q8));
    BORN_TRY(born__need_dtype(f, 6, BORN_DT(I32)));
    BORN_TRY(born__need_dtype(f, 8, BORN_DT_Q8));
    BORN_TRY(born__mm_dims(&a, &b, &s, &out, f->op->name, f->err));
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__need_scalar(f, 2, false));
    BORN_TRY(born__need_scalar_or_vector(f, 4, s.N, false));
    BORN_TRY(born__need_scalar_or_vector(f, 5, s.N, false));
    BORN_TRY(born__need_scalar(f, 7, true));
    BORN_TRY(born__need_scalar(f, 8, true));
    if (born__infer_has(f, 6)) {
        int64_t dim[BORN_MAX_RANK] = { s.M, s.N };
        int rank = 2;
        bool fits = f->in[6].rank <= 2 && born__broadcast(dim, &rank, f->in[6].dim, f->in[6].rank);
        if (!fits || dim[0] != s.M || dim[1] != s.N)
            return born__infer_fail(f, BORN_SHAPE, "c %s does not fit [%lld,%lld]", born__infer_shape(f, 6),
                                    (long long)s.M, (long long)s.N);
    }
    if (born__infer_has(f, 7) != born__infer_has(f, 8))
        return born__infer_fail(f, BORN_INVALID, "y_scale and y_zero_point go together");
    born__out_set(f, 0, born__infer_has(f, 7) ? f->in[8].dtype : BORN_F32, 2, out.dim);
    return BORN_OK;
}

size_t born__scratch_qgemm(const born_call *c) { return sums_bytes(c); }

static void finish_qgemm(const mm_job *j, int64_t batch, int64_t m, int32_t *sums)
{
    if (born__has(j->c, 6)) {
        born_view like = { .rank = 2, .dim = { j->s.M, j->s.N } };
        born_view v = born__view_expand(&j->c->in[6], &like);
        const char *p = v.data + m * v.stride[0] * 4;
        for (int64_t n = 0; n < j->s.N; n++)
            sums[n] =
                (int32_t)((uint32_t)sums[n] + (uint32_t) * (const int32_t *)(const void *)(p + n * v.stride[1] * 4));
    }
    if (j->y_scale) finish_requant(j, batch, m, sums);
    else finish_float(j, batch, m, sums);
}

born_status born__ref_qgemm(born_call *c, const born_exec *x)
{
    const born_quant_gemm_attrs *t = BORN_ATTRS_OF(quant_gemm, c);
    born_shape out;
    born_view a = transposed(&c->in[0], t->trans_a), b = transposed(&c->in[3], t->trans_b);
    mm_job j = { .c = c, .sums = x->scratch, .finish = finish_qgemm, .alpha = (float)t->alpha,
                 .y_scale = born__has(c, 7) ? &c->in[7] : NULL, .y_zero = born__has(c, 8) ? &c->in[8] : NULL };
    BORN_TRY(born__mm_dims(&a, &b, &j.s, &out, c->op->name, x->err));
    j.a = born__mm_matrix(&j.s, &a, true);
    j.a_scale = born__mm_param(&j.s, &c->in[1], true);
    j.a_zero = born__mm_param(&j.s, &c->in[2], true);
    j.b = born__mm_matrix(&j.s, &b, false);
    j.b_scale = born__mm_param(&j.s, &c->in[4], false);
    j.b_zero = born__mm_param(&j.s, &c->in[5], false);
    mm_run(&j, x);
    return BORN_OK;
}
