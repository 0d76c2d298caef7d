/* The measured FMA peak of a core, for benchmarks and `born bench`. */
#ifndef BORN_CPU_PEAK_H
#define BORN_CPU_PEAK_H
#include <stdint.h>

#include "cpu/levels.h"

/* f32 operations per second of one core at the best level in use: the best of a few short loops (about 20 ms). */
double born__cpu_peak(void);
/* The name of that level: "avx512". */
const char *born__cpu_level_name(void);

#ifdef BORN_LEVEL_NAME
float BORN_K(peak_f32)(int64_t rounds, double *flops);
#endif
#endif
