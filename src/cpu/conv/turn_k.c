/* Turns an image so that channels are innermost: [N, C, D, H, W] with any strides to [N, D, H, W, C], in blocks of 16
   channels by 16 cells where cells are neighbours; and the turning of such blocks for other kernels. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"
#include "cpu/kernels/turn_plane.h"

void BORN_K(turn_plane_f32)(const float *from, int64_t from_step, int64_t channels, int64_t cells, float *to,
                            int64_t to_step)
{
    for (int64_t c = 0; c < channels; c += 16) {
        int64_t live = channels - c < 16 ? channels - c : 16;
        const float *x = from + c * from_step;
        for (int64_t i = 0; i < cells; i += 16) {
            int64_t n = cells - i < 16 ? cells - i : 16;
            v16 r[16];
            if (live == 16 && n == 16)
                for (int k = 0; k < 16; k++) r[k] = v_load(x + k * from_step + i);
            else
                for (int k = 0; k < 16; k++) r[k] = k < live ? v_load_n(x + k * from_step + i, n) : v_zero();
            v_transpose(r);
            float *y = to + i * to_step + c;
            if (live == 16)
                for (int64_t k = 0; k < n; k++) v_store(y + k * to_step, r[k]);
            else
                for (int64_t k = 0; k < n; k++) v_store_n(y + k * to_step, r[k], live);
        }
    }
}

typedef struct turn_job {
    const born_conv *v;
    float *dst;
    int64_t run, lines;             /* cells without a gap, and how many such runs an image has */
} turn_job;

/* Items: runs of cells. */
static void turn_runs(void *ctx, int64_t begin, int64_t end)
{
    const turn_job *j = ctx;
    const born_conv *v = j->v;
    int64_t per_plane = j->run / v->win.in[2], high = v->win.in[1] / per_plane;

    for (int64_t i = begin; i < end; i++) {
        int64_t h = i % high * per_plane, d = i / high % v->win.in[0], n = i / j->lines;
        const float *from = v->x + n * v->xn + d * v->xs[0] + h * v->xs[1];
        float *to = j->dst + i * j->run * v->channels;
        if (v->xs[2] == 1) {
            BORN_K(turn_plane_f32)(from, v->xc, v->channels, j->run, to, v->channels);
            continue;
        }
        for (int64_t w = 0; w < j->run; w++)
            for (int64_t c = 0; c < v->channels; c++) to[w * v->channels + c] = from[c * v->xc + w * v->xs[2]];
    }
}

void BORN_K(turn_f32)(const born_conv *v, float *dst, const born_exec *x)
{
    const born_window *w = &v->win;
    turn_job j = { v, dst, w->in[2], w->in[0] * w->in[1] };

    if (v->xs[1] == w->in[2] * v->xs[2]) {      /* a plane is one run */
        j.run *= w->in[1];
        j.lines = w->in[0];
    }
    born__exec_for(x, v->batch * j.lines, 1 + (1 << 14) / (j.run * v->channels), turn_runs, &j);
}
