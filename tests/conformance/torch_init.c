/* torch_cases: kind init. Fills are random, so statistics are compared: over s fills of n elements each with a seed of
   its own, all within [low, high], mean and deviation within 5 standard errors, orthogonal matrices orthogonal. */
#include <born/init.h>

#include "torch_cases.h"

enum { MOST_ELEMENTS = 1 << 20 };

/* ---- rows: they fill the tensor "w" of k->module ---- */

static void check(tc_call *k, born_status s, const born_error *err)
{
    if (s != BORN_OK) tc_fail(k, "%.300s", err->text);
}
static void run_uniform(tc_call *k)
{
    born_error err;
    check(k, born_init_uniform(k->module, "w", tc_num(k, "a"), tc_num(k, "b"), &err), &err);
}
static void run_normal(tc_call *k)
{
    born_error err;
    check(k, born_init_normal(k->module, "w", tc_num(k, "mean"), tc_num(k, "std"), &err), &err);
}
static void run_trunc_normal(tc_call *k)
{
    born_error err;
    check(k, born_init_trunc_normal(k->module, "w", tc_num(k, "mean"), tc_num(k, "std"), tc_num(k, "a"), tc_num(k, "b"),
                                    &err), &err);
}
static void run_constant(tc_call *k)
{
    born_error err;
    check(k, born_init_constant(k->module, "w", tc_num(k, "val"), &err), &err);
}
static void run_eye(tc_call *k)
{
    born_error err;
    check(k, born_init_eye(k->module, "w", &err), &err);
}
static void run_dirac(tc_call *k)
{
    born_error err;
    check(k, born_init_dirac(k->module, "w", tc_int(k, "groups"), &err), &err);
}
static void run_xavier_uniform(tc_call *k)
{
    born_error err;
    check(k, born_init_xavier_uniform(k->module, "w", tc_num(k, "gain"), &err), &err);
}
static void run_xavier_normal(tc_call *k)
{
    born_error err;
    check(k, born_init_xavier_normal(k->module, "w", tc_num(k, "gain"), &err), &err);
}
static born_nonlinearity nonlinearity(const tc_call *k)
{
    static const struct { const char *name; born_nonlinearity f; } names[] = {
        { "leaky_relu", BORN_GAIN_LEAKY_RELU }, { "tanh", BORN_GAIN_TANH }, { "relu", BORN_GAIN_RELU },
        { "selu", BORN_GAIN_SELU },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (tc_says(k, "nonlinearity", names[i].name)) return names[i].f;
    }
    return BORN_GAIN_LINEAR;
}
static void kaiming(tc_call *k, bool uniform)
{
    born_error err;
    born_fan fan = tc_says(k, "mode", "fan_out") ? BORN_FAN_OUT : BORN_FAN_IN;
    check(k, uniform ? born_init_kaiming_uniform(k->module, "w", tc_num(k, "a"), fan, nonlinearity(k), &err)
                     : born_init_kaiming_normal(k->module, "w", tc_num(k, "a"), fan, nonlinearity(k), &err), &err);
}
static void run_kaiming_uniform(tc_call *k) { kaiming(k, true); }
static void run_kaiming_normal(tc_call *k) { kaiming(k, false); }
static void run_orthogonal(tc_call *k)
{
    born_error err;
    check(k, born_init_orthogonal(k->module, "w", tc_num(k, "gain"), &err), &err);
}
static void run_sparse(tc_call *k)
{
    born_error err;
    check(k, born_init_sparse(k->module, "w", tc_num(k, "sparsity"), tc_num(k, "std"), &err), &err);
}

#define INIT(name_, parameters, f) { .name = "torch.nn.init." name_, .params = parameters, .run = f }
#define KAIMING "a=0, mode='fan_in', nonlinearity='leaky_relu'"
const tc_row tc_rows_init[] = {
    INIT("uniform_", "a=0.0, b=1.0", run_uniform),
    INIT("normal_", "mean=0.0, std=1.0", run_normal),
    INIT("trunc_normal_", "mean=0.0, std=1.0, a=-2.0, b=2.0", run_trunc_normal),
    INIT("constant_", "val", run_constant),
    INIT("ones_", "val=1", run_constant),
    INIT("zeros_", "val=0", run_constant),
    INIT("eye_", "", run_eye),
    INIT("dirac_", "groups=1", run_dirac),
    INIT("xavier_uniform_", "gain=1.0", run_xavier_uniform),
    INIT("xavier_normal_", "gain=1.0", run_xavier_normal),
    INIT("kaiming_uniform_", KAIMING, run_kaiming_uniform),
    INIT("kaiming_normal_", KAIMING, run_kaiming_normal),
    INIT("orthogonal_", "gain=1", run_orthogonal),
    INIT("sparse_", "sparsity, std=0.01", run_sparse),
    { 0 },
};

/* ---- running ---- */

static born_shape shape_of(const json_t *list)
{
    born_shape s = { 0 };
    for (size_t i = 0; i < json_array_size(list) && s.rank < BORN_MAX_RANK; i++) {
        s.dim[s.rank++] = json_integer_value(json_array_get(list, i));
    }
    return s;
}

/* One fill: a function's on a tensor of the shape, or what a module's parameter starts with. */
static bool fill(tc_call *k, const char *parameter, born_shape s, uint64_t seed, double *out, int64_t n)
{
    born_module_desc desc = { .dtype = BORN_F64, .seed = seed };
    born_error err;
    k->root = born_module_create_with(k->b, &desc);
    if (parameter != NULL) {
        k->module = tc_module_make(k, k->root, "m", k->row->name, k->args);
    } else {
        memset(out, 0, (size_t)n * sizeof *out);
        k->module = born_module_group(k->root, "m");
        born_module_add(k->module, "w", BORN_PARAM, (born_array){ BORN_F64, s, out, 0 });
        tc_call_run(k);
        parameter = "w";
    }
    if (k->why[0] == 0 && k->module != NULL &&
        born_module_copy_out(k->module, parameter, out, (size_t)n * sizeof *out, &err) != BORN_OK) {
        tc_fail(k, "%.300s", err.text);
    }
    born_module_close(&k->root);
    return k->why[0] == 0;
}

/* The largest element of |W W' / gain^2 - I|, of the smaller of the two products. */
static double orthogonality_error(const double *w, int64_t rows, int64_t columns, double gain)
{
    bool wide = rows <= columns;
    int64_t m = wide ? rows : columns, n = wide ? columns : rows;
    double worst = 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < m; j++) {
            double dot = 0;
            for (int64_t t = 0; t < n; t++) {
                dot += wide ? w[i * columns + t] * w[j * columns + t] : w[t * columns + i] * w[t * columns + j];
            }
            double off = fabs(dot / (gain * gain) - (i == j));
            worst = off > worst ? off : worst;
        }
    }
    return worst;
}

typedef struct sums {
    double sum, squares, low, high, error;
    int64_t n;
} sums;

static bool fits(const sums *t, const json_t *expect, char *why)
{
    const json_t *low = json_object_get(expect, "low"), *high = json_object_get(expect, "high");
    double mean = json_number_value(json_object_get(expect, "mean")),
           std = json_number_value(json_object_get(expect, "std"));
    double got = t->sum / (double)t->n, spread = t->squares / (double)t->n - got * got;
    double room = 5 * std / sqrt((double)t->n) + 1e-12;
    spread = spread > 0 ? sqrt(spread) : 0;
    /* the difference of two large numbers that is the spread is exact to some 1e-8 */
    if (fabs(got - mean) > room || fabs(spread - std) > room + (std == 0 ? 1e-7 : 0)) {
        snprintf(why, TC_TEXT, "mean %.6g, std %.6g, not %.6g, %.6g within %.2g", got, spread, mean, std, room);
        return false;
    }
    if ((low != NULL && t->low < json_number_value(low)) || (high != NULL && t->high > json_number_value(high))) {
        snprintf(why, TC_TEXT, "elements from %.9g to %.9g are out of bounds", t->low, t->high);
        return false;
    }
    if (t->error > 1e-12) snprintf(why, TC_TEXT, "off by %.3g from orthogonal", t->error);
    return t->error <= 1e-12;
}

static bool fill_all(tc_call *k, tc_case *c, born_shape s, sums *t)
{
    const char *parameter = tc_string(c->json, "parameter", NULL);
    int64_t n = 1, fills = json_integer_value(json_object_get(c->json, "seeds"));
    for (int i = 0; i < s.rank; i++) n *= s.dim[i];
    if (n < 1 || n > MOST_ELEMENTS || fills < 1) {
        tc_fail(k, "a shape of %lld elements, %lld fills", (long long)n, (long long)fills);
        return false;
    }
    bool square = strstr(k->row->name, "orthogonal") != NULL;
    const json_t *gain = json_object_get(k->args, "gain");
    double *v = malloc((size_t)n * sizeof *v), before = NAN;
    bool good = v != NULL, moved = false;
    *t = (sums){ .low = INFINITY, .high = -INFINITY };
    for (int64_t f = 0; good && f < fills; f++) {
        good = fill(k, parameter, s, (uint64_t)f + 1, v, n);
        for (int64_t i = 0; good && i < n; i++, t->n++) {
            t->sum += v[i];
            t->squares += v[i] * v[i];
            t->low = v[i] < t->low ? v[i] : t->low;
            t->high = v[i] > t->high ? v[i] : t->high;
        }
        if (good && square) {
            double error = orthogonality_error(v, s.dim[0], n / s.dim[0], gain != NULL ? json_number_value(gain) : 1);
            t->error = error > t->error ? error : t->error;
        }
        moved |= f > 0 && good && v[n - 1] != before;
        before = good ? v[n - 1] : before;
    }
    free(v);
    if (good && fills > 1 && t->low < t->high && !moved) tc_fail(k, "every seed gives the same numbers");
    return good && k->why[0] == 0;
}

tc_result tc_run_init_case(tc_case *c, born_device *d, char *why)
{
    born_backend *b = tc_leaf(d);
    const char *name = tc_string(c->json, "name", "");
    tc_call k = {
        .row = tc_find_row(name), .b = b, .real = BORN_F64, .args = json_copy(json_object_get(c->json, "args"))
    };
    json_t *shape = json_object_get(c->json, "shape");
    born_shape s = shape_of(shape != NULL ? shape : json_object_get(k.args, "shape"));
    sums t;
    json_object_del(k.args, "shape");
    bool good = k.row != NULL;
    if (!good) snprintf(why, TC_TEXT, "%.100s: no such function here", name);
    if (good && !fill_all(&k, c, s, &t)) {
        snprintf(why, TC_TEXT, "%s", k.why[0] != 0 ? k.why : "out of memory");
        good = false;
    }
    good = good && fits(&t, json_object_get(c->json, "expect"), why);
    json_decref(k.args);
    born_backend_close(&b);
    return good ? TC_PASSED : TC_FAILED;
}
