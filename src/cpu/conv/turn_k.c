/* Turns an image so that channels are innermost: [N, C, D, H, W] with any strides to [N, D, H, W, C], in blocks of 16
   channels by 16 cells where cells are neighbours. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"

typedef struct turn_job { const born_conv *v; float *dst; int64_t rows; } turn_job;

/* One row of cells along the last axis. */
static void turn_row(const born_conv *v, const float *from, float *to)
{
    int64_t w = v->win.in[2], c = v->channels, i = 0;

    for (; v->xs[2] == 1 && i + 16 <= w; i += 16) {
        int64_t ch = 0;
        for (; ch + 16 <= c; ch += 16) {
            v16 r[16];
            for (int k = 0; k < 16; k++) r[k] = v_load(from + (ch + k) * v->xc + i);
            v_transpose(r);
            for (int k = 0; k < 16; k++) v_store(to + (i + k) * c + ch, r[k]);
        }
        for (; ch < c; ch++)
            for (int k = 0; k < 16; k++) to[(i + k) * c + ch] = from[ch * v->xc + i + k];
    }
    for (; i < w; i++)
        for (int64_t ch = 0; ch < c; ch++) to[i * c + ch] = from[ch * v->xc + i * v->xs[2]];
}

static void turn_rows(void *ctx, int64_t begin, int64_t end)
{
    const turn_job *j = ctx;
    const born_conv *v = j->v;

    for (int64_t i = begin; i < end; i++) {
        int64_t h = i % v->win.in[1], d = i / v->win.in[1] % v->win.in[0], n = i / v->win.in[1] / v->win.in[0];
        turn_row(v, v->x + n * v->xn + d * v->xs[0] + h * v->xs[1], j->dst + i * v->win.in[2] * v->channels);
    }
}

void BORN_K(turn_f32)(const born_conv *v, float *dst, const born_exec *x)
{
    turn_job j = { v, dst, v->batch * v->win.in[0] * v->win.in[1] };

    born__exec_for(x, j.rows, 1 + (1 << 14) / (v->win.in[2] * v->channels), turn_rows, &j);
}
