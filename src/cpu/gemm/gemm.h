/* A matrix product as its kernels see it, derived from a call (gemm_shape.c) and run by gemm_k.c. Result rows are
   walked over up to 8 dims: the first `batch_rank` have matrices b of their own, over the others b is shared, so a
   batch times one matrix is a single tall product. */
#ifndef BORN_CPU_GEMM_H
#define BORN_CPU_GEMM_H
#include "cpu/gemm/epilogue.h"
#include "cpu/kernel.h"

/* Operands of so many floats may be packed by blocks of rows or groups of panels, each where its thread works: then
   there is room for a block and a group more. */
enum { BORN_GEMM_LARGE = 1 << 17, BORN_GEMM_SLACK_ROWS = 128, BORN_GEMM_SLACK_PANELS = 8 };

typedef struct born_gemm_dim {
    int64_t n;                              /* size */
    int64_t a, b, out, bias, residual;      /* strides in floats */
} born_gemm_dim;

typedef struct born_gemm {
    int64_t n, k;                           /* columns, terms */
    int64_t batches, rows;                  /* rows of one batch */
    int batch_rank, rank;
    int64_t a_k, b_k, b_n;                  /* strides in floats */
    const float *a, *b;
    float *out;
    const float *panels;                    /* b packed; NULL: packed or read in place by the run */
    born_epilogue end;
    bool pack_a;                            /* a_k is not 1 */
    bool in_place_b;                        /* few rows: b is read where it is */
    bool deep;                              /* few results of many terms, by deep_k.c */
    int64_t a_row;                          /* floats of a packed row of a */
    size_t a_floats, b_floats;              /* scratch of one batch */
    int64_t chunk;                          /* batches packed at a time */
    size_t scratch_bytes;
    born_gemm_dim dim[BORN_MAX_RANK];       /* last: only `rank` of them are filled */
} born_gemm;

/* false: not for these kernels. Pointers are filled where the views have them. */
bool born__gemm_of_matmul(const born_call *c, born_gemm *g);
bool born__gemm_of_gemm(const born_call *c, born_gemm *g);

#ifdef BORN_LEVEL_NAME
/* Runs a problem that is `deep` (deep_k.c). */
void BORN_K(gemm_deep_f32)(const born_gemm *g, const born_exec *x);
#endif
#endif
