/* The elementary functions that lanes take one at a time: trigonometry beyond 1e5, powers, remainders. Plain C in f64
   and integers, the same on every machine. Shared by math.inc's readings. */
#ifndef BORN_OPS_MATH_BIG_H
#define BORN_OPS_MATH_BIG_H

float born__sin_big(float x);       /* |x| > 1e5, or not finite; right to half an ULP and a little */
float born__cos_big(float x);
float born__tan_big(float x);
float born__pow_f32(float x, float y);  /* C's Annex F; y = 2 gives x * x */
float born__fmod_f32(float x, float y); /* sign of x */
float born__mod_f32(float x, float y);  /* sign of y */
#endif
