/* torch_cases: norms and distances, differences and integrals, counting, sorting and searching. */
#include "torch_cases.h"

/* ---- norms ---- */

/* (sum |x|^p)^(1/p) for any p; where an element or the sum is 0 nothing flows back. */
static born_tensor power_norm(tc_call *k, born_tensor a, double p, const tc_ints *dims, bool keep)
{
    born_tensor zero = born_eq(a, 0), none = tc_full_like(k, a, 0), one = tc_full_like(k, a, 1);
    born_tensor t = born_where(zero, none, born_pow(born_where(zero, one, a), p));
    born_tensor s = tc_reduce_axes(born_reduce_sum, t, dims, keep), empty = born_eq(s, 0);
    born_tensor root = born_pow(born_where(empty, tc_full_like(k, s, 1), s), 1 / p);
    return born_where(empty, tc_full_like(k, s, 0), root);
}

born_tensor tc_norm(tc_call *k, born_tensor x, double p, const tc_ints *dims, bool keep)
{
    x = tc_to_real(k, x);
    if (p == 2) return tc_reduce_axes(born_reduce_l2, x, dims, keep);
    if (p == 1) return tc_reduce_axes(born_reduce_l1, x, dims, keep);
    born_tensor a = born_abs(x);
    if (p == INFINITY) return tc_reduce_axes(born_reduce_max, a, dims, keep);
    if (p == -INFINITY) return tc_reduce_axes(born_reduce_min, a, dims, keep);
    if (p == 0) return tc_reduce_axes(born_reduce_sum, born_sign(a), dims, keep);
    return power_norm(k, a, p, dims, keep);
}

static born_tensor cast_first(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    if (!tc_given(x)) x = tc_in(k, "A");
    if (!tc_given(x)) x = tc_in(k, "x");
    return tc_none(k, "dtype") ? x : tc_to(x, tc_dtype_named(tc_text(k, "dtype")));
}

/* The norm of matrices: the largest (smallest) sum of sizes over rows or columns, or that of all elements. */
static born_tensor matrix_norm(tc_call *k, born_tensor x, const json_t *ord, const tc_ints *dims, bool keep)
{
    double p = ord == NULL ? 0 : tc_number(ord);
    int rows = (int)dims->v[0], columns = (int)dims->v[1], rank = tc_rank(x);
    if (ord == NULL || (json_is_string(ord) && strcmp(json_string_value(ord), "fro") == 0)) {
        return tc_norm(k, x, 2, dims, keep);
    }
    if (fabs(p) != 1 && !isinf(p)) {
        tc_fail(k, "a matrix norm that needs singular values");
        return tc_absent;
    }
    tc_ints inner = { .v = { fabs(p) == 1 ? rows : columns }, .n = 1 };
    tc_ints outer = { .v = { fabs(p) == 1 ? columns : rows }, .n = 1 };
    born_tensor s = tc_reduce_axes(born_reduce_l1, x, &inner, true);
    s = tc_reduce_axes(p > 0 ? born_reduce_max : born_reduce_min, s, &outer, true);
    (void)rank;
    return keep ? s : born_squeeze(s, TC_SPAN(*dims));
}

static void run_vector_norm(tc_call *k)
{
    born_tensor x = cast_first(k);
    tc_ints dims = tc_dims(k, "dim", tc_rank(x));
    tc_out(k, tc_norm(k, x, tc_num(k, "ord"), &dims, tc_flag(k, "keepdim")));
}
static void run_matrix_norm(tc_call *k)
{
    born_tensor x = cast_first(k);
    tc_ints dims = tc_dims(k, "dim", tc_rank(x));
    tc_out(k, matrix_norm(k, x, tc_arg(k, "ord"), &dims, tc_flag(k, "keepdim")));
}
static void run_linalg_norm(tc_call *k)
{
    born_tensor x = cast_first(k);
    int rank = tc_rank(x);
    const json_t *ord = tc_arg(k, "ord");
    tc_ints dims = tc_dims(k, "dim", rank);
    if (dims.none && ord != NULL && rank == 2) dims = (tc_ints){ .v = { 0, 1 }, .n = 2 };
    if (dims.n == 2) tc_out(k, matrix_norm(k, x, ord, &dims, tc_flag(k, "keepdim")));
    else tc_out(k, tc_norm(k, x, ord == NULL ? 2 : tc_number(ord), &dims, tc_flag(k, "keepdim")));
}
static void run_norm(tc_call *k)
{
    born_tensor x = cast_first(k);
    tc_ints dims = tc_dims(k, "dim", tc_rank(x));
    if (tc_says(k, "p", "nuc")) {
        tc_fail(k, "a norm that needs singular values");
        return;
    }
    double p = tc_says(k, "p", "fro") || tc_none(k, "p") ? 2 : tc_num(k, "p");
    tc_out(k, tc_norm(k, x, p, &dims, tc_flag(k, "keepdim")));
}

/* ---- distances ---- */

born_tensor tc_pairwise(tc_call *k, born_tensor x, born_tensor y, double p, double eps, bool keep)
{
    born_tensor d = born_add(born_sub(x, y), eps);
    tc_ints last = { .v = { tc_rank(d) - 1 }, .n = 1 };
    return tc_norm(k, d, p, &last, keep);
}
static void run_pairwise_distance(tc_call *k)
{
    tc_out(k, tc_pairwise(k, tc_in(k, "x1"), tc_in(k, "x2"), tc_num(k, "p"), tc_num(k, "eps"), tc_flag(k, "keepdim")));
}
static void run_cdist(tc_call *k)
{
    born_tensor x = tc_in(k, "x1"), y = tc_in(k, "x2");
    x = tc_unsqueeze(x, tc_rank(x) - 1);        /* [..., P, 1, M] */
    y = tc_unsqueeze(y, tc_rank(y) - 2);        /* [..., 1, R, M] */
    tc_out(k, tc_pairwise(k, x, y, tc_num(k, "p"), 0, false));
}
static void run_pdist(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    int64_t n = tc_size(x, 0), pairs = n * (n - 1) / 2, at = 0;
    int64_t *first = malloc((size_t)pairs * 2 * sizeof *first + 1), *second = first + pairs;
    for (int64_t i = 0; first != NULL && i < n; i++) {
        for (int64_t j = i + 1; j < n; j++, at++) {
            first[at] = i;
            second[at] = j;
        }
    }
    born_tensor a = born_gather(x, tc_i64s(k, first, BORN_SHAPE(pairs)), 0);
    born_tensor b = born_gather(x, tc_i64s(k, second, BORN_SHAPE(pairs)), 0);
    free(first);
    tc_out(k, tc_pairwise(k, a, b, tc_num(k, "p"), 0, false));
}
static void run_cosine_similarity(tc_call *k)
{
    born_tensor x = tc_in(k, "x1"), y = tc_in(k, "x2");
    born_shape s = tc_broadcast(k, born_shape_of(x), born_shape_of(y));
    x = born_expand(x, s);
    y = born_expand(y, s);
    tc_ints dims = tc_dims(k, "dim", s.rank);
    double eps = tc_num(k, "eps");
    born_tensor least = tc_full(k, born_dtype_of(x), (born_shape){ 0 }, eps);
    born_tensor a = born_clip(tc_norm(k, x, 2, &dims, true), least, tc_absent);
    born_tensor b = born_clip(tc_norm(k, y, 2, &dims, true), least, tc_absent);
    tc_out(k, tc_reduce_axes(born_reduce_sum, born_mul(born_div(x, a), born_div(y, b)), &dims, false));
}

/* ---- differences, integrals ---- */

static void run_diff(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), list[3];
    int dim = (int)tc_dims(k, "dim", tc_rank(x)).v[0], n = 0;
    if (tc_given(tc_in(k, "prepend"))) list[n++] = tc_in(k, "prepend");
    list[n++] = x;
    if (tc_given(tc_in(k, "append"))) list[n++] = tc_in(k, "append");
    if (n > 1) x = born_concat(list, n, dim);
    for (int64_t i = tc_int(k, "n"); i > 0; i--) {
        born_tensor later = tc_slice(x, dim, 1, INT64_MAX, 1), earlier = tc_slice(x, dim, 0, tc_size(x, dim) - 1, 1);
        x = born_dtype_of(x) == BORN_BOOL ? born_logical_xor(later, earlier) : born_sub(later, earlier);
    }
    tc_out(k, x);
}
static void trapezoid(tc_call *k, bool running)
{
    born_tensor y = tc_in(k, "y"), x = tc_in(k, "x");
    int rank = tc_rank(y), dim = (int)tc_dims(k, "dim", rank).v[0];
    born_tensor mid = born_add(tc_slice(y, dim, 1, INT64_MAX, 1), tc_slice(y, dim, 0, tc_size(y, dim) - 1, 1));
    if (tc_given(x)) {
        if (tc_rank(x) == 1) {
            born_shape s = { .rank = rank };
            for (int i = 0; i < rank; i++) s.dim[i] = i == dim ? tc_count(x) : 1;
            x = born_reshape(x, s);
        }
        int across = dim - rank + tc_rank(x);
        mid = born_mul(
            mid, born_sub(tc_slice(x, across, 1, INT64_MAX, 1), tc_slice(x, across, 0, tc_size(x, across) - 1, 1)));
    } else {
        mid = born_mul(mid, tc_num(k, "dx"));
    }
    mid = born_mul(mid, 0.5);
    tc_ints dims = { .v = { dim }, .n = 1 };
    tc_out(k, running ? born_cumsum(mid, dim, NULL) : tc_reduce_axes(born_reduce_sum, mid, &dims, false));
}
static void run_trapezoid(tc_call *k) { trapezoid(k, false); }
static void run_cumulative_trapezoid(tc_call *k) { trapezoid(k, true); }

/* ---- counting ---- */

static born_tensor count_into(tc_call *k, born_tensor zeros, born_tensor at, born_tensor weights)
{
    (void)k;
    return born_scatter_elements(zeros, at, weights, &(born_scatter_elements_attrs){ .reduction = 1 });
}
static void run_bincount(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), w = tc_in(k, "weights");
    int64_t *v = tc_read_ints(k, x), most = tc_int(k, "minlength");
    for (int64_t i = 0; v != NULL && i < tc_count(x); i++) most = v[i] + 1 > most ? v[i] + 1 : most;
    free(v);
    if (!tc_given(w)) w = tc_full(k, BORN_I64, born_shape_of(x), 1);
    tc_out(k, count_into(k, tc_full(k, born_dtype_of(w), BORN_SHAPE(most), 0), x, w));
}
static void run_histc(tc_call *k)
{
    born_tensor x = tc_flat(tc_in(k, "input"));
    double low = tc_num(k, "min"), high = tc_num(k, "max");
    int64_t bins = tc_int(k, "bins");
    if (low == high) {
        if (born_item(tc_to(tc_reduce_axes(born_reduce_min, x, NULL, false), BORN_F64), BORN_F64, &low) != BORN_OK ||
            born_item(tc_to(tc_reduce_axes(born_reduce_max, x, NULL, false), BORN_F64), BORN_F64, &high) != BORN_OK) {
            tc_fail(k, "histc: cannot read");
        }
    }
    if (low == high) {
        low -= 1;
        high += 1;
    }
    born_tensor inside = born_logical_and(born_ge(x, low), born_le(x, high));
    born_tensor at = born_floor(born_mul(born_div(born_sub(x, low), high - low), (double)bins));
    at = born_cast(born_clamp(at, 0, (double)bins - 1), BORN_I64);
    born_dtype t = born_dtype_of(x);
    tc_out(k, count_into(k, tc_full(k, t, BORN_SHAPE(bins), 0), at, tc_to(inside, t)));
}

/* ---- sorting and searching ---- */

born_tensor tc_sort(tc_call *k, born_tensor x, int dim, bool descending, born_tensor *indices)
{
    born_i64 at = { { 0 } };
    bool scalar = tc_rank(x) == 0, flags = born_dtype_of(x) == BORN_BOOL;
    born_tensor y = scalar ? tc_unsqueeze(x, 0) : x;
    if (flags) y = tc_to(y, BORN_I64);
    y = born_topk(y, tc_size(y, dim), (&(born_topk_attrs){ .axis = dim - tc_rank(y), .smallest = !descending }), &at);
    (void)k;
    *indices = scalar ? tc_squeeze(at.any, 0) : at.any;
    if (flags) y = tc_to(y, BORN_BOOL);
    return scalar ? tc_squeeze(y, 0) : y;
}
static born_tensor sort(tc_call *k, born_tensor *at)
{
    born_tensor x = tc_in(k, "input");
    int rank = tc_rank(x);
    return tc_sort(k, x, (int)tc_dims(k, "dim", rank > 0 ? rank : 1).v[0], tc_flag(k, "descending"), at);
}
static void run_sort(tc_call *k)
{
    born_tensor at;
    tc_out(k, sort(k, &at));
    tc_out(k, at);
}
static void run_argsort(tc_call *k)
{
    born_tensor at;
    sort(k, &at);
    tc_out(k, at);
}
static void run_msort(tc_call *k)
{
    born_tensor at;
    tc_out(k, tc_sort(k, tc_in(k, "input"), 0, false, &at));
}
static void run_topk(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_i64 at = { { 0 } };
    int rank = tc_rank(x), dim = (int)tc_dims(k, "dim", rank).v[0];
    born_topk_attrs a = { .axis = dim - rank, .smallest = !tc_flag(k, "largest") };
    tc_out(k, born_topk(x, tc_int(k, "k"), &a, &at));
    tc_out(k, at.any);
}

/* How many of the sorted numbers lie before each value. */
static void search(tc_call *k, born_tensor sorted, born_tensor values, bool right)
{
    born_tensor s = sorted, v = values;
    tc_promote(k, &s, &v);
    v = tc_unsqueeze(v, tc_rank(v));                            /* [..., V, 1] */
    if (tc_rank(sorted) > 1) s = tc_unsqueeze(s, tc_rank(s) - 1);       /* [..., 1, S] */
    born_tensor before = right ? born_le(s, v) : born_lt(s, v);
    tc_ints last = { .v = { tc_rank(before) - 1 }, .n = 1 };
    born_tensor n = tc_reduce_axes(born_reduce_sum, tc_to(before, BORN_I64), &last, false);
    tc_out(k, tc_flag(k, "out_int32") ? born_cast(n, BORN_I32) : n);
}
static void run_searchsorted(tc_call *k)
{
    born_tensor sorted = tc_in(k, "sorted_sequence"), order = tc_in(k, "sorter");
    if (tc_given(order)) sorted = born_gather_elements(sorted, order, tc_rank(sorted) - 1);
    search(k, sorted, tc_operand(k, "input", sorted), tc_flag(k, "right") || tc_says(k, "side", "right"));
}
static void run_bucketize(tc_call *k)
{
    born_tensor edges = tc_in(k, "boundaries");
    search(k, edges, tc_operand(k, "input", edges), tc_flag(k, "right"));
}

const tc_row tc_rows_count[] = {
    { .name = "torch.norm", .params = "input, p='fro', dim=null, keepdim=false, dtype=null", .run = run_norm },
    { .name = "torch.linalg.norm",
      .params = "A, input, ord=null, dim=null, keepdim=false, dtype=null",
      .run = run_linalg_norm },
    { .name = "torch.linalg.vector_norm",
      .params = "x, input, ord=2, dim=null, keepdim=false, dtype=null",
      .run = run_vector_norm },
    { .name = "torch.linalg.matrix_norm",
      .params = "A, input, ord='fro', dim=[-2,-1], keepdim=false, dtype=null",
      .run = run_matrix_norm },
    { .name = "torch.nn.functional.pairwise_distance",
      .params = "x1, x2, p=2.0, eps=1e-06, keepdim=false",
      .run = run_pairwise_distance },
    { .name = "torch.nn.functional.cosine_similarity",
      .params = "x1, x2, dim=1, eps=1e-08",
      .run = run_cosine_similarity },
    { .name = "torch.cosine_similarity", .params = "x1, x2, dim=1, eps=1e-08", .run = run_cosine_similarity },
    { .name = "torch.cdist", .params = "x1, x2, p=2.0, compute_mode=null", .run = run_cdist },
    { .name = "torch.nn.functional.pdist", .params = "input, p=2.0", .run = run_pdist },
    { .name = "torch.pdist", .params = "input, p=2.0", .run = run_pdist },
    { .name = "torch.diff", .params = "input, n=1, dim=-1, prepend, append", .run = run_diff },
    { .name = "torch.trapezoid", .params = "y, x, dx=1, dim=-1", .run = run_trapezoid },
    { .name = "torch.cumulative_trapezoid", .params = "y, x, dx=1, dim=-1", .run = run_cumulative_trapezoid },
    { .name = "torch.bincount", .params = "input, weights, minlength=0", .run = run_bincount },
    { .name = "torch.histc", .params = "input, bins=100, min=0, max=0", .run = run_histc },
    { .name = "torch.sort", .params = "input, dim=-1, descending=false, stable=false", .run = run_sort },
    { .name = "torch.argsort", .params = "input, dim=-1, descending=false, stable=false", .run = run_argsort },
    { .name = "torch.msort", .params = "input", .run = run_msort },
    { .name = "torch.topk", .params = "input, k, dim=-1, largest=true, sorted=true", .run = run_topk },
    { .name = "torch.searchsorted",
      .params = "sorted_sequence, input, out_int32=false, right=false, side=null, sorter",
      .run = run_searchsorted },
    { .name = "torch.bucketize", .params = "input, boundaries, out_int32=false, right=false", .run = run_bucketize },
    { 0 },
};
