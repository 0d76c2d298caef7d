/* Trigonometry of large arguments, powers and remainders of f32, one value at a time; see math_big.h. Everything is
   done in f64 with well over 24 good bits, and rounded once at the end. */
#include "ops/math_big.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* ---- trigonometry: Payne and Hanek's reduction, 1983 ---- */

/* A zero word, then the bits of 2/pi after the point. */
static const uint32_t two_over_pi[10] = { 0,          0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u,
                                          0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u, 0xb7246e3au };

static uint32_t window(int bit)
{
    int i = bit / 32, shift = bit % 32;
    uint64_t pair = (uint64_t)two_over_pi[i] << 32 | two_over_pi[i + 1];
    return (uint32_t)(pair >> (32 - shift));
}

/* |x| = n * pi/2 + r, |r| <= pi/4, for finite |x| >= 2^16; n modulo 4. With |x| = m * 2^e, bits of 2/pi that make
   multiples of 4 are skipped and the next 96 multiplied by m; 64 of them carry r to a relative 2^-32 at worst. */
static double reduce_big(float x, int *n)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 23 & 255) - 150;
    uint64_t m = (bits & 0x7fffffu) | 0x800000u;
    int from = 30 + e;
    uint64_t v = (m * window(from) << 32) + m * window(from + 32) + (m * window(from + 64) >> 32);
    uint64_t q = (v + ((uint64_t)1 << 61)) >> 62;
    uint64_t rest = v - (q << 62);
    double r = rest >> 63 ? -(double)(0 - rest) : (double)rest;
    *n = (int)(q & 3);
    return r * 0x1p-62 * 1.5707963267948966;
}

static double sin_near(double r)
{
    double z = r * r;
    return r + r * z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800)))));
}
static double cos_near(double r)
{
    double z = r * r;
    return 1 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 +
                                                                                      z * (1.0 / 479001600))))));
}

static double sin_quarter(double r, int n)
{
    double y = n & 1 ? cos_near(r) : sin_near(r);
    return n & 2 ? -y : y;
}

float born__sin_big(float x)
{
    int n;
    if (!isfinite(x)) return NAN;
    double r = reduce_big(x, &n), y = sin_quarter(r, n);
    return (float)(x < 0 ? -y : y);
}

float born__cos_big(float x)
{
    int n;
    if (!isfinite(x)) return NAN;
    double r = reduce_big(x, &n);
    return (float)sin_quarter(r, n + 1);
}

float born__tan_big(float x)
{
    int n;
    if (!isfinite(x)) return NAN;
    double r = reduce_big(x, &n), y = sin_quarter(r, n) / sin_quarter(r, n + 1);
    return (float)(x < 0 ? -y : y);
}

/* ---- powers ---- */

/* log2 of a positive, finite f32, to some 1e-15 of its own size. */
static double log2_of(float x)
{
    double d = x;       /* normal in f64 even where x is subnormal */
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
    memcpy(&d, &bits, sizeof d);
    if (d > 1.4142135623730951) {
        d *= 0.5;
        e++;
    }
    double s = (d - 1) / (d + 1), z = s * s;
    double p = 1.0 / 21;
    for (int k = 19; k >= 3; k -= 2) p = p * z + 1.0 / k;
    return (s + s * z * p) * 2.8853900817779268 + e;
}

/* 2^t rounded to f32. */
static float exp2_of(double t)
{
    if (t > 129) return INFINITY;
    if (t < -151) return 0;
    double n = rint(t), r = (t - n) * 0.6931471805599453, p = 1;
    for (int k = 13; k >= 1; k--) p = p * r / k + 1;
    uint64_t bits = (uint64_t)((int)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (float)(p * scale);
}

float born__pow_f32(float x, float y)
{
    if (y == 2) return x * x;
    if (y == 0 || x == 1) return 1;
    if (x != x || y != y) return x + y;
    float a = fabsf(x);
    bool whole = truncf(y) == y, odd = whole && fabsf(y) < 16777216.0f && ((int32_t)y & 1);
    if (isinf(y)) return a == 1 ? 1 : (a > 1) == (y > 0) ? INFINITY : 0;
    float r;
    if (a == 0) r = y < 0 ? INFINITY : 0;
    else if (isinf(a)) r = y < 0 ? 0 : INFINITY;
    else if (x < 0 && !whole) return NAN;
    else r = exp2_of((double)y * log2_of(a));
    return signbit(x) && odd ? -r : r;
}

/* ---- remainders: fmodf is exact by definition, so every libm gives the same bits ---- */

float born__fmod_f32(float x, float y)
{
    return fmodf(x, y);
}

float born__mod_f32(float x, float y)
{
    float r = fmodf(x, y);
    if (r != 0 && (r < 0) != (y < 0)) r += y;
    return r;
}
