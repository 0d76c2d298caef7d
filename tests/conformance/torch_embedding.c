/* torch_cases: embeddings, attention and rotary positions. */
#include "torch_cases.h"

/* ---- embeddings ---- */

/* A row of the table no longer than max_norm; nothing flows back through the change. */
static born_tensor renormed(tc_call *k, born_tensor w)
{
    if (tc_none(k, "max_norm")) return born_detach(w);
    double most = tc_num(k, "max_norm");
    tc_ints last = { .v = { 1 }, .n = 1 };
    w = born_detach(w);
    born_tensor n = tc_norm(k, w, tc_num(k, "norm_type"), &last, true);
    born_tensor scale = born_div(tc_full_like(k, n, most), born_add(n, 1e-7));
    return born_mul(w, born_where(born_gt(n, most), scale, tc_full_like(k, n, 1)));
}

/* Rows of the table at indices: their values, and a gradient that leaves out padding and may divide by counts. */
static born_tensor rows(tc_call *k, born_tensor w, born_tensor at)
{
    bool by_count = tc_flag(k, "scale_grad_by_freq");
    int64_t size = tc_size(w, 0);
    born_tensor g = born_gather(w, at, 0), v = born_gather(renormed(k, w), at, 0);
    if (tc_none(k, "max_norm") && tc_none(k, "padding_idx") && !by_count) return g;
    if (!tc_none(k, "padding_idx")) {
        int64_t pad = tc_int(k, "padding_idx");
        born_tensor is_pad = tc_unsqueeze(born_eq(at, (double)(pad < 0 ? pad + size : pad)), tc_rank(at));
        g = born_where(is_pad, born_detach(g), g);
    }
    if (by_count) {
        born_tensor flat = tc_flat(at), zero = tc_full(k, born_dtype_of(w), BORN_SHAPE(size), 0);
        born_tensor ones = tc_full(k, born_dtype_of(w), born_shape_of(flat), 1);
        born_tensor n = born_scatter_elements(zero, flat, ones, &(born_scatter_elements_attrs){ .reduction = 1 });
        g = born_div(g, tc_unsqueeze(born_gather(n, at, 0), tc_rank(at)));
    }
    return tc_through(v, g);
}
static void run_embedding(tc_call *k) { tc_out(k, rows(k, tc_in(k, "weight"), tc_in(k, "input"))); }

typedef struct bags {
    int64_t n, *start;              /* bag i holds items start[i] to start[i + 1] */
    const int64_t *item;
    int64_t items, pad;             /* pad: an item that is left out, or -1 */
} bags;

static bool read_bags(tc_call *k, bags *b, born_tensor at)
{
    born_tensor offsets = tc_in(k, "offsets");
    int64_t *given = tc_given(offsets) ? tc_read_ints(k, offsets) : NULL;
    bool last = tc_flag(k, "include_last_offset");
    b->items = tc_count(at);
    b->n = given != NULL ? tc_count(offsets) - last : tc_size(at, 0);
    b->start = malloc((size_t)(b->n + 1) * sizeof *b->start);
    for (int64_t i = 0; b->start != NULL && i <= b->n; i++) {
        b->start[i] = given == NULL ? i * tc_size(at, 1) : i < b->n || last ? given[i] : b->items;
    }
    free(given);
    b->pad = -1;
    if (!tc_none(k, "padding_idx")) {
        b->pad = tc_int(k, "padding_idx");
        if (b->pad < 0) b->pad += tc_size(tc_in(k, "weight"), 0);
    }
    b->item = tc_read_ints(k, at);
    return b->start != NULL && b->item != NULL;
}

/* Sums and means are products with a [bags, items] matrix. */
static born_tensor weighted(tc_call *k, const bags *b, born_tensor r, bool mean)
{
    double *m = calloc((size_t)(b->n * b->items) + 1, sizeof *m);
    for (int64_t i = 0; m != NULL && i < b->n; i++) {
        int64_t count = 0;
        for (int64_t j = b->start[i]; j < b->start[i + 1]; j++) count += b->item[j] != b->pad;
        for (int64_t j = b->start[i]; j < b->start[i + 1]; j++) {
            if (b->item[j] != b->pad) m[i * b->items + j] = mean ? 1 / (double)count : 1;
        }
    }
    born_tensor matrix = tc_f64s(k, m, BORN_SHAPE(b->n, b->items), born_dtype_of(r));
    free(m);
    return born_matmul(matrix, r);
}
static born_tensor largest(tc_call *k, const bags *b, born_tensor r)
{
    born_tensor part[TC_MOST_OUT];
    for (int64_t i = 0; i < b->n && i < TC_MOST_OUT; i++) {
        int64_t at[1024], n = 0;
        for (int64_t j = b->start[i]; j < b->start[i + 1] && n < 1024; j++) {
            if (b->item[j] != b->pad) at[n++] = j;
        }
        if (n == 0) {
            part[i] = tc_full(k, born_dtype_of(r), BORN_SHAPE(1, tc_size(r, 1)), 0);
            continue;
        }
        born_tensor bag = born_gather(r, tc_i64s(k, at, BORN_SHAPE(n)), 0);
        part[i] = born_gather_elements(bag, born_arg_max(born_detach(bag), &(born_arg_reduce_attrs){ .axis = 0 }), 0);
    }
    return born_concat(part, (int)b->n, 0);
}
static void run_embedding_bag(tc_call *k)
{
    bags b = { 0 };
    born_tensor at = tc_in(k, "input"), scale = tc_in(k, "per_sample_weights");
    if (read_bags(k, &b, at)) {
        born_tensor r = rows(k, tc_in(k, "weight"), tc_flat(at));
        if (tc_given(scale)) r = born_mul(r, tc_unsqueeze(tc_flat(scale), 1));
        tc_out(k, tc_says(k, "mode", "max") ? largest(k, &b, r) : weighted(k, &b, r, tc_says(k, "mode", "mean")));
    }
    free(b.start);
    free((void *)(uintptr_t)b.item);
}

/* ---- attention ---- */

/* softmax(q k' * scale + mask) v, written out for types that the operator lacks. */
static born_tensor written_out(tc_call *k, born_tensor q, born_tensor key, born_tensor v, born_tensor mask,
                               double scale)
{
    int64_t heads = tc_size(q, 1), groups = heads / tc_size(key, 1);
    born_shape s = born_shape_of(key), w = born_shape_of(v);
    if (groups > 1) {               /* each head of keys serves consecutive heads of queries */
        key = born_expand(tc_unsqueeze(key, 2), BORN_SHAPE(s.dim[0], s.dim[1], groups, s.dim[2], s.dim[3]));
        key = born_reshape(key, BORN_SHAPE(s.dim[0], heads, s.dim[2], s.dim[3]));
        v = born_expand(tc_unsqueeze(v, 2), BORN_SHAPE(w.dim[0], w.dim[1], groups, w.dim[2], w.dim[3]));
        v = born_reshape(v, BORN_SHAPE(w.dim[0], heads, w.dim[2], w.dim[3]));
    }
    born_tensor scores = born_mul(born_matmul(q, tc_swap(key, 2, 3)), scale);
    born_tensor never = tc_full(k, born_dtype_of(q), (born_shape){ 0 }, -INFINITY);
    if (tc_flag(k, "is_causal")) {
        born_tensor all = tc_full(k, BORN_I64, BORN_SHAPE(tc_size(q, 2), tc_size(key, 2)), 1);
        mask = tc_to_bool(born_trilu(all, 0, &(born_trilu_attrs){ .lower = true }));
    }
    if (tc_given(mask)) {
        scores = born_dtype_of(mask) == BORN_BOOL ? born_where(mask, scores, never) : born_add(scores, mask);
    }
    return born_matmul(born_softmax(scores, 3), v);
}

static void run_attention(tc_call *k)
{
    born_tensor q = tc_in(k, "query"), key = tc_in(k, "key"), v = tc_in(k, "value"), mask = tc_in(k, "attn_mask");
    int missing = 4 - tc_rank(q);
    if (tc_num(k, "dropout_p") != 0) tc_fail(k, "dropout draws what it drops");
    for (int i = 0; i < missing; i++) {
        q = tc_unsqueeze(q, 0);
        key = tc_unsqueeze(key, 0);
        v = tc_unsqueeze(v, 0);
    }
    double scale = tc_none(k, "scale") ? 1 / sqrt((double)tc_size(q, 3)) : tc_num(k, "scale");
    born_tensor r;
    if (born_dtype_of(q) == BORN_F64) {
        r = written_out(k, q, key, v, mask, scale);
    } else {
        born_attention_attrs a = { .is_causal = tc_flag(k, "is_causal"), .scale = scale };
        r = born_attention(q, key, v, mask, &a);
    }
    for (int i = 0; i < missing; i++) r = tc_squeeze(r, 0);
    tc_out(k, r);
}

/* ---- rotary positions ---- */

static void run_rotary(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = born_shape_of(x);
    int64_t d = tc_size(x, -1), t = tc_size(x, -2), width = tc_none(k, "rotary_dim") ? d : tc_int(k, "rotary_dim");
    int64_t half = width / 2, *at = tc_read_ints(k, tc_in(k, "positions"));
    double *c = calloc((size_t)(2 * t * half) + 1, sizeof *c), *sine = c + t * half;
    for (int64_t i = 0; at != NULL && c != NULL && i < t * half; i++) {
        double angle = (double)at[i / half] * pow(tc_num(k, "base"), -2 * (double)(i % half) / (double)width);
        c[i] = cos(angle);
        sine[i] = sin(angle);
    }
    born_tensor y = born_reshape(x, BORN_SHAPE(1, -1, t, d));
    bool pairs = tc_says(k, "pairing", "interleaved"), wide = born_dtype_of(x) == BORN_F64;
    born_shape table = wide ? BORN_SHAPE(t, half) : BORN_SHAPE(1, t, half);
    born_tensor cs = tc_f64s(k, c, table, born_dtype_of(x)), sn = tc_f64s(k, sine, table, born_dtype_of(x));
    free(c);
    free(at);
    if (!wide) {
        born_rotary_attrs a = { .interleaved = pairs, .rotary_dim = width == d ? 0 : width };
        y = born_rotary_embedding(y, cs, sn, (born_i64){ { 0 } }, &a);
    } else {
        int64_t step = pairs ? 2 : 1, second = pairs ? 1 : half;
        born_tensor p = tc_slice(y, 3, 0, pairs ? width : half, step), q = tc_slice(y, 3, second, width, step);
        born_tensor u = born_sub(born_mul(p, cs), born_mul(q, sn)), w = born_add(born_mul(p, sn), born_mul(q, cs));
        born_tensor part[2] = { u, w };
        born_tensor turned =
            pairs ? born_reshape(tc_stack(part, 2, 4), BORN_SHAPE(1, -1, t, width)) : born_concat(part, 2, 3);
        born_tensor whole[2] = { turned, tc_slice(y, 3, width, d, 1) };
        y = width < d ? born_concat(whole, 2, 3) : turned;
    }
    tc_out(k, born_reshape(y, s));
}

const tc_row tc_rows_embedding[] = {
    { .name = "torch.nn.functional.embedding",
      .params = "input, weight, padding_idx=null, max_norm=null, norm_type=2.0, scale_grad_by_freq=false, sparse=false",
      .run = run_embedding },
    { .name = "torch.nn.functional.embedding_bag",
      .params = "input, weight, offsets, max_norm=null, norm_type=2, scale_grad_by_freq=false, mode='mean', "
                "sparse=false, per_sample_weights, include_last_offset=false, padding_idx=null",
      .run = run_embedding_bag },
    { .name = "torch.nn.functional.scaled_dot_product_attention",
      .params = "query, key, value, attn_mask, dropout_p=0.0, is_causal=false, scale=null, enable_gqa=false",
      .run = run_attention },
    { .name = "by_hand.rotary_embedding",
      .params = "input, positions, base=10000.0, pairing='interleaved', rotary_dim=null", .run = run_rotary },
    { 0 },
};
