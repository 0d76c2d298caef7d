/* Random calls of the attention operators: heads in groups, past keys, masks of every kind, windows, valid lengths. */
#include <math.h>
#include <string.h>

#include "support_cases.h"
#include "tensor/view.h"

typedef struct sizes { int64_t B, Hq, Hk, Tq, Tk, D, Dv, past; } sizes;

static sizes some_sizes(kcase *k)
{
    sizes s = { .B = case_in(k, 1, 2), .Hk = case_in(k, 1, 3), .Tq = case_in(k, 1, 40), .Tk = case_in(k, 1, 60) };

    s.Hq = s.Hk * case_in(k, 1, 3);
    s.D = case_chance(k, 50) ? 16 * case_in(k, 1, 4) : case_in(k, 1, 70);
    s.Dv = case_chance(k, 60) ? s.D : case_in(k, 1, 70);
    if (case_chance(k, 30)) s.Tk = case_in(k, 200, 700);
    if (case_chance(k, 30)) s.Tq = 1;
    if (case_chance(k, 30)) s.past = case_in(k, 1, case_chance(k, 50) ? 20 : 400);
    if (case_chance(k, 3)) s.D = s.Dv = 260;
    return s;
}

/* A mask [B, H, Tq, T] of rank 2 to 4, some dims 1; floats are now and then -inf. */
static born_view some_mask(kcase *k, born_dtype t, int64_t B, int64_t H, int64_t Tq, int64_t T)
{
    int lead = (int)case_in(k, 0, 2);
    int64_t dim[4] = { B, H, Tq, T };

    for (int d = lead; d < 3; d++)
        if (case_chance(k, 30)) dim[d] = 1;
    born_view v = case_view(k, t, 4 - lead, dim + lead, -1);
    if (t != BORN_F32) return v;
    born_view *m = &v;
    for (int64_t i = 0; i < m->dim[m->rank - 1]; i++)
        if (case_chance(k, 30))
            *(float *)(void *)(m->data + i * m->stride[m->rank - 1] * 4) = case_chance(k, 80) ? -INFINITY : -10000;
    return v;
}

static born_view heads(kcase *k, bool flat, int64_t B, int64_t H, int64_t T, int64_t D)
{
    int layout = case_chance(k, 80) ? 0 : -1;
    if (flat) return case_view(k, BORN_F32, 3, (int64_t[]){ B, T, H * D }, layout);
    return case_view(k, BORN_F32, 4, (int64_t[]){ B, H, T, D }, layout);
}

static born_view small_ints(kcase *k, born_dtype t, int64_t n, int64_t lo, int64_t hi)
{
    born_view v = case_view(k, t, 1, &n, 0);
    for (int64_t i = 0; i < n; i++)
        born__store_f64(t, v.data + i * born__dtype_info(t)->size, (double)case_in(k, lo, hi));
    return v;
}

void case_attention(kcase *k, born_dtype t)
{
    born_attention_attrs *a = (born_attention_attrs *)(void *)k->attrs;
    sizes s = some_sizes(k);
    bool flat = case_chance(k, 40), plain = case_chance(k, 30); /* plain: masked by position alone */
    if (plain) {
        s.Tq = 16 * case_in(k, 1, 10) + (case_chance(k, 30) ? case_in(k, 0, 20) : 0);
        if (case_chance(k, 70)) s.Tk = s.Tq;
        if (s.past) s.past = 16 * case_in(k, 1, 20);
    }
    int64_t T = s.past + s.Tk;

    (void)t;
    a->q_num_heads = s.Hq;
    a->kv_num_heads = s.Hk;
    a->is_causal = case_chance(k, plain ? 80 : 40);
    if (!plain && case_chance(k, 20)) a->softcap = 5;
    if (!plain && case_chance(k, 20)) a->left_window = case_in(k, 0, 100);
    if (case_chance(k, 20)) a->right_window = case_in(k, 0, 100);
    case_add(k, heads(k, flat, s.B, s.Hq, s.Tq, s.D));
    case_add(k, heads(k, flat, s.B, s.Hk, s.Tk, s.D));
    case_add(k, heads(k, flat, s.B, s.Hk, s.Tk, s.Dv));
    bool valid = s.past == 0 && case_chance(k, 20);
    int64_t covered = case_chance(k, 20) ? case_in(k, 1, T) : T;
    born_dtype type = case_chance(k, 50) ? BORN_BOOL : BORN_F32;
    case_add(k, !plain && case_chance(k, 60) ? some_mask(k, type, s.B, s.Hq, s.Tq, covered) : (born_view){ 0 });
    case_add(k, s.past ? heads(k, false, s.B, s.Hk, s.past, s.D) : (born_view){ 0 });
    case_add(k, s.past ? heads(k, false, s.B, s.Hk, s.past, s.Dv) : (born_view){ 0 });
    if (valid) case_add(k, small_ints(k, BORN_I64, s.B, 0, T));
}

/* q k v y gy */
void case_attention_grad(kcase *k, born_dtype t)
{
    born_attention_attrs *a = (born_attention_attrs *)(void *)k->attrs;
    sizes s = some_sizes(k);
    bool flat = case_chance(k, 40);

    (void)t;
    if (case_chance(k, 50)) s.Tq = s.Tk = case_in(k, 1, 90);
    if (case_chance(k, 2)) s.Tq = 1100, s.Hq = s.Hk = s.B = 1, s.D = s.Dv = 3;
    if (case_chance(k, 2)) s.Tk = 2100, s.Tq = 40, s.Hq = s.Hk = s.B = 1, s.D = s.Dv = 3;
    a->q_num_heads = s.Hq;
    a->kv_num_heads = s.Hk;
    a->is_causal = case_chance(k, 50);
    if (case_chance(k, 20)) a->left_window = case_in(k, 0, 100);
    if (case_chance(k, 20)) a->right_window = case_in(k, 0, 100);
    if (case_chance(k, 20)) a->scale = 0.3;
    case_add(k, heads(k, flat, s.B, s.Hq, s.Tq, s.D));
    case_add(k, heads(k, flat, s.B, s.Hk, s.Tk, s.D));
    case_add(k, heads(k, flat, s.B, s.Hk, s.Tk, s.Dv));
    for (int i = 0; i < 2; i++) case_add(k, heads(k, flat, s.B, s.Hq, s.Tq, s.Dv));
}

/* q k v bias mask added past_k past_v */
void case_multi_head(kcase *k, born_dtype t)
{
    born_packed_attention_attrs *a = (born_packed_attention_attrs *)(void *)k->attrs;
    sizes s = some_sizes(k);
    int64_t T = s.past + s.Tk, columns = s.Hk * (2 * s.D + s.Dv);

    (void)t;
    a->num_heads = s.Hk;
    a->unidirectional = case_chance(k, 30);
    case_add(k, heads(k, true, s.B, s.Hk, s.Tq, s.D));
    case_add(k, heads(k, true, s.B, s.Hk, s.Tk, s.D));
    case_add(k, heads(k, true, s.B, s.Hk, s.Tk, s.Dv));
    case_add(k, case_chance(k, 30) ? case_view(k, BORN_F32, 1, &columns, 0) : (born_view){ 0 });
    born_view mask = { 0 };
    if (case_chance(k, 30)) mask = small_ints(k, BORN_I32, s.B, 0, T);
    else if (case_chance(k, 40)) {
        mask = small_ints(k, BORN_I32, s.B * T, 0, 1);
        mask = (born_view){ .dtype = BORN_I32, .rank = 2, .dim = { s.B, T }, .stride = { T, 1 }, .data = mask.data };
    }
    case_add(k, mask);
    case_add(k, case_chance(k, 30) ? case_view(k, BORN_F32, 4, (int64_t[]){ s.B, s.Hk, s.Tq, T }, 0)
                                   : (born_view){ 0 });
    case_add(k, s.past ? heads(k, false, s.B, s.Hk, s.past, s.D) : (born_view){ 0 });
    case_add(k, s.past ? heads(k, false, s.B, s.Hk, s.past, s.Dv) : (born_view){ 0 });
}

/* x w bias mask past added */
void case_packed_attention(kcase *k, born_dtype t)
{
    born_packed_attention_attrs *a = (born_packed_attention_attrs *)(void *)k->attrs;
    sizes s = some_sizes(k);
    int64_t C = case_in(k, 1, 20), columns = 3 * s.Hk * s.D;

    (void)t;
    a->num_heads = s.Hk;
    a->unidirectional = case_chance(k, 30);
    case_add(k, case_view(k, BORN_F32, 3, (int64_t[]){ s.B, s.Tq, C }, 0));
    case_add(k, case_view(k, BORN_F32, 2, (int64_t[]){ C, columns }, 0));
    case_add(k, case_view(k, BORN_F32, 1, &columns, 0));
    case_add(k, case_chance(k, 50) ? small_ints(k, BORN_I32, s.B, 0, s.past + s.Tq) : (born_view){ 0 });
    if (s.past) case_add(k, case_view(k, BORN_F32, 5, (int64_t[]){ 2, s.B, s.Hk, s.past, s.D }, 0));
}

/* q k v past_k past_v lengths total; lengths are those after this call, less one */
void case_group_query(kcase *k, born_dtype t)
{
    born_group_attention_attrs *a = (born_group_attention_attrs *)(void *)k->attrs;
    sizes s = some_sizes(k);
    int64_t total = s.past + s.Tq, none = 0;

    (void)t;
    a->num_heads = s.Hq;
    a->kv_num_heads = s.Hk;
    a->smooth_softmax = case_chance(k, 20);
    if (case_chance(k, 20)) a->softcap = 5;
    if (case_chance(k, 30)) a->local_window = case_in(k, 1, 100);
    case_add(k, heads(k, true, s.B, s.Hq, s.Tq, s.D));
    case_add(k, heads(k, true, s.B, s.Hk, s.Tq, s.D));
    case_add(k, heads(k, true, s.B, s.Hk, s.Tq, s.D));
    case_add(k, heads(k, false, s.B, s.Hk, s.past, s.D));
    case_add(k, heads(k, false, s.B, s.Hk, s.past, s.D));
    case_add(k, small_ints(k, BORN_I32, s.B, total - 1, total - 1));
    born_view all = case_view(k, BORN_I32, 0, &none, 0);
    born__store_f64(BORN_I32, all.data, (double)total);
    case_add(k, all);
}
