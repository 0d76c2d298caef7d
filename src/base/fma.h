/* a * b + c of floats, rounded once, on every machine: what the law of bits calls one link of a chain. Where the CPU
   has no such instruction libm is not asked: some of its versions round twice where the result is subnormal, others
   change the rounding mode, which costs a hundred cycles. References and plain kernels call born__fmaf. */
#ifndef BORN_BASE_FMA_H
#define BORN_BASE_FMA_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The product of two floats is exact in a double, and so is the answer where its sum with c, already rounded, does not
   lie halfway between two floats. Elsewhere the sum is rounded to odd: if it is inexact, the neighbour with an odd last
   bit is taken, of the two doubles around the exact value. Rounding that to float then gives what rounding the exact
   value gives, because a double has more than two bits beyond a float (Boldo and Melquiond, "Emulation of a FMA and
   correctly rounded sums", 2008). Neither product nor sum can leave the range of a double. */
static inline float born__fmaf_soft(float a, float b, float c)
{
    double p = (double)a * (double)b, z = (double)c, s = p + z;
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    bool normal = (bits >> 52 & 0x7ff) >= 1023 - 126;       /* as a float; below, halfway is another place */
    if (normal && (bits & 0x1fffffff) != 0x10000000) return (float)s;
    double q = s - p, lost = (p - (s - q)) + (z - q);       /* s + lost is exact (Knuth); NaN where s is not finite */
    if ((lost < 0 || lost > 0) && !(bits & 1)) bits += (lost > 0) == (s > 0) ? UINT64_C(1) : ~UINT64_C(0);
    memcpy(&s, &bits, sizeof s);
    return (float)s;
}

/* Compilers that know the instruction, and glibc on x86-64, which looks for it at run time and is exact without. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__riscv_flen) ||                                         \
    (defined(__x86_64__) && defined(__GLIBC__))
static inline float born__fmaf(float a, float b, float c) { return fmaf(a, b, c); }
#else
static inline float born__fmaf(float a, float b, float c) { return born__fmaf_soft(a, b, c); }
#endif
#endif
