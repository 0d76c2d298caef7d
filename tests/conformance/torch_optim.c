/* torch_cases: optimisers, step by step. The parameters of a case are those of a module, "0", "1", ...; a step's
   gradients are given, or come from a problem's closure. Clipping and schedules run where PyTorch's loop has them. */
#include "torch_cases.h"
#include "torch_optim.h"

enum { MOST_PARAMS = 16 };

typedef struct optim_run {
    const tc_case *c;
    born_backend *b;
    born_module *net;
    born_optim *o;
    born_sched *s;
    born_tensor p[MOST_PARAMS];
    int params;
    char *why;
} optim_run;

static bool say(optim_run *r, const char *text)
{
    snprintf(r->why, TC_TEXT, "%s", text);
    return false;
}

/* ---- the optimiser ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    born_optim_kind kind;
    double lr, weight_decay;    /* PyTorch's defaults */
} optimisers[] = {
    { "SGD", BORN_SGD, 0, 0 },             { "Adam", BORN_ADAM, 1e-3, 0 },      { "AdamW", BORN_ADAMW, 1e-3, 1e-2 },
    { "Adamax", BORN_ADAMAX, 2e-3, 0 },    { "NAdam", BORN_NADAM, 2e-3, 0 },    { "RAdam", BORN_RADAM, 1e-3, 0 },
    { "RMSprop", BORN_RMSPROP, 1e-2, 0 },  { "Adagrad", BORN_ADAGRAD, 1e-2, 0 }, { "Adadelta", BORN_ADADELTA, 1, 0 },
    { "Rprop", BORN_RPROP, 1e-2, 0 },      { "ASGD", BORN_ASGD, 1e-2, 0 },      { "LBFGS", BORN_LBFGS, 1, 0 },
};

/* A number argument as the field means it: 0 is written as a negative number where it is not the default. */
static void number(const json_t *args, const char *name, double *field)
{
    const json_t *v = json_object_get(args, name);
    if (!v || json_is_null(v)) return;
    double x = tc_number(v);
    *field = x == 0 ? -1 : x;
}
static void pair(const json_t *args, const char *name, double *first, double *second)
{
    const json_t *v = json_object_get(args, name);
    if (!v) return;
    *first = tc_number(json_array_get(v, 0)), *second = tc_number(json_array_get(v, 1));
}

static born_optim_desc describe(const json_t *a, born_optim_kind kind)
{
    born_optim_desc d = { .keep_grads = true };

    pair(a, "betas", &d.beta1, &d.beta2), pair(a, "etas", &d.eta_minus, &d.eta_plus);
    pair(a, "step_sizes", &d.step_min, &d.step_max);
    number(a, "eps", &d.eps), number(a, "momentum", &d.momentum), number(a, "dampening", &d.dampening);
    number(a, "alpha", &d.alpha), number(a, "rho", &d.rho), number(a, "lr_decay", &d.lr_decay);
    number(a, "initial_accumulator_value", &d.initial_accumulator_value);
    number(a, "momentum_decay", &d.momentum_decay), number(a, "lambd", &d.lambd), number(a, "t0", &d.t0);
    number(a, "max_iter", &d.max_iter), number(a, "max_eval", &d.max_eval);
    number(a, "history_size", &d.history_size);
    number(a, "tolerance_grad", &d.tolerance_grad), number(a, "tolerance_change", &d.tolerance_change);
    d.nesterov = json_is_true(json_object_get(a, "nesterov")), d.amsgrad = json_is_true(json_object_get(a, "amsgrad"));
    d.centered = json_is_true(json_object_get(a, "centered"));
    d.maximize = json_is_true(json_object_get(a, "maximize"));
    d.strong_wolfe = kind == BORN_LBFGS && strcmp(tc_string(a, "line_search_fn", ""), "strong_wolfe") == 0;
    return d;
}

static double given(const json_t *args, const char *name, double none)
{
    const json_t *v = json_object_get(args, name);
    return v ? tc_number(v) : none;
}

born_optim *tc_optim_make(born_module *net, const char *name, const json_t *args, bool torch_1)
{
    for (size_t i = 0; i < sizeof optimisers / sizeof optimisers[0]; i++) {
        if (strcmp(optimisers[i].name, name) != 0) continue;
        born_optim_desc d = describe(args, optimisers[i].kind);
        d.mu_twice = torch_1 && optimisers[i].kind == BORN_NADAM;
        return born_optim_create_sized(optimisers[i].kind, net, given(args, "lr", optimisers[i].lr),
                                       given(args, "weight_decay", optimisers[i].weight_decay), &d, sizeof d);
    }
    return NULL;
}

static bool make_groups(optim_run *r, const json_t *args)
{
    const json_t *groups = json_object_get(args, "param_groups");
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *g = json_array_get(groups, i), *params = json_object_get(g, "params");
        born_optim_desc d = describe(g, BORN_OPTIM_KINDS);
        int made = -1;
        for (size_t k = 0; k < json_array_size(params); k++) {
            char path[24];
            snprintf(path, sizeof path, "%d", (int)json_integer_value(json_array_get(params, k)));
            made = born_optim_group(r->o, path, given(g, "lr", -1), given(g, "weight_decay", -1), &d);
            if (made <= 0) return say(r, "a parameter group could not be made");
        }
    }
    return true;
}

/* ---- problems ---------------------------------------------------------------------------------------------------- */

typedef struct problem {
    optim_run *r;
    const char *name;
} problem;

static born_tensor dot(born_tensor a, born_tensor b) { return tc_sum_all((born_mul)(a, b, NULL)); }
static born_tensor times(born_tensor a, double k) { return born_mul_number(a, k, NULL); }

static born_tensor loss_of(const problem *q)
{
    optim_run *r = q->r;
    born_tensor x = r->p[0], column = tc_unsqueeze(x, 1);

    if (strcmp(q->name, "quadratic") == 0) {
        born_tensor A = tc_tensor(r->c, r->b, "A", NULL, r->why), b = tc_tensor(r->c, r->b, "b", NULL, r->why);
        born_tensor Ax = tc_squeeze((born_matmul)(A, column, NULL), 1);
        return (born_sub)(times(dot(x, Ax), 0.5), dot(b, x), NULL);
    }
    if (strcmp(q->name, "rosenbrock") == 0) {
        int64_t n = tc_size(x, 0);
        born_tensor head = tc_slice(x, 0, 0, n - 1, 1), tail = tc_slice(x, 0, 1, n, 1);
        born_tensor off = (born_sub)(tail, (born_square)(head, NULL), NULL);
        born_tensor rest = born_add_number((born_neg)(head, NULL), 1, NULL);
        return (born_add)(times(dot(off, off), 100), dot(rest, rest), NULL);
    }
    born_tensor X = tc_tensor(r->c, r->b, "X", NULL, r->why), y = tc_tensor(r->c, r->b, "y", NULL, r->why);
    born_tensor z = tc_squeeze((born_matmul)(X, column, NULL), 1);
    born_tensor l = (born_binary_cross_entropy_with_logits)(z, y, NULL, NULL);
    return (born_add)(l, times(dot(x, x), 0.01), NULL);
}

static born_status closure(void *user, double *loss)
{
    const problem *q = user;
    born_optim_zero_grad(q->r->o);
    born_scope s = born_scope_begin(q->r->b);
    born_tensor l = loss_of(q);
    born_status st = (born_backward)(l);
    if (!st) st = (born_item)((born_cast)(l, BORN_F64, NULL), BORN_F64, loss);
    born_scope_end(s);
    return st;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static bool set_grads(optim_run *r, int t)
{
    for (int i = 0; i < r->params; i++) {
        char name[24];
        snprintf(name, sizeof name, "grads.%d", i);
        born_tensor all = tc_tensor(r->c, r->b, name, NULL, r->why);
        born_tensor g = t < 0 ? all : tc_squeeze(tc_slice(all, 0, t, t + 1, 1), 0);
        if (born_grad_set(r->p[i], (born_copy)(g, NULL))) return say(r, "a gradient could not be set");
    }
    return true;
}

static bool clip(optim_run *r, const char *name, const json_t *args, double *total)
{
    born_status s;
    if (strstr(name, "clip_grad_value_")) s = born_clip_grad_value(r->net, given(args, "clip_value", 0));
    else s = born_clip_grad_norm(r->net, given(args, "max_norm", 0), given(args, "norm_type", 2), total);
    return s == BORN_OK || say(r, "clipping failed");
}

static bool one_step(optim_run *r, const json_t *args, int t, double *loss)
{
    const json_t *clips = json_object_get(args, "clip");
    problem q = { r, tc_string(args, "problem", "") };
    double total = 0;

    if (q.name[0]) {
        if (born_optim_step_closure(r->o, closure, &q, loss)) return say(r, "a step failed");
        return true;
    }
    if (!set_grads(r, t)) return false;
    if (clips && !clip(r, tc_string(clips, "name", ""), json_object_get(clips, "args"), &total)) return false;
    if (born_optim_step(r->o)) return say(r, "a step failed");
    return !r->s || born_sched_step(r->s) == BORN_OK || say(r, "the schedule failed");
}

/* Compares what every parameter was after each step; parameter i's values lie behind each other in rows[i]. */
static bool compare_steps(optim_run *r, double *const *rows, int steps, const double *losses)
{
    born_shape all = BORN_SHAPE(steps);
    if (tc_find_array(r->c, "losses") && !tc_compare_host(r->c, "losses", losses, &all, r->why)) return false;
    for (int i = 0; i < r->params; i++) {
        char name[24];
        born_shape own = born_shape_of(r->p[i]), s = { own.rank + 1, { steps } };
        for (int d = 0; d < own.rank; d++) s.dim[d + 1] = own.dim[d];
        snprintf(name, sizeof name, "steps.%d", i);
        if (!tc_compare_host(r->c, name, rows[i], &s, r->why)) return false;
    }
    return true;
}

typedef struct state_check {
    optim_run *r;
    int met;
} state_check;

static bool check_item(void *user, const born_optim_item *item)
{
    state_check *k = user;
    char path[96];
    bool whole = strncmp(item->path, "lbfgs.", 6) == 0;
    snprintf(path, sizeof path, "state_after.%s%.60s", whole ? "0." : "", whole ? item->path + 6 : item->path);
    const born_array *want = tc_find_array(k->r->c, path);
    if (!want) return true;
    k->met++;
    if (tc_given(item->value)) return tc_compare(k->r->c, path, item->value, k->r->why);
    if (want->dtype != BORN_I64) return tc_compare_host(k->r->c, path, &item->number, &want->shape, k->r->why);
    int64_t n;
    memcpy(&n, want->data, sizeof n);
    return (double)n == item->number || say(k->r, "the count of steps differs");
}

static bool check_state(optim_run *r)
{
    state_check k = { r, 0 };
    (void)born_optim_each(r->o, check_item, &k);
    if (r->why[0]) return false;
    size_t want = json_object_size(json_object_get(r->c->json, "state_after"));
    return (size_t)k.met == want || say(r, "state of PyTorch's is missing");
}

static bool run_steps(optim_run *r, const json_t *args)
{
    enum { STEPS = 10 };
    double losses[STEPS] = { 0 }, *rows[MOST_PARAMS] = { 0 };
    bool ok = true;

    for (int i = 0; i < r->params; i++) {
        rows[i] = calloc((size_t)tc_count(r->p[i]) * STEPS + 1, sizeof *rows[i]);
        ok = ok && rows[i];
    }
    for (int t = 0; ok && t < STEPS; t++) {
        born_scope s = born_scope_begin(r->b);
        ok = one_step(r, args, t, &losses[t]);
        for (int i = 0; ok && i < r->params; i++) {
            int64_t n = tc_count(r->p[i]);
            born_tensor wide = (born_cast)(born_detach(r->p[i]), BORN_F64, NULL);
            ok = !(born_read)(wide, rows[i] + t * n, (size_t)n * sizeof(double)) || say(r, "a parameter is lost");
        }
        born_scope_end(s);
    }
    ok = ok && compare_steps(r, rows, STEPS, losses) && check_state(r);
    for (int i = 0; i < r->params; i++) free(rows[i]);
    return ok;
}

/* clip_grad_norm_ and clip_grad_value_ alone: gradients are inputs. */
static bool run_clip(optim_run *r, const char *name, const json_t *args)
{
    double total = 0;
    born_shape scalar = { 0 };

    if (!set_grads(r, -1) || !clip(r, name, args, &total)) return false;
    for (int i = 0; i < r->params; i++) {
        char want[24];
        snprintf(want, sizeof want, "clipped.%d", i);
        if (!tc_compare(r->c, want, born_grad_of(r->p[i]), r->why)) return false;
    }
    return !tc_find_array(r->c, "total_norm") || tc_compare_host(r->c, "total_norm", &total, &scalar, r->why);
}

/* The module's parameters from params.<i>, or zeros like grads.<i>. */
static void make_params(optim_run *r)
{
    for (r->params = 0; r->params < MOST_PARAMS; r->params++) {
        char name[24], path[24];
        snprintf(name, sizeof name, "params.%d", r->params), snprintf(path, sizeof path, "%d", r->params);
        const born_array *a = tc_find_array(r->c, name);
        if (!a) {
            snprintf(name, sizeof name, "grads.%d", r->params);
            a = json_object_get(json_object_get(r->c->json, "args"), "lr") ? NULL : tc_find_array(r->c, name);
        }
        if (!a) return;
        r->p[r->params] = born_module_add(r->net, path, BORN_PARAM, *a);
    }
}

static bool run_case(optim_run *r, const char *name)
{
    const json_t *args = json_object_get(r->c->json, "args"), *sched = json_object_get(args, "scheduler");

    make_params(r);
    if (strstr(name, "torch.nn.utils.") == name) return run_clip(r, name, args);
    bool torch_1 = strncmp(tc_string(r->c->json, "source", ""), "torch 1.", 8) == 0;
    r->o = tc_optim_make(r->net, name + strlen("torch.optim."), args, torch_1);
    if (!r->o || !born_optim_is_alive(r->o)) return say(r, "the optimiser could not be made");
    if (!make_groups(r, args)) return false;
    if (sched) r->s = tc_sched_make(r->o, tc_string(sched, "name", ""), json_object_get(sched, "args"), r->why);
    if (sched && !born_sched_is_alive(r->s)) return say(r, "the schedule could not be made");
    return run_steps(r, args);
}

tc_result tc_run_optim_case(tc_case *c, born_device *d, char *why)
{
    optim_run r = { .c = c, .why = why };
    born_error err = { 0 };

    r.b = born_autodiff(tc_leaf(d));
    r.net = born_module_create_with(r.b, &(born_module_desc){ .dtype = c->real });
    born_scope s = born_scope_begin(r.b);
    bool ok = run_case(&r, tc_string(c->json, "name", ""));
    born_scope_end(s);
    born_backend_take_error(r.b, &err);
    if (err.status) {
        size_t n = strlen(why);
        snprintf(why + n, TC_TEXT - n, "%s%s", n ? ": " : "", err.text);
    }
    born_sched_close(&r.s), born_optim_close(&r.o), born_module_close(&r.net), born_backend_close(&r.b);
    return ok && !err.status ? TC_PASSED : TC_FAILED;
}
