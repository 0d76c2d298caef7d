/* Numbers as unevaluated sums of two f64, some 106 bits: what the functions of math64.h are computed in before the one
   rounding at their end. The sums and products without error are Dekker's and Knuth's (Dekker, "A floating-point
   technique for extending the available precision", 1971). No value may overflow or be subnormal in between. */
#ifndef BORN_OPS_MATH64_PAIR_H
#define BORN_OPS_MATH64_PAIR_H
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct born_pair { double h, l; } born_pair; /* |l| is at most half a last place of h, or a little more */

static inline born_pair pair_sum(double a, double b)        /* a + b exactly */
{
    double s = a + b, t = s - a;
    return (born_pair){ s, (a - (s - t)) + (b - t) };
}
static inline born_pair pair_join(double a, double b)       /* a + b exactly, where |a| >= |b| or a is 0 */
{
    double s = a + b;
    return (born_pair){ s, b - (s - a) };
}
static inline born_pair pair_product(double a, double b)    /* a * b exactly */
{
    double p = a * b;
    return (born_pair){ p, fma(a, b, -p) };
}
static inline born_pair pair_add(born_pair a, born_pair b)
{
    born_pair s = pair_sum(a.h, b.h), t = pair_sum(a.l, b.l);
    s = pair_join(s.h, s.l + t.h);
    return pair_join(s.h, s.l + t.l);
}
static inline born_pair pair_mul(born_pair a, born_pair b)
{
    born_pair p = pair_product(a.h, b.h);
    return pair_join(p.h, p.l + (a.h * b.l + a.l * b.h));
}
static inline born_pair pair_neg(born_pair a) { return (born_pair){ -a.h, -a.l }; }
static inline born_pair pair_div(born_pair a, born_pair b)
{
    double q = a.h / b.h;
    born_pair p = pair_product(q, b.h);
    double rest = ((a.h - p.h) - p.l) + a.l - q * b.l;
    double r = rest / b.h;
    born_pair s = pair_join(q, r), t = pair_mul(s, b);      /* one more correction takes the error below 2^-100 */
    double last = (((a.h - t.h) - t.l) + a.l) / b.h;
    return pair_join(s.h, s.l + last);
}
static inline born_pair pair_sqrt(born_pair a)              /* a >= 0 */
{
    double s = sqrt(a.h);
    if (s == 0) return (born_pair){ 0, 0 };
    born_pair p = pair_product(s, s);
    return pair_join(s, (((a.h - p.h) - p.l) + a.l) / (2 * s));
}

/* c[0] + c[1] x + ... + c[n - 1] x^(n - 1). */
static inline double born__poly_f64(const double *c, int n, double x)
{
    double p = c[n - 1];
    for (int i = n - 2; i >= 0; i--) p = p * x + c[i];
    return p;
}
#define BORN_POLY_F64(c, x) born__poly_f64(c, (int)(sizeof(c) / sizeof(c)[0]), x)

static inline double born__f64_from(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline uint64_t born__f64_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}
static inline double born__f64_pow2(int n)                  /* n in [-1022, 1023] */
{
    return born__f64_from((uint64_t)(n + 1023) << 52);
}

/* The pieces that the two files of functions share. e^x is (1 + e) * 2^k; x within +-800. */
born_pair born__exp_parts(double x, double x_low, int *k);
#endif
