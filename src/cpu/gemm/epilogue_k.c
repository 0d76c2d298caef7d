/* The epilogue of products on 16 lanes. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/gemm/epilogue.h"
#include "cpu/gemm/tile.h"
#include "cpu/kernels/activation.h"

/* n <= 16 numbers at distance `step`. */
BORN_INLINE v16 gather(const float *p, int64_t step, int64_t n)
{
    if (step == 1) return n == BORN_PANEL ? v_load(p) : v_load_n(p, n);
    if (step == 0) return v_set(*p);
    float t[BORN_PANEL] = { 0 };
    for (int64_t i = 0; i < n; i++) t[i] = p[i * step];
    return v_load(t);
}

BORN_INLINE void scatter(float *p, int64_t step, v16 v, int64_t n)
{
    if (step == 1) {
        if (n == BORN_PANEL) v_store(p, v);
        else v_store_n(p, v, n);
        return;
    }
    float t[BORN_PANEL];
    v_store(t, v);
    for (int64_t i = 0; i < n; i++) p[i * step] = t[i];
}

BORN_INLINE v16 finish(const born_epilogue *e, v16 v, const float *scales, const float *bias,
                       const float *residual, int64_t n)
{
    if (e->scaled) v = v_mul(v_set(e->scale), v);
    if (e->has_scales) v = v_mul(v, gather(scales, e->scales_col, n));
    if (e->has_bias) {
        v16 b = gather(bias, e->bias_col, n);
        v = v_add(v, e->bias_scaled ? v_mul(v_set(e->bias_scale), b) : b);
    }
    if (e->has_residual) v = v_add(v, gather(residual, e->residual_col, n));
    return v;
}

/* A finished tile to where its columns lie; columns apart go one by one, since their rows are neighbours. */
static void spread(const born_epilogue *e, const float *t, int64_t t_row, int m, int64_t columns, float *const *out)
{
    if (e->out_col == 1) {
        for (int r = 0; r < m; r++)
            for (int64_t j = 0; j < columns; j += BORN_PANEL)
                scatter(out[r] + j, 1, v_load(t + r * t_row + j), columns - j < BORN_PANEL ? columns - j : BORN_PANEL);
        return;
    }
    for (int64_t j = 0; j < columns; j++)
        for (int r = 0; r < m; r++) out[r][j * e->out_col] = t[r * t_row + j];
}

void BORN_K(epilogue_f32)(const born_epilogue *e, float *t, int64_t t_row, int m, int64_t column, int64_t columns,
                          float *const *out, const float *const *bias, const float *const *residual)
{
    bool through = e->activation != 0 || (e->out_col != 1 && m > 1);
    bool changed = e->scaled || e->has_scales || e->has_bias || e->has_residual;

    for (int r = 0; r < m && (changed || !through); r++)
        for (int64_t j = 0; j < columns; j += BORN_PANEL) {
            int64_t n = columns - j < BORN_PANEL ? columns - j : BORN_PANEL;
            v16 v = finish(e, v_load(t + r * t_row + j),
                           e->has_scales ? e->scales + (column + j) * e->scales_col : NULL,
                           e->has_bias ? bias[r] + j * e->bias_col : NULL,
                           e->has_residual ? residual[r] + j * e->residual_col : NULL, n);
            if (through) v_store(t + r * t_row + j, v);
            else scatter(out[r] + j * e->out_col, e->out_col, v, n);
        }
    if (!through) return;
    if (e->activation) BORN_K(activation_f32)(e->activation, e->param, t, m * t_row);
    spread(e, t, t_row, m, columns, out);
}
