/* Autodiff through the public API: gradients of composite functions against finite differences, second derivatives by
   stacking, saved values that change, accumulation, what depends on nothing, and the same through a trace. */
#include <born/born.h>
#include <math.h>

#include "base/alloc.h"
#include "harness.h"

typedef born_f64 (*scalar_fn)(born_f64 x);

static born_f64 total(born_f64 x) { return born_reduce_sum(x, (born_ints){ 0 }, NULL); }

static born_f64 f_poly(born_f64 x) { return total(born_add(born_mul(born_mul(x, x), x), born_mul(x, 2))); }
static born_f64 f_tanh(born_f64 x) { return total(born_tanh(born_mul(born_exp(x), 0.5))); }
static born_f64 f_gelu(born_f64 x) { return total(born_mul(born_gelu(x, NULL), born_sigmoid(x))); }
static born_f64 f_div(born_f64 x) { return total(born_div(born_sin(x), born_add(born_square(x), 1))); }
static born_f64 f_pow(born_f64 x) { return total(born_sqrt(born_add(born_pow(x, 2), 0.1))); }
static born_f64 f_where(born_f64 x) { return total(born_where(born_gt(x, 0.2), born_square(x), born_mul(x, 3))); }
static born_f64 f_max(born_f64 x) { return total(born_max(born_square(x), born_mul(x, 0.5))); }
static born_f64 f_mean(born_f64 x)
{
    born_f64 m = born_reduce_mean(x, BORN_INTS(1), NULL);       /* [2, 1], broadcast back below */
    return total(born_square(born_sub(x, m)));
}
static born_f64 f_softmax(born_f64 x)
{
    born_f64 e = born_exp(born_sub(x, born_reduce_max(x, BORN_INTS(1), NULL)));
    return total(born_mul(born_div(e, born_reduce_sum(e, BORN_INTS(1), NULL)), born_sin(x)));
}
static born_f64 f_matmul(born_f64 x)
{
    return total(born_tanh(born_matmul(x, born_transpose(x, (born_ints){ 0 }))));
}
static born_f64 f_shapes(born_f64 x)
{
    born_f64 y = born_reshape(born_transpose(x, (born_ints){ 0 }), BORN_SHAPE(2, -1));
    born_f64 s = born_slice(y, BORN_INTS(1), BORN_INTS(3), BORN_INTS(1), (born_ints){ 0 });
    born_f64 two[2] = { s, born_square(s) };
    return total(born_mul(born_concat(two, 2, 0), 1.5));
}

static const struct { const char *name; scalar_fn f; } cases[] = {
    { "poly", f_poly }, { "tanh", f_tanh }, { "gelu", f_gelu }, { "div", f_div },         { "pow", f_pow },
    { "where", f_where }, { "max", f_max }, { "mean", f_mean }, { "softmax", f_softmax }, { "matmul", f_matmul },
    { "shapes", f_shapes },
};
enum { CASES = sizeof cases / sizeof cases[0], N = 6 };
static const double at[N] = { 0.3, -0.7, 1.1, 0.9, -0.25, 0.6 };

static double value_at(born_backend *b, scalar_fn f, const double *x)
{
    double v = NAN;
    born_scope s = born_scope_begin(b);
    if (born_item_f64(f(born_from_f64(b, BORN_ARRAY(x, 2, 3))), &v)) v = NAN;
    born_scope_end(s);
    return v;
}

static double slope_at(born_backend *b, scalar_fn f, int i)
{
    double lo[N], hi[N], h = 1e-6;
    memcpy(lo, at, sizeof lo);
    memcpy(hi, at, sizeof hi);
    lo[i] -= h;
    hi[i] += h;
    return (value_at(b, f, hi) - value_at(b, f, lo)) / (2 * h);
}

TEST(first_derivatives)
{
    born_backend *b = born_autodiff(born_cpu(NULL)), *plain = born_cpu(NULL);
    for (int k = 0; k < CASES; k++) {
        born_scope s = born_scope_begin(b);
        born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(at, 2, 3)));
        CHECK_STATUS(born_backward(cases[k].f(x)), BORN_OK);
        double g[N] = { 0 };
        CHECK_STATUS(born_read(born_grad_of(x), g, sizeof g), BORN_OK);
        for (int i = 0; i < N; i++) {
            double want = slope_at(plain, cases[k].f, i);
            CHECK_MSG(fabs(g[i] - want) <= 1e-6 * (1 + fabs(want)), "%s, element %d: %.9g, by differences %.9g",
                      cases[k].name, i, g[i], want);
        }
        born_scope_end(s);
        CHECK_MSG(!born_backend_error(b)->status, "%s: %s", cases[k].name, born_backend_error(b)->text);
        born_error err;
        born_backend_take_error(b, &err);
    }
    born_backend_close(&b);
    born_backend_close(&plain);
}

/* d/dx of the sum of weighted first derivatives, by stacking and by differences of the first derivative. */
static bool weighted_gradient(born_backend *b, scalar_fn f, const double *x, double *out)
{
    static const double w[N] = { 1, -2, 0.5, 3, 1.5, -1 };
    bool good = false;
    born_scope s = born_scope_begin(b);
    born_f64 v = born_requires_grad(born_from_f64(b, BORN_ARRAY(x, 2, 3)));
    double g[N];
    if (born_backward(f(v)) == BORN_OK && born_read(born_grad_of(v), g, sizeof g) == BORN_OK) {
        good = true;
        *out = 0;
        for (int i = 0; i < N; i++) *out += g[i] * w[i];
    }
    born_scope_end(s);
    return good;
}

TEST(second_derivatives_by_stacking)
{
    static const double w[N] = { 1, -2, 0.5, 3, 1.5, -1 };
    born_backend *inner = born_autodiff(born_cpu(NULL)), *b = born_autodiff(inner);
    born_backend *once = born_autodiff(born_cpu(NULL));
    for (int k = 0; k < CASES; k++) {
        born_scope s = born_scope_begin(b);
        born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(at, 2, 3)));
        CHECK_STATUS(born_backward(cases[k].f(x)), BORN_OK);
        born_f64 g = born_keep(born_grad_of(x));
        born_f64 weighted = total(born_mul(g, born_from_f64(inner, BORN_ARRAY(w, 2, 3))));
        CHECK_STATUS(born_backward(weighted), BORN_OK);
        double got[N] = { 0 };
        CHECK_STATUS(born_read(born_grad_at(inner, x), got, sizeof got), BORN_OK);
        for (int i = 0; i < N; i++) {
            double lo[N], hi[N], a, c, h = 1e-5;
            memcpy(lo, at, sizeof lo);
            memcpy(hi, at, sizeof hi);
            lo[i] -= h;
            hi[i] += h;
            REQUIRE(weighted_gradient(once, cases[k].f, lo, &a) && weighted_gradient(once, cases[k].f, hi, &c));
            double want = (c - a) / (2 * h);
            CHECK_MSG(fabs(got[i] - want) <= 1e-5 * (1 + fabs(want)), "%s, element %d: %.9g, by differences %.9g",
                      cases[k].name, i, got[i], want);
        }
        born_drop(&g);
        born_grad_clear(x);
        born_scope_end(s);
        CHECK_MSG(!born_backend_error(b)->status, "%s: %s", cases[k].name, born_backend_error(b)->text);
        born_error err;
        born_backend_take_error(b, &err);
    }
    born_backend_close(&b);
    born_backend_close(&once);
}

TEST(gradients_add_up_until_cleared)
{
    born_backend *b = born_autodiff(born_cpu(NULL));
    double one[2] = { 3, 4 }, g[2];
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(one, 2)));
    CHECK(born_grad_of(x).any.w == 0);
    for (int i = 1; i <= 3; i++) {
        CHECK_STATUS(born_backward(total(born_square(x))), BORN_OK);
        CHECK_STATUS(born_read(born_grad_of(x), g, sizeof g), BORN_OK);
        CHECK(g[0] == 6 * i && g[1] == 8 * i);
    }
    born_grad_clear(x);
    CHECK(born_grad_of(x).any.w == 0);
    born_backend_close(&b);
}

TEST(what_has_no_gradient)
{
    born_backend *cpu = born_cpu(NULL), *b = born_autodiff(cpu);
    double v[2] = { 3, 4 }, g[2];
    born_error err;
    born_f64 x = born_from_f64(b, BORN_ARRAY(v, 2)), y = born_requires_grad(born_from_f64(b, BORN_ARRAY(v, 2)));
    CHECK_STATUS(born_backward(total(x)), BORN_STATE);
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "backward: the value depends on no tensor that asked for a gradient");
    CHECK_STATUS(born_backward(y), BORN_SHAPE);
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "backward: the loss has shape [2], not one element");
    born_f64 low = born_from_f64(cpu, BORN_ARRAY(v, 2));
    CHECK_STATUS(born_backward(total(born_mul(low, low))), BORN_STATE);
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "backward: no autodiff knows this tensor");
    CHECK_STATUS(born_backward(total(born_mul(y, born_detach(y)))), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(y), g, sizeof g), BORN_OK);
    CHECK(g[0] == 3 && g[1] == 4);
    int64_t i[2] = { 1, 2 };
    (void)born_requires_grad(born_from_i64(b, BORN_ARRAY(i, 2)));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_DTYPE);
    born_backend_close(&b);
}

TEST(a_saved_value_that_changed)
{
    born_backend *b = born_autodiff(born_cpu(NULL));
    double v[2] = { 3, 4 }, g[2];
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(v, 2))), y = born_from_f64(b, BORN_ARRAY(v, 2));
    int line = __LINE__ + 1;
    born_f64 loss = total(born_mul(x, y));
    CHECK_STATUS(born_write(y, v, sizeof v), BORN_OK);
    CHECK_STATUS(born_backward(loss), BORN_STATE);
    born_error err;
    char want[200];
    born_backend_take_error(b, &err);
    snprintf(want, sizeof want, "operand 1 of mul (%s:%d) was overwritten by write after its use", __FILE__, line);
    CHECK_MSG(strstr(err.text, want), "%s", err.text);
    CHECK(born_grad_of(x).any.w == 0);
    CHECK_STATUS(born_backward(total(born_mul(x, y))), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(x), g, sizeof g), BORN_OK);
    born_backend_close(&b);
}

TEST(a_long_chain_does_not_recurse)
{
    born_backend *b = born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    double one = 1, g = 0;
    born_scope s = born_scope_begin(b);
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY_OF(BORN_F64, &one, 1))), y = x;
    for (int i = 0; i < 20000; i++) y = born_add(y, x);
    CHECK_STATUS(born_backward(y), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(x), &g, sizeof g), BORN_OK);
    CHECK(g == 20001);
    born_scope_end(s);
    born_backend_close(&b);
}

static born_f64 f_wide(born_f64 x)
{
    born_f64 parts[20];
    for (int i = 0; i < 20; i++) parts[i] = born_mul(x, i);
    return total(born_square(born_concat(parts, 20, 0)));
}

TEST(many_operands)
{
    born_backend *b = born_autodiff(born_cpu(NULL));
    double v[2] = { 3, 4 }, g[2];
    born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(v, 2)));
    CHECK_STATUS(born_backward(f_wide(x)), BORN_OK);
    CHECK_MSG(!born_backend_error(b)->status, "%s", born_backend_error(b)->text);
    CHECK_STATUS(born_read(born_grad_of(x), g, sizeof g), BORN_OK);
    CHECK(g[0] == 2 * 3 * 2470 && g[1] == 2 * 4 * 2470);     /* 2470: the sum of squares below 20 */
    born_backend_close(&b);
}

TEST(steady_state_allocates_nothing)
{
    born_backend *b = born_autodiff(born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 })));
    uint64_t before = 0;
    for (int step = 0; step < 12; step++) {
        if (step == 6) before = born__alloc_calls();
        for (int k = 0; k < CASES; k++) {
            born_scope s = born_scope_begin(b);
            born_f64 x = born_requires_grad(born_from_f64(b, BORN_ARRAY(at, 2, 3)));
            CHECK_STATUS(born_backward(cases[k].f(x)), BORN_OK);
            born_grad_clear(x);
            born_scope_end(s);
        }
    }
    CHECK_INT(born__alloc_calls() - before, 0);
    born_backend_close(&b);
}

TEST_MAIN
