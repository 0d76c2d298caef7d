/* Losses of classes by index: cross entropy, NLL, margins. Class indices go to the fused operators; probabilities, to a
   formula. */
#include <math.h>

#include "nn/loss_help.h"

/* The operators' own attributes, in full: an index of 0 to ignore has no default to hide behind. */
static born_loss_attrs loss_attrs(const born_cross_entropy_attrs *a, bool smooth)
{
    static const int reduction[] = { [BORN_MEAN] = 0, [BORN_NONE] = 1, [BORN_SUM] = 2 };
    int64_t ignored = a && (a->ignore_index || a->ignore_zero) ? a->ignore_index : -100;
    return (born_loss_attrs){ .reduction = a ? reduction[a->reduction] : 0, .ignore_index = ignored,
                              .label_smoothing = a && smooth ? a->label_smoothing : 0 };
}

static born_tensor by_index(born_op_id op, born_tensor x, born_tensor target, const born_cross_entropy_attrs *a,
                            const born_site *at)
{
    born_loss_attrs attrs = loss_attrs(a, op == BORN_OP_CROSS_ENTROPY_LOSS);
    bool single = born_shape_of(x).rank == 1;
    born_tensor y[2];

    if (single) {
        x = UNSQUEEZE(x, 0);
        target = RESHAPE(target, BORN_SHAPE(1));
    }
    born_tensor v[] = { x, target, a ? a->weight : (born_tensor){ 0 } };
    (void)born__op_call_on(NULL, &born__ops[op], v, 3, &attrs, op == BORN_OP_CROSS_ENTROPY_LOSS ? 2 : 1, y, at);
    return single && attrs.reduction == 1 ? RESHAPE(y[0], (born_shape){ 0 }) : y[0];
}

/* -sum over classes of target * weight * log softmax; the mean is over positions. */
static born_tensor by_probability(born_tensor x, born_tensor target, const born_cross_entropy_attrs *a,
                                  const born_site *at)
{
    born_shape s = born_shape_of(x), one = { .rank = s.rank };
    int axis = s.rank > 1;
    double smooth = a ? a->label_smoothing : 0;
    born_reduction r = a ? a->reduction : BORN_MEAN;

    if (s.rank < 1) return born__loss_fail(x, at, BORN_SHAPE, "cross_entropy: x has no classes");
    if (smooth > 0) target = ADD_N(MUL_N(target, 1 - smooth), smooth / (double)s.dim[axis]);
    born_tensor l = MUL((born_log_softmax)(x, axis, at), target);
    if (a && born__given(a->weight)) {
        for (int d = 0; d < s.rank; d++) one.dim[d] = d == axis ? s.dim[d] : 1;
        l = MUL(l, RESHAPE(a->weight, one));
    }
    return born__loss_reduce(NEG(SUM(l, axis)), r, at);
}

static bool sound(const born_cross_entropy_attrs *a)
{
    return !a || ((unsigned)a->reduction <= BORN_SUM && a->label_smoothing >= 0 && a->label_smoothing <= 1);
}

born_tensor(born_cross_entropy)(born_tensor x, born_tensor target, const born_cross_entropy_attrs *attrs,
                                const born_site *at)
{
    if (!sound(attrs))
        return born__loss_fail(x, at, BORN_INVALID, "cross_entropy: smoothing is not in [0, 1], or no such reduction");
    if (born__is_float(target)) return by_probability(x, target, attrs, at);
    return by_index(BORN_OP_CROSS_ENTROPY_LOSS, x, target, attrs, at);
}

born_tensor(born_nll_loss)(born_tensor x, born_tensor target, const born_cross_entropy_attrs *attrs,
                           const born_site *at)
{
    if (!sound(attrs)) return born__loss_fail(x, at, BORN_INVALID, "nll_loss: there is no such reduction");
    return by_index(BORN_OP_NLL_LOSS, x, target, attrs, at);
}

/* ---- margins --------------------------------------------------------------------------------------------------- */

born_tensor(born_multi_margin_loss)(born_tensor x, born_tensor target, double margin,
                                    const born_multi_margin_attrs *attrs, const born_site *at)
{
    int p = attrs && attrs->p ? attrs->p : 1, rank = born_shape_of(x).rank;

    if (p != 1 && p != 2) return born__loss_fail(x, at, BORN_INVALID, "multi_margin_loss: p is %d, not 1 or 2", p);
    if (rank == 1) {
        x = UNSQUEEZE(x, 0);
        target = RESHAPE(target, BORN_SHAPE(1));
    }
    if (born_shape_of(x).rank != 2) return born__loss_fail(x, at, BORN_SHAPE, "multi_margin_loss: x is not [N, C]");
    int64_t C = born_shape_of(x).dim[1];
    born_tensor column = UNSQUEEZE(CAST(target, BORN_I64), 1), own = EQ(UNSQUEEZE(born__iota(x, C, at), 0), column);
    born_tensor z = AT_LEAST_0(ADD_N(SUB(x, GATHER_ELEMENTS(x, column, 1)), margin));
    if (p == 2) z = SQUARE(z);
    if (attrs && born__given(attrs->weight)) z = MUL(z, GATHER(attrs->weight, column, 0));
    z = DIV_N(SUM(WHERE(own, born__like(x, 0, at), z), 1), (double)C);
    if (rank == 1) z = RESHAPE(z, (born_shape){ 0 });
    return born__loss_reduce(z, attrs ? attrs->reduction : BORN_MEAN, at);
}

born_tensor(born_multilabel_margin_loss)(born_tensor x, born_tensor target, const born_reduction_attrs *attrs,
                                         const born_site *at)
{
    int rank = born_shape_of(x).rank;

    if (rank == 1) {
        x = UNSQUEEZE(x, 0);
        target = UNSQUEEZE(target, 0);
    }
    born_shape s = born_shape_of(x);
    if (s.rank != 2) return born__loss_fail(x, at, BORN_SHAPE, "multilabel_margin_loss: x is not [N, C]");
    born_dtype t = born_dtype_of(x);
    target = CAST(target, BORN_I64);
    born_tensor ends = CAST(EQ_N(target, -1), BORN_I64);
    born_tensor valid = EQ_N((born_cumsum)(ends, 1, NULL, at), 0);                  /* [N, C]: before the first -1 */
    born_tensor index = WHERE(valid, target, born__like(target, 0, at));
    born_tensor hit = (born_scatter_elements)((born_full)(born_backend_of(x), t, s, 0, at), index, CAST(valid, t),
                                              &(born_scatter_elements_attrs){ .axis = 1, .reduction = 1 }, at);
    born_tensor others = CAST(EQ_N(hit, 0), t);                                     /* [N, C]: no targets */
    born_tensor of_target = UNSQUEEZE(GATHER_ELEMENTS(x, index, 1), 2);             /* [N, targets, 1] */
    born_tensor z = AT_LEAST_0(ADD_N(SUB(UNSQUEEZE(x, 1), of_target), 1));          /* [N, targets, C] */
    z = MUL(MUL(z, UNSQUEEZE(CAST(valid, t), 2)), UNSQUEEZE(others, 1));
    z = DIV_N(SUM(SUM(z, 2), 1), (double)s.dim[1]);
    if (rank == 1) z = RESHAPE(z, (born_shape){ 0 });
    return born__loss_reduce(z, attrs ? attrs->reduction : BORN_MEAN, at);
}

/* ---- alignments ------------------------------------------------------------------------------------------------ */

born_tensor(born_ctc_loss)(born_tensor x, born_tensor targets, born_tensor x_lengths, born_tensor target_lengths,
                           const born_ctc_loss_attrs *attrs, const born_site *at)
{
    const born_ctc_attrs own = { .blank = attrs ? attrs->blank : 0, .zero_infinity = attrs && attrs->zero_infinity };
    bool single = born_shape_of(x).rank == 2;
    born_reduction r = attrs ? attrs->reduction : BORN_MEAN;

    if ((unsigned)r > BORN_SUM) return born__loss_fail(x, at, BORN_INVALID, "ctc_loss: there is no such reduction");
    if (single) {
        x = UNSQUEEZE(x, 1);
        x_lengths = RESHAPE(x_lengths, BORN_SHAPE(1));
        target_lengths = RESHAPE(target_lengths, BORN_SHAPE(1));
    }
    born_tensor v[] = { x, targets, x_lengths, target_lengths };
    born_tensor l = born__op_call(BORN_OP_CTC_LOSS, v, 4, &own, 1, NULL, at);
    if (r == BORN_MEAN) l = DIV(l, MAX_N(CAST(target_lengths, born_dtype_of(l)), 1));
    if (single) l = RESHAPE(l, (born_shape){ 0 });
    return born__loss_reduce(l, r, at);
}
