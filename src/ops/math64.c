/* Exponentials, logarithms, powers, hyperbolic functions and erf of math64.h. Two cores do the work, both in pairs:
   e^x - 1 on half a ln 2 and log(1 + f) as the area of a hyperbolic tangent; the rest is arithmetic on pairs. The
   polynomials are Chebyshev interpolations computed for this file in 400 bits. */
#include "ops/math64.h"

#include <stdbool.h>

#include "ops/math64_pair.h"

static const double log2_e = 0x1.71547652b82fep+0;
static const born_pair ln2 = { 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56 };
static const born_pair third = { 0x1.5555555555555p-2, 0x1.5555555555555p-56 };
static const born_pair fifth = { 0x1.999999999999ap-3, -0x1.999999999999ap-57 };
static const born_pair one = { 1, 0 };

/* (e^r - 1 - r - r^2/2) / r^3 for |r| <= ln 2 / 2; times r^2, the error is 2^-59. */
static const double exp_tail[] = {
    0x1.5555555555555p-3, 0x1.5555555555556p-5, 0x1.111111111110ep-7, 0x1.6c16c16c162d4p-10,
    0x1.a01a01a01c395p-13, 0x1.a01a01a6d889cp-16, 0x1.71de3a4d0146ap-19, 0x1.27e4db646b17ep-22,
    0x1.ae64664b65a64p-26, 0x1.1f730349868cep-29, 0x1.6167097a58535p-33,
};

/* (atanh(s)/s - 1 - z/3 - z^2/5) / z^3 in z = s^2, s up to 3 - sqrt(8); times z^3, the error is 2^-72. */
static const double log_tail[] = {
    0x1.2492492492492p-3, 0x1.c71c71c71c826p-4, 0x1.745d1745a3670p-4, 0x1.3b13b16bc3d14p-4,
    0x1.1110f7d31d4a6p-4, 0x1.e1f01007ace99p-5, 0x1.acf60ade8546cp-5, 0x1.b2f8136d96ab4p-5,
};

/* ---- cores ---- */

born_pair born__exp_parts(double x, double x_low, int *k)
{
    double n = rint(x * log2_e);
    born_pair p = pair_product(n, ln2.h), d = pair_sum(x, -p.h), r = pair_sum(d.h, -p.l);
    r = pair_join(r.h, r.l + (d.l + x_low - n * ln2.l));
    born_pair z = pair_product(r.h, r.h);
    double tail = r.h * z.h * BORN_POLY_F64(exp_tail, r.h);
    born_pair e = pair_join(r.h, z.h * 0.5);
    *k = (int)n;
    return pair_join(e.h, e.l + (r.l + (z.l * 0.5 + r.h * r.l) + tail));
}

/* v * 2^k for v about 1 and k in [-1076, 1024], in two steps so that only the last one can round. */
static double scaled(double v, int k)
{
    int half = k / 2;
    return v * born__f64_pow2(half) * born__f64_pow2(k - half);
}

/* e^x as a pair, |x| <= 40. */
static born_pair exp_pair(double x)
{
    int k;
    born_pair e = born__exp_parts(x, 0, &k), m = pair_join(1, e.h);
    double t = born__f64_pow2(k);
    return (born_pair){ m.h * t, (m.l + e.l) * t };
}

/* e^x - 1 as a pair with all its bits near 0 too, |x| <= 40. */
static born_pair expm1_pair(double x)
{
    int k;
    born_pair e = born__exp_parts(x, 0, &k);
    if (k == 0) return e;
    born_pair m = pair_join(1, e.h);
    double t = born__f64_pow2(k);
    born_pair s = pair_sum(m.h * t, -1);
    return pair_join(s.h, s.l + (m.l + e.l) * t);
}

/* e^x / 2^shift rounded, x > 40 or so. */
static double exp_shifted(double x, int shift)
{
    int k;
    born_pair e = born__exp_parts(x, 0, &k), m = pair_join(1, e.h);
    return scaled(m.h + (m.l + e.l), k - shift);
}

/* log(u) + more * ln 2 for normal, positive u. With u = 2^k (1 + f) and s = f / (2 + f), log(1 + f) is
   2 atanh(s); f keeps all its bits where u is next to 1, since u.h - 1 is exact there. */
static born_pair log_pair(born_pair u, int more)
{
    uint64_t bits = born__f64_bits(u.h) - 0x3fe6a09e667f3bcdu;      /* sqrt(1/2) */
    int k = (int)(bits >> 52);
    if (k >= 2048) k -= 4096;
    double m = born__f64_from(born__f64_bits(u.h) - ((uint64_t)(int64_t)k << 52));
    /* above 2^100 the low half is far below the last place of any result */
    born_pair f = pair_sum(m - 1, k > 100 ? 0 : u.l * born__f64_pow2(-k));
    born_pair s = pair_div(f, pair_add((born_pair){ 2, 0 }, f)), z = pair_mul(s, s);
    born_pair t = pair_sum(fifth.h, fifth.l + z.h * BORN_POLY_F64(log_tail, z.h));
    t = pair_mul(z, pair_add(third, pair_mul(z, t)));
    born_pair twice = { 2 * s.h, 2 * s.l }, low = pair_add(twice, pair_mul(twice, t));
    double n = k + more;
    if (n == 0) return low;
    born_pair high = pair_product(n, ln2.h);
    high.l += n * ln2.l;
    return pair_add(high, low);
}

/* Normal u and a power of two for a positive, finite x that may be subnormal. */
static born_pair log_of(double x)
{
    bool tiny = x < 0x1p-1022;
    return log_pair((born_pair){ tiny ? x * 0x1p54 : x, 0 }, tiny ? -54 : 0);
}

static double rounded(born_pair a)
{
    return a.h + a.l;
}

/* ---- exponentials and logarithms ---- */

double born__exp_f64(double x)
{
    if (x != x) return x;
    if (x > 710) return INFINITY;
    if (x < -746) return 0;
    return exp_shifted(x, 0);
}

double born__expm1_f64(double x)
{
    if (x != x || fabs(x) < 0x1p-54) return x;
    if (x > 710) return INFINITY;
    if (x < -40) return -1;     /* e^-40 is below half the last place of 1 */
    return x > 40 ? exp_shifted(x, 0) : rounded(expm1_pair(x));
}

double born__log_f64(double x)
{
    if (x < 0) return NAN;
    if (x == 0) return -INFINITY;
    if (!(x < INFINITY)) return x;
    return rounded(log_of(x));
}

double born__log1p_f64(double x)
{
    if (x < -1) return NAN;
    if (x == -1) return -INFINITY;
    if (!(x < INFINITY) || fabs(x) < 0x1p-54) return x;
    return rounded(log_pair(pair_sum(1, x), 0));
}

/* ---- powers ---- */

/* |x|^y for positive, finite x and finite y. The logarithm's 100 bits and more keep y * log(x) below 2^-62 wrong. */
static double power(double x, double y)
{
    born_pair g = log_of(x);
    double about = y * g.h;
    if (about > 710) return INFINITY;
    if (about < -746) return 0;
    if (fabs(about) < 0x1p-60) return 1;
    born_pair t = pair_product(y, g.h);
    int k;
    born_pair e = born__exp_parts(t.h, t.l + y * g.l, &k), m = pair_join(1, e.h);
    return scaled(m.h + (m.l + e.l), k);
}

double born__pow_f64(double x, double y)
{
    if (y == 0 || x == 1) return 1;
    if (x != x || y != y) return x + y;
    double a = fabs(x);
    bool whole = trunc(y) == y, odd = whole && fabs(y) < 0x1p53 && trunc(y * 0.5) * 2 != y;
    if (isinf(y)) return a == 1 ? 1 : (a > 1) == (y > 0) ? INFINITY : 0;
    double r;
    if (a == 0) r = y < 0 ? INFINITY : 0;
    else if (isinf(a)) r = y < 0 ? 0 : INFINITY;
    else if (x < 0 && !whole) return NAN;
    else r = power(a, y);
    return signbit(x) && odd ? -r : r;
}

/* ---- hyperbolic functions ---- */

double born__sinh_f64(double x)
{
    double a = fabs(x);
    if (!(a >= 0x1p-28) || isinf(x)) return x;
    if (a > 711) return copysign(INFINITY, x);
    if (a > 40) return copysign(exp_shifted(a, 1), x);
    born_pair e = expm1_pair(a);
    return copysign(0.5 * rounded(pair_add(e, pair_div(e, pair_add(one, e)))), x);
}

double born__cosh_f64(double x)
{
    double a = fabs(x);
    if (x != x) return x;
    if (a > 711) return INFINITY;
    if (a > 40) return exp_shifted(a, 1);
    born_pair e = exp_pair(a);
    return 0.5 * rounded(pair_add(e, pair_div(one, e)));
}

double born__tanh_f64(double x)
{
    double a = fabs(x);
    if (!(a >= 0x1p-28)) return x;
    if (a > 20) return copysign(1, x);
    born_pair e = expm1_pair(2 * a);
    return copysign(rounded(pair_div(e, pair_add((born_pair){ 2, 0 }, e))), x);
}

double born__asinh_f64(double x)
{
    double a = fabs(x);
    if (!(a >= 0x1p-28) || isinf(x)) return x;
    if (a > 0x1p28) return copysign(rounded(log_pair((born_pair){ a, 0 }, 1)), x);
    /* log(1 + (a + a^2 / (1 + sqrt(1 + a^2)))) */
    born_pair z = pair_product(a, a), root = pair_sqrt(pair_add(one, z));
    born_pair y = pair_add((born_pair){ a, 0 }, pair_div(z, pair_add(one, root)));
    return copysign(rounded(log_pair(pair_add(one, y), 0)), x);
}

double born__acosh_f64(double x)
{
    if (x < 1) return NAN;
    if (!(x < INFINITY)) return x;
    if (x > 0x1p28) return rounded(log_pair((born_pair){ x, 0 }, 1));
    born_pair z = pair_product(x, x), root = pair_sqrt(pair_add(z, (born_pair){ -1, 0 }));
    return rounded(log_pair(pair_add((born_pair){ x, 0 }, root), 0));
}

double born__atanh_f64(double x)
{
    double a = fabs(x);
    if (!(a >= 0x1p-28)) return x;
    if (a > 1) return NAN;
    if (a == 1) return copysign(INFINITY, x);
    return copysign(0.5 * rounded(log_pair(pair_div(pair_sum(1, a), pair_sum(1, -a)), 0)), x);
}

/* ---- erf ---- */

/* erf(x)/x - 1 in x^2, x up to 1/2, without its constant 2/sqrt(pi) - 1; the error is 2^-56. */
static const double erf_slope = 0x1.06eba8214db69p-3;
static const double erf_near[] = {
    -0x1.812746b0379e6p-2, 0x1.ce2f21a042b29p-4, -0x1.b82ce3127f739p-6, 0x1.565bcd0aa6349p-8,
    -0x1.c02db23d41138p-11, 0x1.f9a2a6635fe79p-14, -0x1.f4bb9f7301dedp-17, 0x1.b776442df3041p-20,
    -0x1.39fb524e9c1f7p-23,
};

/* (erf(x) - erf(3/4)) / (x - 3/4) in x - 3/4, x from 1/2 to 1; the error in erf is 2^-56. */
static const born_pair erf_middle = { 0x1.6c1c9759d0e5fp-1, 0x1.b1432f2cbc455p-55 };
static const double erf_mid[] = {
    0x1.492e42d78d2c5p-1, -0x1.edc5644353c27p-2, 0x1.b6e8591f668b1p-6, 0x1.349b5eaa145eap-3,
    -0x1.b42a1890a0eb8p-5, -0x1.b8477966dbf42p-6, 0x1.2e0afae9b530ep-6, 0x1.2db3337432936p-9,
    -0x1.04104485a7efbp-8, 0x1.8621f0de0d331p-13, 0x1.4713cff8b7184p-11, -0x1.bd1e9c7fe50afp-14,
    -0x1.372fab2a1ba55p-14, 0x1.675395e3bdbd7p-16,
};

/* erfc(x) e^(x^2) around the middle of [1, 2], [2, 4] and [4, 6]; relative errors of 2^-53, 2^-49 and 2^-40, of which
   erf = 1 - erfc sees at most a sixth, a 200th and next to nothing. */
static const double erfc_1_2[] = {
    0x1.494daffa2ad68p-2, -0x1.4f1988444caf7p-3, 0x1.37ea271bc55a0p-4, -0x1.0dc51d2941ee4p-5,
    0x1.b65944f32a576p-7, -0x1.513ed75ff9ad6p-8, 0x1.ee705e987b820p-10, -0x1.5b0abff9c2a92p-11,
    0x1.d4508ae09730fp-13, -0x1.30c0e2f1726a0p-14, 0x1.7f9e4d674bd86p-16, -0x1.d41a7f9e3cd6fp-18,
    0x1.14b718ccbc836p-19, -0x1.3f46ec5c2de67p-21, 0x1.835e0a520b1cfp-23, -0x1.a7ba6423339dep-25,
};
static const double erfc_2_4[] = {
    0x1.6e9827d229d2dp-3, -0x1.bd6ae4d14b045p-5, 0x1.043fe1a98c054p-6, -0x1.259061baa150bp-8,
    0x1.409cc2ed56915p-10, -0x1.53dec9b82b80dp-12, 0x1.5e7392f0c1bf2p-14, -0x1.602519c5fb979p-16,
    0x1.595f231a7ca82p-18, -0x1.4b1268b195194p-20, 0x1.36976a5954b18p-22, -0x1.1db44f02fd27bp-24,
    0x1.01809eba273a2p-26, -0x1.bf799cc177045p-29, 0x1.85608f072a843p-31, -0x1.9788ca7c303e7p-33,
    0x1.54a2999546a19p-35,
};
static const double erfc_4_6[] = {
    0x1.c57239e942d11p-4, -0x1.5d843497d44c8p-6, 0x1.08cf82bc1c254p-8, -0x1.8abc198ce7779p-11,
    0x1.219f25a3780c2p-13, -0x1.a2a81497f6425p-16, 0x1.2a44919cde71bp-18, -0x1.a31dc7e2999f9p-21,
    0x1.21b4ee3ca4ca7p-23, -0x1.8c956b90d02efp-26, 0x1.24213c6205654p-28, -0x1.856982a6c4163p-31,
};

double born__erf_f64(double x)
{
    double a = fabs(x);
    if (x != x) return x;
    if (a < 0.5) return fma(x, fma(x * x, BORN_POLY_F64(erf_near, x * x), erf_slope), x);
    if (a < 1) {
        double t = a - 0.75;
        return copysign(erf_middle.h + (erf_middle.l + t * BORN_POLY_F64(erf_mid, t)), x);
    }
    if (a > 6) return copysign(1, x);
    double p = a < 2   ? BORN_POLY_F64(erfc_1_2, a - 1.5)
               : a < 4 ? BORN_POLY_F64(erfc_2_4, a - 3)
                       : BORN_POLY_F64(erfc_4_6, a - 5);
    born_pair z = pair_product(a, a), e;
    int k;
    e = born__exp_parts(-z.h, -z.l, &k);
    double c = p * (1 + e.h) * born__f64_pow2(k);
    return copysign(1 - c, x);
}
