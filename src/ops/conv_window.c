/* Geometry of windows (conv_window.h) and the activation that products apply last. All numbers may come from a file:
   attributes are within their rows' ranges (at most 2^30) and sizes are capped here, so that plain sums stay within
   int64. */
#include "ops/conv_window.h"

/* Spreads a list of `n` numbers over the last n of three; an empty list leaves to[] alone. */
static born_status take(int64_t *to, const born_ints *list, int n, const char *name, const char *op, born_error *err)
{
    if (list->count == 0) return BORN_OK;
    BORN_FAIL_IF(list->count != n, err, BORN_INVALID, "%s: %s has %lld numbers where %d are needed", op, name,
                 (long long)list->count, n);
    for (int i = 0; i < n; i++) to[3 - n + i] = list->v[i];
    return BORN_OK;
}

born_status born__window_lists(born_window *w, const born_window_attrs *a, const born_view *x, const born_view *weight,
                               const char *op, born_error *err)
{
    BORN_FAIL_IF(x->rank < 3 || x->rank > 5, err, BORN_SHAPE,
                 "%s: x has rank %d where 3 to 5 ([N, C] and 1 to 3 spatial axes) are handled", op, x->rank);
    int n = w->spatial = x->rank - 2;
    for (int i = 0; i < 3; i++) {
        w->in[i] = i < 3 - n ? 1 : x->dim[i - 1 + n];
        w->out[i] = w->kernel[i] = w->stride[i] = w->dilation[i] = 1;
        w->pad[i] = w->pad_end[i] = 0;
    }
    for (int i = 3 - n; i < 3; i++)      /* keeps every later sum within int64 */
        BORN_FAIL_IF(w->in[i] > (int64_t)1 << 60, err, BORN_RANGE, "%s: size %lld is too large", op,
                     (long long)w->in[i]);
    if (!weight) {
        BORN_FAIL_IF(a->kernel.count == 0, err, BORN_INVALID, "%s: no kernel_shape", op);
    } else {
        BORN_FAIL_IF(weight->rank != x->rank, err, BORN_SHAPE, "%s: w has rank %d, x rank %d", op, weight->rank,
                     x->rank);
    }
    BORN_TRY(take(w->kernel, &a->kernel, n, "kernel_shape", op, err));
    BORN_TRY(take(w->stride, &a->strides, n, "strides", op, err));
    BORN_TRY(take(w->dilation, &a->dilations, n, "dilations", op, err));
    for (int i = 3 - n; weight && i < 3; i++) {
        int64_t k = weight->dim[i - 1 + n];
        BORN_FAIL_IF(k < 1 || k > 1 << 30, err, BORN_SHAPE, "%s: w has kernel size %lld", op, (long long)k);
        BORN_FAIL_IF(a->kernel.count > 0 && k != w->kernel[i], err, BORN_SHAPE,
                     "%s: kernel_shape says %lld where w has %lld", op, (long long)w->kernel[i], (long long)k);
        w->kernel[i] = k;
    }
    if (a->pads.count == 0 || a->auto_pad != BORN_PAD_NOTSET) return BORN_OK;
    BORN_FAIL_IF(a->pads.count != 2 * n, err, BORN_INVALID, "%s: pads has %lld numbers where %d are needed", op,
                 (long long)a->pads.count, 2 * n);
    for (int i = 0; i < n; i++) {
        w->pad[3 - n + i] = a->pads.v[i];
        w->pad_end[3 - n + i] = a->pads.v[n + i];
    }
    return BORN_OK;
}

/* out = ceil(in / stride), and the padding that gives it. */
static void same_padding(born_window *w, int i, int64_t reach, bool upper)
{
    int64_t out = w->in[i] / w->stride[i] + (w->in[i] % w->stride[i] != 0), total = 0;
    if (out > 0) {
        int64_t last = (out - 1) * w->stride[i];     /* below in */
        total = reach > w->in[i] - last ? reach - (w->in[i] - last) : 0;
    }
    w->out[i] = out;
    w->pad[i] = upper ? total / 2 : total - total / 2;
    w->pad_end[i] = total - w->pad[i];
}

born_status born__window_fill(born_window *w, const born_window_attrs *a, const born_view *x, const born_view *weight,
                              const char *op, born_error *err)
{
    BORN_TRY(born__window_lists(w, a, x, weight, op, err));
    for (int i = 3 - w->spatial; i < 3; i++) {
        int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;            /* factors at most 2^30 */
        int64_t room = w->in[i] + w->pad[i] + w->pad_end[i];
        if (a->auto_pad == BORN_PAD_SAME_UPPER || a->auto_pad == BORN_PAD_SAME_LOWER) {
            same_padding(w, i, reach, a->auto_pad == BORN_PAD_SAME_UPPER);
            continue;
        }
        BORN_FAIL_IF(room < reach, err, BORN_SHAPE, "%s: the window spans %lld cells where padded axis %d has %lld", op,
                     (long long)reach, i - 1 + w->spatial, (long long)room);
        int64_t left = room - reach;
        w->out[i] = left / w->stride[i] + 1;
        if (a->ceil_mode && a->auto_pad == BORN_PAD_NOTSET && left % w->stride[i] != 0) {
            /* one more window, unless it would start behind the input and the padding before it */
            if (w->out[i] * w->stride[i] < w->in[i] + w->pad[i]) w->out[i]++;
        }
    }
    return BORN_OK;
}

enum { ACTIVATION_ATTRS = 64 };     /* bytes: two doubles and room to spare */

static const born_op *activation_op(int64_t id)
{
    if (id <= 0 || id >= BORN_OP_COUNT) return NULL;
    const born_op *op = &born__ops[id];
    bool fits = (op->props & BORN_P_ELEMENTWISE) && op->max_in == 1 && op->ref && strcmp(op->sig, "T>T") == 0;
    if (!fits || !op->attrs) return fits ? op : NULL;
    if (op->attrs->bytes > ACTIVATION_ATTRS || op->attrs->count > 2) return NULL;
    for (int i = 0; i < op->attrs->count; i++)
        if (op->attrs->field[i].kind != BORN_ATTR_FLOAT) return NULL;
    return op;
}

born_status born__activation_check(born_infer *f, int64_t activation)
{
    if (activation != 0 && !activation_op(activation))
        return born__infer_fail(f, BORN_INVALID, "activation %lld is not a unary op of at most two numbers",
                                (long long)activation);
    return BORN_OK;
}

born_status born__activation_run(const born_view *y, int64_t activation, double alpha, double beta, const born_exec *x)
{
    if (activation == 0) return BORN_OK;
    const born_op *op = activation_op(activation);
    BORN_FAIL_IF(!op, x->err, BORN_INTERNAL, "activation %lld passed the rule", (long long)activation);
    _Alignas(double) char attrs[ACTIVATION_ATTRS] = { 0 };
    const double value[2] = { alpha, beta };
    for (int i = 0; op->attrs && i < op->attrs->count; i++)
        memcpy(attrs + op->attrs->field[i].offset, &value[i], sizeof value[i]);
    born_view in = *y, out = *y;
    born_call call = { .op = op, .attrs = op->attrs ? attrs : NULL, .in_count = 1, .out_count = 1, .in = &in,
                       .out = &out };
    born_exec inner = *x;
    inner.scratch = NULL;
    inner.scratch_bytes = 0;
    return op->ref(&call, &inner);
}
