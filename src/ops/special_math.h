/* Special functions in f64, of additions, products, divisions and square roots alone, so that they have the same bits
   on every machine (libm's differ). Right to some units of the last place; special.c makes operators of them. */
#ifndef BORN_OPS_SPECIAL_MATH_H
#define BORN_OPS_SPECIAL_MATH_H

double born__sp_exp(double x);
double born__sp_log(double x);
double born__sp_erfcx(double x);        /* exp(x^2) erfc(x) */
double born__sp_erfc(double x);
double born__sp_erfinv(double y);       /* infinite at -1 and 1, NaN beyond */
double born__sp_ndtr(double x);         /* the normal distribution's cumulative function */
double born__sp_log_ndtr(double x);
double born__sp_lgamma(double x);       /* log |gamma(x)| */
double born__sp_digamma(double x);
double born__sp_polygamma(int n, double x);     /* the n-th derivative of digamma, n in [0, 100] */
double born__sp_i0(double x);           /* modified Bessel functions of the first kind */
double born__sp_i1(double x);
#endif
