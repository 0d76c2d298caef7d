/* Orders of items, and the random numbers of the loader: each a pure function of the seed and what it is for. */
#ifndef BORN_DATA_ORDER_H
#define BORN_DATA_ORDER_H
#include <born/base.h>

typedef enum born_draw {                /* what a number is for: streams that never meet */
    BORN_DRAW_ORDER = 1,
    BORN_DRAW_SPLIT,
    BORN_DRAW_ITEM,
    BORN_DRAW_BATCH
} born_draw;

/* The key of thing `index` in epoch `epoch`. */
uint64_t born__draw_key(born_draw what, uint64_t seed, uint64_t epoch, uint64_t index);
/* A uniform number in [0, n), element `at` of the stream of `key`; n > 0. */
uint64_t born__draw_below(uint64_t key, uint64_t at, uint64_t n);
/* In [0, 1), 53 bits. */
double born__draw_unit(uint64_t key, uint64_t at);
/* 0 .. n - 1 shuffled (R. Durstenfeld 1964). */
void born__shuffle(uint64_t key, int64_t *order, int64_t n);
/* m draws with replacement from n items, by `running` sums of their weights; the last is the total, > 0. */
void born__draw_weighted(uint64_t key, const double *running, int64_t n, int64_t *order, int64_t m);
#endif
