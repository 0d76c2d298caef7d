/* Elementwise operators on 8-bit tensors, and softmax and concat: every element has one of 256 values, so what happens
   to it is a table of 256 entries made once per call. */
#include "ops/lane1.h"
#include "ops/quant.h"

/* The 256 real values behind the bytes of an operand. */
static void dequant_table(float *table, born_dtype t, float scale, int64_t zero)
{
    int flip = born__q8_flip(t);
    for (int i = 0; i < 256; i++) {
        uint8_t u = (uint8_t)i;
        table[i] = (float)(born__q8(&u, flip) - (int32_t)zero) * scale;
    }
}

/* ---- qlinear_add, qlinear_mul: a as az b bs bz ys yz ---- */

born_status born__shape_qlinear_binary(born_infer *f)
{
    if (!born__infer_has(f, 3) || !born__infer_has(f, 6))
        return born__infer_fail(f, BORN_INVALID, "operand %d is missing", born__infer_has(f, 3) ? 6 : 3);
    int rank = f->in[0].rank;
    int64_t dim[BORN_MAX_RANK];
    memcpy(dim, f->in[0].dim, sizeof dim);
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__need_scalar(f, 2, true));
    BORN_TRY(born__need_scalar(f, 4, false));
    BORN_TRY(born__need_scalar(f, 5, true));
    BORN_TRY(born__need_scalar(f, 6, false));
    BORN_TRY(born__need_scalar(f, 7, true));
    if (!born__broadcast(dim, &rank, f->in[3].dim, f->in[3].rank))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: a %s, b %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 3));
    born__out_set(f, 0, f->in[0].dtype, rank, dim);
    return BORN_OK;
}

typedef struct binary_job { float a[256], b[256], div; born_requant q; bool product; } binary_job;

static void binary_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const binary_job *j = ctx;
    for (int64_t i = 0; i < n; i++) {
        float a = j->a[*(const uint8_t *)(p[1] + i * step[1])], b = j->b[*(const uint8_t *)(p[2] + i * step[2])];
        float v = j->product ? a * b : a + b;
        *(uint8_t *)(p[0] + i * step[0]) = born__requant_u8(&j->q, v / j->div);
    }
}

static born_status qlinear_binary(born_call *c, const born_exec *x, bool product)
{
    binary_job j = { .div = born__scale_of(c, 6), .product = product };
    j.q = born__requant_for(c->out[0].dtype, born__zero_of(c, 7));
    dequant_table(j.a, c->in[0].dtype, born__scale_of(c, 1), born__zero_of(c, 2));
    dequant_table(j.b, c->in[3].dtype, born__scale_of(c, 4), born__zero_of(c, 5));
    born_nd w;
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    born__nd_add(&w, &c->in[0]);
    born__nd_add(&w, &c->in[3]);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 4096, binary_run, &j);
    return BORN_OK;
}

born_status born__ref_qlinear_add(born_call *c, const born_exec *x) { return qlinear_binary(c, x, false); }
born_status born__ref_qlinear_mul(born_call *c, const born_exec *x) { return qlinear_binary(c, x, true); }

/* ---- qlinear_sigmoid, qlinear_leaky_relu: x xs xz ys yz ---- */

static born_status unary_params(born_infer *f)
{
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__need_scalar(f, 2, true));
    BORN_TRY(born__need_scalar(f, 3, false));
    return born__need_scalar(f, 4, true);
}

born_status born__shape_qlinear_unary(born_infer *f)
{
    BORN_TRY(unary_params(f));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

static void table_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const uint8_t *table = ctx;
    for (int64_t i = 0; i < n; i++) *(uint8_t *)(p[0] + i * step[0]) = table[*(const uint8_t *)(p[1] + i * step[1])];
}

static void apply_table(const born_exec *x, const born_view *out, const born_view *in, uint8_t *table)
{
    born_nd w;
    born__nd_start(&w, in->dim, in->rank);
    born__nd_add(&w, out);
    born__nd_add(&w, in);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 16384, table_run, table);
}

static born_status qlinear_unary(born_call *c, const born_exec *x, float *real)
{
    uint8_t table[256];
    born_requant q = born__requant_for(c->out[0].dtype, born__zero_of(c, 4));
    float ys = born__scale_of(c, 3);
    for (int i = 0; i < 256; i++) table[i] = born__requant_u8(&q, real[i] / ys);
    apply_table(x, &c->out[0], &c->in[0], table);
    return BORN_OK;
}

born_status born__ref_qlinear_sigmoid(born_call *c, const born_exec *x)
{
    float real[256];
    dequant_table(real, c->in[0].dtype, born__scale_of(c, 1), born__zero_of(c, 2));
    for (int i = 0; i < 256; i++) real[i] = sigmoid_f32(real[i]);
    return qlinear_unary(c, x, real);
}

born_status born__ref_qlinear_leaky_relu(born_call *c, const born_exec *x)
{
    float real[256], alpha = (float)BORN_ATTRS_OF(quant_leaky, c)->alpha;
    dequant_table(real, c->in[0].dtype, born__scale_of(c, 1), born__zero_of(c, 2));
    for (int i = 0; i < 256; i++) real[i] = real[i] < 0 ? real[i] * alpha : real[i];
    return qlinear_unary(c, x, real);
}

/* ---- qlinear_softmax: x xs xz ys yz ---- */

born_status born__shape_qlinear_softmax(born_infer *f)
{
    int axis;
    BORN_TRY(unary_params(f));
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(quant_softmax, f)->axis, f->in[0].rank, &axis));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

typedef struct softmax_job {
    born_view x, y;
    int axis, last;                 /* the dims [axis, last) are summed over */
    int64_t inner, n;               /* elements behind them, and in them */
    float below[256], y_scale;      /* exp of being i steps below the largest */
    int flip;
    born_requant q;
} softmax_job;

static void softmax_part(void *ctx, int64_t begin, int64_t end)
{
    const softmax_job *j = ctx;
    for (int64_t r = begin; r < end; r++) {
        const char *x = j->x.data + born__offset_of(j->x.dim, j->x.stride, j->axis, r / j->inner) +
                        born__offset_of(j->x.dim + j->last, j->x.stride + j->last, j->x.rank - j->last, r % j->inner);
        char *y = j->y.data + born__offset_of(j->y.dim, j->y.stride, j->axis, r / j->inner) +
                  born__offset_of(j->y.dim + j->last, j->y.stride + j->last, j->y.rank - j->last, r % j->inner);
        int span = j->last - j->axis;
        int32_t top = -256;
        float sum = 0;
        for (int64_t i = 0; i < j->n; i++) {
            int32_t v = born__q8(x + born__offset_of(j->x.dim + j->axis, j->x.stride + j->axis, span, i), j->flip);
            if (v > top) top = v;
        }
        for (int64_t i = 0; i < j->n; i++) {
            int32_t v = born__q8(x + born__offset_of(j->x.dim + j->axis, j->x.stride + j->axis, span, i), j->flip);
            sum += j->below[top - v];
        }
        for (int64_t i = 0; i < j->n; i++) {
            int32_t v = born__q8(x + born__offset_of(j->x.dim + j->axis, j->x.stride + j->axis, span, i), j->flip);
            *(uint8_t *)(y + born__offset_of(j->y.dim + j->axis, j->y.stride + j->axis, span, i)) =
                born__requant_u8(&j->q, j->below[top - v] / sum / j->y_scale);
        }
    }
}

born_status born__ref_qlinear_softmax(born_call *c, const born_exec *x)
{
    const born_quant_softmax_attrs *a = BORN_ATTRS_OF(quant_softmax, c);
    softmax_job j = { .x = c->in[0], .y = c->out[0], .flip = born__q8_flip(c->in[0].dtype),
                      .y_scale = born__scale_of(c, 3), .inner = 1, .n = 1 };
    if (born__view_count(&j.x) == 0) return BORN_OK;
    j.axis = (int)(a->axis < 0 ? a->axis + j.x.rank : a->axis);
    j.last = a->opset < 13 ? j.x.rank : j.axis + 1;
    j.q = born__requant_for(j.y.dtype, born__zero_of(c, 4));
    float scale = born__scale_of(c, 1);
    for (int i = 0; i < 256; i++) j.below[i] = exp_f32(-(float)i * scale);
    int64_t outer = 1;
    for (int d = 0; d < j.axis; d++) outer *= j.x.dim[d];
    for (int d = j.axis; d < j.last; d++) j.n *= j.x.dim[d];
    for (int d = j.last; d < j.x.rank; d++) j.inner *= j.x.dim[d];
    born__exec_for(x, outer * j.inner, 1024 / (j.n < 1024 ? j.n : 1024), softmax_part, &j);
    return BORN_OK;
}

/* ---- qlinear_concat: ys yz, then x xs xz ... ---- */

born_status born__shape_qlinear_concat(born_infer *f)
{
    int axis;
    const born_view *first = &f->in[2];
    if ((f->in_count - 2) % 3 != 0)
        return born__infer_fail(f, BORN_INVALID, "%d operands do not make triples", f->in_count - 2);
    BORN_TRY(born__need_scalar(f, 0, false));
    BORN_TRY(born__need_scalar(f, 1, false));
    BORN_TRY(born__axis(f, BORN_ATTRS_OF(quant_concat, f)->axis, first->rank, &axis));
    born__out_like(f, 0, first);
    if (f->out_count > 0) f->out[0].dtype = f->in[1].dtype;
    int64_t total = 0;
    for (int i = 2; i < f->in_count; i += 3) {
        const born_view *v = &f->in[i];
        if (!born__infer_has(f, i)) return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
        BORN_TRY(born__need_dtype(f, i, BORN_DT_Q8));
        BORN_TRY(born__need_scalar(f, i + 1, false));
        BORN_TRY(born__need_dtype(f, i + 1, BORN_DT(F32)));
        BORN_TRY(born__need_scalar(f, i + 2, true));
        BORN_TRY(born__need_dtype(f, i + 2, BORN_DT(I8) | BORN_DT(U8)));
        bool fits = v->rank == first->rank;
        for (int d = 0; fits && d < v->rank; d++) fits = d == axis || v->dim[d] == first->dim[d];
        if (!fits || !born__add_i64(total, v->dim[axis], &total))
            return born__infer_fail(f, BORN_SHAPE, "%s does not fit %s along axis %d", born__infer_shape(f, i),
                                    born__infer_shape(f, 2), axis);
    }
    if (f->out_count > 0) f->out[0].dim[axis] = total;
    return BORN_OK;
}

born_status born__ref_qlinear_concat(born_call *c, const born_exec *x)
{
    int64_t axis = BORN_ATTRS_OF(quant_concat, c)->axis;
    if (axis < 0) axis += c->out[0].rank;
    born_requant q = born__requant_for(c->out[0].dtype, born__zero_of(c, 1));
    float ys = born__scale_of(c, 0), real[256];
    born_view out = c->out[0];
    for (int i = 2; i < c->in_count; i += 3) {
        uint8_t table[256];
        dequant_table(real, c->in[i].dtype, born__scale_of(c, i + 1), born__zero_of(c, i + 2));
        for (int k = 0; k < 256; k++) table[k] = born__requant_u8(&q, real[k] / ys);
        out.dim[axis] = c->in[i].dim[axis];
        if (born__view_count(&out) == 0) continue;
        apply_table(x, &out, &c->in[i], table);
        out.data += out.dim[axis] * out.stride[axis];
    }
    return BORN_OK;
}
