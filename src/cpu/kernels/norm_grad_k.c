/* The gradients of layer_norm and rms_norm over dense rows (reference and order of sums: ops/norm_back.c). Rows for x,
   then columns for scale and bias; the second pass finds each row's mean and deviation in scratch. */
#include "cpu/kernels/row_norm.h"

#include <math.h>

#include "cpu/kernels/norm_grad.h"

enum { WIDE = 4 };                      /* vectors of columns that go down the rows together */

/* The normalised x; by is what x is divided by where rms, else what it is multiplied with. */
BORN_INLINE v16 normal(bool rms, v16 x, v16 mean, v16 by)
{
    return rms ? v_div(x, by) : v_mul(v_sub(x, mean), by);
}

/* n elements, 16 of which need no mask. */
BORN_INLINE v16 some(const float *x, int64_t n) { return n == 16 ? v_load(x) : v_load_n(x, n); }

BORN_INLINE v16 gained(const float *g, const float *scale, int64_t i, int64_t n)
{
    v16 v = some(g + i, n);
    return scale ? v_mul(v, some(scale + i, n)) : v;
}

/* Accumulators of the sums of h = g * scale and of h times the normalised x. */
BORN_INLINE void row_sums(const born_norm_grad *j, const float *g, const float *x, v16 mean, v16 by, bool rms,
                          v16 lane[2][4])
{
    int64_t i = 0;

    for (int a = 0; a < 4; a++) lane[0][a] = lane[1][a] = v_zero();
    for (; i + 64 <= j->n; i += 64)
        BORN_UNROLL
        for (int a = 0; a < 4; a++) {
            v16 h = gained(g, j->scale, i + 16 * a, 16), t = normal(rms, v_load(x + i + 16 * a), mean, by);
            lane[0][a] = v_add(lane[0][a], h);
            lane[1][a] = v_add(lane[1][a], v_mul(h, t));
        }
    for (int a = 0; a < 4 && i + 16 * a < j->n; a++) {
        int64_t at = i + 16 * a, k = j->n - at < 16 ? j->n - at : 16;
        v16 h = gained(g, j->scale, at, k), t = normal(rms, v_load_n(x + at, k), mean, by);
        m16 in = m_first(k);
        lane[0][a] = v_sel(in, v_add(lane[0][a], h), lane[0][a]);
        lane[1][a] = v_sel(in, v_add(lane[1][a], v_mul(h, t)), lane[1][a]);
    }
}

BORN_INLINE v16 dx_of(v16 h, v16 normal_x, v16 a, v16 b, v16 by, bool rms)
{
    v16 t = v_mul(normal_x, b);
    return rms ? v_div(v_sub(h, t), by) : v_mul(v_sub(v_sub(h, a), t), by);
}

/* dx of row r; a and b: the sums over the number of elements. */
BORN_INLINE void row_dx(const born_norm_grad *j, int64_t r, float a_, float b_, bool rms)
{
    const float *g = j->g + r * j->n, *x = j->x + r * j->n;
    float *dx = j->dx + r * j->n;
    v16 m = v_set(j->mean[r]), d = v_set(j->by[r]), a = v_set(a_), b = v_set(b_);
    int64_t i = 0, k;

    for (; i + 16 <= j->n; i += 16)
        v_store(dx + i, dx_of(gained(g, j->scale, i, 16), normal(rms, v_load(x + i), m, d), a, b, d, rms));
    k = j->n - i;
    if (k > 0)
        v_store_n(dx + i, dx_of(gained(g, j->scale, i, k), normal(rms, v_load_n(x + i, k), m, d), a, b, d, rms), k);
}

BORN_INLINE void one_row(const born_norm_grad *j, int64_t r, bool rms)
{
    const float *g = j->g + r * j->n, *x = j->x + r * j->n;
    float count = (float)j->n, mean = 0, by;
    v16 lane[2][4];

    if (rms) {
        by = sqrtf(row_sum(x, j->n, v_zero(), map_square) / count + j->epsilon);
    } else {
        mean = row_sum(x, j->n, v_zero(), map_none) / count;
        by = 1 / sqrtf(row_sum(x, j->n, v_set(mean), map_square_from) / count + j->epsilon);
    }
    j->mean[r] = mean;
    j->by[r] = by;
    row_sums(j, g, x, v_set(mean), v_set(by), rms, lane);
    row_dx(j, r, row_fold(v_add, lane[0]) / count, row_fold(v_add, lane[1]) / count, rms);
}

/* 16 short rows from r on. */
BORN_INLINE void some_rows(const born_norm_grad *j, int64_t r, bool rms)
{
    const float *x[NORM_ROWS];
    float a[NORM_ROWS], b[NORM_ROWS];
    v16 lane[2][4], sum[2][NORM_ROWS], count = v_set((float)j->n);

    for (int i = 0; i < NORM_ROWS; i++) x[i] = j->x + (r + i) * j->n;
    norm_stats(x, j->n, j->epsilon, rms, j->mean + r, j->by + r);
    for (int i = 0; i < NORM_ROWS; i++) {
        row_sums(j, j->g + (r + i) * j->n, x[i], v_set(j->mean[r + i]), v_set(j->by[r + i]), rms, lane);
        sum[0][i] = row_four(lane[0]);
        sum[1][i] = row_four(lane[1]);
    }
    v_store(a, v_div(rows_fold(sum[0]), count));
    v_store(b, v_div(rows_fold(sum[1]), count));
    for (int i = 0; i < NORM_ROWS; i++) row_dx(j, r + i, a[i], b[i], rms);
}

BORN_INLINE void row_range(const born_norm_grad *j, int64_t r, int64_t end, bool rms)
{
    for (; j->n <= NORM_SHORT && end - r >= NORM_ROWS; r += NORM_ROWS) some_rows(j, r, rms);
    for (; r < end; r++) one_row(j, r, rms);
}

static void rows(void *ctx, int64_t begin, int64_t end)
{
    const born_norm_grad *j = ctx;

    if (j->rms) row_range(j, begin, end, true);
    else row_range(j, begin, end, false);
}

/* Rows [from, to) of one segment of the chains. */
BORN_INLINE void segment(const born_norm_grad *j, int64_t c, const int64_t *k, bool whole, int64_t from, int64_t to,
                         bool rms, v16 chain[2][WIDE])
{
    for (int a = 0; a < WIDE; a++) chain[0][a] = chain[1][a] = v_zero();
    for (int64_t r = from; r < to; r++) {
        v16 mean = v_set(j->mean[r]), by = v_set(j->by[r]);
        BORN_UNROLL
        for (int a = 0; a < WIDE; a++) {
            int64_t at = r * j->n + c + 16 * a;
            if (!whole && !k[a]) continue;
            v16 g = some(j->g + at, whole ? 16 : k[a]), t = normal(rms, some(j->x + at, whole ? 16 : k[a]), mean, by);
            chain[0][a] = v_add(chain[0][a], v_mul(g, t));
            chain[1][a] = v_add(chain[1][a], g);
        }
    }
}

/* One group of columns from c on; k: how many each vector has. */
static void column_group(const born_norm_grad *j, int64_t c, const int64_t *k)
{
    v16 chain[2][WIDE], total[2][WIDE];

    for (int a = 0; a < WIDE; a++) total[0][a] = total[1][a] = v_zero();
    for (int64_t r = 0; r < j->count; r += BORN_CHAIN_CUT) {
        int64_t to = r + BORN_CHAIN_CUT < j->count ? r + BORN_CHAIN_CUT : j->count;
        if (j->rms) segment(j, c, k, false, r, to, true, chain);
        else if (k[WIDE - 1] == 16) segment(j, c, k, true, r, to, false, chain);
        else segment(j, c, k, false, r, to, false, chain);
        for (int a = 0; a < WIDE; a++) {
            total[0][a] = r ? v_add(total[0][a], chain[0][a]) : chain[0][a];
            total[1][a] = r ? v_add(total[1][a], chain[1][a]) : chain[1][a];
        }
    }
    for (int a = 0; a < WIDE; a++) {
        if (k[a] && j->dscale) v_store_n(j->dscale + c + 16 * a, total[0][a], k[a]);
        if (k[a] && j->dbias) v_store_n(j->dbias + c + 16 * a, total[1][a], k[a]);
    }
}

static void columns(void *ctx, int64_t begin, int64_t end)
{
    const born_norm_grad *j = ctx;

    for (int64_t b = begin; b < end; b++) {
        int64_t c = b * 16 * WIDE, k[WIDE];
        for (int a = 0; a < WIDE; a++) {
            int64_t left = j->n - c - 16 * a;
            k[a] = left < 0 ? 0 : left < 16 ? left : 16;
        }
        column_group(j, c, k);
    }
}

born_status BORN_K(layer_norm_grad_f32)(born_call *c, const born_exec *x)
{
    born_norm_grad j;

    if (!born__norm_grad_of(c, &j)) return BORN_OK;
    j.mean = x->scratch;
    j.by = j.mean + j.count;
    born__exec_for(x, j.count, NORM_ROWS * (1 + 512 / j.n), rows, &j);
    if (j.dscale || j.dbias)
        born__exec_for(x, (j.n + 16 * WIDE - 1) / (16 * WIDE), 1 + 16384 / (j.count * 16 * WIDE), columns, &j);
    return BORN_OK;
}
