/* torch_cases: products of matrices and vectors. */
#include "torch_cases.h"

/* beta * input + alpha * product; with beta 0 the input is not looked at, even where it is NaN. */
static void add_product(tc_call *k, born_tensor product)
{
    double alpha = tc_num(k, "alpha"), beta = tc_num(k, "beta");
    born_tensor x = tc_in(k, "input");
    if (alpha != 1) product = born_mul(product, alpha);
    if (beta == 0) {
        tc_out(k, born_expand(product, tc_broadcast(k, born_shape_of(x), born_shape_of(product))));
        return;
    }
    tc_out(k, born_add(beta == 1 ? x : born_mul(x, beta), product));
}
static born_tensor times(const tc_call *k, const char *a, const char *b)
{
    return born_matmul(tc_in(k, a), tc_in(k, b));
}
static void run_matmul(tc_call *k) { tc_out(k, times(k, "input", "other")); }
static void run_mm(tc_call *k) { tc_out(k, times(k, "input", "mat2")); }
static void run_mv(tc_call *k) { tc_out(k, times(k, "input", "vec")); }
static void run_dot(tc_call *k)
{
    born_tensor y = tc_in(k, "tensor");
    tc_out(k, born_matmul(tc_in(k, "input"), tc_given(y) ? y : tc_in(k, "other")));
}
static void run_addmm(tc_call *k) { add_product(k, times(k, "mat1", "mat2")); }
static void run_addmv(tc_call *k) { add_product(k, times(k, "mat", "vec")); }
static void run_baddbmm(tc_call *k) { add_product(k, times(k, "batch1", "batch2")); }
static void run_addbmm(tc_call *k)
{
    tc_ints first = { .v = { 0 }, .n = 1 };
    add_product(k, tc_reduce_axes(born_reduce_sum, times(k, "batch1", "batch2"), &first, false));
}
static born_tensor outer(born_tensor x, born_tensor y)
{
    return born_mul(tc_unsqueeze(x, 1), tc_unsqueeze(y, 0));
}
static void run_addr(tc_call *k) { add_product(k, outer(tc_in(k, "vec1"), tc_in(k, "vec2"))); }
static void run_outer(tc_call *k) { tc_out(k, outer(tc_in(k, "input"), tc_in(k, "vec2"))); }

static void run_inner(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), y = tc_in(k, "other");
    if (tc_rank(x) == 0 || tc_rank(y) == 0) {
        tc_out(k, born_mul(x, y));
        return;
    }
    born_shape s = { 0 }, a = born_shape_of(x), b = born_shape_of(y);
    for (int i = 0; i + 1 < a.rank; i++) s.dim[s.rank++] = a.dim[i];
    for (int i = 0; i + 1 < b.rank; i++) s.dim[s.rank++] = b.dim[i];
    int64_t n = tc_size(x, -1);
    born_tensor p = born_reshape(x, BORN_SHAPE(-1, n)), q = born_reshape(y, BORN_SHAPE(-1, n));
    tc_out(k, born_reshape(born_matmul(p, tc_swap(q, 0, 1)), s));
}

/* Contracts dims of a with dims of b: both become matrices. */
static born_tensor contract(born_tensor a, born_tensor b, const tc_ints *da, const tc_ints *db)
{
    born_shape sa = born_shape_of(a), sb = born_shape_of(b), s = { 0 };
    int64_t pa[BORN_MAX_RANK], pb[BORN_MAX_RANK], m = 1, n = 1, inner = 1;
    bool in_a[BORN_MAX_RANK] = { false }, in_b[BORN_MAX_RANK] = { false };
    int na = 0, nb = 0;
    for (int i = 0; i < da->n; i++) in_a[da->v[i]] = in_b[db->v[i]] = true;
    for (int i = 0; i < da->n; i++) inner *= sa.dim[da->v[i]];
    for (int i = 0; i < sa.rank; i++) {
        if (in_a[i]) continue;
        pa[na++] = i;
        m *= s.dim[s.rank++] = sa.dim[i];
    }
    for (int i = 0; i < da->n; i++) {
        pa[na++] = da->v[i];
        pb[nb++] = db->v[i];
    }
    for (int i = 0; i < sb.rank; i++) {
        if (in_b[i]) continue;
        pb[nb++] = i;
        n *= s.dim[s.rank++] = sb.dim[i];
    }
    born_tensor p = na > 1 ? born_transpose(a, (born_ints){ pa, na }) : a;
    born_tensor q = nb > 1 ? born_transpose(b, (born_ints){ pb, nb }) : b;
    return born_reshape(born_matmul(born_reshape(p, BORN_SHAPE(m, inner)), born_reshape(q, BORN_SHAPE(inner, n))), s);
}
static void run_tensordot(tc_call *k)
{
    born_tensor a = tc_in(k, "a"), b = tc_in(k, "b");
    const json_t *dims = tc_arg(k, "dims");
    tc_ints da = { .n = 0 }, db = { .n = 0 };
    int ra = tc_rank(a), rb = tc_rank(b);
    if (json_is_integer(dims)) {
        int n = (int)json_integer_value(dims);
        for (int i = 0; i < n; i++) {
            da.v[da.n++] = ra - n + i;
            db.v[db.n++] = i;
        }
    } else {
        const json_t *first = json_array_get(dims, 0), *second = json_array_get(dims, 1);
        for (size_t i = 0; i < json_array_size(first) && i < BORN_MAX_RANK; i++) {
            int64_t u = json_integer_value(json_array_get(first, i)), v = json_integer_value(json_array_get(second, i));
            da.v[da.n++] = u < 0 ? u + ra : u;
            db.v[db.n++] = v < 0 ? v + rb : v;
        }
    }
    tc_out(k, contract(a, b, &da, &db));
}

/* Each element of x times the whole of y. */
static void run_kron(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), y = tc_in(k, "other");
    while (tc_rank(x) < tc_rank(y)) x = tc_unsqueeze(x, 0);
    while (tc_rank(y) < tc_rank(x)) y = tc_unsqueeze(y, 0);
    born_shape a = born_shape_of(x), b = born_shape_of(y), wide = { 0 }, narrow = { 0 }, s = { .rank = a.rank };
    for (int i = 0; i < a.rank && 2 * a.rank <= BORN_MAX_RANK; i++) {
        wide.dim[wide.rank++] = a.dim[i];
        wide.dim[wide.rank++] = 1;
        narrow.dim[narrow.rank++] = 1;
        narrow.dim[narrow.rank++] = b.dim[i];
        s.dim[i] = a.dim[i] * b.dim[i];
    }
    tc_out(k, born_reshape(born_mul(born_reshape(x, wide), born_reshape(y, narrow)), s));
}

static void run_multi_dot(tc_call *k)
{
    born_tensor list[TC_MOST_IN];
    int n = tc_list(k, "tensors", list, TC_MOST_IN);
    born_tensor r = list[0];
    for (int i = 1; i < n; i++) r = born_matmul(r, list[i]);
    tc_out(k, r);
}

static void run_cross(tc_call *k)
{
    born_tensor x = tc_in(k, "input"), y = tc_in(k, "other"), part[3];
    born_shape s = tc_broadcast(k, born_shape_of(x), born_shape_of(y));
    int dim = 0;
    if (tc_none(k, "dim")) while (dim + 1 < s.rank && s.dim[dim] != 3) dim++;
    else dim = (int)tc_dims(k, "dim", s.rank).v[0];
    x = born_expand(x, s);
    y = born_expand(y, s);
    for (int i = 0; i < 3; i++) {
        int a = (i + 1) % 3, b = (i + 2) % 3;
        part[i] = born_sub(born_mul(tc_slice(x, dim, a, a + 1, 1), tc_slice(y, dim, b, b + 1, 1)),
                           born_mul(tc_slice(x, dim, b, b + 1, 1), tc_slice(y, dim, a, a + 1, 1)));
    }
    tc_out(k, born_concat(part, 3, dim));
}

static void run_einsum(tc_call *k)
{
    born_tensor list[TC_MOST_IN];
    char attrs[200];
    int n = tc_list(k, "operands", list, TC_MOST_IN);
    snprintf(attrs, sizeof attrs, "equation=\"%s\"", tc_text(k, "equation"));
    tc_out(k, tc_by_name(k, "einsum", list, n, attrs));
}

/* ---- with weights [out, in] ---- */

static void run_linear(tc_call *k)
{
    born_tensor w = tc_in(k, "weight"), bias = tc_in(k, "bias");
    born_tensor r = born_matmul(tc_in(k, "input"), tc_rank(w) == 1 ? w : tc_swap(w, 0, 1));
    tc_out(k, tc_given(bias) ? born_add(r, bias) : r);
}

/* sum over i, j of x1[i] w[o, i, j] x2[j] */
static void run_bilinear(tc_call *k)
{
    born_tensor x = tc_in(k, "input1"), y = tc_in(k, "input2"), w = tc_in(k, "weight"), bias = tc_in(k, "bias");
    int64_t m = tc_size(w, 0), p = tc_size(w, 1), q = tc_size(w, 2);
    born_shape s = born_shape_of(x);
    s.dim[s.rank - 1] = m;
    born_tensor rows = born_reshape(x, BORN_SHAPE(-1, p)), columns = born_reshape(y, BORN_SHAPE(-1, q));
    born_tensor all = born_reshape(born_transpose(w, BORN_INTS(1, 0, 2)), BORN_SHAPE(p, m * q));
    born_tensor left = born_reshape(born_matmul(rows, all), BORN_SHAPE(-1, m, q));      /* [B, m, q] */
    born_tensor r = born_reshape(born_matmul(left, tc_unsqueeze(columns, 2)), s);
    tc_out(k, tc_given(bias) ? born_add(r, bias) : r);
}

#define ROW(torch, parameters, f) { .name = torch, .params = parameters, .run = f }
const tc_row tc_rows_linear[] = {
    ROW("torch.matmul", "input, other", run_matmul),
    ROW("torch.mm", "input, mat2", run_mm),
    ROW("torch.bmm", "input, mat2", run_mm),
    ROW("torch.mv", "input, vec", run_mv),
    ROW("torch.dot", "input, tensor, other", run_dot),
    ROW("torch.vdot", "input, tensor, other", run_dot),
    ROW("torch.addmm", "input, mat1, mat2, beta=1, alpha=1", run_addmm),
    ROW("torch.addmv", "input, mat, vec, beta=1, alpha=1", run_addmv),
    ROW("torch.addr", "input, vec1, vec2, beta=1, alpha=1", run_addr),
    ROW("torch.baddbmm", "input, batch1, batch2, beta=1, alpha=1", run_baddbmm),
    ROW("torch.addbmm", "input, batch1, batch2, beta=1, alpha=1", run_addbmm),
    ROW("torch.outer", "input, vec2", run_outer),
    ROW("torch.ger", "input, vec2", run_outer),
    ROW("torch.inner", "input, other", run_inner),
    ROW("torch.tensordot", "a, b, dims=2", run_tensordot),
    ROW("torch.kron", "input, other", run_kron),
    ROW("torch.linalg.multi_dot", "tensors", run_multi_dot),
    ROW("torch.chain_matmul", "tensors", run_multi_dot),
    ROW("torch.cross", "input, other, dim=null", run_cross),
    ROW("torch.linalg.cross", "input, other, dim=-1", run_cross),
    ROW("torch.einsum", "equation, operands", run_einsum),
    ROW("torch.nn.functional.linear", "input, weight, bias", run_linear),
    ROW("torch.nn.functional.bilinear", "input1, input2, weight, bias", run_bilinear),
    { 0 },
};
