/* The register tile of integer products: rows of u8 against panels of i8, 16 columns and four terms to a group:
   [panel][groups][16][4] bytes. Sums are exact modulo 2^32. Like gemm/tile.h otherwise. */
#ifndef BORN_CPU_QTILE_H
#define BORN_CPU_QTILE_H
#include <stdbool.h>
#include <stdint.h>

#include "cpu/levels.h"

enum { BORN_QTILE_ROWS = 8, BORN_QPANEL = 16, BORN_QGROUP = 64 /* bytes of four terms of a panel */ };

typedef struct born_qrun {
    int64_t a, b, n;
} born_qrun; /* n groups: byte offsets in each row and in the panel */

typedef struct born_qtile {
    const uint8_t *a[BORN_QTILE_ROWS];
    int32_t *c[BORN_QTILE_ROWS]; /* panel j of row r at c[r] + 16 * j */
    const int8_t *b;
    int64_t b_panel; /* bytes */
    const born_qrun *run;
    int64_t run_count;
    int m, np;
} born_qtile;

/* How a quantised result is made: saturate(round(sum * scale) + zero). */
typedef struct born_qfinish {
    int32_t zero, lo, hi;
} born_qfinish;

#ifdef BORN_LEVEL_NAME
#if BORN_LEVEL_IS == BORN__LEVEL_IS_avx512vnni
#define BORN_QTILE_M 8
#define BORN_QTILE_N 3
#elif BORN_LEVEL_IS == BORN__LEVEL_IS_avx512
#define BORN_QTILE_M 8
#define BORN_QTILE_N 1
#elif BORN_LEVEL_IS == BORN__LEVEL_IS_neon
#define BORN_QTILE_M 4
#define BORN_QTILE_N 1
#else
#define BORN_QTILE_M 3
#define BORN_QTILE_N 1
#endif
void BORN_K(qtile_q8)(const born_qtile *t);
/* n sums, n <= 16, to bytes `step` apart. */
void BORN_K(qstore_q8)(const born_qfinish *f, const int32_t *sum, const float *scale, int64_t n, uint8_t *to,
                       int64_t step);
#endif
#endif
