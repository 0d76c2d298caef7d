/* Convolutions (and transposed ones of stride 1) with few result channels or few terms, over images whose last axis is
   dense in the result: lanes are sixteen neighbouring pixels, rows of a tile result channels, so that six channels do
   not leave ten lanes of a panel idle and nothing is turned. The image is copied once with zeros on both sides of its
   rows, which makes every load a whole one; taps that a lane does not have are left out of its chain, as the law says.
   Sums of one segment only (the query sees to it). Two images advance together where registers allow. */
#include "cpu/simd/simd.h"

#include "cpu/conv/conv.h"
#include "cpu/conv/pack_rows.h"
#include "cpu/gemm/tile.h"
#include "cpu/kernels/activation.h"
#include "cpu/kernels/turn_plane.h"

#if BORN_TILE_M == 8
enum { IMAGES = 2, MOST = 8 };      /* images and result channels of a tile */
#elif BORN_TILE_M == 6
enum { IMAGES = 1, MOST = 6 };
#else
enum { IMAGES = 1, MOST = 2 };
#endif
enum { LANES = 16 };

typedef struct pixels_job {
    const born_conv *v;
    int64_t rows, blocks;           /* result channels of a tile; tiles of a group */
    int64_t items;                  /* images (or pairs) times groups */
    int64_t xn, xc, xs[2];          /* steps of the copied image */
    int64_t left, width;            /* the cell that its rows start with; their length */
    int64_t sign;                   /* of taps: a transposed convolution goes backwards */
    float *x, *w;                   /* w: [groups][blocks][terms][rows] */
} pixels_job;

/* The cell that tap k meets for result cell o. */
BORN_INLINE int64_t cell_of(const pixels_job *j, int a, int64_t o, int64_t k)
{
    const born_window *w = &j->v->win;
    return j->sign > 0 ? o * w->stride[a] - w->pad[a] + k * w->dilation[a] : o + w->pad[a] - k * w->dilation[a];
}

/* ---- preparation ---- */

/* Items: rows of cells of all images and channels. */
static void copy_rows(void *ctx, int64_t begin, int64_t end)
{
    const pixels_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    int64_t lo = least(j->left < 0 ? -j->left : 0, j->width), hi = least(w->in[2] - j->left, j->width);

    if (hi < lo) hi = lo;
    for (int64_t i = begin; i < end; i++) {
        int64_t h = i % w->in[1], d = i / w->in[1] % w->in[0], plane = i / w->in[1] / w->in[0];
        const float *from = v->x + plane / v->channels * v->xn + plane % v->channels * v->xc + d * v->xs[0] +
                            h * v->xs[1] + j->left;
        float *to = j->x + i * j->width;
        memset(to, 0, (size_t)lo * sizeof *to);
        memcpy(to + lo, from + lo, (size_t)(hi - lo) * sizeof *to);
        memset(to + hi, 0, (size_t)(j->width - hi) * sizeof *to);
    }
}

/* Items: rows of cells of all images, channels side by side. */
static void turn_rows(void *ctx, int64_t begin, int64_t end)
{
    const pixels_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    int64_t lo = j->left < 0 ? least(-j->left, j->width) : 0, skip = j->left > 0 ? j->left : 0;
    int64_t n = least(w->in[2] - skip, j->width - lo);

    if (n < 0) n = 0;
    for (int64_t i = begin; i < end; i++) {
        int64_t h = i % w->in[1], d = i / w->in[1] % w->in[0], image = i / w->in[1] / w->in[0];
        const float *from = v->x + image * v->xn + d * v->xs[0] + h * v->xs[1] + skip * v->xs[2];
        float *to = j->x + image * j->xn + d * j->xs[0] + h * j->xs[1];
        for (int64_t c = 0; c < v->channels; c++) {
            memset(to + c * j->xc, 0, (size_t)lo * sizeof *to);
            memset(to + c * j->xc + lo + n, 0, (size_t)(j->width - lo - n) * sizeof *to);
        }
        BORN_K(turn_plane_f32)(from, v->xs[2], n, v->channels, to + lo, j->xc);
    }
}

/* Items: tiles of result channels. */
static void pack_tiles(void *ctx, int64_t begin, int64_t end)
{
    const pixels_job *j = ctx;
    pack_rows(j->v, j->blocks, j->rows, begin, end, j->w);
}

/* ---- a tile ---- */

typedef struct place {
    int64_t n, images, g, o[3], lanes, first, live;     /* images that count; first result channel, how many count */
    const float *w;
} place;

/* A tap that some of a place's lanes have: its cells in an image, counted from the first, its weights, those lanes. */
typedef struct tap {
    int64_t x, w;
    bool whole;
    m16 by;
} tap;

/* The taps of the pixels at o, in order. */
static int list_taps(const pixels_job *j, const place *p, tap *to)
{
    const born_window *w = &j->v->win;
    int n = 0;

    for (int64_t k0 = 0; k0 < w->kernel[0]; k0++) {
        int64_t d = cell_of(j, 0, p->o[0], k0);
        if (d < 0 || d >= w->in[0]) continue;
        for (int64_t k1 = 0; k1 < w->kernel[1]; k1++) {
            int64_t h = cell_of(j, 1, p->o[1], k1);
            if (h < 0 || h >= w->in[1]) continue;
            for (int64_t k2 = 0; k2 < w->kernel[2]; k2++) {
                int64_t at = cell_of(j, 2, p->o[2], k2), lo = least(at < 0 ? -at : 0, p->lanes);
                int64_t hi = least(w->in[2] - at, p->lanes);
                if (hi <= lo) continue;
                to[n].x = d * j->xs[0] + h * j->xs[1] + at - j->left;
                to[n].w = ((k0 * w->kernel[1] + k1) * w->kernel[2] + k2) * j->v->cg * j->rows;
                to[n].whole = lo == 0 && hi == p->lanes;
                to[n++].by = m_and(m_first(hi), m_not(m_first(lo)));
            }
        }
    }
    return n;
}

/* All channels of one tap. */
BORN_INLINE void tap_terms(const pixels_job *j, const float *const *image, const float *w, const tap *t,
                           const bool whole, v16 *acc, const int M)
{
    int64_t cg = j->v->cg, at = t->x;
    m16 by[IMAGES];

    for (int q = 0; q < IMAGES; q++) by[q] = t->by;
    for (int64_t c = 0; c < cg; c++, w += M, at += j->xc) {
        v16 cell[IMAGES];
        BORN_UNROLL
        for (int q = 0; q < IMAGES; q++) cell[q] = v_load(image[q] + at);
        add_term(cell, w, whole, by, acc, M, IMAGES);
    }
}

/* What follows the sums of one channel: residual at r, result to `out`. */
BORN_INLINE v16 finish(const born_epilogue *e, int64_t channel, const float *r, int64_t lanes, v16 v)
{
    if (e->has_scales) v = v_mul(v, v_set(e->scales[channel * e->scales_col]));
    if (e->has_bias) v = v_add(v, v_set(e->bias[channel * e->bias_col]));
    if (e->has_residual) v = v_add(v, v_load_n(r, lanes));
    if (e->activation == BORN_OP_RELU) v = v_max(v, v_zero());
    else if (e->activation) {
        _Alignas(64) float t[LANES];
        v_store(t, v);
        BORN_K(activation_f32)(e->activation, e->param, t, LANES);
        v = v_load(t);
    }
    return v;
}

/* Finishes and stores a tile's sums of one image. */
static void store_image(const pixels_job *j, const place *p, int image, const float *sum)
{
    const born_conv *c = j->v;
    const born_epilogue *e = &c->end;
    int64_t channel = p->g * c->mg + p->first, n = p->n + image;
    float *out = c->y + n * c->yn + channel * e->out_col + p->o[0] * c->ys[0] + p->o[1] * c->ys[1] + p->o[2];
    const float *r = e->has_residual ? e->residual + n * c->rn + channel * e->residual_col + p->o[0] * c->rs[0] +
                                           p->o[1] * c->rs[1] + p->o[2]
                                     : NULL;
    bool plain = !e->has_scales && !e->has_residual && !e->activation;

    for (int64_t m = 0; m < p->live; m++, channel++, sum += IMAGES * LANES, out += e->out_col) {
        v16 v = v_load(sum);
        if (!plain) v = finish(e, channel, r ? r + m * e->residual_col : NULL, p->lanes, v);
        else if (e->has_bias) v = v_add(v, v_set(e->bias[channel * e->bias_col]));
        if (p->lanes == LANES) v_store(out, v);
        else v_store_n(out, v, p->lanes);
    }
}

BORN_INLINE void run_tile(const pixels_job *j, const place *p, const tap *t, int taps, const int M)
{
    const float *image[IMAGES];
    v16 acc[MOST * IMAGES];

    for (int q = 0; q < IMAGES; q++)
        image[q] = j->x + (p->n + (q < p->images ? q : 0)) * j->xn + p->g * j->v->cg * j->xc;
    BORN_UNROLL
    for (int i = 0; i < M * IMAGES; i++) acc[i] = v_zero();
    for (int i = 0; i < taps; i++, t++) {
        if (t->whole) tap_terms(j, image, p->w + t->w, t, true, acc, M);
        else tap_terms(j, image, p->w + t->w, t, false, acc, M);
    }
    /* through memory: an accumulator chosen by a variable would keep them all there */
    _Alignas(64) float sum[MOST * IMAGES][LANES];
    BORN_UNROLL
    for (int i = 0; i < M * IMAGES; i++) v_store(sum[i], acc[i]);
    for (int q = 0; q < p->images; q++) store_image(j, p, q, sum[q]);
}

#define TILE(M)                                                                                                       \
    static void tile_##M(const pixels_job *j, const place *p, const tap *t, int n) { run_tile(j, p, t, n, M); }
TILE(1)
TILE(2)
#if BORN_TILE_M > 4
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#endif
#if BORN_TILE_M == 8
TILE(7)
TILE(8)
static void (*const tile_of[])(const pixels_job *, const place *, const tap *,
                               int) = { tile_1, tile_2, tile_3, tile_4, tile_5, tile_6, tile_7, tile_8 };
#elif BORN_TILE_M == 6
static void (*const tile_of[])(const pixels_job *, const place *, const tap *,
                               int) = { tile_1, tile_2, tile_3, tile_4, tile_5, tile_6 };
#else
static void (*const tile_of[])(const pixels_job *, const place *, const tap *, int) = { tile_1, tile_2 };
#endif

/* Items: rows of results, numbered over the first two axes, images (or pairs) and group: neighbours have the same
   taps. */
static void run_rows(void *ctx, int64_t begin, int64_t end)
{
    const pixels_job *j = ctx;
    const born_conv *v = j->v;
    const born_window *w = &v->win;
    tap t[BORN_CONV_TAPS];

    for (int64_t i = begin, next; i < end; i = next) {
        int64_t row = i / j->items;
        place p = { .o = { row / w->out[1], row % w->out[1], 0 } };
        next = least((row + 1) * j->items, end);
        for (; p.o[2] < w->out[2]; p.o[2] += LANES) {
            p.lanes = least(w->out[2] - p.o[2], LANES);
            int taps = list_taps(j, &p, t);
            for (int64_t k = i; k < next; k++) {
                p.g = k % j->items % v->groups;
                p.n = k % j->items / v->groups * IMAGES;
                p.images = least(v->batch - p.n, IMAGES);
                for (int64_t b = 0; b < j->blocks; b++) {
                    p.first = b * j->rows;
                    p.live = least(v->mg - p.first, j->rows);
                    p.w = j->w + (p.g * j->blocks + b) * v->terms * j->rows;
                    tile_of[j->rows - 1](j, &p, t, taps);
                }
            }
        }
    }
}

born_status BORN_K(conv_pixels_f32)(born_call *c, const born_exec *x)
{
    born_conv v;

    if (!born__conv_of(c, &v)) return BORN_OK;
    const born_window *w = &v.win;
    pixels_job j = { .v = &v, .sign = v.transposed ? -1 : 1, .width = born__conv_pixels_width(&v), .x = x->scratch };
    j.items = (v.batch + IMAGES - 1) / IMAGES * v.groups;
    j.blocks = (v.mg + MOST - 1) / MOST;
    j.rows = (v.mg + j.blocks - 1) / j.blocks;
    j.blocks = (v.mg + j.rows - 1) / j.rows;
    j.left = v.transposed ? w->pad[2] - (w->kernel[2] - 1) * w->dilation[2] : -w->pad[2];
    j.xs[1] = j.width;
    j.xs[0] = j.xs[1] * w->in[1];
    j.xc = j.xs[0] * w->in[0];
    j.xn = j.xc * v.channels;
    j.w = j.x + j.xn * v.batch;
    int64_t rows = v.batch * w->in[0] * w->in[1];
    if (v.xs[2] == 1 || w->in[2] == 1) born__exec_for(x, rows * v.channels, 1 + (1 << 13) / j.width, copy_rows, &j);
    else born__exec_for(x, rows, 1 + (1 << 13) / (j.width * v.channels), turn_rows, &j);
    born__exec_for(x, v.groups * j.blocks, 1 + (1 << 12) / (v.terms * j.rows), pack_tiles, &j);
    int64_t work = w->out[2] * v.terms * v.mg;
    born__exec_for(x, j.items * w->out[0] * w->out[1], 1 + (1 << 16) / work, run_rows, &j);
    return BORN_OK;
}
