/* Schedules: closed formulas against the step-by-step ones, what PyTorch's cases (tests/conformance) leave out, saving,
   mistakes. */
#include "nn_helpers.h"

#include <born/sched.h>

typedef struct rig {
    bench k;
    born_optim *o;
} rig;

static rig rig_open(bool adam)
{
    const float zero = 0;
    rig r = { .k = bench_open(BORN_F32, 1) };
    (void)born_module_add(r.k.net, "w", BORN_PARAM, BORN_ARRAY(&zero, 1));
    (void)born_module_add(r.k.net, "v", BORN_PARAM, BORN_ARRAY(&zero, 1));
    r.o = adam ? born_adam(r.k.net, 0.1, 0, NULL) : born_sgd(r.k.net, 0.1, 0, NULL);
    return r;
}
static void rig_close(rig *r)
{
    born_optim_close(&r->o);
    bench_close(&r->k);
}
static double lr(const rig *r) { return born_optim_get(r->o, 0, "lr"); }
static void near(double got, double want, int64_t e)
{
    CHECK_MSG(fabs(got - want) <= 1e-12 + 1e-9 * fabs(want), "step %lld: %.17g, not %.17g", (long long)e, got, want);
}

static double closed(const born_sched_desc *d, double base, double e)
{
    const double pi = acos(-1);
    double t = (double)d->total_iters;
    switch (d->kind) {
    case BORN_SCHED_STEP: return base * pow(d->gamma, floor(e / (double)d->step_size));
    case BORN_SCHED_MULTISTEP: return base * pow(d->gamma, (e >= 2) + (e >= 9));
    case BORN_SCHED_EXPONENTIAL: return base * pow(d->gamma, e);
    case BORN_SCHED_COSINE: return d->eta_min + (base - d->eta_min) * (1 + cos(pi * e / (double)d->t_max)) / 2;
    case BORN_SCHED_LINEAR: return base * (d->start_factor + (1 - d->start_factor) * fmin(t, e) / t);
    case BORN_SCHED_CONSTANT: return base * (e >= t ? 1 : d->factor);
    case BORN_SCHED_POLYNOMIAL: return base * pow(1 - fmin(t, e) / t, d->power);
    default: return NAN;
    }
}

TEST(steps_agree_with_the_closed_formulas)
{
    static const int64_t milestones[] = { 2, 9 };
    const born_sched_desc d[] = {
        { .kind = BORN_SCHED_STEP, .step_size = 4, .gamma = 0.5 },
        { .kind = BORN_SCHED_MULTISTEP, .milestones = milestones, .milestone_count = 2, .gamma = 0.3 },
        { .kind = BORN_SCHED_EXPONENTIAL, .gamma = 0.9 },
        { .kind = BORN_SCHED_COSINE, .t_max = 13, .eta_min = 0.01 },
        { .kind = BORN_SCHED_LINEAR, .start_factor = 0.25, .total_iters = 7 },
        { .kind = BORN_SCHED_CONSTANT, .factor = 0.5, .total_iters = 3 },
        { .kind = BORN_SCHED_POLYNOMIAL, .total_iters = 11, .power = 2.5 },
    };
    for (size_t i = 0; i < sizeof d / sizeof *d; i++) {
        rig r = rig_open(false);
        CHECK_INT(born_optim_group(r.o, "v", 0.02, -1, NULL), 1);
        born_sched *s = born_sched_create(r.o, &d[i]);
        for (int e = 0; e <= 30; e++) {
            if (e) CHECK_INT(born_sched_step(s), BORN_OK);
            near(lr(&r), closed(&d[i], 0.1, e), e);
            near(born_optim_get(r.o, 1, "lr"), closed(&d[i], 0.02, e), e);
        }
        born_sched_close(&s);
        rig_close(&r);
    }
}

TEST(one_cycle_in_three_phases_ends_at_its_smallest)
{
    const double most = 1;
    rig r = rig_open(true);
    born_sched *s = born_sched_create(r.o, &(born_sched_desc){ .kind = BORN_SCHED_ONE_CYCLE, .total_steps = 20,
                                                               .max_lr = &most, .three_phase = true });
    near(lr(&r), 1.0 / 25, 0);
    near(born_optim_get(r.o, 0, "beta1"), 0.95, 0);
    for (int e = 1; e < 20; e++) {
        CHECK_INT(born_sched_step(s), BORN_OK);
        if (e == 5) near(lr(&r), 1, e), near(born_optim_get(r.o, 0, "beta1"), 0.85, e);
        if (e == 10) near(lr(&r), 1.0 / 25, e), near(born_optim_get(r.o, 0, "beta1"), 0.95, e);
    }
    near(lr(&r), 1.0 / 25 / 1e4, 19);
    CHECK_INT(born_sched_step(s), BORN_OK);
    double last = lr(&r);
    CHECK_INT(born_sched_step(s), BORN_RANGE);
    CHECK(lr(&r) == last);
    bench_expect(&r.k, BORN_RANGE, "one-cycle has taken all its steps");
    born_sched_close(&s);
    rig_close(&r);
}

TEST(cyclic_halves_and_factors_multiply)
{
    const double low = 0.1, high = 0.5, factors[] = { 0.5, 0.25 };
    rig r = rig_open(false);
    born_sched *s = born_sched_create(r.o, &(born_sched_desc){ .kind = BORN_SCHED_CYCLIC, .step_size_up = 2,
                                                               .base_lr = &low, .max_lr = &high,
                                                               .mode = BORN_TRIANGULAR2, .keep_momentum = true });
    const double want[] = { 0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2, 0.1 };
    for (int e = 0; e < 9; e++) {
        if (e) CHECK_INT(born_sched_step(s), BORN_OK);
        near(lr(&r), want[e], e);
    }
    born_sched_close(&s);
    CHECK_INT(born_optim_set(r.o, 0, "lr", 1), BORN_OK);
    s = born_sched_create(r.o, &(born_sched_desc){ .kind = BORN_SCHED_MULTIPLICATIVE, .factors = factors,
                                                   .factor_count = 2 });
    const double products[] = { 1, 0.5, 0.125, 0.03125 };
    for (int e = 0; e < 4; e++) {
        if (e) CHECK_INT(born_sched_step(s), BORN_OK);
        near(lr(&r), products[e], e);
    }
    born_sched_close(&s);
    rig_close(&r);
}

TEST(saved_schedules_go_on_where_they_were)
{
    const int64_t begins[] = { 3 };
    const born_sched_desc parts[] = { { .kind = BORN_SCHED_LINEAR, .start_factor = 0.5, .total_iters = 3 },
                                      { .kind = BORN_SCHED_COSINE_RESTARTS, .t_0 = 2, .t_mult = 2 } };
    rig r = rig_open(false), q = rig_open(false);
    born_sched *s = born_sched_sequence(r.o, parts, 2, begins), *t = born_sched_sequence(q.o, parts, 2, begins);
    double numbers[32];

    for (int e = 0; e < 6; e++) CHECK_INT(born_sched_step(s), BORN_OK);
    int n = born_sched_save(s, numbers, 32);
    CHECK_INT(n, 1 + 2 * 7);
    CHECK_INT(born_sched_restore(t, numbers, n), BORN_OK);
    CHECK_INT(born_optim_set(q.o, 0, "lr", lr(&r)), BORN_OK);
    for (int e = 7; e < 20; e++) {
        CHECK_INT(born_sched_step(s), BORN_OK);
        CHECK_INT(born_sched_step(t), BORN_OK);
        CHECK(lr(&r) == lr(&q));
    }
    CHECK_INT(born_sched_restore(t, numbers, n - 1), BORN_INVALID);
    bench_expect(&q.k, BORN_INVALID, "another schedule");
    numbers[1] = 0.5;
    CHECK_INT(born_sched_restore(t, numbers, n), BORN_INVALID);
    bench_expect(&q.k, BORN_INVALID, "another schedule");
    born_sched_close(&s), born_sched_close(&t);
    rig_close(&r), rig_close(&q);
}

TEST(plateau_waits_and_mistakes_are_told)
{
    rig r = rig_open(false);
    born_sched *s = born_sched_create(r.o, &(born_sched_desc){ .kind = BORN_SCHED_PLATEAU, .patience = 1 });
    const double metric[] = { 1, 0.5, 0.5, 0.5, 0.4 };
    const double want[] = { 0.1, 0.1, 0.1, 0.01, 0.01 };
    for (int e = 0; e < 5; e++) {
        CHECK_INT(born_sched_step_metric(s, metric[e]), BORN_OK);
        near(lr(&r), want[e], e);
    }
    CHECK_INT(born_sched_step(s), BORN_STATE);
    bench_expect(&r.k, BORN_STATE, "steps with its metric");
    CHECK_INT(born_optim_group(r.o, "v", 1, -1, NULL), 1);
    CHECK_INT(born_sched_step_metric(s, 1), BORN_STATE);
    bench_expect(&r.k, BORN_STATE, "a group was added");
    born_sched_close(&s);
    const double rates[3] = { 1, 1, 1 }, negative = -1;
    const born_sched_desc bad[] = {
        { .kind = BORN_SCHED_STEP }, { .kind = BORN_SCHED_COSINE }, { .kind = BORN_SCHED_CYCLIC, .max_lr = rates },
        { .kind = BORN_SCHED_EXPONENTIAL }, { .kind = BORN_SCHED_KINDS }, { .kind = BORN_SCHED_MULTISTEP },
        { .kind = BORN_SCHED_ONE_CYCLE, .total_steps = 4, .max_lr = rates, .lr_count = 3 },
        { .kind = BORN_SCHED_ONE_CYCLE, .total_steps = -4, .max_lr = rates },
        { .kind = BORN_SCHED_LINEAR, .start_factor = 2 }, { .kind = BORN_SCHED_STEP, .step_size = 1, .gamma = NAN },
        { .kind = BORN_SCHED_COSINE, .t_max = 2, .eta_min = -1 },
        { .kind = BORN_SCHED_MULTIPLICATIVE, .factors = &negative, .factor_count = 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double before = lr(&r);
        s = born_sched_create(r.o, &bad[i]);
        CHECK_MSG(!born_sched_is_alive(s) && born_sched_step(s) == BORN_STATE && lr(&r) == before, "case %zu", i);
        bench_expect(&r.k, BORN_INVALID, "schedule: ");
        born_sched_close(&s);
    }
    rig_close(&r);
}

TEST_MAIN
