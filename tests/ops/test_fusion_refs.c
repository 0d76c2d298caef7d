/* Attention gives the same bits however the work is cut (law 6(c)): prefill against one query at a time, any number of
   keys taken in at once, past in one tensor or two, more keys behind the causal limit, any number of threads.
   ctest-labels: threads */
#include <math.h>

#include "../harness.h"
#include "support_calls.h"
#include "tensor/view.h"

enum { B = 2, HQ = 4, HK = 2, D = 24, DV = 20, T = 700 };

/* Random numbers in [-0.8, 0.8]. */
static born_view small(int rank, const int64_t *dim)
{
    born_view v = tensor_random(BORN_F32, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++) *(float *)(void *)tensor_address(&v, i) *= 0x1p-6f;
    return v;
}

/* Positions [lo, hi) of axis 2 of v, as a view. */
static born_view part(const born_view *v, int64_t lo, int64_t hi)
{
    born_view r = *v;
    r.data += lo * v->stride[2] * (int64_t)sizeof(float);
    r.dim[2] = hi - lo;
    return r;
}

static bool same_row(const born_view *a, int64_t at, const born_view *b, int64_t bt)
{
    born_view x = part(a, at, at + 1), y = part(b, bt, bt + 1);
    return tensor_same_bits(&x, &y);
}

static born_view run(const born_attention_attrs *a, born_view q, born_view k, born_view v, born_view mask, born_view pk,
                     born_view pv, born_view *present)
{
    born_view in[6] = { q, k, v, mask, pk, pv }, out[3] = { { 0 } };
    born_error err = { 0 };
    CHECK_OK(call_op(BORN_OP_ATTENTION, a, in, 6, out, present ? 3 : 1, &err), &err);
    if (present) {
        present[0] = out[1];
        present[1] = out[2];
    }
    return out[0];
}

typedef struct tensors { born_view q, k, v; } tensors;
static tensors make(void)
{
    random_seed(7);
    return (tensors){ small(DIMS(B, HQ, T, D)), small(DIMS(B, HK, T, D)),
                      small(DIMS(B, HK, T, DV)) };
}

TEST(attention_prefill_is_decode)
{
    tensors t = make();
    born_attention_attrs a = { .is_causal = true, .softcap = 3 };
    born_view whole = run(&a, t.q, t.k, t.v, no_tensor, no_tensor, no_tensor, NULL);
    static const int64_t at[] = { 0, 1, 254, 255, 256, 257, 511, 512, 513, 699 };
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        int64_t p = at[i];
        born_view one = run(&a, part(&t.q, p, p + 1), part(&t.k, p, p + 1), part(&t.v, p, p + 1), no_tensor,
                            part(&t.k, 0, p), part(&t.v, 0, p), NULL);
        CHECK_MSG(same_row(&whole, p, &one, 0), "position %lld", (long long)p);
    }
    calls_free();
}

TEST(attention_by_chunks)
{
    tensors t = make();
    born_attention_attrs a = { .is_causal = true };
    born_view whole = run(&a, t.q, t.k, t.v, no_tensor, no_tensor, no_tensor, NULL);
    static const int64_t step[] = { 1 + 96, 256, 300, 511 };
    for (size_t s = 0; s < sizeof step / sizeof step[0]; s++) {
        born_view past[2] = { part(&t.k, 0, 0), part(&t.v, 0, 0) };
        for (int64_t lo = 0; lo < T; lo += step[s]) {
            int64_t hi = lo + step[s] < T ? lo + step[s] : T;
            born_view now = run(&a, part(&t.q, lo, hi), part(&t.k, lo, hi), part(&t.v, lo, hi), no_tensor, past[0],
                                past[1], past);
            born_view want = part(&whole, lo, hi);
            CHECK_MSG(tensor_same_bits(&want, &now), "chunks of %lld at %lld", (long long)step[s], (long long)lo);
        }
        CHECK(tensor_same_bits(&past[0], &t.k));
        CHECK(tensor_same_bits(&past[1], &t.v));
    }
    calls_free();
}

/* What is masked in front (a window) or behind (valid lengths, a longer cache) leaves no trace. */
TEST(attention_masked_keys_leave_no_trace)
{
    tensors t = make();
    born_attention_attrs plain = { 0 }, causal = { .is_causal = true };
    for (int64_t n = 250; n <= 520; n += 90) {
        born_view q = part(&t.q, n - 1, n), k = part(&t.k, 0, n), v = part(&t.v, 0, n);
        born_view want = run(&plain, q, k, v, no_tensor, no_tensor, no_tensor, NULL);
        born_view in[7] = { q, t.k, t.v, no_tensor, no_tensor, no_tensor, LIST(n, n) }, out[1];
        born_error err = { 0 };
        REQUIRE_OK(call_op(BORN_OP_ATTENTION, &causal, in, 7, out, 1, &err), &err);
        CHECK_MSG(tensor_same_bits(&want, &out[0]), "%lld valid keys", (long long)n);
        born_view mask = tensor_zeros(BORN_BOOL, DIMS(1, 1, 1, T));
        for (int64_t j = 0; j < n; j++) *(uint8_t *)tensor_address(&mask, j) = 1;
        born_view masked = run(&plain, q, t.k, t.v, mask, no_tensor, no_tensor, NULL);
        CHECK_MSG(tensor_same_bits(&want, &masked), "%lld keys by mask", (long long)n);
        mask = tensor_zeros(BORN_F32, DIMS(1, T));
        for (int64_t j = n; j < T; j++) *(float *)(void *)tensor_address(&mask, j) = -INFINITY;
        masked = run(&plain, q, t.k, t.v, mask, no_tensor, no_tensor, NULL);
        CHECK_MSG(tensor_same_bits(&want, &masked), "%lld keys by added mask", (long long)n);
    }
    calls_free();
}

/* The window of a query near the end: a whole unit in front is skipped, and keys keep their absolute positions. */
TEST(attention_window_is_by_position)
{
    tensors t = make();
    born_attention_attrs a = { .is_causal = true, .left_window = 300 };
    born_view whole = run(&a, t.q, t.k, t.v, no_tensor, no_tensor, no_tensor, NULL);
    for (int64_t p = 590; p < 600; p++) {
        born_view one = run(&a, part(&t.q, p, p + 1), part(&t.k, p, p + 1), part(&t.v, p, p + 1), no_tensor,
                            part(&t.k, 0, p), part(&t.v, 0, p), NULL);
        CHECK_MSG(same_row(&whole, p, &one, 0), "position %lld", (long long)p);
    }
    calls_free();
}

TEST(attention_threads_and_strides)
{
    tensors t = make();
    born_attention_attrs a = { .is_causal = true };
    born_view want = run(&a, t.q, t.k, t.v, no_tensor, no_tensor, no_tensor, NULL);
    calls_threads(3);
    born_view got = run(&a, t.q, t.k, t.v, no_tensor, no_tensor, no_tensor, NULL);
    CHECK(tensor_same_bits(&want, &got));
    got = run(&a, tensor_strided(&t.q), tensor_strided(&t.k), tensor_strided(&t.v), no_tensor, no_tensor, no_tensor,
              NULL);
    CHECK(tensor_same_bits(&want, &got));
    calls_threads(1);
    calls_free();
}

/* Heads in the last dim, one batch row alone, and one key head for two query heads: all the same numbers. */
TEST(attention_forms_agree)
{
    tensors t = make();
    born_attention_attrs a = { .is_causal = true },
                         packed = { .is_causal = true, .q_num_heads = HQ, .kv_num_heads = HK };
    born_view q = part(&t.q, 0, 40), k = part(&t.k, 0, 40), v = part(&t.v, 0, 40);
    born_view want = run(&a, q, k, v, no_tensor, no_tensor, no_tensor, NULL);
    born_view side[3] = { q, k, v };
    for (int i = 0; i < 3; i++) {       /* [B, H, T, D] to [B, T, H * D] */
        born_view s = side[i], d = tensor_zeros(BORN_F32, DIMS(B, 40, s.dim[1] * s.dim[3]));
        for (int64_t b = 0; b < B; b++)
            for (int64_t h = 0; h < s.dim[1]; h++)
                for (int64_t x = 0; x < 40; x++)
                    for (int64_t e = 0; e < s.dim[3]; e++)
                        ((float *)(void *)d.data)[((b * 40 + x) * s.dim[1] + h) * s.dim[3] + e] =
                            (float)tensor_at(&s, ((b * s.dim[1] + h) * 40 + x) * s.dim[3] + e);
        side[i] = d;
    }
    born_view got = run(&packed, side[0], side[1], side[2], no_tensor, no_tensor, no_tensor, NULL);
    for (int64_t i = 0; i < born__view_count(&got); i++) {
        int64_t b = i / (40 * HQ * DV), x = i / (HQ * DV) % 40, h = i / DV % HQ, e = i % DV;
        CHECK(tensor_at(&got, i) == tensor_at(&want, ((b * HQ + h) * 40 + x) * DV + e));
    }
    calls_free();
}
TEST_MAIN
