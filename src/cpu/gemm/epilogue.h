/* What follows a product, applied to finished rows while they are in cache, in this order, each step rounded: scale,
   column scale, bias (scaled), residual, activation. Shared by matrix products and convolutions. */
#ifndef BORN_CPU_EPILOGUE_H
#define BORN_CPU_EPILOGUE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct born_epilogue {
    bool scaled, has_bias, bias_scaled, has_residual;
    float scale, bias_scale;
    const float *bias, *residual;
    const float *column_scale;          /* per column, before the bias (conv operand 4); NULL: none. Needs has_bias and
                                           bias_col 1: its place for a row is that of the bias */
    int64_t bias_col, residual_col;     /* distance of columns in floats; rows are given with each call */
    uint16_t activation;                /* op id of a unary row; 0: none */
    double param[2];
    int64_t out_col;
} born_epilogue;

#ifdef BORN_LEVEL_NAME
#include "cpu/levels.h"
/* Finishes m rows of `columns` results that lie in t (row r at t + r * t_row, whole vectors, changed) and writes them to
   out[r]; bias[r] and residual[r] are the addresses for their first columns (read only where the epilogue has them). */
void BORN_K(epilogue_f32)(const born_epilogue *e, float *t, int64_t t_row, int m, int64_t columns, float *const *out,
                          const float *const *bias, const float *const *residual);
#endif
#endif
