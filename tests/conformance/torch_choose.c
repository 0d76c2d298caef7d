/* torch_cases: comparisons, logic and bits, maxima and minima of two, clamps, masks and where. */
#include "torch_cases.h"

typedef struct pair {
    born_tensor x, y;
} pair;

static pair operands(tc_call *k)
{
    pair p = { tc_in(k, "input"), tc_in(k, "other") };
    if (!tc_given(p.x)) p.x = tc_operand(k, "input", p.y);
    if (!tc_given(p.y)) p.y = tc_operand(k, "other", p.x);
    tc_promote(k, &p.x, &p.y);
    return p;
}

/* ---- logic and bits ---- */

static void run_logical(tc_call *k, tc_binary f)
{
    pair p = operands(k);
    tc_out(k, f(tc_to_bool(p.x), tc_to_bool(p.y), NULL));
}
static void run_logical_and(tc_call *k) { run_logical(k, born_logical_and); }
static void run_logical_or(tc_call *k) { run_logical(k, born_logical_or); }
static void run_logical_xor(tc_call *k) { run_logical(k, born_logical_xor); }

static void run_bitwise(tc_call *k, tc_binary bits, tc_binary logic)
{
    pair p = operands(k);
    tc_out(k, (born_dtype_of(p.x) == BORN_BOOL ? logic : bits)(p.x, p.y, NULL));
}
static void run_bitwise_and(tc_call *k) { run_bitwise(k, born_bitwise_and, born_logical_and); }
static void run_bitwise_or(tc_call *k) { run_bitwise(k, born_bitwise_or, born_logical_or); }
static void run_bitwise_xor(tc_call *k) { run_bitwise(k, born_bitwise_xor, born_logical_xor); }

static born_tensor shift(born_tensor x, born_tensor by, int direction)
{
    born_tensor r = born_bit_shift(born_bit_cast(x, BORN_U64), born_bit_cast(by, BORN_U64),
                                   &(born_bit_shift_attrs){ .direction = direction });
    return born_bit_cast(r, BORN_I64);
}
static void run_left_shift(tc_call *k)
{
    pair p = operands(k);
    tc_out(k, shift(p.x, p.y, 0));
}
/* Arithmetic: below 0, the flipped bits are shifted and flipped back. */
static void run_right_shift(tc_call *k)
{
    pair p = operands(k);
    born_tensor low = born_lt(p.x, 0), bits = born_where(low, born_bitwise_not(p.x), p.x);
    born_tensor r = shift(bits, p.y, 1);
    tc_out(k, born_where(low, born_bitwise_not(r), r));
}

static void run_isclose(tc_call *k)
{
    pair p = operands(k);
    born_tensor x = tc_to(p.x, BORN_F64), y = tc_to(p.y, BORN_F64);
    born_tensor room = born_add(born_mul(born_abs(y), tc_num(k, "rtol")), tc_num(k, "atol"));
    born_tensor finite = born_logical_not(born_logical_or(born_is_inf(x, NULL), born_is_inf(y, NULL)));
    born_tensor r = born_logical_and(born_le(born_abs(born_sub(x, y)), room), finite);
    r = born_logical_or(r, born_eq(x, y));
    if (tc_flag(k, "equal_nan")) r = born_logical_or(r, born_logical_and(born_is_nan(x), born_is_nan(y)));
    tc_out(k, r);
}

/* ---- maxima, minima, clamps ---- */

static void run_maximum(tc_call *k)
{
    pair p = operands(k);
    tc_out(k, born_max(p.x, p.y));
}
static void run_minimum(tc_call *k)
{
    pair p = operands(k);
    tc_out(k, born_min(p.x, p.y));
}
/* NaN loses; at a tie the first is taken, with the whole gradient. */
static void run_fmax(tc_call *k)
{
    pair p = operands(k);
    tc_out(k, born_where(born_logical_or(born_ge(p.x, p.y), born_is_nan(p.y)), p.x, p.y));
}
static void run_fmin(tc_call *k)
{
    pair p = operands(k);
    tc_out(k, born_where(born_logical_or(born_le(p.x, p.y), born_is_nan(p.y)), p.x, p.y));
}

/* Numbers by born_clip; tensors by choice, so that at the bound the gradient is x's. */
static void clamp(tc_call *k, const char *low, const char *high)
{
    born_tensor x = tc_in(k, "input"), lo = tc_operand(k, low, x), hi = tc_operand(k, high, x);
    if (tc_given(lo)) tc_promote(k, &x, &lo);
    if (tc_given(hi)) tc_promote(k, &x, &hi);
    if (tc_given(lo)) lo = tc_to(lo, born_dtype_of(x));
    if (tc_rank(lo) == 0 && tc_rank(hi) == 0 && !tc_given(tc_in(k, low)) && !tc_given(tc_in(k, high))) {
        tc_out(k, born_clip(x, lo, hi));
        return;
    }
    if (tc_given(lo)) x = born_where(born_lt(x, lo), lo, x);
    if (tc_given(hi)) x = born_where(born_gt(x, hi), hi, x);
    tc_out(k, x);
}
static void run_clamp(tc_call *k) { clamp(k, "min", "max"); }
static void run_clamp_min(tc_call *k) { clamp(k, "min", "-"); }
static void run_clamp_max(tc_call *k) { clamp(k, "-", "max"); }

static void run_heaviside(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), values = tc_operand(k, "values", x);
    tc_out(k, born_where(born_eq(x, 0), values, tc_to(born_gt(x, 0), born_dtype_of(x))));
}

/* ---- masks ---- */

static void run_where(tc_call *k)
{
    pair p = operands(k);
    born_tensor c = tc_in(k, "condition");
    if (tc_none(k, "other") && !tc_given(tc_in(k, "other"))) {
        tc_fail(k, "where: only a condition");
        return;
    }
    tc_out(k, born_where(tc_to_bool(c), p.x, p.y));
}
static void run_masked_fill(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), v = tc_operand(k, "value", x);
    tc_out(k, born_where(tc_to_bool(tc_in(k, "mask")), tc_to(v, born_dtype_of(x)), x));
}

/* The n-th true place takes the n-th element of source. */
static void run_masked_scatter(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = tc_broadcast(k, born_shape_of(x), born_shape_of(tc_in(k, "mask")));
    born_tensor mask = tc_flat(born_expand(tc_to_bool(tc_in(k, "mask")), s));
    born_tensor nth = born_sub(born_cumsum(tc_to(mask, BORN_I64), 0, NULL), 1);
    nth = born_max(nth, tc_full(k, BORN_I64, (born_shape){ 0 }, 0));
    nth = born_min(nth, tc_full(k, BORN_I64, (born_shape){ 0 }, (double)(tc_count(tc_in(k, "source")) - 1)));
    born_tensor picked = born_gather(tc_flat(tc_in(k, "source")), nth, 0);
    tc_out(k, born_where(born_reshape(mask, s), born_reshape(picked, s), born_expand(x, s)));
}
static void run_masked_select(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), mask = tc_to_bool(tc_in(k, "mask"));
    born_shape s = tc_broadcast(k, born_shape_of(x), born_shape_of(mask));
    born_tensor at = born_nonzero(tc_flat(born_expand(mask, s)));
    tc_out(k, born_gather(tc_flat(born_expand(x, s)), tc_flat(at), 0));
}

#define COMPARE(torch, f) { .name = torch, .params = "input, other", .binary = f }
#define RUN(torch, f) { .name = torch, .params = "input, other", .run = f }
const tc_row tc_rows_choose[] = {
    COMPARE("torch.eq", born_eq),
    COMPARE("torch.ne", born_ne),
    COMPARE("torch.not_equal", born_ne),
    COMPARE("torch.lt", born_lt),
    COMPARE("torch.less", born_lt),
    COMPARE("torch.le", born_le),
    COMPARE("torch.less_equal", born_le),
    COMPARE("torch.gt", born_gt),
    COMPARE("torch.greater", born_gt),
    COMPARE("torch.ge", born_ge),
    COMPARE("torch.greater_equal", born_ge),
    RUN("torch.logical_and", run_logical_and),
    RUN("torch.logical_or", run_logical_or),
    RUN("torch.logical_xor", run_logical_xor),
    RUN("torch.bitwise_and", run_bitwise_and),
    RUN("torch.bitwise_or", run_bitwise_or),
    RUN("torch.bitwise_xor", run_bitwise_xor),
    RUN("torch.bitwise_left_shift", run_left_shift),
    RUN("torch.bitwise_right_shift", run_right_shift),
    { .name = "torch.isclose", .params = "input, other, rtol=1e-05, atol=1e-08, equal_nan=false", .run = run_isclose },
    RUN("torch.maximum", run_maximum),
    RUN("torch.minimum", run_minimum),
    RUN("torch.fmax", run_fmax),
    RUN("torch.fmin", run_fmin),
    { .name = "torch.clamp", .params = "input, min=null, max=null", .run = run_clamp },
    { .name = "torch.clip", .params = "input, min=null, max=null", .run = run_clamp },
    { .name = "torch.clamp_min", .params = "input, min", .run = run_clamp_min },
    { .name = "torch.clamp_max", .params = "input, max", .run = run_clamp_max },
    { .name = "torch.heaviside", .params = "input, values", .run = run_heaviside },
    { .name = "torch.where", .params = "condition, input, other=null", .run = run_where },
    { .name = "torch.masked_fill", .params = "input, mask, value", .run = run_masked_fill },
    { .name = "torch.Tensor.masked_scatter", .params = "input, mask, source", .run = run_masked_scatter },
    { .name = "torch.masked_scatter", .params = "input, mask, source", .run = run_masked_scatter },
    { .name = "torch.masked_select", .params = "input, mask", .run = run_masked_select },
    { 0 },
};
