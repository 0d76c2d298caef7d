/* Exponential, logarithm, the error function's kin. Products of squares are split (Dekker, 1971) where their rounding
   would be multiplied by a large number. */
#include "ops/special_math.h"

#include <math.h>

static const double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45, root_pi = 1.7724538509055160273;

/* By powers of two and Taylor's series on |r| <= log(2) / 2. */
double born__sp_exp(double x)
{
    if (!(x < 710)) return x != x ? x : INFINITY;
    if (x < -746) return 0;
    double n = rint(x * 1.4426950408889634), r = x - n * ln2_high - n * ln2_low, s = 1;
    for (int k = 14; k > 0; k--) s = 1 + s * r / k;
    return ldexp(s, (int)n);
}

/* m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)). */
double born__sp_log(double x)
{
    int e;
    if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
    if (isinf(x)) return x;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double f = (m - 1) / (m + 1), f2 = f * f, s = 0;
    for (int k = 23; k >= 3; k -= 2) s = (s + 1.0 / k) * f2;
    return (double)e * ln2_high + (2 * f + (2 * f * s + (double)e * ln2_low));
}

/* log(1 + y) for y > -1: the logarithm of what 1 + y rounds to, corrected for the rounding. */
static double log_plus1(double y)
{
    double u = 1 + y;
    return u == 1 ? y : born__sp_log(u) * (y / (u - 1));
}

/* exp(sign * x^2). */
static double exp_square(double x, double sign)
{
    double t = x * 134217729.0, head = t - (t - x), tail = x - head, high = x * x;
    if (!(high < 800)) return sign > 0 ? INFINITY : 0;
    double low = ((head * head - high) + 2 * head * tail) + tail * tail;
    double e = born__sp_exp(sign * high);
    return e + e * (sign * low);
}

/* (x + 1) erfcx(x) for x >= 0 is smooth in (x - 3) / (x + 3): Chebyshev's series, summed by Clenshaw. */
static double erfcx_positive(double x)
{
    static const double c[] = {
        0.75371267447479839, -0.22415380799909321, 0.033311418699360433, 0.0047292022031601971, -0.0046675840285747552,
        0.0015054589918591581, -0.00026627940185075776, 1.4873372028813446e-05, 4.6080561306514571e-06,
        -9.6768022924061371e-07, -4.5804960221250769e-08, 3.403835840664566e-08, -2.5183402321363754e-10,
        -1.1966477481246857e-09, 3.1644331341059917e-11, 4.6321164315224658e-11, -8.0790237728415019e-13,
        -1.9623983381122841e-12, -3.4008985531041419e-14, 8.6549491277465407e-14, 6.5471471592290332e-15,
        -3.6838636129200996e-15, -6.0613187263120089e-16, 1.3273121984901985e-16, 4.3939552352609764e-17,
    };
    if (x > 1e15) return 1 / (root_pi * x);
    double t = (x - 3) / (x + 3), b1 = 0, b2 = 0;
    for (int j = (int)(sizeof c / sizeof c[0]) - 1; j > 0; j--) {
        double b0 = 2 * t * b1 - b2 + c[j];
        b2 = b1;
        b1 = b0;
    }
    return (t * b1 - b2 + c[0]) / (x + 1);
}

double born__sp_erfcx(double x)
{
    if (x != x) return x;
    return x < 0 ? 2 * exp_square(x, 1) - erfcx_positive(-x) : erfcx_positive(x);
}

double born__sp_erfc(double x)
{
    if (x != x) return x;
    double tail = exp_square(x, -1) * erfcx_positive(fabs(x));
    return x < 0 ? 2 - tail : tail;
}

/* Taylor's series, for |x| below 0.7. */
static double erf_small(double x)
{
    double x2 = x * x, term = x, s = 0;
    for (int n = 0; n < 22; n++) {
        s += term / (2 * n + 1);
        term *= -x2 / (n + 1);
    }
    return 2 / root_pi * s;
}

/* A start of some digits (Giles, 2010), then Halley's steps on erf or, near 1, on erfc. */
double born__sp_erfinv(double y)
{
    static const double near[] = { 2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                                   -0.00125372503, -0.00417768164, 0.246640727, 1.50140941 };
    static const double far[] = { -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                                  -0.0076224613, 0.00943887047, 1.00167406, 2.83297682 };
    double a = fabs(y), rest = 1 - a;
    if (!(a < 1)) return a == 1 ? copysign(INFINITY, y) : NAN;
    double w = -born__sp_log(rest * (1 + a)), x = 0;
    if (w < 16) {
        const double *c = w < 5 ? near : far;
        double t = w < 5 ? w - 2.5 : sqrt(w) - 3;
        for (int i = 0; i < 9; i++) x = x * t + c[i];
        x *= a;
    } else {                            /* erfc(x) is near exp(-x^2) / (x sqrt(pi)) */
        x = sqrt(w);
        for (int i = 0; i < 6; i++) x = sqrt(-born__sp_log(rest * root_pi * x));
    }
    for (int step = 0; step < 2; step++) {
        double off = a < 0.5 ? erf_small(x) - a : rest - born__sp_erfc(x);
        double d = off * (root_pi / 2) * exp_square(x, 1);
        x -= d / (1 + x * d);
    }
    return copysign(x, y);
}

static const double root_half = 0.70710678118654752440;

double born__sp_ndtr(double x)
{
    return 0.5 * born__sp_erfc(-x * root_half);
}

double born__sp_log_ndtr(double x)
{
    if (x != x) return x;
    if (x < -1) return born__sp_log(0.5 * erfcx_positive(-x * root_half)) - 0.5 * x * x;
    return log_plus1(-0.5 * born__sp_erfc(x * root_half));
}
