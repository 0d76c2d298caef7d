/* The gamma function's logarithm and its derivatives, and Bessel functions. Small arguments are raised by recurrence to
   where an asymptotic series is exact to f64. */
#include <math.h>

#include "ops/special_math.h"

static const double pi = 3.14159265358979323846;

/* sin(pi x) and cos(pi x), exact at whole and half numbers. */
static double sin_pi(double x)
{
    double n = rint(2 * x), r = (x - n / 2) * pi, r2 = r * r, s = 0, c = 0, which = n - 4 * floor(n / 4);
    for (int k = 19; k >= 3; k -= 2) s = (1 + s) * (-r2 / ((double)k * (k - 1)));
    for (int k = 20; k >= 2; k -= 2) c = (1 + c) * (-r2 / ((double)k * (k - 1)));
    double sine = r * (1 + s), cosine = 1 + c;
    return which == 0 ? sine : which == 1 ? cosine : which == 2 ? -sine : -cosine;
}

/* log gamma(2 + z) for |z| <= 1/2: z (1 - gamma) + the sum of (zeta(k) - 1) (-z)^k / k. */
static double lgamma_near_2(double z)
{
    static const double c[] = {
        0.3224670334241132, 0.067352301053198102, 0.020580808427784546, 0.0073855510286739857, 0.0028905103307415234,
        0.001192753911703261, 0.00050966952474304245, 0.00022315475845357939, 9.9457512781808531e-05,
        4.4926236738133142e-05, 2.0507212775670691e-05, 9.4394882752683967e-06, 4.3748667899074882e-06,
        2.0392157538013662e-06, 9.5514121304074194e-07, 4.4924691987645662e-07, 2.1207184805554665e-07,
        1.0043224823968099e-07, 4.7698101693639804e-08, 2.2711094608943164e-08, 1.0838659214896955e-08,
        5.1834750419700466e-09, 2.4836745438024785e-09, 1.1921401405860912e-09, 5.7313672416788623e-10,
        2.7595228851242334e-10, 1.3304764374244489e-10, 6.4229645638380996e-11, 3.1044247747322276e-11,
        1.5021384080754142e-11, 7.2759744802390792e-12, 3.5277424765759151e-12,
    };
    double s = 0;
    for (int k = 31; k >= 0; k--) s = c[k] - z * s;
    return z * (0.42278433509846714 + z * s);
}

static double log_plus1(double y)
{
    double u = 1 + y;
    return u == 1 ? y : born__sp_log(u) * (y / (u - 1));
}

double born__sp_lgamma(double x)
{
    static const double stirling[] = { 1 / 12.0,         -1 / 360.0, 1 / 1260.0, -1 / 1680.0, 1 / 1188.0,
                                       -691 / 360360.0, 1 / 156.0 };
    if (x != x || isinf(x)) return fabs(x);
    if (x <= 0 && x == floor(x)) return INFINITY;
    if (x < 0.5) return born__sp_log(pi / fabs(sin_pi(x))) - born__sp_lgamma(1 - x);
    if (x < 1.5) return lgamma_near_2(x - 1) - log_plus1(x - 1);
    if (x <= 2.5) return lgamma_near_2(x - 2);
    double below = 1, s = 0;
    for (; x < 10; x += 1) below *= x;
    double inverse = 1 / x, square = inverse * inverse;
    for (int k = 6; k >= 0; k--) s = s * square + stirling[k];
    double r = (x - 0.5) * (born__sp_log(x) - 1) + (0.41893853320467274178 + s * inverse);
    return below == 1 ? r : r - born__sp_log(below);
}

double born__sp_digamma(double x)
{
    static const double c[] = { 1 / 12.0, -1 / 120.0, 1 / 252.0, -1 / 240.0, 1 / 132.0, -691 / 32760.0, 1 / 12.0 };
    if (x == 0) return copysign(INFINITY, -x);
    if (x != x || (x < 0 && x == floor(x))) return NAN;
    if (isinf(x)) return x;
    if (x < 0.5) return born__sp_digamma(1 - x) - pi * sin_pi(x + 0.5) / sin_pi(x);
    double below = 0, s = 0;
    for (; x < 10; x += 1) below += 1 / x;
    double square = 1 / (x * x);
    for (int k = 6; k >= 0; k--) s = (s + c[k]) * square;
    return born__sp_log(x) - 0.5 / x - s - below;
}

static double power(double a, int n)
{
    double r = 1;
    for (; n > 0; n >>= 1) {
        if (n & 1) r *= a;
        a *= a;
    }
    return r;
}

/* Hurwitz' zeta(s, a) for whole s > 1 by Euler and Maclaurin. */
static double hurwitz(int s, double a)
{
    static const double bernoulli[] = { 1 / 6.0, -1 / 30.0, 1 / 42.0, -1 / 30.0, 5 / 66.0, -691 / 2730.0, 7 / 6.0,
                                        -3617 / 510.0 };
    double sum = 0, start = 12 + s / 2.0;
    if (a <= 0 && a == floor(a)) return INFINITY;
    for (; a < start; a += 1) sum += power(1 / a, s);
    double p = power(1 / a, s), square = 1 / (a * a), term = p * s / (2 * a);
    sum += p * a / (s - 1) + 0.5 * p;
    for (int j = 0; j < 8; j++) {       /* B_2j / (2j)! * s (s + 1) ... (s + 2j - 2) / a^(s + 2j - 1) */
        sum += bernoulli[j] * term;
        term *= square * (s + 2 * j + 1) * (s + 2 * j + 2) / ((2 * j + 3) * (2 * j + 4));
    }
    return sum;
}

double born__sp_polygamma(int n, double x)
{
    if (n == 0) return born__sp_digamma(x);
    if (x != x || x < -1e6) return NAN;
    double factorial = 1;
    for (int k = 2; k <= n; k++) factorial *= k;
    double r = factorial * hurwitz(n + 1, x);
    return n % 2 == 1 ? r : -r;
}

/* The power series, all of one sign, or beyond 20 the asymptotic one. order: 0 or 1. */
static double bessel_i(int order, double x)
{
    double a = fabs(x), s = 1, term = 1, sign = order == 1 && x < 0 ? -1 : 1;
    if (isinf(a)) return sign * a;
    if (!(a > 20)) {
        for (int k = 1; k < 80; k++) {
            term *= a * a / (4.0 * k * (k + order));
            s += term;
        }
        return order == 1 ? sign * s * a / 2 : s;
    }
    for (int k = 1; k < 30; k++) {
        double next = -term * (4.0 * order - (double)(2 * k - 1) * (2 * k - 1)) / (8 * a * k);
        if (fabs(next) > fabs(term)) break;
        s += term = next;
    }
    double half = born__sp_exp(a / 2);
    return sign * half * (s / sqrt(2 * pi * a)) * half;
}

double born__sp_i0(double x) { return x != x ? x : bessel_i(0, x); }
double born__sp_i1(double x) { return x != x ? x : bessel_i(1, x); }
