/* See order.h. Called by the loader, the splits, the transforms and mixup. */
#include "data/order.h"

#include "base/hash.h"
#include "base/rng.h"

uint64_t born__draw_key(born_draw what, uint64_t seed, uint64_t epoch, uint64_t index)
{
    uint64_t mixed = born__hash_u64((uint64_t)what, seed);
    uint32_t counter[4] = { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)epoch, (uint32_t)(epoch >> 32) };
    uint32_t key[2] = { (uint32_t)mixed, (uint32_t)(mixed >> 32) }, word[4];
    born__philox(counter, key, word);
    return (uint64_t)word[0] << 32 | word[1];
}

static uint64_t word_at(uint64_t key, uint64_t at)
{
    uint32_t w[2];
    born__philox_u32(key, 0, 2 * at, w, 2);
    return (uint64_t)w[0] << 32 | w[1];
}

/* The upper half of the product of two 64-bit numbers. */
static uint64_t mul_high(uint64_t a, uint64_t b)
{
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t mid = ah * bl + (al * bl >> 32), low = al * bh + (uint32_t)mid;
    return ah * bh + (mid >> 32) + (low >> 32);
}

uint64_t born__draw_below(uint64_t key, uint64_t at, uint64_t n)
{
    return mul_high(word_at(key, at), n);
}

double born__draw_unit(uint64_t key, uint64_t at)
{
    uint64_t w = word_at(key, at);
    return born__unit_f64((uint32_t)(w >> 32), (uint32_t)w);
}

void born__shuffle(uint64_t key, int64_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t k = (int64_t)born__draw_below(key, (uint64_t)i, (uint64_t)i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
}

void born__draw_weighted(uint64_t key, const double *running, int64_t n, int64_t *order, int64_t m)
{
    for (int64_t i = 0; i < m; i++) {
        double v = born__draw_unit(key, (uint64_t)i) * running[n - 1];
        int64_t lo = 0, hi = n - 1;                 /* the first whose running sum is above v */
        while (lo < hi) {
            int64_t mid = lo + (hi - lo) / 2;
            if (running[mid] > v)
                hi = mid;
            else
                lo = mid + 1;
        }
        order[i] = lo;
    }
}
