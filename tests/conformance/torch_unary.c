/* torch_cases: functions of one tensor, element by element. */
#include "torch_cases.h"

static const double pi = 3.14159265358979323846;

static born_tensor input(const tc_call *k)
{
    return tc_in(k, "input");
}

static void run_identity(tc_call *k) { tc_out(k, born_identity(input(k))); }
static void run_deg2rad(tc_call *k) { tc_out(k, born_mul(tc_to_real(k, input(k)), pi / 180)); }
static void run_rad2deg(tc_call *k) { tc_out(k, born_mul(tc_to_real(k, input(k)), 180 / pi)); }
static void run_log2(tc_call *k) { tc_out(k, born_mul(born_log(tc_to_real(k, input(k))), 1 / log(2.0))); }
static void run_log10(tc_call *k) { tc_out(k, born_mul(born_log(tc_to_real(k, input(k))), 1 / log(10.0))); }
static void run_frac(tc_call *k) { tc_out(k, born_sub(input(k), born_trunc(input(k)))); }

/* Integers are whole already. */
static void run_whole(tc_call *k, tc_unary f)
{
    born_tensor x = input(k);
    tc_out(k, tc_is_real(born_dtype_of(x)) ? f(x, NULL) : born_identity(x));
}
static void run_ceil(tc_call *k) { run_whole(k, born_ceil); }
static void run_floor(tc_call *k) { run_whole(k, born_floor); }
static void run_trunc(tc_call *k) { run_whole(k, born_trunc); }

static void run_round(tc_call *k)
{
    int64_t decimals = tc_int(k, "decimals");
    double ten = pow(10, (double)llabs(decimals));
    born_tensor x = input(k);
    if (decimals == 0) {
        run_whole(k, born_round);
    } else if (decimals > 0) {
        tc_out(k, born_div(born_round(born_mul(x, ten)), ten));
    } else {
        tc_out(k, born_mul(born_round(born_div(x, ten)), ten));
    }
}

static void run_polygamma(tc_call *k)
{
    tc_out(k, born_polygamma(tc_to_real(k, input(k)), &(born_polygamma_attrs){ .n = tc_int(k, "n") }));
}

static born_tensor is_infinite(tc_call *k, const born_is_inf_attrs *which)
{
    born_tensor x = input(k);
    if (!tc_is_real(born_dtype_of(x))) return tc_full(k, BORN_BOOL, born_shape_of(x), 0);
    return born_is_inf(x, which);
}
static void run_isinf(tc_call *k) { tc_out(k, is_infinite(k, NULL)); }
static void run_isposinf(tc_call *k) { tc_out(k, is_infinite(k, &(born_is_inf_attrs){ .no_negative = true })); }
static void run_isneginf(tc_call *k) { tc_out(k, is_infinite(k, &(born_is_inf_attrs){ .no_positive = true })); }
static void run_isfinite(tc_call *k)
{
    tc_out(k, born_logical_not(born_logical_or(is_infinite(k, NULL), born_is_nan(input(k)))));
}
static void run_logical_not(tc_call *k) { tc_out(k, born_logical_not(tc_to_bool(input(k)))); }
static void run_bitwise_not(tc_call *k)
{
    born_tensor x = input(k);
    tc_out(k, born_dtype_of(x) == BORN_BOOL ? born_logical_not(x) : born_bitwise_not(x));
}

born_tensor tc_signbit(born_tensor x)
{
    born_dtype t = born_dtype_of(x);
    if (t == BORN_BOOL) return born_logical_and(x, born_logical_not(x));
    if (t == BORN_F64) x = born_bit_cast(x, BORN_I64);
    if (t == BORN_F32) x = born_bit_cast(x, BORN_I32);
    return born_lt(x, 0);
}
static void run_signbit(tc_call *k) { tc_out(k, tc_signbit(input(k))); }

static void run_logit(tc_call *k)
{
    born_tensor x = tc_to_real(k, input(k));
    double eps = tc_num(k, "eps");
    if (!tc_none(k, "eps")) x = born_clamp(x, eps, 1 - eps);
    tc_out(k, born_log(born_div(x, born_sub(tc_full_like(k, x, 1), x))));
}

static void run_nan_to_num(tc_call *k)
{
    born_tensor x = input(k);
    bool wide = born_dtype_of(x) == BORN_F64;
    double most = wide ? 1.7976931348623157e308 : 3.4028234663852886e38;
    double high = tc_none(k, "posinf") ? most : tc_num(k, "posinf");
    double low = tc_none(k, "neginf") ? -most : tc_num(k, "neginf");
    if (!tc_is_real(born_dtype_of(x))) {
        tc_out(k, born_identity(x));
        return;
    }
    born_tensor nan = born_is_nan(x);
    born_tensor above = born_is_inf(x, &(born_is_inf_attrs){ .no_negative = true });
    born_tensor below = born_is_inf(x, &(born_is_inf_attrs){ .no_positive = true });
    x = born_where(nan, tc_full_like(k, x, tc_num(k, "nan")), x);
    x = born_where(above, tc_full_like(k, x, high), x);
    tc_out(k, born_where(below, tc_full_like(k, x, low), x));
}

static void run_sinc(tc_call *k)
{
    born_tensor x = tc_to_real(k, input(k)), zero = born_eq(x, 0);
    born_tensor a = born_mul(born_where(zero, tc_full_like(k, x, 1), x), pi);
    tc_out(k, born_where(zero, tc_full_like(k, x, 1), born_div(born_sin(a), a)));
}

/* -x log(x) above 0, 0 at 0, -inf below. */
static void run_entr(tc_call *k)
{
    born_tensor x = tc_to_real(k, input(k)), good = born_logical_or(born_gt(x, 0), born_is_nan(x));
    born_tensor one = tc_full_like(k, x, 1), safe = born_where(good, x, one);
    born_tensor rest = born_where(born_eq(x, 0), tc_full_like(k, x, 0), tc_full_like(k, x, -INFINITY));
    tc_out(k, born_where(good, born_neg(born_mul(safe, born_log(safe))), rest));
}

static void run_to(tc_call *k)
{
    born_dtype t = tc_dtype_named(tc_text(k, "dtype"));
    if (t == BORN_DTYPE_NONE) tc_fail(k, "to: dtype \"%s\"", tc_text(k, "dtype"));
    else tc_out(k, born_cast(input(k), t));
}

static void run_exp2(tc_call *k) { tc_out(k, born_exp(born_mul(tc_to_real(k, input(k)), log(2.0)))); }

/* exp(x) of a log sigmoid: 1 / (1 + exp(-x)) */
static void run_expit(tc_call *k) { tc_out(k, born_sigmoid(tc_to_real(k, input(k)))); }

#define ONE(torch, born) { .name = torch, .params = "input", .unary = born }
#define REAL(torch, born) { .name = torch, .params = "input", .unary_real = born }
#define RUN(torch, f) { .name = torch, .params = "input", .run = f }
const tc_row tc_rows_unary[] = {
    ONE("torch.abs", born_abs),
    ONE("torch.absolute", born_abs),
    ONE("torch.neg", born_neg),
    ONE("torch.negative", born_neg),
    ONE("torch.sign", born_sign),
    ONE("torch.sgn", born_sign),
    ONE("torch.square", born_square),
    REAL("torch.acos", born_acos),
    REAL("torch.acosh", born_acosh),
    REAL("torch.asin", born_asin),
    REAL("torch.asinh", born_asinh),
    REAL("torch.atan", born_atan),
    REAL("torch.atanh", born_atanh),
    REAL("torch.cos", born_cos),
    REAL("torch.cosh", born_cosh),
    REAL("torch.erf", born_erf),
    REAL("torch.special.erf", born_erf),
    REAL("torch.exp", born_exp),
    REAL("torch.expm1", born_expm1),
    REAL("torch.special.expm1", born_expm1),
    REAL("torch.log", born_log),
    REAL("torch.log1p", born_log1p),
    REAL("torch.special.log1p", born_log1p),
    REAL("torch.reciprocal", born_reciprocal),
    REAL("torch.rsqrt", born_rsqrt),
    REAL("torch.sigmoid", born_sigmoid),
    REAL("torch.sin", born_sin),
    REAL("torch.sinh", born_sinh),
    REAL("torch.sqrt", born_sqrt),
    REAL("torch.tan", born_tan),
    REAL("torch.tanh", born_tanh),
    RUN("torch.positive", run_identity),
    RUN("torch.clone", run_identity),
    RUN("torch.ceil", run_ceil),
    RUN("torch.floor", run_floor),
    RUN("torch.trunc", run_trunc),
    RUN("torch.fix", run_trunc),
    { .name = "torch.round", .params = "input, decimals=0", .run = run_round },
    RUN("torch.deg2rad", run_deg2rad),
    RUN("torch.rad2deg", run_rad2deg),
    RUN("torch.exp2", run_exp2),
    RUN("torch.special.exp2", run_exp2),
    RUN("torch.special.expit", run_expit),
    RUN("torch.log2", run_log2),
    RUN("torch.log10", run_log10),
    RUN("torch.frac", run_frac),
    RUN("torch.isfinite", run_isfinite),
    RUN("torch.isinf", run_isinf),
    RUN("torch.isposinf", run_isposinf),
    RUN("torch.isneginf", run_isneginf),
    { .name = "torch.isnan", .params = "input", .unary = born_is_nan },
    RUN("torch.signbit", run_signbit),
    RUN("torch.logical_not", run_logical_not),
    RUN("torch.bitwise_not", run_bitwise_not),
    { .name = "torch.logit", .params = "input, eps=null", .run = run_logit },
    { .name = "torch.special.logit", .params = "input, eps=null", .run = run_logit },
    { .name = "torch.nan_to_num", .params = "input, nan=0.0, posinf=null, neginf=null", .run = run_nan_to_num },
    RUN("torch.sinc", run_sinc),
    RUN("torch.special.sinc", run_sinc),
    RUN("torch.special.entr", run_entr),
    REAL("torch.lgamma", born_lgamma),
    REAL("torch.special.gammaln", born_lgamma),
    REAL("torch.digamma", born_digamma),
    REAL("torch.special.digamma", born_digamma),
    REAL("torch.erfc", born_erfc),
    REAL("torch.special.erfc", born_erfc),
    REAL("torch.erfinv", born_erfinv),
    REAL("torch.special.erfinv", born_erfinv),
    REAL("torch.special.erfcx", born_erfcx),
    REAL("torch.special.ndtr", born_ndtr),
    REAL("torch.special.log_ndtr", born_log_ndtr),
    REAL("torch.i0", born_bessel_i0),
    REAL("torch.special.i0", born_bessel_i0),
    REAL("torch.special.i1", born_bessel_i1),
    { .name = "torch.polygamma", .params = "n, input", .run = run_polygamma },
    { .name = "torch.special.polygamma", .params = "n, input", .run = run_polygamma },
    { .name = "torch.Tensor.to", .params = "input, dtype", .run = run_to },
    { 0 },
};
