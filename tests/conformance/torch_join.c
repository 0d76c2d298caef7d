/* torch_cases: joining, cutting and padding tensors, and making new ones. */
#include "torch_cases.h"

/* ---- joining ---- */

static int listed(tc_call *k, born_tensor *list)
{
    int n = tc_list(k, "tensors", list, TC_MOST_IN);
    for (int i = 1; i < n; i++) {       /* to the type of all: by pairs, against the widest so far */
        tc_promote(k, &list[0], &list[i]);
    }
    for (int i = 1; i < n; i++) list[i] = tc_to(list[i], born_dtype_of(list[0]));
    if (n == 0) tc_fail(k, "no tensors");
    return n;
}
static int dim_arg(const tc_call *k, const char *name, int rank)
{
    return (int)tc_dims(k, name, rank).v[0];
}
static void run_cat(tc_call *k)
{
    born_tensor list[TC_MOST_IN], full[TC_MOST_IN];
    int n = listed(k, list), kept = 0;
    for (int i = 0; i < n; i++) {       /* PyTorch skips tensors of shape [0] */
        if (tc_rank(list[i]) != 1 || tc_size(list[i], 0) != 0) full[kept++] = list[i];
    }
    if (kept == 0) full[kept++] = list[0];
    tc_out(k, born_concat(full, kept, dim_arg(k, "dim", tc_rank(full[0]))));
}
static void run_stack(tc_call *k)
{
    born_tensor list[TC_MOST_IN];
    int n = listed(k, list);
    tc_out(k, tc_stack(list, n, dim_arg(k, "dim", tc_rank(list[0]) + 1)));
}
/* Tensors with too few dims get them: hstack, vstack and dstack want 1, 2 and 3. */
static born_tensor at_least(born_tensor x, int rank)
{
    if (tc_rank(x) == 0) x = tc_unsqueeze(x, 0);
    if (tc_rank(x) == 1 && rank > 1) x = tc_unsqueeze(x, 0);
    return tc_rank(x) == 2 && rank > 2 ? tc_unsqueeze(x, 2) : x;
}
static void stack_along(tc_call *k, int rank, int dim)
{
    born_tensor list[TC_MOST_IN];
    int n = listed(k, list);
    for (int i = 0; i < n; i++) list[i] = at_least(list[i], rank);
    tc_out(k, born_concat(list, n, dim == 1 && tc_rank(list[0]) == 1 ? 0 : dim));
}
static void run_hstack(tc_call *k) { stack_along(k, 1, 1); }
static void run_vstack(tc_call *k) { stack_along(k, 2, 0); }
static void run_dstack(tc_call *k) { stack_along(k, 3, 2); }

static void run_meshgrid(tc_call *k)
{
    born_tensor list[TC_MOST_IN];
    int n = listed(k, list);
    bool xy = tc_says(k, "indexing", "xy") && n > 1;
    born_shape s = { .rank = n < BORN_MAX_RANK ? n : BORN_MAX_RANK };
    for (int i = 0; i < s.rank; i++) s.dim[i] = tc_count(list[xy && i < 2 ? 1 - i : i]);
    for (int i = 0; i < s.rank; i++) {
        int dim = xy && i < 2 ? 1 - i : i;
        born_shape one = { .rank = s.rank };
        for (int j = 0; j < s.rank; j++) one.dim[j] = j == dim ? tc_count(list[i]) : 1;
        tc_out(k, born_expand(born_reshape(list[i], one), s));
    }
}

/* ---- cutting ---- */

static void cut(tc_call *k, born_tensor x, int dim, const tc_ints *sizes)
{
    born_tensor part[TC_MOST_OUT];
    if (sizes->n < 1 || sizes->n > TC_MOST_DIMS) {
        tc_fail(k, "%d parts", sizes->n);
        return;
    }
    born_split(x, part, sizes->n, TC_SPAN(*sizes), dim);
    for (int i = 0; i < sizes->n; i++) tc_out(k, part[i]);
}
static tc_ints equal_parts(int64_t total, int64_t size)
{
    tc_ints r = { .n = 0 };
    if (total == 0) r.v[r.n++] = 0;
    for (int64_t at = 0; size > 0 && at < total && r.n < TC_MOST_DIMS; at += size) {
        r.v[r.n++] = at + size < total ? size : total - at;
    }
    return r;
}
static void run_split(tc_call *k)
{
    born_tensor x = tc_given(tc_in(k, "tensor")) ? tc_in(k, "tensor") : tc_in(k, "input");
    int dim = dim_arg(k, "dim", tc_rank(x));
    tc_ints sizes = tc_ints_of(k, "split_size_or_sections");
    if (!json_is_array(tc_arg(k, "split_size_or_sections"))) sizes = equal_parts(tc_size(x, dim), sizes.v[0]);
    cut(k, x, dim, &sizes);
}
static void run_chunk(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    int dim = dim_arg(k, "dim", tc_rank(x));
    int64_t n = tc_size(x, dim), chunks = tc_int(k, "chunks");
    tc_ints sizes = equal_parts(n, chunks > 0 ? (n + chunks - 1) / chunks : n);
    cut(k, x, dim, &sizes);
}
/* Cuts at indices, or into a number of parts of which the first are larger by one. */
static void split_at(tc_call *k, int dim)
{
    born_tensor x = tc_in(k, "input");
    tc_ints at = tc_ints_of(k, "indices_or_sections"), sizes = { .n = 0 };
    int64_t n = tc_size(x, dim), start = 0;
    if (at.none) at = tc_ints_of(k, "sections");
    if (!json_is_array(tc_arg(k, "indices_or_sections"))) {
        for (int64_t i = 0; i < at.v[0] && i < TC_MOST_DIMS; i++) sizes.v[sizes.n++] = n / at.v[0] + (i < n % at.v[0]);
    } else {
        for (int i = 0; i <= at.n && i < TC_MOST_DIMS; i++) {
            int64_t end = i < at.n ? at.v[i] + (at.v[i] < 0 ? n : 0) : n;
            end = end > n ? n : end;
            sizes.v[sizes.n++] = end > start ? end - start : 0;
            start = end > start ? end : start;
        }
    }
    cut(k, x, dim, &sizes);
}
static void run_tensor_split(tc_call *k) { split_at(k, dim_arg(k, "dim", tc_rank(tc_in(k, "input")))); }
static void run_hsplit(tc_call *k) { split_at(k, tc_rank(tc_in(k, "input")) > 1); }
static void run_vsplit(tc_call *k) { split_at(k, 0); }
static void run_dsplit(tc_call *k) { split_at(k, 2); }
static void run_unbind(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    int dim = dim_arg(k, "dim", tc_rank(x));
    for (int64_t i = 0; i < tc_size(x, dim); i++) tc_out(k, tc_select(x, dim, i));
}

/* ---- padding: pairs from the last dim on ---- */

static void run_pad(tc_call *k)
{
    static const char *const modes[] = { "constant", "reflect", "replicate", "circular" };
    born_tensor x = tc_in(k, "input");
    tc_ints pad = tc_ints_of(k, "pad");
    int rank = tc_rank(x);
    int64_t pads[2 * BORN_MAX_RANK] = { 0 };
    born_pad_attrs a = { 0 };
    for (int i = 0; i < 4; i++) {
        if (tc_says(k, "mode", modes[i])) a.mode = i;
    }
    for (int i = 0; i < pad.n / 2 && i < rank; i++) {
        pads[rank - 1 - i] = pad.v[2 * i];
        pads[2 * rank - 1 - i] = pad.v[2 * i + 1];
    }
    tc_out(k, born_pad(x, (born_ints){ pads, 2 * rank }, tc_num(k, "value"), &a));
}

/* ---- making ---- */

static born_dtype made_dtype(const tc_call *k, bool real)
{
    return !tc_none(k, "dtype") ? tc_dtype_named(tc_text(k, "dtype")) : real ? k->real : BORN_I64;
}
static void run_arange(tc_call *k)
{
    double end = tc_num(k, "end"), start = tc_num(k, "start");
    bool real = json_is_real(tc_arg(k, "end")) || json_is_real(tc_arg(k, "start")) || json_is_real(tc_arg(k, "step"));
    tc_out(k, born_range(k->b, made_dtype(k, real), start, end, tc_num(k, "step")));
}
/* PyTorch counts from both ends towards the middle. */
static void space(tc_call *k, bool powers)
{
    double start = tc_num(k, "start"), end = tc_num(k, "end"), base = powers ? tc_num(k, "base") : 0;
    int64_t n = tc_int(k, "steps");
    double *v = malloc((size_t)(n + 1) * sizeof *v), step = n > 1 ? (end - start) / (double)(n - 1) : 0;
    for (int64_t i = 0; v != NULL && i < n; i++) {
        v[i] = i < n / 2 || n == 1 ? start + step * (double)i : end - step * (double)(n - 1 - i);
        if (powers) v[i] = pow(base, v[i]);
    }
    tc_out(k, tc_f64s(k, v, BORN_SHAPE(n), made_dtype(k, true)));
    free(v);
}
static void run_linspace(tc_call *k) { space(k, false); }
static void run_logspace(tc_call *k) { space(k, true); }

static born_tensor band(tc_call *k, int64_t rows, int64_t columns, int64_t offset, bool lower)
{
    return born_trilu(tc_full(k, BORN_I64, BORN_SHAPE(rows, columns), 1), offset,
                      &(born_trilu_attrs){ .lower = lower });
}
static void run_eye(tc_call *k)
{
    int64_t n = tc_int(k, "n"), m = tc_none(k, "m") ? n : tc_int(k, "m");
    born_tensor both = born_mul(band(k, n, m, 0, true), band(k, n, m, 0, false));
    tc_out(k, tc_to(both, made_dtype(k, true)));
}
static void run_tril_indices(tc_call *k)
{
    tc_out(k, born_nonzero(band(k, tc_int(k, "row"), tc_int(k, "col"), tc_int(k, "offset"), true)));
}
static void run_triu_indices(tc_call *k)
{
    tc_out(k, born_nonzero(band(k, tc_int(k, "row"), tc_int(k, "col"), tc_int(k, "offset"), false)));
}
static void run_full(tc_call *k)
{
    const json_t *v = tc_arg(k, "fill_value");
    born_dtype t = made_dtype(k, !json_is_integer(v));
    if (json_is_boolean(v) && tc_none(k, "dtype")) t = BORN_BOOL;
    tc_out(k, tc_full(k, t, tc_shape(k, "size"), tc_number(v)));
}
static void run_zeros(tc_call *k) { tc_out(k, tc_full(k, made_dtype(k, true), tc_shape(k, "size"), 0)); }
static void run_ones(tc_call *k) { tc_out(k, tc_full(k, made_dtype(k, true), tc_shape(k, "size"), 1)); }
static void fill_like(tc_call *k, double v)
{
    born_tensor x = tc_in(k, "input");
    born_dtype t = tc_none(k, "dtype") ? born_dtype_of(x) : tc_dtype_named(tc_text(k, "dtype"));
    tc_out(k, tc_full(k, t, born_shape_of(x), v));
}
static void run_zeros_like(tc_call *k) { fill_like(k, 0); }
static void run_ones_like(tc_call *k) { fill_like(k, 1); }
static void run_full_like(tc_call *k) { fill_like(k, tc_num(k, "fill_value")); }

#define ROW(torch, parameters, f) { .name = torch, .params = parameters, .run = f }
const tc_row tc_rows_join[] = {
    ROW("torch.cat", "tensors, dim=0", run_cat),
    ROW("torch.concat", "tensors, dim=0", run_cat),
    ROW("torch.stack", "tensors, dim=0", run_stack),
    ROW("torch.hstack", "tensors", run_hstack),
    ROW("torch.vstack", "tensors", run_vstack),
    ROW("torch.dstack", "tensors", run_dstack),
    ROW("torch.meshgrid", "tensors, indexing='ij'", run_meshgrid),
    ROW("torch.split", "tensor, input, split_size_or_sections, dim=0", run_split),
    ROW("torch.chunk", "input, chunks, dim=0", run_chunk),
    ROW("torch.tensor_split", "input, indices_or_sections, dim=0, sections=null", run_tensor_split),
    ROW("torch.hsplit", "input, indices_or_sections, sections=null", run_hsplit),
    ROW("torch.vsplit", "input, indices_or_sections, sections=null", run_vsplit),
    ROW("torch.dsplit", "input, indices_or_sections, sections=null", run_dsplit),
    ROW("torch.unbind", "input, dim=0", run_unbind),
    ROW("torch.nn.functional.pad", "input, pad, mode='constant', value=null", run_pad),
    ROW("torch.arange", "start=0, end, step=1, dtype=null", run_arange),
    ROW("torch.linspace", "start, end, steps, dtype=null", run_linspace),
    ROW("torch.logspace", "start, end, steps, base=10.0, dtype=null", run_logspace),
    ROW("torch.eye", "n, m=null, dtype=null", run_eye),
    ROW("torch.tril_indices", "row, col, offset=0", run_tril_indices),
    ROW("torch.triu_indices", "row, col, offset=0", run_triu_indices),
    ROW("torch.full", "size, fill_value, dtype=null", run_full),
    ROW("torch.zeros", "size, dtype=null", run_zeros),
    ROW("torch.ones", "size, dtype=null", run_ones),
    ROW("torch.zeros_like", "input, dtype=null", run_zeros_like),
    ROW("torch.ones_like", "input, dtype=null", run_ones_like),
    ROW("torch.full_like", "input, fill_value, dtype=null", run_full_like),
    { 0 },
};
