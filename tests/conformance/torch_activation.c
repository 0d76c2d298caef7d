/* torch_cases: activations, softmax, dropout. */
#include "torch_cases.h"

static born_tensor input(const tc_call *k)
{
    return tc_in(k, "input");
}
static born_tensor number(tc_call *k, born_tensor x, double v)
{
    return tc_full(k, born_dtype_of(x), (born_shape){ 0 }, v);
}
/* A zero attribute means its default: where 0 is asked for, the piecewise form is written out. */
static born_tensor below_zero(tc_call *k, born_tensor x, double slope)
{
    if (slope != 0) return born_leaky_relu(x, &(born_leaky_relu_attrs){ .alpha = slope });
    (void)k;
    return born_relu(x);
}

static void run_relu(tc_call *k) { tc_out(k, born_relu(input(k))); }
static void run_leaky_relu(tc_call *k) { tc_out(k, below_zero(k, input(k), tc_num(k, "negative_slope"))); }
static void run_rrelu(tc_call *k)
{
    if (tc_flag(k, "training")) tc_fail(k, "rrelu in training draws its slopes");
    else tc_out(k, below_zero(k, input(k), (tc_num(k, "lower") + tc_num(k, "upper")) / 2));
}
/* One slope, or one per channel (dim 1). */
static void run_prelu(tc_call *k)
{
    born_tensor x = input(k), w = tc_in(k, "weight");
    born_shape s = { .rank = tc_rank(x) };
    for (int i = 0; i < s.rank; i++) s.dim[i] = i == 1 ? tc_count(w) : 1;
    tc_out(k, born_prelu(x, tc_count(w) == 1 ? born_reshape(w, (born_shape){ 0 }) : born_reshape(w, s)));
}
static void run_elu(tc_call *k)
{
    double alpha = tc_num(k, "alpha");
    tc_out(k, alpha == 0 ? born_relu(input(k)) : born_elu(input(k), &(born_elu_attrs){ .alpha = alpha }));
}
static void run_selu(tc_call *k)
{
    born_selu_attrs a = { .alpha = 1.6732632423543772848170429916717, .gamma = 1.0507009873554804934193349852946 };
    tc_out(k, born_selu(input(k), &a));
}
static void run_celu(tc_call *k) { tc_out(k, born_celu(input(k), &(born_elu_attrs){ .alpha = tc_num(k, "alpha") })); }
static void run_gelu(tc_call *k)
{
    tc_out(k, born_gelu(input(k), &(born_gelu_attrs){ .approximate = tc_says(k, "approximate", "tanh") }));
}
static void run_silu(tc_call *k) { tc_out(k, born_silu(input(k), NULL)); }
static void run_mish(tc_call *k) { tc_out(k, born_mish(input(k))); }
static void run_hardswish(tc_call *k) { tc_out(k, born_hard_swish(input(k))); }
static void run_hardsigmoid(tc_call *k)
{
    tc_out(k, born_hard_sigmoid(input(k), (&(born_hard_sigmoid_attrs){ .alpha = 1.0 / 6, .beta = 0.5 })));
}
static void run_softsign(tc_call *k) { tc_out(k, born_softsign(input(k))); }
static void run_tanhshrink(tc_call *k) { tc_out(k, born_sub(input(k), born_tanh(input(k)))); }
static void run_logsigmoid(tc_call *k) { tc_out(k, born_neg(born_softplus(born_neg(input(k))))); }

/* At the bounds nothing flows back, unlike through clamp. */
static born_tensor hardtanh(tc_call *k, born_tensor x, double low, double high)
{
    born_tensor r = born_where(born_le(x, low), number(k, x, low), x);
    return born_where(born_ge(x, high), number(k, x, high), r);
}
static void run_hardtanh(tc_call *k) { tc_out(k, hardtanh(k, input(k), tc_num(k, "min_val"), tc_num(k, "max_val"))); }
static void run_relu6(tc_call *k) { tc_out(k, hardtanh(k, input(k), 0, 6)); }

static void run_threshold(tc_call *k)
{
    born_tensor x = input(k);
    tc_out(k, born_where(born_le(x, tc_num(k, "threshold")), number(k, x, tc_num(k, "value")), x));
}
static void shrink(tc_call *k, bool soft)
{
    double lambd = tc_num(k, "lambd");
    born_tensor x = input(k);
    if (lambd == 0) tc_out(k, born_identity(x));
    else tc_out(k, born_shrink(x, (&(born_shrink_attrs){ .lambd = lambd, .bias = soft ? lambd : 0 })));
}
static void run_hardshrink(tc_call *k) { shrink(k, false); }
static void run_softshrink(tc_call *k) { shrink(k, true); }

/* log(1 + exp(beta x)) / beta, x itself where beta x is above the threshold. */
static void run_softplus(tc_call *k)
{
    double beta = tc_num(k, "beta");
    born_tensor x = input(k), scaled = beta == 1 ? x : born_mul(x, beta), soft = born_softplus(scaled);
    if (beta != 1) soft = born_div(soft, beta);
    tc_out(k, born_where(born_gt(scaled, tc_num(k, "threshold")), x, soft));
}

static void run_glu(tc_call *k)
{
    born_tensor half[2];
    int dim = (int)tc_dims(k, "dim", tc_rank(input(k))).v[0];
    born_split(input(k), half, 2, ((born_ints){ 0 }), dim);
    tc_out(k, born_mul(half[0], born_sigmoid(half[1])));
}

/* ---- softmax ---- */

static born_tensor softmax_input(tc_call *k, int *dim)
{
    born_tensor x = input(k);
    int rank = tc_rank(x);
    if (!tc_none(k, "dtype")) x = tc_to(x, tc_dtype_named(tc_text(k, "dtype")));
    *dim = tc_none(k, "dim") ? (rank == 0 || rank == 1 || rank == 3 ? 0 : 1) : (int)tc_dims(k, "dim", rank).v[0];
    return tc_to_real(k, x);
}
static void run_softmax(tc_call *k)
{
    int dim;
    born_tensor x = softmax_input(k, &dim);
    tc_out(k, born_softmax(x, dim));
}
static void run_softmin(tc_call *k)
{
    int dim;
    born_tensor x = softmax_input(k, &dim);
    tc_out(k, born_softmax(born_neg(x), dim));
}
static void run_log_softmax(tc_call *k)
{
    int dim;
    born_tensor x = softmax_input(k, &dim);
    tc_out(k, born_log_softmax(x, dim));
}

/* ---- dropout: only what does not depend on random numbers ---- */

static void run_dropout(tc_call *k)
{
    double p = tc_num(k, "p");
    if (!tc_flag(k, "training") || p == 0) tc_out(k, born_identity(input(k)));
    else if (p == 1) tc_out(k, born_mul(input(k), 0));
    else tc_fail(k, "dropout in training draws what it drops");
}

#define ROW(name_, parameters, f) { .name = "torch.nn.functional." name_, .params = "input, " parameters, .run = f }
#define BOTH(name_, parameters, f)                                                                                    \
    ROW(name_, parameters, f), { .name = "torch." name_, .params = "input, " parameters, .run = f }
const tc_row tc_rows_activation[] = {
    BOTH("relu", "inplace=false", run_relu),
    ROW("leaky_relu", "negative_slope=0.01, inplace=false", run_leaky_relu),
    ROW("rrelu", "lower=0.125, upper=0.3333333333333333, training=false, inplace=false", run_rrelu),
    BOTH("prelu", "weight", run_prelu),
    ROW("elu", "alpha=1.0, inplace=false", run_elu),
    BOTH("selu", "inplace=false", run_selu),
    BOTH("celu", "alpha=1.0, inplace=false", run_celu),
    ROW("gelu", "approximate='none'", run_gelu),
    ROW("silu", "inplace=false", run_silu),
    ROW("mish", "inplace=false", run_mish),
    ROW("hardswish", "inplace=false", run_hardswish),
    ROW("hardsigmoid", "inplace=false", run_hardsigmoid),
    ROW("softsign", "", run_softsign),
    ROW("tanhshrink", "", run_tanhshrink),
    ROW("logsigmoid", "", run_logsigmoid),
    ROW("hardtanh", "min_val=-1.0, max_val=1.0, inplace=false", run_hardtanh),
    ROW("relu6", "inplace=false", run_relu6),
    ROW("threshold", "threshold, value, inplace=false", run_threshold),
    ROW("hardshrink", "lambd=0.5", run_hardshrink),
    ROW("softshrink", "lambd=0.5", run_softshrink),
    ROW("softplus", "beta=1, threshold=20", run_softplus),
    ROW("glu", "dim=-1", run_glu),
    BOTH("softmax", "dim=null, dtype=null", run_softmax),
    ROW("softmin", "dim=null, dtype=null", run_softmin),
    BOTH("log_softmax", "dim=null, dtype=null", run_log_softmax),
    ROW("dropout", "p=0.5, training=true, inplace=false", run_dropout),
    ROW("dropout1d", "p=0.5, training=true, inplace=false", run_dropout),
    ROW("dropout2d", "p=0.5, training=true, inplace=false", run_dropout),
    ROW("dropout3d", "p=0.5, training=true, inplace=false", run_dropout),
    ROW("alpha_dropout", "p=0.5, training=false, inplace=false", run_dropout),
    ROW("feature_alpha_dropout", "p=0.5, training=false, inplace=false", run_dropout),
    { 0 },
};
