/* Convolution as implicit GEMM on register tiles: rows are result pixels, terms are kernel positions times channels,
   columns are result channels. A row's address is where its window starts in the image, so no patch is ever copied. A
   tile whose windows lie inside the image runs over the segment's terms in one call; at borders each kernel position
   goes to the rows that have it, with chains kept in a small buffer, so taps in the padding are skipped as the law says.
   Items are blocks of pixels times groups of panels, as in gemm_k.c. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/conv.h"
#include "cpu/gemm/tile.h"

enum {
    BLOCK_ROWS = BORN_TILE_M * 16,
    BLOCK_FLOATS = BLOCK_ROWS * BORN_TILE_N * BORN_PANEL,
    WIDE = BORN_TILE_N * BORN_PANEL,
    RUNS = 64,                      /* runs handed to a tile at once */
};

typedef struct conv_job {
    const born_conv *v;
    const float *panels;
    float *pack;                    /* where panels are packed to */
    int64_t pixels, groups, blocks, block_rows;     /* groups of panels per group of channels */
} conv_job;

/* A result pixel: where its window starts in x (floats, may lie before the image), where its results and residual
   are, and the taps [lo, hi) per axis that lie in the image. */
typedef struct pixel {
    int64_t x, y, r;
    int32_t lo[3], hi[3];
    bool whole;
} pixel;

static void find_pixels(const born_conv *v, int64_t first, int64_t count, pixel *px)
{
    const born_window *w = &v->win;
    int64_t o[3], rest = first, n;

    for (int a = 2; a >= 0; a--) {
        o[a] = rest % w->out[a];
        rest /= w->out[a];
    }
    n = rest;
    pixel row = { 0 };
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || o[2] == 0) {      /* a new row: all but the last axis */
            row = (pixel){ .x = n * v->xn, .y = n * v->yn, .r = n * v->rn, .whole = true };
            for (int a = 0; a < 2; a++) {
                int64_t lo, hi;
                born__window_taps(w, a, o[a], &lo, &hi);
                row.lo[a] = (int32_t)lo;
                row.hi[a] = (int32_t)hi;
                row.whole = row.whole && lo == 0 && hi == w->kernel[a];
                row.x += (o[a] * w->stride[a] - w->pad[a]) * v->xs[a];
                row.y += o[a] * v->ys[a];
                row.r += o[a] * v->rs[a];
            }
        }
        int64_t start = o[2] * w->stride[2] - w->pad[2], lo = 0, hi = w->kernel[2];
        px[i] = row;
        px[i].x += start * v->xs[2];
        px[i].y += o[2] * v->ys[2];
        px[i].r += o[2] * v->rs[2];
        if (start < 0 || start + (hi - 1) * w->dilation[2] >= w->in[2]) {
            born__window_taps(w, 2, o[2], &lo, &hi);
            px[i].whole = row.whole && lo == 0 && hi == w->kernel[2];
        }
        px[i].lo[2] = (int32_t)lo;
        px[i].hi[2] = (int32_t)hi;
        for (int a = 2; a >= 0; a--) {
            if (++o[a] < w->out[a]) break;
            o[a] = 0;
            if (a == 0) n++;
        }
    }
}

/* A walk over the kernel positions of one segment. */
typedef struct tap {
    int64_t k[3];               /* kernel position */
    int64_t term, n, channel;   /* first term, terms and first channel of this position in the segment */
} tap;

static tap first_tap(const born_conv *v, int64_t term)
{
    tap t = { .term = term, .channel = term % v->cg };
    int64_t at = term / v->cg;

    t.k[2] = at % v->win.kernel[2];
    t.k[1] = at / v->win.kernel[2] % v->win.kernel[1];
    t.k[0] = at / v->win.kernel[2] / v->win.kernel[1];
    t.n = v->cg - t.channel;
    return t;
}

static void next_tap(const born_conv *v, tap *t)
{
    t->term += t->n;
    t->channel = 0;
    t->n = v->cg;
    for (int a = 2; a >= 0; a--) {
        if (++t->k[a] < v->win.kernel[a]) return;
        t->k[a] = 0;
    }
}

static int64_t tap_offset(const born_conv *v, const tap *t)
{
    int64_t at = t->channel;

    for (int a = 0; a < 3; a++) at += t->k[a] * v->win.dilation[a] * v->xs[a];
    return at;
}

/* Adds n terms at x offset `a` to the list, joined to the last run where they follow it. false: the list is full. */
static bool add_run(born_run *run, int64_t *count, int64_t a, int64_t term, int64_t n)
{
    born_run *last = &run[*count - 1];

    if (*count && last->a + last->n == a && last->b + last->n * BORN_PANEL == term * BORN_PANEL) {
        last->n += n;
        return true;
    }
    if (*count == RUNS) return false;
    run[(*count)++] = (born_run){ a, term * BORN_PANEL, n };
    return true;
}

/* The runs of a segment for rows that have every tap; 0: more than a list holds. */
static int64_t whole_runs(const born_conv *v, int64_t k0, int64_t k1, born_run *run)
{
    int64_t count = 0;

    for (tap t = first_tap(v, k0); t.term < k1; next_tap(v, &t)) {
        int64_t n = k1 - t.term < t.n ? k1 - t.term : t.n;
        if (!add_run(run, &count, tap_offset(v, &t), t.term, n)) return 0;
    }
    return count;
}

static const float *address(const float *base, int64_t offset)
{
    return (const float *)((uintptr_t)base + (uintptr_t)(offset * (int64_t)sizeof(float)));
}

/* Runs the listed terms for the rows of `mask` and goes on with their chains. */
static void run_rows(const born_tile *all, uint32_t mask, const born_run *run, int64_t count, float (*chain)[WIDE])
{
    born_tile t = *all;

    t.m = 0;
    for (int r = 0; r < all->m; r++) {
        if (!(mask >> r & 1u)) continue;
        t.a[t.m] = all->a[r];
        t.c[t.m++] = chain[r];
    }
    t.run = run;
    t.run_count = count;
    t.chain = true;
    t.add = false;
    if (t.m && count) BORN_K(tile_f32)(&t);
}

static uint32_t rows_with(const pixel *px, int m, int axis, int64_t k)
{
    uint32_t mask = 0;

    for (int r = 0; r < m; r++) mask |= (uint32_t)(k >= px[r].lo[axis] && k < px[r].hi[axis]) << r;
    return mask;
}

/* A tile with rows at a border: terms [k0, k1). */
static void tile_border(const born_conv *v, const born_tile *t, const pixel *px, int64_t k0, int64_t k1)
{
    _Alignas(64) float chain[BORN_TILE_M][WIDE] = { { 0 } };
    born_run run[RUNS];
    int64_t count = 0;
    uint32_t open = 0;

    for (tap at = first_tap(v, k0); at.term < k1; next_tap(v, &at)) {
        int64_t n = k1 - at.term < at.n ? k1 - at.term : at.n;
        uint32_t mask = rows_with(px, t->m, 0, at.k[0]) & rows_with(px, t->m, 1, at.k[1]) & rows_with(px, t->m, 2, at.k[2]);
        if (!mask) continue;
        if (mask != open || !add_run(run, &count, tap_offset(v, &at), at.term, n)) {
            run_rows(t, open, run, count, chain);
            open = mask;
            count = 0;
            add_run(run, &count, tap_offset(v, &at), at.term, n);
        }
    }
    run_rows(t, open, run, count, chain);
    for (int r = 0; r < t->m; r++)
        for (int j = 0; j < t->np * BORN_PANEL; j += BORN_PANEL) {
            v16 sum = v_load(chain[r] + j);
            v_store(t->c[r] + j, t->add ? v_add(v_load(t->c[r] + j), sum) : sum);
        }
}

static void finish_rows(const born_conv *v, const pixel *px, int m, float *buf, int64_t width, int64_t column,
                        int64_t columns)
{
    float *out[BORN_TILE_ROWS];
    const float *bias[BORN_TILE_ROWS], *residual[BORN_TILE_ROWS];

    for (int r = 0; r < m; r++) {
        out[r] = v->y + px[r].y + column * v->end.out_col;
        bias[r] = v->end.has_bias ? v->end.bias + column * v->end.bias_col : NULL;
        residual[r] = v->end.has_residual ? v->end.residual + px[r].r + column * v->end.residual_col : NULL;
    }
    BORN_K(epilogue_f32)(&v->end, buf, width, m, column, columns, out, bias, residual);
}

/* Pixels [m0, m1) of panels [p0, p1) of group g. */
static void block_run(const conv_job *j, int64_t g, int64_t p0, int64_t p1, int64_t m0, int64_t m1)
{
    const born_conv *v = j->v;
    _Alignas(64) float buf[BLOCK_FLOATS];
    pixel px[BLOCK_ROWS];
    born_run run[RUNS];
    int64_t width = (p1 - p0) * BORN_PANEL, tiles = (m1 - m0 + BORN_TILE_M - 1) / BORN_TILE_M;
    int64_t columns = v->mg - p0 * BORN_PANEL < width ? v->mg - p0 * BORN_PANEL : width;
    const float *x = v->x + g * v->cg;

    find_pixels(v, m0, m1 - m0, px);
    for (int64_t k0 = 0; k0 < v->terms; k0 += BORN_CHAIN) {
        int64_t k1 = v->terms - k0 < BORN_CHAIN ? v->terms : k0 + BORN_CHAIN, runs = whole_runs(v, k0, k1, run);
        for (int64_t i = 0; i < tiles; i++) {
            int64_t r0 = i * (m1 - m0) / tiles, r1 = (i + 1) * (m1 - m0) / tiles;
            bool whole = runs > 0;
            born_tile t = { .m = (int)(r1 - r0), .np = (int)(p1 - p0), .add = k0 > 0, .run = run, .run_count = runs,
                            .b = j->panels + (g * v->panels + p0) * v->terms * BORN_PANEL,
                            .b_panel = v->terms * BORN_PANEL, .b_step = BORN_PANEL };
            for (int r = 0; r < t.m; r++) {
                whole = whole && px[r0 + r].whole;
                t.a[r] = address(x, px[r0 + r].x);
                t.c[r] = buf + (r0 + r) * width;
            }
            if (whole) BORN_K(tile_f32)(&t);
            else tile_border(v, &t, px + r0, k0, k1);
            if (k1 == v->terms) finish_rows(v, px + r0, t.m, buf + r0 * width, width, g * v->mg + p0 * BORN_PANEL, columns);
        }
    }
}

/* Items: group of channels, group of panels, block of pixels. */
static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const conv_job *j = ctx;

    for (int64_t i = begin; i < end; i++) {
        int64_t block = i % j->blocks, part = i / j->blocks % j->groups, g = i / j->blocks / j->groups;
        int64_t m0 = block * j->block_rows, m1 = m0 + j->block_rows < j->pixels ? m0 + j->block_rows : j->pixels;
        block_run(j, g, part * j->v->panels / j->groups, (part + 1) * j->v->panels / j->groups, m0, m1);
    }
}

static void pack_items(void *ctx, int64_t begin, int64_t end)
{
    const conv_job *j = ctx;

    born__conv_pack(j->v, begin, end, j->pack);
}

static void gemm_conv(const born_conv *v, const born_exec *x)
{
    conv_job j = { .v = v, .panels = v->packed, .pixels = v->batch * v->win.out[0] * v->win.out[1] * v->win.out[2] };

    j.groups = (v->panels + BORN_TILE_N - 1) / BORN_TILE_N;
    j.blocks = (j.pixels + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t per_block = (j.pixels + j.blocks - 1) / j.blocks;
    j.block_rows = (per_block + BORN_TILE_M - 1) / BORN_TILE_M * BORN_TILE_M;
    j.blocks = (j.pixels + j.block_rows - 1) / j.block_rows;
    int64_t flops = v->terms * WIDE * j.block_rows;
    born__exec_for(x, v->groups * j.groups * j.blocks, flops >= 1 << 15 ? 1 : (1 << 15) / flops + 1, run_items, &j);
}

born_status BORN_K(conv_f32)(born_call *c, const born_exec *x)
{
    born_conv v;
    float *scratch = x->scratch;

    if (!born__conv_of(c, &v)) return BORN_OK;
    if (!v.packed) {
        float *to = scratch + v.x_floats;
        conv_job j = { .v = &v, .pack = to };
        born__exec_for(x, born__conv_panels(&v), 1 + (1 << 12) / v.terms, pack_items, &j);
        v.packed = to;
    }
    if (v.turn) {
        BORN_K(turn_f32)(&v, scratch, x);
        born__conv_turned(&v, scratch);
    }
    if (v.depthwise) BORN_K(depthwise_f32)(&v, x);
    else gemm_conv(&v, x);
    return BORN_OK;
}
