/* Sums of planes, joined over the batch (planes.h): the gradient of a bias, and the statistics of batch norms. Where
   cells lie side by side vectors run over them; where channels do, each of the 64 lanes of the law is a vector of
   sixteen channels, kept in the first cache. Planes (or sixteen of them) are independent. */
#include "cpu/simd/simd.h"

#include "cpu/kernels/planes.h"
#include "ops/ref.h"

enum { CHUNK = 4096, LANES = 64, PARTS = 56, CUT = 1024, VECTORS = 4, WIDE = BORN_SUMS * VECTORS };

/* Adds the terms of `set` made of x and g to acc[0..). */
BORN_INLINE void add_terms(const int set, v16 x, v16 g, v16 mean, v16 *acc)
{
    int k = 0;

    if (set & BORN_SUM_X) {
        acc[k] = v_add(acc[k], x);
        k++;
    }
    if (set & BORN_SUM_SPREAD) {
        v16 d = v_sub(x, mean);
        acc[k] = v_add(acc[k], v_mul(d, d));
        k++;
    }
    if (set & BORN_SUM_G) {
        acc[k] = v_add(acc[k], g);
        k++;
    }
    if (set & BORN_SUM_PRODUCT) acc[k] = v_add(acc[k], v_mul(g, v_sub(x, mean)));
}

BORN_INLINE int terms_of(const int set)
{
    return (set & 1) + (set >> 1 & 1) + (set >> 2 & 1) + (set >> 3 & 1);
}

/* ---- chunks that join by a binary tree ------------------------------------------------------------------------- */

typedef struct tree {
    _Alignas(64) float part[PARTS][WIDE * 16];
    int64_t chunks[PARTS];
    int parts;
} tree;

static void add_part(tree *t, int width)
{
    float *a = t->part[t->parts - 2], *b = t->part[t->parts - 1];

    for (int i = 0; i < width; i++) a[i] += b[i];
    t->parts--;
}

/* The part behind the last one has been written; an unfinished chunk joins last. */
static __attribute__((noinline)) void push_part(tree *t, int width, bool whole)
{
    t->chunks[t->parts++] = whole;
    while (t->parts >= 2 && t->chunks[t->parts - 2] == t->chunks[t->parts - 1]) {
        add_part(t, width);
        t->chunks[t->parts - 1] *= 2;
    }
}

static __attribute__((noinline)) const float *total_of(tree *t, int width)
{
    while (t->parts > 1) add_part(t, width);
    return t->part[0];
}

/* ---- cells side by side ---------------------------------------------------------------------------------------- */

BORN_INLINE void chunk_rows(const int set, const float *x, const float *g, int64_t n, v16 mean, float *to)
{
    const int sums = terms_of(set);
    v16 lane[4][BORN_SUMS], zero = v_zero();
    int64_t i = 0;

    BORN_UNROLL
    for (int a = 0; a < 4; a++)
        BORN_UNROLL
        for (int k = 0; k < sums; k++) lane[a][k] = zero;
    for (; i + LANES <= n; i += LANES)
        BORN_UNROLL
        for (int a = 0; a < 4; a++)
            add_terms(set, v_load(x + i + 16 * a), set & BORN_SUM_G ? v_load(g + i + 16 * a) : zero, mean, lane[a]);
    BORN_UNROLL
    for (int a = 0; a < 4; a++) {
        int64_t live = n - i - 16 * a;
        v16 sum[BORN_SUMS];
        if (live <= 0) continue;
        if (live > 16) live = 16;
        BORN_UNROLL
        for (int k = 0; k < sums; k++) sum[k] = lane[a][k];
        add_terms(set, v_load_n(x + i + 16 * a, live), set & BORN_SUM_G ? v_load_n(g + i + 16 * a, live) : zero, mean,
                  sum);
        BORN_UNROLL
        for (int k = 0; k < sums; k++) lane[a][k] = v_sel(m_first(live), sum[k], lane[a][k]);
    }
    BORN_UNROLL
    for (int k = 0; k < sums; k++) to[k] = v_sum(v_add(v_add(lane[0][k], lane[1][k]), v_add(lane[2][k], lane[3][k])));
}

/* Items: planes. */
BORN_INLINE void sum_rows(const int set, const born_plane_sums *s, int64_t begin, int64_t end)
{
    const int sums = terms_of(set);
    const born_planes *p = &s->x;
    tree t;

    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / p->channels, c = i % p->channels;
        const float *x = p->at + n * p->n + c * p->c, *g = s->g.at ? s->g.at + n * s->g.n + c * s->g.c : NULL;
        v16 mean = s->mean ? v_set(s->mean[c]) : v_zero();
        t.parts = 0;
        for (int64_t at = 0; at < p->cells; at += CHUNK) {
            int64_t k = p->cells - at < CHUNK ? p->cells - at : CHUNK;
            chunk_rows(set, x + at, g ? g + at : NULL, k, mean, t.part[t.parts]);
            push_part(&t, sums, k == CHUNK);
        }
        const float *sum = total_of(&t, sums);
        for (int k = 0; k < sums; k++) s->part[(k * p->batch + n) * s->padded + c] = sum[k];
    }
}

/* ---- channels side by side ------------------------------------------------------------------------------------- */

/* The lanes of one sum of one vector of channels, folded: those behind `used` are zeros. */
static __attribute__((noinline)) void fold_lanes(float (*lane)[16], int width, int64_t used, float *to)
{
    v16 fold[16];

    for (int i = 0; i < 16; i++, lane += width) {
        if (i >= used) fold[i] = v_zero();
        else if (used <= 16) fold[i] = v_load(lane[0]);
        else
            fold[i] = v_add(v_add(v_load(lane[0]), v_load(lane[16 * width])),
                            v_add(v_load(lane[32 * width]), v_load(lane[48 * width])));
    }
    for (int half = 8; half >= 1; half /= 2)
        for (int i = 0; i < half; i++) fold[i] = v_add(fold[i], fold[half + i]);
    v_store(to, fold[0]);
}

/* Places of the first cell's channels, steps from cell to cell. */
typedef struct strip { const float *x, *g; int64_t x_step, g_step; } strip;

/* The terms of one cell, added to the sums of its lane; `fresh`: these begin with it. */
BORN_INLINE void add_cell(const int set, int vectors, const float *x, const float *g, const float *means, int64_t live,
                          bool fresh, float (*lane)[16])
{
    const int sums = terms_of(set);

    for (int v = 0; v < vectors; v++) {
        float(*at)[16] = lane + v * sums;
        v16 sum[BORN_SUMS], by = v_zero(), mean = means ? v_load(means + 16 * v) : v_zero();
        BORN_UNROLL
        for (int k = 0; k < sums; k++) sum[k] = fresh ? v_zero() : v_load(at[k]);
        if (set & BORN_SUM_G) by = live == 16 ? v_load(g + 16 * v) : v_load_n(g, live);
        add_terms(set, live == 16 ? v_load(x + 16 * v) : v_load_n(x, live), by, mean, sum);
        BORN_UNROLL
        for (int k = 0; k < sums; k++) v_store(at[k], sum[k]);
    }
}

/* At most 4,096 cells of `vectors` whole vectors of channels, or of one with `live` channels; to[k][vectors][16]. */
BORN_INLINE void chunk_last(const int set, int vectors, const strip *p, int64_t cells, const float *means,
                            int64_t live, float *to)
{
    const int sums = terms_of(set), width = sums * vectors;
    _Alignas(64) float lane[LANES * WIDE][16];
    int64_t used = cells < LANES ? cells : LANES, rows = used <= 16 ? used : LANES;
    int64_t together = width <= 4 ? LANES : 16;     /* as many lanes as stay in the first cache */

    for (int64_t part = 0; part < used; part += together)
        for (int64_t first = part; first < cells; first += LANES) {
            int64_t end = first + together < cells ? first + together : cells;
            const float *x = p->x + first * p->x_step, *g = p->g + first * p->g_step;
            for (int64_t i = first; i < end; i++, x += p->x_step, g += p->g_step)
                add_cell(set, vectors, x, g, means, live, i < LANES, lane + i % LANES * width);
        }
    for (int64_t i = used * width; i < rows * width; i++) v_store(lane[i], v_zero());
    for (int v = 0; v < vectors; v++)
        for (int k = 0; k < sums; k++) fold_lanes(lane + v * sums + k, width, used, to + (k * vectors + v) * 16);
}

/* `vectors` of channels from c on of batch entry n. */
BORN_INLINE void sum_strip(const int set, int vectors, const born_plane_sums *s, int64_t n, int64_t c,
                           int64_t live)
{
    const int sums = terms_of(set);
    const born_planes *p = &s->x;
    const bool with_g = set & BORN_SUM_G;
    const float *mean = s->mean ? s->mean + c : NULL;
    strip at = { p->at + n * p->n + c, NULL, p->cell, with_g ? s->g.cell : 0 };
    tree t;

    t.parts = 0;
    at.g = with_g ? s->g.at + n * s->g.n + c : at.x;
    for (int64_t i = 0; i < p->cells; i += CHUNK) {
        int64_t k = p->cells - i < CHUNK ? p->cells - i : CHUNK;
        chunk_last(set, vectors, &at, k, mean, live, t.part[t.parts]);
        push_part(&t, 16 * sums * vectors, k == CHUNK);
        at.x += k * at.x_step;
        at.g += k * at.g_step;
    }
    const float *sum = total_of(&t, 16 * sums * vectors);
    for (int k = 0; k < sums; k++)
        for (int v = 0; v < vectors; v++)
            v_store(s->part + (k * p->batch + n) * s->padded + c + 16 * v, v_load(sum + (k * vectors + v) * 16));
}

/* Items: vectors of channels of batch entries; neighbours are taken together. */
BORN_INLINE void sum_last(const int set, const born_plane_sums *s, int64_t begin, int64_t end)
{
    int64_t blocks = s->padded / 16;

    for (int64_t i = begin, k; i < end; i += k) {
        int64_t c = i % blocks * 16, live = s->x.channels - c < 16 ? s->x.channels - c : 16;
        k = (s->x.channels - c) / 16 < end - i ? (s->x.channels - c) / 16 : end - i;    /* whole vectors */
        k = k < 1 ? 1 : k > VECTORS ? VECTORS : k;
        sum_strip(set, (int)k, s, i / blocks, c, live);
    }
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

enum { THREE = BORN_SUM_SPREAD | BORN_SUM_G | BORN_SUM_PRODUCT };

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const born_plane_sums *s = ctx;

    if (s->set == BORN_SUM_X) {
        if (s->last) sum_last(BORN_SUM_X, s, begin, end);
        else sum_rows(BORN_SUM_X, s, begin, end);
    } else if (s->set == BORN_SUM_SPREAD) {
        if (s->last) sum_last(BORN_SUM_SPREAD, s, begin, end);
        else sum_rows(BORN_SUM_SPREAD, s, begin, end);
    } else if (s->last) {
        sum_last(THREE, s, begin, end);
    } else {
        sum_rows(THREE, s, begin, end);
    }
}

void BORN_K(plane_sums_f32)(const born_plane_sums *s, const born_exec *x)
{
    int64_t per = s->x.cells * (s->last ? 16 : 1), items = s->x.batch * (s->last ? s->padded / 16 : s->x.channels);

    born__exec_for(x, items, 1 + (1 << 14) / per, run_items, (void *)(uintptr_t)s);
}

void BORN_K(plane_join_f32)(const born_plane_sums *s, int k, float *to)
{
    int64_t batch = s->x.batch;
    const float *part = s->part + k * batch * s->padded;

    for (int64_t c = 0; c < s->padded; c += 16) {
        v16 total = v_zero(), chain = v_zero();
        for (int64_t n = 0; n < batch; n++) {
            if (n > 0 && n % CUT == 0) {
                total = n == CUT ? chain : v_add(total, chain);
                chain = v_zero();
            }
            chain = v_add(chain, v_load(part + n * s->padded + c));
        }
        v_store(to + c, batch > CUT ? v_add(total, chain) : chain);
    }
}

/* reduce_sum over all axes but the channels'. */
born_status BORN_K(channel_sum_f32)(born_call *c, const born_exec *x)
{
    born_plane_sums s = { .set = BORN_SUM_X, .part = x->scratch };
    const born_view *y = &c->out[0];

    if (!born__planes_of(&c->in[0], &s.last, &s.x)) return BORN_OK;
    s.padded = born__padded(s.x.channels);
    float *sum = s.part + s.x.batch * s.padded;
    BORN_K(plane_sums_f32)(&s, x);
    BORN_K(plane_join_f32)(&s, 0, sum);
    int axis = y->rank == c->in[0].rank ? 1 : 0;
    for (int64_t i = 0; i < s.x.channels; i++) ((float *)(void *)y->data)[i * y->stride[axis]] = sum[i];
    return BORN_OK;
}
