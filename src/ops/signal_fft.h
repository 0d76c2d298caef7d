/* Fourier transforms of any length, in f64: powers of two by radix 2, others by Bluestein's chirp ("A linear filtering
   approach to the computation of the discrete Fourier transform", 1970). Sines and cosines are our own, exact to the
   last place or so, so results do not depend on a libm. */
#ifndef BORN_OPS_SIGNAL_FFT_H
#define BORN_OPS_SIGNAL_FFT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BORN_FFT_SLOTS = 16 };               /* transforms of one call that may run at a time */
#define BORN_FFT_MAX ((int64_t)1 << 40)     /* longest transform */

typedef struct born_complex { double re, im; } born_complex;

typedef struct born_fft {
    int64_t n, m;               /* m: the power of two that runs; m = n where n is one */
    born_complex *turn;         /* [m / 2]: exp(-2 pi i k / m) */
    born_complex *chirp;        /* [n]: exp(-pi i k^2 / n); NULL where m = n */
    born_complex *filter;       /* [m]: transform of the conjugate chirp, wrapped */
} born_fft;

/* exp(2 pi i k / n), for any k and 0 < n <= 2^41. */
born_complex born__unit_circle(int64_t k, int64_t n);
/* born_complex elements that a plan for length n takes, and that one transform works in. n in [1, BORN_FFT_MAX]. */
size_t born__fft_plan_size(int64_t n);
size_t born__fft_work_size(int64_t n);
void born__fft_plan(born_fft *f, int64_t n, born_complex *memory);
/* work[0..n) becomes its transform: sum x[j] exp(-+2 pi i j k / n); the inverse is not scaled. */
void born__fft_run(const born_fft *f, born_complex *work, bool inverse);
#endif
