/* See rng.h. Called by the random ops and by data shufflers. */
#include "base/rng.h"

#define ROUNDS 10

void born__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int r = 0; r < ROUNDS; r++) {
        uint64_t a = (uint64_t)c0 * 0xD2511F53u;
        uint64_t b = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void born__philox_even(uint64_t key, uint64_t stream, uint64_t first, uint32_t dst[2 * BORN_PHILOX_SPAN])
{
    uint32_t c0[BORN_PHILOX_SPAN], c1[BORN_PHILOX_SPAN], c2[BORN_PHILOX_SPAN], c3[BORN_PHILOX_SPAN];
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int i = 0; i < BORN_PHILOX_SPAN; i++) {
        c0[i] = (uint32_t)(first + (uint64_t)i);
        c1[i] = (uint32_t)((first + (uint64_t)i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int r = 0; r < ROUNDS; r++) {
        for (int i = 0; i < BORN_PHILOX_SPAN; i++) {
            uint64_t a = (uint64_t)c0[i] * 0xD2511F53u;
            uint64_t b = (uint64_t)c2[i] * 0xCD9E8D57u;
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)b;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < BORN_PHILOX_SPAN; i++) {
        dst[2 * i] = c0[i];
        dst[2 * i + 1] = c2[i];
    }
}

static void block_of(uint64_t key, uint64_t stream, uint64_t block, uint32_t out[4])
{
    uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32) };
    uint32_t k[2] = { (uint32_t)key, (uint32_t)(key >> 32) };
    born__philox(counter, k, out);
}

void born__philox_u32(uint64_t key, uint64_t stream, uint64_t first, uint32_t *dst, size_t n)
{
    uint32_t word[4];
    for (size_t i = 0; i < n; i++) {
        uint64_t at = first + i;
        if (i == 0 || at % 4 == 0) block_of(key, stream, at / 4, word);
        dst[i] = word[at % 4];
    }
}

void born__philox_f32(uint64_t key, uint64_t stream, uint64_t first, float *dst, size_t n)
{
    uint32_t word[4];
    for (size_t i = 0; i < n; i++) {
        uint64_t at = first + i;
        if (i == 0 || at % 4 == 0) block_of(key, stream, at / 4, word);
        dst[i] = born__unit_f32(word[at % 4]);
    }
}
