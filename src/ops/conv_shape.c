/* Shape rules of the convolutions: conv, conv_transpose, deform_conv, causal_conv. Everything a kernel relies on is
   checked here: sizes that agree, groups that divide, windows that fit. */
#include "ops/conv_window.h"

/* Bias, residual and scale, the operands behind the weight; the result's dims are set. */
static born_status check_epilogue(born_infer *f, int64_t channels, int64_t activation)
{
    if (born__infer_has(f, 2) && (f->in[2].rank != 1 || f->in[2].dim[0] != channels))
        return born__infer_fail(f, BORN_SHAPE, "bias is %s where [%lld] is needed", born__infer_shape(f, 2),
                                (long long)channels);
    if (born__infer_has(f, 3)) {
        bool same = f->in[3].rank == f->out[0].rank;
        for (int i = 0; same && i < f->out[0].rank; i++) same = f->in[3].dim[i] == f->out[0].dim[i];
        if (!same)
            return born__infer_fail(f, BORN_SHAPE, "residual is %s where the result is %s", born__infer_shape(f, 3),
                                    born__shape_text(f->out[0].dim, f->out[0].rank, (char[96]){ 0 }, 96));
    }
    if (f->op->id == BORN_OP_CONV && born__infer_has(f, 4) && (f->in[4].rank != 1 || f->in[4].dim[0] != channels))
        return born__infer_fail(f, BORN_SHAPE, "scale is %s where [%lld] is needed", born__infer_shape(f, 4),
                                (long long)channels);
    return born__activation_check(f, activation);
}

/* [n, channels, w.out...] */
static void set_result(born_infer *f, const born_window *w, int64_t channels)
{
    int64_t dim[BORN_MAX_RANK] = { f->in[0].dim[0], channels };
    for (int i = 0; i < w->spatial; i++) dim[2 + i] = w->out[3 - w->spatial + i];
    born__out_set(f, 0, f->in[0].dtype, 2 + w->spatial, dim);
}

static born_status check_groups(born_infer *f, int64_t group, int64_t channels, int64_t per_group, int64_t results)
{
    int64_t all;
    if (!born__mul_i64(group, per_group, &all) || all != channels)
        return born__infer_fail(f, BORN_SHAPE, "x has %lld channels where w takes %lld in each of %lld groups",
                                (long long)channels, (long long)per_group, (long long)group);
    if (results % group != 0)
        return born__infer_fail(f, BORN_SHAPE, "%lld result channels are not divisible by %lld groups",
                                (long long)results, (long long)group);
    return BORN_OK;
}

born_status born__shape_conv(born_infer *f)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, f);
    const born_view *x = &f->in[0], *w = &f->in[1];
    born_window win;
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    BORN_TRY(born__window_fill(&win, &wa, x, w, f->op->name, f->err));
    BORN_TRY(check_groups(f, a->group, x->dim[1], w->dim[1], w->dim[0]));
    set_result(f, &win, w->dim[0]);
    return check_epilogue(f, w->dim[0], a->activation);
}

born_status born__conv_transpose_window(born_window *w, const born_conv_transpose_attrs *a, const born_view *x,
                                        const born_view *weight, const char *op, born_error *err)
{
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    const int64_t *extra = a->output_padding.v, *given = a->output_shape.v;
    BORN_TRY(born__window_lists(w, &wa, x, weight, op, err));
    int n = w->spatial;
    BORN_FAIL_IF(a->output_padding.count != 0 && a->output_padding.count != n, err, BORN_INVALID,
                 "%s: output_padding has %lld numbers where %d are needed", op, (long long)a->output_padding.count, n);
    /* some exporters give the whole shape, batch and channels included */
    BORN_FAIL_IF(a->output_shape.count != 0 && a->output_shape.count != n && a->output_shape.count != n + 2, err,
                 BORN_INVALID, "%s: output_shape has %lld numbers where %d are needed", op,
                 (long long)a->output_shape.count, n);
    if (a->output_shape.count == n + 2) given += 2;
    for (int i = 0; i < n; i++) {
        int at = 3 - n + i;
        int64_t reach = (w->kernel[at] - 1) * w->dilation[at] + 1, full;
        bool fits = born__mul_i64(w->stride[at], w->in[at] - 1, &full) && born__add_i64(full, reach, &full) &&
                    born__add_i64(full, a->output_padding.count ? extra[i] : 0, &full);
        BORN_FAIL_IF(!fits, err, BORN_RANGE, "%s: axis %d would be too large", op, i + 2);
        if (a->output_shape.count != 0 || a->auto_pad == BORN_PAD_SAME_UPPER || a->auto_pad == BORN_PAD_SAME_LOWER) {
            if (a->output_shape.count != 0) w->out[at] = given[i];
            else if (!born__mul_i64(w->in[at], w->stride[at], &w->out[at]))
                return born__fail(err, BORN_RANGE, "%s: axis %d would be too large", op, i + 2);
            int64_t total = full > w->out[at] ? full - w->out[at] : 0;
            w->pad[at] = a->auto_pad == BORN_PAD_SAME_UPPER ? total / 2 : total - total / 2;
            w->pad_end[at] = total - w->pad[at];
        } else {
            w->out[at] = full - w->pad[at] - w->pad_end[at];
        }
        BORN_FAIL_IF(w->out[at] < 0 || w->out[at] > (int64_t)1 << 60, err, BORN_SHAPE,
                     "%s: axis %d would have size %lld", op, i + 2, (long long)w->out[at]);
    }
    return BORN_OK;
}

born_status born__shape_conv_transpose(born_infer *f)
{
    const born_conv_transpose_attrs *a = BORN_ATTRS_OF(conv_transpose, f);
    const born_view *x = &f->in[0], *w = &f->in[1];
    born_window win;
    int64_t channels;
    BORN_TRY(born__conv_transpose_window(&win, a, x, w, f->op->name, f->err));
    if (w->dim[0] != x->dim[1] || x->dim[1] % a->group != 0)
        return born__infer_fail(f, BORN_SHAPE, "x has %lld channels, w takes %lld, in %lld groups",
                                (long long)x->dim[1], (long long)w->dim[0], (long long)a->group);
    if (!born__mul_i64(w->dim[1], a->group, &channels))
        return born__infer_fail(f, BORN_RANGE, "too many result channels");
    set_result(f, &win, channels);
    return check_epilogue(f, channels, a->activation);
}

/* [n, groups * per_group, the result's plane]? */
static born_status check_field(born_infer *f, int i, const char *name, int64_t groups, int64_t per_group)
{
    const born_view *v = &f->in[i], *y = &f->out[0];
    int64_t channels;
    bool fits = born__mul_i64(groups, per_group, &channels) && v->rank == 4 && v->dim[0] == y->dim[0] &&
                v->dim[1] == channels && v->dim[2] == y->dim[2] && v->dim[3] == y->dim[3];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "%s is %s where [%lld,%lld*%lld,%lld,%lld] is needed", name,
                                born__infer_shape(f, i), (long long)y->dim[0], (long long)groups, (long long)per_group,
                                (long long)y->dim[2], (long long)y->dim[3]);
    return BORN_OK;
}

born_status born__shape_deform_conv(born_infer *f)
{
    const born_deform_conv_attrs *a = BORN_ATTRS_OF(deform_conv, f);
    const born_view *x = &f->in[0], *w = &f->in[1];
    born_window win;
    born_window_attrs wa = { BORN_PAD_NOTSET, false, a->kernel_shape, a->strides, a->pads, a->dilations };
    BORN_TRY(born__window_fill(&win, &wa, x, w, f->op->name, f->err));
    if (win.spatial != 2) return born__infer_fail(f, BORN_UNSUPPORTED, "%d spatial axes; 2 are handled", win.spatial);
    BORN_TRY(check_groups(f, a->group, x->dim[1], w->dim[1], w->dim[0]));
    if (x->dim[1] % a->offset_group != 0)
        return born__infer_fail(f, BORN_SHAPE, "%lld channels are not divisible by %lld offset groups",
                                (long long)x->dim[1], (long long)a->offset_group);
    set_result(f, &win, w->dim[0]);
    int64_t taps = win.kernel[1] * win.kernel[2];       /* each at most 2^30 */
    BORN_TRY(check_field(f, 2, "offset", a->offset_group, 2 * taps));
    if (born__infer_has(f, 3) && (f->in[3].rank != 1 || f->in[3].dim[0] != w->dim[0]))
        return born__infer_fail(f, BORN_SHAPE, "bias is %s where [%lld] is needed", born__infer_shape(f, 3),
                                (long long)w->dim[0]);
    return born__infer_has(f, 4) ? check_field(f, 4, "mask", a->offset_group, taps) : BORN_OK;
}

born_status born__shape_causal_conv(born_infer *f)
{
    const born_view *x = &f->in[0], *w = &f->in[1];
    if (x->rank != 3 || w->rank != 3 || w->dim[0] != x->dim[1] || w->dim[1] != 1 || w->dim[2] < 1)
        return born__infer_fail(f, BORN_SHAPE, "x is %s, w %s where [B,C,L] and [C,1,K] are needed",
                                born__infer_shape(f, 0), born__infer_shape(f, 1));
    const int64_t state[3] = { x->dim[0], x->dim[1], w->dim[2] - 1 };
    if (born__infer_has(f, 2) && (f->in[2].rank != 1 || f->in[2].dim[0] != x->dim[1]))
        return born__infer_fail(f, BORN_SHAPE, "bias is %s where [%lld] is needed", born__infer_shape(f, 2),
                                (long long)x->dim[1]);
    if (born__infer_has(f, 3)) {
        const born_view *p = &f->in[3];
        if (p->rank != 3 || p->dim[0] != state[0] || p->dim[1] != state[1] || p->dim[2] != state[2])
            return born__infer_fail(f, BORN_SHAPE, "past state is %s where [%lld,%lld,%lld] is needed",
                                    born__infer_shape(f, 3), (long long)state[0], (long long)state[1],
                                    (long long)state[2]);
    }
    born__out_set(f, 0, x->dtype, 3, x->dim);
    born__out_set(f, 1, x->dtype, 3, state);
    return BORN_OK;
}
