/* Times the peak loops of kernels/peak_k.c. */
#include "cpu/peak.h"

#include "base/clock.h"
#include "cpu/kernel.h"

#define PROTOTYPE(level, LEVEL, ...) float born_k_peak_f32_##level(int64_t rounds, double *flops);
BORN_LEVELS(PROTOTYPE, 0)

typedef struct peak_row { born_level level; const char *name; float (*run)(int64_t rounds, double *flops); } peak_row;
#define ROW(level, LEVEL, ...) { BORN_LEVEL_##LEVEL, #level, born_k_peak_f32_##level },
static const peak_row rows[] = { BORN_LEVELS(ROW, 0) };

static const peak_row *best_row(void)
{
    uint32_t levels = born__cpu_levels_in_use();
    const peak_row *best = &rows[0];

    for (size_t i = 1; i < sizeof rows / sizeof rows[0]; i++)
        if (levels >> rows[i].level & 1u) best = &rows[i];
    return best;
}

const char *born__cpu_level_name(void)
{
    return best_row()->name;
}

double born__cpu_peak(void)
{
    const peak_row *row = best_row();
    double best = 0;
    volatile float sink = 0;

    for (int i = 0; i < 20; i++) {
        double flops, t = born__clock_seconds();
        sink = sink + row->run(row->level == BORN_LEVEL_SCALAR ? 5000 : 200000, &flops);
        t = born__clock_seconds() - t;
        if (t > 0 && flops / t > best) best = flops / t;
    }
    return best;
}
