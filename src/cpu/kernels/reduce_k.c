/* Reductions of f32 over the trailing axes (rows, in the order of row_sum.h) and over axes before a dense run of kept
   ones (columns: 16 chains side by side, in index order, cut every 1,024 terms). Sums of columns, the gradients of
   biases, take whole stretches of eight terms' rows at a time, so that memory is read front to back. */
#include "cpu/kernels/row_sum.h"

#include <math.h>

#include "cpu/kernels/reduce_plan.h"

enum { CUT = 1024, STRIP = 32, DEEP = 8 };

BORN_INLINE float reduce_row(const born_reduce_plan *p, const float *x)
{
    v16 z = v_zero();

    switch (p->kind) {
    case BORN_REDUCE_MAX:
        return row_reduce(x, p->n, z, map_none, v_max, v_set(-INFINITY));
    case BORN_REDUCE_MIN:
        return row_reduce(x, p->n, z, map_none, v_min, v_set(INFINITY));
    case BORN_REDUCE_ABS:
        return row_sum(x, p->n, z, map_abs);
    case BORN_REDUCE_SQUARE:
        return row_sum(x, p->n, z, map_square);
    default:
        return row_sum(x, p->n, z, map_none);
    }
}

static void reduce_rows(void *ctx, int64_t begin, int64_t end)
{
    const born_reduce_plan *p = ctx;

    for (int64_t r = begin; r < end; r++) {
        const float *x = p->x;
        float *y = p->y;
        for (int64_t d = p->rank, i = r; d-- > 0; i /= p->dim[d]) {
            x += i % p->dim[d] * p->x_step[d];
            y += i % p->dim[d] * p->y_step[d];
        }
        float v = reduce_row(p, x);
        if (p->divisor != 0) v /= p->divisor;
        *y = p->root ? sqrtf(v) : v;
    }
}

/* Columns [c, c + n) of one block, n <= 16. */
BORN_INLINE v16 chain(const born_reduce_plan *p, const float *x, int64_t n, row_map map, row_join join, v16 init)
{
    v16 total = init, seg = init, z = v_zero();

    for (int64_t i = 0; i < p->n; i++) {
        if (i > 0 && i % CUT == 0) {
            total = i == CUT ? seg : join(total, seg);
            seg = init;
        }
        seg = join(seg, map(n == 16 ? v_load(x + i * p->x_term) : v_load_n(x + i * p->x_term, n), z));
    }
    return p->n > CUT ? join(total, seg) : seg;
}

/* Rows [0, rows) of a strip of whole vectors, added to the sums so far. */
BORN_INLINE void add_rows(const float *x, int64_t step, int rows, int64_t vectors, float *sum)
{
    for (int64_t v = 0; v < vectors; v++) {
        v16 s = v_load(sum + 16 * v);
        BORN_UNROLL
        for (int i = 0; i < rows; i++) s = v_add(s, v_load(x + i * step + 16 * v));
        v_store(sum + 16 * v, s);
    }
}

/* Sums of a strip of whole vectors of columns. */
static void sum_strip(const born_reduce_plan *p, const float *x, int64_t vectors, float *y)
{
    _Alignas(64) float sum[16 * STRIP];
    v16 by = v_set(p->divisor);

    for (int64_t i = 0; i < p->n;) {
        int64_t first = i, end = p->n - i < CUT ? p->n : i + CUT;
        for (int64_t v = 0; v < vectors; v++) v_store(sum + 16 * v, v_zero());
        for (; i + DEEP <= end; i += DEEP) add_rows(x + i * p->x_term, p->x_term, DEEP, vectors, sum);
        for (; i < end; i++) add_rows(x + i * p->x_term, p->x_term, 1, vectors, sum);
        for (int64_t v = 0; v < vectors; v++) {
            v16 s = v_load(sum + 16 * v);
            if (first) s = v_add(v_load(y + 16 * v), s);
            if (end == p->n && p->divisor != 0) s = v_div(s, by);
            v_store(y + 16 * v, s);
        }
    }
}

static void reduce_columns(void *ctx, int64_t begin, int64_t end)
{
    const born_reduce_plan *p = ctx;
    int64_t vectors = (p->columns + 15) / 16;

    for (int64_t r = begin, k; r < end; r += k) {
        const float *x = p->x + r % vectors * 16;
        float *y = p->y + r % vectors * 16;
        int64_t left = p->columns - r % vectors * 16, n = left < 16 ? left : 16;
        for (int64_t d = p->rank, i = r / vectors; d-- > 0; i /= p->dim[d]) {
            x += i % p->dim[d] * p->x_step[d];
            y += i % p->dim[d] * p->y_step[d];
        }
        k = left / 16 < STRIP ? left / 16 : STRIP;
        if (k > end - r) k = end - r;
        if (p->kind == BORN_REDUCE_SUM && k > 0) {
            sum_strip(p, x, k, y);
            continue;
        }
        k = 1;
        v16 v;
        switch (p->kind) {
        case BORN_REDUCE_MAX:
            v = chain(p, x, n, map_none, v_max, v_set(-INFINITY));
            break;
        case BORN_REDUCE_MIN:
            v = chain(p, x, n, map_none, v_min, v_set(INFINITY));
            break;
        case BORN_REDUCE_ABS:
            v = chain(p, x, n, map_abs, v_add, v_zero());
            break;
        case BORN_REDUCE_SQUARE:
            v = chain(p, x, n, map_square, v_add, v_zero());
            break;
        default:
            v = chain(p, x, n, map_none, v_add, v_zero());
            break;
        }
        if (p->divisor != 0) v = v_div(v, v_set(p->divisor));
        v_store_n(y, p->root ? v_sqrt(v) : v, n);
    }
}

born_status BORN_K(reduce_f32)(born_call *c, const born_exec *x)
{
    born_reduce_plan p;

    if (!born__reduce_plan(c, &p)) return BORN_OK;
    if (p.columns == 0)
        born__exec_for(x, p.count, 1 + 8192 / p.n, reduce_rows, &p);
    else
        born__exec_for(x, p.count * ((p.columns + 15) / 16), 4 + 512 / p.n, reduce_columns, &p);
    return BORN_OK;
}
