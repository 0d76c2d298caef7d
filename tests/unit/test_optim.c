/* Optimisers: updates by plain loops where PyTorch's cases (tests/conformance) have none, groups, state, accumulation,
   clipping, loss scaling, master weights, averages, and that a failed step changes nothing. */
#include "nn_helpers.h"

#include <born/optim.h>
#include <born/trace.h>

static born_tensor param(bench *k, const char *name, const float *v, born_shape s)
{
    return born_module_add(k->net, name, BORN_PARAM, (born_array){ BORN_F32, s, v, 0 });
}

/* Gives p the gradient g by a loss sum(p * g), as training does. */
static void give(const bench *k, born_tensor p, const float *g)
{
    born_tensor w = (born_from)(k->b, (born_array){ BORN_F32, born_shape_of(p), g, 0 }, BORN_F32, NULL);
    born_tensor x = (born_cast)(p, BORN_F32, NULL);
    born_tensor l = (born_reduce_sum)((born_mul)(x, w, NULL), (born_ints){ 0 },
                                      &(born_reduce_attrs){ .drop_dims = true }, NULL);
    CHECK_INT((born_backward)(l), BORN_OK);
}

static const float start[4] = { 1, -2, 0.5f, 3 }, slope[4] = { 0.1f, -0.3f, 2, -0.7f };

TEST(lion_and_lamb_follow_their_papers)
{
    enum { STEPS = 4 };
    bench k = bench_open(BORN_F32, 1);
    born_tensor p = param(&k, "w", start, BORN_SHAPE(4)), q = param(&k, "v", start, BORN_SHAPE(4));
    born_optim *lion = born_lion(k.net, 0.05, 0.1, &(born_optim_desc){ .only = "w" });
    born_optim *lamb = born_lamb(k.net, 0.05, 0.1, &(born_optim_desc){ .only = "v" });
    double a[4], m[4] = { 0 }, b[4], n[4] = { 0 }, v[4] = { 0 }, r[4];
    float got[4];

    for (int i = 0; i < 4; i++) a[i] = b[i] = (double)start[i];
    for (int t = 1; t <= STEPS; t++) {
        double of_p = 0, of_r = 0;
        float g[4];
        for (int i = 0; i < 4; i++) g[i] = slope[i] * (float)(t == 2 ? -1 : t);
        give(&k, p, g), give(&k, q, g);
        CHECK_INT(born_optim_step(lion), BORN_OK);
        CHECK_INT(born_optim_step(lamb), BORN_OK);
        for (int i = 0; i < 4; i++) {
            double d = (double)g[i], way = 0.9 * m[i] + 0.1 * d;
            a[i] = a[i] * (1 - 0.05 * 0.1) - 0.05 * (double)((way > 0) - (way < 0));
            m[i] = 0.99 * m[i] + 0.01 * d;
            n[i] = 0.9 * n[i] + 0.1 * d, v[i] = 0.999 * v[i] + 0.001 * d * d;
            r[i] = n[i] / (1 - pow(0.9, t)) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-6) + 0.1 * b[i];
            of_p += b[i] * b[i], of_r += r[i] * r[i];
        }
        for (int i = 0; i < 4; i++) b[i] -= 0.05 * sqrt(of_p) / sqrt(of_r) * r[i];
    }
    if (get(p, got, 4)) NEAR_ALL(got, a, 4);
    if (get(q, got, 4)) NEAR_ALL(got, b, 4);
    CHECK_INT(born_optim_steps(lion), STEPS);
    born_optim_close(&lion), born_optim_close(&lamb);
    bench_close(&k);
}

/* What Newton-Schulz gives has singular values near 1: u u' is near the identity. */
TEST(muon_steps_are_nearly_orthogonal)
{
    enum { R = 3, C = 5 };
    bench k = bench_open(BORN_F32, 1);
    float zero[R * C] = { 0 }, g[R * C], got[R * C];
    born_tensor p = param(&k, "w", zero, BORN_SHAPE(R, C));
    born_optim *o = born_muon(k.net, 1, 0, NULL);

    for (int i = 0; i < R * C; i++) g[i] = (float)((i * 7 + 3) % 11) - 5;
    give(&k, p, g);
    CHECK_INT(born_optim_step(o), BORN_OK);
    if (get(p, got, R * C)) {
        for (int i = 0; i < R; i++)
            for (int j = 0; j < R; j++) {
                double dot = 0;
                for (int c = 0; c < C; c++) dot += (double)got[i * C + c] * (double)got[j * C + c];
                CHECK_MSG(fabs(dot - (i == j)) < 0.55, "u u'[%d][%d] is %g", i, j, dot);
            }
    }
    born_optim_close(&o);
    (void)param(&k, "bias", zero, BORN_SHAPE(R));
    o = born_muon(k.net, 1, 0, NULL);
    CHECK(!born_optim_is_alive(o));
    bench_expect(&k, BORN_SHAPE, "bias");
    born_optim_close(&o);
    bench_close(&k);
}

TEST(groups_and_options)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor w = param(&k, "weight", start, BORN_SHAPE(4)), b = param(&k, "bias", start, BORN_SHAPE(4));
    born_optim *o = born_sgd(k.net, 0.5, 0.1, NULL);
    double want_w[4], want_b[4];
    float got[4];

    CHECK_INT(born_optim_group(o, "bi*", 0.25, 0, NULL), 1);
    CHECK_INT(born_optim_group_count(o), 2);
    CHECK(born_optim_get(o, 1, "lr") == 0.25 && born_optim_get(o, 0, "weight_decay") == 0.1);
    CHECK(isnan(born_optim_get(o, 0, "beta1")) && isnan(born_optim_get(o, 2, "lr")));
    CHECK_INT(born_optim_set(o, 0, "lr", 0.125), BORN_OK);
    give(&k, w, slope), give(&k, b, slope);
    CHECK_INT(born_optim_step(o), BORN_OK);
    for (int i = 0; i < 4; i++) {
        want_w[i] = (double)start[i] - 0.125 * ((double)slope[i] + 0.1 * (double)start[i]);
        want_b[i] = (double)start[i] - 0.25 * (double)slope[i];
    }
    if (get(w, got, 4)) NEAR_ALL(got, want_w, 4);
    if (get(b, got, 4)) NEAR_ALL(got, want_b, 4);
    CHECK((born_grad_of)(w).w == 0);
    CHECK_INT(born_optim_set(o, 0, "lr", -1), BORN_INVALID);
    bench_expect(&k, BORN_INVALID, "SGD: lr cannot be -1");
    CHECK_INT(born_optim_group(o, "none*", 1, 0, NULL), 0);
    bench_expect(&k, BORN_STATE, "before the first step");
    born_optim_close(&o);
    const born_optim_desc bad[] = { { .beta1 = 0.5 }, { .amsgrad = true }, { .nesterov = true },
                                    { .clip_norm = -1 }, { .momentum = NAN }, { .only = "nothing" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o = born_sgd(k.net, 0.1, 0, &bad[i]);
        CHECK(!born_optim_is_alive(o));
        bench_expect(&k, BORN_INVALID, "SGD: ");
        CHECK(born_optim_step(o) != BORN_OK);
        born_optim_close(&o);
    }
    o = born_adam(k.net, 0.1, 0, &(born_optim_desc){ .beta1 = 1 });
    bench_expect(&k, BORN_INVALID, "beta1 cannot be 1");
    born_optim_close(&o);
    bench_close(&k);
}

/* Three micro-batches are one step with the mean gradient; clipping comes after. */
TEST(accumulation_and_clipping)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor w = param(&k, "w", start, BORN_SHAPE(4));
    born_optim *o = born_sgd(k.net, 1, 0, &(born_optim_desc){ .accumulate = 3, .clip_value = 1.5, .clip_norm = 1 });
    double want[4], cut[4], norm = 0;
    float got[4];

    for (int i = 0; i < 4; i++) {
        cut[i] = fmax(-1.5, fmin(1.5, 2 * (double)slope[i]));
        norm += cut[i] * cut[i];
    }
    for (int i = 0; i < 4; i++) want[i] = (double)start[i] - cut[i] / (sqrt(norm) + 1e-6);
    for (int t = 0; t < 3; t++) {
        float g[4];
        CHECK_INT(born_optim_steps(o), 0);
        for (int i = 0; i < 4; i++) g[i] = slope[i] * (float)(t + 1);
        give(&k, w, g);
        CHECK_INT(born_optim_step(o), BORN_OK);
    }
    CHECK_INT(born_optim_steps(o), 1);
    if (get(w, got, 4)) NEAR_ALL(got, want, 4);
    born_optim_close(&o);
    bench_close(&k);
}

/* A parameter without a gradient keeps its value and its count: its first step is corrected as a first one. */
TEST(absent_gradients_do_not_count)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor a = param(&k, "a", start, BORN_SHAPE(4)), b = param(&k, "b", start, BORN_SHAPE(4));
    born_optim *o = born_adam(k.net, 0.1, 0, NULL);
    float before[4], after[4];

    give(&k, a, slope);
    CHECK_INT(born_optim_step(o), BORN_OK);
    if (get(a, before, 4) && get(b, after, 4)) CHECK(!memcmp(after, start, sizeof start));
    give(&k, a, slope), give(&k, b, slope);
    CHECK_INT(born_optim_step(o), BORN_OK);
    if (get(b, after, 4)) CHECK(!memcmp(after, before, sizeof after));
    CHECK_INT(born_optim_step(o), BORN_OK);
    CHECK_INT(born_optim_steps(o), 2);
    born_optim_close(&o);
    bench_close(&k);
}

/* ---- state ------------------------------------------------------------------------------------------------------- */

typedef struct saved {
    int count;
    char path[64][64];
    double number[64];
    float value[64][4];
    bool tensor[64];
} saved;

static bool save_item(void *user, const born_optim_item *item)
{
    saved *s = user;
    if (!CHECK(s->count < 64)) return false;
    snprintf(s->path[s->count], sizeof s->path[0], "%s", item->path);
    s->number[s->count] = item->number;
    s->tensor[s->count] = item->value.w != 0;
    if (item->value.w) CHECK_INT((born_read)(item->value, s->value[s->count], sizeof s->value[0]), BORN_OK);
    s->count++;
    return true;
}

static bool has_path(const saved *s, const char *path)
{
    for (int i = 0; i < s->count; i++)
        if (!strcmp(s->path[i], path)) return true;
    return false;
}

TEST(state_restored_goes_on_with_the_same_bits)
{
    static const born_optim_kind kinds[] = { BORN_SGD, BORN_ADAMW, BORN_NADAM, BORN_RMSPROP, BORN_ASGD, BORN_RPROP };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bench k = bench_open(BORN_F32, 1);
        born_tensor w = param(&k, "w", start, BORN_SHAPE(4));
        const born_optim_desc d = { .momentum = kinds[i] == BORN_SGD ? 0.9 : 0 };
        born_optim *o = born_optim_create_sized(kinds[i], k.net, 0.1, 0, &d, sizeof d), *two;
        saved s = { .count = 0 };
        float middle[4], end[4], again[4];

        for (int t = 0; t < 3; t++) give(&k, w, slope), CHECK_INT(born_optim_step(o), BORN_OK);
        CHECK_INT(born_optim_set(o, 0, "lr", 0.03), BORN_OK);
        CHECK_INT(born_optim_each(o, save_item, &s), BORN_OK);
        CHECK(has_path(&s, "w.step") && has_path(&s, "group.0.lr"));
        CHECK(has_path(&s, "w.exp_avg") == (kinds[i] == BORN_ADAMW || kinds[i] == BORN_NADAM));
        CHECK(get(w, middle, 4));
        give(&k, w, slope), CHECK_INT(born_optim_step(o), BORN_OK);
        CHECK(get(w, end, 4));

        CHECK_INT((born_write)(w, middle, sizeof middle), BORN_OK);
        two = born_optim_create_sized(kinds[i], k.net, 0.1, 0, &d, sizeof d);
        for (int n = 0; n < s.count; n++) {
            born_array number = { BORN_F64, { 0 }, &s.number[n], 0 };
            born_array value = { BORN_F32, BORN_SHAPE(4), s.value[n], 0 };
            CHECK_INT(born_optim_restore(two, s.path[n], s.tensor[n] ? value : number), BORN_OK);
        }
        give(&k, w, slope), CHECK_INT(born_optim_step(two), BORN_OK);
        if (get(w, again, 4)) CHECK_MSG(!memcmp(again, end, sizeof end), "kind %d", (int)kinds[i]);
        CHECK_INT(born_optim_restore(two, "w.nothing", (born_array){ BORN_F64, { 0 }, &s.number[0], 0 }), BORN_INVALID);
        bench_expect(&k, BORN_INVALID, "w.nothing");
        born_optim_close(&o), born_optim_close(&two);
        bench_close(&k);
    }
}

/* tick and apply are what a step is made of. */
TEST(tick_and_apply_make_a_step)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor a = param(&k, "a", start, BORN_SHAPE(4)), b = param(&k, "b", start, BORN_SHAPE(4));
    born_optim *one = born_adam(k.net, 0.1, 0, &(born_optim_desc){ .only = "a" });
    born_optim *two = born_adam(k.net, 0.1, 0, &(born_optim_desc){ .only = "b" });
    float x[4], y[4];

    CHECK_INT(born_optim_tick(two), BORN_STATE);
    bench_expect(&k, BORN_STATE, "no parameter has taken part");
    for (int t = 0; t < 3; t++) {
        give(&k, a, slope), give(&k, b, slope);
        CHECK_INT(born_optim_step(one), BORN_OK);
        if (t == 0) CHECK_INT(born_optim_step(two), BORN_OK);
        if (t == 0) continue;
        CHECK_INT(born_optim_tick(two), BORN_OK);
        CHECK_INT(born_optim_apply(two), BORN_OK);
        born_optim_zero_grad(two);
    }
    CHECK_INT(born_optim_steps(two), 3);
    if (get(a, x, 4) && get(b, y, 4)) CHECK(!memcmp(x, y, sizeof x));
    born_shape s = born_shape_of(born_optim_operand(two));
    CHECK(s.rank == 2 && s.dim[1] == 16);
    born_optim_close(&one), born_optim_close(&two);
    bench_close(&k);
}

TEST(a_failed_step_changes_nothing)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor a = param(&k, "a", start, BORN_SHAPE(4)), other = param(&k, "b", start, BORN_SHAPE(4));
    born_optim *o = born_sgd(k.net, 0.1, 0, NULL);
    born_error err;
    float got[4];

    give(&k, a, slope), give(&k, other, slope);
    (void)(born_matmul)(a, (born_full)(k.b, BORN_F32, BORN_SHAPE(3, 3), 0, NULL), NULL);
    CHECK(born_optim_step(o) != BORN_OK);
    born_backend_take_error(k.b, &err);
    CHECK(err.status != BORN_OK && born_optim_steps(o) == 0);
    if (get(a, got, 4)) CHECK(!memcmp(got, start, sizeof got));
    CHECK_INT(born_optim_step(o), BORN_OK);
    if (get(a, got, 4)) CHECK(memcmp(got, start, sizeof got) != 0);
    CHECK_INT(born_grad_set(a, other), BORN_OK);
    born_tensor wide = (born_full)(k.b, BORN_F32, BORN_SHAPE(5), 0, NULL);
    CHECK_INT(born_grad_set(a, wide), BORN_SHAPE);
    bench_expect(&k, BORN_SHAPE, "grad_set");
    born_optim_close(&o);
    bench_close(&k);
}

/* ---- mixed precision --------------------------------------------------------------------------------------------- */

/* Steps too small for bf16 are not lost: the f32 copy has them all. */
TEST(bf16_has_master_weights)
{
    bench k = bench_open(BORN_BF16, 1);
    const float one[4] = { 1, 1, 1, 1 };
    born_tensor w = param(&k, "w", one, BORN_SHAPE(4));
    born_optim *o = born_sgd(k.net, 1e-3, 0, NULL);
    saved s = { .count = 0 };
    uint16_t got[4];

    CHECK_INT(born_dtype_of(w), BORN_BF16);
    for (int t = 0; t < 16; t++) give(&k, w, one), CHECK_INT(born_optim_step(o), BORN_OK);
    CHECK_INT(born_optim_each(o, save_item, &s), BORN_OK);
    CHECK(has_path(&s, "w.master"));
    for (int i = 0; i < s.count; i++)
        if (s.tensor[i]) CHECK_MSG(fabs((double)s.value[i][0] - 0.984) < 1e-6, "%.9g", (double)s.value[i][0]);
    CHECK_INT((born_read)(w, got, sizeof got), BORN_OK);
    CHECK_INT(got[0], 0x3F7C);      /* 0.984375, the bf16 nearest to 0.984 */
    born_optim_close(&o);
    bench_close(&k);
}

TEST(loss_scaling_grows_and_backs_off)
{
    bench k = bench_open(BORN_F32, 1);
    const float bad[4] = { 1, INFINITY, 1, 1 };
    born_tensor w = param(&k, "w", start, BORN_SHAPE(4));
    born_optim *o = born_sgd(k.net, 1, 0, NULL);
    float got[4], scaled[4];
    double want[4];

    CHECK(born_optim_scale_now(o) == 1);
    CHECK_INT(born_optim_scaling(o, &(born_scaling_desc){ .init_scale = 8, .growth_interval = 2 }), BORN_OK);
    for (int t = 0; t < 2; t++) {
        for (int i = 0; i < 4; i++) scaled[i] = 8 * slope[i];
        give(&k, w, scaled);
        CHECK_INT(born_optim_step(o), BORN_OK);
    }
    CHECK(born_optim_scale_now(o) == 16);
    give(&k, w, bad);
    CHECK_INT(born_optim_step(o), BORN_OK);
    CHECK(born_optim_scale_now(o) == 8 && born_optim_skipped(o) == 1 && born_optim_steps(o) == 2);
    for (int i = 0; i < 4; i++) want[i] = (double)start[i] - 2 * (double)slope[i];
    if (get(w, got, 4)) NEAR_ALL(got, want, 4);
    born_tensor l = (born_full)(k.b, BORN_F32, (born_shape){ 0 }, 3, NULL);
    float value = 0;
    CHECK_INT((born_item)((born_optim_scale)(o, l), BORN_F32, &value), BORN_OK);
    CHECK(value == 24);
    CHECK_INT(born_optim_scaling(o, &(born_scaling_desc){ .backoff_factor = 2 }), BORN_INVALID);
    bench_expect(&k, BORN_INVALID, "loss scaling");
    born_optim_close(&o);
    bench_close(&k);
}

TEST(averaged_weights)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor w = param(&k, "w", start, BORN_SHAPE(4));
    born_ema *e = born_ema_create(k.net, 0.75);
    const float next[4] = { 5, 6, 7, 8 };
    double want[4];
    float got[4];

    CHECK_INT(born_ema_update(e), BORN_OK);
    CHECK_INT((born_write)(w, next, sizeof next), BORN_OK);
    CHECK_INT(born_ema_update(e), BORN_OK);
    for (int i = 0; i < 4; i++) want[i] = 0.75 * (double)start[i] + 0.25 * (double)next[i];
    if (get(born_ema_find(e, "w"), got, 4)) NEAR_ALL(got, want, 4);
    CHECK_INT(born_ema_swap(e), BORN_OK);
    if (get(w, got, 4)) NEAR_ALL(got, want, 4);
    CHECK_INT(born_ema_swap(e), BORN_OK);
    if (get(w, got, 4)) CHECK(!memcmp(got, next, sizeof got));
    CHECK(born_ema_find(e, "v").w == 0 && born_ema_updates(e) == 2);
    born_ema_close(&e);
    e = born_ema_create(k.net, 2);
    bench_expect(&k, BORN_INVALID, "a decay is from 0 to 1");
    CHECK(born_ema_update(e) != BORN_OK);
    born_ema_close(&e);
    bench_close(&k);
}

/* ---- L-BFGS ------------------------------------------------------------------------------------------------------ */

typedef struct bowl {
    const bench *k;
    born_optim *o;
    born_tensor p;
    int calls, fail_at;
} bowl;

/* sum (i + 1) (p_i - i)^2 */
static born_status bowl_loss(void *user, double *loss)
{
    bowl *q = user;
    const float at[4] = { 0, 1, 2, 3 }, by[4] = { 1, 2, 3, 4 };
    float value = 0;

    if (++q->calls == q->fail_at) return BORN_CANCELLED;
    born_optim_zero_grad(q->o);
    born_tensor d = (born_sub)(q->p, (born_from)(q->k->b, BORN_ARRAY(at, 4), BORN_F32, NULL), NULL);
    born_tensor w = (born_from)(q->k->b, BORN_ARRAY(by, 4), BORN_F32, NULL);
    born_tensor l = (born_reduce_sum)((born_mul)(w, (born_square)(d, NULL), NULL), (born_ints){ 0 },
                                      &(born_reduce_attrs){ .drop_dims = true }, NULL);
    born_status s = (born_backward)(l);
    if (!s) s = (born_item)(l, BORN_F32, &value);
    *loss = (double)value;
    return s;
}

TEST(lbfgs_finds_the_bottom_and_survives_its_closure)
{
    bench k = bench_open(BORN_F32, 1);
    born_tensor w = param(&k, "w", start, BORN_SHAPE(4));
    bowl q = { &k, born_lbfgs(k.net, 1, 0, &(born_optim_desc){ .strong_wolfe = true }), w, 0, 3 };
    const double bottom[4] = { 0, 1, 2, 3 };
    double loss = 0;
    float got[4];

    CHECK_INT(born_optim_step_closure(q.o, bowl_loss, &q, &loss), BORN_CANCELLED);
    if (get(w, got, 4)) CHECK(!memcmp(got, start, sizeof got));
    q.fail_at = 0;
    CHECK_INT(born_optim_step_closure(q.o, bowl_loss, &q, &loss), BORN_OK);
    CHECK_MSG(fabs(loss - 25.75) < 1e-5, "%.9g", loss);
    if (get(w, got, 4)) near_all(__FILE__, __LINE__, "bottom", got, bottom, 4, 1e-4);
    CHECK_INT(born_optim_step(q.o), BORN_STATE);
    bench_expect(&k, BORN_STATE, "born_optim_step_closure");
    born_optim_close(&q.o);
    bench_close(&k);
}

/* ---- recorded ------------------------------------------------------------------------------------------------ */

typedef struct state_list {
    born_tensor in[8];
    int count;
} state_list;

static bool list_state(void *user, const born_optim_item *item)
{
    state_list *l = user;
    if (item->value.w && l->count < 8) l->in[l->count++] = item->value;
    return true;
}

/* Forward, backward and update of one step, recorded as a graph, are run for a later step with that step's numbers. */
TEST(a_recorded_step_is_every_step)
{
    enum { N = 4 };
    born_backend *b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 })));
    born_module *net = born_module_create(b);
    born_tensor w = born_module_add(net, "w", BORN_PARAM, BORN_ARRAY(start, N));
    born_optim *o = born_adamw(net, 0.1, 0.01, &(born_optim_desc){ .clip_norm = 0.5 });
    bench k = { .b = b, .net = net, .scope = born_scope_begin(b) };
    state_list l = { .count = 2 };
    born_graph *graph = NULL;
    born_model *model = NULL;
    born_session *session = NULL;
    born_error err = { 0 };
    float got[N], kept[4][N];
    double numbers[16];

    give(&k, w, slope), CHECK_INT(born_optim_step(o), BORN_OK);
    CHECK_INT(born_optim_each(o, list_state, &l), BORN_OK);
    l.in[0] = born_optim_operand(o), l.in[1] = w;
    CHECK_INT(l.count, 4);
    CHECK_INT(born_optim_tick(o), BORN_OK);
    CHECK_INT(born_trace_begin(b, l.in, l.count, &err), BORN_OK);
    give(&k, w, slope), CHECK_INT(born_optim_apply(o), BORN_OK);
    CHECK_INT(born_trace_end(b, l.in + 1, l.count - 1, &graph, &err), BORN_OK);
    CHECK_INT(born_model_from_graph(&graph, NULL, &model, &err), BORN_OK);
    REQUIRE(born_session_open(model, NULL, &session, &err) == BORN_OK);
    born_optim_zero_grad(o);

    for (int i = 1; i < 4; i++) CHECK_INT((born_read)(l.in[i], kept[i], sizeof kept[i]), BORN_OK);
    CHECK_INT(born_optim_set(o, 0, "lr", 0.025), BORN_OK);
    give(&k, w, slope), CHECK_INT(born_optim_step(o), BORN_OK);
    CHECK_INT((born_read)(l.in[0], numbers, sizeof numbers), BORN_OK);
    const born_array in[4] = { BORN_ARRAY(numbers, 1, 16), BORN_ARRAY(kept[1], N), BORN_ARRAY(kept[2], N),
                               BORN_ARRAY(kept[3], N) };
    born_array out[3];
    CHECK_MSG(born_session_run(session, in, 4, out, 3, &err) == BORN_OK, "%s", err.text);
    for (int i = 0; i < 3 && !err.status; i++)
        if (get(l.in[i + 1], got, N)) CHECK_MSG(!memcmp(out[i].data, got, sizeof got), "result %d", i);
    born_session_close(&session), born_model_close(&model), born_optim_close(&o);
    bench_close(&k);
}

TEST_MAIN
