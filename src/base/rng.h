/* Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC11).
   Element i of a stream depends on (key, stream, i) alone, so any cut of the work gives the same numbers. */
#ifndef BORN_BASE_RNG_H
#define BORN_BASE_RNG_H
#include <stddef.h>
#include <stdint.h>

void born__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* Elements [first, first + n) of a stream: element i is word i % 4 of block i / 4. */
void born__philox_u32(uint64_t key, uint64_t stream, uint64_t first, uint32_t *dst, size_t n);
void born__philox_f32(uint64_t key, uint64_t stream, uint64_t first, float *dst, size_t n);     /* in [0, 1) */

/* Words 0 and 2 of blocks [first, first + BORN_PHILOX_SPAN) of a stream, one after the other: many blocks at once. */
#define BORN_PHILOX_SPAN 16
void born__philox_even(uint64_t key, uint64_t stream, uint64_t first, uint32_t dst[2 * BORN_PHILOX_SPAN]);

/* The 24 upper bits as a multiple of 2^-24 in [0, 1). */
static inline float born__unit_f32(uint32_t u)
{
    return (float)(u >> 8) * 0x1p-24f;
}
/* 53 bits of two words as a multiple of 2^-53 in [0, 1). */
static inline double born__unit_f64(uint32_t hi, uint32_t lo)
{
    uint64_t u = (uint64_t)hi << 32 | lo;
    return (double)(u >> 11) * 0x1p-53;
}
#endif
