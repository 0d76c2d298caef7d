/* See signal_fft.h. */
#include "ops/signal_fft.h"

/* cos and sin of x in [0, pi / 4]: Taylor polynomials, below 1e-17 here. */
static double small_cos(double x)
{
    double y = x * x, s = 1.0 / 20922789888000.0;
    s = s * y - 1.0 / 87178291200.0;
    s = s * y + 1.0 / 479001600.0;
    s = s * y - 1.0 / 3628800.0;
    s = s * y + 1.0 / 40320.0;
    s = s * y - 1.0 / 720.0;
    s = s * y + 1.0 / 24.0;
    s = s * y - 0.5;
    return s * y + 1.0;
}
static double small_sin(double x)
{
    double y = x * x, s = 1.0 / 355687428096000.0;
    s = s * y - 1.0 / 1307674368000.0;
    s = s * y + 1.0 / 6227020800.0;
    s = s * y - 1.0 / 39916800.0;
    s = s * y + 1.0 / 362880.0;
    s = s * y - 1.0 / 5040.0;
    s = s * y + 1.0 / 120.0;
    s = s * y - 1.0 / 6.0;
    return x * (s * y + 1.0);
}

born_complex born__unit_circle(int64_t k, int64_t n)
{
    k %= n;
    if (k < 0) k += n;
    int64_t eighth = 8 * k / n, rest = 8 * k - eighth * n;      /* the angle in octants, exactly */
    if (eighth % 2) rest = n - rest;
    double x = (double)rest / (double)n * 0.78539816339744830962, c = small_cos(x), s = small_sin(x), t;
    if (eighth % 4 == 1 || eighth % 4 == 2) {       /* mirrored at pi / 4, or turned by pi / 2 */
        t = c;
        c = s;
        s = t;
    }
    if (eighth >= 2 && eighth <= 5) c = -c;
    if (eighth >= 4) s = -s;
    return (born_complex){ c, s };
}

static bool is_power(int64_t n) { return (n & (n - 1)) == 0; }

static int64_t run_length(int64_t n)
{
    if (is_power(n)) return n;
    int64_t m = 1;
    while (m < 2 * n - 1) m *= 2;
    return m;
}

size_t born__fft_plan_size(int64_t n)
{
    int64_t m = run_length(n);
    return (size_t)(m / 2 + 1 + (m == n ? 0 : n + m));
}

size_t born__fft_work_size(int64_t n)
{
    int64_t m = run_length(n);
    return (size_t)(m == n ? n : n + m);
}

static born_complex times(born_complex a, born_complex b)
{
    return (born_complex){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

/* Radix 2 in place, m a power of two. */
static void radix2(const born_fft *f, born_complex *x)
{
    int64_t m = f->m;
    for (int64_t i = 1, j = 0; i < m; i++) {        /* bit reversal */
        int64_t bit = m / 2;
        for (; j & bit; bit /= 2) j ^= bit;
        j ^= bit;
        if (i < j) {
            born_complex t = x[i];
            x[i] = x[j];
            x[j] = t;
        }
    }
    for (int64_t len = 2; len <= m; len *= 2)
        for (int64_t base = 0; base < m; base += len)
            for (int64_t k = 0; k < len / 2; k++) {
                born_complex a = x[base + k], b = times(x[base + k + len / 2], f->turn[k * (m / len)]);
                x[base + k] = (born_complex){ a.re + b.re, a.im + b.im };
                x[base + k + len / 2] = (born_complex){ a.re - b.re, a.im - b.im };
            }
}

/* k^2 mod 2n without overflow, from the one before: (k + 1)^2 = k^2 + 2k + 1. */
static int64_t next_square(int64_t square, int64_t k, int64_t n) { return (square + 2 * k + 1) % (2 * n); }

void born__fft_plan(born_fft *f, int64_t n, born_complex *memory)
{
    *f = (born_fft){ .n = n, .m = run_length(n), .turn = memory };
    for (int64_t k = 0; k < f->m / 2; k++) f->turn[k] = born__unit_circle(-k, f->m);
    if (f->m == n) return;
    f->chirp = memory + f->m / 2 + 1;
    f->filter = f->chirp + n;
    for (int64_t k = 0; k < f->m; k++) f->filter[k] = (born_complex){ 0, 0 };
    for (int64_t k = 0, square = 0; k < n; k++) {
        f->chirp[k] = born__unit_circle(-square, 2 * n);
        born_complex back = { f->chirp[k].re, -f->chirp[k].im };
        f->filter[k] = back;
        if (k > 0) f->filter[f->m - k] = back;
        square = next_square(square, k, n);
    }
    radix2(f, f->filter);
}

void born__fft_run(const born_fft *f, born_complex *work, bool inverse)
{
    if (inverse)    /* the transform of the conjugate, conjugated */
        for (int64_t k = 0; k < f->n; k++) work[k].im = -work[k].im;
    if (f->m == f->n) {
        radix2(f, work);
    } else {
        born_complex *a = work + f->n;
        for (int64_t k = 0; k < f->m; k++) a[k] = k < f->n ? times(work[k], f->chirp[k]) : (born_complex){ 0, 0 };
        radix2(f, a);
        for (int64_t k = 0; k < f->m; k++) {        /* conjugated, so that the next one runs backwards */
            a[k] = times(a[k], f->filter[k]);
            a[k].im = -a[k].im;
        }
        radix2(f, a);
        double scale = 1.0 / (double)f->m;
        for (int64_t k = 0; k < f->n; k++)
            work[k] = times((born_complex){ a[k].re * scale, -a[k].im * scale }, f->chirp[k]);
    }
    if (inverse)
        for (int64_t k = 0; k < f->n; k++) work[k].im = -work[k].im;
}
