/* Sums of a dense row in the order that the law of bits fixes (ops/reduce.h): element i goes to lane i % 16 of
   accumulator i / 16 % 4, chunks of 4,096 elements are folded by the fixed tree and joined by a binary tree over the
   chunk index. Written once for any map of the elements and any joining operation. Included by _k.c files. */
#ifndef BORN_CPU_ROW_SUM_H
#define BORN_CPU_ROW_SUM_H
#include "cpu/simd/simd.h"

enum { ROW_CHUNK = 4096, ROW_PARTS = 64 };

typedef v16 (*row_map)(v16 x, v16 m); /* of an element; m is the same for the whole row */
typedef v16 (*row_join)(v16 acc, v16 x);

BORN_INLINE v16 map_none(v16 x, v16 m)
{
    (void)m;
    return x;
}
BORN_INLINE v16 map_abs(v16 x, v16 m)
{
    (void)m;
    return v_abs(x);
}
BORN_INLINE v16 map_square(v16 x, v16 m)
{
    (void)m;
    return v_mul(x, x);
}
BORN_INLINE v16 map_square_from(v16 x, v16 m)
{
    v16 d = v_sub(x, m);
    return v_mul(d, d);
}

/* One lane's worth of a joining operation, on a vector whose other lanes are not used. */
BORN_INLINE float join_one(row_join join, float a, float b)
{
    float t[16];
    v_store(t, join(v_set(a), v_set(b)));
    return t[0];
}

/* Folds the four accumulators of a chunk. */
BORN_INLINE float row_fold(row_join join, v16 lane[4])
{
    if (join == v_add) return v_sum(v_add(v_add(lane[0], lane[1]), v_add(lane[2], lane[3])));
    float t[32] = { 0 };
    v_store(t, join(join(lane[0], lane[1]), join(lane[2], lane[3])));
    for (int half = 8; half >= 1; half /= 2) v_store(t, join(v_load(t), v_load(t + half)));
    return t[0];
}

/* The four accumulators of a chunk of n <= 4,096 elements. */
BORN_INLINE void row_lanes(const float *x, int64_t n, v16 m, row_map map, row_join join, v16 init, v16 lane[4])
{
    for (int a = 0; a < 4; a++) lane[a] = init;
    int64_t i = 0;

    for (; i + 64 <= n; i += 64) BORN_UNROLL
    for (int a = 0; a < 4; a++) lane[a] = join(lane[a], map(v_load(x + i + 16 * a), m));
    for (int a = 0; i < n; i += 16, a++) {
        int64_t k = n - i < 16 ? n - i : 16;
        lane[a] = v_sel(m_first(k), join(lane[a], map(v_load_n(x + i, k), m)), lane[a]);
    }
}

/* Sums of 16 rows at once, lane i that of row i; r[i]: row i's accumulators as (0 + 1) + (2 + 3). Changes r. */
BORN_INLINE v16 rows_fold(v16 r[16])
{
    v_transpose(r);
    BORN_UNROLL
    for (int i = 0; i < 8; i++) r[i] = v_add(r[i], r[i + 8]);
    BORN_UNROLL
    for (int i = 0; i < 4; i++) r[i] = v_add(r[i], r[i + 4]);
    return v_add(v_add(r[0], r[2]), v_add(r[1], r[3]));
}
BORN_INLINE v16 row_four(const v16 lane[4]) { return v_add(v_add(lane[0], lane[1]), v_add(lane[2], lane[3])); }

/* A chunk of n <= 4,096 elements. */
BORN_INLINE float row_chunk(const float *x, int64_t n, v16 m, row_map map, row_join join, v16 init)
{
    v16 lane[4];

    row_lanes(x, n, m, map, join, init, lane);
    return row_fold(join, lane);
}

/* The whole row; `init` for one of no elements. */
BORN_INLINE float row_reduce(const float *x, int64_t n, v16 m, row_map map, row_join join, v16 init)
{
    float part[ROW_PARTS];
    int64_t chunks[ROW_PARTS];
    int parts = 0;

    if (n <= ROW_CHUNK) return row_chunk(x, n, m, map, join, init);
    for (int64_t i = 0; i < n; i += ROW_CHUNK) {
        int64_t k = n - i < ROW_CHUNK ? n - i : ROW_CHUNK;
        part[parts] = row_chunk(x + i, k, m, map, join, init);
        chunks[parts++] = k == ROW_CHUNK ? 1 : 0; /* an unfinished chunk joins last */
        while (parts >= 2 && chunks[parts - 2] == chunks[parts - 1]) {
            parts--;
            part[parts - 1] = join_one(join, part[parts - 1], part[parts]);
            chunks[parts - 1] *= 2;
        }
    }
    while (parts > 1) {
        parts--;
        part[parts - 1] = join_one(join, part[parts - 1], part[parts]);
    }
    return part[0];
}

BORN_INLINE float row_sum(const float *x, int64_t n, v16 m, row_map map)
{
    return row_reduce(x, n, m, map, v_add, v_zero());
}
#endif
