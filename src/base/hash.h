/* A 64-bit hash for tables and for comparing outputs: fast, stable over machines and versions, not cryptographic. */
#ifndef BORN_BASE_HASH_H
#define BORN_BASE_HASH_H
#include <stddef.h>
#include <stdint.h>

/* Of n bytes; `seed` may be an earlier hash, to chain pieces (the cut matters). */
uint64_t born__hash(const void *data, size_t n, uint64_t seed);

static inline uint64_t born__hash_u64(uint64_t seed, uint64_t v)
{
    uint64_t h = (seed * 0x8CB92BA72F3D8DD7u ^ seed >> 29 ^ v) * 0x9E6C63D0876A9A4Bu; /* not the same both ways round */
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 29;
}
#endif
