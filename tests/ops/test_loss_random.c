/* Losses against f64; random numbers by what must hold of them: repeatable by key and seed, the same for any number of
   threads, moments and frequencies as asked. */
#include <math.h>

#include "../harness.h"
#include "base/rng.h"
#include "support_calls.h"
#include "tensor/view.h"

static void refuse(const char *what, born_op_id op, const void *a, const born_view *in, int n, born_status want)
{
    born_view out[2];
    born_error err = { 0 };
    born_status got = call_op(op, a, in, n, out, 1, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

/* x [3, 5, 4] (or [3, 5]), classes on axis 1; kind bits: 1 softmax, 2 weights, 4 ignore class 2, 8 rank 2. */
static void check_loss(int kind, int reduction)
{
    int64_t d = kind & 8 ? 1 : 4, n = 3 * d;
    born_view x = tensor_random(BORN_F32, kind & 8 ? 2 : 3, (int64_t[]){ 3, 5, 4 }), out[2];
    born_view t = tensor_zeros(kind & 1 ? BORN_I32 : BORN_I64, kind & 8 ? 1 : 2, (int64_t[]){ 3, 4 });
    born_view w = tensor_of(BORN_F32, DIMS(5), (double[]){ 1, 0.5, 2, 0.25, 3 });
    double loss[12], weight[12], total = 0, weights = 0, want;
    for (int64_t i = 0; i < born__view_count(&x); i++) *(float *)(void *)tensor_address(&x, i) *= 0.0625f;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = random_below(5), base = i / d * 5 * d + i % d;
        double max = -1e9, sum = 0;
        born__store_f64(t.dtype, tensor_address(&t, i), (double)c);
        for (int64_t k = 0; k < 5; k++) max = fmax(max, tensor_at(&x, base + k * d));
        for (int64_t k = 0; k < 5; k++) sum += exp(tensor_at(&x, base + k * d) - max);
        weight[i] = kind & 4 && c == 2 ? 0 : kind & 2 ? tensor_at(&w, c) : 1;
        loss[i] = -weight[i] * (tensor_at(&x, base + c * d) - (kind & 1 ? max + log(sum) : 0));
        total += loss[i];
        weights += weight[i];
    }
    born_loss_attrs a = { .reduction = reduction, .ignore_index = kind & 4 ? 2 : 0 };
    born_view in[3] = { tensor_strided(&x), t, w };
    born_error err = { 0 };
    born_op_id op = kind & 1 ? BORN_OP_CROSS_ENTROPY_LOSS : BORN_OP_NLL_LOSS;
    if (!CHECK_OK(call_op(op, &a, in, kind & 2 ? 3 : 2, out, 1 + (kind & 1), &err), &err)) return;
    for (int64_t i = 0; i < (reduction == 1 ? n : 1); i++) {
        want = reduction == 1 ? loss[i] : reduction == 2 ? total : total / weights;
        double got = tensor_at(&out[0], i);
        CHECK_MSG(fabs(got - want) <= 1e-5 * (1 + fabs(want)) || (isnan(got) && isnan(want)),
                  "case %d, reduction %d: %g, not %g", kind, reduction, got, want);
    }
    for (int64_t i = 0; kind & 1 && i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < 5; k++) sum += exp(tensor_at(&out[1], i / d * 5 * d + i % d + k * d));
        CHECK(fabs(sum - 1) < 1e-6);
    }
}

TEST(losses_against_f64)
{
    random_seed(1);
    for (int kind = 0; kind < 16; kind++)
        for (int reduction = 0; reduction < 3; reduction++) check_loss(kind, reduction);
    calls_free();
}

TEST(loss_refusals)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(2, 3)), ok = LIST(0, 2), high = LIST(0, 3), low = LIST(-1, 0);
    refuse("class 3 of 3", BORN_OP_NLL_LOSS, NULL, (born_view[]){ x, high }, 2, BORN_RANGE);
    refuse("class -1", BORN_OP_CROSS_ENTROPY_LOSS, NULL, (born_view[]){ x, low }, 2, BORN_RANGE);
    refuse("class -2^63", BORN_OP_NLL_LOSS, NULL, (born_view[]){ x, LIST(INT64_MIN, 0) }, 2, BORN_RANGE);
    refuse("ignored elsewhere", BORN_OP_NLL_LOSS, &(born_loss_attrs){ .ignore_index = 7 }, (born_view[]){ x, high }, 2,
           BORN_RANGE);
    refuse("ignored", BORN_OP_NLL_LOSS, &(born_loss_attrs){ .ignore_index = -1 }, (born_view[]){ x, low }, 2, BORN_OK);
    refuse("targets", BORN_OP_NLL_LOSS, NULL, (born_view[]){ x, LIST(0, 1, 2) }, 2, BORN_SHAPE);
    refuse("weights", BORN_OP_NLL_LOSS, NULL, (born_view[]){ x, ok, tensor_zeros(BORN_F32, DIMS(2)) }, 3, BORN_SHAPE);
    calls_free();
}

static born_view draw(born_op_id op, const void *a, const born_view *in, int n)
{
    born_view out = { 0 };
    born_error err = { 0 };
    CHECK_OK(call_op(op, a, in, n, &out, 1, &err), &err);
    return out;
}

TEST(random_repeats_by_key)
{
    born_random_normal_attrs a = { .shape = BORN_INTS(40, 50), .seed = 3 }, b = a;
    born_random_uniform_attrs u = { .shape = BORN_INTS(2000) };
    born_view one = draw(BORN_OP_RANDOM_NORMAL, &a, NULL, 0), key = tensor_int(12), other = tensor_int(13);
    calls_threads(3);
    born_view two = draw(BORN_OP_RANDOM_NORMAL, &a, NULL, 0);
    calls_threads(1);
    CHECK(tensor_same_bits(&one, &two));
    b.seed = 4;
    two = draw(BORN_OP_RANDOM_NORMAL, &b, NULL, 0);
    CHECK(!tensor_same_bits(&one, &two));
    b.seed = 0;     /* none: a new one each time */
    one = draw(BORN_OP_RANDOM_NORMAL, &b, NULL, 0);
    two = draw(BORN_OP_RANDOM_NORMAL, &b, NULL, 0);
    CHECK(!tensor_same_bits(&one, &two));
    one = draw(BORN_OP_RANDOM_UNIFORM, &u, &key, 1);
    two = draw(BORN_OP_RANDOM_UNIFORM, &u, &key, 1);
    CHECK(tensor_same_bits(&one, &two));
    two = draw(BORN_OP_RANDOM_UNIFORM, &u, &other, 1);
    CHECK(!tensor_same_bits(&one, &two));
    calls_free();
}

/* Element i is word 2 i of the key's stream, however many are made at once. */
TEST(random_uniform_is_its_stream)
{
    enum { N = 2001 };
    born_random_uniform_attrs a = { .low = -1, .high = 3, .shape = BORN_INTS(N) };
    born_view key = tensor_int(12), y = draw(BORN_OP_RANDOM_UNIFORM, &a, &key, 1);
    static uint32_t word[2 * N];
    born__philox_u32(12, 0, 0, word, 2 * N);
    for (int64_t i = 0; i < N; i++) {
        float v = 4.0f * born__unit_f32(word[2 * i]);
        CHECK(tensor_at(&y, i) == (double)(-1.0f + v));
    }
    calls_free();
}

static void moments(const born_view *v, double *mean, double *deviation)
{
    int64_t n = born__view_count(v);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += tensor_at(v, i);
        squares += tensor_at(v, i) * tensor_at(v, i);
    }
    *mean = sum / (double)n;
    *deviation = sqrt(squares / (double)n - *mean * *mean);
}

TEST(random_moments)
{
    enum { N = 100000 };
    double mean, deviation;
    born_view like = tensor_zeros(BORN_F64, DIMS(N)), out;
    born_random_normal_attrs normal = { .mean = 2, .scale = 3, .seed = 1, .shape = BORN_INTS(N) };
    born_random_uniform_attrs uniform = { .low = -1, .high = 3, .seed = 1 };
    out = draw(BORN_OP_RANDOM_NORMAL, &normal, NULL, 0);
    moments(&out, &mean, &deviation);
    CHECK_MSG(fabs(mean - 2) < 0.04 && fabs(deviation - 3) < 0.03, "normal: %g, %g", mean, deviation);
    out = draw(BORN_OP_RANDOM_UNIFORM_LIKE, &uniform, &like, 1);
    CHECK(out.dtype == BORN_F64);
    moments(&out, &mean, &deviation);
    CHECK_MSG(fabs(mean - 1) < 0.02 && fabs(deviation - 4 / sqrt(12)) < 0.02, "uniform: %g, %g", mean, deviation);
    for (int64_t i = 0; i < N; i++) CHECK(tensor_at(&out, i) >= -1 && tensor_at(&out, i) < 3);
    for (int64_t i = 0; i < N; i++) *(double *)(void *)tensor_address(&like, i) = 0.3;
    out = draw(BORN_OP_BERNOULLI, &(born_random_draw_attrs){ .seed = 1, .dtype = BORN_I8 }, &like, 1);
    moments(&out, &mean, &deviation);
    CHECK_MSG(out.dtype == BORN_I8 && fabs(mean - 0.3) < 0.01, "bernoulli: %g", mean);
    /* classes with chances 0.5, 0, 0.25, 0.25 */
    born_view logs = tensor_of(BORN_F32, DIMS(1, 4), (double[]){ log(2), -INFINITY, 0, 0 });
    out = draw(BORN_OP_MULTINOMIAL, &(born_random_draw_attrs){ .seed = 5, .sample_size = 20000 }, &logs, 1);
    int seen[4] = { 0 };
    for (int64_t i = 0; i < 20000; i++) seen[(int)tensor_at(&out, i) & 3]++;
    CHECK_MSG(abs(seen[0] - 10000) < 300 && seen[1] == 0 && abs(seen[2] - 5000) < 300, "%d %d %d %d", seen[0], seen[1],
              seen[2], seen[3]);
    calls_free();
}

TEST(random_refusals)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(2, 0)), ints = tensor_zeros(BORN_I32, DIMS(2));
    refuse("no classes", BORN_OP_MULTINOMIAL, NULL, &x, 1, BORN_SHAPE);
    refuse("integers", BORN_OP_RANDOM_NORMAL_LIKE, NULL, &ints, 1, BORN_DTYPE);
    refuse("rank 9", BORN_OP_RANDOM_NORMAL,
           &(born_random_normal_attrs){ .shape = BORN_INTS(1, 1, 1, 1, 1, 1, 1, 1, 1) }, NULL, 0, BORN_SHAPE);
    refuse("2^80 numbers", BORN_OP_RANDOM_NORMAL,
           &(born_random_normal_attrs){ .shape = BORN_INTS(1LL << 40, 1LL << 40) }, NULL, 0, BORN_RANGE);
    refuse("two keys", BORN_OP_RANDOM_NORMAL, NULL, (born_view[]){ LIST(1, 2) }, 1, BORN_SHAPE);
    calls_free();
}
TEST_MAIN
