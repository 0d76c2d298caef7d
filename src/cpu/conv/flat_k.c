/* Convolutions (and transposed ones) that keep the size of their images, stride 1, with few channels on one side: a
   tap moves the whole image by a fixed number of cells, so lanes are sixteen neighbouring cells of the image as one
   row, whatever its width, and results are written once in whole vectors. Lanes whose tap lies in the padding read some
   other cell and are masked, as the law says that padding is skipped; the masks are one table, the same for every
   image. Images are read where they lie, but for the first and the last, beside which nothing may be read: those are
   copied between two margins. Sums of one segment only (the query sees to it). */
#include "cpu/simd/simd.h"

#include <math.h>

#include "cpu/conv/conv.h"
#include "cpu/conv/pack_rows.h"
#include "cpu/gemm/tile.h"

enum { LANES = 16 };
#if BORN_TILE_M == 8
enum { MOST = 8, SIDE = 4, ALWAYS_MASK = 1 };   /* result channels and vectors of a tile; masked sums cost no more */
#elif BORN_TILE_M == 6
enum { MOST = 6, SIDE = 1, ALWAYS_MASK = 0 };
#else
enum { MOST = 2, SIDE = 1, ALWAYS_MASK = 0 };
#endif

typedef struct flat_job {
    const born_conv *v;
    born_conv_flat f;
    int64_t rows, blocks;           /* result channels of a tile; tiles of a group */
    int64_t taps, side, tiles;      /* vectors of a tile, tiles of a plane; the last may overlap the one before */
    ptrdiff_t at[BORN_CONV_TAPS];   /* how far taps move the image */
    m16 *mask;                      /* [taps][vectors] */
    uint8_t *whole;                 /* [taps][vectors]: no lane is masked */
    float *first, *last, *w;        /* images between margins; weights as [groups][blocks][terms][rows] */
} flat_job;

/* ---- preparation ------------------------------------------------------------------------------------------------- */

/* The cell of axis a that tap k meets for result cell 0. */
static int64_t meets(const born_conv *v, int a, int64_t k)
{
    int64_t at = k * v->win.dilation[a] - v->win.pad[a];
    return v->transposed ? -at : at;
}

/* Where the lanes of a vector lie along each axis. */
typedef struct lanes { v16 at[3]; } lanes;

static __attribute__((noinline)) lanes find_lanes(const born_window *w, int64_t vector)
{
    float at[3][LANES];
    lanes l;
    int64_t cell = vector * LANES, row = cell / w->in[2];
    int64_t k2 = cell % w->in[2], k1 = row % w->in[1], k0 = row / w->in[1];

    for (int i = 0; i < LANES; i++) {
        at[0][i] = (float)k0, at[1][i] = (float)k1, at[2][i] = (float)k2;
        if (++k2 < w->in[2]) continue;
        k2 = 0;
        if (++k1 < w->in[1]) continue;
        k1 = 0, k0++;
    }
    for (int a = 0; a < 3; a++) l.at[a] = v_load(at[a]);
    return l;
}

/* The lanes that tap k of axis a finds inside the image. */
static __attribute__((noinline)) m16 lanes_inside(const born_conv *v, const lanes *l, int a, int64_t k)
{
    v16 cell = v_add(l->at[a], v_set((float)meets(v, a, k)));
    return m_and(v_ge(cell, v_zero()), v_lt(cell, v_set((float)v->win.in[a])));
}

/* Items: vectors of a plane. */
static void make_masks(void *ctx, int64_t begin, int64_t end)
{
    const flat_job *j = ctx;
    const int64_t *kernel = j->v->win.kernel;

    for (int64_t i = begin; i < end; i++) {
        lanes l = find_lanes(&j->v->win, i);
        int64_t t = i;
        for (int64_t k0 = 0; k0 < kernel[0]; k0++) {
            m16 by0 = lanes_inside(j->v, &l, 0, k0);
            for (int64_t k1 = 0; k1 < kernel[1]; k1++) {
                m16 by1 = m_and(by0, lanes_inside(j->v, &l, 1, k1));
                for (int64_t k2 = 0; k2 < kernel[2]; k2++, t += j->f.vectors) {
                    m16 by = m_and(by1, lanes_inside(j->v, &l, 2, k2));
                    j->mask[t] = by;
                    j->whole[t] = m_bits(by) == 0xffff;
                }
            }
        }
    }
}

static void copy_image(const flat_job *j, int64_t n, float *to)
{
    int64_t cells = j->v->channels * j->f.plane;

    memset(to - j->f.margin, 0, (size_t)j->f.margin * sizeof *to);
    memcpy(to, j->v->x + n * j->v->xn, (size_t)cells * sizeof *to);
    memset(to + cells, 0, (size_t)j->f.margin * sizeof *to);
}

/* ---- a tile ------------------------------------------------------------------------------------------------------ */

typedef struct flat_place {
    const float *x, *w;             /* the group's image at the tile's first cell; the weights of its channels */
    float *y;
    const float *bias;              /* of the first channel; NULL: none */
    int64_t vector, live;           /* first vector; result channels that count */
} flat_place;

BORN_INLINE void run_tile(const flat_job *j, const flat_place *p, float (*to)[LANES], const int M, const int V)
{
    v16 acc[MOST * SIDE];
    const float *w = p->w;
    const ptrdiff_t plane = (ptrdiff_t)j->f.plane;
    const int64_t cg = j->v->cg, vectors = j->f.vectors;
    const m16 *mask = j->mask + p->vector;
    const uint8_t *whole = j->whole + p->vector;

    BORN_UNROLL
    for (int i = 0; i < M * V; i++) acc[i] = v_zero();
    for (int64_t t = 0; t < j->taps; t++, mask += vectors, whole += vectors) {
        const float *x = p->x + j->at[t];
        m16 by[SIDE];
        bool all = !ALWAYS_MASK;
        BORN_UNROLL
        for (int q = 0; q < V; q++) {
            by[q] = mask[q];
            all = all && whole[q];
        }
        for (int64_t c = 0; c < cg; c++, x += plane, w += M) {
            v16 cell[SIDE];
            BORN_UNROLL
            for (int q = 0; q < V; q++) cell[q] = v_load(x + q * LANES);
            add_term(cell, w, all, by, acc, M, V);
        }
    }
    BORN_UNROLL
    for (int i = 0; i < M * V; i++) v_store(to[i], acc[i]);
}

/* Finishes a tile's sums, `side` vectors a channel, and stores them. Without bias -0 is added, without relu the larger
   of the sum and -inf is taken: neither changes anything. */
static __attribute__((noinline)) void finish_tile(const flat_job *j, const flat_place *p, int64_t side,
                                                  const float (*sum)[LANES])
{
    const born_epilogue *e = &j->v->end;
    const v16 least_sum = v_set(e->activation ? 0 : -INFINITY);
    int64_t left = j->f.plane - p->vector * LANES;
    float *y = p->y;

    for (int64_t m = 0; m < p->live; m++, y += e->out_col) {
        v16 bias = v_set(e->has_bias ? p->bias[m * e->bias_col] : -0.0f);
        if (side == SIDE && left >= SIDE * LANES) {
            BORN_UNROLL
            for (int q = 0; q < SIDE; q++, sum++) v_store(y + q * LANES, v_max(v_add(v_load(*sum), bias), least_sum));
            continue;
        }
        for (int64_t q = 0; q < side; q++, sum++) {
            v16 r = v_max(v_add(v_load(*sum), bias), least_sum);
            v_store_n(y + q * LANES, r, least(left - q * LANES, LANES));
        }
    }
}

#define TILE(M, V)                                                                                                    \
    static void tile_##M##_##V(const flat_job *j, const flat_place *p, float (*to)[LANES]) { run_tile(j, p, to, M, V); }
typedef void tile_fn(const flat_job *j, const flat_place *p, float (*to)[LANES]);
TILE(2, 1)
#if BORN_TILE_M == 8
TILE(4, 1)
TILE(6, 1)
TILE(8, 1)
TILE(2, 4)
TILE(4, 4)
TILE(6, 4)
TILE(8, 3)
static tile_fn *const tile_of[][2] = { { tile_2_1, tile_2_4 }, { tile_4_1, tile_4_4 },
                                       { tile_6_1, tile_6_4 }, { tile_8_1, tile_8_3 } };
#elif BORN_TILE_M == 6
TILE(4, 1)
TILE(6, 1)
static tile_fn *const tile_of[][2] = { { tile_2_1, tile_2_1 }, { tile_4_1, tile_4_1 }, { tile_6_1, tile_6_1 } };
#else
static tile_fn *const tile_of[][2] = { { tile_2_1, tile_2_1 } };
#endif

/* Items: tiles of the planes of all images and groups. */
static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const flat_job *j = ctx;
    const born_conv *v = j->v;
    int64_t over = j->f.vectors % j->side;
    _Alignas(64) float sum[MOST * SIDE][LANES];

    for (int64_t i = begin; i < end; i++) {
        int64_t tile = i % j->tiles, g = i / j->tiles % v->groups, n = i / j->tiles / v->groups, side = j->side;
        flat_place p = { .vector = tile * side };
        if (tile == j->tiles - 1 && over == 1) side = 1;
        else if (tile == j->tiles - 1 && over > 1) p.vector = j->f.vectors - side;
        const float *image = n == 0 ? j->first : n == v->batch - 1 ? j->last : v->x + n * v->xn;
        p.x = image + g * v->cg * j->f.plane + p.vector * LANES;
        for (int64_t b = 0; b < j->blocks; b++) {
            int64_t channel = g * v->mg + b * j->rows;
            p.live = least(v->mg - b * j->rows, j->rows);
            p.w = j->w + (g * j->blocks + b) * v->terms * j->rows;
            p.y = v->y + n * v->yn + channel * v->end.out_col + p.vector * LANES;
            p.bias = v->end.has_bias ? v->end.bias + channel * v->end.bias_col : NULL;
            tile_of[j->rows / 2 - 1][side > 1](j, &p, sum);
            finish_tile(j, &p, side, (const float(*)[LANES])sum);
        }
    }
}

/* Items: tiles of result channels. */
static void pack_tiles(void *ctx, int64_t begin, int64_t end)
{
    const flat_job *j = ctx;
    pack_rows(j->v, j->blocks, j->rows, begin, end, j->w);
}

static void list_moves(flat_job *j)
{
    const born_window *w = &j->v->win;

    for (int64_t t = 0; t < j->taps; t++) {
        int64_t k2 = t % w->kernel[2], k1 = t / w->kernel[2] % w->kernel[1], k0 = t / w->kernel[2] / w->kernel[1];
        j->at[t] = (ptrdiff_t)((meets(j->v, 0, k0) * w->in[1] + meets(j->v, 1, k1)) * w->in[2] + meets(j->v, 2, k2));
    }
}

born_status BORN_K(conv_flat_f32)(born_call *c, const born_exec *x)
{
    born_conv v;

    if (!born__conv_of(c, &v)) return BORN_OK;
    flat_job j = { .v = &v, .taps = v.terms / v.cg, .mask = x->scratch };
    born__conv_flat_of(&v, &j.f);
    j.blocks = (v.mg + MOST - 1) / MOST;
    j.rows = ((v.mg + j.blocks - 1) / j.blocks + 1) / 2 * 2;
    j.blocks = (v.mg + j.rows - 1) / j.rows;
    j.side = SIDE > 3 && j.rows == 8 ? 3 : SIDE;
    if (j.f.vectors < j.side) j.side = 1;
    j.tiles = (j.f.vectors + j.side - 1) / j.side;
    int64_t masks = j.taps * j.f.vectors, image = v.channels * j.f.plane + 2 * j.f.margin;
    j.whole = (uint8_t *)x->scratch + masks * BORN_CONV_MASK_BYTES;
    j.first = (float *)(void *)(j.whole + (masks + 63) / 64 * 64) + j.f.margin;
    j.last = j.first + image;
    j.w = j.first + 2 * image - j.f.margin;
    list_moves(&j);
    born__exec_for(x, j.f.vectors, 1 + (1 << 10) / j.taps, make_masks, &j);
    copy_image(&j, 0, j.first);
    if (v.batch > 1) copy_image(&j, v.batch - 1, j.last);
    born__exec_for(x, v.groups * j.blocks, 1 + (1 << 12) / (v.terms * j.rows), pack_tiles, &j);
    born__exec_for(x, v.batch * v.groups * j.tiles, 1 + (1 << 16) / (j.side * LANES * v.terms * v.mg), run_items, &j);
    return BORN_OK;
}
