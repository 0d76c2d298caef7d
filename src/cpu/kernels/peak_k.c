/* What one core can do at most: independent chains of FMAs in registers. Benchmarks divide by it. */
#include "cpu/simd/simd.h"

#include "cpu/peak.h"

#if BORN_LEVEL_IS == BORN__LEVEL_IS_avx2
enum { CHAINS = 6 };
#else
enum { CHAINS = 12 };
#endif

float BORN_K(peak_f32)(int64_t rounds, double *flops)
{
    static const float start[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }; /* no two lanes alike */
    v16 acc[CHAINS], x = v_set(0.999f), y = v_set(0.0001f);

    BORN_UNROLL
    for (int i = 0; i < CHAINS; i++) acc[i] = v_add(v_load(start), v_set((float)(16 * i)));
    for (int64_t r = 0; r < rounds; r++) {
        BORN_UNROLL
        for (int i = 0; i < CHAINS; i++) acc[i] = v_fma(acc[i], x, y);
    }
    v16 sum = acc[0];
    BORN_UNROLL
    for (int i = 1; i < CHAINS; i++) sum = v_add(sum, acc[i]);
    *flops = 2.0 * 16 * CHAINS * (double)rounds;
    return v_sum(sum);
}
