/* Convolution as implicit GEMM on register tiles: rows are result pixels, terms are kernel positions times channels,
   columns are result channels. A row's address is where its window starts in the image, so no patch is ever copied.
   Pixels are walked class by class (conv.h): all rows of a tile have the same taps inside the image, which makes one
   list of runs for the tile, and taps in the padding are skipped as the law says. Items are blocks of pixels times
   groups of panels, as in gemm_k.c. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/conv/conv.h"
#include "cpu/gemm/tile.h"

enum {
    BLOCK_ROWS = BORN_TILE_M * 16,
    BLOCK_FLOATS = BLOCK_ROWS * BORN_TILE_N * BORN_PANEL,
    WIDE = BORN_TILE_N * BORN_PANEL,
    RUNS = 64,                      /* runs handed to a tile at once */
    IMAGE_FLOATS = 1 << 18,
};

typedef struct conv_job {
    const born_conv *v;
    born_conv_classes classes;
    const float *panels;
    float *pack;                    /* where panels are packed to */
    int64_t pixels, groups, blocks, block_rows;     /* groups of panels per group of channels */
    bool image_first;               /* the image fits the second cache: all its blocks before the next panels */
    bool direct;                    /* the tile does the epilogue */
} conv_job;

/* Result pixels of a block: where their windows start in x (floats, may lie before the image), where their results and
   residuals are. Runs of one class end at `end`. */
typedef struct pixels {
    int64_t x[BLOCK_ROWS], y[BLOCK_ROWS], r[BLOCK_ROWS];
    int runs;
    struct { int cls, end; } run[BLOCK_ROWS];
} pixels;

/* `count` neighbours along the last axis from cell o of image n on, to places i... of px. */
static void put_pixels(const born_conv *v, int64_t n, const int64_t o[3], int64_t count, int64_t i, pixels *px)
{
    int64_t x = n * v->xn, y = n * v->yn, r = n * v->rn;
    const int64_t dx = v->win.stride[2] * v->xs[2], dy = v->ys[2], dr = v->rs[2];

    for (int a = 0; a < 3; a++) {
        x += (o[a] * v->win.stride[a] - (v->transposed ? -v->win.pad[a] : v->win.pad[a])) * v->xs[a];
        y += o[a] * v->ys[a];
        r += o[a] * v->rs[a];
    }
    for (int64_t k = 0; k < count; k++) px->x[i + k] = x + k * dx;
    for (int64_t k = 0; k < count; k++) px->y[i + k] = y + k * dy;
    for (int64_t k = 0; k < count && v->end.has_residual; k++) px->r[i + k] = r + k * dr;
}

/* Pixels [first, first + count) of the walk over classes. */
static void find_pixels(const conv_job *j, int64_t first, int64_t count, pixels *px)
{
    const born_conv *v = j->v;
    int cls = 0;

    px->runs = 0;
    while (cls + 1 < j->classes.count && j->classes.at[cls + 1].first <= first) cls++;
    for (int64_t i = 0; i < count; cls++) {
        const born_conv_class *c = &j->classes.at[cls];
        int64_t size = c->n[0] * c->n[1] * c->n[2], skip = i == 0 ? first - c->first : 0, n = skip / (size ? size : 1);
        int64_t at[3], end = c->first + size * v->batch - first < count ? c->first + size * v->batch - first : count;
        for (int64_t a = 2, rest = skip; a >= 0; a--) {
            at[a] = rest % c->n[a];
            rest /= c->n[a];
        }
        while (i < end) {
            int64_t o[3] = { c->o[0] + at[0], c->o[1] + at[1], c->o[2] + at[2] }, run = c->n[2] - at[2];
            if (run > end - i) run = end - i;
            put_pixels(v, n, o, run, i, px);
            i += run;
            at[2] = 0;
            if (++at[1] < c->n[1]) continue;
            at[1] = 0;
            if (++at[0] < c->n[0]) continue;
            at[0] = 0;
            n++;
        }
        px->run[px->runs].cls = cls;
        px->run[px->runs++].end = (int)i;
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

/* The runs of terms from *at on, before k1, of the taps that the class has; stops where the list is full. */
static int64_t list_runs(const born_conv *v, const born_conv_class *c, tap *at, int64_t k1, born_run *run)
{
    int64_t count = 0;

    for (; at->term < k1; next_tap(v, at)) {
        int64_t n = k1 - at->term < at->n ? k1 - at->term : at->n, x = at->channel;
        bool inside = true;
        for (int a = 0; a < 3; a++) {
            inside = inside && at->k[a] >= c->lo[a] && at->k[a] < c->hi[a];
            int64_t step = at->k[a] * v->win.dilation[a] * v->xs[a];
            x += v->transposed ? -step : step;
        }
        if (!inside) continue;
        born_run *last = &run[count - (count > 0)];
        if (count && last->a + last->n == x && last->b + last->n * BORN_PANEL == at->term * BORN_PANEL) {
            last->n += n;
            continue;
        }
        if (count == RUNS) break;
        run[count++] = (born_run){ x, at->term * BORN_PANEL, n };
    }
    return count;
}

/* One segment whose runs do not fit one list: the chain goes on from call to call in a small buffer. */
static void tile_long(const born_conv *v, const born_conv_class *c, born_tile *t, int64_t k0, int64_t k1)
{
    _Alignas(64) float chain[BORN_TILE_M][WIDE];
    born_run run[RUNS];
    float *to[BORN_TILE_ROWS];
    bool add = t->add;
    tap at = first_tap(v, k0);

    memcpy(to, t->c, sizeof to);
    for (int r = 0; r < t->m; r++) t->c[r] = chain[r];
    t->finish = NULL;
    t->add = t->chain = false;
    while (at.term < k1) {
        t->run = run;
        t->run_count = list_runs(v, c, &at, k1, run);
        BORN_K(tile_f32)(t);
        t->chain = true;
    }
    for (int r = 0; r < t->m; r++)
        for (int i = 0; i < t->np * BORN_PANEL; i += BORN_PANEL) {
            v16 sum = v_load(chain[r] + i);
            v_store(to[r] + i, add ? v_add(v_load(to[r] + i), sum) : sum);
        }
}

/* A block of pixels of panels [p0, p1) of group g. */
typedef struct block {
    const conv_job *j;
    const float *x;
    int64_t p0, p1, width, column, columns, rows;
    pixels px;
    _Alignas(64) float buf[BLOCK_FLOATS];
    born_finish f;
} block;

static void start_block(block *b, const conv_job *j, int64_t g, int64_t p0, int64_t p1, int64_t m0, int64_t m1)
{
    const born_conv *v = j->v;

    b->j = j;
    b->x = v->x + g * v->cg;
    b->p0 = g * v->panels + p0;
    b->p1 = g * v->panels + p1;
    b->width = (p1 - p0) * BORN_PANEL;
    b->columns = v->mg - p0 * BORN_PANEL < b->width ? v->mg - p0 * BORN_PANEL : b->width;
    b->column = g * v->mg + p0 * BORN_PANEL;
    b->rows = m1 - m0;
    b->f.scales = v->end.has_scales ? v->end.scales + b->column * v->end.scales_col : NULL;
    b->f.has_bias = v->end.has_bias;
    b->f.has_residual = v->end.has_residual;
    b->f.relu = v->end.activation != 0;
    b->f.last = (int)(b->columns - b->width + BORN_PANEL);
    b->f.bias_shared = true;
    b->f.bias_one = v->end.bias_col == 0;
    b->f.scales_one = v->end.scales_col == 0;
    for (int r = 0; r < BORN_TILE_ROWS && b->f.has_bias; r++)
        b->f.bias[r] = v->end.bias + b->column * v->end.bias_col;
    find_pixels(j, m0, b->rows, &b->px);
}

static void find_ends(block *b, int64_t r0, int m)
{
    const born_epilogue *e = &b->j->v->end;
    float *out = b->j->v->y + b->column * e->out_col;

    for (int r = 0; r < m; r++) b->f.out[r] = out + b->px.y[r0 + r];
    if (!e->has_residual) return;
    const float *residual = e->residual + b->column * e->residual_col;
    for (int r = 0; r < m; r++) b->f.residual[r] = residual + b->px.r[r0 + r];
}

/* Terms [k0, k1) of the tiles of rows [begin, end), which are of one class. */
static void run_class(block *b, const born_conv_class *c, int64_t begin, int64_t end, int64_t k0, int64_t k1)
{
    const conv_job *j = b->j;
    const born_conv *v = j->v;
    born_run run[RUNS];
    tap at = first_tap(v, k0);
    int64_t runs = list_runs(v, c, &at, k1, run), tiles = (end - begin + BORN_TILE_M - 1) / BORN_TILE_M;
    bool last = k1 == v->terms, whole = at.term >= k1, direct = last && whole && j->direct;
    born_tile t;

    t.np = (int)(b->p1 - b->p0);
    t.b = j->panels + b->p0 * v->terms * BORN_PANEL;
    t.b_panel = v->terms * BORN_PANEL;
    t.b_step = BORN_PANEL;
    t.a_step = 1;
    t.fetch = 0;
    for (int64_t r0 = begin; tiles > 0; tiles--) {
        int m = (int)((end - r0 + tiles - 1) / tiles);
        t.m = m;
        t.chain = false;
        t.add = k0 > 0;
        t.run = run;
        t.run_count = runs;
        t.finish = direct ? &b->f : NULL;
        for (int r = 0; r < m; r++)
            t.a[r] = (const float *)((uintptr_t)b->x + (uintptr_t)(b->px.x[r0 + r] * (int64_t)sizeof(float)));
        if (!direct || t.add)
            for (int r = 0; r < m; r++) t.c[r] = b->buf + (r0 + r) * b->width;
        if (last) find_ends(b, r0, m);
        if (whole) BORN_K(tile_f32)(&t);
        else tile_long(v, c, &t, k0, k1);
        if (last && !direct)
            BORN_K(epilogue_f32)
            (&v->end, b->buf + r0 * b->width, b->width, m, b->column, b->columns, b->f.out, b->f.bias, b->f.residual);
        r0 += m;
    }
}

/* Terms [k0, k1) of all rows. */
static void run_segment(block *b, int64_t k0, int64_t k1)
{
    int64_t r0 = 0;

    for (int i = 0; i < b->px.runs; i++) {
        run_class(b, &b->j->classes.at[b->px.run[i].cls], r0, b->px.run[i].end, k0, k1);
        r0 = b->px.run[i].end;
    }
}

/* Items: group of channels, then group of panels and block of pixels in the order that reuses the larger side. */
static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const conv_job *j = ctx;
    const born_conv *v = j->v;
    block b;

    for (int64_t i = begin; i < end; i++) {
        int64_t g = i / (j->blocks * j->groups), rest = i % (j->blocks * j->groups);
        int64_t at = j->image_first ? rest % j->blocks : rest / j->groups;
        int64_t part = j->image_first ? rest / j->blocks : rest % j->groups;
        int64_t m0 = at * j->block_rows, m1 = m0 + j->block_rows < j->pixels ? m0 + j->block_rows : j->pixels;
        start_block(&b, j, g, part * v->panels / j->groups, (part + 1) * v->panels / j->groups, m0, m1);
        for (int64_t k0 = 0; k0 < v->terms; k0 += BORN_CHAIN)
            run_segment(&b, k0, v->terms - k0 < BORN_CHAIN ? v->terms : k0 + BORN_CHAIN);
    }
}

static void pack_items(void *ctx, int64_t begin, int64_t end)
{
    const conv_job *j = ctx;

    born__conv_pack(j->v, begin, end, j->pack);
}

void BORN_K(conv_gemm_f32)(const born_conv *v, const born_exec *x)
{
    conv_job j = { .v = v, .panels = v->packed, .pixels = v->batch * v->win.out[0] * v->win.out[1] * v->win.out[2] };

    born__conv_classes(v, &j.classes);
    j.direct = born__epilogue_direct(&v->end);
    j.groups = (v->panels + BORN_TILE_N - 1) / BORN_TILE_N;
    j.blocks = (j.pixels + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t per_block = (j.pixels + j.blocks - 1) / j.blocks;
    j.block_rows = (per_block + BORN_TILE_M - 1) / BORN_TILE_M * BORN_TILE_M;
    j.blocks = (j.pixels + j.block_rows - 1) / j.block_rows;
    j.image_first = v->batch * v->channels * v->win.in[0] * v->win.in[1] * v->win.in[2] <= IMAGE_FLOATS;
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
    else BORN_K(conv_gemm_f32)(&v, x);
    return BORN_OK;
}
