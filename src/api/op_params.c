/* The exported symbols of operators whose public form has parameters besides operands and attributes: C numbers and
   lists become attributes or host operands here. Host operands are tensors that live for the call only (longer where a
   record holds them). */
#include <born/born.h>

#include "api/op_names.h"
#include "base/error.h"
#include "tensor/view.h"
#include "waist/chain.h"

enum { MOST = 10 };     /* operands of any form here */

/* A call being put together. */
typedef struct builder {
    const born_op *op;
    const born_site *at;
    born_chain *chain;          /* of the first operand; NULL: it names none */
    born_tensor in[MOST];
    born_node *made[MOST];      /* host operands, held */
    int n, made_count;
    born_error err;
} builder;

static builder begin(born_op_id id, born_tensor x, const born_site *at)
{
    builder b = { .op = &born__ops[id], .at = at, .n = 1 };
    born_node *n = born__handle_node(x);
    b.in[0] = x;
    /* Of a stale or poisoned handle only the final call may say so. */
    b.chain = n && !n->poison && born__handle_fresh(n, x) ? n->chain : NULL;
    return b;
}

static void operand(builder *b, born_tensor t) { b->in[b->n++] = t; }

static void host(builder *b, born_dtype t, const int64_t *dim, int rank, const void *data)
{
    born_node *n = NULL;
    if (b->chain && !b->err.status && !born__node_from(b->chain, 0, t, dim, rank, data, &n, &b->err)) {
        b->made[b->made_count++] = n;
        operand(b, born__node_handle(n));
    } else {
        operand(b, (born_tensor){ 0 });
    }
}

/* A list of integers as a rank 1 operand; an empty one is absent. */
static void ints(builder *b, born_ints v)
{
    if (v.count > 0 && v.v) host(b, BORN_I64, &v.count, 1, v.v);
    else operand(b, (born_tensor){ 0 });
}

/* The same where an empty list means a list of nothing. */
static void list(builder *b, const int64_t *v, int64_t count) { host(b, BORN_I64, &count, 1, v); }

static void shape_list(builder *b, const born_shape *s)
{
    if (s->rank < 0 || s->rank > BORN_MAX_RANK) born__fail(&b->err, BORN_SHAPE, "%s: rank %d", b->op->name, s->rank);
    else list(b, s->dim, s->rank);
}

static void number(builder *b, double v)
{
    born_node *n = NULL, *x = born__handle_node(b->in[0]);
    if (b->chain && !b->err.status && !born__node_scalar(b->chain, x->view.dtype, v, &n, &b->err)) {
        b->made[b->made_count++] = n;
        operand(b, born__node_handle(n));
    } else {
        operand(b, (born_tensor){ 0 });
    }
}

/* attrs: as they are (zero means zero), or NULL. */
static born_tensor finish(builder *b, const void *attrs, int out_count, born_tensor *outs)
{
    born_tensor r;
    if (b->err.status) {
        born__chain_fail(b->chain, &b->err, b->at);
        r = born__poison(b->err.status);
        for (int i = 0; outs && i < out_count; i++) outs[i] = r;
    } else {
        r = born__op_call_on(NULL, b->op, b->in, b->n, attrs, out_count, outs, b->at);
    }
    for (int i = 0; i < b->made_count; i++) born__node_unref(b->made[i]);
    return r;
}

/* A user's attributes with every zero field replaced by its default, into a struct of the set's type. */
#define RESOLVED(set, name)                                                                                           \
    born_##set##_attrs resolved;                                                                                      \
    born__attrs_resolve(born__ops[BORN__ID(name)].attrs, attrs, &resolved)

/* ---- elementwise ----------------------------------------------------------------------------------------------- */

born_tensor(born_clamp)(born_tensor a, double lo, double hi, const born_site *at)
{
    const born_clamp_attrs attrs = { .lo = lo, .hi = hi };
    builder b = begin(BORN__ID(clamp), a, at);
    return finish(&b, &attrs, 1, NULL);
}

/* ---- reductions ------------------------------------------------------------------------------------------------ */

#define REDUCE(name, set)                                                                                             \
    born_tensor(born_##name)(born_tensor a, born_ints axes, const born_##set##_attrs *attrs, const born_site *at)     \
    {                                                                                                                 \
        RESOLVED(set, name);                                                                                          \
        builder b = begin(BORN__ID(name), a, at);                                                                     \
        ints(&b, axes);                                                                                               \
        return finish(&b, &resolved, 1, NULL);                                                                        \
    }
REDUCE(reduce_sum, reduce)
REDUCE(reduce_mean, reduce)
REDUCE(reduce_prod, reduce)
REDUCE(reduce_max, reduce)
REDUCE(reduce_min, reduce)
REDUCE(reduce_l1, reduce)
REDUCE(reduce_l2, reduce)
REDUCE(reduce_log_sum, reduce)
REDUCE(reduce_log_sum_exp, reduce)
REDUCE(reduce_sum_square, reduce)
REDUCE(reduce_variance, variance)

#define RUNNING(name)                                                                                                 \
    born_tensor(born_##name)(born_tensor a, int64_t axis, const born_scan_axis_attrs *attrs, const born_site *at)     \
    {                                                                                                                 \
        RESOLVED(scan_axis, name);                                                                                    \
        builder b = begin(BORN__ID(name), a, at);                                                                     \
        host(&b, BORN_I64, NULL, 0, &axis);                                                                           \
        return finish(&b, &resolved, 1, NULL);                                                                        \
    }
RUNNING(cumsum)
RUNNING(cumprod)

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

born_tensor(born_reshape)(born_tensor a, born_shape shape, const born_site *at)
{
    const born_reshape_attrs attrs = { .allowzero = true };
    builder b = begin(BORN__ID(reshape), a, at);
    shape_list(&b, &shape);
    return finish(&b, &attrs, 1, NULL);
}

born_tensor(born_flatten)(born_tensor a, int64_t axis, const born_site *at)
{
    const born_flatten_attrs attrs = { .axis = axis };
    builder b = begin(BORN__ID(flatten), a, at);
    return finish(&b, &attrs, 1, NULL);
}

born_tensor(born_squeeze)(born_tensor a, born_ints axes, const born_site *at)
{
    builder b = begin(BORN__ID(squeeze), a, at);
    ints(&b, axes);
    return finish(&b, NULL, 1, NULL);
}

born_tensor(born_unsqueeze)(born_tensor a, born_ints axes, const born_site *at)
{
    builder b = begin(BORN__ID(unsqueeze), a, at);
    ints(&b, axes);
    return finish(&b, NULL, 1, NULL);
}

born_tensor(born_transpose)(born_tensor a, born_ints perm, const born_site *at)
{
    const born_transpose_attrs attrs = { .perm = perm };
    builder b = begin(BORN__ID(transpose), a, at);
    return finish(&b, &attrs, 1, NULL);
}

born_tensor(born_expand)(born_tensor a, born_shape shape, const born_site *at)
{
    builder b = begin(BORN__ID(expand), a, at);
    shape_list(&b, &shape);
    return finish(&b, NULL, 1, NULL);
}

born_tensor(born_slice)(born_tensor a, born_ints starts, born_ints ends, born_ints axes, born_ints steps,
                        const born_site *at)
{
    builder b = begin(BORN__ID(slice), a, at);
    ints(&b, starts);
    ints(&b, ends);
    ints(&b, axes);
    ints(&b, steps);
    return finish(&b, NULL, 1, NULL);
}

born_tensor(born_concat)(const born_tensor *xs, int n, int64_t axis, const born_site *at)
{
    const born_concat_attrs attrs = { .axis = axis };
    if (!xs || n < 1) return born__poison(BORN_INVALID);
    return born__op_call_on(NULL, &born__ops[BORN__ID(concat)], xs, n, &attrs, 1, NULL, at);
}

born_tensor(born_split)(born_tensor a, born_tensor *out, int n, born_ints sizes, int64_t axis, const born_site *at)
{
    const born_split_attrs attrs = { .axis = axis };
    builder b = begin(BORN__ID(split), a, at);
    ints(&b, sizes);
    if (b.chain && (n < 1 || !out)) born__fail(&b.err, BORN_INVALID, "split: %d results", n);
    return n < 1 || !out ? finish(&b, &attrs, 1, NULL) : finish(&b, &attrs, n, out);
}

born_tensor(born_pad)(born_tensor a, born_ints pads, double value, const born_pad_attrs *attrs, const born_site *at)
{
    RESOLVED(pad, pad);
    builder b = begin(BORN__ID(pad), a, at);
    ints(&b, pads);
    number(&b, value);
    return finish(&b, &resolved, 1, NULL);
}

born_tensor(born_tile)(born_tensor a, born_ints repeats, const born_site *at)
{
    builder b = begin(BORN__ID(tile), a, at);
    list(&b, repeats.v, repeats.v && repeats.count > 0 ? repeats.count : 0);
    return finish(&b, NULL, 1, NULL);
}

born_tensor(born_trilu)(born_tensor a, int64_t k, const born_trilu_attrs *attrs, const born_site *at)
{
    RESOLVED(trilu, trilu);
    builder b = begin(BORN__ID(trilu), a, at);
    host(&b, BORN_I64, NULL, 0, &k);
    return finish(&b, &resolved, 1, NULL);
}

born_tensor(born_range)(born_backend *b, born_dtype t, double start, double limit, double delta, const born_site *at)
{
    const double v[3] = { start, limit, delta };
    born_error err = { 0 };
    born_node *made[3] = { NULL };
    born_tensor in[3], r;
    if (!b) return born__poison(BORN_INVALID);
    born_status s = BORN_OK;
    for (int i = 0; i < 3 && s == BORN_OK; i++) s = born__node_scalar(b->chain, t, v[i], &made[i], &err);
    if (s == BORN_OK) {
        for (int i = 0; i < 3; i++) in[i] = born__node_handle(made[i]);
        r = born__op_call_on(b, &born__ops[BORN__ID(range)], in, 3, NULL, 1, NULL, at);
    } else {
        born__chain_fail(b->chain, &err, at);
        r = born__poison(s);
    }
    for (int i = 0; i < 3; i++) born__node_unref(made[i]);
    return r;
}

/* ---- indices --------------------------------------------------------------------------------------------------- */

#define INDEXED(name, set, field)                                                                                     \
    born_tensor(born_##name)(born_tensor a, born_tensor i, int64_t field, const born_site *at)                        \
    {                                                                                                                 \
        const born_##set##_attrs attrs = { .field = field };                                                          \
        builder b = begin(BORN__ID(name), a, at);                                                                     \
        operand(&b, i);                                                                                               \
        return finish(&b, &attrs, 1, NULL);                                                                           \
    }
INDEXED(gather, gather, axis)
INDEXED(gather_elements, gather, axis)
INDEXED(gather_nd, gather_nd, batch_dims)

born_tensor(born_topk)(born_tensor a, int64_t k, const born_topk_attrs *attrs, born_i64 *indices, const born_site *at)
{
    born_tensor out[2];
    RESOLVED(topk, topk);
    builder b = begin(BORN__ID(topk), a, at);
    list(&b, &k, 1);
    finish(&b, &resolved, 2, out);
    if (indices) indices->any = out[1];
    return out[0];
}

/* ---- networks -------------------------------------------------------------------------------------------------- */

#define ALONG(name)                                                                                                   \
    born_tensor(born_##name)(born_tensor a, int64_t axis, const born_site *at)                                        \
    {                                                                                                                 \
        const born_softmax_attrs attrs = { .axis = axis };                                                            \
        builder b = begin(BORN__ID(name), a, at);                                                                     \
        return finish(&b, &attrs, 1, NULL);                                                                           \
    }
ALONG(softmax)
ALONG(log_softmax)
ALONG(hardmax)

born_tensor(born_resize)(born_tensor a, born_floats scales, born_ints sizes, const born_resize_attrs *attrs,
                         const born_site *at)
{
    RESOLVED(resize, resize);
    builder b = begin(BORN__ID(resize), a, at);
    operand(&b, (born_tensor){ 0 });
    if (scales.count > 0 && scales.v) host(&b, BORN_F32, &scales.count, 1, scales.v);
    else operand(&b, (born_tensor){ 0 });
    ints(&b, sizes);
    return finish(&b, &resolved, 1, NULL);
}

born_tensor(born_attention)(born_tensor q, born_tensor k, born_tensor v, born_tensor mask,
                            const born_attention_attrs *attrs, const born_site *at)
{
    const born_tensor in[] = { q, k, v, mask };
    return born__op_call(BORN__ID(attention), in, mask.w ? 4 : 3, attrs, 1, NULL, at);
}

born_tensor(born_rotary_embedding)(born_tensor x, born_tensor cos, born_tensor sin, born_i64 ids,
                                   const born_rotary_attrs *attrs, const born_site *at)
{
    const born_tensor in[] = { x, cos, sin, ids.any };
    return born__op_call(BORN__ID(rotary_embedding), in, ids.any.w ? 4 : 3, attrs, 1, NULL, at);
}

#define QUANTISE(name)                                                                                                \
    born_tensor(born_##name)(born_tensor x, born_tensor scale, born_tensor zero_point,                                \
                             const born_quantize_attrs *attrs, const born_site *at)                                   \
    {                                                                                                                 \
        const born_tensor in[] = { x, scale, zero_point };                                                            \
        return born__op_call(BORN__ID(name), in, zero_point.w ? 3 : 2, attrs, 1, NULL, at);                           \
    }
QUANTISE(quantize_linear)
QUANTISE(dequantize_linear)
