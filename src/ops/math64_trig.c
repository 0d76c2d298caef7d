/* Trigonometry and its inverses of math64.h. Arguments are reduced to a pair within pi/4 of a multiple of pi/2, so that
   the bits cancelled are there: by a pi/2 in three parts up to 2^30, beyond by Payne and Hanek ("Radian reduction for
   trigonometric functions", 1983). The polynomials are Chebyshev interpolations computed for this file in 400 bits. */
#include "ops/math64.h"

#include "ops/math64_pair.h"

/* pi/2 in three parts of 53 bits. */
static const double half_pi[3] = { 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110 };

/* (sin(r) - r) / r^3 and (cos(r) - 1 + r^2/2) / r^4 in r^2, r up to pi/4; errors of 2^-57 and 2^-60 in the result. */
static const double sin_tail[] = {
    -0x1.5555555555555p-3, 0x1.1111111111110p-7, -0x1.a01a01a019937p-13, 0x1.71de3a54607a5p-19,
    -0x1.ae64541295cdfp-26, 0x1.61217ee5cca1bp-33, -0x1.ab17bdcbd3414p-41,
};
static const double cos_tail[] = {
    0x1.5555555555555p-5, -0x1.6c16c16c16c16p-10, 0x1.a01a01a019d0ap-16, -0x1.27e4fb7712ca2p-22,
    0x1.1eed8deb82809p-29, -0x1.9394b9eb4d56dp-37, 0x1.ab78473be59d7p-45,
};
/* (asin(s) - s) / s^3 in s^2, s up to 1/2, and (atan(t) - t) / t^3 in t^2, t up to 7/16; errors of 2^-58. */
static const double asin_tail[] = {
    0x1.5555555555555p-3, 0x1.3333333333389p-4, 0x1.6db6db6dac0eap-5, 0x1.f1c71c7a5e151p-6,
    0x1.6e8ba121b9d5fp-6, 0x1.1c4efd20ebb99p-6, 0x1.c990a42b32b03p-7, 0x1.7b02ef007d23ep-7,
    0x1.3b462d121c5d2p-7, 0x1.31777489dfd29p-7, 0x1.8dcdf11997e0fp-9, 0x1.40c91fa8deb7ep-6,
    -0x1.3bd7e353ddbc2p-6, 0x1.e58a4f278e007p-6,
};
static const double atan_tail[] = {
    -0x1.5555555555555p-2, 0x1.99999999998c4p-3, -0x1.24924924854a3p-3, 0x1.c71c71bd276f8p-4,
    -0x1.745d154bcdba6p-4, 0x1.3b1375bbd102dp-4, -0x1.110c9bbd49481p-4, 0x1.e17068059f076p-5,
    -0x1.ab59159515deep-5, 0x1.6ffef98521349p-5, -0x1.0f5ce67430a1bp-5, 0x1.e3ff48bc1e160p-7,
};

/* A zero word, then the bits of 2/pi after the point. */
static const uint32_t two_over_pi[] = {
    0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u,
    0x3c439041u, 0xfe5163abu, 0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau,
    0x09d1921cu, 0xfe1deb1cu, 0xb129a73eu, 0xe88235f5u, 0x2ebb4484u, 0xe99c7026u,
    0xb45f7e41u, 0x3991d639u, 0x835339f4u, 0x9c845f8bu, 0xbdf9283bu, 0x1ff897ffu,
    0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu, 0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u,
    0x9e5fea2du, 0x7527bac7u, 0xebe5f17bu, 0x3d0739f7u, 0x8a5292eau, 0x6bfb5fb1u,
    0x1f8d5d08u, 0x56033046u, 0xfc7b6babu
};

/* ---- reduction ---- */

/* The 32 bits of 2/pi from bit `at` on (0: the first of the zero word). */
static uint32_t window(int at)
{
    int i = at / 32, shift = at % 32;
    uint64_t pair = (uint64_t)two_over_pi[i] << 32 | two_over_pi[i + 1];
    return (uint32_t)(pair >> (32 - shift));
}

/* What x is beyond the nearest multiple of pi/2, and which modulo 4, for x >= 2^30. With x = m * 2^e, the bits of 2/pi
   that make multiples of 4 are skipped and the next 192 multiplied by m: what is left out is below 2^-137, and no f64
   is nearer than 2^-62 to a multiple. */
static born_pair reduce_huge(double x, int *quarter)
{
    uint64_t bits = born__f64_bits(x), m = (bits & 0xfffffffffffffu) | 0x10000000000000u;
    int e = (int)(bits >> 52 & 2047) - 1075;
    uint32_t f[6] = { 0 }, w[6];    /* limbs, the least first; f counts 2^-190 */

    for (int i = 0; i < 6; i++) w[i] = window(30 + e + 32 * (5 - i));
    for (int half = 0; half < 2; half++) {
        uint64_t carry = 0, by = half ? m >> 32 : m & 0xffffffffu;
        for (int i = 0; i + half < 6; i++) {
            carry += by * w[i] + f[i + half];
            f[i + half] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    uint32_t top = f[5] + 0x20000000u;      /* to the nearest quarter: the rest is within +-1/2 */
    *quarter = (int)(top >> 30);
    f[5] -= top & 0xc0000000u;
    int negative = f[5] >> 31 != 0;
    for (int i = 0, carry = 1; negative && i < 6; i++) {
        f[i] = ~f[i] + (uint32_t)carry;
        carry = carry && f[i] == 0;
    }
    born_pair r = { 0, 0 };
    for (int i = 5; i >= 0; i--) r = pair_add(r, (born_pair){ (double)f[i] * born__f64_pow2(32 * i - 190), 0 });
    r = pair_mul(r, (born_pair){ half_pi[0], half_pi[1] });
    return negative ? pair_neg(r) : r;
}

/* x - n * pi/2 with n the nearest whole number, returned modulo 4; x finite. */
static born_pair reduce(double x, int *quarter)
{
    double a = fabs(x);
    *quarter = 0;
    if (a <= 0.7853981633974483) return (born_pair){ x, 0 };
    if (a >= 0x1p30) {
        born_pair r = reduce_huge(a, quarter);
        if (x < 0) *quarter = -*quarter & 3;
        return x < 0 ? pair_neg(r) : r;
    }
    double n = rint(x * 0x1.45f306dc9c883p-1);
    born_pair p = pair_product(n, half_pi[0]), q = pair_product(n, half_pi[1]);
    born_pair d = pair_sum(x, -p.h), s = pair_sum(d.h, -p.l), t = pair_sum(s.h, -q.h);
    *quarter = (int)((int64_t)n & 3);
    return pair_sum(t.h, t.l + (s.l + d.l - q.l - n * half_pi[2]));
}

static born_pair sin_pair(born_pair r)
{
    double z = r.h * r.h;
    return (born_pair){ r.h, r.h * z * BORN_POLY_F64(sin_tail, z) + r.l * (1 - 0.5 * z) };
}
static born_pair cos_pair(born_pair r)
{
    born_pair z = pair_product(r.h, r.h), s = pair_join(1, -0.5 * z.h);
    double low = z.h * z.h * BORN_POLY_F64(cos_tail, z.h) - (0.5 * z.l + r.h * r.l);
    return (born_pair){ s.h, s.l + low };
}
static double quarter_sine(born_pair r, int quarter)
{
    born_pair v = quarter & 1 ? cos_pair(r) : sin_pair(r);
    double y = v.h + v.l;
    return quarter & 2 ? -y : y;
}

double born__sin_f64(double x)
{
    int n;
    if (!isfinite(x)) return NAN;
    if (fabs(x) < 0x1p-27) return x;        /* x^3 / 6 is below the last place; -0 stays */
    born_pair r = reduce(x, &n);
    return quarter_sine(r, n);
}

double born__cos_f64(double x)
{
    int n;
    if (!isfinite(x)) return NAN;
    born_pair r = reduce(x, &n);
    return quarter_sine(r, n + 1);
}

double born__tan_f64(double x)
{
    int n;
    if (!isfinite(x)) return NAN;
    if (fabs(x) < 0x1p-28) return x;
    born_pair r = reduce(x, &n), s = sin_pair(r), c = cos_pair(r);
    s = pair_join(s.h, s.l);
    c = pair_join(c.h, c.l);
    born_pair t = n & 1 ? pair_div(pair_neg(c), s) : pair_div(s, c);
    return t.h + t.l;
}

/* ---- inverses ---- */

/* asin(s) for a pair s in [0, 1/2]. */
static born_pair asin_pair(born_pair s)
{
    double z = s.h * s.h;
    return (born_pair){ s.h, s.l * (1 + 0.5 * z) + s.h * z * BORN_POLY_F64(asin_tail, z) };
}

/* asin(sqrt((1 - a) / 2)), half the angle that a is from 1. */
static born_pair asin_half(double a)
{
    return asin_pair(pair_sqrt((born_pair){ (1 - a) * 0.5, 0 }));
}

double born__asin_f64(double x)
{
    double a = fabs(x);
    if (!(a >= 0x1p-27)) return x;
    if (a > 1) return NAN;
    born_pair t = a <= 0.5 ? asin_pair((born_pair){ a, 0 }) : asin_half(a);
    if (a > 0.5) t = pair_add((born_pair){ half_pi[0], half_pi[1] }, (born_pair){ -2 * t.h, -2 * t.l });
    return copysign(t.h + t.l, x);
}

double born__acos_f64(double x)
{
    double a = fabs(x);
    if (x != x) return x;
    if (a > 1) return NAN;
    born_pair t = a <= 0.5 ? asin_pair((born_pair){ a, 0 }) : asin_half(a);
    if (a <= 0.5) {
        if (x > 0) t = pair_neg(t);
        t = pair_add((born_pair){ half_pi[0], half_pi[1] }, t);
        return t.h + t.l;
    }
    t = (born_pair){ 2 * t.h, 2 * t.l };
    if (x < 0) t = pair_add((born_pair){ 2 * half_pi[0], 2 * half_pi[1] }, pair_neg(t));
    return t.h + t.l;
}

/* atan(a) = atan(c) + atan((a - c) / (1 + a c)) with c one of 0, 1/2, 1, 3/2 and, far out, infinity. */
double born__atan_f64(double x)
{
    static const double centre[4] = { 0, 0.5, 1, 1.5 };
    static const born_pair angle[5] = { { 0, 0 },
                                        { 0x1.dac670561bb4fp-2, 0x1.a2b7f222f65e2p-56 },
                                        { 0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55 },
                                        { 0x1.f730bd281f69bp-1, 0x1.007887af0cbbdp-56 },
                                        { 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54 } };
    double a = fabs(x);
    if (!(a >= 0x1p-27)) return x;
    if (a > 0x1p60) return copysign(half_pi[0], x);
    int i = a < 0.4375 ? 0 : a < 0.6875 ? 1 : a < 1.1875 ? 2 : a < 2.4375 ? 3 : 4;
    born_pair t = { a, 0 };
    if (i == 4) t = pair_div((born_pair){ -1, 0 }, t);
    else if (i > 0) t = pair_div(pair_sum(a, -centre[i]), pair_add((born_pair){ 1, 0 }, pair_product(a, centre[i])));
    double z = t.h * t.h;
    born_pair r = { t.h, t.l * (1 - z) + t.h * z * BORN_POLY_F64(atan_tail, z) };
    r = pair_add(angle[i], r);
    return copysign(r.h + r.l, x);
}
