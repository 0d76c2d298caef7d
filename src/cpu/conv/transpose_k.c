/* Transposed convolution as a gather on register tiles. A result cell o meets tap k where o + pad - k * dilation is a
   multiple of the stride, so the cells of one phase (o modulo stride) share their taps, and the next cell of the phase
   meets the next input cell. Rows of a tile are cells of one phase along the last axis, terms the taps that meet the
   image times channels, columns result channels. Items are rows of results times groups of panels. Without steps it is
   a convolution that walks the image backwards, and conv_k.c runs it. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/conv.h"
#include "cpu/gemm/tile.h"

enum { WIDE = BORN_TILE_N * BORN_PANEL, LINE = 64, RUNS = 2 * BORN_CONV_TAPS + 1 };

typedef struct deconv_job {
    const born_conv *v;
    const float *panels;
    float *pack;
    int64_t groups;                     /* groups of panels */
} deconv_job;

/* A tap and the input cell it meets for the cell of its phase that is called 0. */
typedef struct meeting { int64_t tap, cell; } meeting;

/* Taps of axis a that result cell o meets, inside the image or not; room for all. */
static int meetings(const born_window *w, int a, int64_t o, int64_t most, meeting *to)
{
    int n = 0;

    for (int64_t k = 0; k < w->kernel[a] && n < most; k++) {
        int64_t at = o + w->pad[a] - k * w->dilation[a];
        if (at % w->stride[a] == 0) to[n++] = (meeting){ k, at / w->stride[a] };
    }
    return n;
}

/* The runs of one set of taps, cut at the chains' segments: run[start[s]..start[s + 1]) is segment s. */
typedef struct runs {
    born_run run[RUNS];
    int64_t start[BORN_CONV_TAPS + 2];
    int64_t count, segments;
} runs;

static void add_runs(const born_conv *v, runs *l, int64_t tap, int64_t x)
{
    int64_t term = tap * v->cg, end = term + v->cg;

    while (term < end) {
        int64_t segment = term / BORN_CHAIN, stop = (segment + 1) * BORN_CHAIN;
        if (stop > end) stop = end;
        while (l->segments <= segment) l->start[l->segments++] = l->count;
        l->run[l->count++] = (born_run){ x, term * BORN_PANEL, stop - term };
        x += stop - term;
        term = stop;
    }
}

/* A row of results: [n][.][o0][o1], panels [p0, p1) of group g. */
typedef struct line {
    const deconv_job *j;
    int64_t g, p0, p1;
    int64_t x, y, r;                    /* floats: the group's image, the row of results and of the residual */
    meeting near0[BORN_CONV_TAPS], near1[BORN_CONV_TAPS];
    int n0, n1;
    runs list;
} line;

/* Cells first, first + stride, ... of the row: `count` of them, the first meeting input cell `shift` more than what the
   runs say. */
static void run_tiles(line *l, int64_t first, int64_t count, int64_t shift)
{
    const born_conv *v = l->j->v;
    const born_window *w = &v->win;
    _Alignas(64) float sum[BORN_TILE_ROWS][WIDE], part[BORN_TILE_ROWS][WIDE];
    int64_t width = (l->p1 - l->p0) * BORN_PANEL, column = l->g * v->mg + l->p0 * BORN_PANEL;
    int64_t left = v->mg - l->p0 * BORN_PANEL, columns = left < width ? left : width;
    const born_epilogue *e = &v->end;

    for (int64_t i = 0; i < count; i += BORN_TILE_M) {
        int m = (int)(count - i < BORN_TILE_M ? count - i : BORN_TILE_M);
        float *out[BORN_TILE_ROWS];
        const float *bias[BORN_TILE_ROWS], *residual[BORN_TILE_ROWS];
        born_tile t = { .a_step = 1, .b_panel = v->terms * BORN_PANEL, .b_step = BORN_PANEL, .m = m };
        for (int r = 0; r < m; r++) {
            int64_t o = first + (i + r) * w->stride[2], x = l->x + (shift + i + r) * v->xs[2];
            t.a[r] = (const float *)((uintptr_t)v->x + (uintptr_t)(x * (int64_t)sizeof(float)));
            out[r] = v->y + l->y + o * v->ys[2] + column * e->out_col;
            bias[r] = e->has_bias ? e->bias + column * e->bias_col : NULL;
            residual[r] = e->has_residual ? e->residual + l->r + o * v->rs[2] + column * e->residual_col : NULL;
        }
        for (int64_t s = 0; s < l->list.segments; s++) {
            t.run = l->list.run + l->list.start[s];
            t.run_count = l->list.start[s + 1] - l->list.start[s];
            int wide = BORN_K(tilewidth_f32)(m);
            for (int p = 0; p < l->p1 - l->p0; p += t.np) {
                t.np = (int)(l->p1 - l->p0 - p < wide ? l->p1 - l->p0 - p : wide);
                t.b = l->j->panels + (l->g * v->panels + l->p0 + p) * v->terms * BORN_PANEL;
                for (int r = 0; r < m; r++) t.c[r] = (s ? part[r] : sum[r]) + p * BORN_PANEL;
                BORN_K(tile_f32)(&t);
            }
            for (int r = 0; s && r < m; r++)
                for (int64_t c = 0; c < width; c += BORN_PANEL)
                    v_store(sum[r] + c, v_add(v_load(sum[r] + c), v_load(part[r] + c)));
        }
        BORN_K(epilogue_f32)(e, sum[0], WIDE, m, column, columns, out, bias, residual);
    }
}

/* Cells of one phase: runs of them that have the same taps inside the image. */
static void run_phase(line *l, int64_t phase)
{
    const born_conv *v = l->j->v;
    const born_window *w = &v->win;
    meeting near[LINE];
    int n = meetings(w, 2, phase, LINE, near);
    int64_t count = (w->out[2] - phase + w->stride[2] - 1) / w->stride[2];

    for (int64_t i = 0, end; i < count; i = end) {
        end = count;
        l->list.count = l->list.segments = 0;
        for (int k = 0; k < n; k++) { /* where a tap enters or leaves the image the set changes */
            int64_t enter = -near[k].cell, leave = w->in[2] - near[k].cell;
            if (enter > i && enter < end) end = enter;
            if (leave > i && leave < end) end = leave;
        }
        for (int a = 0; a < l->n0; a++)
            for (int b = 0; b < l->n1; b++)
                for (int k = 0; k < n; k++) {
                    int64_t cell = near[k].cell + i;
                    if (cell < 0 || cell >= w->in[2]) continue;
                    int64_t tap = (l->near0[a].tap * w->kernel[1] + l->near1[b].tap) * w->kernel[2] + near[k].tap;
                    add_runs(v, &l->list, tap,
                             l->near0[a].cell * v->xs[0] + l->near1[b].cell * v->xs[1] + near[k].cell * v->xs[2]);
                }
        int64_t segments = (v->terms + BORN_CHAIN - 1) / BORN_CHAIN;
        while (l->list.segments <= segments) l->list.start[l->list.segments++] = l->list.count;
        l->list.segments = segments;
        run_tiles(l, phase + i * w->stride[2], end - i, i);
    }
}

/* Those of n meetings whose cells lie in the image. */
static int keep_inside(const born_window *w, int a, meeting *m, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++)
        if (m[i].cell >= 0 && m[i].cell < w->in[a]) m[kept++] = m[i];
    return kept;
}

static void run_lines(void *ctx, int64_t begin, int64_t end)
{
    const deconv_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    line l = { .j = j };

    for (int64_t i = begin; i < end; i++) {
        int64_t part = i % j->groups, o1 = i / j->groups % w->out[1], rest = i / j->groups / w->out[1];
        int64_t o0 = rest % w->out[0], n = rest / w->out[0] / v->groups;
        l.g = rest / w->out[0] % v->groups;
        l.p0 = part * v->panels / j->groups;
        l.p1 = (part + 1) * v->panels / j->groups;
        l.x = n * v->xn + l.g * v->cg;
        l.y = n * v->yn + o0 * v->ys[0] + o1 * v->ys[1];
        l.r = n * v->rn + o0 * v->rs[0] + o1 * v->rs[1];
        l.n0 = keep_inside(w, 0, l.near0, meetings(w, 0, o0, BORN_CONV_TAPS, l.near0));
        l.n1 = keep_inside(w, 1, l.near1, meetings(w, 1, o1, BORN_CONV_TAPS, l.near1));
        for (int64_t phase = 0; phase < w->stride[2] && phase < w->out[2]; phase++) run_phase(&l, phase);
    }
}

static void pack_items(void *ctx, int64_t begin, int64_t end)
{
    const deconv_job *j = ctx;

    born__conv_pack(j->v, begin, end, j->pack);
}

born_status BORN_K(conv_transpose_f32)(born_call *c, const born_exec *x)
{
    born_conv v;
    float *scratch = x->scratch;

    if (!born__conv_of(c, &v)) return BORN_OK;
    deconv_job j = { .v = &v, .panels = v.packed, .groups = (v.panels + BORN_TILE_N - 1) / BORN_TILE_N };
    if (!v.packed) {
        j.panels = j.pack = scratch + v.x_floats;
        born__exec_for(x, born__conv_panels(&v), 1 + (1 << 12) / v.terms, pack_items, &j);
    }
    if (v.turn) {
        BORN_K(turn_f32)(&v, scratch, x);
        born__conv_turned(&v, scratch);
    }
    born_conv_classes classes;
    if (born__conv_classes(&v, &classes)) {
        v.packed = j.panels;
        BORN_K(conv_gemm_f32)(&v, x);
        return BORN_OK;
    }
    int64_t work = v.win.out[2] * (v.terms < 1 << 15 ? v.terms : 1 << 15);
    born__exec_for(x, v.batch * v.groups * v.win.out[0] * v.win.out[1] * j.groups, 1 + (1 << 12) / work, run_lines, &j);
    return BORN_OK;
}
