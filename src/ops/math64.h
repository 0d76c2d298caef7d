/* The elementary functions on one f64, our own, so that a model's bits do not depend on the machine's libm. Plain C:
   sums and products as written, fma only for the exact error of a product (math64_pair.h), sqrt, rint and trunc. Used
   by the f64 readings of formulas (words_f64.h) and by the references that compute in f64.

   Bounds, measured against wider arithmetic over all exponents (tests/ops/test_math64_ulp.c): 1 ULP each; most results
   are the nearest f64. Signed zeros, infinities, NaN and subnormals follow C's Annex F. */
#ifndef BORN_OPS_MATH64_H
#define BORN_OPS_MATH64_H

double born__exp_f64(double x);
double born__expm1_f64(double x);
double born__log_f64(double x);
double born__log1p_f64(double x);
double born__pow_f64(double x, double y);
double born__sinh_f64(double x);
double born__cosh_f64(double x);
double born__tanh_f64(double x);
double born__asinh_f64(double x);
double born__acosh_f64(double x);
double born__atanh_f64(double x);
double born__erf_f64(double x);
double born__sin_f64(double x); /* of any finite x: the argument is reduced exactly */
double born__cos_f64(double x);
double born__tan_f64(double x);
double born__asin_f64(double x);
double born__acos_f64(double x);
double born__atan_f64(double x);
#endif
