/* What follows a product, applied to finished rows while they are in cache, in this order, each step rounded: scale,
   column scale, bias (scaled), residual, activation. Shared by matrix products and convolutions. */
#ifndef BORN_CPU_EPILOGUE_H
#define BORN_CPU_EPILOGUE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct born_epilogue {
    bool scaled, has_scales, has_bias, bias_scaled, has_residual;
    float scale, bias_scale;
    const float *bias, *residual;
    const float *scales;                /* of column 0 */
    int64_t scales_col, bias_col, residual_col;     /* distance of columns; rows come with each call */
    uint16_t activation;                /* op id of a unary row; 0: none */
    double param[2];
    int64_t out_col;
} born_epilogue;

/* Whether the tile can do it (born_finish in tile.h): neighbouring columns (of bias and scales also one number for
   all), relu or nothing at the end. */
bool born__epilogue_direct(const born_epilogue *e);

#ifdef BORN_LEVEL_NAME
#include "cpu/levels.h"
/* Finishes m rows of `columns` results that lie in t (row r at t + r * t_row, whole vectors, changed) and writes them
   to out[r]. The first is column `column` of the result; bias[r] and residual[r] are the addresses for it (read only
   where
   the epilogue has them). */
void BORN_K(epilogue_f32)(const born_epilogue *e, float *t, int64_t t_row, int m, int64_t column, int64_t columns,
                          float *const *out, const float *const *bias, const float *const *residual);
#endif
#endif
