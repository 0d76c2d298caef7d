/* The register tile under matrix products and convolutions: m rows times np panels of 16 columns. Each output is one
   chain of FMAs over the terms of the runs, in order. B lies in panels: `b` is the address of the first panel's first
   16 numbers, term k of panel j is at b + j * b_panel + k * b_step. Rows of A are addresses, so the same tile reads a
   matrix in place, a packed copy, or the pixels under a convolution window; consecutive terms of a run are neighbours
   in A, or a_step apart. Called by gemm_k.c and conv_k.c of the same level. */
#ifndef BORN_CPU_TILE_H
#define BORN_CPU_TILE_H
#include <stdbool.h>
#include <stdint.h>

#include "cpu/levels.h"

enum {
    BORN_PANEL = 16,            /* columns of a panel */
    BORN_CHAIN = 1024,          /* terms of a chain before it is cut (the law of bits) */
    BORN_TILE_ROWS = 8,         /* no level has more */
    BORN_TILE_WIDE = 8,         /* panels: no level has more */
};

typedef struct born_run {
    int64_t a, b, n;            /* n terms: from a floats behind each row's address, b floats behind the panel's */
} born_run;

/* The usual epilogue, done on the accumulators: scales, bias, residual, relu. Results and residuals have neighbouring
   columns; scales and bias have those or one number for all. */
typedef struct born_finish {
    float *out[BORN_TILE_ROWS];
    const float *bias[BORN_TILE_ROWS], *residual[BORN_TILE_ROWS];
    const float *scales;        /* NULL: none; the same for every row */
    bool has_bias, has_residual, relu;
    bool bias_shared;           /* bias[0] is every row's */
    bool bias_one, scales_one;  /* one number for all columns */
    int last;                   /* columns of the last panel */
} born_finish;

typedef struct born_tile {
    const float *a[BORN_TILE_ROWS];
    float *c[BORN_TILE_ROWS];   /* panel j of row r at c[r] + 16 * j */
    const float *b;
    int64_t b_panel, b_step;    /* floats */
    const born_run *run;
    int64_t run_count;
    int64_t a_step;             /* floats between a row's terms in A */
    uintptr_t fetch;            /* with each term, the line at fetch, then at fetch_step bytes behind it, and so on,
                                   goes to the second cache, for a tile to come; 0: none. Only a hint, which large
                                   tiles take */
    int64_t fetch_step;
    const born_finish *finish;  /* the result goes through it to finish->out; NULL: it goes to c */
    int m, np;
    bool chain;                 /* go on from c; else from +0 */
    bool add;                   /* c + result; else the result alone */
} born_tile;

#ifdef BORN_LEVEL_NAME
#if BORN_LEVEL_IS == BORN__LEVEL_IS_avx512 || BORN_LEVEL_IS == BORN__LEVEL_IS_avx512vnni
#define BORN_TILE_M 8
#define BORN_TILE_N 3
#elif BORN_LEVEL_IS == BORN__LEVEL_IS_avx2 || BORN_LEVEL_IS == BORN__LEVEL_IS_neon
#define BORN_TILE_M 6
#define BORN_TILE_N 1
#else
#define BORN_TILE_M 4
#define BORN_TILE_N 1
#endif
void BORN_K(tile_f32)(const born_tile *t);
/* Panels the level takes at once for m rows. */
int BORN_K(tilewidth_f32)(int m);
#endif
#endif
