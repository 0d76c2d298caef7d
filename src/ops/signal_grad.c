/* Gradients of spectra: a Fourier transform is linear, and its transpose is the transform the other way, scaled. */
#include "ops/emit_help.h"

static born_val operand(const born_grad *g, int i) { return born__grad_in(g, i); }

/* v along axis cut or filled up with zeros to n. */
static born_val fitted(born_emit *e, born_val v, int axis, int64_t n)
{
    born_view m;
    if (!v || !born__emit_sizes(e, v, &m)) return 0;
    if (m.dim[axis] > n) return born__emit_span(e, v, axis, 0, n);
    if (m.dim[axis] == n) return v;
    m.dim[axis] = n - m.dim[axis];
    born_val part[2] = { v, born__emit_filled(e, m.dtype, 0, m.dim, m.rank) };
    return born__emit_joined(e, part, 2, axis);
}

static born_val transformed(born_emit *e, born_val v, int64_t length, int axis, bool inverse, bool onesided)
{
    const born_dft_attrs a = { .inverse = inverse, .onesided = onesided };
    if (!v || e->err.status) return 0;
    const born_val in[3] = { v, e->scalar(e, BORN_I64, (double)length), e->scalar(e, BORN_I64, axis) };
    return born__emit1(e, BORN_OP_DFT, &a, in, 3);
}

/* The real parts of [..., 2]. */
static born_val real_part(born_emit *e, born_val v, int rank) { return born__emit_span(e, v, rank - 1, 0, 1); }

/* Forward: the unscaled inverse of what arrived, where missing bins are 0. */
static born_val by_signal(born_emit *e, born_val G, const born_view *x, int axis, int64_t length)
{
    born_val v = transformed(e, fitted(e, G, axis, length), length, axis, true, false);
    v = born__emit_times(e, v, (double)length);
    if (x->dim[x->rank - 1] == 1) v = real_part(e, v, x->rank);
    return fitted(e, v, axis, x->dim[axis]);
}

/* Inverse: the transform of what arrived over the length; of half a spectrum every bin but the first (and the middle
   one) counts twice. */
static born_val by_spectrum(born_emit *e, born_val G, const born_view *x, int axis, int64_t length, bool onesided)
{
    born_val v = born__emit_times(e, transformed(e, G, length, axis, false, onesided), 1 / (double)length);
    if (onesided) {
        born_view m;
        if (!v || !born__emit_sizes(e, v, &m)) return 0;
        int64_t bins = m.dim[axis], twice = (length + 1) / 2;
        born_val part[3];
        int n = 0;
        part[n++] = born__emit_span(e, v, axis, 0, 1);
        if (twice > 1) part[n++] = born__emit_times(e, born__emit_span(e, v, axis, 1, twice), 2);
        if (bins > twice && length > 1) part[n++] = born__emit_span(e, v, axis, twice, bins);
        v = born__emit_joined(e, part, n, axis);
    }
    if (x->dim[x->rank - 1] == 1) v = real_part(e, v, x->rank);
    return fitted(e, v, axis, x->dim[axis]);
}

void born__grad_dft(born_emit *e, const born_grad *g)
{
    const born_dft_attrs *a = BORN_ATTRS_OF(dft, g);
    born_view x, y;
    if (!born__grad_wants(g, 0) || !born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->out[0], &y)) return;
    const born_view *n = operand(g, 1) ? e->meta(e, g->in[1]) : NULL, *at = operand(g, 2) ? e->meta(e, g->in[2]) : NULL;
    if ((n && !n->data) || (at && !at->data)) {
        born__fail(&e->err, BORN_UNSUPPORTED, "dft: a gradient needs a length and an axis that are known");
        return;
    }
    int axis = at ? (int)born__at_i64(at, 0) : -2;
    if (axis < 0) axis += x.rank;
    int64_t length = n ? born__at_i64(n, 0) : x.dim[axis];
    if (!n && a->inverse && a->onesided) length = y.dim[axis];
    if (length > 0 && born__view_count(&x) > 0)
        g->gin[0] = a->inverse ? by_spectrum(e, g->gout[0], &x, axis, length, a->onesided)
                               : by_signal(e, g->gout[0], &x, axis, length);
    else g->gin[0] = born__emit_zeros_like(e, g->in[0]);
}

/* ---- stft ------------------------------------------------------------------------------------------------------ */

/* Frames [B, F, n, c] as the columns [B, c * n, F] of a signal [B, c, L], and back. */
static born_val to_columns(born_emit *e, born_val v, const born_view *m)
{
    v = born__emit_permuted(e, v, (int64_t[]){ 0, 3, 2, 1 }, 4);
    return born__emit_reshape(e, v, (int64_t[]){ m->dim[0], m->dim[3] * m->dim[2], m->dim[1] }, 3);
}

void born__grad_stft(born_emit *e, const born_grad *g)
{
    born_view x, y;
    if (!born__emit_sizes(e, g->in[0], &x) || !born__emit_sizes(e, g->out[0], &y)) return;
    const born_view *step = e->meta(e, g->in[1]), *len = operand(g, 3) ? e->meta(e, g->in[3]) : NULL;
    born_val window = operand(g, 2);
    bool flat = x.rank == 2;
    if (!step->data || (len && !len->data) || (!len && !window)) {
        born__fail(&e->err, BORN_UNSUPPORTED, "stft: a gradient needs a step and a frame length that are known");
        return;
    }
    int64_t n = len ? born__at_i64(len, 0) : e->meta(e, window)->dim[0], stride = born__at_i64(step, 0);
    int64_t parts = flat ? 1 : x.dim[2], L = x.dim[1], image[1] = { L };
    const born_view frame = { .rank = 4, .dim = { x.dim[0], y.dim[1], n, parts } };
    born_val v = by_signal(e, g->gout[0], &frame, 2, n);      /* of the windowed frames [B, F, n, parts] */
    const born_col2im_attrs a = { .strides = { &stride, 1 } };
    born_val across = window ? born__emit_reshape(e, window, (int64_t[]){ n, 1 }, 2) : 0;
    if (born__grad_wants(g, 2)) {
        born_val signal = born__emit_reshape(e, g->in[0], (int64_t[]){ x.dim[0], L, parts }, 3);
        signal = born__emit_permuted(e, signal, (int64_t[]){ 0, 2, 1 }, 3);
        if (e->err.status || !signal) return;
        const born_val in[2] = { signal, e->ints(e, &n, 1) };
        born_val frames = born__emit1(e, BORN_OP_IM2COL, &a, in, 2);     /* [B, parts * n, F] */
        born_val d = born__emit_two(e, BORN_OP_MUL, frames, to_columns(e, v, &frame));
        d = born__emit_reshape(e, d, (int64_t[]){ x.dim[0], parts, n, y.dim[1] }, 4);
        g->gin[2] = born__emit_sum_to(e, born__emit_permuted(e, d, (int64_t[]){ 0, 1, 3, 2 }, 4), window);
    }
    if (!born__grad_wants(g, 0)) return;
    if (across) v = born__emit_two(e, BORN_OP_MUL, v, across);
    v = to_columns(e, v, &frame);
    if (e->err.status || !v) return;
    const born_val in[3] = { v, e->ints(e, image, 1), e->ints(e, &n, 1) };
    v = born__emit1(e, BORN_OP_COL2IM, &a, in, 3);            /* [B, parts, L] */
    g->gin[0] = born__emit_shaped_like(e, born__emit_permuted(e, v, (int64_t[]){ 0, 2, 1 }, 3), g->in[0]);
}
