/* torch_cases: reading and writing at indices. */
#include "torch_cases.h"

static int dim_of(const tc_call *k, born_tensor x)
{
    return (int)tc_dims(k, "dim", tc_rank(x) > 0 ? tc_rank(x) : 1).v[0];
}

static void run_gather(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    tc_out(k, born_gather_elements(x, tc_in(k, "index"), dim_of(k, x)));
}
static void run_take(tc_call *k) { tc_out(k, born_gather(tc_flat(tc_in(k, "input")), tc_in(k, "index"), 0)); }
static void run_index_select(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    tc_out(k, born_gather(x, tc_flat(tc_in(k, "index")), dim_of(k, x)));
}

/* Both broadcast but along dim. */
static void run_take_along_dim(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), at = tc_in(k, "indices");
    if (tc_none(k, "dim")) {
        tc_out(k, born_gather(tc_flat(x), tc_flat(at), 0));
        return;
    }
    int dim = dim_of(k, x);
    born_shape a = born_shape_of(x), b = born_shape_of(at), s = a;
    s.dim[dim] = b.dim[dim] = 1;
    s = tc_broadcast(k, s, b);
    s.dim[dim] = a.dim[dim];
    x = born_expand(x, s);
    s.dim[dim] = tc_size(at, dim);
    tc_out(k, born_gather_elements(x, born_expand(at, s), dim));
}

/* ---- scatter along a dim ---- */

/* As much of src as index names. */
static born_tensor source(tc_call *k, born_tensor x, born_tensor at)
{
    born_tensor src = tc_in(k, "src");
    if (!tc_given(src))
        return tc_full(k, born_dtype_of(x), born_shape_of(at), tc_num(k, tc_none(k, "value") ? "src" : "value"));
    for (int i = 0; i < tc_rank(at); i++) {
        if (tc_size(src, i) > tc_size(at, i)) src = tc_slice(src, i, 0, tc_size(at, i), 1);
    }
    return src;
}
static born_tensor scatter(born_tensor x, int dim, born_tensor at, born_tensor src, int reduction)
{
    born_scatter_elements_attrs a = { .axis = dim, .reduction = reduction };
    return born_scatter_elements(x, at, src, &a);
}
static void run_scatter(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), at = tc_in(k, "index");
    int reduction = tc_says(k, "reduce", "add") ? 1 : tc_says(k, "reduce", "multiply") ? 2 : 0;
    tc_out(k, scatter(x, dim_of(k, x), at, source(k, x, at), reduction));
}
static void run_scatter_add(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), at = tc_in(k, "index");
    tc_out(k, scatter(x, dim_of(k, x), at, source(k, x, at), 1));
}

/* Without include_self, places that are written start from the neutral element; means divide by how many were added. */
static void run_scatter_reduce(tc_call *k)
{
    static const struct { const char *name; int reduction; double neutral; } how[] = {
        { "sum", 1, 0 }, { "mean", 1, 0 }, { "prod", 2, 1 }, { "amax", 3, -INFINITY }, { "amin", 4, INFINITY },
    };
    born_tensor x = tc_in(k, "input"), at = tc_in(k, "index");
    int dim = dim_of(k, x), i = 0;
    while (i < 4 && !tc_says(k, "reduce", how[i].name)) i++;
    born_tensor src = source(k, x, at);
    bool self = tc_flag(k, "include_self"), mean = strcmp(how[i].name, "mean") == 0,
         real = tc_is_real(born_dtype_of(x));
    double neutral = real || !isinf(how[i].neutral) ? how[i].neutral : copysign(9223372036854774784.0, how[i].neutral);
    if (!self) x = scatter(x, dim, at, tc_full(k, born_dtype_of(x), born_shape_of(at), neutral), 0);
    born_tensor r = scatter(x, dim, at, src, how[i].reduction);
    if (mean) {
        born_tensor ones = tc_full(k, born_dtype_of(x), born_shape_of(at), 1);
        born_tensor n = scatter(tc_full_like(k, x, self ? 1 : 0), dim, at, ones, 1);
        n = born_max(n, tc_full(k, born_dtype_of(x), (born_shape){ 0 }, 1));
        r = real ? born_div(r, n) : born_div(born_sub(r, tc_remainder(r, n)), n);
    }
    tc_out(k, r);
}

/* ---- index_add, index_copy, index_fill: index [n] names slices along dim ---- */

static born_tensor along(tc_call *k, born_tensor x, int dim, born_shape *s)
{
    born_tensor at = tc_flat(tc_in(k, "index"));
    born_shape one = { .rank = tc_rank(x) };
    *s = born_shape_of(x);
    s->dim[dim] = tc_count(at);
    for (int i = 0; i < one.rank; i++) one.dim[i] = i == dim ? tc_count(at) : 1;
    return born_expand(born_reshape(at, one), *s);
}
static void index_write(tc_call *k, born_tensor values, int reduction)
{
    born_tensor x = tc_in(k, "input");
    born_shape s;
    int dim = dim_of(k, x);
    born_tensor at = along(k, x, dim, &s);
    tc_out(k, scatter(x, dim, at, born_expand(tc_to(values, born_dtype_of(x)), s), reduction));
}
static void run_index_add(tc_call *k)
{
    double alpha = tc_num(k, "alpha");
    born_tensor src = tc_in(k, "source");
    index_write(k, alpha == 1 ? src : born_mul(src, alpha), 1);
}
static void run_index_copy(tc_call *k) { index_write(k, tc_in(k, "source"), 0); }
static void run_index_fill(tc_call *k) { index_write(k, tc_operand(k, "value", tc_in(k, "input")), 0); }

/* ---- flat places: put, index_put ---- */

static void run_put(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_tensor r =
        scatter(tc_flat(x), 0, tc_flat(tc_in(k, "index")), tc_flat(tc_in(k, "source")), tc_flag(k, "accumulate"));
    tc_out(k, born_reshape(r, born_shape_of(x)));
}

/* ---- finding ---- */

static void run_nonzero(tc_call *k)
{
    born_tensor at = born_nonzero(tc_in(k, "input"));
    if (!tc_flag(k, "as_tuple")) tc_out(k, tc_swap(at, 0, 1));
    for (int i = 0; tc_flag(k, "as_tuple") && i < tc_rank(tc_in(k, "input")); i++) tc_out(k, tc_select(at, 0, i));
}

/* The operator's inverse is flat; PyTorch's has the shape of the input, or the length of dim. */
static void run_unique(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), out[4] = { { 0 } };
    bool whole = tc_none(k, "dim"), flags = born_dtype_of(x) == BORN_BOOL;
    char attrs[40] = "";
    if (!whole) snprintf(attrs, sizeof attrs, "axis=%d", dim_of(k, x));
    born_tensor in = flags ? tc_to(x, BORN_I64) : x;
    if (born_call(k->b, "unique", &in, 1, attrs, out, 4) != BORN_OK) {
        tc_fail(k, "%.300s", born_backend_error(k->b)->text);
        return;
    }
    tc_out(k, flags ? tc_to_bool(out[0]) : out[0]);
    if (tc_flag(k, "return_inverse")) tc_out(k, whole ? born_reshape(out[2], born_shape_of(x)) : out[2]);
    if (tc_flag(k, "return_counts")) tc_out(k, out[3]);
}

static void run_one_hot(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    int64_t given = tc_int(k, "num_classes"), classes = given < 0 ? 0 : given, *v = tc_read_ints(k, x);
    for (int64_t i = 0; v != NULL && given < 0 && i < tc_count(x); i++) classes = v[i] >= classes ? v[i] + 1 : classes;
    free(v);
    born_tensor each = born_range(k->b, BORN_I64, 0, (double)classes, 1);
    tc_out(k, tc_to(born_eq(tc_unsqueeze(x, tc_rank(x)), each), BORN_I64));
}

#define ROW(torch, parameters, f) { .name = torch, .params = "input, " parameters, .run = f }
const tc_row tc_rows_index[] = {
    ROW("torch.gather", "dim, index", run_gather),
    ROW("torch.take", "index", run_take),
    ROW("torch.index_select", "dim, index", run_index_select),
    ROW("torch.take_along_dim", "indices, dim=null", run_take_along_dim),
    ROW("torch.scatter", "dim, index, src, value=null, reduce=null", run_scatter),
    ROW("torch.scatter_add", "dim, index, src", run_scatter_add),
    ROW("torch.scatter_reduce", "dim, index, src, reduce, include_self=true", run_scatter_reduce),
    ROW("torch.index_add", "dim, index, source, alpha=1", run_index_add),
    ROW("torch.index_copy", "dim, index, source", run_index_copy),
    ROW("torch.index_fill", "dim, index, value", run_index_fill),
    ROW("torch.Tensor.put", "index, source, accumulate=false", run_put),
    ROW("torch.nonzero", "as_tuple=false", run_nonzero),
    ROW("torch.argwhere", "as_tuple=false", run_nonzero),
    ROW("torch.unique", "sorted=true, return_inverse=false, return_counts=false, dim=null", run_unique),
    ROW("torch.nn.functional.one_hot", "num_classes=-1", run_one_hot),
    { 0 },
};
