/* torch_cases: kinds op, grad2, loss and module. The function runs under autodiff (under two of them for grad2), the
   sum of its results times the case's cotangents is differentiated, and values, gradients, second derivatives and
   changed state are compared. */
#include "torch_cases.h"

typedef struct run {
    tc_case *c;
    born_backend *b, *below;        /* the outer autodiff and, for grad2, the one under it */
    tc_call k;
    born_tensor cotangent[TC_MOST_OUT];
    char *why;
} run;

static bool asked_for(const tc_case *c, const char *input)
{
    return json_object_get(json_object_get(c->json, "grads"), input) != NULL;
}

static bool make_inputs(run *r, bool twice)
{
    tc_call *k = &r->k;
    const json_t *names = json_object_get(r->c->json, "inputs");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name == NULL || k->n_in == TC_MOST_IN) {
            snprintf(r->why, TC_TEXT, "case.json: inputs");
            return false;
        }
        born_tensor x = tc_tensor(r->c, r->b, name, name, r->why);
        if (!tc_given(x)) return false;
        k->name[k->n_in] = name;
        k->in[k->n_in++] = asked_for(r->c, name) ? born_requires_grad(x) : x;
    }
    const json_t *cots = json_object_get(r->c->json, "grad_outputs");
    for (size_t i = 0; i < json_array_size(cots) && i < TC_MOST_OUT; i++) {
        const char *name = json_string_value(json_array_get(cots, i));
        if (name == NULL) continue;
        r->cotangent[i] = tc_tensor(r->c, r->b, name, NULL, r->why);
        if (!tc_given(r->cotangent[i])) return false;
        if (twice) born_requires_grad(r->cotangent[i]);
    }
    return true;
}

/* CTC: the loss is fed the log softmax of the logits. */
static bool precompute(run *r)
{
    const json_t *what = json_object_get(r->c->json, "precompute");
    if (what == NULL) return true;
    for (int i = 0; i < r->k.n_in; i++) {
        if (strcmp(r->k.name[i], "logits") != 0) continue;
        r->k.name[i] = "log_probs";
        r->k.in[i] = born_log_softmax(r->k.in[i], -1);
        return true;
    }
    snprintf(r->why, TC_TEXT, "case.json: precompute without logits");
    return false;
}

static bool compare_outputs(run *r)
{
    const json_t *names = json_object_get(r->c->json, "outputs");
    if ((int)json_array_size(names) != r->k.n_out) {
        snprintf(r->why, TC_TEXT, "%d results, not %d", r->k.n_out, (int)json_array_size(names));
        return false;
    }
    for (int i = 0; i < r->k.n_out; i++) {
        if (!tc_compare(r->c, json_string_value(json_array_get(names, (size_t)i)), r->k.out[i], r->why)) return false;
    }
    return true;
}

/* The sum of x * y, each given; {0} counts as 0. */
static born_tensor add_product(born_tensor sum, born_tensor x, born_tensor y)
{
    born_tensor part = tc_sum_all(born_mul(x, y));
    return tc_given(sum) ? born_add(sum, part) : part;
}

static bool backward(run *r, born_tensor total)
{
    if (!tc_given(total) || born_backward(total) == BORN_OK) return true;
    snprintf(r->why, TC_TEXT, "backward: %.300s", born_backend_error(r->b)->text);
    return false;
}

/* A gradient that Born does not have is one of zeros: nothing flows there. */
static bool compare_gradient(run *r, const char *array, born_tensor g, born_tensor x)
{
    return tc_compare(r->c, array, tc_given(g) ? g : tc_full_like(&r->k, x, 0), r->why);
}

/* An input, or as "state.<path>" a parameter of the module. */
static born_tensor case_input(const run *r, const char *name, const born_tensor *made)
{
    if (strncmp(name, "state.", 6) == 0) {
        return r->k.module != NULL ? born_module_find(r->k.module, name + 6) : tc_absent;
    }
    for (int i = 0; i < r->k.n_in; i++) {
        const char *now = strcmp(r->k.name[i], "log_probs") == 0 ? "logits" : r->k.name[i];
        if (strcmp(now, name) == 0) return made[i];
    }
    return tc_absent;
}

static bool first_gradients(run *r, const born_tensor *made)
{
    born_tensor total = { 0 };
    if (json_object_size(json_object_get(r->c->json, "grads")) == 0) return true;
    for (int i = 0; i < r->k.n_out; i++) {
        if (tc_given(r->cotangent[i])) total = add_product(total, r->k.out[i], r->cotangent[i]);
    }
    if (!backward(r, total)) return false;
    const char *name;
    json_t *array;
    json_object_foreach(json_object_get(r->c->json, "grads"), name, array) {
        born_tensor x = case_input(r, name, made);
        if (!compare_gradient(r, json_string_value(array), born_grad_of(x), x)) return false;
    }
    return true;
}

static bool second_gradients(run *r, const born_tensor *made)
{
    born_tensor total = { 0 };
    const char *name;
    json_t *array;
    json_object_foreach(json_object_get(r->c->json, "grad2_cotangents"), name, array) {
        born_tensor g = born_grad_of(case_input(r, name, made));
        born_tensor w = tc_tensor(r->c, r->below, json_string_value(array), NULL, r->why);
        if (tc_given(g) && tc_given(w)) total = add_product(total, g, w);
    }
    if (!backward(r, total)) return false;
    const json_t *cots = json_object_get(r->c->json, "grad_outputs");
    json_object_foreach(json_object_get(r->c->json, "grads2"), name, array) {
        born_tensor x = case_input(r, name, made);
        for (size_t i = 0; i < json_array_size(cots); i++) {
            const char *cot = json_string_value(json_array_get(cots, i));
            if (cot != NULL && strcmp(cot, name) == 0) x = r->cotangent[i];
        }
        if (!compare_gradient(r, json_string_value(array), born_grad_at(r->below, x), x)) return false;
    }
    return true;
}

/* Buffers that forward changed. */
static bool compare_state(run *r)
{
    const char *name;
    json_t *array;
    json_object_foreach(json_object_get(r->c->json, "state_after"), name, array) {
        if (!tc_compare(r->c, json_string_value(array), born_module_find(r->k.module, name), r->why)) return false;
    }
    return true;
}

/* Arguments of forward stand beside the constructor's: their names differ. */
static json_t *all_arguments(const tc_case *c)
{
    json_t *all = json_copy(json_object_get(c->json, "args"));
    json_t *more = json_object_get(c->json, "forward_args");
    if (all != NULL && more != NULL) json_object_update(all, more);
    return all;
}

static bool run_function(run *r)
{
    const char *name = tc_string(r->c->json, "name", "");
    r->k.row = tc_find_row(name);
    r->k.args = all_arguments(r->c);
    r->k.from = r->c;
    r->k.wanted = (int)json_array_size(json_object_get(r->c->json, "outputs"));
    if (r->k.row == NULL) {
        snprintf(r->why, TC_TEXT, "%.100s: no such function here", name);
        return false;
    }
    bool good = tc_formula_is(r->c) ? tc_formula_run(&r->k, tc_string(r->c->json, "note", "")) : tc_call_run(&r->k);
    if (!good) snprintf(r->why, TC_TEXT, "%s", r->k.why);
    return good;
}

tc_result tc_run_gradient_case(tc_case *c, born_device *d, char *why)
{
    bool twice = strcmp(tc_string(c->json, "kind", ""), "grad2") == 0;
    born_tensor made[TC_MOST_IN];
    run *r = calloc(1, sizeof *r);
    if (r == NULL) {
        snprintf(why, TC_TEXT, "out of memory");
        return TC_FAILED;
    }
    *r = (run){ .c = c, .why = why };
    r->below = born_autodiff(tc_leaf(d));
    r->b = twice ? born_autodiff(r->below) : r->below;
    r->k.b = r->b;
    r->k.real = c->real;
    bool good = make_inputs(r, twice);
    memcpy(made, r->k.in, sizeof made);
    good = good && precompute(r) && run_function(r) && compare_outputs(r) && first_gradients(r, made);
    good = good && (!twice || second_gradients(r, made)) && compare_state(r);
    born_error err;
    born_backend_take_error(r->b, &err);
    if (good && err.status != BORN_OK) {
        snprintf(why, TC_TEXT, "%s: %.300s", born_status_name(err.status), err.text);
        good = false;
    }
    json_decref(r->k.args);
    born_module_close(&r->k.root);
    born_backend_close(&r->b);
    free(r);
    return good ? TC_PASSED : TC_FAILED;
}
