/* torch_cases: small things that rows do with tensors: types, shapes, slices, numbers of the host. */
#include "torch_cases.h"

bool tc_is_real(born_dtype t)
{
    return t == BORN_F32 || t == BORN_F64 || t == BORN_F16 || t == BORN_BF16;
}

born_dtype tc_dtype_named(const char *name)
{
    static const struct { const char *name; born_dtype t; } names[] = {
        { "torch.float32", BORN_F32 }, { "torch.float", BORN_F32 },   { "torch.float64", BORN_F64 },
        { "torch.double", BORN_F64 },  { "torch.int64", BORN_I64 },   { "torch.long", BORN_I64 },
        { "torch.int32", BORN_I32 },   { "torch.int", BORN_I32 },     { "torch.bool", BORN_BOOL },
        { "torch.uint8", BORN_U8 },    { "torch.int8", BORN_I8 },     { "torch.int16", BORN_I16 },
        { "torch.float16", BORN_F16 }, { "torch.bfloat16", BORN_BF16 },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) return names[i].t;
    }
    return BORN_DTYPE_NONE;
}

born_tensor tc_to(born_tensor x, born_dtype t)
{
    return born_dtype_of(x) == t ? x : born_cast(x, t);
}

born_tensor tc_to_real(tc_call *k, born_tensor x)
{
    return tc_is_real(born_dtype_of(x)) ? x : born_cast(x, k->real);
}

born_tensor tc_to_bool(born_tensor x)
{
    return tc_to(x, BORN_BOOL);
}

static int class_of(born_dtype t)
{
    return tc_is_real(t) ? 2 : t == BORN_BOOL ? 0 : 1;
}

void tc_promote(tc_call *k, born_tensor *x, born_tensor *y)
{
    (void)k;
    born_dtype a = born_dtype_of(*x), b = born_dtype_of(*y), t = a;
    if (a == b || a == BORN_DTYPE_NONE || b == BORN_DTYPE_NONE) return;
    int ca = class_of(a), cb = class_of(b);
    bool a_scalar = tc_rank(*x) == 0, b_scalar = tc_rank(*y) == 0;
    if (ca != cb) {
        t = ca > cb ? a : b;
    } else if (a_scalar != b_scalar) {
        t = a_scalar ? b : a;       /* a tensor with dims decides over one without */
    } else {
        t = born_dtype_bytes(a, 1) > born_dtype_bytes(b, 1) ? a : b;
    }
    *x = tc_to(*x, t);
    *y = tc_to(*y, t);
}

born_tensor tc_full(tc_call *k, born_dtype t, born_shape s, double v)
{
    return born_full(k->b, t, s, v, NULL);
}

born_tensor tc_full_like(tc_call *k, born_tensor x, double v)
{
    return tc_full(k, born_dtype_of(x), born_shape_of(x), v);
}

born_tensor tc_i64s(tc_call *k, const int64_t *v, born_shape s)
{
    return born_from(k->b, (born_array){ BORN_I64, s, v, 0 }, BORN_I64, NULL);
}

born_tensor tc_f64s(tc_call *k, const double *v, born_shape s, born_dtype t)
{
    return tc_to(born_from(k->b, (born_array){ BORN_F64, s, v, 0 }, BORN_F64, NULL), t);
}

int tc_rank(born_tensor x)
{
    return born_shape_of(x).rank;
}

int64_t tc_size(born_tensor x, int dim)
{
    born_shape s = born_shape_of(x);
    if (dim < 0) dim += s.rank;
    return dim >= 0 && dim < s.rank ? s.dim[dim] : 1;
}

int64_t tc_count(born_tensor x)
{
    born_shape s = born_shape_of(x);
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    return n;
}

int64_t *tc_read_ints(tc_call *k, born_tensor x)
{
    born_tensor wide = tc_to(x, BORN_I64);
    size_t bytes = (size_t)tc_count(wide) * sizeof(int64_t);
    int64_t *v = malloc(bytes + 1);
    if (v == NULL || born_read(wide, v, bytes) != BORN_OK) {
        tc_fail(k, "cannot read an index tensor");
        free(v);
        return NULL;
    }
    return v;
}

born_shape tc_broadcast(tc_call *k, born_shape x, born_shape y)
{
    born_shape r = { .rank = x.rank > y.rank ? x.rank : y.rank };
    for (int i = 1; i <= r.rank; i++) {
        int64_t a = i <= x.rank ? x.dim[x.rank - i] : 1, b = i <= y.rank ? y.dim[y.rank - i] : 1;
        if (a != b && a != 1 && b != 1) tc_fail(k, "sizes %lld and %lld do not broadcast", (long long)a, (long long)b);
        r.dim[r.rank - i] = a == 1 ? b : a;
    }
    return r;
}

born_shape tc_drop_dim(born_shape s, int dim)
{
    for (int i = dim; i + 1 < s.rank; i++) s.dim[i] = s.dim[i + 1];
    s.rank -= s.rank > 0;
    return s;
}

born_tensor tc_reduce_axes(born_tensor (*f)(born_tensor, born_ints, const born_reduce_attrs *, const born_site *),
                           born_tensor x, const tc_ints *dims, bool keep)
{
    born_ints axes = dims == NULL || dims->none || dims->n == 0 ? (born_ints){ 0 } : TC_SPAN(*dims);
    if (tc_rank(x) == 0) return f(tc_unsqueeze(x, 0), BORN_INTS(0), &(born_reduce_attrs){ .drop_dims = true }, NULL);
    return f(x, axes, &(born_reduce_attrs){ .drop_dims = !keep }, NULL);
}

born_tensor tc_sum_all(born_tensor x)
{
    return tc_reduce_axes(born_reduce_sum, x, NULL, false);
}

born_tensor tc_slice(born_tensor x, int dim, int64_t start, int64_t end, int64_t step)
{
    return born_slice(x, BORN_INTS(start), BORN_INTS(end), BORN_INTS(dim), BORN_INTS(step));
}

born_tensor tc_select(born_tensor x, int dim, int64_t at)
{
    return tc_squeeze(tc_slice(x, dim, at, at + 1, 1), dim);
}

born_tensor tc_swap(born_tensor x, int a, int b)
{
    int64_t perm[BORN_MAX_RANK];
    int rank = tc_rank(x);
    for (int i = 0; i < rank; i++) perm[i] = i == a ? b : i == b ? a : i;
    return rank < 2 ? x : born_transpose(x, (born_ints){ perm, rank });
}

born_tensor tc_move_dim(born_tensor x, int from, int to)
{
    int64_t perm[BORN_MAX_RANK];
    int rank = tc_rank(x), at = 0;
    for (int i = 0; i < rank; i++) {
        if (at == from) at++;
        perm[i] = i == to ? from : at++;
    }
    return rank < 2 ? x : born_transpose(x, (born_ints){ perm, rank });
}

born_tensor tc_unsqueeze(born_tensor x, int dim)
{
    return born_unsqueeze(x, BORN_INTS(dim));
}

born_tensor tc_squeeze(born_tensor x, int dim)
{
    return born_squeeze(x, BORN_INTS(dim));
}

born_tensor tc_flat(born_tensor x)
{
    return tc_rank(x) == 1 ? x : born_reshape(x, BORN_SHAPE(tc_count(x)));
}

born_tensor tc_stack(const born_tensor *x, int n, int dim)
{
    born_tensor parts[TC_MOST_OUT];
    if (n > TC_MOST_OUT) n = TC_MOST_OUT;
    for (int i = 0; i < n; i++) parts[i] = tc_unsqueeze(x[i], dim);
    return born_concat(parts, n, dim);
}

born_tensor tc_pick(tc_call *k, born_tensor x, const int64_t *at, born_shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    return born_reshape(born_gather(tc_flat(x), tc_i64s(k, at, BORN_SHAPE(n)), 0), s);
}

born_tensor tc_through(born_tensor value, born_tensor slope)
{
    return born_add(born_detach(value), born_sub(slope, born_detach(slope)));
}

born_tensor tc_by_name(tc_call *k, const char *op, const born_tensor *in, int n_in, const char *attrs)
{
    born_tensor out = { 0 };
    if (born_call(k->b, op, in, n_in, attrs, &out, 1) != BORN_OK) tc_fail(k, "%.300s", born_backend_error(k->b)->text);
    return out;
}
