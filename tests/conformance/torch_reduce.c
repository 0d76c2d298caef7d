/* torch_cases: reductions and running sums. */
#include "torch_cases.h"

typedef born_tensor (*reduction)(born_tensor, born_ints, const born_reduce_attrs *, const born_site *);

static tc_ints dims_of(const tc_call *k, born_tensor x)
{
    return tc_dims(k, "dim", tc_rank(x) > 0 ? tc_rank(x) : 1);
}

/* Sums and products of integers are int64; the argument dtype goes first. */
static born_tensor widened(tc_call *k, born_tensor x)
{
    if (!tc_none(k, "dtype")) return tc_to(x, tc_dtype_named(tc_text(k, "dtype")));
    return tc_is_real(born_dtype_of(x)) ? x : tc_to(x, BORN_I64);
}

static void reduce(tc_call *k, reduction f, born_tensor x)
{
    tc_ints dims = dims_of(k, x);
    tc_out(k, tc_reduce_axes(f, x, &dims, tc_flag(k, "keepdim")));
}
static void run_sum(tc_call *k) { reduce(k, born_reduce_sum, widened(k, tc_in(k, "input"))); }
static void run_prod(tc_call *k) { reduce(k, born_reduce_prod, widened(k, tc_in(k, "input"))); }
static void run_mean(tc_call *k) { reduce(k, born_reduce_mean, widened(k, tc_in(k, "input"))); }
static void run_amax(tc_call *k) { reduce(k, born_reduce_max, tc_in(k, "input")); }
static void run_amin(tc_call *k) { reduce(k, born_reduce_min, tc_in(k, "input")); }
static void run_all(tc_call *k) { reduce(k, born_reduce_min, tc_to_bool(tc_in(k, "input"))); }
static void run_any(tc_call *k) { reduce(k, born_reduce_max, tc_to_bool(tc_in(k, "input"))); }
static void run_logsumexp(tc_call *k) { reduce(k, born_reduce_log_sum_exp, tc_to_real(k, tc_in(k, "input"))); }
static void run_count_nonzero(tc_call *k)
{
    reduce(k, born_reduce_sum, tc_to(tc_to_bool(tc_in(k, "input")), BORN_I64));
}
static void run_aminmax(tc_call *k)
{
    run_amin(k);
    run_amax(k);
}

static born_tensor without_nan(tc_call *k, born_tensor x)
{
    return born_where(born_is_nan(x), tc_full_like(k, x, 0), x);
}
static void run_nansum(tc_call *k) { reduce(k, born_reduce_sum, without_nan(k, widened(k, tc_in(k, "input")))); }
static void run_nanmean(tc_call *k)
{
    born_tensor x = widened(k, tc_in(k, "input"));
    tc_ints dims = dims_of(k, x);
    bool keep = tc_flag(k, "keepdim");
    born_tensor counted = tc_to(born_logical_not(born_is_nan(x)), born_dtype_of(x));
    tc_out(k, born_div(tc_reduce_axes(born_reduce_sum, without_nan(k, x), &dims, keep),
                       tc_reduce_axes(born_reduce_sum, counted, &dims, keep)));
}

/* ---- the largest and smallest, and where ---- */

static void arg_reduce(tc_call *k, bool largest)
{
    born_tensor x = tc_in(k, "input");
    bool whole = tc_none(k, "dim");
    int rank = tc_rank(x);
    born_tensor flat = whole || rank == 0 ? tc_flat(x) : x;
    born_arg_reduce_attrs a = { .axis = whole ? 0 : tc_dims(k, "dim", rank > 0 ? rank : 1).v[0],
                                .drop_dims = whole || rank == 0 || !tc_flag(k, "keepdim") };
    born_tensor r = largest ? born_arg_max(flat, &a) : born_arg_min(flat, &a);
    if (whole && tc_flag(k, "keepdim")) {
        born_shape ones = { .rank = rank };
        for (int i = 0; i < rank; i++) ones.dim[i] = 1;
        r = born_reshape(r, ones);
    }
    tc_out(k, r);
}
static void run_argmax(tc_call *k) { arg_reduce(k, true); }
static void run_argmin(tc_call *k) { arg_reduce(k, false); }

/* Values at the places along dim: the gradient goes there alone. */
static void out_at(tc_call *k, born_tensor x, born_tensor at, int dim, bool keep)
{
    born_tensor v = born_gather_elements(x, at, dim);
    tc_out(k, keep ? v : tc_squeeze(v, dim));
    tc_out(k, keep ? at : tc_squeeze(at, dim));
}

static void extreme(tc_call *k, bool largest)
{
    born_tensor x = tc_in(k, "input"), y = tc_in(k, "other");
    if (tc_given(y)) {
        tc_promote(k, &x, &y);
        tc_out(k, largest ? born_max(x, y) : born_min(x, y));
    } else if (tc_none(k, "dim")) {
        tc_out(k, tc_reduce_axes(largest ? born_reduce_max : born_reduce_min, x, NULL, false));
    } else {
        int dim = (int)dims_of(k, x).v[0];
        born_arg_reduce_attrs a = { .axis = dim };
        out_at(k, x, largest ? born_arg_max(x, &a) : born_arg_min(x, &a), dim, tc_flag(k, "keepdim"));
    }
}
static void run_max(tc_call *k) { extreme(k, true); }
static void run_min(tc_call *k) { extreme(k, false); }

static void kth(tc_call *k, int64_t nth)
{
    born_tensor x = tc_in(k, "input"), at;
    int dim = (int)dims_of(k, x).v[0];
    tc_sort(k, x, dim, false, &at);
    out_at(k, x, tc_slice(at, dim, nth, nth + 1, 1), dim, tc_flag(k, "keepdim"));
}
static void run_kthvalue(tc_call *k) { kth(k, tc_int(k, "k") - 1); }

/* NaN wins; without dim the gradient is shared by equal elements. */
static void run_median(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), at;
    bool whole = tc_none(k, "dim");
    if (whole) x = tc_flat(x);
    int dim = whole ? 0 : (int)dims_of(k, x).v[0];
    tc_sort(k, born_detach(x), dim, false, &at);
    int64_t n = tc_size(x, dim);
    born_tensor middle = tc_slice(at, dim, (n - 1) / 2, (n - 1) / 2 + 1, 1);
    if (tc_is_real(born_dtype_of(x))) {
        born_tensor nan = born_is_nan(x), any = born_reduce_max(nan, BORN_INTS(dim), NULL);
        middle = born_where(any, born_arg_max(tc_to(nan, BORN_I64), &(born_arg_reduce_attrs){ .axis = dim }), middle);
    }
    if (!whole) {
        out_at(k, x, middle, dim, tc_flag(k, "keepdim"));
        return;
    }
    born_tensor v = born_gather(born_detach(x), middle, 0), same = born_eq(x, v);
    if (tc_is_real(born_dtype_of(x))) same = born_logical_or(same, born_logical_and(born_is_nan(x), born_is_nan(v)));
    double lowest = tc_is_real(born_dtype_of(x)) ? -INFINITY : -9223372036854775808.0;
    tc_out(k, tc_reduce_axes(born_reduce_max, born_where(same, x, tc_full_like(k, x, lowest)), NULL, false));
}

static void run_quantile(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), at, q = tc_operand(k, "q", x);
    bool whole = tc_none(k, "dim"), keep = tc_flag(k, "keepdim");
    int rank = tc_rank(x), dim = whole ? 0 : (int)dims_of(k, x).v[0];
    born_tensor sorted = tc_sort(k, whole ? tc_flat(x) : x, dim, false, &at);
    bool list = tc_rank(q) == 1;
    born_tensor place = born_mul(tc_flat(q), (double)(tc_size(sorted, dim) - 1));
    born_tensor low = born_floor(place), high = born_ceil(place), part = born_sub(place, low);
    if (tc_says(k, "interpolation", "lower")) high = low;
    if (tc_says(k, "interpolation", "higher")) low = high;
    if (tc_says(k, "interpolation", "nearest")) low = high = born_round(place);
    if (tc_says(k, "interpolation", "midpoint")) part = tc_full_like(k, part, 0.5);
    born_shape across = { .rank = tc_rank(sorted) };
    for (int i = 0; i < across.rank; i++) across.dim[i] = i == dim ? tc_count(q) : 1;
    born_tensor a = born_gather(sorted, born_cast(low, BORN_I64), dim),
                b = born_gather(sorted, born_cast(high, BORN_I64), dim);
    born_tensor r = born_add(a, born_mul(born_reshape(part, across), born_sub(b, a)));
    r = tc_move_dim(r, dim, 0);         /* [q, rest...] */
    if (keep) {
        born_shape s = { .rank = rank + 1 };
        born_shape from = born_shape_of(x);
        s.dim[0] = tc_count(q);
        for (int i = 0; i < rank; i++) s.dim[i + 1] = whole || i == dim ? 1 : from.dim[i];
        r = born_reshape(r, s);
    }
    tc_out(k, list ? r : tc_squeeze(r, 0));
}

/* ---- spread ---- */

static born_tensor variance(tc_call *k, born_tensor x)
{
    tc_ints dims = dims_of(k, x);
    born_variance_attrs a = { .drop_dims = !tc_flag(k, "keepdim"), .correction = 1 };
    if (!tc_none(k, "correction")) a.correction = tc_int(k, "correction");
    else if (!tc_none(k, "unbiased")) a.correction = tc_flag(k, "unbiased");
    return born_reduce_variance(x, dims.n == 0 ? (born_ints){ 0 } : TC_SPAN(dims), &a);
}
born_tensor tc_sqrt_safe(tc_call *k, born_tensor x)
{
    born_tensor zero = born_eq(x, 0);
    return born_where(zero, tc_full_like(k, x, 0), born_sqrt(born_where(zero, tc_full_like(k, x, 1), x)));
}
static void run_var(tc_call *k) { tc_out(k, variance(k, tc_in(k, "input"))); }
static void run_std(tc_call *k) { tc_out(k, tc_sqrt_safe(k, variance(k, tc_in(k, "input")))); }
static void run_var_mean(tc_call *k)
{
    run_var(k);
    reduce(k, born_reduce_mean, tc_in(k, "input"));
}
static void run_std_mean(tc_call *k)
{
    run_std(k);
    reduce(k, born_reduce_mean, tc_in(k, "input"));
}

/* ---- running ---- */

static born_tensor scan_input(tc_call *k, int *dim)
{
    born_tensor x = tc_in(k, "input");
    *dim = (int)dims_of(k, x).v[0];
    return widened(k, x);
}
static void run_cumsum(tc_call *k)
{
    int dim;
    born_tensor x = scan_input(k, &dim);
    tc_out(k, born_cumsum(x, dim, NULL));
}
static void run_cumprod(tc_call *k)
{
    int dim;
    born_tensor x = scan_input(k, &dim);
    tc_out(k, born_cumprod(x, dim, NULL));
}
static void run_logcumsumexp(tc_call *k)
{
    int dim;
    born_tensor x = scan_input(k, &dim), part[TC_MOST_OUT];
    int n = (int)tc_size(x, dim);
    if (n < 1 || n > TC_MOST_OUT) {
        tc_fail(k, "logcumsumexp of %d elements", n);
        return;
    }
    for (int i = 0; i < n; i++) {
        part[i] = born_reduce_log_sum_exp(tc_slice(x, dim, 0, i + 1, 1), BORN_INTS(dim), NULL);
    }
    tc_out(k, born_concat(part, n, dim));
}

/* The last of equal elements is kept, and the first NaN to the end. */
static void running_extreme(tc_call *k, bool largest)
{
    int dim;
    born_tensor x = scan_input(k, &dim), still = born_detach(x), part[TC_MOST_OUT];
    int n = (int)tc_size(x, dim);
    if (n < 1 || n > TC_MOST_OUT) {
        tc_fail(k, "a running maximum of %d elements", n);
        return;
    }
    born_tensor best = tc_slice(still, dim, 0, 1, 1), at = tc_full(k, BORN_I64, born_shape_of(best), 0);
    for (int i = 0; i < n; i++) {
        born_tensor now = tc_slice(still, dim, i, i + 1, 1);
        born_tensor better = largest ? born_ge(now, best) : born_le(now, best);
        if (tc_is_real(born_dtype_of(x))) better = born_logical_or(better, born_is_nan(now));
        at = born_where(better, tc_full(k, BORN_I64, (born_shape){ 0 }, i), at);
        best = born_where(better, now, best);
        part[i] = at;
    }
    out_at(k, x, born_concat(part, n, dim), dim, true);
}
static void run_cummax(tc_call *k) { running_extreme(k, true); }
static void run_cummin(tc_call *k) { running_extreme(k, false); }

#define REDUCE(torch, f) { .name = torch, .params = "input, dim=null, keepdim=false, dtype=null", .run = f }
#define SPREAD(torch, f)                                                                                              \
    { .name = torch, .params = "input, dim=null, unbiased=null, correction=null, keepdim=false", .run = f }
#define ALONG(torch, f) { .name = torch, .params = "input, dim, dtype=null", .run = f }
const tc_row tc_rows_reduce[] = {
    REDUCE("torch.sum", run_sum),
    REDUCE("torch.prod", run_prod),
    REDUCE("torch.mean", run_mean),
    REDUCE("torch.nansum", run_nansum),
    REDUCE("torch.nanmean", run_nanmean),
    REDUCE("torch.amax", run_amax),
    REDUCE("torch.amin", run_amin),
    REDUCE("torch.all", run_all),
    REDUCE("torch.any", run_any),
    REDUCE("torch.logsumexp", run_logsumexp),
    REDUCE("torch.count_nonzero", run_count_nonzero),
    REDUCE("torch.aminmax", run_aminmax),
    REDUCE("torch.argmax", run_argmax),
    REDUCE("torch.argmin", run_argmin),
    { .name = "torch.max", .params = "input, dim=null, keepdim=false, other=null", .run = run_max },
    { .name = "torch.min", .params = "input, dim=null, keepdim=false, other=null", .run = run_min },
    { .name = "torch.kthvalue", .params = "input, k, dim=-1, keepdim=false", .run = run_kthvalue },
    { .name = "torch.median", .params = "input, dim=null, keepdim=false", .run = run_median },
    { .name = "torch.quantile",
      .params = "input, q, dim=null, keepdim=false, interpolation='linear'",
      .run = run_quantile },
    SPREAD("torch.var", run_var),
    SPREAD("torch.std", run_std),
    SPREAD("torch.var_mean", run_var_mean),
    SPREAD("torch.std_mean", run_std_mean),
    ALONG("torch.cumsum", run_cumsum),
    ALONG("torch.cumprod", run_cumprod),
    ALONG("torch.cummax", run_cummax),
    ALONG("torch.cummin", run_cummin),
    ALONG("torch.logcumsumexp", run_logcumsumexp),
    { 0 },
};
