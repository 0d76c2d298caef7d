/* Attention against the textbook in f64: every combination of heads, masks, windows, past and lengths; the
   com.microsoft forms against the plain one; and refusals. Bits are test_fusion_refs' matter. */
#include <math.h>

#include "../harness.h"
#include "support_calls.h"
#include "tensor/view.h"

/* Random numbers in [-0.8, 0.8]. */
static born_view small(int rank, const int64_t *dim)
{
    born_view v = tensor_random(BORN_F32, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++) *(float *)(void *)tensor_address(&v, i) *= 0x1p-6f;
    return v;
}

/* Element [b, h, t, d] of a tensor of rank 4. */
static double at4(const born_view *v, int64_t b, int64_t h, int64_t t, int64_t d)
{
    return tensor_at(v, ((b * v->dim[1] + h) * v->dim[2] + t) * v->dim[3] + d);
}
/* Element of a mask of rank <= 4 that is broadcast to rank 4. */
static double mask_at(const born_view *m, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < m->rank; d++) i = i * m->dim[d] + (m->dim[d] == 1 ? 0 : at[4 - m->rank + d]);
    return tensor_at(m, i);
}

typedef struct setup {
    born_attention_attrs a;
    born_view q, k, v, mask, valid;     /* k and v with their past */
    int64_t past;
} setup;

/* The score of key j for query i after all masks; -INFINITY where masked. */
static double score(const setup *s, int64_t b, int64_t h, int64_t i, int64_t j)
{
    int64_t D = s->q.dim[3], T = s->k.dim[2], at[4] = { b, h, i, j };
    int64_t group = s->q.dim[1] / s->k.dim[1], have = T, pos = s->past + i;
    double dot = 0;
    if (s->valid.dtype) {
        have = (int64_t)tensor_at(&s->valid, b);
        pos = have - s->q.dim[2] + i;
    }
    if (j >= have || (s->a.is_causal && j > pos)) return -INFINITY;
    if (s->a.left_window > 0 && j < pos - s->a.left_window) return -INFINITY;
    if (s->a.right_window > 0 && j > pos + s->a.right_window) return -INFINITY;
    for (int64_t d = 0; d < D; d++) dot += at4(&s->q, b, h, i, d) * at4(&s->k, b, h / group, j, d);
    dot *= s->a.scale != 0 ? s->a.scale : 1 / sqrt((double)D);
    if (s->a.softcap > 0) dot = s->a.softcap * tanh(dot / s->a.softcap);
    if (!s->mask.dtype) return dot;
    if (j >= s->mask.dim[s->mask.rank - 1]) return -INFINITY;
    double m = mask_at(&s->mask, at);
    return s->mask.dtype == BORN_BOOL ? (m != 0 ? dot : -INFINITY) : dot + m;
}

static double expected(const setup *s, int64_t b, int64_t h, int64_t i, int64_t d)
{
    int64_t T = s->k.dim[2], group = s->q.dim[1] / s->k.dim[1];
    double max = -INFINITY, sum = 0, out = 0;
    for (int64_t j = 0; j < T; j++) max = fmax(max, score(s, b, h, i, j));
    if (max == -INFINITY) return 0;
    for (int64_t j = 0; j < T; j++) {
        double p = exp(score(s, b, h, i, j) - max);
        sum += p;
        if (p != 0) out += p * at4(&s->v, b, h / group, j, d);
    }
    return out / sum;
}

static born_view keys(const born_view *v, int64_t lo, int64_t hi)
{
    born_view r = *v;
    r.data += lo * v->stride[2] * (int64_t)sizeof(float);
    r.dim[2] = hi - lo;
    return r;
}

static void check_setup(const char *what, const setup *s)
{
    int64_t T = s->k.dim[2];
    born_error err = { 0 };
    bool old = s->past > 0;
    born_view in[7] = { s->q,
                        keys(&s->k, s->past, T),
                        keys(&s->v, s->past, T),
                        s->mask,
                        old ? keys(&s->k, 0, s->past) : no_tensor,
                        old ? keys(&s->v, 0, s->past) : no_tensor,
                        s->valid };
    born_view out[4];
    if (!CHECK_OK(call_op(BORN_OP_ATTENTION, &s->a, in, 7, out, 4, &err), &err)) return;
    for (int64_t n = 0; n < born__view_count(&out[0]); n++) {
        int64_t Dv = out[0].dim[3], Tq = out[0].dim[2], H = out[0].dim[1];
        double want = expected(s, n / Dv / Tq / H, n / Dv / Tq % H, n / Dv % Tq, n % Dv), got = tensor_at(&out[0], n);
        if (!CHECK_MSG(fabs(got - want) <= 2e-6 * (1 + fabs(want)), "%s: element %lld is %.9g, not %.9g", what,
                       (long long)n, got, want))
            return;
    }
    CHECK_MSG(tensor_same_bits(&out[1], &s->k) && tensor_same_bits(&out[2], &s->v), "%s: present", what);
}

static setup plain(int64_t Hq, int64_t Hk, int64_t Tq, int64_t T, int64_t D, int64_t Dv)
{
    random_seed(3);
    return (setup){ .q = small(DIMS(2, Hq, Tq, D)), .k = small(DIMS(2, Hk, T, D)),
                    .v = small(DIMS(2, Hk, T, Dv)) };
}

TEST(attention_against_f64)
{
    setup s = plain(2, 2, 5, 7, 8, 8);
    check_setup("plain", &s);
    s = plain(6, 2, 3, 300, 17, 33);
    check_setup("grouped heads, two units", &s);
    s.a.is_causal = true;
    s.past = 297;
    check_setup("causal with past", &s);
    s.a.softcap = 0.7;
    s.a.scale = 0.9;
    check_setup("softcap and scale", &s);
    s = plain(2, 1, 9, 9, 4, 70);
    s.a.left_window = 2;
    check_setup("left window", &s);
    s.a.right_window = 1;
    check_setup("both windows", &s);
    s.mask = small(DIMS(2, 1, 9, 9));
    check_setup("added mask", &s);
    s.mask = small(DIMS(9, 6));
    check_setup("short added mask", &s);
    s.mask = tensor_zeros(BORN_BOOL, DIMS(2, 9, 9));
    for (int64_t i = 0; i < 2 * 9 * 9; i++) *(uint8_t *)tensor_address(&s.mask, i) = random_below(2) != 0;
    check_setup("bool mask", &s);
    s = plain(2, 2, 3, 20, 4, 4);
    s.valid = LIST(11, 2);      /* the second: fewer keys than queries, so its first row sees none */
    s.a.is_causal = true;
    check_setup("valid lengths", &s);
    calls_free();
}

TEST(attention_hides_what_is_masked)
{
    setup s = plain(1, 1, 2, 4, 3, 3);
    s.mask = tensor_zeros(BORN_BOOL, DIMS(2, 4));
    *(uint8_t *)tensor_address(&s.mask, 1) = 1;     /* row 0 sees key 1 only, row 1 nothing */
    for (int64_t d = 0; d < 3; d++) {
        *(float *)(void *)tensor_address(&s.v, 2 * 3 + d) = NAN;
        *(float *)(void *)tensor_address(&s.k, 2 * 3 + d) = INFINITY;
    }
    born_view in[4] = { s.q, s.k, s.v, s.mask }, out[1];
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_ATTENTION, NULL, in, 4, out, 1, &err), &err);
    for (int64_t d = 0; d < 3; d++) {
        CHECK(tensor_at(&out[0], d) == tensor_at(&s.v, 3 + d));
        CHECK(tensor_at(&out[0], 3 + d) == 0);
    }
    calls_free();
}

TEST(attention_score_results)
{
    setup s = plain(2, 1, 3, 6, 4, 4);
    s.a = (born_attention_attrs){ .is_causal = true, .softcap = 2 };
    s.past = 3;
    for (int mode = 0; mode < 4; mode++) {
        born_error err = { 0 };
        born_view in[6] = { s.q, keys(&s.k, 3, 6), keys(&s.v, 3, 6), no_tensor, keys(&s.k, 0, 3), keys(&s.v, 0, 3) };
        born_view out[4];
        s.a.qk_mode = mode;
        REQUIRE_OK(call_op(BORN_OP_ATTENTION, &s.a, in, 6, out, 4, &err), &err);
        for (int64_t n = 0; n < born__view_count(&out[3]); n++) {
            int64_t j = n % 6, i = n / 6 % 3, h = n / 18 % 2, b = n / 36;
            setup open = s;
            double max = -INFINITY, sum = 0, want;
            if (mode < 2) open.a.is_causal = false;
            if (mode == 0) open.a.softcap = 0;
            want = score(&open, b, h, i, j);
            for (int64_t t = 0; t < 6; t++) max = fmax(max, score(&s, b, h, i, t));
            for (int64_t t = 0; t < 6; t++) sum += exp(score(&s, b, h, i, t) - max);
            if (mode == 3) want = exp(want - max) / sum;
            double got = tensor_at(&out[3], n);
            CHECK_MSG(got == want || fabs(got - want) <= 2e-6, "mode %d, element %lld is %g, not %g", mode,
                      (long long)n, got, want);
        }
    }
    calls_free();
}

/* [B, T, H * D] from [B, H, T, D]. */
static born_view heads_last(const born_view *v)
{
    int64_t H = v->dim[1], T = v->dim[2], D = v->dim[3];
    born_view r = tensor_zeros(BORN_F32, DIMS(v->dim[0], T, H * D));
    for (int64_t b = 0; b < v->dim[0]; b++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t t = 0; t < T; t++)
                for (int64_t d = 0; d < D; d++)
                    *(float *)(void *)tensor_address(&r, ((b * T + t) * H + h) * D + d) = (float)at4(v, b, h, t, d);
    return r;
}

TEST(multi_head_attention_is_attention)
{
    setup s = plain(3, 3, 4, 6, 4, 4);
    born_view in[3] = { s.q, s.k, s.v }, want, got[1];
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_ATTENTION, NULL, in, 3, &want, 1, &err), &err);
    want = heads_last(&want);
    born_packed_attention_attrs a = { .num_heads = 3 };
    born_view separate[3] = { heads_last(&s.q), heads_last(&s.k), heads_last(&s.v) };
    REQUIRE_OK(call_op(BORN_OP_MULTI_HEAD_ATTENTION, &a, separate, 3, got, 1, &err), &err);
    CHECK(tensor_same_bits(&want, &got[0]));
    born_view mixed[3] = { heads_last(&s.q), s.k, s.v };
    REQUIRE_OK(call_op(BORN_OP_MULTI_HEAD_ATTENTION, &a, mixed, 3, got, 1, &err), &err);
    CHECK(tensor_same_bits(&want, &got[0]));
    /* k and v in one tensor [B, T, H, 2, D] */
    born_view both = tensor_zeros(BORN_F32, DIMS(2, 6, 3, 2, 4));
    for (int64_t i = 0; i < born__view_count(&both); i++) {
        int64_t d = i % 4, which = i / 4 % 2, h = i / 8 % 3, t = i / 24 % 6, b = i / 144;
        *(float *)(void *)tensor_address(&both, i) = (float)at4(which ? &s.v : &s.k, b, h, t, d);
    }
    born_view two[2] = { separate[0], both };
    REQUIRE_OK(call_op(BORN_OP_MULTI_HEAD_ATTENTION, &a, two, 2, got, 1, &err), &err);
    CHECK(tensor_same_bits(&want, &got[0]));
    born_view zero = tensor_zeros(BORN_F32, DIMS(36)), biased[4] = { separate[0], separate[1], separate[2], zero };
    REQUIRE_OK(call_op(BORN_OP_MULTI_HEAD_ATTENTION, &a, biased, 4, got, 1, &err), &err);
    CHECK(tensor_same_bits(&want, &got[0]));
    calls_free();
}

/* With the identity as weights, packed_attention is attention of x with itself. */
TEST(packed_attention_is_attention)
{
    enum { T = 5, C = 6 };
    random_seed(9);
    born_view x = small(DIMS(2, T, C)), w = tensor_zeros(BORN_F32, DIMS(C, 3 * C)), want, got[2];
    born_error err = { 0 };
    for (int64_t c = 0; c < C; c++)
        for (int64_t k = 0; k < 3; k++) *(float *)(void *)tensor_address(&w, c * 3 * C + k * C + c) = 1;
    born_attention_attrs a = { .q_num_heads = 2, .kv_num_heads = 2, .is_causal = true };
    born_view plain_in[3] = { x, x, x }, in[2] = { x, w };
    REQUIRE_OK(call_op(BORN_OP_ATTENTION, &a, plain_in, 3, &want, 1, &err), &err);
    born_packed_attention_attrs p = { .num_heads = 2, .unidirectional = true };
    REQUIRE_OK(call_op(BORN_OP_PACKED_ATTENTION, &p, in, 2, got, 2, &err), &err);
    CHECK(tensor_same_bits(&want, &got[0]));
    CHECK_INT(got[1].dim[3], T);
    for (int64_t i = 0; i < born__view_count(&got[1]); i++) {
        int64_t d = i % 3, t = i / 3 % T, h = i / 3 / T % 2, b = i / 6 / T % 2;
        CHECK(tensor_at(&got[1], i) == tensor_at(&x, (b * T + t) * C + h * 3 + d));
    }
    calls_free();
}

/* group_query_attention in steps of one token equals it over the whole prompt, rotation included. */
TEST(group_query_attention_steps)
{
    enum { T = 6, H = 4, K = 2, D = 8 };
    random_seed(11);
    born_view q = small(DIMS(1, T, H * D)), k = small(DIMS(1, T, K * D));
    born_view v = small(DIMS(1, T, K * D)), cos = small(DIMS(16, D / 2));
    born_view sin = small(DIMS(16, D / 2)), whole[3], out[3];
    born_view last = tensor_of(BORN_I32, DIMS(1), (double[]){ T - 1 }),
              total = tensor_of(BORN_I32, 0, NULL, (double[]){ T });
    born_error err = { 0 };
    born_group_attention_attrs a = { .num_heads = H, .kv_num_heads = K, .do_rotary = true };
    born_view in[9] = { q, k, v, no_tensor, no_tensor, last, total, cos, sin };
    REQUIRE_OK(call_op(BORN_OP_GROUP_QUERY_ATTENTION, &a, in, 9, whole, 3, &err), &err);
    born_view pk = tensor_zeros(BORN_F32, DIMS(1, K, 0, D)), pv = pk;
    for (int64_t t = 0; t < T; t++) {
        born_view step[3] = { q, k, v };
        for (int i = 0; i < 3; i++) {
            step[i].data += t * step[i].stride[1] * (int64_t)sizeof(float);
            step[i].dim[1] = 1;
        }
        last = tensor_of(BORN_I32, DIMS(1), (double[]){ (double)t });
        total = tensor_of(BORN_I32, 0, NULL, (double[]){ (double)t + 1 });
        born_view now[9] = { step[0], step[1], step[2], pk, pv, last, total, cos, sin };
        REQUIRE_OK(call_op(BORN_OP_GROUP_QUERY_ATTENTION, &a, now, 9, out, 3, &err), &err);
        for (int64_t i = 0; i < H * D; i++) CHECK(tensor_at(&out[0], i) == tensor_at(&whole[0], t * H * D + i));
        pk = out[1];
        pv = out[2];
    }
    CHECK(tensor_same_bits(&pk, &whole[1]));
    CHECK(tensor_same_bits(&pv, &whole[2]));
    last = tensor_of(BORN_I32, DIMS(1), (double[]){ 40 });
    in[5] = last;
    CHECK_STATUS(call_op(BORN_OP_GROUP_QUERY_ATTENTION, &a, in, 9, out, 3, &err), BORN_RANGE);
    last = tensor_of(BORN_I32, DIMS(1), (double[]){ -2147483648.0 });
    in[5] = last;
    CHECK_STATUS(call_op(BORN_OP_GROUP_QUERY_ATTENTION, &a, in, 9, out, 3, &err), BORN_RANGE);
    CHECK_STATUS(infer_op(BORN_OP_GROUP_QUERY_ATTENTION, &a, in, 9, out, 3, 1u << 6, &err), BORN_STATE);
    calls_free();
}

static void refuse(const char *what, born_op_id op, const void *a, const born_view *in, int n, born_status want)
{
    born_view out[4];
    born_error err = { 0 };
    born_status got = infer_op(op, a, in, n, out, 1, 0, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

TEST(attention_refusals)
{
    setup s = plain(4, 2, 3, 5, 8, 8);
    born_view q = s.q, k = s.k, v = s.v, wide = tensor_zeros(BORN_F32, DIMS(2, 3, 5, 8));
    refuse("heads", BORN_OP_ATTENTION, NULL, (born_view[]){ q, wide, wide }, 3, BORN_SHAPE);
    refuse("key length", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, tensor_zeros(BORN_F32, DIMS(2, 2, 4, 8)) }, 3,
           BORN_SHAPE);
    refuse("half of a past", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, v, no_tensor, k }, 5, BORN_INVALID);
    refuse("mask", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, v, tensor_zeros(BORN_F32, DIMS(3, 6)) }, 4,
           BORN_SHAPE);
    refuse("mask dtype", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, v, tensor_zeros(BORN_F64, DIMS(3, 5)) }, 4,
           BORN_DTYPE);
    refuse("past with lengths", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, v, no_tensor, k, v, LIST(1, 1) }, 7,
           BORN_INVALID);
    refuse("lengths", BORN_OP_ATTENTION, NULL, (born_view[]){ q, k, v, no_tensor, no_tensor, no_tensor, LIST(1) }, 7,
           BORN_SHAPE);
    born_view x = tensor_zeros(BORN_F32, DIMS(2, 3, 10));
    refuse("3-D without heads", BORN_OP_ATTENTION, NULL, (born_view[]){ x, x, x }, 3, BORN_SHAPE);
    refuse("heads that do not divide", BORN_OP_ATTENTION,
           &(born_attention_attrs){ .q_num_heads = 3, .kv_num_heads = 3 }, (born_view[]){ x, x, x }, 3, BORN_SHAPE);
    refuse("mode", BORN_OP_ATTENTION, &(born_attention_attrs){ .qk_mode = 4 }, (born_view[]){ q, k, v }, 3,
           BORN_INVALID);
    born_view w = tensor_zeros(BORN_F32, DIMS(10, 30));
    refuse("no heads", BORN_OP_PACKED_ATTENTION, NULL, (born_view[]){ x, w }, 2, BORN_SHAPE);
    refuse("rotary", BORN_OP_PACKED_ATTENTION, &(born_packed_attention_attrs){ .num_heads = 2, .do_rotary = true },
           (born_view[]){ x, w }, 2, BORN_UNSUPPORTED);
    refuse("hidden sizes", BORN_OP_PACKED_ATTENTION,
           &(born_packed_attention_attrs){ .num_heads = 2, .qkv_hidden_sizes = BORN_INTS(10, 10, INT64_MAX) },
           (born_view[]){ x, w }, 2, BORN_SHAPE);
    calls_free();
}
TEST_MAIN
