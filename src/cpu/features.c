/* What this CPU can do, as a bit per level: cpuid and the registers the system saves (x86), or the architecture itself
   (aarch64 has NEON always). Asked once by dispatch.c. */
#include "cpu/kernel.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_state(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static bool all(uint32_t reg, uint32_t bits) { return (reg & bits) == bits; }

uint32_t born__cpu_levels(void)
{
    uint32_t a, b, c, d, b7, c7, d7, levels = 1u << BORN_LEVEL_SCALAR;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return levels;
    uint64_t state = enabled_state();
    if ((state & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) || !all(b7, bit_AVX2)) return levels;
    levels |= 1u << BORN_LEVEL_AVX2;
    if ((state & 0xe6) != 0xe6 || !all(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)) return levels;
    levels |= 1u << BORN_LEVEL_AVX512;
    if (all(c7, bit_AVX512VNNI)) levels |= 1u << BORN_LEVEL_AVX512VNNI;
    return levels;
}
#elif defined(__aarch64__)
uint32_t born__cpu_levels(void)
{
    return 1u << BORN_LEVEL_SCALAR | 1u << BORN_LEVEL_NEON;
}
#else
uint32_t born__cpu_levels(void)
{
    return 1u << BORN_LEVEL_SCALAR;
}
#endif
