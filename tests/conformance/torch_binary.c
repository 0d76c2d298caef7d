/* torch_cases: functions of two tensors, element by element: arithmetic. Either operand may be a number. */
#include "torch_cases.h"

typedef struct pair {
    born_tensor x, y;
} pair;

static pair operands(tc_call *k, const char *first, const char *second)
{
    pair p = { tc_in(k, first), tc_in(k, second) };
    if (!tc_given(p.x)) p.x = tc_operand(k, first, p.y);
    if (!tc_given(p.y)) p.y = tc_operand(k, second, p.x);
    if (!tc_given(p.x) || !tc_given(p.y)) tc_fail(k, "%s: an operand is missing", k->row->name);
    tc_promote(k, &p.x, &p.y);
    return p;
}

static pair real_operands(tc_call *k, const char *first, const char *second)
{
    pair p = operands(k, first, second);
    p.x = tc_to_real(k, p.x);
    p.y = tc_to_real(k, p.y);
    return p;
}

static born_tensor scaled(tc_call *k, born_tensor x, const char *factor)
{
    double v = tc_num(k, factor);
    return v == 1 ? x : born_mul(x, v);
}

static void run_add(tc_call *k)
{
    pair p = operands(k, "input", "other");
    if (born_dtype_of(p.x) == BORN_BOOL) tc_out(k, born_logical_or(p.x, p.y));
    else tc_out(k, born_add(p.x, scaled(k, p.y, "alpha")));
}
static void run_sub(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, born_sub(p.x, scaled(k, p.y, "alpha")));
}
static void run_rsub(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, born_sub(p.y, scaled(k, p.x, "alpha")));
}
static void run_mul(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, born_dtype_of(p.x) == BORN_BOOL ? born_logical_and(p.x, p.y) : born_mul(p.x, p.y));
}
static void run_addcmul(tc_call *k)
{
    tc_out(k, born_add(tc_in(k, "input"), scaled(k, born_mul(tc_in(k, "tensor1"), tc_in(k, "tensor2")), "value")));
}
static void run_addcdiv(tc_call *k)
{
    tc_out(k, born_add(tc_in(k, "input"), scaled(k, born_div(tc_in(k, "tensor1"), tc_in(k, "tensor2")), "value")));
}

born_tensor tc_remainder(born_tensor x, born_tensor y)
{
    return born_mod(x, y, NULL);
}
static void run_remainder(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, tc_remainder(p.x, p.y));
}
static void run_fmod(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, born_mod(p.x, p.y, &(born_mod_attrs){ .fmod = true }));
}

/* x - remainder is a whole multiple of y; rounding takes away what its division adds. */
static born_tensor floor_div(born_tensor x, born_tensor y)
{
    born_tensor q = born_div(born_sub(x, tc_remainder(x, y)), y);
    return tc_is_real(born_dtype_of(x)) ? born_round(q) : q;
}
static void run_floor_divide(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, floor_div(p.x, p.y));
}
static void run_div(tc_call *k)
{
    if (tc_says(k, "rounding_mode", "floor")) {
        run_floor_divide(k);
    } else if (tc_says(k, "rounding_mode", "trunc")) {
        pair p = operands(k, "input", "other");
        born_tensor q = born_div(p.x, p.y);
        tc_out(k, tc_is_real(born_dtype_of(q)) ? born_trunc(q) : q);
    } else {
        pair p = real_operands(k, "input", "other");
        tc_out(k, born_div(p.x, p.y));
    }
}

static void run_pow(tc_call *k)
{
    pair p = operands(k, "input", "exponent");
    tc_out(k, born_pow(p.x, p.y));
}
static void run_float_power(tc_call *k)
{
    pair p = operands(k, "input", "exponent");
    tc_out(k, born_pow(tc_to(p.x, BORN_F64), tc_to(p.y, BORN_F64)));
}
static void run_ldexp(tc_call *k)
{
    pair p = real_operands(k, "input", "other");
    tc_out(k, born_mul(p.x, born_pow(tc_full_like(k, p.y, 2), p.y)));
}

static void run_hypot(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, born_sqrt(born_add(born_square(p.x), born_square(p.y))));
}

/* By the quotient of the smaller by the larger, so that nothing is divided by 0. */
static void run_atan2(tc_call *k)
{
    const double pi = 3.14159265358979323846;
    pair p = real_operands(k, "input", "other");
    born_tensor y = p.x, x = p.y, one = tc_full_like(k, x, 1);
    born_tensor flat = born_ge(born_abs(x), born_abs(y)), origin = born_logical_and(born_eq(x, 0), born_eq(y, 0));
    born_tensor under = born_where(born_logical_or(origin, born_logical_not(flat)), one, x);
    born_tensor over = born_where(flat, tc_full_like(k, y, 1), y);
    born_tensor half_turn = born_where(tc_signbit(y), tc_full_like(k, y, -pi), tc_full_like(k, y, pi));
    born_tensor low = born_atan(born_div(y, under));
    low = born_where(tc_signbit(x), born_add(low, half_turn), low);
    born_tensor high = born_sub(born_mul(half_turn, 0.5), born_atan(born_div(x, over)));
    born_tensor at_origin = born_where(tc_signbit(x), half_turn, born_identity(y));
    tc_out(k, born_where(origin, at_origin, born_where(flat, low, high)));
}

static void run_copysign(tc_call *k)
{
    pair p = real_operands(k, "input", "other");
    born_tensor size = born_abs(p.x);
    tc_out(k, born_where(tc_signbit(p.y), born_neg(size), size));
}

static void run_lerp(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), w = tc_operand(k, "weight", x);
    tc_out(k, born_add(x, born_mul(w, born_sub(tc_in(k, "end"), x))));
}

/* max + log(1 + exp(-|x - y|)); where both are the same infinity their difference counts as 0. */
static born_tensor log_add(tc_call *k, born_tensor x, born_tensor y, double base)
{
    born_tensor same = born_eq(x, y), difference = born_sub(x, y),
                zero = tc_full(k, born_dtype_of(x), (born_shape){ 0 }, 0);
    born_tensor apart = born_mul(born_neg(born_abs(born_where(same, zero, difference))), log(base));
    return born_add(born_max(x, y), born_mul(born_log1p(born_exp(apart)), 1 / log(base)));
}
static void run_logaddexp(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, log_add(k, p.x, p.y, exp(1.0)));
}
static void run_logaddexp2(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, log_add(k, p.x, p.y, 2));
}

/* x * f(y), 0 where x is 0, unless y is NaN. */
static born_tensor times_log(tc_call *k, pair p, tc_unary f, double safe)
{
    born_tensor zero = born_logical_and(born_eq(p.x, 0), born_logical_not(born_is_nan(p.y)));
    born_tensor y = born_where(zero, tc_full(k, born_dtype_of(p.y), (born_shape){ 0 }, safe), p.y);
    born_tensor r = born_mul(p.x, f(y, NULL));
    return born_where(zero, tc_full_like(k, r, 0), r);
}
static void run_xlogy(tc_call *k) { tc_out(k, times_log(k, real_operands(k, "input", "other"), born_log, 1)); }
static void run_xlog1py(tc_call *k) { tc_out(k, times_log(k, real_operands(k, "input", "other"), born_log1p, 0)); }

static void run_dist(tc_call *k)
{
    tc_ints all = { .none = true };
    tc_out(k, tc_norm(k, born_sub(tc_in(k, "input"), tc_in(k, "other")), tc_num(k, "p"), &all, false));
}

/* Euclid, for as long as a remainder is left anywhere. */
static born_tensor gcd(tc_call *k, born_tensor x, born_tensor y)
{
    born_tensor zero = tc_full(k, born_dtype_of(x), (born_shape){ 0 }, 0),
                one = tc_full(k, born_dtype_of(x), (born_shape){ 0 }, 1);
    born_shape s = tc_broadcast(k, born_shape_of(x), born_shape_of(y));
    x = born_abs(born_expand(x, s));
    y = born_abs(born_expand(y, s));
    for (int step = 0; step < 100; step++) {
        born_tensor done = born_eq(y, zero);
        born_tensor rest = born_where(done, zero, tc_remainder(x, born_where(done, one, y)));
        x = born_where(done, x, y);
        y = rest;
    }
    return x;
}
static void run_gcd(tc_call *k)
{
    pair p = operands(k, "input", "other");
    tc_out(k, gcd(k, p.x, p.y));
}
static void run_lcm(tc_call *k)
{
    pair p = operands(k, "input", "other");
    born_tensor g = gcd(k, p.x, p.y), none = born_eq(g, 0);
    born_tensor safe = born_where(none, tc_full_like(k, g, 1), g);
    tc_out(k, born_abs(born_mul(born_div(p.x, safe), p.y)));
}

#define BINARY(torch, f) { .name = torch, .params = "input, other", .run = f }
const tc_row tc_rows_binary[] = {
    { .name = "torch.add", .params = "input, other, alpha=1", .run = run_add },
    { .name = "torch.sub", .params = "input, other, alpha=1", .run = run_sub },
    { .name = "torch.subtract", .params = "input, other, alpha=1", .run = run_sub },
    { .name = "torch.rsub", .params = "input, other, alpha=1", .run = run_rsub },
    BINARY("torch.mul", run_mul),
    BINARY("torch.multiply", run_mul),
    { .name = "torch.div", .params = "input, other, rounding_mode=null", .run = run_div },
    { .name = "torch.divide", .params = "input, other, rounding_mode=null", .run = run_div },
    { .name = "torch.true_divide", .params = "input, other, rounding_mode=null", .run = run_div },
    BINARY("torch.floor_divide", run_floor_divide),
    BINARY("torch.remainder", run_remainder),
    BINARY("torch.fmod", run_fmod),
    { .name = "torch.addcmul", .params = "input, tensor1, tensor2, value=1", .run = run_addcmul },
    { .name = "torch.addcdiv", .params = "input, tensor1, tensor2, value=1", .run = run_addcdiv },
    { .name = "torch.pow", .params = "input, exponent", .run = run_pow },
    { .name = "torch.float_power", .params = "input, exponent", .run = run_float_power },
    BINARY("torch.ldexp", run_ldexp),
    BINARY("torch.hypot", run_hypot),
    BINARY("torch.atan2", run_atan2),
    BINARY("torch.arctan2", run_atan2),
    BINARY("torch.copysign", run_copysign),
    { .name = "torch.lerp", .params = "input, end, weight", .run = run_lerp },
    BINARY("torch.logaddexp", run_logaddexp),
    BINARY("torch.logaddexp2", run_logaddexp2),
    BINARY("torch.xlogy", run_xlogy),
    BINARY("torch.special.xlogy", run_xlogy),
    BINARY("torch.special.xlog1py", run_xlog1py),
    { .name = "torch.dist", .params = "input, other, p=2", .run = run_dist },
    BINARY("torch.gcd", run_gcd),
    BINARY("torch.lcm", run_lcm),
    { 0 },
};
