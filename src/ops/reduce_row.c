/* One row reduced in the order that the law of bits fixes; see reduce.h. Built from the spans of the joining op, so
   that every class and every kind of reduction shares one text. */
#include "ops/reduce.h"

#include <math.h>
#include <string.h>

static void fill(const born_reducer *r, void *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) memcpy((char *)to + i * r->size, &r->init, (size_t)r->size);
}

static void join(const born_reducer *r, void *acc, const void *v, int64_t n)
{
    static const double none[2] = { 0, 0 };
    r->combine(none, acc, v, acc, n);
}

void born__row_begin(born_row *w, const born_reducer *r)
{
    w->r = r;
    w->count = 0;
    w->parts = 0;
    fill(r, &w->lane, 64);
}

static void *lane_at(born_row *w, int i) { return (char *)&w->lane + i * w->r->size; }

/* Folds the 64 lanes into the first and pushes it on the tree; subtrees of one size join at once, so that the order is
   that of a binary tree over chunk indices. */
static void chunk_end(born_row *w, int64_t chunks)
{
    const born_reducer *r = w->r;
    join(r, lane_at(w, 0), lane_at(w, 16), 16);
    join(r, lane_at(w, 32), lane_at(w, 48), 16);
    join(r, lane_at(w, 0), lane_at(w, 32), 16);
    for (int half = 8; half >= 1; half /= 2) join(r, lane_at(w, 0), lane_at(w, half), half);
    memcpy(&w->part[w->parts], &w->lane, (size_t)r->size);
    w->part_chunks[w->parts++] = chunks;
    while (w->parts >= 2 && w->part_chunks[w->parts - 2] == w->part_chunks[w->parts - 1]) {
        w->parts--;
        join(r, &w->part[w->parts - 1], &w->part[w->parts], 1);
        w->part_chunks[w->parts - 1] *= 2;
    }
    fill(r, &w->lane, 64);
}

/* What most rows are: whole rounds of 64 sums in f32, in a form that compilers turn into vectors. */
static void add_rounds(float *restrict lane, const float *restrict v, int64_t rounds)
{
    for (; rounds > 0; rounds--, v += 64)
        for (int i = 0; i < 64; i++) lane[i] += v[i];
}

void born__row_feed(born_row *w, const void *v, int64_t n)
{
    const char *p = v;
    bool sums = w->r->cls == BORN_CLASS_F32 && w->r->combine == born__span_of(BORN_OP_ADD, BORN_CLASS_F32);
    while (n > 0) {
        int64_t room = BORN_ROW_CHUNK - w->count % BORN_ROW_CHUNK, k = n < room ? n : room;
        int64_t i = sums ? k & ~(int64_t)63 : 0;
        if (i > 0) add_rounds(w->lane.f32, (const float *)(const void *)p, i / 64);
        for (; i < k; i += 64) join(w->r, &w->lane, p + i * w->r->size, k - i < 64 ? k - i : 64);
        w->count += k;
        p += k * w->r->size;
        n -= k;
        if (w->count % BORN_ROW_CHUNK == 0) chunk_end(w, 1);
    }
}

void born__row_end(born_row *w, void *result)
{
    if (w->count % BORN_ROW_CHUNK != 0 || w->parts == 0) chunk_end(w, w->parts ? 0 : 1);
    while (w->parts > 1) {
        w->parts--;
        join(w->r, &w->part[w->parts - 1], &w->part[w->parts], 1);
    }
    memcpy(result, w->part, (size_t)w->r->size);
}

static void reduce_dense(born_class c, born_op_id op, double init, const void *v, int64_t n, void *result)
{
    born_reducer r = { .cls = c, .size = c == BORN_CLASS_F32 ? 4 : 8, .combine = born__span_of(op, c) };
    float f = (float)init;
    memcpy(&r.init, c == BORN_CLASS_F32 ? (const void *)&f : (const void *)&init, (size_t)r.size);
    born_row w;
    born__row_begin(&w, &r);
    born__row_feed(&w, v, n);
    born__row_end(&w, result);
}

float born__row_sum_f32(const float *v, int64_t n)
{
    float z;
    reduce_dense(BORN_CLASS_F32, BORN_OP_ADD, 0, v, n, &z);
    return z;
}
double born__row_sum_f64(const double *v, int64_t n)
{
    double z;
    reduce_dense(BORN_CLASS_F64, BORN_OP_ADD, 0, v, n, &z);
    return z;
}
float born__row_max_f32(const float *v, int64_t n)
{
    float z;
    reduce_dense(BORN_CLASS_F32, BORN_OP_MAX, -INFINITY, v, n, &z);
    return z;
}
double born__row_max_f64(const double *v, int64_t n)
{
    double z;
    reduce_dense(BORN_CLASS_F64, BORN_OP_MAX, -INFINITY, v, n, &z);
    return z;
}
