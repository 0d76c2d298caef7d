/* Norms and softmax against plain f64 formulas, the order of their sums, and what must be refused. */
#include <math.h>

#include "../harness.h"
#include "ops/reduce.h"
#include "support_nn.h"
#include "tensor/view.h"

/* ---- norms over rows ---- */

typedef struct norm_case {
    const born_view *x, *scale, *bias;
    int axis;                   /* rows are the axes from here on */
    int64_t groups;             /* > 0: channels of a group belong to the row too */
    bool rms, per_channel;
    double epsilon;
} norm_case;

static bool same_row(const norm_case *c, const int64_t *a, const int64_t *b)
{
    if (c->groups == 0) {
        for (int d = 0; d < c->axis; d++)
            if (a[d] != b[d]) return false;
        return true;
    }
    int64_t per = c->x->dim[1] / c->groups;
    return a[0] == b[0] && a[1] / per == b[1] / per;
}

static void coordinates(const born_view *v, int64_t i, int64_t *at)
{
    for (int d = v->rank - 1; d >= 0; d--) {
        at[d] = i % v->dim[d];
        i /= v->dim[d];
    }
}

/* Mean of x and of its squared distance from m over the row of `at`. */
static double row_mean(const norm_case *c, const int64_t *at, bool squares, double m)
{
    double sum = 0, n = 0;
    for (int64_t i = 0; i < born__view_count(c->x); i++) {
        int64_t other[BORN_MAX_RANK];
        coordinates(c->x, i, other);
        if (!same_row(c, at, other)) continue;
        double v = tensor_at(c->x, i) - m;
        sum += squares ? v * v : v;
        n++;
    }
    return sum / n;
}

/* The factor of element `at`: per channel, per group, or broadcast from the right. */
static double factor(const norm_case *c, const born_view *v, const int64_t *at)
{
    if (c->per_channel) return tensor_at(v, v->dim[0] == c->x->dim[1] ? at[1] : at[1] / (c->x->dim[1] / c->groups));
    int64_t own[BORN_MAX_RANK];
    for (int d = 0; d < v->rank; d++) own[d] = v->dim[d] == 1 ? 0 : at[d + c->x->rank - v->rank];
    return nn_at(v, own);
}

static double want_norm(const void *ctx, const int64_t *at)
{
    const norm_case *c = ctx;
    double mean = c->rms ? 0 : row_mean(c, at, false, 0), var = row_mean(c, at, true, mean);
    double y = (nn_at(c->x, at) - mean) / sqrt(var + c->epsilon) * factor(c, c->scale, at);
    return c->bias ? y + factor(c, c->bias, at) : y;
}

TEST(layer_norm_equals_the_formula)
{
    for (int axis = 0; axis < 3; axis++)
        for (int t = 0; t < 2; t++) {
            born_dtype dt = t ? BORN_F64 : BORN_F32;
            born_view in[3] = { nn_noise(dt, DIMS(3, 4, 70)), nn_noise(dt, DIMS(4, 70)), nn_noise(dt, DIMS(4, 1)) },
                      out[3];
            born_layer_norm_attrs a = { .axis = axis - 3, .epsilon = 0.01 };
            norm_case c = { .x = &in[0], .scale = &in[1], .bias = &in[2], .axis = axis, .epsilon = 0.01 };
            CHECK(nn_run("layer_norm", BORN_OP_LAYER_NORM, &a, in, 3, 0, out, 3) &&
                  nn_close("layer_norm", out, want_norm, &c, t ? 1e-12 : 1e-5));
            CHECK(out[1].dtype == BORN_F32 && out[1].dim[2] == 1 && out[2].dim[0] == (axis > 0 ? 3 : 1));
            CHECK(fabs(tensor_at(&out[1], 0) - row_mean(&c, (int64_t[]){ 0, 0, 0 }, false, 0)) < 1e-6);
            born_rms_norm_attrs r = { .axis = axis - 3, .epsilon = 0.01 };
            c.rms = true;
            c.bias = NULL;
            CHECK(nn_run("rms_norm", BORN_OP_RMS_NORM, &r, in, 2, 0, out, 1) &&
                  nn_close("rms_norm", out, want_norm, &c, t ? 1e-12 : 1e-5));
            calls_free();
        }
}

TEST(instance_and_group_norm_equal_the_formula)
{
    born_view in[3] = { nn_noise(BORN_F32, DIMS(2, 6, 5, 7)), nn_noise(BORN_F32, DIMS(6)),
                        nn_noise(BORN_F32, DIMS(6)) };
    born_view out;
    norm_case c = { .x = &in[0], .scale = &in[1], .bias = &in[2], .axis = 2, .per_channel = true, .epsilon = 1e-5 };
    CHECK(nn_run("instance_norm", BORN_OP_INSTANCE_NORM, NULL, in, 3, 0, &out, 1) &&
          nn_close("instance_norm", &out, want_norm, &c, 1e-5));
    born_group_norm_attrs a = { .num_groups = 3 };
    c.groups = 3;
    CHECK(nn_run("group_norm", BORN_OP_GROUP_NORM, &a, in, 3, 0, &out, 1) &&
          nn_close("group_norm", &out, want_norm, &c, 1e-5));
    in[1] = nn_noise(BORN_F32, DIMS(3));
    in[2] = nn_noise(BORN_F32, DIMS(3));
    CHECK(nn_run("group_norm per group", BORN_OP_GROUP_NORM, &a, in, 3, 0, &out, 1) &&
          nn_close("group_norm per group", &out, want_norm, &c, 1e-5));
    calls_free();
}

/* Sums of rows beyond one chunk are those of reduce.h. */
TEST(norms_keep_the_order_of_sums)
{
    enum { N = 9001 };
    born_view in[2] = { nn_noise(BORN_F32, DIMS(2, N)), nn_noise(BORN_F32, DIMS(N)) }, out[3];
    static float row[N];
    REQUIRE(nn_run("layer_norm order", BORN_OP_LAYER_NORM, NULL, in, 2, 0, out, 3));
    for (int r = 0; r < 2; r++) {
        for (int i = 0; i < N; i++) row[i] = (float)tensor_at(&in[0], r * N + i);
        float mean = born__row_sum_f32(row, N) / N;
        CHECK((float)tensor_at(&out[1], r) == mean);
        for (int i = 0; i < N; i++) row[i] = (row[i] - mean) * (row[i] - mean);
        float inverse = 1 / sqrtf(born__row_sum_f32(row, N) / N + 1e-5f);
        CHECK((float)tensor_at(&out[2], r) == inverse);
        for (int i = 0; i < N; i += 1000) {
            float x = (float)tensor_at(&in[0], r * N + i), scale = (float)tensor_at(&in[1], i);
            CHECK((float)tensor_at(&out[0], r * N + i) == (x - mean) * inverse * scale);
        }
    }
    calls_free();
}

/* ---- batch norm ---- */

typedef struct batch_case { const born_view *in; bool training; } batch_case;

static void batch_stats(const born_view *x, int64_t ch, double *mean, double *var)
{
    double n = 0, sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        sum = n = 0;
        for (int64_t i = 0; i < born__view_count(x); i++) {
            int64_t at[BORN_MAX_RANK];
            coordinates(x, i, at);
            if ((x->rank > 1 ? at[1] : 0) != ch) continue;
            double v = tensor_at(x, i) - (pass ? *mean : 0);
            sum += pass ? v * v : v;
            n++;
        }
        if (pass) *var = sum / n;
        else *mean = sum / n;
    }
}

static double want_batch(const void *ctx, const int64_t *at)
{
    const batch_case *c = ctx;
    int64_t ch = c->in[0].rank > 1 ? at[1] : 0;
    double mean = tensor_at(&c->in[3], ch), var = tensor_at(&c->in[4], ch);
    if (c->training) batch_stats(&c->in[0], ch, &mean, &var);
    return (nn_at(&c->in[0], at) - mean) / sqrt(var + 1e-5) * tensor_at(&c->in[1], ch) + tensor_at(&c->in[2], ch);
}

TEST(batch_norm_equals_the_formula)
{
    for (int rank = 1; rank <= 4; rank++)
        for (int training = 0; training < 2; training++) {
            int64_t channels = rank > 1 ? 5 : 1;
            born_view in[5] = { nn_noise(BORN_F32, rank, (int64_t[]){ 3, 5, 6, 11 }) }, out[3];
            for (int i = 1; i < 5; i++) in[i] = nn_noise(BORN_F32, 1, &channels);
            for (int64_t i = 0; i < channels; i++)
                born__store_f64(BORN_F32, tensor_address(&in[4], i), fabs(tensor_at(&in[4], i)) + 0.1);
            born_batch_norm_attrs a = { .training_mode = training };
            batch_case c = { in, training };
            CHECK(nn_run("batch_norm", BORN_OP_BATCH_NORM, &a, in, 5, 0, out, training ? 3 : 1) &&
                  nn_close("batch_norm", out, want_batch, &c, 2e-5));
            double mean, var;
            batch_stats(&in[0], channels - 1, &mean, &var);
            if (training)
                CHECK(fabs(tensor_at(&out[2], channels - 1) - (tensor_at(&in[4], channels - 1) * 0.9 + var * 0.1)) <
                      1e-5);
            calls_free();
        }
}

/* ---- one axis ---- */

typedef struct axis_case { const born_view *x; int axis, kind; } axis_case;

static double want_axis(const void *ctx, const int64_t *at)
{
    const axis_case *c = ctx;
    int64_t i[BORN_MAX_RANK];
    double sum = 0, max = -INFINITY, own = nn_at(c->x, at);
    memcpy(i, at, sizeof i);
    for (i[c->axis] = 0; i[c->axis] < c->x->dim[c->axis]; i[c->axis]++) {
        double v = nn_at(c->x, i);
        sum += c->kind == 2 ? fabs(v) : c->kind == 3 ? v * v : exp(v);
        if (v > max) max = v;
    }
    switch (c->kind) {
    case 0: return exp(own) / sum;
    case 1: return own - log(sum);
    case 2: return own / sum;
    case 3: return own / sqrt(sum);
    default: return own == max;
    }
}

TEST(softmax_and_its_kin_equal_their_formulas)
{
    for (int t = 0; t < 2; t++)
        for (int axis = 0; axis < 3; axis++) {
            born_view x = nn_noise(t ? BORN_F64 : BORN_F32, DIMS(5, 130, 70)), out;
            born_softmax_attrs s = { .axis = axis - 3 };
            born_lp_norm_attrs l = { .axis = axis - 3 };
            axis_case c = { &x, axis, 0 };
            double tolerance = t ? 1e-13 : 2e-6;
            CHECK(nn_run("softmax", BORN_OP_SOFTMAX, &s, &x, 1, 0, &out, 1) &&
                  nn_close("softmax", &out, want_axis, &c, tolerance));
            c.kind = 1;
            CHECK(nn_run("log_softmax", BORN_OP_LOG_SOFTMAX, &s, &x, 1, 0, &out, 1) &&
                  nn_close("log_softmax", &out, want_axis, &c, tolerance));
            for (l.p = 1; l.p <= 2; l.p++) {
                c.kind = 1 + (int)l.p;
                CHECK(nn_run("lp_norm", BORN_OP_LP_NORM, &l, &x, 1, 0, &out, 1) &&
                      nn_close("lp_norm", &out, want_axis, &c, tolerance));
            }
            c.kind = 4;
            CHECK(nn_run("hardmax", BORN_OP_HARDMAX, &s, &x, 1, 0, &out, 1) &&
                  nn_close("hardmax", &out, want_axis, &c, 0));
            calls_free();
        }
}

TEST(softmax_at_the_edges)
{
    born_view out, x = tensor_of(BORN_F32, DIMS(4, 2), (double[]){ 1000, 1000, -INFINITY, 0, NAN, 0, -2000, -2000 });
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_SOFTMAX, NULL, &x, 1, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 0.5 && tensor_at(&out, 2) == 0 && tensor_at(&out, 3) == 1 && tensor_at(&out, 6) == 0.5);
    CHECK(isnan(tensor_at(&out, 4)) && isnan(tensor_at(&out, 5)));
    x = tensor_of(BORN_F32, DIMS(1, 3), (double[]){ 2, 2, 1 });
    REQUIRE_OK(call_op(BORN_OP_HARDMAX, NULL, &x, 1, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 1 && tensor_at(&out, 1) == 0);
    x = tensor_zeros(BORN_F32, DIMS(2, 3));
    REQUIRE_OK(call_op(BORN_OP_LP_NORM, NULL, &x, 1, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 0);
    x = tensor_of(BORN_F32, 0, NULL, (double[]){ 3 });
    REQUIRE_OK(call_op(BORN_OP_SOFTMAX, NULL, &x, 1, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 1);
    x = tensor_zeros(BORN_F32, DIMS(2, 0));
    CHECK_OK(call_op(BORN_OP_SOFTMAX, NULL, &x, 1, &out, 1, &err), &err);
    calls_free();
}

/* ---- lrn ---- */

typedef struct lrn_case { const born_view *x; int64_t size; double alpha, beta, bias; } lrn_case;

static double want_lrn(const void *ctx, const int64_t *at)
{
    const lrn_case *c = ctx;
    double sum = 0;
    int64_t i[BORN_MAX_RANK];
    memcpy(i, at, sizeof i);
    for (i[1] = 0; i[1] < c->x->dim[1]; i[1]++)
        if (i[1] >= at[1] - (c->size - 1) / 2 && i[1] <= at[1] + c->size / 2) sum += nn_at(c->x, i) * nn_at(c->x, i);
    return nn_at(c->x, at) / pow(c->bias + c->alpha / (double)c->size * sum, c->beta);
}

TEST(lrn_equals_the_formula)
{
    const lrn_case cases[4] = { { NULL, 5, 1e-4, 0.75, 1 }, { NULL, 4, 0.5, 0.6, 2 }, { NULL, 1, 0.5, 0.75, 1 },
                                { NULL, 1 << 30, 0.5, 0.75, 1 } };
    for (int i = 0; i < 4; i++) {
        born_view x = nn_noise(BORN_F32, DIMS(2, 9, 5, 30)), out;
        lrn_case c = cases[i];
        born_lrn_attrs a = { .size = c.size, .alpha = c.alpha, .beta = c.beta, .bias = c.bias };
        c.x = &x;
        CHECK(nn_run("lrn", BORN_OP_LRN, &a, &x, 1, 0, &out, 1) && nn_close("lrn", &out, want_lrn, &c, 1e-6));
        calls_free();
    }
}

TEST(norms_refuse_what_does_not_fit)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(2, 6, 4)), five = tensor_zeros(BORN_F32, DIMS(5)),
              six = tensor_zeros(BORN_F32, DIMS(6));
    born_view in[5] = { x, five, six, six, six };
    born_group_norm_attrs g = { .num_groups = 4 };
    born_layer_norm_attrs l = { .axis = 3 };
    born_softmax_attrs s = { .axis = -4 };
    born_lp_norm_attrs p = { .p = 3 };
    CHECK(nn_refused(BORN_OP_BATCH_NORM, NULL, in, 5, 1, BORN_SHAPE, "operand 1 is [5]"));
    CHECK(nn_refused(BORN_OP_INSTANCE_NORM, NULL, in, 3, 1, BORN_SHAPE, "operand 1 is [5]"));
    CHECK(nn_refused(BORN_OP_GROUP_NORM, &g, in, 3, 1, BORN_SHAPE, "divisible"));
    CHECK(nn_refused(BORN_OP_LAYER_NORM, NULL, in, 2, 1, BORN_SHAPE, "broadcastable"));
    CHECK(nn_refused(BORN_OP_LAYER_NORM, &l, in, 2, 1, BORN_RANGE, "axis 3"));
    l = (born_layer_norm_attrs){ .stash_type = 7 };
    in[1] = tensor_zeros(BORN_F32, DIMS(4));
    CHECK(nn_refused(BORN_OP_LAYER_NORM, &l, in, 2, 1, BORN_INVALID, "stash_type 7"));
    in[1] = tensor_zeros(BORN_F64, DIMS(4));
    CHECK(nn_refused(BORN_OP_RMS_NORM, NULL, in, 2, 1, BORN_DTYPE, "f64"));
    CHECK(nn_refused(BORN_OP_SOFTMAX, &s, in, 1, 1, BORN_RANGE, "axis -4"));
    CHECK(nn_refused(BORN_OP_LP_NORM, &p, in, 1, 1, BORN_INVALID, "p = 3"));
    in[1] = six;
    CHECK(nn_refused(BORN_OP_BATCH_NORM, NULL, in, 5, 2, BORN_INVALID, "training"));
    calls_free();
}

TEST_MAIN
