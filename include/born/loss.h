/* Born: losses, as functions on tensors of any float dtype. They are made of operators, so their gradients can be
   differentiated again; each is stable at the extremes where PyTorch's is. x is what the network gave. A target that
   need not be of x's dtype (class indices, signs) is any typed handle. The result is rank 0, or with BORN_NONE one loss
   for each element or row. attrs NULL: the defaults; a zero field is its default.
   How rows and selectors work: op_forms.h. */
#ifndef BORN_LOSS_H
#define BORN_LOSS_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// How single losses become one: mean (the default), none, sum; for born_kl_div also the sum over the first dim's size.
typedef enum born_reduction { BORN_MEAN, BORN_NONE, BORN_SUM, BORN_BATCH_MEAN } born_reduction;

typedef struct born_reduction_attrs {
    born_reduction reduction;
} born_reduction_attrs;

/* ---- classes --------------------------------------------------------------------------------------------------- */

typedef struct born_cross_entropy_attrs {
    born_reduction reduction;
    double label_smoothing;
    born_tensor weight;         /* of each class, [C]; {0}: 1 */
    int64_t ignore_index;       /* targets that do not count; 0: -100 unless the next says so */
    bool ignore_zero;           /* ignore_index is 0 */
} born_cross_entropy_attrs;

/// Cross entropy of scores x [N, C, ...] (or [C]) and target: class indices [N, ...] (i32 or i64), or probabilities
/// like x. The mean is weighted by the classes' weights. RANGE for an index that is no class. Equals
/// torch.nn.functional.cross_entropy.
BORN_OP1X(cross_entropy, FLT, (, born_tensor target, const born_cross_entropy_attrs *attrs), (, target, attrs))
#define born_cross_entropy(x, target, attrs) BORN_SEL_N(FLT, born_cross_entropy, x, BORN_ANY(target), attrs)

/// The same for log-probabilities x and class indices. label_smoothing is not used. Equals
/// torch.nn.functional.nll_loss.
BORN_OP1X(nll_loss, FLT, (, born_tensor target, const born_cross_entropy_attrs *attrs), (, target, attrs))
#define born_nll_loss(x, target, attrs) BORN_SEL_N(FLT, born_nll_loss, x, BORN_ANY(target), attrs)

typedef struct born_ctc_loss_attrs {
    born_reduction reduction;   /* mean: each divided by its target's length first */
    int64_t blank;              /* class; 0 */
    bool zero_infinity;         /* impossible alignments count 0 and have no gradient */
} born_ctc_loss_attrs;

/// Connectionist temporal classification: log-probabilities x [T, N, C] (or [T, C]), targets [N, S] or all one after
/// another [sum of lengths] (i32 or i64), x's and the targets' lengths [N]. The gradient is with respect to the scores
/// whose log-softmax x is. Graves et al., 2006. Equals torch.nn.functional.ctc_loss.
BORN_OP1X(ctc_loss, FLT,
          (, born_tensor targets, born_tensor x_lengths, born_tensor target_lengths, const born_ctc_loss_attrs *attrs),
          (, targets, x_lengths, target_lengths, attrs))
#define born_ctc_loss(x, targets, x_lengths, target_lengths, attrs)                                                   \
    BORN_SEL_N(FLT, born_ctc_loss, x, BORN_ANY(targets), BORN_ANY(x_lengths), BORN_ANY(target_lengths), attrs)

typedef struct born_multi_margin_attrs {
    born_reduction reduction;
    int p;                      /* 1 (the default) or 2 */
    born_tensor weight;         /* of each class, [C] */
} born_multi_margin_attrs;

/// Mean over classes of max(0, margin - x[target] + x[i])^p, i not the target: x [N, C] or [C], target [N] or one
/// (i64). PyTorch's default margin is 1. Equals torch.nn.functional.multi_margin_loss.
BORN_OP1X(multi_margin_loss, FLT, (, born_tensor target, double margin, const born_multi_margin_attrs *attrs),
          (, target, margin, attrs))
#define born_multi_margin_loss(x, target, margin, attrs)                                                              \
    BORN_SEL_N(FLT, born_multi_margin_loss, x, BORN_ANY(target), margin, attrs)

/// Sum of max(0, 1 - (x[target] - x[i])) / C over targets and non-targets: x [N, C] or [C], target like x: indices
/// (i64), those before the first -1. Equals torch.nn.functional.multilabel_margin_loss.
BORN_OP1X(multilabel_margin_loss, FLT, (, born_tensor target, const born_reduction_attrs *attrs), (, target, attrs))
#define born_multilabel_margin_loss(x, target, attrs)                                                                 \
    BORN_SEL_N(FLT, born_multilabel_margin_loss, x, BORN_ANY(target), attrs)

typedef struct born_weighted_attrs {
    born_reduction reduction;
    born_tensor weight;         /* broadcast to x; {0}: 1 */
    born_tensor pos_weight;     /* bce with logits: of the positive term, broadcast to x; {0}: 1 */
} born_weighted_attrs;

/// Mean over classes of the binary cross entropies of scores x [N, C] with targets like x in [0, 1]. Equals
/// torch.nn.functional.multilabel_soft_margin_loss.
BORN_OP1X(multilabel_soft_margin_loss, FLT, (, born_tensor target, const born_weighted_attrs *attrs), (, target, attrs))
#define born_multilabel_soft_margin_loss(x, target, attrs)                                                            \
    BORN_SEL_N(FLT, born_multilabel_soft_margin_loss, x, BORN_ANY(target), attrs)

/// Binary cross entropy of probabilities x and targets; logarithms are at least -100. Equals
/// torch.nn.functional.binary_cross_entropy.
BORN_OP2X(binary_cross_entropy, FLT, (, const born_weighted_attrs *attrs), (, attrs))
#define born_binary_cross_entropy(x, ...) BORN_SEL_N(FLT, born_binary_cross_entropy, x, __VA_ARGS__)
/// The same for scores x. Equals torch.nn.functional.binary_cross_entropy_with_logits.
BORN_OP2X(binary_cross_entropy_with_logits, FLT, (, const born_weighted_attrs *attrs), (, attrs))
#define born_binary_cross_entropy_with_logits(x, ...)                                                                 \
    BORN_SEL_N(FLT, born_binary_cross_entropy_with_logits, x, __VA_ARGS__)

/* ---- numbers --------------------------------------------------------------------------------------------------- */

/// (x - target)^2. Equals torch.nn.functional.mse_loss.
BORN_OP2X(mse_loss, FLT, (, const born_reduction_attrs *attrs), (, attrs))
#define born_mse_loss(x, ...) BORN_SEL_N(FLT, born_mse_loss, x, __VA_ARGS__)
/// |x - target|. Equals torch.nn.functional.l1_loss.
BORN_OP2X(l1_loss, FLT, (, const born_reduction_attrs *attrs), (, attrs))
#define born_l1_loss(x, ...) BORN_SEL_N(FLT, born_l1_loss, x, __VA_ARGS__)
/// d = |x - target|: d^2 / (2 beta) below beta, else d - beta / 2; beta 0: d. PyTorch's default beta is 1. Equals
/// torch.nn.functional.smooth_l1_loss.
BORN_OP2X(smooth_l1_loss, FLT, (, double beta, const born_reduction_attrs *attrs), (, beta, attrs))
#define born_smooth_l1_loss(x, ...) BORN_SEL_N(FLT, born_smooth_l1_loss, x, __VA_ARGS__)
/// d = |x - target|: d^2 / 2 up to delta, else delta (d - delta / 2). PyTorch's default delta is 1. Huber, 1964. Equals
/// torch.nn.functional.huber_loss.
BORN_OP2X(huber_loss, FLT, (, double delta, const born_reduction_attrs *attrs), (, delta, attrs))
#define born_huber_loss(x, ...) BORN_SEL_N(FLT, born_huber_loss, x, __VA_ARGS__)

typedef struct born_kl_div_attrs {
    born_reduction reduction;
    bool log_target;
} born_kl_div_attrs;
/// target (log target - x) for log-probabilities x; 0 where the target is 0. Equals torch.nn.functional.kl_div.
BORN_OP2X(kl_div, FLT, (, const born_kl_div_attrs *attrs), (, attrs))
#define born_kl_div(x, ...) BORN_SEL_N(FLT, born_kl_div, x, __VA_ARGS__)

typedef struct born_likelihood_attrs {
    born_reduction reduction;
    bool full;                  /* with the constant (Gaussian) or Stirling's (Poisson) term */
    double eps;                 /* 0: 1e-6 (Gaussian: the least variance), 1e-8 (Poisson: added before the log) */
    bool no_log;                /* Poisson: x is the rate, not its logarithm */
} born_likelihood_attrs;
/// Negative log likelihood of target under normal distributions of mean x and variance var (like x, or with 1 or
/// nothing for its last dim). Equals torch.nn.functional.gaussian_nll_loss.
BORN_OP3X(gaussian_nll_loss, FLT, (, const born_likelihood_attrs *attrs), (, attrs))
#define born_gaussian_nll_loss(x, ...) BORN_SEL_N(FLT, born_gaussian_nll_loss, x, __VA_ARGS__)
/// Negative log likelihood of counts `target` under Poisson distributions of log rate x. Equals
/// torch.nn.functional.poisson_nll_loss.
BORN_OP2X(poisson_nll_loss, FLT, (, const born_likelihood_attrs *attrs), (, attrs))
#define born_poisson_nll_loss(x, ...) BORN_SEL_N(FLT, born_poisson_nll_loss, x, __VA_ARGS__)

/* ---- distances and margins: targets are 1 or -1, of any dtype --------------------------------------------------- */

/// x where the target is 1, max(0, margin - x) where it is -1. PyTorch's default margin is 1. Equals
/// torch.nn.functional.hinge_embedding_loss.
BORN_OP1X(hinge_embedding_loss, FLT, (, born_tensor target, double margin, const born_reduction_attrs *attrs),
          (, target, margin, attrs))
#define born_hinge_embedding_loss(x, target, margin, attrs)                                                           \
    BORN_SEL_N(FLT, born_hinge_embedding_loss, x, BORN_ANY(target), margin, attrs)
/// log(1 + exp(-target x)). Equals torch.nn.functional.soft_margin_loss.
BORN_OP1X(soft_margin_loss, FLT, (, born_tensor target, const born_reduction_attrs *attrs), (, target, attrs))
#define born_soft_margin_loss(x, target, attrs) BORN_SEL_N(FLT, born_soft_margin_loss, x, BORN_ANY(target), attrs)
/// max(0, -target (x1 - x2) + margin). PyTorch's default margin is 0. Equals torch.nn.functional.margin_ranking_loss.
BORN_OP2X(margin_ranking_loss, FLT, (, born_tensor target, double margin, const born_reduction_attrs *attrs),
          (, target, margin, attrs))
#define born_margin_ranking_loss(x1, x2, target, margin, attrs)                                                       \
    BORN_SEL_N(FLT, born_margin_ranking_loss, x1, x2, BORN_ANY(target), margin, attrs)
/// c, the cosine of x1 and x2 along the last dim: 1 - c where the target is 1, max(0, c - margin) where it is -1.
/// PyTorch's default margin is 0. Equals torch.nn.functional.cosine_embedding_loss.
BORN_OP2X(cosine_embedding_loss, FLT, (, born_tensor target, double margin, const born_reduction_attrs *attrs),
          (, target, margin, attrs))
#define born_cosine_embedding_loss(x1, x2, target, margin, attrs)                                                     \
    BORN_SEL_N(FLT, born_cosine_embedding_loss, x1, x2, BORN_ANY(target), margin, attrs)

typedef struct born_triplet_attrs {
    born_reduction reduction;
    double p, eps;              /* the norm and what is added to differences; 0: 2, 1e-6 */
    bool swap;                  /* the negative's distance is the smaller of those to anchor and positive */
} born_triplet_attrs;
/// max(0, |anchor - positive| - |anchor - negative| + margin) along the last dim. PyTorch's default margin is 1. Equals
/// torch.nn.functional.triplet_margin_loss.
BORN_OP3X(triplet_margin_loss, FLT, (, double margin, const born_triplet_attrs *attrs), (, margin, attrs))
#define born_triplet_margin_loss(x, ...) BORN_SEL_N(FLT, born_triplet_margin_loss, x, __VA_ARGS__)

#endif
