/* torch_cases: learning-rate schedules. One parameter per group; the optimiser never needs to step, since a schedule
   looks at its options only. */
#include "torch_optim.h"

enum { MOST_PARTS = 8, MOST_LIST = 16 };

static const struct {
    const char *name;
    born_sched_kind kind;
} kinds[] = {
    { "StepLR", BORN_SCHED_STEP },         { "MultiStepLR", BORN_SCHED_MULTISTEP },
    { "ExponentialLR", BORN_SCHED_EXPONENTIAL }, { "CosineAnnealingLR", BORN_SCHED_COSINE },
    { "CosineAnnealingWarmRestarts", BORN_SCHED_COSINE_RESTARTS }, { "LinearLR", BORN_SCHED_LINEAR },
    { "ConstantLR", BORN_SCHED_CONSTANT }, { "PolynomialLR", BORN_SCHED_POLYNOMIAL },
    { "OneCycleLR", BORN_SCHED_ONE_CYCLE }, { "CyclicLR", BORN_SCHED_CYCLIC },
    { "ReduceLROnPlateau", BORN_SCHED_PLATEAU },
};

typedef struct lists {
    int64_t milestones[MOST_LIST];
    double lr[3][MOST_LIST];
} lists;

static void real(const json_t *args, const char *name, double *field)
{
    const json_t *v = json_object_get(args, name);
    if (!v || json_is_null(v)) return;
    double x = tc_number(v);
    *field = x == 0 ? -1 : x;
}
static void whole(const json_t *args, const char *name, int64_t *field)
{
    const json_t *v = json_object_get(args, name);
    if (!v || json_is_null(v)) return;
    int64_t x = (int64_t)tc_number(v);
    *field = x == 0 ? -1 : x;
}
static const double *rates(const json_t *args, const char *name, double *room, int *count)
{
    const json_t *v = json_object_get(args, name);
    if (!v) return NULL;
    int n = json_is_array(v) ? (int)json_array_size(v) : 1;
    for (int i = 0; i < n && i < MOST_LIST; i++)
        room[i] = tc_number(json_is_array(v) ? json_array_get(v, (size_t)i) : v);
    if (n > *count) *count = n;
    return room;
}
static bool is_false(const json_t *args, const char *name) { return json_is_false(json_object_get(args, name)); }

/* False where PyTorch's name is not known. */
static bool describe(const char *name, const json_t *a, lists *l, born_sched_desc *d)
{
    size_t k = 0, n = sizeof kinds / sizeof kinds[0];
    const char *mode = tc_string(a, "mode", "");

    while (k < n && strcmp(kinds[k].name, name) != 0) k++;
    if (k == n) return false;
    *d = (born_sched_desc){ .kind = kinds[k].kind };
    const json_t *m = json_object_get(a, "milestones");
    for (size_t i = 0; i < json_array_size(m) && i < MOST_LIST; i++)
        l->milestones[d->milestone_count++] = json_integer_value(json_array_get(m, i));
    if (d->milestone_count) d->milestones = l->milestones;
    whole(a, "step_size", &d->step_size), whole(a, "T_max", &d->t_max), whole(a, "T_0", &d->t_0);
    whole(a, "T_mult", &d->t_mult), whole(a, "total_iters", &d->total_iters), whole(a, "total_steps", &d->total_steps);
    whole(a, "step_size_up", &d->step_size_up), whole(a, "step_size_down", &d->step_size_down);
    whole(a, "patience", &d->patience), whole(a, "cooldown", &d->cooldown);
    if (d->cooldown < 0) d->cooldown = 0;
    real(a, "gamma", &d->gamma), real(a, "start_factor", &d->start_factor), real(a, "end_factor", &d->end_factor);
    real(a, "factor", &d->factor), real(a, "power", &d->power), real(a, "pct_start", &d->pct_start);
    real(a, "div_factor", &d->div_factor), real(a, "final_div_factor", &d->final_div_factor);
    real(a, "base_momentum", &d->base_momentum), real(a, "max_momentum", &d->max_momentum);
    real(a, "threshold", &d->threshold), real(a, "eps", &d->eps);
    if (json_object_get(a, "eta_min")) d->eta_min = tc_number(json_object_get(a, "eta_min"));
    d->max_lr = rates(a, "max_lr", l->lr[0], &d->lr_count), d->base_lr = rates(a, "base_lr", l->lr[1], &d->lr_count);
    d->min_lr = rates(a, "min_lr", l->lr[2], &d->lr_count);
    d->linear_anneal = strcmp(tc_string(a, "anneal_strategy", "cos"), "linear") == 0;
    d->three_phase = json_is_true(json_object_get(a, "three_phase"));
    d->keep_momentum = is_false(a, "cycle_momentum");
    d->mode = strcmp(mode, "triangular2") == 0  ? BORN_TRIANGULAR2
              : strcmp(mode, "exp_range") == 0 ? BORN_EXP_RANGE
                                                : BORN_TRIANGULAR;
    d->maximize = strcmp(mode, "max") == 0;
    d->threshold_abs = strcmp(tc_string(a, "threshold_mode", "rel"), "abs") == 0;
    return true;
}

born_sched *tc_sched_make(born_optim *o, const char *name, const json_t *args, char *why)
{
    const json_t *parts = json_object_get(args, "schedulers"), *m = json_object_get(args, "milestones");
    born_sched_desc d[MOST_PARTS];
    static lists l[MOST_PARTS];
    int64_t begins[MOST_PARTS] = { 0 };
    int n = (int)json_array_size(parts);
    bool known = n <= MOST_PARTS;

    memset(l, 0, sizeof l);
    if (!parts) known = describe(name, args, &l[0], &d[0]);
    for (int i = 0; i < n && known; i++) {
        const json_t *one = json_array_get(parts, (size_t)i);
        known = describe(tc_string(one, "name", ""), json_object_get(one, "args"), &l[i], &d[i]);
        begins[i] = json_integer_value(json_array_get(m, (size_t)i));
    }
    if (!known) {
        snprintf(why, TC_TEXT, "no schedule is %.60s", name);
        return born_sched_create(NULL, NULL);
    }
    if (!parts) return born_sched_create(o, &d[0]);
    return strcmp(name, "SequentialLR") == 0 ? born_sched_sequence(o, d, n, begins) : born_sched_chain(o, d, n);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

typedef struct sched_run {
    const tc_case *c;
    born_optim *o;
    born_sched *s;
    int groups;
    const char *momentum;       /* the option that may be cycled */
    char *why;
} sched_run;

static bool walk(sched_run *r)
{
    enum { ROWS = 41 };
    double *lr = calloc(2 * ROWS * (size_t)r->groups, sizeof *lr), *momentum = lr ? lr + ROWS * r->groups : NULL;
    const born_array *metrics = tc_find_array(r->c, "metrics");
    born_shape shape = BORN_SHAPE(ROWS, r->groups);
    bool ok = lr != NULL;

    for (int row = 0; ok && row < ROWS; row++) {
        if (row > 0 && metrics) {
            ok = !born_sched_step_metric(r->s, ((const double *)metrics->data)[row - 1]);
        } else if (row > 0) {
            ok = !born_sched_step(r->s);
        }
        for (int g = 0; g < r->groups; g++) {
            lr[row * r->groups + g] = born_optim_get(r->o, g, "lr");
            momentum[row * r->groups + g] = born_optim_get(r->o, g, r->momentum);
        }
    }
    ok = ok && tc_compare_host(r->c, "lr", lr, &shape, r->why);
    if (tc_find_array(r->c, "momentum")) ok = ok && tc_compare_host(r->c, "momentum", momentum, &shape, r->why);
    free(lr);
    return ok;
}

static bool run_case(sched_run *r, born_module *net)
{
    const json_t *args = json_object_get(r->c->json, "args"), *how = json_object_get(args, "optimizer");
    const json_t *lrs = json_object_get(how, "lrs");
    const char *optimiser = tc_string(how, "name", ""), *name = tc_string(r->c->json, "name", "");
    static const float zero = 0;

    r->groups = (int)json_array_size(lrs);
    for (int g = 0; g < r->groups; g++) {
        char path[24];
        snprintf(path, sizeof path, "%d", g);
        (void)born_module_add(net, path, BORN_PARAM, BORN_ARRAY(&zero, 1));
    }
    json_t *own = json_deep_copy(json_object_get(how, "args"));
    json_object_set(own, "lr", json_array_get(lrs, 0));
    r->o = tc_optim_make(net, optimiser, own, true);
    json_decref(own);
    for (int g = 1; r->o && g < r->groups; g++) {
        char path[24];
        snprintf(path, sizeof path, "%d", g);
        if (born_optim_group(r->o, path, tc_number(json_array_get(lrs, (size_t)g)), -1, NULL) != g) return false;
    }
    r->momentum = strcmp(optimiser, "SGD") == 0 ? "momentum" : "beta1";
    if (!r->o) return false;
    r->s = tc_sched_make(r->o, name + strlen("torch.optim.lr_scheduler."), args, r->why);
    return born_sched_is_alive(r->s) && walk(r);
}

tc_result tc_run_sched_case(tc_case *c, born_device *d, char *why)
{
    sched_run r = { .c = c, .why = why };
    born_error err = { 0 };
    born_backend *b = born_autodiff(tc_leaf(d));
    born_module *net = born_module_create(b);
    bool ok = run_case(&r, net);

    born_backend_take_error(b, &err);
    if (err.status && !why[0]) snprintf(why, TC_TEXT, "%s", err.text);
    if (!ok && !why[0]) snprintf(why, TC_TEXT, "the schedule could not be made");
    born_sched_close(&r.s), born_optim_close(&r.o), born_module_close(&net), born_backend_close(&b);
    return ok && !err.status ? TC_PASSED : TC_FAILED;
}
