/* torch_cases: x[index] with ints, slices, "...", new axes and tensors, and writing there. As in PyTorch, ints, slices
   and new axes come first; then the tensors' broadcast shape takes the place of their dims, or the front where a slice
   separates them. */
#include "torch_cases.h"

typedef struct advanced {
    int dim[BORN_MAX_RANK];
    born_tensor at[BORN_MAX_RANK];
    int n;
} advanced;

static int64_t bound(const json_t *v, int64_t otherwise)
{
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* How many dims of x an item takes. */
static int dims_taken(const tc_call *k, const json_t *item)
{
    const char *name = json_string_value(json_object_get(item, "tensor"));
    if (json_is_null(item) || json_is_string(item)) return 0;
    born_tensor t = name != NULL ? tc_in(k, name) : tc_absent;
    return tc_given(t) && born_dtype_of(t) == BORN_BOOL ? tc_rank(t) : 1;
}

static void add_tensor(tc_call *k, advanced *a, born_tensor t, int dim)
{
    if (!tc_given(t)) tc_fail(k, "an index names no input");
    if (born_dtype_of(t) == BORN_BOOL) {        /* a mask is as many index lists as it has dims */
        born_tensor at = born_nonzero(t);
        for (int i = 0; i < tc_rank(t) && a->n < BORN_MAX_RANK; i++) {
            a->dim[a->n] = dim + i;
            a->at[a->n++] = tc_select(at, 0, i);
        }
    } else if (a->n < BORN_MAX_RANK) {
        a->dim[a->n] = dim;
        a->at[a->n++] = t;
    }
}

/* Ints, slices and new axes; tensors are kept in `a` with the dims they stand at. */
static born_tensor basic(tc_call *k, born_tensor x, const json_t *index, advanced *a)
{
    int taken = 0, dim = 0;
    size_t i;
    json_t *item;
    json_array_foreach(index, i, item) taken += dims_taken(k, item);
    int rest = tc_rank(x) - taken;
    json_array_foreach(index, i, item) {
        json_t *slice = json_object_get(item, "slice");
        const char *tensor = json_string_value(json_object_get(item, "tensor"));
        if (json_is_null(item)) {
            x = tc_unsqueeze(x, dim++);
        } else if (json_is_string(item)) {
            dim += rest;
        } else if (json_is_integer(item)) {
            int64_t at = json_integer_value(item);
            x = tc_select(x, dim, at < 0 ? at + tc_size(x, dim) : at);
        } else if (slice != NULL) {
            x = tc_slice(x, dim++, bound(json_array_get(slice, 0), 0), bound(json_array_get(slice, 1), INT64_MAX),
                         bound(json_array_get(slice, 2), 1));
        } else if (tensor != NULL) {
            add_tensor(k, a, tc_in(k, tensor), dim);
            dim += dims_taken(k, item);
        } else {
            tc_fail(k, "an index that is not understood");
        }
    }
    return x;
}

static born_tensor at_tensors(tc_call *k, born_tensor x, const advanced *a)
{
    born_shape s = born_shape_of(x), shape = born_shape_of(a->at[0]), flat = { .rank = 1, .dim = { 1 } };
    int64_t perm[BORN_MAX_RANK];
    bool taken[BORN_MAX_RANK] = { false }, together = true;
    int n = 0;
    born_tensor place = tc_full(k, BORN_I64, (born_shape){ 0 }, 0);
    for (int i = 0; i < a->n; i++) {
        int64_t size = s.dim[a->dim[i]];
        born_tensor at = tc_to(a->at[i], BORN_I64);
        at = born_where(born_lt(at, 0), born_add(at, (double)size), at);
        place = born_add(born_mul(place, (double)size), at);
        shape = tc_broadcast(k, shape, born_shape_of(at));
        together &= i == 0 || a->dim[i] == a->dim[i - 1] + 1;
        taken[a->dim[i]] = true;
        flat.dim[0] *= size;
        perm[n++] = a->dim[i];
    }
    for (int i = 0; i < s.rank; i++) {
        if (taken[i]) continue;
        perm[n++] = i;
        flat.dim[flat.rank++] = s.dim[i];
    }
    born_tensor front = born_reshape(born_transpose(x, (born_ints){ perm, n }), flat);
    born_tensor r = born_gather(front, born_expand(place, shape), 0);       /* [index dims..., rest...] */
    if (!together) return r;
    int rank = tc_rank(r), first = a->dim[0];
    for (int i = 0; i < rank; i++) {    /* the index dims go behind the first dims of the rest */
        perm[i] = i < first ? shape.rank + i : i < first + shape.rank ? i - first : i;
    }
    return rank > 1 ? born_transpose(r, (born_ints){ perm, rank }) : r;
}

born_tensor tc_index(tc_call *k, born_tensor x, const json_t *index)
{
    advanced a = { .n = 0 };
    x = basic(k, x, index, &a);
    return a.n > 0 && k->why[0] == 0 ? at_tensors(k, x, &a) : x;
}

static void run_getitem(tc_call *k)
{
    json_t *one = tc_arg(k, "index"), *list = json_is_array(one) ? json_incref(one) : json_pack("[O]", one);
    tc_out(k, tc_index(k, tc_in(k, "input"), list));
    json_decref(list);
}

/* Writes at the places that the index picks out of 0, 1, 2, ... in x's shape. */
static void write_at(tc_call *k, const json_t *index, born_tensor value, int reduction)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = born_shape_of(x);
    born_tensor all = born_reshape(born_range(k->b, BORN_I64, 0, (double)tc_count(x), 1), s);
    born_tensor at = tc_index(k, all, index);
    if (k->why[0] != 0) return;
    value = tc_to(value, born_dtype_of(x));
    while (tc_rank(value) > tc_rank(at) && tc_size(value, 0) == 1) value = tc_squeeze(value, 0);
    value = born_expand(value, born_shape_of(at));
    born_scatter_elements_attrs how = { .axis = 0, .reduction = reduction };
    tc_out(k, born_reshape(born_scatter_elements(tc_flat(x), tc_flat(at), tc_flat(value), &how), s));
}
static void run_setitem(tc_call *k)
{
    json_t *one = tc_arg(k, "index"), *list = json_is_array(one) ? json_incref(one) : json_pack("[O]", one);
    write_at(k, list, tc_operand(k, "value", tc_in(k, "input")), 0);
    json_decref(list);
}
static void run_index_put(tc_call *k)
{
    born_tensor list[TC_MOST_IN];
    json_t *index = json_array();
    int n = tc_list(k, "indices", list, TC_MOST_IN);
    for (int i = 0; i < n; i++)
        json_array_append_new(index, json_pack("{s:o}", "tensor", json_sprintf("indices.%d", i)));
    write_at(k, index, tc_operand(k, "values", tc_in(k, "input")), tc_flag(k, "accumulate"));
    json_decref(index);
}

const tc_row tc_rows_getitem[] = {
    { .name = "torch.Tensor.__getitem__", .params = "input, index", .run = run_getitem },
    { .name = "torch.Tensor.__setitem__", .params = "input, index, value", .run = run_setitem },
    { .name = "torch.index_put", .params = "input, indices, values, accumulate=false", .run = run_index_put },
    { .name = "torch.Tensor.index_put", .params = "input, indices, values, accumulate=false", .run = run_index_put },
    { 0 },
};
