/* torch_cases: losses, by their class and by their function. A weight that is a constructor's argument is an input. */
#include <born/loss.h>

#include "torch_cases.h"

static born_reduction reduction(const tc_call *k)
{
    static const struct { const char *name; born_reduction r; } names[] = {
        { "none", BORN_NONE }, { "sum", BORN_SUM }, { "batchmean", BORN_BATCH_MEAN },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (tc_says(k, "reduction", names[i].name)) return names[i].r;
    }
    return BORN_MEAN;
}
static born_tensor input(const tc_call *k) { return tc_in(k, "input"); }
static born_tensor target(const tc_call *k) { return tc_in(k, "target"); }
static born_reduction_attrs plain(const tc_call *k) { return (born_reduction_attrs){ .reduction = reduction(k) }; }

/* ---- classes ---- */

static born_cross_entropy_attrs class_attrs(const tc_call *k)
{
    int64_t ignored = tc_int(k, "ignore_index");
    return (born_cross_entropy_attrs){ .reduction = reduction(k), .weight = tc_in(k, "weight"),
                                       .label_smoothing = tc_num(k, "label_smoothing"), .ignore_index = ignored,
                                       .ignore_zero = ignored == 0 };
}
static void run_cross_entropy(tc_call *k)
{
    born_cross_entropy_attrs a = class_attrs(k);
    tc_out(k, born_cross_entropy(input(k), target(k), &a));
}
static void run_nll(tc_call *k)
{
    born_cross_entropy_attrs a = class_attrs(k);
    tc_out(k, born_nll_loss(input(k), target(k), &a));
}
static void run_ctc(tc_call *k)
{
    born_ctc_loss_attrs a = { .reduction = reduction(k),
                         .blank = tc_int(k, "blank"),
                         .zero_infinity = tc_flag(k, "zero_infinity") };
    tc_out(k, born_ctc_loss(tc_in(k, "log_probs"), tc_in(k, "targets"), tc_in(k, "input_lengths"),
                            tc_in(k, "target_lengths"), &a));
}
static void run_multi_margin(tc_call *k)
{
    born_multi_margin_attrs a = { .reduction = reduction(k), .p = (int)tc_int(k, "p"), .weight = tc_in(k, "weight") };
    tc_out(k, born_multi_margin_loss(input(k), target(k), tc_num(k, "margin"), &a));
}
static void run_multilabel_margin(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_multilabel_margin_loss(input(k), target(k), &a));
}

static born_weighted_attrs weighted(const tc_call *k)
{
    return (born_weighted_attrs){ .reduction = reduction(k), .weight = tc_in(k, "weight"),
                                  .pos_weight = tc_in(k, "pos_weight") };
}
static void run_multilabel_soft_margin(tc_call *k)
{
    born_weighted_attrs a = weighted(k);
    tc_out(k, born_multilabel_soft_margin_loss(input(k), target(k), &a));
}
static void run_bce(tc_call *k)
{
    born_weighted_attrs a = weighted(k);
    tc_out(k, born_binary_cross_entropy(input(k), target(k), &a));
}
static void run_bce_logits(tc_call *k)
{
    born_weighted_attrs a = weighted(k);
    tc_out(k, born_binary_cross_entropy_with_logits(input(k), target(k), &a));
}

/* ---- numbers ---- */

static void run_mse(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_mse_loss(input(k), target(k), &a));
}
static void run_l1(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_l1_loss(input(k), target(k), &a));
}
static void run_smooth_l1(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_smooth_l1_loss(input(k), target(k), tc_num(k, "beta"), &a));
}
static void run_huber(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_huber_loss(input(k), target(k), tc_num(k, "delta"), &a));
}
static void run_kl_div(tc_call *k)
{
    born_kl_div_attrs a = { .reduction = reduction(k), .log_target = tc_flag(k, "log_target") };
    tc_out(k, born_kl_div(input(k), target(k), &a));
}
static void run_gaussian(tc_call *k)
{
    born_likelihood_attrs a = { .reduction = reduction(k), .full = tc_flag(k, "full"), .eps = tc_num(k, "eps") };
    tc_out(k, born_gaussian_nll_loss(input(k), target(k), tc_in(k, "var"), &a));
}
static void run_poisson(tc_call *k)
{
    born_likelihood_attrs a = { .reduction = reduction(k), .full = tc_flag(k, "full"), .eps = tc_num(k, "eps"),
                                .no_log = !tc_flag(k, "log_input") };
    tc_out(k, born_poisson_nll_loss(input(k), target(k), &a));
}

/* ---- distances and margins ---- */

static void run_hinge_embedding(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_hinge_embedding_loss(input(k), target(k), tc_num(k, "margin"), &a));
}
static void run_soft_margin(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_soft_margin_loss(input(k), target(k), &a));
}
static void run_margin_ranking(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_margin_ranking_loss(tc_in(k, "input1"), tc_in(k, "input2"), target(k), tc_num(k, "margin"), &a));
}
static void run_cosine_embedding(tc_call *k)
{
    born_reduction_attrs a = plain(k);
    tc_out(k, born_cosine_embedding_loss(tc_in(k, "input1"), tc_in(k, "input2"), target(k), tc_num(k, "margin"), &a));
}
/* The form with a distance function has the default one: the 2-norm with eps 1e-6. */
static void run_triplet(tc_call *k)
{
    born_triplet_attrs a = { .reduction = reduction(k), .p = tc_num(k, "p"), .eps = tc_num(k, "eps"),
                             .swap = tc_flag(k, "swap") };
    tc_out(k, born_triplet_margin_loss(tc_in(k, "anchor"), tc_in(k, "positive"), tc_in(k, "negative"),
                                       tc_num(k, "margin"), &a));
}

/* ---- small networks of grad2 ---- */

/* cross_entropy(tanh(input w1' + b1) w2' + b2, target) */
static void run_mlp(tc_call *k)
{
    born_tensor h = born_matmul(input(k), tc_swap(tc_in(k, "w1"), 0, 1));
    h = born_tanh(born_add(h, tc_in(k, "b1")));
    h = born_add(born_matmul(h, tc_swap(tc_in(k, "w2"), 0, 1)), tc_in(k, "b2"));
    tc_out(k, born_cross_entropy(h, target(k), NULL));
}
/* gates i, f, g, o in chunks of input w_ih' + hx w_hh' + b */
static void run_lstm_cell(tc_call *k)
{
    born_tensor gate[4];
    born_tensor sum = born_matmul(input(k), tc_swap(tc_in(k, "w_ih"), 0, 1));
    sum = born_add(born_add(sum, born_matmul(tc_in(k, "hx"), tc_swap(tc_in(k, "w_hh"), 0, 1))), tc_in(k, "b"));
    born_split(sum, gate, 4, ((born_ints){ 0 }), tc_rank(sum) - 1);
    born_tensor kept = born_mul(born_sigmoid(gate[1]), tc_in(k, "cx"));
    born_tensor c = born_add(kept, born_mul(born_sigmoid(gate[0]), born_tanh(gate[2])));
    tc_out(k, born_mul(born_sigmoid(gate[3]), born_tanh(c)));
    tc_out(k, c);
}

#define LOSS(class_, function_, parameters, f)                                                                        \
    { .name = "torch.nn." class_, .params = parameters, .run = f },                                                   \
    { .name = "torch.nn.functional." function_, .params = parameters, .run = f }
const tc_row tc_rows_loss[] = {
    LOSS("CrossEntropyLoss", "cross_entropy",
         "input, target, weight, ignore_index=-100, reduction='mean', label_smoothing=0.0", run_cross_entropy),
    LOSS("NLLLoss", "nll_loss", "input, target, weight, ignore_index=-100, reduction='mean'", run_nll),
    LOSS("CTCLoss", "ctc_loss",
         "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=false", run_ctc),
    LOSS("MultiMarginLoss", "multi_margin_loss", "input, target, p=1, margin=1.0, weight, reduction='mean'",
         run_multi_margin),
    LOSS("MultiLabelMarginLoss", "multilabel_margin_loss", "input, target, reduction='mean'", run_multilabel_margin),
    LOSS("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", "input, target, weight, reduction='mean'",
         run_multilabel_soft_margin),
    LOSS("BCELoss", "binary_cross_entropy", "input, target, weight, reduction='mean'", run_bce),
    LOSS("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "input, target, weight, reduction='mean', pos_weight",
         run_bce_logits),
    LOSS("MSELoss", "mse_loss", "input, target, reduction='mean'", run_mse),
    LOSS("L1Loss", "l1_loss", "input, target, reduction='mean'", run_l1),
    LOSS("SmoothL1Loss", "smooth_l1_loss", "input, target, reduction='mean', beta=1.0", run_smooth_l1),
    LOSS("HuberLoss", "huber_loss", "input, target, reduction='mean', delta=1.0", run_huber),
    LOSS("KLDivLoss", "kl_div", "input, target, reduction='mean', log_target=false", run_kl_div),
    LOSS("GaussianNLLLoss", "gaussian_nll_loss", "input, target, var, full=false, eps=1e-06, reduction='mean'",
         run_gaussian),
    LOSS("PoissonNLLLoss", "poisson_nll_loss", "input, target, log_input=true, full=false, eps=1e-08, reduction='mean'",
         run_poisson),
    LOSS("HingeEmbeddingLoss", "hinge_embedding_loss", "input, target, margin=1.0, reduction='mean'",
         run_hinge_embedding),
    LOSS("SoftMarginLoss", "soft_margin_loss", "input, target, reduction='mean'", run_soft_margin),
    LOSS("MarginRankingLoss", "margin_ranking_loss", "input1, input2, target, margin=0.0, reduction='mean'",
         run_margin_ranking),
    LOSS("CosineEmbeddingLoss", "cosine_embedding_loss", "input1, input2, target, margin=0.0, reduction='mean'",
         run_cosine_embedding),
    LOSS("TripletMarginLoss", "triplet_margin_loss",
         "anchor, positive, negative, margin=1.0, p=2.0, eps=1e-06, swap=false, reduction='mean'", run_triplet),
    LOSS("TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss",
         "anchor, positive, negative, p=2.0, eps=1e-06, margin=1.0, swap=false, reduction='mean'", run_triplet),
    { .name = "net.mlp_cross_entropy", .params = "input, w1, b1, w2, b2, target", .run = run_mlp },
    { .name = "net.lstm_cell", .params = "input, hx, cx, w_ih, w_hh, b", .run = run_lstm_cell },
    { 0 },
};
