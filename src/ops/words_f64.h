/* The words of formulas on one f64: functions called name_f64. Elementary functions are our own
   (math64.h); of libm only what is exact or rounded right: fma, fmod, sqrt and the roundings. */
#ifndef BORN_OPS_WORDS_F64_H
#define BORN_OPS_WORDS_F64_H
#include <math.h>
#include <stdbool.h>

#include "ops/math64.h"

static inline double add_f64(double a, double b) { return a + b; }
static inline double sub_f64(double a, double b) { return a - b; }
static inline double mul_f64(double a, double b) { return a * b; }
static inline double div_f64(double a, double b) { return a / b; }
static inline double fma_f64(double a, double b, double c) { return fma(a, b, c); }
static inline double fmod_f64(double a, double b) { return fmod(a, b); }
static inline double mod_f64(double a, double b)
{
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static inline double pow_f64(double a, double b) { return b == 2 ? a * a : born__pow_f64(a, b); }
static inline double max_f64(double a, double b) { return a > b || a != a ? a : b; }
static inline double min_f64(double a, double b) { return a < b || a != a ? a : b; }
static inline double neg_f64(double a) { return -a; }
static inline double abs_f64(double a) { return fabs(a); }
static inline double sign_f64(double a) { return a > 0 ? 1 : a < 0 ? -1 : a; }
static inline double square_f64(double a) { return a * a; }
static inline double sqrt_f64(double a) { return sqrt(a); }
static inline double floor_f64(double a) { return floor(a); }
static inline double ceil_f64(double a) { return ceil(a); }
static inline double trunc_f64(double a) { return trunc(a); }
static inline double round_f64(double a) { return rint(a); }
static inline double exp_f64(double a) { return born__exp_f64(a); }
static inline double expm1_f64(double a) { return born__expm1_f64(a); }
static inline double log_f64(double a) { return born__log_f64(a); }
static inline double log1p_f64(double a) { return born__log1p_f64(a); }
static inline double sin_f64(double a) { return born__sin_f64(a); }
static inline double cos_f64(double a) { return born__cos_f64(a); }
static inline double tan_f64(double a) { return born__tan_f64(a); }
static inline double asin_f64(double a) { return born__asin_f64(a); }
static inline double acos_f64(double a) { return born__acos_f64(a); }
static inline double atan_f64(double a) { return born__atan_f64(a); }
static inline double sinh_f64(double a) { return born__sinh_f64(a); }
static inline double cosh_f64(double a) { return born__cosh_f64(a); }
static inline double tanh_f64(double a) { return born__tanh_f64(a); }
static inline double asinh_f64(double a) { return born__asinh_f64(a); }
static inline double acosh_f64(double a) { return born__acosh_f64(a); }
static inline double atanh_f64(double a) { return born__atanh_f64(a); }
static inline double erf_f64(double a) { return born__erf_f64(a); }
static inline double sigmoid_f64(double a)
{
    double e = born__exp_f64(-fabs(a));
    return (a >= 0 ? 1 : e) / (1 + e);
}
static inline double cdf_f64(double a) { return 0.5 * (1 + born__erf_f64(a * 0.7071067811865476)); }
static inline double pdf_f64(double a) { return 0.3989422804014327 * born__exp_f64(-0.5 * a * a); }
static inline double sigmoid_x_slope_f64(double a, double b)
{
    double s = sigmoid_f64(a), t = s * (1 - s);
    return t == 0 ? s : s + t * b;
}
static inline bool gt_f64(double a, double b) { return a > b; }
static inline bool ge_f64(double a, double b) { return a >= b; }
static inline bool lt_f64(double a, double b) { return a < b; }
static inline bool le_f64(double a, double b) { return a <= b; }
static inline bool eq_f64(double a, double b) { return a == b; }
static inline bool ne_f64(double a, double b) { return a != b; }
static inline bool and_f64(bool a, bool b) { return a && b; }
static inline bool or_f64(bool a, bool b) { return a || b; }
static inline bool not_f64(bool a) { return !a; }
static inline double sel_f64(bool c, double a, double b) { return c ? a : b; }
#endif
