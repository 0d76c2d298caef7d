/* See hash.h. Four lanes of 8 bytes each, multiplied and folded by their upper halves, then mixed together with the
   length. Bytes are read as little-endian words, so the hash is the same everywhere. */
#include "base/hash.h"

#define LANES 4
#define STRIPE (LANES * 8)

static uint64_t load_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0xA0761D6478BD642Fu;
    return h ^ h >> 32;
}

uint64_t born__hash(const void *data, size_t n, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t lane[LANES];
    for (int i = 0; i < LANES; i++) lane[i] = born__hash_u64(seed, (uint64_t)i + 1);
    size_t left = n;
    for (; left >= STRIPE; left -= STRIPE, p += STRIPE) {
        for (int i = 0; i < LANES; i++) lane[i] = mix(lane[i], load_le(p + 8 * i, 8));
    }
    int i = 0;
    for (; left >= 8; left -= 8, p += 8, i++) lane[i] = mix(lane[i], load_le(p, 8));
    if (left > 0) lane[i] = mix(lane[i], load_le(p, left));
    uint64_t h = born__hash_u64(seed, n);
    for (i = 0; i < LANES; i++) h = born__hash_u64(h, lane[i]);
    return h;
}
