/* torch_cases: views and rearrangements. */
#include "torch_cases.h"

static born_tensor input(const tc_call *k)
{
    return tc_in(k, "input");
}

static int one_dim(const tc_call *k, const char *name, int rank)
{
    return (int)tc_dims(k, name, rank > 0 ? rank : 1).v[0];
}

static void run_reshape(tc_call *k) { tc_out(k, born_reshape(input(k), tc_shape(k, "shape"))); }
static void run_view(tc_call *k) { tc_out(k, born_reshape(input(k), tc_shape(k, "size"))); }

static void run_flatten(tc_call *k)
{
    born_shape s = born_shape_of(input(k)), r = { 0 };
    int from = one_dim(k, "start_dim", s.rank), to = one_dim(k, "end_dim", s.rank);
    if (s.rank == 0) s = (born_shape){ .rank = 1, .dim = { 1 } };
    for (int i = 0; i < s.rank; i++) {
        if (i > from && i <= to) r.dim[r.rank - 1] *= s.dim[i];
        else r.dim[r.rank++] = s.dim[i];
    }
    tc_out(k, born_reshape(input(k), r));
}
static void run_unflatten(tc_call *k)
{
    born_shape s = born_shape_of(input(k)), r = { 0 };
    int dim = one_dim(k, "dim", s.rank);
    tc_ints sizes = tc_ints_of(k, "sizes");
    for (int i = 0; i < s.rank; i++) {
        if (i != dim) r.dim[r.rank++] = s.dim[i];
        for (int j = 0; i == dim && j < sizes.n && r.rank < BORN_MAX_RANK; j++) r.dim[r.rank++] = sizes.v[j];
    }
    tc_out(k, born_reshape(input(k), r));
}

static void run_squeeze(tc_call *k)
{
    born_tensor x = input(k);
    tc_ints dims = tc_dims(k, "dim", tc_rank(x)), ones = { .n = 0 };
    if (dims.none) {
        for (int i = 0; i < tc_rank(x); i++) {
            if (tc_size(x, i) == 1) ones.v[ones.n++] = i;
        }
    }
    for (int i = 0; i < dims.n; i++) {
        if (tc_size(x, (int)dims.v[i]) == 1) ones.v[ones.n++] = dims.v[i];
    }
    tc_out(k, ones.n > 0 ? born_squeeze(x, TC_SPAN(ones)) : born_identity(x));
}
static void run_unsqueeze(tc_call *k) { tc_out(k, tc_unsqueeze(input(k), one_dim(k, "dim", tc_rank(input(k)) + 1))); }

static void run_permute(tc_call *k)
{
    tc_ints dims = tc_dims(k, "dims", tc_rank(input(k)));
    tc_out(k, born_transpose(input(k), TC_SPAN(dims)));
}
static void run_transpose(tc_call *k)
{
    int rank = tc_rank(input(k));
    tc_out(k, tc_swap(input(k), one_dim(k, "dim0", rank), one_dim(k, "dim1", rank)));
}
static void run_t(tc_call *k) { tc_out(k, tc_swap(input(k), 0, 1)); }
static void run_movedim(tc_call *k)
{
    int rank = tc_rank(input(k)), left = 0;
    tc_ints from = tc_dims(k, "source", rank), to = tc_dims(k, "destination", rank);
    int64_t perm[BORN_MAX_RANK];
    bool taken[BORN_MAX_RANK] = { false };
    for (int i = 0; i < rank; i++) perm[i] = -1;
    for (int i = 0; i < from.n && i < to.n; i++) {
        perm[to.v[i]] = from.v[i];
        taken[from.v[i]] = true;
    }
    for (int i = 0; i < rank; i++) {
        while (left < rank && taken[left]) left++;
        if (perm[i] < 0) perm[i] = left++;
    }
    tc_out(k, born_transpose(input(k), (born_ints){ perm, rank }));
}

/* -1 keeps a size */
static void run_expand(tc_call *k)
{
    born_shape s = tc_shape(k, "size"), x = born_shape_of(input(k));
    for (int i = 0; i < s.rank; i++) {
        int at = i - (s.rank - x.rank);
        if (s.dim[i] == -1 && at >= 0) s.dim[i] = x.dim[at];
    }
    tc_out(k, born_expand(input(k), s));
}
static void run_expand_as(tc_call *k) { tc_out(k, born_expand(input(k), born_shape_of(tc_in(k, "other")))); }

static void repeat(tc_call *k, tc_ints times)
{
    born_tensor x = input(k);
    born_shape s = born_shape_of(x);
    while (s.rank < times.n) {
        x = tc_unsqueeze(x, 0);
        s.rank++;
    }
    while (times.n < s.rank) {
        memmove(times.v + 1, times.v, (size_t)times.n * sizeof times.v[0]);
        times.v[0] = 1;
        times.n++;
    }
    tc_out(k, times.n > 0 ? born_tile(x, TC_SPAN(times)) : born_identity(x));
}
static void run_repeat(tc_call *k) { repeat(k, tc_ints_of(k, "repeats")); }
static void run_tile(tc_call *k) { repeat(k, tc_ints_of(k, "dims")); }

static void run_narrow(tc_call *k)
{
    born_tensor x = input(k);
    int dim = one_dim(k, "dim", tc_rank(x));
    int64_t start = tc_int(k, "start");
    if (start < 0) start += tc_size(x, dim);
    tc_out(k, tc_slice(x, dim, start, start + tc_int(k, "length"), 1));
}
static void run_select(tc_call *k)
{
    born_tensor x = input(k);
    int dim = one_dim(k, "dim", tc_rank(x));
    int64_t at = tc_int(k, "index");
    tc_out(k, tc_select(x, dim, at < 0 ? at + tc_size(x, dim) : at));
}

/* ---- order of elements ---- */

static born_tensor flip(born_tensor x, int dim)
{
    return tc_slice(x, dim, -1, INT64_MIN, -1);
}
static void run_flip(tc_call *k)
{
    born_tensor x = input(k);
    tc_ints dims = tc_dims(k, "dims", tc_rank(x));
    for (int i = 0; i < dims.n; i++) x = flip(x, (int)dims.v[i]);
    tc_out(k, x);
}
static void run_fliplr(tc_call *k) { tc_out(k, flip(input(k), 1)); }
static void run_flipud(tc_call *k) { tc_out(k, flip(input(k), 0)); }

static born_tensor roll(born_tensor x, int dim, int64_t shift)
{
    int64_t n = tc_size(x, dim);
    if (n == 0) return x;
    shift = (shift % n + n) % n;
    born_tensor two[2] = { tc_slice(x, dim, n - shift, n, 1), tc_slice(x, dim, 0, n - shift, 1) };
    return born_concat(two, 2, dim);
}
static void run_roll(tc_call *k)
{
    born_tensor x = input(k);
    born_shape s = born_shape_of(x);
    tc_ints dims = tc_dims(k, "dims", s.rank), shifts = tc_ints_of(k, "shifts");
    if (dims.none || dims.n == 0) {
        tc_out(k, born_reshape(roll(tc_flat(x), 0, shifts.v[0]), s));
        return;
    }
    for (int i = 0; i < dims.n && i < shifts.n; i++) x = roll(x, (int)dims.v[i], shifts.v[i]);
    tc_out(k, x);
}
static void run_rot90(tc_call *k)
{
    born_tensor x = input(k);
    tc_ints dims = tc_dims(k, "dims", tc_rank(x));
    int a = (int)dims.v[0], b = (int)dims.v[1], turns = (int)((tc_int(k, "k") % 4 + 4) % 4);
    if (turns == 1) x = tc_swap(flip(x, b), a, b);
    if (turns == 2) x = flip(flip(x, a), b);
    if (turns == 3) x = flip(tc_swap(x, a, b), b);
    tc_out(k, turns == 0 ? born_identity(x) : x);
}

/* ---- windows, diagonals: by index ---- */

static void run_unfold(tc_call *k)
{
    born_tensor x = input(k);
    int dim = one_dim(k, "dimension", tc_rank(x));
    int64_t size = tc_int(k, "size"), step = tc_int(k, "step"), n = (tc_size(x, dim) - size) / step + 1;
    int64_t *at = malloc((size_t)(n * size + 1) * sizeof *at);
    for (int64_t i = 0; at != NULL && i < n * size; i++) at[i] = i / size * step + i % size;
    born_tensor r = born_gather(x, tc_i64s(k, at, BORN_SHAPE(n, size)), dim);     /* [.., n, size, ..] */
    free(at);
    tc_out(k, tc_move_dim(r, dim + 1, tc_rank(r) - 1));
}

/* Elements at base + sum of coordinate * stride, of a buffer in row-major order. */
static born_tensor strided(tc_call *k, born_tensor x, born_shape s, const int64_t *stride, int64_t base)
{
    int64_t n = 1, at[BORN_MAX_RANK] = { 0 };
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    int64_t *index = malloc((size_t)(n + 1) * sizeof *index);
    for (int64_t e = 0; index != NULL && e < n; e++) {
        index[e] = base;
        for (int i = 0; i < s.rank; i++) index[e] += at[i] * stride[i];
        for (int i = s.rank - 1; i >= 0 && ++at[i] == s.dim[i]; i--) at[i] = 0;
    }
    born_tensor r = tc_pick(k, x, index, s);
    free(index);
    return r;
}
static void run_as_strided(tc_call *k)
{
    tc_ints stride = tc_ints_of(k, "stride");
    tc_out(k, strided(k, input(k), tc_shape(k, "size"), stride.v, tc_int(k, "storage_offset")));
}

static born_tensor diagonal(tc_call *k, born_tensor x, int64_t offset, int a, int b)
{
    born_shape s = born_shape_of(x), r = { 0 };
    int64_t dense[BORN_MAX_RANK], stride[BORN_MAX_RANK], n = 1;
    for (int i = s.rank - 1; i >= 0; i--) {
        dense[i] = n;
        n *= s.dim[i];
    }
    for (int i = 0; i < s.rank; i++) {
        if (i == a || i == b) continue;
        stride[r.rank] = dense[i];
        r.dim[r.rank++] = s.dim[i];
    }
    int64_t rows = offset < 0 ? s.dim[a] + offset : s.dim[a], columns = offset > 0 ? s.dim[b] - offset : s.dim[b];
    int64_t length = rows < columns ? rows : columns;
    stride[r.rank] = dense[a] + dense[b];
    r.dim[r.rank++] = length > 0 ? length : 0;
    return strided(k, x, r, stride, offset < 0 ? -offset * dense[a] : offset * dense[b]);
}
static void run_diagonal(tc_call *k)
{
    int rank = tc_rank(input(k));
    tc_out(k, diagonal(k, input(k), tc_int(k, "offset"), one_dim(k, "dim1", rank), one_dim(k, "dim2", rank)));
}

/* x [..., n] on a diagonal of zeros [..., n + |offset|, n + |offset|], its two dims put in place. */
static born_tensor diag_embed(tc_call *k, born_tensor x, int64_t offset, int a, int b)
{
    int rank = tc_rank(x) + 1;
    int64_t n = tc_size(x, -1), side = n + llabs(offset), up = offset > 0 ? offset : 0, down = offset < 0 ? -offset : 0;
    born_tensor rows = born_mul(tc_unsqueeze(x, rank - 1), tc_full(k, born_dtype_of(x), BORN_SHAPE(1, n), 1));
    born_tensor eye = born_trilu(born_trilu(tc_full(k, BORN_I64, BORN_SHAPE(n, n), 1), 0, NULL), 0,
                                 &(born_trilu_attrs){ .lower = true });
    rows = born_where(tc_to_bool(eye), rows, tc_full_like(k, rows, 0));         /* [..., n, n] */
    int64_t pads[2 * BORN_MAX_RANK] = { 0 };
    pads[rank - 2] = down;
    pads[rank - 1] = up;
    pads[2 * rank - 2] = side - n - down;
    pads[2 * rank - 1] = side - n - up;
    rows = born_pad(rows, (born_ints){ pads, 2 * rank }, 0, NULL);
    int64_t perm[BORN_MAX_RANK];
    for (int i = 0, left = 0; i < rank; i++) perm[i] = i == a ? rank - 2 : i == b ? rank - 1 : left++;
    return born_transpose(rows, (born_ints){ perm, rank });
}
static void run_diag_embed(tc_call *k)
{
    int rank = tc_rank(input(k)) + 1;
    tc_out(k, diag_embed(k, input(k), tc_int(k, "offset"), one_dim(k, "dim1", rank), one_dim(k, "dim2", rank)));
}
static void run_diag(tc_call *k)
{
    if (tc_rank(input(k)) == 1) tc_out(k, diag_embed(k, input(k), tc_int(k, "diagonal"), 0, 1));
    else tc_out(k, diagonal(k, input(k), tc_int(k, "diagonal"), 0, 1));
}
static void run_trace(tc_call *k) { tc_out(k, tc_sum_all(diagonal(k, input(k), 0, 0, 1))); }

static void run_triu(tc_call *k) { tc_out(k, born_trilu(input(k), tc_int(k, "diagonal"), NULL)); }
static void run_tril(tc_call *k)
{
    tc_out(k, born_trilu(input(k), tc_int(k, "diagonal"), &(born_trilu_attrs){ .lower = true }));
}

#define SHAPE(torch, parameters, f) { .name = torch, .params = "input, " parameters, .run = f }
const tc_row tc_rows_shape[] = {
    SHAPE("torch.reshape", "shape", run_reshape),
    SHAPE("torch.Tensor.view", "size", run_view),
    SHAPE("torch.flatten", "start_dim=0, end_dim=-1", run_flatten),
    SHAPE("torch.ravel", "start_dim=0, end_dim=-1", run_flatten),
    SHAPE("torch.Tensor.unflatten", "dim, sizes", run_unflatten),
    SHAPE("torch.unflatten", "dim, sizes", run_unflatten),
    SHAPE("torch.squeeze", "dim=null", run_squeeze),
    SHAPE("torch.unsqueeze", "dim", run_unsqueeze),
    SHAPE("torch.permute", "dims", run_permute),
    SHAPE("torch.transpose", "dim0, dim1", run_transpose),
    SHAPE("torch.swapaxes", "dim0, dim1", run_transpose),
    SHAPE("torch.swapdims", "dim0, dim1", run_transpose),
    SHAPE("torch.t", "", run_t),
    SHAPE("torch.movedim", "source, destination", run_movedim),
    SHAPE("torch.moveaxis", "source, destination", run_movedim),
    SHAPE("torch.Tensor.expand", "size", run_expand),
    SHAPE("torch.broadcast_to", "size", run_expand),
    SHAPE("torch.Tensor.expand_as", "other", run_expand_as),
    SHAPE("torch.Tensor.repeat", "repeats", run_repeat),
    SHAPE("torch.tile", "dims", run_tile),
    SHAPE("torch.narrow", "dim, start, length", run_narrow),
    SHAPE("torch.select", "dim, index", run_select),
    SHAPE("torch.flip", "dims", run_flip),
    SHAPE("torch.fliplr", "", run_fliplr),
    SHAPE("torch.flipud", "", run_flipud),
    SHAPE("torch.roll", "shifts, dims=null", run_roll),
    SHAPE("torch.rot90", "k=1, dims=[0,1]", run_rot90),
    SHAPE("torch.Tensor.unfold", "dimension, size, step", run_unfold),
    SHAPE("torch.as_strided", "size, stride, storage_offset=0", run_as_strided),
    SHAPE("torch.diagonal", "offset=0, dim1=0, dim2=1", run_diagonal),
    SHAPE("torch.diag_embed", "offset=0, dim1=-2, dim2=-1", run_diag_embed),
    SHAPE("torch.diag", "diagonal=0", run_diag),
    SHAPE("torch.trace", "", run_trace),
    SHAPE("torch.triu", "diagonal=0", run_triu),
    SHAPE("torch.tril", "diagonal=0", run_tril),
    { 0 },
};
