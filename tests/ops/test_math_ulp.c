/* The stated bounds of math.inc: each elementary function against libm in f64, over a sweep of every exponent and both
   signs, densely where it bends; and its signed zeros, infinities, NaN and subnormals. */
#include <math.h>

#include "../harness.h"
#include "ops/lane1.h"

/* |got - want| in units of the last place of want in f32; 0 for the same infinity or NaN. */
static double ulps(float got, double want)
{
    float near = (float)want;
    if (isnan(want)) return isnan(got) ? 0 : 1e9;
    if (isinf(near) || isinf(got))
        return got == near ? 0 : fabs(want) > 3.402823e38 && fabsf(got) > 3.4028e38f ? 0 : 1e9;
    int e;
    frexp(want, &e);
    if (e < -125) e = -125;
    return fabs((double)got - want) / ldexp(1, e - 24);
}

typedef struct worst {
    double ulp;
    float at;
} worst;
static void look(worst *w, float x, float got, double want)
{
    double u = ulps(got, want);
    if (u > w->ulp) *w = (worst){ u, x };
}

/* Every 1,021st bit pattern, and every float of [lo, hi] at `steps` even steps. */
static worst sweep(float (*fn)(float), double (*ref)(double), double lo, double hi, int steps)
{
    worst w = { 0, 0 };
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += 1021) {
        float x = born__f32_from(born__i32_wrap((uint32_t)bits));
        look(&w, x, fn(x), ref((double)x));
    }
    for (int i = 0; i <= steps; i++) {
        float x = (float)(lo + (hi - lo) * i / steps);
        look(&w, x, fn(x), ref((double)x));
    }
    return w;
}

static double ref_square(double x)
{
    return x * x;
}

#define BOUND(fn, ref, lo, hi, bound)                                                                                  \
    TEST(ulp_##fn)                                                                                                     \
    {                                                                                                                  \
        worst w = sweep(fn##_f32, ref, lo, hi, 1000000);                                                               \
        printf("  %.3f ULP at %.9g\n", w.ulp, (double)w.at);                                                           \
        CHECK_MSG(w.ulp <= (bound), "%s: %g ULP at %.9g", #fn, w.ulp, (double)w.at);                                   \
    }
BOUND(exp, exp, -105, 90, 1)
BOUND(expm1, expm1, -20, 4, 1.5)
BOUND(log, log, 0, 4, 1)
BOUND(log1p, log1p, -1, 4, 1.5)
BOUND(sin, sin, -100, 100, 2)
BOUND(cos, cos, -100, 100, 2)
BOUND(tan, tan, -100, 100, 2.5)
BOUND(asin, asin, -1, 1, 2)
BOUND(acos, acos, -1, 1, 2)
BOUND(atan, atan, -5, 5, 2)
BOUND(sinh, sinh, -5, 5, 2)
BOUND(cosh, cosh, -5, 5, 2)
BOUND(tanh, tanh, -10, 10, 2.5)
BOUND(asinh, asinh, -5, 5, 2)
BOUND(acosh, acosh, 1, 5, 2)
BOUND(atanh, atanh, -1, 1, 2)
BOUND(erf, erf, -5, 5, 2)
BOUND(square, ref_square, -5, 5, 0.5)

static double ref_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752); }
static double ref_pdf(double x) { return 0.39894228040143268 * exp(-0.5 * x * x); }

TEST(normal_distribution)
{
    double cdf = 0, pdf = 0, tail = 0;
    for (int i = -1500000; i <= 1500000; i++) {
        float x = (float)i * 1e-5f;
        double want = ref_cdf((double)x), off = fabs((double)cdf_f32(x) - want);
        cdf = fmax(cdf, off);
        pdf = fmax(pdf, fabs((double)pdf_f32(x) - ref_pdf((double)x)));
        if (x < 0 && x > -5) tail = fmax(tail, off / want);
    }
    printf("  cdf %.3g, its tail %.3g of it, pdf %.3g\n", cdf, tail, pdf);
    CHECK(cdf <= 7e-8 && tail <= 0.01 && pdf <= 5e-8);
}

TEST(ulp_pow)
{
    worst w = { 0, 0 };
    uint32_t seed = 1;
    for (int i = 0; i < 2000000; i++) {
        seed = seed * 1664525u + 1013904223u;
        float x = born__f32_from((int32_t)(seed >> 1));
        seed = seed * 1664525u + 1013904223u;
        float y = (float)((double)seed / 4294967296.0 * 20 - 10);
        if (i & 1) x = 0.5f + (float)(seed >> 8) / 16777216.0f;
        if (i % 3 == 0) y = rintf(y);
        if (i % 5 == 0) x = -x;
        look(&w, x, pow_f32(x, y), pow((double)x, (double)y));
    }
    printf("  %.3f ULP at x = %.9g\n", w.ulp, (double)w.at);
    CHECK(w.ulp <= 1);
}

static bool same(float a, float b)
{
    return (a != a && b != b) || born__f32_bits(a) == born__f32_bits(b);
}

TEST(math_edges)
{
    const float tiny = 1e-42f;
    CHECK(same(exp_f32(-INFINITY), 0.0f) && same(exp_f32(INFINITY), INFINITY) && isnan(exp_f32(NAN)));
    CHECK(same(expm1_f32(-0.0f), -0.0f) && same(expm1_f32(tiny), tiny) && same(expm1_f32(-INFINITY), -1.0f));
    CHECK(same(expm1_f32(INFINITY), INFINITY));
    CHECK(same(log_f32(0.0f), -INFINITY) && same(log_f32(-0.0f), -INFINITY) && isnan(log_f32(-1.0f)));
    CHECK(same(log_f32(INFINITY), INFINITY) && same(log_f32(1.0f), 0.0f) && isnan(log_f32(NAN)));
    CHECK(same(log1p_f32(-0.0f), -0.0f) && same(log1p_f32(-1.0f), -INFINITY) && isnan(log1p_f32(-2.0f)));
    CHECK(same(log1p_f32(INFINITY), INFINITY));
    CHECK(same(sin_f32(-0.0f), -0.0f) && isnan(sin_f32(INFINITY)) && same(cos_f32(0.0f), 1.0f));
    CHECK(same(tan_f32(-0.0f), -0.0f) && isnan(cos_f32(-INFINITY)) && isnan(tan_f32(NAN)));
    CHECK(same(tanh_f32(-0.0f), -0.0f) && same(tanh_f32(INFINITY), 1.0f) && same(tanh_f32(-INFINITY), -1.0f));
    CHECK(same(sinh_f32(-0.0f), -0.0f) && same(sinh_f32(-INFINITY), -INFINITY) && same(cosh_f32(-INFINITY), INFINITY));
    CHECK(same(erf_f32(-0.0f), -0.0f) && same(erf_f32(INFINITY), 1.0f) && same(erf_f32(-INFINITY), -1.0f));
    CHECK(same(atan_f32(-0.0f), -0.0f) && same(asinh_f32(-INFINITY), -INFINITY) && isnan(erf_f32(NAN)));
    CHECK(same(atanh_f32(1.0f), INFINITY) && same(atanh_f32(-1.0f), -INFINITY) && same(atanh_f32(-0.0f), -0.0f));
    CHECK(isnan(asin_f32(1.5f)) && isnan(acos_f32(-1.5f)) && isnan(acosh_f32(0.5f)) && same(acosh_f32(1.0f), 0.0f));
    CHECK(same(cdf_f32(0.0f), 0.5f) && same(cdf_f32(-0.0f), 0.5f) && same(cdf_f32(tiny), 0.5f) && isnan(cdf_f32(NAN)));
    CHECK(same(cdf_f32(INFINITY), 1.0f) && same(cdf_f32(-INFINITY), 0.0f) && same(cdf_f32(-3e38f), 0.0f));
    CHECK(same(pdf_f32(INFINITY), 0.0f) && same(pdf_f32(-3e38f), 0.0f) && isnan(pdf_f32(NAN)));
    CHECK(same(max_f32(1.0f, NAN), NAN) && same(max_f32(NAN, 1.0f), NAN) && same(max_f32(0.0f, -0.0f), -0.0f));
    CHECK(same(min_f32(2.0f, 1.0f), 1.0f) && same(min_f32(NAN, 1.0f), NAN));
}

TEST(pow_edges)
{
    static const float v[] = { 0.0f, -0.0f, 1.0f,     -1.0f,     2.0f, -2.0f,       0.5f,  -0.5f,
                               3.0f, -3.0f, INFINITY, -INFINITY, NAN,  16777217.0f, 1e30f, -1e-40f };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        for (size_t j = 0; j < sizeof v / sizeof v[0]; j++) {
            float got = pow_f32(v[i], v[j]), want = (float)pow((double)v[i], (double)v[j]);
            CHECK_MSG(same(got, want), "pow(%g, %g) = %g, not %g", (double)v[i], (double)v[j], (double)got,
                      (double)want);
        }
}

TEST(mod_signs)
{
    CHECK(same(mod_f32(-4.3f, 2.1f), fmodf(-4.3f, 2.1f) + 2.1f) && same(fmod_f32(-4.0f, 3.0f), -1.0f));
    CHECK(same(mod_f32(4.0f, -3.0f), -2.0f) && isnan(mod_f32(1.0f, 0.0f)));
}

TEST_MAIN
